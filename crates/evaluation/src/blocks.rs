//! Rows in blocks: what is summed by blocks of a fixed size has the same bits
//! for any number of threads.

use std::ops::Range;

/// The blocks of `rows` rows, all of `size` but the last one.
pub(crate) fn blocks(rows: usize, size: usize) -> Vec<Range<usize>> {
    let starts = (0..rows).step_by(size);
    starts
        .map(|start| start..(start + size).min(rows))
        .collect()
}
