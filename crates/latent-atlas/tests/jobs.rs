//! Several runs side by side: what they result in does not depend on how many go
//! at once, also when they are stopped on the way or have not the memory for it.

mod tiny;

use std::fs;
use std::path::Path;

use trials::contents;

use crate::tiny::{folder, json, program, succeed};

/// Four runs of the table.
const FOUR: [&str; 4] = ["--k", "1,3", "--seed", "42,7"];

fn table<'a>(runs: [&'a str; 4], stages: &'a str, jobs: &'a str) -> Vec<&'a str> {
    let table =
        "reproduce iwae-table1 --dataset idx:tiny --nll-samples 20 --subset 30 --threads 2 --json";
    let asked = ["--stages", stages, "--jobs", jobs];
    table.split(' ').chain(runs).chain(asked).collect()
}

/// What `out` holds below `folder`, whatever `out` is called.
fn held(folder: &Path, out: &str) -> contents::Contents {
    let held = contents::of(folder, &[out]).expect("readable");
    assert!(!held.is_empty(), "nothing in {out}");
    held.into_iter()
        .map(|(path, bytes)| (path.strip_prefix(out).expect("below it").to_owned(), bytes))
        .collect()
}

fn assert_same(one: &contents::Contents, other: &contents::Contents) {
    let paths = |of: &contents::Contents| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(one), paths(other));
    for (path, bytes) in one {
        assert!(other[path] == *bytes, "{} differs", path.display());
    }
}

#[test]
fn a_table_does_not_depend_on_how_many_runs_go_at_once() {
    let folder = folder();
    let rows = |jobs: &str| {
        let document = json(&succeed(
            program(folder.path())
                .args(table(FOUR, "1", jobs))
                .args(["--out", jobs, "--quiet"]),
        ));
        let rows = document["rows"].as_array().expect("a list").clone();
        let named: Vec<_> = rows
            .iter()
            .map(|row| (row["k"].as_u64(), row["seed"].as_u64()))
            .collect();
        let asked = [(1, 42), (1, 7), (3, 42), (3, 7)];
        assert_eq!(named, asked.map(|(k, seed)| (Some(k), Some(seed))));
        rows
    };
    let (one, two) = (rows("1"), rows("2"));
    for (one, two) in one.iter().zip(&two) {
        assert_eq!(
            (&one["nll"], &one["active_units"]),
            (&two["nll"], &two["active_units"])
        );
    }
    assert_ne!(
        one[0]["nll"], one[1]["nll"],
        "each seed has a run of its own"
    );
    assert_same(&held(folder.path(), "1"), &held(folder.path(), "2"));
    // What is there is not made again.
    assert_eq!(rows("2"), two);

    // A seed that had the short names when there was but one keeps them.
    let seven = table(["--k", "1", "--seed", "7"], "1", "auto");
    let former = || {
        json(&succeed(
            program(folder.path())
                .args(&seven)
                .args(["--out", "former", "--quiet"]),
        ))
    };
    former();
    let short = folder.path().join("former/iwae-table1/k1");
    fs::rename(folder.path().join("former/iwae-table1/k1-seed7"), &short).expect("renamed");
    assert_eq!(former()["rows"][0]["nll"], one[1]["nll"]);
    assert!(!folder.path().join("former/iwae-table1/k1-seed7").exists());
}

#[test]
fn losses_of_several_seeds_are_those_of_each() {
    let folder = folder();
    let losses = |seeds: &str, out: &str| {
        let arguments = [
            "reproduce",
            "keras-2d",
            "--dataset",
            "idx:tiny",
            "--quiet",
            "--json",
        ];
        let document = json(&succeed(program(folder.path()).args(arguments).args([
            "--threads",
            "2",
            "--seed",
            seeds,
            "--out",
            out,
        ])));
        document["rows"].as_array().expect("a list").clone()
    };
    let both = losses("7,42", "both");
    let each = [losses("7", "alone"), losses("42", "alone")].concat();
    assert_eq!(both, each);
    assert_eq!(both.len(), 4);
    assert_same(&held(folder.path(), "both"), &held(folder.path(), "alone"));
}

/// A study of three runs of this width.
fn study(hidden: usize, epochs: usize) -> String {
    format!(
        r#"
title = "Three of a kind"
seeds = 3
measures = ["loss", "gaps", "knn-accuracy"]
figures = ["training"]
[base]
model.latent = 2
model.hidden = [{hidden}]
training.epochs = {epochs}
training.batch = 60
[models.ae]
model.kind = "ae"
"#
    )
}

#[test]
fn figures_do_not_depend_on_how_many_runs_go_at_once() {
    let folder = folder();
    fs::write(folder.path().join("three.toml"), study(12, 4)).expect("writable");
    let drawn = |out: &str, more: &[&str]| {
        // Pages name the folder of the runs.
        let _ = fs::remove_dir_all(folder.path().join("runs"));
        let figures = [
            "figures",
            "--study",
            "three.toml",
            "--dataset",
            "idx:tiny",
            "--quiet",
        ];
        succeed(
            program(folder.path())
                .args(figures)
                .args(["--out", out])
                .args(more),
        );
        fs::rename(
            folder.path().join("runs"),
            folder.path().join(out).join("runs"),
        )
        .expect("renamed");
        held(folder.path(), out)
    };
    let one = drawn("one", &["--jobs", "1", "--threads", "1"]);
    let measured = |path: &&std::path::PathBuf| path.ends_with("measures/evaluation.json");
    assert_eq!(one.keys().filter(measured).count(), 3);
    assert_same(&one, &drawn("two", &["--jobs", "2", "--threads", "2"]));
    assert_same(&one, &drawn("auto", &[]));
}

#[cfg(unix)]
#[test]
fn two_runs_that_a_signal_stops_go_on_to_the_same_bytes() {
    let folder = folder();
    let run = folder.path().join("stopped/iwae-table1");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("latent-atlas"))
        .current_dir(folder.path())
        .args(table(FOUR, "5", "2"))
        .args(["--out", "stopped"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The longest go first.
    let under_way = ["k3", "k3-seed7"].map(|name| run.join(name));
    let has_begun = |run: &std::path::PathBuf| {
        fs::metadata(run.join("metrics.jsonl")).is_ok_and(|file| file.len() > 0)
    };
    while !under_way.iter().all(has_begun) {
        assert!(
            child.try_wait().expect("a child").is_none(),
            "it ended early"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.is_ok(), "kill starts");
    let output = child.wait_with_output().expect("a child");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains("continue with: "), "{stderr}");
    for run in &under_way {
        assert!(run.join("state.safetensors").exists(), "{}", run.display());
        assert!(!run.join("result.json").exists(), "{}", run.display());
    }
    assert!(!run.join("k1").exists(), "none is begun after a signal");

    let go = |out: &str, jobs: &str| {
        let arguments = table(FOUR, "5", jobs);
        succeed(
            program(folder.path())
                .args(arguments)
                .args(["--out", out, "--quiet"]),
        );
        held(folder.path(), out)
    };
    assert_same(&go("stopped", "2"), &go("whole", "1"));
}

/// Each of these runs needs 0.7 GB, most of it while it writes a checkpoint, and
/// the process may have 1.3 GB of addresses. One heap, because those of threads
/// reserve far more than they use.
#[cfg(target_os = "linux")]
#[test]
fn runs_without_the_memory_for_two_go_one_by_one_and_say_so() {
    let folder = folder();
    fs::write(folder.path().join("wide.toml"), study(12_000, 1)).expect("writable");
    let figures = "figures --study wide.toml --dataset idx:tiny --threads 2 --quick --out narrow";
    let program = assert_cmd::cargo::cargo_bin!("latent-atlas");
    let line = format!("ulimit -v 1300000 && exec \"$0\" {figures}");
    let output = std::process::Command::new("sh")
        .current_dir(folder.path())
        .args(["-c", &line])
        .arg(program)
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let said: Vec<&str> = stderr
        .lines()
        .filter(|line| line.contains(" waits: "))
        .collect();
    assert_eq!(said.len(), 1, "{stderr}");
    assert!(
        said[0].starts_with("ae seed 1 waits: it needs ")
            && said[0].contains(" MB of memory, and the runs beside it leave "),
        "{stderr}"
    );
}

#[test]
fn wrong_numbers_of_jobs_are_refused() {
    let folder = folder();
    for jobs in ["0", "-1", "some"] {
        let output = program(folder.path())
            .args(["figures", "--jobs", jobs])
            .output()
            .expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains("expected a whole number of at least 1, or auto"),
            "{stderr}"
        );
    }
    let output = program(folder.path())
        .args(table(["--k", "1", "--seed", "3,3"], "1", "auto"))
        .args(["--out", "out"])
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--seed has 3 twice"), "{stderr}");
    assert!(!folder.path().join("out").exists());
}
