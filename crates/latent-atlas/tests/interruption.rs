//! Work that is killed or asked to stop goes on to what it would have been, byte
//! by byte. Many more of each: `cargo xtask ci --full`.

#![cfg(unix)]

use std::time::Duration;

use trials::job::Job;
use trials::kills::kills;
use trials::process::Program;
use trials::signals::signals;

fn program() -> Program {
    Program::at(assert_cmd::cargo::cargo_bin!("latent-atlas"))
}

#[test]
fn killed_work_ends_in_the_same_bytes() {
    let program = program();
    let jobs = Job::all().expect("a place for images");
    let report = kills(&program, &jobs, 4, 1).expect("undisturbed work ends well");
    assert!(report.tried >= 12, "{report}");
    assert!(report.findings.is_empty(), "{report}");
}

#[test]
fn a_signal_ends_work_in_a_checkpoint() {
    let program = program();
    let jobs = Job::all().expect("a place for images");
    // Two seconds on a quiet machine.
    let limit = Duration::from_secs(10);
    let report = signals(&program, &jobs, 1, limit, 1).expect("undisturbed work ends well");
    assert_eq!(report.tried, 5 * 4, "{report}");
    assert!(report.findings.is_empty(), "{report}");
}
