//! A run made again: the same bytes where they are to be the same, and a reason where
//! not.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tensor_ops::isa::Isa;

use crate::tiny::{folder, json, program, succeed};

const TRAIN: &str = "train idx:tiny --hidden 12 --latent 2 --batch 40 --epochs 3 --quiet --out";

fn train(folder: &Path, out: &str, more: &[&str]) {
    succeed(program(folder).args(TRAIN.split(' ')).arg(out).args(more));
}

fn verified(folder: &Path, run: &str, more: &[&str]) -> Value {
    let mut command = program(folder);
    command
        .args(["verify", run, "--json", "--quiet"])
        .args(more);
    json(&succeed(&mut command))["verified"].clone()
}

#[test]
fn a_run_is_made_again_to_the_byte_on_any_threads() {
    let folder = folder();
    let folder = folder.path();
    train(folder, "run", &["--threads", "1"]);
    let before = fs::read(folder.join("run/model.safetensors")).expect("trained");
    let found = verified(folder, "run", &["--threads", "2"]);
    assert_eq!(
        (&found["verdict"], &found["reasons"]),
        (&"same".into(), &Value::Array(vec![]))
    );
    let files = found["comparison"]["files"].as_array().expect("a list");
    assert_eq!(files.len(), 2, "{found}");
    assert!(
        files
            .iter()
            .all(|file| file["sha256"] == file["sha256_again"]),
        "{found}"
    );
    let receipt = fs::read_to_string(folder.join("run/verify.json")).expect("a receipt");
    assert_eq!(
        json(&receipt)["machine"]["cores"],
        found["machine"]["cores"]
    );
    assert_eq!(
        fs::read(folder.join("run/model.safetensors")).expect("untouched"),
        before
    );
    // A run that kept its numbers alone is compared by these.
    fs::remove_file(folder.join("run/model.safetensors")).expect("ours");
    fs::remove_file(folder.join("run/trajectories.npz")).expect("ours");
    let found = verified(folder, "run", &["-o", "elsewhere.json"]);
    assert_eq!(found["verdict"], "same");
    assert_eq!(
        found["comparison"]["not_kept"].as_array().map(Vec::len),
        Some(2),
        "{found}"
    );
    assert!(folder.join("elsewhere.json").exists());
}

#[test]
fn other_weights_are_found_and_end_with_code_1() {
    let folder = folder();
    let folder = folder.path();
    train(folder, "run", &[]);
    train(folder, "other", &["--seed", "7"]);
    fs::copy(
        folder.join("other/trajectories.npz"),
        folder.join("run/trajectories.npz"),
    )
    .expect("ours");
    let output = program(folder)
        .args(["verify", "run"])
        .output()
        .expect("starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("made again with the same settings"),
        "{stderr}"
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("trajectories.npz     other"), "{stdout}");
}

#[test]
fn each_instruction_set_is_verified_by_itself_and_others_are_expected_to_differ() {
    let folder = folder();
    let folder = folder.path();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let run = isa.name();
        let mut command = program(folder);
        command
            .args(TRAIN.split(' '))
            .arg(run)
            .env("TENSOR_OPS_ISA", run);
        succeed(&mut command);
        // The one that it was made with is taken, whatever this process would take.
        let found = verified(folder, run, &[]);
        assert_eq!(found["verdict"], "same", "{run}: {found}");
        assert_eq!(found["made_again_on"]["instruction_set"], run);
    }
    train(folder, "portable-run", &["--portable"]);
    let model = |run: &str| fs::read(folder.join(run).join("model.safetensors")).expect("trained");
    assert_eq!(model("portable-run"), model("portable"));
    let fastest = Isa::ALL.into_iter().rev().find(|isa| isa.is_available());
    let fastest = fastest.expect("one is always there");
    if fastest > Isa::Scalar {
        let found = verified(folder, fastest.name(), &["--portable"]);
        assert_eq!(found["verdict"], "other-as-expected", "{found}");
        let reason = found["reasons"][0].as_str().expect("a reason");
        assert!(reason.contains("which rounds differently"), "{reason}");
        assert!(found["comparison"]["largest_weight_difference"].as_f64() > Some(0.0));
    }
}

/// The platform's library computes with other instructions, as on another processor:
/// what it would change, importance weights, powers of Adam and of a schedule, is the
/// same.
#[cfg(target_os = "linux")]
#[test]
fn the_portable_path_asks_nothing_of_the_platform() {
    let folder = folder();
    let folder = folder.path();
    let older = "glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-AVX2,-FMA,-FMA4,-AVX512F";
    for (run, tunables) in [("one", ""), ("two", older)] {
        let more = "--portable --objective iwae --samples 3 --likelihood bernoulli \
                    --set training.schedule=cosine --set training.adam_form=efficient";
        let mut command = program(folder);
        command
            .args(TRAIN.split(' '))
            .arg(run)
            .args(more.split_whitespace())
            .env("GLIBC_TUNABLES", tunables);
        succeed(&mut command);
    }
    let kept = |run: &str| {
        [
            "model.safetensors",
            "state.safetensors",
            "metrics.jsonl",
            "trajectories.npz",
        ]
        .map(|file| trials::contents::of_file(&folder.join(run).join(file)).expect("trained"))
    };
    assert!(kept("one") == kept("two"));
    let library = |run: &str| {
        let text = fs::read_to_string(folder.join(run).join("environment.json"));
        json(&text.expect("there"))["library"].clone()
    };
    assert_eq!(library("one"), library("two"));
}

#[test]
fn what_cannot_be_verified_is_said_in_a_sentence() {
    let folder = folder();
    let folder = folder.path();
    let said = |arguments: &[&str]| {
        let output = program(folder).args(arguments).output().expect("starts");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["verify", "nothing"]).contains("is not a run folder"));
    train(folder, "run", &[]);
    fs::remove_file(folder.join("run/result.json")).expect("ours");
    assert!(said(&["verify", "run"]).contains("has not ended"));
    let mut command = program(folder);
    command
        .args(TRAIN.split(' '))
        .args(["x", "--portable"])
        .env("TENSOR_OPS_ISA", "scalar");
    let output = command.output().expect("starts");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("leave one of them out"), "{stderr}");
}

/// A run that another machine began goes on with its instruction set, and else says so.
#[cfg(unix)]
#[test]
fn a_run_that_goes_on_with_another_instruction_set_is_marked() {
    let folder = folder();
    let folder = folder.path();
    let long = TRAIN.replace("--epochs 3", "--epochs 4000 --checkpoint-every 20ms");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("latent-atlas"))
        .current_dir(folder)
        .args(long.split(' '))
        .args(["run", "--portable"])
        .spawn()
        .expect("the program starts");
    while !folder.join("run/state.safetensors").exists() {
        assert!(
            child.try_wait().expect("a child").is_none(),
            "it ended early"
        );
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().expect("ours");
    child.wait().expect("a child");
    let environment =
        || json(&fs::read_to_string(folder.join("run/environment.json")).expect("there"));
    assert_eq!(environment()["instruction_set"], "portable");
    let mut command = program(folder);
    command
        .args(["train", "--resume", "run"])
        .env("TENSOR_OPS_ISA", "scalar");
    let output = command.output().expect("starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("its bits will be those of neither"),
        "{stderr}"
    );
    assert_eq!(environment()["continued_on"][0], "scalar");
}
