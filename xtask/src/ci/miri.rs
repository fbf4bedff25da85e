//! Miri over the portable kernels, the threads that share memory, and models with
//! a few steps of each kind.
//!
//! Threads are not also run under loom: who waits and who wakes agree through
//! sequentially consistent accesses, which loom takes for acquire and release, so
//! that it would report wakes as lost that are not.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use trials::Report;

use super::Settings;

/// What Miri takes for faults in rayon and crossbeam, which we do not answer
/// for: the rules of stacked borrows, addresses kept as numbers, and threads
/// that live as long as the process. Functions of `std` round as on a machine,
/// not otherwise in every call, or no two runs would have the same bits.
const FLAGS: &str = "-Zmiri-disable-isolation -Zmiri-tree-borrows \
                     -Zmiri-permissive-provenance -Zmiri-ignore-leaks \
                     -Zmiri-deterministic-floats";

pub(super) fn miri(settings: &Settings) -> anyhow::Result<Report> {
    let installed = Command::new("cargo")
        .args(["+nightly", "miri", "--version"])
        .stderr(Stdio::null())
        .output();
    if !installed.is_ok_and(|output| output.status.success()) {
        return Ok(Report::skipped("no Miri is installed"));
    }
    let mut command = Command::new("cargo");
    command
        .args([
            "+nightly",
            "miri",
            "test",
            "--locked",
            "-p",
            "tensor-ops",
            "-p",
            "models",
            "--lib",
        ])
        .env("MIRIFLAGS", FLAGS)
        .env("TENSOR_OPS_ISA", "scalar");
    if settings.output.json() {
        command.stdout(std::io::stderr());
    }
    let status = command
        .status()
        .context("cargo could not be started for Miri")?;
    if !status.success() {
        bail!("Miri found a fault in tensor-ops or models ({status})");
    }
    Ok(Report {
        tried: 1,
        ..Report::default()
    })
}
