//! Kernels of [`super::fill_uniform`] and [`super::fill_normal`].

use super::{Stream, philox4x32_10};
use crate::Float;
use crate::simd::{Line, Operation};

/// Uniform deviates on \[0, 1).
pub struct Uniform<'a, T> {
    pub out: &'a mut [T],
    pub stream: Stream,
    pub offset: u64,
}

/// Standard normal deviates.
pub struct Normal<'a, T> {
    pub out: &'a mut [T],
    pub stream: Stream,
    pub offset: u64,
}

/// Philox blocks computed side by side, one per vector lane.
const BLOCKS: usize = 16;
const GROUP: usize = 4 * BLOCKS;

impl<T: Float> Operation<T> for Uniform<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        fill(self.out, self.offset, |group, values| {
            let words = group_words(self.stream, group);
            for block in 0..BLOCKS {
                for (i, words) in words.iter().enumerate() {
                    values[4 * block + i] = uniform(words[block]);
                }
            }
        });
    }
}

impl<T: Float> Operation<T> for Normal<'_, T> {
    type Result = ();

    #[inline(always)]
    unsafe fn run<L: Line<T>>(self) {
        fill(self.out, self.offset, |group, values| {
            let words = group_words(self.stream, group);
            let mut deviates = [[T::ZERO; BLOCKS]; 4];
            for pair in [0, 2] {
                for block in 0..BLOCKS {
                    let (a, b) =
                        T::fast_normal_pair::<L>(words[pair][block], words[pair + 1][block]);
                    deviates[pair][block] = a;
                    deviates[pair + 1][block] = b;
                }
            }
            for block in 0..BLOCKS {
                for (i, deviates) in deviates.iter().enumerate() {
                    values[4 * block + i] = deviates[block];
                }
            }
        });
    }
}

/// Fills `out` with the values from index `offset` on, made in whole groups.
#[inline(always)]
fn fill<T: Float>(out: &mut [T], offset: u64, mut make: impl FnMut(u64, &mut [T; GROUP])) {
    let mut values = [T::ZERO; GROUP];
    let mut group = offset / GROUP as u64;
    let mut skip = (offset % GROUP as u64) as usize;
    let mut rest = out;
    while !rest.is_empty() {
        make(group, &mut values);
        let count = rest.len().min(GROUP - skip);
        let (filled, next) = rest.split_at_mut(count);
        filled.copy_from_slice(&values[skip..skip + count]);
        rest = next;
        skip = 0;
        group += 1;
    }
}

/// Word i of block b of the group is `[i][b]`.
#[inline(always)]
pub(crate) fn group_words(stream: Stream, group: u64) -> [[u32; BLOCKS]; 4] {
    let mut words = [[0; BLOCKS]; 4];
    let first = group * BLOCKS as u64;
    for block in 0..BLOCKS {
        let index = first + block as u64;
        let (counter, key) = stream.counter_and_key(index);
        let four = philox4x32_10(counter, key);
        for (words, word) in words.iter_mut().zip(four) {
            words[block] = word;
        }
    }
    words
}

#[inline(always)]
fn uniform<T: Float>(word: u32) -> T {
    if size_of::<T>() == 4 {
        T::from_f32((word >> 8) as f32 * (1.0 / 16_777_216.0))
    } else {
        T::from_f64(f64::from(word) * (1.0 / 4_294_967_296.0))
    }
}
