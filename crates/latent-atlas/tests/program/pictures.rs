//! Pictures of any run, studies in a file, and tables of many runs.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

use crate::tiny;

fn program(folder: &Path) -> Command {
    let mut command = tiny::program(folder);
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    command
}

/// What a command that must succeed prints as JSON.
fn document(command: &mut Command) -> Value {
    let output = command.arg("--json").output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// The sentence of a command that must fail with `code`.
fn refused(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    stderr
}

fn train(folder: &Path, out: &str, more: &[&str]) {
    let mut command = program(folder);
    command
        .args(["train", "--quiet", "--out", out, "--hidden", "8"])
        .args(["--batch", "4096", "--epochs", "1"])
        .args(more);
    document(&mut command);
}

#[test]
fn two_runs_stand_side_by_side_and_say_what_differs() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    train(folder, "a", &[]);
    train(folder, "b", &["--seed", "7", "--latent", "3"]);
    let mut command = program(folder);
    command.args(["figures", "a", "b", "--out", "both"]);
    command.args(["--figure", "map", "--figure", "reconstructions"]);
    let made = document(&mut command);
    let figures = made["figures"].as_array().expect("a list");
    // The square map, the one over the codes, and the reconstructions.
    assert_eq!(figures.len(), 3, "{made}");
    let page = fs::read_to_string(folder.join("both/index.html")).expect("a page");
    for expected in [
        "training.seed",
        "model.latent",
        "VAE 784-8-2",
        "VAE 784-8-3",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    // What is the same in both is no difference.
    assert!(!page.contains("training.batch"));
    for figure in figures {
        let path = folder.join(figure.as_str().expect("a path"));
        viz::decode_png(&fs::read(&path).expect("written")).expect("a PNG");
        let beside = fs::read(path.with_extension("json")).expect("numbers beside");
        serde_json::from_slice::<Value>(&beside).expect("JSON");
    }
    // Asked for by name, pictures come alone.
    assert!(!folder.join("both/explorer.html").exists());
    // Of one run, the pictures go into its folder.
    let made = document(program(folder).args(["figures", "a", "--figure", "map"]));
    assert_eq!(made["page"], "a/figures/index.html");
}

#[test]
fn two_stochastic_layers_are_drawn_with_what_is_true_of_them() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    train(
        folder,
        "run",
        &["--lower-latent", "5", "--upper-hidden", "4"],
    );
    train(folder, "points", &["--model", "ae"]);
    let mut command = program(folder);
    command.args(["figures", "run", "points", "--out", "drawn"]);
    command.args(["--figure", "architecture", "--figure", "units"]);
    command.args(["--figure", "explained", "--figure", "posteriors"]);
    command.args(["--figure", "aggregate-posterior"]);
    document(&mut command);
    let read = |name: &str| fs::read_to_string(folder.join("drawn").join(name)).expect(name);
    let numbers: Value = serde_json::from_str(&read("architecture.json")).expect("JSON");
    let layers: Vec<u64> = numbers["data"][0]["layers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|layer| layer[1].as_u64().expect("a width"))
        .collect();
    assert_eq!(
        layers,
        [784, 8, 10, 5, 4, 4, 2, 4, 10, 5, 8, 784],
        "{numbers}"
    );
    let page = read("index.html");
    assert!(page.contains("the posterior of two stochastic layers is no normal distribution"));
    assert!(page.contains("the codes of an autoencoder are points, not distributions"));
    assert!(page.contains("z is the upper one, given the lower at its mean"));
    for absent in ["explained.png", "posteriors.png", "aggregate-posterior.png"] {
        assert!(!folder.join("drawn").join(absent).exists(), "{absent}");
    }
}

/// What is drawn of an image depends on its place in the data set, and on nothing
/// that stands beside it in a figure.
#[test]
fn a_figure_binarises_an_image_as_every_command_does() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    train(folder, "run", &["--treatment", "binarised-once"]);
    let mut command = program(folder);
    document(command.args([
        "encode",
        "run",
        "glyphs",
        "--split",
        "test",
        "-o",
        "codes.csv",
    ]));
    let codes = fs::read_to_string(folder.join("codes.csv")).expect("codes");
    let losses: Vec<f64> = codes
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').next().expect("a column"))
        .map(|loss| loss.parse().expect("a number"))
        .collect();
    let mut command = program(folder);
    command.args(["figures", "run", "--out", "drawn"]);
    document(command.args(["--figure", "reconstructions"]));
    let numbers = fs::read_to_string(folder.join("drawn/reconstructions.json")).expect("numbers");
    let numbers: Value = serde_json::from_str(&numbers).expect("JSON");
    let (data, model) = (&numbers["data"], &numbers["data"]["models"][0]);
    let images = data["images"].as_array().expect("a list").iter();
    let images = images.map(|image| image.as_u64().expect("a number") as usize);
    let drawn = model["reconstruction_nats"].as_array().expect("a list");
    assert_eq!(drawn.len(), 10);
    for (image, drawn) in images.zip(drawn) {
        let (drawn, encoded) = (drawn.as_f64().expect("nats"), losses[image]);
        assert!(
            (drawn - encoded).abs() < 1e-3,
            "{image}: {drawn} and {encoded}"
        );
    }
}

#[test]
fn everything_about_a_run_includes_its_explorer() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    let rows: Vec<String> = (0..120_i32)
        .map(|row| {
            let values: Vec<String> = (0..6_i32)
                .map(|value| format!("{}", f64::from((row * 7 + value * 3) % 11) / 10.0))
                .collect();
            values.join(",")
        })
        .collect();
    fs::write(folder.join("rows.csv"), rows.join("\n")).expect("writable");
    train(folder, "a", &["--dataset", "rows.csv"]);
    document(program(folder).args(["figures", "a"]));
    let page = fs::read_to_string(folder.join("a/figures/index.html")).expect("a page");
    assert!(page.contains("href=\"explorer.html\""));
    let explorer = fs::read_to_string(folder.join("a/figures/explorer.html")).expect("beside");
    assert!(explorer.contains("id=\"payload\""));
}

#[test]
fn what_cannot_be_drawn_side_by_side_is_said() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    train(folder, "a", &[]);
    let message = refused(program(folder).args(["figures", "absent"]), 2);
    assert!(message.contains("absent is not a run folder"), "{message}");
    let message = refused(program(folder).args(["figures", "a", "--figure", "mop"]), 2);
    assert!(message.contains("no figure 'mop'"), "{message}");
    // The same model of other data.
    let environment = folder.join("a/environment.json");
    let text = fs::read_to_string(&environment).expect("written");
    let mut parsed: Value = serde_json::from_str(&text).expect("JSON");
    parsed["dataset_sha256"] = "0".repeat(64).into();
    fs::write(&environment, parsed.to_string()).expect("writable");
    let message = refused(program(folder).args(["figures", "a"]), 2);
    assert!(message.contains("was trained on data"), "{message}");
}

#[test]
fn a_study_in_a_file_trains_measures_draws_and_decides() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path();
    let made = document(program(folder).args(["study", "new", "example.toml"]));
    assert_eq!(made["file"], "example.toml");
    let message = refused(program(folder).args(["study", "new", "example.toml"]), 2);
    assert!(
        message.contains("example.toml is there already"),
        "{message}"
    );
    let study = r#"
title = "Small and smaller"
text = "The question."
seeds = 2
measures = ["reconstruction", "kl", "active-units"]
figures = ["reconstructions"]

[base]
model.hidden = [8]
training.batch = 4096
training.epochs = 1

[grid]
training.beta = [0, 4]

[[claims]]
statement = "β lowers the KL."
measure = "kl"
model = "beta 4"
over = "beta 0"
at_most = 1
"#;
    fs::write(folder.join("small.toml"), study).expect("writable");
    let figures = ["figures", "--study", "small.toml"];
    let made = document(program(folder).args(figures));
    assert_eq!(made["trained"], 4, "{made}");
    let page = fs::read_to_string(folder.join("figures/index.html")).expect("a page");
    for expected in [
        "<h1>Small and smaller",
        "The question.",
        "β lowers the KL.",
        "beta 4",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("Four short texts"));
    let claims = fs::read(folder.join("figures/glyphs/claims.json")).expect("written");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    let by_seed = claims[0]["measured"][2]["by_seed"]
        .as_object()
        .expect("values");
    assert_eq!(by_seed.len(), 2);
    // Drawing again trains nothing and writes the same page.
    let again = document(program(folder).args(figures));
    assert_eq!(again["trained"], 0);
    let second = fs::read_to_string(folder.join("figures/index.html")).expect("a page");
    assert_eq!(page, second);
    // Its runs in one table.
    let table = document(program(folder).args(["runs", "table", "runs"]));
    assert_eq!(table["rows"].as_array().expect("rows").len(), 4);
    let columns = table["columns"].as_array().expect("names");
    assert!(columns.contains(&Value::from("training.beta")), "{table}");
}
