//! Models of other programs become runs that every command reads.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::tiny::{json, program, succeed};

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/imports");
    let path = path.canonicalize().expect("the fixtures").join(name);
    path.display().to_string()
}

/// A folder with 200 rows of 20 values, which the fixtures take.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = String::new();
    for row in 0..200_u32 {
        for column in 0..20_u32 {
            let value = (row * 37 + column * 53 + row * column * 11) % 101;
            let comma = if column > 0 { "," } else { "" };
            let _ = write!(text, "{comma}{:.2}", f64::from(value) / 100.0);
        }
        text.push('\n');
    }
    fs::write(folder.path().join("rows.csv"), text).expect("writable");
    folder
}

fn import(folder: &Path, file: &str, more: &[&str]) -> Value {
    let mut command = program(folder);
    command
        .args([
            "import",
            &fixture(file),
            "--dataset",
            "rows.csv",
            "-o",
            "run",
            "--json",
            "--quiet",
        ])
        .args(more);
    json(&succeed(&mut command))
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = program(folder)
        .args(arguments)
        .arg("--quiet")
        .output()
        .expect("starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(
        stderr.starts_with("error: ") && stderr.trim_end().lines().count() == 1,
        "{stderr}"
    );
    stderr
}

#[test]
fn every_command_that_reads_runs_reads_an_imported_one() {
    let folder = folder();
    let folder = folder.path();
    let imported = import(
        folder,
        "pytorch-example.pt",
        &["--set", "data.reading.shape=5x4"],
    );
    assert_eq!(imported["architecture"], "20-12-3");
    assert_eq!(imported["layers"]["log_var"], "fc22");
    assert_eq!(imported["result"]["epochs"], 0);
    let loss = imported["test"]["loss"].as_f64().expect("measured");
    assert!(loss.is_finite() && loss > 0.0);

    let run = |arguments: &[&str]| succeed(program(folder).args(arguments).arg("--quiet"));
    let evaluated = json(&run(&["eval", "run", "--json"]));
    let elbo = evaluated["evaluation"]["elbo"]
        .as_f64()
        .or(evaluated["elbo"].as_f64());
    if let Some(elbo) = elbo {
        assert!((elbo + loss).abs() < 0.1 * loss, "{elbo} {loss}");
    }
    run(&["figures", "run"]);
    let page = fs::read_to_string(folder.join("run/figures/index.html")).expect("drawn");
    assert!(page.contains("imported"), "what the run is");
    run(&["explore", "run", "-o", "atlas.html"]);
    run(&["encode", "run", "rows.csv", "-o", "codes.csv"]);
    let codes = fs::read_to_string(folder.join("codes.csv")).expect("written");
    assert_eq!(codes.lines().count(), 201);
    run(&["sample", "run", "-n", "3", "-o", "samples.npz"]);
    run(&["decode", "run", "codes.csv", "-o", "decoded.npz"]);
    run(&["reconstruct", "run", "rows.csv", "-o", "again.npz"]);
    run(&["interpolate", "run", "0", "1", "-o", "strip.png"]);
    run(&["diagnose", "run"]);
    run(&["runs", "table", ".", "-o", "table.csv"]);

    let environment = fs::read_to_string(folder.join("run/environment.json")).expect("written");
    let from = json(&environment)["imported"].clone();
    assert_eq!(from["format"], "PyTorch");
    assert_eq!(from["files"][0]["sha256"].as_str().map(str::len), Some(64));
    let message = refused(folder, &["verify", "run"]);
    assert!(
        message.contains("another program trained them"),
        "{message}"
    );
    // Metrics are those of training here, of which there is none.
    assert_eq!(
        fs::read_to_string(folder.join("run/metrics.jsonl")).expect("there"),
        ""
    );
}

#[test]
fn training_goes_on_from_imported_weights() {
    let folder = folder();
    let folder = folder.path();
    import(
        folder,
        "pytorch-example.pt",
        &["--set", "training.batch=20"],
    );
    let train = |arguments: &[&str]| {
        json(&succeed(
            program(folder)
                .args(["train", "--json", "--quiet"])
                .args(arguments),
        ))
    };
    let nothing = train(&["--resume", "run"]);
    assert_eq!(nothing["already_done"], true);
    let before = fs::read(folder.join("run/model.safetensors")).expect("there");
    let one = train(&["--resume", "run", "--epochs", "1"]);
    assert_eq!(one["result"]["epochs"], 1);
    let three = train(&["--resume", "run", "--epochs", "3"]);
    assert_eq!(three["result"]["epochs"], 3);
    assert_ne!(
        fs::read(folder.join("run/model.safetensors")).expect("there"),
        before
    );
    let first = &one["result"]["last"]["train"]["loss"];
    let last = &three["result"]["last"]["train"]["loss"];
    assert!(first.as_f64() > last.as_f64(), "{first} {last}");
    refused(folder, &["verify", "run"]);

    // Its settings alone are not the run.
    let message = refused(
        folder,
        &["train", "--config", "run/config.toml", "--out", "other"],
    );
    assert!(message.contains("model.imported is set"), "{message}");
    assert!(!folder.join("other").exists());
    // And without the state nothing is begun again.
    fs::remove_file(folder.join("run/state.safetensors")).expect("ours");
    fs::remove_file(folder.join("run/result.json")).expect("ours");
    let message = refused(folder, &["train", "--resume", "run"]);
    assert!(message.contains("state.safetensors is gone"), "{message}");
}

#[test]
fn what_the_file_does_not_tell_is_given() {
    let folder = folder();
    let folder = folder.path();
    let ae = [
        "--likelihood",
        "gaussian-identity",
        "--sigma",
        "0.5",
        "--model",
        "ae-l2",
    ];
    let imported = import(folder, "no-bias.safetensors", &ae);
    assert_eq!(imported["architecture"], "20-12-3");
    let configuration = fs::read_to_string(folder.join("run/config.toml")).expect("written");
    for line in [
        "kind = \"ae-l2\"",
        "likelihood = \"gaussian-identity\"",
        "sigma = \"0.5\"",
        "epochs = 0",
    ] {
        assert!(configuration.contains(line), "{line}: {configuration}");
    }
    fs::write(folder.join("names.toml"), "mu = \"fc22\"\n").expect("writable");
    let pair = [fixture("encoder.onnx"), fixture("decoder.onnx")];
    let text = succeed(program(folder).args([
        "import",
        &pair[0],
        &pair[1],
        "--dataset",
        "rows.csv",
        "-o",
        "two",
    ]));
    assert!(text.contains("mu: encoder.of.fc21 12→3"), "{text}");
    assert!(text.contains("test loss"), "{text}");
    let mapped = [
        "--map",
        "names.toml",
        "--set",
        "data.dataset=absent.npz",
        "--set",
        "data.dataset = rows.csv",
        "-o",
        "mapped",
        "--json",
    ];
    let mapped = succeed(
        program(folder)
            .args(["import", &fixture("pytorch-example.pt")])
            .args(mapped),
    );
    assert_eq!(json(&mapped)["layers"]["mu"], "fc22");
}

#[test]
fn wrong_use_is_one_sentence_and_leaves_nothing_behind() {
    let folder = folder();
    let folder = folder.path();
    let good = fixture("pytorch-example.pt");
    fs::write(folder.join("names.toml"), "nu = \"fc22\"\n").expect("writable");
    fs::write(folder.join("swapped.toml"), "mu = \"fc22\"\n").expect("writable");
    let graph = fixture("pytorch-example.onnx");
    fs::write(
        folder.join("cut.pt"),
        &fs::read(&good).expect("a fixture")[..900],
    )
    .expect("writable");
    fs::write(folder.join("empty.onnx"), "").expect("writable");
    let rows = ["--dataset", "rows.csv"];
    for (arguments, expected) in [
        (&[good.as_str()][..], "--dataset is missing"),
        (&["absent.pt"], "absent.pt cannot be read"),
        (&["."], "it is a folder"),
        (&["cut.pt"], "cut.pt: it is a damaged zip archive"),
        (&["empty.onnx"], "it is empty"),
        (&[&good, "--map", "names.toml"], "nu is no layer of a model"),
        (
            &[&graph, "--map", "swapped.toml"],
            "mu is fc22, but the graph samples around the outputs of fc21",
        ),
        (
            &[&good, "--map", "absent.toml"],
            "absent.toml cannot be read",
        ),
        (
            &[&good, "--activation", "gelu"],
            "model.activation is 'gelu'",
        ),
        (
            &[&good, "--likelihood", "poisson"],
            "model.likelihood is 'poisson'",
        ),
        (
            &[&good, "--likelihood", "gaussian"],
            "give --sigma a number",
        ),
        (&[&good, "--posterior-scale", "sigma"], "'log-sigma'"),
        (&[&good, "--model", "ae"], "one layer for the code"),
        (
            &[&good, "--set", "model.hidden=7"],
            "of which the file says it",
        ),
        (
            &[&good, "--set", "training.epochs=7"],
            "of which the file says it",
        ),
        (
            &[&good, "--dataset", "glyphs", "--offline"],
            "a row of the data has 784",
        ),
        (&[&good, "--dataset", "absent.npz"], "absent.npz"),
        (&[&fixture("bad-whole-module.pt")], "__main__.Example"),
        (
            &[&fixture("bad-convolution.pt"), "--dataset", "rows.csv"],
            "convolutions",
        ),
    ] {
        let message = refused(folder, &[&["import", "-o", "run"][..], arguments].concat());
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(!folder.join("run").exists(), "{arguments:?}");
    }
    succeed(
        program(folder)
            .args(["import", &good, "-o", "run", "--quiet"])
            .args(rows),
    );
    let kept = fs::read(folder.join("run/model.safetensors")).expect("there");
    let message = refused(
        folder,
        &["import", &good, "-o", "run", "--dataset", "rows.csv"],
    );
    assert!(message.contains("holds a run already"), "{message}");
    assert_eq!(
        fs::read(folder.join("run/model.safetensors")).expect("there"),
        kept
    );
    fs::create_dir(folder.join("theirs")).expect("writable");
    fs::write(folder.join("theirs/file"), "").expect("writable");
    let message = refused(
        folder,
        &["import", &good, "-o", "theirs", "--dataset", "rows.csv"],
    );
    assert!(message.contains("has not written"), "{message}");
}
