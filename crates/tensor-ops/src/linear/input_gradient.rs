//! Kernel of [`super::input_gradient`].
//!
//! The contraction runs over outputs, which lie along the lanes of both dy
//! and W. dy is the smaller one, so its transpose is packed into panels
//! `[rows / 16][outputs][16]`; lanes are then batch rows, W gives the
//! broadcasts as x does in the forward product, and the result, transposed
//! back, is multiplied by act'(h).
//!
//! The contraction is a tree of eight, see [`crate::eighths`]: threads that own
//! some eighths of W each can then do it without reading each other's weights,
//! see [`super::input_gradient_branch`]. One thread alone does all chains of a
//! tile, and transposes it back, before it goes to the next.

use std::ops::Range;

use super::LinearShape;
use crate::Activation;
use crate::Float;
use crate::eighths::{EIGHTHS, PartialSums, Tree, WAITING, panels_of};
use crate::panels::{LANES, Panels};
use crate::simd::{Line, Operation};
use crate::tile::{Tiled, accumulate, even_parts, run_tile, run_tiles};

/// dx = (dy · Wᵀ) ⊙ act'(h), over all outputs; lengths have been checked.
pub struct InputGradient<'a, T> {
    pub shape: LinearShape,
    pub dy: &'a [T],
    pub weight: &'a [T],
    pub h: &'a [T],
    pub activation: Activation,
    pub dx: &'a mut [T],
    pub transposed_dy: &'a mut [T],
}

/// One branch of the contraction: `partial` = dxᵀ over its outputs alone;
/// lengths have been checked.
///
/// `dy` and `weight` hold just the panels of that branch of `shape`'s outputs.
pub struct Contraction<'a, T> {
    pub shape: LinearShape,
    pub branch: Range<usize>,
    pub dy: &'a [T],
    pub weight: &'a [T],
    pub partial: &'a mut [T],
    pub transposed_dy: &'a mut [T],
}

/// dx = (Σ partials)ᵀ ⊙ act'(h) for some panels of inputs; `h` and `dx` hold
/// just those, and lengths have been checked.
pub struct Completion<'a, T> {
    pub shape: LinearShape,
    pub panels: Range<usize>,
    pub partials: PartialSums<'a, T>,
    pub h: &'a [T],
    pub activation: Activation,
    pub dx: &'a mut [T],
}

/// Layout of dyᵀ: lanes are rows of the block.
pub(crate) const fn transposed_dy(shape: LinearShape) -> Panels {
    Panels::new(shape.outputs, shape.rows)
}

/// Layout of dxᵀ: lanes are rows of the block.
pub(crate) const fn transposed_dx(shape: LinearShape) -> Panels {
    Panels::new(shape.inputs, shape.rows)
}

/// Most row panels of a tile.
const TILE_PANELS: usize = 4;

impl<T: Float> Operation<T> for InputGradient<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            dy,
            weight,
            h,
            activation,
            dx,
            transposed_dy,
        } = self;
        // SAFETY: features by the caller; the buffers have the shapes' lengths,
        // the tiles lie inside dxᵀ, and the lines of h and dx inside those.
        unsafe {
            const { assert!(L::TILE_PANELS <= TILE_PANELS) };
            transpose_dy::<T, L>(shape, dy, transposed_dy);
            let mut job = Whole {
                sum: TreeOfTiles::new(shape, &(0..EIGHTHS), weight, transposed_dy),
                first_input: 0,
                panel: [[L::zero(); LANES]; TILE_PANELS],
            };
            let mut gate = Gate { activation, h, dx };
            for (panel, panels) in even_parts(shape.rows.div_ceil(LANES), L::TILE_PANELS) {
                for input in (0..shape.inputs).step_by(LANES) {
                    let width = LANES.min(shape.inputs - input);
                    job.first_input = input;
                    if width < LANES {
                        job.panel = [[L::zero(); LANES]; TILE_PANELS];
                    }
                    for (start, inputs) in even_parts(width, L::TILE_ROWS[panels - 1]) {
                        run_tile::<T, L, _>(&mut job, (input + start, inputs), (panel, panels));
                    }
                    for (n, square) in job.panel[..panels].iter().enumerate() {
                        let row = (panel + n) * LANES;
                        let height = LANES.min(shape.rows - row);
                        let lines = L::transpose(*square);
                        let at = (input * shape.rows) + row * LANES;
                        for (i, line) in lines.into_iter().enumerate().take(height) {
                            gate.store(line, at + i * LANES);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Float> Operation<T> for Contraction<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            branch,
            dy,
            weight,
            partial,
            transposed_dy,
        } = self;
        let own = super::branch_shape(shape, &branch);
        // SAFETY: features by the caller; the buffers have the shapes' lengths,
        // and dxᵀ has `inputs` lines in each row panel.
        unsafe {
            transpose_dy::<T, L>(own, dy, transposed_dy);
            let mut job = Branch {
                sum: TreeOfTiles::<T, L>::new(shape, &branch, weight, transposed_dy),
                partial: partial.as_mut_ptr(),
            };
            let panels = shape.rows.div_ceil(LANES);
            run_tiles::<T, L, _>(&mut job, shape.inputs, panels, L::TILE_PANELS);
        }
    }
}

impl<T: Float> Operation<T> for Completion<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            panels,
            partials,
            h,
            activation,
            dx,
        } = self;
        let back = transposed_dx(shape);
        let inputs = panels.start * LANES..(panels.end * LANES).min(shape.inputs);
        let before = panels.start * shape.rows * LANES;
        let mut gate = Gate { activation, h, dx };
        // SAFETY: features by the caller; the partials have the shape's length,
        // h and dx that of its panels `panels`, `before` elements into the whole.
        let emit = |line: L, at: usize| unsafe { gate.store(line, at - before) };
        // SAFETY: as above.
        unsafe {
            transpose::<T, L>(back, inputs, |at| sum_of_lines(&partials, at), emit);
        }
    }
}

/// The sum of the lines at a place of all parts.
///
/// # Safety
/// Features of `L`; every part has sixteen elements from there on.
#[inline(always)]
unsafe fn sum_of_lines<T: Float, L: Line<T>>(partials: &PartialSums<'_, T>, at: usize) -> L {
    // SAFETY: the caller's promise.
    unsafe {
        let mut waiting = [L::zero(); WAITING + 1];
        let mut depth = 0;
        for (part, additions) in partials.parts() {
            let mut sum = L::load(part.as_ptr().add(at));
            for _ in 0..additions {
                depth -= 1;
                sum = waiting[depth].add(sum);
            }
            waiting[depth] = sum;
            depth += 1;
        }
        waiting[0]
    }
}

/// Calls `emit(line, at)` for every line of the transpose of the rows `rows`
/// (from a multiple of 16 on) of a panel matrix of shape `shape`, whose line at
/// each place `load` gives; `at` is the line's place in the layout
/// `[cols, rows]`. Padding lanes of the transpose are zero.
///
/// # Safety
/// Features of `L`; `load` may be called for every line of those rows.
#[inline(always)]
unsafe fn transpose<T: Float, L: Line<T>>(
    shape: Panels,
    rows: Range<usize>,
    load: impl Fn(usize) -> L,
    mut emit: impl FnMut(L, usize),
) {
    for panel in 0..shape.panel_count() {
        let width = LANES.min(shape.cols - panel * LANES);
        for row in rows.clone().step_by(LANES) {
            let height = LANES.min(rows.end - row);
            let from = (panel * shape.rows + row) * LANES;
            // SAFETY: features by the caller.
            let square = unsafe {
                let mut square = [L::zero(); LANES];
                if height == LANES {
                    for (i, line) in square.iter_mut().enumerate() {
                        *line = load(from + i * LANES);
                    }
                } else {
                    for (i, line) in square.iter_mut().enumerate().take(height) {
                        *line = load(from + i * LANES);
                    }
                }
                L::transpose(square)
            };
            let to = (row / LANES * shape.cols + panel * LANES) * LANES;
            if width == LANES {
                for (i, line) in square.into_iter().enumerate() {
                    emit(line, to + i * LANES);
                }
            } else {
                for (i, line) in square.into_iter().enumerate().take(width) {
                    emit(line, to + i * LANES);
                }
            }
        }
    }
}

/// # Safety
/// Features of `L`; the buffers have the lengths of the shape.
#[inline(always)]
unsafe fn transpose_dy<T: Float, L: Line<T>>(shape: LinearShape, dy: &[T], out: &mut [T]) {
    // SAFETY: the caller's promise.
    unsafe {
        transpose::<T, L>(
            shape.y(),
            0..shape.rows,
            |at| L::load(dy.as_ptr().add(at)),
            |line, at| line.store(out.as_mut_ptr().add(at)),
        );
    }
}

/// The chains of a branch of the tree, tile by tile.
struct TreeOfTiles<T, L> {
    inputs: usize,
    /// Outputs of the branch, which W and dyᵀ hold alone.
    outputs: usize,
    /// The outputs of every chain, counted in those of the branch, and the
    /// additions after it.
    chains: [(Range<usize>, usize); EIGHTHS],
    count: usize,
    weight: *const T,
    transposed_dy: *const T,
    /// Tiles that wait for another one to be added to.
    waiting: [[[L; TILE_PANELS]; LANES]; WAITING],
}

impl<T: Float, L: Line<T>> TreeOfTiles<T, L> {
    /// # Safety
    /// Features of `L`.
    #[inline(always)]
    unsafe fn new(
        shape: LinearShape,
        branch: &Range<usize>,
        weight: &[T],
        transposed_dy: &[T],
    ) -> Self {
        let first = panels_of(shape.outputs, branch).start * LANES;
        let outputs = super::branch_shape(shape, branch).outputs;
        let mut chains = [const { (0..0, 0) }; EIGHTHS];
        let mut count = 0;
        for (part, additions) in Tree::of_branch(shape.outputs, branch).parts() {
            let panels = panels_of(shape.outputs, &part);
            let end = (panels.end * LANES - first).min(outputs);
            chains[count] = (panels.start * LANES - first..end, additions);
            count += 1;
        }
        Self {
            inputs: shape.inputs,
            outputs,
            chains,
            // Of no outputs at all the sum is that of one chain without terms.
            count: count.max(1),
            weight: weight.as_ptr(),
            transposed_dy: transposed_dy.as_ptr(),
            // SAFETY: the caller's promise.
            waiting: unsafe { [[[L::zero(); TILE_PANELS]; LANES]; WAITING] },
        }
    }

    /// The sum of all chains of the inputs `input..` and the row panels
    /// `panel..`.
    ///
    /// # Safety
    /// Features of `L`; the tile lies inside dxᵀ.
    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(
        &mut self,
        input: usize,
        panel: usize,
    ) -> [[L; N]; M] {
        let (mut depth, mut left) = (0, self.count);
        loop {
            let (outputs, additions) = self.chains[self.count - left].clone();
            // SAFETY: the caller's promise; the chains lie inside the branch.
            let mut sum = unsafe { self.contract::<M, N>(input, panel, outputs) };
            for _ in 0..additions {
                depth -= 1;
                for (sum, earlier) in sum.iter_mut().zip(&self.waiting[depth]) {
                    for (sum, earlier) in sum.iter_mut().zip(earlier) {
                        // SAFETY: features by the caller.
                        *sum = unsafe { earlier.add(*sum) };
                    }
                }
            }
            left -= 1;
            if left == 0 {
                return sum;
            }
            for (waiting, sum) in self.waiting[depth].iter_mut().zip(sum) {
                waiting[..N].copy_from_slice(&sum);
            }
            depth += 1;
        }
    }

    /// Σ_o W(input + m, o) · dyᵀ(o, panel + n) for ascending o in `outputs`,
    /// which start at a panel.
    ///
    /// # Safety
    /// Features of `L`; the weight has lines `input .. input + M` in each
    /// panel, and dyᵀ lines `outputs` in each of the N row panels.
    #[inline(always)]
    unsafe fn contract<const M: usize, const N: usize>(
        &self,
        input: usize,
        panel: usize,
        outputs: Range<usize>,
    ) -> [[L; N]; M] {
        let panel_len = self.outputs * LANES;
        // SAFETY: the caller's promise.
        unsafe {
            let mut acc = [[L::zero(); N]; M];
            let mut weight = self
                .weight
                .wrapping_add(outputs.start * self.inputs + input * LANES);
            let mut dy = self
                .transposed_dy
                .add(panel * panel_len + outputs.start * LANES);
            let mut left = outputs.len();
            while left > 0 {
                let count = left.min(LANES);
                accumulate(&mut acc, (weight, LANES, 1), (dy, panel_len), count);
                weight = weight.wrapping_add(self.inputs * LANES);
                dy = dy.add(count * LANES);
                left -= count;
            }
            acc
        }
    }
}

/// One branch of the contraction, for threads that own some eighths.
struct Branch<T, L> {
    sum: TreeOfTiles<T, L>,
    partial: *mut T,
}

impl<T: Float, L: Line<T>> Tiled<T, L> for Branch<T, L> {
    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(&mut self, input: usize, panel: usize) {
        // SAFETY: the tile lies inside dxᵀ, which has `inputs` lines in each
        // of the N row panels.
        unsafe {
            let sum = self.sum.tile::<M, N>(input, panel);
            for n in 0..N {
                let partial = self
                    .partial
                    .add(((panel + n) * self.sum.inputs + input) * LANES);
                for (m, sum) in sum.iter().enumerate() {
                    sum[n].store(partial.add(m * LANES));
                }
            }
        }
    }
}

/// All of the contraction, for sixteen inputs.
struct Whole<T, L> {
    sum: TreeOfTiles<T, L>,
    first_input: usize,
    /// Those inputs' lines of dxᵀ, for each row panel of the tile.
    panel: [[L; LANES]; TILE_PANELS],
}

impl<T: Float, L: Line<T>> Tiled<T, L> for Whole<T, L> {
    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(&mut self, input: usize, panel: usize) {
        let line = input - self.first_input;
        // SAFETY: the tile lies inside dxᵀ.
        let sum = unsafe { self.sum.tile::<M, N>(input, panel) };
        for (m, sum) in sum.into_iter().enumerate() {
            for (n, sum) in sum.into_iter().enumerate() {
                self.panel[n][line + m] = sum;
            }
        }
    }
}

/// Multiplication by act'(h).
struct Gate<'a, T> {
    activation: Activation,
    h: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Gate<'_, T> {
    /// Stores `line` ⊙ act'(h) at `at`.
    ///
    /// # Safety
    /// Features of `L`; h and dx have sixteen elements from there on.
    #[inline(always)]
    unsafe fn store<L: Line<T>>(&mut self, line: L, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let h = L::load(self.h.as_ptr().add(at));
            let line = match self.activation {
                Activation::Identity => line,
                Activation::Relu => line.keep_positive(h),
                Activation::Tanh => line.mul(L::splat(T::ONE).sub(h.mul(h))),
            };
            line.store(self.dx.as_mut_ptr().add(at));
        }
    }
}
