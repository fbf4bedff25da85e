//! Test losses of widely run recipes on grey images.

use serde::{Deserialize, Serialize};

use super::{Planned, Row, Workshop, write_row};
use crate::error::Error;
use crate::run_folder::{Losses, RunFolder};

/// What others found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishedLoss {
    /// Lower end of the range a run of the recipe should fall into.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// What the range is drawn around.
    pub source: String,
}

/// One measured row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossRow {
    /// Epochs completed.
    pub epochs: usize,
    /// On the test images, z sampled, nats per image.
    pub test: Losses,
    /// Running mean over the epoch's training batches.
    pub train: Losses,
    /// What others found; absent for other data.
    pub published: Option<PublishedLoss>,
    /// The images.
    pub dataset: String,
    /// Seed of the run.
    pub seed: u64,
}

/// A row per epoch that has a published number, of every seed.
pub(super) fn rows(workshop: &Workshop<'_>) -> Result<Vec<LossRow>, Error> {
    let planned = planned(workshop)?;
    let rows = workshop.complete(&planned, 0, |place, _| rows_of(workshop, &planned[place]))?;
    Ok(rows.concat())
}

/// The run of every seed asked for.
pub(super) fn planned(workshop: &Workshop<'_>) -> Result<Vec<Planned>, Error> {
    let (request, name) = (workshop.request, workshop.request.reproduction.name);
    let planned = request.seeds.iter().map(|seed| {
        Ok(Planned {
            row: match request.seeds.len() {
                1 => name.to_owned(),
                _ => format!("{name}, seed {seed}"),
            },
            configuration: workshop.configuration(name, *seed, &[])?,
            folder: RunFolder::at(workshop.folder.join(format!("seed{seed}"))),
        })
    });
    planned.collect()
}

fn rows_of(workshop: &Workshop<'_>, planned: &Planned) -> Result<Vec<LossRow>, Error> {
    let reproduction = workshop.request.reproduction;
    let (seed, folder) = (planned.configuration.training.seed, &planned.folder);
    let metrics = folder.read_metrics()?;
    let mut rows = Vec::new();
    for &(epochs, low, high, source) in reproduction.losses {
        let Some(line) = metrics.iter().find(|line| line.epoch == epochs) else {
            continue;
        };
        let source = source.to_owned();
        let published = PublishedLoss { low, high, source };
        let row = LossRow {
            epochs,
            test: line.test,
            train: line.train,
            published: Some(published).filter(|_| workshop.dataset.name == "mnist"),
            dataset: workshop.dataset.name.clone(),
            seed,
        };
        let name = format!("seed{}-{epochs}-epochs.json", seed);
        write_row(&workshop.folder.join(name), &row)?;
        rows.push(row);
    }
    Ok(rows)
}

impl Row for LossRow {
    const COLUMNS: &'static [&'static str] = &[
        "epochs",
        "test loss",
        "reconstruction + KL",
        "data",
        "elsewhere",
    ];

    fn cells(&self) -> Vec<String> {
        let published = self.published.as_ref().map_or_else(
            || "–".to_owned(),
            |PublishedLoss { low, high, source }| format!("{low:.1}–{high:.1} ({source})"),
        );
        vec![
            self.epochs.to_string(),
            format!("{:.2}", self.test.loss),
            format!("{:.2} + {:.2}", self.test.reconstruction, self.test.kl),
            format!("{}, seed {}", self.dataset, self.seed),
            published,
        ]
    }

    fn place(&self) -> [u64; 4] {
        [self.epochs as u64, self.seed, 0, 0]
    }
}
