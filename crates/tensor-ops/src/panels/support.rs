//! Where a panel matrix is not zero.

use super::{LANES, Panels};
use crate::Float;

/// The nonzero positions of a block of rows in panel layout, found once and
/// used by every product over that block.
///
/// A product may leave out the terms whose factor is zero: fma(0, w, a) = a
/// for finite w, so the result keeps its bits. Grey digits are four fifths
/// zero, which makes this worth a scan.
#[derive(Clone, Debug, Default)]
pub struct Support {
    shape: Option<Panels>,
    lines: Vec<u16>,
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
        assert!(
            x.len() == shape.len(),
            "Support::scan: {} elements for {shape:?}",
            x.len()
        );
        self.shape = Some(shape);
        self.lines.clear();
        self.lines.extend(x.chunks_exact(LANES).map(|line| {
            line.iter().enumerate().fold(0, |mask, (lane, &value)| {
                mask | (u16::from(value != T::ZERO) << lane)
            })
        }));
    }

    /// The scanned shape, `None` before the first scan.
    pub fn shape(&self) -> Option<Panels> {
        self.shape
    }

    /// Nonzero elements.
    pub fn count(&self) -> usize {
        self.lines
            .iter()
            .map(|mask| mask.count_ones() as usize)
            .sum()
    }
}
