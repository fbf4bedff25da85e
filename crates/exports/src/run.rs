//! A trained run as every format of other tools needs it.

use std::sync::OnceLock;

use datasets::{Dataset, Shape};
use figures::TrainedRun;
use models::Model;
use runs::Error;
use runs::apply::TrainedModel;
use runs::configuration::Configuration;
use runs::run_data::DataLocation;
use runs::run_folder::RunFolder;

/// A run that is exported: its settings and weights, and its data once they are
/// asked for.
#[derive(Debug)]
pub struct ExportedRun {
    trained: TrainedModel,
    location: DataLocation,
    data: OnceLock<RunRows>,
}

/// The data of a run with the run as it sees them.
#[derive(Debug)]
pub struct RunRows {
    /// The rows as they are stored, with labels, the names of classes and those
    /// of files.
    pub dataset: Dataset,
    /// What makes codes, losses and pictures of them.
    pub run: TrainedRun,
}

impl ExportedRun {
    /// Opens the last checkpoint of a run; `asked` threads, or all cores. Its
    /// data are read from `location` when a format needs them.
    ///
    /// # Errors
    /// When the folder is no run, has no checkpoint yet or a damaged one, or the
    /// threads cannot be started.
    pub fn open(
        folder: RunFolder,
        asked: Option<usize>,
        location: DataLocation,
    ) -> Result<Self, Error> {
        Ok(Self {
            trained: TrainedModel::open(folder, asked)?,
            location,
            data: OnceLock::new(),
        })
    }

    /// Where the run is.
    #[must_use]
    pub fn folder(&self) -> &RunFolder {
        self.trained.folder()
    }

    /// Its settings.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        self.trained.configuration()
    }

    /// The network and its weights.
    #[must_use]
    pub fn model(&self) -> &Model {
        self.trained.model()
    }

    /// What a row of its data is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.trained.shape()
    }

    /// The last part of the run folder's path, which files are named after:
    /// `run` where it has none.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.folder().path();
        // The folder `.` has a name of its own.
        let whole = path.canonicalize();
        let whole = whole.as_deref().unwrap_or(path);
        whole
            .file_name()
            .map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned())
    }

    /// Runs `operation` on the threads of the run.
    pub fn install<R: Send>(&self, operation: impl FnOnce() -> R + Send) -> R {
        self.trained.install(operation)
    }

    /// The data the run was trained on, read the first time.
    ///
    /// # Errors
    /// When they cannot be had or read, or are not those of the run.
    pub fn data(
        &self,
        download: &mut dyn FnMut(datasets::Progress<'_>),
    ) -> Result<&RunRows, Error> {
        if let Some(data) = self.data.get() {
            return Ok(data);
        }
        let dataset = self.location.load(self.configuration(), download)?;
        let run = TrainedRun::open(self.folder().clone(), &dataset)?;
        Ok(self.data.get_or_init(|| RunRows { dataset, run }))
    }
}
