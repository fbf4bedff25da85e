//! Where a panel matrix is not zero.

use super::{LANES, Panels};
use crate::Float;
use crate::isa::{Available, Isa};
use crate::linear::forward::sparse_rows;
use crate::linear::weight_gradient::tile_inputs;
use crate::simd::{Line, Operation};
use crate::tile::even_parts;

/// The nonzero positions of a block of rows in panel layout, found once and
/// used by every product over that block.
///
/// A product may leave out the terms whose factor is zero: fma(0, w, a) = a
/// for finite w, so the result keeps its bits. Grey digits are four fifths
/// zero, which makes this worth a scan.
#[derive(Clone, Debug, Default)]
pub struct Support {
    shape: Option<Panels>,
    /// Heights of the tiles that the lists are made for.
    tiles: (usize, usize),
    /// Bit l of `masks[line]`: lane l of the line is not zero.
    masks: Vec<u16>,
    /// Columns at which a row tile of the forward product is not zero.
    row_tiles: Lists,
    /// Rows at which an input tile of the weight gradient is not zero.
    input_tiles: Lists,
    /// First list of every input tile by `column`.
    input_tile_of: Vec<u32>,
}

/// Lists of ascending indices, one after the other.
#[derive(Clone, Debug, Default)]
struct Lists {
    /// A prefix of this buffer is in use; it never shrinks.
    indices: Vec<u32>,
    ends: Vec<usize>,
}

impl Lists {
    /// Empties the lists and makes room for `most` indices.
    fn reset(&mut self, most: usize, lists: usize) {
        if self.indices.len() < most {
            self.indices.resize(most, 0);
        }
        self.ends.clear();
        self.ends.reserve(lists);
    }

    #[inline(always)]
    fn get(&self, list: usize) -> &[u32] {
        let start = if list == 0 { 0 } else { self.ends[list - 1] };
        &self.indices[start..self.ends[list]]
    }
}

impl Support {
    /// An empty support; [`Support::scan`] fills it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds the nonzero positions of `x`, a `shape` matrix in panel layout,
    /// replacing what was there. Allocates only when the shape grows.
    ///
    /// # Panics
    /// If `x` has another length than the shape needs.
    pub fn scan<T: Float>(&mut self, shape: Panels, x: &[T]) {
        self.scan_for(Available::current(), shape, x);
    }

    /// [`Support::scan`] for the tiles of a given path.
    pub(crate) fn scan_for<T: Float>(&mut self, isa: Available, shape: Panels, x: &[T]) {
        assert!(
            x.len() == shape.len(),
            "Support::scan: {} elements for {shape:?}",
            x.len()
        );
        let (row_tile, input_tile) = tile_heights::<T>(isa.isa());
        self.shape = Some(shape);
        self.tiles = (row_tile, input_tile);
        T::masks(
            isa,
            Masks {
                x,
                masks: &mut self.masks,
            },
        );
        let Panels { rows, .. } = shape;
        let row_tiles = rows.div_ceil(row_tile);
        // One more than can be in use: an absent candidate is written too.
        self.row_tiles
            .reset(row_tiles * shape.padded_cols() + 1, row_tiles);
        let mut end = 0;
        for (row, height) in even_parts(rows, row_tile) {
            for panel in 0..shape.panel_count() {
                let lines = &self.masks[panel * rows + row..][..height];
                let union = lines.iter().fold(0, |union, &mask| union | mask);
                // Sixteen places are written and those of zeros written over:
                // whether a pixel is zero cannot be predicted.
                let places = &mut self.row_tiles.indices[end..end + LANES];
                let mut used = 0;
                for lane in 0..LANES {
                    places[used.min(LANES - 1)] = (panel * LANES + lane) as u32;
                    used += usize::from(union >> lane & 1);
                }
                end += used;
            }
            self.row_tiles.ends.push(end);
        }

        let input_tiles = shape.panel_count() * LANES.div_ceil(input_tile);
        self.input_tiles.reset(input_tiles * rows + 1, input_tiles);
        self.input_tile_of.clear();
        let mut end = 0;
        for panel in 0..shape.panel_count() {
            let width = LANES.min(shape.cols - panel * LANES);
            for (start, len) in even_parts(width, input_tile) {
                let list = self.input_tiles.ends.len() as u32;
                self.input_tile_of.extend(std::iter::repeat_n(list, len));
                let lanes = (u32::MAX >> (32 - len) << start) as u16;
                let masks = &self.masks[panel * rows..][..rows];
                let places = &mut self.input_tiles.indices[end..=end + rows];
                let mut used = 0;
                for (row, mask) in masks.iter().enumerate() {
                    places[used] = row as u32;
                    used += usize::from(mask & lanes != 0);
                }
                end += used;
                self.input_tiles.ends.push(end);
            }
        }
    }

    /// The scanned shape, `None` before the first scan.
    pub fn shape(&self) -> Option<Panels> {
        self.shape
    }

    /// Whether the lists are those of a matrix of `shape` for products in T.
    pub(crate) fn fits<T: Float>(&self, isa: Available, shape: Panels) -> bool {
        self.shape == Some(shape) && self.tiles == tile_heights::<T>(isa.isa())
    }

    /// Nonzero elements.
    pub fn count(&self) -> usize {
        self.masks
            .iter()
            .map(|mask| mask.count_ones() as usize)
            .sum()
    }

    /// Ascending columns at which some row of the forward product's row tile
    /// number `tile` is not zero.
    #[inline(always)]
    pub(crate) fn row_tile(&self, tile: usize) -> &[u32] {
        self.row_tiles.get(tile)
    }

    /// Ascending rows at which some input of the weight gradient's tile that
    /// starts at `input` is not zero.
    #[inline(always)]
    pub(crate) fn input_tile(&self, input: usize) -> &[u32] {
        self.input_tiles.get(self.input_tile_of[input] as usize)
    }
}

/// Finds the nonzero lanes of every line.
pub struct Masks<'a, T> {
    x: &'a [T],
    masks: &'a mut Vec<u16>,
}

impl<T: Float> Operation<T> for Masks<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        self.masks.clear();
        self.masks.reserve(self.x.len() / LANES);
        for line in self.x.chunks_exact(LANES) {
            // SAFETY: features by the caller; the chunk has 16 elements.
            self.masks
                .push(unsafe { L::load(line.as_ptr()).nonzero_mask() });
        }
    }
}

/// Rows of the forward product's sparse tile and inputs of the weight
/// gradient's tile on a path.
fn tile_heights<T: Float>(isa: Isa) -> (usize, usize) {
    const fn heights<T, L: Line<T>>() -> (usize, usize) {
        (sparse_rows::<T, L>(), tile_inputs::<T, L>())
    }
    match isa {
        Isa::Scalar => heights::<T, T::Portable>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => heights::<T, T::Avx2>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => heights::<T, T::Avx512>(),
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => unreachable!("only x86-64 offers this path"),
    }
}
