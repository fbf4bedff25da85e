//! −log p(x) by importance sampling.
//!
//! The ELBO is a lower bound of log p(x) whose gap is KL(q(z|x) ‖ p(z|x)),
//! several nats for the usual models. The importance-sampled bound closes it:
//! with K = 5000 it is what the literature reports as the likelihood of a
//! variational autoencoder (Burda et al. 2016, §5). It remains a stochastic
//! bound: a number means something only beside its K, the data treatment and
//! the images it was taken on.

mod two_layers;
mod weights;

use std::collections::BTreeMap;

use models::streams::{Purpose, stream};
use models::{ImageDecoder, Images, Model};
use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tensor_ops::panels::LANES;
use tensor_ops::random::{Stream, fill_normal};

use crate::error::{EvaluationError, Result, require_all_finite, require_finite, require_images};
use crate::statistics::{sorted, sorted_quantile};

pub use two_layers::two_layer_likelihood_bounds;
pub use weights::{BoundCurve, Bounds, CURVE};

/// Codes decoded at a time: enough for the products to run at full speed, few
/// enough for the widest activations and the weights to share a core's cache.
const BLOCK: usize = 96;

/// First of the sampling streams that hold the ε of one image each.
const FIRST_STREAM: u64 = 0x6e6c << 32;

/// A mean over images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Its standard error over images, that is, as an estimate for all images
    /// the measured ones were drawn from; n − 1 in the variance, `None` for a
    /// single image.
    pub standard_error: Option<f64>,
}

impl Estimate {
    /// Mean and standard error of values of images.
    fn of(values: impl ExactSizeIterator<Item = f64> + Clone) -> Self {
        let n = values.len() as f64;
        let value = values.clone().sum::<f64>() / n;
        let squares: f64 = values.map(|x| (x - value).powi(2)).sum();
        Self {
            value,
            standard_error: (n > 1.0).then(|| (squares / (n * (n - 1.0))).sqrt()),
        }
    }
}

/// How evenly the importance weights of an image are spread:
/// (Σ w)² / Σ w², between 1 and K.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EffectiveSampleSize {
    /// Mean over images.
    pub mean: f64,
    /// The value half of the images reach.
    pub median: f64,
    /// Of the worst image; near 1 its bound hangs on a single sample.
    pub lowest: f64,
}

/// The importance-sampled bounds of a set of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LikelihoodBounds {
    /// K → −L_K, nats per image.
    pub nll: BTreeMap<usize, Estimate>,
    /// Of all samples, per image.
    pub effective_sample_size: EffectiveSampleSize,
}

/// −L_K of images [n, pixels] under a variational autoencoder, by K:
/// those of [`CURVE`] below `samples`, and `samples` itself.
///
/// L_K and how every K uses all samples is described at [`BoundCurve`]. With
/// z = μ + σε the weight is
///
/// log w = log p(x|z) + ½ Σ_j (ε_j² − z_j² + log σ_j²),
///
/// the 2π of prior and posterior cancel. The decoder runs in f32 in blocks of
/// codes of one image; everything from the log weight on is f64. Threads of
/// the current pool take whole images; each holds one block, whatever the
/// number of samples. The ε of image i and sample k depend on (seed, i, k)
/// alone, so the result is the same to the last bit for any number of threads,
/// and the first images have the same bounds in any subset.
///
/// `progress` hears from any thread that one more image is done.
///
/// # Errors
/// No samples, no images, images of another size than the model's or with
/// pixels that its likelihood says nothing of, a model that is not variational, or one that gives values that are not finite.
pub fn likelihood_bounds<'a>(
    model: &Model,
    images: impl Into<Images<'a>>,
    samples: usize,
    seed: u64,
    progress: &(dyn Fn() + Sync),
) -> Result<LikelihoodBounds> {
    let curve = BoundCurve::new(samples)?;
    let images = images.into();
    require_images(images, model.spec())?;
    let codes = model.encode(images);
    require_finite("the array of codes", &codes.mean.view())?;
    let Some(log_variances) = &codes.log_variance else {
        return Err(EvaluationError::NotVariational);
    };
    require_finite("the array of log σ²", &log_variances.view())?;
    let posteriors = Posteriors {
        model,
        codes: &codes.mean,
        log_variances,
        images,
    };
    let sampler = || Sampler::new(&posteriors, BLOCK.min(samples));
    bounds_of_images(images.nrows(), &curve, samples, seed, progress, sampler)
}

/// Draws codes of images and weighs them: one thread's memory.
trait ImportanceSampler {
    /// The image that the coming weights are of.
    fn set_image(&mut self, image: usize);

    /// log w of the samples from number `first` on, as many as `out` has room
    /// for, with the ε that sample has in the stream.
    fn log_weights(&mut self, noise: Stream, first: usize, out: &mut [f64]);
}

/// The bounds of so many images, each on one thread.
fn bounds_of_images<S: ImportanceSampler>(
    images: usize,
    curve: &BoundCurve,
    samples: usize,
    seed: u64,
    progress: &(dyn Fn() + Sync),
    sampler: impl Fn() -> S + Sync,
) -> Result<LikelihoodBounds> {
    let bounds: Vec<Bounds> = (0..images)
        .into_par_iter()
        .map_init(
            || (sampler(), vec![0.0; BLOCK.min(samples)]),
            |(sampler, log_weights), image| {
                sampler.set_image(image);
                let noise = stream(seed, Purpose::Sampling, FIRST_STREAM + image as u64);
                let mut curve = curve.clone();
                for first in (0..samples).step_by(BLOCK) {
                    let log_weights = &mut log_weights[..BLOCK.min(samples - first)];
                    sampler.log_weights(noise, first, log_weights);
                    for &log_weight in &*log_weights {
                        curve.push(log_weight);
                    }
                }
                progress();
                curve.finish()
            },
        )
        .collect();
    summarise(&bounds)
}

fn summarise(bounds: &[Bounds]) -> Result<LikelihoodBounds> {
    let is_finite = |bounds: &Bounds| bounds.log_likelihood.values().all(|l| l.is_finite());
    require_all_finite(
        "the list of importance weights",
        bounds.iter().map(is_finite),
    )?;
    let sizes = bounds[0].log_likelihood.keys();
    let nll = sizes
        .map(|&size| {
            let values = bounds.iter().map(move |b| -b.log_likelihood[&size]);
            (size, Estimate::of(values))
        })
        .collect();
    let effective = bounds.iter().map(|b| b.effective_sample_size);
    let mean = effective.clone().sum::<f64>() / bounds.len() as f64;
    let effective = sorted(effective);
    Ok(LikelihoodBounds {
        nll,
        effective_sample_size: EffectiveSampleSize {
            mean,
            median: sorted_quantile(&effective, 0.5),
            lowest: effective[0],
        },
    })
}

/// What the codes of images are drawn from.
struct Posteriors<'a, 'i> {
    model: &'a Model,
    codes: &'a Array2<f32>,
    log_variances: &'a Array2<f32>,
    images: Images<'i>,
}

/// A posterior and a block of codes drawn from it.
struct Sampler<'a, 'i> {
    posteriors: &'a Posteriors<'a, 'i>,
    decoder: ImageDecoder<'a>,
    mean: Vec<f32>,
    sigma: Vec<f32>,
    /// ½ Σ_j log σ_j².
    log_sigma: f64,
    noise: Vec<f32>,
    log_likelihoods: Vec<f32>,
}

impl<'a, 'i> Sampler<'a, 'i> {
    fn new(posteriors: &'a Posteriors<'a, 'i>, block: usize) -> Self {
        let latent = posteriors.model.spec().architecture.latent;
        Self {
            posteriors,
            decoder: ImageDecoder::new(posteriors.model, block),
            mean: Vec::new(),
            sigma: Vec::new(),
            log_sigma: 0.0,
            noise: vec![0.0; block * latent],
            log_likelihoods: vec![0.0; block],
        }
    }
}

impl ImportanceSampler for Sampler<'_, '_> {
    fn set_image(&mut self, image: usize) {
        let log_variance = self.posteriors.log_variances.row(image);
        self.log_sigma = log_variance.iter().map(|&l| 0.5 * f64::from(l)).sum();
        self.mean = self.posteriors.codes.row(image).to_vec();
        self.sigma = log_variance.iter().map(|&l| (0.5 * l).exp()).collect();
        let image = self.posteriors.images.slice_rows(image..image + 1);
        self.decoder.set_image(image);
    }

    fn log_weights(&mut self, noise: Stream, first: usize, out: &mut [f64]) {
        let (latent, rows) = (self.mean.len(), out.len());
        let epsilon = &mut self.noise[..rows * latent];
        fill_normal(epsilon, noise, (first * latent) as u64);
        let codes = self.decoder.codes_mut(rows);
        for (row, log_weight) in out.iter_mut().enumerate() {
            let epsilon = &epsilon[row * latent..][..latent];
            *log_weight =
                self.log_sigma + 0.5 * sample(epsilon, &self.mean, &self.sigma, row, rows, codes);
        }
        let log_likelihoods = &mut self.log_likelihoods[..rows];
        self.decoder.log_likelihoods(log_likelihoods);
        for (log_weight, &log_likelihood) in out.iter_mut().zip(&*log_likelihoods) {
            *log_weight += f64::from(log_likelihood);
        }
    }
}

/// Writes z = μ + σε as row `row` of panels of `rows` rows and returns
/// Σ (ε² − z²).
fn sample(
    epsilon: &[f32],
    mean: &[f32],
    sigma: &[f32],
    row: usize,
    rows: usize,
    codes: &mut [f32],
) -> f64 {
    // One sum per lane, so that the lanes are computed side by side.
    let mut sums = [0.0_f64; LANES];
    let parts = epsilon
        .chunks(LANES)
        .zip(mean.chunks(LANES))
        .zip(sigma.chunks(LANES));
    for (panel, ((epsilon, mean), sigma)) in parts.enumerate() {
        let line = &mut codes[(panel * rows + row) * LANES..][..LANES];
        for lane in 0..epsilon.len() {
            let z = mean[lane] + sigma[lane] * epsilon[lane];
            line[lane] = z;
            let (epsilon, z) = (f64::from(epsilon[lane]), f64::from(z));
            sums[lane] += (epsilon - z) * (epsilon + z);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests;
