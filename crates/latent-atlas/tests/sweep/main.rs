//! Many runs by several processes: what they come to does not depend on who trained
//! them, on kills and signals, or on who looks; and nothing is trained twice.

mod folders;
mod keep;
mod plans;
mod processes;
mod shards;
#[path = "../tiny/mod.rs"]
mod tiny;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;
use trials::contents;

use crate::tiny::{folder, json, program, succeed};

/// A study of four runs.
pub(crate) const STUDY: &str = r#"
title = "Two of a kind"
seeds = 2
measures = ["loss"]
figures = ["training"]
[base]
model.latent = 2
model.hidden = [12]
training.epochs = 3
training.batch = 60
[models.ae]
model.kind = "ae"
[models.vae]
model.kind = "vae"
"#;

/// The folder with data and a plan of the study.
pub(crate) fn planned(study: &str) -> TempDir {
    let folder = folder();
    fs::write(folder.path().join("two.toml"), study).expect("writable");
    plan(folder.path(), &["two.toml"]);
    folder
}

pub(crate) fn plan(folder: &Path, sources: &[&str]) -> Value {
    let document = succeed(
        program(folder)
            .args([
                "sweep",
                "plan",
                "--dataset",
                "idx:tiny",
                "--gflops",
                "10",
                "--json",
            ])
            .args(sources),
    );
    json(&document)
}

pub(crate) fn sweep(folder: &Path, arguments: &str) -> Command {
    let mut command = program(folder);
    command.args(["sweep"]).args(arguments.split(' '));
    command
}

/// Runs a command that is to end with `code`, and returns what it says on stderr.
pub(crate) fn ends_with(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{command:?}: {stderr}");
    stderr
}

pub(crate) fn runs_of(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("plan.jsonl")).expect("a plan");
    text.lines().map(json).collect()
}

pub(crate) fn held(folder: &Path, out: &str) -> contents::Contents {
    let held = contents::of(folder, &[out]).expect("readable");
    assert!(!held.is_empty(), "nothing in {out}");
    let below = |path: PathBuf| path.strip_prefix(out).expect("below it").to_owned();
    held.into_iter()
        .map(|(path, bytes)| (below(path), bytes))
        .collect()
}

pub(crate) fn assert_same(one: &contents::Contents, other: &contents::Contents) {
    assert_eq!(contents::difference(one, other), None);
}

pub(crate) fn table(folder: &Path, runs: &str) -> String {
    succeed(&mut sweep(
        folder,
        &format!("merge plan.jsonl --runs {runs}"),
    ))
}

/// The folder of the run at this place of the plan, below that of all.
pub(crate) fn run_folder(folder: &Path, place: usize) -> String {
    let run = &runs_of(folder)[place]["run"];
    run.as_str().expect("a folder").to_owned()
}
