//! The data that all runs of a call are of.

use std::collections::BTreeSet;

use datasets::Dataset;
use runs::Error;
use runs::configuration::{Configuration, ReadingConfiguration};
use runs::run_data::anchored;

use crate::{PlannedRun, Study};

/// Which data all runs are of, as their configurations say it.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    /// The same from every working directory.
    pub(crate) name: String,
    pub(super) reading: ReadingConfiguration,
}

impl Data {
    /// What the command asks for, or else what the studies do.
    pub(crate) fn of_studies(
        dataset: Option<&str>,
        reading: &ReadingConfiguration,
        studies: &[Study],
    ) -> Result<Self, Error> {
        /// For a first look, and without a download.
        const EMBEDDED: &str = "glyphs";
        let named = studies.iter().map(Study::dataset);
        let distinct: BTreeSet<&str> = named.map(|name| name.unwrap_or(EMBEDDED)).collect();
        let name = match (dataset, distinct.first()) {
            (Some(dataset), _) => dataset,
            (None, Some(only)) if distinct.len() == 1 => only,
            _ => {
                let names: Vec<&str> = distinct.into_iter().collect();
                return Err(Error::Configuration(format!(
                    "the studies are of different data sets ({}); draw them one by one, or choose one with --dataset",
                    names.join(", ")
                )));
            }
        };
        let reading = if *reading != ReadingConfiguration::default() {
            reading.clone()
        } else {
            studies
                .first()
                .map(|study| study.reading().clone())
                .unwrap_or_default()
        };
        Ok(Self {
            name: anchored(name)?,
            reading,
        })
    }

    /// The same settings of these data.
    pub(crate) fn of(&self, mut configuration: Configuration) -> Configuration {
        configuration.data.dataset.clone_from(&self.name);
        configuration.data.reading = self.reading.clone();
        configuration
    }

    /// Runs of this data set, so that each can be measured and continued from
    /// its folder alone.
    pub(crate) fn planned(
        &self,
        dataset: &Dataset,
        runs: Vec<PlannedRun>,
    ) -> Result<Vec<PlannedRun>, Error> {
        runs.into_iter()
            .map(|run| {
                Ok(PlannedRun {
                    configuration: self.of(run.configuration).of_shape(dataset)?,
                    ..run
                })
            })
            .collect()
    }
}
