//! `latent-atlas runs`: many runs at once.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use runs::gather::{Gathered, USUAL, gather};

use crate::output::Output;

/// Gather the numbers of many runs.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Measures are names of numbers in eval.json, nested ones with dots. Settings that differ between the
runs have columns of their own.

Examples:
  latent-atlas runs table runs/ -o runs.csv
  latent-atlas runs table runs/a runs/b --measures loss,kl,nll.100.value")]
pub struct Runs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One table of the runs at and below some folders.
    Table(Table),
}

#[derive(Debug, Args)]
struct Table {
    /// Folders of runs, or runs.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,

    /// Numbers of eval.json, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = USUAL)]
    measures: Vec<String>,

    /// Write the table to this .csv or .json (in a build with the feature
    /// .parquet too) instead of printing it as CSV.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Runs {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        match &self.action {
            Action::Table(table) => table.run(output),
        }
    }
}

impl Table {
    fn run(&self, output: &Output) -> anyhow::Result<()> {
        if let Some(path) = &self.output {
            Gathered::check_place(path)?;
        }
        let gathered = gather(&self.folders, &self.measures)?;
        remark(&gathered, output);
        let text = match &self.output {
            None => gathered.to_csv(),
            Some(path) => {
                gathered.write(path)?;
                format!("{} runs\n{}\n", gathered.rows.len(), path.display())
            }
        };
        output.result(&gathered, &text)
    }
}

fn remark(gathered: &Gathered, output: &Output) {
    let (missing, all) = (gathered.not_evaluated.len(), gathered.rows.len());
    if missing > 0 {
        output.note(&format!(
            "{missing} of {all} runs have no eval.json and so no measures; 'latent-atlas eval RUN' writes it"
        ));
    }
}
