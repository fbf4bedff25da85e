//! Folders that cannot be used: they are told, and keep no other run from its end.

use std::fs;

use crate::tiny::{json, succeed};
use crate::{STUDY, ends_with, planned, run_folder, runs_of, sweep, table};

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
    let run = folder.join("runs").join(run_folder(folder, 1));
    let result = run.join("result.json");
    let whole = fs::read(&result).expect("trained");
    fs::write(&result, &whole[..whole.len() / 2]).expect("writable");
    let output = sweep(folder, "run plan.jsonl --json --quiet").output();
    let output = output.expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("result.json"), "{stderr}");
    let document = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(document["trained"], 3, "{document}");
    assert_eq!(document["refused"][0]["id"], id(1), "{document}");
    let status = sweep(folder, "status plan.jsonl").output().expect("starts");
    assert_eq!(status.status.code(), Some(4));
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(text.contains("3 done, 1 damaged"), "{text}");
    let said = String::from_utf8_lossy(&status.stderr);
    assert!(said.contains("1 of 4 runs is damaged"), "{said}");
    // The others have their numbers.
    let said = ends_with(&mut sweep(folder, "merge plan.jsonl"), 4);
    assert!(said.contains("1 of 4 runs has no result"), "{said}");
    let merged = succeed(&mut sweep(folder, "merge plan.jsonl --incomplete"));
    assert!(merged.contains("vae,test.loss,1,"), "{merged}");
}

#[test]
fn what_is_in_the_way_of_a_run_is_told_and_keeps_no_other_from_its_end() {
    let folder = planned(STUDY);
    let folder = folder.path();
    let place = |place: usize| folder.join("runs").join(run_folder(folder, place));
    fs::create_dir_all(place(0)).expect("writable");
    fs::write(place(0).join("thesis.txt"), "mine").expect("writable");
    fs::write(place(1), "a file").expect("writable");
    for trained in [2, 0] {
        let output = sweep(folder, "run plan.jsonl --json --quiet").output();
        let output = output.expect("starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        let document = json(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(document["trained"], trained, "{document}");
        let refused = document["refused"].as_array().expect("a list");
        let whys: Vec<&str> = refused
            .iter()
            .filter_map(|run| run["why"].as_str())
            .collect();
        assert_eq!(whys.len(), 2, "{document}");
        assert!(
            whys.iter().any(|why| why.contains("has not written")),
            "{document}"
        );
    }
    assert_eq!(
        fs::read(place(0).join("thesis.txt")).expect("there"),
        b"mine"
    );
    assert_eq!(fs::read(place(1)).expect("there"), b"a file");
    // One whose settings were edited is no longer what the plan asked for.
    let settings = place(2).join("config.toml");
    let text = fs::read_to_string(&settings).expect("trained");
    fs::write(&settings, text.replace("epochs = 3", "epochs = 30")).expect("ours");
    let status = sweep(folder, "status plan.jsonl --json").output();
    let status = json(&String::from_utf8_lossy(&status.expect("starts").stdout));
    assert_eq!(status["counts"]["damaged"], 3, "{status}");
    assert_eq!(status["counts"]["done"], 1, "{status}");
}

#[test]
fn a_folder_that_is_misspelt_gives_no_empty_table() {
    let folder = planned(STUDY);
    let folder = folder.path();
    let said = ends_with(
        &mut sweep(folder, "merge plan.jsonl --runs typo --incomplete"),
        4,
    );
    assert!(said.contains("typo, which is no folder"), "{said}");
}

/// Where everything has ended there is nothing to write.
#[cfg(unix)]
#[test]
fn runs_that_have_ended_need_no_folder_that_can_be_written() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = planned(STUDY);
    let folder = folder.path();
    succeed(&mut sweep(folder, "run plan.jsonl --quiet"));
    let allow = |mode: u32| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(folder.join("runs"), permissions).expect("ours");
    };
    allow(0o555);
    let again = sweep(folder, "run plan.jsonl --quiet").output();
    allow(0o755);
    assert!(again.expect("starts").status.success());
    table(folder, "runs");
}
