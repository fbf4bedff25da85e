//! Lists, published results, other data, scripts, and files in the way of all these.

use std::fs;

use crate::tiny::{self, folder, json, program, succeed};
use crate::{STUDY, ends_with, plan, planned, run_folder, sweep, table};

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
        let line = format!(
            "emit {engine} plan.jsonl --shards 2 --program latent-atlas --dataset idx:tiny"
        );
        let text = succeed(&mut sweep(folder, &line));
        assert!(text.contains(part) && text.lines().count() <= 40, "{text}");
    }
    for (options, expected) in [
        ("slurm plan.jsonl --shards 5", "between 1 and 4"),
        ("slurm plan.jsonl --image x", "--image changes nothing"),
        ("parallel plan.jsonl --most 4", "--most changes nothing"),
        // The data are in this folder, which containers do not have.
        (
            "kubernetes plan.jsonl",
            "say where they are there with --dataset",
        ),
        (
            "kubernetes plan.jsonl --dataset idx:tiny --runs /runs",
            "--runs is /runs",
        ),
        (
            "kubernetes ./../plan.jsonl --dataset idx:tiny",
            "cannot be read",
        ),
    ] {
        let said = ends_with(&mut sweep(folder, &format!("emit {options}")), 2);
        assert!(said.contains(expected), "{options}: {said}");
    }
}

/// What a command writes takes the place of its own kind alone.
#[test]
fn no_output_is_written_over_an_input() {
    let folder = planned(STUDY);
    let folder = folder.path();
    succeed(&mut sweep(folder, "run plan.jsonl --quiet"));
    let run = format!("runs/{}", run_folder(folder, 0));
    fs::write(
        folder.join("list.jsonl"),
        "{\"model.hidden\": [8], \"training.epochs\": 1}\n",
    )
    .expect("writable");
    let image = "tiny/train-images-idx3-ubyte";
    let inputs = [
        "list.jsonl",
        "two.toml",
        image,
        &format!("{run}/result.json"),
    ];
    let plans = ["plan list.jsonl --dataset idx:tiny --gflops 10"];
    let tables = ["merge plan.jsonl"];
    let scripts = ["emit slurm plan.jsonl"];
    let before = inputs.map(|path| fs::read(folder.join(path)).expect("there"));
    for action in [plans, tables, scripts].concat() {
        for path in inputs.into_iter().chain(["plan.jsonl"]) {
            if path == "plan.jsonl" && action.starts_with("plan") {
                continue;
            }
            let said = ends_with(&mut sweep(folder, &format!("{action} -o {path}")), 2);
            assert!(said.contains(path), "{action}: {said}");
        }
    }
    for path in [format!("{run}/metrics.jsonl"), image.into()] {
        let said = ends_with(program(folder).args(["verify", &run, "-o", &path]), 2);
        assert!(said.contains("is no receipt"), "{said}");
    }
    for (path, before) in inputs.iter().zip(before) {
        assert_eq!(
            fs::read(folder.join(path)).expect("there"),
            before,
            "{path}"
        );
    }
    // Its own kind it does replace.
    for line in ["merge plan.jsonl -o t.csv", "emit slurm plan.jsonl -o s.sh"] {
        for _ in 0..2 {
            succeed(&mut sweep(folder, line));
        }
    }
}

#[test]
fn what_a_list_asks_for_twice_is_said() {
    let folder = folder();
    let folder = folder.path();
    let line = r#"{"model.hidden": [8], "training.epochs": 1}"#;
    fs::write(folder.join("list.jsonl"), format!("{line}\n{line}\n")).expect("writable");
    let document = plan(folder, &["list.jsonl", "--seeds", "2"]);
    assert_eq!(
        (&document["runs"], &document["repeated"]),
        (&2.into(), &2.into())
    );
    fs::write(folder.join("list.jsonl"), r#"{"data.dataset": "glyphs"}"#).expect("writable");
    let said = ends_with(&mut sweep(folder, "plan list.jsonl --dataset idx:tiny"), 2);
    assert!(
        said.contains("line 1 of list.jsonl says data.dataset itself"),
        "{said}"
    );
}
