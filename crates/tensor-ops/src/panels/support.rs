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

/// Multiply-adds of the products that leave out terms whose factor is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Of y = x·W.
    pub forward: u64,
    /// Of dW = xᵀ·dy.
    pub weight_gradient: u64,
}

/// Lists of ascending indices, one after the other.
#[derive(Clone, Debug, Default)]
struct Lists {
    /// A prefix of this buffer is in use; it never shrinks.
    indices: Vec<u32>,
    ends: Vec<usize>,
}

impl Lists {
    /// Empties the lists and makes room for `most` indices, and for the
    /// places written beyond the last.
    fn reset(&mut self, most: usize, lists: usize) {
        if self.indices.len() < most + LANES {
            self.indices.resize(most + LANES, 0);
        }
        self.ends.clear();
        self.ends.reserve(lists);
    }

    /// Writes `first` + l for every bit l of `mask`, ascending, from place
    /// `end` on; their number. Whether a pixel is zero cannot be predicted, so
    /// sixteen places are written whatever the mask.
    ///
    /// # Safety
    /// The processor must have the features of `L`.
    #[inline(always)]
    unsafe fn write<T, L: Line<T>>(&mut self, end: usize, mask: u16, first: usize) -> usize {
        let places = &mut self.indices[end..end + LANES];
        if let Some(places) = places.first_chunk_mut() {
            // SAFETY: the caller's promise.
            unsafe { L::write_indices(mask, first as u32, places) };
        }
        mask.count_ones() as usize
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
        T::scan(
            isa,
            Scan {
                support: self,
                shape,
                x,
            },
        );
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

    /// Multiply-adds that the products with these rows execute for a layer of
    /// `outputs` outputs: of the terms, those that no tile leaves out; of the
    /// outputs, every lane of the last panel.
    pub fn executed(&self, outputs: usize) -> Executed {
        let Some(shape) = self.shape else {
            return Executed::default();
        };
        let lanes = (outputs.div_ceil(LANES) * LANES) as u64;
        let of = |(list, side): (&[u32], usize)| (list.len() * side) as u64 * lanes;
        let (row_tile, input_tile) = self.tiles;
        let row_tiles = even_parts(shape.rows, row_tile).enumerate();
        let forward = row_tiles.map(|(tile, (_, rows))| of((self.row_tile(tile), rows)));
        let panels = (0..shape.panel_count()).map(|panel| panel * LANES);
        let input_tiles = panels.flat_map(|first| {
            let parts = even_parts(LANES.min(shape.cols - first), input_tile);
            parts.map(move |(start, inputs)| (first + start, inputs))
        });
        let gradient = input_tiles.map(|(input, inputs)| of((self.input_tile(input), inputs)));
        Executed {
            forward: forward.sum(),
            weight_gradient: gradient.sum(),
        }
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

/// Fills a support from `x`, of the length of `shape`.
pub struct Scan<'a, T> {
    support: &'a mut Support,
    shape: Panels,
    x: &'a [T],
}

impl<T: Float> Operation<T> for Scan<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self { support, shape, x } = self;
        let Panels { rows, .. } = shape;
        let (row_tile, input_tile) = heights::<T, L>();
        support.shape = Some(shape);
        support.tiles = (row_tile, input_tile);
        let masks = &mut support.masks;
        masks.resize(x.len() / LANES, 0);
        for (mask, line) in masks.iter_mut().zip(x.as_chunks::<LANES>().0) {
            // SAFETY: features by the caller; the chunk has 16 elements.
            *mask = unsafe { L::load(line.as_ptr()).nonzero_mask() };
        }

        let row_tiles = rows.div_ceil(row_tile);
        let lists = &mut support.row_tiles;
        lists.reset(row_tiles * shape.padded_cols(), row_tiles);
        let mut end = 0;
        for (row, height) in even_parts(rows, row_tile) {
            for panel in 0..shape.panel_count() {
                let lines = &masks[panel * rows + row..][..height];
                let union = lines.iter().fold(0, |union, &mask| union | mask);
                // SAFETY: features by the caller.
                end += unsafe { lists.write::<T, L>(end, union, panel * LANES) };
            }
            lists.ends.push(end);
        }

        let input_tiles = shape.panel_count() * LANES.div_ceil(input_tile);
        let lists = &mut support.input_tiles;
        lists.reset(input_tiles * rows, input_tiles);
        support.input_tile_of.clear();
        let mut end = 0;
        for panel in 0..shape.panel_count() {
            let width = LANES.min(shape.cols - panel * LANES);
            let (whole, rest) = masks[panel * rows..][..rows].as_chunks::<LANES>();
            let mut last = [0; LANES];
            last[..rest.len()].copy_from_slice(rest);
            let last = (!rest.is_empty()).then_some(&last);
            for (start, len) in even_parts(width, input_tile) {
                let list = lists.ends.len() as u32;
                support.input_tile_of.extend(std::iter::repeat_n(list, len));
                let lanes = (u32::MAX >> (32 - len) << start) as u16;
                for (group, masks) in whole.iter().chain(last).enumerate() {
                    // SAFETY: features by the caller.
                    end += unsafe {
                        let meeting = L::masks_meeting(masks, lanes);
                        lists.write::<T, L>(end, meeting, group * LANES)
                    };
                }
                lists.ends.push(end);
            }
        }
    }
}

/// Rows of the forward product's sparse tile and inputs of the weight
/// gradient's tile on a path.
fn tile_heights<T: Float>(isa: Isa) -> (usize, usize) {
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

const fn heights<T, L: Line<T>>() -> (usize, usize) {
    (sparse_rows::<T, L>(), tile_inputs::<T, L>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn executed(shape: Panels, outputs: usize, x: impl Fn(usize, usize) -> f32) -> Executed {
        let mut panels = vec![0.0; shape.len()];
        for row in 0..shape.rows {
            for col in 0..shape.cols {
                panels[shape.index(row, col)] = x(row, col);
            }
        }
        let mut support = Support::new();
        support.scan(shape, &panels);
        support.executed(outputs)
    }

    #[test]
    fn work_without_zeros_is_dense_and_of_zeros_alone_none() {
        for (rows, cols, outputs) in [(1, 1, 1_usize), (7, 33, 16), (20, 784, 200), (128, 50, 4)] {
            let shape = Panels::new(rows, cols);
            let dense = (rows * cols * outputs.div_ceil(LANES) * LANES) as u64;
            let all = Executed {
                forward: dense,
                weight_gradient: dense,
            };
            assert_eq!(executed(shape, outputs, |_, _| 0.5), all);
            assert_eq!(executed(shape, outputs, |_, _| 0.0), Executed::default());
        }
        assert_eq!(Support::new().executed(16), Executed::default());
        assert_eq!(
            executed(Panels::new(0, 3), 16, |_, _| 1.0),
            Executed::default()
        );
    }

    #[test]
    fn one_value_costs_its_tile_once() {
        let (row_tile, input_tile) = tile_heights::<f32>(Available::current().isa());
        let shape = Panels::new(23, 40);
        for (row, col) in [(0, 0), (11, 15), (22, 39), (5, 32)] {
            let one = executed(shape, 17, |r, c| f32::from((r, c) == (row, col)));
            let holds = |at: usize| {
                move |(start, len): &(usize, usize)| (*start..start + len).contains(&at)
            };
            let rows = even_parts(23, row_tile).find(holds(row)).expect("a tile").1;
            let first = col / LANES * LANES;
            let inputs = even_parts(LANES.min(40 - first), input_tile)
                .find(holds(col - first))
                .expect("a tile")
                .1;
            // Two panels of outputs.
            assert_eq!(
                (one.forward, one.weight_gradient),
                (32 * rows as u64, 32 * inputs as u64)
            );
        }
    }

    #[test]
    fn work_lies_between_that_of_the_nonzero_values_and_dense() {
        let shape = Panels::new(37, 61);
        let is_set = |row: usize, col: usize| (row * 7 + col * 13).is_multiple_of(5);
        let count = (0..37 * 61).filter(|at| is_set(at / 61, at % 61)).count() as u64;
        let found = executed(shape, 16, |row, col| f32::from(is_set(row, col)));
        for work in [found.forward, found.weight_gradient] {
            assert!((16 * count..=16 * 37 * 61).contains(&work), "{found:?}");
        }
    }
}
