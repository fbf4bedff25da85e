//! `latent-atlas sweep merge`: what the runs of a plan come to.

use std::path::PathBuf;

use clap::Args;
use sweeps::Plan;
use sweeps::merge::{Absent, Merged, USUAL, merge};
use sweeps::plan::counted;

use crate::output::Output;

/// Gather the numbers of the runs of a plan: mean, deviation and interval over seeds.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Measures are numbers of the last epoch (test.loss, train.kl, …) or, of runs that were trained with
--eval, names of numbers in eval.json, nested ones with dots (active_units, nll.1000.value). Runs
that diverged are in no number and are listed; so are those that are missing or whose folders are
damaged, for which the exit code is 4 and nothing is written without --incomplete. The table depends
on the plan and the runs alone, not on who trained them.

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
        if let Some(path) = &self.output {
            Merged::check_place(path)?;
        }
        let measures = self.measures.iter().map(|name| name.trim().to_owned());
        let measures: Vec<String> = measures.collect();
        let merged = merge(&plan, &self.runs, &measures)?;
        merged.require_any(&self.runs)?;
        if !self.incomplete {
            merged.require_complete()?;
        }
        let absent = merged.missing.iter();
        let (damaged, missing): (Vec<&Absent>, Vec<&Absent>) =
            absent.partition(|run| run.damage.is_some());
        let diverged = merged.diverged.iter().collect();
        for (runs, what) in [
            (missing, "missing"),
            (damaged, "damaged"),
            (diverged, "diverged"),
        ] {
            if let [first, others @ ..] = &runs[..] {
                let and = match others.len() {
                    0 => String::new(),
                    count => format!(" and {count} more"),
                };
                let why = first.damage.as_ref().map(|why| format!(": {why}"));
                output.note(&format!(
                    "{what}: {} seed {}{and}{}",
                    first.model,
                    first.seed,
                    why.unwrap_or_default()
                ));
            }
        }
        let text = match &self.output {
            None => merged.to_csv(),
            Some(path) => {
                merged.write(path)?;
                format!(
                    "{} rows of {}\n{}\n",
                    merged.rows.len(),
                    counted(merged.done),
                    path.display()
                )
            }
        };
        output.result(&merged, &text)
    }
}
