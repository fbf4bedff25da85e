//! The training loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom;
use tensor_ops::parallel::{ThreadPool, ThreadPoolError};
use thiserror::Error;

use crate::images::Images;
use crate::images::binary_images::BinaryImages;
use crate::images::shared_images::SharedImages;
use crate::model::Model;
use crate::spec::{Architecture, Likelihood};
use crate::step::{GradientWorkspace, LossSums, Losses};
use crate::training::batch::{BatchPixels, IndexedBatch};
use crate::training::clipping::ClippedGradient;
use crate::training::configuration::{ConfigurationError, TrainingConfig};
use crate::training::optimiser::Moments;
use crate::training::paying_threads::PayingThreads;
use crate::training::streams::{Purpose, stream};

/// What one epoch did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochLosses {
    /// Mean per image, over the epoch's steps, of what is minimised, in nats.
    pub loss: f64,
    /// −log p(x|z), the mean over the samples.
    pub reconstruction: f64,
    /// KL of a VAE, ½‖z‖² of `ae-l2`, or what the objective has in their place;
    /// before β and free bits.
    pub kl: f64,
    /// Wall-clock seconds of the epoch's steps.
    pub seconds: f64,
}

/// Where training is, after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch in progress, counted from 1.
    pub epoch: u64,
    /// Steps done in it.
    pub step_in_epoch: usize,
    /// Steps it has.
    pub steps_in_epoch: usize,
    /// Steps done since training began.
    pub step: u64,
    /// Losses of the step's batch.
    pub losses: Losses,
}

/// The loss, or a parameter, stopped being finite.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("training diverged in epoch {epoch}, step {step}: {tensor} is not finite")]
pub struct Diverged {
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// The step, counted from 1 since training began.
    pub step: u64,
    /// The first offending tensor, layer output or loss term in forward order.
    pub tensor: String,
}

/// Training cannot begin.
#[derive(Debug, Error)]
pub enum TrainerError {
    /// A configuration value out of range.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The images are none, or no whole number of rows of the model's width.
    #[error(
        "the data set holds {found} pixels; expected a positive multiple of the {inputs} pixels of one image"
    )]
    Images {
        /// Pixels given.
        found: usize,
        /// Pixels per image of the model.
        inputs: usize,
    },
    /// More images than the order of an epoch numbers; their pixels may be as many
    /// as there are addresses.
    #[error(
        "the data set holds {found} images; expected at most {}, train on a part of them",
        u32::MAX
    )]
    TooMany {
        /// Images given.
        found: usize,
    },
    /// A value that the likelihood gives no density or probability.
    #[error(
        "pixel {pixel} of training image {image} is {found}; the likelihood {likelihood} expects \
         {expected}"
    )]
    Value {
        /// The image, counted from 0.
        image: usize,
        /// The pixel, counted from 0.
        pixel: usize,
        /// Its value.
        found: f32,
        /// The likelihood.
        likelihood: Likelihood,
        /// The values it is one of.
        expected: &'static str,
    },
    /// The threads could not be started.
    #[error(transparent)]
    Threads(#[from] ThreadPoolError),
}

/// Trains one model on one data set.
///
/// The course of training is a function of model, configuration and images:
/// the thread count changes no bit, and nothing is remembered between epochs
/// that [`save_state`](Trainer::save_state) does not store.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) model: Model,
    pub(crate) config: TrainingConfig,
    images: TrainingImages,
    pub(crate) image_count: usize,
    pool: Arc<ThreadPool>,
    workspace: GradientWorkspace<f32>,
    paying_threads: PayingThreads,
    pub(crate) moments: Moments<f32>,
    /// Where the gradient is kept when its norm is to be clipped.
    clipped: Option<ClippedGradient<f32>>,
    /// The order of the images in the epoch in progress.
    order: Vec<u32>,
    /// Whether `order` is that of `counters.epoch`.
    ordered: bool,
    pub(crate) counters: Counters,
}

/// What pixels are packed from.
#[derive(Debug)]
enum TrainingImages {
    /// The images, shared with whoever read them.
    Stored(SharedImages),
    /// One draw of them.
    Drawn(BinaryImages),
}

/// How far training is: with parameters and moments, all of its state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counters {
    /// Epochs completed.
    pub(crate) epoch: u64,
    /// Steps done.
    pub(crate) step: u64,
    /// Images used in the epoch in progress.
    pub(crate) position: u64,
    /// Losses of the epoch in progress.
    pub(crate) sums: LossSums,
}

impl Counters {
    fn diverged(&self, step: u64, tensor: String) -> Diverged {
        Diverged {
            epoch: self.epoch + 1,
            step,
            tensor,
        }
    }
}

impl Trainer {
    /// Prepares training: checks the configuration, starts the threads and
    /// allocates everything the steps need. `images` are row-major.
    ///
    /// # Errors
    /// A configuration value out of range, images that do not fit the model,
    /// values outside the range of its likelihood, or threads that cannot be
    /// started.
    pub fn new(
        model: Model,
        config: TrainingConfig,
        images: impl Into<SharedImages>,
    ) -> Result<Self, TrainerError> {
        let images = images.into();
        config.validate()?;
        config.objective.validate(model.spec())?;
        let layout = model.parameters().layout().clone();
        let inputs = layout.inputs();
        let image_count = count_images(images.pixels().len(), inputs)?;
        check_values(images.images(inputs), model.spec().likelihood)?;
        if let SharedImages::Values(_) = images {
            config.treatment.require_values()?;
        }
        let pool = Arc::new(ThreadPool::new(config.threads)?);
        let (treatment, seed) = (config.treatment, config.seed);
        let drawn = pool.install(|| treatment.fixed_draw(images.pixels(), inputs, seed));
        let images = drawn.map_or(TrainingImages::Stored(images), TrainingImages::Drawn);
        let workspace = workspace(&model, &config, image_count);
        Ok(Self {
            moments: Moments::at_start(&layout, &config.adam),
            clipped: config
                .clip_norm
                .map(|norm| ClippedGradient::new(layout.clone(), norm)),
            order: (0..image_count as u32).collect(),
            ordered: false,
            counters: Counters::default(),
            model,
            config,
            images,
            image_count,
            pool,
            paying_threads: PayingThreads::new(workspace.most_threads()),
            workspace,
        })
    }

    /// Trains to the end of the epoch in progress (a whole epoch, unless
    /// single steps were taken before), calling `progress` after every step.
    ///
    /// # Errors
    /// The loss or a parameter stopped being finite. The model then holds the
    /// weights that did it; no further step should be taken.
    pub fn run_epoch(
        &mut self,
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<EpochLosses, Diverged> {
        let mut go_on = |report: &Progress| {
            progress(report);
            true
        };
        loop {
            if let Some(losses) = self.run_steps(usize::MAX, &mut go_on)? {
                return Ok(losses);
            }
        }
    }

    /// Takes up to `steps` steps, calling `go_on` after each; stops early when
    /// it returns false or the epoch ends. Gives the epoch's losses if it
    /// ended, with the seconds of this call.
    ///
    /// # Errors
    /// As [`Trainer::run_epoch`].
    pub fn run_steps(
        &mut self,
        steps: usize,
        go_on: &mut (dyn FnMut(&Progress) -> bool + Send),
    ) -> Result<Option<EpochLosses>, Diverged> {
        let pool = self.pool.clone();
        pool.install(|| {
            let started = Instant::now();
            for _ in 0..steps {
                let report = self.step_in_pool(&pool)?;
                let go_on = go_on(&report);
                if report.step_in_epoch == report.steps_in_epoch {
                    return self.finish_epoch(started.elapsed()).map(Some);
                }
                if !go_on {
                    break;
                }
            }
            Ok(None)
        })
    }

    /// Takes a single step; the epoch ends when [`Progress::step_in_epoch`]
    /// reaches [`Progress::steps_in_epoch`], and the next step begins another.
    ///
    /// # Errors
    /// As [`Trainer::run_epoch`].
    pub fn step(&mut self) -> Result<Progress, Diverged> {
        let pool = self.pool.clone();
        let report = pool.install(|| self.step_in_pool(&pool))?;
        if report.step_in_epoch == report.steps_in_epoch {
            self.finish_epoch(Duration::ZERO)?;
        }
        Ok(report)
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
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Ends training and keeps the model.
    pub fn into_model(self) -> Model {
        self.model
    }

    /// How the model is trained.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// The step size of the next step: the configured one, under its schedule
    /// and warm-up.
    pub fn learning_rate(&self) -> f64 {
        let step_in_epoch = self.counters.position as usize / self.config.batch;
        self.config
            .learning_rate_at(self.counters.epoch, step_in_epoch, self.steps_in_epoch())
    }

    /// Changes the step size that schedule and warm-up multiply.
    ///
    /// # Errors
    /// A step size that is negative or not finite.
    pub fn set_learning_rate(&mut self, learning_rate: f64) -> Result<(), ConfigurationError> {
        let config = TrainingConfig {
            learning_rate,
            ..self.config.clone()
        };
        config.validate()?;
        self.config = config;
        Ok(())
    }

    /// Goes on with another number of threads, which changes no bit of what
    /// follows. What the steps need is allocated anew, and both are held for a
    /// moment: the room of the [footprint](crate::footprint)'s batch.
    ///
    /// # Errors
    /// A number out of range, or threads that cannot be started; training then
    /// goes on as before.
    pub fn set_threads(&mut self, threads: usize) -> Result<(), TrainerError> {
        if threads == self.config.threads {
            return Ok(());
        }
        let config = TrainingConfig {
            threads,
            ..self.config.clone()
        };
        config.validate()?;
        self.pool = Arc::new(ThreadPool::new(threads)?);
        self.workspace = workspace(&self.model, &config, self.image_count);
        self.paying_threads = PayingThreads::new(self.workspace.most_threads());
        self.config = config;
        Ok(())
    }

    /// The threads training runs on: `install` evaluation here to use the
    /// same ones.
    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    /// Replaces everything that training changes.
    pub(crate) fn restore(&mut self, model: Model, moments: Moments<f32>, counters: Counters) {
        self.model = model;
        self.moments = moments;
        self.counters = counters;
        self.ordered = false;
    }

    fn step_in_pool(&mut self, pool: &ThreadPool) -> Result<Progress, Diverged> {
        self.order_images();
        let first = self.counters.position as usize;
        let rows = self.config.batch.min(self.image_count - first);
        let objective = &self.config.objective;
        let Architecture { inputs, .. } = self.model.spec().architecture;
        let width = objective.noise_width(self.model.spec());
        // Batches may be asked for that no data set fills.
        let first_image = self.counters.step.wrapping_mul(self.config.batch as u64);
        let of_step = |width: u64| first_image.wrapping_mul(width);
        let corruption = stream(self.config.seed, Purpose::Corruption, 0);
        let batch = IndexedBatch {
            pixels: match &self.images {
                TrainingImages::Drawn(images) => BatchPixels::Binary(images),
                TrainingImages::Stored(images) => self.config.treatment.batch_pixels(
                    images.pixels(),
                    self.config.seed,
                    self.counters.epoch,
                    self.counters.step,
                ),
            },
            indices: &self.order[first..first + rows],
            noise: stream(self.config.seed, Purpose::Noise, 0),
            noise_offset: of_step((objective.samples as u64).wrapping_mul(width as u64)),
            corruption: (corruption, of_step(inputs as u64)),
        };
        let beta = objective.beta_at(self.counters.step, self.steps_in_epoch());
        self.workspace.set_beta(beta);
        let step = self.counters.step + 1;
        let learning_rate = self.learning_rate();
        let adam = self
            .config
            .adam
            .step(learning_rate, step)
            .with_weight_decay(learning_rate, self.config.weight_decay);
        let began = Instant::now();
        self.workspace.set_threads(self.paying_threads.number());
        let sums = self
            .workspace
            .forward_backward(pool, self.model.parameters(), &batch);
        if !sums.is_finite() {
            let tensor = self.workspace.first_non_finite(self.model.parameters());
            return Err(self.counters.diverged(step, tensor));
        }
        let parameters = self.model.parameters_mut();
        if let Some(clipped) = &mut self.clipped {
            let moments = &mut self.moments;
            let norm = self
                .workspace
                .clipped_adam(pool, parameters, moments, &adam, clipped);
            if !norm.is_finite() {
                let tensor = clipped.gradient.first_non_finite().unwrap_or("norm");
                let tensor = format!("{tensor} (gradient)");
                return Err(self.counters.diverged(step, tensor));
            }
        } else {
            self.workspace
                .adam(pool, parameters, &mut self.moments, &adam);
        }
        self.paying_threads.learn(began.elapsed());
        self.counters.step = step;
        self.counters.position += rows as u64;
        self.counters.sums.add(&sums);
        Ok(Progress {
            epoch: self.counters.epoch + 1,
            step_in_epoch: (self.counters.position as usize).div_ceil(self.config.batch),
            steps_in_epoch: self.steps_in_epoch(),
            step,
            losses: sums.means(),
        })
    }

    /// Puts the images in the order of the epoch in progress: a function of
    /// seed and epoch alone.
    fn order_images(&mut self) {
        if self.ordered {
            return;
        }
        self.ordered = true;
        self.order.clear();
        self.order.extend(0..self.image_count as u32);
        if self.config.shuffle {
            let epoch = self.counters.epoch;
            let mut rng = stream(self.config.seed, Purpose::Shuffling, epoch).rng(0);
            self.order.shuffle(&mut rng);
        }
    }

    fn finish_epoch(&mut self, elapsed: Duration) -> Result<EpochLosses, Diverged> {
        // A last step can leave the finite numbers without any loss to show it.
        if let Some(tensor) = self.model.parameters().first_non_finite() {
            let step = self.counters.step;
            return Err(self.counters.diverged(step, tensor.to_owned()));
        }
        let Losses {
            loss,
            reconstruction,
            kl,
        } = self.counters.sums.means();
        self.counters = Counters {
            epoch: self.counters.epoch + 1,
            step: self.counters.step,
            ..Counters::default()
        };
        self.ordered = false;
        Ok(EpochLosses {
            loss,
            reconstruction,
            kl,
            seconds: elapsed.as_secs_f64(),
        })
    }
}

/// What the steps need.
fn workspace(model: &Model, config: &TrainingConfig, image_count: usize) -> GradientWorkspace<f32> {
    let mut workspace = GradientWorkspace::new(
        model.spec(),
        &config.objective,
        model.parameters().layout().clone(),
        config.gradients,
        config.batch.min(image_count),
        config.threads,
    );
    workspace.set_batch_gradient(config.batch_gradient);
    workspace
}

/// How many rows of `inputs` pixels there are.
fn count_images(pixels: usize, inputs: usize) -> Result<usize, TrainerError> {
    let count = pixels / inputs;
    if count == 0 || !pixels.is_multiple_of(inputs) {
        return Err(TrainerError::Images {
            found: pixels,
            inputs,
        });
    }
    if u32::try_from(count).is_err() {
        return Err(TrainerError::TooMany { found: count });
    }
    Ok(count)
}

/// Refuses values that the likelihood says nothing of.
fn check_values(images: Images<'_>, likelihood: Likelihood) -> Result<(), TrainerError> {
    let (at, expected) = if likelihood.is_of_unit_interval() {
        (images.first_outside_unit(), "values between 0 and 1")
    } else {
        (images.first_non_finite(), "finite values")
    };
    let Some((image, pixel)) = at else {
        return Ok(());
    };
    let mut values = vec![0.0; images.ncols()];
    images.read_row(image, &mut values);
    Err(TrainerError::Value {
        image,
        pixel,
        found: values[pixel],
        likelihood,
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn images_are_counted_and_not_their_pixels() {
        let most = u32::MAX as usize;
        assert!(matches!(count_images(most * 49_152, 49_152), Ok(count) if count == most));
        assert!(matches!(
            count_images((most + 1) * 784, 784),
            Err(TrainerError::TooMany { found }) if found == most + 1
        ));
        for (pixels, inputs) in [(0, 784), (783, 784), (785, 784)] {
            assert!(matches!(
                count_images(pixels, inputs),
                Err(TrainerError::Images { .. })
            ));
        }
    }
}
