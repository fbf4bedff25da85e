//! Whole training epochs, as `train` runs them.

use std::fmt;
use std::time::Instant;

use datasets::{Dataset, Split};
use models::{
    Activation, Gradients, Initialisation, Layout, Likelihood, Model, ModelKind, ModelSpec,
    Trainer, TrainingConfig,
};
use serde::Serialize;

use super::PeakRates;
use super::bound::{ElementwiseRates, ExecutedWork};
use super::timing::{Spread, best, median};
use runs::Error;

/// A VAE to train, with the batch it is trained in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Widths of the encoder and of the code, such as `784-256-2`.
    pub architecture: &'static str,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Images per step.
    pub batch: usize,
    /// Whether automatic differentiation is measured beside the hand-derived
    /// gradient.
    pub tape: bool,
}

/// The reference architectures.
pub const RECIPES: [Recipe; 5] = [
    Recipe {
        architecture: "784-256-2",
        activation: Activation::Relu,
        batch: 128,
        tape: true,
    },
    Recipe {
        architecture: "784-512-2",
        activation: Activation::Relu,
        batch: 256,
        tape: true,
    },
    Recipe {
        architecture: "784-400-20",
        activation: Activation::Relu,
        batch: 128,
        tape: true,
    },
    Recipe {
        architecture: "784-256-32-8-2",
        activation: Activation::Relu,
        batch: 128,
        tape: false,
    },
    Recipe {
        architecture: "784-200-200-50",
        activation: Activation::Tanh,
        batch: 20,
        tape: false,
    },
];

impl Recipe {
    /// The model.
    ///
    /// # Errors
    /// When the widths are malformed.
    pub fn spec(&self) -> Result<ModelSpec, Error> {
        let mut architecture: models::Architecture = self.architecture.parse()?;
        architecture.activation = self.activation;
        Ok(ModelSpec {
            kind: ModelKind::Vae,
            architecture,
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        })
    }

    /// A trainer before its first epoch, as `train` makes it.
    ///
    /// # Errors
    /// When the images do not fit the model, or threads cannot be started.
    pub fn trainer(
        &self,
        images: &Split,
        threads: usize,
        gradients: Gradients,
    ) -> Result<Trainer, Error> {
        let seed = 0;
        let model = Model::new(self.spec()?, Initialisation::PyTorchUniform, seed)?;
        let config = TrainingConfig {
            batch: self.batch,
            threads,
            gradients,
            ..TrainingConfig::standard(seed)
        };
        Ok(Trainer::new(
            model,
            config,
            runs::run_data::shared_images(images, images.len()),
        )?)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}, batch {}",
            self.architecture,
            self.activation.name(),
            self.batch
        )
    }
}

/// One recipe's speed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingRow {
    /// Widths of the encoder and of the code.
    pub architecture: &'static str,
    /// Nonlinearity of the hidden layers.
    pub activation: &'static str,
    /// Images per step.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
    /// Wall-clock seconds of the fastest epoch: shuffling, conversion of
    /// pixels, noise, loss and optimiser included.
    pub seconds_per_epoch: f64,
    /// Images a second in it.
    pub images_per_second: f64,
    /// 10⁹ operations a second in it; see [`training_gflops`].
    pub gflops: f64,
    /// The same as a share of the multiply-add peak of as many threads.
    pub share_of_peak: f64,
    /// The median over the epochs of each one's operations a second as a share
    /// of the peak right before and after it. Where the clock moves by a quarter
    /// within seconds, as on shared machines, the best peak of a whole run says
    /// little about the limit under which an epoch ran.
    pub share_of_peak_around: f64,
    /// What an epoch executes, zeros left out.
    pub executed: ExecutedWork,
    /// 10⁹ operations of products executed a second in the fastest epoch, as a
    /// share of the peak.
    pub executed_share_of_peak: f64,
    /// Seconds in which the machine could do that work at best; see
    /// [`ElementwiseRates`].
    pub least_seconds_per_epoch: f64,
    /// The same as a share of the fastest epoch.
    pub share_of_bound: f64,
    /// How far the epochs lie apart.
    pub spread: Spread,
    /// What computed the gradient.
    pub gradients: &'static str,
    /// Epochs measured.
    pub epochs: usize,
    /// Seconds of the median epoch.
    pub median_seconds_per_epoch: f64,
    /// Seconds with one thread over seconds with these, gradients equal.
    pub speedup: f64,
    /// Seconds over those of the hand-derived gradient, threads equal.
    pub ratio_to_hand: f64,
}

/// The epochs of one recipe with one number of threads and one gradient.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    recipe: Recipe,
    threads: usize,
    gradients: Gradients,
    images: usize,
    flops_per_image: u64,
    executed: ExecutedWork,
    seconds: Vec<f64>,
    /// The multiply-add peak around each epoch.
    peaks: Vec<f64>,
}

/// 10⁹ operations a second of a training epoch of `spec` over `images` images
/// in `seconds`, counted as dense work by
/// [`Layout::training_flops_per_image`].
#[must_use]
pub fn training_gflops(spec: &ModelSpec, images: usize, seconds: f64) -> f64 {
    gflops(
        Layout::new(spec).training_flops_per_image(),
        images,
        seconds,
    )
}

fn gflops(flops_per_image: u64, images: usize, seconds: f64) -> f64 {
    flops_per_image as f64 * images as f64 / seconds / 1e9
}

/// Times the epochs of one recipe. Its variants take turns epoch by epoch, so
/// that a slow minute of the machine meets all of them.
pub(super) fn measure(
    recipe: &Recipe,
    dataset: &Dataset,
    thread_counts: &[usize],
    epochs: usize,
    peaks: &mut PeakRates,
) -> Result<Vec<Measured>, Error> {
    let layout = Layout::new(&recipe.spec()?);
    let executed = ExecutedWork::of_epoch(&layout, &dataset.train, recipe.batch);
    let mut variants = Vec::new();
    for &threads in thread_counts {
        let tape = recipe.tape.then_some(Gradients::Tape);
        for gradients in [Some(Gradients::Hand), tape].into_iter().flatten() {
            let measured = Measured {
                recipe: *recipe,
                threads,
                gradients,
                images: dataset.train.len(),
                flops_per_image: layout.training_flops_per_image(),
                executed,
                seconds: Vec::new(),
                peaks: Vec::new(),
            };
            variants.push((
                recipe.trainer(&dataset.train, threads, gradients)?,
                measured,
            ));
        }
    }
    for _ in 0..epochs {
        for (trainer, measured) in &mut variants {
            let before = peaks.measure(measured.threads)?;
            measured.seconds.push(epoch_seconds(trainer)?);
            let after = peaks.measure(measured.threads)?;
            measured.peaks.push(after.max(before));
        }
    }
    Ok(variants.into_iter().map(|(_, measured)| measured).collect())
}

/// Trains one epoch and returns its wall-clock seconds.
pub(super) fn epoch_seconds(trainer: &mut Trainer) -> Result<f64, Error> {
    let began = Instant::now();
    trainer
        .run_epoch(&mut |_| ())
        .map_err(|diverged| Error::Benchmark(diverged.to_string()))?;
    Ok(began.elapsed().as_secs_f64())
}

pub(super) fn rows(
    measured: &[Measured],
    peaks: &PeakRates,
    rates: &ElementwiseRates,
) -> Vec<TrainingRow> {
    let seconds_of = |recipe: Recipe, threads: usize, gradients: Gradients| {
        measured
            .iter()
            .find(|other| {
                (other.recipe, other.threads, other.gradients) == (recipe, threads, gradients)
            })
            .map_or(f64::NAN, |other| best(&other.seconds))
    };
    measured
        .iter()
        .map(|measured| {
            let seconds = best(&measured.seconds);
            let Measured {
                recipe,
                threads,
                gradients,
                images,
                executed,
                ..
            } = *measured;
            let rate = |seconds| gflops(measured.flops_per_image, images, seconds);
            let gflops = rate(seconds);
            let epochs = measured.seconds.iter().zip(&measured.peaks);
            let around: Vec<f64> = epochs
                .map(|(&seconds, peak)| rate(seconds) / peak)
                .collect();
            let least = rates.least_seconds(&executed, threads, peaks.gflops(threads));
            let executed_gflops = 2.0 * executed.multiply_adds as f64 / seconds / 1e9;
            TrainingRow {
                executed,
                executed_share_of_peak: peaks.share(threads, executed_gflops),
                least_seconds_per_epoch: least,
                share_of_bound: least / seconds,
                spread: Spread::of(&measured.seconds),
                architecture: recipe.architecture,
                activation: recipe.activation.name(),
                batch: recipe.batch,
                threads,
                seconds_per_epoch: seconds,
                images_per_second: images as f64 / seconds,
                gflops,
                share_of_peak: peaks.share(threads, gflops),
                share_of_peak_around: median(&around),
                gradients: gradients.name(),
                epochs: measured.seconds.len(),
                median_seconds_per_epoch: median(&measured.seconds),
                speedup: seconds_of(recipe, 1, gradients) / seconds,
                ratio_to_hand: seconds / seconds_of(recipe, threads, Gradients::Hand),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_of_a_hand_computed_model() {
        // 784-256-2 has the products 784·256, 256·4 (μ and log σ²), 2·256 and
        // 256·784; the first is done twice, the others three times, at two
        // operations a term:
        // 2·(2·200704 + 3·(1024 + 512 + 200704)) = 2016256.
        let spec = RECIPES[0].spec().unwrap();
        let gflops = training_gflops(&spec, 60_000, 1.0);
        assert!(
            (gflops - 2_016_256.0 * 60_000.0 / 1e9).abs() < 1e-9,
            "{gflops}"
        );
        assert_eq!(training_gflops(&spec, 60_000, 2.0), gflops / 2.0);
    }

    #[test]
    fn every_recipe_is_a_model() {
        for recipe in RECIPES {
            let spec = recipe.spec().unwrap();
            assert_eq!(spec.architecture.to_string(), recipe.architecture);
            assert_eq!(spec.architecture.activation, recipe.activation);
        }
    }

    #[test]
    fn rows_compare_threads_and_gradients() {
        let measured = |threads, gradients, seconds: &[f64]| Measured {
            recipe: RECIPES[0],
            threads,
            gradients,
            images: 1000,
            flops_per_image: 2_000_000,
            executed: ExecutedWork {
                multiply_adds: 500_000_000,
                updates: 100_000_000,
                pixels: 0,
            },
            seconds: seconds.to_vec(),
            // An epoch has 2 · 10⁹ operations: half of each peak.
            peaks: seconds.iter().map(|seconds| 4.0 / seconds).collect(),
        };
        let mut peaks = PeakRates::default();
        peaks.record(1, 4.0);
        peaks.record(2, 8.0);
        let rows = rows(
            &[
                measured(1, Gradients::Hand, &[1.5, 1.0, 2.0]),
                measured(1, Gradients::Tape, &[1.25]),
                measured(2, Gradients::Hand, &[0.5, 0.5]),
            ],
            &peaks,
            &ElementwiseRates {
                adam_nanoseconds: 0.5,
                adam_cycles_per_line: 24.0,
                loss_nanoseconds: 1.0,
            },
        );
        assert_eq!(rows[0].gflops, 2.0);
        assert_eq!(rows[0].share_of_peak, 0.5);
        assert_eq!(rows[0].share_of_peak_around, 0.5);
        assert_eq!(rows[0].median_seconds_per_epoch, 1.5);
        assert_eq!(rows[0].images_per_second, 1000.0);
        // Half of what is counted as dense; a quarter of a second of it, and a
        // twentieth of updates.
        assert_eq!(rows[0].executed_share_of_peak, 0.25);
        assert!((rows[0].least_seconds_per_epoch - 0.3).abs() < 1e-12);
        assert!((rows[0].share_of_bound - 0.3).abs() < 1e-12);
        assert!((rows[2].least_seconds_per_epoch - 0.15).abs() < 1e-12);
        assert!(rows[0].spread.is_noisy && !rows[2].spread.is_noisy);
        assert_eq!(rows[1].ratio_to_hand, 1.25);
        assert_eq!(rows[2].speedup, 2.0);
        assert_eq!(rows[2].share_of_peak, 0.5);
    }
}
