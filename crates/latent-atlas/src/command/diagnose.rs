//! `latent-atlas diagnose`: what is wrong with a run.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use runs::diagnosis::{self, Diagnosis, Ending, Request, Symptoms, TrainingImages};
use runs::run_folder::RunFolder;

use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::threads::ThreadsOption;

/// Say what is wrong with a trained run: the number that shows it, and the
/// setting that mends it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A random sample of the run's images goes through its weights, and its losses are read. What is found
stands in the order in which one thing explains the other: the first is the diagnosis. Each finding
has its number, the limit that it has passed and what that is taken from. Exit code 0, whatever is
found; 'train' and 'eval' end with a line when there is something to say.

Examples:
  latent-atlas diagnose runs/g1
  latent-atlas diagnose runs/g1 my-pictures/     # are these images what the run knows?
  latent-atlas diagnose runs/g1 --json")]
pub struct Diagnose {
    /// The run folder.
    run: PathBuf,

    /// Other images in place of the run's test images, all of them: a name such
    /// as mnist, idx:DIR, or the path of a folder or file.
    #[arg(value_name = "SOURCE")]
    images: Option<String>,

    /// Seed of the sample of images and of the codes that are drawn.
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

impl Diagnose {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let _interrupt = crate::interrupt()?;
        let request = Request {
            folder: RunFolder::at(&self.run),
            images: self.images.clone(),
            seed: self.seed,
            threads: self.threads.asked(output),
            location: self.source.location(self.dataset.clone()),
        };
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let diagnosis = diagnosis::diagnose(&request, &mut download)?;
        output.result(&diagnosis, &text(&diagnosis))
    }
}

fn text(diagnosis: &Diagnosis) -> String {
    let mut text = format!("{}: ", diagnosis.run.display());
    let epochs = match diagnosis.ending {
        Ending::Done => format!("{} epochs", diagnosis.epochs),
        Ending::Diverged => format!("diverged after {} epochs", diagnosis.epochs),
        Ending::Unfinished => format!(
            "unfinished, {} of {} epochs",
            diagnosis.epochs, diagnosis.epochs_asked
        ),
    };
    text.push_str(&epochs);
    if let Some(images) = &diagnosis.images {
        let _ = write!(text, "; a sample of {} training", images.count);
        if let Some(symptoms) = &diagnosis.symptoms {
            let _ = write!(text, " and {} test", symptoms.test_images);
        }
        text.push_str(" images");
    }
    text.push('\n');
    if let (Some(images), Some(symptoms)) = (&diagnosis.images, &diagnosis.symptoms) {
        write_symptoms(&mut text, images, symptoms);
    }
    for (index, finding) in diagnosis.findings.iter().enumerate() {
        let which = if index == 0 { "diagnosis" } else { "and" };
        let _ = write!(
            text,
            "\n{which}: {}\n  {}\n  limit {}: {}\n  {}\n",
            finding.fault.name(),
            finding.found,
            rounded(finding.limit),
            finding.limit_from,
            finding.remedy
        );
    }
    if diagnosis.findings.is_empty() {
        text.push_str("\nnothing wrong was found\n");
    }
    if !diagnosis.not_asked.is_empty() {
        text.push_str("\nnot looked for:\n");
        for (index, not_asked) in diagnosis.not_asked.iter().enumerate() {
            let same = diagnosis.not_asked[..index].iter();
            if same.clone().any(|other| other.why == not_asked.why) {
                continue;
            }
            let same = diagnosis.not_asked.iter();
            let names: Vec<&str> = same
                .filter(|other| other.why == not_asked.why)
                .map(|other| other.fault.name())
                .collect();
            let _ = writeln!(text, "  {}: {}", names.join(", "), not_asked.why);
        }
    }
    text
}

/// A limit with at most four digits behind its first.
fn rounded(limit: f64) -> String {
    if limit == 0.0 || (1e-3..1e6).contains(&limit.abs()) {
        let text = format!("{limit:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{limit:.1e}")
    }
}

fn write_symptoms(text: &mut String, images: &TrainingImages, symptoms: &Symptoms) {
    let mut row = |name: &str, train: String, test: String| {
        let _ = writeln!(text, "{name:<28}{train:>12}{test:>12}");
    };
    let nats = |value: f64| format!("{value:.2}");
    row("nats per row", "training".into(), "test".into());
    row(
        "mean image",
        nats(images.mean_image_loss),
        nats(symptoms.test_mean_image_loss),
    );
    row(
        "reconstruction",
        nats(symptoms.train.reconstruction),
        nats(symptoms.test.reconstruction),
    );
    row("KL", nats(symptoms.train.kl), nats(symptoms.test.kl));
    let explained = symptoms
        .explained
        .map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    row("explained variance", String::new(), explained);
    if let Some(posterior) = &symptoms.posterior {
        let units = format!(
            "{} of {}",
            posterior.active_units,
            posterior.variance_of_mu.len()
        );
        row("active units", units, String::new());
        if let Some(beta) = posterior
            .scales
            .as_ref()
            .and_then(|scales| scales.implied_beta)
        {
            row("KL weight that fits σ", format!("{beta:.3}"), String::new());
        }
    }
    if let Some(silent) = symptoms
        .silent_units
        .iter()
        .max_by(|a, b| a.share().total_cmp(&b.share()))
    {
        let units = format!("{} of {}", silent.silent, silent.units);
        row(
            &format!("silent units, {}", silent.layer),
            units,
            String::new(),
        );
    }
}
