//! `latent-atlas figures`: trains what the studies need and draws them.

use std::path::PathBuf;

use clap::Args;
use indicatif::MultiProgress;
use runs::configuration::ReadingConfiguration;
use runs::interrupt::Interrupt;
use runs::training;
use serde_json::json;
use studies::draw::{self, Request};
use studies::{PlannedRun, STUDIES, Study};

use super::reading::ReadingOptions;
use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::progress::TrainingProgress;

/// Train what the studies need, draw every figure and write index.html.
#[derive(Debug, Args)]
#[command(after_long_help = after_help())]
pub struct Figures {
    /// Draw only this study (listed below); may be repeated. By default all.
    #[arg(long, value_name = "NAME")]
    study: Vec<String>,

    /// glyphs (embedded), mnist, fashion-mnist, kmnist, idx:DIR, or the path of
    /// a folder or file.
    #[arg(long, value_name = "D", default_value = "glyphs")]
    dataset: String,

    /// Fewer epochs, for a first look.
    #[arg(long)]
    quick: bool,

    /// Seeds per model, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seeds: usize,

    /// Folder of the figures and of index.html.
    #[arg(long, value_name = "DIR", default_value = "figures")]
    out: PathBuf,

    /// Folder of the runs; finished ones are used again.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,

    /// Threads to use; all cores by default. Never changes the result.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Also write the article as Markdown to this file, with small copies of
    /// the pictures in images/ beside it.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    #[command(flatten)]
    source: SourceOptions,

    #[command(flatten)]
    reading: ReadingOptions,
}

fn after_help() -> String {
    let mut text = String::from("Studies:\n");
    for study in STUDIES {
        text.push_str(&format!("  {:<14} {}\n", study.name, study.about));
    }
    text.push_str(
        "\nExamples:\n  \
         latent-atlas figures\n  \
         latent-atlas figures --dataset fashion-mnist --study lab\n  \
         latent-atlas figures --dataset mnist --data-dir ~/datasets --out mnist-figures\n  \
         latent-atlas figures --dataset mnist --seeds 5 --markdown docs/ATLAS.md",
    );
    text
}

impl Figures {
    pub(crate) fn run(&self, output: &Output, typed: &str) -> anyhow::Result<()> {
        let interrupt = Interrupt::install()?;
        let request = Request {
            studies: self.study.clone(),
            dataset: self.dataset.clone(),
            quick: self.quick,
            seeds: self.seeds,
            out: self.out.clone(),
            runs: self.runs.clone(),
            threads: self.threads,
            location: self.source.location(None),
            reading: self.reading.over(ReadingConfiguration::default()),
            command: typed.into(),
        };
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let progress = FiguresProgress {
            output: *output,
            bars: MultiProgress::new(),
        };
        let outcome = draw::draw(&request, &interrupt, &mut download, &progress)?;
        if let Some(path) = &self.markdown {
            studies::markdown::write(&self.out, path)?;
            output.note(&format!("wrote {}", path.display()));
        }
        let diverged = match outcome.diverged.len() {
            0 => String::new(),
            count => format!(", {count} diverged"),
        };
        let text = format!(
            "{} figures of {} runs ({} trained now{diverged})\n{}\n",
            outcome.figures.len(),
            outcome.runs.len(),
            outcome.trained,
            outcome.page.display()
        );
        let runs: Vec<_> = outcome.runs.iter().map(|run| run.path()).collect();
        let diverged_runs: Vec<_> = outcome.diverged.iter().map(|run| run.path()).collect();
        let document = json!({
            "page": outcome.page,
            "markdown": self.markdown,
            "figures": outcome.figures,
            "runs": runs,
            "trained": outcome.trained,
            "diverged": diverged_runs,
        });
        output.result(&document, &text)
    }
}

struct FiguresProgress {
    output: Output,
    bars: MultiProgress,
}

impl draw::Observer for FiguresProgress {
    fn training(
        &self,
        index: usize,
        total: usize,
        run: &PlannedRun,
    ) -> Box<dyn training::Observer + '_> {
        let settings = &run.configuration.training;
        let prefix = format!(
            "[{}/{total}] {} seed {}  ",
            index + 1,
            run.key,
            settings.seed
        );
        Box::new(TrainingProgress::among(
            &self.bars,
            self.output,
            &prefix,
            settings.epochs,
        ))
    }

    fn drawing(&self, study: &Study) {
        self.output.note(&format!("drawing {}", study.name));
    }
}
