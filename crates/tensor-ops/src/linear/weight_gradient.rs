//! Kernel of [`super::weight_gradient`] and [`super::weight_gradient_adam`].

use std::ops::Range;

use super::RowBlock;
use crate::Float;
use crate::adam::kernel::step_values;
use crate::adam::{AdamStep, Parameters};
use crate::panels::{LANES, Support};
use crate::simd::{Line, Operation};
use crate::tile::{Tiled, accumulate, even_parts, run_tile, step};

/// scale · Σ xᵀ dy and scale · Σ dy for some output panels; lengths have been
/// checked.
pub struct WeightGradient<'a, T> {
    pub inputs: usize,
    pub panels: Range<usize>,
    pub blocks: &'a [RowBlock<'a, T>],
    pub scale: T,
    pub target: Target<'a, T>,
}

/// What becomes of the gradient.
pub enum Target<'a, T> {
    /// It is stored.
    Store { dw: &'a mut [T], db: &'a mut [T] },
    /// It updates the parameters tile by tile and is never stored.
    Adam {
        weight: Parameters<'a, T>,
        bias: Parameters<'a, T>,
        step: AdamStep<T>,
    },
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
            target,
        } = self;
        let (weight, mut bias) = match target {
            Target::Store { dw, db } => (Sink::Store(dw.as_mut_ptr()), BiasSink::Store(db)),
            Target::Adam { weight, bias, step } => {
                let Parameters { values, m, v } = weight;
                let (p, m, v) = (values.as_mut_ptr(), m.as_mut_ptr(), v.as_mut_ptr());
                (Sink::Adam { p, m, v, step }, BiasSink::Adam(bias, step))
            }
        };
        let mut job = Job {
            inputs,
            first_panel: panels.start,
            blocks,
            scale,
            sink: weight,
            is_sparse: false,
        };
        let most = L::TILE_ROWS[L::TILE_PANELS - 1];
        let inputs_of_tile = job.inputs_of_lists().unwrap_or(most);
        job.is_sparse = job.inputs_of_lists().is_some();
        // SAFETY: features by the caller. The sizes are constants: tiles whose
        // size is not known end in memory.
        unsafe {
            // Where both sizes are one there is one copy of the tiles.
            if const { L::SPARSE_INPUTS == L::TILE_ROWS[L::TILE_PANELS - 1] }
                || inputs_of_tile == most
            {
                run_groups::<T, L>(&mut job, panels.len(), most);
            } else {
                run_groups::<T, L>(&mut job, panels.len(), L::SPARSE_INPUTS);
            }
        }
        for (local, panel) in panels.enumerate() {
            let mut gradient = [T::ZERO; LANES];
            // SAFETY: features by the caller; dy has `rows` lines in the panel.
            unsafe {
                let mut sum = L::zero();
                for block in blocks {
                    let dy = block.dy.as_ptr().add(panel * block.rows * LANES);
                    for row in 0..block.rows {
                        sum = sum.add(L::load(dy.add(row * LANES)));
                    }
                }
                sum.mul(L::splat(scale)).store(gradient.as_mut_ptr());
            }
            let lanes = local * LANES..(local + 1) * LANES;
            match &mut bias {
                BiasSink::Store(db) => db[lanes].copy_from_slice(&gradient),
                BiasSink::Adam(bias, step) => step_values::<T, L>(
                    &mut bias.values[lanes.clone()],
                    &mut bias.m[lanes.clone()],
                    &mut bias.v[lanes],
                    &gradient,
                    step,
                ),
            }
        }
    }
}

/// All tiles of `panels` output panels, of up to `inputs_of_tile` inputs each.
///
/// # Safety
/// Features of `L`; the target has that many panels.
#[inline(always)]
unsafe fn run_groups<T: Float, L: Line<T>>(
    job: &mut Job<'_, T>,
    panels: usize,
    inputs_of_tile: usize,
) {
    for group in even_parts(panels, L::TILE_PANELS) {
        for input in (0..job.inputs).step_by(LANES) {
            // A tile's inputs stay within one panel of x, so that their
            // factors lie in one line.
            for (start, len) in even_parts(LANES.min(job.inputs - input), inputs_of_tile) {
                // SAFETY: features by the caller; the parts lie inside the target.
                unsafe {
                    if !job.is_at_rest::<L>((input + start, len), group) {
                        run_tile::<T, L, _>(job, (input + start, len), group);
                    }
                }
            }
        }
    }
}

enum BiasSink<'a, T> {
    Store(&'a mut [T]),
    Adam(Parameters<'a, T>, AdamStep<T>),
}

enum Sink<T> {
    Store(*mut T),
    Adam {
        p: *mut T,
        m: *mut T,
        v: *mut T,
        step: AdamStep<T>,
    },
}

struct Job<'a, T> {
    inputs: usize,
    first_panel: usize,
    blocks: &'a [RowBlock<'a, T>],
    scale: T,
    sink: Sink<T>,
    /// Rows at which the inputs of a tile are zero are left out.
    is_sparse: bool,
}

impl<T: Float> Job<'_, T> {
    /// Inputs of the tiles that the lists of all blocks are made for. Where they
    /// are made for others, or one has none, nothing is left out.
    fn inputs_of_lists(&self) -> Option<usize> {
        let of_block = |block: &RowBlock<'_, T>| block.support.map(Support::inputs_of_tile);
        let first = self.blocks.first().and_then(of_block)?;
        let mut blocks = self.blocks.iter();
        blocks
            .all(|block| of_block(block) == Some(first))
            .then_some(first)
    }

    /// An update would leave a tile as it is: its gradient is zero, as no row of
    /// any block has an input of it that is not, and so are both moments, as of
    /// pixels that no image has set. With ε = 0 the update is 0/0 instead.
    ///
    /// # Safety
    /// Features of `L`; the tile lies inside the target.
    #[inline(always)]
    unsafe fn is_at_rest<L: Line<T>>(
        &self,
        (input, inputs): (usize, usize),
        (panel, panels): (usize, usize),
    ) -> bool {
        let Sink::Adam { m, v, step, .. } = &self.sink else {
            return false;
        };
        let is_empty = |support: &Support| support.input_tile(input).is_empty();
        let mut blocks = self.blocks.iter();
        let has_terms = !blocks.all(|block| block.support.is_some_and(is_empty));
        if !self.is_sparse || has_terms || !step.has_epsilon() {
            return false;
        }
        let mut lines = (panel..panel + panels)
            .flat_map(|panel| (0..inputs).map(move |line| panel * self.inputs + input + line));
        // SAFETY: the caller's promise.
        lines.all(|line| unsafe {
            let (m, v) = (L::load(m.add(line * LANES)), L::load(v.add(line * LANES)));
            m.nonzero_mask() | v.nonzero_mask() == 0
        })
    }
}

impl<T: Float, L: Line<T>> Tiled<T, L> for Job<'_, T> {
    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(&mut self, input: usize, panel: usize) {
        let lines_at = |n: usize| ((panel + n) * self.inputs + input) * LANES;
        // SAFETY: every block has `rows` lines in each panel of x and dy, and
        // inputs `input .. input + M` lie in one line of x; the target has
        // `inputs` lines in each of the N panels from `panel` on, and no one
        // else refers to it.
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
                match block.support.filter(|_| self.is_sparse) {
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
            match &self.sink {
                Sink::Store(dw) => {
                    for n in 0..N {
                        let dw = dw.add(lines_at(n));
                        for (m, acc) in acc.iter().enumerate() {
                            // +0 for the −0 of an underflow, as in the
                            // forward product.
                            acc[n].add(L::zero()).mul(scale).store(dw.add(m * LANES));
                        }
                    }
                }
                Sink::Adam { p, m, v, step } => {
                    let mut gradient = [[[T::ZERO; LANES]; M]; N];
                    for (n, gradient) in gradient.iter_mut().enumerate() {
                        for (line, acc) in gradient.iter_mut().zip(&acc) {
                            // Without the +0: `step_values` gives the same
                            // bits for −0 and +0, see there.
                            acc[n].mul(scale).store(line.as_mut_ptr());
                        }
                    }
                    for (n, gradient) in gradient.iter().enumerate() {
                        let (at, len) = (lines_at(n), M * LANES);
                        step_values::<T, L>(
                            std::slice::from_raw_parts_mut(p.add(at), len),
                            std::slice::from_raw_parts_mut(m.add(at), len),
                            std::slice::from_raw_parts_mut(v.add(at), len),
                            gradient.as_flattened(),
                            step,
                        );
                    }
                }
            }
        }
    }
}
