//! One run in its folder: begun, resumed, checkpointed, finished.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use datasets::{Dataset, TestOrigin};
use evaluation::EvaluationError;
use models::{Attachments, Diverged, EpochLosses, Images, Model, Standardisation, Trainer};

use super::{Observer, Outcome, diverged, outcome, unfinished};
use crate::configuration::Configuration;
use crate::early_stopping::EarlyStopping;
use crate::environment::Environment;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::metrics::{MetricsLog, Resumed};
use crate::needed_memory::require_for_training;
use crate::run_folder::{
    DATA, EpochMetrics, Losses, METRICS, RunFolder, RunResult, SETTINGS, Status,
};
use crate::run_images::RunImages;
use crate::trajectories::Trajectories;

/// One run: its settings, its data and its folder.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// The settings.
    pub configuration: &'a Configuration,
    /// The data they apply to, as the model sees them.
    pub dataset: &'a Dataset,
    /// How the data were standardised, if they were.
    pub standardisation: Option<&'a Standardisation>,
    /// Threads to use.
    pub threads: usize,
    /// The longest that training goes on without a checkpoint.
    pub checkpoint_every: Duration,
    /// Where everything is kept.
    pub folder: RunFolder,
    /// The command as typed, for `command.txt` and for those who find the folder
    /// taken.
    pub command: &'a str,
}

impl Run<'_> {
    /// Trains into a new folder. A folder that already holds the finished run
    /// is left alone; one that holds something else is an error.
    ///
    /// # Errors
    /// As [`train`](super::train).
    pub fn start(
        &self,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        if self.folder.exists() {
            if let Some(outcome) = self.finished()? {
                return Ok(outcome);
            }
            return Err(unfinished(&self.folder, self.command));
        }
        // Settings that cannot be leave no folder behind.
        let images = self.images()?;
        let trainer = self.trainer(&images)?;
        let _taken = self.folder.take(self.command)?;
        if self.folder.exists() {
            return Err(unfinished(&self.folder, self.command));
        }
        let environment = Environment::describe(self.threads, &self.dataset.fingerprint);
        self.folder
            .create(self.configuration, self.command, &environment)?;
        let log = MetricsLog::begin(&self.folder.metrics())?;
        let begun = (log, Vec::new());
        self.go_on(trainer, &images, begun, false, interrupt, observer)
    }

    /// Continues from the last checkpoint, or from the beginning when the run
    /// stopped before its first one; a finished run that `is_longer` now goes
    /// on.
    ///
    /// # Errors
    /// As [`train`](super::train), or when the folder holds the run of another
    /// configuration or other data, or a damaged checkpoint.
    pub fn resume(
        &self,
        is_longer: bool,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        if !is_longer && let Some(outcome) = self.finished()? {
            if let Some(sentence) = self.folder.mend_metrics(self.command)? {
                observer.mended(&sentence);
            }
            return Ok(outcome);
        }
        let images = self.images()?;
        let mut trainer = self.trainer(&images)?;
        let _taken = self.folder.take(self.command)?;
        let state = self.folder.state();
        let kept = if state.exists() {
            let attachments = trainer.load_state(&state)?;
            self.folder
                .check_state(&attachments, self.configuration, &self.dataset.fingerprint)?
        } else if is_longer {
            return Err(Error::RunFolder(format!(
                "{} is gone, without which a finished run cannot go on; put it back, or train the longer one into another folder",
                state.display()
            )));
        } else {
            if self.folder.model().exists() {
                observer.mended(&format!(
                    "there is no {}, so that training begins again",
                    state.display()
                ));
            }
            Some(Vec::new())
        };
        let epochs = trainer.epoch() as usize;
        let Resumed {
            log,
            metrics,
            mended,
        } = MetricsLog::resume(&self.folder.metrics(), kept.as_deref(), epochs)?;
        if let Some(sentence) = mended {
            observer.mended(&sentence);
        }
        observer.resumed(metrics.len());
        let resumed = (log, metrics);
        self.go_on(trainer, &images, resumed, is_longer, interrupt, observer)
    }

    /// Starts, continues, or returns the finished run.
    ///
    /// # Errors
    /// As [`train`](super::train).
    pub fn complete(
        &self,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        if self.folder.exists() {
            self.resume(false, interrupt, observer)
        } else {
            self.start(interrupt, observer)
        }
    }

    /// The outcome, if the run has ended; an error if the folder holds the
    /// run of another configuration or data set, or of a version of this
    /// program that gives other results.
    fn finished(&self) -> Result<Option<Outcome>, Error> {
        let Some(result) = self.folder.read_result()? else {
            return Ok(None);
        };
        if result.digest != self.digest() {
            let kept = self.folder.configuration()?;
            let is_older = kept.identity() == self.configuration.identity()
                && self.folder.check_dataset(self.dataset).is_ok();
            if is_older && result.digest == kept.former_digest(&self.dataset.fingerprint) {
                return self.ended(result).map(Some);
            }
            return Err(if is_older {
                self.folder.of_another_version()
            } else {
                Error::RunFolder(format!(
                    "{} holds the finished run of another configuration or data set; choose another --out",
                    self.folder.path().display()
                ))
            });
        }
        // Nothing of it is used again unless all of it is as it was.
        self.folder.check_configuration()?;
        self.folder.check_dataset(self.dataset)?;
        self.ended(result).map(Some)
    }

    /// The outcome of a run that has ended as `result` says; an error if it
    /// diverged.
    pub(crate) fn ended(&self, result: RunResult) -> Result<Outcome, Error> {
        outcome(&self.folder, result, self.test())
    }

    fn test(&self) -> Option<(usize, TestOrigin)> {
        Some((self.dataset.test.len(), self.dataset.test_origin))
    }

    fn digest(&self) -> String {
        self.configuration.digest(&self.dataset.fingerprint)
    }

    pub(crate) fn diverged(&self, divergence: String) -> Error {
        diverged(&self.folder, divergence)
    }

    pub(crate) fn images(&self) -> Result<RunImages<'_>, Error> {
        if self.configuration.shape()? != self.dataset.shape() {
            return Err(Error::Configuration(format!(
                "{} holds {} of {}, but the model is one of {}; expected the same shape",
                self.dataset.name,
                self.dataset.shape().noun(),
                self.dataset.shape(),
                self.configuration.shape()?
            )));
        }
        RunImages::new(self.configuration, self.dataset)
    }

    fn trainer(&self, images: &RunImages<'_>) -> Result<Trainer, Error> {
        require_for_training(self.configuration, self.dataset, self.threads)?;
        let mut model = Model::new(
            self.configuration.model_spec()?,
            self.configuration.initialisation()?,
            self.configuration.training.seed,
        )?
        .with_shape(self.dataset.shape().to_string())?;
        if let Some(standardisation) = self.standardisation {
            model = model.with_standardisation(standardisation.clone())?;
        }
        if self.configuration.output_bias_is_train_mean()? {
            let inputs = self.dataset.shape().len();
            model.set_output_bias_to_mean(images.train.images(inputs));
        }
        let config = self.configuration.training_config(self.threads)?;
        Ok(Trainer::new(model, config, images.train.clone())?)
    }

    fn go_on(
        &self,
        mut trainer: Trainer,
        images: &RunImages<'_>,
        (mut log, metrics): (MetricsLog, Vec<EpochMetrics>),
        is_longer: bool,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        let epochs = self.configuration.training.epochs;
        let mut last = metrics.last().copied();
        let mut trajectories = Trajectories::begin(
            &self.configuration.tracking,
            self.dataset,
            &trainer,
            &self.folder,
        )?;
        let mut stopping = EarlyStopping::begin(self.configuration, &metrics, &self.folder)?;
        if is_longer {
            // Not before everything has been found that it goes on from.
            self.folder.extend(self.configuration)?;
        }
        observer.model(trainer.model().spec().kind);
        observer.began(&images.statement());
        let objective = &trainer.config().objective;
        observer.began(&objective.statement(trainer.model().spec()));
        let mut checkpoints = Checkpoints::every(self.checkpoint_every, interrupt);
        let mut spent = Duration::ZERO;
        while (trainer.epoch() as usize) < epochs && !stopping.is_due(trainer.epoch()) {
            match self.epoch(
                &mut trainer,
                &mut trajectories,
                &checkpoints,
                &mut spent,
                observer,
            ) {
                Ok(Some(trained)) => {
                    let metrics = match self.metrics(&trainer, images, &trained) {
                        // Weights may be finite and what they compute not.
                        Err(Error::Evaluation(error)) if has_diverged(&error) => {
                            let divergence = seen_after(trainer.epoch(), trainer.steps(), &error);
                            return Err(
                                self.record_divergence(divergence, &trainer, &log, last, observer)?
                            );
                        }
                        measured => measured?,
                    };
                    log.append(&metrics)?;
                    stopping.observe(&metrics, trainer.model());
                    observer.epoch(&metrics, epochs);
                    last = Some(metrics);
                }
                Ok(None) => {}
                Err(divergence) => {
                    let divergence = divergence.to_string();
                    return Err(self.record_divergence(divergence, &trainer, &log, last, observer)?);
                }
            }
            let complete = trainer.epoch() as usize >= epochs || stopping.is_due(trainer.epoch());
            if !complete && checkpoints.are_due() {
                let _stay = interrupt.stay();
                self.checkpoint(&trainer, &trajectories, &mut stopping, &log, false)?;
                checkpoints.made();
                if interrupt.requested() {
                    observer.finished();
                    return Err(Error::Stopped {
                        run: self.folder.path().into(),
                    });
                }
            }
        }
        let _stay = interrupt.stay();
        self.checkpoint(&trainer, &trajectories, &mut stopping, &log, true)?;
        if let (Some(best), Some(epoch)) = (stopping.best_model(), stopping.best_epoch()) {
            let epoch = epoch as u64;
            let metadata = self.metadata(epoch, epoch * trainer.steps_in_epoch() as u64)?;
            best.save(&self.folder.model(), &metadata)?;
        }
        let result = RunResult {
            status: Status::Done,
            digest: self.digest(),
            epochs: trainer.epoch() as usize,
            steps: trainer.steps(),
            last,
            best_epoch: stopping.best_epoch(),
            divergence: None,
        };
        self.folder.write_result(&result)?;
        observer.finished();
        Ok(Outcome {
            folder: self.folder.clone(),
            result,
            already_done: false,
            test: self.test(),
        })
    }

    /// Trains to the end of the epoch in progress; `None` when a checkpoint is
    /// due before its end. `spent` is the time that the epoch has taken so far.
    fn epoch(
        &self,
        trainer: &mut Trainer,
        trajectories: &mut Trajectories,
        checkpoints: &Checkpoints<'_>,
        spent: &mut Duration,
        observer: &mut dyn Observer,
    ) -> Result<Option<EpochLosses>, Diverged> {
        let total = (self.configuration.training.epochs * trainer.steps_in_epoch()) as f64;
        loop {
            let began = Instant::now();
            let segment = trajectories.steps_to_next_snapshot(trainer);
            let ended = trainer.run_steps(segment, &mut |_| !checkpoints.are_due())?;
            *spent += began.elapsed();
            observer.progressed(trainer.steps() as f64 / total);
            trajectories.record_if_due(trainer);
            if let Some(losses) = ended {
                // Several segments make an epoch; its time is that of all since
                // the run was resumed last.
                let seconds = std::mem::take(spent).as_secs_f64();
                return Ok(Some(EpochLosses { seconds, ..losses }));
            }
            if checkpoints.are_due() {
                return Ok(None);
            }
        }
    }

    fn metrics(
        &self,
        trainer: &Trainer,
        images: &RunImages<'_>,
        trained: &EpochLosses,
    ) -> Result<EpochMetrics, Error> {
        let steps = trainer.steps_in_epoch();
        let config = trainer.config();
        Ok(EpochMetrics {
            epoch: trainer.epoch() as usize,
            step: trainer.steps(),
            train: Losses {
                loss: trained.loss,
                reconstruction: trained.reconstruction,
                kl: trained.kl,
            },
            test: self.losses(trainer, images.test.images())?,
            validation: images
                .validation
                .as_ref()
                .map(|held_out| self.losses(trainer, held_out.images()))
                .transpose()?,
            data_treatment: images.treatment,
            learning_rate: Some(config.learning_rate_at(trainer.epoch() - 1, steps - 1, steps)),
            seconds: trained.seconds,
            images_per_second: images_per_second(images, trained.seconds),
        })
    }

    fn losses(&self, trainer: &Trainer, images: Images<'_>) -> Result<Losses, Error> {
        let seed = self.configuration.training.seed;
        let (reconstruction, kl) = trainer.pool().install(|| {
            evaluation::elbo::sampled_losses(trainer.model(), images, seed, trainer.epoch())
        })?;
        Ok(Losses {
            loss: reconstruction + kl,
            reconstruction,
            kl,
        })
    }

    /// Writes everything that resuming needs.
    fn checkpoint(
        &self,
        trainer: &Trainer,
        trajectories: &Trajectories,
        stopping: &mut EarlyStopping,
        log: &MetricsLog,
        is_end: bool,
    ) -> Result<(), Error> {
        // The state comes last: what was written before it without it is cut
        // back or replaced when the run is resumed from the older state.
        let metadata = self.metadata(trainer.epoch(), trainer.steps())?;
        let per_epoch = trainer.steps_in_epoch() as u64;
        let of_best = |epoch| self.metadata(epoch, epoch * per_epoch);
        stopping.write(&self.folder, is_end, of_best)?;
        trajectories.write(&self.folder.trajectories())?;
        trainer.model().save(&self.folder.model(), &metadata)?;
        log.sync()?;
        let settings = &metadata[SETTINGS];
        let attachments = attachments(settings, &self.dataset.fingerprint, log);
        trainer.save_state(&self.folder.state(), &attachments)?;
        Ok(())
    }

    fn metadata(&self, epochs: u64, steps: u64) -> Result<BTreeMap<String, String>, Error> {
        let settings = self.configuration.identity().to_toml()?;
        Ok(metadata(settings, epochs, steps))
    }

    fn record_divergence(
        &self,
        text: String,
        trainer: &Trainer,
        log: &MetricsLog,
        last: Option<EpochMetrics>,
        observer: &mut dyn Observer,
    ) -> Result<Error, Error> {
        log.sync()?;
        self.folder.write_result(&RunResult {
            status: Status::Diverged,
            digest: self.digest(),
            epochs: trainer.epoch() as usize,
            steps: trainer.steps(),
            last,
            best_epoch: None,
            divergence: Some(text.clone()),
        })?;
        observer.finished();
        Ok(self.diverged(text))
    }
}

/// Whether a measurement fails because of what the weights compute: they may
/// be finite and that not.
pub(crate) fn has_diverged(error: &EvaluationError) -> bool {
    matches!(
        error,
        EvaluationError::NotFinite { .. } | EvaluationError::Variance { .. }
    )
}

/// Training images per second of an epoch; of one that the clock did not see
/// pass, no infinity, for which JSON has no word.
pub(crate) fn images_per_second(images: &RunImages<'_>, seconds: f64) -> f64 {
    const LEAST_SECONDS: f64 = 1e-9;
    images.train_count as f64 / seconds.max(LEAST_SECONDS)
}

/// A divergence that the weights alone do not show.
pub(crate) fn seen_after(epoch: u64, step: u64, error: &EvaluationError) -> String {
    format!("training diverged, as the test pass after epoch {epoch}, step {step} shows: {error}")
}

/// When a run is to be checkpointed.
#[derive(Debug)]
pub(crate) struct Checkpoints<'a> {
    every: Duration,
    last: Instant,
    interrupt: &'a Interrupt,
}

impl<'a> Checkpoints<'a> {
    /// From now on, each time that `every` has passed or a stop is asked for.
    pub(crate) fn every(every: Duration, interrupt: &'a Interrupt) -> Self {
        Self {
            every,
            last: Instant::now(),
            interrupt,
        }
    }

    /// Whether one is to be made after the step.
    pub(crate) fn are_due(&self) -> bool {
        self.interrupt.requested() || self.last.elapsed() >= self.every
    }

    /// One has been made.
    pub(crate) fn made(&mut self) {
        self.last = Instant::now();
    }
}

/// What `model.safetensors` says about how it was trained and how far.
pub(crate) fn metadata(settings: String, epochs: u64, steps: u64) -> BTreeMap<String, String> {
    [
        ("epoch", epochs.to_string()),
        ("step", steps.to_string()),
        (SETTINGS, settings),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// What `state.safetensors` holds of the run beside the trainer's state.
pub(crate) fn attachments(settings: &str, data: &str, log: &MetricsLog) -> Attachments {
    [
        (SETTINGS, settings.as_bytes()),
        (DATA, data.as_bytes()),
        (METRICS, log.lines()),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes.to_vec()))
    .into()
}
