//! Whether other tools read what is exported, and whether what they write is imported:
//! the scripts of `xtask/interop` in a virtual environment with the versions that they
//! were tried with, tract, and the Python module's own check.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use datasets::sha256_hex;
use latent_atlas::Output;
use runs::shell::quoted;
use trials::Report;

use super::{Settings, cargo};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop");

/// The check of the Python module.
const PYTHON_CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../python/check.py");

/// The packages of the scripts.
const REQUIREMENTS: &str = include_str!("../../interop/requirements.txt");

/// The oldest Python that these packages are for.
const PYTHON: (u32, u32) = (3, 11);

pub(super) fn interop(settings: &Settings) -> anyhow::Result<Report> {
    let Some(python) = python() else {
        return Ok(Report::skipped(format!(
            "no python3 of {}.{} or later is installed",
            PYTHON.0, PYTHON.1
        )));
    };
    let json = settings.output.json();
    let program = match &settings.program {
        Some(path) => path.canonicalize()?,
        None => cargo::built("latent-atlas", &["parquet"], json)?,
    };
    let target = cargo::target_folder()?;
    let environment = environment(&python, &target.join("interop"), settings)?;
    let bin = programs_of(&environment);
    let (program, atlas) = (
        program.display().to_string(),
        bin.join("embedding-atlas").display().to_string(),
    );
    let (program, atlas) = (program.as_str(), atlas.as_str());
    let scripts: &[(&str, &[&str])] = &[
        ("onnx_check.py", &[program]),
        ("import_check.py", &[program]),
        ("documented_check.py", &[program, atlas]),
        (
            "tables_check.py",
            &["--program", program, "--embedding-atlas", atlas],
        ),
    ];
    let mut commands = Vec::new();
    for (script, arguments) in scripts {
        let mut command = Command::new(bin.join("python"));
        command.arg(Path::new(FOLDER).join(script)).args(*arguments);
        commands.push(command);
    }
    // It makes an environment of its own.
    let mut command = Command::new(&python);
    command.arg(PYTHON_CHECK).args(["--program", program]);
    commands.push(command);
    let mut tract = cargo::cargo();
    tract
        .args(["test", "--locked", "--manifest-path"])
        .arg(format!("{FOLDER}/tract/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    commands.push(tract);
    tried(&mut commands, settings.output)
}

/// A Python that is new enough, where there is one.
fn python() -> Option<PathBuf> {
    let script = format!(
        "import sys, venv, ensurepip; sys.exit(sys.version_info < ({}, {}))",
        PYTHON.0, PYTHON.1
    );
    let is_fit = |name: &&&str| {
        let output = Command::new(**name).args(["-c", &script]).output();
        output.is_ok_and(|output| output.status.success())
    };
    ["python3", "python"].iter().find(is_fit).map(PathBuf::from)
}

/// The virtual environment with the packages, which is made once for each list of
/// them.
fn environment(python: &Path, folder: &Path, settings: &Settings) -> anyhow::Result<PathBuf> {
    /// Appears when all packages are there.
    const COMPLETE: &str = "complete";

    let digits = &sha256_hex(REQUIREMENTS.as_bytes())[..12];
    let environment = folder.join(digits);
    if environment.join(COMPLETE).exists() {
        return Ok(environment);
    }
    settings.output.note(&format!(
        "-- packages of xtask/interop/requirements.txt for {}",
        environment.display()
    ));
    let json = settings.output.json();
    let mut made = Command::new(python);
    made.args(["-m", "venv", "--clear"]).arg(&environment);
    if !said(&mut made, json)?.success() {
        bail!(
            "no virtual environment can be made in {}; see what {} -m venv says above",
            environment.display(),
            python.display()
        );
    }
    let mut installed = Command::new(programs_of(&environment).join("python"));
    installed
        .args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--quiet",
            "-r",
        ])
        .arg(Path::new(FOLDER).join("requirements.txt"));
    if !said(&mut installed, json)?.success() {
        bail!(
            "the packages of xtask/interop/requirements.txt cannot be installed; see what pip says above"
        );
    }
    std::fs::write(environment.join(COMPLETE), "")?;
    Ok(environment)
}

/// Where a virtual environment has its programs.
fn programs_of(environment: &Path) -> PathBuf {
    environment.join(if cfg!(windows) { "Scripts" } else { "bin" })
}

/// Runs every command, whatever became of those before; the failure of each is a finding.
fn tried(commands: &mut [Command], output: Output) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for command in commands {
        let arguments = command.get_args().map(quoted).collect::<Vec<_>>();
        let line = format!("{} {}", quoted(command.get_program()), arguments.join(" "));
        output.note(&format!("-- {line}"));
        report.tried += 1;
        if !said(command, output.json())?.success() {
            report.findings.push(format!("{line} failed"));
        }
    }
    Ok(report)
}

/// Runs a command; in `json`, what it says goes to stderr.
fn said(command: &mut Command, json: bool) -> anyhow::Result<std::process::ExitStatus> {
    if json {
        command.stdout(std::io::stderr());
    }
    let name = command.get_program().to_owned();
    command
        .status()
        .with_context(|| format!("{} could not be started", name.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        output: Output,
    }

    #[test]
    fn every_command_is_run_and_the_failure_of_each_is_a_finding() {
        let command = |argument: &str| {
            let mut command = cargo::cargo();
            command.arg(argument);
            command
        };
        let mut commands = ["--no-such-option", "--version", "--no-such-option"].map(command);
        let line = <Line as clap::Parser>::parse_from(["line", "--quiet", "--json"]);
        let report = tried(&mut commands, line.output).unwrap();
        assert_eq!(report.tried, 3);
        assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
        for finding in &report.findings {
            assert!(finding.ends_with(" --no-such-option failed"), "{finding}");
        }
    }
}
