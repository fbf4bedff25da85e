//! `latent-atlas figures`: trains what the studies need and draws them.

use std::path::PathBuf;

use clap::Args;
use figures::of_runs;
use figures::pictures::{KIT, Kind};
use indicatif::MultiProgress;
use runs::configuration::ReadingConfiguration;
use runs::interrupt::Interrupt;
use runs::run_folder::RunFolder;
use runs::shell::shown;
use runs::training;
use serde_json::json;
use studies::draw::{self, Request};
use studies::{PlannedRun, STUDIES, Seeds, Study};
use viz::{FigureOutput, FigureScale, Format};

use super::settings::ReadingOptions;
use super::source::{DownloadProgress, SourceOptions};
use crate::checkpoints::CheckpointOption;
use crate::jobs::JobsOption;
use crate::output::Output;
use crate::portable::PortableOption;
use crate::progress::{TrainingProgress, note_above};

/// Draw everything about some runs, or train what studies need and draw them.
#[derive(Debug, Args)]
#[command(after_long_help = after_help())]
pub struct Figures {
    /// Runs to draw side by side instead of studies; all of one data set.
    #[arg(value_name = "RUN", conflicts_with_all = ["study", "quick", "seeds", "first_seed", "runs", "markdown", "jobs"])]
    of_runs: Vec<PathBuf>,

    /// Draw only this figure of the runs (listed below); may be repeated.
    #[arg(
        long,
        value_name = "NAME",
        requires = "of_runs",
        conflicts_with = "study"
    )]
    figure: Vec<String>,

    /// Draw only this study (listed below), or the one in this file (*.toml; see
    /// 'latent-atlas study new'); may be repeated. By default all of the list.
    #[arg(long, value_name = "NAME|FILE")]
    study: Vec<String>,

    /// glyphs (embedded; the default), mnist, fashion-mnist, kmnist, idx:DIR, or
    /// the path of a folder or file; for runs, where their data are now.
    #[arg(long, value_name = "D")]
    dataset: Option<String>,

    /// Fewer epochs, for a first look.
    #[arg(long)]
    quick: bool,

    /// Seeds per model, counted from --first-seed; by default 1, or what a study's file
    /// says. With until-decided, models get 5, 10, 20, … seeds, at most MAX (40),
    /// as long as a statement about them is undecided; what is decided keeps its
    /// numbers, and the level of error holds for all looks together.
    #[arg(long, value_name = "N|until-decided[:MAX]")]
    seeds: Option<Seeds>,

    /// The first seed of each model: another range of seeds decides every statement
    /// anew.
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    first_seed: u64,

    /// Folder of the figures and of index.html: figures by default, of one run
    /// the folder figures of the run.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Folder of the runs; finished ones are used again.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,

    /// Formats of the charts beside PNG: png, svg, pdf, separated by commas.
    #[arg(long, value_name = "FORMATS", value_delimiter = ',')]
    format: Vec<Format>,

    /// Size charts also for a slide (larger words) or for a printed column
    /// (85 or 180 mm wide), in a folder of that name.
    #[arg(long, value_name = "SCALE", default_value = "screen")]
    scale: FigureScale,

    /// Write charts also without title and caption, in the folder bare.
    #[arg(long)]
    bare: bool,

    #[command(flatten)]
    jobs: JobsOption,

    #[command(flatten)]
    portable: PortableOption,

    #[command(flatten)]
    checkpoints: CheckpointOption,

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
    let mut text = String::from("Figures of runs:\n");
    for kind in KIT {
        text.push_str(&format!("  {:<16} {}\n", kind.name, kind.about));
    }
    text.push_str("\nStudies:\n");
    for study in STUDIES.iter() {
        text.push_str(&format!("  {:<16} {}\n", study.name(), study.about()));
    }
    text.push_str(
        "\nExamples:\n  \
         latent-atlas figures runs/mine\n  \
         latent-atlas figures runs/one runs/another --out compared\n  \
         latent-atlas figures\n  \
         latent-atlas figures --dataset fashion-mnist --study lab\n  \
         latent-atlas figures --study my-study.toml\n  \
         latent-atlas figures --dataset mnist --data-dir ~/datasets --out mnist-figures\n  \
         latent-atlas figures --dataset mnist --seeds 20 --markdown docs/ATLAS.md\n  \
         latent-atlas figures --study lab --seeds until-decided:80\n  \
         latent-atlas figures --seeds 20 --first-seed 20 --out again",
    );
    text
}

impl Figures {
    pub(crate) fn run(&self, output: &Output, typed: &str) -> anyhow::Result<()> {
        self.portable.decide()?;
        let interrupt = crate::interrupt()?;
        if !self.of_runs.is_empty() {
            return self.draw_runs(output, typed, &interrupt);
        }
        if let Some(seeds) = self.seeds {
            seeds.check("--seeds")?;
        }
        let request = Request {
            studies: self.study.clone(),
            dataset: self.dataset.clone(),
            quick: self.quick,
            seeds: self.seeds,
            first_seed: self.first_seed,
            out: self.out.clone().unwrap_or_else(|| "figures".into()),
            runs: self.runs.clone(),
            output: self.output(),
            limits: self.jobs.limits(output),
            checkpoint_every: self.checkpoints.every(),
            location: self.source.location(None),
            reading: self.reading.over(&ReadingConfiguration::default())?,
            command: typed.into(),
        };
        if let Some(path) = &self.markdown {
            runs::atomic_file::check_file(path)?;
        }
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let progress = FiguresProgress {
            output: *output,
            bars: MultiProgress::new(),
        };
        let outcome = draw::draw(&request, &interrupt, &mut download, &progress)?;
        if let Some(path) = &self.markdown {
            studies::markdown::write(&request.out, path)?;
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
        let paths =
            |runs: &[RunFolder]| -> Vec<_> { runs.iter().map(|run| shown(run.path())).collect() };
        let document = json!({
            "page": shown(&outcome.page),
            "markdown": self.markdown.as_ref().map(shown),
            "figures": all_shown(&outcome.figures),
            "runs": paths(&outcome.runs),
            "trained": outcome.trained,
            "diverged": paths(&outcome.diverged),
        });
        output.result(&document, &text)
    }

    fn output(&self) -> FigureOutput {
        let mut formats = self.format.clone();
        formats.retain(|format| *format != Format::Png);
        FigureOutput {
            formats,
            bare: self.bare,
            scale: self.scale,
        }
    }

    fn draw_runs(&self, output: &Output, typed: &str, interrupt: &Interrupt) -> anyhow::Result<()> {
        let out = match (&self.out, &self.of_runs[..]) {
            (Some(out), _) => out.clone(),
            (None, [run]) => run.join("figures"),
            (None, _) => "figures".into(),
        };
        let request = of_runs::Request {
            runs: self.of_runs.iter().map(RunFolder::at).collect(),
            pictures: self.figure.clone(),
            out,
            output: self.output(),
            threads: self.jobs.threads().asked(output),
            location: self.source.location(self.dataset.clone()),
            command: typed.into(),
        };
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let mut drawing = |kind: &Kind| output.note(&format!("drawing {}", kind.name));
        let outcome = of_runs::draw(&request, interrupt, &mut download, &mut drawing)?;
        let text = format!(
            "{} figures\n{}\n",
            outcome.figures.len(),
            outcome.page.display()
        );
        let document =
            json!({"page": shown(&outcome.page), "figures": all_shown(&outcome.figures)});
        output.result(&document, &text)
    }
}

fn all_shown(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(shown).collect()
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
        self.output.note(&format!("drawing {}", study.name()));
    }

    fn remark(&self, sentence: &str) {
        note_above(&self.bars, self.output, sentence);
    }
}
