//! `cargo xtask ci`: everything that must hold before a change lands,
//! cheapest first.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use latent_atlas::Output;

/// Run everything CI checks, cheapest first.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  cargo xtask ci\n  cargo xtask ci --from test\n  cargo xtask ci --full"
)]
pub(crate) struct Ci {
    /// Start at this check, skipping those before it.
    #[arg(long, value_name = "CHECK")]
    from: Option<String>,

    /// Also run what takes longer than a gate may: 100,000 damaged files of
    /// each format that is read.
    #[arg(long)]
    full: bool,
}

struct Check {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const CHECKS: &[Check] = &[
    Check {
        name: "format",
        arguments: &["fmt", "--all", "--check"],
        environment: &[],
    },
    Check {
        name: "clippy",
        arguments: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
        environment: &[],
    },
    Check {
        name: "docs",
        arguments: &["doc", "--workspace", "--no-deps", "--locked"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Check {
        name: "test",
        arguments: &["test", "--workspace", "--locked"],
        environment: &[],
    },
    Check {
        name: "test-portable",
        arguments: &["test", "--locked", "-p", "tensor-ops"],
        environment: &[("TENSOR_OPS_ISA", "scalar")],
    },
];

/// What `--full` adds, in the profile of the tests: it is optimised and checks
/// overflows.
const LONGER_CHECKS: &[Check] = &[
    Check {
        name: "damaged-images",
        arguments: &[
            "test",
            "--locked",
            "-p",
            "datasets",
            "--test",
            "image_folders",
            "mutat",
        ],
        environment: MUTATIONS,
    },
    Check {
        name: "damaged-tables",
        arguments: &[
            "test",
            "--locked",
            "-p",
            "datasets",
            "--test",
            "malformed_tables",
        ],
        environment: MUTATIONS,
    },
    Check {
        name: "parquet",
        arguments: &[
            "test",
            "--locked",
            "-p",
            "datasets",
            "--features",
            "parquet",
        ],
        environment: MUTATIONS,
    },
    Check {
        name: "damaged-idx",
        arguments: &[
            "test",
            "--locked",
            "-p",
            "datasets",
            "--test",
            "idx_kinds",
            "mutat",
        ],
        environment: MUTATIONS,
    },
];

const MUTATIONS: &[(&str, &str)] = &[("LATENT_ATLAS_MUTATIONS", "100000")];

impl Ci {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let longer = if self.full { LONGER_CHECKS } else { &[] };
        let checks: Vec<&Check> = CHECKS.iter().chain(longer).collect();
        let start = match &self.from {
            None => 0,
            Some(name) => checks
                .iter()
                .position(|check| check.name == name)
                .ok_or_else(|| {
                    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
                    runs::Error::Configuration(format!(
                        "--from names the unknown check '{name}'; expected one of {}",
                        names.join(", ")
                    ))
                })?,
        };
        let mut rows = Vec::new();
        for check in &checks[start..] {
            output.note(&format!(
                "== {}: cargo {}",
                check.name,
                check.arguments.join(" ")
            ));
            let began = Instant::now();
            let mut command = Command::new(env!("CARGO"));
            command
                .args(check.arguments)
                .envs(check.environment.iter().copied());
            if output.json() {
                // Stdout is for the one document.
                command.stdout(std::io::stderr());
            }
            let status = command.status().with_context(|| {
                format!("cargo could not be started for the check '{}'", check.name)
            })?;
            if !status.success() {
                bail!(
                    "the check '{}' failed ({status}); repeat it with: cargo {}",
                    check.name,
                    check.arguments.join(" ")
                );
            }
            rows.push(json!({"check": check.name, "seconds": began.elapsed().as_secs_f64()}));
        }
        let text = format!("{} checks passed", rows.len());
        output.result(&json!({"passed": rows}), &text)
    }
}
