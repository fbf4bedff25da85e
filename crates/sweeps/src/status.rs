//! How far the runs of a plan are.

use std::collections::BTreeMap;
use std::path::Path;

use runs::environment::Environment;
use runs::run_folder::Status as End;
use runs::{Error, Standing};
use serde::Serialize;

use crate::ended::{Ended, require_folder};
use crate::plan::{Plan, PlannedRun};

/// How far all of them are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Whether every run has ended.
    pub complete: bool,
    /// How many stand where.
    pub counts: BTreeMap<Place, usize>,
    /// Seconds that what is left is expected to take on one thread of the machine that
    /// the plan was made on.
    pub seconds_left: f64,
    /// Instruction sets that ended runs were made with, and how many with each: several
    /// round differently.
    pub instruction_sets: BTreeMap<String, usize>,
    /// Each run.
    pub runs: Vec<RunStatus>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// It is done.
    Done,
    /// It has ended because its loss was no longer finite.
    Diverged,
    /// A process is at it.
    Running,
    /// It has begun, and no process is at it.
    Interrupted,
    /// Its folder is damaged or holds something else.
    Damaged,
    /// It has not begun.
    Missing,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunStatus {
    /// Its name.
    pub id: String,
    /// Its folder below that of all runs.
    pub run: String,
    /// What it is one of several seeds of.
    pub model: String,
    /// Its seed.
    pub seed: u64,
    /// Where it stands.
    pub status: Place,
    /// Epochs completed.
    pub epochs: usize,
    /// Epochs it is to have.
    pub epochs_planned: usize,
    /// Of a run that a process is at, which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// And how long ago that gave its last sign of life, by the clocks of the file
    /// system and of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_since_sign_of_life: Option<f64>,
    /// Of a run that diverged, where and in what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<String>,
    /// Of one whose folder is damaged, in a sentence how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

impl Place {
    /// Every one, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Diverged,
        Self::Running,
        Self::Interrupted,
        Self::Damaged,
        Self::Missing,
    ];

    /// `done`, `diverged`, `running`, `interrupted`, `damaged` or `missing`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Diverged => "diverged",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Damaged => "damaged",
            Self::Missing => "missing",
        }
    }

    fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Diverged)
    }
}

/// Looks at all runs, which are in `folder`, and changes nothing.
///
/// # Errors
/// When `folder` is none, or the disk cannot be read.
pub fn status(plan: &Plan, folder: &Path) -> Result<Status, Error> {
    require_folder(folder)?;
    let mut counts: BTreeMap<Place, usize> = Place::ALL.into_iter().map(|at| (at, 0)).collect();
    let mut instruction_sets = BTreeMap::new();
    let mut seconds_left = 0.0;
    let mut runs = Vec::with_capacity(plan.runs.len());
    for planned in &plan.runs {
        let (run, environment) = RunStatus::of(planned, folder)?;
        *counts.entry(run.status).or_default() += 1;
        if let Some(environment) = environment {
            let set = environment.instruction_set;
            let sets = std::iter::once(set).chain(environment.continued_on);
            for set in sets {
                *instruction_sets.entry(set).or_default() += 1;
            }
        } else {
            let done = run.epochs as f64 / run.epochs_planned.max(1) as f64;
            seconds_left += planned.seconds * (1.0 - done.min(1.0));
        }
        runs.push(run);
    }
    Ok(Status {
        complete: runs.iter().all(|run| run.status.has_ended()),
        counts,
        seconds_left,
        instruction_sets,
        runs,
    })
}

impl RunStatus {
    /// With what a run that has ended was made with.
    fn of(planned: &PlannedRun, folder: &Path) -> Result<(Self, Option<Environment>), Error> {
        let mut status = Self {
            id: planned.id.clone(),
            run: planned.run.clone(),
            model: planned.model.clone(),
            seed: planned.seed,
            status: Place::Missing,
            epochs: 0,
            epochs_planned: planned.configuration.training.epochs,
            holder: None,
            seconds_since_sign_of_life: None,
            divergence: None,
            damage: None,
        };
        let run = planned.folder(folder);
        let (standing, environment) = match look(planned, folder) {
            Err(error) if error.is_of_folder(run.path()) => {
                status.status = Place::Damaged;
                status.damage = Some(error.to_string());
                return Ok((status, None));
            }
            seen => seen?,
        };
        match standing {
            Standing::Missing => {}
            Standing::Interrupted { epochs } => {
                status.status = Place::Interrupted;
                status.epochs = epochs;
            }
            Standing::Running { holder, epochs } => {
                status.status = Place::Running;
                status.epochs = epochs;
                status.seconds_since_sign_of_life = Some(holder.age().as_secs_f64());
                status.holder = Some(holder.name);
            }
            Standing::Ended(result) => {
                status.status = match result.status {
                    End::Done => Place::Done,
                    End::Diverged => Place::Diverged,
                };
                status.epochs = result.epochs;
                status.divergence = result.divergence;
            }
        }
        Ok((status, environment))
    }
}

/// Where a run stands and, where it has ended, what it was made with.
fn look(planned: &PlannedRun, folder: &Path) -> Result<(Standing, Option<Environment>), Error> {
    // In this order: one that ends in between has ended.
    let standing = match Ended::read(planned, folder)? {
        Some(ended) => return Ok((Standing::Ended(ended.result), Some(ended.environment))),
        None => planned.folder(folder).standing()?,
    };
    match standing {
        Standing::Ended(_) => look(planned, folder),
        standing => Ok((standing, None)),
    }
}
