//! Kernels of the row-major products.
//!
//! A is read in place through two strides: its elements are broadcasts, which
//! need no layout. B is read in place where its rows run along the lanes
//! ([`super::nn`], [`super::tn`]), except for the last panel if it is not
//! whole; otherwise ([`super::nt`]) its transpose is packed first.

use super::{GemmShape, Output};
use crate::Float;
use crate::panels::{LANES, Panels};
use crate::simd::{Line, Operation};
use crate::tile::{Tiled, even_parts, run_tile, step_count};

/// Where the lines of B lie: line (k, panel) at `start + k·step + panel·stride`.
#[derive(Clone, Copy)]
pub struct Lines<T> {
    pub start: *const T,
    pub step: usize,
    pub stride: usize,
}

/// The product for rows `rows` and panels `panels` (first, count) of C.
///
/// The pointers are those of slices that outlive the kernel: the whole of A,
/// of B or its packed form, and of C, whose part no other kernel writes.
#[derive(Clone, Copy)]
pub struct Product<T> {
    pub shape: GemmShape,
    pub a: *const T,
    /// Strides of A by row of C and by k.
    pub a_strides: (usize, usize),
    /// Lines of the whole panels.
    pub b: Lines<T>,
    /// Lines of the last panel, if it is not whole.
    pub b_tail: Option<Lines<T>>,
    pub output: Output,
    pub c: *mut T,
    pub rows: (usize, usize),
    pub panels: (usize, usize),
}

// SAFETY: A and B are only read, and the parts of C of different kernels are
// disjoint, so that a kernel may run on any thread.
unsafe impl<T: Send + Sync> Send for Product<T> {}

impl<T: Float> Operation<T> for Product<T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(mut self) {
        let (first_row, row_count) = self.rows;
        let (first_panel, panel_count) = self.panels;
        let tail =
            self.b_tail.is_some() && first_panel + panel_count == self.shape.n.div_ceil(LANES);
        let whole = panel_count - usize::from(tail);
        for (panel, panels) in even_parts(whole, L::TILE_PANELS) {
            for (row, rows) in even_parts(row_count, L::TILE_ROWS[panels - 1]) {
                // SAFETY: features and places by the caller.
                unsafe {
                    run_tile::<T, L, _>(
                        &mut self,
                        (first_row + row, rows),
                        (first_panel + panel, panels),
                    );
                }
            }
        }
        if tail {
            for (row, rows) in even_parts(row_count, L::TILE_ROWS[0]) {
                // SAFETY: as above.
                unsafe {
                    run_tile::<T, L, _>(
                        &mut self,
                        (first_row + row, rows),
                        (first_panel + whole, 1),
                    );
                }
            }
        }
    }
}

impl<T: Float, L: Line<T>> Tiled<T, L> for Product<T> {
    #[inline(always)]
    unsafe fn tile<const M: usize, const N: usize>(&mut self, row: usize, panel: usize) {
        let GemmShape { k, n, .. } = self.shape;
        // SAFETY: the caller promises that rows and panels lie inside C, that
        // A has the matching rows, and that the lines of B are readable; the
        // last panel is stored by its width.
        unsafe {
            let a = self.a.add(row * self.a_strides.0);
            let width = (n - panel * LANES).min(LANES * N);
            let whole = width == LANES * N;
            let lines = match self.b_tail {
                Some(tail) if !whole => tail,
                _ => self.b,
            };
            let b = lines.start.add(panel * lines.stride);
            let mut acc = [[L::zero(); N]; M];
            // The two usual strides of A as constants.
            match self.a_strides {
                (a_row, 1) => step_count(&mut acc, (a, a_row, 1), (b, lines.stride, lines.step), k),
                (a_row, a_step) => {
                    step_count(
                        &mut acc,
                        (a, a_row, a_step),
                        (b, lines.stride, lines.step),
                        k,
                    );
                }
            }
            let c = self.c.add(row * n + panel * LANES);
            if whole && self.output == Output::Overwrite {
                for (m, acc) in acc.iter().enumerate() {
                    for (panel, line) in acc.iter().enumerate() {
                        line.store(c.add(m * n + panel * LANES));
                    }
                }
            } else {
                // All of the tile leaves the registers at once: a longer loop
                // over it would not be unrolled, and the accumulators would
                // then live in memory from the start.
                let mut values = [[[T::ZERO; LANES]; N]; M];
                for (values, acc) in values.iter_mut().zip(&acc) {
                    for (values, line) in values.iter_mut().zip(acc) {
                        line.store(values.as_mut_ptr());
                    }
                }
                for (m, values) in values.iter().enumerate() {
                    let row = std::slice::from_raw_parts_mut(c.add(m * n), width);
                    for (c, &value) in row.iter_mut().zip(values.as_flattened()) {
                        *c = match self.output {
                            Output::Overwrite => value,
                            Output::Accumulate => *c + value,
                        };
                    }
                }
            }
        }
    }
}

/// Packs the transpose of rows `panels · 16 ..` of the row-major `[n, k]`
/// matrix into those panels of `[n / 16][k][16]`.
pub struct PackTransposed<'a, T> {
    pub source: &'a [T],
    pub n: usize,
    pub k: usize,
    pub first_panel: usize,
    /// The panels from `first_panel` on.
    pub packed: &'a mut [T],
}

impl<T: Float> Operation<T> for PackTransposed<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            source,
            n,
            k,
            first_panel,
            packed,
        } = self;
        if k == 0 {
            return;
        }
        for (local, packed) in packed.chunks_exact_mut(k * LANES).enumerate() {
            let row = (first_panel + local) * LANES;
            let rows = LANES.min(n - row);
            for column in (0..k).step_by(LANES) {
                let columns = LANES.min(k - column);
                if rows == LANES && columns == LANES {
                    // SAFETY: features by the caller; the 16 × 16 square lies
                    // inside the source and its transpose inside the panel.
                    unsafe {
                        let mut square = [L::zero(); LANES];
                        for (i, line) in square.iter_mut().enumerate() {
                            *line = L::load(source.as_ptr().add((row + i) * k + column));
                        }
                        for (i, line) in L::transpose(square).into_iter().enumerate() {
                            line.store(packed.as_mut_ptr().add((column + i) * LANES));
                        }
                    }
                } else {
                    for j in column..column + columns {
                        let line = &mut packed[j * LANES..][..LANES];
                        line.fill(T::ZERO);
                        for (i, value) in line[..rows].iter_mut().enumerate() {
                            *value = source[(row + i) * k + j];
                        }
                    }
                }
            }
        }
    }
}

/// Layout of the packed part of B.
pub(crate) const fn packed_layout(shape: GemmShape) -> Panels {
    Panels::new(shape.k, shape.n)
}
