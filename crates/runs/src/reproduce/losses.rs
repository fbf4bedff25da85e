//! Test losses of widely run recipes on grey images.

use serde::{Deserialize, Serialize};

use super::{Reproduction, Table, Workshop, write_row};
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

/// A row per epoch that has a published number.
pub(super) fn rows(
    workshop: &Workshop<'_>,
    reproduction: Reproduction,
) -> Result<Vec<LossRow>, Error> {
    let request = workshop.request;
    let configuration = workshop.configuration(reproduction.name(), &[])?;
    let folder = RunFolder::at(workshop.folder.join(format!("seed{}", request.seed)));
    if request.trains {
        workshop.train(reproduction.name(), &configuration, &folder)?;
    }
    let metrics = folder.read_metrics()?;
    let mut rows = Vec::new();
    for (epochs, published) in published(reproduction) {
        let Some(line) = metrics.iter().find(|line| line.epoch == epochs) else {
            continue;
        };
        let row = LossRow {
            epochs,
            test: line.test,
            train: line.train,
            published: Some(published).filter(|_| workshop.dataset.name == "mnist"),
            dataset: workshop.dataset.name.clone(),
            seed: request.seed,
        };
        let name = format!("seed{}-{epochs}-epochs.json", request.seed);
        write_row(&workshop.folder.join(name), &row)?;
        rows.push(row);
    }
    Ok(rows)
}

fn published(reproduction: Reproduction) -> Vec<(usize, PublishedLoss)> {
    let numbers: &[(usize, f64, f64, &str)] = match reproduction {
        Reproduction::PyTorchExample => {
            &[(10, 105.2, 106.2, "three logs of the example, 105.56–105.77")]
        }
        Reproduction::Keras2d => &[
            (
                10,
                155.4,
                157.5,
                "notebooks with 200 and 392 hidden units, an independent JAX run",
            ),
            (
                30,
                150.9,
                153.0,
                "notebooks with 200 and 392 hidden units, an independent JAX run",
            ),
        ],
        Reproduction::IwaeTable1 => &[],
    };
    let entry = |&(epochs, low, high, source): &(usize, f64, f64, &str)| {
        let source = source.to_owned();
        (epochs, PublishedLoss { low, high, source })
    };
    numbers.iter().map(entry).collect()
}

pub(super) fn table(rows: &[LossRow]) -> Table {
    let cells = |row: &LossRow| {
        let Losses {
            loss,
            reconstruction,
            kl,
        } = row.test;
        vec![
            row.epochs.to_string(),
            format!("{loss:.2}"),
            format!("{reconstruction:.2} + {kl:.2}"),
            format!("{}, seed {}", row.dataset, row.seed),
            row.published.as_ref().map_or_else(
                || "–".to_owned(),
                |published| {
                    format!(
                        "{:.1}–{:.1} ({})",
                        published.low, published.high, published.source
                    )
                },
            ),
        ]
    };
    Table {
        columns: vec![
            "epochs",
            "test loss",
            "reconstruction + KL",
            "data",
            "elsewhere",
        ],
        rows: rows.iter().map(cells).collect(),
    }
}
