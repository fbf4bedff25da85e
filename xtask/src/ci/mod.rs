//! `cargo xtask ci`: everything that must hold before a change lands, cheapest
//! first, and with `--full` what takes longer than a gate may.

mod cargo;
mod dependencies;
mod disturbances;
mod interop;
mod miri;
mod mutants;
mod mutations;
mod thread_sanitizer;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use trials::Report;

use latent_atlas::Output;

/// Run everything CI checks, cheapest first.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  cargo xtask ci\n  cargo xtask ci --from test\n  cargo xtask ci --miri\n  cargo xtask ci --mutants --sample 40 --crate evaluation\n  cargo xtask ci --full\n  cargo xtask ci --full --only kills --count 30 --seed 7"
)]
pub(crate) struct Ci {
    /// Start at this check, skipping those before it.
    #[arg(long, value_name = "CHECK", conflicts_with = "only")]
    from: Option<String>,

    /// Run this check alone; may be repeated.
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,

    /// Run Miri alone, as `--full --only miri` does.
    #[arg(long, conflicts_with_all = ["from", "only", "full"])]
    miri: bool,

    /// Change the code of `evaluation` and `models` and see whether a test fails,
    /// alone, as `--full --only mutants` does.
    #[arg(long, conflicts_with_all = ["from", "only", "full", "miri"])]
    mutants: bool,

    /// How many mutants of each crate are tried, of those that compile [default:
    /// 150].
    #[arg(long, value_name = "N", requires = "mutants")]
    sample: Option<NonZeroUsize>,

    #[command(flatten)]
    chosen_mutants: Mutants,

    /// Also run what takes longer than a gate may: pages in a browser under the
    /// rules of accessibility, planted faults and sound runs, changed files for every
    /// reader, what other tools make of exported files and we of theirs (with packages from
    /// PyPI), kills, power cuts, two writers, full disks, signals, a sweep by Slurm and by
    /// GNU parallel, changed bits, changed code, ThreadSanitizer and Miri.
    #[arg(long)]
    full: bool,

    /// How often each of the longer checks tries, instead of its own number.
    #[arg(long, requires = "full")]
    count: Option<usize>,

    /// What the moments, places and changes of the longer checks follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// The program that the longer checks disturb; by default one that is built
    /// as the tests build it.
    #[arg(long, value_name = "FILE", requires = "full")]
    program: Option<PathBuf>,
}

/// Which mutants are tried, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Mutants {
    /// Try mutants of this crate alone.
    #[arg(long = "crate", value_name = "NAME", requires = "mutants")]
    package: Option<String>,

    /// Try those mutants whose place and change hold this text, instead of a
    /// sample.
    #[arg(
        id = "mutant",
        long = "mutant",
        value_name = "TEXT",
        requires = "mutants",
        conflicts_with = "sample"
    )]
    only: Option<String>,

    /// How many mutants are built and tested at the same time [default: 2].
    #[arg(long, value_name = "N", requires = "mutants")]
    jobs: Option<NonZeroUsize>,
}

/// A check that can be run by its name.
pub(crate) struct Check {
    name: &'static str,
    work: Work,
}

enum Work {
    /// A command of cargo with variables of its environment.
    Cargo {
        arguments: &'static [&'static str],
        environment: &'static [(&'static str, &'static str)],
    },
    /// Something of our own.
    Own(fn(&Settings) -> anyhow::Result<Report>),
    /// The same, which tries so often if nothing else is said.
    Tried(usize, fn(&Settings) -> anyhow::Result<Report>),
}

/// What a check of our own is told.
pub(crate) struct Settings {
    count: usize,
    seed: u64,
    program: Option<PathBuf>,
    mutants: Mutants,
    output: Output,
}

impl Ci {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let longer = if self.full || self.miri || self.mutants {
            LONGER_CHECKS
        } else {
            &[]
        };
        let checks: Vec<&Check> = cargo::CHECKS.iter().chain(longer).collect();
        let place = |option: &str, name: &str| {
            let found = checks.iter().position(|check| check.name == name);
            found.ok_or_else(|| {
                let names: Vec<_> = checks.iter().map(|check| check.name).collect();
                let needs_full = LONGER_CHECKS.iter().any(|check| check.name == name);
                let hint = if needs_full { "add --full, or " } else { "" };
                runs::Error::Configuration(format!(
                    "{option} names the unknown check '{name}'; {hint}expected one of {}",
                    names.join(", ")
                ))
            })
        };
        let start = match &self.from {
            None => 0,
            Some(name) => place("--from", name)?,
        };
        let mut chosen: Vec<usize> = (start..checks.len()).collect();
        if self.miri {
            chosen = vec![place("--miri", "miri")?];
        } else if self.mutants {
            chosen = vec![place("--mutants", "mutants")?];
        } else if !self.only.is_empty() {
            let places = self.only.iter().map(|name| place("--only", name));
            chosen = places.collect::<Result<_, _>>()?;
        }
        let mut rows = Vec::new();
        for place in chosen {
            let check = checks[place];
            let began = Instant::now();
            let report = self.check(check, output)?;
            let seconds = began.elapsed().as_secs_f64();
            let mut row = json!({
                "check": check.name,
                "seconds": seconds,
                "report": report.as_ref().map(Report::to_string),
            });
            let report = report.unwrap_or_default();
            if let Some(details) = report.details {
                row["details"] = details;
            }
            if !report.findings.is_empty() {
                if output.json() {
                    output.result(&json!({"passed": rows, "failed": row}), "")?;
                }
                bail!(
                    "the check '{}' found {} faults; repeat it with: cargo xtask ci --full --only {} --seed {}",
                    check.name,
                    report.findings.len(),
                    check.name,
                    self.seed
                );
            }
            rows.push(row);
        }
        let is_skipped = |row: &&Value| {
            let report = row["report"].as_str().unwrap_or_default();
            report.starts_with("skipped")
        };
        let text = match rows.iter().filter(is_skipped).count() {
            0 => format!("{} checks passed", rows.len()),
            skipped => format!("{} checks passed, {skipped} skipped", rows.len() - skipped),
        };
        output.result(&json!({"passed": rows}), &text)
    }

    /// Runs one check, and gives what it reports.
    fn check(&self, check: &Check, output: &Output) -> anyhow::Result<Option<Report>> {
        let (count, work) = match &check.work {
            Work::Cargo {
                arguments,
                environment,
            } => {
                output.note(&format!("== {}: cargo {}", check.name, arguments.join(" ")));
                cargo::run(check.name, arguments, environment, output.json())?;
                return Ok(None);
            }
            Work::Own(work) => (0, work),
            Work::Tried(count, work) => {
                let sample = self.sample.map(NonZeroUsize::get);
                (self.count.or(sample).unwrap_or(*count), work)
            }
        };
        output.note(&format!("== {}, seed {}", check.name, self.seed));
        let report = work(&Settings {
            count,
            seed: self.seed,
            program: self.program.clone(),
            mutants: self.chosen_mutants.clone(),
            output: *output,
        })?;
        output.note(&report.to_string());
        Ok(Some(report))
    }
}

/// What `--full` adds, in the profile of the tests: it is optimised and checks
/// overflows.
const LONGER_CHECKS: &[Check] = &[
    Check {
        name: "parquet",
        work: Work::Cargo {
            arguments: &[
                "test",
                "--locked",
                "-p",
                "datasets",
                "--features",
                "parquet",
            ],
            environment: &[],
        },
    },
    // One test at a time, for some measure, and with what must be fetched first.
    Check {
        name: "explorer",
        work: Work::Cargo {
            arguments: &[
                "test",
                "--locked",
                "-p",
                "browser",
                "-p",
                "latent-atlas",
                "--test",
                "pages",
                "--test",
                "figures_page",
                "--test",
                "explorer_page",
                "--",
                "--nocapture",
                "--test-threads=1",
            ],
            environment: &[("EXPLORER_PAGE", "full")],
        },
    },
    Check {
        name: "diagnosis",
        work: Work::Cargo {
            arguments: &[
                "test",
                "--locked",
                "-p",
                "runs",
                "--test",
                "diagnosis",
                "--",
                "--ignored",
                "--nocapture",
            ],
            environment: &[],
        },
    },
    Check {
        name: "interop",
        work: Work::Own(interop::interop),
    },
    Check {
        name: "mutations",
        work: Work::Tried(1_000_000, mutations::mutations),
    },
    Check {
        name: "kills",
        work: Work::Tried(300, disturbances::kills),
    },
    Check {
        name: "power-cuts",
        work: Work::Tried(20, disturbances::power_cuts),
    },
    Check {
        name: "two-writers",
        work: Work::Tried(20, disturbances::two_writers),
    },
    Check {
        name: "full-disk",
        work: Work::Tried(30, disturbances::full_disk),
    },
    Check {
        name: "signals",
        work: Work::Tried(4, disturbances::signals),
    },
    Check {
        name: "slurm",
        work: Work::Own(disturbances::slurm),
    },
    Check {
        name: "parallel",
        work: Work::Own(disturbances::parallel),
    },
    Check {
        name: "bit-flips",
        work: Work::Tried(2000, disturbances::bit_flips),
    },
    Check {
        name: "mutants",
        work: Work::Tried(150, mutants::mutants),
    },
    Check {
        name: "thread-sanitizer",
        work: Work::Own(thread_sanitizer::thread_sanitizer),
    },
    Check {
        name: "miri",
        work: Work::Own(miri::miri),
    },
];
