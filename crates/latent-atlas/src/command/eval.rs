//! `latent-atlas eval`: the numbers of a run.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use models::DataTreatment;
use runs::report::{self, Report, Request, SplitName};
use runs::run_folder::RunFolder;

use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::progress::ImageProgress;
use crate::threads::ThreadsOption;

/// Evaluate a run: writes RUN/eval.json and prints the table.
#[derive(Debug, Args)]
#[command(after_long_help = "\
All numbers are nats per image: reconstruction summed over pixels, KL over latent dimensions,
averaged over images. 'z sampled' draws one z per image, 'z = mean' takes the posterior's mean.

With --nll-samples K, −log p(x) is bounded by importance sampling with 1, 10, 100, … and K samples
from q(z|x). Under a Bernoulli it is a likelihood of binary images only; for grey ones the number
is printed with that remark.

Examples:
  latent-atlas eval runs/g1
  latent-atlas eval runs/g1 --split train --subset 10000
  latent-atlas eval runs/g1 --nll-samples 5000 --subset 1000
  latent-atlas eval runs/g1 --json")]
pub struct Eval {
    /// The run folder.
    run: PathBuf,

    /// The images.
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,

    /// Only the first N images.
    #[arg(long, value_name = "N")]
    subset: Option<usize>,

    /// What to do to the images: grey, binarised-once or threshold; by default
    /// what the run does to its test images.
    #[arg(long, value_name = "TREATMENT")]
    data_treatment: Option<DataTreatment>,

    /// Importance samples per image to bound −log p(x) with.
    #[arg(long, value_name = "K")]
    nll_samples: Option<usize>,

    /// Seed of the sampled codes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Where the data of the run are now, if not where they were: accepted when
    /// the content is the same.
    #[arg(long, value_name = "SOURCE")]
    dataset: Option<String>,

    #[command(flatten)]
    threads: ThreadsOption,

    #[command(flatten)]
    source: SourceOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Split {
    Test,
    Train,
    Validation,
}

impl Eval {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let _interrupt = crate::interrupt()?;
        let request = Request {
            folder: RunFolder::at(&self.run),
            split: match self.split {
                Split::Test => SplitName::Test,
                Split::Train => SplitName::Train,
                Split::Validation => SplitName::Validation,
            },
            subset: self.subset,
            seed: self.seed,
            treatment: self.data_treatment,
            nll_samples: self.nll_samples,
            threads: self.threads.asked(output),
            location: self.source.location(self.dataset.clone()),
        };
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let progress = ImageProgress::new(*output);
        let (report, path) = report::write(&request, &mut download, &progress)?;
        output.note(&format!("wrote {}", path.display()));
        output.result(&report, &table(&report))?;
        progress.conclude();
        Ok(())
    }
}

fn table(report: &Report) -> String {
    let evaluation = &report.evaluation;
    let rows = if evaluation.n < report.rows_of_split {
        format!(
            "the first {} of {} rows",
            evaluation.n, report.rows_of_split
        )
    } else {
        format!("{} rows", evaluation.n)
    };
    let mut text = format!(
        "{rows} of the {} split{} of {} ({}), {}; nats per row\n\
         likelihood {}; trained with {}\n\n",
        evaluation.split,
        report
            .data
            .test_share
            .map_or_else(String::new, |share| format!(
                " (test: a share of {share} by a hash of the content)"
            )),
        report.data.dataset,
        report.data.shape,
        if report.data.standardised {
            "standardised values".into()
        } else {
            treatment(report)
        },
        report.pixel_likelihood,
        report.objective
    );
    write_terms(&mut text, report);
    write_likelihood(&mut text, report);
    write_rates(&mut text, report);
    let _ = writeln!(
        text,
        "\nactive units: {} of {} (variance of the mean over images above 0.01){}{}\n",
        evaluation.active_units,
        evaluation.variance_of_mu.len(),
        evaluation
            .active_units_by_kl
            .map_or_else(String::new, |units| format!(", {units} by KL above 0.01")),
        evaluation
            .active_units_of_lower
            .map_or_else(String::new, |units| format!(
                ", and {units} of the lower layer"
            ))
    );
    write_dimensions(&mut text, report);
    text
}

/// What was done to the images, and to those of training where that differs.
fn treatment(report: &Report) -> String {
    let evaluated = report.evaluation.data_treatment;
    let mut text = match report.data_seed {
        Some(seed) => format!("{evaluated} (seed {seed})"),
        None => evaluated.to_string(),
    };
    if report.training_data_treatment != evaluated {
        let _ = write!(text, ", trained on {}", report.training_data_treatment);
    }
    text
}

/// A number with two decimals, a dash where there is none.
fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), |value| format!("{value:.2}"))
}

fn write_terms(text: &mut String, report: &Report) {
    let evaluation = &report.evaluation;
    let mut row = |name: &str, sampled: String, at_mean: String, gap: String| {
        let _ = writeln!(text, "{name:<28}{sampled:>12}{at_mean:>12}{gap:>14}");
    };
    let gap = |of: fn(&report::Gap) -> Option<f64>| match &report.train_test_gap {
        Some(gap) => of(gap).map_or_else(|| "–".into(), |value| format!("{value:+.2}")),
        None => String::new(),
    };
    row(
        "",
        "z sampled".into(),
        "z = mean".into(),
        report
            .train_test_gap
            .map_or_else(String::new, |_| "test − train".into()),
    );
    row(
        "reconstruction",
        number(Some(evaluation.reconstruction)),
        number(Some(evaluation.at_mean.reconstruction)),
        gap(|gap| Some(gap.reconstruction)),
    );
    row(
        "KL",
        number(evaluation.kl),
        number(evaluation.at_mean.kl),
        gap(|gap| gap.kl),
    );
    row(
        "loss",
        number(Some(evaluation.loss)),
        String::new(),
        gap(|gap| Some(gap.loss)),
    );
    row(
        "ELBO",
        number(evaluation.elbo),
        String::new(),
        String::new(),
    );
    row(
        "entropy floor",
        number(evaluation.entropy_floor),
        String::new(),
        String::new(),
    );
    row(
        "reconstruction above floor",
        number(evaluation.excess_over_floor),
        String::new(),
        String::new(),
    );
}

fn write_likelihood(text: &mut String, report: &Report) {
    let Some(likelihood) = &report.likelihood else {
        return;
    };
    let _ = writeln!(
        text,
        "\n{:<28}{:>12}{:>18}",
        "−log p(x) from K samples", "at most", "standard error"
    );
    for (samples, estimate) in &likelihood.nll {
        let error = estimate.standard_error;
        let _ = writeln!(
            text,
            "{:<28}{:>12.2}{:>18}",
            format!("K = {samples}"),
            estimate.value,
            error.map_or_else(|| "–".to_owned(), |error| format!("{error:.2}"))
        );
    }
    let sizes = likelihood.effective_sample_size;
    let _ = writeln!(
        text,
        "effective sample size: {:.1} on average, median {:.1}, lowest {:.1}",
        sizes.mean, sizes.median, sizes.lowest
    );
    if report.nll_is_likelihood == Some(false) {
        let _ = writeln!(
            text,
            "not a likelihood: the pixels are grey, a Bernoulli variable is not; train and evaluate\non binarised images to compare with published values"
        );
    }
}

fn write_rates(text: &mut String, report: &Report) {
    let Some(rates) = &report.rates else {
        return;
    };
    let (least, most) = if rates.mutual_information_saturated {
        ("≥ ", "≤ ")
    } else {
        ("", "")
    };
    let _ = writeln!(
        text,
        "\nKL = mutual information {least}{:.2} + marginal KL {most}{:.2}; total correlation {most}{:.2}\n\
         (mutual information from {} images is at most log {} = {:.2}; measured at {} of their codes)",
        rates.mutual_information,
        rates.marginal_kl,
        rates.total_correlation,
        report.evaluation.n,
        report.evaluation.n,
        rates.mutual_information_cap,
        if rates.rate_codes < rates.rate_posteriors {
            format!("a random {}", rates.rate_codes)
        } else {
            "all".into()
        }
    );
}

fn write_dimensions(text: &mut String, report: &Report) {
    let evaluation = &report.evaluation;
    let _ = writeln!(
        text,
        "{:<10}{:>14}{:>14}{:>16}{:>14}",
        "dimension", "mean of μ", "variance of μ", "variance law", "KL"
    );
    for (dimension, variance) in evaluation.variance_of_mu.iter().enumerate() {
        let kl = evaluation.kl_per_dimension.as_ref().map(|kl| kl[dimension]);
        let law = evaluation.variance_law.as_ref().map(|law| law[dimension]);
        let _ = writeln!(
            text,
            "{:<10}{:>14.3}{variance:>14.3}{:>16}{:>14}",
            format!("z{}", dimension + 1),
            evaluation.mean_of_mu[dimension],
            number(law),
            number(kl)
        );
    }
}
