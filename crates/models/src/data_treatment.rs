//! What is done to grey pixels before the likelihood sees them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tensor_ops::binarise;
use tensor_ops::random::Stream;

use crate::configuration::ConfigurationError;
use crate::streams::{Purpose, stream};

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

impl DataTreatment {
    /// All treatments.
    pub const ALL: [DataTreatment; 5] = [
        DataTreatment::Grey,
        DataTreatment::BinarisedPerMinibatch,
        DataTreatment::BinarisedPerEpoch,
        DataTreatment::BinarisedOnce,
        DataTreatment::Threshold,
    ];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            DataTreatment::Grey => "grey",
            DataTreatment::BinarisedPerMinibatch => "binarised-per-minibatch",
            DataTreatment::BinarisedPerEpoch => "binarised-per-epoch",
            DataTreatment::BinarisedOnce => "binarised-once",
            DataTreatment::Threshold => "threshold",
        }
    }

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
        match self {
            DataTreatment::Grey => Cow::Borrowed(images),
            DataTreatment::Threshold => Cow::Owned(thresholded(images)),
            _ => {
                let stream = stream(seed, Purpose::EvaluationBinarisation, 0);
                Cow::Owned(drawn(images, pixels, stream))
            }
        }
    }

    /// The training images, when the treatment changes them once and for all.
    pub(crate) fn fixed_images(self, images: &[u8], pixels: usize, seed: u64) -> Option<Vec<u8>> {
        match self {
            DataTreatment::Threshold => Some(thresholded(images)),
            DataTreatment::BinarisedOnce => {
                let stream = stream(seed, Purpose::Binarisation, 0);
                Some(drawn(images, pixels, stream))
            }
            _ => None,
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

impl fmt::Display for DataTreatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DataTreatment {
    type Err = ConfigurationError;

    fn from_str(text: &str) -> Result<Self, ConfigurationError> {
        Self::ALL
            .into_iter()
            .find(|treatment| treatment.name() == text)
            .ok_or_else(|| ConfigurationError::DataTreatment(text.to_owned()))
    }
}

fn thresholded(images: &[u8]) -> Vec<u8> {
    let mut output = vec![0; images.len()];
    binarise::threshold(images, &mut output);
    output
}

fn drawn(images: &[u8], pixels: usize, stream: Stream) -> Vec<u8> {
    let mut output = vec![0; images.len()];
    binarise::draw(images, pixels, stream, &mut output);
    output
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let training = DataTreatment::BinarisedOnce.fixed_images(&images, 64, 1);
        assert_ne!(training, Some(once));
        let threshold = of(DataTreatment::Threshold, 1);
        assert_eq!((threshold[127], threshold[128]), (0, 255));
    }
}
