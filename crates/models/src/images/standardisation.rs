//! Standardising: every feature less its mean, over its deviation.

use thiserror::Error;

use crate::images::Images;

/// Mean and deviation of every feature of the training data.
///
/// Models and measurements know nothing of it: data are standardised before
/// they are handed over, and decoded values are turned back after. A model
/// carries the numbers that were used ([`Model::standardisation`]) so that
/// whoever has its file can do both.
///
/// [`Model::standardisation`]: crate::Model::standardisation
///
/// ```
/// use models::Standardisation;
/// use ndarray::array;
///
/// let training = array![[1.0_f32, 5.0], [3.0, 5.0]];
/// let standardisation = Standardisation::of(&training)?;
/// let mut rows = [1.0, 5.0, 4.0, 6.0];
/// standardisation.apply(&mut rows);
/// assert_eq!(rows, [-1.0, 0.0, 2.0, 1.0]);
/// standardisation.invert(&mut rows);
/// assert_eq!(rows, [1.0, 5.0, 4.0, 6.0]);
/// # Ok::<(), models::StandardisationError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardisation {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

/// Data that cannot be standardised, or numbers to do it with that mean nothing.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StandardisationError {
    /// Nothing to take mean and deviation of.
    #[error("there are no images to standardise by; expected at least one")]
    NoImages,
    /// A value without a place on the number line.
    #[error(
        "image {image} holds a NaN or infinite value at feature {feature}; expected finite values only"
    )]
    NotFinite {
        /// The image, counted from 0.
        image: usize,
        /// The feature, counted from 0.
        feature: usize,
    },
    /// Means and deviations of different numbers of features.
    #[error(
        "{means} means are given with {deviations} deviations; expected one of each per feature"
    )]
    Lengths {
        /// Means given.
        means: usize,
        /// Deviations given.
        deviations: usize,
    },
    /// A mean that is not finite, or a deviation that is not finite and
    /// positive.
    #[error(
        "feature {feature} has mean {mean} and deviation {deviation}; expected finite numbers and a positive deviation"
    )]
    Feature {
        /// The feature, counted from 0.
        feature: usize,
        /// Its mean.
        mean: f32,
        /// Its deviation.
        deviation: f32,
    },
}

impl Standardisation {
    /// Given means and deviations, one of each per feature.
    ///
    /// # Errors
    /// Different numbers of them, or a value that is out of range.
    pub fn new(mean: Vec<f32>, deviation: Vec<f32>) -> Result<Self, StandardisationError> {
        if mean.len() != deviation.len() {
            return Err(StandardisationError::Lengths {
                means: mean.len(),
                deviations: deviation.len(),
            });
        }
        let is_valid = |mean: f32, deviation: f32| {
            mean.is_finite() && deviation.is_finite() && deviation > 0.0
        };
        for (feature, (&mean, &deviation)) in mean.iter().zip(&deviation).enumerate() {
            if !is_valid(mean, deviation) {
                return Err(StandardisationError::Feature {
                    feature,
                    mean,
                    deviation,
                });
            }
        }
        Ok(Self { mean, deviation })
    }

    /// Mean and standard deviation (n in the denominator) of every feature, in
    /// f64 over the images in their order.
    ///
    /// A feature that is the same in all images has deviation 1, so that it
    /// maps to exactly 0.
    ///
    /// # Errors
    /// No images, or a value that is not finite.
    pub fn of<'a>(images: impl Into<Images<'a>>) -> Result<Self, StandardisationError> {
        let images = images.into();
        let (count, features) = images.dim();
        if count == 0 {
            return Err(StandardisationError::NoImages);
        }
        if let Some((image, feature)) = images.first_non_finite() {
            return Err(StandardisationError::NotFinite { image, feature });
        }
        let mut row = vec![0.0; features];
        images.read_row(0, &mut row);
        let first = row.clone();
        // About the first image: sums of departures of values far from 0 keep
        // the digits that sums of the values would lose.
        let mut departures = vec![0.0_f64; features];
        for image in 0..count {
            images.read_row(image, &mut row);
            for (feature, (&value, &first)) in row.iter().zip(&first).enumerate() {
                departures[feature] += f64::from(value) - f64::from(first);
            }
        }
        let means: Vec<f64> = departures
            .iter()
            .zip(&first)
            .map(|(departure, &first)| f64::from(first) + departure / count as f64)
            .collect();
        let mut squares = vec![0.0_f64; features];
        for image in 0..count {
            images.read_row(image, &mut row);
            for (feature, &value) in row.iter().enumerate() {
                squares[feature] += (f64::from(value) - means[feature]).powi(2);
            }
        }
        let deviation = squares.iter().map(|sum| {
            let deviation = (sum / count as f64).sqrt() as f32;
            // Of a constant, which departs from its mean by exactly 0; and below the
            // smallest number of f32 there is nothing to divide by.
            if deviation == 0.0 { 1.0 } else { deviation }
        });
        let deviation = deviation.collect();
        let mean = means.into_iter().map(|mean| mean as f32).collect();
        Self::new(mean, deviation)
    }

    /// Means, one per feature.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Deviations, one per feature.
    pub fn deviation(&self) -> &[f32] {
        &self.deviation
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.mean.len()
    }

    /// Standardises row-major rows in place: (x − mean) / deviation, in f64 and
    /// rounded once.
    ///
    /// # Panics
    /// If `rows` is no whole number of rows.
    pub fn apply(&self, rows: &mut [f32]) {
        self.for_each(rows, |value, mean, deviation| (value - mean) / deviation);
    }

    /// Undoes [`apply`](Self::apply) in place, up to rounding.
    ///
    /// # Panics
    /// If `rows` is no whole number of rows.
    pub fn invert(&self, rows: &mut [f32]) {
        self.for_each(rows, |value, mean, deviation| value * deviation + mean);
    }

    fn for_each(&self, rows: &mut [f32], of: impl Fn(f64, f64, f64) -> f64) {
        let features = self.features();
        assert!(
            rows.is_empty() || (features > 0 && rows.len().is_multiple_of(features)),
            "standardisation: {} values are no whole number of rows of {features}",
            rows.len()
        );
        for row in rows.chunks_exact_mut(features.max(1)) {
            let features = self.mean.iter().zip(&self.deviation);
            for (value, (&mean, &deviation)) in row.iter_mut().zip(features) {
                *value = of(f64::from(*value), mean.into(), deviation.into()) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn standardised_training_data_have_mean_0_and_deviation_1() {
        // Far from 0 against their spread, small, constant, and binary.
        let data = Array2::from_shape_fn((1000, 4), |(i, j)| match j {
            0 => 1e4 + (i * 37 % 101) as f32 * 0.5,
            1 => 1e-20 * ((i * 13 % 7) as f32 - 3.0),
            2 => 0.1,
            _ => (i % 2) as f32,
        });
        let standardisation = Standardisation::of(&data).unwrap();
        assert_eq!(standardisation.features(), 4);
        assert_eq!(standardisation.deviation()[2], 1.0);
        assert_eq!(
            (standardisation.mean()[3], standardisation.deviation()[3]),
            (0.5, 0.5)
        );
        let mut rows = data.clone();
        standardisation.apply(rows.as_slice_mut().unwrap());
        for (feature, column) in rows.columns().into_iter().enumerate() {
            let mean = column.iter().map(|&v| f64::from(v)).sum::<f64>() / 1000.0;
            let square = column.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 1000.0;
            if feature == 2 {
                assert!(column.iter().all(|&value| value == 0.0));
                continue;
            }
            // The mean is rounded to f32 before it is taken away: half a unit
            // in the last place of 10⁴ is 0.0005, and a deviation 14.6.
            assert!(mean.abs() < 4e-5, "{feature}: {mean}");
            assert!((square - 1.0).abs() < 1e-5, "{feature}: {square}");
        }
        standardisation.invert(rows.as_slice_mut().unwrap());
        for (found, expected) in rows.iter().zip(&data) {
            assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1e-20));
        }
    }

    #[test]
    fn mean_and_deviation_are_those_of_hand() {
        let data = array![[1.0_f32, -3.5], [2.0, -3.5], [6.0, 4.5], [7.0, -7.5]];
        let standardisation = Standardisation::of(&data).unwrap();
        // Σ(x − mean)² is 9 + 4 + 4 + 9, and 1 + 1 + 49 + 25.
        assert_eq!(standardisation.mean(), [4.0, -2.5]);
        assert_eq!(standardisation.deviation(), [6.5_f32.sqrt(), 19_f32.sqrt()]);
        let halves = Standardisation::new(vec![3.0, -5.0], vec![4.0, 0.5]).unwrap();
        let mut rows = [9.0, -4.0, 1.0, 2.0];
        halves.apply(&mut rows);
        assert_eq!(rows, [1.5, 2.0, -0.5, 14.0]);
        halves.invert(&mut rows);
        assert_eq!(rows, [9.0, -4.0, 1.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "standardisation: 3 values are no whole number of rows of 2")]
    fn a_broken_row_is_refused() {
        let two = Standardisation::new(vec![0.0; 2], vec![1.0; 2]).unwrap();
        two.apply(&mut [0.0; 3]);
    }

    #[test]
    fn bytes_are_standardised_as_the_values_they_stand_for() {
        let bytes = Array2::from_shape_fn((50, 7), |(i, j)| (i * 11 + j * j * 3) as u8);
        let values = bytes.mapv(|byte| f32::from(byte) / 255.0);
        assert_eq!(Standardisation::of(&bytes), Standardisation::of(&values));
        assert_eq!(
            Standardisation::of(&bytes),
            Standardisation::of(bytes.view())
        );
    }

    #[test]
    fn what_cannot_be_standardised_is_named() {
        assert_eq!(
            Standardisation::of(&Array2::<f32>::zeros((0, 3))),
            Err(StandardisationError::NoImages)
        );
        assert_eq!(
            Standardisation::of(&array![[0.0_f32, 1.0], [0.0, f32::NAN]]),
            Err(StandardisationError::NotFinite {
                image: 1,
                feature: 1
            })
        );
        let one = Standardisation::of(&array![[2.5_f32, -3.0]]).unwrap();
        assert_eq!(
            (one.mean(), one.deviation()),
            (&[2.5, -3.0][..], &[1.0; 2][..])
        );
        assert!(Standardisation::new(vec![0.0], vec![1.0, 1.0]).is_err());
        for deviation in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let error = Standardisation::new(vec![0.0; 2], vec![1.0, deviation]).unwrap_err();
            assert!(error.to_string().starts_with("feature 1 has mean 0"));
        }
        assert!(Standardisation::new(vec![f32::NAN], vec![1.0]).is_err());
        // A deviation that rounds to 0, and the smallest that does not.
        let smallest = f32::from_bits(1);
        let tiny = array![
            [0.0, 0.0],
            [0.0, 0.0],
            [0.0, 0.0],
            [smallest, 4.0 * smallest]
        ];
        let tiny = Standardisation::of(&tiny).unwrap();
        assert_eq!(tiny.deviation(), [1.0, 2.0 * smallest]);
        // The largest values there are leave neither range nor sense.
        let largest = array![[f32::MAX], [-f32::MAX]];
        let mut rows = [f32::MAX, -f32::MAX];
        let standardisation = Standardisation::of(&largest).unwrap();
        standardisation.apply(&mut rows);
        assert_eq!(rows, [1.0, -1.0]);
    }
}
