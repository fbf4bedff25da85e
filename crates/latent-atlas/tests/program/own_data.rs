//! Data of the user's own, as a user meets it: any shape, labels or none, data
//! that moved, and what is refused in a sentence.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use datasets::idx;
use serde_json::Value;
use tempfile::TempDir;

use crate::tiny::{self, succeed};

fn program(folder: &Path) -> Command {
    let mut command = tiny::program(folder);
    command.env("LATENT_ATLAS_CACHE", folder.join("cache"));
    command
}

/// The one line a command prints that must be refused with code 2.
fn refused(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert_eq!(output.status.code(), Some(2), "{command:?}: {stderr}");
    let line = stderr.trim_end();
    assert!(
        line.starts_with("error: ") && !line.contains('\n'),
        "{line}"
    );
    line.to_owned()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(path: PathBuf, dimensions: &[usize], data: &[u8]) {
    let mut bytes = Vec::new();
    idx::write(&mut bytes, dimensions, data).expect("writing to memory");
    fs::write(path, bytes).expect("a writable folder");
}

fn pixel(at: usize) -> u8 {
    (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]
}

/// A folder with 40 training and 20 test rows of the given sizes; labels of
/// three classes if asked for.
fn data(root: &Path, name: &str, sizes: &[usize], labelled: bool) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir(&folder).expect("a new folder");
    for (count, part) in [(40, "train"), (20, "t10k")] {
        let dimensions = [&[count], sizes].concat();
        let length = dimensions.iter().product();
        let values: Vec<u8> = (0..length).map(|at| pixel(at + count)).collect();
        write(
            folder.join(format!("{part}-images-idx3-ubyte")),
            &dimensions,
            &values,
        );
        if labelled {
            let labels: Vec<u8> = (0..count).map(|row| (row % 3) as u8).collect();
            write(
                folder.join(format!("{part}-labels-idx1-ubyte")),
                &[count],
                &labels,
            );
        }
    }
    folder
}

const SMALL: [&str; 10] = [
    "--quiet", "--hidden", "8", "--latent", "2", "--batch", "64", "--epochs", "2", "--seed=1",
];

fn train(root: &Path, source: &str, more: &[&str]) -> String {
    succeed(
        program(root)
            .args(["train", source, "--out", "run"])
            .args(SMALL)
            .args(more),
    )
}

fn evaluate(root: &Path, more: &[&str]) -> Value {
    let text = succeed(
        program(root)
            .args(["eval", "run", "--quiet", "--json"])
            .args(more),
    );
    serde_json::from_str(&text).expect("one JSON document")
}

#[test]
fn every_shape_trains_and_is_said_wherever_the_run_is_spoken_of() {
    for (name, sizes, shape) in [
        ("wide", &[14, 56][..], "14x56"),
        ("tiny", &[1, 1], "1x1"),
        ("colour", &[9, 7, 3], "9x7x3"),
        ("vectors", &[5], "5"),
    ] {
        let root = folder();
        let source = data(root.path(), name, sizes, true);
        let text = train(root.path(), name, &[]);
        assert!(text.contains("test loss"), "{text}");
        let config = fs::read_to_string(root.path().join("run/config.toml")).expect("written");
        assert!(config.contains(&format!("shape = \"{shape}\"")), "{config}");
        let report = evaluate(root.path(), &[]);
        assert_eq!(report["data"]["shape"], shape);
        assert_eq!(report["n"], 20);
        let table = succeed(program(root.path()).args(["eval", "run"]));
        assert!(table.contains(&format!("({shape})")), "{table}");
        let model = fs::read(root.path().join("run/model.safetensors")).expect("written");
        let needle = format!("\\\"shape\\\":\\\"{shape}\\\"");
        let found = model
            .windows(needle.len())
            .any(|part| part == needle.as_bytes());
        assert!(found, "model.safetensors says {shape}");
        assert!(source.exists());
    }
}

#[test]
fn labels_are_optional() {
    let root = folder();
    data(root.path(), "plain", &[8, 8], false);
    train(root.path(), "plain", &[]);
    assert_eq!(evaluate(root.path(), &[])["n"], 20);
    let health = succeed(program(root.path()).args(["data", "inspect", "plain"]));
    assert!(health.contains("there are no labels"), "{health}");
}

#[test]
fn a_source_without_a_test_set_gives_a_share_and_every_number_says_so() {
    let root = folder();
    let source = data(root.path(), "one", &[6, 6], true);
    for name in ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        fs::remove_file(source.join(name)).expect("it was there");
    }
    let text = train(root.path(), "one", &["--test-share", "0.4"]);
    let report = evaluate(root.path(), &[]);
    assert_eq!(report["data"]["test_share"], 0.4);
    assert!(text.contains("a share of 0.4"), "{text}");
    let table = succeed(program(root.path()).args(["eval", "run"]));
    assert!(table.contains("a share of 0.4"), "{table}");
    let (test, train) = (
        report["n"].as_u64().expect("a count"),
        evaluate(root.path(), &["--split", "train"])["n"]
            .as_u64()
            .expect("a count"),
    );
    assert_eq!(test + train, 40);
    // The codes say which rows the numbers were of.
    let text =
        succeed(program(root.path()).args(["encode", "run", "one", "-o", "c.csv", "--json"]));
    let encoded: Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(encoded["parts"][1]["part"], "test");
    assert_eq!(encoded["parts"][1]["rows"], test);
    let at_mean = report["at_mean"]["reconstruction"]
        .as_f64()
        .expect("a number");
    let of_codes = encoded["parts"][1]["reconstruction"]
        .as_f64()
        .expect("a number");
    assert!(
        (at_mean - of_codes).abs() < 1e-4 * at_mean,
        "{at_mean} {of_codes}"
    );
    let table = fs::read_to_string(root.path().join("c.csv")).expect("written");
    assert_eq!(table.matches(",test,").count() as u64, test);
    // Other data were not divided by anybody.
    data(root.path(), "other", &[6, 6], false);
    fs::remove_file(root.path().join("other/t10k-images-idx3-ubyte")).expect("it was there");
    let text =
        succeed(program(root.path()).args(["encode", "run", "other", "-o", "o.csv", "--json"]));
    assert!(!text.contains("\"split\""), "{text}");
    let message = refused(program(root.path()).args(["train", "one", "--test-share", "1"]));
    assert!(message.contains("--test-share is 1"), "{message}");
}

#[test]
fn held_out_images_are_no_training_images() {
    let root = folder();
    data(root.path(), "some", &[4, 4], true);
    train(root.path(), "some", &["--set", "data.validation=10"]);
    assert_eq!(evaluate(root.path(), &["--split", "train"])["n"], 30);
    assert_eq!(evaluate(root.path(), &["--split", "validation"])["n"], 10);
    let first = evaluate(root.path(), &["--subset", "5"]);
    assert_eq!(first["n"], 5);
    assert_eq!(first["rows_of_split"], 20);
    let table = succeed(program(root.path()).args(["eval", "run", "--subset", "5"]));
    assert!(
        table.contains("the first 5 of 20 rows of the test split"),
        "{table}"
    );
    let table = succeed(program(root.path()).args(["eval", "run"]));
    assert!(table.starts_with("20 rows of the test split"), "{table}");
    let root = folder();
    data(root.path(), "some", &[4, 4], true);
    train(root.path(), "some", &[]);
    let message = refused(program(root.path()).args(["eval", "run", "--split", "validation"]));
    assert!(message.contains("data.validation"), "{message}");
}

#[test]
fn data_that_moved_can_be_pointed_at_and_other_data_is_refused() {
    let root = folder();
    let source = data(root.path(), "before", &[6, 6], true);
    train(root.path(), "before", &[]);
    // From another working directory the run still finds its data.
    let elsewhere = folder();
    let run = root.path().join("run");
    succeed(program(elsewhere.path()).arg("eval").arg(&run));
    fs::rename(source, root.path().join("after")).expect("a writable folder");
    let message = refused(program(root.path()).args(["eval", "run"]));
    assert!(message.contains("before"), "{message}");
    assert_eq!(evaluate(root.path(), &["--dataset", "after"])["n"], 20);
    // A run that has ended needs them no more.
    for more in [&[][..], &["--epochs", "2"], &["--dataset", "after"]] {
        let resume = ["train", "--resume", "run"];
        let text = succeed(program(root.path()).args(resume).args(more));
        assert!(text.starts_with("already done"), "{text}");
    }

    let other = data(root.path(), "other", &[6, 6], true);
    let images = other.join("t10k-images-idx3-ubyte");
    let mut bytes = fs::read(&images).expect("written");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(images, bytes).expect("a writable folder");
    let before = contents(&root.path().join("run"));
    for command in [
        &["eval", "run", "--dataset", "other"][..],
        &[
            "train",
            "--quiet",
            "--resume",
            "run",
            "--dataset",
            "other",
            "--epochs",
            "3",
        ],
    ] {
        let message = refused(program(root.path()).args(command));
        assert!(message.contains("fingerprint"), "{message}");
    }
    // Neither does a run change that was to go on when its data are gone.
    fs::remove_dir_all(root.path().join("after")).expect("it was there");
    let message = refused(
        program(root.path()).args(["train", "--quiet", "--resume", "run", "--epochs", "9"]),
    );
    assert!(message.contains("--dataset"), "{message}");
    assert_eq!(contents(&root.path().join("run")), before);
}

/// Every file of a folder.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect();
    files.sort();
    files
}

#[test]
fn values_that_are_no_grey_values_are_told_what_to_do() {
    let root = folder();
    let source = root.path().join("floats");
    fs::create_dir(&source).expect("a new folder");
    for part in ["train", "t10k"] {
        let mut bytes = vec![0, 0, 0x0d, 2];
        for size in [30u32, 6] {
            bytes.extend(size.to_be_bytes());
        }
        let values = (0..180).map(|at| f32::from(pixel(at)) * (at % 6) as f32 - 40.0);
        bytes.extend(values.flat_map(f32::to_be_bytes));
        fs::write(source.join(format!("{part}-images-idx2-float")), bytes).expect("writable");
    }
    let message =
        refused(program(root.path()).args(["train", "floats", "--quiet", "--out", "run"]));
    assert!(message.contains("gaussian-identity"), "{message}");
    assert!(!root.path().join("run").exists(), "nothing is written");
    train(
        root.path(),
        "floats",
        &[
            "--likelihood",
            "gaussian-identity",
            "--sigma",
            "1",
            "--standardise",
        ],
    );
    // Standardised values vary by 1 in each of six columns, and so does the
    // squared error of a decoder that knows the mean alone.
    let report = evaluate(root.path(), &[]);
    let reconstruction = report["reconstruction"].as_f64().expect("a number");
    let of_the_mean = 6.0 * 0.5 * ((2.0 * std::f64::consts::PI).ln() + 1.0);
    assert!(
        (reconstruction - of_the_mean).abs() < 3.0,
        "{reconstruction}"
    );
}

/// Whether no word of a text is a number that is none.
fn is_finite(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
    !words.any(|word| matches!(word, "NaN" | "inf" | "Infinity"))
}

#[test]
fn few_and_equal_rows_end_in_numbers_or_a_sentence() {
    for (rows, value) in [(2, None), (3, Some(0)), (3, Some(255)), (40, Some(7))] {
        let root = folder();
        let source = root.path().join("odd");
        fs::create_dir(&source).expect("a new folder");
        let values: Vec<u8> = (0..rows * 9).map(|at| value.unwrap_or(pixel(at))).collect();
        write(
            source.join("train-images-idx3-ubyte"),
            &[rows, 3, 3],
            &values,
        );
        write(
            source.join("train-labels-idx1-ubyte"),
            &[rows],
            &vec![4; rows],
        );
        train(root.path(), "odd", &[]);
        let text = succeed(program(root.path()).args(["eval", "run", "--json", "--quiet"]));
        assert!(is_finite(&text), "{text}");
        let table = succeed(program(root.path()).args(["eval", "run", "--nll-samples", "10"]));
        assert!(is_finite(&table), "{table}");
    }
    let root = folder();
    let source = root.path().join("one");
    fs::create_dir(&source).expect("a new folder");
    write(source.join("train-images-idx3-ubyte"), &[1, 3, 3], &[1; 9]);
    let message = refused(program(root.path()).args(["train", "one"]));
    assert!(message.contains("at least 2"), "{message}");
}

#[test]
fn folders_under_the_names_of_files_are_passed_over() {
    let root = folder();
    let source = data(root.path(), "unpacked", &[5, 5], true);
    for name in datasets::FILE_NAMES {
        let dotted = source.join(name.replace("-idx", ".idx"));
        fs::rename(source.join(name), dotted).expect("a writable folder");
        fs::create_dir(source.join(name)).expect("a new folder");
    }
    train(root.path(), "idx:unpacked", &[]);
}

#[test]
fn the_first_file_of_the_cache_makes_its_folder() {
    let root = folder();
    data(root.path(), "own", &[5, 5], true);
    train(root.path(), "own", &[]);
    assert!(!root.path().join("cache").exists());
    succeed(program(root.path()).args(["figures", "run", "--quiet", "--figure", "classes"]));
    let kept = fs::read_dir(root.path().join("cache")).expect("a folder");
    assert_eq!(kept.count(), 1);
}

#[test]
fn a_path_that_is_not_utf8_is_no_obstacle() {
    let root = folder();
    let out = OsStr::from_bytes(b"r\xe9sultats");
    let text = succeed(
        program(root.path())
            .args(["train", "--json", "--out"])
            .arg(out)
            .args(SMALL)
            .args(["--batch", "4096", "--epochs", "1"]),
    );
    assert!(text.contains("sultats"), "{text}");
    assert!(root.path().join(out).join("result.json").exists());
}

#[test]
fn the_largest_seed_is_named() {
    let root = folder();
    let message = refused(program(root.path()).args(["train", "--seed", "18446744073709551615"]));
    assert!(message.contains("at most 9223372036854775807"), "{message}");
}

#[test]
fn a_cause_is_said_once() {
    let root = folder();
    for arguments in [
        &["train", "idx:nowhere"][..],
        &["train", "--config", "nowhere.toml"],
        &["data", "inspect", "idx:nowhere"],
    ] {
        let message = refused(program(root.path()).args(arguments));
        assert_eq!(message.matches("No such file").count(), 1, "{message}");
    }
}

#[test]
fn a_name_that_is_nearly_right_is_suggested() {
    let root = folder();
    let message = refused(program(root.path()).args(["train", "fashion-mnits"]));
    assert!(message.contains("did you mean fashion-mnist?"), "{message}");
    let message = refused(program(root.path()).args(["train", "no/such/folder"]));
    assert!(message.contains("no/such/folder"), "{message}");
}

#[test]
fn a_mask_is_named_with_its_remedy() {
    let root = folder();
    let source = root.path().join("mask");
    fs::create_dir(&source).expect("a new folder");
    let values: Vec<u8> = (0..200 * 16).map(|at| pixel(at) & 1).collect();
    write(
        source.join("train-images-idx3-ubyte"),
        &[200, 4, 4],
        &values,
    );
    let output = program(root.path())
        .args(["train", "mask", "--out", "run", "--epochs", "1"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--maximum 1"), "{said}");
    let health =
        succeed(program(root.path()).args(["data", "inspect", "mask", "--maximum", "1", "--json"]));
    let health: Value = serde_json::from_str(&health).expect("one JSON document");
    assert_eq!(health["range"], serde_json::json!([0.0, 1.0]));
    assert_eq!(health["findings"], serde_json::json!([]));
}

#[test]
fn a_run_is_the_same_in_every_form_of_its_data() {
    let root = folder();
    data(root.path(), "idx", &[6, 5], true);
    train(root.path(), "idx", &[]);
    let elsewhere = root.path().join("floats");
    fs::create_dir(&elsewhere).expect("a new folder");
    for part in ["train", "t10k"] {
        let name = format!("{part}-images-idx3-ubyte");
        let bytes = fs::read(root.path().join("idx").join(&name)).expect("written");
        let (header, pixels) = bytes.split_at(16);
        let mut floats = header.to_vec();
        floats[2] = 0x0d;
        floats.extend(
            pixels
                .iter()
                .flat_map(|&byte| (f32::from(byte) / 255.0).to_be_bytes()),
        );
        fs::write(elsewhere.join(&name), floats).expect("writable");
        let labels = format!("{part}-labels-idx1-ubyte");
        fs::copy(
            root.path().join("idx").join(&labels),
            elsewhere.join(labels),
        )
        .expect("copied");
    }
    let first = evaluate(root.path(), &[]);
    let second = evaluate(root.path(), &["--dataset", "floats"]);
    assert_eq!(first["reconstruction"], second["reconstruction"]);
    succeed(program(root.path()).args([
        "train",
        "--resume",
        "run",
        "--dataset",
        "floats",
        "--epochs",
        "3",
    ]));
}

#[test]
fn a_test_loss_that_is_not_finite_is_a_divergence() {
    let root = folder();
    let source = root.path().join("apart");
    fs::create_dir(&source).expect("a new folder");
    for (part, size) in [("train", 1.0f32), ("t10k", 1e30)] {
        let mut bytes = vec![0, 0, 0x0d, 2];
        for count in [30u32, 4] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend((0..120).flat_map(|at| (size * f32::from(pixel(at))).to_be_bytes()));
        fs::write(source.join(format!("{part}-images-idx2-float")), bytes).expect("writable");
    }
    let output = program(root.path())
        .args([
            "train",
            "apart",
            "--out",
            "run",
            "--likelihood",
            "gaussian-identity",
        ])
        .args(SMALL)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("test pass"), "{said}");
    let result = fs::read_to_string(root.path().join("run/result.json")).expect("a result");
    assert!(result.contains("diverged"), "{result}");
}

#[test]
fn a_closed_stderr_does_not_end_training() {
    let root = folder();
    data(root.path(), "plain", &[4, 4], false);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("a device");
    let status = std::process::Command::new(assert_cmd::cargo::cargo_bin("latent-atlas"))
        .current_dir(root.path())
        .args([
            "train", "plain", "--out", "run", "--epochs", "2", "--hidden", "4",
        ])
        .stderr(full)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success(), "{status}");
    assert!(root.path().join("run/result.json").exists());
}

#[test]
fn pictures_of_any_range_are_not_clipped() {
    let root = folder();
    let source = root.path().join("sixteen");
    fs::create_dir(&source).expect("a new folder");
    let mut bytes = vec![0, 0, 0x0d, 3];
    for size in [40u32, 5, 5] {
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend((0..1000).flat_map(|at| (f32::from(pixel(at) % 17)).to_be_bytes()));
    fs::write(source.join("train-images-idx3-float"), bytes).expect("writable");
    train(
        root.path(),
        "sixteen",
        &["--likelihood", "gaussian-identity", "--standardise"],
    );
    let text =
        succeed(program(root.path()).args(["reconstruct", "run", "sixteen", "-o", "pairs.png"]));
    assert!(
        text.contains("drawn between") && text.contains("16"),
        "{text}"
    );
    let image = image_levels(&root.path().join("pairs.png"));
    assert!(image > 10, "{image} grey levels");
}

/// How many different bytes the pixels of a grey PNG have.
fn image_levels(path: &Path) -> usize {
    let viz::Image::Gray(image) =
        viz::decode_png(&fs::read(path).expect("written")).expect("a PNG")
    else {
        panic!("a grey image")
    };
    let levels: std::collections::BTreeSet<u8> = image.pixels().iter().copied().collect();
    levels.len()
}
