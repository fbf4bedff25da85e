//! `latent-atlas data inspect`: what a source holds, and what is wrong with it.

use std::fmt::Write as _;

use clap::Args;
use datasets::Health;
use runs::configuration::{Configuration, ReadingConfiguration};
use runs::run_data::anchored;

use super::settings::ReadingOptions;
use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;

/// Read a source as `train` would and say what it holds: rows, shape, classes,
/// range, equal rows, and what is likely to be a mistake.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  latent-atlas data inspect my-pictures/
  latent-atlas data inspect digits.npz --maximum 16
  latent-atlas data inspect mnist --json")]
pub(crate) struct Inspect {
    /// A name, idx:DIR, a folder of images, or an .npz, .npy, .csv or .parquet
    /// file.
    source_name: String,

    #[command(flatten)]
    reading: ReadingOptions,

    #[command(flatten)]
    source: SourceOptions,
}

impl Inspect {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let mut configuration = Configuration::default();
        configuration.data.dataset = anchored(&self.source_name)?;
        configuration.data.reading = self.reading.over(&ReadingConfiguration::default())?;
        let mut progress = DownloadProgress::new(*output);
        let dataset = self
            .source
            .location(None)
            .load(&configuration, &mut |event| progress.report(event))?;
        let health = Health::of(&dataset);
        output.result(&health, &table(&health))
    }
}

fn table(health: &Health) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<20}{value}");
    };
    row("source", health.dataset.clone());
    row("shape", format!("{} ({})", health.shape, health.values));
    row("training rows", health.train.to_string());
    let share = health.test_share.map_or_else(String::new, |share| {
        format!(" (a share of {share} of the source, by a hash of the content)")
    });
    row("test rows", format!("{}{share}", health.test));
    let [low, high] = health.range;
    let scale = match health.values {
        "bytes" => format!(
            " (bytes {} to {})",
            (low * 255.0).round(),
            (high * 255.0).round()
        ),
        _ => String::new(),
    };
    row("range", format!("{low} to {high}{scale}"));
    row("mean", format!("{:.4}", health.mean));
    row(
        "constant positions",
        format!("{} of every row", health.constant_positions),
    );
    row("blank rows", health.blank_rows.to_string());
    if let Some(duplicates) = health.duplicates {
        row(
            "equal rows",
            format!(
                "{} within training, {} test rows also in training",
                duplicates.within_train, duplicates.test_in_train
            ),
        );
    }
    row("fingerprint", health.fingerprint.clone());
    write_classes(&mut text, health);
    for remark in &health.remarks {
        let _ = writeln!(text, "\n{remark}");
    }
    for finding in &health.findings {
        let _ = writeln!(
            text,
            "\nfound: {}\n       {}",
            finding.found, finding.advice
        );
    }
    if health.findings.is_empty() {
        text.push_str("\nnothing unusual was found\n");
    }
    text
}

/// Classes beyond these are summed up.
const SHOWN_CLASSES: usize = 40;

fn write_classes(text: &mut String, health: &Health) {
    if health.classes.is_empty() {
        text.push_str("classes             none: there are no labels\n");
        return;
    }
    let width = health.classes.iter().take(SHOWN_CLASSES);
    let width = width.map(|class| class.name.chars().count()).max();
    let width = width.unwrap_or(0).clamp(5, 40);
    let _ = writeln!(
        text,
        "\n{:<width$}{:>10}{:>10}",
        "class", "training", "test"
    );
    for class in health.classes.iter().take(SHOWN_CLASSES) {
        let name: String = class.name.chars().take(40).collect();
        let _ = writeln!(text, "{name:<width$}{:>10}{:>10}", class.train, class.test);
    }
    let rest = health.classes.get(SHOWN_CLASSES..).unwrap_or_default();
    if !rest.is_empty() {
        let sum = |of: fn(&datasets::ClassCount) -> usize| rest.iter().map(of).sum::<usize>();
        let _ = writeln!(
            text,
            "{:<width$}{:>10}{:>10}",
            format!("{} more", rest.len()),
            sum(|class| class.train),
            sum(|class| class.test)
        );
    }
}
