//! How many bits the weights of a page keep: as few as are not seen.
//!
//! Whether they are seen is not derived but tried: the weights are taken as the
//! page has them, a model is made of them, and it decodes and encodes beside the
//! one they came from.

use models::{Codes, Images, Model};
use ndarray::{Array2, ArrayView2, Axis};

use crate::layers::{Layers, Part};
use crate::rounding::Levels;

/// The largest level of the fewest bits, 8: what `--compact` keeps.
const FEWEST: u16 = i8::MAX as u16;

/// The largest level of the most bits, 16.
const MOST: u16 = i16::MAX as u16;

/// Levels are tried in steps of a quarter of a bit.
const FINER: f64 = 1.189_207_115;

/// The largest difference of a decoded brightness that counts as none: a
/// quarter of what a byte of a picture can tell apart.
pub const DECODED_TOLERANCE: f64 = 1e-3;

/// The same of an encoded latent variable, in standard deviations of the codes.
pub const ENCODED_TOLERANCE: f64 = 1e-3;

/// Codes that are decoded, and images that are encoded, to see the errors.
const PROBES: usize = 200;

/// Others that weights are rounded by.
const ROUNDED_BY: usize = 2000;

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

/// The layers as they are kept, and how exactly.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) layers: Layers,
    pub(crate) precision: Precision,
    /// Levels of the decoder.
    pub(crate) decoder: Levels,
    /// Those of the encoder; none of a page without an encoder.
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
        let layers = Layers::of(self.model).weighing(
            self.images_to_encode(ROUNDED_BY).view(),
            self.codes_to_decode(ROUNDED_BY).view(),
        );
        let (codes, images) = (self.codes_to_decode(PROBES), self.images_to_encode(PROBES));
        let at = |part, levels| layers.at(part, levels).put_into(self.model);
        let exact = self.model.decode(codes.view());
        let decoder = fewest(DECODED_TOLERANCE, &|levels| {
            at(Part::Decoder, levels).map_or(f64::INFINITY, |model| {
                self.brightness_difference(&exact, &model.decode(codes.view()))
            })
        });
        let encoder = with_encoder.then(|| {
            let exact = self.model.encode(&images).mean;
            fewest(ENCODED_TOLERANCE, &|levels| {
                at(Part::Encoder, levels).map_or(f64::INFINITY, |model| {
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
            layers,
            decoder: decoder.0,
            encoder: encoder.map(|(levels, _)| levels),
        }
    }

    /// Half of them codes of images, half spread over their box.
    fn codes_to_decode(&self, count: usize) -> Array2<f32> {
        let mean = &self.codes.mean;
        let mut codes = mean.select(Axis(0), &spread(mean.nrows(), count / 2));
        // Other points for each count.
        let points = count..count + count / 2;
        for point in points {
            let row = mean.columns().into_iter().enumerate().map(|(l, column)| {
                let low = column.fold(f32::INFINITY, |low, &code| low.min(code));
                let high = column.fold(f32::NEG_INFINITY, |high, &code| high.max(code));
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

    fn images_to_encode(&self, count: usize) -> Array2<f32> {
        let rows = spread(self.images.nrows(), count);
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

/// At most `count` of the rows 0, …, n − 1, evenly spread; others for each count
/// where there are enough.
fn spread(n: usize, count: usize) -> Vec<usize> {
    let count = count.min(n);
    let middle = |row: usize| (2 * row + 1) * n / (2 * count);
    (0..count).map(middle).collect()
}
