//! What is said of a model that its file does not tell.

use models::{Activation, Likelihood, ModelKind, PosteriorScale};

/// What is known of a model beside its file; `None` where nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Declared {
    /// Which autoencoder it is.
    pub kind: Option<ModelKind>,
    /// The nonlinearity behind hidden layers.
    pub activation: Option<Activation>,
    /// The distribution of a value given the code, with its σ.
    pub likelihood: Option<Likelihood>,
    /// What the encoder computes besides μ.
    pub posterior_scale: Option<PosteriorScale>,
    /// Values of a row of the data.
    pub inputs: Option<usize>,
}
