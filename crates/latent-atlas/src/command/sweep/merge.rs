//! `latent-atlas sweep merge`: what the runs of a plan come to.

use std::path::PathBuf;

use clap::Args;
use sweeps::Plan;
use sweeps::merge::{USUAL, merge};

use crate::output::Output;

/// Gather the numbers of the runs of a plan: mean, deviation and interval over seeds.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Measures are numbers of the last epoch (test.loss, train.kl, …) or, of runs that were trained with
--eval, names of numbers in eval.json, nested ones with dots (active_units, nll.1000.value). Runs
that diverged are in no number and are listed; so are those that are missing, for which the exit
code is 4 and nothing is written without --incomplete. The table depends on the plan and the runs
alone, not on who trained them.

Examples:
  latent-atlas sweep merge plan.jsonl
  latent-atlas sweep merge plan.jsonl --measures test.loss,active_units -o table.csv
  latent-atlas sweep merge plan.jsonl --incomplete --json")]
pub(crate) struct Merge {
    /// The plan.
    plan: PathBuf,

    /// Folder of the runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,

    /// Numbers to gather, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = USUAL)]
    measures: Vec<String>,

    /// Gather those that have ended, though others are missing.
    #[arg(long)]
    incomplete: bool,

    /// Write the table to this .csv or .json instead of printing it as CSV.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Merge {
    pub(super) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let plan = Plan::read(&self.plan)?;
        let merged = merge(&plan, &self.runs, &self.measures)?;
        if !self.incomplete {
            merged.require_complete()?;
        }
        for (runs, what) in [(&merged.missing, "missing"), (&merged.diverged, "diverged")] {
            if let Some(first) = runs.first() {
                let and = match runs.len() {
                    1 => String::new(),
                    count => format!(" and {} more", count - 1),
                };
                output.note(&format!("{what}: {} seed {}{and}", first.model, first.seed));
            }
        }
        let text = match &self.output {
            None => merged.to_csv(),
            Some(path) => {
                merged.write(path)?;
                format!(
                    "{} rows of {} runs\n{}\n",
                    merged.rows.len(),
                    merged.done,
                    path.display()
                )
            }
        };
        output.result(&merged, &text)
    }
}
