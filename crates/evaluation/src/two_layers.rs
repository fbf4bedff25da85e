//! Active units and the sampled bound of a model of two stochastic layers.

use models::Losses;
use models::streams::{Purpose, stream};
use models::two_layers::TwoLayerModel;
use ndarray::{Array2, ArrayView2, Axis};

use crate::elbo::ACTIVE_VARIANCE;
use crate::error::{EvaluationError, Result, require_rows, require_width};

/// First of the sampling streams of the codes: of the losses, then of the
/// posterior means.
const FIRST_STREAM: u64 = 0x326c << 32;

/// Samples of h₁ that E\[h₂|x\] is estimated with: they add a hundredth of its
/// own spread to the variance of the mean.
const SAMPLES: usize = 100;

/// Units of h₁ and of h₂ whose posterior mean varies between images `[n,
/// pixels]` by more than [`ACTIVE_VARIANCE`] (Burda et al. 2016, §5):
/// Var_x(μ₁(x)) and Var_x(E\[μ₂(h₁)\]), h₁ ~ q(h₁|x).
///
/// # Errors
/// Fewer than two images, images of another size than the model's, or means
/// that are not finite.
pub fn active_units(
    model: &TwoLayerModel,
    images: ArrayView2<'_, u8>,
    seed: u64,
) -> Result<[usize; 2]> {
    check(model, images, 2)?;
    let noise = stream(seed, Purpose::Sampling, FIRST_STREAM + 1);
    let means = model.posterior_means(images, SAMPLES, noise);
    let count = |means: &Array2<f32>| -> Result<usize> {
        let mut active = 0;
        for column in means.axis_iter(Axis(1)) {
            let variance = column.mapv(f64::from).var(0.0);
            if !variance.is_finite() {
                return Err(EvaluationError::NotFinite {
                    what: "the array of posterior means",
                    row: column.iter().position(|m| !m.is_finite()).unwrap_or(0),
                });
            }
            active += usize::from(variance > ACTIVE_VARIANCE);
        }
        Ok(active)
    };
    Ok([count(&means[0])?, count(&means[1])?])
}

/// −ELBO of images with one sample, its KL as log q − log p of that sample,
/// nats per image. The sample of an image depends on seed, epoch and the
/// image's place alone.
///
/// # Errors
/// No images, or images of another size than the model's.
pub fn sampled_losses(
    model: &TwoLayerModel,
    images: ArrayView2<'_, u8>,
    seed: u64,
    epoch: u64,
) -> Result<Losses> {
    check(model, images, 1)?;
    let noise = stream(seed, Purpose::Sampling, FIRST_STREAM + 2 + epoch);
    Ok(model.sampled_losses(images, noise))
}

fn check(model: &TwoLayerModel, images: ArrayView2<'_, u8>, needed: usize) -> Result<()> {
    require_rows("the array of images", images.nrows(), needed)?;
    require_width(images.dim(), model.spec().lower.inputs, "model")
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Initialisation, NamedTensor};

    /// h₁ = (±1, 0) by the first pixel, h₂ = (h₁₁, 0.05 h₁₁, 0.5) on average:
    /// one unit of each moves enough.
    #[test]
    fn units_that_move_are_counted() {
        let plain = TwoLayerModel::new("3-2/2-3".parse().unwrap(), Initialisation::Glorot, 1);
        let plain = plain.unwrap();
        let values = |tensor: NamedTensor<f32>| {
            let values: &[f32] = match tensor.name.as_str() {
                "mu_1.weight" => &[2.0, 0.0, 0.0, 0.0, 0.0, 0.0],
                "mu_1.bias" => &[-1.0, 0.0],
                "mu_2.weight" => &[1.0, 0.0, 0.05, 0.0, 0.0, 0.0],
                "mu_2.bias" => &[0.0, 0.0, 0.5],
                _ => return tensor,
            };
            NamedTensor {
                values: values.to_vec(),
                ..tensor
            }
        };
        let tensors = plain.named_tensors().into_iter().map(values);
        let model = TwoLayerModel::from_named_tensors(plain.spec().clone(), tensors).unwrap();
        let images = Array2::from_shape_fn((400, 3), |(i, j)| 255 * u8::from((i + j) % 2 == 0));
        assert_eq!(active_units(&model, images.view(), 1).unwrap(), [1, 1]);
        let black = Array2::zeros((400, 3));
        assert_eq!(active_units(&model, black.view(), 1).unwrap()[0], 0);
        for wrong in [Array2::zeros((400, 4)), Array2::zeros((1, 3))] {
            assert!(active_units(&model, wrong.view(), 1).is_err());
        }
        let one = sampled_losses(&model, images.view(), 1, 3).unwrap();
        assert!(one.loss.is_finite() && one.reconstruction > 0.0);
        assert_eq!(one, sampled_losses(&model, images.view(), 1, 3).unwrap());
        for (seed, epoch) in [(1, 4), (2, 3)] {
            let other = sampled_losses(&model, images.view(), seed, epoch).unwrap();
            assert!(other.loss != one.loss, "seed {seed}, epoch {epoch}");
        }
    }
}
