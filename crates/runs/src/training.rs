//! Training one model into a run folder: start, resume, checkpoint, finish.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use datasets::{Dataset, TestOrigin};
use evaluation::EvaluationError;
use models::{Diverged, EpochLosses, Images, Model, ModelKind, Standardisation, Trainer};

use crate::atomic_file;
use crate::configuration::Configuration;
use crate::early_stopping::EarlyStopping;
use crate::environment::{Environment, threads};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::needed_memory::require_for_training;
use crate::run_data::{DataLocation, RunData, anchored, refuse_inside};
use crate::run_folder::{EpochMetrics, Losses, RunFolder, RunResult, Status};
use crate::run_images::RunImages;
use crate::trajectories::Trajectories;

/// A run checkpoints at the first chance after this long.
pub(crate) const CHECKPOINT_EVERY: Duration = Duration::from_secs(20);

/// Where runs are kept that are given no folder.
const RUNS: &str = "runs";

/// What to train, and how to get at it.
#[derive(Clone, Debug)]
pub struct Request {
    /// A new run, or one to continue.
    pub target: Target,
    /// The command as typed, for `command.txt`.
    pub command: String,
    /// Threads to use; `None` for all cores.
    pub threads: Option<usize>,
    /// Where the data are.
    pub location: DataLocation,
}

/// A new run, or one to continue.
#[derive(Clone, Debug)]
pub enum Target {
    /// Train this configuration.
    New {
        /// The settings.
        configuration: Box<Configuration>,
        /// The run folder; by default below `runs/`.
        out: Option<PathBuf>,
    },
    /// Continue a run.
    Resume {
        /// Its folder.
        folder: RunFolder,
        /// The same settings with more epochs, if it is to go on for longer.
        longer: Option<Box<Configuration>>,
    },
}

impl Target {
    /// The settings of the run.
    ///
    /// # Errors
    /// When the folder to resume is no run folder.
    pub fn configuration(&self) -> Result<Configuration, Error> {
        match self {
            Self::New { configuration, .. }
            | Self::Resume {
                longer: Some(configuration),
                ..
            } => Ok(configuration.as_ref().clone()),
            Self::Resume { folder, .. } => folder.configuration(),
        }
    }
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where it is.
    pub folder: RunFolder,
    /// How it ended.
    pub result: RunResult,
    /// Whether it had been finished before, so that nothing was trained.
    pub already_done: bool,
    /// Rows that the test losses are of, and where they come from; absent where
    /// the data were not needed.
    pub test: Option<(usize, TestOrigin)>,
}

/// Hears how far training has come.
pub trait Observer {
    /// The data have been read: what they are and what was decided about them.
    fn data(&mut self, _dataset: &Dataset) {}
    /// A model of this kind is trained.
    fn model(&mut self, _kind: ModelKind) {}
    /// Training begins or goes on; `statement` says on what, or what for.
    fn began(&mut self, _statement: &str) {}
    /// Training goes on after this many epochs.
    fn resumed(&mut self, _epochs: usize) {}
    /// A step was made: this share of all steps of the run is done.
    fn progressed(&mut self, _share: f64) {}
    /// An epoch of `epochs` ended.
    fn epoch(&mut self, _metrics: &EpochMetrics, _epochs: usize) {}
    /// Training ended.
    fn finished(&mut self) {}
}

/// Hears nothing.
impl Observer for () {}

/// Trains what `request` asks for, loading its data set.
///
/// # Errors
/// Wrong settings or data, an unwritable folder, divergence, or a stop asked
/// for by a signal; see [`Error::exit_code`].
pub fn train(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let mut configuration = request.target.configuration()?;
    match &request.target {
        Target::New { out, .. } => {
            configuration.data.dataset = anchored(&configuration.data.dataset)?;
            let place = out.as_deref().unwrap_or(Path::new(RUNS));
            refuse_inside(&configuration.data.dataset, place)?;
            let folder = RunFolder::at(place);
            if !folder.exists() {
                atomic_file::check_folder(place)?;
            } else if folder.read_result()?.is_none() {
                return Err(unfinished(&folder));
            }
        }
        Target::Resume { folder, longer } => {
            // Data are only asked for where they are used or named.
            if longer.is_none()
                && request.location.dataset.is_none()
                && let Some(outcome) = finished_before(folder, &configuration)?
            {
                return Ok(outcome);
            }
            atomic_file::check_folder(folder.path())?;
        }
    }
    let dataset = request.location.load(&configuration, download)?;
    observer.data(&dataset);
    let configuration = configuration.of_shape(&dataset)?;
    let data = RunData::of_training(&configuration, dataset)?;
    let threads = threads(request.threads);
    match &request.target {
        Target::New { out, .. } => {
            let folder = RunFolder::at(out.clone().unwrap_or_else(|| {
                Path::new(RUNS).join(configuration.run_name(&data.dataset.fingerprint))
            }));
            let run = Run {
                configuration: &configuration,
                dataset: &data.dataset,
                standardisation: data.standardisation.as_ref(),
                threads,
                folder,
            };
            run.start(&request.command, interrupt, observer)
        }
        Target::Resume { folder, longer } => {
            // Nothing of a run changes before its data have been found.
            folder.check_dataset(&data.dataset)?;
            if longer.is_some() {
                folder.extend(&configuration)?;
            }
            let run = Run {
                configuration: &configuration,
                dataset: &data.dataset,
                standardisation: data.standardisation.as_ref(),
                threads,
                folder: folder.clone(),
            };
            run.resume(interrupt, observer)
        }
    }
}

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
    /// Where everything is kept.
    pub folder: RunFolder,
}

impl Run<'_> {
    /// Trains into a new folder. A folder that already holds the finished run
    /// is left alone; one that holds something else is an error.
    ///
    /// # Errors
    /// As [`train`].
    pub fn start(
        &self,
        command: &str,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        if self.folder.exists() {
            if let Some(outcome) = self.finished()? {
                return Ok(outcome);
            }
            return Err(unfinished(&self.folder));
        }
        let images = self.images()?;
        let trainer = self.trainer(&images)?;
        let environment = Environment::describe(self.threads, &self.dataset.fingerprint);
        self.folder
            .create(self.configuration, command, &environment)?;
        self.go_on(trainer, &images, Vec::new(), interrupt, observer)
    }

    /// Continues from the last checkpoint, or from the beginning when the run
    /// stopped before its first one.
    ///
    /// # Errors
    /// As [`train`], or when the folder holds another configuration's run or
    /// a damaged checkpoint.
    pub fn resume(
        &self,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        if let Some(outcome) = self.finished()? {
            return Ok(outcome);
        }
        let images = self.images()?;
        let mut trainer = self.trainer(&images)?;
        if self.folder.state().exists() {
            trainer.load_state(&self.folder.state())?;
        }
        let metrics = self.folder.truncate_metrics(trainer.epoch() as usize)?;
        observer.resumed(metrics.len());
        self.go_on(trainer, &images, metrics, interrupt, observer)
    }

    /// Starts, continues, or returns the finished run.
    ///
    /// # Errors
    /// As [`train`].
    pub fn complete(
        &self,
        command: &str,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Error> {
        if self.folder.exists() {
            self.resume(interrupt, observer)
        } else {
            self.start(command, interrupt, observer)
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
        metrics: Vec<EpochMetrics>,
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
        let patience = self.configuration.training.patience;
        let mut stopping = EarlyStopping::begin(patience, &metrics, &self.folder)?;
        observer.model(trainer.model().spec().kind);
        observer.began(&images.statement());
        let objective = &trainer.config().objective;
        observer.began(&objective.statement(trainer.model().spec()));
        let mut checkpointed = Instant::now();
        while (trainer.epoch() as usize) < epochs && !stopping.is_due(trainer.epoch()) {
            match self.epoch(&mut trainer, &mut trajectories, interrupt, observer) {
                Ok(Some(trained)) => {
                    let metrics = match self.metrics(&trainer, images, &trained) {
                        // Weights may be finite and what they compute not.
                        Err(Error::Evaluation(error)) if has_diverged(&error) => {
                            let divergence = format!(
                                "training diverged, as the test pass after epoch {}, step {} shows: {error}",
                                trainer.epoch(),
                                trainer.steps()
                            );
                            return Err(
                                self.record_divergence(divergence, &trainer, last, observer)?
                            );
                        }
                        measured => measured?,
                    };
                    self.folder.append_metrics(&metrics)?;
                    stopping.observe(&metrics, trainer.model());
                    observer.epoch(&metrics, epochs);
                    last = Some(metrics);
                }
                Ok(None) => {}
                Err(divergence) => {
                    let divergence = divergence.to_string();
                    return Err(self.record_divergence(divergence, &trainer, last, observer)?);
                }
            }
            let complete = trainer.epoch() as usize >= epochs || stopping.is_due(trainer.epoch());
            let stop = interrupt.requested() && !complete;
            if stop || (!complete && checkpointed.elapsed() >= CHECKPOINT_EVERY) {
                stopping.write(&self.folder)?;
                self.checkpoint(&trainer, &trajectories)?;
                checkpointed = Instant::now();
            }
            if stop {
                observer.finished();
                return Err(Error::Stopped {
                    run: self.folder.path().into(),
                });
            }
        }
        stopping.write(&self.folder)?;
        self.checkpoint(&trainer, &trajectories)?;
        if let (Some(best), Some(epoch)) = (stopping.best_model(), stopping.best_epoch()) {
            let epoch = epoch as u64;
            let metadata = progress_metadata(epoch, epoch * trainer.steps_in_epoch() as u64);
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

    /// Trains to the end of the epoch in progress; `None` when a stop was
    /// asked for before its end.
    fn epoch(
        &self,
        trainer: &mut Trainer,
        trajectories: &mut Trajectories,
        interrupt: &Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<Option<EpochLosses>, Diverged> {
        let total = (self.configuration.training.epochs * trainer.steps_in_epoch()) as f64;
        let mut training = Duration::ZERO;
        loop {
            let began = Instant::now();
            let segment = trajectories.steps_to_next_snapshot(trainer);
            let ended = trainer.run_steps(segment, &mut |_| !interrupt.requested())?;
            training += began.elapsed();
            observer.progressed(trainer.steps() as f64 / total);
            trajectories.record_if_due(trainer);
            if let Some(losses) = ended {
                // Several segments make an epoch; its time is that of all.
                let seconds = training.as_secs_f64();
                return Ok(Some(EpochLosses { seconds, ..losses }));
            }
            if interrupt.requested() {
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
            images_per_second: images.train_count as f64 / trained.seconds,
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

    fn checkpoint(&self, trainer: &Trainer, trajectories: &Trajectories) -> Result<(), Error> {
        // The state comes last: what was written before it without it is cut
        // back or replaced when the run is resumed from the older state.
        trajectories.write(&self.folder.trajectories())?;
        trainer.model().save(
            &self.folder.model(),
            &progress_metadata(trainer.epoch(), trainer.steps()),
        )?;
        trainer.save_state(&self.folder.state())?;
        Ok(())
    }

    fn record_divergence(
        &self,
        text: String,
        trainer: &Trainer,
        last: Option<EpochMetrics>,
        observer: &mut dyn Observer,
    ) -> Result<Error, Error> {
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

/// The outcome of a run that has ended with just these settings, by what its
/// folder says about its data.
fn finished_before(
    folder: &RunFolder,
    configuration: &Configuration,
) -> Result<Option<Outcome>, Error> {
    let Some(result) = folder.read_result()? else {
        return Ok(None);
    };
    let fingerprint = folder.environment()?.dataset_sha256;
    let digests = [
        configuration.digest(&fingerprint),
        configuration.former_digest(&fingerprint),
    ];
    if digests.contains(&result.digest) {
        outcome(folder, result, None).map(Some)
    } else {
        Ok(None)
    }
}

/// The outcome of a run that has ended before; an error if it diverged.
fn outcome(
    folder: &RunFolder,
    result: RunResult,
    test: Option<(usize, TestOrigin)>,
) -> Result<Outcome, Error> {
    match result.status {
        Status::Done => Ok(Outcome {
            folder: folder.clone(),
            result,
            already_done: true,
            test,
        }),
        Status::Diverged => Err(diverged(folder, result.divergence.unwrap_or_default())),
    }
}

fn diverged(folder: &RunFolder, divergence: String) -> Error {
    Error::Diverged {
        run: folder.path().into(),
        divergence,
    }
}

fn unfinished(folder: &RunFolder) -> Error {
    let path = folder.path().display();
    Error::RunFolder(format!(
        "{path} holds an unfinished run; continue it with --resume {path}, or choose another --out"
    ))
}

/// Whether a measurement fails because of what the weights compute: they may
/// be finite and that not.
fn has_diverged(error: &EvaluationError) -> bool {
    matches!(
        error,
        EvaluationError::NotFinite { .. } | EvaluationError::Variance { .. }
    )
}

/// What `model.safetensors` says about how far its weights are.
pub(crate) fn progress_metadata(epochs: u64, steps: u64) -> BTreeMap<String, String> {
    [("epoch", epochs), ("step", steps)]
        .map(|(key, value)| (key.to_owned(), value.to_string()))
        .into()
}
