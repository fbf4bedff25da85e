//! Where a training step's images and noise come from.

use std::ops::Range;

use tensor_ops::Float;
use tensor_ops::binarise::pack_drawn_indexed;
use tensor_ops::panels::Panels;
use tensor_ops::random::{Stream, fill_normal};

use crate::images::PixelRows;

/// The images and the noise of one step, asked for row block by row block
/// from several threads.
pub trait BatchSource<T>: Sync {
    /// Images in the batch.
    fn rows(&self) -> usize;

    /// Writes the pixels of `rows` into panels of the given shape
    /// (`shape.rows == rows.len()`).
    fn pack_pixels(&self, rows: Range<usize>, shape: Panels, panels: &mut [T]);

    /// Writes ε of `rows`, row-major `[rows, latent]`.
    fn fill_noise(&self, rows: Range<usize>, latent: usize, noise: &mut [T]);
}

/// Where the pixels of an [`IndexedBatch`] come from: a whole data set,
/// row-major.
#[derive(Clone, Copy, Debug)]
pub enum BatchPixels<'a> {
    /// The values the pixels stand for.
    AsStored(PixelRows<'a>),
    /// A Bernoulli draw of every byte, with the stream to draw from.
    Drawn(&'a [u8], Stream),
}

/// A batch of a data set: rows picked by index, converted on the way into the
/// panels, noise from a counter-based stream.
#[derive(Clone, Copy, Debug)]
pub struct IndexedBatch<'a> {
    /// The whole data set.
    pub pixels: BatchPixels<'a>,
    /// The rows of the batch.
    pub indices: &'a [u32],
    /// The stream of ε.
    pub noise: Stream,
    /// Position in the stream of the first row's first deviate.
    pub noise_offset: u64,
}

impl BatchSource<f32> for IndexedBatch<'_> {
    fn rows(&self) -> usize {
        self.indices.len()
    }

    fn pack_pixels(&self, rows: Range<usize>, shape: Panels, panels: &mut [f32]) {
        let indices = &self.indices[rows];
        match self.pixels {
            BatchPixels::AsStored(pixels) => pixels.pack_indexed(indices, shape, panels),
            BatchPixels::Drawn(bytes, draw) => {
                pack_drawn_indexed(shape, bytes, indices, draw, panels);
            }
        }
    }

    fn fill_noise(&self, rows: Range<usize>, latent: usize, noise: &mut [f32]) {
        let offset = self.noise_offset + (rows.start * latent) as u64;
        fill_normal(noise, self.noise, offset);
    }
}

/// A batch of given values, for checks and for callers with images of their
/// own.
#[derive(Clone, Copy, Debug)]
pub struct ValueBatch<'a, T> {
    /// Images in the batch.
    pub rows: usize,
    /// Pixels in [0, 1], row-major `[rows, inputs]`.
    pub pixels: &'a [T],
    /// ε, row-major `[rows, latent]`; unused, and may be empty, for a
    /// deterministic model.
    pub noise: &'a [T],
}

impl<T: Float> BatchSource<T> for ValueBatch<'_, T> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn pack_pixels(&self, rows: Range<usize>, shape: Panels, panels: &mut [T]) {
        shape.pack_row_major(
            &self.pixels[rows.start * shape.cols..rows.end * shape.cols],
            panels,
        );
    }

    fn fill_noise(&self, rows: Range<usize>, latent: usize, noise: &mut [T]) {
        noise.copy_from_slice(&self.noise[rows.start * latent..rows.end * latent]);
    }
}
