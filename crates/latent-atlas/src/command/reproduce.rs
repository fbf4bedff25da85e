//! `latent-atlas reproduce`: published results made again.

use std::path::PathBuf;

use clap::Args;
use indicatif::MultiProgress;
use runs::reproduce::{self, Reproduction, Request, document};
use runs::{report, training};
use serde_json::json;

use super::iwae_table::{IwaeTableOptions, refuse_given};
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

    #[command(flatten)]
    likelihoods: LikelihoodOptions,

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

/// What only the results have that are likelihoods.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of iwae-table1 and iwae-table1-as-published")]
struct LikelihoodOptions {
    #[command(flatten)]
    table: IwaeTableOptions,

    /// Measure on the first N test images only.
    #[arg(long, value_name = "N")]
    subset: Option<usize>,

    /// Importance samples per image to bound −log p(x) with; 5000 if not given.
    #[arg(long, value_name = "K")]
    nll_samples: Option<usize>,
}

impl LikelihoodOptions {
    /// Refuses what would change nothing about a result.
    fn check(&self, reproduction: &Reproduction) -> Result<(), runs::Error> {
        if reproduction.is_of_likelihoods() {
            return Ok(());
        }
        self.table.refuse(reproduction.name, "reproduce")?;
        let own = [
            ("--subset", self.subset.is_some()),
            ("--nll-samples", self.nll_samples.is_some()),
        ];
        refuse_given(&own, reproduction.name, "reproduce")
    }
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
        let reproduction = Reproduction::find(&self.name)?;
        let likelihoods = &self.likelihoods;
        likelihoods.check(reproduction)?;
        let table = &likelihoods.table;
        let request = Request {
            reproduction,
            dataset: self.dataset.clone(),
            stages: table.stages(),
            layers: table.layers(),
            samples: table.samples(),
            subset: likelihoods.subset,
            nll_samples: likelihoods.nll_samples.unwrap_or(5000),
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
