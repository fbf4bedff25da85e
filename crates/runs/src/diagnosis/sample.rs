//! A random sample of a run's images, as its model sees them.

use datasets::{Dataset, Health, Split};
use models::streams::{Purpose, stream};
use models::{DataTreatment, Standardisation};
use ndarray::{Array2, Axis};

use crate::configuration::Configuration;
use crate::error::Error;
use crate::run_data::{images, training_rows};
use crate::run_images::{evaluated_treatment, treated};

/// Rows of each split that a diagnosis looks at: means of them are certain to a
/// fiftieth of the spread between images.
const ROWS: usize = 2000;

/// Values of a sample at most: 64 MiB, of which a few copies are made.
const VALUES: usize = 1 << 24;

/// The fewest rows that anything is said from.
const FEWEST_ROWS: usize = 64;

/// Indices of the sampling streams that put the rows of both splits in order.
const TRAIN_STREAM: u64 = 0x6469_6167;
const TEST_STREAM: u64 = TRAIN_STREAM + 1;

/// Rows of both splits.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Training images `[n, values]`, of those that were trained on.
    pub(super) train: Array2<f32>,
    /// Test images `[n, values]`, or the others that were given.
    pub(super) test: Array2<f32>,
    /// Whether the values were standardised.
    pub(super) is_standardised: bool,
    /// Whether the training images are dark on a light background.
    pub(super) is_dark_on_light: bool,
}

/// The rows of each split that a whole diagnosis takes, of so many values each.
pub(super) fn most_rows(values: usize) -> usize {
    (VALUES / values.max(1)).clamp(FEWEST_ROWS, ROWS)
}

/// Refuses images of another shape than the run's.
pub(super) fn check_shape(dataset: &Dataset, others: &Dataset) -> Result<(), Error> {
    if others.shape() == dataset.shape() {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "{} gives {} of {}, but the run was trained on {} of {}; use a source of that shape",
        others.name,
        others.shape().noun(),
        others.shape(),
        dataset.shape().noun(),
        dataset.shape()
    )))
}

impl Sample {
    /// At most `rows` of each split of a data set as it is stored; in place of its
    /// test images any of `others`, whichever split they are in, where there are some.
    /// `standardisation` is the model's.
    ///
    /// # Errors
    /// When no training images are left, or a treatment does not suit them.
    pub(super) fn of(
        configuration: &Configuration,
        dataset: &Dataset,
        others: Option<&Dataset>,
        standardisation: Option<&Standardisation>,
        rows: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        let kept = training_rows(configuration, dataset)?;
        let train = dataset
            .train
            .select(&rows_of(kept, rows, seed, TRAIN_STREAM));
        let test = &dataset.test;
        let test = test.select(&rows_of(test.len(), rows, seed, TEST_STREAM));
        let treatment = evaluated_treatment(configuration, None)?;
        let values = |split: &Split| {
            let mut values = values(configuration, treatment, split)?;
            if let Some(standardisation) = standardisation {
                for mut row in values.rows_mut() {
                    if let Some(row) = row.as_slice_mut() {
                        standardisation.apply(row);
                    }
                }
            }
            Ok::<_, Error>(values)
        };
        let looked_at = match others {
            None => values(&test)?,
            Some(others) => {
                let (first, second) = (&others.train, &others.test);
                let chosen = rows_of(first.len() + second.len(), rows, seed, TEST_STREAM);
                let (of_first, of_second): (Vec<_>, Vec<_>) =
                    chosen.into_iter().partition(|&row| row < first.len());
                let of_second: Vec<_> = of_second.iter().map(|row| row - first.len()).collect();
                let chosen = [(first, &of_first), (second, &of_second)];
                let [first, second] = chosen.map(|(split, rows)| values(&split.select(rows)));
                let (first, second) = (first?, second?);
                let mut all = Array2::zeros((first.nrows() + second.nrows(), first.ncols()));
                let (mut upper, mut lower) = all.view_mut().split_at(Axis(0), first.nrows());
                upper.assign(&first);
                lower.assign(&second);
                all
            }
        };
        Ok(Self {
            train: values(&train)?,
            test: looked_at,
            is_standardised: standardisation.is_some(),
            is_dark_on_light: Health::at_a_glance(&Dataset {
                train,
                test,
                ..dataset.clone()
            })
            .is_dark_on_light(),
        })
    }

    /// The same of a data set that has been standardised already if it is to be.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(super) fn of_model_data(
        configuration: &Configuration,
        dataset: &Dataset,
        rows: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        let sample = Self::of(configuration, dataset, None, None, rows, seed)?;
        let is_standardised = configuration.data.standardise;
        Ok(Self {
            is_standardised,
            is_dark_on_light: sample.is_dark_on_light && !is_standardised,
            ..sample
        })
    }
}

/// The values of a split after its treatment.
fn values(
    configuration: &Configuration,
    treatment: DataTreatment,
    split: &Split,
) -> Result<Array2<f32>, Error> {
    let treated = treated(treatment, images(split), configuration.data.test_seed)?;
    let images = treated.images();
    let mut values = Array2::zeros(images.dim());
    for (index, mut row) in values.rows_mut().into_iter().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            images.read_row(index, row);
        }
    }
    Ok(values)
}

/// At most `most` of `count` rows, chosen at random and in ascending order: those
/// whose words of a stream are least, so that more rows hold fewer ones.
fn rows_of(count: usize, most: usize, seed: u64, of: u64) -> Vec<usize> {
    let stream = stream(seed, Purpose::Sampling, of);
    let mut rows: Vec<(u32, usize)> = (0..count)
        .map(|row| (stream.word(row as u64), row))
        .collect();
    if most < count {
        rows.select_nth_unstable(most);
        rows.truncate(most);
    }
    let mut rows: Vec<usize> = rows.into_iter().map(|(_, row)| row).collect();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_random_repeatable_and_part_of_a_larger_one() {
        let few = rows_of(10_000, 100, 1, TRAIN_STREAM);
        assert_eq!(few.len(), 100);
        assert!(few.is_sorted_by(|a, b| a < b));
        assert_eq!(few, rows_of(10_000, 100, 1, TRAIN_STREAM));
        assert_ne!(few, rows_of(10_000, 100, 2, TRAIN_STREAM));
        assert_ne!(few, rows_of(10_000, 100, 1, TEST_STREAM));
        let more = rows_of(10_000, 500, 1, TRAIN_STREAM);
        assert!(few.iter().all(|row| more.binary_search(row).is_ok()));
        // From all of them: the mean is that of uniform ones.
        let mean = more.iter().sum::<usize>() as f64 / 500.0;
        assert!((mean - 5000.0).abs() < 4.0 * 2887.0 / 500.0_f64.sqrt());
        assert_eq!(rows_of(3, 10, 1, TRAIN_STREAM), [0, 1, 2]);
        assert_eq!(rows_of(3, 0, 1, TRAIN_STREAM), [0_usize; 0]);
    }

    #[test]
    fn large_rows_make_small_samples() {
        assert_eq!(most_rows(784), ROWS);
        assert_eq!(most_rows(65536), 256);
        assert_eq!(most_rows(usize::MAX), FEWEST_ROWS);
    }
}
