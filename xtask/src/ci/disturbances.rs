//! The trials of the program, each with its numbers.

use std::time::Duration;

use trials::Report;
use trials::job::Job;
use trials::process::Program;

use super::{Settings, cargo};

/// How long a signal may be without effect.
const LIMIT: Duration = Duration::from_secs(2);

fn program(settings: &Settings) -> anyhow::Result<Program> {
    let path = match &settings.program {
        // Its processes work in folders of their own.
        Some(path) => path.canonicalize()?,
        None => cargo::built("latent-atlas", &[], settings.json)?,
    };
    Ok(Program::at(path))
}

/// So many in all, shared by the jobs.
fn each(settings: &Settings, jobs: &[Job]) -> usize {
    settings.count.div_ceil(jobs.len())
}

pub(super) fn kills(settings: &Settings) -> anyhow::Result<Report> {
    let program = program(settings)?;
    let jobs = Job::all(&program)?;
    trials::kills::kills(&program, &jobs, each(settings, &jobs), settings.seed)
}

pub(super) fn power_cuts(settings: &Settings) -> anyhow::Result<Report> {
    let program = program(settings)?;
    let jobs = Job::all(&program)?;
    trials::power_cuts::power_cuts(&program, &jobs, each(settings, &jobs), settings.seed)
}

pub(super) fn two_writers(settings: &Settings) -> anyhow::Result<Report> {
    let program = program(settings)?;
    let jobs = Job::all(&program)?;
    trials::two_writers::two_writers(&program, &jobs, each(settings, &jobs), settings.seed)
}

pub(super) fn full_disk(settings: &Settings) -> anyhow::Result<Report> {
    let program = program(settings)?;
    let jobs = Job::all(&program)?;
    trials::full_disk::full_disk(&program, &jobs, each(settings, &jobs), settings.seed)
}

pub(super) fn signals(settings: &Settings) -> anyhow::Result<Report> {
    let program = program(settings)?;
    let jobs = Job::all(&program)?;
    trials::signals::signals(&program, &jobs, settings.count, LIMIT, settings.seed)
}

pub(super) fn bit_flips(settings: &Settings) -> anyhow::Result<Report> {
    trials::bit_flips::bit_flips(&program(settings)?, settings.count, settings.seed)
}
