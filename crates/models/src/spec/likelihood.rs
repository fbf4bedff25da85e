//! The distribution of the pixels given the code.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SpecError;

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

impl fmt::Display for GaussianSigma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GaussianSigma::Fixed(sigma) => write!(f, "{sigma}"),
            learned => f.pad(learned.name()),
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
            (Some(likelihood), None) if likelihood.scale_source().is_none() => Ok(likelihood),
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

impl GaussianSigma {
    /// The names of those that are learned.
    pub const NAMES: [&str; 3] = ["scalar", "per-pixel", "decoder"];

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
