//! Kernel of [`super::input_gradient`].
//!
//! The contraction runs over outputs, which lie along the lanes of both dy
//! and W. dy is the smaller one, so its transpose is packed into panels
//! `[rows / 16][outputs][16]`; lanes are then batch rows, W gives the
//! broadcasts as x does in the forward product, and the result, transposed
//! back, is multiplied by act'(h).

use super::LinearShape;
use crate::Activation;
use crate::Float;
use crate::panels::{LANES, Panels};
use crate::simd::{Line, Operation};
use crate::tile::{Tiled, accumulate, run_tiles};

/// dx = (dy · Wᵀ) ⊙ act'(h); lengths have been checked, and the scratch has
/// those of [`transposed_dy`] and [`transposed_dx`].
pub struct InputGradient<'a, T> {
    pub shape: LinearShape,
    pub dy: &'a [T],
    pub weight: &'a [T],
    pub h: &'a [T],
    pub activation: Activation,
    pub dx: &'a mut [T],
    pub transposed_dy: &'a mut [T],
    pub transposed_dx: &'a mut [T],
}

/// Layout of dyᵀ: lanes are rows of the block.
pub(crate) const fn transposed_dy(shape: LinearShape) -> Panels {
    Panels::new(shape.outputs, shape.rows)
}

/// Layout of dxᵀ: lanes are rows of the block.
pub(crate) const fn transposed_dx(shape: LinearShape) -> Panels {
    Panels::new(shape.inputs, shape.rows)
}

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
            transposed_dx,
        } = self;
        // SAFETY: features by the caller; the buffers have the shapes' lengths.
        unsafe {
            transpose::<T, L>(shape.y(), dy.as_ptr(), |line, at| {
                line.store(transposed_dy.as_mut_ptr().add(at));
            });
        }
        let job = Job {
            shape,
            weight: weight.as_ptr(),
            transposed_dy: transposed_dy.as_ptr(),
            transposed_dx: transposed_dx.as_mut_ptr(),
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
        let back = Panels::new(shape.inputs, shape.rows);
        // SAFETY: features by the caller; dxᵀ, h and dx have the shapes' lengths.
        unsafe {
            transpose::<T, L>(back, transposed_dx.as_ptr(), |line, at| {
                let h = L::load(h.as_ptr().add(at));
                let line = match activation {
                    Activation::Identity => line,
                    Activation::Relu => line.keep_positive(h),
                    Activation::Tanh => line.mul(L::splat(T::ONE).sub(h.mul(h))),
                };
                line.store(dx.as_mut_ptr().add(at));
            });
        }
    }
}

/// Calls `emit(line, at)` for every line of the transpose of the panel matrix
/// `source` of shape `shape`; `at` is the line's place in the layout
/// `[cols, rows]`. Padding lanes of the transpose are zero.
///
/// # Safety
/// Features of `L`; `source` has the shape's length.
#[inline(always)]
unsafe fn transpose<T: Float, L: Line<T>>(
    shape: Panels,
    source: *const T,
    mut emit: impl FnMut(L, usize),
) {
    for panel in 0..shape.panel_count() {
        let width = LANES.min(shape.cols - panel * LANES);
        for row in (0..shape.rows).step_by(LANES) {
            let height = LANES.min(shape.rows - row);
            // SAFETY: the square's `height` lines lie inside the source.
            let square = unsafe {
                let from = source.add((panel * shape.rows + row) * LANES);
                let mut square = [L::zero(); LANES];
                if height == LANES {
                    for (i, line) in square.iter_mut().enumerate() {
                        *line = L::load(from.add(i * LANES));
                    }
                } else {
                    for (i, line) in square.iter_mut().enumerate().take(height) {
                        *line = L::load(from.add(i * LANES));
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
    transposed_dx: *mut T,
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
                let dx = self
                    .transposed_dx
                    .add(((panel + n) * inputs + input) * LANES);
                for (m, acc) in acc.iter().enumerate() {
                    acc[n].store(dx.add(m * LANES));
                }
            }
        }
    }
}
