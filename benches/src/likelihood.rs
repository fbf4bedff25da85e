//! Importance sampling of −log p(x).

use std::time::Instant;

use evaluation::likelihood::likelihood_bounds;
use models::{Initialisation, Likelihood, Model, ModelKind, ModelSpec, TrainerError};
use ndarray::Array2;
use serde::Serialize;
use tensor_ops::parallel::ThreadPool;

use super::PeakRates;
use runs::Error;

/// The architecture whose likelihoods the literature reports most often
/// (Burda et al. 2016).
const ARCHITECTURE: &str = "784-200-200-50";

/// Samples an image, as there.
const SAMPLES: usize = 5000;

/// Images of each thread in one measurement: enough that the threads end
/// nearly together.
const IMAGES: usize = 16;

/// The speed of importance sampling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LikelihoodRow {
    /// Widths from image to code.
    pub architecture: String,
    /// Importance samples an image.
    pub samples: usize,
    /// Threads that shared the images.
    pub threads: usize,
    /// Seconds an image takes all threads together.
    pub seconds_per_image: f64,
    /// 10⁹ operations of the decoder's products a second.
    pub gflops: f64,
    /// The same as a share of the multiply-add peak of as many threads.
    pub share_of_peak: f64,
}

/// One number of threads' time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    threads: usize,
    seconds_per_image: f64,
    flops_per_image: u64,
}

impl LikelihoodRow {
    pub(super) fn new(measured: Measured, peaks: &PeakRates) -> Self {
        let gflops = measured.flops_per_image as f64 / measured.seconds_per_image / 1e9;
        Self {
            architecture: ARCHITECTURE.into(),
            samples: SAMPLES,
            threads: measured.threads,
            seconds_per_image: measured.seconds_per_image,
            gflops,
            share_of_peak: peaks.share(measured.threads, gflops),
        }
    }
}

/// Bounds the likelihood of `IMAGES` images a thread `repetitions` times under
/// a model that has just been drawn: the time does not depend on the weights.
pub(super) fn measure(
    thread_counts: &[usize],
    repetitions: usize,
    peaks: &mut PeakRates,
) -> Result<Vec<Measured>, Error> {
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: ARCHITECTURE.parse()?,
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    let model = Model::new(spec, Initialisation::PyTorchUniform, 1)?;
    let flops_per_image = SAMPLES as u64 * decoder_flops(&model);
    let mut measured = Vec::new();
    for &threads in thread_counts {
        let pool = ThreadPool::new(threads).map_err(TrainerError::from)?;
        let count = IMAGES * threads;
        let images = Array2::from_shape_fn((count, model.spec().architecture.inputs), |(i, j)| {
            255 * u8::from((7 * i + 13 * j) % 5 == 0)
        });
        let mut seconds = f64::INFINITY;
        for _ in 0..repetitions {
            peaks.measure(threads)?;
            let began = Instant::now();
            pool.install(|| likelihood_bounds(&model, images.view(), SAMPLES, 0, &|| {}))?;
            seconds = seconds.min(began.elapsed().as_secs_f64());
        }
        peaks.measure(threads)?;
        measured.push(Measured {
            threads,
            seconds_per_image: seconds / count as f64,
            flops_per_image,
        });
    }
    Ok(measured)
}

/// Operations of the products of the decoder for one code, counted as dense
/// work.
fn decoder_flops(model: &Model) -> u64 {
    let layout = model.parameters().layout();
    let decoder = &layout.layers()[layout.network(models::Role::Decoder)];
    decoder
        .iter()
        .map(|layer| 2 * (layer.inputs * layer.outputs) as u64)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_decoder_alone() {
        let measured = measure(&[1], 1, &mut PeakRates::default()).unwrap();
        let mut peaks = PeakRates::default();
        peaks.record(1, 100.0);
        let row = LikelihoodRow::new(measured[0], &peaks);
        let flops = 2.0 * (50.0 * 200.0 + 200.0 * 200.0 + 200.0 * 784.0) * 5000.0;
        assert!((row.gflops * row.seconds_per_image * 1e9 / flops - 1.0).abs() < 1e-12);
        assert!((row.share_of_peak - row.gflops / 100.0).abs() < 1e-12);
    }
}
