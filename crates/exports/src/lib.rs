//! Trained runs as files of other tools: one module for each format.
//!
//! Every format is a function `export(run: &ExportedRun, …)` that writes a file, or a
//! folder of files, and returns what it wrote: into a [`Destination`], where nothing of
//! somebody else stands and what is written appears whole or not at all. The same run
//! gives the same bytes: no format asks a clock.

#![forbid(unsafe_code)]

pub mod codes_table;
mod format;
pub mod metadata;
pub mod onnx;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod projector;
pub mod python;
pub mod rows;
pub mod run;
pub mod tensorboard;

use std::path::{Path, PathBuf};

use runs::Error;
use runs::apply::Destination;
use serde::Serialize;

pub use format::Format;
pub use run::{ExportedRun, RunRows};

/// What was written.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exported {
    /// The files.
    #[serde(serialize_with = "shown")]
    pub files: Vec<PathBuf>,
    /// The rows they hold, where they hold rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// What is said of each row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// What was decided, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl Exported {
    /// A folder of these files, which are there once all of them are.
    fn folder(destination: Destination, files: &[(&str, Vec<u8>)]) -> Result<Self, Error> {
        for (name, bytes) in files {
            destination.add(Path::new(name), bytes)?;
        }
        let folder = destination.finish()?;
        Ok(Self {
            files: files.iter().map(|(name, _)| folder.join(name)).collect(),
            ..Self::default()
        })
    }
}

/// Paths that are no text are shown as far as they are.
fn shown<S: serde::Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(runs::shell::shown))
}
