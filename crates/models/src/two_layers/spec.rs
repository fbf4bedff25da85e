//! The shape of a model of two stochastic layers, and where its weights are.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use tensor_ops::Activation;
use tensor_ops::panels::LANES;

use crate::layout::Layout;
use crate::spec::{
    Architecture, GaussianSigma, Likelihood, ModelKind, ModelSpec, PosteriorScale, SpecError,
};

/// Everything that fixes the shape and the meaning of the weights of a model
/// of two stochastic layers.
///
/// Written `784-200-200-100/100-100-100-50`: from the image to h₁, and from h₁
/// to h₂. The generative networks mirror both.
///
/// ```
/// use models::two_layers::TwoLayerSpec;
///
/// let spec: TwoLayerSpec = "784-200-200-100/100-100-100-50".parse()?;
/// assert_eq!((spec.lower.latent, spec.upper.latent), (100, 50));
/// # Ok::<(), models::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TwoLayerSpec {
    /// From x to h₁.
    pub lower: Architecture,
    /// From h₁ to h₂.
    pub upper: Architecture,
    /// The distribution of the pixels given h₁; a Gaussian needs a fixed σ.
    pub likelihood: Likelihood,
}

/// The four networks, as ranges of the layers of a [`Layout`]. A Gaussian's
/// last layer computes its mean and log σ², each from a panel of its own on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StochasticNetworks {
    /// q(h₁|x).
    pub lower_encoder: Range<usize>,
    /// q(h₂|h₁).
    pub upper_encoder: Range<usize>,
    /// p(h₁|h₂).
    pub prior: Range<usize>,
    /// p(x|h₁).
    pub decoder: Range<usize>,
}

impl TwoLayerSpec {
    /// The model of the paper's Table 1: 784-200-200-100, 100-100-100-50, tanh.
    pub fn table_1() -> Self {
        let architecture = |inputs, width, latent| Architecture {
            inputs,
            hidden: vec![width; 2],
            latent,
            activation: Activation::Tanh,
        };
        Self {
            lower: architecture(784, 200, 100),
            upper: architecture(100, 100, 50),
            likelihood: Likelihood::Bernoulli,
        }
    }

    /// Checks both halves, that they fit onto each other, and the likelihood.
    ///
    /// # Errors
    /// What is wrong, and what is expected.
    pub fn validate(&self) -> Result<(), SpecError> {
        self.lower_model().validate()?;
        self.upper.validate()?;
        if self.upper.inputs != self.lower.latent || self.upper.activation != self.lower.activation
        {
            return Err(SpecError::TwoLayers(self.to_string()));
        }
        match self.likelihood {
            Likelihood::Gaussian {
                sigma: GaussianSigma::Fixed(_),
                ..
            } => Ok(()),
            Likelihood::Gaussian { sigma, .. } => Err(SpecError::LearnedSigma(sigma.to_string())),
            _ => Ok(()),
        }
    }

    /// The lower half as a model of its own.
    pub(super) fn lower_model(&self) -> ModelSpec {
        ModelSpec {
            kind: ModelKind::Vae,
            architecture: self.lower.clone(),
            likelihood: self.likelihood,
            posterior_scale: PosteriorScale::LogVariance,
        }
    }

    /// Width of both samples of a code together: its ε are h₁'s, then h₂'s.
    pub fn noise_width(&self) -> usize {
        self.lower.latent + self.upper.latent
    }

    /// Which layers make up which network.
    pub fn networks(&self) -> StochasticNetworks {
        let (lower, upper) = (self.lower.hidden.len() + 1, self.upper.hidden.len() + 1);
        let (prior, decoder) = (lower + upper, lower + 2 * upper);
        StochasticNetworks {
            lower_encoder: 0..lower,
            upper_encoder: lower..prior,
            prior: prior..decoder,
            decoder: decoder..decoder + lower,
        }
    }

    /// The layout of the parameters, under PyTorch names: `encoder_1.0`, …,
    /// `mu_1`, `log_var_1`, `encoder_2.0`, …, `mu_2`, `log_var_2`, `prior.0`,
    /// …, `prior_mu`, `prior_log_var`, `decoder.0`, …
    pub fn layout(&self) -> Arc<Layout> {
        let mut widths = Vec::new();
        let mut network = |from: usize, hidden: &mut dyn Iterator<Item = usize>, to: usize| {
            let mut fan_in = from;
            for width in hidden {
                widths.push((fan_in, width, self.lower.activation));
                fan_in = width;
            }
            widths.push((fan_in, to, Activation::Identity));
        };
        let (lower, upper) = (&self.lower, &self.upper);
        let up = |half: &Architecture| half.hidden.clone().into_iter();
        let down = |half: &Architecture| half.hidden.clone().into_iter().rev();
        network(lower.inputs, &mut up(lower), gaussian_width(lower.latent));
        network(upper.inputs, &mut up(upper), gaussian_width(upper.latent));
        network(upper.latent, &mut down(upper), gaussian_width(lower.latent));
        network(lower.latent, &mut down(lower), lower.inputs);
        let networks = self.networks();
        let (head, decoder) = (networks.lower_encoder.end - 1, networks.decoder.clone());
        let mut layout = Layout::of_layers(widths, head, decoder, lower.latent);
        for (layers, name, gaussian) in [
            (
                &networks.lower_encoder,
                "encoder_1",
                Some((lower.latent, ["mu_1", "log_var_1"])),
            ),
            (
                &networks.upper_encoder,
                "encoder_2",
                Some((upper.latent, ["mu_2", "log_var_2"])),
            ),
            (
                &networks.prior,
                "prior",
                Some((lower.latent, ["prior_mu", "prior_log_var"])),
            ),
            (&networks.decoder, "decoder", None),
        ] {
            for layer in layers.clone() {
                let outputs = layout.layers()[layer].outputs;
                match gaussian.filter(|_| layer + 1 == layers.end) {
                    None => {
                        let name = format!("{name}.{}", 2 * (layer - layers.start));
                        layout.name_layer(layer, &name, &[0..outputs, 0..0]);
                    }
                    Some((latent, [mean, log_variance])) => {
                        layout.name_layer(layer, mean, &[0..latent, 0..0]);
                        layout.name_layer(layer, log_variance, &[outputs - latent..outputs, 0..0]);
                    }
                }
            }
        }
        Arc::new(layout)
    }
}

/// Outputs of a layer that computes μ and log σ² of `latent` dimensions: what
/// lies between the two is padding, whose weights are zero and stay so.
pub(super) fn gaussian_width(latent: usize) -> usize {
    latent.next_multiple_of(LANES) + latent
}

impl fmt::Display for TwoLayerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.lower, self.upper)
    }
}

impl FromStr for TwoLayerSpec {
    type Err = SpecError;

    /// Reads the widths; the activation is tanh and the likelihood Bernoulli.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let half = |text: &str| {
            let mut half: Architecture = text.parse()?;
            half.activation = Activation::Tanh;
            Ok::<_, SpecError>(half)
        };
        let malformed = || SpecError::TwoLayers(text.to_owned());
        let (lower, upper) = text.split_once('/').ok_or_else(malformed)?;
        let spec = Self {
            lower: half(lower)?,
            upper: half(upper)?,
            likelihood: Likelihood::Bernoulli,
        };
        spec.validate()?;
        Ok(spec)
    }
}
