//! The rows of a data set that a page shows.

use datasets::{Dataset, Shape, Split};
use evaluation::subset::{Population, SEED, numbers, subset};
use explorer::{DataSet, Thumbnails, balanced};
use runs::Error;
use runs::run_data::images;
use runs::run_images::{Treated, evaluated_treatment};

use crate::TrainedRun;
use crate::tiles::{bytes, tile_shape};
use crate::wording::name_of;

/// The test rows of a page: all, or a random sample where there are
/// more than it holds.
#[derive(Debug)]
pub struct Shown {
    index: Vec<usize>,
    split: Split,
}

impl Shown {
    /// At most `most` of the test rows.
    #[must_use]
    pub fn of(dataset: &Dataset, most: usize) -> Self {
        let test = &dataset.test;
        let index = subset(Population::Rows(test.len()), most, numbers(SEED));
        if index.len() == test.len() {
            return Self {
                index,
                split: test.clone(),
            };
        }
        // Without regard to classes: their shares are those of a sample.
        Self {
            split: test.select(&index),
            index,
        }
    }

    /// These rows as the network of a run sees them.
    ///
    /// # Errors
    /// A treatment that these rows cannot have.
    pub fn seen(&self, run: &TrainedRun, dataset: &Dataset) -> Result<Treated<'_>, Error> {
        let treatment = evaluated_treatment(&run.configuration, None)?;
        let is_drawn = treatment.is_binary() && self.index.len() < dataset.test.len();
        if !is_drawn {
            return run.seen(&self.split);
        }
        run.seen_rows(&dataset.test, &self.index)
    }

    /// What the page says of them.
    ///
    /// # Errors
    /// Those of small pictures.
    pub(super) fn data_set(
        &self,
        dataset: &Dataset,
        runs: &[&TrainedRun],
        thumbnails: usize,
    ) -> Result<DataSet, Error> {
        let (shape, labels) = (dataset.shape(), self.split.labels());
        let range = runs.first().map_or([0.0, 1.0], |run| run.range());
        let rows = images(&self.split);
        let brightness = |position: usize| {
            let mut row = ndarray::Array2::zeros((1, shape.len()));
            if let Some(row) = row.as_slice_mut() {
                rows.read_row(position, row);
            }
            row.mapv_inplace(|value| (value - range[0]) / (range[1] - range[0]));
            bytes(row.view())
        };
        let which = balanced(self.index.len(), labels, thumbnails);
        Ok(DataSet {
            name: name_of(dataset),
            fingerprint: dataset.fingerprint.clone(),
            // Where the data are on this machine is nobody else's business.
            attribution: dataset
                .attribution
                .replace(&dataset.name, &name_of(dataset)),
            split: {
                // Alone, they may be any rows, those of the training too.
                let part = if dataset.train.is_empty() {
                    ""
                } else {
                    "test "
                };
                match shape {
                    Shape::Image { .. } => format!("{part}images"),
                    Shape::Vector { .. } => format!("{part}vectors"),
                }
            },
            rows: dataset.test.len(),
            shape: tile_shape(shape),
            range,
            classes: labels.map_or_else(Vec::new, |_| dataset.class_names.clone()),
            index: self.index.iter().map(|&row| row as u32).collect(),
            labels: labels.map(<[u32]>::to_vec),
            names: self.split.names().map(<[String]>::to_vec),
            thumbnails: Thumbnails::new(which, tile_shape(shape), brightness)
                .map_err(super::unexplored)?,
        })
    }
}
