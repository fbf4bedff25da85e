//! Whether the σ of the posteriors is the one that the loss wants: the weight of
//! the KL for which it would be, and what other readings of the encoder's second
//! head would cost.

use models::streams::{Purpose, stream};
use models::{Codes, Images, Model, PosteriorScale};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::aggregate_posterior::LARGEST_LOG_VARIANCE;
use crate::draws::normals_of;
use crate::elbo::kl_per_dimension;
use crate::error::{EvaluationError, Result, require_images};

/// Index of the sampling stream of the ε.
const STREAM: u64 = 0x7363_616c;

/// How far σ is changed, both ways, for the derivative by it.
const STEP: f64 = 0.05;

/// Σ (1 − σ²) below which the KL does not depend on σ enough to tell a weight.
const LEAST_PULL: f64 = 0.1;

/// What a number of the encoder's second head may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleReading {
    /// ln σ².
    LogVariance,
    /// ln σ.
    LogSigma,
    /// σ².
    Variance,
    /// σ.
    Sigma,
}

impl ScaleReading {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::LogVariance,
        Self::LogSigma,
        Self::Variance,
        Self::Sigma,
    ];

    /// What texts call it: `log σ²`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::LogVariance => "log σ²",
            Self::LogSigma => "log σ",
            Self::Variance => "σ²",
            Self::Sigma => "σ",
        }
    }

    /// ln σ² of a number, if it can stand for this.
    fn log_variance(self, number: f32) -> Option<f32> {
        match self {
            Self::LogVariance => Some(number),
            Self::LogSigma => Some(2.0 * number),
            Self::Variance => (number > 0.0).then(|| number.ln()),
            Self::Sigma => (number > 0.0).then(|| 2.0 * number.ln()),
        }
    }
}

impl From<PosteriorScale> for ScaleReading {
    fn from(scale: PosteriorScale) -> Self {
        match scale {
            PosteriorScale::LogVariance => Self::LogVariance,
            PosteriorScale::LogSigma => Self::LogSigma,
        }
    }
}

/// The terms of the loss under a reading, nats per image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReadingLoss {
    /// The reading.
    pub reading: ScaleReading,
    /// −log p(x|z) of one z per image.
    pub reconstruction: f64,
    /// KL(q(z|x) ‖ p(z)).
    pub kl: f64,
}

/// The scale of some posteriors, as it is and as it might be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PosteriorScales {
    /// As the model reads its head.
    pub as_read: ReadingLoss,
    /// Every other reading that the numbers allow.
    pub otherwise: Vec<ReadingLoss>,
    /// The weight β of the KL for which this σ is the best: the one of training,
    /// where that came to an end. `None` where the posteriors are the prior and
    /// every weight is as good, and where a larger σ would lower the
    /// reconstruction too.
    pub implied_beta: Option<f64>,
}

/// Measures the scale of the posteriors of images [n, pixels], whose `codes` are
/// given; `None` of a model without one.
///
/// With all σ multiplied by s, the loss R(s) + β·KL(s) is least at s = 1 when
/// R′(1) = β Σ_j (1 − E σ_j²), as dKL/ds = Σ_j (σ_j² s − 1/s); β follows from the
/// central difference of R with the same ε on both sides. It is the weight that
/// the posteriors were trained with, whoever trained them and however the
/// reconstruction was averaged, up to a few per cent of noise from some hundred
/// images. It says nothing of a bound of several samples, whose posteriors are
/// wider, nor of free bits.
///
/// # Errors
/// No images, images that the model cannot be measured on, or values that are
/// not finite.
pub fn posterior_scales<'a>(
    model: &Model,
    images: impl Into<Images<'a>>,
    codes: &Codes,
    seed: u64,
) -> Result<Option<PosteriorScales>> {
    let images = images.into();
    require_images(images, model.spec())?;
    let is_gaussian = model.spec().architecture.lower.is_none();
    let Some(log_variance) = codes.log_variance.as_ref().filter(|_| is_gaussian) else {
        return Ok(None);
    };
    let (n, latent) = codes.mean.dim();
    let noise = normals_of(stream(seed, Purpose::Sampling, STREAM), n, latent);
    let reconstruction = |log_variance: Array2<f32>| {
        let changed = Codes {
            mean: codes.mean.clone(),
            log_variance: Some(log_variance),
        };
        let losses = model.reconstruction_losses(changed.sample(noise.view()).view(), images);
        losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / n as f64
    };
    let terms = |reading, log_variance: Array2<f32>| -> Result<ReadingLoss> {
        let kl = kl_per_dimension(codes.mean.view(), log_variance.view())?;
        Ok(ReadingLoss {
            reading,
            kl: kl.iter().sum(),
            reconstruction: reconstruction(log_variance),
        })
    };
    let read = ScaleReading::from(model.spec().posterior_scale);
    let as_read = terms(read, log_variance.clone())?;
    if !(as_read.reconstruction + as_read.kl).is_finite() {
        return Err(EvaluationError::Diverged(
            "the loss of codes that are sampled is not finite, expected a number; the model that made them has diverged".into(),
        ));
    }
    // The head's own numbers.
    let head = match read {
        ScaleReading::LogSigma => log_variance.mapv(|value| 0.5 * value),
        _ => log_variance.clone(),
    };
    let mut otherwise = Vec::new();
    for reading in ScaleReading::ALL {
        let values = head.iter().map(|&number| {
            let value = reading.log_variance(number)?;
            (value.abs() <= LARGEST_LOG_VARIANCE).then_some(value)
        });
        let values: Option<Vec<f32>> = values.collect();
        let values = values.and_then(|values| Array2::from_shape_vec((n, latent), values).ok());
        if let Some(values) = values.filter(|_| reading != read) {
            let found = terms(reading, values)?;
            otherwise.extend(Some(found).filter(|found| found.reconstruction.is_finite()));
        }
    }
    let mean_variance = log_variance
        .iter()
        .map(|&value| f64::from(value).exp())
        .sum::<f64>()
        / n as f64;
    let pull = latent as f64 - mean_variance;
    let scaled = |scale: f64| {
        let shift = (2.0 * scale.ln()) as f32;
        reconstruction(log_variance.mapv(|value| value + shift))
    };
    let slope = (scaled(1.0 + STEP) - scaled(1.0 - STEP)) / (2.0 * STEP);
    let implied_beta =
        Some(slope / pull).filter(|beta| pull > LEAST_PULL && beta.is_finite() && *beta > 0.0);
    Ok(Some(PosteriorScales {
        as_read,
        otherwise,
        implied_beta,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Initialisation, ModelKind, ModelSpec, NamedTensor};

    /// x = z + noise of deviation `sigma_x` in two pixels, one latent each; the
    /// encoder gives μ = 0 and the log σ² of `head`.
    fn linear(sigma_x: f64, scale: PosteriorScale, head: f32) -> Model {
        decoded_by([1.0, 0.0, 0.0, 1.0], sigma_x, scale, head)
    }

    fn decoded_by(weight: [f32; 4], sigma_x: f64, scale: PosteriorScale, head: f32) -> Model {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "2-2".parse().unwrap(),
            likelihood: format!("gaussian-identity/{sigma_x}").parse().unwrap(),
            posterior_scale: scale,
        };
        let plain = Model::new(spec.clone(), Initialisation::Glorot, 1).unwrap();
        let tensors = plain.named_tensors().into_iter().map(|tensor| {
            let values = match tensor.name.as_str() {
                "decoder.0.weight" => weight.to_vec(),
                name if name.ends_with(".bias") && name.starts_with("log_") => vec![head; 2],
                _ => vec![0.0; tensor.values.len()],
            };
            NamedTensor { values, ..tensor }
        });
        Model::from_named_tensors(spec, tensors).unwrap()
    }

    fn measured(model: &Model) -> PosteriorScales {
        measured_on(model, &Array2::zeros((4000, 2)))
    }

    fn measured_on(model: &Model, images: &Array2<f32>) -> PosteriorScales {
        let codes = model.encode(images);
        posterior_scales(model, images, &codes, 1).unwrap().unwrap()
    }

    /// The ε of the two measurements above.
    fn noise() -> Array2<f32> {
        normals_of(stream(1, Purpose::Sampling, STREAM), 4000, 2)
    }

    #[test]
    fn a_number_is_read_as_what_it_stands_for() {
        // σ = 0.4.
        let expected = 0.16_f32.ln();
        for (reading, number, symbol) in [
            (ScaleReading::LogVariance, 0.16_f32.ln(), "log σ²"),
            (ScaleReading::LogSigma, 0.4_f32.ln(), "log σ"),
            (ScaleReading::Variance, 0.16, "σ²"),
            (ScaleReading::Sigma, 0.4, "σ"),
        ] {
            let found = reading.log_variance(number).unwrap();
            assert!((found - expected).abs() < 1e-6, "{reading:?}: {found}");
            assert_eq!(reading.symbol(), symbol);
        }
        for reading in [ScaleReading::Variance, ScaleReading::Sigma] {
            assert_eq!([0.0, -0.5].map(|v| reading.log_variance(v)), [None; 2]);
        }
    }

    /// With x = z + noise the best σ² for the weight β is 1/(1 + 1/(β σ_x²)).
    #[test]
    fn the_weight_of_a_linear_model_is_found() {
        for beta in [0.01, 1.0, 30.0] {
            let variance = 1.0 / (1.0 + 1.0 / (beta * 0.01));
            let model = linear(0.1, PosteriorScale::LogVariance, f64::ln(variance) as f32);
            let found = measured(&model).implied_beta.unwrap();
            assert!((found / beta - 1.0).abs() < 0.05, "{beta} {found}");
        }
        // The prior itself pulls nowhere.
        let prior = linear(0.1, PosteriorScale::LogVariance, 0.0);
        assert_eq!(measured(&prior).implied_beta, None);
        // Nor does what is nearly the prior, enough: 2·0.04 is less than a tenth.
        let nearly = linear(0.1, PosteriorScale::LogVariance, 0.96_f32.ln());
        assert_eq!(measured(&nearly).implied_beta, None);
    }

    #[test]
    fn a_sigma_that_costs_nothing_has_no_weight() {
        let head = 0.3_f32.ln();
        // Of a decoder that does not hear it, and of one that a larger σ leads to the
        // images.
        let deaf = decoded_by([0.0; 4], 0.1, PosteriorScale::LogVariance, head);
        assert_eq!(measured(&deaf).implied_beta, None);
        let led = linear(0.1, PosteriorScale::LogVariance, head);
        let images = noise().mapv(|e| 3.0 * e);
        assert_eq!(measured_on(&led, &images).implied_beta, None);
    }

    #[test]
    fn the_reading_that_was_trained_is_the_cheapest() {
        let log_variance = f64::ln(1.0 / 101.0) as f32;
        let cases = [
            (
                PosteriorScale::LogVariance,
                log_variance,
                ScaleReading::LogVariance,
            ),
            (
                PosteriorScale::LogVariance,
                0.5 * log_variance,
                ScaleReading::LogSigma,
            ),
            (
                PosteriorScale::LogVariance,
                log_variance.exp(),
                ScaleReading::Variance,
            ),
            (
                PosteriorScale::LogVariance,
                (0.5 * log_variance).exp(),
                ScaleReading::Sigma,
            ),
            (
                PosteriorScale::LogSigma,
                log_variance,
                ScaleReading::LogVariance,
            ),
            (
                PosteriorScale::LogSigma,
                0.5 * log_variance,
                ScaleReading::LogSigma,
            ),
        ];
        let squares = noise().iter().map(|&e| f64::from(e).powi(2)).sum::<f64>() / 4000.0;
        for (scale, head, meant) in cases {
            let found = measured(&linear(0.1, scale, head));
            assert_eq!(found.as_read.reading, scale.into());
            let mut all = found.otherwise.clone();
            all.push(found.as_read);
            // A head below 0 is no σ and no σ².
            assert_eq!(all.len(), if head < 0.0 { 2 } else { 4 });
            for terms in &all {
                let number = f64::from(head);
                let l = match terms.reading {
                    ScaleReading::LogVariance => number,
                    ScaleReading::LogSigma => 2.0 * number,
                    ScaleReading::Variance => number.ln(),
                    ScaleReading::Sigma => 2.0 * number.ln(),
                };
                // Of two coordinates with μ = 0, and of two pixels with x = 0.
                let kl = l.exp_m1() - l;
                let reconstruction = 0.5 * squares * l.exp() / 0.01
                    + 2.0 * 0.1_f64.ln()
                    + std::f64::consts::TAU.ln();
                assert!((terms.kl / kl - 1.0).abs() < 1e-5, "{terms:?}");
                let error = (terms.reconstruction - reconstruction).abs();
                assert!(error < 1e-5 * (1.0 + reconstruction.abs()), "{terms:?}");
            }
            let loss = |terms: &ReadingLoss| terms.reconstruction + terms.kl;
            all.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
            assert_eq!(all[0].reading, meant, "{all:?}");
        }
    }

    #[test]
    fn a_model_without_posteriors_has_no_scale() {
        let spec = ModelSpec {
            kind: ModelKind::Ae,
            architecture: "2-2".parse().unwrap(),
            likelihood: models::Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        let model = Model::new(spec, Initialisation::Glorot, 1).unwrap();
        let images = Array2::<f32>::zeros((5, 2));
        let codes = model.encode(&images);
        assert_eq!(posterior_scales(&model, &images, &codes, 1).unwrap(), None);
    }
}
