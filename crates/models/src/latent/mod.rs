//! From the encoder's output to the codes and back: what makes one model
//! another, each in a folder of two files. `mod.rs` has the pass and the
//! gradient that was derived by hand, `program.rs` the same recorded on the
//! tape.

mod autoencoder;
pub(crate) mod gaussian;
mod two_layers;
mod vae;

use std::fmt;

use tensor_ops::Float;

use crate::network::layout::Role;
use crate::network::pass::Networks;
use crate::objective::Bound;
use crate::spec::ModelSpec;
use crate::step::program::LatentProgram;

/// The pass of a model, for up to so many rows.
pub(crate) fn pass<T: Float>(spec: &ModelSpec, rows: BlockRows) -> Box<dyn LatentPass<T>> {
    if spec.architecture.lower.is_some() {
        Box::new(two_layers::TwoLayers::new(spec, rows))
    } else if spec.kind.is_variational() {
        Box::new(vae::Vae::new(spec, rows))
    } else {
        Box::new(autoencoder::Autoencoder::new(spec, rows))
    }
}

/// The same as a program for the tape.
pub(crate) fn program<T: Float>(spec: &ModelSpec) -> &'static dyn LatentProgram<T> {
    if spec.architecture.lower.is_some() {
        &two_layers::program::TwoLayers
    } else if spec.kind.is_variational() {
        &vae::program::Vae
    } else {
        &autoencoder::program::Autoencoder
    }
}

/// The rows of a block: images up to the encoder's output, and `samples`
/// consecutive rows of codes for each from there on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockRows {
    pub(crate) images: usize,
    pub(crate) samples: usize,
}

impl BlockRows {
    /// Rows of codes.
    pub(crate) fn codes(self) -> usize {
        self.images * self.samples
    }

    /// The rows that a network takes.
    pub(crate) fn of(self, network: Role) -> usize {
        match network {
            Role::Encoder => self.images,
            Role::UpperEncoder | Role::Prior | Role::Decoder | Role::Scale => self.codes(),
        }
    }
}

/// What the parts of the loss count for in its gradient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factors<'a, T> {
    pub(crate) bound: Bound,
    /// v of every code: 1/k of k samples, w̃ under importance weights; empty
    /// where a single sample counts fully.
    pub(crate) samples: &'a [T],
    /// β of the penalty by latent dimension.
    pub(crate) penalty: &'a [T],
}

/// Codes of a block of images: drawn, weighed and differentiated through.
///
/// All matrices are in panels. Whoever calls [`sample`](Self::sample) has run
/// the encoder, and whoever calls [`backward`](Self::backward) the decoder back
/// to the codes.
pub(crate) trait LatentPass<T: Float>: fmt::Debug + Send + Sync {
    /// Draws the codes of all rows with the deviates `noise`, row-major
    /// `[rows, width]`.
    fn sample(&mut self, rows: BlockRows, networks: &mut dyn Networks<T>, noise: &[T]);

    /// What a network other than the encoder takes; the decoder, the codes.
    fn source(&self, network: Role) -> &[T];

    /// The penalty of every image in nats, where it has a closed form.
    fn penalties(&self) -> Option<&[T]>;

    /// log p(z) − log q(z|x) of every code, in nats: the part of the log weight
    /// that is no likelihood.
    fn log_ratios(
        &mut self,
        rows: BlockRows,
        networks: &mut dyn Networks<T>,
        noise: &[T],
        log_ratios: &mut [f64],
    );

    /// Adds the penalty of every latent dimension, image by image, to `sums`.
    fn add_penalty_by_dimension(
        &self,
        rows: BlockRows,
        networks: &dyn Networks<T>,
        sums: &mut [f64],
    );

    /// The gradient by the encoder's output, and by all networks in between,
    /// from the one by the codes, which is used up.
    fn backward(
        &mut self,
        rows: BlockRows,
        networks: &mut dyn Networks<T>,
        noise: &[T],
        factors: Factors<'_, T>,
        by_code: &mut [T],
    );

    /// The means of the posterior of a stochastic layer, the lowest being 0,
    /// row-major: of every image, or of every sample of the layer below.
    fn posterior_means(
        &self,
        layer: usize,
        rows: BlockRows,
        networks: &dyn Networks<T>,
        means: &mut [T],
    );
}
