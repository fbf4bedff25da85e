//! Kernel of [`super::input_gradient`].
//!
//! The contraction runs over outputs, which lie along the lanes of both dy
//! and W. dy is the smaller one, so its transpose is packed into panels
//! `[rows / 16][outputs][16]`; lanes are then batch rows, W gives the
//! broadcasts as x does in the forward product, and the result, transposed
//! back, is multiplied by act'(h).
//!
//! The contraction is cut in two halves whose results are added: two threads
//! that own a half of W each can then do it without reading each other's
//! weights, see [`super::input_gradient_half`].

use std::ops::Range;

use super::LinearShape;
use crate::Activation;
use crate::Float;
use crate::panels::{LANES, Panels};
use crate::simd::{Line, Operation};
use crate::tile::{Tiled, accumulate, run_tiles};

/// One half of the contraction: `partial` = dxᵀ over some consecutive outputs
/// alone, or that added to it; lengths have been checked.
///
/// `shape.outputs` counts those outputs, and `dy` and `weight` hold just their
/// panels.
pub struct Contraction<'a, T> {
    pub shape: LinearShape,
    pub dy: &'a [T],
    pub weight: &'a [T],
    pub add: bool,
    pub partial: &'a mut [T],
    pub transposed_dy: &'a mut [T],
}

/// dx = (Σ partials)ᵀ ⊙ act'(h) for some panels of inputs; `h` and `dx` hold
/// just those, and lengths have been checked.
pub struct Completion<'a, T> {
    pub shape: LinearShape,
    pub panels: Range<usize>,
    pub first: &'a [T],
    pub second: Option<&'a [T]>,
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

impl<T: Float> Operation<T> for Contraction<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            dy,
            weight,
            add,
            partial,
            transposed_dy,
        } = self;
        // SAFETY: features by the caller; the buffers have the shapes' lengths.
        unsafe {
            transpose::<T, L>(
                shape.y(),
                0..shape.rows,
                |at| L::load(dy.as_ptr().add(at)),
                |line, at| line.store(transposed_dy.as_mut_ptr().add(at)),
            );
        }
        let job = Job {
            shape,
            weight: weight.as_ptr(),
            transposed_dy: transposed_dy.as_ptr(),
            partial: partial.as_mut_ptr(),
            add,
        };
        // SAFETY: features by the caller; dxᵀ has `inputs` lines in each row panel.
        unsafe {
            run_tiles::<T, L, _>(
                &job,
                shape.inputs,
                shape.rows.div_ceil(LANES),
                L::TILE_PANELS,
            );
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
            first,
            second,
            h,
            activation,
            dx,
        } = self;
        let back = transposed_dx(shape);
        let inputs = panels.start * LANES..(panels.end * LANES).min(shape.inputs);
        let before = panels.start * shape.rows * LANES;
        // SAFETY: features by the caller; the partials have the shape's length,
        // h and dx that of its panels `panels`, `before` elements into the whole.
        let emit = |line: L, at: usize| unsafe {
            let h = L::load(h.as_ptr().add(at - before));
            let line = match activation {
                Activation::Identity => line,
                Activation::Relu => line.keep_positive(h),
                Activation::Tanh => line.mul(L::splat(T::ONE).sub(h.mul(h))),
            };
            line.store(dx.as_mut_ptr().add(at - before));
        };
        // SAFETY: as above.
        unsafe {
            let first = |at| L::load(first.as_ptr().add(at));
            match second {
                None => transpose::<T, L>(back, inputs, first, emit),
                Some(second) => {
                    let sum = |at| first(at).add(L::load(second.as_ptr().add(at)));
                    transpose::<T, L>(back, inputs, sum, emit);
                }
            }
        }
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

struct Job<T> {
    shape: LinearShape,
    weight: *const T,
    transposed_dy: *const T,
    partial: *mut T,
    add: bool,
}

impl<T: Float, L: Line<T>> Tiled<T, L> for Job<T> {
    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(&self, input: usize, panel: usize) {
        let LinearShape {
            inputs, outputs, ..
        } = self.shape;
        // SAFETY: the weight has lines `input .. input + M` in each panel,
        // dyᵀ `outputs` and dxᵀ `inputs` lines in each of the N row panels.
        unsafe {
            let mut acc = [[L::zero(); N]; M];
            let mut weight = self.weight.add(input * LANES);
            let mut dy = self.transposed_dy.add(panel * outputs * LANES);
            let mut left = outputs;
            while left > 0 {
                let count = left.min(LANES);
                accumulate(&mut acc, (weight, LANES, 1), (dy, outputs * LANES), count);
                weight = weight.wrapping_add(inputs * LANES);
                dy = dy.add(count * LANES);
                left -= count;
            }
            for n in 0..N {
                let dx = self.partial.add(((panel + n) * inputs + input) * LANES);
                for (m, acc) in acc.iter().enumerate() {
                    let dx = dx.add(m * LANES);
                    let line = if self.add {
                        L::load(dx).add(acc[n])
                    } else {
                        acc[n]
                    };
                    line.store(dx);
                }
            }
        }
    }
}
