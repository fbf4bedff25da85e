//! `latent-atlas explore`: a page in which models decode under the pointer.

use std::path::PathBuf;

use clap::Args;
use explorer::{Precision, Weights};
use figures::TrainedRun;
use figures::explore::{self, Options, Outcome, Request};
use runs::run_folder::RunFolder;
use runs::shell::shown;
use serde_json::json;

use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::threads::ThreadsOption;

/// Write a page in which the models decode under the pointer.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The page is one file that any browser opens without a network: the models of the runs with the codes
of their test images. It decodes where the pointer, a finger or the arrow keys are, and says at each
code how far from the data it is; it has the decoded map, stretch, densities and posteriors as layers,
paths between two codes, the codes as training moved them, a pad for images of one's own, and a lasso.
Runs of the same data stand side by side; up to 12, of which 4 have room.

Weights keep as many bits as it takes for decoded values to be those of the program to 0.001 of their
range, and codes to 0.001 of their standard deviation; --compact keeps 8, and what that costs is said.
A page above 10 MB is said to be large, one above 25 MB is written with --force alone.

Examples:
  latent-atlas explore runs/vae -o atlas.html
  latent-atlas explore runs/ae runs/vae -o ae-beside-vae.html
  latent-atlas explore runs/faces -o faces.html --images 2000 --thumbnails 500 --compact
  latent-atlas explore runs/m1 -o mnist.html --data-dir ~/datasets --json")]
pub struct Explore {
    /// The run folders, all of one data set.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,

    /// The page: a new file, or a page of this kind, which is replaced.
    #[arg(long, short, value_name = "PAGE.html")]
    out: PathBuf,

    /// Show the codes of at most so many test images (or vectors), a random
    /// choice where there are more.
    #[arg(long, value_name = "N", default_value_t = Options::default().images)]
    images: usize,

    /// Hold small pictures of at most so many of them, of each class as many.
    #[arg(long, value_name = "N", default_value_t = Options::default().thumbnails)]
    thumbnails: usize,

    /// Keep 8 bits of each weight.
    #[arg(long)]
    compact: bool,

    /// Leave the encoders out: images of one's own cannot be encoded then.
    #[arg(long)]
    without_encoder: bool,

    /// Replace a file that is no such page, and write a page above 25 MB.
    #[arg(long)]
    force: bool,

    /// Where the data of the runs are now, if not where they were: a name, or
    /// the path of a folder or file.
    #[arg(long, value_name = "D")]
    dataset: Option<String>,

    #[command(flatten)]
    threads: ThreadsOption,

    #[command(flatten)]
    source: SourceOptions,
}

impl Explore {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        let interrupt = crate::interrupt()?;
        let request = Request {
            runs: self.runs.iter().map(RunFolder::at).collect(),
            out: self.out.clone(),
            options: Options {
                images: self.images,
                thumbnails: self.thumbnails,
                weights: Weights {
                    compact: self.compact,
                    without_encoder: self.without_encoder,
                },
            },
            force: self.force,
            threads: self.threads.asked(output),
            location: self.source.location(self.dataset.clone()),
        };
        let mut downloads = DownloadProgress::new(*output);
        let mut download = |event: datasets::Progress<'_>| downloads.report(event);
        let mut opened = |runs: &[TrainedRun]| {
            for run in runs {
                output.note(&format!("exploring {}", run.title()));
            }
        };
        let outcome = explore::write(&request, &interrupt, &mut download, &mut opened)?;
        let runs: Vec<_> = outcome
            .runs
            .iter()
            .zip(&outcome.precisions)
            .map(|((folder, title), precision)| {
                json!({
                    "run": shown(folder.path()),
                    "title": title,
                    "decoder_bits": precision.decoder_bits,
                    "encoder_bits": precision.encoder_bits,
                    "decoded_error": precision.decoded_error,
                    "encoded_error": precision.encoded_error,
                })
            })
            .collect();
        let document = json!({
            "page": shown(&outcome.page),
            "bytes": outcome.bytes,
            "images": outcome.images,
            "thumbnails": outcome.thumbnails,
            "runs": runs,
            "remarks": outcome.remarks,
        });
        output.result(&document, &text(&outcome))
    }
}

fn text(outcome: &Outcome) -> String {
    let mut text = format!(
        "wrote {}: {:.2} MB, the codes of {} rows, pictures of {} of them\n",
        outcome.page.display(),
        outcome.bytes as f64 / 1e6,
        outcome.images,
        outcome.thumbnails
    );
    for ((_, title), precision) in outcome.runs.iter().zip(&outcome.precisions) {
        text += &format!("{title}: {}\n", precision_in_words(precision));
    }
    for remark in &outcome.remarks {
        text += &format!("{remark}\n");
    }
    text
}

fn precision_in_words(precision: &Precision) -> String {
    let decoder = format!(
        "weights of {} bits in the decoder, which were seen to change decoded values by {:.1e} of their range",
        precision.decoder_bits, precision.decoded_error
    );
    match precision.encoder_bits.zip(precision.encoded_error) {
        None => format!("{decoder}; no encoder"),
        Some((bits, error)) => format!(
            "{decoder}; of {bits} bits in the encoder, which were seen to change codes by {error:.1e} of their standard deviation"
        ),
    }
}
