//! `bench` as a user meets it. How fast anything is is not tested here: what
//! is measured, in which form it is printed, and what is refused.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

fn program(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("latent-atlas").expect("cargo built it");
    command
        .current_dir(folder)
        .env_remove("LATENT_ATLAS_DATA")
        .env_remove("LATENT_ATLAS_PYTHON")
        .arg("bench");
    command
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Runs a command that must succeed and returns stdout and stderr.
fn succeed(command: &mut Command) -> (String, String) {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert!(output.status.success(), "{command:?}: {stderr}");
    let stdout = String::from_utf8(output.stdout).expect("output is UTF-8");
    (stdout, stderr)
}

fn refuse(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    assert_eq!(output.status.code(), Some(2), "{command:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{command:?}");
    stderr
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("one JSON document")
}

fn positive(value: &Value) -> f64 {
    let number = value.as_f64().unwrap_or_else(|| panic!("{value}"));
    assert!(number > 0.0 && number.is_finite(), "{number}");
    number
}

/// A folder of IDX files with a few images whose pixels are a pattern.
fn small_set(folder: &Path) -> String {
    const IMAGES: usize = 300;
    let pixels: Vec<u8> = (0..IMAGES * 784)
        .map(|pixel| if pixel % 5 == 0 { pixel as u8 } else { 0 })
        .collect();
    let labels: Vec<u8> = (0..IMAGES).map(|image| (image % 10) as u8).collect();
    let set = folder.join("set");
    fs::create_dir(&set).expect("a new folder");
    for (index, name) in datasets::FILE_NAMES.iter().enumerate() {
        let (dimensions, data) = if index % 2 == 0 {
            (vec![IMAGES, 28, 28], &pixels)
        } else {
            (vec![IMAGES], &labels)
        };
        let mut bytes = Vec::new();
        datasets::idx::write(&mut bytes, &dimensions, data).expect("memory can be written");
        fs::write(set.join(name), bytes).expect("the folder is writable");
    }
    format!("idx:{}", set.display())
}

#[test]
fn products_are_reported_with_the_documented_keys() {
    let folder = folder();
    let (stdout, _) = succeed(program(folder.path()).args([
        "--quick",
        "--only",
        "gemm",
        "--only",
        "vector",
        "--only",
        "nll",
        "--threads",
        "1",
        "--json",
        "--quiet",
    ]));
    let document = json(&stdout);
    let peak = positive(&document["fma_peak_gflops"]["1"]);
    let rows = document["gemm"].as_array().expect("rows");
    for form in ["forward", "input-gradient", "weight-gradient"] {
        let row = rows
            .iter()
            .find(|row| {
                (&row["m"], &row["k"], &row["n"]) == (&128.into(), &784.into(), &256.into())
                    && row["form"] == form
            })
            .unwrap_or_else(|| panic!("no {form}"));
        assert_eq!(row["threads"], 1);
        let share = positive(&row["gflops"]) / peak;
        assert!((positive(&row["share_of_peak"]) / share - 1.0).abs() < 1e-9);
    }
    for row in document["vector"].as_array().expect("rows") {
        let rate = 1e9 / positive(&row["nanoseconds_per_element"]);
        assert!((positive(&row["elements_per_second"]) / rate - 1.0).abs() < 1e-9);
    }
    let row = &document["likelihood"][0];
    assert_eq!(
        (&row["samples"], &row["threads"]),
        (&5000.into(), &1.into())
    );
    let share = positive(&row["gflops"]) / peak;
    assert!((positive(&row["share_of_peak"]) / share - 1.0).abs() < 1e-9);
    assert!(positive(&row["seconds_per_image"]) > 0.0);
    for key in ["training", "waits", "peers", "unavailable"] {
        assert_eq!(document[key], json("[]"), "{key}");
    }
    assert_eq!(document["dataset"], Value::Null);
}

#[test]
fn training_is_reported_with_the_documented_keys() {
    let folder = folder();
    let set = small_set(folder.path());
    let arguments = [
        "--only",
        "training",
        "--architecture",
        "784-256-2",
        "--threads",
        "1",
        "--epochs",
        "2",
        "--dataset",
        &set,
    ];
    let (stdout, _) = succeed(
        program(folder.path())
            .args(arguments)
            .args(["--json", "--quiet"]),
    );
    let document = json(&stdout);
    let peak = positive(&document["fma_peak_gflops"]["1"]);
    let rows = document["training"].as_array().expect("rows");
    let gradients: Vec<_> = rows.iter().map(|row| &row["gradients"]).collect();
    assert_eq!(gradients, ["hand", "tape"]);
    for row in rows {
        assert_eq!(row["architecture"], "784-256-2");
        assert_eq!(row["activation"], "relu");
        assert_eq!((&row["batch"], &row["threads"]), (&128.into(), &1.into()));
        let seconds = positive(&row["seconds_per_epoch"]);
        assert!((positive(&row["images_per_second"]) * seconds / 300.0 - 1.0).abs() < 1e-9);
        // 2016256 operations an image, counted by hand.
        let gflops = 2_016_256.0 * 300.0 / seconds / 1e9;
        assert!((positive(&row["gflops"]) / gflops - 1.0).abs() < 1e-9);
        assert!((positive(&row["share_of_peak"]) * peak / gflops - 1.0).abs() < 1e-9);
        // 784-256-4, 2-256-784 in whole panels of 16 outputs: 616448 multiply-adds an
        // image behind the first layer, whose 2 · 784 · 256 the zeros can spare.
        let multiply_adds = positive(&row["executed"]["multiply_adds"]) / 300.0;
        assert!((616_448.0..=1_017_856.0).contains(&multiply_adds), "{row}");
        let executed = 2.0 * 300.0 * multiply_adds / seconds / 1e9;
        assert!((positive(&row["executed_share_of_peak"]) * peak / executed - 1.0).abs() < 1e-9);
        assert_eq!(row["executed"]["pixels"], 300 * 784);
        let least = positive(&row["least_seconds_per_epoch"]);
        assert!((positive(&row["share_of_bound"]) * seconds / least - 1.0).abs() < 1e-9);
        let spread = &row["spread"];
        let [lower, median, upper] = [0, 1, 2].map(|at| positive(&spread["quartiles"][at]));
        assert!(lower <= median && median <= upper, "{spread}");
        let relative = (upper - lower) / median;
        assert!((spread["relative"].as_f64().expect("a number") - relative).abs() < 1e-9);
        assert_eq!(spread["is_noisy"], relative > 0.05);
    }
    let rates = &document["elementwise"];
    let clock = positive(&document["machine"]["clock_ghz"]);
    let cycles = 16.0 * clock * positive(&rates["adam_nanoseconds"]);
    assert!((positive(&rates["adam_cycles_per_line"]) / cycles - 1.0).abs() < 1e-9);
    assert!(document["machine"]["cores"].as_u64() >= Some(1));
    assert_eq!(document["dataset"], set.as_str());
    assert_eq!(document["images"], 300);
    positive(&document["seconds_to_first_step"]);
    if cfg!(target_os = "linux") {
        positive(&document["peak_memory_mb"]);
    }

    let (text, progress) = succeed(program(folder.path()).args(arguments));
    for word in [
        "machine: ",
        "FMA peak, 1 thread",
        "strict f32",
        "784-256-2",
        "tape",
        "cycles a line",
        "first step",
    ] {
        assert!(text.contains(word), "no {word} in: {text}");
    }
    assert!(progress.contains("measuring: training 784-256-2"));
    // Nothing stays behind: no run folder, no downloaded data.
    let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn waits_are_reported_against_one_thread() {
    let folder = folder();
    let arguments = ["--only", "waits", "--threads", "1", "--epochs", "1"];
    let (stdout, _) = succeed(
        program(folder.path())
            .args(arguments)
            .args(["--json", "--quiet"]),
    );
    let document = json(&stdout);
    let rows = document["waits"].as_array().expect("rows");
    let mut surroundings = vec![
        (json(r#"{"beside":0}"#), 2),
        (json(r#"{"beside":1}"#), 2),
        (json(r#"{"beside":2}"#), 2),
        (json(r#"{"beside":4}"#), 2),
        // As many as a step is spread over, of the 16 asked for.
        (json(r#"{"beside":0}"#), 8),
    ];
    if cfg!(target_os = "linux") {
        surroundings.push((json(r#""one-core""#), 2));
    }
    for (rows, architecture) in rows
        .chunks(surroundings.len())
        .zip(["784-256-2", "784-512-2"])
    {
        for (row, (surroundings, threads)) in rows.iter().zip(&surroundings) {
            assert_eq!(row["architecture"], architecture);
            assert_eq!(&row["surroundings"], surroundings);
            assert_eq!(row["threads"], *threads);
            let ratio =
                positive(&row["seconds_per_epoch"]) / positive(&row["seconds_on_one_thread"]);
            assert!((positive(&row["ratio_quartiles"][1]) / ratio - 1.0).abs() < 1e-9);
        }
    }
    assert_eq!(rows.len(), 2 * surroundings.len());

    let (text, _) = succeed(program(folder.path()).args(arguments));
    for word in ["alone", "beside 4 busy", "784-512-2", "quartiles"] {
        assert!(text.contains(word), "no {word} in: {text}");
    }
}

#[test]
fn without_python_the_peers_are_one_line_and_no_error() {
    let folder = folder();
    let set = small_set(folder.path());
    let arguments = [
        "--quick",
        "--only",
        "vector",
        "--threads",
        "1",
        "--dataset",
        &set,
        "--peers",
        "--python",
        "no-such-python",
    ];
    let (text, _) = succeed(program(folder.path()).args(arguments));
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("python"))
        .collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(lines[0].contains("'no-such-python'"), "{}", lines[0]);
    assert!(text.contains("sigmoid"), "{text}");

    let (stdout, stderr) = succeed(program(folder.path()).args(arguments).arg("--json"));
    let document = json(&stdout);
    assert_eq!(document["peers"], json("[]"));
    assert_eq!(document["unavailable"][0]["name"], "python");
    assert_eq!(stderr.matches("no-such-python").count(), 1, "{stderr}");
}

/// An interpreter that is a shell script: one peer answers each line as the
/// scripts do, one lacks its framework, one breaks in its second epoch.
#[cfg(unix)]
#[test]
fn peers_take_turns_and_those_that_fail_are_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = folder();
    let set = small_set(folder.path());
    let python = folder.path().join("python");
    let script = r#"#!/bin/sh
case "$1" in
    *pytorch_compile.py) echo 'this peer needs torch' >&2; exit 2 ;;
    *pytorch_eager.py) name=pytorch-eager; last=1 ;;
    *) name=jax-scan; last=9 ;;
esac
case "$*" in *'--precision bf16'*) name=$name-bf16 ;; esac
epoch=0
while [ $epoch -lt $last ] && read line; do
    epoch=$((epoch + 1))
    echo "{\"name\":\"$name\",\"version\":\"1.2.3\",\"architecture\":\"784-256-2\",\"activation\":\"relu\",\"batch\":128,\"threads\":1,\"epoch\":$epoch,\"warm_up\":false,\"seconds\":$epoch.0,\"loss\":200.0}"
done
[ $epoch -eq $last ] && echo 'out of memory' >&2 && exit 1
"#;
    fs::write(&python, script).expect("the folder is writable");
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("the file is ours");

    let (stdout, _) = succeed(
        program(folder.path())
            .args(["--only", "vector", "--quick", "--architecture", "784-256-2"])
            .args(["--threads", "1", "--epochs", "3", "--dataset", &set])
            .args(["--peers", "--json"])
            .env("LATENT_ATLAS_PYTHON", &python),
    );
    let document = json(&stdout);
    let rows = document["peers"].as_array().expect("rows");
    // In strict f32, and in the fast mode under a name of its own.
    let named: Vec<_> = rows
        .iter()
        .map(|row| [&row["name"], &row["products"]])
        .collect();
    let strict = ["jax-scan", "strict-f32"].map(Value::from);
    let fast = ["jax-scan-bf16", "bf16"].map(Value::from);
    assert_eq!(named, [strict.each_ref(), fast.each_ref()]);
    let row = &rows[0];
    assert_eq!(row["version"], "1.2.3");
    // 2, 3 and 4 seconds lie too far apart.
    assert_eq!(row["spread"]["is_noisy"], true);
    assert!(row["our_spread"]["is_noisy"].is_boolean());
    assert_eq!((&row["batch"], &row["threads"]), (&128.into(), &1.into()));
    // The first epoch is warm-up: 2, 3 and 4 seconds are left.
    assert_eq!(row["epochs"], 3);
    assert_eq!(row["seconds_per_epoch"], 2.0);
    assert_eq!(row["median_seconds_per_epoch"], 3.0);
    let ratio = 2.0 / positive(&row["our_seconds_per_epoch"]);
    assert!((positive(&row["ratio"]) / ratio - 1.0).abs() < 1e-9);
    assert_eq!(
        document["unavailable"],
        json(
            r#"[{"name":"pytorch-compile","reason":"this peer needs torch"},
                {"name":"pytorch-compile-bf16","reason":"this peer needs torch"},
                {"name":"pytorch-eager","reason":"out of memory"},
                {"name":"pytorch-eager-bf16","reason":"out of memory"}]"#
        )
    );
}

#[test]
fn wrong_options_are_refused() {
    let folder = folder();
    let refused = |arguments: &[&str], word: &str| {
        let line = refuse(program(folder.path()).args(arguments));
        assert!(line.contains(word), "{arguments:?}: {line}");
    };
    refused(&["--only", "everything"], "everything");
    refused(&["--python", "python3"], "--peers");
    refused(&["--threads", "0"], "0 threads");
    refused(&["--threads", "100000"], "--threads is 100000");
    refused(&["--epochs", "0"], "--epochs is 0");
    refused(&["--epochs", "-1"], "--epochs");
    refused(&["--architecture", "784-3"], "784-400-20");
    refused(&["--dataset", "fmnist"], "fmnist");
    refused(&["--dataset", "idx:nowhere"], "nowhere");
}
