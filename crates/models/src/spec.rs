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

/// The distribution p(x|z) of the pixels, independent of each other given z.
///
/// Written as on the command line and in files, with a Gaussian's σ after a
/// stroke:
///
/// ```
/// use models::Likelihood;
///
/// for text in ["bernoulli", "continuous-bernoulli", "gaussian/0.1", "gaussian-identity/scalar"] {
///     assert_eq!(text.parse::<Likelihood>()?.to_string(), text);
/// }
/// # Ok::<(), models::SpecError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Likelihood {
    /// Bernoulli pixels with logits from the decoder. On grey values this is
    /// the cross-entropy of the tutorials, on binary pixels a true likelihood.
    Bernoulli,
    /// Continuous Bernoulli pixels with logits from the decoder
    /// (Loaiza-Ganem & Cunningham 2019, arXiv 1907.06845): the Bernoulli
    /// normalised to a density on \[0, 1\].
    ContinuousBernoulli,
    /// Gaussian pixels.
    Gaussian {
        /// How the mean comes from the decoder's output.
        mean: GaussianMean,
        /// Where the standard deviation comes from.
        sigma: GaussianSigma,
    },
}

/// How a Gaussian pixel's mean comes from the decoder's output a.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GaussianMean {
    /// a itself.
    Identity,
    /// 1/(1 + e⁻ᵃ), within \[0, 1\] as the pixels are.
    Sigmoid,
}

/// Where a Gaussian pixel's standard deviation σ comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GaussianSigma {
    /// A given number.
    Fixed(f64),
    /// One learned number for all pixels (Rybkin, Daniilidis & Levine 2021,
    /// arXiv 2006.13202); the tensor is `likelihood.log_sigma` \[1\].
    Scalar,
    /// A learned number for every pixel; `likelihood.log_sigma` \[inputs\].
    PerPixel,
    /// The decoder's: its last layer computes the means of all pixels, then
    /// their ln σ.
    Decoder,
}

impl Likelihood {
    /// Every likelihood, a Gaussian with one learned σ.
    pub const ALL: [Likelihood; 4] = [
        Likelihood::Bernoulli,
        Likelihood::ContinuousBernoulli,
        Likelihood::Gaussian {
            mean: GaussianMean::Sigmoid,
            sigma: GaussianSigma::Scalar,
        },
        Likelihood::Gaussian {
            mean: GaussianMean::Identity,
            sigma: GaussianSigma::Scalar,
        },
    ];

    /// The name used on the command line and in files, without σ.
    pub fn name(self) -> &'static str {
        match self {
            Likelihood::Bernoulli => "bernoulli",
            Likelihood::ContinuousBernoulli => "continuous-bernoulli",
            Likelihood::Gaussian {
                mean: GaussianMean::Sigmoid,
                ..
            } => "gaussian",
            Likelihood::Gaussian {
                mean: GaussianMean::Identity,
                ..
            } => "gaussian-identity",
        }
    }

    /// Whether p(x|z) is a density of grey values, which may exceed 1, rather
    /// than a probability of binary ones.
    pub fn is_density(self) -> bool {
        self != Likelihood::Bernoulli
    }

    /// Whether it is one of pixels between 0 and 1 alone: outside, its loss has
    /// no lower bound.
    pub fn is_of_unit_interval(self) -> bool {
        match self {
            Likelihood::Bernoulli | Likelihood::ContinuousBernoulli => true,
            Likelihood::Gaussian { .. } => false,
        }
    }

    /// Learned numbers σ outside the decoder.
    pub(crate) fn log_sigma_len(self, inputs: usize) -> Option<usize> {
        let Likelihood::Gaussian { sigma, .. } = self else {
            return None;
        };
        match sigma {
            GaussianSigma::Scalar => Some(1),
            GaussianSigma::PerPixel => Some(inputs),
            GaussianSigma::Fixed(_) | GaussianSigma::Decoder => None,
        }
    }

    /// Whether the decoder computes ln σ beside the means.
    pub(crate) fn doubles_outputs(self) -> bool {
        matches!(
            self,
            Likelihood::Gaussian {
                sigma: GaussianSigma::Decoder,
                ..
            }
        )
    }
}

impl fmt::Display for Likelihood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Likelihood::Gaussian { sigma, .. } => f.pad(&format!("{}/{sigma}", self.name())),
            _ => f.pad(self.name()),
        }
    }
}

impl GaussianSigma {
    /// The names of those that are learned.
    pub const NAMES: [&str; 3] = ["scalar", "per-pixel", "decoder"];
}

impl fmt::Display for GaussianSigma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GaussianSigma::Fixed(sigma) => write!(f, "{sigma}"),
            GaussianSigma::Scalar => f.pad("scalar"),
            GaussianSigma::PerPixel => f.pad("per-pixel"),
            GaussianSigma::Decoder => f.pad("decoder"),
        }
    }
}

impl FromStr for GaussianSigma {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "scalar" => Ok(GaussianSigma::Scalar),
            "per-pixel" => Ok(GaussianSigma::PerPixel),
            "decoder" => Ok(GaussianSigma::Decoder),
            number => match number.parse::<f64>() {
                Ok(sigma) if sigma.is_finite() && sigma > 0.0 => Ok(GaussianSigma::Fixed(sigma)),
                _ => Err(SpecError::Sigma(text.to_owned())),
            },
        }
    }
}

impl FromStr for Likelihood {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (name, sigma) = match text.split_once('/') {
            None => (text, None),
            Some((name, sigma)) => (name, Some(sigma)),
        };
        let mut all = Likelihood::ALL.into_iter();
        match (all.find(|likelihood| likelihood.name() == name), sigma) {
            (Some(Likelihood::Gaussian { mean, .. }), Some(sigma)) => Ok(Likelihood::Gaussian {
                mean,
                sigma: sigma.parse()?,
            }),
            (Some(likelihood), None) if !matches!(likelihood, Likelihood::Gaussian { .. }) => {
                Ok(likelihood)
            }
            _ => Err(SpecError::Likelihood(text.to_owned())),
        }
    }
}

impl From<Likelihood> for String {
    fn from(likelihood: Likelihood) -> Self {
        likelihood.to_string()
    }
}

impl TryFrom<String> for Likelihood {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        text.parse()
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
    /// Both.
    pub const ALL: [PosteriorScale; 2] = [PosteriorScale::LogVariance, PosteriorScale::LogSigma];

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
        PosteriorScale::ALL
            .into_iter()
            .find(|scale| scale.name() == text)
            .ok_or_else(|| SpecError::PosteriorScale(text.to_owned()))
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
#[derive(Clone, Debug, PartialEq)]
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
    /// Checks the architecture and a fixed σ.
    ///
    /// # Errors
    /// As [`Architecture::validate`]; a σ that is not finite and positive.
    pub fn validate(&self) -> Result<(), SpecError> {
        if let Likelihood::Gaussian {
            sigma: GaussianSigma::Fixed(sigma),
            ..
        } = self.likelihood
            && !(sigma.is_finite() && sigma > 0.0)
        {
            return Err(SpecError::Sigma(sigma.to_string()));
        }
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
    #[error(
        "the likelihood is {0:?}; expected bernoulli, continuous-bernoulli, or gaussian or \
         gaussian-identity with its sigma, as in gaussian/0.1"
    )]
    Likelihood(String),
    /// Not a standard deviation.
    #[error("sigma is {0:?}; expected a positive number, scalar, per-pixel or decoder")]
    Sigma(String),
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
    /// Two halves that do not fit onto each other.
    #[error(
        "the architecture of two stochastic layers is {0:?}; expected widths from image to h1 and from h1 to h2 with one activation, as in 784-200-200-100/100-100-100-50"
    )]
    TwoLayers(String),
    /// A shape that is none, or not of the model's inputs.
    #[error(
        "the shape of an image is {shape:?}; expected whole numbers joined by x, as in 28x28, whose product is the {inputs} inputs of the model"
    )]
    Shape {
        /// The shape as written.
        shape: String,
        /// Inputs of the model.
        inputs: usize,
    },
    /// Means and deviations of other data than the model's.
    #[error(
        "the standardisation is of {features} features; expected the {inputs} inputs of the model"
    )]
    Standardisation {
        /// Features it has.
        features: usize,
        /// Inputs of the model.
        inputs: usize,
    },
    /// A learned σ where only a fixed one is supported.
    #[error("sigma is {0:?}; expected a number, as two stochastic layers learn none")]
    LearnedSigma(String),
}

impl ModelKind {
    /// What texts call it: `AE-L2`.
    pub fn title(self) -> &'static str {
        match self {
            ModelKind::Ae => "AE",
            ModelKind::Vae => "VAE",
            ModelKind::AeL2 => "AE-L2",
        }
    }

    /// What its loss has besides the reconstruction, if anything.
    pub fn penalty_name(self) -> Option<&'static str> {
        match self {
            ModelKind::Ae => None,
            ModelKind::Vae => Some("KL"),
            ModelKind::AeL2 => Some("½‖z‖²"),
        }
    }

    /// The penalty in nats of a coordinate of a code that is not sampled; `None`
    /// for a kind without one and for one whose penalty is the KL of a posterior.
    pub fn penalty_of_coordinate(self) -> Option<fn(f64) -> f64> {
        match self {
            ModelKind::Ae | ModelKind::Vae => None,
            ModelKind::AeL2 => Some(|z| 0.5 * z.powi(2)),
        }
    }
}

impl GaussianSigma {
    /// What the source is called, without the number of a fixed one.
    pub fn name(self) -> &'static str {
        match self {
            GaussianSigma::Fixed(_) => "fixed",
            GaussianSigma::Scalar => "scalar",
            GaussianSigma::PerPixel => "per-pixel",
            GaussianSigma::Decoder => "decoder",
        }
    }
}

impl Likelihood {
    /// Where the scale σ of a pixel comes from, if it has one.
    pub fn scale_source(self) -> Option<GaussianSigma> {
        match self {
            Likelihood::Bernoulli | Likelihood::ContinuousBernoulli => None,
            Likelihood::Gaussian { sigma, .. } => Some(sigma),
        }
    }
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
    fn likelihoods_round_trip_and_nonsense_is_refused() {
        for text in [
            "bernoulli",
            "continuous-bernoulli",
            "gaussian/0.3",
            "gaussian/per-pixel",
            "gaussian-identity/scalar",
            "gaussian-identity/decoder",
        ] {
            let likelihood: Likelihood = text.parse().unwrap();
            assert_eq!(likelihood.to_string(), text);
            let json = serde_json::to_string(&likelihood).unwrap();
            assert_eq!(
                serde_json::from_str::<Likelihood>(&json).unwrap(),
                likelihood
            );
        }
        for text in ["gaussian", "bernoulli/0.1", "poisson", "laplace/1", ""] {
            let error = text.parse::<Likelihood>().unwrap_err();
            assert_eq!(error, SpecError::Likelihood(text.into()), "{text}");
        }
        for sigma in ["0", "-1", "inf", "NaN", "pixel", ""] {
            let error = format!("gaussian/{sigma}").parse::<Likelihood>();
            assert_eq!(error, Err(SpecError::Sigma(sigma.into())), "{sigma}");
        }
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
