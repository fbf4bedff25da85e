//! Kernel of [`super::bce_with_logits`].

use crate::Float;
use crate::panels::{LANES, Panels};
use crate::simd::{Line, Operation};

/// Loss and, where asked for, gradient; lengths have been checked.
pub struct Bce<'a, T> {
    pub shape: Panels,
    pub logits: Logits<'a, T>,
    pub targets: &'a [T],
    pub row_loss: &'a mut [T],
    /// Panels whose terms are summed first, the others after them.
    pub first_half: usize,
}

/// Whether the logits become their gradient.
pub enum Logits<'a, T> {
    Keep(&'a [T]),
    Replace(&'a mut [T]),
}

impl<T> Logits<'_, T> {
    /// The values themselves.
    #[inline(always)]
    pub fn values(&self) -> &[T] {
        match self {
            Logits::Keep(values) => values,
            Logits::Replace(values) => values,
        }
    }
}

/// Rows whose running sums are kept together: their lines of one panel are
/// neighbours in memory.
pub(super) const ROW_GROUP: usize = 8;

impl<T: Float> Operation<T> for Bce<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            mut logits,
            targets,
            row_loss,
            first_half,
        } = self;
        let whole_panels = shape.cols / LANES;
        let mut first = 0;
        for row_loss in row_loss.chunks_mut(ROW_GROUP) {
            let mut sums = [[T::ZERO; LANES]; ROW_GROUP];
            let mut first_sums = [T::ZERO; ROW_GROUP];
            for panel in 0..shape.panel_count() {
                if panel == first_half {
                    end_half(&mut sums, &mut first_sums);
                }
                let at = (panel * shape.rows + first) * LANES;
                let range = at..at + row_loss.len() * LANES;
                let targets = targets[range.clone()].as_chunks::<LANES>().0;
                let lines = match &mut logits {
                    Logits::Keep(logits) => Logits::Keep(logits[range].as_chunks().0),
                    Logits::Replace(logits) => Logits::Replace(logits[range].as_chunks_mut().0),
                };
                // The width is a constant of all panels but the last: a
                // variable one would keep the terms out of registers.
                if panel < whole_panels {
                    add_panel::<T, L, true>(lines, targets, &mut sums, LANES);
                } else {
                    add_panel::<T, L, false>(lines, targets, &mut sums, shape.cols % LANES);
                }
            }
            for ((loss, first), sums) in row_loss.iter_mut().zip(first_sums).zip(sums) {
                *loss = first + sum_lanes(sums);
            }
            first += row_loss.len();
        }
    }
}

/// Adds the terms of the first `width` lanes of every line to its row's sums.
#[inline(always)]
fn add_panel<T: Float, L: Line<T>, const WHOLE: bool>(
    logits: Logits<'_, [T; LANES]>,
    targets: &[[T; LANES]],
    sums: &mut [[T; LANES]; ROW_GROUP],
    width: usize,
) {
    let mut terms = [T::ZERO; LANES];
    match logits {
        Logits::Keep(lines) => {
            for ((x, t), sum) in lines.iter().zip(targets).zip(sums) {
                for lane in 0..LANES {
                    terms[lane] = T::fast_bce::<L>(x[lane], t[lane]).0;
                }
                if !WHOLE {
                    terms[width..].fill(T::ZERO);
                }
                add_terms(sum, terms);
            }
        }
        Logits::Replace(lines) => {
            for ((x, t), sum) in lines.iter_mut().zip(targets).zip(sums) {
                for lane in 0..LANES {
                    (terms[lane], x[lane]) = T::fast_bce::<L>(x[lane], t[lane]);
                }
                if !WHOLE {
                    terms[width..].fill(T::ZERO);
                    x[width..].fill(T::ZERO);
                }
                add_terms(sum, terms);
            }
        }
    }
}

#[inline(always)]
fn add_terms<T: Float>(sum: &mut [T; LANES], terms: [T; LANES]) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// Puts the sums of the first half of the columns away and begins those of the
/// second.
#[inline(always)]
pub(super) fn end_half<T: Float>(
    sums: &mut [[T; LANES]; ROW_GROUP],
    first_sums: &mut [T; ROW_GROUP],
) {
    for (first, sums) in first_sums.iter_mut().zip(sums) {
        *first = sum_lanes(std::mem::replace(sums, [T::ZERO; LANES]));
    }
}

/// The sum of the lanes as a balanced tree.
#[inline(always)]
pub(super) fn sum_lanes<T: Float>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}
