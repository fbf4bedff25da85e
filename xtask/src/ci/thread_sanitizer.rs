//! ThreadSanitizer over training on several threads, in the portable kernels: in
//! the others its instrumentation sees nothing.
//!
//! The standard library is not built again, so that what it hands from thread to
//! thread by itself is reported too; what counts are reports in which both sides
//! are in our own crates. A control with a race of that kind must be among them,
//! or nothing was looked at.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context as _, bail};
use trials::Report;

use super::Settings;

const FLAGS: &str = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";

/// Tests that train the same on one and on several threads: of whole epochs, and
/// of a few steps of every kind of model.
const TESTS: [&str; 10] = [
    "test",
    "--locked",
    "-p",
    "models",
    "--lib",
    "--test",
    "training",
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
    let control = control()?;
    if races(&control, "control").is_empty() {
        bail!("the control, which has a race, was not reported: nothing would be");
    }
    let target = host()?;
    let output = Command::new("cargo")
        .arg("+nightly")
        .args(&TESTS[..2])
        .args([
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
    let findings: Vec<String> = ["tensor_ops", "models"]
        .iter()
        .flat_map(|name| races(&said, name))
        .collect();
    let all = said.matches(WARNING).count();
    Ok(Report {
        tried: said.matches("... ok").count(),
        notes: vec![format!(
            "the control was reported; of the tests, {all} reports, {} of them in our crates",
            findings.len()
        )],
        findings,
        ..Report::default()
    })
}

const WARNING: &str = "WARNING: ThreadSanitizer: data race";

/// The reports of which both accesses are in functions of this crate, by these.
fn races(said: &str, name: &str) -> Vec<String> {
    let of_crate = |line: &&str| line.contains(&format!("{name}::"));
    said.split(WARNING)
        .skip(1)
        .filter_map(|report| {
            let accesses: Vec<&str> = report
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("#0 "))
                .take(2)
                .collect();
            let all = accesses.len() == 2 && accesses.iter().all(of_crate);
            all.then(|| accesses.join(" and "))
        })
        .collect()
}

fn said(output: &Output) -> String {
    let streams = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&streams).into_owned()
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
    fn races_of_our_own_are_told_from_those_of_the_standard_library() {
        let report = |first: &str, second: &str| {
            format!(
                "{WARNING} (pid=1)\n  Write of size 4 at 0x1 by thread T2:\n    #0 {first} a.rs:1\n    #1 main\n\n  Previous read of size 4 at 0x1 by thread T1:\n    #0 {second} b.rs:2\n\n"
            )
        };
        let said = report("models::exchange::put", "models::exchange::take")
            + &report("models::exchange::put", "std::sync::mpmc::recv");
        assert_eq!(races(&said, "models").len(), 1);
        assert!(races(&said, "tensor_ops").is_empty());
    }
}
