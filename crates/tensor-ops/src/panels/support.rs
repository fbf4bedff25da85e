//! Where a panel matrix is not zero.

use std::ops::Range;

use super::{LANES, Panels};
use crate::Float;
use crate::isa::{Available, Isa};
use crate::linear::forward::{sparse_inputs, sparse_rows};
use crate::parallel::Exchange;
use crate::simd::{Line, Operation};
use crate::tile::even_parts;

/// The nonzero positions of a block of rows in panel layout, found once and
/// used by every product over that block.
///
/// A product may leave out the terms whose factor is zero: fma(0, w, a) = a
/// for finite w, so the result keeps its bits. Grey digits are four fifths
/// zero, which makes this worth a scan.
///
/// One thread finds them with [`scan`](Support::scan). Several share the work
/// in two phases after [`begin`](Support::begin): each [marks](Support::mark)
/// some panels, and when all are marked each makes some of the
/// [lists](Support::list).
#[derive(Debug, Default)]
pub struct Support {
    shape: Option<Panels>,
    /// Heights of the tiles that the lists are made for.
    tiles: (usize, usize),
    /// Bit l of `masks[line]`: lane l of the line is not zero.
    masks: Exchange<u16>,
    /// Columns at which a row tile of the forward product is not zero.
    row_tiles: Lists,
    /// Rows at which an input tile of the weight gradient is not zero.
    input_tiles: Lists,
    /// Number of every input tile by `column`.
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

/// Lists of ascending indices, each in a place of its own.
#[derive(Debug, Default)]
struct Lists {
    indices: Exchange<u32>,
    ends: Exchange<u32>,
    /// Places of a list.
    places: usize,
}

impl Lists {
    /// Makes room for `count` lists of at most `most` indices, and for the places
    /// written beyond the last.
    fn reserve(&mut self, count: usize, most: usize) {
        self.places = most.next_multiple_of(LANES) + LANES;
        if self.indices.len() < count * self.places {
            self.indices = Exchange::zeroed(count * self.places);
        }
        if self.ends.len() < count {
            self.ends = Exchange::zeroed(count);
        }
        // Lists that nobody makes are empty: those of another shape would lead out
        // of this one's matrices.
        self.ends.as_mut_slice()[..count].fill(0);
    }

    /// A list. Products ask once for each register tile, so that bounds are not
    /// checked.
    ///
    /// # Safety
    /// There is such a list, and no thread writes it.
    #[inline(always)]
    unsafe fn get(&self, list: usize) -> &[u32] {
        debug_assert!(list < self.ends.len());
        // SAFETY: the caller's promise; there was made room for all lists, and a
        // list ends where it was written to.
        unsafe {
            let len = *self.ends.start().add(list) as usize;
            debug_assert!(list * self.places + len <= self.indices.len());
            std::slice::from_raw_parts(self.indices.start().add(list * self.places), len)
        }
    }

    /// The places and the end of a list, to write.
    ///
    /// # Safety
    /// Nothing else refers to that list.
    #[allow(clippy::mut_from_ref)] // that is what the promise is about
    unsafe fn write(&self, list: usize) -> (&mut [u32], &mut u32) {
        // SAFETY: the caller's promise.
        unsafe {
            (
                self.indices
                    .part(list * self.places..(list + 1) * self.places),
                &mut self.ends.part(list..list + 1)[0],
            )
        }
    }
}

/// Writes `first` + l for every bit l of `mask`, ascending, from place `end`
/// on; their number. Whether a pixel is zero cannot be predicted, so sixteen
/// places are written whatever the mask.
///
/// # Safety
/// The processor must have the features of `L`.
#[inline(always)]
unsafe fn write_indices<T, L: Line<T>>(
    places: &mut [u32],
    end: usize,
    mask: u16,
    first: usize,
) -> usize {
    if let Some(places) = places[end..end + LANES].first_chunk_mut() {
        // SAFETY: the caller's promise.
        unsafe { L::write_indices(mask, first as u32, places) };
    }
    mask.count_ones() as usize
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
        self.begin_for::<T>(isa, shape);
        let (rows, panels) = (0..self.row_tile_count(), 0..shape.panel_count());
        // SAFETY: the exclusive borrow: no other thread is here.
        unsafe {
            self.mark_for(isa, panels.clone(), x);
            self.list_for::<T>(isa, rows, panels);
        }
    }

    /// Makes room for the positions of a matrix of that shape of Ts. Allocates
    /// only when the shape grows.
    pub fn begin<T: Float>(&mut self, shape: Panels) {
        self.begin_for::<T>(Available::current(), shape);
    }

    fn begin_for<T: Float>(&mut self, isa: Available, shape: Panels) {
        let tiles = tile_heights::<T>(isa.isa(), shape.rows);
        if self.shape == Some(shape) && self.tiles == tiles {
            return;
        }
        self.shape = Some(shape);
        self.tiles = tiles;
        if self.masks.len() < shape.len() / LANES {
            self.masks = Exchange::zeroed(shape.len() / LANES);
        }
        self.input_tile_of.clear();
        let mut tile = 0;
        for panel in 0..shape.panel_count() {
            for (_, len) in even_parts(width(shape, panel), tiles.1) {
                self.input_tile_of.extend(std::iter::repeat_n(tile, len));
                tile += 1;
            }
        }
        let row_tiles = shape.rows.div_ceil(tiles.0);
        self.row_tiles.reserve(row_tiles, shape.padded_cols());
        self.input_tiles.reserve(tile as usize, shape.rows);
    }

    /// First phase: finds where `panels` of the matrix are not zero; `x` holds
    /// those alone.
    ///
    /// # Panics
    /// If `x` has another length than those panels.
    ///
    /// # Safety
    /// Until the next phase, which begins when all threads have ended this one,
    /// no other thread marks any of these panels or uses the support otherwise.
    pub unsafe fn mark<T: Float>(&self, panels: Range<usize>, x: &[T]) {
        // SAFETY: the caller's promise.
        unsafe { self.mark_for(Available::current(), panels, x) };
    }

    unsafe fn mark_for<T: Float>(&self, isa: Available, panels: Range<usize>, x: &[T]) {
        let rows = self.shape.map_or(0, |shape| shape.rows);
        assert!(
            x.len() == panels.len() * rows * LANES,
            "Support::mark: {} elements for panels {panels:?} of {:?}",
            x.len(),
            self.shape
        );
        // SAFETY: the caller's promise.
        let masks = unsafe { self.masks.part(panels.start * rows..panels.end * rows) };
        T::mark(isa, Mark { masks, x });
    }

    /// Second phase: makes the lists of the row tiles `row_tiles` of
    /// [`row_tile_count`](Self::row_tile_count), and of the inputs in `panels`.
    ///
    /// # Safety
    /// All panels have been marked, and until all threads have ended this phase
    /// no other one makes any of these lists or uses the support otherwise.
    pub unsafe fn list<T: Float>(&self, row_tiles: Range<usize>, panels: Range<usize>) {
        // SAFETY: the caller's promise.
        unsafe { self.list_for::<T>(Available::current(), row_tiles, panels) };
    }

    unsafe fn list_for<T: Float>(
        &self,
        isa: Available,
        row_tiles: Range<usize>,
        panels: Range<usize>,
    ) {
        let Some(shape) = self.shape else {
            return;
        };
        T::list(
            isa,
            List {
                support: self,
                shape,
                row_tiles,
                panels,
            },
        );
    }

    /// Bytes that the positions of a matrix of that shape of Ts take.
    pub fn bytes<T: Float>(shape: Panels) -> f64 {
        let tiles = tile_heights::<T>(Available::current().isa(), shape.rows);
        let lists = |count: usize, most: usize| {
            let places = most.next_multiple_of(LANES) + LANES;
            (size_of::<u32>() * (places + 1)) as f64 * count as f64
        };
        let of_inputs = shape.panel_count() * LANES.div_ceil(tiles.1);
        let masks = (size_of::<u16>() * shape.panel_count()) as f64 * shape.rows as f64;
        let columns = (size_of::<u32>() * shape.cols) as f64;
        masks
            + columns
            + lists(shape.rows.div_ceil(tiles.0), shape.padded_cols())
            + lists(of_inputs, shape.rows)
    }

    /// Row tiles of the forward product.
    pub fn row_tile_count(&self) -> usize {
        let rows = self.shape.map_or(0, |shape| shape.rows);
        rows.div_ceil(self.tiles.0.max(1))
    }

    /// The scanned shape, `None` before the first scan.
    pub fn shape(&self) -> Option<Panels> {
        self.shape
    }

    /// Inputs of the weight gradient's tiles.
    pub(crate) fn inputs_of_tile(&self) -> usize {
        self.tiles.1
    }

    /// Whether the lists are those of a matrix of `shape` for products in T.
    pub(crate) fn fits<T: Float>(&self, isa: Available, shape: Panels) -> bool {
        self.shape == Some(shape) && self.tiles == tile_heights::<T>(isa.isa(), shape.rows)
    }

    /// Nonzero elements.
    pub fn count(&self) -> usize {
        let lines = self.shape.map_or(0, |shape| shape.len() / LANES);
        // SAFETY: who marks promises that nobody is here.
        let masks = unsafe { self.masks.read(0..lines) };
        masks.iter().map(|mask| mask.count_ones() as usize).sum()
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
        // SAFETY: who makes the lists promises that nobody is here.
        unsafe { self.row_tiles.get(tile) }
    }

    /// Ascending rows at which some input of the weight gradient's tile that
    /// starts at `input` is not zero.
    #[inline(always)]
    pub(crate) fn input_tile(&self, input: usize) -> &[u32] {
        // SAFETY: as above.
        unsafe { self.input_tiles.get(self.input_tile_of[input] as usize) }
    }
}

/// Columns of a panel.
fn width(shape: Panels, panel: usize) -> usize {
    LANES.min(shape.cols - panel * LANES)
}

/// A bit for each of `len` lanes from `start` on; `len` is not 0.
fn lanes(start: usize, len: usize) -> u16 {
    (u32::MAX >> (32 - len) << start) as u16
}

/// Fills the masks of the lines of `x`.
pub struct Mark<'a, T> {
    masks: &'a mut [u16],
    x: &'a [T],
}

impl<T: Float> Operation<T> for Mark<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        for (mask, line) in self.masks.iter_mut().zip(self.x.as_chunks::<LANES>().0) {
            // SAFETY: features by the caller; the chunk has 16 elements.
            *mask = unsafe { L::load(line.as_ptr()).nonzero_mask() };
        }
    }
}

/// Makes lists of the masks, which are complete; nothing else refers to them.
pub struct List<'a> {
    support: &'a Support,
    shape: Panels,
    row_tiles: Range<usize>,
    panels: Range<usize>,
}

impl<T: Float> Operation<T> for List<'_> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        let Self {
            support,
            shape,
            row_tiles,
            panels,
        } = self;
        let Panels { rows, .. } = shape;
        let (row_tile, input_tile) = support.tiles;
        // SAFETY: who makes this operation promises that all are marked.
        let masks = unsafe { support.masks.read(0..shape.len() / LANES) };
        let tiles = even_parts(rows, row_tile).enumerate();
        for (tile, (row, height)) in tiles.take(row_tiles.end).skip(row_tiles.start) {
            // SAFETY: and that these lists are its own.
            let (places, end_of_list) = unsafe { support.row_tiles.write(tile) };
            let mut end = 0;
            for panel in 0..shape.panel_count() {
                let lines = &masks[panel * rows + row..][..height];
                let union = lines.iter().fold(0, |union, &mask| union | mask);
                // Padding may hold anything: no list names what is no column.
                let union = union & lanes(0, width(shape, panel));
                // SAFETY: features by the caller.
                end += unsafe { write_indices::<T, L>(places, end, union, panel * LANES) };
            }
            *end_of_list = end as u32;
        }
        for panel in panels {
            let (whole, rest) = masks[panel * rows..][..rows].as_chunks::<LANES>();
            let mut last = [0; LANES];
            last[..rest.len()].copy_from_slice(rest);
            let last = (!rest.is_empty()).then_some(&last);
            for (start, len) in even_parts(width(shape, panel), input_tile) {
                let list = support.input_tile_of[panel * LANES + start] as usize;
                // SAFETY: as above.
                let (places, end_of_list) = unsafe { support.input_tiles.write(list) };
                let lanes = lanes(start, len);
                let mut end = 0;
                for (group, masks) in whole.iter().chain(last).enumerate() {
                    // SAFETY: features by the caller.
                    end += unsafe {
                        let meeting = L::masks_meeting(masks, lanes);
                        write_indices::<T, L>(places, end, meeting, group * LANES)
                    };
                }
                *end_of_list = end as u32;
            }
        }
    }
}

/// Rows of the forward product's sparse tile and inputs of the weight
/// gradient's tile on a path, for blocks of so many rows.
fn tile_heights<T: Float>(isa: Isa, rows: usize) -> (usize, usize) {
    match isa {
        Isa::Portable => heights::<T, T::Portable>(rows),
        Isa::Scalar => heights::<T, T::Scalar>(rows),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => heights::<T, T::Avx2>(rows),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => heights::<T, T::Avx512>(rows),
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => unreachable!("only x86-64 offers this path"),
    }
}

const fn heights<T, L: Line<T>>(rows: usize) -> (usize, usize) {
    (sparse_rows::<T, L>(rows), sparse_inputs::<T, L>(rows))
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

    /// What is behind the last column is no input, whatever it holds.
    #[test]
    fn padding_is_in_no_list() {
        for isa in Isa::ALL.into_iter().filter_map(Available::new) {
            for cols in [1, 15, 17, 31, 37] {
                let shape = Panels::new(9, cols);
                let mut support = Support::new();
                support.scan_for(isa, shape, &vec![1.0_f32; shape.len()]);
                let all: Vec<u32> = (0..cols as u32).collect();
                assert_eq!(support.row_tile(0), all, "{} {cols}", isa.isa());
            }
        }
    }

    #[test]
    fn one_value_costs_its_tile_once() {
        let (row_tile, input_tile) = tile_heights::<f32>(Available::current().isa(), 23);
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
