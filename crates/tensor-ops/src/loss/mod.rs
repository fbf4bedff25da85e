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

use std::ops::Range;

use kernel::{Bce, Logits, sum_lanes};
use rows::RowLosses;

use crate::Float;
use crate::eighths::{EIGHTHS, PartialSums, panels_of};
use crate::isa::Available;
use crate::panels::{LANES, Panels};

/// Loss and gradient in one pass over a block of rows in panel layout.
///
/// `logits` becomes the gradient σ(x) − t by the logits (unscaled, padding
/// zero); `row_loss[r]` becomes Σ_columns (softplus(x) − x·t) of row r, in
/// nats. The sum of a row has a fixed order that does not depend on `rows`: sixteen
/// lanes, each in the order of [`crate::eighths`], then a tree over the lanes.
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
    run_bernoulli(
        "loss::bce_with_logits",
        SampledRows { shape, samples: 1 },
        Logits::Replace(logits),
        targets,
        RowSums::Whole(row_loss),
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
    run_bernoulli(
        "loss::bce_with_logits_loss",
        SampledRows { shape, samples: 1 },
        Logits::Keep(logits),
        targets,
        RowSums::Whole(row_loss),
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

    fn check<T: Float>(self, operation: &str, outputs: &[T], targets: &[T], sums: &RowSums<'_, T>) {
        assert!(
            self.samples > 0 && self.shape.rows.is_multiple_of(self.samples),
            "{operation}: {} rows are no whole number of images of {} samples",
            self.shape.rows,
            self.samples
        );
        let panels = sums.panels(self.shape.cols).len();
        assert!(
            outputs.len() == panels * self.shape.panel_len()
                && targets.len() == panels * self.targets().panel_len()
                && sums.fit(self.shape.rows),
            "{operation}: outputs {}, targets {} elements and {sums:?} do not fit {self:?}",
            outputs.len(),
            targets.len(),
        );
    }
}

/// Where the losses of the rows go, and over which columns they are summed.
#[derive(Debug)]
pub enum RowSums<'a, T> {
    /// Over all columns: a loss for every row.
    Whole(&'a mut [T]),
    /// Over one of the [`branches`](crate::eighths::branches) of the columns:
    /// a line of sixteen sums for every row, of which [`complete_row_losses`]
    /// makes the loss. Outputs, their gradients and targets are then given for
    /// the panels of that branch alone.
    Branch(Range<usize>, &'a mut [T]),
}

impl<T> RowSums<'_, T> {
    /// The eighths that are summed over.
    pub(crate) fn branch(&self) -> Range<usize> {
        match self {
            RowSums::Whole(_) => 0..EIGHTHS,
            RowSums::Branch(branch, _) => branch.clone(),
        }
    }

    /// The panels that are summed over and that the other slices hold.
    fn panels(&self, columns: usize) -> Range<usize> {
        panels_of(columns, &self.branch())
    }

    fn fit(&self, rows: usize) -> bool {
        match self {
            RowSums::Whole(row_loss) => row_loss.len() == rows,
            RowSums::Branch(_, lines) => lines.len() == rows * LANES,
        }
    }
}

/// The losses of rows whose columns were summed by several: `lines` are what
/// [`RowSums::Branch`] has of each branch.
///
/// The bits are those of the sum over all columns.
///
/// # Panics
/// If a part has not a line for every row.
pub fn complete_row_losses<T: Float>(lines: PartialSums<'_, T>, row_loss: &mut [T]) {
    assert!(
        lines.have_len(row_loss.len() * LANES),
        "loss::complete_row_losses: parts {lines:?} of {} rows",
        row_loss.len()
    );
    for (row, loss) in row_loss.iter_mut().enumerate() {
        *loss = sum_lanes(lines.line(row * LANES));
    }
}

/// [`bce_with_logits`] of rows that share their targets.
///
/// # Panics
/// If a slice has another length than the rows need.
pub fn bernoulli<T: Float>(
    rows: SampledRows,
    logits: &mut [T],
    targets: &[T],
    sums: RowSums<'_, T>,
) {
    run_bernoulli(
        "loss::bernoulli",
        rows,
        Logits::Replace(logits),
        targets,
        sums,
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
    let sums = RowSums::Whole(row_loss);
    run_bernoulli(
        "loss::bernoulli_loss",
        rows,
        Logits::Keep(logits),
        targets,
        sums,
    );
}

fn run_bernoulli<T: Float>(
    operation: &str,
    rows: SampledRows,
    outputs: Logits<'_, T>,
    targets: &[T],
    sums: RowSums<'_, T>,
) {
    rows.check(operation, outputs.values(), targets, &sums);
    if rows.samples == 1 {
        return T::bce(
            Available::current(),
            Bce {
                shape: rows.shape,
                logits: outputs,
                targets,
                sums,
            },
        );
    }
    T::bernoulli_rows(
        Available::current(),
        RowLosses {
            rows,
            outputs,
            targets,
            sums,
            pixel: rows::Bernoulli,
        },
    );
}

#[cfg(test)]
mod tests;
