//! How many bits the weights of a page keep: as few as are not seen.
//!
//! Whether they are seen is not derived but tried: the weights are taken as the
//! page has them, a model is made of them, and it decodes and encodes beside the
//! one they came from.

use models::{Codes, Images, Model};
use ndarray::{Array2, ArrayView2, Axis};

use crate::layers::{Part, with_bits};

/// Bits of `--compact`, the fewest there are.
pub const FEWEST_BITS: u32 = 8;

/// The most bits there are.
pub const MOST_BITS: u32 = 16;

/// The largest difference of a decoded brightness that counts as none: a
/// quarter of what a byte of a picture can tell apart.
pub const DECODED_TOLERANCE: f64 = 1e-3;

/// The same of an encoded latent variable, in standard deviations of the codes.
pub const ENCODED_TOLERANCE: f64 = 1e-3;

/// Codes that are decoded, and images that are encoded.
const PROBES: usize = 200;

/// How exactly a page computes what the model does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// Bits of a weight of the decoder.
    pub decoder_bits: u32,
    /// Bits of a weight of the encoder; none of a page without one.
    pub encoder_bits: Option<u32>,
    /// The largest difference of a brightness that was seen.
    pub decoded_error: f64,
    /// The largest difference of a latent variable in use that was seen, in its
    /// standard deviations.
    pub encoded_error: Option<f64>,
}

/// What the bits are chosen with.
#[derive(Clone, Debug)]
pub(crate) struct Probes<'a, 'i> {
    pub(crate) model: &'a Model,
    pub(crate) images: Images<'i>,
    pub(crate) codes: &'a Codes,
    /// The values of the data that are black and white.
    pub(crate) range: [f32; 2],
    /// Standard deviation of each latent variable; 0 of one that is not in use.
    pub(crate) deviations: Vec<f64>,
}

impl Probes<'_, '_> {
    /// The fewest bits whose errors are within the tolerances, or those of
    /// `--compact` with their errors; where 16 bits are not enough, 16.
    pub(crate) fn precision(&self, compact: bool, with_encoder: bool) -> Precision {
        let most = if compact { FEWEST_BITS } else { MOST_BITS };
        let fewest = |tolerance: f64, error: &dyn Fn(u32) -> f64| {
            let mut bits = FEWEST_BITS;
            let mut found = error(bits);
            while found > tolerance && bits < most {
                bits += 1;
                found = error(bits);
            }
            (bits, found)
        };
        let codes = self.codes_to_decode();
        let exact = self.model.decode(codes.view());
        let (decoder_bits, decoded_error) = fewest(DECODED_TOLERANCE, &|bits| {
            with_bits(self.model, Part::Decoder, bits).map_or(f64::INFINITY, |model| {
                self.brightness_difference(&exact, &model.decode(codes.view()))
            })
        });
        let encoder = with_encoder.then(|| {
            let images = self.images_to_encode();
            let exact = self.model.encode(&images).mean;
            fewest(ENCODED_TOLERANCE, &|bits| {
                with_bits(self.model, Part::Encoder, bits).map_or(f64::INFINITY, |model| {
                    self.code_difference(&exact, &model.encode(&images).mean)
                })
            })
        });
        Precision {
            decoder_bits,
            encoder_bits: encoder.map(|(bits, _)| bits),
            decoded_error,
            encoded_error: encoder.map(|(_, error)| error),
        }
    }

    /// Half of them codes of images, half spread over their box.
    fn codes_to_decode(&self) -> Array2<f32> {
        let mean = &self.codes.mean;
        let of_images = spread(mean.nrows(), PROBES / 2);
        let mut codes = mean.select(Axis(0), &of_images);
        for point in 1..=PROBES - PROBES / 2 {
            let row = mean.columns().into_iter().enumerate().map(|(l, column)| {
                let low = column.iter().copied().fold(f32::INFINITY, f32::min);
                let high = column.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                // Steps by the fractional parts of multiples of irrational
                // numbers fill a box evenly (Weyl 1916).
                let share = (point as f64 * (l as f64 + 2.0).sqrt() * 0.618_033_988_75).fract();
                low + share as f32 * (high - low)
            });
            let row: Vec<f32> = row.collect();
            // As many columns as the codes have.
            let _ = codes.push_row(row[..].into());
        }
        codes
    }

    fn images_to_encode(&self) -> Array2<f32> {
        let rows = spread(self.images.nrows(), PROBES);
        let mut images = Array2::zeros((rows.len(), self.images.ncols()));
        for (mut values, row) in images.outer_iter_mut().zip(rows) {
            if let Some(values) = values.as_slice_mut() {
                self.images.read_row(row, values);
            }
        }
        images
    }

    /// The largest difference of brightness between decoded rows: brightness is
    /// affine in the values that networks see.
    fn brightness_difference(&self, exact: &Array2<f32>, found: &Array2<f32>) -> f64 {
        let length = f64::from(self.range[1]) - f64::from(self.range[0]);
        let deviations = self.model.standardisation().map(|s| s.deviation());
        largest(exact.view(), found.view(), |value| {
            let deviation = deviations.map_or(1.0, |deviations| f64::from(deviations[value]));
            deviation / length
        })
    }

    fn code_difference(&self, exact: &Array2<f32>, found: &Array2<f32>) -> f64 {
        largest(exact.view(), found.view(), |l| {
            let deviation = self.deviations[l];
            if deviation > 0.0 {
                1.0 / deviation
            } else {
                0.0
            }
        })
    }
}

/// The largest difference of two arrays, each column in its own unit.
fn largest(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, unit: impl Fn(usize) -> f64) -> f64 {
    let differences = a
        .indexed_iter()
        .zip(b)
        .map(|(((_, column), &a), &b)| (f64::from(a) - f64::from(b)).abs() * unit(column));
    differences.fold(0.0, f64::max)
}

/// At most `count` of the rows 0, …, n − 1, evenly spread.
fn spread(n: usize, count: usize) -> Vec<usize> {
    let count = count.min(n);
    (0..count).map(|row| row * n / count).collect()
}
