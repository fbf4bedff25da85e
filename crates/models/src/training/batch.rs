//! Where a training step's images and noise come from.

use std::ops::Range;

#[cfg(doc)]
use tensor_ops::binarise::PANELS_OF_A_DRAW;
use tensor_ops::binarise::pack_drawn_indexed;
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::random::{Stream, fill_normal, fill_uniform};

use crate::images::PixelRows;
use crate::images::binary_images::BinaryImages;
use crate::training::data_treatment::thresholded_value;

/// The images and the noise of one step, asked for row block by row block
/// from several threads.
pub trait BatchSource<T>: Sync {
    /// Images in the batch.
    fn rows(&self) -> usize;

    /// Writes the pixels of `rows` into the panels `of` of a matrix of the given
    /// shape (`shape.rows == rows.len()`), which `panels` holds alone: all of it,
    /// zeros in the lanes behind the last column too.
    ///
    /// The first of several panels is a multiple of [`PANELS_OF_A_DRAW`].
    fn pack_pixels(&self, rows: Range<usize>, shape: Panels, of: Range<usize>, panels: &mut [T]);

    /// Writes ε of `rows`, row-major `[rows, latent]`.
    fn fill_noise(&self, rows: Range<usize>, latent: usize, noise: &mut [T]);

    /// Loses a share of the values of `rows` in the same panels: sets them
    /// to 0 (Vincent et al. 2008, *Extracting and composing robust features with
    /// denoising autoencoders*: masking noise). Of a batch that corrupts nothing
    /// they stay as they are.
    fn corrupt(
        &self,
        _rows: Range<usize>,
        _share: f64,
        _shape: Panels,
        _of: Range<usize>,
        _panels: &mut [T],
    ) {
    }
}

/// Where the pixels of an [`IndexedBatch`] come from: a whole data set,
/// row-major.
#[derive(Clone, Copy, Debug)]
pub enum BatchPixels<'a> {
    /// The values the pixels stand for.
    AsStored(PixelRows<'a>),
    /// 1 where such a value is at least ½, and 0 elsewhere.
    Thresholded(PixelRows<'a>),
    /// A Bernoulli draw of every byte, with the stream to draw from.
    Drawn(&'a [u8], Stream),
    /// A draw that was made before.
    Binary(&'a BinaryImages),
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
    /// The stream that chooses which values a corrupted input loses, and the
    /// position of the first row's first deviate.
    pub corruption: (Stream, u64),
}

impl BatchSource<f32> for IndexedBatch<'_> {
    fn rows(&self) -> usize {
        self.indices.len()
    }

    fn pack_pixels(&self, rows: Range<usize>, shape: Panels, of: Range<usize>, panels: &mut [f32]) {
        let indices = &self.indices[rows];
        match self.pixels {
            BatchPixels::AsStored(pixels) => pixels.pack_indexed(indices, shape, of, panels),
            BatchPixels::Thresholded(pixels) => {
                pixels.pack_indexed(indices, shape, of, panels);
                for value in panels {
                    *value = thresholded_value(value);
                }
            }
            BatchPixels::Binary(images) => images.pack_indexed(indices, shape, of, panels),
            BatchPixels::Drawn(bytes, draw) => {
                pack_drawn_indexed(shape, bytes, indices, draw, of, panels);
            }
        }
    }

    fn fill_noise(&self, rows: Range<usize>, latent: usize, noise: &mut [f32]) {
        let offset = self.noise_offset + (rows.start * latent) as u64;
        fill_normal(noise, self.noise, offset);
    }

    fn corrupt(
        &self,
        rows: Range<usize>,
        share: f64,
        shape: Panels,
        of: Range<usize>,
        panels: &mut [f32],
    ) {
        let (stream, offset) = self.corruption;
        let columns = of.start * LANES..shape.cols.min(of.end * LANES);
        let mut deviates = [0.0_f64; 256];
        for row in 0..shape.rows {
            let first = offset + ((rows.start + row) * shape.cols) as u64;
            for column in columns.clone().step_by(deviates.len()) {
                let deviates = &mut deviates[..(columns.end - column).min(256)];
                fill_uniform(deviates, stream, first + column as u64);
                for (at, &deviate) in deviates.iter().enumerate() {
                    if deviate < share {
                        panels[shape.index(row, column - columns.start + at)] = 0.0;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_values_is_lost_wherever_a_row_stands() {
        let bytes = vec![255; 40 * 300];
        let indices: Vec<u32> = (0..40).collect();
        let batch = IndexedBatch {
            pixels: BatchPixels::AsStored(PixelRows::Bytes(&bytes)),
            indices: &indices,
            noise: Stream::new(1, 1),
            noise_offset: 0,
            corruption: (Stream::new(1, 2), 17),
        };
        let corrupted = |rows: Range<usize>, share| {
            let shape = Panels::new(rows.len(), 300);
            let mut panels = vec![0.0; shape.len()];
            let (first, second) = panels.split_at_mut(4 * shape.panel_len());
            for (of, panels) in [(0..4, first), (4..shape.panel_count(), second)] {
                batch.pack_pixels(rows.clone(), shape, of.clone(), panels);
                batch.corrupt(rows.clone(), share, shape, of, panels);
            }
            let mut values = vec![0.0; shape.rows * shape.cols];
            shape.unpack_row_major(&panels, &mut values);
            values
        };
        let whole = corrupted(0..40, 0.3);
        let lost = whole.iter().filter(|&&value| value == 0.0).count() as f64 / 12_000.0;
        // Six standard errors of a share of 12,000.
        assert!((lost - 0.3).abs() < 0.026, "{lost}");
        assert!(whole.iter().all(|&value| value == 0.0 || value == 1.0));
        assert_eq!(corrupted(13..29, 0.3), whole[13 * 300..29 * 300]);
        assert_ne!(whole[..300], whole[300..600]);
        assert!(corrupted(0..40, 0.0).iter().all(|&value| value == 1.0));
    }

    /// Every value has its own deviate, at its place among all that are read in order,
    /// and is lost where that is below the share: panels of more columns than are
    /// drawn at a time, of rows from the middle of a batch.
    #[test]
    fn a_value_is_lost_where_its_own_deviate_is_below_the_share() {
        const COLUMNS: usize = 601;
        let values: Vec<f32> = (0..7 * COLUMNS).map(|at| 1.0 + at as f32).collect();
        let (stream, offset) = (Stream::new(5, 4), 29);
        let batch = IndexedBatch {
            pixels: BatchPixels::AsStored(PixelRows::Values(&values)),
            indices: &[6, 0, 3, 5, 1],
            noise: Stream::new(1, 1),
            noise_offset: 0,
            corruption: (stream, offset),
        };
        let rows = 2..5;
        let shape = Panels::new(rows.len(), COLUMNS);
        let mut deviates = vec![0.0_f64; rows.len() * COLUMNS];
        fill_uniform(
            &mut deviates,
            stream,
            offset + (rows.start * COLUMNS) as u64,
        );
        // One that the share is equal to is kept.
        let middle = deviates[1000..].iter();
        let share = *middle.clone().find(|&&deviate| deviate > 0.4).unwrap();
        assert!(middle.filter(|&&deviate| deviate < share).count() > 200);
        let mut panels = vec![0.0; shape.len()];
        let (first, second) = panels.split_at_mut(4 * shape.panel_len());
        for (of, panels) in [(0..4, first), (4..shape.panel_count(), second)] {
            batch.pack_pixels(rows.clone(), shape, of.clone(), panels);
            batch.corrupt(rows.clone(), share, shape, of, panels);
        }
        let mut found = vec![0.0; deviates.len()];
        shape.unpack_row_major(&panels, &mut found);
        for (at, (&found, &deviate)) in found.iter().zip(&deviates).enumerate() {
            let image = batch.indices[rows.start + at / COLUMNS] as usize;
            let value = values[image * COLUMNS + at % COLUMNS];
            let expected = if deviate < share { 0.0 } else { value };
            assert_eq!(found, expected, "value {at}");
        }
    }

    #[test]
    fn deviates_of_a_row_are_its_own_wherever_it_is_asked_for() {
        let noise = Stream::new(8, 3);
        let batch = IndexedBatch {
            pixels: BatchPixels::AsStored(PixelRows::Bytes(&[])),
            indices: &[0; 9],
            noise,
            noise_offset: 1 << 33,
            corruption: (noise, 0),
        };
        assert_eq!(batch.rows(), 9);
        let (mut found, mut expected) = ([0.0_f32; 4 * 3], [0.0_f32; 4 * 3]);
        batch.fill_noise(5..9, 3, &mut found);
        fill_normal(&mut expected, noise, (1 << 33) + 15);
        assert_eq!(found, expected);
    }
}
