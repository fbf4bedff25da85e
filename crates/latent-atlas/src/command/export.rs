//! `latent-atlas export`: a run for other tools.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use exports::rows::SplitChoice;
use exports::{Exported, ExportedRun, Format, codes_table, onnx, projector, python, tensorboard};
use runs::apply::{Destination, Kind};
use runs::run_folder::RunFolder;
use runs::shell::quoted;
use runs::{Error, atomic_file};

use super::source::{DownloadProgress, SourceOptions};
use crate::output::Output;
use crate::threads::ThreadsOption;

/// Write a run as files of other tools.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Formats:
  onnx         encoder.onnx (x to mu, log_var) and decoder.onnx (z to the mean image), in a folder
  npz, csv     codes of the run's own data with what is known of each row
  parquet      the same with the image, a place in the plane and the nearest rows, for
               embedding-atlas (a build with the feature parquet)
  projector    codes with a sprite image for TensorBoard's embedding projector, in a folder
  tensorboard  an event file in a folder: losses by epoch, pictures, distributions, settings
               (`train --tensorboard` writes it while the run is trained)
  python       model.py, the network as a program of PyTorch, and its weights, in a folder

Columns of codes (arrays of an .npz file):

  index           position of the row in its split
  split           train, validation (held out of the training rows) or test
  label, class    number and name of its class, where the data have labels
  name            of the file, where rows are files
  mu              [n, latent] mean of q(z|x), the code of an AE; in CSV mu1, mu2, …
  log_var         [n, latent] log σ² of q(z|x), a VAE's only; in CSV log_var1, log_var2, …
  reconstruction  −log p(x|z = mu) in nats, summed over the row

of a .parquet file besides:

  x, y            the two latent variables; of more, along the two principal directions of the
                  codes; of one, that and 0
  neighbors       {ids, distances} of the nearest rows in code space: positions in the file
  image           {bytes, path}, a PNG of the row, of images

Rows are those of the data set that the run was trained on; `encode` writes the codes of others.
The same run gives the same bytes.

Examples:
  latent-atlas export runs/g1 --format onnx -o g1-onnx
  latent-atlas export runs/g1 --format parquet --split all -o codes.parquet
  embedding-atlas codes.parquet --x x --y y --neighbors neighbors --image image
  latent-atlas export runs/g1 --format projector -o projector
  tensorboard --logdir projector")]
pub struct Export {
    /// The run folder.
    run: PathBuf,

    /// onnx, npz, parquet, csv, projector, tensorboard or python.
    #[arg(long, short, value_name = "FORMAT")]
    format: Format,

    /// Where to write; by default a new file or folder here, called after the run.
    #[arg(long, short, alias = "out", value_name = "PATH")]
    output: Option<PathBuf>,

    /// Rows whose codes are written: train, test (without this option) or all.
    #[arg(long, value_name = "SPLIT", value_parser = split)]
    split: Option<SplitChoice>,

    /// Nearest rows of each in a .parquet file; 15 by default, 0 for no such column.
    #[arg(long, alias = "neighbors", value_name = "K")]
    neighbours: Option<usize>,

    /// Where the files of a projector will be, for projector.json, which the
    /// stand-alone site loads with ?config=URL/projector.json.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    /// Replace the file if it exists. A folder is never replaced.
    #[arg(long)]
    force: bool,

    /// Where the data of the run are now, if not where they were: accepted when
    /// the content is the same.
    #[arg(long, value_name = "SOURCE")]
    dataset: Option<String>,

    #[command(flatten)]
    source: SourceOptions,

    #[command(flatten)]
    threads: ThreadsOption,
}

fn split(text: &str) -> Result<SplitChoice, String> {
    let found = SplitChoice::ALL
        .into_iter()
        .find(|choice| choice.name() == text.to_lowercase());
    found.ok_or_else(|| "expected train, test or all".into())
}

impl Export {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<()> {
        self.check_options()?;
        let path = self.place();
        let kind = kind(self.format)?;
        if let (Kind::Folder, Some(parent)) = (kind, path.parent()) {
            // As `train` makes the folders that its run is in.
            atomic_file::create_folder(parent)?;
        }
        let interrupt = crate::interrupt()?;
        let destination = Destination::open(&path, self.force, &[kind])?.given_up_on(&interrupt);
        let run = ExportedRun::open(
            RunFolder::at(&self.run),
            self.threads.asked(output),
            self.source.location(self.dataset.clone()),
        )?;
        let mut downloads = DownloadProgress::new(*output);
        let exported = self.export(&run, destination, &mut |event| downloads.report(event))?;
        let mut text = text(self.format, &path, &exported);
        if output.shows_progress() {
            text += &next(self.format, &path, &exported.columns);
        }
        output.result(&exported, &text)
    }

    fn export(
        &self,
        run: &ExportedRun,
        destination: Destination,
        download: &mut dyn FnMut(datasets::Progress<'_>),
    ) -> Result<Exported, Error> {
        let split = self.split.unwrap_or(SplitChoice::Test);
        match self.format {
            Format::Npz | Format::Csv => codes_table::export(run, split, destination, download),
            Format::Projector => {
                let base_url = self.base_url.as_deref();
                projector::export(run, split, base_url, destination, download)
            }
            Format::Tensorboard => tensorboard::export(run, destination, download),
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                let neighbours = self.neighbours.unwrap_or(exports::parquet::NEIGHBOURS);
                exports::parquet::export(run, split, neighbours, destination, download)
            }
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => unreachable!("refused before"),
            Format::Onnx => onnx::export(run, destination),
            Format::Python => python::export(run, destination),
        }
    }

    /// Refuses options that the format has no use for.
    fn check_options(&self) -> Result<(), Error> {
        let given = [
            ("--split", self.split.is_some(), self.format.has_rows()),
            (
                "--neighbours",
                self.neighbours.is_some(),
                self.format == Format::Parquet,
            ),
            (
                "--base-url",
                self.base_url.is_some(),
                self.format == Format::Projector,
            ),
        ];
        for (option, is_given, has_use) in given {
            if is_given && !has_use {
                return Err(Error::Configuration(format!(
                    "{option} says nothing about the format {}; leave it out",
                    self.format
                )));
            }
        }
        Ok(())
    }

    /// Where it is written.
    fn place(&self) -> PathBuf {
        if let Some(path) = &self.output {
            return path.clone();
        }
        let name = self.run.canonicalize().unwrap_or_else(|_| self.run.clone());
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        match self.format {
            Format::Npz | Format::Csv | Format::Parquet => format!("{name}.{}", self.format).into(),
            _ => format!("{name}-{}", self.format).into(),
        }
    }
}

/// The kind of file that a format is, or a folder.
fn kind(format: Format) -> Result<Kind, Error> {
    Ok(match format {
        Format::Npz => Kind::Npz,
        Format::Csv => Kind::Csv,
        #[cfg(feature = "parquet")]
        Format::Parquet => Kind::Parquet,
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            return Err(Error::Configuration(
                "--format parquet takes a build with the feature parquet; choose npz or csv".into(),
            ));
        }
        Format::Onnx | Format::Projector | Format::Tensorboard | Format::Python => Kind::Folder,
    })
}

fn text(format: Format, path: &Path, exported: &Exported) -> String {
    let mut text = format!("wrote {}", path.display());
    let _ = match (exported.rows, exported.columns.is_empty()) {
        (Some(rows), false) => write!(text, ": {rows} rows of {}", exported.columns.join(", ")),
        _ => {
            let names = exported.files.iter().filter_map(|file| file.file_name());
            let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
            write!(text, ": {}", names.join(", "))
        }
    };
    text.push('\n');
    for remark in &exported.remarks {
        let _ = writeln!(text, "{remark}");
    }
    if format == Format::Tensorboard {
        text += "steps are epochs, and times seconds of training\n";
    }
    text
}

/// What to type next, each line for a shell.
fn next(format: Format, path: &Path, columns: &[String]) -> String {
    let place = quoted(path);
    match format {
        Format::Npz => format!(
            "next: python3 -c {}\n",
            quoted(format!(
                "import numpy; a = numpy.load({:?}); print({{k: a[k].shape for k in a}})",
                path.display().to_string()
            ))
        ),
        Format::Csv => format!(
            "next: python3 -c {}\n",
            quoted(format!(
                "import pandas; print(pandas.read_csv({:?}))",
                path.display().to_string()
            ))
        ),
        Format::Parquet => {
            let mut line = format!("next: embedding-atlas {place}");
            for (option, column) in [
                ("x", "x"),
                ("y", "y"),
                ("neighbors", "neighbors"),
                ("image", "image"),
            ] {
                if columns.iter().any(|name| name == column) {
                    let _ = write!(line, " --{option} {column}");
                }
            }
            line + "\n"
        }
        Format::Projector => format!("next: tensorboard --logdir {place}   (the tab Projector)\n"),
        Format::Tensorboard => format!("next: tensorboard --logdir {place}\n"),
        Format::Onnx => format!(
            "next: python3 -c {}\n",
            quoted(format!(
                "import onnxruntime; print(onnxruntime.InferenceSession({:?}).get_outputs())",
                path.join("decoder.onnx").display().to_string()
            ))
        ),
        Format::Python => {
            format!("next: cd {place} && python3 -c 'from model import load; print(load())'\n")
        }
    }
}
