//! Images that were binarised once, a bit for every pixel.

use std::ops::Range;

use rayon::prelude::*;
use tensor_ops::binarise;
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::random::Stream;

/// Binary images: an eighth of what bytes take, and unpacked faster than bytes are
/// converted.
#[derive(Clone, Debug)]
pub struct BinaryImages {
    /// Row by row whole lines of a panel; bit b of a byte is its pixel b, and bits
    /// beyond a row are 0.
    bits: Vec<u8>,
    pixels: usize,
}

/// Pixels of a byte.
const BITS: usize = u8::BITS as usize;

/// Bytes of a line of a panel.
const LINE_BYTES: usize = LANES / BITS;

/// Pixels that a thread draws at a time, before they are bits.
const PIXELS_TOGETHER: usize = 1 << 16;

/// Rows packed together, whose lines of a panel are neighbours.
const ROW_GROUP: usize = 8;

/// The values of the pixels of every byte.
static VALUES: [[f32; BITS]; 256] = values();

const fn values() -> [[f32; BITS]; 256] {
    let mut values = [[0.0; BITS]; 256];
    let mut at = 0;
    while at < 256 * BITS {
        if (at / BITS) >> (at % BITS) & 1 == 1 {
            values[at / BITS][at % BITS] = 1.0;
        }
        at += 1;
    }
    values
}

impl BinaryImages {
    /// One Bernoulli draw of every pixel of rows of bytes, on the threads of the
    /// current pool: what [`binarise::draw`] gives, whose number of threads does
    /// not matter.
    ///
    /// # Panics
    /// If the bytes are no whole number of rows of `pixels`.
    pub(crate) fn drawn(images: &[u8], pixels: usize, stream: Stream) -> Self {
        assert!(
            pixels > 0 && images.len().is_multiple_of(pixels),
            "BinaryImages::drawn: {} bytes in rows of {pixels}",
            images.len()
        );
        let row_bytes = row_bytes(pixels);
        let rows = images.len() / pixels;
        let mut bits = vec![0; rows * row_bytes];
        let together = (PIXELS_TOGETHER / pixels).max(1);
        let parts = bits.par_chunks_mut(together * row_bytes).enumerate();
        parts.for_each_init(Vec::new, |drawn, (part, bits)| {
            let first = part * together;
            let rows = bits.len() / row_bytes;
            let images = &images[first * pixels..(first + rows) * pixels];
            drawn.resize(images.len(), 0);
            binarise::draw_from(first, images, pixels, stream, drawn);
            let rows = drawn
                .chunks_exact(pixels)
                .zip(bits.chunks_exact_mut(row_bytes));
            for (row, bits) in rows {
                for (byte, pixels) in bits.iter_mut().zip(row.chunks(BITS)) {
                    let bits = pixels.iter().enumerate();
                    *byte = bits.fold(0, |byte, (bit, &ink)| byte | (ink & 1) << bit);
                }
            }
        });
        Self { bits, pixels }
    }

    /// Bytes of so many images.
    pub(crate) fn bytes(images: usize, pixels: usize) -> u64 {
        (images as u64).saturating_mul(row_bytes(pixels) as u64)
    }

    /// Packs the panels `of` of the rows `indices`, as 0 and 1.
    ///
    /// # Panics
    /// If the shape is one of other rows, an index is out of range, or `panels`
    /// has another length than those panels.
    pub(crate) fn pack_indexed(
        &self,
        indices: &[u32],
        shape: Panels,
        of: Range<usize>,
        panels: &mut [f32],
    ) {
        assert!(
            shape.cols == self.pixels
                && shape.rows == indices.len()
                && of.end <= shape.panel_count()
                && panels.len() == of.len() * shape.panel_len(),
            "pack_indexed: {} binary images of {} pixels and a buffer of {} for panels {of:?} of \
             {shape:?}",
            indices.len(),
            self.pixels,
            panels.len()
        );
        let row_bytes = row_bytes(self.pixels);
        let row = |index: u32| &self.bits[index as usize * row_bytes..][..row_bytes];
        let lines = panels.as_chunks_mut::<LANES>().0;
        for (group, indices) in indices.chunks(ROW_GROUP).enumerate() {
            for (panel, lines) in of.clone().zip(lines.chunks_exact_mut(shape.rows)) {
                let lines = &mut lines[group * ROW_GROUP..][..indices.len()];
                for (line, &index) in lines.iter_mut().zip(indices) {
                    let bytes = &row(index)[panel * LINE_BYTES..][..LINE_BYTES];
                    for (values, &byte) in line.as_chunks_mut::<BITS>().0.iter_mut().zip(bytes) {
                        *values = VALUES[usize::from(byte)];
                    }
                }
            }
        }
    }
}

/// Whole lines of a panel.
fn row_bytes(pixels: usize) -> usize {
    pixels.div_ceil(LANES) * LINE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor_ops::parallel::ThreadPool;

    #[test]
    fn bits_are_the_draw_and_are_packed_as_its_bytes() {
        for pixels in [1, 7, 8, 15, 16, 17, 64, 65, 784, PIXELS_TOGETHER + 3] {
            let count = (300_000 / pixels).clamp(2, 400);
            let images: Vec<u8> = (0..count * pixels)
                .map(|at| (at * 37 % 256) as u8)
                .collect();
            let stream = Stream::new(3, 8);
            let mut bytes = vec![9; images.len()];
            binarise::draw(&images, pixels, stream, &mut bytes);
            let run = |threads| {
                let pool = ThreadPool::new(threads).unwrap();
                pool.install(|| BinaryImages::drawn(&images, pixels, stream))
            };
            let drawn = run(1);
            assert_eq!(drawn.bits, run(3).bits);
            assert_eq!(drawn.bits.len() as u64, BinaryImages::bytes(count, pixels));
            for rows in [1, 2, 7, 8, 9, 20] {
                let indices: Vec<u32> = (0..rows).map(|row| (row * 13 % count) as u32).collect();
                let shape = Panels::new(rows, pixels);
                let (mut found, mut expected) =
                    (vec![f32::NAN; shape.len()], vec![0.0; shape.len()]);
                let middle = shape.panel_count() / 3;
                let (first, second) = found.split_at_mut(middle * shape.panel_len());
                drawn.pack_indexed(&indices, shape, 0..middle, first);
                drawn.pack_indexed(&indices, shape, middle..shape.panel_count(), second);
                let all = 0..shape.panel_count();
                shape.pack_bytes_indexed(&bytes, &indices, all, &mut expected);
                assert_eq!(found, expected, "{rows} rows of {pixels} pixels");
            }
        }
    }

    #[test]
    #[should_panic(expected = "1 binary images of 3 pixels and a buffer of 16 for panels")]
    fn other_rows_are_refused() {
        let images = BinaryImages::drawn(&[0; 6], 3, Stream::new(0, 0));
        images.pack_indexed(&[0], Panels::new(1, 4), 0..1, &mut [0.0; 16]);
    }
}
