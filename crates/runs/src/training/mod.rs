//! Training one model into a run folder: start, resume, checkpoint, finish.

pub mod pace;
mod record;
mod run;

use std::path::{Path, PathBuf};
use std::time::Duration;

use datasets::{Dataset, TestOrigin};
use durable_files::LOCK_FILE;
use models::{ModelKind, Trainer};

use crate::atomic_file;
use crate::configuration::Configuration;
use crate::diagnosis;
use crate::environment::threads;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::jobs::Share;
use crate::run_data::{DataLocation, RunData, anchored, refuse_inside};
use crate::run_folder::{EpochMetrics, RunFolder, RunResult, Status};

pub(crate) use self::record::{Checkpoints, Identity, Record, images_per_second, or_divergence};
pub use self::run::Run;

/// How long a run goes on without a checkpoint, unless it is told otherwise:
/// what a kill costs at most.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

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
    /// The longest that training goes on without a checkpoint.
    pub checkpoint_every: Duration,
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
    /// Something was found and mended, in a sentence.
    fn mended(&mut self, _sentence: &str) {}
    /// Training begins or goes on; `statement` says on what, or what for.
    fn began(&mut self, _statement: &str) {}
    /// The folder is this process's own, and training in it begins, or goes on after
    /// the epochs of `metrics`.
    fn opened(&mut self, _run: &Run<'_>, _metrics: &[EpochMetrics]) {}
    /// Training goes on after this many epochs.
    fn resumed(&mut self, _epochs: usize) {}
    /// A step was made: this share of all steps of the run is done.
    fn progressed(&mut self, _share: f64) {}
    /// An epoch of `epochs` ended.
    fn epoch(&mut self, _metrics: &EpochMetrics, _epochs: usize) {}
    /// The weights after an epoch, whose line has been written.
    fn trained(&mut self, _run: &Run<'_>, _trainer: &Trainer, _metrics: &EpochMetrics) {}
    /// Training ended.
    fn finished(&mut self) {}
    /// Whether a diagnosis is wanted at the end.
    fn wants_diagnosis(&self) -> bool {
        false
    }
    /// Something is wrong with the run, or could not be looked for; in a line.
    fn diagnosed(&mut self, _line: &str) {}
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
                if out.is_some() {
                    atomic_file::check_own(place, |_| false)?;
                }
            } else if folder.read_result()?.is_none() {
                return Err(unfinished(&folder, &request.command));
            }
        }
        Target::Resume { folder, longer } => {
            // Data are only asked for where they are used or named.
            if longer.is_none()
                && request.location.dataset.is_none()
                && let Some(outcome) = finished_before(folder, &configuration)?
            {
                if let Some(sentence) = folder.mend_metrics(&request.command)? {
                    observer.mended(&sentence);
                }
                return Ok(outcome);
            }
            atomic_file::check_folder(folder.path())?;
        }
    }
    let dataset = request.location.load(&configuration, download)?;
    observer.data(&dataset);
    let configuration = configuration.of_shape(&dataset)?;
    let data = RunData::of_training(&configuration, dataset)?;
    let (folder, is_longer) = match &request.target {
        Target::New { out, .. } => {
            let named = || Path::new(RUNS).join(configuration.run_name(&data.dataset.fingerprint));
            (RunFolder::at(out.clone().unwrap_or_else(named)), false)
        }
        Target::Resume { folder, longer } => {
            // Nothing of a run changes before its data have been found.
            folder.check_dataset(&data.dataset)?;
            (folder.clone(), longer.is_some())
        }
    };
    let left = folder.clone();
    let _farewell = interrupt.on_departure(move || match left.exists() {
        true => Error::Left {
            run: left.path().to_owned(),
        },
        false => Error::Abandoned,
    });
    let run = Run {
        configuration: &configuration,
        dataset: &data.dataset,
        standardisation: data.standardisation.as_ref(),
        threads: Share::of(threads(request.threads)),
        checkpoint_every: request.checkpoint_every,
        keeps_state: true,
        folder,
        command: &request.command,
    };
    let outcome = match &request.target {
        Target::New { .. } => run.start(interrupt, observer),
        Target::Resume { .. } => run.resume(is_longer, interrupt, observer),
    }?;
    if observer.wants_diagnosis() && !outcome.already_done {
        let line = diagnosis::of_training(
            &outcome.folder,
            &configuration,
            &data.dataset,
            request.threads,
        );
        if let Some(line) = line {
            observer.diagnosed(&line);
        }
    }
    Ok(outcome)
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
    let digests = configuration.digests(&fingerprint);
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

/// That a folder for a new run holds one that has not ended; one that is being
/// trained at this moment is not to be continued.
fn unfinished(folder: &RunFolder, command: &str) -> Error {
    if folder.path().join(LOCK_FILE).exists()
        && let Err(error @ Error::Taken(_)) = folder.take(command)
    {
        return error;
    }
    let path = folder.path().display();
    Error::RunFolder(format!(
        "{path} holds an unfinished run; continue it with --resume {path}, or choose another --out"
    ))
}
