//! What is done to grey pixels before the likelihood sees them.

use std::borrow::Cow;
use std::iter;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tensor_ops::binarise;
use tensor_ops::random::Stream;

use crate::images::shared_images::{SharedImages, SharedPixels};
use crate::named::named;
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

    /// Whether [`fixed_images`](Self::fixed_images) makes a copy.
    pub(crate) fn copies_images(self) -> bool {
        matches!(self, Self::Threshold | Self::BinarisedOnce)
    }

    /// The training images, changed once and for all if the treatment does so;
    /// rows of `pixels`.
    pub(crate) fn fixed_images(
        self,
        images: SharedImages,
        pixels: usize,
        seed: u64,
    ) -> Result<SharedImages, ConfigurationError> {
        match images {
            SharedImages::Bytes(bytes) => Ok(self.fixed_bytes(bytes, pixels, seed).into()),
            SharedImages::Values(values) => {
                self.require_values()?;
                Ok(match self {
                    DataTreatment::Threshold => {
                        let values: Arc<[f32]> = values.iter().map(thresholded_value).collect();
                        values.into()
                    }
                    _ => values.into(),
                })
            }
        }
    }

    /// [`fixed_images`](Self::fixed_images) of bytes.
    pub(crate) fn fixed_bytes(
        self,
        bytes: SharedPixels<u8>,
        pixels: usize,
        seed: u64,
    ) -> SharedPixels<u8> {
        let write: &dyn Fn(&mut [u8]) = match self {
            DataTreatment::Threshold => &|output| binarise::threshold(&bytes, output),
            DataTreatment::BinarisedOnce => &|output| {
                let stream = stream(seed, Purpose::Binarisation, 0);
                binarise::draw(&bytes, pixels, stream, output);
            },
            _ => return bytes,
        };
        // Straight into the allocation that is kept: there is room for one more
        // copy of a large data set, and not for two.
        let mut output: Arc<[u8]> = iter::repeat_n(0, bytes.len()).collect();
        if let Some(output) = Arc::get_mut(&mut output) {
            write(output);
        }
        output.into()
    }

    /// Refuses treatments that images stored as values cannot have.
    fn require_values(self) -> Result<(), ConfigurationError> {
        match self {
            DataTreatment::Grey | DataTreatment::Threshold => Ok(()),
            _ => Err(ConfigurationError::TreatmentOfValues(self)),
        }
    }

    /// The stream of the draws of a step, for treatments that draw anew;
    /// `epoch` and `step` count from 0.
    pub(crate) fn draw(self, seed: u64, epoch: u64, step: u64) -> Option<Stream> {
        let index = match self {
            DataTreatment::BinarisedPerMinibatch => step,
            DataTreatment::BinarisedPerEpoch => epoch,
            _ => return None,
        };
        Some(stream(seed, Purpose::Binarisation, index + 1))
    }
}

fn thresholded_value(value: &f32) -> f32 {
    if *value >= 0.5 { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::PixelRows;

    #[test]
    fn names_are_those_of_files() {
        for treatment in DataTreatment::ALL {
            assert_eq!(treatment.name().parse(), Ok(treatment));
            let json = serde_json::to_string(&treatment).unwrap();
            assert_eq!(json, format!("{:?}", treatment.name()));
            let evaluated = treatment.of_evaluation();
            assert_eq!(evaluated.is_binary(), treatment.is_binary());
            assert_eq!(evaluated.draw(1, 0, 0), None);
        }
        let message = "gray".parse::<DataTreatment>().unwrap_err().to_string();
        assert!(message.starts_with("the data treatment is \"gray\"; expected grey,"));
    }

    #[test]
    fn draws_are_renewed_when_the_name_says_so() {
        let draw = |treatment: DataTreatment, epoch, step| treatment.draw(1, epoch, step);
        let minibatch = DataTreatment::BinarisedPerMinibatch;
        assert_ne!(draw(minibatch, 0, 0), draw(minibatch, 0, 1));
        let epoch = DataTreatment::BinarisedPerEpoch;
        assert_eq!(draw(epoch, 0, 0), draw(epoch, 0, 1));
        assert_ne!(draw(epoch, 0, 1), draw(epoch, 1, 1));
        assert_eq!(draw(DataTreatment::BinarisedOnce, 0, 0), None);
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
        let training = DataTreatment::BinarisedOnce.fixed_bytes(shared(&images), 64, 1);
        assert_ne!(*training, *once);
        assert!(training.iter().all(|&byte| byte == 0 || byte == 255));
        let threshold = of(DataTreatment::Threshold, 1);
        assert_eq!((threshold[127], threshold[128]), (0, 255));
        assert_eq!(
            *DataTreatment::Threshold.fixed_bytes(shared(&images), 64, 1),
            *threshold
        );
    }

    fn shared(images: &[u8]) -> SharedPixels<u8> {
        Arc::<[u8]>::from(images).into()
    }

    #[test]
    fn values_are_thresholded_as_their_bytes_are_and_never_drawn() {
        let bytes: Vec<u8> = (0..=255).collect();
        let values: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let expected: Vec<f32> = DataTreatment::Threshold
            .evaluation_images(&bytes, 64, 1)
            .iter()
            .map(|&byte| f32::from(byte) / 255.0)
            .collect();
        let found = DataTreatment::Threshold.evaluation_values(&values).unwrap();
        assert_eq!(*found, *expected);
        let images = || SharedImages::from(Arc::<[f32]>::from(&values[..]));
        for treatment in DataTreatment::ALL {
            let fixed = treatment.fixed_images(images(), 64, 1);
            match treatment {
                DataTreatment::Grey => {
                    assert_eq!(*treatment.evaluation_values(&values).unwrap(), *values);
                    assert_eq!(fixed.unwrap().pixels(), PixelRows::Values(&values));
                }
                DataTreatment::Threshold => {
                    assert_eq!(fixed.unwrap().pixels(), PixelRows::Values(&expected));
                }
                _ => {
                    let error = fixed.unwrap_err();
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
}
