//! Images as they are read: bytes or values, of any width.

pub(crate) mod binary_images;
pub(crate) mod shared_images;
pub(crate) mod standardisation;

use std::ops::Range;

use ndarray::{Array2, ArrayView2, CowArray, Ix2, s};
use tensor_ops::panels::{LANES, Panels};

/// Images to read, one in each row: bytes that stand for b / 255, or values.
///
/// A value equal to b / 255 in f32 gives the same bits everywhere as the byte
/// b does.
///
/// ```
/// use models::Images;
/// use ndarray::array;
///
/// let (bytes, values) = (array![[0_u8, 51], [255, 0]], array![[0.0_f32, 0.2], [1.0, 0.0]]);
/// let (bytes, values) = (Images::from(&bytes), Images::from(&values));
/// assert_eq!(bytes.dim(), (2, 2));
/// let (mut left, mut right) = ([0.0; 2], [0.0; 2]);
/// bytes.read_row(0, &mut left);
/// values.read_row(0, &mut right);
/// assert_eq!(left, right);
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Images<'a> {
    /// Pixels as bytes, `[n, inputs]`, each standing for b / 255.
    Bytes(ArrayView2<'a, u8>),
    /// Pixels as values, `[n, inputs]`.
    Values(ArrayView2<'a, f32>),
}

/// Rows of pixels one after the other in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PixelRows<'a> {
    /// Bytes that stand for b / 255.
    Bytes(&'a [u8]),
    /// Values.
    Values(&'a [f32]),
}

/// [`Images`] whose rows lie one after the other in memory: those given if they
/// do, a copy otherwise.
#[derive(Clone, Debug)]
pub enum RowMajorImages<'a> {
    /// Bytes that stand for b / 255, `[n, inputs]`.
    #[non_exhaustive]
    Bytes(CowArray<'a, u8, Ix2>),
    /// Values, `[n, inputs]`.
    #[non_exhaustive]
    Values(CowArray<'a, f32, Ix2>),
}

impl<'a> From<ArrayView2<'a, u8>> for Images<'a> {
    fn from(view: ArrayView2<'a, u8>) -> Self {
        Images::Bytes(view)
    }
}

impl<'a> From<ArrayView2<'a, f32>> for Images<'a> {
    fn from(view: ArrayView2<'a, f32>) -> Self {
        Images::Values(view)
    }
}

impl<'a> From<&'a Array2<u8>> for Images<'a> {
    fn from(array: &'a Array2<u8>) -> Self {
        Images::Bytes(array.view())
    }
}

impl<'a> From<&'a Array2<f32>> for Images<'a> {
    fn from(array: &'a Array2<f32>) -> Self {
        Images::Values(array.view())
    }
}

impl<'a> Images<'a> {
    /// Number of images.
    pub fn nrows(&self) -> usize {
        self.dim().0
    }

    /// Pixels of one image.
    pub fn ncols(&self) -> usize {
        self.dim().1
    }

    /// (images, pixels per image).
    pub fn dim(&self) -> (usize, usize) {
        match self {
            Images::Bytes(bytes) => bytes.dim(),
            Images::Values(values) => values.dim(),
        }
    }

    /// Some consecutive images.
    ///
    /// # Panics
    /// If there are not that many.
    #[must_use]
    pub fn slice_rows(&self, rows: Range<usize>) -> Images<'a> {
        match *self {
            Images::Bytes(bytes) => Images::Bytes(bytes.slice_move(s![rows, ..])),
            Images::Values(values) => Images::Values(values.slice_move(s![rows, ..])),
        }
    }

    /// Writes the values of one image.
    ///
    /// # Panics
    /// If there is no such image, or `values` has another length than it.
    pub fn read_row(&self, row: usize, values: &mut [f32]) {
        assert!(
            values.len() == self.ncols(),
            "read_row: {} values for images of {} pixels",
            values.len(),
            self.ncols()
        );
        match self {
            Images::Bytes(bytes) => {
                for (value, &byte) in values.iter_mut().zip(bytes.row(row)) {
                    *value = f32::from(byte) / 255.0;
                }
            }
            Images::Values(array) => {
                for (value, &pixel) in values.iter_mut().zip(array.row(row)) {
                    *value = pixel;
                }
            }
        }
    }

    /// Image and pixel of the first value that is NaN or infinite.
    pub fn first_non_finite(&self) -> Option<(usize, usize)> {
        self.first_value(|value| !value.is_finite())
    }

    /// Image and pixel of the first value outside [0, 1], NaN included.
    pub fn first_outside_unit(&self) -> Option<(usize, usize)> {
        self.first_value(|value| !(0.0..=1.0).contains(&value))
    }

    /// The same images with rows one after the other in memory.
    pub fn row_major(self) -> RowMajorImages<'a> {
        match self {
            Images::Bytes(bytes) => RowMajorImages::Bytes(standard(bytes)),
            Images::Values(values) => RowMajorImages::Values(standard(values)),
        }
    }

    fn first_value(&self, is_sought: impl Fn(f32) -> bool) -> Option<(usize, usize)> {
        let Images::Values(values) = self else {
            return None;
        };
        let at = values.iter().position(|&value| is_sought(value))?;
        Some((at / values.ncols(), at % values.ncols()))
    }
}

impl RowMajorImages<'_> {
    /// (images, pixels per image).
    pub fn dim(&self) -> (usize, usize) {
        match self {
            RowMajorImages::Bytes(bytes) => bytes.dim(),
            RowMajorImages::Values(values) => values.dim(),
        }
    }

    /// All pixels.
    pub fn pixels(&self) -> PixelRows<'_> {
        match self {
            RowMajorImages::Bytes(bytes) => PixelRows::Bytes(contiguous(bytes)),
            RowMajorImages::Values(values) => PixelRows::Values(contiguous(values)),
        }
    }
}

impl PixelRows<'_> {
    /// Number of pixels of all images together.
    pub fn len(&self) -> usize {
        match self {
            PixelRows::Bytes(bytes) => bytes.len(),
            PixelRows::Values(values) => values.len(),
        }
    }

    /// Whether there is no pixel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Packs the rows from `first` on, `shape.cols` wide, into panels.
    ///
    /// # Panics
    /// If there are not that many rows, or `panels` has another length than the
    /// shape needs.
    pub fn pack(&self, first: usize, shape: Panels, panels: &mut [f32]) {
        let range = first * shape.cols..(first + shape.rows) * shape.cols;
        match self {
            PixelRows::Bytes(bytes) => shape.pack_bytes(&bytes[range], panels),
            PixelRows::Values(values) => shape.pack_row_major(&values[range], panels),
        }
    }

    /// Packs the panels `of` of the rows `indices`, `shape.cols` wide.
    ///
    /// # Panics
    /// If there are not `shape.rows` indices, one is out of range, or `panels`
    /// has another length than those panels.
    pub fn pack_indexed(
        &self,
        indices: &[u32],
        shape: Panels,
        of: Range<usize>,
        panels: &mut [f32],
    ) {
        match self {
            PixelRows::Bytes(bytes) => shape.pack_bytes_indexed(bytes, indices, of, panels),
            PixelRows::Values(values) => shape.pack_values_indexed(values, indices, of, panels),
        }
    }

    /// Packs rows `first..` of a matrix that holds every image `times` times.
    pub(crate) fn pack_repeated(
        &self,
        first: usize,
        times: usize,
        shape: Panels,
        panels: &mut [f32],
    ) {
        if times == 1 {
            return self.pack(first, shape, panels);
        }
        let one = Panels { rows: 1, ..shape };
        let mut image = vec![0.0; one.len()];
        let mut packed = None;
        for row in 0..shape.rows {
            let index = (first + row) / times;
            if packed != Some(index) {
                self.pack(index, one, &mut image);
                packed = Some(index);
            }
            for (panel, line) in image.chunks_exact(LANES).enumerate() {
                panels[(panel * shape.rows + row) * LANES..][..LANES].copy_from_slice(line);
            }
        }
    }
}

pub(crate) fn standard<'a, A: Clone>(view: ArrayView2<'a, A>) -> CowArray<'a, A, Ix2> {
    if view.is_standard_layout() {
        view.into()
    } else {
        view.as_standard_layout().into_owned().into()
    }
}

pub(crate) fn contiguous<'a, A>(array: &'a CowArray<'_, A, Ix2>) -> &'a [A] {
    // `standard` made it so; an array without rows may decline and has none.
    array.as_slice().unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposed_and_sliced_images_read_as_their_rows() {
        let bytes = Array2::from_shape_fn((5, 3), |(i, j)| (40 * i + j) as u8);
        let values = bytes.mapv(|byte| f32::from(byte) / 255.0);
        for images in [
            Images::from(bytes.t()),
            Images::from(values.t()),
            Images::from(bytes.slice(s![..;2, 1..])),
            Images::from(values.slice(s![..;2, 1..])),
        ] {
            let (n, pixels) = images.dim();
            let row_major = images.row_major();
            assert_eq!(row_major.dim(), (n, pixels));
            for first in 0..n {
                let part = images.slice_rows(first..n);
                assert_eq!((part.nrows(), part.ncols()), (n - first, pixels));
                let shape = Panels::new(n - first, pixels);
                let mut packed = vec![f32::NAN; shape.len()];
                row_major.pixels().pack(first, shape, &mut packed);
                let mut dense = vec![0.0; (n - first) * pixels];
                shape.unpack_row_major(&packed, &mut dense);
                for (row, expected) in dense.chunks_exact(pixels).enumerate() {
                    let mut read = vec![0.0; pixels];
                    part.read_row(row, &mut read);
                    assert_eq!(read, expected);
                }
            }
        }
    }

    #[test]
    fn values_that_are_no_pixels_are_found() {
        let mut values = Array2::<f32>::zeros((3, 4));
        assert_eq!(Images::from(&values).first_non_finite(), None);
        assert_eq!(Images::from(&values).first_outside_unit(), None);
        values[[1, 2]] = -0.5;
        values[[2, 0]] = f32::INFINITY;
        assert_eq!(Images::from(&values).first_non_finite(), Some((2, 0)));
        assert_eq!(Images::from(&values).first_outside_unit(), Some((1, 2)));
        values[[0, 3]] = f32::NAN;
        assert_eq!(Images::from(&values).first_outside_unit(), Some((0, 3)));
        let bytes = Array2::from_elem((2, 2), 255_u8);
        assert_eq!(Images::from(&bytes).first_outside_unit(), None);
    }

    #[test]
    fn the_borders_of_the_unit_interval_are_in_it() {
        let inside = ndarray::array![[0.0_f32, -0.0], [1.0, f32::MIN_POSITIVE]];
        assert_eq!(Images::from(&inside).first_outside_unit(), None);
        for outside in [1.0_f32.next_up(), -f32::from_bits(1)] {
            let values = ndarray::array![[0.5_f32, 0.5], [0.5, 0.5], [outside, 0.5]];
            assert_eq!(Images::from(&values).first_outside_unit(), Some((2, 0)));
            assert_eq!(Images::from(&values).first_non_finite(), None);
        }
    }

    #[test]
    fn rows_know_how_many_pixels_they_have() {
        let (bytes, values) = ([7_u8; 6], [0.5_f32; 6]);
        for (len, is_empty) in [(0, true), (1, false), (6, false)] {
            for rows in [
                PixelRows::Bytes(&bytes[..len]),
                PixelRows::Values(&values[..len]),
            ] {
                assert_eq!((rows.len(), rows.is_empty()), (len, is_empty));
            }
        }
    }

    /// Blocks begin and end in the middle of an image's copies.
    #[test]
    fn images_are_repeated_as_a_matrix_of_all_copies_would_be_packed() {
        let (count, pixels, times) = (5, 19, 3);
        let values: Vec<f32> = (0..count * pixels).map(|at| at as f32).collect();
        let copies: Vec<f32> = values
            .chunks_exact(pixels)
            .flat_map(|row| row.repeat(times))
            .collect();
        for (first, rows) in [(0, 15), (1, 1), (2, 9), (7, 8), (12, 3)] {
            let shape = Panels::new(rows, pixels);
            let (mut found, mut expected) = (vec![9.0; shape.len()], vec![9.0; shape.len()]);
            PixelRows::Values(&values).pack_repeated(first, times, shape, &mut found);
            PixelRows::Values(&copies).pack_repeated(first, 1, shape, &mut expected);
            assert_eq!(found, expected, "{rows} rows from {first}");
        }
    }

    #[test]
    #[should_panic(expected = "read_row: 3 values for images of 2 pixels")]
    fn a_row_of_another_width_is_refused() {
        let bytes = Array2::from_elem((2, 2), 255_u8);
        Images::from(&bytes).read_row(0, &mut [0.0; 3]);
    }
}
