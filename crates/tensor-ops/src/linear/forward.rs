//! Kernel of [`super::forward`].

use super::LinearShape;
use crate::Activation;
use crate::Float;
use crate::panels::{LANES, Support};
use crate::simd::{Line, Operation};
use crate::tile::{Tiled, accumulate, even_parts, run_tile, run_tiles, step};
use crate::vector;

/// y = act(x · W + b); the slices have the lengths of the shape.
pub struct Forward<'a, T> {
    pub shape: LinearShape,
    pub x: &'a [T],
    pub support: Option<&'a Support>,
    pub weight: &'a [T],
    pub bias: &'a [T],
    pub activation: Activation,
    pub y: &'a mut [T],
}

impl<T: Float> Operation<T> for Forward<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            shape,
            x,
            support,
            weight,
            bias,
            activation,
            y,
        } = self;
        let target = Target {
            shape,
            weight: weight.as_ptr(),
            bias: bias.as_ptr(),
            relu: activation == Activation::Relu,
            y: y.as_mut_ptr(),
        };
        // Panels outermost: a group of weight panels is used by all rows
        // while it is in the cache nearest to the core.
        let (rows, panels) = (shape.rows, shape.y().panel_count());
        // SAFETY: features by the caller; y has `rows` lines in each of `panels` panels.
        unsafe {
            match support {
                None => {
                    let mut job = Dense {
                        target,
                        x: x.as_ptr(),
                    };
                    run_tiles::<T, L, _>(&mut job, rows, panels, L::TILE_PANELS);
                }
                // The sizes are constants: tiles whose size is not known end in
                // memory.
                Some(support) if const { has_small_tiles::<T, L>() } && rows >= MANY_ROWS => {
                    run_sparse::<T, L>(&target, support, x, L::SPARSE_TILE);
                }
                Some(support) => {
                    let tile = (L::TILE_ROWS[L::TILE_PANELS - 1], L::TILE_PANELS);
                    run_sparse::<T, L>(&target, support, x, tile);
                }
            }
        }
        if activation == Activation::Tanh {
            vector::tanh_with::<T, L>(y);
        }
    }
}

/// Rows from which on the tiles of products that skip zeros are small. Of fewer
/// rows most columns are zero in all of them anyway.
const MANY_ROWS: usize = 64;

/// Whether those are others than the usual ones.
const fn has_small_tiles<T, L: Line<T>>() -> bool {
    L::SPARSE_TILE.0 != L::TILE_ROWS[L::TILE_PANELS - 1] || L::SPARSE_TILE.1 != L::TILE_PANELS
}

/// Rows of a tile that skips zeros, in blocks of so many rows.
pub(crate) const fn sparse_rows<T, L: Line<T>>(rows: usize) -> usize {
    if rows >= MANY_ROWS {
        L::SPARSE_TILE.0
    } else {
        L::TILE_ROWS[L::TILE_PANELS - 1]
    }
}

/// Inputs of a tile of the weight gradient that skips zeros.
pub(crate) const fn sparse_inputs<T, L: Line<T>>(rows: usize) -> usize {
    if rows >= MANY_ROWS {
        L::SPARSE_INPUTS
    } else {
        L::TILE_ROWS[L::TILE_PANELS - 1]
    }
}

/// All tiles of a product that skips zeros, of up to `height` rows and `width`
/// panels.
///
/// # Safety
/// Features of `L`; x has the target's shape, and `support` is of it.
#[inline(always)]
unsafe fn run_sparse<T: Float, L: Line<T>>(
    target: &Target<T>,
    support: &Support,
    x: &[T],
    (height, width): (usize, usize),
) {
    let shape = target.shape;
    for panels in even_parts(shape.y().panel_count(), width) {
        for (tile, rows) in even_parts(shape.rows, height).enumerate() {
            let list = support.row_tile(tile);
            let mut job = Sparse { target, list, x };
            // SAFETY: the caller's promise; the parts lie inside y.
            unsafe { run_tile::<T, L, _>(&mut job, rows, panels) };
        }
    }
}

struct Target<T> {
    shape: LinearShape,
    weight: *const T,
    bias: *const T,
    relu: bool,
    y: *mut T,
}

impl<T: Float> Target<T> {
    /// Stores act(acc + b).
    ///
    /// # Safety
    /// Features of `L`; the tile lies inside y.
    #[inline(always)]
    unsafe fn store<L: Line<T>, const M: usize, const N: usize>(
        &self,
        acc: [[L; N]; M],
        row: usize,
        panel: usize,
    ) {
        for n in 0..N {
            // SAFETY: bias has 16 lanes of every panel; y has M lines from
            // `row` on in every panel of the tile.
            unsafe {
                let bias = L::load(self.bias.add((panel + n) * LANES));
                let y = self.y.add(((panel + n) * self.shape.rows + row) * LANES);
                for (m, acc) in acc.iter().enumerate() {
                    // Adding +0 turns the −0 of an underflow into +0, which is
                    // what a product that skips zeros may have there.
                    let mut value = acc[n].add(L::zero()).add(bias);
                    if self.relu {
                        value = value.relu();
                    }
                    value.store(y.add(m * LANES));
                }
            }
        }
    }
}

struct Dense<T> {
    target: Target<T>,
    x: *const T,
}

impl<T: Float, L: Line<T>> Tiled<T, L> for Dense<T> {
    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(&mut self, row: usize, panel: usize) {
        let LinearShape { rows, inputs, .. } = self.target.shape;
        // SAFETY: x has lines `row .. row + M` in each of its panels, the
        // weight `inputs` lines in each of the N panels from `panel` on.
        unsafe {
            let mut acc = [[L::zero(); N]; M];
            let mut x = self.x.add(row * LANES);
            let mut weight = self.target.weight.add(panel * inputs * LANES);
            let weight_panel = inputs * LANES;
            let mut left = inputs;
            while left > 0 {
                let count = left.min(LANES);
                accumulate(&mut acc, (x, LANES, 1), (weight, weight_panel), count);
                x = x.wrapping_add(rows * LANES);
                weight = weight.add(count * LANES);
                left -= count;
            }
            self.target.store(acc, row, panel);
        }
    }
}

struct Sparse<'a, T> {
    target: &'a Target<T>,
    /// Contraction indices at which any row of the tile is not zero.
    list: &'a [u32],
    x: &'a [T],
}

impl<T: Float, L: Line<T>> Tiled<T, L> for Sparse<'_, T> {
    const PANELS: usize = L::SPARSE_TILE.1;

    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(&mut self, row: usize, panel: usize) {
        let LinearShape { rows, inputs, .. } = self.target.shape;
        // SAFETY: the indices of a support are below the inputs of its shape,
        // which was checked to be that of x; the rest as in the dense tile.
        unsafe {
            let mut acc = [[L::zero(); N]; M];
            let x = self.x.as_ptr().add(row * LANES);
            let weight = self.target.weight.add(panel * inputs * LANES);
            for &k in self.list {
                let k = k as usize;
                let a = x.add((k / LANES) * rows * LANES + k % LANES);
                step(
                    &mut acc,
                    (a, LANES),
                    (weight.add(k * LANES), inputs * LANES),
                );
            }
            self.target.store(acc, row, panel);
        }
    }
}
