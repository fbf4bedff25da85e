//! What training images show by themselves, whatever was made of them.

use evaluation::entropy_floor::entropy_floor;
use evaluation::mean_image::mean_image;
use models::Likelihood;
use serde::Serialize;

use super::Sample;

/// Of a sample of a run's training images, as its model sees them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingImages {
    /// Images in the sample.
    pub count: usize,
    /// Values of an image.
    pub pixels: usize,
    /// Whether they were standardised.
    pub is_standardised: bool,
    /// The lowest and the highest value.
    pub range: [f32; 2],
    /// Whether every one is a whole number.
    pub is_whole: bool,
    /// Share of the values that are 0 or 1.
    pub binary_share: f64,
    /// Share of the values outside [0, 1].
    pub outside_share: f64,
    /// Mean over images of Σ |x|: Adam's first steps change the sum that a unit of
    /// the first layer takes of an image by up to this times the step size.
    pub input_size: f64,
    /// Whether they are dark on a light background.
    pub is_dark_on_light: bool,
    /// Loss of their mean image, for them; nats per image.
    pub mean_image_loss: f64,
    /// Root mean square of a value's distance from its mean.
    pub deviation: f64,
    /// The lowest loss that a Bernoulli allows.
    pub entropy_floor: Option<f64>,
}

impl TrainingImages {
    /// Looks at the training images of a sample; `likelihood` is what losses are of.
    ///
    /// # Errors
    /// Values that are not finite.
    pub(super) fn of(sample: &Sample, likelihood: Likelihood) -> evaluation::Result<Self> {
        let values = &sample.train;
        let share = |is: fn(f32) -> bool| {
            values.iter().filter(|&&value| is(value)).count() as f64 / values.len() as f64
        };
        let start = [f32::INFINITY, f32::NEG_INFINITY];
        let range = values.iter().fold(start, |[low, high], &value| {
            [low.min(value), high.max(value)]
        });
        let of_mean = mean_image(values, likelihood)?;
        let floor = (!likelihood.is_density()).then(|| entropy_floor(values));
        Ok(Self {
            count: values.nrows(),
            pixels: values.ncols(),
            is_standardised: sample.is_standardised,
            range,
            is_whole: values.iter().all(|value| value.fract() == 0.0),
            binary_share: share(|value| value == 0.0 || value == 1.0),
            outside_share: share(|value| !(0.0..=1.0).contains(&value)),
            input_size: values.iter().map(|&x| f64::from(x.abs())).sum::<f64>()
                / values.nrows() as f64,
            is_dark_on_light: sample.is_dark_on_light,
            mean_image_loss: of_mean.loss,
            deviation: of_mean.deviation,
            entropy_floor: floor.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use models::{GaussianMean, GaussianSigma};
    use ndarray::array;

    use super::*;

    #[test]
    fn values_are_counted() {
        let train = array![[0.25_f32, -1.0], [3.0, 0.0]];
        let sample = Sample {
            test: train.clone(),
            train,
            is_standardised: false,
            is_dark_on_light: false,
        };
        let likelihood = Likelihood::Gaussian {
            mean: GaussianMean::Identity,
            sigma: GaussianSigma::Fixed(1.0),
        };
        let found = TrainingImages::of(&sample, likelihood).expect("finite");
        assert_eq!((found.count, found.pixels), (2, 2));
        assert_eq!(found.range, [-1.0, 3.0]);
        assert!(!found.is_whole);
        assert_eq!((found.binary_share, found.outside_share), (0.25, 0.5));
        assert_eq!(found.input_size, 2.125);
    }
}
