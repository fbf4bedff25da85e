//! Training runs of a plan on this machine.

mod elsewhere;

use std::collections::BTreeMap;
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

use crate::ended::{Ended, require_folder};
use crate::keep::Keep;
use crate::plan::PlannedRun;

use self::elsewhere::Doubtful;

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
    /// What is kept of a run that has ended; `None` for what is kept of those that are
    /// trained now, where runs that ended before are left as they are.
    pub keep: Option<Keep>,
    /// The instruction set that runs are to have been made with; `None` where it does not
    /// matter.
    pub instruction_set: Option<&'static str>,
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
    /// Those whose folders are damaged or hold something else, and why.
    pub refused: Vec<(PlannedRun, String)>,
    /// Of those that had ended before, how many were made with another instruction set
    /// than the one asked for.
    pub made_otherwise: usize,
    /// Of the same, how many have less than what is to be kept now.
    pub keeping_less: usize,
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
/// and then goes on here. Runs that diverge are no error, and a run whose folder is damaged
/// or holds another one keeps none of the others from being trained.
///
/// # Errors
/// Data that cannot be had or are others than those of the plan, an unwritable disk, or
/// a stop asked for by a signal.
pub fn run(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &(dyn Observer + Sync),
) -> Result<Outcome, Error> {
    let command = request.command.clone();
    let _farewell = interrupt.on_departure(move || Error::Interrupted {
        command: command.clone(),
    });
    require_folder(&request.folder)?;
    let mut outcome = Outcome::default();
    let mut due = Vec::new();
    for (place, planned) in request.runs.iter().enumerate() {
        match ended_before(request, planned) {
            Ok(None) => due.push(place),
            Ok(Some(ended)) => {
                outcome.ended_before += 1;
                outcome.made_otherwise += usize::from(ended.was_made_otherwise);
                outcome.keeping_less += usize::from(ended.keeps_less);
                outcome.note_end(planned, &ended.result);
            }
            Err(error) => outcome.refuse(request, planned, error)?,
        }
        if interrupt.requested() {
            return Err(stopped(request));
        }
    }
    if !due.is_empty() {
        atomic_file::check_folder(&request.folder)?;
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

/// The instruction sets that unfinished runs were begun with, each with one of those.
///
/// # Errors
/// When a file of a run that tells it cannot be read.
pub fn begun_with<'a>(
    runs: &'a [PlannedRun],
    folder: &Path,
) -> Result<BTreeMap<String, &'a PlannedRun>, Error> {
    let mut sets = BTreeMap::new();
    for planned in runs {
        let run = planned.folder(folder);
        // One without a checkpoint begins again.
        if !run.state().exists() || !matches!(run.read_result(), Ok(None)) {
            continue;
        }
        match run.environment() {
            Ok(environment) => {
                sets.entry(environment.instruction_set).or_insert(planned);
            }
            // Of a damaged one is told when it is its turn.
            Err(error) if error.is_of_folder(run.path()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sets)
}

impl Outcome {
    fn note_end(&mut self, planned: &PlannedRun, result: &RunResult) {
        if result.status == Status::Diverged {
            self.diverged.push(planned.clone());
        }
    }

    /// Notes what is wrong with a run's own folder; anything else is wrong with all.
    fn refuse(
        &mut self,
        request: &Request,
        planned: &PlannedRun,
        error: Error,
    ) -> Result<(), Error> {
        if !error.is_of_folder(planned.folder(&request.folder).path()) {
            return Err(error);
        }
        self.refused.push((planned.clone(), error.to_string()));
        Ok(())
    }
}

/// A run for which nothing is left to do here.
struct EndedBefore {
    result: RunResult,
    was_made_otherwise: bool,
    keeps_less: bool,
}

/// What a run came to for which nothing is left to do here; what is not to be kept of it
/// is removed, if a call that was to do so was stopped before.
fn ended_before(request: &Request, planned: &PlannedRun) -> Result<Option<EndedBefore>, Error> {
    let folder = planned.folder(&request.folder);
    let Some(ended) = Ended::read(planned, &request.folder)? else {
        return Ok(None);
    };
    let result = ended.result;
    let is_done = result.status == Status::Done;
    if is_done && request.evaluates && !is_evaluated(request, planned, &folder)? {
        if folder.model().exists() {
            return Ok(None);
        }
        return Err(Error::RunFolder(format!(
            "{} was kept without its weights, so that it cannot be evaluated; leave --eval out, or name another folder with --runs",
            folder.path().display()
        )));
    }
    if let Some(keep) = request.keep {
        tidy(request, keep, &folder)?;
    }
    let made_with = ended.environment.instruction_set;
    Ok(Some(EndedBefore {
        was_made_otherwise: request.instruction_set.is_some_and(|set| set != made_with),
        keeps_less: is_done && request.keep.is_some_and(|keep| keep.lacks_in(&folder)),
        result,
    }))
}

/// Whether there is an evaluation with the importance samples that are asked for.
fn is_evaluated(
    request: &Request,
    planned: &PlannedRun,
    folder: &RunFolder,
) -> Result<bool, Error> {
    let Some(evaluation) = folder.read_evaluation()? else {
        return Ok(false);
    };
    let samples = nll_samples(request, planned)?.map(|samples| samples.to_string());
    Ok(samples.is_none_or(|samples| evaluation["nll"][samples].is_object()))
}

/// The importance samples of a run's evaluation, if it is of a model that has any.
fn nll_samples(request: &Request, planned: &PlannedRun) -> Result<Option<usize>, Error> {
    let is_variational = planned.configuration.model_spec()?.kind.is_variational();
    Ok(request.nll_samples.filter(|_| is_variational))
}

/// Removes what is not to be kept, unless another process is at it.
fn tidy(request: &Request, keep: Keep, folder: &RunFolder) -> Result<(), Error> {
    match keep.remove_others(folder, &request.command) {
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
    /// Another process has it, which is known to live or was last seen so long ago.
    Taken { seen: Option<Duration> },
    /// Its folder is damaged or holds something else.
    Refused(Error),
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
                    Fate::Taken { seen: None } => outcome.elsewhere.push(planned.clone()),
                    Fate::Taken { seen: Some(seen) } => doubtful.push(Doubtful { place, seen }),
                    Fate::Refused(error) => outcome.refuse(self.request, planned, error)?,
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
            |index, share, interrupt| {
                let place = places[index];
                let folder = self.request.runs[place].folder(&self.request.folder);
                match self.complete_one(place, share, interrupt) {
                    Err(error) if error.is_of_folder(folder.path()) => Ok(Fate::Refused(error)),
                    fate => fate,
                }
            },
        );
        match fates {
            _ if self.interrupt.requested() => Err(stopped(self.request)),
            fates => fates,
        }
    }

    fn due(&self, place: usize) -> Result<Due, Error> {
        let planned = &self.request.runs[place];
        let due = Due {
            cost: planned.seconds,
            ..Due::training(planned.called(), &planned.configuration, self.dataset)?
        };
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
            keeps_state: self.request.keep == Some(Keep::All),
            folder: folder.clone(),
            command: &self.request.command,
        };
        let total = self.request.runs.len();
        let mut progress = self.observer.training(place, total, planned);
        let (result, was_trained) = match run.complete(interrupt, progress.as_mut()) {
            Ok(done) => (done.result, !done.already_done),
            Err(error @ Error::Diverged { .. }) => (folder.read_result()?.ok_or(error)?, true),
            Err(Error::Taken(LockError::Held { seen, .. })) => return Ok(Fate::Taken { seen }),
            Err(Error::Taken(LockError::Lost { .. })) => {
                return Ok(Fate::Taken {
                    seen: Some(Duration::ZERO),
                });
            }
            Err(error) => return Err(error),
        };
        drop(progress);
        if result.status == Status::Done {
            self.evaluate(&folder, planned, was_trained, share)?;
        }
        let keep = self.request.keep.unwrap_or_default();
        if was_trained || self.request.keep.is_some() {
            tidy(self.request, keep, &folder)?;
        }
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
        if !self.request.evaluates || (!was_trained && is_evaluated(self.request, planned, folder)?)
        {
            return Ok(());
        }
        let request = report::Request {
            folder: folder.clone(),
            split: SplitName::Test,
            subset: None,
            seed: 0,
            treatment: None,
            nll_samples: nll_samples(self.request, planned)?,
            threads: Some(share.threads()),
            location: self.request.location.clone(),
        };
        report::write_of(&request, self.dataset, &()).map(drop)
    }
}
