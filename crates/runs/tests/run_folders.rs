//! What a run folder survives, and what is found when something in it is not as
//! it was written.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use datasets::Lookup;
use runs::Error;
use runs::configuration::{Configuration, Override};
use runs::gather::gather;
use runs::interrupt::Interrupt;
use runs::report::{self, SplitName};
use runs::run_data::DataLocation;
use runs::run_folder::RunFolder;
use runs::training::{self, Observer, Outcome, Target};
use runs::trajectories::TrackedCodes;

/// Writes 200 vectors of six values between −2 and 3; `offset` makes others.
fn vectors(folder: &Path, offset: u32) -> String {
    let mut text = String::from("a,b,c,d,e,f\n");
    for row in 0..200u32 {
        let value = |column: u32| (row * 37 + column * 53 + row * column + offset) % 101;
        let values: Vec<String> = (0..6)
            .map(|column| format!("{:.2}", f64::from(value(column)) / 20.0 - 2.0))
            .collect();
        writeln!(text, "{}", values.join(",")).unwrap();
    }
    let path = folder.join("vectors.csv");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn configuration(data: &str) -> Configuration {
    let source = format!("data.dataset={data}");
    let settings = [
        "training.epochs=4",
        "training.batch=32",
        "training.patience=3",
        "data.validation=40",
        // Every step is heard.
        "tracking.snapshots_per_epoch=4",
        "model.hidden=[5]",
        "model.latent=2",
        "model.likelihood=gaussian",
        &source,
    ];
    let overrides = settings.map(|setting| Override::parse(setting).unwrap());
    Configuration::resolve(None, None, &overrides).unwrap()
}

fn request(target: Target) -> training::Request {
    training::Request {
        target,
        command: "train".into(),
        threads: Some(1),
        checkpoint_every: Duration::from_secs(60),
        location: location(),
    }
}

fn location() -> DataLocation {
    DataLocation::from(Lookup {
        offline: true,
        ..Lookup::default()
    })
}

fn new(data: &str, out: &Path) -> training::Request {
    changed(data, out, |_| {})
}

/// A new run with other settings.
fn changed(data: &str, out: &Path, change: impl FnOnce(&mut Configuration)) -> training::Request {
    let mut configuration = configuration(data);
    change(&mut configuration);
    request(Target::New {
        configuration: Box::new(configuration),
        out: Some(out.into()),
    })
}

/// A finished run that goes on to more epochs.
fn longer(run: &Path, epochs: usize) -> training::Request {
    let folder = RunFolder::at(run);
    let mut longer = folder.configuration().unwrap();
    longer.training.epochs = epochs;
    request(Target::Resume {
        folder,
        longer: Some(Box::new(longer)),
    })
}

fn resumed(out: &Path) -> training::Request {
    request(Target::Resume {
        folder: RunFolder::at(out),
        longer: None,
    })
}

/// Asks for a stop after so many reports of progress, and keeps what is said.
#[derive(Default)]
struct Watch {
    interrupt: Interrupt,
    stop_after: usize,
    mended: Vec<String>,
}

impl Watch {
    fn stopping_after(steps: usize) -> Self {
        Self {
            stop_after: steps,
            ..Self::default()
        }
    }

    fn train(&mut self, request: &training::Request) -> Result<Outcome, Error> {
        let interrupt = self.interrupt.clone();
        training::train(request, &interrupt, &mut |_| {}, self)
    }
}

impl Observer for Watch {
    fn progressed(&mut self, _: f64) {
        self.stop_after = self.stop_after.saturating_sub(1);
        if self.stop_after == 0 {
            self.interrupt.request();
        }
    }

    fn mended(&mut self, sentence: &str) {
        self.mended.push(sentence.into());
    }
}

fn train(request: &training::Request) -> Result<Outcome, Error> {
    training::train(request, &Interrupt::default(), &mut |_| {}, &mut ())
}

fn refused(request: &training::Request) -> String {
    train(request).unwrap_err().to_string()
}

/// A run of `data` that was stopped within its second epoch.
fn stopped(data: &str, out: &Path) {
    let error = Watch::stopping_after(6).train(&new(data, out)).unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
}

/// What of a run is the same every time.
fn results(run: &Path) -> Vec<Vec<u8>> {
    [
        "model.safetensors",
        "trajectories.npz",
        "best.safetensors",
        "config.toml",
    ]
    .iter()
    .map(|name| fs::read(run.join(name)).unwrap())
    .collect()
}

#[test]
fn a_run_that_is_stopped_after_any_step_gives_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let data = vectors(root.path(), 0);
    let (whole, parts) = (root.path().join("whole"), root.path().join("parts"));
    train(&new(&data, &whole)).unwrap();
    let mut stops = 0;
    let mut next = new(&data, &parts);
    loop {
        // A checkpoint after every step, and a stop within every epoch.
        next.checkpoint_every = Duration::ZERO;
        match Watch::stopping_after(3).train(&next) {
            Ok(_) => break,
            Err(Error::Stopped { .. }) => stops += 1,
            Err(error) => panic!("{error}"),
        }
        next = resumed(&parts);
    }
    assert!(stops >= 4, "{stops} stops");
    assert_eq!(results(&whole), results(&parts));
    let losses = |run| -> Vec<f64> {
        let metrics = RunFolder::at(run).read_metrics().unwrap();
        metrics.iter().map(|epoch| epoch.test.loss).collect()
    };
    assert_eq!(losses(&whole), losses(&parts));
}

#[test]
fn metrics_that_a_crash_has_taken_come_back_from_the_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let data = vectors(root.path(), 0);
    let (whole, torn) = (root.path().join("whole"), root.path().join("torn"));
    train(&new(&data, &whole)).unwrap();
    stopped(&data, &torn);
    let metrics = torn.join("metrics.jsonl");
    assert!(fs::metadata(&metrics).unwrap().len() > 100);
    fs::write(&metrics, "{\"epoch\":1,\"st").unwrap();
    let mut watch = Watch::stopping_after(usize::MAX);
    watch.train(&resumed(&torn)).unwrap();
    assert_eq!(watch.mended.len(), 1, "{:?}", watch.mended);
    assert!(
        watch.mended[0].contains("metrics.jsonl was"),
        "{:?}",
        watch.mended
    );
    assert_eq!(results(&whole), results(&torn));
}

#[test]
fn the_second_writer_is_told_who_the_first_is() {
    let root = tempfile::tempdir().unwrap();
    let data = vectors(root.path(), 0);
    let run = root.path().join("run");
    stopped(&data, &run);
    let before = fs::read(run.join("state.safetensors")).unwrap();
    let first = RunFolder::at(&run).take("train --resume run").unwrap();
    for request in [resumed(&run), new(&data, &run)] {
        let message = refused(&request);
        assert!(
            message.contains("is being written by process")
                && message.contains("train --resume run"),
            "{message}"
        );
    }
    assert_eq!(fs::read(run.join("state.safetensors")).unwrap(), before);
    // Readers are not kept out.
    RunFolder::at(&run).read_metrics().unwrap();
    drop(first);
    train(&resumed(&run)).unwrap();
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let data = vectors(root.path(), 0);
    let theirs = root.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("metrics.jsonl"), "mine").unwrap();
    let message = refused(&new(&data, &theirs));
    assert!(message.contains("has not written"), "{message}");
    assert_eq!(fs::read(theirs.join("metrics.jsonl")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
}

#[test]
fn other_settings_or_data_under_a_run_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let data = vectors(root.path(), 0);
    let run = root.path().join("run");
    stopped(&data, &run);
    let path = run.join("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.replace("learning_rate = 0.001", "learning_rate = 0.5");
    assert_ne!(text, edited);
    // With the checksum as it was, and without one, as a person may write it.
    let (settings, _) = edited.split_once("# SHA-256").unwrap();
    for edited in [&edited, settings] {
        fs::write(&path, edited).unwrap();
        let message = refused(&resumed(&run));
        assert!(
            message.contains("training.learning_rate is 0.5 instead of 0.001"),
            "{message}"
        );
    }
    let request = report_of(&run);
    let message = report::write(&request, &mut |_| {}, &())
        .unwrap_err()
        .to_string();
    assert!(message.contains("instead of 0.001"), "{message}");
    fs::write(&path, &text).unwrap();
    vectors(root.path(), 7);
    let message = refused(&resumed(&run));
    assert!(message.contains("fingerprint"), "{message}");
    vectors(root.path(), 0);
    train(&resumed(&run)).unwrap();
}

#[test]
fn a_refused_extension_leaves_every_file_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let data = vectors(root.path(), 0);
    let run = root.path().join("run");
    train(&new(&data, &run)).unwrap();
    let files = || -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(&run)
            .unwrap()
            .map(|entry| entry.unwrap())
            // Who has held the folder is told anew each time.
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .map(|entry| (entry.path(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    };
    // The best weights of another run.
    let best = run.join("best.safetensors");
    let own = fs::read(&best).unwrap();
    let other = root.path().join("other");
    train(&changed(&data, &other, |other| other.training.seed = 9)).unwrap();
    fs::copy(other.join("best.safetensors"), &best).unwrap();
    let before = files();
    let message = refused(&longer(&run, 6));
    assert!(
        message.contains("training.seed is 42 instead of 9"),
        "{message}"
    );
    assert!(files() == before, "something changed");
    fs::write(&best, own).unwrap();
    train(&longer(&run, 6)).unwrap();
    let straight = root.path().join("straight");
    train(&changed(&data, &straight, |six| six.training.epochs = 6)).unwrap();
    assert_eq!(results(&straight), results(&run));
}

#[test]
fn what_a_finished_run_lost_is_restored_or_missed() {
    let root = tempfile::tempdir().unwrap();
    let data = vectors(root.path(), 0);
    let run = root.path().join("run");
    train(&new(&data, &run)).unwrap();
    let metrics = run.join("metrics.jsonl");
    let whole = fs::read(&metrics).unwrap();
    fs::write(&metrics, &whole[..whole.len() - 5]).unwrap();
    let message = RunFolder::at(&run).read_metrics().unwrap_err().to_string();
    assert!(message.contains("restore it with"), "{message}");
    let mut watch = Watch::stopping_after(usize::MAX);
    assert!(watch.train(&resumed(&run)).unwrap().already_done);
    assert_eq!(watch.mended.len(), 1, "{:?}", watch.mended);
    assert!(fs::read(&metrics).unwrap() == whole, "other lines");
    // The lines of another run of the same length.
    let other = root.path().join("other");
    train(&changed(&data, &other, |other| other.training.seed = 9)).unwrap();
    fs::copy(other.join("metrics.jsonl"), &metrics).unwrap();
    let message = RunFolder::at(&run).read_metrics().unwrap_err().to_string();
    assert!(message.contains("the files of one run"), "{message}");
    fs::write(&metrics, &whole).unwrap();
    // A finished run without its state does not go on from nothing.
    fs::remove_file(run.join("state.safetensors")).unwrap();
    let weights = fs::read(run.join("model.safetensors")).unwrap();
    let message = refused(&longer(&run, 6));
    assert!(message.contains("state.safetensors is gone"), "{message}");
    assert!(fs::read(run.join("model.safetensors")).unwrap() == weights);
    assert!(train(&resumed(&run)).unwrap().already_done);
}

fn report_of(run: &Path) -> report::Request {
    report::Request {
        folder: RunFolder::at(run),
        split: SplitName::Test,
        subset: None,
        seed: 0,
        treatment: None,
        nll_samples: None,
        threads: Some(1),
        location: location(),
    }
}

/// Reads one file of a run, however it is read.
type Read = fn(&Path) -> Result<(), Error>;

#[test]
fn a_changed_bit_in_any_file_of_a_run_is_found_and_named() {
    let root = tempfile::tempdir().unwrap();
    let data = vectors(root.path(), 0);
    let run = root.path().join("run");
    train(&new(&data, &run)).unwrap();
    report::write(&report_of(&run), &mut |_| {}, &()).unwrap();
    let readers: [(&str, Read); 9] = [
        ("config.toml", |run| {
            RunFolder::at(run).configuration().map(drop)
        }),
        ("environment.json", |run| {
            let folder = RunFolder::at(run);
            let dataset = location().load(&folder.configuration()?, &mut |_| {})?;
            folder.check_dataset(&dataset)
        }),
        ("result.json", |run| {
            RunFolder::at(run).read_result().map(drop)
        }),
        ("metrics.jsonl", |run| {
            RunFolder::at(run).read_metrics().map(drop)
        }),
        ("eval.json", |run| {
            gather(&[run.to_path_buf()], &[]).map(drop)
        }),
        ("trajectories.npz", |run| {
            TrackedCodes::read(&run.join("trajectories.npz")).map(drop)
        }),
        ("model.safetensors", |run| {
            let folder = RunFolder::at(run);
            folder.load_model(&folder.configuration()?).map(drop)
        }),
        ("state.safetensors", |run| train(&resumed(run)).map(drop)),
        // Of a run whose result is gone by then.
        ("best.safetensors", |run| train(&resumed(run)).map(drop)),
    ];
    for (name, read) in readers {
        let path: PathBuf = run.join(name);
        if name == "state.safetensors" {
            // The state of a finished run is not read.
            fs::remove_file(run.join("result.json")).unwrap();
        } else if name != "best.safetensors" {
            read(&run).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let mut bytes = fs::read(&path).unwrap();
        // Bits of all eight places, spread over the file.
        let step = (8 * bytes.len() / 300).max(1) | 1;
        for bit in (0..8 * bytes.len()).step_by(step) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            let Err(error) = read(&run) else {
                panic!("bit {bit} of {name} was not noticed");
            };
            let message = error.to_string();
            assert!(message.contains(name), "bit {bit} of {name}: {message}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        fs::write(&path, &bytes).unwrap();
    }
}
