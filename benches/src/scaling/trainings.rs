//! What steps of training cost.

use std::sync::Arc;
use std::time::Instant;

use models::footprint::TrainingFootprint;
use models::{
    Initialisation, Layout, Likelihood, Model, ModelKind, ModelSpec, Progress, Trainer,
    TrainingConfig,
};
use runs::Error;
use serde::{Deserialize, Serialize};

use super::{Cost, cost, held_memory};

/// A VAE to train, with one hidden layer on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingPoint {
    /// Images of the training set.
    pub images: usize,
    /// Pixels of an image.
    pub pixels: usize,
    /// Units of each hidden layer.
    pub width: usize,
    /// Latent variables.
    pub latent: usize,
    /// Images of a step.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
}

/// Steps before the first that is timed: they take memory and fill caches.
const FIRST_STEPS: usize = 2;

/// Groups of steps, of which the fastest counts, and least seconds of each.
const GROUPS: usize = 4;
const SECONDS_OF_GROUP: f64 = 0.1;

/// Operations a second of a thread that a step is expected to reach before it has
/// been seen to.
const EXPECTED_OPERATIONS: f64 = 5e10;

impl TrainingPoint {
    /// The widths as they are written.
    #[must_use]
    pub fn architecture(&self) -> String {
        format!("{}-{}-{}", self.pixels, self.width, self.latent)
    }

    fn spec(&self) -> Result<ModelSpec, Error> {
        Ok(ModelSpec {
            kind: ModelKind::Vae,
            architecture: self.architecture().parse()?,
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        })
    }

    fn config(&self) -> TrainingConfig {
        TrainingConfig {
            batch: self.batch,
            threads: self.threads,
            ..TrainingConfig::standard(0)
        }
    }

    /// Images of a step: no more than there are.
    pub(super) fn rows(&self) -> usize {
        self.batch.min(self.images)
    }

    /// Bytes that images and training are said to take.
    pub(super) fn told_bytes(&self) -> Result<u64, Error> {
        let told = TrainingFootprint::of(&self.spec()?, &self.config(), self.images);
        let images = (self.images as u64).saturating_mul(self.pixels as u64);
        Ok(images.saturating_add(told.total() - told.checkpoint))
    }

    fn operations_of_image(&self) -> Result<f64, Error> {
        Ok(Layout::new(&self.spec()?).training_flops_per_image() as f64)
    }

    /// What the steps of a measurement are expected to take.
    pub(super) fn seconds_of_few_steps(&self) -> Result<f64, Error> {
        let rate = EXPECTED_OPERATIONS * self.threads as f64;
        let images = (FIRST_STEPS + GROUPS) as f64 * self.rows() as f64;
        Ok(images * self.operations_of_image()? / rate)
    }

    /// Trains some steps; the cost is that of an epoch.
    pub(super) fn measure(&self) -> Result<Cost, Error> {
        let begin = held_memory::Mark::now();
        let model = Model::new(self.spec()?, Initialisation::PyTorchUniform, 0)?;
        let mut trainer = Trainer::new(model, self.config(), images(self.images, self.pixels))?;
        let mut steps = |count| images_of_steps(&mut trainer, self.rows(), self.images, count);
        steps(FIRST_STEPS)?;
        let operations = self.operations_of_image()? * self.images as f64;
        cost(self.threads, begin, || {
            let mut seconds_of_image = f64::INFINITY;
            for _ in 0..GROUPS {
                let (mut seen, mut count, began) = (0, 1, Instant::now());
                while seen == 0 || began.elapsed().as_secs_f64() < SECONDS_OF_GROUP {
                    seen += steps(count)?;
                    count = 16.min(2 * count);
                }
                let seconds = began.elapsed().as_secs_f64();
                seconds_of_image = seconds_of_image.min(seconds / seen as f64);
            }
            Ok((seconds_of_image * self.images as f64, Some(operations)))
        })
    }
}

/// Takes so many steps, over the ends of epochs, and counts the images in them.
fn images_of_steps(
    trainer: &mut Trainer,
    rows: usize,
    images: usize,
    count: usize,
) -> Result<usize, Error> {
    let (mut taken, mut seen) = (0, 0);
    while taken < count {
        let left = count - taken;
        let mut of_step = |progress: &Progress| {
            taken += 1;
            let is_last = progress.step_in_epoch == progress.steps_in_epoch;
            seen += if is_last {
                images - (progress.steps_in_epoch - 1) * rows
            } else {
                rows
            };
            true
        };
        trainer
            .run_steps(left, &mut of_step)
            .map_err(|diverged| Error::Benchmark(diverged.to_string()))?;
    }
    Ok(seen)
}

/// Images of which a fifth of the pixels is ink of any grey, about as handwriting
/// has it: zeros are left out of the first layer's products.
fn images(count: usize, pixels: usize) -> Arc<[u8]> {
    // Weyl's sequence, whose high bits are spread evenly: the content does not
    // matter, and there may be gigabytes of it.
    let value = |at: usize| {
        let word = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let ink = ((word >> 32) as u32).is_multiple_of(5);
        if ink { (word >> 56) as u8 | 1 } else { 0 }
    };
    (0..count * pixels).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: TrainingPoint = TrainingPoint {
        images: 50,
        pixels: 30,
        width: 8,
        latent: 2,
        batch: 16,
        threads: 1,
    };

    #[test]
    fn images_are_counted_over_the_ends_of_epochs() {
        let model = Model::new(SMALL.spec().unwrap(), Initialisation::PyTorchUniform, 0).unwrap();
        let mut trainer = Trainer::new(model, SMALL.config(), images(50, 30)).unwrap();
        // Steps of 16, 16, 16 and 2 images.
        for (count, expected) in [(3, 48), (1, 2), (9, 2 * 50 + 16)] {
            let seen = images_of_steps(&mut trainer, 16, 50, count).unwrap();
            assert_eq!(seen, expected);
        }
        assert_eq!(trainer.steps(), 13);
    }

    #[test]
    fn a_fifth_of_the_pixels_is_ink() {
        let images = images(100, 784);
        let ink = images.iter().filter(|&&byte| byte != 0).count();
        let share = ink as f64 / images.len() as f64;
        assert!((share - 0.2).abs() < 0.01, "{share}");
    }

    #[test]
    fn an_epoch_costs_time_and_what_was_told() {
        let cost = SMALL.measure().unwrap();
        assert!(cost.seconds > 0.0 && cost.seconds < 10.0);
        assert!(cost.gflops.unwrap() > 0.0 && cost.peak_gflops > 0.0);
        // Images, both networks with their moments.
        assert!(SMALL.told_bytes().unwrap() > 50 * 30 + 3 * 4 * 2 * 30 * 8);
        let absurd = TrainingPoint {
            images: 1 << 40,
            pixels: 1 << 16,
            width: 1 << 16,
            ..SMALL
        };
        assert!(absurd.told_bytes().unwrap() > 1 << 56);
        assert!(absurd.seconds_of_few_steps().unwrap() > SMALL.seconds_of_few_steps().unwrap());
    }
}
