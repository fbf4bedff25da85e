//! What a model's codes hold: how far apart they are, what noise does to what
//! they decode to, and how images that were trained on differ from others.

use evaluation::codes::code_extent;
use models::Images;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use tensor_ops::random::{Stream, fill_normal};

use crate::{Drawing, TrainedRun};
use figures::choice::in_random_order;
use runs::Error;

/// Standard deviation of the noise on a code, in that of the codes.
pub(super) const NOISE: f64 = 0.1;
/// Training images that are reconstructed, at most.
const TRAINING: usize = 10_000;
/// Stream of the noise; those of training lie below.
const STREAM: u64 = 0x4154_4c42_0000;

/// What the codes of a run hold. Losses are means over images in nats, of images
/// reconstructed from their codes, for a VAE z = μ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Root mean square distance of the codes of two test images.
    pub distance: f64,
    /// Loss of the test images.
    pub reconstruction: f64,
    /// The same from codes with normal noise of [`NOISE`] on every axis.
    pub with_noise: f64,
    /// Loss of as many training images.
    pub of_training: f64,
}

impl Held {
    /// Nats that the noise costs.
    pub(super) fn rise(&self) -> f64 {
        self.with_noise - self.reconstruction
    }

    /// Nats by which images that were not trained on are worse.
    pub(super) fn generalisation_gap(&self) -> f64 {
        self.reconstruction - self.of_training
    }
}

/// Measures a run, once.
pub(super) fn held(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Held, Error> {
    let version = format!("2: noise of {NOISE} deviations, {TRAINING} training images");
    drawing.measure(run, "lab-held", &version, || {
        let (train, test) = (run.trained_on(drawing.dataset)?, &drawing.dataset.test);
        let seen = run.seen(test)?;
        let codes = run.encode(seen.images()).mean;
        let deviations = code_extent(codes.view())?.standard_deviation;
        let variance: f64 = deviations.iter().map(|value| value * value).sum();
        let noise = NOISE * (variance / deviations.len() as f64).sqrt();
        let noisy = with_noise(codes.view(), noise);
        let some = run.seen_rows(&train, &in_random_order(train.len(), TRAINING))?;
        let their_codes = run.encode(some.images()).mean;
        Ok(Held {
            distance: (2.0 * variance).sqrt(),
            reconstruction: mean_loss(run, codes.view(), seen.images()),
            with_noise: mean_loss(run, noisy.view(), seen.images()),
            of_training: mean_loss(run, their_codes.view(), some.images()),
        })
    })
}

fn mean_loss(run: &TrainedRun, codes: ArrayView2<'_, f32>, images: Images<'_>) -> f64 {
    let losses = run.model.reconstruction_losses(codes, images);
    losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64
}

/// Codes with normal noise of a standard deviation, the same deviates for every
/// model.
fn with_noise(codes: ArrayView2<'_, f32>, deviation: f64) -> Array2<f32> {
    let mut noise = Array2::<f32>::zeros(codes.raw_dim());
    if let Some(values) = noise.as_slice_mut() {
        fill_normal(values, Stream::new(0, STREAM), 0);
    }
    noise.mapv_inplace(|deviate| (deviation * f64::from(deviate)) as f32);
    noise + codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_its_deviation_and_is_the_same_for_all() {
        let codes = Array2::<f32>::from_elem((5000, 2), 3.0);
        let noisy = with_noise(codes.view(), 0.5);
        let moved = (&noisy - &codes).mapv(f64::from);
        let square = moved.mapv(|value| value * value).sum() / 10_000.0;
        // A variance of 10 000 deviates is off by √(2/10 000) of itself.
        assert!((square - 0.25).abs() < 0.015, "{square}");
        assert_eq!(with_noise(codes.view(), 0.5), noisy);
        assert_eq!(with_noise(codes.view(), 0.0), codes);
    }

    #[test]
    fn losses_are_compared_to_that_without_noise_and_of_training() {
        let held = Held {
            distance: 1.0,
            reconstruction: 100.0,
            with_noise: 103.0,
            of_training: 98.5,
        };
        assert_eq!((held.rise(), held.generalisation_gap()), (3.0, 1.5));
    }
}
