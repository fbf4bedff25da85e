//! How many bits the weights of a page keep: as few as are not seen.
//!
//! Whether they are seen is not derived but tried: the weights are taken as the
//! page has them, a model is made of them, and it decodes and encodes beside the
//! one they came from.

use evaluation::subset::{Population, numbers, subset};
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

/// The largest difference of a loss, beside its own size and a nat for each
/// value: ln σ of a decoder is in nothing else that is decoded.
pub const LOSS_TOLERANCE: f64 = 5e-4;

/// The largest difference of an encoded latent variable that counts as none, in
/// standard deviations of the codes.
pub const ENCODED_TOLERANCE: f64 = 1e-3;

/// The largest difference of log σ² that counts as none: half of it is a share of σ.
pub const SCALE_TOLERANCE: f64 = 5e-3;

/// What is allowed for images unlike the data, such as drawings, beside that for
/// theirs.
const UNLIKE: f64 = 3.0;

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

/// What a plane shows on each side of the codes, as a share of where they are.
const MARGIN: f64 = 0.1;

/// How far from its mean the prior is shown.
const PRIOR_REACH: f64 = 4.0;

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
        // `of` gives the error that is stated, and whether that and all others
        // are within their tolerances.
        let fewest = |of: &dyn Fn(Levels) -> (f64, bool)| {
            let mut levels = Levels {
                top: FEWEST,
                by_row: compact,
            };
            let (mut error, mut is_unseen) = of(levels);
            while !is_unseen && levels.top < MOST && !compact {
                let finer = (f64::from(levels.top) * FINER).ceil();
                levels.top = (finer as u16).min(MOST);
                (error, is_unseen) = of(levels);
            }
            (levels, error)
        };
        let layers = Layers::of(self.model).weighing(
            self.images_to_encode(ROUNDED_BY).view(),
            self.codes_to_decode(ROUNDED_BY).view(),
        );
        let (codes, images) = (self.codes_to_decode(PROBES), self.images_to_encode(PROBES));
        let at = |part, levels| layers.at(part, levels).put_into(self.model);
        let of_codes = images.select(
            Axis(0),
            &Vec::from_iter((0..codes.nrows()).map(|code| code % images.nrows())),
        );
        let decoded = |model: &Model| {
            let losses = model.reconstruction_losses(codes.view(), &of_codes);
            (model.decode(codes.view()), losses)
        };
        let (exact, exact_losses) = decoded(self.model);
        let decoder = fewest(&|levels| {
            at(Part::Decoder, levels).map_or((f64::INFINITY, false), |model| {
                let (rows, losses) = decoded(&model);
                let error = self.brightness_difference(&exact, &rows);
                let of_losses = loss_difference(&exact_losses, &losses, exact.ncols());
                let is_unseen = error <= DECODED_TOLERANCE && of_losses <= LOSS_TOLERANCE;
                (error, is_unseen)
            })
        });
        let encoder = with_encoder.then(|| {
            let unlike = self.unlike(&images);
            let (exact, exact_of_unlike) = (self.model.encode(&images), self.model.encode(&unlike));
            fewest(&|levels| {
                at(Part::Encoder, levels).map_or((f64::INFINITY, false), |model| {
                    let found = model.encode(&images);
                    let error = self.code_difference(&exact.mean, &found.mean);
                    let of_unlike =
                        self.code_difference(&exact_of_unlike.mean, &model.encode(&unlike).mean);
                    let of_scale = scale_difference(&exact, &found);
                    let is_unseen = error <= ENCODED_TOLERANCE
                        && of_unlike <= UNLIKE * ENCODED_TOLERANCE
                        && of_scale <= SCALE_TOLERANCE;
                    (error, is_unseen)
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

    /// Half of them codes of images; the others such codes with two latent
    /// variables, each two in turn, put anywhere in what a plane of them shows.
    fn codes_to_decode(&self, count: usize) -> Array2<f32> {
        let mean = &self.codes.mean;
        let latent = mean.ncols();
        let of_images = mean.select(Axis(0), &some_rows(mean.nrows(), count / 2));
        let mut codes = mean.select(Axis(0), &some_rows(mean.nrows(), count - count / 2));
        let shown: Vec<[f64; 2]> = (0..latent).map(|l| self.shown(l)).collect();
        for (point, mut code) in codes.outer_iter_mut().enumerate() {
            for (axis, step) in [(point, 1), (point + 1 + point / latent, 2)] {
                let [low, high] = shown[axis % latent];
                // Steps by the fractional parts of multiples of irrational
                // numbers fill a box evenly (Weyl 1916); others for each count.
                let share = ((count + point) as f64 * f64::from(step + 1).sqrt()).fract();
                code[axis % latent] = (low + share * (high - low)) as f32;
            }
        }
        ndarray::concatenate![Axis(0), of_images, codes]
    }

    /// What a plane shows of a latent variable: where the codes are, with what is
    /// about them, and of a variational model where the prior is.
    fn shown(&self, l: usize) -> [f64; 2] {
        let column = self.codes.mean.column(l);
        let extreme = |of: fn(f32, f32) -> f32| column.iter().copied().reduce(of);
        let low = f64::from(extreme(f32::min).unwrap_or_default());
        let high = f64::from(extreme(f32::max).unwrap_or_default());
        let margin = MARGIN * (high - low);
        let (low, high) = (low - margin, high + margin);
        if self.model.spec().kind.is_variational() {
            [low.min(-PRIOR_REACH), high.max(PRIOR_REACH)]
        } else {
            [low, high]
        }
    }

    fn images_to_encode(&self, count: usize) -> Array2<f32> {
        let rows = some_rows(self.images.nrows(), count);
        let mut images = Array2::zeros((rows.len(), self.images.ncols()));
        for (mut values, row) in images.outer_iter_mut().zip(rows) {
            if let Some(values) = values.as_slice_mut() {
                self.images.read_row(row, values);
            }
        }
        images
    }

    /// Images that no data set is likely to have: a few of these ones with dark and
    /// light exchanged, and one that is light everywhere.
    fn unlike(&self, images: &Array2<f32>) -> Array2<f32> {
        const FEW: usize = 10;
        let low = images.iter().copied().fold(f32::INFINITY, f32::min);
        let high = images.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut unlike = images.select(Axis(0), &some_rows(images.nrows(), FEW));
        unlike.mapv_inplace(|value| low + high - value);
        unlike.row_mut(0).fill(high);
        unlike
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

/// The largest difference of log σ²; 0 of codes that are no distributions.
fn scale_difference(exact: &Codes, found: &Codes) -> f64 {
    match (&exact.log_variance, &found.log_variance) {
        (Some(exact), Some(found)) => largest(exact.view(), found.view(), |_| 1.0),
        _ => 0.0,
    }
}

/// The largest difference of losses of rows of so many values, as a share.
fn loss_difference(exact: &[f32], found: &[f32], values: usize) -> f64 {
    let pairs = exact.iter().zip(found);
    let differences = pairs.map(|(&exact, &found)| {
        let (exact, found) = (f64::from(exact), f64::from(found));
        (exact - found).abs() / (values as f64 + exact.abs())
    });
    differences.fold(0.0, f64::max)
}

/// The largest difference of two arrays, each column in its own unit.
fn largest(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, unit: impl Fn(usize) -> f64) -> f64 {
    let differences = a
        .indexed_iter()
        .zip(b)
        .map(|(((_, column), &a), &b)| (f64::from(a) - f64::from(b)).abs() * unit(column));
    differences.fold(0.0, f64::max)
}

/// At most `count` of the rows 0, …, n − 1 at random; others for each count where
/// there are enough.
fn some_rows(n: usize, count: usize) -> Vec<usize> {
    subset(Population::Rows(n), count, numbers(count as u64))
}
