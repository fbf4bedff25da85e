//! What a study draws with: the data, the runs, and where figures go.

use std::path::{Path, PathBuf};

use datasets::Dataset;
use serde_json::{Value, json};
use viz::page::{FigureLink, Text};
use viz::{ImageRef, Sidecar};

use super::{Scale, TrainedRun};
use crate::error::Error;

/// The data and runs of one study, and the folder of its figures.
#[derive(Debug)]
pub struct Drawing<'a> {
    /// The data set.
    pub dataset: &'a Dataset,
    /// The runs, in the order they were planned.
    pub runs: &'a [TrainedRun],
    /// How much work was allowed.
    pub scale: Scale,
    folder: &'a Path,
    written: Vec<PathBuf>,
}

impl<'a> Drawing<'a> {
    pub(crate) fn new(
        dataset: &'a Dataset,
        runs: &'a [TrainedRun],
        folder: &'a Path,
        scale: Scale,
    ) -> Self {
        Self {
            dataset,
            runs,
            scale,
            folder,
            written: Vec::new(),
        }
    }

    /// The first seed's run of the model called `key`.
    ///
    /// # Panics
    /// When the study did not plan such a run.
    #[must_use]
    pub fn run(&self, key: &str) -> &'a TrainedRun {
        self.runs
            .iter()
            .find(|run| run.key == key)
            .expect("a study draws only runs it planned")
    }

    /// Writes one figure with its data beside it, and returns the link for the
    /// page. Bare pictures are shown at their size, charts at half of it.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn write<'i>(
        &mut self,
        name: &str,
        image: impl Into<ImageRef<'i>>,
        figure: Described<'_>,
    ) -> Result<FigureLink, Error> {
        let image = image.into();
        let (width, height) = (image.width(), image.height());
        let path = self.folder.join(format!("{name}.png"));
        let sidecar = Sidecar {
            description: figure.caption.into(),
            configuration: configuration_of(self.dataset, figure.runs),
            data: figure.data,
        };
        viz::write_figure(&path, image, &sidecar)?;
        self.written.push(path);
        let halves = if figure.bare { 1 } else { 2 };
        Ok(FigureLink {
            source: format!("{name}.png"),
            size: (width / halves, height / halves),
            alternative: figure.caption.into(),
            caption: Text::from(figure.caption),
        })
    }

    pub(crate) fn written(self) -> Vec<PathBuf> {
        self.written
    }
}

/// What goes with a figure.
#[derive(Debug)]
pub struct Described<'a> {
    /// The caption on the page.
    pub caption: &'a str,
    /// The runs it shows.
    pub runs: &'a [&'a TrainedRun],
    /// The numbers it draws.
    pub data: Value,
    /// Whether it is a picture without axes, shown at its own size.
    pub bare: bool,
}

fn configuration_of(dataset: &Dataset, runs: &[&TrainedRun]) -> Value {
    let runs: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "model": run.key,
                "configuration": run.configuration,
                "epochs": run.metrics.len(),
            })
        })
        .collect();
    json!({
        "dataset": dataset.name,
        "dataset_sha256": dataset.fingerprint,
        "revision": env!("LATENT_ATLAS_REVISION"),
        "runs": runs,
    })
}
