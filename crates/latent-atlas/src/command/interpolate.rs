//! `latent-atlas interpolate`: what lies between two images.

use std::path::PathBuf;

use clap::Args;
use runs::apply::{self, DECODED, InterpolateRequest, Place};

use super::new_data::{ResultOptions, decoded_text};
use super::settings::ReadingOptions;
use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::progress::RowProgress;

/// Decode the codes on the line between two images, vectors or rows.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A and B are positions in the run's test set (17 or test:17) or training set (train:17), or files
with one image each. The first and the last image are their reconstructions. A strip is as wide as
its steps; other outputs are as of `decode`.

Examples:
  latent-atlas interpolate runs/g1 0 17 -o strip.png
  latent-atlas interpolate runs/faces ann.png bob.jpg --steps 15 -o strip.png
  latent-atlas interpolate runs/g1 train:3 test:4 --dataset fashion-mnist -o strip.png")]
pub struct Interpolate {
    /// The run folder.
    run: PathBuf,

    /// Where it begins.
    #[arg(value_name = "A")]
    from: Place,

    /// Where it ends.
    #[arg(value_name = "B")]
    to: Place,

    /// How many images, both ends included.
    #[arg(long, value_name = "N", default_value_t = 9)]
    steps: usize,

    /// Data set of the positions; by default the run's own.
    #[arg(long, value_name = "SOURCE")]
    dataset: Option<String>,

    #[command(flatten)]
    result: ResultOptions,

    #[command(flatten)]
    reading: ReadingOptions,

    #[command(flatten)]
    source: SourceOptions,
}

impl Interpolate {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let (trained, destination, interrupt) = self.result.open(output, &self.run, &DECODED)?;
        let request = InterpolateRequest {
            ends: [self.from.clone(), self.to.clone()],
            steps: self.steps,
            reading: self.reading.over(&trained.configuration().data.reading)?,
            location: self.source.location(self.dataset.clone()),
        };
        let mut downloads = DownloadProgress::new(*output);
        let interpolated = apply::interpolate(
            &trained,
            &request,
            destination,
            &interrupt,
            &RowProgress::new(*output),
            &mut |event| downloads.report(event),
        )?;
        let [from, to] = &interpolated.ends;
        let what = format!("steps from {from} to {to}");
        output.result(&interpolated, &decoded_text(&interpolated.decoded, &what))
    }
}
