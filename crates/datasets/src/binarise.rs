//! Grey images to binary ones.
//!
//! A grey value `x = byte / 255` is either compared with ½ or read as the
//! probability of ink, of which a Bernoulli(x) draw is made. The tutorial
//! setting trains on grey values; a Bernoulli likelihood is a true likelihood
//! only of binary data, and the literature differs in when the draw is made:
//! once for all, anew every epoch, or anew every time an image is used
//! (Salakhutdinov and Murray 2008; Burda et al. 2016 §5).
//!
//! A draw depends on `(seed, stream, image, pixel)` alone, never on the batch,
//! the order of the images or the thread: pixel `p` of image `i` compares the
//! `p`-th 32-bit word of a ChaCha8 key stream, keyed with the seed and the
//! stream and positioned at nonce `i`, with `x · 2³²`. The probability is
//! exact to 2⁻³².

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::dataset::Split;

/// A type that binary pixels are written as.
pub trait BinaryPixel: Copy {
    /// No ink.
    const OFF: Self;
    /// Ink.
    const ON: Self;
}

impl BinaryPixel for f32 {
    const OFF: Self = 0.0;
    const ON: Self = 1.0;
}

impl BinaryPixel for f64 {
    const OFF: Self = 0.0;
    const ON: Self = 1.0;
}

/// Zero and one, not 255.
impl BinaryPixel for u8 {
    const OFF: Self = 0;
    const ON: Self = 1;
}

/// When Bernoulli draws are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Redraw {
    /// One draw for all time: fixed binary images.
    Once,
    /// A new draw every epoch.
    PerEpoch,
    /// A new draw every time an image is used.
    PerDraw,
}

impl Redraw {
    /// The stream for use number `draw` (from 0) in epoch `epoch` (from 0) of
    /// the training; distinct for whatever must differ and equal for whatever
    /// must not.
    ///
    /// # Panics
    /// When an epoch is not below 2³² − 1.
    #[must_use]
    pub fn stream(self, epoch: u64, draw: u32) -> u64 {
        assert!(
            epoch < u64::from(u32::MAX),
            "Redraw::stream: epoch {epoch} is out of range"
        );
        match self {
            Self::Once => 0,
            Self::PerEpoch => (epoch + 1) << 32,
            Self::PerDraw => ((epoch + 1) << 32) | u64::from(draw),
        }
    }
}

/// Ink where `byte / 255 ≥ ½`, that is from 128 on.
///
/// # Panics
/// When the slices differ in length.
pub fn threshold<P: BinaryPixel>(pixels: &[u8], output: &mut [P]) {
    check("threshold", pixels.len(), output.len());
    for (target, &pixel) in output.iter_mut().zip(pixels) {
        *target = if pixel >= 128 { P::ON } else { P::OFF };
    }
}

/// Bernoulli(byte / 255) draws for the pixels of one image.
///
/// `image` is its index in the split, `stream` usually comes from
/// [`Redraw::stream`]. Image `i` of the training split and image `i` of the
/// test split share their random numbers unless the seeds differ.
///
/// # Panics
/// When the slices differ in length.
pub fn bernoulli<P: BinaryPixel>(
    pixels: &[u8],
    image: u64,
    seed: u64,
    stream: u64,
    output: &mut [P],
) {
    check("bernoulli", pixels.len(), output.len());
    draw(&keyed(seed, stream), pixels, image, output);
}

/// Bernoulli draws for a batch: row `r` of `output` gets the draw of the image
/// at `indices[r]`, the same as [`bernoulli`] gives it alone.
///
/// # Panics
/// When `output` has not `indices.len() × pixels` elements, or an index is
/// not below the number of images.
pub fn bernoulli_batch<P: BinaryPixel>(
    split: &Split,
    indices: &[usize],
    seed: u64,
    stream: u64,
    output: &mut [P],
) {
    check(
        "bernoulli_batch",
        indices.len() * split.pixels(),
        output.len(),
    );
    let generator = keyed(seed, stream);
    for (&index, target) in indices.iter().zip(output.chunks_exact_mut(split.pixels())) {
        draw(&generator, split.image(index), index as u64, target);
    }
}

/// A split with the same labels whose images are thresholded, 0 or 255.
#[must_use]
pub fn thresholded(split: &Split) -> Split {
    with_images(split, |pixels, _, output| threshold(pixels, output))
}

/// A split with the same labels whose images are one Bernoulli draw, 0 or
/// 255; with `stream` 0 it is the one of [`Redraw::Once`].
#[must_use]
pub fn drawn(split: &Split, seed: u64, stream: u64) -> Split {
    let generator = keyed(seed, stream);
    with_images(split, |pixels, image, output| {
        draw(&generator, pixels, image, output)
    })
}

fn with_images(split: &Split, convert: impl Fn(&[u8], u64, &mut [u8])) -> Split {
    let pixels = split.pixels();
    let mut images: Arc<[u8]> = std::iter::repeat_n(0u8, split.len() * pixels).collect();
    let target = Arc::get_mut(&mut images).expect("a new buffer has one owner");
    for (index, output) in target.chunks_exact_mut(pixels).enumerate() {
        convert(split.image(index), index as u64, output);
        output.iter_mut().for_each(|pixel| *pixel *= 255);
    }
    Split::new(
        images,
        split.labels().to_vec(),
        split.rows(),
        split.columns(),
    )
}

fn check(operation: &str, pixels: usize, output: usize) {
    assert_eq!(
        pixels, output,
        "binarise::{operation}: {pixels} pixels into {output} elements"
    );
}

fn keyed(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&stream.to_le_bytes());
    // Keeps these draws apart from other uses of the same generator and seed.
    key[16..].copy_from_slice(b"atlas/binarise/1");
    ChaCha8Rng::from_seed(key)
}

fn draw<P: BinaryPixel>(generator: &ChaCha8Rng, pixels: &[u8], image: u64, output: &mut [P]) {
    let mut generator = generator.clone();
    generator.set_word_pos(0);
    generator.set_stream(image);
    let mut words = [0u8; 4 * DRAWN_AT_ONCE];
    for (target, pixels) in output
        .chunks_mut(DRAWN_AT_ONCE)
        .zip(pixels.chunks(DRAWN_AT_ONCE))
    {
        let words = &mut words[..4 * pixels.len()];
        generator.fill_bytes(words);
        for ((target, &pixel), word) in target.iter_mut().zip(pixels).zip(words.chunks_exact(4)) {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            // byte·(2³² − 1)/255 is byte·2³²/255 rounded down, except for 255,
            // which is ink whatever the word.
            let ink = (word < u32::from(pixel) * 0x0101_0101) | (pixel == 255);
            *target = if ink { P::ON } else { P::OFF };
        }
    }
}

/// Words drawn in one call: whole blocks of the generator, so that cutting
/// the image into pieces does not change the words.
const DRAWN_AT_ONCE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glyphs;

    #[test]
    fn threshold_is_at_one_half() {
        let mut bytes = [9u8; 4];
        threshold(&[0, 127, 128, 255], &mut bytes);
        assert_eq!(bytes, [0, 0, 1, 1]);
        let mut floats = [9f32; 4];
        threshold(&[0, 127, 128, 255], &mut floats);
        assert_eq!(floats, [0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn draws_have_the_mean_and_variance_of_bernoulli() {
        let count = 200_000;
        for value in [0u8, 1, 26, 128, 200, 254, 255] {
            let pixels = vec![value; count];
            let mut output = vec![0f64; count];
            bernoulli(&pixels, 3, 11, 5, &mut output);
            let p = f64::from(value) / 255.0;
            let mean = output.iter().sum::<f64>() / count as f64;
            let variance = output.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
            let error = (p * (1.0 - p) / count as f64).sqrt();
            assert!(
                (mean - p).abs() <= 4.0 * error,
                "value {value}: mean {mean}, expected {p}"
            );
            let spread = (p * (1.0 - p) - variance).abs();
            assert!(
                spread <= 4.0 * error + 1e-5,
                "value {value}: variance {variance}"
            );
        }
    }

    #[test]
    fn draws_are_uncorrelated_across_pixels_images_streams_and_seeds() {
        let count = 100_000;
        let pixels = vec![127u8; count];
        let sample = |image, seed, stream| {
            let mut output = vec![0f64; count];
            bernoulli(&pixels, image, seed, stream, &mut output);
            output.iter().map(|x| 2.0 * x - 1.0).collect::<Vec<f64>>()
        };
        let base = sample(0, 1, 0);
        let others = [
            sample(1, 1, 0),
            sample(0, 2, 0),
            sample(0, 1, 1),
            sample(0, 1, 1 << 32),
        ];
        let correlation = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / a.len() as f64
        };
        let bound = 4.0 / (count as f64).sqrt();
        for other in &others {
            assert!(correlation(&base, other).abs() < bound);
        }
        for lag in [1, 2, 16, 784] {
            assert!(
                correlation(&base[lag..], &base[..count - lag]).abs() < bound,
                "lag {lag}"
            );
        }
    }

    #[test]
    fn a_draw_depends_on_seed_stream_image_and_pixel_alone() {
        let split = glyphs::split(0..20);
        let mut batch = vec![0f32; 3 * 784];
        bernoulli_batch(&split, &[7, 2, 7], 42, 9, &mut batch);
        for (row, image) in [7usize, 2, 7].into_iter().enumerate() {
            let mut alone = vec![0f32; 784];
            bernoulli(split.image(image), image as u64, 42, 9, &mut alone);
            assert_eq!(batch[row * 784..(row + 1) * 784], alone);
            // A pixel keeps its draw whatever stands around it.
            let mut head = vec![0f32; 400];
            bernoulli(&split.image(image)[..400], image as u64, 42, 9, &mut head);
            assert_eq!(alone[..400], head);
        }
        let whole = drawn(&split, 42, 9);
        let expected: Vec<u8> = batch[784..1568].iter().map(|&x| x as u8 * 255).collect();
        assert_eq!(whole.image(2), expected);
        assert_eq!(whole.labels(), split.labels());
        assert_ne!(drawn(&split, 42, 10), whole);
        assert_ne!(drawn(&split, 43, 9), whole);
        assert!(
            thresholded(&split)
                .shared_images()
                .iter()
                .all(|&pixel| pixel == 0 || pixel == 255)
        );
    }

    /// The draws are part of what a configuration and a seed promise.
    #[test]
    fn the_draws_are_the_agreed_ones() {
        let mut output = [0u8; 32];
        bernoulli(&[127; 32], 5, 7, 1 << 32, &mut output);
        let bits = output
            .iter()
            .fold(0u32, |bits, &bit| bits << 1 | u32::from(bit));
        assert_eq!(bits, 0xf2cd_12f9);
    }

    #[test]
    fn streams_differ_exactly_where_they_should() {
        let all = |redraw: Redraw| {
            let mut streams = Vec::new();
            for epoch in 0..3 {
                streams.extend((0..3).map(|draw| redraw.stream(epoch, draw)));
            }
            streams.sort_unstable();
            streams.dedup();
            streams.len()
        };
        assert_eq!(all(Redraw::Once), 1);
        assert_eq!(all(Redraw::PerEpoch), 3);
        assert_eq!(all(Redraw::PerDraw), 9);
        assert_ne!(Redraw::PerEpoch.stream(0, 0), Redraw::Once.stream(0, 0));
    }

    #[test]
    #[should_panic(expected = "binarise::threshold: 3 pixels into 2 elements")]
    fn lengths_must_agree() {
        threshold(&[1, 2, 3], &mut [0u8; 2]);
    }
}
