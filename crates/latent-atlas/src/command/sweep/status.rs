//! `latent-atlas sweep status`: how far the runs of a plan are.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use runs::Error;
use sweeps::Plan;
use sweeps::plan::counted;
use sweeps::status::{Place, RunStatus, status};

use super::duration;
use crate::output::Output;

/// Say how far the runs of a plan are; exit code 0 when all have ended, 4 when not.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A run is done, diverged, running (a process is at it, with the age of its last sign of life),
interrupted (begun, and nobody is at it), damaged (its folder is, or holds something else) or
missing.

Examples:
  latent-atlas sweep status plan.jsonl
  latent-atlas sweep status plan.jsonl --runs /scratch/runs --json")]
pub(crate) struct Status {
    /// The plan.
    plan: PathBuf,

    /// Folder of the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

/// Runs of a kind that are listed; --json lists all.
const LISTED: usize = 20;

impl Status {
    pub(super) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let plan = Plan::read(&self.plan)?;
        let found = status(&plan, &self.runs)?;
        output.result(&found, &text(&found))?;
        if found.complete {
            return Ok(());
        }
        let of = |place: Place| found.counts[&place];
        let damaged = of(Place::Damaged);
        let left = found.runs.len() - of(Place::Done) - of(Place::Diverged) - damaged;
        let all = counted(found.runs.len());
        let left = (left > 0).then(|| {
            let have = if left == 1 { "has" } else { "have" };
            format!("{left} of {all} {have} not ended; train them with 'sweep run'")
        });
        let damaged = (damaged > 0).then(|| {
            let are = if damaged == 1 { "is" } else { "are" };
            format!("{damaged} of {all} {are} damaged; mend their folders as is said of each, or remove them to train those runs again")
        });
        let what: Vec<String> = left.into_iter().chain(damaged).collect();
        Err(Error::Incomplete(what.join("; ")).into())
    }
}

fn text(found: &sweeps::status::Status) -> String {
    let counts = Place::ALL
        .into_iter()
        .filter(|place| found.counts[place] > 0)
        .map(|place| format!("{} {}", found.counts[&place], place.name()));
    let mut text = format!(
        "{}: {}\n",
        counted(found.runs.len()),
        counts.collect::<Vec<_>>().join(", ")
    );
    if !found.complete {
        let _ = writeln!(
            text,
            "left: about {} on one thread",
            duration(found.seconds_left)
        );
    }
    for place in [
        Place::Running,
        Place::Interrupted,
        Place::Damaged,
        Place::Diverged,
    ] {
        let mut listed = found.runs.iter().filter(|run| run.status == place);
        for run in listed.by_ref().take(LISTED) {
            let _ = writeln!(text, "{}", line(run));
        }
        let more = listed.count();
        if more > 0 {
            let _ = writeln!(text, "{:<12} and {more} more", place.name());
        }
    }
    if found.instruction_sets.len() > 1 {
        let sets = found.instruction_sets.iter();
        let sets: Vec<String> = sets
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        let _ = writeln!(
            text,
            "made with several instruction sets ({}), which round differently",
            sets.join(", ")
        );
    }
    text
}

fn line(run: &RunStatus) -> String {
    let of = format!("{} {} seed {}", run.id, run.model, run.seed);
    let epochs = format!("epoch {}/{}", run.epochs, run.epochs_planned);
    let what = run.divergence.as_ref().or(run.damage.as_ref());
    let end = match (run.seconds_since_sign_of_life, &run.holder, what) {
        (Some(seconds), Some(holder), _) => {
            format!(
                "{epochs}, last sign of life {} ago by {holder}",
                duration(seconds)
            )
        }
        (_, _, Some(what)) => what.clone(),
        _ => epochs,
    };
    format!("{:<12} {of}: {end}", run.status.name())
}
