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
}

/// Whether the logits become their gradient.
pub enum Logits<'a, T> {
    Keep(&'a [T]),
    Replace(&'a mut [T]),
}

/// Rows whose running sums are kept together: their lines of one panel are
/// neighbours in memory.
const ROW_GROUP: usize = 8;

impl<T: Float> Operation<T> for Bce<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            mut logits,
            targets,
            row_loss,
        } = self;
        let whole_panels = shape.cols / LANES;
        let mut group = 0;
        for row_loss in row_loss.chunks_mut(ROW_GROUP) {
            let rows = row_loss.len();
            let mut sums = [[T::ZERO; LANES]; ROW_GROUP];
            for panel in 0..shape.panel_count() {
                let at = (panel * shape.rows + group) * LANES;
                let range = at..at + rows * LANES;
                let mut terms = [T::ZERO; ROW_GROUP * LANES];
                let terms = &mut terms[..rows * LANES];
                let targets = &targets[range.clone()];
                match &mut logits {
                    Logits::Keep(logits) => {
                        for ((&x, &t), term) in logits[range].iter().zip(targets).zip(&mut *terms) {
                            *term = T::fast_softplus::<L>(x) - x * t;
                        }
                    }
                    Logits::Replace(logits) => {
                        let logits = &mut logits[range];
                        for ((x, &t), term) in logits.iter_mut().zip(targets).zip(&mut *terms) {
                            let (softplus, sigmoid) = T::fast_softplus_sigmoid::<L>(*x);
                            *term = softplus - *x * t;
                            *x = sigmoid - t;
                        }
                        if panel == whole_panels {
                            for line in logits.chunks_exact_mut(LANES) {
                                line[shape.cols % LANES..].fill(T::ZERO);
                            }
                        }
                    }
                }
                let width = LANES.min(shape.cols - panel * LANES);
                for (sum, term) in sums.iter_mut().zip(terms.chunks_exact(LANES)) {
                    for (sum, &term) in sum.iter_mut().zip(&term[..width]) {
                        *sum += term;
                    }
                }
            }
            for (loss, sums) in row_loss.iter_mut().zip(sums) {
                *loss = sum_lanes(sums);
            }
            group += rows;
        }
    }
}

/// The sum of the lanes as a balanced tree.
#[inline(always)]
fn sum_lanes<T: Float>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}
