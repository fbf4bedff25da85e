//! What is done to grey pixels before the likelihood sees them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tensor_ops::binarise;

use crate::images::PixelRows;
use crate::images::binary_images::BinaryImages;
use crate::named::named;
use crate::training::batch::BatchPixels;
use crate::training::configuration::ConfigurationError;
use crate::training::streams::{Purpose, stream};

/// What is done to pixels before the likelihood sees them.
///
/// A Bernoulli likelihood is a likelihood only of binary data; the treatments
/// in use differ by up to 20 nats, so that a number without its treatment says
/// nothing. Binarised means a Bernoulli(byte / 255) draw per pixel
/// (Salakhutdinov & Murray 2008), which depends on seed, use, image and pixel
/// alone; see [`tensor_ops::binarise`].
///
/// An epoch uses every image once, so the draws per minibatch and per epoch
/// follow the same law; they are kept apart because the literature names both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataTreatment {
    /// Grey values byte / 255 as targets: the tutorial setting, which makes
    /// the Bernoulli term a loss and no likelihood.
    #[default]
    Grey,
    /// A new draw every time a minibatch is made (Burda et al. 2016, §5).
    BinarisedPerMinibatch,
    /// A new draw of all images every epoch.
    BinarisedPerEpoch,
    /// One draw for all time: fixed binary images.
    BinarisedOnce,
    /// Ink where byte / 255 ≥ ½.
    Threshold,
}

named! {
    DataTreatment, ConfigurationError, ConfigurationError::DataTreatment,
    Grey => "grey",
    BinarisedPerMinibatch => "binarised-per-minibatch",
    BinarisedPerEpoch => "binarised-per-epoch",
    BinarisedOnce => "binarised-once",
    Threshold => "threshold",
}

impl DataTreatment {
    /// Whether the pixels are 0 or 1 after it.
    pub fn is_binary(self) -> bool {
        self != DataTreatment::Grey
    }

    /// What [`evaluation_images`](Self::evaluation_images) does to them: every
    /// treatment that draws draws once.
    #[must_use]
    pub fn of_evaluation(self) -> Self {
        match self {
            DataTreatment::Grey | DataTreatment::Threshold => self,
            _ => DataTreatment::BinarisedOnce,
        }
    }

    /// The images to evaluate a model of this treatment on, as bytes: `images`
    /// themselves if grey, thresholded, or, for all treatments that draw, one
    /// draw fixed by `seed`. `images` are rows of `pixels` bytes from the first
    /// image of a split on.
    ///
    /// # Panics
    /// If `images` is no whole number of rows.
    pub fn evaluation_images(self, images: &[u8], pixels: usize, seed: u64) -> Cow<'_, [u8]> {
        self.evaluation_rows(0, images, pixels, seed)
    }

    /// [`evaluation_images`](Self::evaluation_images) of the rows of a split
    /// from image `first` on.
    ///
    /// # Panics
    /// As [`evaluation_images`](Self::evaluation_images).
    pub fn evaluation_rows(
        self,
        first: usize,
        images: &[u8],
        pixels: usize,
        seed: u64,
    ) -> Cow<'_, [u8]> {
        match self {
            DataTreatment::Grey => Cow::Borrowed(images),
            DataTreatment::Threshold => {
                let mut output = vec![0; images.len()];
                binarise::threshold(images, &mut output);
                Cow::Owned(output)
            }
            _ => {
                let stream = stream(seed, Purpose::EvaluationBinarisation, 0);
                let mut output = vec![0; images.len()];
                binarise::draw_from(first, images, pixels, stream, &mut output);
                Cow::Owned(output)
            }
        }
    }

    /// [`evaluation_images`](Self::evaluation_images) of images stored as
    /// values: those themselves if grey, or 1 where a value is at least ½ and 0
    /// elsewhere.
    ///
    /// # Errors
    /// A treatment that draws, which is defined of bytes alone.
    pub fn evaluation_values(self, values: &[f32]) -> Result<Cow<'_, [f32]>, ConfigurationError> {
        self.require_values()?;
        Ok(match self {
            DataTreatment::Threshold => Cow::Owned(values.iter().map(thresholded_value).collect()),
            _ => Cow::Borrowed(values),
        })
    }

    /// Refuses treatments that images stored as values cannot have.
    pub(crate) fn require_values(self) -> Result<(), ConfigurationError> {
        match self {
            DataTreatment::Grey | DataTreatment::Threshold => Ok(()),
            _ => Err(ConfigurationError::TreatmentOfValues(self)),
        }
    }

    /// The draw of all training images that a treatment of one draw trains on, an
    /// eighth of their bytes; made on the threads of the current pool. Nothing for
    /// other treatments: their pixels are treated when they are packed.
    pub(crate) fn fixed_draw(
        self,
        stored: PixelRows<'_>,
        pixels: usize,
        seed: u64,
    ) -> Option<BinaryImages> {
        match (self, stored) {
            (DataTreatment::BinarisedOnce, PixelRows::Bytes(bytes)) => {
                let stream = stream(seed, Purpose::Binarisation, 0);
                Some(BinaryImages::drawn(bytes, pixels, stream))
            }
            _ => None,
        }
    }

    /// Bytes of [`fixed_draw`](Self::fixed_draw).
    pub(crate) fn bytes_of_fixed_draw(self, images: usize, pixels: usize) -> u64 {
        match self {
            DataTreatment::BinarisedOnce => BinaryImages::bytes(images, pixels),
            _ => 0,
        }
    }

    /// What a step sees of the stored pixels of a training set that has no
    /// [`fixed_draw`](Self::fixed_draw); `epoch` and `step` count from 0. Values
    /// are never drawn, which [`require_values`](Self::require_values) has refused.
    pub(crate) fn batch_pixels(
        self,
        stored: PixelRows<'_>,
        seed: u64,
        epoch: u64,
        step: u64,
    ) -> BatchPixels<'_> {
        let draw = match self {
            DataTreatment::BinarisedPerMinibatch => step,
            DataTreatment::BinarisedPerEpoch => epoch,
            DataTreatment::Threshold => return BatchPixels::Thresholded(stored),
            DataTreatment::Grey | DataTreatment::BinarisedOnce => {
                return BatchPixels::AsStored(stored);
            }
        };
        match stored {
            PixelRows::Bytes(bytes) => {
                BatchPixels::Drawn(bytes, stream(seed, Purpose::Binarisation, draw + 1))
            }
            PixelRows::Values(_) => BatchPixels::AsStored(stored),
        }
    }
}

/// 1 where a value is at least ½ and 0 elsewhere: of b / 255 what
/// [`binarise::threshold`] makes of the byte b.
pub(crate) fn thresholded_value(value: &f32) -> f32 {
    if *value >= 0.5 { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use tensor_ops::panels::Panels;

    use super::*;
    use crate::training::batch::{BatchSource, IndexedBatch};

    /// All rows as a step packs them, row-major.
    fn packed(
        treatment: DataTreatment,
        stored: PixelRows<'_>,
        pixels: usize,
        [seed, epoch, step]: [u64; 3],
    ) -> Vec<f32> {
        let indices: Vec<u32> = (0..(stored.len() / pixels) as u32).collect();
        let fixed = treatment.fixed_draw(stored, pixels, seed);
        let stored_pixels = treatment.batch_pixels(stored, seed, epoch, step);
        let batch = IndexedBatch {
            pixels: fixed.as_ref().map_or(stored_pixels, BatchPixels::Binary),
            indices: &indices,
            noise: stream(0, Purpose::Noise, 0),
            noise_offset: 0,
            corruption: (stream(0, Purpose::Corruption, 0), 0),
        };
        let shape = Panels::new(indices.len(), pixels);
        let mut panels = vec![f32::NAN; shape.len()];
        batch.pack_pixels(0..indices.len(), shape, 0..shape.panel_count(), &mut panels);
        let mut dense = vec![f32::NAN; stored.len()];
        shape.unpack_row_major(&panels, &mut dense);
        // What lies beyond a row is multiplied as well.
        let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();
        assert_eq!(sum(&panels), sum(&dense));
        dense
    }

    fn unit(bytes: &[u8]) -> Vec<f32> {
        bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
    }

    #[test]
    fn names_are_those_of_files() {
        for treatment in DataTreatment::ALL {
            assert_eq!(treatment.name().parse(), Ok(treatment));
            let json = serde_json::to_string(&treatment).unwrap();
            assert_eq!(json, format!("{:?}", treatment.name()));
            let evaluated = treatment.of_evaluation();
            assert_eq!(evaluated.is_binary(), treatment.is_binary());
            assert_eq!(evaluated.of_evaluation(), evaluated);
        }
        let message = "gray".parse::<DataTreatment>().unwrap_err().to_string();
        assert!(message.starts_with("the data treatment is \"gray\"; expected grey,"));
    }

    #[test]
    fn draws_are_renewed_when_the_name_says_so() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * 1024).collect();
        let draw = |treatment, epoch, step| {
            packed(treatment, PixelRows::Bytes(&bytes), 48, [1, epoch, step])
        };
        let minibatch = DataTreatment::BinarisedPerMinibatch;
        assert_ne!(draw(minibatch, 0, 0), draw(minibatch, 0, 1));
        let epoch = DataTreatment::BinarisedPerEpoch;
        assert_eq!(draw(epoch, 0, 0), draw(epoch, 0, 1));
        assert_ne!(draw(epoch, 0, 1), draw(epoch, 1, 1));
        let once = DataTreatment::BinarisedOnce;
        assert_eq!(draw(once, 0, 0), draw(once, 3, 7));
        for renewed in [minibatch, epoch] {
            assert_ne!(draw(once, 0, 0), draw(renewed, 0, 0));
        }
    }

    /// Before, a copy of all images was made and trained on; the bits of
    /// training are still those of that copy.
    #[test]
    fn fixed_treatments_pack_what_a_copy_of_all_images_would_hold() {
        for pixels in [1, 15, 16, 17, 64, 65, 784] {
            let bytes: Vec<u8> = (0..23 * pixels).map(|at| (at * 37 % 256) as u8).collect();
            let values = unit(&bytes);
            let mut copy = vec![9; bytes.len()];
            binarise::threshold(&bytes, &mut copy);
            for stored in [PixelRows::Bytes(&bytes), PixelRows::Values(&values)] {
                let found = packed(DataTreatment::Threshold, stored, pixels, [3, 0, 0]);
                assert_eq!(found, unit(&copy), "{pixels} pixels");
            }
            let draw = stream(3, Purpose::Binarisation, 0);
            binarise::draw(&bytes, pixels, draw, &mut copy);
            let once = DataTreatment::BinarisedOnce;
            let found = packed(once, PixelRows::Bytes(&bytes), pixels, [3, 4, 5]);
            assert_eq!(found, unit(&copy), "{pixels} pixels");
        }
    }

    #[test]
    fn evaluation_images_are_fixed_by_their_seed() {
        let images: Vec<u8> = (0..=255).collect();
        let of = |treatment: DataTreatment, seed| {
            treatment.evaluation_images(&images, 64, seed).into_owned()
        };
        assert_eq!(of(DataTreatment::Grey, 1), images);
        let once = of(DataTreatment::BinarisedOnce, 1);
        assert_eq!(once, of(DataTreatment::BinarisedPerMinibatch, 1));
        assert_ne!(once, of(DataTreatment::BinarisedOnce, 2));
        assert!(once.iter().all(|&byte| byte == 0 || byte == 255));
        // Training draws are others than those of evaluation.
        let stored = PixelRows::Bytes(&images);
        let training = packed(DataTreatment::BinarisedOnce, stored, 64, [1, 0, 0]);
        assert_ne!(training, unit(&once));
        assert!(training.iter().all(|&value| value == 0.0 || value == 1.0));
        let threshold = of(DataTreatment::Threshold, 1);
        assert_eq!((threshold[127], threshold[128]), (0, 255));
    }

    #[test]
    fn values_are_thresholded_as_their_bytes_are_and_never_drawn() {
        let bytes: Vec<u8> = (0..=255).collect();
        let values = unit(&bytes);
        let expected = unit(&DataTreatment::Threshold.evaluation_images(&bytes, 64, 1));
        let found = DataTreatment::Threshold.evaluation_values(&values).unwrap();
        assert_eq!(*found, *expected);
        for treatment in DataTreatment::ALL {
            let allowed = treatment.require_values();
            match treatment {
                DataTreatment::Grey => {
                    assert_eq!(*treatment.evaluation_values(&values).unwrap(), *values);
                    let stored = PixelRows::Values(&values);
                    assert_eq!(packed(treatment, stored, 64, [1, 0, 0]), values);
                }
                DataTreatment::Threshold => assert_eq!(allowed, Ok(())),
                _ => {
                    let error = allowed.unwrap_err();
                    assert_eq!(Err(error.clone()), treatment.evaluation_values(&values));
                    assert_eq!(
                        error.to_string(),
                        format!(
                            "the data treatment is {treatment}, which draws from bytes, and the \
                             images are stored as values; expected grey or threshold"
                        )
                    );
                }
            }
        }
    }

    #[test]
    fn rows_from_the_middle_of_a_split_are_treated_as_in_the_whole() {
        let images: Vec<u8> = (0..9 * 21_usize).map(|at| (at * 37 % 256) as u8).collect();
        for treatment in DataTreatment::ALL {
            let whole = treatment.evaluation_images(&images, 21, 4);
            let part = treatment.evaluation_rows(5, &images[5 * 21..8 * 21], 21, 4);
            assert_eq!(*part, whole[5 * 21..8 * 21], "{treatment}");
        }
    }

    #[test]
    fn one_draw_takes_a_bit_for_every_pixel_of_whole_panels() {
        for treatment in DataTreatment::ALL {
            let is_drawn = treatment == DataTreatment::BinarisedOnce;
            let bytes = treatment.bytes_of_fixed_draw(7, 33);
            assert_eq!(bytes, if is_drawn { 7 * 48 / 8 } else { 0 });
        }
    }
}
