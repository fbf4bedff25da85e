//! The folder of one run: which files it holds and when they are written.
//!
//! `config.toml`, `command.txt` and `environment.json` are written first,
//! `metrics.jsonl` grows by a line per epoch, `model.safetensors`,
//! `state.safetensors` and `trajectories.npz` are replaced together at every
//! checkpoint, and `result.json` is written last: it marks the run as done.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use models::{DataTreatment, Model, ModelSpec};
use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::configuration::Configuration;
use crate::environment::Environment;
use crate::error::Error;

/// Mean losses over a set of images, in nats per image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Reconstruction plus penalty: what training minimises.
    pub loss: f64,
    /// −log p(x|z), summed over pixels.
    pub reconstruction: f64,
    /// KL of the posterior from the prior (VAE), ½‖z‖² (`ae-l2`), 0 (AE).
    pub kl: f64,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Epochs completed, counted from 1.
    pub epoch: usize,
    /// Optimiser steps completed.
    pub step: u64,
    /// Running mean over the epoch's training batches.
    pub train: Losses,
    /// The test images after the epoch, z sampled.
    pub test: Losses,
    /// The images held out for early stopping, likewise; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Losses>,
    /// What was done to all of these images' pixels.
    #[serde(default)]
    pub data_treatment: DataTreatment,
    /// Step size of the epoch's last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Seconds of the training part alone.
    pub seconds: f64,
    /// Training images per second of the training part alone.
    pub images_per_second: f64,
}

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

    fn result(&self) -> PathBuf {
        self.path.join("result.json")
    }

    /// Creates the folder with the files that say what the run is.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(
        &self,
        configuration: &Configuration,
        command: &str,
        environment: &Environment,
    ) -> Result<(), Error> {
        self.create_as(&configuration.to_toml()?, command, environment)
    }

    /// The same with the text of `config.toml`.
    pub(crate) fn create_as(
        &self,
        configuration: &str,
        command: &str,
        environment: &Environment,
    ) -> Result<(), Error> {
        fs::create_dir_all(&self.path).map_err(|source| Error::Write {
            path: self.path.clone(),
            source,
        })?;
        atomic_file::write(
            &self.path.join("command.txt"),
            format!("{command}\n").as_bytes(),
        )?;
        atomic_file::write_json(&self.path.join("environment.json"), environment)?;
        // Written last: a folder with config.toml is a run folder.
        atomic_file::write(&self.config(), configuration.as_bytes())
    }

    /// Whether this is a run folder at all.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.config().is_file()
    }

    /// Reads the run's configuration.
    ///
    /// # Errors
    /// When this is no run folder or its `config.toml` is damaged.
    pub fn configuration(&self) -> Result<Configuration, Error> {
        if !self.exists() {
            return Err(Error::RunFolder(format!(
                "{} is not a run folder: it has no config.toml; expected a folder made by 'latent-atlas train'",
                self.path.display()
            )));
        }
        Configuration::resolve(None, Some(&self.config()), &[])
    }

    /// The weights of the last checkpoint, of the model that `config.toml`
    /// describes as `spec`.
    ///
    /// # Errors
    /// When there is no checkpoint yet, it cannot be read, or holds another
    /// model.
    pub fn load_model(&self, spec: &ModelSpec) -> Result<Model, Error> {
        if !self.model().exists() {
            return Err(Error::RunFolder(format!(
                "{} has no model.safetensors yet; let the run reach its first checkpoint, or continue it with --resume",
                self.path.display()
            )));
        }
        let model = Model::load(&self.model())?;
        if model.spec() != spec {
            return Err(Error::RunFolder(format!(
                "{} holds a model {}, but config.toml beside it describes another one; expected the files of one run",
                self.model().display(),
                model.spec().architecture
            )));
        }
        Ok(model)
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

    pub(crate) fn environment(&self) -> Result<Environment, Error> {
        let path = self.path.join("environment.json");
        let bytes = input_files::read(&path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::RunFolder(format!(
                "{} is damaged ({error}); expected the file 'latent-atlas train' wrote",
                path.display()
            ))
        })
    }

    /// Reads `result.json`; `None` when the run has not ended.
    ///
    /// # Errors
    /// When the file exists but cannot be understood.
    pub fn read_result(&self) -> Result<Option<RunResult>, Error> {
        let path = self.result();
        match input_files::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                Error::RunFolder(format!(
                    "{} is damaged ({error}); delete it and resume the run",
                    path.display()
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// Marks the run as ended.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_result(&self, result: &RunResult) -> Result<(), Error> {
        atomic_file::write_json(&self.result(), result)
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
        let former = found.former_digest(&fingerprint);
        let is_former = self
            .read_result()?
            .is_some_and(|result| result.digest == former);
        let digest = if is_former {
            former
        } else {
            found.digest(&fingerprint)
        };
        self.extend_as(&configuration.to_toml()?, &digest)
    }

    /// The same with the text of `config.toml`; `digest` is the run's as it
    /// stands.
    pub(crate) fn extend_as(&self, configuration: &str, digest: &str) -> Result<(), Error> {
        let result = self.read_result()?;
        if result.is_some_and(|result| result.digest != digest) {
            return Err(self.of_another_version());
        }
        // In this order: a run without a result is an unfinished one, whatever
        // its length.
        let path = self.result();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Write { path, source });
            }
            _ => {}
        }
        atomic_file::write(&self.config(), configuration.as_bytes())
    }

    /// That the run's settings are those asked for, but its digest is not.
    pub(crate) fn of_another_version(&self) -> Error {
        Error::RunFolder(format!(
            "{} holds this run as a version that gives other results finished it; delete the folder or choose another --out to train it again",
            self.path.display()
        ))
    }

    /// Adds one line to `metrics.jsonl`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn append_metrics(&self, metrics: &EpochMetrics) -> Result<(), Error> {
        let path = self.metrics();
        let write = || {
            let mut file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)?;
            let mut line = serde_json::to_vec(metrics)?;
            line.push(b'\n');
            file.write_all(&line)
        };
        write().map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })
    }

    /// Reads `metrics.jsonl`; empty when the file does not exist yet.
    ///
    /// # Errors
    /// When a complete line is not what this program writes.
    pub fn read_metrics(&self) -> Result<Vec<EpochMetrics>, Error> {
        let path = self.metrics();
        let text = match input_files::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(Error::Read { path, source }),
        };
        // A line without its newline was being written when the run stopped.
        text.split_inclusive('\n')
            .enumerate()
            .filter(|(_, line)| line.ends_with('\n'))
            .map(|(index, line)| {
                serde_json::from_str(line).map_err(|error| {
                    Error::RunFolder(format!(
                        "line {} of {} is damaged ({error}); expected one JSON object per epoch",
                        index + 1,
                        path.display()
                    ))
                })
            })
            .collect()
    }

    /// Cuts `metrics.jsonl` back to the epochs a checkpoint covers.
    ///
    /// # Errors
    /// When the file cannot be read or written, or covers fewer epochs than
    /// the checkpoint.
    pub fn truncate_metrics(&self, epochs: usize) -> Result<Vec<EpochMetrics>, Error> {
        let mut metrics = self.read_metrics()?;
        if metrics.len() < epochs {
            return Err(Error::RunFolder(format!(
                "{} has {} epochs, but the checkpoint beside it has {epochs}; expected at least as many, so the folder cannot be resumed",
                self.metrics().display(),
                metrics.len()
            )));
        }
        metrics.truncate(epochs);
        let mut text = Vec::new();
        for line in &metrics {
            serde_json::to_writer(&mut text, line).expect("metrics are plain data");
            text.push(b'\n');
        }
        atomic_file::write(&self.metrics(), &text)?;
        Ok(metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(epoch: usize) -> EpochMetrics {
        let losses = Losses {
            loss: 150.5,
            reconstruction: 145.25,
            kl: 5.25,
        };
        EpochMetrics {
            epoch,
            step: epoch as u64 * 469,
            train: losses,
            test: losses,
            validation: Some(losses),
            data_treatment: DataTreatment::BinarisedOnce,
            learning_rate: Some(1e-3),
            seconds: 0.5,
            images_per_second: 120_000.0,
        }
    }

    #[test]
    fn metrics_survive_a_torn_last_line_and_are_cut_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = RunFolder::at(folder.path());
        for epoch in 1..=3 {
            run.append_metrics(&metrics(epoch)).expect("writable");
        }
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(run.metrics())
            .expect("exists");
        file.write_all(b"{\"epoch\":4,\"st").expect("writable");
        assert_eq!(run.read_metrics().expect("readable").len(), 3);
        run.truncate_metrics(2).expect("long enough");
        assert_eq!(
            run.read_metrics().expect("readable"),
            [metrics(1), metrics(2)]
        );
        let message = run.truncate_metrics(5).unwrap_err().to_string();
        assert!(message.contains("has 2 epochs"), "{message}");
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = RunFolder::at(folder.path());
        fs::write(run.metrics(), "{}\n").expect("writable");
        let message = run.read_metrics().unwrap_err().to_string();
        assert!(message.starts_with("line 1 of"), "{message}");
    }

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
            last: Some(metrics(3)),
            best_epoch: None,
            divergence: None,
        };
        run.write_result(&result).expect("writable");
        assert_eq!(run.read_result().expect("readable"), Some(result));
    }
}
