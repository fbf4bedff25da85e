//! The trials of the program, each with its numbers.

use std::path::Path;
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
        None => cargo::built("latent-atlas", &[], settings.output.json())?,
    };
    Ok(Program::at(path))
}

/// A trial that shares its tries among the jobs.
fn shared(
    settings: &Settings,
    trial: fn(&Program, &[Job], usize, u64) -> anyhow::Result<Report>,
) -> anyhow::Result<Report> {
    let jobs = Job::all()?;
    let each = settings.count.div_ceil(jobs.len());
    trial(&program(settings)?, &jobs, each, settings.seed)
}

pub(super) fn kills(settings: &Settings) -> anyhow::Result<Report> {
    shared(settings, trials::kills::kills)
}

pub(super) fn power_cuts(settings: &Settings) -> anyhow::Result<Report> {
    shared(settings, trials::power_cuts::power_cuts)
}

pub(super) fn two_writers(settings: &Settings) -> anyhow::Result<Report> {
    shared(settings, trials::two_writers::two_writers)
}

pub(super) fn full_disk(settings: &Settings) -> anyhow::Result<Report> {
    shared(settings, trials::full_disk::full_disk)
}

pub(super) fn signals(settings: &Settings) -> anyhow::Result<Report> {
    let program = program(settings)?;
    let jobs = Job::all()?;
    trials::signals::signals(&program, &jobs, settings.count, LIMIT, settings.seed)
}

/// The script that starts a Slurm of this machine alone.
const ONE_NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/trials/slurm/one-node.sh");

pub(super) fn slurm(settings: &Settings) -> anyhow::Result<Report> {
    trials::engines::slurm::slurm(&program(settings)?, Path::new(ONE_NODE))
}

pub(super) fn parallel(settings: &Settings) -> anyhow::Result<Report> {
    trials::engines::parallel::parallel(&program(settings)?, Path::new(ONE_NODE))
}

pub(super) fn bit_flips(settings: &Settings) -> anyhow::Result<Report> {
    trials::bit_flips::bit_flips(&program(settings)?, settings.count, settings.seed)
}
