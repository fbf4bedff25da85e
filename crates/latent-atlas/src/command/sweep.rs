//! `latent-atlas sweep`: many runs, here or on an engine that exists.

mod emit;
mod merge;
mod plan;
mod run;
mod status;

use clap::{Args, Subcommand};

use crate::Invocation;
use crate::output::Output;

/// Train many runs, on this machine or on a cluster, and gather what they come to.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A plan is a file with a line for each run. Processes that have the plan and the folder of the
runs, on one machine or on many, need to know nothing of each other: what is finished is left
alone, what was interrupted goes on, and no two are at one run. 'figures' and 'reproduce' find
these runs and train none of them again. docs/SWEEPS.md has recipes for Slurm, GNU parallel,
Optuna, Snakemake and others.

Examples:
  latent-atlas sweep plan lab dimensions --dataset mnist --seeds 20 -o plan.jsonl
  latent-atlas sweep run plan.jsonl --shard 0/2
  latent-atlas sweep status plan.jsonl
  latent-atlas sweep merge plan.jsonl -o table.csv
  latent-atlas sweep emit slurm plan.jsonl > sweep.sh")]
pub struct Sweep {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Plan(Box<plan::Plan>),
    Run(Box<run::Run>),
    Status(status::Status),
    Merge(merge::Merge),
    Emit(Box<emit::Emit>),
}

impl Sweep {
    pub(crate) fn run(&self, output: &Output, invocation: &Invocation) -> anyhow::Result<()> {
        match &self.action {
            Action::Plan(plan) => plan.run(output, invocation.program),
            Action::Run(run) => run.run(output, &invocation.command),
            Action::Status(status) => status.run(output),
            Action::Merge(merge) => merge.run(output),
            Action::Emit(emit) => emit.run(output),
        }
    }
}

/// Seconds in words.
fn duration(seconds: f64) -> String {
    match seconds {
        ..0.95 => format!("{seconds:.1} s"),
        ..119.5 => format!("{seconds:.0} s"),
        ..7170.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_that_suits_them() {
        for (seconds, words) in [
            (0.25, "0.2 s"),
            (1.4, "1 s"),
            (119.0, "119 s"),
            (120.0, "2 min"),
            (7200.0, "2.0 h"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }
}
