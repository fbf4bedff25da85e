//! Kernel of the row losses: any density of a pixel, several rows to a target.

use crate::Float;
use crate::loss::kernel::{Chains, Logits, ROW_GROUP};
use crate::loss::{RowSums, SampledRows};
use crate::panels::LANES;
use crate::simd::{Line, Operation};

/// Negative log-density of a line of pixels, and its gradient.
pub(crate) trait PixelLoss<T> {
    /// Writes the losses of a line's lanes to `terms` and replaces `outputs`
    /// by the gradient; lanes from `width` on may be left with anything in
    /// both.
    ///
    /// # Safety
    /// The processor must have the features of `L`.
    unsafe fn line<L: Line<T>>(
        &mut self,
        at: LineAt,
        outputs: &mut [T; LANES],
        targets: &[T; LANES],
        terms: &mut [T; LANES],
    );
}

/// Where a line is.
#[derive(Clone, Copy)]
pub(crate) struct LineAt {
    /// Its panel among those of all columns.
    pub(crate) panel: usize,
    /// Its position among the lines that are given.
    pub(crate) line: usize,
    /// Lanes that are not padding.
    pub(crate) width: usize,
}

/// Losses and, where asked for, gradients; lengths have been checked.
pub struct RowLosses<'a, T, P> {
    pub rows: SampledRows,
    pub outputs: Logits<'a, T>,
    pub targets: &'a [T],
    pub sums: RowSums<'a, T>,
    pub pixel: P,
}

impl<T: Float, P: PixelLoss<T>> Operation<T> for RowLosses<'_, T, P> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            rows: SampledRows { shape, samples },
            mut outputs,
            targets,
            mut sums,
            mut pixel,
        } = self;
        let chains = Chains::new(shape.cols, &sums);
        let images = shape.rows / samples.max(1);
        let targets = targets.as_chunks::<LANES>().0;
        for first in (0..shape.rows).step_by(ROW_GROUP) {
            let group = ROW_GROUP.min(shape.rows - first);
            let images_of: [usize; ROW_GROUP] = std::array::from_fn(|row| (first + row) / samples);
            let of_rows = chains.sum(|panel, of_chain| {
                let width = LANES.min(shape.cols - panel * LANES);
                let given = panel - chains.first;
                for (row, sum) in of_chain[..group].iter_mut().enumerate() {
                    let line = given * shape.rows + first + row;
                    let at = LineAt { panel, line, width };
                    let target = &targets[given * images + images_of[row]];
                    let mut terms = [T::ZERO; LANES];
                    match &mut outputs {
                        Logits::Keep(kept) => {
                            let mut copy = kept.as_chunks::<LANES>().0[line];
                            // SAFETY: the features are the caller's promise.
                            unsafe { pixel.line::<L>(at, &mut copy, target, &mut terms) };
                        }
                        Logits::Replace(replaced) => {
                            let own = &mut replaced.as_chunks_mut::<LANES>().0[line];
                            // SAFETY: as above.
                            unsafe { pixel.line::<L>(at, own, target, &mut terms) };
                            own[width..].fill(T::ZERO);
                        }
                    }
                    for (sum, &term) in sum[..width].iter_mut().zip(&terms) {
                        *sum += term;
                    }
                }
            });
            sums.write(first, &of_rows[..group]);
        }
    }
}

/// A Bernoulli variable's cross-entropy with its logit.
pub struct Bernoulli;

impl<T: Float> PixelLoss<T> for Bernoulli {
    #[inline(always)]
    unsafe fn line<L: Line<T>>(
        &mut self,
        _: LineAt,
        outputs: &mut [T; LANES],
        targets: &[T; LANES],
        terms: &mut [T; LANES],
    ) {
        for lane in 0..LANES {
            (terms[lane], outputs[lane]) = T::fast_bce::<L>(outputs[lane], targets[lane]);
        }
    }
}
