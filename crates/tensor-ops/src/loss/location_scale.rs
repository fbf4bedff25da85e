//! Losses of pixels with a mean m and a standard deviation σ.
//!
//! With d = m − x, −ln p = c·|d|ᵖ/σᵖ + ln σ + a constant, where p, c and the
//! constant are the [`Family`]'s. With g the derivative of c·|d|ᵖ/σᵖ by m, that
//! of −ln p by ln σ is 1 − d·g, and d·g is p times the term itself. The mean is
//! the decoder's output a, or σ(a) with dm/da = m·(1 − m).
//!
//! The functions leave out the terms that do not depend on the outputs: the
//! caller adds the constant for every pixel, and ln σ where it is the same for
//! all rows.

use std::f64::consts::{LN_2, SQRT_2, TAU};
use std::fmt;

use crate::isa::Available;
use crate::loss::kernel::Logits;
use crate::loss::rows::{LineAt, PixelLoss, RowLosses};
use crate::loss::{RowSums, SampledRows};
use crate::panels::LANES;
use crate::simd::Line;
use crate::{Float, library};

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

/// The density of (x − m)/σ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// −ln p = ½ d²/σ² + ln σ + ½ ln 2π.
    Gaussian,
    /// −ln p = √2·|d|/σ + ln σ + ½ ln 2: of the scale σ/√2.
    Laplace,
}

impl Family {
    /// Every one.
    pub const ALL: [Family; 2] = [Family::Gaussian, Family::Laplace];

    /// p, the power of |d|/σ, which is the Fisher information about ln σ too.
    pub fn degree(self) -> f64 {
        match self {
            Family::Gaussian => 2.0,
            Family::Laplace => 1.0,
        }
    }

    /// c, what |d|ᵖ/σᵖ is multiplied with.
    pub fn factor(self) -> f64 {
        match self {
            Family::Gaussian => 0.5,
            Family::Laplace => SQRT_2,
        }
    }

    /// What −ln p has besides in nats.
    pub fn constant(self) -> f64 {
        match self {
            Family::Gaussian => 0.5 * library::ln(TAU),
            Family::Laplace => 0.5 * LN_2,
        }
    }

    /// The Fisher information about m, times σ².
    pub fn information(self) -> f64 {
        match self {
            Family::Gaussian => 1.0,
            Family::Laplace => 2.0,
        }
    }

    /// The derivative of c·|d|ᵖ/σᵖ by d of a line, given 1/σᵖ.
    #[inline(always)]
    fn slopes<T: Float>(self, residuals: &[T; LANES], weights: &[T; LANES]) -> [T; LANES] {
        let mut slopes = [T::ZERO; LANES];
        match self {
            Family::Gaussian => {
                for lane in 0..LANES {
                    slopes[lane] = residuals[lane] * weights[lane];
                }
            }
            Family::Laplace => {
                let factor = T::from_f64(SQRT_2);
                for lane in 0..LANES {
                    let weight = factor * weights[lane];
                    // None at the kink itself.
                    slopes[lane] = if residuals[lane] > T::ZERO {
                        weight
                    } else if residuals[lane] < T::ZERO {
                        -weight
                    } else {
                        T::ZERO
                    };
                }
            }
        }
        slopes
    }
}

/// A family with how its mean comes from the decoder's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Density {
    /// The density of (x − m)/σ.
    pub family: Family,
    /// m.
    pub mean: Mean,
}

impl Density {
    /// c·|d|ᵖ/σᵖ of a line to `terms`, given 1/σᵖ; `outputs` become its
    /// gradient. Returns p times the terms.
    #[inline(always)]
    fn line<T: Float, L: Line<T>>(
        self,
        weights: &[T; LANES],
        outputs: &mut [T; LANES],
        targets: &[T; LANES],
        terms: &mut [T; LANES],
    ) -> [T; LANES] {
        let share = T::from_f64(1.0 / self.family.degree());
        let slopes = means_and_slopes::<T, L>(self.mean, outputs);
        let mut residuals = *outputs;
        for (residual, target) in residuals.iter_mut().zip(targets) {
            *residual -= *target;
        }
        let by_mean = self.family.slopes(&residuals, weights);
        let mut powers = [T::ZERO; LANES];
        for lane in 0..LANES {
            powers[lane] = residuals[lane] * by_mean[lane];
            terms[lane] = share * powers[lane];
            outputs[lane] = by_mean[lane] * slopes[lane];
        }
        powers
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

/// 1 − d·g of a line, given its d·g; padding becomes zero.
#[inline(always)]
fn write_log_sigma_gradient<T: Float>(at: LineAt, powers: [T; LANES], gradient: &mut [T]) {
    let gradient = &mut gradient.as_chunks_mut::<LANES>().0[at.line];
    for (gradient, power) in gradient.iter_mut().zip(powers) {
        *gradient = T::ONE - power;
    }
    gradient[at.width..].fill(T::ZERO);
}

/// Kernel with a σ for every column.
pub struct PerColumn<'a, T> {
    density: Density,
    weights: &'a [T],
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
        let weights = &self.weights.as_chunks::<LANES>().0[at.panel];
        let powers = self.density.line::<T, L>(weights, outputs, targets, terms);
        if let Some(gradient) = &mut self.log_sigma_gradient {
            write_log_sigma_gradient(at, powers, gradient);
        }
    }
}

/// Kernel with a ln σ for every element.
pub struct PerElement<'a, T> {
    density: Density,
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
        let degree = T::from_f64(self.density.family.degree());
        let log_sigma = self.log_sigma.values().as_chunks::<LANES>().0[at.line];
        let mut weights = log_sigma;
        for weight in &mut weights {
            *weight = T::fast_exp::<L>(-(degree * *weight));
        }
        let powers = self.density.line::<T, L>(&weights, outputs, targets, terms);
        for (term, log_sigma) in terms.iter_mut().zip(log_sigma) {
            *term += log_sigma;
        }
        if let Logits::Replace(gradient) = &mut self.log_sigma {
            write_log_sigma_gradient(at, powers, gradient);
        }
    }
}

/// Loss and gradient with a σ for every column: `outputs` becomes the gradient
/// by the outputs, the loss of row r is c·Σ_columns |d|ᵖ/σᵖ.
///
/// `weights` are 1/σᵖ of all columns, padded to whole panels.
/// `log_sigma_gradient`, of the outputs' layout, becomes the gradient 1 − d·g by
/// each ln σ, if that is wanted.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn per_column<T: Float>(
    rows: SampledRows,
    density: Density,
    weights: &[T],
    outputs: &mut [T],
    log_sigma_gradient: Option<&mut [T]>,
    targets: &[T],
    sums: RowSums<'_, T>,
) {
    let wanted = log_sigma_gradient.as_ref().map(|gradient| gradient.len());
    assert!(
        wanted.is_none_or(|len| len == outputs.len()),
        "loss::location_scale::per_column: log_sigma_gradient has {wanted:?} elements for {} outputs",
        outputs.len()
    );
    let pixel = PerColumn {
        density,
        weights,
        log_sigma_gradient,
    };
    run_per_column(rows, pixel, Logits::Replace(outputs), targets, sums);
}

/// The loss of [`per_column`] alone; `outputs` stay as they are.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn per_column_loss<T: Float>(
    rows: SampledRows,
    density: Density,
    weights: &[T],
    outputs: &[T],
    targets: &[T],
    row_loss: &mut [T],
) {
    let pixel = PerColumn {
        density,
        weights,
        log_sigma_gradient: None,
    };
    let sums = RowSums::Whole(row_loss);
    run_per_column(rows, pixel, Logits::Keep(outputs), targets, sums);
}

/// Loss and gradients with a ln σ for every element: `outputs` and `log_sigma`,
/// of the same layout, become the gradients by each, the loss of row r is
/// Σ_columns (c·|d|ᵖ/σᵖ + ln σ).
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn per_element<T: Float>(
    rows: SampledRows,
    density: Density,
    outputs: &mut [T],
    log_sigma: &mut [T],
    targets: &[T],
    sums: RowSums<'_, T>,
) {
    let log_sigma = Logits::Replace(log_sigma);
    let pixel = PerElement { density, log_sigma };
    run_per_element(rows, pixel, Logits::Replace(outputs), targets, sums);
}

/// The loss of [`per_element`] alone; `outputs` and `log_sigma` stay as they
/// are.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn per_element_loss<T: Float>(
    rows: SampledRows,
    density: Density,
    outputs: &[T],
    log_sigma: &[T],
    targets: &[T],
    row_loss: &mut [T],
) {
    let log_sigma = Logits::Keep(log_sigma);
    let pixel = PerElement { density, log_sigma };
    let sums = RowSums::Whole(row_loss);
    run_per_element(rows, pixel, Logits::Keep(outputs), targets, sums);
}

fn run_per_column<T: Float>(
    rows: SampledRows,
    pixel: PerColumn<'_, T>,
    outputs: Logits<'_, T>,
    targets: &[T],
    sums: RowSums<'_, T>,
) {
    rows.check(
        "loss::location_scale::per_column",
        outputs.values(),
        targets,
        &sums,
    );
    assert!(
        pixel.weights.len() == rows.shape.padded_cols(),
        "loss::location_scale::per_column: {} weights for {rows:?}",
        pixel.weights.len()
    );
    T::located_per_column(
        Available::current(),
        RowLosses {
            rows,
            outputs,
            targets,
            sums,
            pixel,
        },
    );
}

fn run_per_element<T: Float>(
    rows: SampledRows,
    pixel: PerElement<'_, T>,
    outputs: Logits<'_, T>,
    targets: &[T],
    sums: RowSums<'_, T>,
) {
    rows.check(
        "loss::location_scale::per_element",
        outputs.values(),
        targets,
        &sums,
    );
    let len = pixel.log_sigma.values().len();
    assert!(
        len == outputs.values().len(),
        "loss::location_scale::per_element: {len} values of log_sigma for {} outputs",
        outputs.values().len()
    );
    T::located_per_element(
        Available::current(),
        RowLosses {
            rows,
            outputs,
            targets,
            sums,
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

    fn densities() -> impl Iterator<Item = Density> {
        Family::ALL
            .into_iter()
            .flat_map(|family| [Mean::Identity, Mean::Sigmoid].map(|mean| Density { family, mean }))
    }

    /// (c·|d|ᵖ/σᵖ, by the output, by ln σ) of one element.
    fn expected(density: Density, a: f64, log_sigma: f64, x: f64) -> (f64, f64, f64) {
        let sigmoid = 1.0 / (1.0 + (-a).exp());
        let (m, slope) = match density.mean {
            Mean::Identity => (a, 1.0),
            Mean::Sigmoid => (sigmoid, sigmoid * (1.0 - sigmoid)),
        };
        let (d, sigma) = (m - x, log_sigma.exp());
        match density.family {
            Family::Gaussian => {
                let square = d.powi(2) / sigma.powi(2);
                (0.5 * square, d / sigma.powi(2) * slope, 1.0 - square)
            }
            Family::Laplace => {
                let distance = SQRT_2 * d.abs() / sigma;
                (
                    distance,
                    SQRT_2 * d.signum() / sigma * slope,
                    1.0 - distance,
                )
            }
        }
    }

    #[test]
    fn a_sigma_for_every_element() {
        for density in densities() {
            let case = case();
            let (mut outputs, mut log_sigma) = (case.outputs.clone(), case.log_sigma.clone());
            let (mut loss, mut alone) = ([0.0; 10], [0.0; 10]);
            per_element_loss(
                ROWS,
                density,
                &case.outputs,
                &case.log_sigma,
                &case.targets,
                &mut alone,
            );
            per_element(
                ROWS,
                density,
                &mut outputs,
                &mut log_sigma,
                &case.targets,
                RowSums::Whole(&mut loss),
            );
            assert_eq!(loss, alone);
            for (row, loss) in loss.iter().enumerate() {
                let mut sum = 0.0;
                for col in 0..21 {
                    let at = ROWS.shape.index(row, col);
                    let x = case.targets[ROWS.targets().index(row / 2, col)];
                    let s = case.log_sigma[at];
                    let (half, by_output, by_sigma) = expected(density, case.outputs[at], s, x);
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
        for density in densities() {
            let case = case();
            let by_column: Vec<f64> = (0..21).map(|col| 0.1 * f64::from(col) - 1.0).collect();
            let mut precision = vec![0.0; 32];
            for (precision, s) in precision.iter_mut().zip(&by_column) {
                *precision = (-density.family.degree() * s).exp();
            }
            let (mut outputs, mut gradient) =
                (case.outputs.clone(), vec![f64::NAN; ROWS.shape.len()]);
            let (mut loss, mut alone) = ([0.0; 10], [0.0; 10]);
            per_column_loss(
                ROWS,
                density,
                &precision,
                &case.outputs,
                &case.targets,
                &mut alone,
            );
            per_column(
                ROWS,
                density,
                &precision,
                &mut outputs,
                Some(&mut gradient),
                &case.targets,
                RowSums::Whole(&mut loss),
            );
            assert_eq!(loss, alone);
            for (row, loss) in loss.iter().enumerate() {
                let mut sum = 0.0;
                for (col, &s) in by_column.iter().enumerate() {
                    let at = ROWS.shape.index(row, col);
                    let x = case.targets[ROWS.targets().index(row / 2, col)];
                    let (half, by_output, by_sigma) = expected(density, case.outputs[at], s, x);
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
