//! The independent random streams of a run.
//!
//! Every number drawn is addressed by (seed, purpose, index, position) in a
//! counter-based generator, never taken from shared state: streams do not
//! disturb each other, any thread may draw any part, and resuming needs no
//! more than the counters of the training loop.

use tensor_ops::random::Stream;

/// What a stream's numbers are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Initial weights; the index is the tensor's.
    Initialisation,
    /// The order of the images; the index is the epoch.
    Shuffling,
    /// ε of z = μ + σ·ε during training; index 0, and the deviates of image i
    /// of step s begin at position (s·batch + i)·samples·w, where w is the
    /// width of a code: `latent`, or both layers' of two.
    Noise,
    /// Codes and images drawn after training; the index is the caller's.
    Sampling,
    /// Bernoulli draws of training images; index 0 is the draw for all time,
    /// e + 1 or s + 1 that of epoch e or step s.
    Binarisation,
    /// The Bernoulli draw of the images a model is evaluated on; index 0.
    EvaluationBinarisation,
    /// Which values of a corrupted input are lost; index 0, and the uniform
    /// deviates of image i of step s begin at (s·batch + i)·inputs.
    Corruption,
}

/// The stream of a purpose under a run's seed. Indices below 2⁴⁸ give
/// distinct streams.
///
/// ```
/// use models::streams::{Purpose, stream};
///
/// assert_ne!(stream(1, Purpose::Shuffling, 0), stream(1, Purpose::Noise, 0));
/// assert_ne!(stream(1, Purpose::Shuffling, 0), stream(1, Purpose::Shuffling, 1));
/// ```
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> Stream {
    let purpose: u64 = match purpose {
        Purpose::Initialisation => 1,
        Purpose::Shuffling => 2,
        Purpose::Noise => 3,
        Purpose::Sampling => 4,
        Purpose::Binarisation => 5,
        Purpose::EvaluationBinarisation => 6,
        Purpose::Corruption => 7,
    };
    Stream::new(seed, (purpose << 48) | (index & ((1 << 48) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the purposes are part of the format of results.
    #[test]
    fn a_stream_has_its_purpose_above_the_48_bits_of_its_index() {
        for (purpose, number) in [
            (Purpose::Initialisation, 0x0001_0000_0000_0000),
            (Purpose::Shuffling, 0x0002_0000_0000_0000),
            (Purpose::Noise, 0x0003_0000_0000_0000),
            (Purpose::Sampling, 0x0004_0000_0000_0000),
            (Purpose::Binarisation, 0x0005_0000_0000_0000),
            (Purpose::EvaluationBinarisation, 0x0006_0000_0000_0000),
            (Purpose::Corruption, 0x0007_0000_0000_0000_u64),
        ] {
            for index in [0, 1, 6, 0xffff_ffff_ffff] {
                let expected = Stream::new(9, number + index);
                assert_eq!(stream(9, purpose, index), expected, "{purpose:?}");
                // No index reaches into the purpose.
                let beyond = (1 << 48) + index;
                assert_eq!(stream(9, purpose, beyond), expected, "{purpose:?}");
            }
        }
    }
}
