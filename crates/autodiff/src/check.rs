//! Finite-difference checks of gradients, in f64.
//!
//! The numeric derivative is the five-point central difference
//! f′(x) ≈ \[f(x−2h) − 8 f(x−h) + 8 f(x+h) − f(x+2h)\] / 12 h
//! (Abramowitz & Stegun 25.3.6), whose truncation error h⁴ f⁽⁵⁾/30 is below the
//! rounding error of about 1.5 ε |f| / h for the steps used here: with h = 10⁻³
//! a correct gradient of a smooth function agrees to ten digits and more. Data
//! must stay 2 h away from kinks.
//!
//! [`gradients`] checks a program on the tape; outputs that are no single number
//! are weighted with random upstream weights, because a plain sum hides
//! transposed and scaled gradients. [`numeric_gradient`] and [`compare`] serve
//! gradients derived by hand.
//!
//! ```
//! use autodiff::check;
//!
//! let x = ndarray::arr1(&[0.5, -1.5]).into_dyn();
//! let comparison = check::gradients(&[x], |tape, inputs| {
//!     let y = tape.tanh(inputs[0])?;
//!     tape.square(y)
//! })?;
//! assert!(comparison.relative_error < 1e-9);
//! # Ok::<(), autodiff::Error>(())
//! ```

use std::fmt;

use ndarray::{ArrayD, ArrayViewD};
use tensor_ops::random::{self, Stream};

use crate::error::Error;
use crate::tape::{Tape, Var};

/// The step h that [`gradients`] uses, relative to max(1, |x|).
pub const STEP: f64 = 1e-3;

/// Differences are relative to at least this share of the largest element of
/// the same gradient: an element a thousand times smaller than its neighbours
/// carries their rounding errors.
pub const FLOOR: f64 = 1e-3;

/// The element in which two gradients differ most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// |analytic − numeric| / max(|analytic|, |numeric|, [`FLOOR`] · largest),
    /// or the absolute difference if the whole gradient is zero. Not a number
    /// counts as infinite.
    pub relative_error: f64,
    /// Which input the element belongs to.
    pub input: usize,
    /// Row-major position in that input.
    pub index: usize,
    /// The gradient under test.
    pub analytic: f64,
    /// The finite difference.
    pub numeric: f64,
    /// Number of elements compared.
    pub elements: usize,
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "relative error {:.2e} at element {} of input {}: analytic {:e}, numeric {:e} \
             ({} elements compared)",
            self.relative_error, self.index, self.input, self.analytic, self.numeric, self.elements
        )
    }
}

/// Compares the tape's gradient of `program` by every input with finite
/// differences of step [`STEP`].
///
/// # Errors
/// Those of the program, and of [`Tape::backward_with`].
pub fn gradients(
    inputs: &[ArrayD<f64>],
    program: impl Fn(&mut Tape<'_, f64>, &[Var]) -> Result<Var, Error>,
) -> Result<Comparison, Error> {
    gradients_with_step(STEP, inputs, program)
}

/// [`gradients`] with another step: smaller where kinks are near, larger for
/// large values.
///
/// # Errors
/// As [`gradients`].
pub fn gradients_with_step(
    step: f64,
    inputs: &[ArrayD<f64>],
    program: impl Fn(&mut Tape<'_, f64>, &[Var]) -> Result<Var, Error>,
) -> Result<Comparison, Error> {
    let mut tape = Tape::new();
    let record = |inputs: &[ArrayD<f64>], tape: &mut Tape<'static, f64>| {
        tape.reset();
        let variables = inputs
            .iter()
            .map(|input| tape.parameter(input.view()))
            .collect::<Result<Vec<_>, _>>()?;
        program(tape, &variables).map(|output| (variables, output))
    };
    let (variables, output) = record(inputs, &mut tape)?;
    let weights = upstream_weights(tape.shape(output)?.extents());
    tape.backward_with(output, weights.view())?;
    let analytic = variables
        .iter()
        .map(|&variable| Ok(tape.gradient(variable)?.iter().copied().collect()))
        .collect::<Result<Vec<Vec<f64>>, Error>>()?;

    let mut worst: Option<Comparison> = None;
    let mut elements = 0;
    let mut moved = inputs.to_vec();
    for (input, analytic) in analytic.iter().enumerate() {
        let mut numeric = Vec::with_capacity(analytic.len());
        for index in 0..analytic.len() {
            let x = element(&mut moved[input], index);
            let value = *x;
            let h = step * value.abs().max(1.0);
            let mut at = |offset: f64| -> Result<f64, Error> {
                *element(&mut moved[input], index) = value + offset * h;
                let (_, output) = record(&moved, &mut tape)?;
                Ok(weighted_sum(&weights, tape.value(output)?))
            };
            let [far_left, left, right, far_right] = [at(-2.0)?, at(-1.0)?, at(1.0)?, at(2.0)?];
            *element(&mut moved[input], index) = value;
            numeric.push(stencil(far_left, left, right, far_right, h));
        }
        let mut comparison = compare(analytic, &numeric);
        comparison.input = input;
        elements += comparison.elements;
        if worst.is_none_or(|worst| comparison.relative_error > worst.relative_error) {
            worst = Some(comparison);
        }
    }
    let mut worst = worst.unwrap_or_else(|| compare(&[], &[]));
    worst.elements = elements;
    Ok(worst)
}

/// The gradient of `f` at `x` by five-point differences of step `step` · max(1, |xᵢ|).
pub fn numeric_gradient(mut f: impl FnMut(&[f64]) -> f64, x: &[f64], step: f64) -> Vec<f64> {
    (0..x.len())
        .map(|index| numeric_partial(&mut f, x, index, step))
        .collect()
}

/// One element of [`numeric_gradient`]: for functions of many variables, of
/// which a sample is checked.
///
/// # Panics
/// If `x` has no element `index`.
pub fn numeric_partial(
    mut f: impl FnMut(&[f64]) -> f64,
    x: &[f64],
    index: usize,
    step: f64,
) -> f64 {
    let mut moved = x.to_vec();
    let h = step * x[index].abs().max(1.0);
    let [far_left, left, right, far_right] = [-2.0, -1.0, 1.0, 2.0].map(|offset| {
        moved[index] = x[index] + offset * h;
        f(&moved)
    });
    stencil(far_left, left, right, far_right, h)
}

/// The element in which two gradients of one input differ most.
///
/// # Panics
/// If their lengths differ.
#[must_use]
pub fn compare(analytic: &[f64], numeric: &[f64]) -> Comparison {
    assert_eq!(
        analytic.len(),
        numeric.len(),
        "check::compare: gradients of different lengths"
    );
    let largest = numeric
        .iter()
        .chain(analytic)
        .fold(0.0_f64, |largest, g| largest.max(g.abs()));
    let mut worst = Comparison {
        relative_error: 0.0,
        input: 0,
        index: 0,
        analytic: 0.0,
        numeric: 0.0,
        elements: analytic.len(),
    };
    for (index, (&analytic, &numeric)) in analytic.iter().zip(numeric).enumerate() {
        let scale = if largest == 0.0 {
            1.0
        } else {
            analytic.abs().max(numeric.abs()).max(FLOOR * largest)
        };
        let error = (analytic - numeric).abs() / scale;
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if error > worst.relative_error || index == 0 {
            worst = Comparison {
                relative_error: error,
                index,
                analytic,
                numeric,
                ..worst
            };
        }
    }
    worst
}

fn stencil(far_left: f64, left: f64, right: f64, far_right: f64, h: f64) -> f64 {
    (8.0 * (right - left) - (far_right - far_left)) / (12.0 * h)
}

/// Weights of either sign with sizes in [0.5, 1.5), the same for one shape in
/// every call.
fn upstream_weights(extents: &[usize]) -> ArrayD<f64> {
    let mut weights = ArrayD::zeros(extents);
    let stream = Stream::new(0x5eed_0f0e_16f7_5a1d, 0);
    if let Some(weights) = weights.as_slice_mut() {
        random::fill_uniform(weights, stream, 0);
        for weight in weights {
            let spread = 2.0 * *weight - 1.0;
            *weight = spread + 0.5_f64.copysign(spread);
        }
    }
    weights
}

fn weighted_sum(weights: &ArrayD<f64>, values: ArrayViewD<'_, f64>) -> f64 {
    weights.iter().zip(values).map(|(w, y)| w * y).sum()
}

fn element(array: &mut ArrayD<f64>, index: usize) -> &mut f64 {
    array
        .iter_mut()
        .nth(index)
        .expect("the index counts the elements of this array")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_gradient_is_found() {
        let f = |x: &[f64]| x[0].powi(3) + x[0] * x[1];
        let x = [0.7, -1.3];
        let numeric = numeric_gradient(f, &x, STEP);
        let exact = [3.0 * 0.49 - 1.3, 0.7];
        assert!(compare(&exact, &numeric).relative_error < 1e-11);
        let wrong = [exact[0], exact[1] * (1.0 + 1e-6)];
        let comparison = compare(&wrong, &numeric);
        assert!((comparison.relative_error - 1e-6).abs() < 1e-9);
        assert_eq!(comparison.index, 1);
        assert_eq!(
            compare(&[f64::NAN, 1.0], &[1.0, 1.0]).relative_error,
            f64::INFINITY
        );
        assert_eq!(compare(&[1e-3], &[0.0]).relative_error, 1.0);
    }

    #[test]
    fn a_gradient_that_is_stopped_is_found() {
        let x = ndarray::arr1(&[0.5, 2.0]).into_dyn();
        let comparison = gradients(&[x], |tape, inputs| {
            let factor = tape.stop_gradient(inputs[0])?;
            tape.mul(factor, inputs[0])
        })
        .unwrap();
        assert!((comparison.relative_error - 0.5).abs() < 1e-9);
    }

    #[test]
    fn upstream_weights_have_both_signs_and_no_small_value() {
        let weights = upstream_weights(&[50]);
        assert!(
            weights
                .iter()
                .all(|weight| (0.5..1.5).contains(&weight.abs()))
        );
        assert!(
            weights.iter().any(|&weight| weight < 0.0)
                && weights.iter().any(|&weight| weight > 0.0)
        );
    }
}
