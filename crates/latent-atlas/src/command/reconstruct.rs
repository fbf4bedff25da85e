//! `latent-atlas reconstruct`: reconstructions of new data.

use std::path::PathBuf;

use clap::Args;
use runs::apply::{self, RECONSTRUCTED, ReconstructRequest, Reconstructed};

use super::new_data::{NewDataOptions, ResultOptions, between, treated};
use super::source::DownloadProgress;
use crate::output::Output;
use crate::progress::RowProgress;

/// Write what a model makes of images, vectors or tables.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A reconstruction is the decoded code of a row (of a VAE, the decoded mean of q(z|x)): the mean of
every value under the likelihood, in the units of the data.

  -o pairs.png   a montage of --count rows with the reconstruction below each; vectors are lines,
                 the reconstruction in orange
  -o DIR         a PNG for each row, called as in the source or by its position
  -o x.npz       the arrays x and reconstruction [n, values]; .csv: x1, …, reconstruction1, …

x is what the network saw: binarised for a run of binary images. See `encode` for how rows are read.

Examples:
  latent-atlas reconstruct runs/g1 mnist --split test --count 40 --seed 1 -o pairs.png
  latent-atlas reconstruct runs/faces my-pictures/ -o reconstructed/")]
pub struct Reconstruct {
    /// The run folder.
    run: PathBuf,

    #[command(flatten)]
    data: NewDataOptions,

    /// How many rows a montage shows.
    #[arg(long, value_name = "N", default_value_t = 32)]
    count: usize,

    /// Choose the rows of a montage with this seed; by default the first ones.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    #[command(flatten)]
    result: ResultOptions,
}

impl Reconstruct {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let (trained, destination, interrupt) =
            self.result.open(output, &self.run, &RECONSTRUCTED)?;
        let request = ReconstructRequest {
            data: self.data.request(&trained)?,
            count: self.count,
            seed: self.seed,
        };
        let mut downloads = DownloadProgress::new(*output);
        let reconstructed = apply::reconstruct(
            &trained,
            &request,
            destination,
            &interrupt,
            &RowProgress::new(*output),
            &mut |event| downloads.report(event),
        )?;
        output.result(&reconstructed, &text(&reconstructed, self.count))
    }
}

fn text(reconstructed: &Reconstructed, asked: usize) -> String {
    let Reconstructed {
        output,
        dataset,
        rows,
        shown,
        shape,
        range,
        data_treatment,
    } = reconstructed;
    let (output, treatment) = (output.display(), treated(*data_treatment));
    match shown {
        None => {
            format!("wrote {output}: {rows} reconstructions of {shape}, of {dataset}{treatment}")
        }
        Some(shown) => {
            let count = shown.len();
            let room = if count < asked.min(*rows) {
                "; there is room for no more"
            } else {
                ""
            };
            format!(
                "wrote {output}: {count} of {rows} rows of {dataset} ({shape}{treatment}) with their reconstructions{}{room}",
                between(*range)
            )
        }
    }
}
