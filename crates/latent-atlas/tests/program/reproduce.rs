//! Published recipes on a tiny data set, and the training options they need:
//! runs that are extended, stopped early and stopped by a signal.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use models::Model;
use serde_json::Value;
use trials::contents;

use crate::tiny::{folder, json, program, succeed, write_set};

fn fail(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert_eq!(output.status.code(), Some(2), "{command:?}: {stderr}");
    stderr
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

const TABLE: [&str; 12] = [
    "reproduce",
    "iwae-table1",
    "--k",
    "1",
    "--dataset",
    "idx:tiny",
    "--nll-samples",
    "20",
    "--subset",
    "30",
    "--quiet",
    "--json",
];

/// The only row of the table in `out` after so many stages.
fn row(folder: &Path, out: &str, stages: &str, more: &[&str]) -> Value {
    let document = json(&succeed(
        program(folder)
            .args(TABLE)
            .args(["--out", out, "--stages", stages])
            .args(more),
    ));
    let rows = document["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), 1, "{document}");
    rows[0].clone()
}

#[test]
fn a_table_grows_by_stages_without_training_again() {
    let folder = folder();
    let first = row(folder.path(), "out", "1", &[]);
    assert_eq!((&first["k"], &first["epochs"]), (&1.into(), &1.into()));
    assert_eq!(first["images"], 30);
    assert_eq!(first["data_treatment"], "binarised-once");
    for key in ["1", "10", "20"] {
        assert!(first["nll"][key].is_f64(), "{first}");
    }
    for key in ["standard_error", "active_units"] {
        assert!(first[key].is_number(), "{first}");
    }
    // No published number is of these images.
    assert!(first["published"].is_null(), "{first}");

    let second = row(folder.path(), "out", "2", &[]);
    assert_eq!(second["epochs"], 4);
    row(folder.path(), "whole", "2", &["--threads", "1"]);
    let [grown, whole] = ["out", "whole"].map(|out| {
        read(
            folder
                .path()
                .join(out)
                .join("iwae-table1/k1/model.safetensors"),
        )
    });
    assert!(grown == whole, "four epochs depend on where they were cut");

    // Rows are kept: of the shorter run too, whose weights are gone.
    fs::remove_file(folder.path().join("out/iwae-table1/k1/model.safetensors")).expect("removed");
    assert_eq!(row(folder.path(), "out", "1", &[]), first);
    assert_eq!(row(folder.path(), "out", "2", &[]), second);
    let document = folder.path().join("RESULTS.md");
    row(folder.path(), "out", "2", &["--markdown", "RESULTS.md"]);
    let text = String::from_utf8(read(document)).expect("UTF-8");
    assert!(
        text.contains("| 1 | 1 of 3280 |") && text.contains("| 1 | 4 of 3280 |"),
        "{text}"
    );
}

/// The recipe of the published code: what it holds out, its settings, and what its rows
/// are compared by.
#[test]
fn a_table_is_trained_as_its_published_code_trains() {
    let folder = folder();
    let at = |path: &str| folder.path().join(path);
    write_set(&at("larger"), 440);
    let arguments = [
        "reproduce",
        "iwae-table1-as-published",
        "--dataset",
        "idx:larger",
        "--nll-samples",
        "20",
        "--quiet",
        "--json",
        "--stages",
        "1",
        "--out",
        "out",
        "--k",
        "1,3",
        "--markdown",
        "RESULTS.md",
    ];
    let document = json(&succeed(program(folder.path()).args(arguments)));
    let rows = document["rows"].as_array().expect("a list");
    for (row, k) in rows.iter().zip([1, 3]) {
        assert_eq!((&row["k"], &row["epochs"]), (&k.into(), &1.into()));
        assert_eq!(row["recipe"], "iwae-table1-as-published");
        // Two minibatches of 20 of the 40 images that are left of 440.
        assert_eq!(row["steps"], 2);
        assert_eq!(row["first_training_images"]["images"], 40);
        assert!(row["draw_deviation"].as_f64().is_some_and(|of| of > 0.0));
    }
    let config = read(at("out/iwae-table1-as-published/k1/config.toml"));
    let config = String::from_utf8(config).expect("UTF-8");
    for line in [
        "validation = 400",
        "posterior_scale = \"log-sigma\"",
        "objective = \"iwae\"",
        "samples = 1",
        "beta1 = 0.99",
        "second_moment_start = 1.0",
        "batch_gradient = \"sum\"",
        "shuffle = false",
    ] {
        assert!(
            config.lines().any(|found| found == line),
            "{line}: {config}"
        );
    }
    let text = String::from_utf8(read(at("RESULTS.md"))).expect("UTF-8");
    for part in [
        "| `training.shuffle` | true | false | ",
        "| 1 | 1 of 3280 | iwae-table1-as-published | ",
        "| 3 | 1 of 3280 | iwae-table1-as-published | ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A set that is too small for it is refused.
    let tiny = arguments.map(|text| match text {
        "idx:larger" => "idx:tiny",
        "out" => "other",
        text => text,
    });
    let message = fail(program(folder.path()).args(tiny));
    assert!(message.contains("below the 120"), "{message}");
}

#[test]
fn two_layers_have_rows_and_runs_of_their_own() {
    let folder = folder();
    let two = |out: &str, stages: &str, more: &[&str]| {
        let more = [&["--layers", "2"], more].concat();
        row(folder.path(), out, stages, &more)
    };
    let first = two("out", "1", &[]);
    assert_eq!((&first["layers"], &first["k"]), (&2.into(), &1.into()));
    assert_eq!(
        (&first["epochs"], &first["images"]),
        (&1.into(), &30.into())
    );
    assert!(first["nll"]["20"].is_f64() && first["standard_error"].is_number());
    let by_layer = first["active_units_by_layer"].as_array().expect("a list");
    let total: u64 = by_layer.iter().filter_map(Value::as_u64).sum();
    assert_eq!(
        (by_layer.len(), first["active_units"].as_u64()),
        (2, Some(total))
    );
    let one = row(folder.path(), "out", "1", &[]);
    assert_eq!(one["layers"], 1);
    assert_ne!(one["nll"], first["nll"]);

    // Longer in two steps, or at once on another number of threads.
    let second = two("out", "2", &[]);
    let whole = two("whole", "2", &["--threads", "1"]);
    assert_eq!(
        (&second["epochs"], &second["nll"]),
        (&4.into(), &whole["nll"])
    );
    let weights = |out: &str| {
        let run = folder.path().join(out).join("iwae-table1/layers2-k1");
        assert!(!read(run.join("result.json")).is_empty());
        read(run.join("model.safetensors"))
    };
    assert!(weights("out") == weights("whole"));
    // As they stand, the four epochs.
    let stands = two("out", "1", &["--no-training", "--markdown", "RESULTS.md"]);
    assert_eq!(stands, second);
    let text = String::from_utf8(read(folder.path().join("RESULTS.md"))).expect("UTF-8");
    let (one_layer, two_layers) = text
        .split_once("Two stochastic layers")
        .expect("two tables");
    assert_eq!(one_layer.matches("of 3280 |").count(), 1, "{text}");
    assert_eq!(two_layers.matches("of 3280 |").count(), 2, "{text}");

    // The importance-weighted bound.
    let several = [
        &TABLE[..3],
        &["5"],
        &TABLE[4..],
        &["--layers", "2", "--stages", "1"],
    ]
    .concat();
    let document = json(&succeed(
        program(folder.path()).args(several).args(["--out", "out"]),
    ));
    assert_eq!(
        (&document["rows"][0]["k"], &document["rows"][0]["layers"]),
        (&5.into(), &2.into())
    );
    // Other commands know both layers.
    let run = "out/iwae-table1/layers2-k1";
    let evaluated = json(&succeed(program(folder.path()).args([
        "eval",
        run,
        "--subset",
        "30",
        "--json",
        "--nll-samples",
        "20",
    ])));
    assert_eq!(
        evaluated["nll"].as_object().map(|nll| nll.len()),
        Some(3),
        "{evaluated}"
    );
    fs::remove_file(folder.path().join(run).join("result.json")).expect("removed");
    // Without a result, the checkpoint at the end makes one again.
    fs::remove_file(
        folder
            .path()
            .join("out/iwae-table1/layers2-k1-4-epochs-30-images.json"),
    )
    .expect("removed");
    assert_eq!(two("out", "2", &[])["nll"], second["nll"]);
    assert!(weights("out") == weights("whole"));

    // Of versions to which two stochastic layers were a lower and an upper model,
    // and to some of which the upper one was not written down.
    let config = folder.path().join(run).join("config.toml");
    let environment = folder.path().join(run).join("environment.json");
    let mut unsealed = json(&String::from_utf8(read(&environment)).expect("UTF-8"));
    unsealed
        .as_object_mut()
        .expect("an object")
        .remove("sha256");
    fs::write(&environment, unsealed.to_string()).expect("writable");
    let text = String::from_utf8(read(&config)).expect("UTF-8");
    let (text, _) = text.split_once("# SHA-256").expect("a seal");
    let lower: String = text
        .lines()
        .filter(|line| !line.starts_with("lower_latent") && !line.starts_with("upper_hidden"))
        .map(|line| match line {
            "latent = 50" => "latent = 100\n".to_owned(),
            line => format!("{line}\n"),
        })
        .collect();
    for section in ["", "[two_layers]\nupper = \"100-100-100-50\"\n"] {
        fs::write(&config, format!("{lower}{section}")).expect("writable");
        let measured = two("out", "3", &["--no-training"]);
        assert_eq!(measured["nll"], second["nll"]);
    }
    let third = two("out", "3", &[]);
    assert_eq!(
        (&third["epochs"], &third["nll"]),
        (&13.into(), &two("whole", "3", &[])["nll"])
    );
}

#[test]
fn what_another_version_made_is_not_taken_for_current() {
    let folder = folder();
    for layers in ["1", "2"] {
        let more = ["--layers", layers];
        let first = row(folder.path(), "out", "1", &more);
        let name = if layers == "1" { "k1" } else { "layers2-k1" };
        let table = folder.path().join("out/iwae-table1");
        // A row that does not say by what it was measured is measured again.
        let path = table.join(format!("{name}-1-epochs-30-images.json"));
        let mut older = json(&String::from_utf8(read(&path)).expect("UTF-8"));
        let fields = older.as_object_mut().expect("an object");
        assert!(fields.remove("sha256").is_some());
        assert!(fields.remove("result_format").is_some());
        fields.insert("negative_elbo".into(), 1.0.into());
        fs::write(&path, older.to_string()).expect("writable");
        assert_eq!(row(folder.path(), "out", "1", &more), first);
        let mut again = json(&String::from_utf8(read(&path)).expect("UTF-8"));
        // The file is sealed.
        assert!(
            again
                .as_object_mut()
                .expect("an object")
                .remove("sha256")
                .is_some()
        );
        assert_eq!(again, first);
        // A run it finished is not extended.
        let result = table.join(name).join("result.json");
        let mut older = json(&String::from_utf8(read(&result)).expect("UTF-8"));
        // As one from before there were seals.
        older.as_object_mut().expect("an object").remove("sha256");
        older["digest"] = "0".repeat(64).into();
        fs::write(&result, older.to_string()).expect("writable");
        let arguments = [&TABLE[..], &["--out", "out", "--stages", "2"], &more].concat();
        let message = fail(program(folder.path()).args(arguments));
        assert!(message.contains("gives other results"), "{message}");
        assert!(result.exists());
    }
}

#[test]
fn runs_are_measured_as_they_stand() {
    let folder = folder();
    let trained = row(folder.path(), "out", "2", &[]);
    let mut stands = row(folder.path(), "out", "8", &["--no-training"]);
    assert_eq!(stands, trained);
    let run = folder.path().join("out/iwae-table1/k1");
    succeed(
        program(folder.path())
            .args(["train", "--quiet", "--epochs", "6", "--resume"])
            .arg(&run),
    );
    stands = row(folder.path(), "out", "2", &["--no-training"]);
    assert_eq!(stands["epochs"], 6);
    // Without that option, a longer run cannot stand for a shorter one.
    let shorter = [&TABLE[..], &["--out", "out", "--stages", "1"]].concat();
    let message = fail(program(folder.path()).args(shorter));
    assert!(message.contains("more than the 1 asked for"), "{message}");
}

#[test]
fn test_losses_stand_beside_the_published_ones() {
    let folder = folder();
    let mut command = program(folder.path());
    command.args(["reproduce", "keras-2d", "--dataset", "idx:tiny", "--quiet"]);
    let text = succeed(&mut command);
    assert!(text.contains("elsewhere"), "{text}");
    let document = json(&succeed(command.arg("--json")));
    let epochs: Vec<_> = document["rows"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["epochs"].as_u64().expect("a count"))
        .collect();
    assert_eq!(epochs, [10, 30]);
}

/// Starts a reproduction, sends it SIGTERM once `file` of its run has
/// something in it, and checks that it says how to go on.
#[cfg(unix)]
fn stopped(folder: &Path, more: &[&str], file: &str) {
    let arguments = [&TABLE[..TABLE.len() - 2], &["--out", "out"], more].concat();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("latent-atlas"))
        .current_dir(folder)
        .args(&arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let awaited = folder.join("out/iwae-table1/k1").join(file);
    while fs::metadata(&awaited).map_or(0, |file| file.len()) == 0 {
        let ended = child.try_wait().expect("a child");
        assert!(ended.is_none(), "the run ended early");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // Twice, as `timeout` does: to the process, then to its group.
    for _ in 0..2 {
        let killed = std::process::Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status();
        assert!(killed.is_ok(), "kill starts");
    }
    let output = child.wait_with_output().expect("a child");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains("reproduce iwae-table1"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_signal_checkpoints_and_the_same_command_goes_on() {
    let folder = folder();
    stopped(folder.path(), &["--stages", "8"], "metrics.jsonl");
    let stands = row(folder.path(), "out", "8", &["--no-training"]);
    assert!(stands["epochs"].as_u64().expect("a count") < 3280);

    // While −log p(x) is measured, a signal is answered as well.
    let folder = self::folder();
    let stages = ["--stages", "1"];
    stopped(
        folder.path(),
        &[&stages[..], &["--nll-samples", "100000"]].concat(),
        "result.json",
    );
    assert_eq!(row(folder.path(), "out", "1", &[])["epochs"], 1);
}

/// A run that stops early for want of progress on held-out images.
const EARLY: [&str; 18] = [
    "train",
    "--quiet",
    "--dataset",
    "idx:tiny",
    "--hidden",
    "30",
    "--latent",
    "4",
    "--batch",
    "10",
    "--lr",
    "0.02",
    "--treatment",
    "binarised-per-epoch",
    "--set",
    "data.validation=40",
    "--set",
    "training.patience=3",
];

#[test]
fn early_stopping_keeps_the_best_weights_and_resumes_to_them() {
    let folder = folder();
    let train = |out: &str, epochs: &str| {
        succeed(
            program(folder.path())
                .args(EARLY)
                .args(["--epochs", epochs, "--out", out]),
        );
    };
    train("whole", "300");
    let run = |name: &str, file: &str| folder.path().join(name).join(file);
    let text = |path: &Path| String::from_utf8(read(path)).expect("UTF-8");
    let result = json(&text(&run("whole", "result.json")));
    let epochs = result["epochs"].as_u64().expect("a count") as usize;
    let best = result["best_epoch"].as_u64().expect("a count") as usize;
    assert!(epochs < 300 && epochs == best + 3, "{result}");
    let lines = text(&run("whole", "metrics.jsonl"));
    let losses: Vec<f64> = lines
        .lines()
        .map(|line| json(line)["validation"]["loss"].as_f64().expect("a number"))
        .collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(losses[best - 1], lowest);
    assert!(lines.contains("\"data_treatment\":\"binarised-per-epoch\""));

    // The weights kept are those of a run that ends there.
    train("short", &best.to_string());
    let weights = |name: &str| Model::load(&run(name, "best.safetensors")).expect("weights");
    assert!(weights("whole") == weights("short"));

    // Cut after the best epoch and resumed, the run ends with the same files.
    train("cut", "300");
    for file in ["state.safetensors", "trajectories.npz", "best.safetensors"] {
        fs::copy(run("short", file), run("cut", file)).expect("copied");
    }
    fs::remove_file(run("cut", "result.json")).expect("removed");
    fs::remove_file(run("cut", "model.safetensors")).expect("removed");
    succeed(program(folder.path()).args(["train", "--quiet", "--resume", "cut"]));
    for file in ["model.safetensors", "state.safetensors", "best.safetensors"] {
        let [whole, cut] = ["whole", "cut"].map(|name| contents::of_file(&run(name, file)));
        assert!(
            whole.expect("readable") == cut.expect("readable"),
            "{file} differs after resuming"
        );
    }
}

#[test]
fn wrong_usage_is_refused_before_anything_is_written() {
    let folder = folder();
    let tiny = ["--dataset", "idx:tiny"];
    for (arguments, expected) in [
        (vec!["reproduce", "iwae"], "did you mean 'iwae-table1'"),
        (
            vec!["reproduce", "iwae-table1", "--stages", "0"],
            "--stages is 0",
        ),
        (
            vec!["reproduce", "iwae-table1", "--stages", "9"],
            "--stages is 9",
        ),
        (
            vec!["reproduce", "iwae-table1", "--subset", "41"],
            "--subset is 41",
        ),
        (
            vec!["reproduce", "iwae-table1", "--nll-samples", "0"],
            "--nll-samples is 0",
        ),
        (
            vec!["reproduce", "iwae-table1", "--layers", "3"],
            "--layers is 3",
        ),
        (
            vec!["reproduce", "keras-2d", "--layers", "1"],
            "--layers changes nothing about keras-2d; leave it out, or reproduce iwae-table1 or",
        ),
        (
            vec!["reproduce", "pytorch-example", "--k", "5"],
            "--k changes nothing about pytorch-example",
        ),
        (vec!["reproduce", "iwae-table1", "--k", "0"], "training"),
        (vec!["reproduce", "iwae-table1", "--k", "1,1"], "1 twice"),
        (
            vec!["reproduce", "iwae-table1", "--k", "1", "--no-training"],
            "without --no-training",
        ),
        (vec!["train", "--treatment", "binary"], "'binarised-once'"),
        (
            vec!["train", "--set", "data.validation=120"],
            "below the 120",
        ),
    ] {
        let message = fail(program(folder.path()).args(&arguments).args(tiny));
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(left, ["tiny"], "something was written");
}

#[test]
fn a_finished_run_without_its_state_does_not_begin_again() {
    let folder = folder();
    for (name, layers) in [("k1", "1"), ("layers2-k1", "2")] {
        let more = ["--layers", layers];
        row(folder.path(), "out", "1", &more);
        let run = folder.path().join("out/iwae-table1").join(name);
        fs::remove_file(run.join("state.safetensors")).expect("there");
        let before = [
            read(run.join("model.safetensors")),
            read(run.join("config.toml")),
        ];
        let arguments = [&TABLE[..], &["--out", "out", "--stages", "2"], &more].concat();
        let message = fail(program(folder.path()).args(arguments));
        assert!(message.contains("state.safetensors is gone"), "{message}");
        let after = [
            read(run.join("model.safetensors")),
            read(run.join("config.toml")),
        ];
        assert!(before == after && run.join("result.json").exists());
    }
}
