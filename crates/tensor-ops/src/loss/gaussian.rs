//! Gaussian loss: −ln N(x; m, σ²) of every pixel.
//!
//! With d = m − x, −ln N = ½ d²/σ² + ln σ + ½ ln 2π, and the derivatives are
//! d/σ² by m and 1 − d²/σ² by ln σ. The mean m is the decoder's output a, or
//! σ(a) with dm/da = m·(1 − m).
//!
//! The functions leave out the terms that do not depend on the outputs: the
//! caller adds ½ ln 2π for every pixel, and ln σ where it is the same for all
//! rows.

use std::fmt;

use crate::Float;
use crate::isa::Available;
use crate::loss::SampledRows;
use crate::loss::kernel::Logits;
use crate::loss::rows::{LineAt, PixelLoss, RowLosses};
use crate::panels::LANES;
use crate::simd::Line;

/// How the mean comes from the decoder's output a.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mean {
    /// m = a.
    Identity,
    /// m = σ(a), which stays within \[0, 1\] as the pixels do.
    Sigmoid,
}

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mean::Identity => "identity",
            Mean::Sigmoid => "sigmoid",
        })
    }
}

/// m and dm/da of a line: `outputs` becomes m.
#[inline(always)]
fn means_and_slopes<T: Float, L: Line<T>>(mean: Mean, outputs: &mut [T; LANES]) -> [T; LANES] {
    let mut slopes = [T::ONE; LANES];
    if mean == Mean::Sigmoid {
        for (output, slope) in outputs.iter_mut().zip(&mut slopes) {
            let m = T::fast_sigmoid::<L>(*output);
            *output = m;
            *slope = m * (T::ONE - m);
        }
    }
    slopes
}

/// 1 − d²/σ² of a line, given its d²/σ²; padding becomes zero.
#[inline(always)]
fn write_log_sigma_gradient<T: Float>(at: LineAt, squares: [T; LANES], gradient: &mut [T]) {
    let gradient = &mut gradient.as_chunks_mut::<LANES>().0[at.line];
    for (gradient, square) in gradient.iter_mut().zip(squares) {
        *gradient = T::ONE - square;
    }
    gradient[at.width..].fill(T::ZERO);
}

/// Kernel with a σ for every column.
pub struct PerColumn<'a, T> {
    mean: Mean,
    inverse_variance: &'a [T],
    /// Where the gradient by ln σ goes.
    log_sigma_gradient: Option<&'a mut [T]>,
}

impl<T: Float> PixelLoss<T> for PerColumn<'_, T> {
    #[inline(always)]
    unsafe fn line<L: Line<T>>(
        &mut self,
        at: LineAt,
        outputs: &mut [T; LANES],
        targets: &[T; LANES],
        terms: &mut [T; LANES],
    ) {
        let half = T::from_f64(0.5);
        let precision = &self.inverse_variance.as_chunks::<LANES>().0[at.panel];
        let slopes = means_and_slopes::<T, L>(self.mean, outputs);
        let mut squares = [T::ZERO; LANES];
        for lane in 0..LANES {
            let d = outputs[lane] - targets[lane];
            let by_mean = d * precision[lane];
            squares[lane] = d * by_mean;
            terms[lane] = half * squares[lane];
            outputs[lane] = by_mean * slopes[lane];
        }
        if let Some(gradient) = &mut self.log_sigma_gradient {
            write_log_sigma_gradient(at, squares, gradient);
        }
    }
}

/// Kernel with a ln σ for every element.
pub struct PerElement<'a, T> {
    mean: Mean,
    log_sigma: Logits<'a, T>,
}

impl<T: Float> PixelLoss<T> for PerElement<'_, T> {
    #[inline(always)]
    unsafe fn line<L: Line<T>>(
        &mut self,
        at: LineAt,
        outputs: &mut [T; LANES],
        targets: &[T; LANES],
        terms: &mut [T; LANES],
    ) {
        let (half, two) = (T::from_f64(0.5), T::from_f64(2.0));
        let log_sigma = self.log_sigma.values().as_chunks::<LANES>().0[at.line];
        let slopes = means_and_slopes::<T, L>(self.mean, outputs);
        let mut squares = [T::ZERO; LANES];
        for lane in 0..LANES {
            let precision = T::fast_exp::<L>(-(two * log_sigma[lane]));
            let d = outputs[lane] - targets[lane];
            let by_mean = d * precision;
            squares[lane] = d * by_mean;
            terms[lane] = half * squares[lane] + log_sigma[lane];
            outputs[lane] = by_mean * slopes[lane];
        }
        if let Logits::Replace(gradient) = &mut self.log_sigma {
            write_log_sigma_gradient(at, squares, gradient);
        }
    }
}

/// Loss and gradient with a σ for every column: `outputs` becomes the gradient
/// by the outputs, `row_loss[r]` ½ Σ_columns d²/σ² of row r.
///
/// `inverse_variance` is 1/σ² by column, padded to whole panels.
/// `log_sigma_gradient`, of the outputs' layout, becomes the gradient
/// 1 − d²/σ² by each ln σ, if that is wanted.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn per_column<T: Float>(
    rows: SampledRows,
    mean: Mean,
    inverse_variance: &[T],
    outputs: &mut [T],
    log_sigma_gradient: Option<&mut [T]>,
    targets: &[T],
    row_loss: &mut [T],
) {
    rows.check("loss::gaussian::per_column", outputs, targets, row_loss);
    let wanted = log_sigma_gradient.as_ref().map(|gradient| gradient.len());
    assert!(
        wanted.is_none_or(|len| len == rows.shape.len()),
        "loss::gaussian::per_column: log_sigma_gradient has {wanted:?} elements for {rows:?}",
    );
    let pixel = PerColumn {
        mean,
        inverse_variance,
        log_sigma_gradient,
    };
    run_per_column(rows, pixel, Logits::Replace(outputs), targets, row_loss);
}

/// The loss of [`per_column`] alone; `outputs` stay as they are.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn per_column_loss<T: Float>(
    rows: SampledRows,
    mean: Mean,
    inverse_variance: &[T],
    outputs: &[T],
    targets: &[T],
    row_loss: &mut [T],
) {
    let operation = "loss::gaussian::per_column_loss";
    rows.check(operation, outputs, targets, row_loss);
    let pixel = PerColumn {
        mean,
        inverse_variance,
        log_sigma_gradient: None,
    };
    run_per_column(rows, pixel, Logits::Keep(outputs), targets, row_loss);
}

/// Loss and gradients with a ln σ for every element: `outputs` and `log_sigma`,
/// of the same layout, become the gradients by each, `row_loss[r]`
/// Σ_columns (½ d²/σ² + ln σ) of row r.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn per_element<T: Float>(
    rows: SampledRows,
    mean: Mean,
    outputs: &mut [T],
    log_sigma: &mut [T],
    targets: &[T],
    row_loss: &mut [T],
) {
    rows.check("loss::gaussian::per_element", outputs, targets, row_loss);
    let log_sigma = Logits::Replace(log_sigma);
    let pixel = PerElement { mean, log_sigma };
    run_per_element(rows, pixel, Logits::Replace(outputs), targets, row_loss);
}

/// The loss of [`per_element`] alone; `outputs` and `log_sigma` stay as they
/// are.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn per_element_loss<T: Float>(
    rows: SampledRows,
    mean: Mean,
    outputs: &[T],
    log_sigma: &[T],
    targets: &[T],
    row_loss: &mut [T],
) {
    let operation = "loss::gaussian::per_element_loss";
    rows.check(operation, outputs, targets, row_loss);
    let log_sigma = Logits::Keep(log_sigma);
    let pixel = PerElement { mean, log_sigma };
    run_per_element(rows, pixel, Logits::Keep(outputs), targets, row_loss);
}

fn run_per_column<T: Float>(
    rows: SampledRows,
    pixel: PerColumn<'_, T>,
    outputs: Logits<'_, T>,
    targets: &[T],
    row_loss: &mut [T],
) {
    assert!(
        pixel.inverse_variance.len() == rows.shape.padded_cols(),
        "loss::gaussian: {} inverse variances for {rows:?}",
        pixel.inverse_variance.len()
    );
    T::gaussian_per_column(
        Available::current(),
        RowLosses {
            rows,
            outputs,
            targets,
            row_loss,
            pixel,
        },
    );
}

fn run_per_element<T: Float>(
    rows: SampledRows,
    pixel: PerElement<'_, T>,
    outputs: Logits<'_, T>,
    targets: &[T],
    row_loss: &mut [T],
) {
    let len = pixel.log_sigma.values().len();
    assert!(
        len == rows.shape.len(),
        "loss::gaussian: {len} values of log_sigma for {rows:?}"
    );
    T::gaussian_per_element(
        Available::current(),
        RowLosses {
            rows,
            outputs,
            targets,
            row_loss,
            pixel,
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panels::Panels;
    use crate::random::{Stream, fill_normal, fill_uniform};

    const ROWS: SampledRows = SampledRows {
        shape: Panels::new(10, 21),
        samples: 2,
    };

    struct Case {
        outputs: Vec<f64>,
        log_sigma: Vec<f64>,
        targets: Vec<f64>,
    }

    fn case() -> Case {
        let mut dense = vec![0.0; 210];
        let mut pack = |shape: Panels, uniform: bool, stream| {
            let dense = &mut dense[..shape.rows * shape.cols];
            if uniform {
                fill_uniform(dense, Stream::new(5, stream), 0);
            } else {
                fill_normal(dense, Stream::new(5, stream), 0);
            }
            let mut packed = vec![0.0; shape.len()];
            shape.pack_row_major(dense, &mut packed);
            packed
        };
        Case {
            outputs: pack(ROWS.shape, false, 0),
            log_sigma: pack(ROWS.shape, false, 1),
            targets: pack(ROWS.targets(), true, 2),
        }
    }

    /// (½ d²/σ², by the output, by ln σ) of one element.
    fn expected(mean: Mean, a: f64, log_sigma: f64, x: f64) -> (f64, f64, f64) {
        let sigmoid = 1.0 / (1.0 + (-a).exp());
        let (m, slope) = match mean {
            Mean::Identity => (a, 1.0),
            Mean::Sigmoid => (sigmoid, sigmoid * (1.0 - sigmoid)),
        };
        let variance = (2.0 * log_sigma).exp();
        let square = (m - x).powi(2) / variance;
        (0.5 * square, (m - x) / variance * slope, 1.0 - square)
    }

    #[test]
    fn a_sigma_for_every_element() {
        for mean in [Mean::Identity, Mean::Sigmoid] {
            let case = case();
            let (mut outputs, mut log_sigma) = (case.outputs.clone(), case.log_sigma.clone());
            let (mut loss, mut alone) = ([0.0; 10], [0.0; 10]);
            per_element_loss(
                ROWS,
                mean,
                &case.outputs,
                &case.log_sigma,
                &case.targets,
                &mut alone,
            );
            per_element(
                ROWS,
                mean,
                &mut outputs,
                &mut log_sigma,
                &case.targets,
                &mut loss,
            );
            assert_eq!(loss, alone);
            for (row, loss) in loss.iter().enumerate() {
                let mut sum = 0.0;
                for col in 0..21 {
                    let at = ROWS.shape.index(row, col);
                    let x = case.targets[ROWS.targets().index(row / 2, col)];
                    let s = case.log_sigma[at];
                    let (half, by_output, by_sigma) = expected(mean, case.outputs[at], s, x);
                    sum += half + s;
                    assert!((outputs[at] - by_output).abs() < 1e-12 * (1.0 + by_output.abs()));
                    assert!((log_sigma[at] - by_sigma).abs() < 1e-12 * (1.0 + by_sigma.abs()));
                }
                assert!((loss - sum).abs() < 1e-12 * (1.0 + sum.abs()));
                for col in 21..32 {
                    let at = ROWS.shape.index(row, col);
                    assert_eq!((outputs[at], log_sigma[at]), (0.0, 0.0));
                }
            }
        }
    }

    #[test]
    fn a_sigma_for_every_column() {
        for mean in [Mean::Identity, Mean::Sigmoid] {
            let case = case();
            let by_column: Vec<f64> = (0..21).map(|col| 0.1 * f64::from(col) - 1.0).collect();
            let mut precision = vec![0.0; 32];
            for (precision, s) in precision.iter_mut().zip(&by_column) {
                *precision = (-2.0 * s).exp();
            }
            let (mut outputs, mut gradient) =
                (case.outputs.clone(), vec![f64::NAN; ROWS.shape.len()]);
            let (mut loss, mut alone) = ([0.0; 10], [0.0; 10]);
            per_column_loss(
                ROWS,
                mean,
                &precision,
                &case.outputs,
                &case.targets,
                &mut alone,
            );
            per_column(
                ROWS,
                mean,
                &precision,
                &mut outputs,
                Some(&mut gradient),
                &case.targets,
                &mut loss,
            );
            assert_eq!(loss, alone);
            for (row, loss) in loss.iter().enumerate() {
                let mut sum = 0.0;
                for (col, &s) in by_column.iter().enumerate() {
                    let at = ROWS.shape.index(row, col);
                    let x = case.targets[ROWS.targets().index(row / 2, col)];
                    let (half, by_output, by_sigma) = expected(mean, case.outputs[at], s, x);
                    sum += half;
                    assert!((outputs[at] - by_output).abs() < 1e-12 * (1.0 + by_output.abs()));
                    assert!((gradient[at] - by_sigma).abs() < 1e-12 * (1.0 + by_sigma.abs()));
                }
                assert!((loss - sum).abs() < 1e-12 * (1.0 + sum.abs()));
                for col in 21..32 {
                    let at = ROWS.shape.index(row, col);
                    assert_eq!((outputs[at], gradient[at]), (0.0, 0.0));
                }
            }
        }
    }
}
