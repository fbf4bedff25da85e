//! Reconstruction, KL, ELBO and active units of a trained model: `eval.json`.

pub use models::DataTreatment;
use models::streams::{Purpose, stream};
use models::{Codes, Images, Model, ModelKind};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, CowArray, Ix2, aview1};
use serde::{Deserialize, Serialize};
use tensor_ops::library;
use tensor_ops::random::fill_normal;

use crate::aggregate_posterior::LARGEST_LOG_VARIANCE;
use crate::codes::{mean_of_codes, variance_of_codes};
use crate::draws::normals_of;
use crate::entropy_floor::entropy_floor;
use crate::error::{Result, require_finite, require_images, require_posteriors};
use crate::sampled::posterior_means;
use crate::variance_law::variance_law;

/// Index of the sampling stream that gives the ε of [`evaluate`].
const EVALUATION_STREAM: u64 = 0x6576_616c;

/// First of the sampling streams that give the ε of both of two stochastic
/// layers.
const SAMPLED_STREAM: u64 = (0x326c << 32) + 2;

/// Variance of μ_j above which a unit is active (Burda et al. 2016, §5.2).
pub const ACTIVE_VARIANCE: f64 = 0.01;

/// KL in nats above which a unit is active by the second criterion.
pub const ACTIVE_KL: f64 = 0.01;

/// How to evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Names the images: `test` or `train`.
    pub split: String,
    /// Seed of the ε that z = μ + σε is sampled with.
    pub seed: u64,
    /// What has been done to the images' pixels: stated beside the numbers.
    pub data_treatment: DataTreatment,
}

impl Default for EvaluationOptions {
    /// The test images as they are, seed 0.
    fn default() -> Self {
        Self {
            split: "test".to_owned(),
            seed: 0,
            data_treatment: DataTreatment::Grey,
        }
    }
}

/// Loss terms with the code at the posterior's mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtMean {
    /// −log p(x|z = μ), nats per image; of two stochastic layers at the mean of
    /// the lower one.
    pub reconstruction: f64,
    /// The KL term, which does not depend on the sample: as
    /// [`Evaluation::kl`].
    pub kl: Option<f64>,
}

/// Numbers about one model on one set of images; serialises to `eval.json`.
///
/// All are means over images in nats: reconstruction summed over pixels, KL over
/// dimensions. Values of other works compare only when the data treatment, the
/// sampling of z and the sums agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// Which images.
    pub split: String,
    /// How many.
    pub n: usize,
    /// What was done to them.
    pub data_treatment: DataTreatment,
    /// Seed of the sampled codes.
    pub seed: u64,
    /// Reconstruction plus the penalty, if there is one: what training minimises
    /// unless its objective is another.
    pub loss: f64,
    /// −log p(x|z), with one z ~ q(z|x) per image; z is the code itself for
    /// models that do not sample.
    pub reconstruction: f64,
    /// KL(q(z|x) ‖ p(z)) of a VAE, the penalty ½‖z‖² of `ae-l2`, `None` for `ae`;
    /// of two stochastic layers log q − log p of one sample.
    pub kl: Option<f64>,
    /// −(reconstruction + kl) of a VAE; `None` for the others, which bound no
    /// likelihood.
    pub elbo: Option<f64>,
    /// The terms at z = μ.
    pub at_mean: AtMean,
    /// `kl` by latent dimension, where it has a closed form; sums to it.
    pub kl_per_dimension: Option<Vec<f64>>,
    /// Mean of μ_j over images; of two stochastic layers of E\[h₂|x\], and below.
    pub mean_of_mu: Vec<f64>,
    /// Variance of μ_j over images, n in the denominator.
    pub variance_of_mu: Vec<f64>,
    /// Var(μ_j) + E σ_j², which training pulls to 1; `None` without σ or
    /// of two stochastic layers.
    pub variance_law: Option<Vec<f64>>,
    /// Dimensions with Var(μ_j) > 0.01.
    pub active_units: usize,
    /// The same of the lower of two stochastic layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_units_of_lower: Option<usize>,
    /// Dimensions with more than 0.01 nats of `kl_per_dimension`; differs from
    /// `active_units` only near the thresholds.
    pub active_units_by_kl: Option<usize>,
    /// The lowest reconstruction a Bernoulli allows for these images: 0 of
    /// binary ones; `None` under a density, which has no such floor.
    pub entropy_floor: Option<f64>,
    /// `reconstruction` above that floor: what the model loses.
    pub excess_over_floor: Option<f64>,
}

/// Evaluates a model on images [n, pixels].
///
/// Images pass through in blocks and only codes are kept, so memory grows with
/// n·L. The ε of image i depends on (seed, i) alone, per-image values do not
/// depend on the blocks, and sums run over images in order in f64: the result is
/// the same to the last bit for any number of threads.
///
/// # Errors
/// No images, images of another size than the model's or with pixels that its
/// likelihood says nothing of, or a model that gives values that are not finite.
pub fn evaluate<'a>(
    model: &Model,
    images: impl Into<Images<'a>>,
    options: &EvaluationOptions,
) -> Result<Evaluation> {
    let images = images.into();
    require_images(images, model.spec())?;
    let kind = model.spec().kind;
    let codes = model.encode(images);
    require_finite("the array of codes", &codes.mean.view())?;
    let of_lower = model.spec().architecture.lower.is_some();
    let at_mean = if of_lower {
        mean_of_losses(model.losses_at_mean(images))?
    } else {
        mean_reconstruction(model, codes.mean.view(), images)?
    };
    let (reconstruction, kl_per_dimension, kl) = if of_lower {
        let (reconstruction, kl) = sampled_losses(model, images, options.seed, 0)?;
        (reconstruction, None, Some(kl))
    } else {
        let reconstruction = if kind.is_variational() {
            let z = sample_codes(&codes, options.seed);
            mean_reconstruction(model, z.view(), images)?
        } else {
            at_mean
        };
        let kl_per_dimension = penalty_per_dimension(kind, &codes)?;
        let kl = kl_per_dimension.as_ref().map(|terms| terms.iter().sum());
        (reconstruction, kl_per_dimension, kl)
    };
    let count_above = |values: &[f64], least: f64| values.iter().filter(|v| **v > least).count();
    let means = of_lower.then(|| posterior_means(model, images, options.seed));
    let means = means.transpose()?.unwrap_or_default();
    let of_means = |means: &Array2<f32>| {
        let mean = mean_of_codes(&means.view()).to_vec();
        (mean, variance_of_codes(means.view()), None)
    };
    let (mean_of_mu, variance_of_mu, variance_law) = match (&means[..], &codes.log_variance) {
        ([_, upper], _) => of_means(upper),
        (_, None) => of_means(&codes.mean),
        (_, Some(log_variance)) => {
            let law = variance_law(codes.mean.view(), log_variance.view())?;
            (law.mean_of_mu, law.variance_of_mu, Some(law.total))
        }
    };
    let lower = means.first().map(|lower| variance_of_codes(lower.view()));
    let has_floor = !model.spec().likelihood.is_density();
    let floor = has_floor.then(|| entropy_floor(images)).transpose()?;
    let terms = kl_per_dimension.as_ref();
    Ok(Evaluation {
        split: options.split.clone(),
        n: images.nrows(),
        data_treatment: options.data_treatment,
        seed: options.seed,
        loss: reconstruction + kl.unwrap_or(0.0),
        reconstruction,
        kl,
        elbo: kl
            .filter(|_| kind.is_variational())
            .map(|kl| -(reconstruction + kl)),
        at_mean: AtMean {
            reconstruction: at_mean,
            kl: kl.filter(|_| !of_lower),
        },
        active_units: count_above(&variance_of_mu, ACTIVE_VARIANCE),
        active_units_of_lower: lower.map(|lower| count_above(&lower, ACTIVE_VARIANCE)),
        active_units_by_kl: terms.map(|terms| count_above(terms, ACTIVE_KL)),
        kl_per_dimension,
        mean_of_mu,
        variance_of_mu,
        variance_law,
        entropy_floor: floor,
        excess_over_floor: floor.map(|floor| reconstruction - floor),
    })
}

/// Mean reconstruction and penalty over images, nats, with one z ~ q(z|x)
/// per image: the two terms of the training loss, as logged after an epoch.
///
/// `draw` chooses the noise, so that the draws of different epochs are
/// independent. The penalty is 0 for `ae`, and log q − log p of both codes of
/// two stochastic layers.
///
/// # Errors
/// As [`evaluate`], except that values which are not finite are passed on.
pub fn sampled_losses<'a>(
    model: &Model,
    images: impl Into<Images<'a>>,
    seed: u64,
    draw: u64,
) -> Result<(f64, f64)> {
    let images = images.into();
    require_images(images, model.spec())?;
    if model.spec().architecture.lower.is_some() {
        let noise = stream(seed, Purpose::Sampling, SAMPLED_STREAM + draw);
        let losses = model.sampled_losses(images, noise);
        return Ok((losses.reconstruction, losses.kl));
    }
    let codes = model.encode(images);
    let z = draw_codes(&codes, seed, draw);
    let penalty = penalty_per_dimension(model.spec().kind, &codes)?;
    Ok((
        mean_reconstruction(model, z.view(), images)?,
        penalty.map_or(0.0, |terms| terms.iter().sum()),
    ))
}

/// One z ~ q(z|x) per image, the codes [n, L] that [`evaluate`] uses: row i
/// depends on (seed, i) and the posterior alone. The codes themselves for
/// models without σ.
pub fn sample_codes(codes: &Codes, seed: u64) -> Array2<f32> {
    draw_codes(codes, seed, EVALUATION_STREAM).into_owned()
}

/// The rows `images` of [`sample_codes`], without drawing the others.
pub(crate) fn sample_codes_of(codes: &Codes, seed: u64, images: &[usize]) -> Array2<f32> {
    let latent = codes.mean.ncols();
    let noise = stream(seed, Purpose::Sampling, EVALUATION_STREAM);
    let mut deviates = vec![0.0; images.len() * latent];
    let rows = deviates.chunks_exact_mut(latent.max(1));
    for (row, &image) in rows.zip(images) {
        fill_normal(row, noise, (image * latent) as u64);
    }
    let deviates = Array2::from_shape_vec((images.len(), latent), deviates);
    let picked = Codes {
        mean: codes.mean.select(Axis(0), images),
        log_variance: codes
            .log_variance
            .as_ref()
            .map(|l| l.select(Axis(0), images)),
    };
    match deviates {
        Ok(deviates) => picked.sample(deviates.view()),
        Err(error) => unreachable!("a deviate for every place: {error}"),
    }
}

fn draw_codes(codes: &Codes, seed: u64, draw: u64) -> CowArray<'_, f32, Ix2> {
    if codes.log_variance.is_none() {
        return codes.mean.view().into();
    }
    let (n, latent) = codes.mean.dim();
    let noise = normals_of(stream(seed, Purpose::Sampling, draw), n, latent);
    codes.sample(noise.view()).into()
}

/// Mean over images of KL(N(μ_j, σ_j²) ‖ N(0, 1)) = ½(μ² + σ² − log σ² − 1)
/// for every dimension (Kingma & Welling 2014, appendix B), from μ and log σ²
/// [n, L].
///
/// # Errors
/// Arrays that do not fit, that are empty, or not finite; a variance beyond the
/// range of f64.
pub fn kl_per_dimension(
    means: ArrayView2<'_, f32>,
    log_variances: ArrayView2<'_, f32>,
) -> Result<Vec<f64>> {
    require_posteriors(&means, &log_variances, LARGEST_LOG_VARIANCE)?;
    let n = means.nrows() as f64;
    // exp(l) − 1 without cancellation where σ is near 1.
    let kl = |m: f64, l: f64| 0.5 * (m * m + library::exp_m1(l) - l);
    let axes = means.columns().into_iter().zip(log_variances.columns());
    Ok(axes
        .map(|(mu, log_variance)| {
            let posteriors = mu.iter().zip(log_variance);
            posteriors
                .map(|(&m, &l)| kl(m.into(), l.into()))
                .sum::<f64>()
                / n
        })
        .collect())
}

fn penalty_per_dimension(kind: ModelKind, codes: &Codes) -> Result<Option<Vec<f64>>> {
    if let Some(log_variance) = &codes.log_variance {
        return kl_per_dimension(codes.mean.view(), log_variance.view()).map(Some);
    }
    let n = codes.mean.nrows() as f64;
    Ok(kind.penalty_of_coordinate().map(|penalty| {
        let of_axis = |z: ArrayView1<'_, f32>| z.iter().map(|&z| penalty(z.into())).sum::<f64>();
        let axes = codes.mean.columns().into_iter();
        axes.map(|z| of_axis(z) / n).collect()
    }))
}

fn mean_reconstruction(
    model: &Model,
    codes: ArrayView2<'_, f32>,
    images: Images<'_>,
) -> Result<f64> {
    mean_of_losses(model.reconstruction_losses(codes, images))
}

fn mean_of_losses(losses: Vec<f32>) -> Result<f64> {
    require_finite("the list of reconstruction losses", &aview1(&losses))?;
    Ok(losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64)
}

#[cfg(test)]
mod tests;
