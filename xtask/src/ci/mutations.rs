//! Changed files for every reader, on all cores.

use std::process::Command;
use std::thread::available_parallelism;

use trials::Report;

use super::{Settings, cargo};

pub(super) fn mutations(settings: &Settings) -> anyhow::Result<Report> {
    let program = cargo::built("readers", &["parquet"], settings.output.json())?;
    let jobs = available_parallelism().map_or(1, usize::from);
    let mut command = Command::new(program);
    command
        .args(["mutate", "--count", &settings.count.to_string()])
        .args(["--seed", &settings.seed.to_string()])
        .args(["--jobs", &jobs.to_string()]);
    if settings.output.json() {
        command.stdout(std::io::stderr());
    }
    let status = command.status()?;
    let mut report = Report {
        tried: settings.count,
        ..Report::default()
    };
    if !status.success() {
        report
            .findings
            .push("a reader does not stand its changed files; see above".into());
    }
    Ok(report)
}
