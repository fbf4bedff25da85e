//! Where two runs of the same settings differ.

use std::path::Path;

use datasets::sha256_hex;
use models::Model;
use serde::Serialize;

use super::RunFolder;
use crate::error::{Error, unreadable};
use crate::metrics::{EpochMetrics, Losses};
use crate::run_folder::RunResult;

/// What was compared, and where it differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Whether nothing differs.
    pub is_same: bool,
    /// Files, byte for byte.
    pub files: Vec<File>,
    /// Files that the run does not have: it was kept without them, or they were removed.
    pub not_kept: Vec<&'static str>,
    /// Epochs whose losses were compared.
    pub epochs: usize,
    /// The first of them with other losses.
    pub first_differing_epoch: Option<usize>,
    /// The largest difference between weights.
    pub largest_weight_difference: Option<f64>,
    /// Test losses after the last epoch, of the run and now, nats per row.
    pub last_test_loss: Option<[f64; 2]>,
    /// How each ended, where that is not the same.
    pub ends: Option<[String; 2]>,
}

/// A file of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// Of the run's own.
    pub sha256: String,
    /// Of the one made now; none where there is none.
    pub sha256_again: Option<String>,
    /// Whether both hold the same: all bytes, or of weights those of every tensor, as
    /// what is said about them may be another version's.
    pub is_same: bool,
}

impl Comparison {
    /// Compares a run with the same made again.
    pub(super) fn of(run: &Held, again: &Held) -> Self {
        let (mut files, mut not_kept) = (Vec::new(), Vec::new());
        for (place, name) in NAMES.into_iter().enumerate() {
            match (&run.hashes[place], &again.hashes[place]) {
                (Some(sha256), sha256_again) => files.push(File {
                    name,
                    is_same: sha256_again.as_ref() == Some(sha256),
                    sha256: sha256.clone(),
                    sha256_again: sha256_again.clone(),
                }),
                (None, Some(_)) => not_kept.push(name),
                // Of a run that diverged before its first checkpoint.
                (None, None) => {}
            }
        }
        let mut largest_weight_difference = None;
        if let (Some(own), Some(other), Some(file)) = (
            &run.weights,
            &again.weights,
            files.iter_mut().find(|file| file.name == WEIGHTS),
        ) {
            largest_weight_difference = largest_difference(own, other);
            file.is_same = largest_weight_difference.is_none();
        }
        let first_differing_epoch = first_differing(&run.lines, &again.lines);
        let ends = (run.end != again.end).then(|| [run.end.clone(), again.end.clone()]);
        let has_same_files = files.iter().all(|file| file.is_same);
        Self {
            is_same: has_same_files && first_differing_epoch.is_none() && ends.is_none(),
            files,
            not_kept,
            epochs: run.lines.len(),
            first_differing_epoch,
            largest_weight_difference,
            last_test_loss: run
                .lines
                .last()
                .zip(again.lines.last())
                .map(|(own, other)| [own.test.loss, other.test.loss]),
            ends,
        }
    }

    /// Whether there were weights to compare.
    #[must_use]
    pub fn has_weights(&self) -> bool {
        self.files.iter().any(|file| file.name == WEIGHTS)
    }
}

/// What of a run is compared, read whole.
pub(super) struct Held {
    /// Of the files, in their order; none where there is none.
    hashes: [Option<String>; NAMES.len()],
    weights: Option<Model>,
    lines: Vec<EpochMetrics>,
    end: String,
}

impl Held {
    /// Reads what a run holds that ended so.
    ///
    /// # Errors
    /// When a file cannot be read or is damaged.
    pub(super) fn of(run: &RunFolder, result: &RunResult) -> Result<Self, Error> {
        let hashes = [hash(&run.model())?, hash(&run.trajectories())?];
        Ok(Self {
            weights: match &hashes[0] {
                Some(_) => Some(Model::load(&run.model())?),
                None => None,
            },
            hashes,
            lines: run.read_metrics()?,
            end: result.end(),
        })
    }
}

const WEIGHTS: &str = "model.safetensors";

/// Files whose bytes are compared.
const NAMES: [&str; 2] = [WEIGHTS, "trajectories.npz"];

fn hash(path: &Path) -> Result<Option<String>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = input_files::read(path).map_err(unreadable(path))?;
    Ok(Some(sha256_hex(&bytes)))
}

/// The first epoch whose losses are others, or that one of the two does not have.
fn first_differing(own: &[EpochMetrics], other: &[EpochMetrics]) -> Option<usize> {
    let bits = |losses: &Losses| [losses.loss, losses.reconstruction, losses.kl].map(f64::to_bits);
    // Times are no part of what a run results in.
    let of = |line: &EpochMetrics| {
        let validation = line.validation.as_ref().map(bits);
        (line.step, bits(&line.train), bits(&line.test), validation)
    };
    let both = own.iter().zip(other);
    let differing = both.clone().find(|(own, other)| of(own) != of(other));
    let longer = (own.len() != other.len()).then(|| own.len().min(other.len()) + 1);
    differing.map(|(own, _)| own.epoch).or(longer)
}

/// The largest difference between weights of two files; none where all have the same
/// bits.
fn largest_difference(own: &Model, other: &Model) -> Option<f64> {
    let [own, other] = [own, other].map(Model::named_tensors);
    let differences = own.iter().zip(&other).flat_map(|(own, other)| {
        let pairs = own.values.iter().zip(&other.values);
        let differing = pairs.filter(|(own, other)| own.to_bits() != other.to_bits());
        differing.map(|(&own, &other)| (f64::from(own) - f64::from(other)).abs())
    });
    differences.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_epoch_with_other_losses_is_found() {
        let line = |epoch: usize, loss: f64, seconds: f64| {
            let losses = Losses {
                loss,
                reconstruction: loss,
                kl: 0.0,
            };
            EpochMetrics {
                epoch,
                step: epoch as u64,
                train: losses,
                test: losses,
                validation: None,
                data_treatment: Default::default(),
                learning_rate: None,
                seconds,
                images_per_second: 1.0 / seconds,
            }
        };
        let own = [line(1, 3.0, 1.0), line(2, 2.0, 1.0), line(3, 1.0, 1.0)];
        let slower = [line(1, 3.0, 2.0), line(2, 2.0, 2.0), line(3, 1.0, 2.0)];
        assert_eq!(first_differing(&own, &slower), None);
        assert_eq!(first_differing(&own, &own[..2]), Some(3));
        let mut other = own;
        other[1].test.loss += 1e-15;
        assert_eq!(first_differing(&own, &other), Some(2));
    }
}
