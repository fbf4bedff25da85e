//! Ten thousand runs are planned, looked at and merged in a moment and in little memory.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use allocation_meter::Meter;
use durable_files::seal::JSON_DOCUMENT;
use runs::configuration::ReadingConfiguration;
use runs::environment::Environment;
use runs::run_data::DataLocation;
use runs::run_folder::{EpochMetrics, Losses, RunResult, Status};
use sweeps::make::{Published, Request, make};
use sweeps::merge::merge;
use sweeps::shard::Shard;
use sweeps::{Plan, PlannedRun};

#[global_allocator]
static METER: Meter = Meter::new();

const RUNS: usize = 10_000;

/// The most bytes and the longest that each part may take.
const MOST_BYTES: usize = 200_000_000;
const LONGEST: Duration = Duration::from_secs(5);

/// As many settings, each with ten seeds.
fn list(path: &Path) {
    let lines = (0..RUNS / 10).map(|place| {
        format!(
            "{{\"training.beta\": {}, \"model.hidden\": [{}]}}\n",
            1.0 + place as f64 / 100.0,
            8 + place % 100
        )
    });
    fs::write(path, lines.collect::<String>()).expect("writable");
}

/// The result of a run, without waiting for the disk.
fn end(run: &PlannedRun, folder: &Path) {
    let loss = 100.0 + run.seed as f64;
    let losses = Losses {
        loss,
        reconstruction: loss - 5.0,
        kl: 5.0,
    };
    let result = RunResult {
        status: Status::Done,
        digest: run.digest.clone(),
        epochs: 10,
        steps: 4690,
        last: Some(EpochMetrics {
            epoch: 10,
            step: 4690,
            train: losses,
            test: losses,
            validation: None,
            data_treatment: Default::default(),
            learning_rate: Some(1e-3),
            seconds: 1.0,
            images_per_second: 60_000.0,
        }),
        best_epoch: None,
        divergence: None,
    };
    let mut text = serde_json::to_vec_pretty(&result).expect("plain data");
    text.push(b'\n');
    JSON_DOCUMENT.close(&mut text);
    let place = run.folder(folder).path().to_owned();
    fs::create_dir_all(&place).expect("writable");
    let settings = run.configuration.to_toml().expect("plain data");
    fs::write(place.join("config.toml"), settings).expect("writable");
    let environment = Environment::describe(1, &run.dataset_sha256);
    let environment = serde_json::to_vec(&environment).expect("plain data");
    fs::write(place.join("environment.json"), environment).expect("writable");
    fs::write(place.join("result.json"), text).expect("writable");
}

/// What `work` gives; it may take so much and so long.
fn measured<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let began = Instant::now();
    let (given, bytes) = METER.peak_during(work);
    let time = began.elapsed();
    // For those who ask for it with --nocapture.
    let _ = writeln!(
        std::io::stderr(),
        "{what}: {time:.2?}, {:.0} MB",
        bytes as f64 / 1e6
    );
    assert!(bytes < MOST_BYTES, "{what} took {bytes} bytes");
    assert!(time < LONGEST, "{what} took {time:?}");
    given
}

/// One test, so that no other runs beside it and is counted.
#[test]
fn ten_thousand_runs_are_light() {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a temporary folder");
    let (settings, path) = (
        folder.path().join("list.jsonl"),
        folder.path().join("plan.jsonl"),
    );
    list(&settings);
    let request = Request {
        sources: vec![settings.display().to_string()],
        dataset: Some("glyphs".into()),
        quick: false,
        seeds: Some("10".parse().expect("a number")),
        first_seed: None,
        published: Published {
            stages: 1,
            layers: 1,
            samples: vec![1],
        },
        reading: ReadingConfiguration::default(),
        location: DataLocation::default(),
        speed: Some(1e11),
    };
    measured("planned", || {
        let plan = make(&request, &mut |_| {}).expect("a plan").plan;
        assert_eq!(plan.runs.len(), RUNS);
        plan.write(&path).expect("writable");
    });
    let plan = measured("read", || Plan::read(&path).expect("a plan"));
    measured("dealt", || {
        let own = plan.shard(Shard {
            index: 7,
            count: 1000,
        });
        assert!((9..=11).contains(&own.len()), "{}", own.len());
    });
    let runs = folder.path().join("runs");
    for run in &plan.runs {
        end(run, &runs);
    }
    let merged = measured("merged", || {
        let measures = ["test.loss", "train.kl"].map(str::to_owned);
        let merged = merge(&plan, &runs, &measures).expect("readable");
        merged
            .write(&folder.path().join("table.csv"))
            .expect("writable");
        merged
    });
    assert!(merged.complete && merged.done == RUNS);
    assert_eq!(merged.rows.len(), 2 * RUNS / 10);
    assert_eq!((merged.rows[0].n, merged.rows[0].mean), (10, Some(104.5)));
}
