//! Kernel of [`super::bce_with_logits`].

use crate::Float;
use crate::eighths::{Tree, WAITING, panels_of};
use crate::loss::RowSums;
use crate::panels::{LANES, Panels};
use crate::simd::{Line, Operation};

/// Loss and, where asked for, gradient; lengths have been checked.
pub struct Bce<'a, T> {
    pub shape: Panels,
    pub logits: Logits<'a, T>,
    pub targets: &'a [T],
    pub sums: RowSums<'a, T>,
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
            mut sums,
        } = self;
        let chains = Chains::new(shape.cols, &sums);
        let whole_panels = shape.cols / LANES;
        for first in (0..shape.rows).step_by(ROW_GROUP) {
            let group = ROW_GROUP.min(shape.rows - first);
            let of_rows = chains.sum(|panel, of_chain| {
                let at = ((panel - chains.first) * shape.rows + first) * LANES;
                let range = at..at + group * LANES;
                let targets = targets[range.clone()].as_chunks::<LANES>().0;
                let lines = match &mut logits {
                    Logits::Keep(logits) => Logits::Keep(logits[range].as_chunks().0),
                    Logits::Replace(logits) => Logits::Replace(logits[range].as_chunks_mut().0),
                };
                // The width is a constant of all panels but the last: a
                // variable one would keep the terms out of registers.
                if panel < whole_panels {
                    add_panel::<T, L, true>(lines, targets, of_chain, LANES);
                } else {
                    add_panel::<T, L, false>(lines, targets, of_chain, shape.cols % LANES);
                }
            });
            sums.write(first, &of_rows[..group]);
        }
    }
}

/// The lines of terms of a group of rows, summed over the panels.
type GroupSums<T> = [[T; LANES]; ROW_GROUP];

/// The chains of the panels that a loss is summed over.
pub(super) struct Chains {
    columns: usize,
    /// The first panel that is summed over.
    pub(super) first: usize,
    tree: Tree,
}

impl Chains {
    #[inline(always)]
    pub(super) fn new<T>(columns: usize, sums: &RowSums<'_, T>) -> Self {
        let branch = sums.branch();
        Self {
            columns,
            first: panels_of(columns, &branch).start,
            tree: Tree::of_branch(columns, &branch),
        }
    }

    /// Sums what `add` adds of every panel, in the order of [`crate::eighths`].
    #[inline(always)]
    pub(super) fn sum<T: Float>(
        &self,
        mut add: impl FnMut(usize, &mut GroupSums<T>),
    ) -> GroupSums<T> {
        let mut waiting = [[[T::ZERO; LANES]; ROW_GROUP]; WAITING + 1];
        let mut depth = 0;
        for (eighth, additions) in self.tree.parts() {
            let mut sums = [[T::ZERO; LANES]; ROW_GROUP];
            for panel in panels_of(self.columns, &eighth) {
                add(panel, &mut sums);
            }
            for _ in 0..additions {
                depth -= 1;
                for (sum, &earlier) in sums.iter_mut().zip(&waiting[depth]) {
                    add_terms(sum, earlier);
                }
            }
            waiting[depth] = sums;
            depth += 1;
        }
        waiting[0]
    }
}

impl<T: Float> RowSums<'_, T> {
    /// Writes the sums of the rows from `first` on.
    #[inline(always)]
    pub(super) fn write(&mut self, first: usize, sums: &[[T; LANES]]) {
        match self {
            RowSums::Whole(row_loss) => {
                for (loss, &sums) in row_loss[first..].iter_mut().zip(sums) {
                    *loss = sum_lanes(sums);
                }
            }
            RowSums::Branch(_, lines) => {
                let lines = &mut lines[first * LANES..][..sums.len() * LANES];
                lines.copy_from_slice(sums.as_flattened());
            }
        }
    }
}

/// Adds the terms of the first `width` lanes of every line to its row's sums.
#[inline(always)]
fn add_panel<T: Float, L: Line<T>, const WHOLE: bool>(
    logits: Logits<'_, [T; LANES]>,
    targets: &[[T; LANES]],
    sums: &mut GroupSums<T>,
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
