//! The event file of a run while it is trained, stopped and resumed.

use std::fs;
use std::path::{Path, PathBuf};

use exports::tensorboard::{FOLDER, TrainingLog};
use models::Trainer;
use runs::Error;
use runs::interrupt::Interrupt;
use runs::run_folder::{EpochMetrics, RunFolder};
use runs::training::{Observer, Run, Target};
use tempfile::tempdir;

use crate::support::*;

/// Writes an event file, and asks for a stop after so many epochs.
struct Watch {
    log: Option<TrainingLog>,
    interrupt: Interrupt,
    stop_after: usize,
}

impl Watch {
    fn new(is_logged: bool, stop_after: usize) -> Self {
        Self {
            log: is_logged.then(TrainingLog::default),
            interrupt: Interrupt::default(),
            stop_after,
        }
    }

    fn train(mut self, target: Target) -> Result<(), Error> {
        let interrupt = self.interrupt.clone();
        train(target, &interrupt, &mut self).map(drop)
    }
}

impl Observer for Watch {
    fn data(&mut self, dataset: &datasets::Dataset) {
        if let Some(log) = &mut self.log {
            log.data(dataset);
        }
    }

    fn opened(&mut self, run: &Run<'_>, metrics: &[EpochMetrics]) {
        if let Some(log) = &mut self.log {
            log.begin(run, metrics).unwrap();
        }
    }

    fn trained(&mut self, run: &Run<'_>, trainer: &Trainer, metrics: &EpochMetrics) {
        if let Some(log) = &mut self.log {
            log.epoch(run, trainer, metrics).unwrap();
        }
        if metrics.epoch == self.stop_after {
            self.interrupt.request();
        }
    }
}

fn new(data: &str, out: &Path) -> Target {
    Target::New {
        configuration: Box::new(configuration(data, &["training.epochs=5"])),
        out: Some(out.into()),
    }
}

fn resumed(out: &Path) -> Target {
    Target::Resume {
        folder: RunFolder::at(out),
        longer: None,
    }
}

/// The only event file of a run.
fn file(run: &Path) -> PathBuf {
    let files: Vec<PathBuf> = fs::read_dir(run.join(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [file] = &files[..] else {
        panic!("one event file, not {files:?}");
    };
    file.clone()
}

/// The epochs that have a test loss, and their losses.
fn losses(run: &Path) -> Vec<(u64, f32)> {
    let told = event_file(&file(run));
    let losses = told.iter().filter(|told| told.tag == "loss/test");
    losses
        .map(|told| (told.step, told.scalar().unwrap()))
        .collect()
}

fn expected(run: &Path) -> Vec<(u64, f32)> {
    let metrics = RunFolder::at(run).read_metrics().unwrap();
    let of = |metrics: EpochMetrics| (metrics.epoch as u64, metrics.test.loss as f32);
    metrics.into_iter().map(of).collect()
}

#[test]
fn a_run_that_is_watched_is_the_same_run() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let [watched, alone] = ["watched", "alone"].map(|name| folder.path().join(name));
    Watch::new(true, 99).train(new(&data, &watched)).unwrap();
    Watch::new(false, 99).train(new(&data, &alone)).unwrap();
    assert!(!alone.join(FOLDER).exists());
    for name in ["model.safetensors", "trajectories.npz", "config.toml"] {
        assert_eq!(
            fs::read(watched.join(name)).unwrap(),
            fs::read(alone.join(name)).unwrap(),
            "{name}"
        );
    }
    assert_eq!(losses(&watched), expected(&watched));
    let told = event_file(&file(&watched));
    let steps_of = |tag: &str| -> Vec<u64> {
        let of_tag = told.iter().filter(|told| told.tag == tag);
        of_tag.map(|told| told.step).collect()
    };
    assert_eq!(steps_of("pictures/map"), [1, 2, 3, 4, 5]);
    assert_eq!(steps_of("codes/mu1"), [1, 2, 3, 4, 5]);
    assert_eq!(steps_of("configuration/text_summary"), [0]);
}

#[test]
fn a_stopped_run_goes_on_without_an_epoch_twice() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let run = folder.path().join("run");
    let stopped = Watch::new(true, 2).train(new(&data, &run)).unwrap_err();
    assert!(matches!(stopped, Error::Stopped { .. }), "{stopped}");
    assert_eq!(losses(&run).len(), 2);
    // What a process leaves that is killed in its third epoch's record, and
    // had written beyond the checkpoint.
    let path = file(&run);
    let mut bytes = fs::read(&path).unwrap();
    let third = exports::tensorboard::records::values(3, 0.0, Vec::new());
    exports::tensorboard::records::append(&third, &mut bytes);
    let whole = bytes.len();
    exports::tensorboard::records::append(&third, &mut bytes);
    fs::write(&path, &bytes[..whole + 9]).unwrap();
    assert_eq!(losses(&run).len(), 2, "readable as it is");
    Watch::new(true, 99).train(resumed(&run)).unwrap();
    assert_eq!(losses(&run), expected(&run));
    assert!(!path.exists(), "another file, which readers turn to");
    let told = event_file(&file(&run));
    let maps = told.iter().filter(|told| told.tag == "pictures/map");
    assert_eq!(
        maps.map(|told| told.step).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
}

#[test]
fn epochs_that_were_not_watched_have_their_numbers() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let run = folder.path().join("run");
    Watch::new(false, 3).train(new(&data, &run)).unwrap_err();
    Watch::new(true, 99).train(resumed(&run)).unwrap();
    assert_eq!(losses(&run), expected(&run));
    let told = event_file(&file(&run));
    let maps = told.iter().filter(|told| told.tag == "pictures/map");
    assert_eq!(maps.map(|told| told.step).collect::<Vec<_>>(), [4, 5]);
}
