//! Checks that are commands of cargo.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Check, Work, dependencies};

const fn check(name: &'static str, arguments: &'static [&'static str]) -> Check {
    Check {
        name,
        work: Work::Cargo {
            arguments,
            environment: &[],
        },
    }
}

/// What a gate has time for.
pub(super) const CHECKS: &[Check] = &[
    check("format", &["fmt", "--all", "--check"]),
    Check {
        name: "dependencies",
        work: Work::Own(dependencies::dependencies),
    },
    check(
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    ),
    Check {
        name: "docs",
        work: Work::Cargo {
            arguments: &["doc", "--workspace", "--no-deps", "--locked"],
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
        },
    },
    check("test", &["test", "--workspace", "--locked"]),
    Check {
        name: "test-portable",
        work: Work::Cargo {
            arguments: &["test", "-p", "tensor-ops", "--locked"],
            environment: &[("TENSOR_OPS_ISA", "scalar")],
        },
    },
    Check {
        name: "models-portable",
        work: Work::Cargo {
            arguments: &["test", "-p", "models", "--lib", "--locked"],
            environment: &[("TENSOR_OPS_ISA", "scalar")],
        },
    },
];

/// The cargo that runs this.
pub(super) fn cargo() -> Command {
    Command::new(env!("CARGO"))
}

/// Runs a command of cargo; in `json`, what it says goes to stderr.
pub(super) fn run(
    name: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
    json: bool,
) -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(arguments).envs(environment.iter().copied());
    if json {
        // Stdout is for the one document.
        command.stdout(std::io::stderr());
    }
    let status = command
        .status()
        .with_context(|| format!("cargo could not be started for the check '{name}'"))?;
    if !status.success() {
        bail!(
            "the check '{name}' failed ({status}); repeat it with: cargo {}",
            arguments.join(" ")
        );
    }
    Ok(())
}

/// What `cargo metadata` says with these options.
pub(super) fn metadata(options: &[&str]) -> anyhow::Result<Value> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(options)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started for its metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")
}

/// Builds a program of the workspace as the tests have built it, and says where
/// it is.
pub(super) fn built(package: &str, features: &[&str], json: bool) -> anyhow::Result<PathBuf> {
    let features = features.join(",");
    run(
        package,
        &["build", "--locked", "-p", package, "--features", &features],
        &[],
        json,
    )?;
    Ok(target_folder()?.join("debug").join(package))
}

/// Where cargo builds.
pub(super) fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target_directory")?;
    Ok(target.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_of_a_fresh_machine_makes_every_check() {
        let gate = include_str!("../../../.ci/run");
        for check in CHECKS {
            let Work::Cargo {
                arguments,
                environment,
            } = check.work
            else {
                continue;
            };
            let command = format!("cargo {}", arguments.join(" "));
            let line = gate.lines().find(|line| line.ends_with(&command));
            let line = line.unwrap_or_else(|| panic!(".ci/run lacks {command}"));
            for (name, value) in environment {
                let is_set = line.contains(&format!("{name}={value}"))
                    || line.contains(&format!("{name}=\"{value}\""));
                assert!(is_set, ".ci/run sets no {name}={value} for {command}");
            }
        }
    }
}
