//! What a user can do to work that goes on: stop it twice, log out, fill the disk,
//! edit its settings.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A shell that becomes the program with `arguments` after `before`.
fn shell(folder: &Path, before: &str, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    let program = assert_cmd::cargo::cargo_bin!("latent-atlas");
    command
        .args([
            "-c",
            &format!("{before} exec '{}' {arguments}", program.display()),
        ])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(folder: &Path, arguments: &str) -> Output {
    shell(folder, "", arguments).output().expect("a shell")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeed(folder: &Path, arguments: &str) {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", said(&output));
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// More epochs than a test has time for.
const LONG: &str = "train glyphs --out run --quiet --hidden 4 --latent 2 --epochs 100000";
const SHORT: &str = "train glyphs --out run --quiet --hidden 4 --latent 2 --epochs 1 --batch 4096";

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
}

#[test]
fn the_second_of_two_signals_ends_at_once() {
    use std::os::unix::process::ExitStatusExt as _;

    let folder = folder();
    // A run that takes longer to stop than the two signals are apart would do;
    // the moment between them is too short for most. What counts is that none
    // but these two ends are seen.
    // Not INT: what runs in the background ignores that, and this program with it.
    let mut child = shell(folder.path(), "", LONG).spawn().expect("a shell");
    wait_until("run", || folder.path().join("run/metrics.jsonl").exists());
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(250));
    if child.try_wait().expect("a child").is_none() {
        signal(&child, "TERM");
    }
    let status = child.wait().expect("a child");
    assert!(
        matches!(status.code(), Some(75 | 143)),
        "{status}, signal {:?}",
        status.signal()
    );
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let folder = folder();
    let child = shell(folder.path(), "trap '' HUP;", LONG)
        .spawn()
        .expect("a shell");
    let epochs = || {
        let lines = fs::read_to_string(folder.path().join("run/metrics.jsonl"));
        lines.unwrap_or_default().lines().count()
    };
    wait_until("epoch", || epochs() > 0);
    signal(&child, "HUP");
    let before = epochs();
    wait_until("further epochs", || epochs() > before + 5);
    signal(&child, "TERM");
    let output = child.wait_with_output().expect("a child");
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
}

#[test]
fn a_full_disk_is_named_and_the_run_goes_on_when_there_is_room() {
    let folder = folder();
    // No file may be longer than so many blocks: a write fails as on a full disk.
    for shell_of in ["ulimit -f 16;", "ulimit -f 64;"] {
        let output = shell(folder.path(), shell_of, SHORT)
            .output()
            .expect("a shell");
        let message = said(&output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(
            message.contains("safetensors") || message.contains("npz"),
            "{message}"
        );
        let left: Vec<_> = fs::read_dir(folder.path().join("run"))
            .expect("a run folder")
            .map(|entry| entry.expect("readable").file_name())
            .filter(|name| name.to_string_lossy().contains("-writing-"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let output = run(folder.path(), "train --resume run --quiet");
        assert!(output.status.success(), "{}", said(&output));
        fs::remove_dir_all(folder.path().join("run")).expect("removable");
    }
}

#[test]
fn edited_settings_are_for_a_new_run_alone() {
    let folder = folder();
    succeed(folder.path(), SHORT);
    let path = folder.path().join("run/config.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let edited = text.replace("seed = 42", "seed = 7");
    assert_ne!(text, edited);
    fs::write(&path, &edited).expect("writable");
    for command in [
        "train --resume run",
        "eval run",
        "figures run",
        "encode run glyphs -o codes.csv",
    ] {
        let output = run(folder.path(), command);
        let message = said(&output);
        assert_eq!(output.status.code(), Some(2), "{command}: {message}");
        assert!(
            message.contains("training.seed is 7 instead of 42"),
            "{command}: {message}"
        );
    }
    succeed(
        folder.path(),
        "train --config run/config.toml --out other --quiet",
    );
    assert!(folder.path().join("other/result.json").exists());
    fs::write(&path, &text).expect("writable");
    succeed(folder.path(), "eval run --quiet");
}
