//! `metrics.jsonl`: one line per epoch, each with a checksum of its own.
//!
//! The lines up to a checkpoint are also in `state.safetensors`, so that a run
//! goes on whatever has become of the file.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use durable_files::seal::JSON_LINE;
use models::DataTreatment;
use serde::{Deserialize, Serialize};

use crate::atomic_file::{self, unwritable};
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

/// The file of a run that is being trained.
#[derive(Debug)]
pub(crate) struct MetricsLog {
    path: PathBuf,
    file: File,
    /// All of it.
    lines: Vec<u8>,
}

/// A file that training goes on with.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) log: MetricsLog,
    /// The epochs up to the checkpoint.
    pub(crate) metrics: Vec<EpochMetrics>,
    /// What was wrong with the file and has been mended, as a sentence.
    pub(crate) mended: Option<String>,
}

impl MetricsLog {
    /// An empty file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn begin(path: &Path) -> Result<Self, Error> {
        Self::of(path, Vec::new())
    }

    /// The file cut back, or restored, to what the checkpoint of so many
    /// `epochs` `kept` of it; of checkpoints from before they kept it, cut back
    /// to that many lines.
    ///
    /// # Errors
    /// When it cannot be read or written, or nothing was kept and it covers
    /// fewer epochs or is damaged.
    pub(crate) fn resume(
        path: &Path,
        kept: Option<&[u8]>,
        epochs: usize,
    ) -> Result<Resumed, Error> {
        let found = read_bytes(path)?;
        let Some(kept) = kept else {
            let lines = found.split_inclusive(|&byte| byte == b'\n');
            let lines: Vec<u8> = lines.take(epochs).flatten().copied().collect();
            let metrics = parse(path, &lines)?;
            if metrics.len() < epochs {
                return Err(Error::RunFolder(format!(
                    "{} has {} epochs, but the checkpoint beside it has {epochs}; expected at least as many, so the folder cannot be resumed",
                    path.display(),
                    metrics.len()
                )));
            }
            return Ok(Resumed {
                log: Self::of(path, lines)?,
                metrics,
                mended: None,
            });
        };
        let metrics = parse(path, kept)?;
        if metrics.len() != epochs {
            return Err(Error::RunFolder(format!(
                "the checkpoint beside {} is of {epochs} epochs, but has the metrics of {}; expected as many, so the folder cannot be resumed",
                path.display(),
                metrics.len()
            )));
        }
        let mended = (!found.starts_with(kept)).then(|| {
            let was = if kept.starts_with(&found) {
                "shorter than the checkpoint beside it"
            } else {
                "damaged"
            };
            format!(
                "{} was {was}; its {epochs} epochs have been restored from the checkpoint",
                path.display()
            )
        });
        Ok(Resumed {
            log: Self::of(path, kept.to_vec())?,
            metrics,
            mended,
        })
    }

    fn of(path: &Path, lines: Vec<u8>) -> Result<Self, Error> {
        atomic_file::write(path, &lines)?;
        let file = File::options().append(true).open(path);
        Ok(Self {
            path: path.to_owned(),
            file: file.map_err(unwritable(path))?,
            lines,
        })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn append(&mut self, metrics: &EpochMetrics) -> Result<(), Error> {
        let mut line = serde_json::to_vec(metrics)
            .map_err(io::Error::from)
            .map_err(unwritable(&self.path))?;
        line.push(b'\n');
        JSON_LINE.close(&mut line);
        self.file.write_all(&line).map_err(unwritable(&self.path))?;
        self.lines.extend(line);
        Ok(())
    }

    /// Brings all lines to the disk: before a checkpoint, which must not outlive
    /// them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(unwritable(&self.path))
    }

    /// All lines.
    pub(crate) fn lines(&self) -> &[u8] {
        &self.lines
    }
}

/// Reads a file that may be growing; empty when there is none yet.
///
/// # Errors
/// When it cannot be read, or a complete line is not what this program writes
/// or has changed since.
pub(crate) fn read(path: &Path) -> Result<Vec<EpochMetrics>, Error> {
    parse(path, &read_bytes(path)?)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Error> {
    match input_files::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Read {
            path: path.to_owned(),
            source,
        }),
        Ok(bytes) => Ok(bytes),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<EpochMetrics>, Error> {
    // A line without its newline was being written when the run stopped.
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .enumerate()
        .filter(|(_, line)| line.ends_with(b"\n"))
        .map(|(index, line)| {
            let damaged = |reason: String| {
                Error::RunFolder(format!(
                    "line {} of {} is damaged ({reason}); expected one JSON object per epoch",
                    index + 1,
                    path.display()
                ))
            };
            JSON_LINE
                .check(line)
                .map_err(|error| damaged(error.to_string()))?;
            serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

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

    /// A file of three epochs, the third of which the checkpoint does not know.
    fn three(path: &Path) -> Vec<u8> {
        let mut log = MetricsLog::begin(path).expect("writable");
        log.append(&metrics(1)).expect("writable");
        log.append(&metrics(2)).expect("writable");
        let kept = log.lines().to_vec();
        log.append(&metrics(3)).expect("writable");
        log.sync().expect("a disk");
        assert_eq!(read(path).expect("whole").len(), 3);
        kept
    }

    #[test]
    fn a_checkpoint_restores_whatever_became_of_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("metrics.jsonl");
        let kept = three(&path);
        let whole = fs::read(&path).expect("readable");
        let mut flipped = whole.clone();
        flipped[10] ^= 1;
        let cases = [
            (whole.clone(), None),
            ([&whole[..], b"{\"epoch\":4,\"st"].concat(), None),
            (kept.clone(), None),
            (whole[..kept.len() / 2].to_vec(), Some("shorter")),
            (Vec::new(), Some("shorter")),
            (vec![0; whole.len()], Some("damaged")),
            (flipped, Some("damaged")),
        ];
        for (found, expected) in cases {
            fs::write(&path, &found).expect("writable");
            let mut resumed = MetricsLog::resume(&path, Some(&kept), 2).expect("kept");
            assert_eq!(resumed.metrics, [metrics(1), metrics(2)]);
            match (&resumed.mended, expected) {
                (None, None) => {}
                (Some(said), Some(word)) => assert!(said.contains(word), "{said}"),
                other => panic!("{other:?}"),
            }
            resumed.log.append(&metrics(3)).expect("writable");
            assert_eq!(fs::read(&path).expect("readable"), whole);
        }
        fs::remove_file(&path).expect("there");
        let resumed = MetricsLog::resume(&path, Some(&kept), 2).expect("kept");
        assert!(resumed.mended.is_some());
        let message = MetricsLog::resume(&path, Some(&kept), 3)
            .unwrap_err()
            .to_string();
        assert!(message.contains("has the metrics of 2"), "{message}");
    }

    #[test]
    fn checkpoints_that_kept_nothing_need_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("metrics.jsonl");
        let kept = three(&path);
        let resumed = MetricsLog::resume(&path, None, 2).expect("long enough");
        assert_eq!(resumed.metrics.len(), 2);
        assert_eq!(fs::read(&path).expect("readable"), kept);
        let message = MetricsLog::resume(&path, None, 5).unwrap_err().to_string();
        assert!(message.contains("has 2 epochs"), "{message}");
    }

    #[test]
    fn every_changed_bit_of_a_line_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("metrics.jsonl");
        three(&path);
        let mut bytes = fs::read(&path).expect("readable");
        for bit in 0..8 * (bytes.len() - 1) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            parse(&path, &bytes).expect_err("a changed bit");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // By an older version.
        let line = serde_json::to_string(&metrics(1)).expect("plain data") + "\n";
        assert_eq!(parse(&path, line.as_bytes()).expect("whole"), [metrics(1)]);
        let message = parse(&path, b"{}\n").unwrap_err().to_string();
        assert!(message.starts_with("line 1 of"), "{message}");
    }
}
