//! A run that is watched takes no memory in its steps that it takes not unwatched.

#[path = "tables/support.rs"]
#[allow(dead_code)]
mod support;

use allocation_meter::Meter;
use exports::tensorboard::TrainingLog;
use models::Trainer;
use runs::interrupt::Interrupt;
use runs::run_folder::EpochMetrics;
use runs::training::{Observer, Run, Target};
use tempfile::tempdir;

use support::{configuration, images, train};

#[global_allocator]
static METER: Meter = Meter::new();

/// Counts what is allocated in the steps between two calls.
struct Counted {
    log: Option<TrainingLog>,
    /// Where the last call ended.
    since: usize,
    /// Allocations of each stretch of steps.
    stretches: Vec<usize>,
}

impl Observer for Counted {
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

    fn progressed(&mut self, _: f64) {
        let now = METER.allocations();
        self.stretches.push(now - self.since);
        self.since = METER.allocations();
    }

    fn trained(&mut self, run: &Run<'_>, trainer: &Trainer, metrics: &EpochMetrics) {
        if let Some(log) = &mut self.log {
            log.epoch(run, trainer, metrics).unwrap();
        }
        self.since = METER.allocations();
    }
}

#[test]
fn steps_of_a_watched_run_allocate_what_others_do() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let stretches = |is_watched: bool, name: &str| {
        let mut counted = Counted {
            log: is_watched.then(TrainingLog::default),
            since: 0,
            stretches: Vec::with_capacity(64),
        };
        // A snapshot ends a stretch in the middle of an epoch.
        let settings = ["training.epochs=4", "tracking.snapshots_per_epoch=2"];
        let target = Target::New {
            configuration: Box::new(configuration(&data, &settings)),
            out: Some(folder.path().join(name)),
        };
        train(target, &Interrupt::default(), &mut counted).unwrap();
        counted.stretches
    };
    // Names of one length: of a longer path a text may grow in more steps, and each counts.
    let alone = stretches(false, "alone..");
    let watched = stretches(true, "watched");
    // The first stretch of all counts what came before it.
    assert_eq!(alone.len(), 8, "{alone:?}");
    assert_eq!(watched[1..], alone[1..]);
}
