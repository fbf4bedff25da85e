//! Negative log-likelihoods of rows of pixels.
//!
//! The Bernoulli cross-entropy with logits is here, the
//! [continuous Bernoulli](continuous_bernoulli) and the densities of a mean and
//! a standard deviation ([`location_scale`]) in modules of their own. All take rows that share their targets, as the
//! samples of one image do ([`SampledRows`]).
//!
//! For a logit x and a target t in \[0, 1\], −log p(t | x) = softplus(x) − x·t
//! and its derivative by x is σ(x) − t. Both come from one exponential:
//! with e = exp(−|x|), softplus(x) = max(x, 0) + log1p(e) and
//! σ(x) = (x > 0 ? 1 : e) / (1 + e). The familiar form (1−t)·x + log(1 + e⁻ˣ)
//! overflows for x < −88.7 in f32; this one never does.

pub mod continuous_bernoulli;
pub(crate) mod kernel;
pub mod location_scale;
pub(crate) mod rows;

use kernel::{Bce, Logits};
use rows::RowLosses;

use crate::Float;
use crate::isa::Available;
use crate::linear::halves;
use crate::panels::Panels;

/// Loss and gradient in one pass over a block of rows in panel layout.
///
/// `logits` becomes the gradient σ(x) − t by the logits (unscaled, padding
/// zero); `row_loss[r]` becomes Σ_columns (softplus(x) − x·t) of row r, in
/// nats. The sum of a row has a fixed order that does not depend on `rows`: one
/// sum over each of the [`halves`] of the columns' panels, added.
///
/// # Panics
/// If a slice has another length than the shape needs.
///
/// ```
/// use tensor_ops::{loss, panels::Panels};
///
/// let shape = Panels::new(1, 1);
/// let (mut logits, mut loss) = (vec![0.0_f64; 16], [0.0]);
/// let mut targets = vec![0.0; 16];
/// targets[0] = 1.0;
/// loss::bce_with_logits(shape, &mut logits, &targets, &mut loss);
/// assert!((loss[0] - 2.0_f64.ln()).abs() < 1e-15);
/// assert_eq!(logits[0], -0.5);
/// ```
pub fn bce_with_logits<T: Float>(
    shape: Panels,
    logits: &mut [T],
    targets: &[T],
    row_loss: &mut [T],
) {
    bce(
        "loss::bce_with_logits",
        shape,
        halves(shape.cols)[0].end,
        Logits::Replace(logits),
        targets,
        row_loss,
    );
}

/// [`bce_with_logits`] of one of the [`halves`] of the columns: `shape`,
/// `logits` and `targets` are those of that half's panels alone.
///
/// The row losses of both halves add up to those of the whole, bit for bit.
///
/// # Panics
/// If a slice has another length than the shape needs.
pub fn bce_with_logits_half<T: Float>(
    shape: Panels,
    logits: &mut [T],
    targets: &[T],
    row_loss: &mut [T],
) {
    bce(
        "loss::bce_with_logits_half",
        shape,
        0,
        Logits::Replace(logits),
        targets,
        row_loss,
    );
}

/// The loss of [`bce_with_logits`] alone; `logits` stay as they are.
///
/// # Panics
/// If a slice has another length than the shape needs.
pub fn bce_with_logits_loss<T: Float>(
    shape: Panels,
    logits: &[T],
    targets: &[T],
    row_loss: &mut [T],
) {
    bce(
        "loss::bce_with_logits_loss",
        shape,
        halves(shape.cols)[0].end,
        Logits::Keep(logits),
        targets,
        row_loss,
    );
}

/// The rows of a block of which `samples` consecutive ones are about the same
/// image: row r belongs to image r / `samples`.
///
/// Targets are given once per image, in panels of
/// [`targets`](SampledRows::targets).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SampledRows {
    /// Layout of the outputs: `[images · samples, cols]`.
    pub shape: Panels,
    /// Rows of each image, at least 1.
    pub samples: usize,
}

impl SampledRows {
    /// Layout of the targets: `[images, cols]`.
    pub const fn targets(self) -> Panels {
        Panels::new(self.shape.rows / self.samples, self.shape.cols)
    }

    fn check<T>(self, operation: &str, outputs: &[T], targets: &[T], row_loss: &[T]) {
        assert!(
            self.samples > 0 && self.shape.rows.is_multiple_of(self.samples),
            "{operation}: {} rows are no whole number of images of {} samples",
            self.shape.rows,
            self.samples
        );
        assert!(
            outputs.len() == self.shape.len()
                && targets.len() == self.targets().len()
                && row_loss.len() == self.shape.rows,
            "{operation}: outputs {}, targets {}, row_loss {} elements do not fit {self:?}",
            outputs.len(),
            targets.len(),
            row_loss.len()
        );
    }
}

/// [`bce_with_logits`] of rows that share their targets.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn bernoulli<T: Float>(rows: SampledRows, logits: &mut [T], targets: &[T], row_loss: &mut [T]) {
    rows.check("loss::bernoulli", logits, targets, row_loss);
    if rows.samples == 1 {
        return bce_with_logits(rows.shape, logits, targets, row_loss);
    }
    T::bernoulli_rows(
        Available::current(),
        RowLosses {
            rows,
            outputs: Logits::Replace(logits),
            targets,
            row_loss,
            pixel: rows::Bernoulli,
        },
    );
}

/// The loss of [`bernoulli`] alone; `logits` stay as they are.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn bernoulli_loss<T: Float>(
    rows: SampledRows,
    logits: &[T],
    targets: &[T],
    row_loss: &mut [T],
) {
    rows.check("loss::bernoulli_loss", logits, targets, row_loss);
    if rows.samples == 1 {
        return bce_with_logits_loss(rows.shape, logits, targets, row_loss);
    }
    T::bernoulli_rows(
        Available::current(),
        RowLosses {
            rows,
            outputs: Logits::Keep(logits),
            targets,
            row_loss,
            pixel: rows::Bernoulli,
        },
    );
}

/// Checks the lengths and runs the cross-entropy's kernel, which sums the
/// terms of the panels below `first_half` first.
#[inline]
fn bce<T: Float>(
    operation: &str,
    shape: Panels,
    first_half: usize,
    logits: Logits<'_, T>,
    targets: &[T],
    row_loss: &mut [T],
) {
    let len = logits.values().len();
    assert!(
        len == shape.len() && targets.len() == shape.len() && row_loss.len() == shape.rows,
        "{operation}: logits {len}, targets {}, row_loss {} elements do not fit {shape:?}",
        targets.len(),
        row_loss.len()
    );
    T::bce(
        Available::current(),
        Bce {
            shape,
            logits,
            targets,
            row_loss,
            first_half,
        },
    );
}

#[cfg(test)]
mod tests;
