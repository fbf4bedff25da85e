//! What is left of a run that has ended.

use std::fs;

use crate::tiny::{program, succeed};
use crate::{STUDY, ends_with, planned, run_folder, sweep};

#[test]
fn what_is_kept_is_what_was_asked_for() {
    let folder = planned(STUDY);
    let folder = folder.path();
    let names = |out: &str| -> Vec<String> {
        let entries = fs::read_dir(folder.join(out).join(run_folder(folder, 1))).expect("readable");
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
    let less = ends_with(
        &mut sweep(folder, "run plan.jsonl --runs all --keep all"),
        0,
    );
    assert!(
        less.contains("4 of the 4 that ended before had ended with less kept"),
        "{less}"
    );
    // And what cannot be evaluated any more is one run's matter, not that of all.
    let line = "run plan.jsonl --runs weights --keep results --only";
    let first = run_folder(folder, 0);
    succeed(&mut sweep(
        folder,
        &format!("{line} weights/{first}/ --quiet"),
    ));
    let line = "run plan.jsonl --runs weights --eval --json --quiet";
    let output = sweep(folder, line).output().expect("starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("was kept without its weights"), "{said}");
    for place in 1..4 {
        let run = folder.join("weights").join(run_folder(folder, place));
        assert!(run.join("eval.json").exists(), "{place}");
    }
    fs::remove_dir_all(folder.join("weights").join(first)).expect("ours");
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
    let run = run_folder(folder, 1);
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
