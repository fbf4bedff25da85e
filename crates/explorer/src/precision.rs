//! How many bits the weights of a page keep: as few as are not seen.
//!
//! Whether they are seen is not derived but tried: the weights are taken as the
//! page has them, a model is made of them, and it decodes and encodes beside the
//! one they came from.

use models::{Codes, Images, Model};
use ndarray::{Array2, ArrayView2, Axis};

use crate::layers::{Levels, Part, at_levels};

/// The largest level of the fewest bits, 8: what `--compact` keeps.
const FEWEST: u16 = i8::MAX as u16;

/// The largest level of the most bits, 16.
const MOST: u16 = i16::MAX as u16;

/// Levels are tried in steps of a fifth of a bit.
const FINER: f64 = 1.148_698_355;

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
    /// Bits of a weight of the decoder's large layers.
    pub decoder_bits: u32,
    /// Bits of a weight of the encoder's large layers; none of a page without one.
    pub encoder_bits: Option<u32>,
    /// The largest difference of a brightness that was seen.
    pub decoded_error: f64,
    /// The largest difference of a latent variable in use that was seen, in its
    /// standard deviations.
    pub encoded_error: Option<f64>,
}

/// The levels of both parts, and what they mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen {
    pub(crate) precision: Precision,
    pub(crate) decoder: Levels,
    /// None of a page without an encoder.
    pub(crate) encoder: Option<Levels>,
}

/// What the levels are chosen with.
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
    /// The fewest levels whose errors are within the tolerances, or those of
    /// `--compact` with their errors; where 16 bits are not enough, 16.
    pub(crate) fn choose(&self, compact: bool, with_encoder: bool) -> Chosen {
        let fewest = |tolerance: f64, error: &dyn Fn(Levels) -> f64| {
            let mut levels = Levels {
                top: FEWEST,
                by_row: compact,
            };
            let mut found = error(levels);
            while found > tolerance && levels.top < MOST && !compact {
                let finer = (f64::from(levels.top) * FINER).ceil();
                levels.top = (finer as u16).min(MOST);
                found = error(levels);
            }
            (levels, found)
        };
        let codes = self.codes_to_decode();
        let exact = self.model.decode(codes.view());
        let decoder = fewest(DECODED_TOLERANCE, &|levels| {
            at_levels(self.model, Part::Decoder, levels).map_or(f64::INFINITY, |model| {
                self.brightness_difference(&exact, &model.decode(codes.view()))
            })
        });
        let encoder = with_encoder.then(|| {
            let images = self.images_to_encode();
            let exact = self.model.encode(&images).mean;
            fewest(ENCODED_TOLERANCE, &|levels| {
                at_levels(self.model, Part::Encoder, levels).map_or(f64::INFINITY, |model| {
                    self.code_difference(&exact, &model.encode(&images).mean)
                })
            })
        });
        Chosen {
            precision: Precision {
                decoder_bits: decoder.0.bits(),
                encoder_bits: encoder.map(|(levels, _)| levels.bits()),
                decoded_error: decoder.1,
                encoded_error: encoder.map(|(_, error)| error),
            },
            decoder: decoder.0,
            encoder: encoder.map(|(levels, _)| levels),
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
