//! What a model is: its kind, its widths, its likelihood.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
pub use tensor_ops::Activation;
use thiserror::Error;

/// The widest layer accepted: beyond it a typing error is far likelier than
/// a model.
pub const MAXIMUM_WIDTH: usize = 1 << 16;

/// Which autoencoder: what is sampled and what is penalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Deterministic autoencoder: z = c(x), no penalty on the code.
    Ae,
    /// Variational autoencoder: z = μ + σ·ε, penalised by KL(q(z|x) ‖ N(0, I)).
    Vae,
    /// The ablation between the two: z = c(x) as in [`ModelKind::Ae`], with
    /// the quadratic part ½‖z‖² of the KL kept.
    AeL2,
}

impl ModelKind {
    /// Every kind, in the order they are documented.
    pub const ALL: [ModelKind; 3] = [ModelKind::Ae, ModelKind::Vae, ModelKind::AeL2];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            ModelKind::Ae => "ae",
            ModelKind::Vae => "vae",
            ModelKind::AeL2 => "ae-l2",
        }
    }

    /// Whether q(z|x) is a distribution that is sampled from.
    pub fn is_variational(self) -> bool {
        self == ModelKind::Vae
    }

    /// Columns of the head for a code of `latent` dimensions: μ and its
    /// scale side by side for a VAE, the code itself otherwise.
    pub fn head_width(self, latent: usize) -> usize {
        if self.is_variational() {
            2 * latent
        } else {
            latent
        }
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ModelKind {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        ModelKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| SpecError::Kind(text.to_owned()))
    }
}

/// The distribution p(x|z) of the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likelihood {
    /// Independent Bernoulli pixels with logits from the decoder. On grey
    /// values this is the cross-entropy of the tutorials, on binary pixels a
    /// true likelihood.
    Bernoulli,
}

impl Likelihood {
    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Likelihood::Bernoulli => "bernoulli",
        }
    }
}

impl fmt::Display for Likelihood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Likelihood {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "bernoulli" => Ok(Likelihood::Bernoulli),
            _ => Err(SpecError::Likelihood(text.to_owned())),
        }
    }
}

/// What the second half of a variational encoder's head computes.
///
/// Both describe the same posteriors; they differ in the gradients' scale and
/// in what freshly drawn weights mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PosteriorScale {
    /// log σ², as in most implementations; the tensors are `log_var.*`.
    #[default]
    LogVariance,
    /// log σ; the tensors are `log_sigma.*`.
    LogSigma,
}

impl PosteriorScale {
    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            PosteriorScale::LogVariance => "log-variance",
            PosteriorScale::LogSigma => "log-sigma",
        }
    }

    /// log σ of the head's output: its factor.
    pub(crate) fn log_sigma_factor(self) -> f64 {
        match self {
            PosteriorScale::LogVariance => 0.5,
            PosteriorScale::LogSigma => 1.0,
        }
    }
}

impl fmt::Display for PosteriorScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PosteriorScale {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "log-variance" => Ok(PosteriorScale::LogVariance),
            "log-sigma" => Ok(PosteriorScale::LogSigma),
            _ => Err(SpecError::PosteriorScale(text.to_owned())),
        }
    }
}

/// Widths of the encoder and the nonlinearity; the decoder mirrors it.
///
/// Written as the literature does, from the image down to the code:
///
/// ```
/// use models::{Activation, Architecture};
///
/// let architecture: Architecture = "784-256-32-8-2".parse()?;
/// assert_eq!(architecture.hidden, [256, 32, 8]);
/// assert_eq!(architecture.latent, 2);
/// assert_eq!(architecture.activation, Activation::Relu);
/// assert_eq!(architecture.to_string(), "784-256-32-8-2");
/// # Ok::<(), models::SpecError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Values per image: 784 for MNIST.
    pub inputs: usize,
    /// Widths of the encoder's hidden layers, first to last; may be empty.
    pub hidden: Vec<usize>,
    /// Dimensions of the code z.
    pub latent: usize,
    /// Nonlinearity after every hidden layer, in encoder and decoder.
    pub activation: Activation,
}

impl Architecture {
    /// Checks every width and the nonlinearity.
    ///
    /// # Errors
    /// A width of zero or above [`MAXIMUM_WIDTH`], or an activation that is
    /// not relu or tanh.
    pub fn validate(&self) -> Result<(), SpecError> {
        let widths = [self.inputs]
            .into_iter()
            .chain(self.hidden.iter().copied())
            .chain([self.latent]);
        for width in widths {
            if width == 0 || width > MAXIMUM_WIDTH {
                return Err(SpecError::Width {
                    architecture: self.to_string(),
                    width,
                });
            }
        }
        if self.activation == Activation::Identity {
            return Err(SpecError::Activation(self.activation.name().to_owned()));
        }
        Ok(())
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inputs)?;
        for width in &self.hidden {
            write!(f, "-{width}")?;
        }
        write!(f, "-{}", self.latent)
    }
}

impl FromStr for Architecture {
    type Err = SpecError;

    /// Reads `784-256-2`; the activation is relu and can be set afterwards.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let malformed = || SpecError::Architecture(text.to_owned());
        let widths = text
            .split('-')
            .map(|width| width.parse::<usize>().map_err(|_| malformed()))
            .collect::<Result<Vec<_>, _>>()?;
        let [inputs, hidden @ .., latent] = widths.as_slice() else {
            return Err(malformed());
        };
        let architecture = Architecture {
            inputs: *inputs,
            hidden: hidden.to_vec(),
            latent: *latent,
            activation: Activation::Relu,
        };
        architecture.validate()?;
        Ok(architecture)
    }
}

/// Everything that fixes the shape and the meaning of a model's weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    /// Which autoencoder.
    pub kind: ModelKind,
    /// Its widths and nonlinearity.
    pub architecture: Architecture,
    /// The distribution of the pixels given the code.
    pub likelihood: Likelihood,
    /// What the encoder computes of q(z|x) besides μ; used by a VAE only.
    pub posterior_scale: PosteriorScale,
}

impl ModelSpec {
    /// Checks the architecture.
    ///
    /// # Errors
    /// As [`Architecture::validate`].
    pub fn validate(&self) -> Result<(), SpecError> {
        self.architecture.validate()
    }
}

/// A model that cannot be: what was asked for and what is offered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// Not the name of a model.
    #[error("the model is {0:?}; expected one of ae, vae, ae-l2")]
    Kind(String),
    /// Not the name of a likelihood.
    #[error("the likelihood is {0:?}; expected bernoulli")]
    Likelihood(String),
    /// Not the name of a posterior's scale.
    #[error("the posterior's scale is {0:?}; expected log-variance or log-sigma")]
    PosteriorScale(String),
    /// Not a list of widths.
    #[error(
        "the architecture is {0:?}; expected widths from image to code joined by hyphens, as in 784-256-2"
    )]
    Architecture(String),
    /// A width out of range.
    #[error(
        "the architecture {architecture} has a layer of width {width}; expected every width between 1 and 65536"
    )]
    Width {
        /// The architecture as written.
        architecture: String,
        /// The offending width.
        width: usize,
    },
    /// An activation that hidden layers cannot have.
    #[error("the activation is {0:?}; expected relu or tanh")]
    Activation(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kind in ModelKind::ALL {
            assert_eq!(kind.to_string().parse::<ModelKind>(), Ok(kind));
        }
        assert_eq!(
            "784-2".parse::<Architecture>().unwrap().hidden,
            [] as [usize; 0]
        );
        assert_eq!(
            "vea".parse::<ModelKind>(),
            Err(SpecError::Kind("vea".into()))
        );
    }

    #[test]
    fn malformed_architectures_are_refused() {
        for text in ["", "784", "784-", "784--2", "784-x-2", "-2"] {
            assert!(
                matches!(
                    text.parse::<Architecture>(),
                    Err(SpecError::Architecture(_))
                ),
                "{text}"
            );
        }
        for text in ["784-0-2", "0-2", "784-99999999-2"] {
            assert!(
                matches!(text.parse::<Architecture>(), Err(SpecError::Width { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn hidden_layers_need_a_nonlinearity() {
        let mut architecture: Architecture = "4-3-2".parse().unwrap();
        architecture.activation = Activation::Identity;
        assert!(matches!(
            architecture.validate(),
            Err(SpecError::Activation(_))
        ));
    }
}
