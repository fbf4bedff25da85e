//! `latent-atlas decode`: images of codes.

use std::path::PathBuf;

use clap::Args;
use runs::apply::{self, DECODED};

use super::new_data::{ResultOptions, decoded_text};
use crate::output::Output;
use crate::progress::RowProgress;

/// Decode codes into images, vectors or tables.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Codes are a .npy array [n, latent]; an .npz file with the array mu or z, or with one array alone; or
a .csv file with the columns mu1, mu2, … or z1, z2, … among any others, or with numbers alone. What
`encode` writes is read. A row is the mean of every value under the likelihood, in the units of the
data.

  -o images.png  a montage; vectors are lines
  -o DIR         a PNG for each code, called by its position
  -o x.npz       the arrays z [n, latent] and x [n, values]; .csv: z1, …, x1, …

Examples:
  latent-atlas decode runs/g1 codes.csv -o images.png
  latent-atlas decode runs/g1 codes.npy -o images.npz")]
pub struct Decode {
    /// The run folder.
    run: PathBuf,

    /// The file of codes.
    codes: PathBuf,

    #[command(flatten)]
    result: ResultOptions,
}

impl Decode {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let (trained, destination, interrupt) = self.result.open(output, &self.run, &DECODED)?;
        let decoded = apply::decode(
            &trained,
            &self.codes,
            destination,
            &interrupt,
            &RowProgress::new(*output),
        )?;
        output.result(&decoded, &decoded_text(&decoded, "decoded codes"))
    }
}
