//! The alias is the program with the checks of developers.

use assert_cmd::Command;

fn xtask(arguments: &[&str]) -> std::process::Output {
    Command::cargo_bin("xtask")
        .expect("cargo built it")
        .args(arguments)
        .output()
        .expect("the program starts")
}

#[test]
fn every_command_of_the_program_is_one_of_the_alias() {
    for command in ["train", "encode", "data", "figures"] {
        assert!(xtask(&[command, "--help"]).status.success(), "{command}");
    }
    let configuration = xtask(&["train", "--print-config"]);
    assert!(String::from_utf8_lossy(&configuration.stdout).contains("[training]"));
}

#[test]
fn what_to_type_next_is_typed_with_the_alias() {
    let run = format!("{}/next", env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::remove_dir_all(&run);
    let small = ["train", "--hidden", "8", "--batch", "4096", "--epochs", "1"];
    let text = xtask(&[&small[..], &["--out", &run]].concat()).stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        text.contains(&format!("next: cargo xtask figures {run}")),
        "{text}"
    );
    let file = format!("{run}/study.toml");
    let text = xtask(&["study", "new", &file]).stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        text.contains(&format!("next: cargo xtask figures --study {file}\n")),
        "{text}"
    );
}

#[test]
fn checks_are_named_and_unknown_ones_refused() {
    let help = xtask(&["ci", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("cargo xtask ci --full"));
    let refused = xtask(&["ci", "--from", "tests"]);
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(
        message.contains("'tests'") && message.contains("test-portable"),
        "{message}"
    );
}

#[test]
fn the_alias_builds_what_the_lock_file_says() {
    let alias = include_str!("../../.cargo/config.toml");
    assert!(alias.contains("run --locked "), "{alias}");
}

#[test]
fn longer_checks_can_be_run_alone() {
    let refused = xtask(&["ci", "--only", "kills"]);
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(message.contains("add --full"), "{message}");
    let refused = xtask(&["ci", "--full", "--only", "kill"]);
    let message = String::from_utf8_lossy(&refused.stderr);
    for name in [
        "interop",
        "mutations",
        "kills",
        "power-cuts",
        "two-writers",
        "full-disk",
        "signals",
        "bit-flips",
        "thread-sanitizer",
    ] {
        assert!(message.contains(name), "{message}");
    }
}
