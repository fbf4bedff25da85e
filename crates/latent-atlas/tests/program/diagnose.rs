//! `diagnose`, and the line with which `train` and `eval` end.

use std::path::Path;

use crate::tiny::{folder, json, program, succeed};

/// Trains `run` of the tiny data set, and what is said on stderr.
fn train(folder: &Path, options: &str) -> String {
    let mut command = program(folder);
    command
        .args("train --dataset idx:tiny --hidden 8 --out run".split(' '))
        .args(options.split_whitespace());
    let output = command.output().expect("the program starts");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn diagnose(folder: &Path, options: &str) -> String {
    let mut command = program(folder);
    succeed(
        command
            .args(["diagnose", "run"])
            .args(options.split_whitespace()),
    )
}

#[test]
fn a_run_that_has_hardly_moved_is_told_so_wherever_it_is_looked_at() {
    let folder = folder();
    let said = train(folder.path(), "--lr 1e-7 --epochs 140");
    let last = said.lines().last().expect("there are lines");
    assert!(
        last.starts_with("diagnosis: step-size-too-low: --lr"),
        "{said}"
    );
    assert!(
        last.ends_with("(more: latent-atlas diagnose run)"),
        "{last}"
    );
    let text = diagnose(folder.path(), "");
    assert!(text.contains("\ndiagnosis: step-size-too-low\n"), "{text}");
    assert!(text.contains("--lr 1e-3"), "{text}");
    let document = json(&diagnose(folder.path(), "--json"));
    let finding = &document["findings"][0];
    assert_eq!(finding["fault"], "step-size-too-low");
    assert_eq!(finding["setting"], "training.learning_rate");
    assert_eq!(
        (&finding["number"], &finding["limit"]),
        (&1e-7.into(), &1e-4.into())
    );
    assert_eq!(document["ending"], "done");
    assert_eq!(document["images"]["count"], 120);
    let eval = |options: &[&str]| {
        let output = program(folder.path())
            .args(["eval", "run"])
            .args(options)
            .output();
        String::from_utf8(output.expect("the program starts").stderr).expect("UTF-8")
    };
    assert!(eval(&[]).contains("\ndiagnosis: step-size-too-low"));
    assert_eq!(eval(&["--quiet"]), "");
}

#[test]
fn quiet_runs_and_few_images_end_without_a_line() {
    let folder = folder();
    assert_eq!(train(folder.path(), "--quiet --lr 1e-7 --epochs 140"), "");
    std::fs::remove_dir_all(folder.path().join("run")).expect("written");
    // A diagnosis would cost more than its share of two epochs.
    let said = train(folder.path(), "--lr 1e-7 --epochs 2");
    assert!(!said.contains("diagnosis"), "{said}");
}

#[test]
fn a_run_that_diverged_before_its_first_checkpoint_has_a_diagnosis() {
    let folder = folder();
    train(folder.path(), "--lr 1e30 --epochs 2 --quiet");
    let document = json(&diagnose(folder.path(), "--json"));
    assert_eq!(document["ending"], "diverged");
    assert_eq!(document["findings"][0]["fault"], "diverged");
    assert!(document["symptoms"].is_null());
    let text = diagnose(folder.path(), "");
    assert!(text.contains("diverged after 0 epochs"), "{text}");
    assert!(text.contains("again with --lr 0.001, or"), "{text}");
    assert!(text.contains("there are no weights"), "{text}");
}

#[test]
fn what_is_no_run_and_images_of_another_shape_are_refused() {
    let folder = folder();
    let refused = |arguments: &[&str]| {
        let output = program(folder.path())
            .arg("diagnose")
            .args(arguments)
            .output();
        let output = output.expect("the program starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(refused(&["nowhere"]).contains("is not a run folder"));
    train(folder.path(), "--quiet --epochs 1");
    std::fs::write(
        folder.path().join("three.csv"),
        "a,b,c\n1,2,3\n4,5,6\n7,8,9\n",
    )
    .expect("writable");
    let message = refused(&["run", "three.csv"]);
    assert!(message.contains("trained on images of 28x28"), "{message}");
}

/// Bytes as `.npy` has them, of so many images of 28 × 28.
fn npy(images: usize, value: impl FnMut() -> u8) -> Vec<u8> {
    let header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({images}, 28, 28), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let padding = 63 - (bytes.len() + 2 + header.len()) % 64;
    bytes.extend(((header.len() + padding + 1) as u16).to_le_bytes());
    bytes.extend(header.bytes().chain(std::iter::repeat_n(b' ', padding)));
    bytes.push(b'\n');
    bytes.extend(std::iter::repeat_with(value).take(images * 28 * 28));
    bytes
}

#[test]
fn images_of_another_kind_are_told_from_those_of_the_run_and_all_are_looked_at() {
    let folder = folder();
    train(folder.path(), "--quiet --hidden 64 --latent 8 --epochs 300");
    let mut word = 1_u32;
    let noise = npy(60, || {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (word >> 24) as u8
    });
    std::fs::write(folder.path().join("noise.npy"), noise).expect("writable");
    let document = json(&diagnose(folder.path(), "noise.npy --json"));
    assert_eq!(document["symptoms"]["test_images"], 60);
    assert_eq!(document["findings"][0]["fault"], "unfamiliar", "{document}");
    let own = json(&diagnose(folder.path(), "--json"));
    let faults = own["findings"].as_array().expect("a list").iter();
    let of_others = faults.filter(|finding| finding["fault"] == "unfamiliar");
    assert_eq!(of_others.count(), 0, "{own}");
}
