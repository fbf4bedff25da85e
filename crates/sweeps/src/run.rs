//! Training runs of a plan on this machine.

mod elsewhere;

use std::path::{Path, PathBuf};
use std::time::Duration;

use datasets::Dataset;
use durable_files::LockError;
use runs::configuration::ReadingConfiguration;
use runs::interrupt::Interrupt;
use runs::jobs::{Due, Limits, Share, side_by_side};
use runs::report::{self, SplitName};
use runs::run_data::{DataLocation, RunData, refuse_inside};
use runs::run_folder::{RunFolder, RunResult, Status};
use runs::training::{self, Run};
use runs::{Error, atomic_file};

use crate::keep::Keep;
use crate::plan::PlannedRun;
use crate::status::require_planned;

/// Which runs, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The runs: of a plan all, a shard, or one.
    pub runs: Vec<PlannedRun>,
    /// The folder of all runs of the plan.
    pub folder: PathBuf,
    /// Threads of all runs together, and how many are trained at once.
    pub limits: Limits,
    /// The longest that training goes on without a checkpoint.
    pub checkpoint_every: Duration,
    /// What is kept of a run that has ended.
    pub keep: Keep,
    /// Whether each is evaluated too.
    pub evaluates: bool,
    /// Importance samples of that; `None` for no −log p(x).
    pub nll_samples: Option<usize>,
    /// Where data are.
    pub location: DataLocation,
    /// The command as typed.
    pub command: String,
}

/// What became of the runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Runs that were trained to their end now.
    pub trained: usize,
    /// Runs that had ended before.
    pub ended_before: usize,
    /// Those that diverged, now or before.
    pub diverged: Vec<PlannedRun>,
    /// Those that another process is at.
    pub elsewhere: Vec<PlannedRun>,
}

/// Hears how far the runs have come. Several may be under way at once.
pub trait Observer {
    /// Run `place` of `total` begins; hears how its training goes.
    fn training(
        &self,
        place: usize,
        total: usize,
        run: &PlannedRun,
    ) -> Box<dyn training::Observer + '_>;
    /// A run has ended.
    fn ended(&self, place: usize, total: usize, run: &PlannedRun, result: &RunResult);
    /// Something about all runs, in a sentence.
    fn remark(&self, sentence: &str);
}

/// Brings the runs to their ends, except those that another process is at.
///
/// What has ended is left as it is; what was interrupted goes on. A run whose process
/// on another machine gives no more signs of life is waited for until that is certain,
/// and then goes on here. Runs that diverge are no error.
///
/// # Errors
/// Data that cannot be had or are others than those of the plan, a folder of a run that
/// holds another one, an unwritable disk, or a stop asked for by a signal.
pub fn run(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &(dyn Observer + Sync),
) -> Result<Outcome, Error> {
    atomic_file::check_folder(&request.folder)?;
    let command = request.command.clone();
    let _farewell = interrupt.on_departure(move || Error::Interrupted {
        command: command.clone(),
    });
    let mut outcome = Outcome::default();
    let mut due = Vec::new();
    for (place, planned) in request.runs.iter().enumerate() {
        match ended_before(request, planned)? {
            None => due.push(place),
            Some(result) => {
                outcome.ended_before += 1;
                outcome.note_end(planned, &result);
            }
        }
        if interrupt.requested() {
            return Err(stopped(request));
        }
    }
    // Of several data sets one after the other is held.
    while let Some(&first) = due.first() {
        let first = &request.runs[first];
        let (group, others): (Vec<usize>, Vec<usize>) = due
            .into_iter()
            .partition(|&place| has_same_data(&request.runs[place], first));
        due = others;
        let dataset = load(request, first, download)?;
        let group = Group {
            request,
            dataset: &dataset,
            runs: group,
            interrupt,
            observer,
        };
        group.complete(&mut outcome)?;
    }
    Ok(outcome)
}

impl Outcome {
    fn note_end(&mut self, planned: &PlannedRun, result: &RunResult) {
        if result.status == Status::Diverged {
            self.diverged.push(planned.clone());
        }
    }
}

/// The result of a run for which nothing is left to do here; what is not to be kept of
/// it is removed, if a call that was to do so was stopped before.
fn ended_before(request: &Request, planned: &PlannedRun) -> Result<Option<RunResult>, Error> {
    let folder = planned.folder(&request.folder);
    let Some(result) = folder.read_result()? else {
        return Ok(None);
    };
    require_planned(planned, &result.digest, &request.folder)?;
    folder.check_configuration()?;
    let is_done = result.status == Status::Done;
    if is_done && request.evaluates && !folder.evaluation().exists() {
        return Ok(None);
    }
    tidy(request, &folder)?;
    Ok(Some(result))
}

/// Removes what is not to be kept, unless another process is at it.
fn tidy(request: &Request, folder: &RunFolder) -> Result<(), Error> {
    match request.keep.remove_others(folder, &request.command) {
        Err(Error::Taken(LockError::Held { .. })) => Ok(()),
        removed => removed,
    }
}

fn has_same_data(one: &PlannedRun, other: &PlannedRun) -> bool {
    let source = |run: &PlannedRun| -> (String, ReadingConfiguration) {
        let data = &run.configuration.data;
        (data.dataset.clone(), data.reading.clone())
    };
    one.dataset_sha256 == other.dataset_sha256 && source(one) == source(other)
}

/// The data of a run, which must be those of the plan.
fn load(
    request: &Request,
    planned: &PlannedRun,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Dataset, Error> {
    let location = &request.location;
    let name = &planned.configuration.data.dataset;
    refuse_inside(location.dataset.as_ref().unwrap_or(name), &request.folder)?;
    let path = Path::new(name.strip_prefix("idx:").unwrap_or(name));
    if location.dataset.is_none() && path.is_absolute() && !path.exists() {
        return Err(Error::Configuration(format!(
            "the plan is of the data {name}, where nothing is on this machine; say where they are with --dataset"
        )));
    }
    let dataset = location.load(&planned.configuration, download)?;
    if dataset.fingerprint != planned.dataset_sha256 {
        return Err(Error::Configuration(format!(
            "the plan is of data with the fingerprint {}, but {} has {}; say where the same data are now with --dataset (named sets: --data-dir)",
            planned.dataset_sha256, dataset.name, dataset.fingerprint
        )));
    }
    Ok(dataset)
}

fn stopped(request: &Request) -> Error {
    Error::Interrupted {
        command: request.command.clone(),
    }
}

/// Runs of one data set.
struct Group<'a> {
    request: &'a Request,
    dataset: &'a Dataset,
    /// Their places among all runs of the request.
    runs: Vec<usize>,
    interrupt: &'a Interrupt,
    observer: &'a (dyn Observer + Sync),
}

/// What became of a run.
enum Fate {
    Ended {
        result: Box<RunResult>,
        was_trained: bool,
    },
    /// Another process has it: one that is known to live, or may be gone.
    Taken { lives: bool },
}

impl Group<'_> {
    /// Brings all of them to their ends that no other process is at.
    fn complete(&self, outcome: &mut Outcome) -> Result<(), Error> {
        let mut due = self.runs.clone();
        while !due.is_empty() {
            let fates = self.train(&due)?;
            let mut doubtful = Vec::new();
            for (place, fate) in due.into_iter().zip(fates) {
                let planned = &self.request.runs[place];
                match fate {
                    Fate::Ended {
                        result,
                        was_trained,
                    } => {
                        outcome.trained += usize::from(was_trained);
                        outcome.ended_before += usize::from(!was_trained);
                        outcome.note_end(planned, &result);
                    }
                    Fate::Taken { lives: true } => outcome.elsewhere.push(planned.clone()),
                    Fate::Taken { lives: false } => doubtful.push(place),
                }
            }
            let watched = self.watch(&doubtful)?;
            let living = watched.living.iter();
            outcome
                .elsewhere
                .extend(living.map(|&place| self.request.runs[place].clone()));
            due = watched.free;
        }
        Ok(())
    }

    fn train(&self, places: &[usize]) -> Result<Vec<Fate>, Error> {
        let due = places.iter().map(|&place| self.due(place));
        let fates = side_by_side(
            &due.collect::<Result<Vec<_>, Error>>()?,
            self.request.limits,
            self.interrupt,
            &|sentence| self.observer.remark(sentence),
            |index, share, interrupt| self.complete_one(places[index], share, interrupt),
        );
        match fates {
            _ if self.interrupt.requested() => Err(stopped(self.request)),
            fates => fates,
        }
    }

    fn due(&self, place: usize) -> Result<Due, Error> {
        let planned = &self.request.runs[place];
        let due = Due::training(planned.called(), &planned.configuration, self.dataset)?;
        if !self.request.evaluates {
            return Ok(due);
        }
        // The gap between training and test is measured with all rows of both.
        let rows = self.dataset.train.len().max(self.dataset.test.len());
        due.then_evaluated(&planned.configuration, rows, 1)
    }

    fn complete_one(
        &self,
        place: usize,
        share: &Share,
        interrupt: &Interrupt,
    ) -> Result<Fate, Error> {
        let planned = &self.request.runs[place];
        planned.check()?;
        let configuration = &planned.configuration;
        // A copy shares the values.
        let data = RunData::of_training(configuration, self.dataset.clone())?;
        let folder = planned.folder(&self.request.folder);
        let run = Run {
            configuration,
            dataset: &data.dataset,
            standardisation: data.standardisation.as_ref(),
            threads: share.clone(),
            checkpoint_every: self.request.checkpoint_every,
            folder: folder.clone(),
            command: &self.request.command,
        };
        let total = self.request.runs.len();
        let mut progress = self.observer.training(place, total, planned);
        let (result, was_trained) = match run.complete(interrupt, progress.as_mut()) {
            Ok(done) => (done.result, !done.already_done),
            Err(error @ Error::Diverged { .. }) => (folder.read_result()?.ok_or(error)?, true),
            Err(Error::Taken(LockError::Held { seen, .. })) => {
                return Ok(Fate::Taken {
                    lives: seen.is_none(),
                });
            }
            Err(Error::Taken(LockError::Lost { .. })) => return Ok(Fate::Taken { lives: false }),
            Err(error) => return Err(error),
        };
        drop(progress);
        if result.status == Status::Done {
            self.evaluate(&folder, planned, was_trained, share)?;
        }
        tidy(self.request, &folder)?;
        self.observer.ended(place, total, planned, &result);
        Ok(Fate::Ended {
            result: Box::new(result),
            was_trained,
        })
    }

    fn evaluate(
        &self,
        folder: &RunFolder,
        planned: &PlannedRun,
        was_trained: bool,
        share: &Share,
    ) -> Result<(), Error> {
        let is_there = !was_trained && folder.evaluation().exists();
        if !self.request.evaluates || is_there {
            return Ok(());
        }
        let is_variational = planned.configuration.model_spec()?.kind.is_variational();
        let request = report::Request {
            folder: folder.clone(),
            split: SplitName::Test,
            subset: None,
            seed: 0,
            treatment: None,
            nll_samples: self.request.nll_samples.filter(|_| is_variational),
            threads: Some(share.threads()),
            location: self.request.location.clone(),
        };
        report::write_of(&request, self.dataset, &()).map(drop)
    }
}
