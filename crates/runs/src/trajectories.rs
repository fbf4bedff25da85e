//! The codes of tracked test images while training goes on:
//! `trajectories.npz`.

use std::io::{Cursor, Read as _};
use std::path::Path;

use datasets::{Dataset, Split};
use durable_files::seal;
use models::Trainer;
use ndarray::{Array1, Array2, Array3, Axis, OwnedRepr, s};
use ndarray_npy::{NpzReader, NpzWriter};
use zip::ZipArchive;

use crate::apply::npy::shape_of;
use crate::atomic_file::{self, unwritable};
use crate::configuration::TrackingConfiguration;
use crate::error::Error;
use crate::run_data::images;
use crate::run_folder::RunFolder;

/// Codes of the same test images at many moments of a run.
///
/// The arrays of the file: `step` and `epoch` (s values) say when, `index` and,
/// where there are labels, `label` (n values) which images, `mean` and, for a VAE, `log_variance`
/// (s × n × latent) are their codes. The first snapshot is taken
/// before the first step.
#[derive(Clone, Debug)]
pub struct Trajectories {
    index: Vec<u64>,
    label: Option<Vec<u32>>,
    images: Split,
    steps_per_snapshot: Vec<usize>,
    snapshots: Vec<Snapshot>,
}

/// What `trajectories.npz` of a run holds.
#[derive(Clone, Debug)]
pub struct TrackedCodes {
    /// Positions of the tracked images in the test set.
    pub index: Vec<u64>,
    /// Their classes, where there are labels.
    pub label: Option<Vec<u32>>,
    /// Their codes, in the order of time.
    pub snapshots: Vec<Snapshot>,
}

/// The codes of the tracked images at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Optimiser steps done.
    pub step: u64,
    /// Epochs done, with the fraction of the one in progress.
    pub epoch: f64,
    /// μ, or the code of a deterministic model: [n, latent].
    pub mean: Array2<f32>,
    /// log σ² of a VAE: [n, latent].
    pub log_variance: Option<Array2<f32>>,
}

impl Trajectories {
    /// Chooses the images and takes the first snapshot, or continues from the
    /// run folder's file when the trainer is past its first step.
    ///
    /// # Errors
    /// When the file of a run to be continued is missing or damaged.
    pub(crate) fn begin(
        tracking: &TrackingConfiguration,
        dataset: &Dataset,
        trainer: &Trainer,
        folder: &RunFolder,
    ) -> Result<Self, Error> {
        let chosen = tracked_images(dataset, tracking.images_per_class);
        let images = dataset.test.select(&chosen);
        let per_epoch = tracking.snapshots_per_epoch.min(trainer.steps_in_epoch());
        let boundaries: Vec<usize> = (1..=per_epoch)
            .map(|snapshot| snapshot * trainer.steps_in_epoch() / per_epoch)
            .collect();
        let mut trajectories = Self {
            label: images.labels().map(<[u32]>::to_vec),
            index: chosen.iter().map(|&image| image as u64).collect(),
            images,
            steps_per_snapshot: boundaries,
            snapshots: Vec::new(),
        };
        if trainer.steps() == 0 {
            trajectories.record(trainer);
        } else {
            let path = folder.trajectories();
            let kept = TrackedCodes::read(&path)?;
            let latent = trainer.model().spec().architecture.latent;
            let fits = kept.index == trajectories.index
                && kept
                    .snapshots
                    .iter()
                    .all(|shot| shot.mean.ncols() == latent);
            trajectories.snapshots = kept.snapshots;
            trajectories
                .snapshots
                .retain(|snapshot| snapshot.step <= trainer.steps());
            if !fits || trajectories.snapshots.is_empty() {
                return Err(Error::RunFolder(format!(
                    "{} follows {} images, expected {} of this run with {latent} latent variables; train the run again in another folder",
                    path.display(),
                    kept.index.len(),
                    trajectories.index.len()
                )));
            }
        }
        Ok(trajectories)
    }

    /// The snapshots, in the order they were taken.
    #[must_use]
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    /// Steps until the next snapshot is due; at most to the end of the epoch.
    pub(crate) fn steps_to_next_snapshot(&self, trainer: &Trainer) -> usize {
        let done = step_in_epoch(trainer);
        self.steps_per_snapshot
            .iter()
            .find(|&&boundary| boundary > done)
            .map_or(trainer.steps_in_epoch() - done, |boundary| boundary - done)
    }

    /// Takes a snapshot when one is due after the step just made.
    pub(crate) fn record_if_due(&mut self, trainer: &Trainer) {
        let done = step_in_epoch(trainer);
        let end_of_epoch = done == 0 && trainer.steps() > 0;
        if end_of_epoch || self.steps_per_snapshot.contains(&done) {
            self.record(trainer);
        }
    }

    fn record(&mut self, trainer: &Trainer) {
        let codes = trainer.model().encode(images(&self.images));
        self.snapshots.push(Snapshot {
            step: trainer.steps(),
            epoch: trainer.steps() as f64 / trainer.steps_in_epoch() as f64,
            mean: codes.mean,
            log_variance: codes.log_variance,
        });
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let n = self.index.len();
        let latent = self.snapshots[0].mean.ncols();
        let stack = |part: &dyn Fn(&Snapshot) -> Array2<f32>| {
            let mut all = Array3::zeros((self.snapshots.len(), n, latent));
            for (mut slot, snapshot) in all.axis_iter_mut(Axis(0)).zip(&self.snapshots) {
                slot.assign(&part(snapshot));
            }
            all
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut archive = NpzWriter::new(&mut bytes);
        let mut write = || -> Result<(), ndarray_npy::WriteNpzError> {
            let step: Array1<u64> = self.snapshots.iter().map(|s| s.step).collect();
            let epoch: Array1<f64> = self.snapshots.iter().map(|s| s.epoch).collect();
            archive.add_array("step", &step)?;
            archive.add_array("epoch", &epoch)?;
            archive.add_array("index", &Array1::from(self.index.clone()))?;
            if let Some(label) = &self.label {
                archive.add_array("label", &Array1::from(label.clone()))?;
            }
            archive.add_array("mean", &stack(&|s| s.mean.clone()))?;
            if self.snapshots[0].log_variance.is_some() {
                let log_variance = stack(&|s| s.log_variance.clone().unwrap_or_default());
                archive.add_array("log_variance", &log_variance)?;
            }
            Ok(())
        };
        write()
            .and_then(|()| archive.finish().map(|_| ()))
            .map_err(std::io::Error::other)
            .map_err(unwritable(path))?;
        let mut bytes = bytes.into_inner();
        seal::seal_archive(&mut bytes);
        atomic_file::write(path, &bytes)
    }
}

/// The most images that are tracked.
const MOST_TRACKED: usize = 1000;

/// Positions of the test images to track: the first of each class, fewer of
/// each where there are many classes; the first of all without labels.
pub(crate) fn tracked_images(dataset: &Dataset, per_class: usize) -> Vec<usize> {
    let Some(labels) = dataset.test.labels() else {
        return (0..dataset.test.len().min(per_class.saturating_mul(10))).collect();
    };
    let classes = dataset.classes();
    let per_class = per_class.min((MOST_TRACKED / classes.max(1)).max(1));
    let mut members = vec![Vec::new(); classes.min(MOST_TRACKED)];
    for (image, &label) in labels.iter().enumerate() {
        if let Some(members) = members.get_mut(label as usize)
            && members.len() < per_class
        {
            members.push(image);
        }
    }
    members.concat()
}

/// Optimiser steps done in the epoch in progress.
fn step_in_epoch(trainer: &Trainer) -> usize {
    (trainer.steps() - trainer.epoch() * trainer.steps_in_epoch() as u64) as usize
}

/// Checks that no array of the archive is larger than the archive, which is not
/// compressed: the reader takes memory for what a header promises.
fn check_promises(bytes: &[u8]) -> Result<(), String> {
    /// Far more than the headers of a few axes have.
    const HEADER_BYTES: u64 = 1000;
    let words = |error: zip::result::ZipError| error.to_string();
    let mut file = Cursor::new(bytes);
    datasets::archive::check_claims(&mut file).map_err(|error| error.to_string())?;
    let mut archive = ZipArchive::new(file).map_err(words)?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(words)?;
        let mut header = Vec::new();
        entry
            .take(HEADER_BYTES)
            .read_to_end(&mut header)
            .map_err(|error| error.to_string())?;
        let promised = shape_of(&String::from_utf8_lossy(&header)).and_then(|shape| {
            let mut sizes = shape.into_iter();
            sizes.try_fold(1, usize::checked_mul)
        });
        if promised.is_none_or(|values| values > bytes.len()) {
            return Err("an array promises more than the file holds".into());
        }
    }
    Ok(())
}

impl TrackedCodes {
    /// The classes of the tracked images; none without labels.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        self.label.as_deref().unwrap_or_default()
    }

    /// Reads a file written by a run.
    ///
    /// # Errors
    /// When the file cannot be read, has changed since it was written, lacks one
    /// of its arrays, or these do not fit each other.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = input_files::read(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        if let Err(error) = seal::check_archive(&bytes) {
            return Err(Error::RunFolder(format!(
                "{} is damaged ({error}); train the run again in another folder",
                path.display()
            )));
        }
        let damaged = |error: ndarray_npy::ReadNpzError| {
            // It points into the header with an arrow over several lines.
            let error = error.to_string();
            let words: Vec<&str> = error.split_whitespace().collect();
            let error = words.join(" ");
            Error::RunFolder(format!(
                "{} is damaged ({error}); expected the arrays step, epoch, index and mean",
                path.display()
            ))
        };
        check_promises(&bytes).map_err(|reason| {
            Error::RunFolder(format!(
                "{} is damaged ({reason}); train the run again in another folder",
                path.display()
            ))
        })?;
        let mut archive = NpzReader::new(Cursor::new(bytes)).map_err(damaged)?;
        let step: Array1<u64> = archive.by_name("step").map_err(damaged)?;
        let epoch: Array1<f64> = archive.by_name("epoch").map_err(damaged)?;
        let index: Array1<u64> = archive.by_name("index").map_err(damaged)?;
        let mean: Array3<f32> = archive.by_name("mean").map_err(damaged)?;
        let names = archive.names().map_err(damaged)?;
        let has = |wanted: &str| {
            let mut names = names.iter();
            names.any(|name| name.trim_end_matches(".npy") == wanted)
        };
        let (has_label, has_variance) = (has("label"), has("log_variance"));
        // Bytes in files of versions that knew ten classes.
        let label: Option<Array1<u32>> = match has_label {
            false => None,
            true => Some(match archive.by_name::<OwnedRepr<u8>, _>("label") {
                Ok(bytes) => bytes.mapv(u32::from),
                Err(_) => archive.by_name("label").map_err(damaged)?,
            }),
        };
        let log_variance: Option<Array3<f32>> = if has_variance {
            Some(archive.by_name("log_variance").map_err(damaged)?)
        } else {
            None
        };
        let moments = [step.len(), epoch.len(), mean.len_of(Axis(0))];
        let labels = label.as_ref().map_or(index.len(), Array1::len);
        let images = [index.len(), labels, mean.len_of(Axis(1))];
        let unequal = |counts: [usize; 3]| counts.iter().any(|&count| count != counts[0]);
        if unequal(moments)
            || unequal(images)
            || log_variance
                .as_ref()
                .is_some_and(|array| array.dim() != mean.dim())
        {
            return Err(Error::RunFolder(format!(
                "{} is damaged: its arrays have {moments:?} snapshots of {images:?} images; expected the same numbers in each",
                path.display()
            )));
        }
        let snapshots = (0..step.len())
            .map(|at| Snapshot {
                step: step[at],
                epoch: epoch[at],
                mean: mean.slice(s![at, .., ..]).to_owned(),
                log_variance: log_variance
                    .as_ref()
                    .map(|array| array.slice(s![at, .., ..]).to_owned()),
            })
            .collect();
        Ok(Self {
            index: index.to_vec(),
            label: label.map(|label| label.to_vec()),
            snapshots,
        })
    }
}
