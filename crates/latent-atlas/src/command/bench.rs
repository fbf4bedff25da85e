//! `latent-atlas bench`: how fast this program is on this machine.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use benches::{Observer, Part, Peers, Request, Unavailable};
use clap::{Args, ValueEnum};

use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;

/// Where `--peers` finds Python when no `--python` is given.
const PYTHON_VARIABLE: &str = "LATENT_ATLAS_PYTHON";

/// Measure the machine's FMA peak, layer products, elementwise work, importance
/// sampling, whole training epochs and what threads cost where cores are short.
#[derive(Debug, Args)]
#[command(after_long_help = after_help(), args_override_self = true)]
pub struct Bench {
    /// Fewer repetitions, for a first look.
    #[arg(long)]
    quick: bool,

    /// Measure only this part; may be repeated.
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<PartName>,

    /// Train only this architecture of the reference table; may be repeated.
    #[arg(long, value_name = "WIDTHS")]
    architecture: Vec<String>,

    /// Epochs of each training measurement: 5, or 2 with --quick; of waits 25,
    /// or 5.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,

    /// Measure with 1 thread and with N: 2 where there are as many processors.
    #[arg(long, value_name = "N", value_parser = crate::threads::count)]
    threads: Option<usize>,

    /// Train PyTorch and JAX in turn with this program (benches/peers).
    #[arg(long)]
    peers: bool,

    /// Python interpreter with the peers' packages; otherwise
    /// $LATENT_ATLAS_PYTHON, then python3.
    #[arg(long, value_name = "PATH", requires = "peers")]
    python: Option<PathBuf>,

    /// Data set to train on: mnist where it is on disk, otherwise glyphs.
    #[arg(long, value_name = "D")]
    dataset: Option<String>,

    #[command(flatten)]
    source: SourceOptions,

    /// Train one epoch and report its first step and peak memory to the
    /// process that started this one.
    #[arg(long, hide = true, requires_all = ["dataset", "threads"])]
    probe: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PartName {
    Gemm,
    Vector,
    Nll,
    Training,
    Waits,
}

fn after_help() -> &'static str {
    "Shares are of the multiply-add peak measured around each figure. Operations are counted as\n\
     dense work, 2·m·k·n per product; of training epochs those really executed are told too, and\n\
     their time at the peak with Adam and the loss at their own rates, as a share of the epoch.\n\
     Every figure is the best of several repetitions, those of waits are medians. Rows whose\n\
     epochs lie too far apart are marked \"noisy: not a result\"; measure on an idle machine.\n\
     All of it is strict f32; of --peers the fast modes have rows of their own.\n\
     \n\
     Examples:\n  \
     latent-atlas bench --quick\n  \
     latent-atlas bench --only training --architecture 784-256-2 --epochs 10\n  \
     latent-atlas bench --json > bench.json\n  \
     latent-atlas bench --only training --peers --python venv/bin/python"
}

impl Bench {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let threads = self.threads.unwrap_or_else(benches::default_threads);
        if let (true, Some(dataset)) = (self.probe, &self.dataset) {
            let lookup = self.source.lookup();
            return Ok(benches::probe(
                dataset,
                threads,
                &lookup,
                &mut io::stdout(),
            )?);
        }
        let request = Request {
            parts: self.parts(),
            quick: self.quick,
            threads,
            epochs: self.epochs,
            architectures: self.architecture.clone(),
            dataset: self.dataset.clone(),
            lookup: self.source.lookup(),
            peers: self.peers.then(|| self.peers()),
            probe: Some(self.probe_command()?),
        };
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let report = benches::run(request, &mut download, &mut Progress { output })?;
        output.result(&report, &report.to_string())
    }

    fn parts(&self) -> Vec<Part> {
        if self.only.is_empty() {
            return Part::ALL.to_vec();
        }
        let part = |name: &PartName| match name {
            PartName::Gemm => Part::Gemm,
            PartName::Vector => Part::Vector,
            PartName::Nll => Part::Likelihood,
            PartName::Training => Part::Training,
            PartName::Waits => Part::Waits,
        };
        self.only.iter().map(part).collect()
    }

    fn peers(&self) -> Peers {
        let from_environment = || {
            std::env::var_os(PYTHON_VARIABLE)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Peers {
            python: self
                .python
                .clone()
                .or_else(from_environment)
                .unwrap_or_else(|| "python3".into()),
            scripts: benches::scripts_in(workspace),
        }
    }

    /// This program as its own probe; the data set and the threads are added
    /// by whoever runs it.
    fn probe_command(&self) -> anyhow::Result<Command> {
        let program = std::env::current_exe().context("this program cannot find its own file")?;
        let mut command = Command::new(program);
        command.args(["bench", "--probe", "--offline"]);
        if let Some(folder) = &self.source.data_dir {
            command.arg("--data-dir").arg(folder);
        }
        Ok(command)
    }
}

/// Says on stderr what is being measured.
struct Progress<'a> {
    output: &'a Output,
}

impl Observer for Progress<'_> {
    fn measuring(&mut self, what: &str) {
        self.output.note(&format!("measuring: {what}"));
    }

    fn unavailable(&mut self, what: &Unavailable) {
        // The text has a line of its own for it.
        if self.output.json() {
            self.output.note(&what.to_string());
        }
    }
}
