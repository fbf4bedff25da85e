//! Processes that are killed, stopped, of another machine or beside one another.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::tiny::{folder, json, succeed};
use crate::{
    STUDY, assert_same, ends_with, held, plan, planned, run_folder, runs_of, sweep, table,
};

#[cfg(unix)]
#[test]
fn a_process_that_is_killed_or_stopped_costs_nothing_but_time() {
    let long = STUDY.replace("epochs = 3", "epochs = 400");
    let folder = planned(&long);
    let folder = folder.path();
    succeed(&mut sweep(folder, "run plan.jsonl --runs whole --quiet"));
    // Bytes of losses that were written down.
    let written = || -> u64 {
        let runs = fs::read_dir(folder.join("cut")).into_iter().flatten();
        let of = |run: fs::DirEntry| fs::metadata(run.path().join("metrics.jsonl"));
        let files = runs.flatten().filter_map(|run| of(run).ok());
        files.map(|file| file.len()).sum()
    };
    for (signal, code) in [("KILL", None), ("TERM", Some(75))] {
        let before = written();
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("latent-atlas"))
            .current_dir(folder)
            .args("sweep run plan.jsonl --runs cut --jobs 2 --threads 2 --checkpoint-every 20ms --quiet".split(' '))
            .spawn()
            .expect("the program starts");
        while written() == before {
            assert!(
                child.try_wait().expect("a child").is_none(),
                "it ended early"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = folder.join("cut");
        assert!(status.is_dir());
        let running = ends_with(&mut sweep(folder, "status plan.jsonl --runs cut"), 4);
        assert!(running.contains("have not ended"), "{running}");
        let sent = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
        assert_eq!(child.wait().expect("a child").code(), code, "{signal}");
    }
    let output = sweep(folder, "status plan.jsonl --runs cut --json")
        .output()
        .expect("starts");
    let status = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(status["counts"]["running"], 0, "{status}");
    let merged = ends_with(
        &mut sweep(folder, "merge plan.jsonl --runs cut -o table.csv"),
        4,
    );
    assert!(merged.contains("no result"), "{merged}");
    assert!(!folder.join("table.csv").exists());
    succeed(&mut sweep(folder, "run plan.jsonl --runs cut --quiet"));
    assert_eq!(table(folder, "cut"), table(folder, "whole"));
    assert_same(&held(folder, "cut"), &held(folder, "whole"));
}

#[test]
fn processes_that_know_nothing_of_each_other_share_the_runs() {
    let long = STUDY
        .replace("epochs = 3", "epochs = 150")
        .replace("seeds = 2", "seeds = 4");
    let folder = planned(&long);
    let folder = folder.path();
    let children: Vec<_> = (0..3)
        .map(|_| {
            std::process::Command::new(assert_cmd::cargo::cargo_bin!("latent-atlas"))
                .current_dir(folder)
                .args("sweep run plan.jsonl --jobs 1 --threads 1 --json --quiet".split(' '))
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("the program starts")
        })
        .collect();
    let mut trained = 0;
    for child in children {
        let output = child.wait_with_output().expect("a child");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let document = json(&String::from_utf8_lossy(&output.stdout));
        let left = document["elsewhere"].as_array().expect("a list").len();
        let code = if left == 0 { 0 } else { 75 };
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        trained += document["trained"].as_u64().expect("a number");
    }
    assert_eq!(trained, 8, "each run is trained by one of them");
    table(folder, "runs");
}

/// The lease of a process on another machine, last seen so long ago.
#[cfg(target_os = "linux")]
fn taken_elsewhere(run: &Path, ago: Duration) {
    let lease = run.join(".latent-atlas-lease-900.lock");
    fs::create_dir_all(run).expect("writable");
    fs::write(run.join(".latent-atlas.lock"), "").expect("writable");
    fs::write(
        &lease,
        "process 9 on elsewhere: sweep run\nplace elsewhere/7 boot pid:[1] 9 11\n",
    )
    .expect("writable");
    let file = fs::File::options().write(true).open(lease).expect("there");
    file.set_modified(SystemTime::now() - ago).expect("ours");
}

#[cfg(target_os = "linux")]
#[test]
fn a_machine_that_gives_signs_of_life_keeps_its_runs_and_a_silent_one_does_not() {
    let folder = planned(STUDY);
    let folder = folder.path();
    let run = |place: usize| folder.join("runs").join(run_folder(folder, place));
    // Silent for almost as long as it takes to be certain.
    taken_elsewhere(&run(0), Duration::from_secs(176));
    taken_elsewhere(&run(1), Duration::from_secs(5));
    let living = run(1);
    let done = std::sync::atomic::AtomicBool::new(false);
    let document = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                taken_elsewhere(&living, Duration::ZERO);
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        let output = sweep(folder, "run plan.jsonl --json --quiet").output();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let output = output.expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(75), "{stderr}");
        assert!(
            stderr.contains("1 of the runs are left to other"),
            "{stderr}"
        );
        json(&String::from_utf8_lossy(&output.stdout))
    });
    assert_eq!(document["trained"], 3, "{document}");
    let elsewhere = document["elsewhere"].as_array().expect("a list");
    assert_eq!(elsewhere, &[runs_of(folder)[1]["id"].clone()]);
    let status = sweep(folder, "status plan.jsonl").output().expect("starts");
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(
        text.contains("running") && text.contains("by process 9 on elsewhere"),
        "{text}"
    );
}

/// A run goes on as it was begun, and is not mixed with what gives the same bits
/// everywhere.
#[test]
fn an_interrupted_run_goes_on_as_it_was_begun() {
    let list = r#"{"model.hidden": [12], "model.latent": 2, "training.epochs": 4000}"#;
    let folder = folder();
    let folder = folder.path();
    fs::write(folder.join("list.jsonl"), list).expect("writable");
    plan(folder, &["list.jsonl"]);
    let run = folder.join("runs").join(run_folder(folder, 0));
    let set = || {
        let text = fs::read_to_string(run.join("environment.json")).expect("there");
        json(&text)["instruction_set"]
            .as_str()
            .expect("text")
            .to_owned()
    };
    let begin = "run plan.jsonl --portable --checkpoint-every 10ms --quiet";
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("latent-atlas"))
        .current_dir(folder)
        .arg("sweep")
        .args(begin.split(' '))
        .spawn()
        .expect("the program starts");
    while !run.join("state.safetensors").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("ours");
    child.wait().expect("ours");
    assert_eq!(set(), "portable");
    let mut pinned = sweep(folder, "run plan.jsonl --quiet");
    pinned.env("TENSOR_OPS_ISA", "scalar");
    let refused = ends_with(&mut pinned, 2);
    assert!(
        refused.contains("was begun with the instruction set portable")
            && refused.contains("--portable"),
        "{refused}"
    );
    assert_eq!(set(), "portable");
}
