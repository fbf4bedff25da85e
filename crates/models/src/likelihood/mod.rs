//! The distribution of the pixels given the code: its names, what is asked of
//! it, its loss and gradient over rows ([`pixels`]) and on the tape
//! ([`program`]).

mod pixels;
pub(crate) mod program;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tensor_ops::loss::continuous_bernoulli;
/// How the mean of a pixel with a σ comes from the decoder's output.
pub use tensor_ops::loss::location_scale::Mean as GaussianMean;
use tensor_ops::loss::location_scale::{Density, Family};
use tensor_ops::{library, vector};

use self::GaussianMean::{Identity, Sigmoid};

pub(crate) use pixels::{PixelLikelihood, PixelOutputs};

use crate::model::Model;
use crate::network::layout::Role;
use crate::spec::SpecError;

/// The distribution p(x|z) of the pixels, independent of each other given z.
///
/// Written as on the command line and in files, with σ, if there is one,
/// after a stroke:
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
    /// Laplace pixels, whose loss is the distance |x − m| and not its square.
    Laplace {
        /// How the mean comes from the decoder's output.
        mean: GaussianMean,
        /// Where the standard deviation comes from, √2 of the scale of |x − m|.
        sigma: GaussianSigma,
    },
}

/// Where a pixel's standard deviation σ comes from.
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

/// What the likelihoods' losses have in common, and where they differ.
pub(crate) enum Form {
    Bernoulli,
    ContinuousBernoulli,
    /// A density of a mean and a σ.
    LocationScale(Density, GaussianSigma),
}

impl Likelihood {
    /// Every likelihood, with one learned σ if it has one.
    pub const ALL: [Likelihood; 6] = [
        Likelihood::Bernoulli,
        Likelihood::ContinuousBernoulli,
        Likelihood::gaussian(Sigmoid),
        Likelihood::gaussian(Identity),
        Likelihood::laplace(Sigmoid),
        Likelihood::laplace(Identity),
    ];

    const fn gaussian(mean: GaussianMean) -> Self {
        let sigma = GaussianSigma::Scalar;
        Likelihood::Gaussian { mean, sigma }
    }

    const fn laplace(mean: GaussianMean) -> Self {
        let sigma = GaussianSigma::Scalar;
        Likelihood::Laplace { mean, sigma }
    }

    /// The name used on the command line and in files, without σ.
    pub fn name(self) -> &'static str {
        match self {
            Likelihood::Bernoulli => "bernoulli",
            Likelihood::ContinuousBernoulli => "continuous-bernoulli",
            Likelihood::Gaussian { mean: Sigmoid, .. } => "gaussian",
            Likelihood::Gaussian { mean: Identity, .. } => "gaussian-identity",
            Likelihood::Laplace { mean: Sigmoid, .. } => "laplace",
            Likelihood::Laplace { mean: Identity, .. } => "laplace-identity",
        }
    }

    /// What its loss is computed by.
    pub(crate) fn form(self) -> Form {
        let located = |family, mean, sigma| Form::LocationScale(Density { family, mean }, sigma);
        match self {
            Likelihood::Bernoulli => Form::Bernoulli,
            Likelihood::ContinuousBernoulli => Form::ContinuousBernoulli,
            Likelihood::Gaussian { mean, sigma } => located(Family::Gaussian, mean, sigma),
            Likelihood::Laplace { mean, sigma } => located(Family::Laplace, mean, sigma),
        }
    }

    /// The density of a likelihood with a σ.
    pub(crate) fn density(self) -> Option<Density> {
        match self.form() {
            Form::LocationScale(density, _) => Some(density),
            Form::Bernoulli | Form::ContinuousBernoulli => None,
        }
    }

    /// What −ln p is a function of |m − x|/σ in, of a likelihood with a σ.
    pub fn family(self) -> Option<Family> {
        self.density().map(|density| density.family)
    }

    /// Where the scale σ of a pixel comes from, if it has one.
    pub fn scale_source(self) -> Option<GaussianSigma> {
        match self.form() {
            Form::LocationScale(_, sigma) => Some(sigma),
            Form::Bernoulli | Form::ContinuousBernoulli => None,
        }
    }

    /// The same with another σ; `None` of a likelihood without.
    pub fn with_sigma(self, sigma: GaussianSigma) -> Option<Self> {
        match self {
            Likelihood::Bernoulli | Likelihood::ContinuousBernoulli => None,
            Likelihood::Gaussian { mean, .. } => Some(Likelihood::Gaussian { mean, sigma }),
            Likelihood::Laplace { mean, .. } => Some(Likelihood::Laplace { mean, sigma }),
        }
    }

    /// Every likelihood with every source of σ it can have, `fixed` where that
    /// is a given number.
    pub fn with_every_sigma(fixed: f64) -> Vec<Self> {
        let sources = [
            GaussianSigma::Fixed(fixed),
            GaussianSigma::Scalar,
            GaussianSigma::PerPixel,
            GaussianSigma::Decoder,
        ];
        let with_each = |likelihood: Likelihood| match likelihood.scale_source() {
            None => vec![likelihood],
            Some(_) => sources
                .iter()
                .filter_map(|&sigma| likelihood.with_sigma(sigma))
                .collect(),
        };
        Likelihood::ALL.into_iter().flat_map(with_each).collect()
    }

    /// The names of those with a σ.
    pub fn names_with_sigma() -> Vec<&'static str> {
        let with_sigma = |likelihood: &Likelihood| likelihood.scale_source().is_some();
        Likelihood::ALL
            .into_iter()
            .filter(with_sigma)
            .map(Likelihood::name)
            .collect()
    }

    /// What can be written, for messages.
    pub(crate) fn expected() -> String {
        let with_sigma = Likelihood::names_with_sigma();
        let mut names = Likelihood::ALL.map(Likelihood::name).to_vec();
        names.retain(|name| !with_sigma.contains(name));
        format!(
            "{}, or {} with its sigma, as in gaussian/0.1",
            names.join(", "),
            with_sigma.join(" or ")
        )
    }

    /// Whether p(x|z) is a density of grey values, which may exceed 1, rather
    /// than a probability of binary ones.
    pub fn is_density(self) -> bool {
        self != Likelihood::Bernoulli
    }

    /// Whether it is one of pixels between 0 and 1 alone: outside, its loss has
    /// no lower bound.
    pub fn is_of_unit_interval(self) -> bool {
        self.scale_source().is_none()
    }

    /// Learned numbers σ outside the decoder.
    pub(crate) fn log_sigma_len(self, inputs: usize) -> Option<usize> {
        match self.scale_source()? {
            GaussianSigma::Scalar => Some(1),
            GaussianSigma::PerPixel => Some(inputs),
            GaussianSigma::Fixed(_) | GaussianSigma::Decoder => None,
        }
    }

    /// Whether the decoder computes ln σ beside the means.
    pub(crate) fn doubles_outputs(self) -> bool {
        self.scale_source() == Some(GaussianSigma::Decoder)
    }
}

impl fmt::Display for Likelihood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scale_source() {
            Some(sigma) => f.pad(&format!("{}/{sigma}", self.name())),
            None => f.pad(self.name()),
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
        let unknown = || SpecError::Likelihood(text.to_owned());
        let mut all = Likelihood::ALL.into_iter();
        let likelihood = all.find(|likelihood| likelihood.name() == name);
        let likelihood = likelihood.ok_or_else(unknown)?;
        match (likelihood.scale_source(), sigma) {
            (None, None) => Ok(likelihood),
            (Some(_), Some(sigma)) => {
                let sigma = sigma.parse()?;
                likelihood.with_sigma(sigma).ok_or_else(unknown)
            }
            _ => Err(unknown()),
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

/// A pixel's distribution at the decoder's output a, in f64.
impl Likelihood {
    /// How its mean comes from a; `None` of the continuous Bernoulli, whose
    /// mean is a function of its own.
    fn mean(self) -> Option<GaussianMean> {
        match self.form() {
            Form::Bernoulli => Some(Sigmoid),
            Form::ContinuousBernoulli => None,
            Form::LocationScale(density, _) => Some(density.mean),
        }
    }

    /// Whether the outputs are the means themselves, which can then be any
    /// numbers.
    pub(crate) fn output_is_mean(self) -> bool {
        self.mean() == Some(Identity)
    }

    /// Turns the decoder's outputs into the mean E\[x|z\] of each pixel.
    pub(crate) fn means_in_place(self, outputs: &mut [f32]) {
        match self.mean() {
            Some(Sigmoid) => vector::sigmoid_in_place(outputs),
            Some(Identity) => {}
            None => continuous_bernoulli::means_in_place(outputs),
        }
    }

    /// The decoder's output whose pixel has the mean `mean`: within (0, 1), or
    /// anywhere where the output is the mean.
    pub(crate) fn output_of_mean(self, mean: f64) -> f64 {
        match self.mean() {
            Some(Sigmoid) => library::ln(mean / (1.0 - mean)),
            Some(Identity) => mean,
            // E[x] rises with the logit and has no inverse in closed form; for
            // large |a| it is within 1/|a| of 0 or 1.
            None => {
                let reach = 1.0 + 1.0 / mean.min(1.0 - mean);
                let (mut low, mut high) = (-reach, reach);
                for _ in 0..f64::MANTISSA_DIGITS + 12 {
                    let logit = 0.5 * (low + high);
                    if self.mean_of_output(logit) < mean {
                        low = logit;
                    } else {
                        high = logit;
                    }
                }
                0.5 * (low + high)
            }
        }
    }

    /// Its mean m = E\[x|z\].
    pub fn mean_of_output(self, output: f64) -> f64 {
        match self.mean() {
            Some(Sigmoid) => 1.0 / (1.0 + library::exp(-output)),
            Some(Identity) => output,
            None => {
                let mut mean = [output];
                continuous_bernoulli::means_in_place(&mut mean);
                mean[0]
            }
        }
    }

    /// dm/da of the mean.
    pub fn slope_of_mean(self, output: f64) -> f64 {
        match self.mean() {
            Some(Sigmoid) => {
                let m = self.mean_of_output(output);
                m * (1.0 - m)
            }
            Some(Identity) => 1.0,
            None => continuous_bernoulli::variance(output),
        }
    }

    /// The Fisher information about a, for a pixel of the given ln σ, which
    /// counts only where the likelihood has a σ.
    ///
    /// It is dm/da of the exponential families with natural parameter a, the
    /// Bernoulli and the continuous Bernoulli (both have dm/da = Var\[x\]), and
    /// that about m, 1/σ² of a Gaussian and 2/σ² of a Laplace, times (dm/da)²
    /// of the others.
    pub fn information_about_output(self, output: f64, log_sigma: f64) -> f64 {
        let slope = self.slope_of_mean(output);
        match self.density() {
            None => slope,
            Some(density) => {
                slope.powi(2) * density.family.information() * library::exp(-2.0 * log_sigma)
            }
        }
    }

    /// The Fisher information about ln σ: 2 of a Gaussian, 1 of a Laplace, nothing without σ.
    pub fn information_about_log_sigma(self) -> f64 {
        self.density()
            .map_or(0.0, |density| density.family.degree())
    }
}

impl Model {
    /// ln σ of the pixels, fixed or learned: one number for all of them or one
    /// for each. `None` without σ, and where the decoder computes it.
    pub fn log_sigma(&self) -> Option<Vec<f64>> {
        match self.spec().likelihood.scale_source()? {
            GaussianSigma::Fixed(sigma) => Some(vec![library::ln(sigma)]),
            GaussianSigma::Scalar | GaussianSigma::PerPixel => {
                let layout = self.parameters().layout();
                let layer = layout.network(Role::Scale).next()?;
                let learned = &self.parameters().bias(layer)[..layout.layers()[layer].outputs];
                Some(learned.iter().map(|&value| f64::from(value)).collect())
            }
            GaussianSigma::Decoder => None,
        }
    }
}

#[cfg(test)]
mod tests;
