//! Seeded draws for reference distributions and null hypotheses.

use ndarray::Array2;
use tensor_ops::random::{Stream, StreamRng, fill_normal};

/// Streams below this number belong to training and to sampling codes.
const FIRST_STREAM: u64 = 0x4556_0000;

/// The stream that numbers rows of which some are drawn.
pub(crate) const SUBSETS: u64 = 0x4556_5355 << 32;

/// Independent standard normal deviates [rows, columns] of one seed.
pub(crate) fn standard_normals(seed: u64, rows: usize, columns: usize) -> Array2<f32> {
    normals_of(Stream::new(seed, FIRST_STREAM), rows, columns)
}

/// As many others of the same seed for each `draw`; the first are
/// [`standard_normals`].
pub(crate) fn standard_normals_from(
    seed: u64,
    draw: usize,
    rows: usize,
    columns: usize,
) -> Array2<f32> {
    let first = draw as u64 * (rows * columns) as u64;
    from_position(Stream::new(seed, FIRST_STREAM), first, rows, columns)
}

/// Independent standard normal deviates [rows, columns] of a stream.
pub(crate) fn normals_of(stream: Stream, rows: usize, columns: usize) -> Array2<f32> {
    from_position(stream, 0, rows, columns)
}

fn from_position(stream: Stream, first: u64, rows: usize, columns: usize) -> Array2<f32> {
    let mut values = Array2::zeros((rows, columns));
    if let Some(slice) = values.as_slice_mut() {
        fill_normal(slice, stream, first);
    }
    values
}

/// Independent uniform deviates in [0, 1), [rows, columns], of one seed.
#[cfg(test)]
pub(crate) fn uniforms(seed: u64, rows: usize, columns: usize) -> Array2<f32> {
    let mut values = Array2::zeros((rows, columns));
    if let Some(slice) = values.as_slice_mut() {
        tensor_ops::random::fill_uniform(slice, Stream::new(seed, FIRST_STREAM + 1), 0);
    }
    values
}

/// Generator of permutations and shuffles, independent of the deviates above.
pub(crate) fn permutation_rng(seed: u64, which: u64) -> StreamRng {
    Stream::new(seed, FIRST_STREAM + 2 + which).rng(0)
}

#[cfg(test)]
mod tests {
    use ndarray::s;
    use rand::RngCore;

    use super::*;

    #[test]
    fn draws_follow_one_another_in_their_stream() {
        let all = standard_normals(8, 20, 4);
        for draw in [0, 1, 3] {
            let found = standard_normals_from(8, draw, 5, 4);
            assert_eq!(found, all.slice(s![5 * draw..5 * draw + 5, ..]));
        }
    }

    /// The very numbers, so that a number that is published can be measured again.
    #[test]
    fn draws_have_their_addresses() {
        let words = |mut rng: StreamRng| [rng.next_u32(), rng.next_u32()];
        let expected = Stream::new(9, 0x4556_0007).rng(0);
        assert_eq!(words(permutation_rng(9, 5)), words(expected));
        let normals = normals_of(Stream::new(9, 0x4556_0000), 3, 2);
        assert_eq!(standard_normals(9, 3, 2), normals);
    }
}
