//! Inner products of all pairs of rows, tile by tile.
//!
//! n rows have n² pairs: what is computed of them is used while it is in a cache,
//! and no more than a tile of it is ever held by a thread. An element is one chain
//! of multiply-adds (see [`tensor_ops::gemm`]), so that the tiles cannot be seen
//! in its bits.

use std::ops::Range;

use tensor_ops::Float;
use tensor_ops::gemm::{GemmScratch, GemmShape, Output, nt};

use crate::blocks::blocks;

/// Rows of a tile: so many that packing its columns costs little beside the
/// products.
pub(crate) const TILE_ROWS: usize = 128;

/// Columns of a tile, which with its rows take a megabyte of f64.
pub(crate) const TILE_COLUMNS: usize = 1024;

/// What a thread needs to compute tiles.
pub(crate) struct TileBuffers<T> {
    products: Vec<T>,
    scratch: GemmScratch<T>,
}

impl<T: Float> TileBuffers<T> {
    pub(crate) fn new() -> Self {
        Self {
            products: Vec::new(),
            scratch: GemmScratch::new(),
        }
    }

    /// The products of `rows` with all `others`, both row-major and `width` wide:
    /// `of_tile` gets the range of others and the tile, row by row, which it may
    /// overwrite.
    pub(crate) fn for_each(
        &mut self,
        rows: &[T],
        others: &[T],
        width: usize,
        mut of_tile: impl FnMut(Range<usize>, &mut [T]),
    ) {
        let m = rows.len() / width;
        for columns in blocks(others.len() / width, TILE_COLUMNS) {
            let shape = GemmShape {
                m,
                k: width,
                n: columns.len(),
            };
            self.products.resize(m * shape.n, T::ZERO);
            let others = &others[columns.start * width..columns.end * width];
            let output = Output::Overwrite;
            nt(
                shape,
                rows,
                others,
                output,
                &mut self.products,
                &mut self.scratch,
            );
            of_tile(columns, &mut self.products);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_comes_once() {
        for (m, n, width) in [(1, 1, 1), (3, 1024, 2), (128, 1025, 3), (5, 2500, 17)] {
            let value = |at: usize| (at * 7 % 31) as f64 - 15.0;
            let rows: Vec<f64> = (0..m * width).map(value).collect();
            let others: Vec<f64> = (0..n * width).map(|at| value(at + 5)).collect();
            let mut seen = vec![0; m * n];
            TileBuffers::new().for_each(&rows, &others, width, |columns, tile| {
                assert_eq!(tile.len(), m * columns.len());
                for (row, line) in tile.chunks_exact(columns.len()).enumerate() {
                    for (column, &product) in columns.clone().zip(line) {
                        let (a, b) = (&rows[row * width..], &others[column * width..]);
                        let pairs = a.iter().zip(b).take(width);
                        assert_eq!(product, pairs.map(|(a, b)| a * b).sum::<f64>());
                        seen[row * n + column] += 1;
                    }
                }
            });
            assert!(seen.iter().all(|&times| times == 1));
        }
    }
}
