//! What is interrupted: commands that take a few seconds, and how each goes on.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::contents::{self, Contents};
use crate::images;
use crate::process::Program;

/// A command, and how it goes on.
#[derive(Debug)]
pub struct Job {
    /// What findings call it.
    pub name: &'static str,
    command: Vec<String>,
    /// How it goes on where that is another command, once the file is there.
    resumed: Option<(&'static str, Vec<String>)>,
    /// The folders of its results.
    pub results: &'static [&'static str],
    /// The images, in one place: runs name it.
    _data: tempfile::TempDir,
    /// A file that is there once there is something to go on with.
    pub begun: &'static str,
}

/// What a job ends in when nothing disturbs it.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Its results.
    pub contents: Contents,
    /// How long it took.
    pub duration: Duration,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

const STUDY: &str = r#"
title = "Narrow and wide"
seeds = 1
measures = ["reconstruction"]
figures = ["reconstructions", "codes", "training"]
[base]
model.kind = "vae"
model.latent = 2
training.epochs = 25
training.batch = 50
[models.narrow]
model.hidden = [8]
[models.wide]
model.hidden = [40]
"#;

impl Job {
    /// Training of a run of some seconds that often writes checkpoints.
    ///
    /// # Errors
    /// When its images cannot be written.
    pub fn train() -> anyhow::Result<Self> {
        let often = "--checkpoint-every 100ms";
        let data = tempfile::tempdir()?;
        let images = images::write(data.path())?;
        let command = format!(
            "train {images} --hidden 48 --latent 2 --batch 40 --epochs 100 --out run {often}"
        );
        Ok(Self {
            name: "train",
            command: words(&command),
            resumed: Some((
                "run/config.toml",
                words(&format!("train --resume run {often}")),
            )),
            results: &["run"],
            _data: data,
            begun: "run/config.toml",
        })
    }

    /// The figures of a small study.
    ///
    /// # Errors
    /// When its images cannot be written.
    pub fn figures() -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let images = images::write(data.path())?;
        Ok(Self {
            name: "figures",
            command: words(&format!(
                "figures --study small.toml --dataset {images} --out figures --runs runs"
            )),
            resumed: None,
            results: &["figures", "runs"],
            _data: data,
            begun: "runs",
        })
    }

    /// A published table of several runs, on few images.
    ///
    /// # Errors
    /// When these cannot be written.
    pub fn reproduce() -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let images = images::write(data.path())?;
        Ok(Self {
            name: "reproduce",
            command: words(&format!(
                "reproduce iwae-table1 --k 1,3 --seed 42,7 --stages 2 --dataset {images} --subset 30 --nll-samples 20 --out out"
            )),
            resumed: None,
            results: &["out"],
            _data: data,
            begun: "out",
        })
    }

    /// All three.
    ///
    /// # Errors
    /// When their images cannot be written.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        Ok(vec![Self::train()?, Self::figures()?, Self::reproduce()?])
    }

    /// Puts into an empty folder what the job needs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(&self, folder: &Path) -> std::io::Result<()> {
        fs::write(folder.join("small.toml"), STUDY)
    }

    /// The arguments that begin it in `folder`, or go on.
    #[must_use]
    pub fn arguments(&self, folder: &Path, threads: usize) -> Vec<String> {
        let command = match &self.resumed {
            Some((file, resumed)) if folder.join(file).exists() => resumed,
            _ => &self.command,
        };
        let threads = format!("--threads {threads} --quiet");
        command.iter().cloned().chain(words(&threads)).collect()
    }

    /// The arguments that begin it, whatever is there.
    #[must_use]
    pub fn first(&self) -> Vec<String> {
        self.command
            .iter()
            .cloned()
            .chain(words("--quiet"))
            .collect()
    }

    /// Runs it undisturbed.
    ///
    /// # Errors
    /// When it fails.
    pub fn reference(&self, program: &Program) -> anyhow::Result<Reference> {
        let folder = tempfile::tempdir()?;
        self.prepare(folder.path())?;
        let arguments = self.arguments(folder.path(), 1);
        let ended = program.run(folder.path(), &arguments)?.well()?;
        Ok(Reference {
            contents: contents::of(folder.path(), self.results)?,
            duration: ended.after,
        })
    }

    /// Lets what is in `folder` go on to its end, and says how that differs from
    /// the reference or why it did not come to it.
    ///
    /// # Errors
    /// When the program cannot be started, or does not end.
    pub fn finished(
        &self,
        program: &Program,
        folder: &Path,
        threads: usize,
        reference: &Reference,
    ) -> anyhow::Result<Option<String>> {
        let ended = program.run(folder, &self.arguments(folder, threads))?;
        if let Err(error) = ended.well() {
            return Ok(Some(format!("cannot go on: {error}")));
        }
        let found = contents::of(folder, self.results)?;
        Ok(contents::difference(&found, &reference.contents))
    }
}
