//! Weights as whole multiples of a step, rounded so that their errors cancel.
//!
//! A unit gives w·x. Rounding each weight to the nearest multiple would leave
//! errors δ with E(δ·x)² = δᵀHδ, where H = E xxᵀ; but the activations x of a
//! trained network lie near few directions, and along all others errors do
//! nothing. With H = RᵀR, R upper triangular, the weights are rounded from the
//! last to the first, each after adding what makes up for the errors of those
//! that already are: the nearest plane of Babai (1986, *Combinatorica* 6:1), by
//! which networks are rounded in GPTQ (Frantar et al. 2023, arXiv 2210.17323).

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

/// Layers of more inputs are rounded to the nearest: the time of a
/// decomposition grows with the cube of them.
const MOST_INPUTS: usize = 1024;

/// Added to the diagonal of H, as a share of its mean: errors along directions
/// that were not seen count a little.
const UNSEEN: f64 = 1e-4;

/// How exactly weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    /// The largest multiple of a step that a weight can be.
    pub(crate) top: u16,
    /// Whether every row has a step of its own. One for the whole layer leaves
    /// small rows bits that deflate finds unused.
    pub(crate) by_row: bool,
}

impl Levels {
    /// Bits that a level takes, sign included.
    pub(crate) fn bits(self) -> u32 {
        u16::BITS + 1 - self.top.leading_zeros()
    }
}

/// What a layer weighs: the transpose of R, or nothing where weights are rounded to the nearest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inputs(Option<Arc<Array2<f64>>>);

impl Inputs {
    /// Of rows of activations.
    pub(crate) fn of(rows: ArrayView2<'_, f32>) -> Self {
        let inputs = rows.ncols();
        if !(2..=MOST_INPUTS).contains(&inputs) {
            return Self(None);
        }
        let rows = rows.mapv(f64::from);
        let mut moments = rows.t().dot(&rows) / rows.nrows().max(1) as f64;
        let unseen = UNSEEN * moments.diag().mean().unwrap_or_default();
        for diagonal in moments.diag_mut() {
            *diagonal += unseen;
        }
        let factor = upper_factor(moments);
        Self(factor.map(|factor| Arc::new(factor.t().as_standard_layout().into_owned())))
    }
}

impl Inputs {
    /// Rounds a row of weights to levels of at most `top`.
    fn round(&self, weights: &[f32], step: f32, top: f32, levels: &mut [i16]) {
        let (step, top) = (f64::from(step), f64::from(top));
        // R times the errors of the weights that are rounded.
        let mut made_up = vec![0.0; weights.len()];
        for at in (0..weights.len()).rev() {
            let weight = f64::from(weights[at]);
            let factor = self.0.as_ref().and_then(|factor| factor.row(at).to_slice());
            let wanted = factor.map_or(weight, |factor| weight + made_up[at] / factor[at]);
            // A row of zeros has no step: 0/0 becomes 0.
            levels[at] = (wanted / step).round().clamp(-top, top) as i16;
            let error = weight - f64::from(levels[at]) * step;
            for (made_up, factor) in made_up[..at].iter_mut().zip(factor.unwrap_or_default()) {
                *made_up += error * factor;
            }
        }
    }
}

/// R with RᵀR = H, by rows; none of what is not positive definite.
fn upper_factor(mut matrix: Array2<f64>) -> Option<Array2<f64>> {
    let n = matrix.nrows();
    let values = matrix.as_slice_mut()?;
    for pivot in 0..n {
        let (before, below) = values.split_at_mut((pivot + 1) * n);
        let row = &mut before[pivot * n + pivot..];
        let root = row[0].sqrt();
        if !(root.is_finite() && root > 0.0) {
            return None;
        }
        for value in row.iter_mut() {
            *value /= root;
        }
        let lines = below.par_chunks_mut(n).enumerate();
        lines.for_each(|(line, values)| {
            let above = &row[line + 1..];
            for (value, factor) in values[pivot + 1 + line..].iter_mut().zip(above) {
                *value -= above[0] * factor;
            }
        });
    }
    Some(matrix)
}

/// Rows of weights as whole multiples of a step for each row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QuantisedRows {
    step: Vec<f32>,
    /// `[outputs, inputs]`.
    levels: Array2<i16>,
}

impl QuantisedRows {
    /// Weights `[outputs, inputs]`.
    pub(crate) fn of(weights: ArrayView2<'_, f32>, inputs: &Inputs, levels: Levels) -> Self {
        let top = f32::from(levels.top);
        let largest = |row: ArrayView1<'_, f32>| row.fold(0.0_f32, |most, w| most.max(w.abs()));
        let mut step: Vec<f32> = weights.outer_iter().map(|row| largest(row) / top).collect();
        if !levels.by_row {
            let coarsest = step.iter().copied().fold(0.0, f32::max);
            step.fill(coarsest);
        }
        let columns = weights.ncols().max(1);
        let weights = weights.as_standard_layout();
        let mut rounded = Array2::zeros(weights.dim());
        let rows = (weights.as_slice().unwrap_or_default().par_chunks(columns))
            .zip(&step)
            .zip(
                rounded
                    .as_slice_mut()
                    .unwrap_or_default()
                    .par_chunks_mut(columns),
            );
        rows.for_each(|((weights, &step), levels)| inputs.round(weights, step, top, levels));
        Self {
            step,
            levels: rounded,
        }
    }

    /// The step of each row.
    pub(crate) fn step(&self) -> &[f32] {
        &self.step
    }

    /// The multiples `[outputs, inputs]`.
    pub(crate) fn levels(&self) -> &Array2<i16> {
        &self.levels
    }

    /// The weights that the page computes with, bit for bit.
    pub(crate) fn weights(&self) -> Array2<f32> {
        let mut weights = self.levels.mapv(f32::from);
        for (mut row, &step) in weights.axis_iter_mut(Axis(0)).zip(&self.step) {
            row *= step;
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn weights_are_multiples_of_a_step_of_their_row() {
        let weights = array![[0.5_f32, -1.0, 0.26], [1e-8, 3e-8, -2e-8], [0.0, 0.0, 0.0]];
        for top in [127, 2000, i16::MAX as u16] {
            let levels = Levels { top, by_row: true };
            let rows = QuantisedRows::of(weights.view(), &Inputs::default(), levels);
            let top = top as i16;
            assert_eq!((rows.levels[[0, 1]], rows.levels[[1, 1]]), (-top, top));
            assert_eq!(rows.levels.row(2), array![0, 0, 0]);
            for ((row, column), &found) in rows.weights().indexed_iter() {
                let largest = [1.0, 3e-8, 0.0][row];
                let error = (found - weights[[row, column]]).abs();
                assert!(error <= 0.501 * largest / f32::from(top), "{top}: {found}");
            }
            let by_row = false;
            let levels = Levels { by_row, ..levels };
            let rows = QuantisedRows::of(weights.view(), &Inputs::default(), levels);
            assert!(rows.step[1] == rows.step[0] && rows.levels[[1, 1]] == 0);
        }
    }

    #[test]
    fn bits_hold_the_largest_level_and_its_sign() {
        let by_row = false;
        for (top, bits) in [(127, 8), (128, 9), (2047, 12), (2048, 13), (32767, 16)] {
            assert_eq!(Levels { top, by_row }.bits(), bits, "{top}");
        }
    }

    #[test]
    fn the_factor_times_itself_is_the_matrix() {
        let matrix = array![[4.0, 2.0, -2.0], [2.0, 10.0, 5.0], [-2.0, 5.0, 30.0]];
        let mut factor = upper_factor(matrix.clone()).unwrap();
        for (row, column) in [(1, 0), (2, 0), (2, 1)] {
            factor[[row, column]] = 0.0;
        }
        let again = factor.t().dot(&factor);
        assert!(
            (again - matrix)
                .iter()
                .all(|difference| difference.abs() < 1e-12)
        );
        assert_eq!(upper_factor(array![[1.0, 2.0], [2.0, 1.0]]), None);
    }

    #[test]
    fn errors_cancel_where_activations_lie() {
        // Activations along two directions of two hundred.
        let rows = Array2::from_shape_fn((50, 200), |(row, at)| {
            let (a, b) = ((row % 7) as f32, (row % 5) as f32);
            a * (at as f32 * 0.7).cos() + b * (at as f32 * 0.3).sin()
        });
        let weights = Array2::from_shape_fn((9, 200), |(row, at)| {
            ((row * 31 + at * at * 17) % 101) as f32 / 101.0 - 0.5
        });
        let levels = Levels {
            top: 127,
            by_row: true,
        };
        let error = |inputs: &Inputs| {
            let rounded = QuantisedRows::of(weights.view(), inputs, levels).weights();
            let errors = rows.dot(&(rounded - &weights).t());
            errors
                .iter()
                .map(|error| f64::from(*error).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let (near, nearest) = (error(&Inputs::of(rows.view())), error(&Inputs::default()));
        assert!(near < 0.25 * nearest, "{near} {nearest}");
    }
}
