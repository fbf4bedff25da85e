//! Many runs by several processes: what they come to does not depend on who trained
//! them, on kills and signals, or on who looks; and nothing is trained twice.

mod tiny;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;
use trials::contents;

use crate::tiny::{folder, json, program, succeed};

/// A study of four runs.
const STUDY: &str = r#"
title = "Two of a kind"
seeds = 2
measures = ["loss"]
figures = ["training"]
[base]
model.latent = 2
model.hidden = [12]
training.epochs = 3
training.batch = 60
[models.ae]
model.kind = "ae"
[models.vae]
model.kind = "vae"
"#;

/// The folder with data and a plan of the study.
fn planned(study: &str) -> TempDir {
    let folder = folder();
    fs::write(folder.path().join("two.toml"), study).expect("writable");
    plan(folder.path(), &["two.toml"]);
    folder
}

fn plan(folder: &Path, sources: &[&str]) -> Value {
    let document = succeed(
        program(folder)
            .args([
                "sweep",
                "plan",
                "--dataset",
                "idx:tiny",
                "--gflops",
                "10",
                "--json",
            ])
            .args(sources),
    );
    json(&document)
}

fn sweep(folder: &Path, arguments: &str) -> Command {
    let mut command = program(folder);
    command.args(["sweep"]).args(arguments.split(' '));
    command
}

/// Runs a command that is to end with `code`, and returns what it says on stderr.
fn ends_with(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{command:?}: {stderr}");
    stderr
}

fn runs_of(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("plan.jsonl")).expect("a plan");
    text.lines().map(json).collect()
}

fn held(folder: &Path, out: &str) -> contents::Contents {
    let held = contents::of(folder, &[out]).expect("readable");
    assert!(!held.is_empty(), "nothing in {out}");
    let below = |path: PathBuf| path.strip_prefix(out).expect("below it").to_owned();
    held.into_iter()
        .map(|(path, bytes)| (below(path), bytes))
        .collect()
}

fn assert_same(one: &contents::Contents, other: &contents::Contents) {
    assert_eq!(contents::difference(one, other), None);
}

fn table(folder: &Path, runs: &str) -> String {
    succeed(&mut sweep(
        folder,
        &format!("merge plan.jsonl --runs {runs}"),
    ))
}

#[test]
fn shards_give_what_one_process_gives_and_figures_find_their_runs() {
    let folder = planned(STUDY);
    let folder = folder.path();
    let runs = runs_of(folder);
    let named: Vec<_> = runs
        .iter()
        .map(|run| (run["model"].as_str(), run["seed"].as_u64()))
        .collect();
    let of = |model, seed| (Some(model), Some(seed));
    assert_eq!(
        named,
        [of("ae", 0), of("vae", 0), of("ae", 1), of("vae", 1)]
    );
    // Planned again, they are the same.
    let before = fs::read(folder.join("plan.jsonl")).expect("a plan");
    assert_eq!(plan(folder, &["two.toml"])["runs"], 4);
    assert_eq!(fs::read(folder.join("plan.jsonl")).expect("a plan"), before);

    let missing = ends_with(&mut sweep(folder, "status plan.jsonl --runs shards"), 4);
    assert!(missing.contains("4 of 4 runs have not ended"), "{missing}");
    // A VAE takes longer: each has a part of its own, and both autoencoders share one.
    for (shard, trained) in [("0/3", 1), ("1/3", 1), ("2/3", 2), ("0/3", 0)] {
        let line = format!("run plan.jsonl --runs shards --shard {shard} --json --quiet");
        let document = json(&succeed(&mut sweep(folder, &line)));
        assert_eq!(document["trained"], trained, "{shard}: {document}");
    }
    let status = json(&succeed(&mut sweep(
        folder,
        "status plan.jsonl --runs shards --json",
    )));
    assert_eq!(
        (&status["complete"], &status["counts"]["done"]),
        (&true.into(), &4.into())
    );
    succeed(&mut sweep(
        folder,
        "run plan.jsonl --runs whole --jobs 1 --threads 1 --quiet",
    ));
    assert_same(&held(folder, "shards"), &held(folder, "whole"));
    assert_eq!(table(folder, "shards"), table(folder, "whole"));

    // The same runs are those of the study, and nothing is trained again.
    let figures =
        "figures --study two.toml --dataset idx:tiny --runs shards --out drawn --quiet --json";
    let document = json(&succeed(program(folder).args(figures.split(' '))));
    assert_eq!(document["trained"], 0, "{document}");
    let figures =
        "figures --study two.toml --dataset idx:tiny --runs own --out drawn --quiet --json";
    let document = json(&succeed(program(folder).args(figures.split(' '))));
    assert_eq!(document["trained"], 4, "{document}");
    for run in &runs {
        let run = run["run"].as_str().expect("a folder");
        let model = |of: &str| fs::read(folder.join(of).join(run).join("model.safetensors"));
        assert_eq!(
            model("own").expect("trained"),
            model("shards").expect("trained"),
            "{run}"
        );
    }
}

#[test]
fn engines_say_the_shard_and_one_run_is_asked_for_by_its_id() {
    let folder = planned(STUDY);
    let folder = folder.path();
    let mut auto = sweep(folder, "run plan.jsonl --shard auto/2 --json --quiet");
    let document = json(&succeed(auto.env("SLURM_ARRAY_TASK_ID", "1")));
    assert_eq!(
        (&document["planned"], &document["trained"]),
        (&2.into(), &2.into())
    );
    let without = ends_with(&mut sweep(folder, "run plan.jsonl --shard auto"), 2);
    assert!(
        without.contains("no engine has set one of SLURM_ARRAY_TASK_ID"),
        "{without}"
    );
    for run in runs_of(folder) {
        let id = run["id"].as_str().expect("a name");
        let line = format!("run plan.jsonl --only {id} --json --quiet");
        assert_eq!(json(&succeed(&mut sweep(folder, &line)))["planned"], 1);
    }
    table(folder, "runs");
    let wrong = ends_with(&mut sweep(folder, "run plan.jsonl --only 0"), 2);
    assert!(wrong.contains("--only is '0', which none"), "{wrong}");
}

#[test]
fn what_is_kept_is_what_was_asked_for() {
    let folder = planned(STUDY);
    let folder = folder.path();
    let names = |out: &str| -> Vec<String> {
        let run = runs_of(folder)[1]["run"]
            .as_str()
            .expect("a folder")
            .to_owned();
        let entries = fs::read_dir(folder.join(out).join(run)).expect("readable");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    };
    let numbers = [
        "command.txt",
        "config.toml",
        "environment.json",
        "metrics.jsonl",
        "result.json",
    ];
    let weights = ["model.safetensors", "trajectories.npz"];
    for (keep, more) in [
        ("results", &["eval.json"][..]),
        ("weights", &weights),
        ("all", &[weights[0], weights[1], "state.safetensors"]),
    ] {
        let eval = if keep == "results" { " --eval" } else { "" };
        let line = format!("run plan.jsonl --runs {keep} --keep {keep}{eval} --quiet");
        succeed(&mut sweep(folder, &line));
        let mut expected = [&numbers, more].concat();
        expected.sort_unstable();
        assert_eq!(names(keep), expected);
    }
    // What ended before is left as it is; what is there too much is removed when that is
    // asked for, and what is gone is said to be.
    let before = names("all");
    succeed(&mut sweep(folder, "run plan.jsonl --runs all --quiet"));
    assert_eq!(names("all"), before);
    succeed(&mut sweep(
        folder,
        "run plan.jsonl --runs all --keep weights --quiet",
    ));
    assert_eq!(names("all"), names("weights"));
    let figures = "figures --study two.toml --dataset idx:tiny --runs results --out x --quiet";
    let gone = ends_with(program(folder).args(figures.split(' ')), 2);
    assert!(gone.contains("without its weights"), "{gone}");
    let line = "merge plan.jsonl --runs results --measures test.loss,active_units";
    let merged = succeed(&mut sweep(folder, line));
    assert!(merged.contains("vae,active_units,2,"), "{merged}");
    let line = "merge plan.jsonl --runs results --measures active_unit";
    let near = ends_with(&mut sweep(folder, line), 2);
    assert!(near.contains("active_units"), "{near}");
    // An evaluation without the samples that are asked for is made again.
    for samples in ["", " --nll-samples 5", " --nll-samples 5"] {
        let line = format!("run plan.jsonl --runs weights --eval{samples} --quiet");
        succeed(&mut sweep(folder, &line));
    }
    let line = "merge plan.jsonl --runs weights --measures nll.5.value";
    let merged = sweep(folder, line).output().expect("starts");
    let said = String::from_utf8_lossy(&merged.stderr);
    // Autoencoders have none.
    assert!(
        said.contains("nll.5.value") && said.contains("ae"),
        "{said}"
    );
    // The weights take most of a folder, of a model that is not this small.
    let run = runs_of(folder)[1]["run"]
        .as_str()
        .expect("a folder")
        .to_owned();
    let sizes = fs::read_dir(folder.join("weights").join(&run)).expect("readable");
    let bytes: u64 = sizes
        .map(|entry| entry.expect("readable").metadata().expect("a file").len())
        .sum();
    let of_weights = fs::metadata(folder.join("weights").join(run).join(weights[0]));
    assert!(
        bytes <= 3 * of_weights.expect("there").len(),
        "{bytes} bytes"
    );
}

#[test]
fn runs_that_diverge_are_told_and_the_others_go_on() {
    let study = STUDY.replace(
        "model.kind = \"ae\"",
        "model.kind = \"ae\"\ntraining.learning_rate = 1e30",
    );
    let folder = planned(&study);
    let folder = folder.path();
    for _ in 0..2 {
        let said = ends_with(&mut sweep(folder, "run plan.jsonl --quiet"), 3);
        assert!(
            said.contains("ae seed 0 and 1 more of the plan's runs diverged"),
            "{said}"
        );
    }
    let status = json(&succeed(&mut sweep(folder, "status plan.jsonl --json")));
    assert_eq!(
        (&status["counts"]["diverged"], &status["counts"]["done"]),
        (&2.into(), &2.into())
    );
    let merged = table(folder, "runs");
    assert!(merged.contains("ae,test.loss,0,,,,,,0 1"), "{merged}");
}

#[cfg(unix)]
#[test]
fn a_process_that_is_killed_or_stopped_costs_nothing_but_time() {
    let long = STUDY.replace("epochs = 3", "epochs = 400");
    let folder = planned(&long);
    let folder = folder.path();
    succeed(&mut sweep(folder, "run plan.jsonl --runs whole --quiet"));
    let begun = |count: usize| {
        let runs = fs::read_dir(folder.join("cut")).map_or(0, |runs| {
            let of = |run: fs::DirEntry| fs::metadata(run.path().join("metrics.jsonl"));
            runs.flatten()
                .filter_map(|run| of(run).ok())
                .filter(|file| file.len() > 0)
                .count()
        });
        runs >= count
    };
    for (signal, code) in [("KILL", None), ("TERM", Some(75))] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("latent-atlas"))
            .current_dir(folder)
            .args("sweep run plan.jsonl --runs cut --jobs 2 --threads 2 --checkpoint-every 20ms --quiet".split(' '))
            .spawn()
            .expect("the program starts");
        while !begun(if signal == "KILL" { 1 } else { 2 }) {
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
    assert!(merged.contains("have not ended"), "{merged}");
    assert!(!folder.join("table.csv").exists());
    succeed(&mut sweep(
        folder,
        "merge plan.jsonl --runs cut --incomplete",
    ));
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
    let run = |place: usize| {
        let run = runs_of(folder)[place]["run"]
            .as_str()
            .expect("a folder")
            .to_owned();
        folder.join("runs").join(run)
    };
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

#[test]
fn a_damaged_run_is_told_and_keeps_no_other_from_its_end() {
    let folder = planned(STUDY);
    let folder = folder.path();
    let runs = runs_of(folder);
    let id = |place: usize| runs[place]["id"].as_str().expect("an id").to_owned();
    succeed(&mut sweep(
        folder,
        &format!("run plan.jsonl --only {} --quiet", id(1)),
    ));
    let run = runs[1]["run"].as_str().expect("a folder");
    let result = folder.join("runs").join(run).join("result.json");
    let whole = fs::read(&result).expect("trained");
    fs::write(&result, &whole[..whole.len() / 2]).expect("writable");
    let output = sweep(folder, "run plan.jsonl --json --quiet").output();
    let output = output.expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("result.json"), "{stderr}");
    let document = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(document["trained"], 3, "{document}");
    assert_eq!(document["refused"][0], id(1), "{document}");
    let status = sweep(folder, "status plan.jsonl").output().expect("starts");
    assert_eq!(status.status.code(), Some(4));
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(text.contains("3 done, 1 damaged"), "{text}");
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
    let run = folder
        .join("runs")
        .join(runs_of(folder)[0]["run"].as_str().expect("a folder"));
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

#[test]
fn lists_and_published_results_are_plans_too() {
    let folder = folder();
    let folder = folder.path();
    let list = r#"{"model.hidden": [8], "model.latent": 2, "training.epochs": 1}
{"name": "wide", "model": {"hidden": [16], "latent": 2}, "training": {"epochs": 1}}
"#;
    fs::write(folder.join("list.jsonl"), list).expect("writable");
    assert_eq!(plan(folder, &["list.jsonl", "--seeds", "3"])["runs"], 6);
    succeed(&mut sweep(folder, "run plan.jsonl --quiet"));
    let merged = table(folder, "runs");
    assert!(merged.contains("wide,test.loss,3,"), "{merged}");
    assert!(
        merged.contains("\"hidden 8, latent 2, epochs 1\",test.loss,3,"),
        "{merged}"
    );

    for (options, said) in [
        (
            "plan list.jsonl --first-seed 7",
            "--first-seed is 7, but of the settings",
        ),
        (
            "plan list.jsonl --k 9",
            "--k changes nothing about this plan",
        ),
    ] {
        let refused = ends_with(
            &mut sweep(folder, &format!("{options} --dataset idx:tiny")),
            2,
        );
        assert!(refused.contains(said), "{refused}");
    }

    // What 'reproduce' looks for is what was trained.
    assert_eq!(plan(folder, &["keras-2d", "--seeds", "2"])["runs"], 2);
    succeed(&mut sweep(
        folder,
        "run plan.jsonl --runs reproductions --quiet",
    ));
    let result = || {
        ["seed0", "seed1"].map(|run| {
            fs::read(
                folder
                    .join("reproductions/keras-2d")
                    .join(run)
                    .join("result.json"),
            )
            .expect("trained")
        })
    };
    let before = result();
    let reproduce = "reproduce keras-2d --dataset idx:tiny --seed 0,1 --json --quiet";
    let document = json(&succeed(program(folder).args(reproduce.split(' '))));
    assert_eq!(
        document["rows"].as_array().map(Vec::len),
        Some(4),
        "{document}"
    );
    // With its times: nothing was trained.
    assert_eq!(result(), before);
}

#[test]
fn other_data_and_changed_plans_are_refused() {
    let folder = planned(STUDY);
    let folder = folder.path();
    tiny::write_set(&folder.join("other"), 60);
    let said = ends_with(&mut sweep(folder, "run plan.jsonl --dataset idx:other"), 2);
    assert!(
        said.contains("the plan is of data with the fingerprint"),
        "{said}"
    );
    fs::rename(folder.join("tiny"), folder.join("moved")).expect("ours");
    let said = ends_with(&mut sweep(folder, "run plan.jsonl"), 2);
    assert!(said.contains("--dataset"), "{said}");
    succeed(&mut sweep(
        folder,
        "run plan.jsonl --dataset idx:moved --quiet",
    ));
    let text = fs::read_to_string(folder.join("plan.jsonl")).expect("a plan");
    fs::write(
        folder.join("changed.jsonl"),
        text.replace("\"epochs\":3", "\"epochs\":4"),
    )
    .expect("ours");
    let said = ends_with(&mut sweep(folder, "run changed.jsonl"), 2);
    assert!(
        said.contains("line 1 of changed.jsonl is no run of a plan"),
        "{said}"
    );
}

#[test]
fn scripts_for_engines_are_printed() {
    let folder = planned(STUDY);
    let folder = folder.path();
    for (engine, part) in [
        ("slurm", "#SBATCH --array=0-1"),
        ("parallel", "seq 0 1 | parallel"),
        ("kubernetes", "completions: 2"),
    ] {
        let line = format!("emit {engine} plan.jsonl --shards 2 --program latent-atlas");
        let text = succeed(&mut sweep(folder, &line));
        assert!(text.contains(part) && text.lines().count() <= 40, "{text}");
    }
    let said = ends_with(&mut sweep(folder, "emit slurm plan.jsonl --shards 5"), 2);
    assert!(said.contains("between 1 and 4"), "{said}");
}
