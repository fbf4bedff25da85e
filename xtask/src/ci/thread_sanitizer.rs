//! ThreadSanitizer over training on several threads, in the portable kernels: in
//! the others its instrumentation sees nothing.
//!
//! The standard library is built again with it, for which its source must be
//! installed: otherwise whatever a lock of its own hands from thread to thread
//! would be reported. A control with a race must be reported, or nothing was
//! looked at.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context as _, bail};
use trials::Report;

use super::Settings;

const FLAGS: &str = "-Zsanitizer=thread";

/// Tests that train the same on one and on several threads: of whole epochs, and
/// of a few steps of every kind of model.
const TESTS: [&str; 12] = [
    "test",
    "--locked",
    "-p",
    "models",
    "--lib",
    "--test",
    "training",
    "--test",
    "two_layers",
    "--",
    "threads",
    "--test-threads=1",
];

pub(super) fn thread_sanitizer(_: &Settings) -> anyhow::Result<Report> {
    let nightly = Command::new("rustc")
        .args(["+nightly", "--version"])
        .output();
    if !nightly.is_ok_and(|output| output.status.success()) {
        return Ok(Report::skipped("no nightly toolchain is installed"));
    }
    if !has_source_of_std()? {
        return Ok(Report::skipped(
            "no source of the standard library is installed (rustup component add --toolchain \
             nightly rust-src)",
        ));
    }
    let control = control()?;
    if races(&control).is_empty() {
        bail!("the control, which has a race, was not reported: nothing would be");
    }
    let target = host()?;
    let output = Command::new("cargo")
        .arg("+nightly")
        .args(&TESTS[..2])
        .args([
            "-Zbuild-std",
            "--target",
            &target,
            "--target-dir",
            "target/thread-sanitizer",
        ])
        .args(&TESTS[2..])
        .env("RUSTFLAGS", FLAGS)
        .env("TENSOR_OPS_ISA", "scalar")
        .env("TSAN_OPTIONS", "halt_on_error=0 exitcode=0")
        .output()
        .context("cargo could not be started for ThreadSanitizer")?;
    let said = said(&output);
    if !output.status.success() {
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        bail!(
            "the tests under ThreadSanitizer failed: {}",
            last.join(" | ")
        );
    }
    let findings = races(&said);
    Ok(Report {
        tried: said.matches("... ok").count(),
        notes: vec!["the control was reported".into()],
        findings,
        ..Report::default()
    })
}

const WARNING: &str = "WARNING: ThreadSanitizer: data race";

/// What each report says of its two accesses.
fn races(said: &str) -> Vec<String> {
    let reports = said.split(WARNING).skip(1);
    let accesses = reports.map(|report| {
        let lines = report.lines().map(str::trim);
        let accesses = lines.filter(|line| line.starts_with("#0 ")).take(2);
        accesses.collect::<Vec<_>>().join(" and ")
    });
    accesses.collect()
}

fn said(output: &Output) -> String {
    let streams = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&streams).into_owned()
}

/// Whether the nightly toolchain has what the standard library is built from.
fn has_source_of_std() -> anyhow::Result<bool> {
    let output = Command::new("rustc")
        .args(["+nightly", "--print", "sysroot"])
        .output()?;
    let root = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok(root.join("lib/rustlib/src/rust/library/std").is_dir())
}

/// The target that this machine is.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").args(["+nightly", "-vV"]).output()?;
    let text = said(&output);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

/// What ThreadSanitizer says of two threads that meet at a relaxed barrier.
fn control() -> anyhow::Result<String> {
    let place = tempfile::tempdir()?;
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("control/relaxed_barrier.rs");
    let program = place.path().join("control");
    let output = Command::new("rustc")
        .args([
            "+nightly",
            "--edition=2024",
            "-O",
            "-g",
            "--crate-name=control",
            "-Cunsafe-allow-abi-mismatch=sanitizer",
        ])
        .args(FLAGS.split(' '))
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .output()?;
    if !output.status.success() {
        bail!("the control could not be built: {}", said(&output));
    }
    Ok(said(&Command::new(&program).output()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_by_its_two_accesses() {
        let report = |first: &str, second: &str| {
            format!(
                "{WARNING} (pid=1)\n  Write of size 4 at 0x1 by thread T2:\n    #0 {first} a.rs:1\n    #1 main\n\n  Previous read of size 4 at 0x1 by thread T1:\n    #0 {second} b.rs:2\n\n"
            )
        };
        let said = report("exchange::put", "exchange::take") + &report("a", "b");
        assert_eq!(
            races(&said),
            [
                "#0 exchange::put a.rs:1 and #0 exchange::take b.rs:2",
                "#0 a a.rs:1 and #0 b b.rs:2"
            ]
        );
        assert!(races("test threads ... ok").is_empty());
    }
}
