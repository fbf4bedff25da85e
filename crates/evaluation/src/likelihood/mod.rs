//! −log p(x) by importance sampling.
//!
//! The ELBO is a lower bound of log p(x) whose gap is KL(q(z|x) ‖ p(z|x)),
//! several nats for the usual models. The importance-sampled bound closes it:
//! with K = 5000 it is what the literature reports as the likelihood of a
//! variational autoencoder (Burda et al. 2016, §5). It remains a stochastic
//! bound: a number means something only beside its K, the data treatment and
//! the images it was taken on.

mod draws;
mod weights;

use std::collections::BTreeMap;

use models::streams::{Purpose, stream};
use models::{Images, ImportanceSampler, Model};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{EvaluationError, Result, require_finite_rows, require_images};
use crate::statistics::{sorted, sorted_quantile};

pub use draws::deviation_between_draws;
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
/// L_K and how every K uses all samples is described at [`BoundCurve`]. The
/// weight is
///
/// log w = log p(x|z) + log p(z) − log q(z|x),
///
/// and of two stochastic layers, with one h₂ for every h₁,
///
/// log w = log p(x|h₁) + log p(h₁|h₂) + log p(h₂) − log q(h₁|x) − log q(h₂|h₁).
///
/// The decoder runs in f32 in blocks of codes of one image; everything from the
/// log weight on is f64. Threads of the current pool take whole images; each
/// holds one block, whatever the number of samples. The ε of image i and sample
/// k depend on (seed, i, k) alone, so the result is the same to the last bit for
/// any number of threads, and the first images have the same bounds in any
/// subset.
///
/// `progress` hears from any thread that one more image is done.
///
/// # Errors
/// No samples, no images, images of another size than the model's or with
/// pixels that its likelihood says nothing of, a model that is not variational,
/// or one that gives values that are not finite.
pub fn likelihood_bounds<'a>(
    model: &Model,
    images: impl Into<Images<'a>>,
    samples: usize,
    seed: u64,
    progress: &(dyn Fn() + Sync),
) -> Result<LikelihoodBounds> {
    summarise(&image_bounds(model, images, samples, seed, progress)?)
}

/// The bounds of each image that [`likelihood_bounds`] gives the means of.
///
/// # Errors
/// As there, except that values which are not finite are passed on.
fn image_bounds<'a>(
    model: &Model,
    images: impl Into<Images<'a>>,
    samples: usize,
    seed: u64,
    progress: &(dyn Fn() + Sync),
) -> Result<Vec<Bounds>> {
    let curve = BoundCurve::new(samples)?;
    let images = images.into();
    require_images(images, model.spec())?;
    if !model.spec().kind.is_variational() {
        return Err(EvaluationError::NotVariational);
    }
    let block = BLOCK.min(samples);
    let buffers = || (ImportanceSampler::new(model, block), vec![0.0; block]);
    let bounds = (0..images.nrows())
        .into_par_iter()
        .map_init(buffers, |(sampler, log_weights), image| {
            sampler.set_image(images.slice_rows(image..image + 1));
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
        })
        .collect();
    Ok(bounds)
}

fn require_finite_bounds(bounds: &[Bounds]) -> Result<()> {
    let is_finite = |bounds: &Bounds| bounds.log_likelihood.values().all(|l| l.is_finite());
    let are_finite = bounds.iter().map(is_finite);
    require_finite_rows("the list of importance weights", are_finite)
}

fn summarise(bounds: &[Bounds]) -> Result<LikelihoodBounds> {
    require_finite_bounds(bounds)?;
    let sizes = bounds[0].log_likelihood.keys().copied();
    let nll = |size: usize| Estimate::of(bounds.iter().map(move |b| -b.log_likelihood[&size]));
    let effective = bounds.iter().map(|b| b.effective_sample_size);
    let mean = effective.clone().sum::<f64>() / bounds.len() as f64;
    let effective = sorted(effective);
    Ok(LikelihoodBounds {
        nll: sizes.map(|size| (size, nll(size))).collect(),
        effective_sample_size: EffectiveSampleSize {
            mean,
            median: sorted_quantile(&effective, 0.5),
            lowest: effective[0],
        },
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod two_layers;
