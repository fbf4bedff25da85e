//! Options that say where data sets are looked up, and the progress of a
//! download.

use std::path::PathBuf;

use clap::Args;
use datasets::{Lookup, Progress};
use indicatif::ProgressBar;
use runs::interrupt::Interrupt;
use runs::run_data::DataLocation;

use crate::output::Output;
use crate::progress::style;

/// Where data sets are looked up, and whether they may be downloaded.
#[derive(Clone, Debug, Args)]
pub(crate) struct SourceOptions {
    /// Folder that holds one folder per data set; otherwise
    /// $LATENT_ATLAS_DATA, then data/.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Never download: a data set that is not on disk is an error.
    #[arg(long)]
    pub(crate) offline: bool,

    /// Download from BASE/DATASET/FILE instead of the known mirrors; may be
    /// repeated. Otherwise $LATENT_ATLAS_MIRROR, then the known mirrors.
    #[arg(long, value_name = "BASE")]
    pub(crate) mirror: Vec<String>,

    /// Do not keep decoded image folders: decode them each time.
    #[arg(long)]
    pub(crate) no_cache: bool,
}

impl SourceOptions {
    /// These options over the environment.
    pub(crate) fn lookup(&self) -> Lookup {
        let mut lookup = Lookup::from_environment();
        lookup.data_dir.clone_from(&self.data_dir);
        lookup.offline = self.offline;
        lookup.stop = Interrupt::of_process().flag();
        if !self.mirror.is_empty() {
            lookup.mirrors.clone_from(&self.mirror);
        }
        lookup
    }

    /// Where the data are, with `dataset` in place of what a run names.
    pub(crate) fn location(&self, dataset: Option<String>) -> DataLocation {
        DataLocation {
            lookup: self.lookup(),
            dataset,
            cache: if self.no_cache {
                None
            } else {
                datasets::default_cache()
            },
        }
    }
}

/// Shows a download: a bar on a terminal, a line per file when piped.
pub(crate) struct DownloadProgress {
    output: Output,
    bar: Option<ProgressBar>,
}

impl DownloadProgress {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, bar: None }
    }

    pub(crate) fn report(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Started { file, url, total } => {
                if self.output.is_interactive() {
                    let bar = ProgressBar::new(total);
                    bar.set_style(style("{bar:24} {bytes}/{total_bytes}  {wide_msg}{left}"));
                    bar.set_message(file.to_owned());
                    self.bar = Some(bar);
                } else {
                    self.output.note(&format!("downloading {url}"));
                }
            }
            Progress::Received { received, .. } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(received);
                }
            }
            Progress::Broken { reason, wait, .. } => {
                self.clear();
                self.output.note(&format!(
                    "the transfer broke, trying again in {wait:?}: {reason}"
                ));
            }
            Progress::MirrorFailed {
                reason,
                is_followed,
                ..
            } => {
                self.clear();
                if is_followed {
                    self.output.note(&format!(
                        "this mirror failed, trying the next one: {reason}"
                    ));
                }
            }
            // Finished, and whatever else ends a file.
            _ => self.clear(),
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
