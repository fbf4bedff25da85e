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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_one_another_to_the_last_row() {
        assert_eq!(blocks(10, 4), [0..4, 4..8, 8..10]);
        assert_eq!(blocks(8, 4), [0..4, 4..8]);
        assert_eq!(blocks(3, 4), std::slice::from_ref(&(0..3)));
        assert!(blocks(0, 4).is_empty());
    }
}
