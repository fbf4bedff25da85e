//! What a run keeps in its folder while a trainer works on it: the same for every
//! kind of trainer.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use durable_files::FolderLock;
use evaluation::EvaluationError;
use models::{Attachments, CheckpointError};

use super::{Observer, diverged};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::metrics::{MetricsLog, Resumed};
use crate::run_folder::{DATA, EpochMetrics, METRICS, RunFolder, RunResult, SETTINGS, Status};

/// Which run it is.
#[derive(Clone, Debug)]
pub(crate) struct Identity<'a> {
    /// Where everything is kept.
    pub(crate) folder: &'a RunFolder,
    /// The settings; of two stochastic layers, those of the lower one.
    pub(crate) configuration: &'a Configuration,
    /// Of the data.
    pub(crate) fingerprint: &'a str,
    /// Of settings and data.
    pub(crate) digest: String,
}

/// The lines of the epochs, what checkpoints say about the run, and its end.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    identity: Identity<'a>,
    /// The right to write all of it.
    taken: FolderLock,
    /// What decides the results, as `config.toml` has it.
    settings: String,
    log: MetricsLog,
    metrics: Vec<EpochMetrics>,
}

impl<'a> Record<'a> {
    /// Of a run that begins in the folder that was `taken`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn begin(identity: Identity<'a>, taken: FolderLock) -> Result<Self, Error> {
        let log = MetricsLog::begin(&identity.folder.metrics())?;
        Self::of(identity, taken, log, Vec::new())
    }

    /// Of a run that goes on: `load` has a trainer take up the state, and gives
    /// what is attached to it and the epochs done. Without a state a run begins
    /// again; a finished one that `is_longer` now does not.
    ///
    /// # Errors
    /// When the state is damaged, is of other settings or data, or is missing
    /// where it is needed; when the folder cannot be read or written.
    pub(crate) fn take_up(
        identity: Identity<'a>,
        taken: FolderLock,
        is_longer: bool,
        observer: &mut dyn Observer,
        load: impl FnOnce(&Path) -> Result<(Attachments, u64), CheckpointError>,
    ) -> Result<Self, Error> {
        let folder = identity.folder;
        let state = folder.state();
        let (kept, epochs) = if state.exists() {
            let (attachments, epochs) = load(&state)?;
            let (configuration, data) = (identity.configuration, identity.fingerprint);
            let kept = folder.check_state(&attachments, configuration, data)?;
            (kept, epochs as usize)
        } else if is_longer {
            return Err(Error::RunFolder(format!(
                "{} is gone, without which a finished run cannot go on; put it back, or train the longer one into another folder",
                state.display()
            )));
        } else {
            if folder.model().exists() {
                observer.mended(&format!(
                    "there is no {}, so that training begins again",
                    state.display()
                ));
            }
            (Some(Vec::new()), 0)
        };
        let Resumed {
            log,
            metrics,
            mended,
        } = MetricsLog::resume(&folder.metrics(), kept.as_deref(), epochs)?;
        if let Some(sentence) = mended {
            observer.mended(&sentence);
        }
        observer.resumed(metrics.len());
        Self::of(identity, taken, log, metrics)
    }

    fn of(
        identity: Identity<'a>,
        taken: FolderLock,
        log: MetricsLog,
        metrics: Vec<EpochMetrics>,
    ) -> Result<Self, Error> {
        Ok(Self {
            settings: identity.configuration.identity().to_toml()?,
            identity,
            taken,
            log,
            metrics,
        })
    }

    /// Checks that the folder is still this process's own: before files are
    /// replaced, of which another one may have written later ones.
    ///
    /// # Errors
    /// When another process has taken it over.
    pub(crate) fn require_folder(&self) -> Result<(), Error> {
        Ok(self.taken.check()?)
    }

    /// Every epoch so far.
    pub(crate) fn metrics(&self) -> &[EpochMetrics] {
        &self.metrics
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// When its line cannot be written.
    pub(crate) fn append(&mut self, metrics: EpochMetrics) -> Result<(), Error> {
        self.log.append(&metrics)?;
        self.metrics.push(metrics);
        Ok(())
    }

    /// What `model.safetensors` says about how it was trained and how far.
    pub(crate) fn metadata(&self, epochs: u64, steps: u64) -> BTreeMap<String, String> {
        [
            ("epoch", epochs.to_string()),
            ("step", steps.to_string()),
            (SETTINGS, self.settings.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// What `state.safetensors` holds of the run beside the trainer's state. All
    /// of it is on the disk then: a state must not outlive its lines.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn attachments(&self) -> Result<Attachments, Error> {
        self.log.sync()?;
        let attached = [
            (SETTINGS, self.settings.as_bytes()),
            (DATA, self.identity.fingerprint.as_bytes()),
            (METRICS, self.log.lines()),
        ];
        let owned = attached.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
        Ok(owned.into())
    }

    /// Writes that the run is done.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn finish(
        &self,
        epochs: u64,
        steps: u64,
        best_epoch: Option<usize>,
    ) -> Result<RunResult, Error> {
        self.require_folder()?;
        let result = RunResult {
            best_epoch,
            ..self.result(Status::Done, epochs, steps)
        };
        self.identity.folder.write_result(&result)?;
        Ok(result)
    }

    /// Writes that the run has diverged, and gives the error of it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn diverge(
        &self,
        divergence: String,
        epochs: u64,
        steps: u64,
        observer: &mut dyn Observer,
    ) -> Result<Error, Error> {
        self.require_folder()?;
        self.log.sync()?;
        self.identity.folder.write_result(&RunResult {
            divergence: Some(divergence.clone()),
            ..self.result(Status::Diverged, epochs, steps)
        })?;
        observer.finished();
        Ok(diverged(self.identity.folder, divergence))
    }

    fn result(&self, status: Status, epochs: u64, steps: u64) -> RunResult {
        RunResult {
            status,
            digest: self.identity.digest.clone(),
            epochs: epochs as usize,
            steps,
            last: self.metrics.last().copied(),
            best_epoch: None,
            divergence: None,
        }
    }
}

/// The metrics of an epoch, or how they show that training has diverged: weights
/// may be finite and what they compute not.
///
/// # Errors
/// Every other error of measuring them.
pub(crate) fn or_divergence(
    measured: Result<EpochMetrics, Error>,
    epoch: u64,
    step: u64,
) -> Result<Result<EpochMetrics, String>, Error> {
    match measured {
        Err(Error::Evaluation(error @ EvaluationError::Diverged(_))) => Ok(Err(format!(
            "training diverged, as the test pass after epoch {epoch}, step {step} shows: {error}"
        ))),
        measured => measured.map(Ok),
    }
}

/// Training images per second of an epoch; of one that the clock did not see
/// pass, no infinity, for which JSON has no word.
pub(crate) fn images_per_second(images: usize, seconds: f64) -> f64 {
    const LEAST_SECONDS: f64 = 1e-9;
    images as f64 / seconds.max(LEAST_SECONDS)
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
