//! `cargo xtask eval`: the numbers of a run.

use std::fmt::Write as _;
use std::path::PathBuf;

use atlas::report::{self, Request, SplitName};
use atlas::run_folder::RunFolder;
use clap::{Args, ValueEnum};
use evaluation::elbo::Evaluation;

use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;

/// Evaluate a run: writes RUN/eval.json and prints the table.
#[derive(Debug, Args)]
#[command(after_long_help = "\
All numbers are nats per image: reconstruction summed over pixels, KL over latent dimensions,
averaged over images. 'z sampled' draws one z per image, 'z = mean' takes the posterior's mean.

Examples:
  cargo xtask eval runs/g1
  cargo xtask eval runs/g1 --split train --subset 10000
  cargo xtask eval runs/g1 --json")]
pub(crate) struct Eval {
    /// The run folder.
    run: PathBuf,

    /// The images.
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,

    /// Only the first N images.
    #[arg(long, value_name = "N")]
    subset: Option<usize>,

    /// Seed of the sampled codes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Threads to use; all cores by default. Never changes the result.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    #[command(flatten)]
    source: SourceOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Split {
    Test,
    Train,
}

impl Eval {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let request = Request {
            folder: RunFolder::at(&self.run),
            split: match self.split {
                Split::Test => SplitName::Test,
                Split::Train => SplitName::Train,
            },
            subset: self.subset,
            seed: self.seed,
            threads: self.threads,
            lookup: self.source.lookup(),
        };
        let mut downloads = DownloadProgress::new(*output);
        let (evaluation, path) = report::write(&request, &mut |event| downloads.report(event))?;
        output.note(&format!("wrote {}", path.display()));
        output.result(&evaluation, &table(&evaluation))
    }
}

fn table(evaluation: &Evaluation) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |v| format!("{v:.2}"));
    let mut text = format!(
        "{} images of the {} split, grey values; nats per image\n\n",
        evaluation.n, evaluation.split
    );
    let mut row = |name: &str, sampled: String, at_mean: String| {
        let _ = writeln!(text, "{name:<28}{sampled:>12}{at_mean:>12}");
    };
    row("", "z sampled".into(), "z = mean".into());
    row(
        "reconstruction",
        number(Some(evaluation.reconstruction)),
        number(Some(evaluation.at_mean.reconstruction)),
    );
    row("KL", number(evaluation.kl), number(evaluation.at_mean.kl));
    row("ELBO", number(evaluation.elbo), String::new());
    row(
        "entropy floor",
        number(Some(evaluation.entropy_floor)),
        String::new(),
    );
    row(
        "reconstruction above floor",
        number(Some(evaluation.excess_over_floor)),
        String::new(),
    );
    let _ = writeln!(
        text,
        "\nactive units: {} of {} (variance of the mean over images above 0.01)\n",
        evaluation.active_units,
        evaluation.variance_of_mu.len()
    );
    let _ = writeln!(
        text,
        "{:<10}{:>14}{:>14}{:>14}",
        "dimension", "mean of μ", "variance of μ", "KL"
    );
    for (dimension, variance) in evaluation.variance_of_mu.iter().enumerate() {
        let kl = evaluation.kl_per_dimension.as_ref().map(|kl| kl[dimension]);
        let _ = writeln!(
            text,
            "{:<10}{:>14.3}{variance:>14.3}{:>14}",
            format!("z{}", dimension + 1),
            evaluation.mean_of_mu[dimension],
            number(kl)
        );
    }
    text
}
