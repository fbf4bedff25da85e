//! One run in its folder: begun, resumed, checkpointed, finished.

use std::time::{Duration, Instant};

use datasets::{Dataset, TestOrigin};
use models::{Diverged, EpochLosses, Images, Model, Standardisation, Trainer};

use super::{
    Checkpoints, Identity, Observer, Outcome, Record, images_per_second, or_divergence, outcome,
    unfinished,
};
use crate::configuration::Configuration;
use crate::early_stopping::EarlyStopping;
use crate::environment::Environment;
use crate::error::Error;
use crate::imported;
use crate::interrupt::Interrupt;
use crate::jobs::Share;
use crate::needed_memory::{allows_threads, require_for_training};
use crate::run_folder::{EpochMetrics, Losses, RunFolder, RunResult};
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
    /// Threads to use, which may become more or fewer on the way.
    pub threads: Share,
    /// The longest that training goes on without a checkpoint.
    pub checkpoint_every: Duration,
    /// Whether a run with more epochs is to go on where this one ends.
    pub keeps_state: bool,
    /// Where everything is kept.
    pub folder: RunFolder,
    /// The command as typed, for `command.txt` and for those who find the folder
    /// taken.
    pub command: &'a str,
}

/// How an epoch goes on.
struct Pace {
    /// The time that it has taken so far.
    spent: Duration,
    /// The threads that were allowed when that was last asked.
    threads: usize,
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
        self.begin(interrupt, observer)?
            .ok_or_else(|| unfinished(&self.folder, self.command))
    }

    /// The same; `None` where the run has begun before and not ended.
    fn begin(
        &self,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Option<Outcome>, Error> {
        if self.folder.exists() {
            return self.finished();
        }
        imported::refuse_to_begin(self.configuration)?;
        // Settings that cannot be leave no folder behind.
        let threads = self.threads.threads();
        let images = self.images(threads)?;
        let trainer = self.trainer(&images, threads)?;
        let taken = self.folder.take(self.command)?;
        if self.folder.exists() {
            // Another process was faster, and writes there no longer.
            return self.finished();
        }
        let environment = Environment::describe(threads, &self.dataset.fingerprint);
        self.folder
            .create(self.configuration, self.command, &environment)?;
        let record = Record::begin(self.identity(), taken)?;
        self.go_on(trainer, &images, record, false, interrupt, observer)
            .map(Some)
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
        imported::require_state(self.configuration, &self.folder)?;
        let threads = self.threads.threads();
        let images = self.images(threads)?;
        let mut trainer = self.trainer(&images, threads)?;
        let taken = self.folder.take(self.command)?;
        // Another process may have ended it since it was looked at.
        if !is_longer && let Some(outcome) = self.finished()? {
            return Ok(outcome);
        }
        self.note_path(observer)?;
        let record = Record::take_up(self.identity(), taken, is_longer, observer, |state| {
            let attachments = trainer.load_state(state)?;
            Ok((attachments, trainer.epoch()))
        })?;
        self.go_on(trainer, &images, record, is_longer, interrupt, observer)
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
        if !self.folder.exists()
            && let Some(outcome) = self.begin(interrupt, observer)?
        {
            return Ok(outcome);
        }
        self.resume(false, interrupt, observer)
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
            let former = kept.former_digests(&self.dataset.fingerprint);
            if is_older && former.contains(&result.digest) {
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
    fn ended(&self, result: RunResult) -> Result<Outcome, Error> {
        outcome(&self.folder, result, self.test())
    }

    fn test(&self) -> Option<(usize, TestOrigin)> {
        Some((self.dataset.test.len(), self.dataset.test_origin))
    }

    fn digest(&self) -> String {
        self.configuration.digest(&self.dataset.fingerprint)
    }

    fn identity(&self) -> Identity<'_> {
        Identity {
            folder: &self.folder,
            configuration: self.configuration,
            fingerprint: &self.dataset.fingerprint,
            digest: self.digest(),
        }
    }

    /// Says and keeps that the run goes on with another instruction set or mathematical
    /// library than it began with; one that has no checkpoint begins again.
    fn note_path(&self, observer: &mut dyn Observer) -> Result<(), Error> {
        let mut environment = self.folder.environment()?;
        let here = Environment::describe(environment.threads, &environment.dataset_sha256);
        let places = |of: &Environment| (of.instruction_set.clone(), of.library.clone());
        if !self.folder.state().exists() {
            if places(&here) != places(&environment) {
                self.folder.write_environment(&here)?;
            }
        } else if let Some(sentence) = environment.go_on(&here) {
            self.folder.write_environment(&environment)?;
            observer.mended(&sentence);
        }
        Ok(())
    }

    pub(super) fn images(&self, threads: usize) -> Result<RunImages<'_>, Error> {
        if self.configuration.shape()? != self.dataset.shape() {
            return Err(Error::Configuration(format!(
                "{} holds {} of {}, but the model is one of {}; expected the same shape",
                self.dataset.name,
                self.dataset.shape().noun(),
                self.dataset.shape(),
                self.configuration.shape()?
            )));
        }
        // Before the treatment makes a copy of the test images.
        require_for_training(self.configuration, self.dataset, threads)?;
        RunImages::new(self.configuration, self.dataset)
    }

    pub(super) fn trainer(&self, images: &RunImages<'_>, threads: usize) -> Result<Trainer, Error> {
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
        let config = self.configuration.training_config(threads)?;
        Ok(Trainer::new(model, config, images.train.clone())?)
    }

    fn go_on(
        &self,
        mut trainer: Trainer,
        images: &RunImages<'_>,
        mut record: Record<'_>,
        is_longer: bool,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        let epochs = self.configuration.training.epochs;
        let mut trajectories = Trajectories::begin(
            &self.configuration.tracking,
            self.dataset,
            &trainer,
            &self.folder,
        )?;
        let mut stopping =
            EarlyStopping::begin(self.configuration, record.metrics(), &self.folder)?;
        if is_longer {
            // Not before everything has been found that it goes on from.
            self.folder.extend(self.configuration)?;
        }
        observer.opened(self, record.metrics());
        observer.model(trainer.model().spec().kind);
        observer.began(&images.statement());
        let objective = &trainer.config().objective;
        observer.began(&objective.statement(trainer.model().spec()));
        let mut checkpoints = Checkpoints::every(self.checkpoint_every, interrupt);
        let mut pace = Pace {
            spent: Duration::ZERO,
            threads: trainer.config().threads,
        };
        while (trainer.epoch() as usize) < epochs && !stopping.is_due(trainer.epoch()) {
            let trained = self.epoch(
                &mut trainer,
                &mut trajectories,
                &checkpoints,
                &mut pace,
                observer,
            );
            let (epoch, steps) = (trainer.epoch(), trainer.steps());
            let measured = match trained {
                Ok(None) => None,
                Ok(Some(trained)) => {
                    let measured = self.metrics(&trainer, images, &trained);
                    Some(or_divergence(measured, epoch, steps)?)
                }
                Err(diverged) => Some(Err(diverged.to_string())),
            };
            match measured {
                None => {}
                Some(Ok(metrics)) => {
                    record.append(metrics)?;
                    stopping.observe(&metrics, trainer.model());
                    observer.epoch(&metrics, epochs);
                    observer.trained(self, &trainer, &metrics);
                }
                Some(Err(divergence)) => {
                    return Err(record.diverge(divergence, epoch, steps, observer)?);
                }
            }
            let complete = trainer.epoch() as usize >= epochs || stopping.is_due(trainer.epoch());
            if !complete && checkpoints.are_due() {
                let _stay = interrupt.stay();
                self.checkpoint(&trainer, &trajectories, &mut stopping, &record, false)?;
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
        self.checkpoint(&trainer, &trajectories, &mut stopping, &record, true)?;
        if let (Some(best), Some(epoch)) = (stopping.best_model(), stopping.best_epoch()) {
            let epoch = epoch as u64;
            let metadata = record.metadata(epoch, epoch * trainer.steps_in_epoch() as u64);
            best.save(&self.folder.model(), &metadata)?;
        }
        let result = record.finish(trainer.epoch(), trainer.steps(), stopping.best_epoch())?;
        observer.finished();
        Ok(Outcome {
            folder: self.folder.clone(),
            result,
            already_done: false,
            test: self.test(),
        })
    }

    /// Trains to the end of the epoch in progress; `None` when a checkpoint is
    /// due before its end.
    fn epoch(
        &self,
        trainer: &mut Trainer,
        trajectories: &mut Trajectories,
        checkpoints: &Checkpoints<'_>,
        pace: &mut Pace,
        observer: &mut dyn Observer,
    ) -> Result<Option<EpochLosses>, Diverged> {
        let total = (self.configuration.training.epochs * trainer.steps_in_epoch()) as f64;
        loop {
            let began = Instant::now();
            let threads = self.threads.threads();
            if threads != pace.threads {
                pace.threads = threads;
                self.go_on_with(threads, trainer, observer);
            }
            let segment = trajectories.steps_to_next_snapshot(trainer);
            let ended = trainer.run_steps(segment, &mut |_| {
                !checkpoints.are_due() && self.threads.threads() == threads
            })?;
            pace.spent += began.elapsed();
            observer.progressed(trainer.steps() as f64 / total);
            trajectories.record_if_due(trainer);
            if let Some(losses) = ended {
                // Several segments make an epoch; its time is that of all since
                // the run was resumed last.
                let seconds = std::mem::take(&mut pace.spent).as_secs_f64();
                return Ok(Some(EpochLosses { seconds, ..losses }));
            }
            if checkpoints.are_due() {
                return Ok(None);
            }
        }
    }

    /// Trains on with so many threads; as before where their memory or they
    /// themselves cannot be had.
    fn go_on_with(&self, threads: usize, trainer: &mut Trainer, observer: &mut dyn Observer) {
        let before = trainer.config().threads;
        let changed = match allows_threads(self.configuration, self.dataset, threads) {
            Ok(true) => trainer.set_threads(threads).map_err(Error::from),
            Ok(false) => Err(Error::Undefined(format!(
                "{threads} threads need more memory than there is"
            ))),
            Err(error) => Err(error),
        };
        if let Err(error) = changed {
            observer.mended(&format!("{error}; training goes on with {before}"));
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
            images_per_second: images_per_second(images.train_count, trained.seconds),
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
        record: &Record<'_>,
        is_end: bool,
    ) -> Result<(), Error> {
        record.require_folder()?;
        // The state comes last: what was written before it without it is cut
        // back or replaced when the run is resumed from the older state.
        let per_epoch = trainer.steps_in_epoch() as u64;
        let of_best = |epoch| record.metadata(epoch, epoch * per_epoch);
        stopping.write(&self.folder, is_end, of_best)?;
        trajectories.write(&self.folder.trajectories())?;
        let metadata = record.metadata(trainer.epoch(), trainer.steps());
        trainer.model().save(&self.folder.model(), &metadata)?;
        // Also where no state is written, all lines are on the disk before a result is.
        let attachments = record.attachments()?;
        if self.keeps_state || !is_end {
            trainer.save_state(&self.folder.state(), &attachments)?;
        }
        Ok(())
    }
}
