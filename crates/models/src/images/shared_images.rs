//! The images of a training run: a part of pixels that several owners share.

use std::ops::{Deref, Range};
use std::sync::Arc;

use memory::SharedSlice;
use ndarray::ArrayView2;

use crate::images::{Images, PixelRows};

/// Consecutive pixels of a shared allocation.
///
/// Training, validation and test images often lie in one; each is a part of
/// it, and none is a copy.
#[derive(Clone, Debug)]
pub struct SharedPixels<T> {
    pixels: SharedSlice<T>,
    range: Range<usize>,
}

/// Images that are shared rather than borrowed: bytes that stand for b / 255,
/// or values.
///
/// ```
/// use std::sync::Arc;
/// use models::{SharedImages, SharedPixels};
///
/// let all: Arc<[u8]> = (0..100 * 64).map(|at| at as u8).collect();
/// let (training, validation) = (0..90 * 64, 90 * 64..100 * 64);
/// let training = SharedImages::from(SharedPixels::part(all.clone(), training));
/// let validation = SharedImages::from(SharedPixels::part(all, validation));
/// assert_eq!(training.images(64).nrows(), 90);
/// assert_eq!(validation.images(64).nrows(), 10);
/// ```
#[derive(Clone, Debug)]
pub enum SharedImages {
    /// Pixels as bytes, each standing for b / 255.
    Bytes(SharedPixels<u8>),
    /// Pixels as values.
    Values(SharedPixels<f32>),
}

impl<T> SharedPixels<T> {
    /// The pixels `range` of an allocation: from the first pixel of the first
    /// image to beyond the last pixel of the last one.
    ///
    /// # Panics
    /// If the allocation does not hold them.
    pub fn part(pixels: impl Into<SharedSlice<T>>, range: Range<usize>) -> Self {
        let pixels = pixels.into();
        assert!(
            range.start <= range.end && range.end <= pixels.len(),
            "part: pixels {range:?} of an allocation of {}",
            pixels.len()
        );
        Self { pixels, range }
    }

    /// The images `[n, inputs]`.
    ///
    /// # Panics
    /// If the pixels are no whole number of rows of `inputs`.
    pub fn images(&self, inputs: usize) -> ArrayView2<'_, T> {
        let count = self.len().checked_div(inputs).unwrap_or(0);
        assert!(
            count * inputs == self.len(),
            "images: {} pixels are no whole number of rows of {inputs}",
            self.len()
        );
        match ArrayView2::from_shape((count, inputs), self) {
            Ok(rows) => rows,
            Err(error) => unreachable!("a pixel for every place: {error}"),
        }
    }
}

impl<T> Deref for SharedPixels<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.pixels[self.range.clone()]
    }
}

impl<T> From<Arc<[T]>> for SharedPixels<T> {
    /// All of them.
    fn from(pixels: Arc<[T]>) -> Self {
        let range = 0..pixels.len();
        Self::part(pixels, range)
    }
}

impl From<SharedPixels<u8>> for SharedImages {
    fn from(bytes: SharedPixels<u8>) -> Self {
        SharedImages::Bytes(bytes)
    }
}

impl From<SharedPixels<f32>> for SharedImages {
    fn from(values: SharedPixels<f32>) -> Self {
        SharedImages::Values(values)
    }
}

impl From<Arc<[u8]>> for SharedImages {
    fn from(bytes: Arc<[u8]>) -> Self {
        SharedImages::Bytes(bytes.into())
    }
}

impl From<Arc<[f32]>> for SharedImages {
    fn from(values: Arc<[f32]>) -> Self {
        SharedImages::Values(values.into())
    }
}

impl SharedImages {
    /// All pixels.
    pub fn pixels(&self) -> PixelRows<'_> {
        match self {
            SharedImages::Bytes(bytes) => PixelRows::Bytes(bytes),
            SharedImages::Values(values) => PixelRows::Values(values),
        }
    }

    /// The images `[n, inputs]`.
    ///
    /// # Panics
    /// If the pixels are no whole number of rows of `inputs`.
    pub fn images(&self, inputs: usize) -> Images<'_> {
        match self {
            SharedImages::Bytes(bytes) => Images::Bytes(bytes.images(inputs)),
            SharedImages::Values(values) => Images::Values(values.images(inputs)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_no_copy_and_knows_its_rows() {
        let all: Arc<[f32]> = (0..30).map(|at| at as f32).collect();
        let part = SharedPixels::part(all.clone(), 12..30);
        assert!(std::ptr::eq(&part[0], &all[12]));
        let images = SharedImages::from(part);
        assert_eq!(images.images(6).dim(), (3, 6));
        let mut row = [0.0; 6];
        images.images(6).slice_rows(1..3).read_row(0, &mut row);
        assert_eq!(row, [18.0, 19.0, 20.0, 21.0, 22.0, 23.0]);
        assert_eq!(SharedImages::from(all).pixels().len(), 30);
    }

    #[test]
    #[should_panic(expected = "10 pixels are no whole number of rows of 3")]
    fn a_broken_row_is_refused() {
        let all: Arc<[u8]> = Arc::new([0; 10]);
        let _ = SharedImages::from(all).images(3);
    }

    #[test]
    #[should_panic(expected = "part: pixels 4..11 of an allocation of 10")]
    fn a_part_beyond_the_end_is_refused() {
        let all: Arc<[u8]> = Arc::new([0; 10]);
        let _ = SharedPixels::part(all, 4..11);
    }
}
