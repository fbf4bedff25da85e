//! A sweep on engines that exist: what its processes come to while tasks are requeued,
//! killed and started again is what one process on this machine comes to.

pub mod parallel;
pub mod slurm;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::contents::{self, Contents};
use crate::images;
use crate::process::Program;

/// A study of twenty-four runs of a second or two.
const STUDY: &str = r#"
title = "Two of a kind"
seeds = 12
measures = ["reconstruction"]
figures = ["training"]
[base]
model.latent = 2
model.hidden = [48]
training.epochs = 250
training.batch = 40
[models.ae]
model.kind = "ae"
[models.vae]
model.kind = "vae"
"#;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// A plan, and what it comes to when nothing disturbs it.
struct Sweep {
    place: tempfile::TempDir,
    program: Program,
    table: Vec<u8>,
    runs: Contents,
}

impl Sweep {
    /// Plans the study and trains it in one process.
    fn new(program: &Program) -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        let folder = place.path();
        let data = images::write(folder)?;
        fs::write(folder.join("study.toml"), STUDY)?;
        let run = |line: &str| program.run(folder, &words(line))?.well();
        run(&format!(
            "sweep plan study.toml --dataset {data} -o plan.jsonl"
        ))?;
        run("sweep run plan.jsonl --runs alone --keep all --checkpoint-every 100ms --quiet")?;
        run("sweep merge plan.jsonl --runs alone -o alone.csv")?;
        Ok(Self {
            table: fs::read(folder.join("alone.csv"))?,
            runs: contents::of(folder, &["alone"])?,
            program: program.clone(),
            place,
        })
    }

    fn folder(&self) -> &Path {
        self.place.path()
    }

    /// Writes the script of an engine, whose processes work in `runs`.
    fn emit(&self, engine: &str, shards: usize) -> anyhow::Result<PathBuf> {
        let line = format!(
            "sweep emit {engine} plan.jsonl --runs runs --shards {shards} --cores 1 --keep all -o sweep.sh"
        );
        self.program.run(self.folder(), &words(&line))?.well()?;
        Ok(self.folder().join("sweep.sh"))
    }

    /// Whether all runs have ended.
    fn is_complete(&self) -> anyhow::Result<bool> {
        let line = words("sweep status plan.jsonl --runs runs");
        let ended = self.program.run(self.folder(), &line)?;
        match ended.status.code() {
            Some(0) => Ok(true),
            Some(4) => Ok(false),
            _ => {
                ended.well()?;
                bail!("status ended with a code that it does not have")
            }
        }
    }

    /// Folders of runs that have begun and not ended.
    fn under_way(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder().join("runs"));
        let folders = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let is_under_way = |run: &PathBuf| {
            let has_begun =
                fs::metadata(run.join("metrics.jsonl")).is_ok_and(|file| file.len() > 0);
            has_begun && !run.join("result.json").exists()
        };
        folders.filter(is_under_way).collect()
    }

    /// How the runs and their table differ from those of one process.
    fn differences(&self) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        let line = words("sweep merge plan.jsonl --runs runs -o merged.csv");
        self.program.run(self.folder(), &line)?.well()?;
        if fs::read(self.folder().join("merged.csv"))? != self.table {
            found.push("the merged table is another one".to_owned());
        }
        let of = |contents: &Contents, folder: &str| -> Contents {
            let files = contents.iter();
            files
                .filter_map(|(path, bytes)| {
                    let below = path.strip_prefix(folder).ok()?;
                    Some((below.to_owned(), bytes.clone()))
                })
                .collect()
        };
        let own = of(&contents::of(self.folder(), &["runs"])?, "runs");
        found.extend(contents::difference(&own, &of(&self.runs, "alone")));
        Ok(found)
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Runs a line of bash in a folder.
fn shell(folder: &Path, line: &str) -> anyhow::Result<Output> {
    Command::new("bash")
        .args(["-c", line])
        .current_dir(folder)
        .env_remove("SLURM_CPUS_PER_TASK")
        .stdin(Stdio::null())
        .output()
        .context("bash cannot be started")
}

/// The same, which must succeed.
fn shell_well(folder: &Path, line: &str) -> anyhow::Result<String> {
    let output = shell(folder, line)?;
    if !output.status.success() {
        bail!(
            "'{line}' ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Waits until something holds.
fn wait_for(what: &str, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !holds()? {
        if began.elapsed() > PATIENCE {
            bail!("{what} did not come within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
