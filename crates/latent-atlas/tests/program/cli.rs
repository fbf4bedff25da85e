//! The command line as a user meets it: what each command prints, writes and
//! refuses, and with which exit code.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use crate::tiny::{json, program, succeed};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Runs a command that must fail with `code` and returns the one line it
/// prints on stderr.
fn fail(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {stderr}");
    let line = stderr.trim_end();
    assert!(line.starts_with("error: "), "{line}");
    assert!(!line.contains('\n'), "more than one line: {line}");
    line.to_owned()
}

/// Options of a run that takes a moment: a narrow model, large batches.
const SMALL: [&str; 8] = [
    "--hidden", "8", "--latent", "2", "--batch", "4096", "--epochs", "2",
];

fn train(folder: &Path, out: &str, more: &[&str]) -> String {
    succeed(
        program(folder)
            .args(["train", "--quiet", "--out", out])
            .args(SMALL)
            .args(more),
    )
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[test]
fn training_writes_the_run_folder_and_threads_do_not_change_a_byte() {
    let folder = folder();
    let text = train(folder.path(), "one", &["--threads", "1"]);
    assert!(text.contains("test loss"), "{text}");
    let document = json(&succeed(
        program(folder.path())
            .args([
                "train",
                "--json",
                "--quiet",
                "--out",
                "two",
                "--threads",
                "2",
            ])
            .args(SMALL),
    ));
    assert_eq!(document["result"]["epochs"], 2);
    let run = folder.path().join("one");
    for file in [
        "config.toml",
        "command.txt",
        "environment.json",
        "metrics.jsonl",
        "model.safetensors",
        "state.safetensors",
        "trajectories.npz",
        "result.json",
    ] {
        assert!(!read(run.join(file)).is_empty(), "{file}");
    }
    let command = String::from_utf8(read(run.join("command.txt"))).expect("UTF-8");
    assert!(
        command.starts_with("latent-atlas train --quiet --out one"),
        "{command}"
    );
    let metrics = String::from_utf8(read(run.join("metrics.jsonl"))).expect("UTF-8");
    assert_eq!(metrics.lines().count(), 2);
    let first = json(metrics.lines().next().expect("two lines"));
    for key in ["loss", "reconstruction", "kl"] {
        assert!(
            first["train"][key].is_f64() && first["test"][key].is_f64(),
            "{first}"
        );
    }
    for file in ["model.safetensors", "state.safetensors", "trajectories.npz"] {
        let [one, two] = ["one", "two"].map(|run| kept(&folder.path().join(run).join(file)));
        assert!(one == two, "{file} depends on the number of threads");
    }
}

/// A file without the times that it tells.
fn kept(path: &Path) -> Vec<u8> {
    trials::contents::of_file(path).expect("readable")
}

#[test]
fn a_run_is_repeated_from_its_configuration_and_not_trained_twice() {
    let folder = folder();
    train(folder.path(), "first", &["--seed", "3"]);
    let repeat = [
        "train",
        "--quiet",
        "--config",
        "first/config.toml",
        "--out",
        "second",
    ];
    succeed(program(folder.path()).args(repeat));
    let [first, second] =
        ["first", "second"].map(|run| read(folder.path().join(run).join("model.safetensors")));
    assert!(first == second);
    let again = succeed(program(folder.path()).args(repeat));
    assert!(again.starts_with("already done"), "{again}");
    let message = fail(
        program(folder.path()).args(["train", "--quiet", "--out", "first", "--epochs", "1"]),
        2,
    );
    assert!(message.contains("another configuration"), "{message}");

    // What a version with other results would have left behind.
    let path = folder.path().join("second/result.json");
    let mut result = json(&String::from_utf8(read(&path)).expect("UTF-8"));
    result["digest"] = "0".repeat(64).into();
    fs::write(&path, result.to_string()).expect("writable");
    let message = fail(program(folder.path()).args(repeat), 2);
    assert!(message.contains("gives other results"), "{message}");
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let folder = folder();
    train(folder.path(), "whole", &[]);
    train(folder.path(), "cut", &[]);
    // What a run killed during its second epoch leaves: no result, the state
    // after the first epoch, a metrics file with a torn line.
    let cut = folder.path().join("cut");
    train(folder.path(), "half", &["--epochs", "1"]);
    let half = folder.path().join("half");
    for file in ["state.safetensors", "model.safetensors", "trajectories.npz"] {
        fs::copy(half.join(file), cut.join(file)).expect("copied");
    }
    fs::remove_file(cut.join("result.json")).expect("removed");
    let metrics = String::from_utf8(read(cut.join("metrics.jsonl"))).expect("UTF-8");
    fs::write(cut.join("metrics.jsonl"), &metrics[..metrics.len() - 20]).expect("written");
    succeed(program(folder.path()).args(["train", "--quiet", "--resume", "cut"]));
    for file in ["model.safetensors", "state.safetensors", "trajectories.npz"] {
        let [whole, cut] = ["whole", "cut"].map(|run| kept(&folder.path().join(run).join(file)));
        assert!(whole == cut, "{file} differs after resuming");
    }
    let metrics = String::from_utf8(read(cut.join("metrics.jsonl"))).expect("UTF-8");
    assert_eq!(metrics.lines().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_signal_checkpoints_and_exits_75() {
    let folder = folder();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("latent-atlas"))
        .current_dir(folder.path())
        .args([
            "train", "--out", "run", "--epochs", "100000", "--hidden", "8",
        ])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let metrics = folder.path().join("run/metrics.jsonl");
    while fs::metadata(&metrics).map_or(0, |file| file.len()) == 0 {
        assert!(
            child.try_wait().expect("a child").is_none(),
            "the run ended early"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status();
    assert!(killed.expect("kill starts").success());
    let output = child.wait_with_output().expect("a child");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains("--resume run"), "{stderr}");
    assert!(folder.path().join("run/state.safetensors").exists());
    assert!(!folder.path().join("run/result.json").exists());
}

#[test]
fn a_diverged_run_is_recorded_with_exit_code_3() {
    let folder = folder();
    let message = fail(
        program(folder.path())
            .args(["train", "--quiet", "--out", "run", "--lr", "1e30"])
            .args(SMALL),
        3,
    );
    assert!(message.contains("diverged"), "{message}");
    let result =
        json(&String::from_utf8(read(folder.path().join("run/result.json"))).expect("UTF-8"));
    assert_eq!(result["status"], "diverged");
    let again = fail(
        program(folder.path()).args(["train", "--quiet", "--resume", "run"]),
        3,
    );
    assert!(again.contains("diverged"), "{again}");
}

#[test]
fn evaluation_prints_and_writes_the_same_numbers() {
    let folder = folder();
    train(folder.path(), "vae", &[]);
    train(folder.path(), "ae", &["--model", "ae"]);
    let printed = json(&succeed(
        program(folder.path()).args(["eval", "vae", "--json", "--quiet"]),
    ));
    let mut written =
        json(&String::from_utf8(read(folder.path().join("vae/eval.json"))).expect("UTF-8"));
    // The file is sealed.
    assert!(
        written
            .as_object_mut()
            .expect("an object")
            .remove("sha256")
            .is_some()
    );
    assert_eq!(printed, written);
    let [elbo, reconstruction, kl] =
        ["elbo", "reconstruction", "kl"].map(|key| printed[key].as_f64().expect("a number"));
    assert!((elbo + reconstruction + kl).abs() < 1e-9);
    assert_eq!(printed["n"], 10_000);
    assert_eq!(
        printed["kl_per_dimension"]
            .as_array()
            .expect("a list")
            .len(),
        2
    );
    let ae =
        json(&succeed(program(folder.path()).args([
            "eval", "ae", "--json", "--quiet", "--subset", "100",
        ])));
    assert!(ae["elbo"].is_null() && ae["kl"].is_null() && ae["at_mean"]["kl"].is_null());
    assert_eq!(ae["n"], 100);
    let table = succeed(program(folder.path()).args(["eval", "vae", "--quiet"]));
    assert!(table.contains("active units"), "{table}");
    let message = fail(
        program(folder.path()).args(["eval", "vae", "--quiet", "--subset", "0"]),
        2,
    );
    assert!(message.contains("--subset is 0"), "{message}");
    let message = fail(program(folder.path()).args(["eval", "nowhere"]), 2);
    assert!(message.contains("nowhere is not a run folder"), "{message}");
}

#[test]
fn likelihoods_are_bounded_by_importance_sampling() {
    let folder = folder();
    train(folder.path(), "vae", &[]);
    train(folder.path(), "ae", &["--model", "ae"]);
    let eval = |threads: &str| {
        let options = ["--subset", "200", "--nll-samples", "100", "--seed", "3"];
        json(&succeed(
            program(folder.path())
                .args(["eval", "vae", "--json", "--quiet", "--threads", threads])
                .args(options),
        ))
    };
    let document = eval("1");
    assert_eq!(document, eval("2"));
    let number = |value: &Value| value.as_f64().expect("a number");
    let nll = |samples: &str| number(&document["nll"][samples]["value"]);
    assert!(nll("1") > nll("10") && nll("10") > nll("100"), "{document}");
    assert!(number(&document["nll"]["100"]["standard_error"]) > 0.0);
    // K = 1 is the ELBO with other draws.
    assert!(
        (nll("1") + number(&document["elbo"])).abs() < 1.0,
        "{document}"
    );
    assert_eq!(document["nll_is_likelihood"], false);
    assert!(number(&document["effective_sample_size"]["mean"]) > 1.0);
    let parts = number(&document["mutual_information"]) + number(&document["marginal_kl"]);
    assert!((parts - number(&document["kl"])).abs() < 1e-9);
    assert!(document["total_correlation"].is_f64());
    // A gap is one of whole splits.
    assert!(document["train_test_gap"].is_null());
    let whole = json(&succeed(
        program(folder.path()).args(["eval", "vae", "--json", "--quiet"]),
    ));
    assert!(whole["train_test_gap"]["loss"].is_f64() && whole["nll"].is_null());
    let table = succeed(program(folder.path()).args([
        "eval",
        "vae",
        "--quiet",
        "--subset",
        "20",
        "--nll-samples",
        "10",
    ]));
    assert!(
        table.contains("K = 10") && table.contains("not a likelihood"),
        "{table}"
    );
    let binary = json(&succeed(program(folder.path()).args([
        "eval",
        "vae",
        "--json",
        "--quiet",
        "--subset",
        "20",
        "--nll-samples",
        "10",
        "--data-treatment",
        "binarised-once",
    ])));
    assert_eq!(binary["data_treatment"], "binarised-once");
    assert_eq!(binary["training_data_treatment"], "grey");
    assert_eq!(
        (&binary["data_seed"], &binary["entropy_floor"]),
        (&json("0"), &json("0.0"))
    );
    assert_eq!(binary["nll_is_likelihood"], true);
    for (run, samples, expected) in [("vae", "0", "--nll-samples is 0"), ("ae", "5", "kind vae")] {
        let message = fail(
            program(folder.path()).args(["eval", run, "--quiet", "--nll-samples", samples]),
            2,
        );
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let folder = folder();
    train(folder.path(), "run", &[]);
    let model = folder.path().join("run/model.safetensors");
    let bytes = read(&model);
    fs::write(&model, &bytes[..bytes.len() / 2]).expect("written");
    let message = fail(program(folder.path()).args(["eval", "run", "--quiet"]), 2);
    assert!(message.contains("model.safetensors"), "{message}");
}

#[test]
fn figures_are_drawn_and_finished_runs_used_again() {
    let folder = folder();
    let draw = ["figures", "--study", "lab", "--quick", "--json", "--quiet"];
    let document = json(&succeed(program(folder.path()).args(draw)));
    assert_eq!(document["trained"], 3);
    for name in ["vae-map", "ae-map", "lab-ae-map"] {
        let path = folder.path().join(format!("figures/glyphs/lab/{name}.png"));
        let png = read(&path);
        let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes"));
        assert_eq!((side(16), side(20)), (588, 588), "{name}");
        let sidecar = json(&String::from_utf8(read(path.with_extension("json"))).expect("UTF-8"));
        assert_eq!(sidecar["configuration"]["dataset"], "glyphs");
    }
    let page = String::from_utf8(read(folder.path().join("figures/index.html"))).expect("UTF-8");
    assert!(page.contains("glyphs/lab/maps.png"));
    let before = read(folder.path().join("figures/glyphs/lab/maps.png"));
    let again = json(&succeed(program(folder.path()).args(draw)));
    assert_eq!(again["trained"], 0);
    assert!(before == read(folder.path().join("figures/glyphs/lab/maps.png")));
}

#[test]
fn objectives_and_likelihoods_are_stated_and_evaluated() {
    let folder = folder();
    let output = program(folder.path())
        .args(["train", "--out", "iwae", "--objective", "iwae"])
        .args(["--samples", "3"])
        .args(SMALL)
        .output()
        .expect("the program starts");
    let log = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{log}");
    assert!(
        log.contains("bound of 3 samples") && log.contains("effective beta = 1 per image"),
        "{log}"
    );
    let gaussian = ["--likelihood", "gaussian", "--sigma", "per-pixel"];
    train(folder.path(), "gaussian", &gaussian);
    let evaluation = json(&succeed(program(folder.path()).args([
        "eval",
        "gaussian",
        "--json",
        "--quiet",
        "--subset",
        "50",
        "--nll-samples",
        "20",
    ])));
    assert_eq!(evaluation["pixel_likelihood"], "gaussian/per-pixel");
    assert!(evaluation["entropy_floor"].is_null());
    assert_eq!(evaluation["nll_is_likelihood"], true);
    let statement = evaluation["objective"].as_str().expect("a text");
    assert!(
        statement.contains("effective beta = 1 per image"),
        "{statement}"
    );
    assert!(evaluation["nll"]["20"]["value"].is_number());
}

#[test]
fn wrong_usage_is_one_sentence_and_exit_code_2() {
    let folder = folder();
    for (arguments, expected) in [
        (
            vec!["train", "--set", "training.bacth=3"],
            "'training.batch'",
        ),
        (vec!["train", "--set", "training"], "key=value"),
        (vec!["train", "--batch", "0"], "at least 1"),
        (vec!["train", "--batch", "many"], "--batch"),
        (vec!["train", "--hidden", "256,x"], "--hidden"),
        (vec!["train", "--lr", "-1"], "learning_rate"),
        (
            vec!["train", "--model", "gan"],
            "must be 'ae', 'vae', 'ae-l2'",
        ),
        (vec!["train", "--samples", "0"], "training.samples is 0"),
        (vec!["train", "--beta", "-1"], "training.beta is -1"),
        (
            vec!["train", "--free-bits", "-1"],
            "training.free_bits is -1",
        ),
        (
            vec!["train", "--model", "ae", "--objective", "iwae"],
            "expected the model vae",
        ),
        (
            vec!["train", "--likelihood", "gaussian", "--sigma", "-1"],
            "positive number",
        ),
        (vec!["train", "--sigma", "0.1"], "only a Gaussian"),
        (
            vec![
                "train",
                "--likelihood",
                "gaussian",
                "--treatment",
                "threshold",
            ],
            "grey",
        ),
        (vec!["train", "--dataset", "cifar"], "cifar"),
        (vec!["train", "--preset", "lab"], "did you mean"),
        (vec!["train", "--config", "absent.toml"], "absent.toml"),
        (vec!["train", "--resume", "absent"], "not a run folder"),
        (vec!["train", "--dataset", "mnist", "--offline"], "mnist"),
        (vec!["train", "--dataset", "idx:absent"], "absent"),
        (vec!["figures", "--study", "nothing"], "lab"),
        (vec!["figures", "--seeds", "0"], "--seeds"),
        (vec!["data", "path", "cifar"], "cifar"),
        (vec!["data", "verify", "mnist"], "mnist"),
    ] {
        let message = fail(program(folder.path()).args(&arguments), 2);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert_eq!(
        fs::read_dir(folder.path()).expect("readable").count(),
        0,
        "something was written"
    );
}

#[test]
fn an_output_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").expect("written");
    let message = fail(
        program(folder.path())
            .args(["train", "--quiet", "--out", "file/run"])
            .args(SMALL),
        2,
    );
    assert!(message.contains("file/run"), "{message}");
}

#[test]
fn data_commands_print_text_and_json() {
    let folder = folder();
    let text = succeed(program(folder.path()).args(["data", "fetch", "glyphs"]));
    assert!(text.contains("embedded"), "{text}");
    let document = json(&succeed(
        program(folder.path()).args(["data", "verify", "glyphs", "--json"]),
    ));
    assert_eq!(document[0]["ok"], true);
    let document = json(&succeed(
        program(folder.path()).args(["data", "path", "glyphs", "--json"]),
    ));
    assert!(document[0]["folder"].is_null());
}

#[test]
fn configurations_can_be_printed_without_training() {
    let folder = folder();
    let text = succeed(program(folder.path()).args([
        "train",
        "--preset",
        "lab-ae",
        "--print-config",
        "--hidden",
        "none",
    ]));
    assert!(
        text.contains("hidden = []") && text.contains("kind = \"ae\""),
        "{text}"
    );
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
}

#[test]
fn every_command_has_help_with_examples() {
    let folder = folder();
    for command in [
        "train",
        "eval",
        "encode",
        "reconstruct",
        "decode",
        "sample",
        "interpolate",
        "export",
        "import",
        "figures",
        "reproduce",
        "data",
        "bench",
        "study",
        "schema",
        "completions",
        "man",
    ] {
        let text = succeed(program(folder.path()).args([command, "--help"]));
        assert!(text.contains("Examples:"), "{command}");
    }
}
