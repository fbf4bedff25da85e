//! The column-panel layout of matrices.
//!
//! A matrix of `rows × cols` is stored as `[ceil(cols / 16)][rows][16]`: panel
//! `p` holds columns `16 p .. 16 p + 16` of every row, one row after the
//! other. The lanes of the last panel beyond `cols` are *padding* and are
//! always zero. One row of a panel, a *line*, is 64 bytes of f32.

use std::ops::Range;

use crate::Float;
use crate::isa::Available;
use crate::kernels::Kernels;

pub(crate) mod rows;
pub(crate) mod support;

use rows::PackRows;

pub use support::{Executed, Support};

/// Columns of one panel.
pub const LANES: usize = 16;

/// The shape of a matrix in panel layout, and the conversions to and from it.
///
/// ```
/// use tensor_ops::panels::Panels;
///
/// let shape = Panels::new(2, 3);
/// let mut panels = vec![f32::NAN; shape.len()];
/// shape.pack_row_major(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut panels);
/// assert_eq!(panels.len(), 32); // one panel of two lines, padded to 16 lanes
/// assert_eq!(panels[shape.index(1, 2)], 6.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Panels {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix, without padding.
    pub cols: usize,
}

impl Panels {
    /// The layout of a `rows × cols` matrix.
    pub const fn new(rows: usize, cols: usize) -> Self {
        Self { rows, cols }
    }

    /// Number of panels: `ceil(cols / 16)`.
    pub const fn panel_count(self) -> usize {
        self.cols.div_ceil(LANES)
    }

    /// Columns including padding.
    pub const fn padded_cols(self) -> usize {
        self.panel_count() * LANES
    }

    /// Elements of one panel, padding included.
    pub const fn panel_len(self) -> usize {
        self.rows * LANES
    }

    /// Elements of the whole buffer, padding included.
    pub const fn len(self) -> usize {
        self.panel_count() * self.rows * LANES
    }

    /// Whether the buffer has no element.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Position of element `(row, col)` in the buffer.
    #[inline(always)]
    pub const fn index(self, row: usize, col: usize) -> usize {
        ((col / LANES) * self.rows + row) * LANES + col % LANES
    }

    /// Packs the row-major `[rows, cols]` matrix `source`, zeroing the padding.
    ///
    /// # Panics
    /// If a slice has another length than the shape needs.
    pub fn pack_row_major<T: Float>(self, source: &[T], panels: &mut [T]) {
        self.check("pack_row_major", source.len(), panels.len());
        for panel in 0..self.panel_count() {
            let first = panel * LANES;
            let width = LANES.min(self.cols - first);
            for row in 0..self.rows {
                let at = (panel * self.rows + row) * LANES;
                let line = &mut panels[at..at + LANES];
                line[..width].copy_from_slice(&source[row * self.cols + first..][..width]);
                line[width..].fill(T::ZERO);
            }
        }
    }

    /// Multiplies every row by its factor.
    ///
    /// # Panics
    /// If a slice has another length than the shape needs.
    pub fn scale_rows<T: Float>(self, factors: &[T], panels: &mut [T]) {
        assert!(
            factors.len() == self.rows && panels.len() == self.len(),
            "scale_rows: {} factors and {} elements do not fit {self:?}",
            factors.len(),
            panels.len()
        );
        if self.rows == 0 {
            return;
        }
        for panel in panels.chunks_exact_mut(self.panel_len()) {
            for (line, &factor) in panel.as_chunks_mut::<LANES>().0.iter_mut().zip(factors) {
                for value in line {
                    *value *= factor;
                }
            }
        }
    }

    /// Packs the transpose of the row-major `[cols, rows]` matrix `source`,
    /// zeroing the padding. A PyTorch weight `[out, in]` becomes the
    /// `[in, out]` panels of [`crate::linear`].
    ///
    /// # Panics
    /// If a slice has another length than the shape needs.
    pub fn pack_transposed<T: Float>(self, source: &[T], panels: &mut [T]) {
        self.check("pack_transposed", source.len(), panels.len());
        for panel in 0..self.panel_count() {
            let first = panel * LANES;
            let width = LANES.min(self.cols - first);
            for row in 0..self.rows {
                let at = (panel * self.rows + row) * LANES;
                let line = &mut panels[at..at + LANES];
                for (lane, value) in line[..width].iter_mut().enumerate() {
                    *value = source[(first + lane) * self.rows + row];
                }
                line[width..].fill(T::ZERO);
            }
        }
    }

    /// Unpacks into the row-major `[rows, cols]` matrix `target`.
    ///
    /// # Panics
    /// If a slice has another length than the shape needs.
    pub fn unpack_row_major<T: Float>(self, panels: &[T], target: &mut [T]) {
        self.check("unpack_row_major", target.len(), panels.len());
        for panel in 0..self.panel_count() {
            let first = panel * LANES;
            let width = LANES.min(self.cols - first);
            for row in 0..self.rows {
                let at = (panel * self.rows + row) * LANES;
                target[row * self.cols + first..][..width].copy_from_slice(&panels[at..][..width]);
            }
        }
    }

    /// Unpacks the transpose into the row-major `[cols, rows]` matrix `target`.
    ///
    /// # Panics
    /// If a slice has another length than the shape needs.
    pub fn unpack_transposed<T: Float>(self, panels: &[T], target: &mut [T]) {
        self.check("unpack_transposed", target.len(), panels.len());
        for col in 0..self.cols {
            for row in 0..self.rows {
                target[col * self.rows + row] = panels[self.index(row, col)];
            }
        }
    }

    /// Packs `rows × cols` bytes, row-major, as b / 255 rounded to nearest.
    ///
    /// # Panics
    /// If a slice has another length than the shape needs.
    pub fn pack_bytes(self, bytes: &[u8], panels: &mut [f32]) {
        self.check("pack_bytes", bytes.len(), panels.len());
        let (images, indices, of) = (bytes, None, 0..self.panel_count());
        f32::pack_bytes(
            Available::current(),
            PackRows {
                shape: self,
                of,
                images,
                indices,
                panels,
            },
        );
    }

    /// Packs the panels `of` of the rows `indices` of the row-major byte matrix
    /// `images` (`cols` wide) as b / 255 rounded to nearest: a shuffled batch
    /// without a copy of its bytes.
    ///
    /// # Panics
    /// If there are not `rows` indices, one is out of range, or `panels` has
    /// another length than those panels.
    pub fn pack_bytes_indexed(
        self,
        images: &[u8],
        indices: &[u32],
        of: Range<usize>,
        panels: &mut [f32],
    ) {
        self.check_indices(
            "pack_bytes_indexed",
            images.len(),
            indices,
            &of,
            panels.len(),
        );
        let indices = Some(indices);
        f32::pack_bytes(
            Available::current(),
            PackRows {
                shape: self,
                of,
                images,
                indices,
                panels,
            },
        );
    }

    /// Packs the panels `of` of the rows `indices` of the row-major matrix of
    /// values `images` (`cols` wide): a shuffled batch without a copy.
    ///
    /// # Panics
    /// As [`pack_bytes_indexed`](Self::pack_bytes_indexed).
    pub fn pack_values_indexed(
        self,
        images: &[f32],
        indices: &[u32],
        of: Range<usize>,
        panels: &mut [f32],
    ) {
        self.check_indices(
            "pack_values_indexed",
            images.len(),
            indices,
            &of,
            panels.len(),
        );
        let indices = Some(indices);
        f32::pack_values(
            Available::current(),
            PackRows {
                shape: self,
                of,
                images,
                indices,
                panels,
            },
        );
    }

    /// Some panels of rows picked from so many pixels.
    pub(crate) fn check_indices(
        self,
        operation: &str,
        pixels: usize,
        indices: &[u32],
        of: &Range<usize>,
        panels: usize,
    ) {
        assert!(
            indices.len() == self.rows
                && of.end <= self.panel_count()
                && panels == of.len() * self.panel_len(),
            "{operation}: {} indices and a buffer of {panels} for panels {of:?} of {self:?}",
            indices.len(),
        );
        let available = pixels / self.cols.max(1);
        for &index in indices {
            assert!(
                (index as usize) < available,
                "{operation}: row {index} of {available} rows of {} pixels",
                self.cols
            );
        }
    }

    fn check(self, operation: &str, dense: usize, panels: usize) {
        assert!(
            dense == self.rows * self.cols && panels == self.len(),
            "{operation}: a matrix of {dense} elements and panels of {panels} do not fit {self:?} \
             ({} and {} expected)",
            self.rows * self.cols,
            self.len()
        );
    }
}
