//! What a model is: its kind, its widths, its likelihood.

mod architecture;
mod kind;
mod posterior_scale;

pub use tensor_ops::Activation;
use thiserror::Error;

pub use crate::likelihood::{GaussianMean, GaussianSigma, Likelihood};
pub use architecture::{Architecture, LowerLayer, MAXIMUM_WIDTH};
pub use kind::ModelKind;
pub use posterior_scale::PosteriorScale;

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
    /// As [`Architecture::validate`]; a σ that is not finite and positive; two
    /// stochastic layers of a model that has none.
    pub fn validate(&self) -> Result<(), SpecError> {
        if let Some(GaussianSigma::Fixed(sigma)) = self.likelihood.scale_source()
            && !(sigma.is_finite() && sigma > 0.0)
        {
            return Err(SpecError::Sigma(sigma.to_string()));
        }
        if self.architecture.lower.is_some() && !self.kind.is_variational() {
            return Err(SpecError::Deterministic(self.kind));
        }
        self.architecture.validate()
    }
}

impl ModelSpec {
    /// Deviates of one sample: none of a deterministic model.
    pub fn noise_width(&self) -> usize {
        if self.kind.is_variational() {
            self.architecture.noise_width()
        } else {
            0
        }
    }

    /// Whether the penalty of an image is a function of its posterior alone,
    /// rather than a mean over samples.
    pub(crate) fn has_closed_form_penalty(&self) -> bool {
        self.architecture.lower.is_none()
    }
}

/// A model that cannot be: what was asked for and what is offered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// Not the name of a model.
    #[error("the model is {0:?}; expected {names}", names = ModelKind::names())]
    Kind(String),
    /// Not the name of a likelihood.
    #[error("the likelihood is {0:?}; expected {names}", names = Likelihood::expected())]
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
        "the architecture of two stochastic layers is {0:?}; expected widths from image to h1 and from h1 to h2, as in 784-200-200-100/100-100-100-50"
    )]
    TwoLayers(String),
    /// Two stochastic layers of a model without any.
    #[error("the model {0} has two stochastic layers; expected vae, or a single list of widths")]
    Deterministic(ModelKind),
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
        for likelihood in Likelihood::with_every_sigma(0.3) {
            let text = likelihood.to_string();
            assert_eq!(text.parse(), Ok(likelihood), "{text}");
            let json = serde_json::to_string(&likelihood).unwrap();
            assert_eq!(
                serde_json::from_str::<Likelihood>(&json).unwrap(),
                likelihood
            );
        }
        for text in ["gaussian", "bernoulli/0.1", "poisson", "poisson/1", ""] {
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

    #[test]
    fn kinds_differ_in_what_they_sample_penalise_and_lose() {
        let of_kind = |kind: ModelKind| {
            let of_coordinate = kind.penalty_of_coordinate().map(|penalty| penalty(-3.0));
            (
                kind.title(),
                kind.is_variational(),
                kind.penalty_name(),
                of_coordinate,
                kind.corruption(),
            )
        };
        let expected = [
            ("AE", false, None, None, 0.0),
            ("VAE", true, Some("KL"), None, 0.0),
            ("AE-L2", false, Some("½‖z‖²"), Some(4.5), 0.0),
            ("DAE", false, None, None, 0.25),
        ];
        assert_eq!(ModelKind::ALL.map(of_kind), expected);
        assert_eq!(
            SpecError::Kind("vea".into()).to_string(),
            "the model is \"vea\"; expected ae, vae, ae-l2 or denoising"
        );
    }

    fn spec(kind: ModelKind, architecture: &str, likelihood: &str) -> ModelSpec {
        ModelSpec {
            kind,
            architecture: architecture.parse().unwrap(),
            likelihood: likelihood.parse().unwrap(),
            posterior_scale: Default::default(),
        }
    }

    #[test]
    fn only_posteriors_take_deviates_of_every_stochastic_layer() {
        let width = |kind, architecture| spec(kind, architecture, "bernoulli").noise_width();
        assert_eq!(width(ModelKind::Vae, "20-9-3"), 3);
        assert_eq!(width(ModelKind::AeL2, "20-9-3"), 0);
        assert_eq!(width(ModelKind::Vae, "20-9-7/7-5-3"), 10);
        let decoded = |text: &str| text.parse::<Architecture>().unwrap().decoded();
        assert_eq!(["20-9-3", "20-9-7/7-5-3"].map(decoded), [3, 7]);
    }

    #[test]
    fn a_sigma_that_is_set_has_to_be_finite_and_positive() {
        for sigma in [0.0, -0.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let mut spec = spec(ModelKind::Vae, "20-3", "laplace/0.5");
            let sigma = GaussianSigma::Fixed(sigma);
            spec.likelihood = spec.likelihood.with_sigma(sigma).unwrap();
            assert_eq!(spec.validate(), Err(SpecError::Sigma(sigma.to_string())));
        }
        for sigma in [f64::MIN_POSITIVE, 0.5, f64::MAX] {
            let mut spec = spec(ModelKind::Vae, "20-3", "gaussian/scalar");
            let sigma = GaussianSigma::Fixed(sigma);
            spec.likelihood = spec.likelihood.with_sigma(sigma).unwrap();
            assert_eq!(spec.validate(), Ok(()));
        }
    }

    #[test]
    fn every_width_up_to_the_widest_is_taken() {
        assert_eq!(MAXIMUM_WIDTH, 65536);
        for text in ["65536-1", "1-65536-2", "4-65536/65536-2", "4-3/3-65536-2"] {
            let architecture: Architecture = text.parse().unwrap();
            assert_eq!(architecture.to_string(), text);
        }
        for text in [
            "65537-1",
            "1-65537-2",
            "3-65537",
            "4-65537/65537-2",
            "4-3/3-65537-2",
        ] {
            let error = text.parse::<Architecture>().unwrap_err();
            let expected = SpecError::Width {
                architecture: text.into(),
                width: 65537,
            };
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn the_scale_of_a_posterior_is_half_of_a_log_variance() {
        let factors = PosteriorScale::ALL.map(PosteriorScale::log_sigma_factor);
        assert_eq!(factors, [0.5, 1.0]);
    }
}
