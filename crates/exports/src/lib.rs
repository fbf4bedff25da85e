//! Trained runs as files of other tools: one module for each format.
//!
//! Every format is a function `export(run: &ExportedRun, out: &Path, …) ->
//! Result<Vec<PathBuf>, runs::Error>`, which writes the file `out`, or files into
//! the folder `out`, and returns what it wrote. The same run gives the same bytes:
//! no format asks a clock. Files appear whole. That nothing of somebody else
//! stands where they go is seen to by whoever calls, before the run is opened.

#![forbid(unsafe_code)]

pub mod run;

pub use run::{ExportedRun, RunRows};
