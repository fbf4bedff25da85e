//! A batch of given values.

use std::ops::Range;

use models::BatchSource;
use tensor_ops::Float;
use tensor_ops::panels::{LANES, Panels};

/// Images as values, some of which the input may have lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValueBatch<'a, T> {
    /// Images in the batch.
    pub(crate) rows: usize,
    /// Pixels, row-major `[rows, inputs]`.
    pub(crate) pixels: &'a [T],
    /// ε, row-major `[rows · samples, width]`; may be empty where neither model
    /// nor objective draws anything.
    pub(crate) noise: &'a [T],
    /// 1 where the input keeps a value and 0 where it is lost, row-major
    /// `[rows, inputs]`, whatever share is asked for; may be empty where none
    /// is.
    pub(crate) kept: &'a [T],
}

impl<T: Float> BatchSource<T> for ValueBatch<'_, T> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn pack_pixels(&self, rows: Range<usize>, shape: Panels, of: Range<usize>, panels: &mut [T]) {
        let pixels = &self.pixels[rows.start * shape.cols..rows.end * shape.cols];
        let mut all = vec![T::ZERO; shape.len()];
        shape.pack_row_major(pixels, &mut all);
        panels.copy_from_slice(&all[of.start * shape.panel_len()..of.end * shape.panel_len()]);
    }

    fn fill_noise(&self, rows: Range<usize>, latent: usize, noise: &mut [T]) {
        noise.copy_from_slice(&self.noise[rows.start * latent..rows.end * latent]);
    }

    fn corrupt(
        &self,
        rows: Range<usize>,
        _share: f64,
        shape: Panels,
        of: Range<usize>,
        panels: &mut [T],
    ) {
        let kept = &self.kept[rows.start * shape.cols..rows.end * shape.cols];
        let columns = of.start * LANES..shape.cols.min(of.end * LANES);
        for (row, kept) in kept.chunks_exact(shape.cols).enumerate() {
            for (column, &kept) in kept[columns.clone()].iter().enumerate() {
                panels[shape.index(row, column)] *= kept;
            }
        }
    }
}
