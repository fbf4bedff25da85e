//! Kernel of [`super::weight_gradient`].

use std::ops::Range;

use super::RowBlock;
use crate::Float;
use crate::panels::LANES;
use crate::simd::{Line, Operation};
use crate::tile::{Tiled, accumulate, even_parts, run_tile, step};

/// dw = scale · Σ xᵀ dy and db = scale · Σ dy; lengths have been checked.
pub struct WeightGradient<'a, T> {
    pub inputs: usize,
    pub panels: Range<usize>,
    pub blocks: &'a [RowBlock<'a, T>],
    pub scale: T,
    pub dw: &'a mut [T],
    pub db: &'a mut [T],
}

impl<T: Float> Operation<T> for WeightGradient<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            inputs,
            panels,
            blocks,
            scale,
            dw,
            db,
        } = self;
        let job = Job {
            inputs,
            first_panel: panels.start,
            blocks,
            scale,
            dw: dw.as_mut_ptr(),
        };
        for group in even_parts(panels.len(), L::TILE_PANELS) {
            for input in (0..inputs).step_by(LANES) {
                // A tile's inputs stay within one panel of x, so that their
                // factors lie in one line.
                for (start, len) in even_parts(LANES.min(inputs - input), tile_inputs::<T, L>()) {
                    // SAFETY: features by the caller; the parts lie inside dw.
                    unsafe { run_tile::<T, L, _>(&job, (input + start, len), group) };
                }
            }
        }
        for (panel, db) in panels.zip(db.chunks_exact_mut(LANES)) {
            // SAFETY: features by the caller; dy has `rows` lines in the panel.
            unsafe {
                let mut sum = L::zero();
                for block in blocks {
                    let dy = block.dy.as_ptr().add(panel * block.rows * LANES);
                    for row in 0..block.rows {
                        sum = sum.add(L::load(dy.add(row * LANES)));
                    }
                }
                sum.mul(L::splat(scale)).store(db.as_mut_ptr());
            }
        }
    }
}

/// Inputs of a tile.
pub(crate) const fn tile_inputs<T, L: Line<T>>() -> usize {
    L::TILE_ROWS[L::TILE_PANELS - 1]
}

struct Job<'a, T> {
    inputs: usize,
    first_panel: usize,
    blocks: &'a [RowBlock<'a, T>],
    scale: T,
    dw: *mut T,
}

impl<T: Float, L: Line<T>> Tiled<T, L> for Job<'_, T> {
    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(&self, input: usize, panel: usize) {
        // SAFETY: every block has `rows` lines in each panel of x and dy, and
        // inputs `input .. input + M` lie in one line of x; dw has `inputs`
        // lines in each of the N panels from `panel` on.
        unsafe {
            let mut acc = [[L::zero(); N]; M];
            for block in self.blocks {
                let panel_len = block.rows * LANES;
                let x = block
                    .x
                    .as_ptr()
                    .add(input / LANES * panel_len + input % LANES);
                let dy = block
                    .dy
                    .as_ptr()
                    .add((self.first_panel + panel) * panel_len);
                match block.support {
                    None => accumulate(&mut acc, (x, 1, LANES), (dy, panel_len), block.rows),
                    Some(support) => {
                        for &row in support.input_tile(input) {
                            let at = row as usize * LANES;
                            step(&mut acc, (x.add(at), 1), (dy.add(at), panel_len));
                        }
                    }
                }
            }
            let scale = L::splat(self.scale);
            for n in 0..N {
                let dw = self.dw.add(((panel + n) * self.inputs + input) * LANES);
                for (m, acc) in acc.iter().enumerate() {
                    // +0 for the −0 of an underflow, as in the forward product.
                    acc[n].add(L::zero()).mul(scale).store(dw.add(m * LANES));
                }
            }
        }
    }
}
