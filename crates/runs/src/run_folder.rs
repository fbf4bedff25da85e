//! The folder of one run: which files it holds and when they are written.
//!
//! `config.toml`, `command.txt` and `environment.json` are written first,
//! `metrics.jsonl` grows by a line per epoch, `model.safetensors`,
//! `state.safetensors` and `trajectories.npz` are replaced together at every
//! checkpoint, and `result.json` is written last: it marks the run as done.
//!
//! All of them are sealed: a bit that has changed in one of them is found when
//! it is read. One process at a time writes in a folder.

mod files;
mod weights;

use std::path::{Path, PathBuf};

use durable_files::FolderLock;
use durable_files::seal::{COMMENT_LINE, Damaged};
use models::{Attachments, Model};
use serde::{Deserialize, Serialize};

use crate::atomic_file::{self, unwritable};
use crate::configuration::Configuration;
use crate::environment::Environment;
use crate::error::Error;
use crate::metrics::{self, MetricsLog};
use crate::sealed_json;
use crate::shell::quoted_path;

pub use self::files::RunFiles;
pub use crate::metrics::{EpochMetrics, Losses};

/// The metadata entry of `model.safetensors`, and the attachment of
/// `state.safetensors`, that says how they were trained.
pub(crate) const SETTINGS: &str = "configuration";

/// The attachments that hold the fingerprint of the data, and the lines of
/// `metrics.jsonl`.
pub(crate) const DATA: &str = "data";
pub(crate) const METRICS: &str = "metrics";

/// What `result.json` says about a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// `done` or `diverged`.
    pub status: Status,
    /// Digest of the configuration and data, see [`Configuration::digest`].
    pub digest: String,
    /// Epochs completed.
    pub epochs: usize,
    /// Optimiser steps completed.
    pub steps: u64,
    /// The last epoch's metrics; absent when the first epoch diverged.
    pub last: Option<EpochMetrics>,
    /// With early stopping, the epoch whose weights were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<usize>,
    /// For a diverged run, where and in what.
    pub divergence: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All epochs were run.
    Done,
    /// The loss stopped being finite.
    Diverged,
}

/// A run folder on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Names a folder, without touching the disk.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `model.safetensors`: the weights.
    #[must_use]
    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// `state.safetensors`: what resuming needs.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path.join("state.safetensors")
    }

    /// `best.safetensors`: with early stopping, the best weights so far.
    #[must_use]
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// `trajectories.npz`: codes of the tracked test images.
    #[must_use]
    pub fn trajectories(&self) -> PathBuf {
        self.path.join("trajectories.npz")
    }

    /// `metrics.jsonl`: one line per epoch.
    #[must_use]
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `eval.json`: written by `eval`.
    #[must_use]
    pub fn evaluation(&self) -> PathBuf {
        self.path.join("eval.json")
    }

    /// `config.toml`: what the run is.
    pub(crate) fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    fn environment_file(&self) -> PathBuf {
        self.path.join("environment.json")
    }

    fn result(&self) -> PathBuf {
        self.path.join("result.json")
    }

    /// Takes the folder for writing in, as the only one; makes it if it is
    /// missing. `command` tells others who has it.
    ///
    /// # Errors
    /// When another process writes there, when it holds somebody else's files,
    /// or when it cannot be written.
    pub fn take(&self, command: &str) -> Result<FolderLock, Error> {
        atomic_file::take_folder(&self.path, command, |_| self.exists())
    }

    /// Writes the files that say what the run is, into the folder that was
    /// [taken](Self::take).
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(
        &self,
        configuration: &Configuration,
        command: &str,
        environment: &Environment,
    ) -> Result<(), Error> {
        atomic_file::write(
            &self.path.join("command.txt"),
            format!("{command}\n").as_bytes(),
        )?;
        self.write_environment(environment)?;
        // Written last: a folder with config.toml is a run folder.
        self.write_configuration(&configuration.to_toml()?)
    }

    fn write_configuration(&self, text: &str) -> Result<(), Error> {
        let mut bytes = text.as_bytes().to_vec();
        COMMENT_LINE.close(&mut bytes);
        atomic_file::write(&self.config(), &bytes)
    }

    /// Whether this is a run folder at all.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.config().is_file() && self.environment_file().is_file()
    }

    /// Reads the run's configuration.
    ///
    /// # Errors
    /// When this is no run folder or its `config.toml` is damaged, or has been
    /// changed since the run began.
    pub fn configuration(&self) -> Result<Configuration, Error> {
        if !self.exists() {
            return Err(Error::RunFolder(format!(
                "{} is not a run folder: it has no config.toml with an environment.json; expected a folder made by 'latent-atlas train'",
                self.path.display()
            )));
        }
        self.check_configuration()?;
        let configuration = Configuration::resolve(None, Some(&self.config()), &[])?;
        Ok(configuration.with_unwritten_layer(&self.model()))
    }

    /// Checks that `config.toml` is as it was written.
    ///
    /// # Errors
    /// When it is not; says which settings differ where the weights know.
    pub fn check_configuration(&self) -> Result<(), Error> {
        let path = self.config();
        let bytes = input_files::read(&path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        let damaged = match COMMENT_LINE.check(&bytes) {
            Ok(true) => return Ok(()),
            // Files of versions without seals have them nowhere.
            Ok(false) if !sealed_json::is_sealed(&self.environment_file()) => return Ok(()),
            Ok(false) => Damaged,
            Err(damaged) => damaged,
        };
        let trained = Model::load_with_metadata(&self.model()).ok();
        let trained = trained.and_then(|(_, mut metadata)| metadata.remove(SETTINGS));
        let found = Configuration::resolve(None, Some(&path), &[]).ok();
        let differing = trained
            .and_then(|text| Configuration::of_text(&text, "").ok())
            .zip(found)
            .map(|(trained, found)| found.differing_from(&trained))
            .filter(|differing| !differing.is_empty())
            .map_or(damaged.to_string(), |differing| differing.join(", "));
        Err(Error::RunFolder(format!(
            "{} has been changed since the run began ({differing}); put it back as it was, or train these settings into another folder with --config",
            path.display()
        )))
    }

    /// Checks that a file of the run holds what was trained with the settings
    /// of `configuration`, or with the same and fewer epochs; `text` is what the
    /// file says about that, nothing in files of older versions.
    ///
    /// # Errors
    /// When it was not; says which settings differ.
    pub(crate) fn check_settings(
        &self,
        file: &Path,
        text: Option<&str>,
        configuration: &Configuration,
    ) -> Result<(), Error> {
        let Some(text) = text else {
            return Ok(());
        };
        let trained = Configuration::of_text(text, &file.display().to_string())?;
        let is_of = |expected: &Configuration| {
            trained.identity() == expected.identity() || expected.extends(&trained)
        };
        let former = configuration.former_halves();
        if is_of(configuration) || former.is_some_and(|(lower, _)| is_of(&lower)) {
            return Ok(());
        }
        Err(Error::RunFolder(format!(
            "{} was trained with other settings than those of {} ({}); expected the files of one run",
            file.display(),
            self.config().display(),
            configuration.differing_from(&trained).join(", ")
        )))
    }

    /// Checks that the state is one of a run of these settings and data, by what
    /// is attached to it, and returns the metrics that it has kept; states of
    /// older versions have nothing attached.
    ///
    /// # Errors
    /// When it is not; says what differs.
    pub(crate) fn check_state(
        &self,
        attachments: &Attachments,
        configuration: &Configuration,
        fingerprint: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let text = |name| {
            attachments
                .get(name)
                .map(|bytes| String::from_utf8_lossy(bytes))
        };
        self.check_settings(&self.state(), text(SETTINGS).as_deref(), configuration)?;
        if let Some(trained) = text(DATA).filter(|trained| trained != fingerprint) {
            return Err(Error::RunFolder(format!(
                "{} was trained on data with the fingerprint {trained}, but these have {fingerprint}; expected the same data",
                self.state().display()
            )));
        }
        Ok(attachments.get(METRICS).cloned())
    }

    /// Checks that the run was trained on this data set.
    ///
    /// # Errors
    /// When `environment.json` is missing or damaged, or names another
    /// content.
    pub fn check_dataset(&self, dataset: &datasets::Dataset) -> Result<(), Error> {
        let environment = self.environment()?;
        if environment.dataset_sha256 != dataset.fingerprint {
            return Err(Error::RunFolder(format!(
                "{} was trained on data with the fingerprint {}, but {} has {}; say where the same data are now with --dataset (named sets: --data-dir)",
                self.path.display(),
                environment.dataset_sha256,
                dataset.name,
                dataset.fingerprint
            )));
        }
        Ok(())
    }

    /// Where the run was made.
    ///
    /// # Errors
    /// When that is not said, or the file is damaged.
    pub fn environment(&self) -> Result<Environment, Error> {
        let path = self.environment_file();
        let remedy = "expected the file 'latent-atlas train' wrote";
        sealed_json::read(&path, remedy)?.ok_or_else(|| Error::Read {
            path,
            source: std::io::ErrorKind::NotFound.into(),
        })
    }

    /// Replaces what is said about where the run was made.
    pub(crate) fn write_environment(&self, environment: &Environment) -> Result<(), Error> {
        sealed_json::write(&self.environment_file(), environment)
    }

    /// Reads `result.json`; `None` when the run has not ended.
    ///
    /// # Errors
    /// When the file exists but cannot be understood, or has changed since it
    /// was written.
    pub fn read_result(&self) -> Result<Option<RunResult>, Error> {
        sealed_json::read(&self.result(), "delete it and resume the run")
    }

    /// Reads `eval.json` as it stands, with its seal; `None` when there is none.
    ///
    /// # Errors
    /// When the file exists but cannot be understood, or has changed since it was
    /// written.
    pub fn read_evaluation(&self) -> Result<Option<serde_json::Value>, Error> {
        let remedy = format!("run 'latent-atlas eval {}' again", self.path().display());
        sealed_json::read(&self.evaluation(), &remedy)
    }

    /// Marks the run as ended.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_result(&self, result: &RunResult) -> Result<(), Error> {
        sealed_json::write(&self.result(), result)
    }

    /// Lets a finished run go on as the longer one of `configuration`, which
    /// must [extend](Configuration::extends) its own.
    ///
    /// # Errors
    /// When a version that gives other results finished the run, or the folder
    /// cannot be read or written.
    pub fn extend(&self, configuration: &Configuration) -> Result<(), Error> {
        let found = self.configuration()?;
        let fingerprint = self.environment()?.dataset_sha256;
        if let Some(result) = self.read_result()?
            && !found.digests(&fingerprint).contains(&result.digest)
        {
            return Err(self.of_another_version());
        }
        // In this order: a run without a result is an unfinished one, whatever
        // its length.
        let path = self.result();
        durable_files::remove_file(&path).map_err(unwritable(&path))?;
        self.write_configuration(&configuration.to_toml()?)
    }

    /// That the run's settings are those asked for, but its digest is not.
    pub(crate) fn of_another_version(&self) -> Error {
        Error::RunFolder(format!(
            "{} holds this run as a version that gives other results finished it; delete the folder or choose another --out to train it again",
            self.path.display()
        ))
    }

    /// Reads `metrics.jsonl`; empty when the file does not exist yet.
    ///
    /// # Errors
    /// When a complete line is not what this program writes, or has changed
    /// since, or a run that is done lacks one.
    pub fn read_metrics(&self) -> Result<Vec<EpochMetrics>, Error> {
        let metrics = metrics::read(&self.metrics())?;
        let Some(result) = self
            .read_result()?
            .filter(|result| result.status == Status::Done)
        else {
            return Ok(metrics);
        };
        if result.epochs != metrics.len() {
            return Err(Error::RunFolder(format!(
                "{} is damaged: it has {} of the {} epochs of a finished run; restore it with: latent-atlas train --resume {}",
                self.metrics().display(),
                metrics.len(),
                result.epochs,
                quoted_path(&self.path)
            )));
        }
        if result.last.is_some() && result.last != metrics.last().copied() {
            return Err(Error::RunFolder(format!(
                "{} and {} end in different epochs; expected the files of one run",
                self.metrics().display(),
                self.result().display()
            )));
        }
        Ok(metrics)
    }

    /// Restores `metrics.jsonl` of a run that has ended, if it is not what the
    /// state has kept of it, and says so in a sentence.
    ///
    /// # Errors
    /// When another process writes in the folder, or it cannot be read or
    /// written.
    pub(crate) fn mend_metrics(&self, command: &str) -> Result<Option<String>, Error> {
        if self.read_metrics().is_ok() || !self.state().exists() {
            return Ok(None);
        }
        let Some(kept) = models::read_attachments(&self.state())?.remove(METRICS) else {
            return Ok(None);
        };
        let _taken = self.take(command)?;
        let epochs = kept.iter().filter(|&&byte| byte == b'\n').count();
        Ok(MetricsLog::resume(&self.metrics(), Some(&kept), epochs)?.mended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_configuration_is_no_run() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let message = RunFolder::at(folder.path())
            .configuration()
            .unwrap_err()
            .to_string();
        assert!(message.contains("is not a run folder"), "{message}");
    }

    #[test]
    fn results_round_trip() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = RunFolder::at(folder.path());
        assert_eq!(run.read_result().expect("absent is fine"), None);
        let result = RunResult {
            status: Status::Done,
            digest: "abc".into(),
            epochs: 3,
            steps: 1407,
            last: None,
            best_epoch: None,
            divergence: None,
        };
        run.write_result(&result).expect("writable");
        assert_eq!(run.read_result().expect("readable"), Some(result));
        let message = run.read_metrics().unwrap_err().to_string();
        assert!(message.contains("has 0 of the 3 epochs"), "{message}");
    }
}
