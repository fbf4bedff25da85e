//! Counter-based random numbers.
//!
//! Value i of a stream depends on (seed, stream, i) alone: no state is shared,
//! any part can be drawn by any thread at any time, and a resumed run needs
//! to remember nothing but a position.

use rand::{RngCore, SeedableRng};

use crate::Float;
use crate::isa::Available;

pub(crate) mod deviates;
mod philox;

use deviates::{Normal, Uniform};

pub use philox::philox4x32_10;

/// An infinite sequence of 32-bit words named by a seed and a stream number.
///
/// ```
/// use tensor_ops::random::{Stream, fill_normal};
///
/// let noise = Stream::new(7, 2);
/// let (mut whole, mut part) = ([0.0_f32; 10], [0.0_f32; 4]);
/// fill_normal(&mut whole, noise, 0);
/// fill_normal(&mut part, noise, 3);
/// assert_eq!(part, whole[3..7]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    seed: u64,
    stream: u64,
}

impl Stream {
    /// Stream `stream` of `seed`; different pairs give independent sequences.
    pub const fn new(seed: u64, stream: u64) -> Self {
        Self { seed, stream }
    }

    /// Words `4 index .. 4 index + 4` of the sequence.
    #[inline(always)]
    pub fn block(self, index: u64) -> [u32; 4] {
        let (counter, key) = self.counter_and_key(index);
        philox4x32_10(counter, key)
    }

    #[inline(always)]
    fn counter_and_key(self, index: u64) -> ([u32; 4], [u32; 2]) {
        (
            [
                index as u32,
                (index >> 32) as u32,
                self.stream as u32,
                (self.stream >> 32) as u32,
            ],
            [self.seed as u32, (self.seed >> 32) as u32],
        )
    }

    /// Word `index` of the sequence.
    pub fn word(self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// A generator that reads the sequence from word `position` on.
    pub fn rng(self, position: u64) -> StreamRng {
        StreamRng {
            stream: self,
            position,
        }
    }
}

/// A [`Stream`] with a position, usable with `rand` and `rand_distr`.
///
/// ```
/// use rand::Rng;
/// use tensor_ops::random::Stream;
///
/// let mut rng = Stream::new(1, 0).rng(0);
/// let x: f64 = rng.random();
/// assert!((0.0..1.0).contains(&x));
/// assert_eq!(rng.position(), 2); // an f64 takes two words
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRng {
    stream: Stream,
    position: u64,
}

impl StreamRng {
    /// The next word's index: all that must be kept to continue later.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl RngCore for StreamRng {
    fn next_u32(&mut self) -> u32 {
        let word = self.stream.word(self.position);
        self.position += 1;
        word
    }

    fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        low | (u64::from(self.next_u32()) << 32)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(4) {
            chunk.copy_from_slice(&self.next_u32().to_le_bytes()[..chunk.len()]);
        }
    }
}

impl SeedableRng for StreamRng {
    /// The seed and the stream number, little-endian.
    type Seed = [u8; 16];

    fn from_seed(seed: Self::Seed) -> Self {
        let words = u128::from_le_bytes(seed);
        Stream::new(words as u64, (words >> 64) as u64).rng(0)
    }
}

/// Fills `out` with values `offset ..` of the stream's uniform deviates on \[0, 1).
///
/// Value i is made of word i: its upper 24 bits in f32, all 32 in f64.
pub fn fill_uniform<T: Float>(out: &mut [T], stream: Stream, offset: u64) {
    T::uniform(
        Available::current(),
        Uniform {
            out,
            stream,
            offset,
        },
    );
}

/// Fills `out` with values `offset ..` of the stream's standard normal deviates.
///
/// Box & Muller (1958) on pairs of words: values 2j and 2j + 1 are
/// r·cos θ and r·sin θ with r = √(−2 ln u₁), u₁ = (w₂ⱼ + ½)·2⁻³² and
/// θ = 2π·w₂ⱼ₊₁·2⁻³². |z| ≤ 6.77. The f32 and f64 deviates of one index are
/// the same number up to rounding: u is rounded to f32, which moves r² by 2⁻²⁴
/// at most.
pub fn fill_normal<T: Float>(out: &mut [T], stream: Stream, offset: u64) {
    T::normal(
        Available::current(),
        Normal {
            out,
            stream,
            offset,
        },
    );
}

#[cfg(test)]
mod tests;
