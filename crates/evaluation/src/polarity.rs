//! Whether a model knows images better when light and dark change places.

use models::{Images, Model};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{Result, require, require_images};

/// What images cost as they are and inverted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Polarity {
    /// −log p(x|z) at the mean of the code, nats per image.
    pub as_they_are: f64,
    /// The same of low + high − x.
    pub inverted: f64,
}

/// The reconstruction of images [n, pixels] as they are, and with every value x
/// replaced by low + high − x, whose values lie in the same range; each is
/// encoded and decoded by itself.
///
/// # Errors
/// No images, images that the model cannot be measured on, or a range that is
/// none.
pub fn polarity<'a>(
    model: &Model,
    images: impl Into<Images<'a>>,
    [low, high]: [f32; 2],
) -> Result<Polarity> {
    let images = images.into();
    require_images(images, model.spec())?;
    require(
        low.is_finite() && high.is_finite() && low <= high,
        "the range of the values",
        format_args!("{low} to {high}"),
        "two numbers in ascending order",
    )?;
    let mut inverted = Array2::zeros(images.dim());
    for (index, mut row) in inverted.rows_mut().into_iter().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            images.read_row(index, row);
        }
        // Neither rounding nor images beyond the range leave it: a likelihood may
        // end there.
        row.mapv_inplace(|value| (low + high - value).clamp(low, high));
    }
    let mean = |losses: Vec<f32>| {
        losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64
    };
    Ok(Polarity {
        as_they_are: mean(model.losses_at_mean(images)),
        inverted: mean(model.losses_at_mean(inverted.view())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Initialisation, Likelihood, ModelKind, ModelSpec};
    use ndarray::array;

    #[test]
    fn inverted_images_cost_what_the_images_cost() {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "6-5-2".parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        let mut model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
        let images = Array2::from_shape_fn((30, 6), |(i, j)| (60 * (j > 2) as usize + i) as u8);
        model.set_output_bias_to_mean(&images);
        let range = [0.0, 1.0];
        let found = polarity(&model, &images, range).unwrap();
        assert!(found.as_they_are < found.inverted, "{found:?}");
        let inverse = images.mapv(|byte| 255 - byte);
        let again = polarity(&model, &inverse, range).unwrap();
        assert!((again.inverted - found.as_they_are).abs() < 1e-5);
        assert!((again.as_they_are - found.inverted).abs() < 1e-5);
        for range in [[1.0, 0.0], [0.0, f32::INFINITY], [f32::NEG_INFINITY, 1.0]] {
            assert!(polarity(&model, &images, range).is_err(), "{range:?}");
        }
    }

    #[test]
    fn values_are_inverted_within_their_range_and_losses_averaged() {
        let spec = ModelSpec {
            kind: ModelKind::Ae,
            architecture: "3-2".parse().unwrap(),
            likelihood: "gaussian-identity/0.5".parse().unwrap(),
            posterior_scale: Default::default(),
        };
        let model = Model::new(spec, Initialisation::PyTorchUniform, 2).unwrap();
        // From −1 to 3, and one value beyond.
        let images = array![[-1.0_f32, 3.0, 0.5], [2.0, -0.25, 1.0], [3.5, 0.0, 2.5]];
        let inverse = array![[3.0_f32, -1.0, 1.5], [0.0, 2.25, 1.0], [-1.0, 2.0, -0.5]];
        let found = polarity(&model, &images, [-1.0, 3.0]).unwrap();
        let mean = |images: &Array2<f32>| -> f64 {
            let losses = model.losses_at_mean(images);
            (f64::from(losses[0]) + f64::from(losses[1]) + f64::from(losses[2])) / 3.0
        };
        assert!((found.as_they_are - mean(&images)).abs() < 1e-9);
        assert!((found.inverted - mean(&inverse)).abs() < 1e-9);
        assert!((found.as_they_are - found.inverted).abs() > 1e-3);
    }
}
