//! `cargo xtask scaling`: what training and evaluating cost on this machine as
//! everything grows.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use benches::scaling::{Point, measure, run};
use benches::{Observer, Unavailable};
use clap::Args;

use latent_atlas::Output;

/// Measure what training and evaluating cost by images, pixels, widths, latent
/// variables, batch and threads, and write docs/SCALING.md with its pictures.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Takes a few minutes; measure on an idle machine.\n\nExamples:\n  cargo xtask scaling\n  cargo xtask scaling --out /tmp/here --threads 1"
)]
pub(crate) struct Scaling {
    /// The folder of SCALING.md; its pictures go into scaling/ below it.
    #[arg(long, value_name = "DIR", default_value = "docs")]
    out: PathBuf,

    /// Measure with N threads: 2 where there are as many processors.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Measure one point, for the process that started this one.
    #[arg(long, value_name = "JSON", hide = true)]
    point: Option<String>,
}

impl Scaling {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        if let Some(text) = &self.point {
            let point: Point = serde_json::from_str(text).context("--point")?;
            let cost = measure(&point)?;
            return output.result(&cost, &serde_json::to_string(&cost)?);
        }
        let threads = self.threads.unwrap_or_else(benches::default_threads);
        let program = std::env::current_exe().context("this program cannot find its own file")?;
        let of_point = || {
            let mut command = Command::new(&program);
            command.args(["scaling", "--point"]);
            command
        };
        let scaling = run(threads, &of_point, &mut Progress { output })?;
        let files = scaling.write(&self.out)?;
        let names: Vec<String> = files
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        output.result(&scaling, &format!("written: {}", names.join(", ")))
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
        self.output.note(&what.to_string());
    }
}
