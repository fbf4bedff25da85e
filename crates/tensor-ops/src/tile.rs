//! Register tiles: the inner loop of every product.
//!
//! A tile holds M × N lines of the result in registers: M rows whose factors
//! are broadcast, N panels whose lines are loaded. Per contraction index it
//! takes N line loads and M broadcasts for M · N multiply-adds.

use crate::panels::LANES;
use crate::simd::Line;

/// Cuts `0..total` into the fewest parts of at most `largest`, as even as
/// possible: yields (start, length).
#[inline(always)]
pub(crate) fn even_parts(total: usize, largest: usize) -> impl Iterator<Item = (usize, usize)> {
    let parts = total.div_ceil(largest);
    (0..parts).map(move |part| {
        let start = part * total / parts;
        (start, (part + 1) * total / parts - start)
    })
}

/// A product that can compute one register tile of its result.
pub(crate) trait Tiled<T, L: Line<T>> {
    /// Most panels of a tile.
    const PANELS: usize = L::TILE_PANELS;

    /// Computes and stores the tile of M rows from `row` and N panels from `panel`.
    ///
    /// # Safety
    /// The processor must have the features of `L`, and the tile must lie
    /// inside the result.
    unsafe fn tile<const M: usize, const N: usize>(&mut self, row: usize, panel: usize);
}

/// Cuts the result into tiles of at most `L::TILE_ROWS` rows and
/// `panels_of_tile` panels and computes them, panel groups outermost.
///
/// # Safety
/// The processor must have the features of `L`; the job's result must have
/// `rows` rows and `panels` panels.
#[inline(always)]
pub(crate) unsafe fn run_tiles<T, L: Line<T>, J: Tiled<T, L>>(
    job: &mut J,
    rows: usize,
    panels: usize,
    panels_of_tile: usize,
) {
    for panels in even_parts(panels, panels_of_tile) {
        for rows in even_parts(rows, L::TILE_ROWS[panels.1 - 1]) {
            // SAFETY: the caller's promise; the parts lie inside the result.
            unsafe { run_tile(job, rows, panels) };
        }
    }
}

/// Runs the instance of the tile for `rows` × `panels`, at most
/// `L::TILE_ROWS[panels - 1]` × `J::PANELS`.
///
/// # Safety
/// As [`Tiled::tile`].
#[inline(always)]
pub(crate) unsafe fn run_tile<T, L: Line<T>, J: Tiled<T, L>>(
    job: &mut J,
    (row, rows): (usize, usize),
    (panel, panels): (usize, usize),
) {
    macro_rules! instances {
        ($(($m:literal, $n:literal))*) => {
            match (rows, panels) {
                $(
                    ($m, $n) if const { $n <= J::PANELS && $m <= L::TILE_ROWS[$n - 1] } => {
                        // SAFETY: the caller's promise.
                        unsafe { job.tile::<$m, $n>(row, panel) }
                    }
                )*
                _ => unreachable!("no register tile of {rows} rows and {panels} panels"),
            }
        };
    }
    instances!((1, 1)(2, 1)(3, 1)(4, 1)(5, 1)(6, 1)(7, 1)(8, 1)(9, 1)(
        10, 1
    )(11, 1)(12, 1)(13, 1)(14, 1)(15, 1)(16, 1)(1, 2)(2, 2)(
        3, 2
    )(4, 2)(5, 2)(6, 2)(7, 2)(8, 2)(9, 2)(10, 2)(11, 2)(
        12, 2
    )(1, 3)(2, 3)(3, 3)(4, 3)(5, 3)(6, 3)(7, 3)(8, 3)(1, 4)(
        2, 4
    )(3, 4)(4, 4)(5, 4)(6, 4)(1, 5)(2, 5)(3, 5)(4, 5)(1, 6)(
        2, 6
    )(3, 6)(4, 6));
}

/// acc\[m\]\[n\] += Σ_k a(m, k) · b(k, n) for ascending k in `0..count`, with
/// a(m, k) at `a + m·a_row + k·a_step` and line b(k, n) at `b + n·b_panel + 16 k`.
///
/// # Safety
/// The processor must have the features of `L` and all those places must be readable.
#[inline(always)]
pub(crate) unsafe fn accumulate<T: Copy, L: Line<T>, const M: usize, const N: usize>(
    acc: &mut [[L; N]; M],
    (a, a_row, a_step): (*const T, usize, usize),
    (b, b_panel): (*const T, usize),
    count: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { step_count(acc, (a, a_row, a_step), (b, b_panel, LANES), count) };
}

/// [`accumulate`] with lines of b that lie `b_step` apart.
///
/// # Safety
/// As [`accumulate`].
#[inline(always)]
pub(crate) unsafe fn step_count<T: Copy, L: Line<T>, const M: usize, const N: usize>(
    acc: &mut [[L; N]; M],
    (a, a_row, a_step): (*const T, usize, usize),
    (b, b_panel, b_step): (*const T, usize, usize),
    count: usize,
) {
    for k in 0..count {
        // SAFETY: the caller's promise for k < count.
        unsafe {
            step(
                acc,
                (a.add(k * a_step), a_row),
                (b.add(k * b_step), b_panel),
            )
        };
    }
}

/// One contraction index of [`accumulate`].
///
/// # Safety
/// As [`accumulate`] with count 1.
#[inline(always)]
pub(crate) unsafe fn step<T: Copy, L: Line<T>, const M: usize, const N: usize>(
    acc: &mut [[L; N]; M],
    (a, a_row): (*const T, usize),
    (b, b_panel): (*const T, usize),
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut lines = [L::zero(); N];
        for (n, line) in lines.iter_mut().enumerate() {
            *line = L::load(b.add(n * b_panel));
        }
        for (m, acc) in acc.iter_mut().enumerate() {
            let factor = L::splat(*a.add(m * a_row));
            for (acc, line) in acc.iter_mut().zip(lines) {
                *acc = factor.mul_add(line, *acc);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_parts_cover_without_gaps() {
        for total in 0..60 {
            for largest in 1..9 {
                let mut next = 0;
                for (start, len) in even_parts(total, largest) {
                    assert_eq!(start, next);
                    assert!(len >= 1 && len <= largest);
                    next += len;
                }
                assert_eq!(next, total);
            }
        }
    }
}
