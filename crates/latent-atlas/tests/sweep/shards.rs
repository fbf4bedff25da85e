//! Parts of a plan: together they are the whole, and what diverges is told.

use std::fs;

use crate::tiny::{json, program, succeed};
use crate::{STUDY, assert_same, ends_with, held, plan, planned, runs_of, sweep, table};

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
