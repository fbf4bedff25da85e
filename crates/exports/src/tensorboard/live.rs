//! The event file of a run that is being trained.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use datasets::Dataset;
use figures::TrainedRun;
use figures::trained_run::range_of;
use models::Trainer;
use runs::Error;
use runs::atomic_file;
use runs::run_data::images;
use runs::run_folder::EpochMetrics;
use runs::run_images::{evaluated_treatment, treated};
use runs::training::Run;

use super::messages::{Content, Event, Value, What};
use super::shown::{self, ShownRows};
use super::{epochs, records};

/// The folder of event files in a run folder.
pub const FOLDER: &str = "tensorboard";

/// Pictures and distributions of a run, about.
const PICTURES: usize = 40;

/// Writes an event file while a run is trained, a record at a time: what has been
/// written can be seen at once, whatever becomes of the process.
///
/// A run that goes on from a checkpoint gets a new file that begins with what the
/// old one had of the epochs before it, and replaces it, so that no epoch is there
/// twice. What is written of epochs that a process without this log has trained
/// are their numbers.
#[derive(Debug)]
pub struct TrainingLog {
    /// What pictures show from black to white.
    range: [f32; 2],
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    rows: ShownRows,
}

impl Default for TrainingLog {
    fn default() -> Self {
        Self {
            range: [0.0, 1.0],
            open: None,
        }
    }
}

impl TrainingLog {
    /// The data have been read: as they are stored.
    pub fn data(&mut self, dataset: &Dataset) {
        self.range = range_of(dataset);
    }

    /// Training begins, or goes on after the epochs of `metrics`, in a folder that
    /// this process has taken.
    ///
    /// # Errors
    /// When the folder of event files cannot be read or written.
    pub fn begin(&mut self, run: &Run<'_>, metrics: &[EpochMetrics]) -> Result<(), Error> {
        let folder = run.folder.path().join(FOLDER);
        atomic_file::create_folder(&folder)?;
        let before = numbers(&folder)?;
        let done = metrics.last().map_or(0, |metrics| metrics.epoch);
        let kept = match before.last() {
            Some(&number) if done > 0 => kept(&folder.join(records::file_name(number)), done)?,
            _ => Vec::new(),
        };
        let kind = run.configuration.model_spec()?.kind;
        let now = now();
        let mut bytes = records::beginning(now);
        if kept.is_empty() {
            let settings = vec![epochs::settings(run.configuration)?];
            records::append(&records::values(0, now, settings), &mut bytes);
        }
        for event in &kept {
            records::append(event, &mut bytes);
        }
        let is_there = |epoch: usize| kept.iter().any(|event| has_numbers_of(event, epoch));
        for metrics in metrics.iter().filter(|metrics| !is_there(metrics.epoch)) {
            let values = epochs::scalars(metrics, kind);
            records::append(&records::values(metrics.epoch, now, values), &mut bytes);
        }
        // Another number: who reads the old file goes on to this one.
        let number = before.last().map_or(1, |last| last + 1);
        let path = folder.join(records::file_name(number));
        atomic_file::write(&path, &bytes)?;
        for number in before {
            let old = folder.join(records::file_name(number));
            durable_files::remove_file(&old).map_err(unwritable(&old))?;
        }
        let file = File::options().append(true).open(&path);
        let treatment = evaluated_treatment(run.configuration, None)?;
        let test = &run.dataset.test;
        let seen = treated(treatment, images(test), run.configuration.data.test_seed)?;
        self.open = Some(Open {
            file: file.map_err(unwritable(&path))?,
            path,
            rows: ShownRows::choose(test, run.dataset.classes(), seen.images()),
        });
        Ok(())
    }

    /// An epoch has ended with the weights of `trainer`.
    ///
    /// # Errors
    /// When the file cannot be written, or codes cannot be drawn.
    pub fn epoch(
        &mut self,
        run: &Run<'_>,
        trainer: &Trainer,
        metrics: &EpochMetrics,
    ) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let mut values = epochs::scalars(metrics, trainer.model().spec().kind);
        if has_pictures(metrics.epoch, run.configuration.training.epochs) {
            let (rows, range) = (&open.rows, self.range);
            let of_weights: Vec<Value> = trainer.pool().install(|| {
                let seen = TrainedRun::in_memory(
                    run.folder.clone(),
                    run.configuration.clone(),
                    trainer.model().clone(),
                    range,
                )?;
                shown::of_weights(&seen, rows)
            })?;
            values.extend(of_weights);
        }
        let mut record = Vec::new();
        records::append(&records::values(metrics.epoch, now(), values), &mut record);
        // One call of the system: all of it, or a rest that readers pass over.
        open.file.write_all(&record).map_err(unwritable(&open.path))
    }
}

/// Whether an epoch of so many has pictures: the first, the last, and about forty
/// in all.
fn has_pictures(epoch: usize, epochs: usize) -> bool {
    epoch <= 1 || epoch >= epochs || epoch.is_multiple_of(epochs.div_ceil(PICTURES))
}

/// The numbers of the event files in a folder, ascending.
fn numbers(folder: &Path) -> Result<Vec<u32>, Error> {
    let unreadable = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        numbers.extend(name.to_str().and_then(records::file_number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The values that a file has of the first `done` epochs.
fn kept(path: &Path, done: usize) -> Result<Vec<Event>, Error> {
    let bytes = input_files::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let is_kept = |event: &Event| {
        matches!(event.what, Some(What::Summary(_)))
            && usize::try_from(event.step).is_ok_and(|step| step <= done)
    };
    Ok(records::read(&bytes).filter(is_kept).collect())
}

fn has_numbers_of(event: &Event, epoch: usize) -> bool {
    let Some(What::Summary(summary)) = &event.what else {
        return false;
    };
    let is_loss = |value: &Value| {
        value.tag == epochs::TRAIN_LOSS && matches!(value.content, Some(Content::Scalar(_)))
    };
    usize::try_from(event.step) == Ok(epoch) && summary.value.iter().any(is_loss)
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |passed| passed.as_secs_f64())
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    |source| Error::Write { path, source }
}
