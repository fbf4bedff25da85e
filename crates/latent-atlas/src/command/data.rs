//! `latent-atlas data`: fetch, verify, find or inspect data sets.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use datasets::{FetchAction, FileStatus, Source};
use serde::Serialize;

use super::inspect::Inspect;
use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;

/// Fetch, verify, find or inspect data sets.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Data sets: glyphs (embedded, nothing to fetch), mnist, fashion-mnist, kmnist, idx:DIR for a folder
with IDX files, raw or .gz, and the path of any folder or file that can be loaded. Without a name,
every published set is meant.

Examples:
  latent-atlas data fetch mnist
  latent-atlas data verify --data-dir ~/datasets
  latent-atlas data path fashion-mnist --json
  latent-atlas data inspect my-pictures/")]
pub struct Data {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Download what is missing, and check SHA-256 of what is there.
    Fetch(Target),
    /// Read data sets completely and compare them with what is published.
    Verify(Target),
    /// Print the folder of data sets, without reading them.
    Path(Target),
    Inspect(Inspect),
}

#[derive(Debug, Args)]
struct Target {
    /// glyphs, mnist, fashion-mnist, kmnist, idx:DIR or a path.
    dataset: Vec<String>,

    #[command(flatten)]
    source: SourceOptions,
}

impl Target {
    fn sources(&self) -> Result<Vec<Source>, runs::Error> {
        let names: Vec<&str> = if self.dataset.is_empty() {
            datasets::named_sets().iter().map(|set| set.name).collect()
        } else {
            self.dataset.iter().map(String::as_str).collect()
        };
        names.into_iter().map(|name| Ok(name.parse()?)).collect()
    }
}

impl Data {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        match &self.action {
            Action::Fetch(target) => fetch(target, output),
            Action::Verify(target) => verify(target, output),
            Action::Path(target) => path(target, output),
            Action::Inspect(inspect) => inspect.run(output),
        }
    }
}

fn fetch(target: &Target, output: &Output) -> anyhow::Result<()> {
    // The lookup hears it.
    crate::interrupt()?;
    let mut progress = DownloadProgress::new(*output);
    let mut reports = Vec::new();
    let mut text = String::new();
    for source in target.sources()? {
        let report = datasets::fetch(&source, &target.source.lookup(), &mut |event| {
            progress.report(event);
        })
        .map_err(runs::Error::from)?;
        match &report.folder {
            Some(folder) => {
                let downloaded = report
                    .files
                    .iter()
                    .filter(|file| file.action == FetchAction::Downloaded)
                    .count();
                writeln!(
                    text,
                    "{}: {} ({downloaded} downloaded, {} already there, all verified)",
                    report.dataset,
                    folder.display(),
                    report.files.len() - downloaded
                )?;
            }
            None => writeln!(text, "{}: embedded, nothing to fetch", report.dataset)?,
        }
        reports.push(report);
    }
    print(output, &reports, &text)
}

fn verify(target: &Target, output: &Output) -> anyhow::Result<()> {
    let mut reports = Vec::new();
    let mut text = String::new();
    let mut problems = Vec::new();
    for source in target.sources()? {
        let report =
            datasets::verify(&source, &target.source.lookup()).map_err(runs::Error::from)?;
        let counts = report.counts.map_or_else(String::new, |[train, test]| {
            format!(": {train} training and {test} test images")
        });
        writeln!(text, "{}{counts}", report.dataset)?;
        for file in &report.files {
            writeln!(
                text,
                "  {:<12} {}",
                status_word(file.status),
                file.path.display()
            )?;
        }
        if let Some(fingerprint) = &report.fingerprint {
            writeln!(text, "  fingerprint  {fingerprint}")?;
        }
        problems.extend(report.problems.iter().cloned());
        reports.push(report);
    }
    print(output, &reports, &text)?;
    match problems.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => {
            for problem in rest {
                output.note(&format!("error: {problem}"));
            }
            Err(runs::Error::Configuration(first.clone()).into())
        }
    }
}

fn path(target: &Target, output: &Output) -> anyhow::Result<()> {
    let mut reports = Vec::new();
    let mut text = String::new();
    for source in target.sources()? {
        let report = datasets::path(&source, &target.source.lookup()).map_err(runs::Error::from)?;
        match &report.folder {
            Some(folder) => writeln!(text, "{}", folder.display())?,
            None => writeln!(text, "{} is embedded and has no folder", report.dataset)?,
        }
        reports.push(report);
    }
    print(output, &reports, &text)
}

fn status_word(status: FileStatus) -> &'static str {
    match status {
        FileStatus::Published => "as published",
        FileStatus::Recompressed => "recompressed",
        FileStatus::Readable => "readable",
        FileStatus::Altered => "ALTERED",
        FileStatus::Damaged => "DAMAGED",
    }
}

fn print(output: &Output, reports: &[impl Serialize], text: &str) -> anyhow::Result<()> {
    output.result(&reports, text)
}
