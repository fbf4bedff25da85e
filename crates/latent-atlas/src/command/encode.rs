//! `latent-atlas encode`: codes of new data.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use runs::apply::{self, ENCODED, Encoded};

use super::new_data::{NewDataOptions, ResultOptions, treated};
use super::source::DownloadProgress;
use crate::output::Output;
use crate::progress::RowProgress;

/// Write the codes of images, vectors or tables.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Columns of a .csv file, arrays of an .npz file; an .npy file holds mu alone:

  index           position of the row in its part of the source
  split           train or test, where both are encoded
  label           as the source has it, where it has labels
  class           its name, where labels have names
  name            of the file, where rows are files
  mu              [n, latent] mean of q(z|x), the code of an AE; in CSV mu1, mu2, …
  log_var         [n, latent] log σ² of q(z|x), a VAE's only; in CSV log_var1, log_var2, …
  reconstruction  −log p(x|z = mu) in nats, summed over the row

Rows are read as the run read its own: [data.reading] of its config.toml, over which the options
win, and as many channels as its images have. They are treated as `eval` treats the run's test
images: binarised for a run of binary images, standardised for a run of standardised data, and
reconstruction is of the values after that. Memory does not grow with the number of rows.

Examples:
  latent-atlas encode runs/g1 mnist --split test -o codes.npz
  latent-atlas encode runs/faces my-pictures/ --resize 64x64 -o codes.csv")]
pub struct Encode {
    /// The run folder.
    run: PathBuf,

    #[command(flatten)]
    data: NewDataOptions,

    #[command(flatten)]
    result: ResultOptions,
}

impl Encode {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let (trained, destination, interrupt) = self.result.open(output, &self.run, ENCODED)?;
        let mut downloads = DownloadProgress::new(*output);
        let encoded = apply::encode(
            &trained,
            &self.data.request(&trained)?,
            destination,
            &interrupt,
            &RowProgress::new(*output),
            &mut |event| downloads.report(event),
        )?;
        output.result(&encoded, &text(&encoded))
    }
}

fn text(encoded: &Encoded) -> String {
    let mut text = format!(
        "wrote {}: {} codes of {} latent variables, of {}{}{}\n",
        encoded.output.display(),
        encoded.rows,
        encoded.latent,
        encoded.dataset,
        treated(encoded.data_treatment),
        if encoded.standardised {
            ", standardised"
        } else {
            ""
        },
    );
    for part in &encoded.parts {
        let _ = writeln!(
            text,
            "{:<8}{:>10} rows   reconstruction {:.2} nats per row (z = mean)",
            part.part, part.rows, part.reconstruction
        );
    }
    text
}
