//! `latent-atlas sample`: new images.

use std::path::PathBuf;

use clap::Args;
use runs::apply::{self, DECODED, SampleRequest};

use super::new_data::{ResultOptions, decoded_text};
use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::progress::RowProgress;

/// Decode random codes into new images, vectors or tables.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Codes are drawn from the prior N(0, I) that a VAE was trained towards. An autoencoder has none:
--fitted draws from a normal distribution with the mean and the covariance of the codes of the
training data, for any model. Code i depends on the seed and i alone: the first 16 of 64 are those
of 16. Outputs are as of `decode`.

Examples:
  latent-atlas sample runs/g1 -n 64 --seed 1 -o samples.png
  latent-atlas sample runs/ae -n 1000 --fitted -o samples.npz")]
pub struct Sample {
    /// The run folder.
    run: PathBuf,

    /// How many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64)]
    count: usize,

    /// Seed of the codes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// What the standard deviation of codes is multiplied by: below 1, images
    /// are more alike and more typical.
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    temperature: f32,

    /// Draw from a normal distribution fitted to the codes of the training data.
    #[arg(long)]
    fitted: bool,

    /// Where the training data are now, if not where they were: accepted when
    /// the content is the same.
    #[arg(long, value_name = "SOURCE", requires = "fitted")]
    dataset: Option<String>,

    #[command(flatten)]
    result: ResultOptions,

    #[command(flatten)]
    source: SourceOptions,
}

impl Sample {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let (trained, destination, interrupt) = self.result.open(output, &self.run, &DECODED)?;
        let request = SampleRequest {
            count: self.count,
            seed: self.seed,
            temperature: self.temperature,
            fitted: self
                .fitted
                .then(|| self.source.location(self.dataset.clone())),
        };
        let mut downloads = DownloadProgress::new(*output);
        let sampled = apply::sample(
            &trained,
            &request,
            destination,
            &interrupt,
            &RowProgress::new(*output),
            &mut |event| downloads.report(event),
        )?;
        output.result(&sampled, &decoded_text(&sampled.decoded, "samples"))
    }
}
