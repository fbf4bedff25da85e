//! A run for other tools, as a user meets it: `export`, and `train --tensorboard`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::names;
use crate::tiny::program;

/// Runs the program in `folder` and returns its exit code, stdout and stderr.
fn run(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let output = program(folder)
        .args(line.split_whitespace())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn succeed(folder: &Path, line: &str) -> String {
    let (code, stdout, stderr) = run(folder, line);
    assert_eq!(code, Some(0), "{line}: {stderr}");
    stdout
}

/// What is said to a line that has to fail with code 2 and leave nothing behind.
fn refused(folder: &Path, line: &str) -> String {
    let before = names(folder);
    let (code, stdout, stderr) = run(folder, line);
    assert_eq!(code, Some(2), "{line}: {stdout} {stderr}");
    assert_eq!(names(folder), before, "{line} left something behind");
    stderr
}

/// A folder with `images.csv`, 4 × 4 images of two classes, and a run of it.
fn trained(options: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = (0..120).map(|row| {
        let pixel = |at: usize| (row * 37 + at * (row % 5 + 3) * 11) % 256;
        let pixels: Vec<String> = (0..16).map(|at| pixel(at).to_string()).collect();
        format!("{},{}\n", row % 2, pixels.join(","))
    });
    let header: Vec<String> = (0..16).map(|at| format!("p{at}")).collect();
    let table = format!("label,{}\n{}", header.join(","), rows.collect::<String>());
    fs::write(folder.path().join("images.csv"), table).expect("writable");
    let line = format!(
        "train images.csv --shape 4x4 --maximum 255 --epochs 2 --hidden 5 --latent 2 --out run {options}"
    );
    succeed(folder.path(), &line);
    folder
}

#[test]
fn every_format_is_written_where_it_is_said() {
    let folder = trained("");
    let at = |path: &str| folder.path().join(path);
    for (format, file) in [
        ("npz", "run.npz"),
        ("csv", "run.csv"),
        ("onnx", "run-onnx/decoder.onnx"),
        ("python", "run-python/model.py"),
        ("projector", "run-projector/projector_config.pbtxt"),
        (
            "tensorboard",
            "run-tensorboard/events.out.tfevents.0000000001.latent-atlas",
        ),
    ] {
        let said = succeed(folder.path(), &format!("export run --format {format}"));
        assert!(said.starts_with("wrote run"), "{said}");
        assert!(said.contains("next: "), "{said}");
        assert!(at(file).is_file(), "{file}");
        let again = format!("export run --format {format}");
        let message = refused(folder.path(), &again);
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    }
    succeed(folder.path(), "export run --format onnx -o new/deep/onnx");
    assert!(at("new/deep/onnx/encoder.onnx").is_file());
    succeed(
        folder.path(),
        "export run --format tensorboard -o logs/lr0.001",
    );
    assert!(at("logs/lr0.001").is_dir());
    let line = "export run --format csv --split all -o all.csv --json";
    let document: Value = serde_json::from_str(&succeed(folder.path(), line)).expect("JSON");
    assert_eq!(document["rows"], 120);
    assert_eq!(document["files"], serde_json::json!(["all.csv"]));
    assert_eq!(document["columns"][0], "index");
    let lines = fs::read_to_string(at("all.csv")).expect("written");
    assert_eq!(lines.lines().count(), 121);
    succeed(folder.path(), "export run --format csv -o all.csv --force");
    let lines = fs::read_to_string(at("all.csv")).expect("written");
    assert!(lines.lines().count() < 121, "the test rows alone");
}

#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_is_written() {
    let folder = trained("");
    let said = succeed(
        folder.path(),
        "export run --format parquet --split all --neighbours 3",
    );
    assert!(said.contains("run.parquet: 120 rows"), "{said}");
    assert!(
        said.contains("embedding-atlas run.parquet --x x --y y --neighbors neighbors"),
        "{said}"
    );
    let line = "export run --format parquet --neighbours 0 -o alone.parquet";
    let said = succeed(folder.path(), line);
    assert!(
        said.contains("embedding-atlas alone.parquet --x x"),
        "{said}"
    );
    assert!(!said.contains("--neighbors"), "{said}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_so() {
    let folder = trained("");
    let message = refused(folder.path(), "export run --format parquet");
    assert!(message.contains("the feature parquet"), "{message}");
}

#[test]
fn graphs_of_this_program_say_what_they_are_when_they_come_back() {
    let folder = trained("--likelihood continuous-bernoulli --invert");
    succeed(folder.path(), "export run --format onnx");
    let line = "import run-onnx/encoder.onnx run-onnx/decoder.onnx --dataset images.csv";
    let said = succeed(
        folder.path(),
        &format!("{line} --shape 4x4 --maximum 255 --invert -o back"),
    );
    assert!(!said.contains("assumed"), "{said}");
    let configuration =
        fs::read_to_string(folder.path().join("back/config.toml")).expect("written");
    assert!(
        configuration.contains("continuous-bernoulli"),
        "{configuration}"
    );
    let said = succeed(
        folder.path(),
        &format!("{line} --shape 4x4 --maximum 255 -o other"),
    );
    let expected =
        "the file says that those of its run were read with --set data.reading.invert=true";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn what_cannot_be_is_refused_before_any_work() {
    let folder = trained("");
    for (line, words) in [
        ("export run --format npy", "did you mean 'npz'?"),
        ("export run --format xlsx", "'onnx', 'npz', 'parquet'"),
        ("export run --format csv -o a.npz", "writes .csv"),
        ("export run --format onnx -o a.onnx", "writes a folder"),
        ("export run --format onnx -o run", "holds files already"),
        ("export run --format csv -o images.csv", "--force"),
        ("export run --format csv --split half", "train, test or all"),
        ("export run --format onnx --split test", "leave it out"),
        ("export run --format csv --neighbours 3", "leave it out"),
        (
            "export run --format npz --base-url http://x",
            "leave it out",
        ),
        ("export nothing --format csv", "is not a run folder"),
    ] {
        let message = refused(folder.path(), line);
        assert!(message.contains(words), "{line}: {message}");
    }
    fs::write(folder.path().join("images.csv"), "label,p0\n0,1\n1,2\n").expect("writable");
    refused(folder.path(), "export run --format csv");
    // Weights need no data.
    succeed(folder.path(), "export run --format onnx");
}

#[test]
fn training_can_be_watched() {
    let folder = trained("--tensorboard");
    let events = folder.path().join("run/tensorboard");
    assert_eq!(
        names(&events),
        ["events.out.tfevents.0000000001.latent-atlas"]
    );
    succeed(folder.path(), "train --resume run --epochs 3 --tensorboard");
    assert_eq!(
        names(&events),
        ["events.out.tfevents.0000000002.latent-atlas"]
    );
}
