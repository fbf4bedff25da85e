//! `latent-atlas reproduce`: published results made again.

use std::path::PathBuf;

use clap::Args;
use indicatif::MultiProgress;
use runs::reproduce::{self, Reproduction, Request, document};
use runs::{report, training};
use serde_json::json;

use super::source::{DownloadProgress, SourceOptions};
use crate::checkpoints::CheckpointOption;
use crate::jobs::JobsOption;
use crate::output::Output;
use crate::portable::PortableOption;
use crate::progress::{ImageProgress, TrainingProgress, note_above};

/// Make a published result again: our figures beside the published ones.
#[derive(Debug, Args)]
#[command(after_long_help = after_help(), args_override_self = true)]
pub struct Reproduce {
    /// Which result (listed below).
    name: String,

    /// Stages of the IWAE schedule: 1 to 8, for (3^S - 1)/2 epochs. A run of
    /// fewer stages goes on where it ended.
    #[arg(long, value_name = "S", default_value_t = 8)]
    stages: u32,

    /// Stochastic layers of iwae-table1 and iwae-table1-as-published: 1 or 2.
    #[arg(long, value_name = "L", default_value_t = 1)]
    layers: usize,

    /// Samples of the bound in training, one row each.
    #[arg(long = "k", value_name = "K", value_delimiter = ',', default_values_t = [1, 5, 50])]
    samples: Vec<usize>,

    /// Measure on the first N test images only.
    #[arg(long, value_name = "N")]
    subset: Option<usize>,

    /// Importance samples per image to bound −log p(x) with.
    #[arg(long, value_name = "K", default_value_t = 5000)]
    nll_samples: usize,

    /// The images: the published numbers are of mnist; see train --dataset.
    #[arg(long, value_name = "D", default_value = "mnist")]
    dataset: String,

    /// Seeds of the runs, separated by commas: a run and its rows for each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [reproduce::SEED])]
    seed: Vec<u64>,

    /// Measure the runs as they stand; a row says how many epochs its run had.
    #[arg(long)]
    no_training: bool,

    /// Folder of the runs and results; what is finished there is not repeated.
    #[arg(
        long,
        short_alias = 'o',
        alias = "output",
        value_name = "DIR",
        default_value = "reproductions"
    )]
    out: PathBuf,

    /// Also write the document of everything reproduced so far.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    #[command(flatten)]
    jobs: JobsOption,

    #[command(flatten)]
    portable: PortableOption,

    #[command(flatten)]
    checkpoints: CheckpointOption,

    #[command(flatten)]
    source: SourceOptions,
}

fn after_help() -> String {
    let mut text = String::from("Results:\n");
    for one in Reproduction::ALL {
        text.push_str(&format!("  {:<25} {}\n", one.name, one.about));
    }
    text.push_str(
        "\nA signal stops training after a checkpoint (exit code 75); the same command goes on.\n\
         \nExamples:\n  \
         latent-atlas reproduce pytorch-example\n  \
         latent-atlas reproduce keras-2d --seed 1,2,3,4\n  \
         latent-atlas reproduce iwae-table1 --stages 4 --k 1 --subset 1000\n  \
         latent-atlas reproduce iwae-table1 --layers 2 --stages 3 --k 1 --subset 1000\n  \
         latent-atlas reproduce iwae-table1-as-published --stages 5 --k 1,5\n  \
         latent-atlas reproduce iwae-table1 --k 1 --markdown docs/RESULTS.md",
    );
    text
}

impl Reproduce {
    pub(crate) fn run(&self, output: &Output, typed: &str) -> anyhow::Result<()> {
        self.portable.decide()?;
        let interrupt = crate::interrupt()?;
        let request = Request {
            reproduction: Reproduction::find(&self.name)?,
            dataset: self.dataset.clone(),
            stages: self.stages,
            layers: self.layers,
            samples: self.samples.clone(),
            subset: self.subset,
            nll_samples: self.nll_samples,
            seeds: self.seed.clone(),
            trains: !self.no_training,
            out: self.out.clone(),
            limits: self.jobs.limits(output),
            checkpoint_every: self.checkpoints.every(),
            lookup: self.source.lookup(),
            command: typed.into(),
        };
        if let Some(path) = &self.markdown {
            runs::atomic_file::check_file(path)?;
        }
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let progress = RowProgress {
            output: *output,
            bars: MultiProgress::new(),
        };
        let rows = reproduce::run(&request, &interrupt, &mut download, &progress)?;
        if let Some(path) = &self.markdown {
            document::write(&self.out, path)?;
            output.note(&format!("wrote {}", path.display()));
        }
        let text = format!("{}\n\n{}", request.reproduction.about, rows.table().text());
        output.result(&json!({ "rows": rows }), &text)
    }
}

struct RowProgress {
    output: Output,
    bars: MultiProgress,
}

impl reproduce::Observer for RowProgress {
    fn training(&self, row: &str, epochs: usize) -> Box<dyn training::Observer + '_> {
        let prefix = format!("{row}  ");
        Box::new(TrainingProgress::among(
            &self.bars,
            self.output,
            &prefix,
            epochs,
        ))
    }

    fn measuring(&self, row: &str) -> Box<dyn report::Observer + '_> {
        note_above(&self.bars, self.output, &format!("measuring {row}"));
        let prefix = format!("{row}  ");
        Box::new(ImageProgress::among(&self.bars, self.output, &prefix))
    }

    fn remark(&self, sentence: &str) {
        note_above(&self.bars, self.output, sentence);
    }
}
