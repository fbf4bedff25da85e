//! The training loop of a model of two stochastic layers.

use std::sync::Arc;
use std::time::Instant;

use tensor_ops::parallel::ThreadPool;

use super::model::TwoLayerModel;
use super::workspace::TwoLayerWorkspace;
use crate::batch::IndexedBatch;
use crate::configuration::{ConfigurationError, Gradients, TrainingConfig};
use crate::gradient::Losses;
use crate::images::PixelRows;
use crate::objective::{MAXIMUM_SAMPLES, Objective};
use crate::optimiser::Moments;
use crate::shared_images::SharedPixels;
use crate::streams::{Purpose, stream};
use crate::trainer::{
    Counters, Diverged, EpochLosses, Progress, TrainerError, batch_pixels, count_images,
    order_images,
};

/// Trains one model of two stochastic layers on one data set.
///
/// As of the one-layer [`Trainer`](crate::Trainer), the course of training is
/// a function of model, configuration and images, to the last bit.
#[derive(Debug)]
pub struct TwoLayerTrainer {
    pub(super) model: TwoLayerModel,
    pub(super) config: TrainingConfig,
    images: SharedPixels<u8>,
    pub(super) image_count: usize,
    pool: Arc<ThreadPool>,
    workspace: TwoLayerWorkspace<f32>,
    pub(super) moments: Moments<f32>,
    order: Vec<u32>,
    /// Whether `order` is that of the epoch in progress.
    pub(super) ordered: bool,
    pub(super) counters: Counters,
}

impl TwoLayerTrainer {
    /// Prepares training. `images` are row-major bytes, each standing for
    /// b / 255; images stored as values are for models of one layer.
    ///
    /// # Errors
    /// A configuration value out of range, or one that two layers have no use
    /// for: β, free bits, clipping, the tape; images that do not fit the model,
    /// or threads that cannot be started.
    pub fn new(
        model: TwoLayerModel,
        config: TrainingConfig,
        images: impl Into<SharedPixels<u8>>,
    ) -> Result<Self, TrainerError> {
        let images = images.into();
        config.validate()?;
        validate(&config)?;
        let layout = model.parameters().layout().clone();
        let image_count = count_images(images.len(), layout.inputs())?;
        let images = config
            .treatment
            .fixed_bytes(images, layout.inputs(), config.seed);
        let workspace = TwoLayerWorkspace::new(
            model.spec(),
            &config.objective,
            layout.clone(),
            config.batch.min(image_count),
            config.threads,
        );
        Ok(Self {
            pool: Arc::new(ThreadPool::new(config.threads)?),
            moments: Moments::zeros(&layout),
            order: (0..image_count as u32).collect(),
            ordered: false,
            counters: Counters::default(),
            model,
            config,
            images,
            image_count,
            workspace,
        })
    }

    /// Takes up to `steps` steps, calling `go_on` after each; stops early when
    /// it returns false or the epoch ends. Gives the epoch's losses if it
    /// ended, with the seconds of this call.
    ///
    /// # Errors
    /// The loss or a parameter stopped being finite; no further step should be
    /// taken.
    pub fn run_steps(
        &mut self,
        steps: usize,
        go_on: &mut (dyn FnMut(&Progress) -> bool + Send),
    ) -> Result<Option<EpochLosses>, Diverged> {
        let pool = self.pool.clone();
        pool.install(|| {
            let started = Instant::now();
            for _ in 0..steps {
                let report = self.step(&pool)?;
                let go_on = go_on(&report);
                if report.step_in_epoch == report.steps_in_epoch {
                    let seconds = started.elapsed().as_secs_f64();
                    return self.finish_epoch(seconds).map(Some);
                }
                if !go_on {
                    break;
                }
            }
            Ok(None)
        })
    }

    /// Epochs completed.
    pub fn epoch(&self) -> u64 {
        self.counters.epoch
    }

    /// Steps done since training began.
    pub fn steps(&self) -> u64 {
        self.counters.step
    }

    /// Steps in an epoch.
    pub fn steps_in_epoch(&self) -> usize {
        self.image_count.div_ceil(self.config.batch)
    }

    /// The model as trained so far.
    pub fn model(&self) -> &TwoLayerModel {
        &self.model
    }

    /// How the model is trained.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// The threads training runs on.
    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    fn step(&mut self, pool: &ThreadPool) -> Result<Progress, Diverged> {
        if !self.ordered {
            order_images(&mut self.order, &self.config, self.counters.epoch);
            self.ordered = true;
        }
        let Counters {
            epoch,
            step: done,
            position,
            ..
        } = self.counters;
        let (config, first) = (&self.config, position as usize);
        let rows = config.batch.min(self.image_count - first);
        let deviates = [config.objective.samples, self.model.spec().noise_width()]
            .iter()
            .fold(config.batch as u64, |product, &factor| {
                product.wrapping_mul(factor as u64)
            });
        let batch = IndexedBatch {
            pixels: batch_pixels(PixelRows::Bytes(&self.images), config, &self.counters),
            indices: &self.order[first..first + rows],
            noise: stream(config.seed, Purpose::Noise, 0),
            noise_offset: done.wrapping_mul(deviates),
        };
        let step = done + 1;
        let steps = self.steps_in_epoch();
        let rate = config.learning_rate_at(epoch, first / config.batch, steps);
        let adam = config.adam.step(rate, step);
        let adam = adam.with_weight_decay(rate, config.weight_decay);
        let parameters = self.model.parameters();
        let sums = self.workspace.forward_backward(pool, parameters, &batch);
        if !sums.is_finite() {
            return Err(Diverged {
                epoch: epoch + 1,
                step,
                tensor: self.workspace.first_non_finite(parameters),
            });
        }
        let parameters = self.model.parameters_mut();
        let moments = &mut self.moments;
        self.workspace.adam(pool, parameters, moments, &adam);
        self.counters.step = step;
        self.counters.position += rows as u64;
        self.counters.sums.add(&sums);
        Ok(Progress {
            epoch: epoch + 1,
            step_in_epoch: (first + rows).div_ceil(self.config.batch),
            steps_in_epoch: steps,
            step,
            losses: sums.means(),
        })
    }

    fn finish_epoch(&mut self, seconds: f64) -> Result<EpochLosses, Diverged> {
        let Counters {
            epoch, step, sums, ..
        } = self.counters;
        if let Some(tensor) = self.model.parameters().first_non_finite() {
            return Err(Diverged {
                epoch: epoch + 1,
                step,
                tensor: tensor.to_owned(),
            });
        }
        self.counters = Counters {
            epoch: epoch + 1,
            step,
            ..Counters::default()
        };
        self.ordered = false;
        let Losses {
            loss,
            reconstruction,
            kl,
        } = sums.means();
        Ok(EpochLosses {
            loss,
            reconstruction,
            kl,
            seconds,
        })
    }
}

/// Refuses what a bound without a KL in closed form cannot have.
fn validate(config: &TrainingConfig) -> Result<(), ConfigurationError> {
    let objective = &config.objective;
    let has_only_the_bound = Objective {
        bound: objective.bound,
        samples: objective.samples,
        ..Objective::ELBO
    } == *objective;
    let refuse = |option, found: String, expected| {
        Err(ConfigurationError::OutOfRange {
            option,
            found,
            expected,
        })
    };
    if objective.samples == 0 || objective.samples > MAXIMUM_SAMPLES {
        return refuse(
            "samples",
            objective.samples.to_string(),
            "between 1 and 65536",
        );
    }
    if !has_only_the_bound {
        let expected = "beta 1 without warm-up or free bits, of two stochastic layers";
        return refuse("objective", objective.to_string(), expected);
    }
    if let Some(norm) = config.clip_norm {
        return refuse(
            "clip norm",
            norm.to_string(),
            "none, of two stochastic layers",
        );
    }
    if config.gradients != Gradients::Hand {
        let expected = "hand, of two stochastic layers";
        return refuse("gradients", config.gradients.to_string(), expected);
    }
    Ok(())
}
