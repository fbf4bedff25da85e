//! A trained model on new data, as a user meets it: encode, reconstruct,
//! decode, sample and interpolate.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use models::Model;
use ndarray::{Array1, Array2, s};
use ndarray_npy::NpzReader;
use serde_json::Value;
use tempfile::TempDir;

use crate::{names, tiny};

const HEIGHT: usize = 6;
const WIDTH: usize = 5;
const TRAIN: usize = 300;
const TEST: usize = 40;

fn program(folder: &Path, line: &str) -> Command {
    let mut command = tiny::program(folder);
    command.args(line.split_whitespace());
    command
}

/// Runs a command that must succeed and returns its stdout.
fn succeed(folder: &Path, line: &str) -> String {
    tiny::succeed(&mut program(folder, line))
}

/// Runs a command that must fail with code 2 and returns the one line it
/// prints on stderr.
fn refused(folder: &Path, line: &str) -> String {
    let before = names(folder);
    let output = program(folder, line).output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert_eq!(output.status.code(), Some(2), "{line}: {stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{line}: {stderr}");
    assert_eq!(names(folder), before, "{line} left something behind");
    stderr
}

/// Pixels `[n, HEIGHT · WIDTH]` that differ in every row.
fn pixels(first: usize, count: usize, values: usize) -> Array2<u8> {
    Array2::from_shape_fn((count, values), |(row, pixel)| {
        let row = row + first;
        (row * 37 + pixel * (row % 7 + 3) * 11 + row / 9) as u8
    })
}

fn write_idx(folder: &Path, prefix: &str, images: &Array2<u8>, height: usize, is_labelled: bool) {
    fs::create_dir_all(folder).expect("writable");
    let (count, values) = images.dim();
    let mut bytes = vec![0, 0, 8, 3];
    for size in [count, height, values / height] {
        bytes.extend((size as u32).to_be_bytes());
    }
    bytes.extend(images.iter());
    fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), bytes).expect("writable");
    if is_labelled {
        let mut bytes = vec![0, 0, 8, 1];
        bytes.extend((count as u32).to_be_bytes());
        bytes.extend((0..count).map(|row| (row % 4) as u8));
        fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), bytes).expect("writable");
    }
}

/// A folder with the data `own` and a run `run` of them.
fn trained(options: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = folder.path().join("own");
    let values = HEIGHT * WIDTH;
    write_idx(&own, "train", &pixels(0, TRAIN, values), HEIGHT, true);
    write_idx(&own, "t10k", &pixels(TRAIN, TEST, values), HEIGHT, true);
    succeed(
        folder.path(),
        &format!(
            "train --quiet --dataset idx:own --hidden 9 --batch 50 --epochs 2 --out run {options}"
        ),
    );
    folder
}

fn model(folder: &Path) -> Model {
    Model::load(&folder.join("run/model.safetensors")).expect("a model")
}

fn array(path: &Path, name: &str) -> Array2<f32> {
    let file = fs::File::open(path).expect("written");
    NpzReader::new(file)
        .and_then(|mut archive| archive.by_name(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn vector<T: ndarray_npy::ReadableElement>(path: &Path, name: &str) -> Array1<T> {
    let file = fs::File::open(path).expect("written");
    NpzReader::new(file)
        .and_then(|mut archive| archive.by_name(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Header and rows of a CSV file without quoted fields.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(path).expect("written");
    let mut lines = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    (lines.next().expect("a header"), lines.collect())
}

#[test]
fn codes_are_those_of_the_library_in_every_format_and_on_any_threads() {
    let folder = trained("--latent 3");
    let path = folder.path();
    let text = succeed(path, "encode run idx:own -o codes.npz --quiet");
    assert!(text.contains("340 codes of 3 latent"), "{text}");
    let npz = path.join("codes.npz");
    let model = model(path);
    let images = pixels(0, TRAIN + TEST, HEIGHT * WIDTH);
    let codes = model.encode(&images);
    let losses = model.reconstruction_losses(codes.mean.view(), &images);
    assert_eq!(array(&npz, "mu"), codes.mean);
    assert_eq!(Some(array(&npz, "log_var")), codes.log_variance);
    let reconstruction: Array1<f32> = vector(&npz, "reconstruction");
    assert_eq!(reconstruction.to_vec(), losses);
    let positions: Vec<i64> = (0..TRAIN as i64).chain(0..TEST as i64).collect();
    let index: Array1<i64> = vector(&npz, "index");
    assert_eq!(index.to_vec(), positions);
    let labels: Array1<i64> = vector(&npz, "label");
    assert_eq!(labels[TRAIN + 3], 3);

    succeed(path, "encode run idx:own -o codes.csv --quiet --threads 1");
    let (header, rows) = table(&path.join("codes.csv"));
    assert_eq!(
        header.join(","),
        "index,split,label,mu1,mu2,mu3,log_var1,log_var2,log_var3,reconstruction"
    );
    assert_eq!(rows.len(), TRAIN + TEST);
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row[1], if at < TRAIN { "train" } else { "test" });
        let number = |column: usize| row[column].parse::<f32>().expect("a number");
        assert_eq!(number(3), codes.mean[[at, 0]]);
        assert_eq!(number(5), codes.mean[[at, 2]]);
        assert_eq!(number(9), losses[at]);
    }
    succeed(path, "encode run idx:own -o again.npz --quiet --threads 1");
    assert_eq!(
        fs::read(&npz).expect("written"),
        fs::read(path.join("again.npz")).expect("written")
    );

    let document = succeed(
        path,
        "encode run idx:own --split test -o mu.npy --json --quiet",
    );
    let document: Value = serde_json::from_str(&document).expect("one JSON document");
    assert_eq!(document["parts"][0]["part"], "test");
    let mean = losses[TRAIN..]
        .iter()
        .map(|&loss| f64::from(loss))
        .sum::<f64>()
        / TEST as f64;
    assert_eq!(document["parts"][0]["reconstruction"], mean);
    let mu: Array2<f32> = ndarray_npy::read_npy(path.join("mu.npy")).expect("an array");
    assert_eq!(mu, codes.mean.slice(s![TRAIN.., ..]));
    numpy_reads(&npz);
}

/// Where Python has NumPy, it reads the file as well.
#[allow(clippy::print_stderr, reason = "a test that is left out says so")]
fn numpy_reads(path: &Path) {
    let script = "import sys, numpy as np; f = np.load(sys.argv[1]); \
        print(f['mu'].shape, f['mu'].dtype, f['label'].dtype, f['split'][0], f['split'][-1])";
    let run = |arguments: &[&str]| {
        std::process::Command::new("python3")
            .args(arguments)
            .arg(path)
            .output()
    };
    match run(&["-c", "import numpy"]) {
        Ok(output) if output.status.success() => {
            let output = run(&["-c", script]).expect("it has just started");
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(text.trim(), "(340, 3) float32 int64 train test");
        }
        _ => eprintln!("skipped: no python3 with numpy"),
    }
}

#[test]
fn decoded_codes_are_reconstructions() {
    let folder = trained("--latent 2");
    let path = folder.path();
    succeed(path, "reconstruct run idx:own -o r.npz --quiet");
    let reconstruction = array(&path.join("r.npz"), "reconstruction");
    let images = pixels(0, TRAIN + TEST, HEIGHT * WIDTH);
    assert_eq!(reconstruction, model(path).reconstruct(&images));
    assert_eq!(
        array(&path.join("r.npz"), "x"),
        images.mapv(|byte| f32::from(byte) / 255.0)
    );
    for codes in ["c.npz", "c.csv", "c.npy"] {
        succeed(path, &format!("encode run idx:own -o {codes} --quiet"));
        succeed(
            path,
            &format!("decode run {codes} -o d.npz --force --quiet"),
        );
        assert_eq!(array(&path.join("d.npz"), "x"), reconstruction, "{codes}");
    }
    succeed(
        path,
        "reconstruct run idx:own --split test -o pictures --quiet",
    );
    assert_eq!(names(&path.join("pictures")).len(), TEST);
    let image = fs::read(path.join("pictures/07.png")).expect("written");
    let viz::Image::Gray(image) = viz::decode_png(&image).expect("a PNG") else {
        panic!("grey images stay grey");
    };
    let expected: Vec<u8> = reconstruction
        .row(TRAIN + 7)
        .iter()
        .map(|value| (255.0 * value).round() as u8)
        .collect();
    assert_eq!((image.width(), image.height()), (WIDTH, HEIGHT));
    assert_eq!(image.pixels(), expected);
    succeed(path, "reconstruct run idx:own -o both --quiet");
    assert_eq!(names(&path.join("both")), ["test", "train"]);

    // Rows are chosen by the seed, and montages are the same bytes again.
    for (name, seed) in [("a", 1), ("b", 1), ("c", 2)] {
        let line = format!("reconstruct run idx:own --count 9 --seed {seed} -o {name}.png --json");
        let document: Value = serde_json::from_str(&succeed(path, &line)).expect("JSON");
        assert_eq!(document["shown"].as_array().map(Vec::len), Some(9));
    }
    let [a, b, c] =
        ["a", "b", "c"].map(|name| fs::read(path.join(format!("{name}.png"))).expect("written"));
    assert!(a == b && a != c);
}

#[test]
fn samples_depend_on_the_seed_and_their_position_alone() {
    let folder = trained("--latent 2");
    let path = folder.path();
    succeed(path, "sample run -n 20 --seed 5 -o many.npz --quiet");
    succeed(
        path,
        "sample run -n 8 --seed 5 -o few.npz --quiet --threads 1",
    );
    succeed(path, "sample run -n 8 --seed 6 -o other.npz --quiet");
    succeed(
        path,
        "sample run -n 8 --seed 5 --temperature 0.5 -o cool.npz --quiet",
    );
    let read = |name: &str| ["z", "x"].map(|array_name| array(&path.join(name), array_name));
    let [z, x] = read("many.npz");
    let [few_z, few_x] = read("few.npz");
    assert_eq!(z.slice(s![..8, ..]), few_z);
    assert_eq!(x.slice(s![..8, ..]), few_x);
    assert_eq!(few_x, model(path).decode(few_z.view()));
    assert_ne!(read("other.npz")[0], few_z);
    assert_eq!(read("cool.npz")[0], 0.5 * &few_z);
    for name in ["a.png", "b.png"] {
        succeed(path, &format!("sample run -n 8 --seed 5 -o {name} --quiet"));
    }
    assert_eq!(
        fs::read(path.join("a.png")).expect("written"),
        fs::read(path.join("b.png")).expect("written")
    );
    let message = refused(path, "sample run -n 0 -o no.png");
    assert!(message.contains("-n is 0"), "{message}");
}

#[test]
fn an_autoencoder_is_sampled_where_its_codes_are() {
    let folder = trained("--model ae --latent 2");
    let path = folder.path();
    let message = refused(path, "sample run -o no.png");
    assert!(message.contains("--fitted"), "{message}");
    succeed(path, "sample run -n 4000 --fitted -o s.npz --quiet");
    let samples = array(&path.join("s.npz"), "z");
    let images = pixels(0, TRAIN, HEIGHT * WIDTH);
    let codes = model(path).encode(&images).mean;
    for variable in 0..2 {
        let moments = |values: &Array2<f32>| {
            let column = values.column(variable).mapv(f64::from);
            (column.mean().expect("rows"), column.std(0.0))
        };
        let ((mean, deviation), (expected, expected_deviation)) =
            (moments(&samples), moments(&codes));
        // Standard errors of 4000 draws: σ/63 and σ/89.
        assert!((mean - expected).abs() < 5.0 * expected_deviation / 63.0);
        assert!((deviation / expected_deviation - 1.0).abs() < 5.0 / 89.0);
    }
    let text = succeed(path, "encode run idx:own -o c.csv --quiet");
    assert!(text.contains("wrote c.csv"), "{text}");
    let (header, _) = table(&path.join("c.csv"));
    assert!(!header.iter().any(|name| name.starts_with("log_var")));
}

#[test]
fn a_line_between_two_rows_ends_in_their_reconstructions() {
    let folder = trained("--latent 2");
    let path = folder.path();
    let images = pixels(0, TRAIN + TEST, HEIGHT * WIDTH);
    let reconstruction = model(path).reconstruct(&images);
    succeed(
        path,
        "interpolate run 3 train:8 --steps 5 -o line.npz --quiet",
    );
    let [z, x] = ["z", "x"].map(|name| array(&path.join("line.npz"), name));
    assert_eq!(x.row(0), reconstruction.row(TRAIN + 3));
    assert_eq!(x.row(4), reconstruction.row(8));
    let middle = (&z.row(0) + &z.row(4)) / 2.0;
    for (found, expected) in z.row(2).iter().zip(&middle) {
        assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0));
    }
    // A source of one image stands for a file, another data set is allowed.
    write_idx(
        &path.join("one"),
        "train",
        &pixels(TRAIN + 3, 1, HEIGHT * WIDTH),
        HEIGHT,
        false,
    );
    write_idx(
        &path.join("new"),
        "train",
        &pixels(8, 60, HEIGHT * WIDTH),
        HEIGHT,
        false,
    );
    write_idx(
        &path.join("new"),
        "t10k",
        &pixels(9, 60, HEIGHT * WIDTH),
        HEIGHT,
        false,
    );
    succeed(
        path,
        "interpolate run idx:one train:0 --dataset idx:new --steps 5 -o again.npz --quiet",
    );
    assert_eq!(array(&path.join("again.npz"), "x"), x);
    succeed(path, "interpolate run 0 1 -o strip.png --quiet");
    for (line, expected) in [
        ("interpolate run 0 40 -o no.png", "its test set has 40"),
        ("interpolate run 0 1 --steps 1 -o no.png", "at least 2"),
        ("interpolate run 0 1 --steps 500 -o no.png", "has room for"),
        ("interpolate run 0 idx:new -o no.png", "holds 120 images"),
        ("interpolate run 0 nothing.png -o no.png", "nothing.png"),
    ] {
        let message = refused(path, line);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_does_not_fit_is_one_sentence_and_leaves_nothing() {
    let folder = trained("--latent 2");
    let path = folder.path();
    write_idx(&path.join("large"), "train", &pixels(0, 9, 8 * 8), 8, false);
    fs::write(path.join("c.csv"), "mu1,mu2,mu3\n1,2,3\n").expect("writable");
    fs::write(path.join("taken.npz"), "mine").expect("writable");
    fs::create_dir(path.join("full")).expect("writable");
    fs::write(path.join("full/file"), "mine").expect("writable");
    // Cut short behind a sound header: found only while reading.
    let mut images = fs::read(path.join("own/train-images-idx3-ubyte")).expect("written");
    fs::create_dir(path.join("nan")).expect("writable");
    images[2] = 13;
    images.splice(
        16..,
        [1.0_f32.to_be_bytes(), f32::NAN.to_be_bytes()]
            .iter()
            .flatten()
            .copied()
            .cycle()
            .take(4 * TRAIN * HEIGHT * WIDTH),
    );
    fs::write(path.join("nan/train-images-idx3-ubyte"), images).expect("writable");
    for (line, expected) in [
        (
            "encode run idx:large -o no.npz",
            "images of 8x8, but run was trained on images of 6x5; bring them to that size with --resize 6x5",
        ),
        (
            "encode absent idx:own -o no.npz",
            "absent is not a run folder",
        ),
        ("encode run absent -o no.npz", "\"absent\""),
        ("encode run idx:own -o no/where.npz", "no/where.npz"),
        #[cfg(not(feature = "parquet"))]
        (
            "encode run idx:own -o codes.parquet",
            "a build with the feature parquet",
        ),
        ("encode run idx:own -o taken.npz", "--force"),
        (
            "encode run idx:large --split test -o no.npz",
            "--split is test",
        ),
        ("encode run idx:nan -o no.npz", "holds NaN in row 0"),
        ("encode run idx:nan -o no.csv", "holds NaN in row 0"),
        ("reconstruct run idx:nan -o pictures", "holds NaN in row 0"),
        ("reconstruct run idx:own -o full", "holds files already"),
        (
            "decode run c.csv -o no.png",
            "of 3 variables, but the model has 2",
        ),
        ("decode run absent.csv -o no.png", "absent.csv"),
    ] {
        let message = refused(path, line);
        assert!(message.contains(expected), "{line}: {message}");
    }
    assert_eq!(fs::read(path.join("taken.npz")).expect("mine"), b"mine");
    // What the sentence advises works.
    let line = "encode run idx:large --resize 6x5 -o resized.csv --quiet";
    succeed(path, line);
    let (header, rows) = table(&path.join("resized.csv"));
    assert_eq!(rows.len(), 9);
    assert!(!header.contains(&"label".to_owned()), "{header:?}");
    succeed(path, "encode run idx:own -o taken.npz --force --quiet");
    assert_eq!(array(&path.join("taken.npz"), "mu").nrows(), TRAIN + TEST);
}

#[test]
fn new_data_are_treated_as_the_test_images_of_the_run() {
    let folder = trained("--latent 2 --set data.treatment=binarised-per-minibatch");
    let path = folder.path();
    let text = succeed(path, "eval run --json --quiet");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let text = succeed(
        path,
        "encode run idx:own --split test -o c.npz --json --quiet",
    );
    let encoded: Value = serde_json::from_str(&text).expect("JSON");
    let found = encoded["parts"][0]["reconstruction"]
        .as_f64()
        .expect("a number");
    let expected = report["at_mean"]["reconstruction"]
        .as_f64()
        .expect("a number");
    assert!(
        (found - expected).abs() < 1e-6 * expected,
        "{found} {expected}"
    );
    assert_eq!(encoded["data_treatment"], "binarised-once");
    assert_eq!(encoded["data_seed"], report["data_seed"]);
    succeed(path, "reconstruct run idx:own -o r.npz --quiet");
    let x = array(&path.join("r.npz"), "x");
    assert!(x.iter().all(|&value| value == 0.0 || value == 1.0));

    // More rows than are read at a time: a draw does not begin anew with them.
    let many = pixels(0, 9000, HEIGHT * WIDTH);
    write_idx(&path.join("many"), "train", &many, HEIGHT, false);
    succeed(path, "encode run idx:many -o many.npz --quiet");
    let seed = report["data_seed"].as_u64().expect("a seed");
    let bytes = many.as_slice().expect("in order");
    let drawn = models::DataTreatment::BinarisedOnce.evaluation_images(bytes, many.ncols(), seed);
    let drawn = Array2::from_shape_vec(many.dim(), drawn.into_owned()).expect("the same shape");
    assert_eq!(
        array(&path.join("many.npz"), "mu"),
        model(path).encode(&drawn).mean
    );
    let index: Array1<i64> = vector(&path.join("many.npz"), "index");
    assert_eq!(index, Array1::from_iter(0..9000));

    succeed(
        path,
        "encode run idx:own --data-treatment grey -o grey.npz --quiet",
    );
    let images = pixels(0, TRAIN + TEST, HEIGHT * WIDTH);
    assert_eq!(
        array(&path.join("grey.npz"), "mu"),
        model(path).encode(&images).mean
    );
}

#[test]
fn standardised_models_give_values_in_the_units_of_the_data() {
    let folder = trained("--latent 2 --likelihood gaussian-identity --standardise");
    let path = folder.path();
    let model = model(path);
    let standardisation = model.standardisation().expect("kept in the file").clone();
    let images = pixels(0, TRAIN + TEST, HEIGHT * WIDTH).mapv(|byte| f32::from(byte) / 255.0);
    let mut seen = images.clone();
    standardisation.apply(seen.as_slice_mut().expect("in order"));
    let codes = model.encode(&seen);
    succeed(path, "encode run idx:own -o c.npz --quiet");
    assert_eq!(array(&path.join("c.npz"), "mu"), codes.mean);
    let losses: Array1<f32> = vector(&path.join("c.npz"), "reconstruction");
    assert_eq!(
        losses.to_vec(),
        model.reconstruction_losses(codes.mean.view(), &seen)
    );
    let mut expected = model.decode(codes.mean.view());
    standardisation.invert(expected.as_slice_mut().expect("in order"));
    succeed(path, "reconstruct run idx:own -o r.npz --quiet");
    assert_eq!(array(&path.join("r.npz"), "reconstruction"), expected);
    assert_eq!(array(&path.join("r.npz"), "x"), images);
}
