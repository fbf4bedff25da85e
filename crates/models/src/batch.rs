//! Where a training step's images and noise come from.

use std::ops::Range;

use tensor_ops::Float;
use tensor_ops::binarise::pack_drawn_indexed;
use tensor_ops::panels::Panels;
use tensor_ops::random::{Stream, fill_normal};

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

/// A batch of a byte data set: rows picked by index, scaled to [0, 1] or
/// binarised on the way into the panels, noise from a counter-based stream.
#[derive(Clone, Copy, Debug)]
pub struct ByteBatch<'a> {
    /// The whole data set, row-major.
    pub images: &'a [u8],
    /// The rows of the batch.
    pub indices: &'a [u32],
    /// The stream of the Bernoulli draws to binarise with; the pixels as they
    /// are if `None`.
    pub draw: Option<Stream>,
    /// The stream of ε.
    pub noise: Stream,
    /// Position in the stream of the first row's first deviate.
    pub noise_offset: u64,
}

impl BatchSource<f32> for ByteBatch<'_> {
    fn rows(&self) -> usize {
        self.indices.len()
    }

    fn pack_pixels(&self, rows: Range<usize>, shape: Panels, panels: &mut [f32]) {
        let indices = &self.indices[rows];
        match self.draw {
            None => shape.pack_bytes_indexed(self.images, indices, panels),
            Some(draw) => pack_drawn_indexed(shape, self.images, indices, draw, panels),
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
