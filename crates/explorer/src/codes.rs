//! Codes as a page keeps them: 16 bits for each latent variable between its
//! least and its largest value.

use ndarray::{Array2, ArrayView2};

use crate::manifest::StoredCodes;
use crate::sections::Sections;

/// The largest level of 16 bits.
const TOP: f64 = u16::MAX as f64;

/// Values `[n, L]` in 16 bits a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantised {
    levels: Array2<u16>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Quantised {
    /// Finite values `[n, L]`.
    pub(crate) fn of(values: ArrayView2<'_, f32>) -> Self {
        let extreme = |start: f64, better: fn(f64, f64) -> f64| -> Vec<f64> {
            let columns = values.columns().into_iter();
            columns
                .map(|column| {
                    let extreme = column.iter().map(|&value| f64::from(value));
                    let extreme = extreme.fold(start, better);
                    if extreme.is_finite() { extreme } else { 0.0 }
                })
                .collect()
        };
        let (low, high) = (
            extreme(f64::INFINITY, f64::min),
            extreme(f64::NEG_INFINITY, f64::max),
        );
        let levels = Array2::from_shape_fn(values.dim(), |(row, l)| {
            let length = high[l] - low[l];
            if length > 0.0 {
                ((f64::from(values[[row, l]]) - low[l]) / length * TOP).round() as u16
            } else {
                0
            }
        });
        Self { levels, low, high }
    }

    /// What the page has of them, bit for bit.
    pub(crate) fn values(&self) -> Array2<f32> {
        Array2::from_shape_fn(self.levels.dim(), |(row, l)| {
            let share = f64::from(self.levels[[row, l]]) / TOP;
            (self.low[l] + share * (self.high[l] - self.low[l])) as f32
        })
    }

    /// The same in the manifest.
    pub(crate) fn store(self, sections: &mut Sections) -> StoredCodes {
        StoredCodes {
            values: sections.add(self.levels.iter().copied()),
            low: self.low,
            high: self.high,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn values_come_back_to_a_step_of_their_range() {
        let values = array![
            [-3.0_f32, 7.0, 1e30],
            [5.0, 7.0, -1e30],
            [0.123_456, 7.0, 0.0]
        ];
        let back = Quantised::of(values.view()).values();
        for ((row, l), &value) in values.indexed_iter() {
            let range = [8.0, 0.0, 2e30][l];
            let error = (f64::from(back[[row, l]]) - f64::from(value)).abs();
            assert!(error <= 0.51 * range / TOP, "{value}: {}", back[[row, l]]);
        }
        // The ends are kept.
        assert_eq!((back[[0, 0]], back[[1, 0]], back[[2, 1]]), (-3.0, 5.0, 7.0));
    }
}
