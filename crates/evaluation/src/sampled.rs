//! The means of posteriors that take samples of the layer below.

use models::streams::{Purpose, stream};
use models::{Images, Model};
use ndarray::Array2;

use crate::error::{Result, require_finite};

/// The sampling stream of the codes; streams of losses follow.
const STREAM: u64 = (0x326c << 32) + 1;

/// Samples of h₁ that E\[h₂|x\] is estimated with: they add a hundredth of its
/// own spread to the variance of the mean.
const SAMPLES: usize = 100;

/// The posterior means of images `[n, pixels]` by stochastic layer, lowest
/// first: of two layers μ₁(x), and E\[μ₂(h₁)\] over h₁ ~ q(h₁|x).
///
/// # Errors
/// Means that are not finite.
pub(crate) fn posterior_means(
    model: &Model,
    images: Images<'_>,
    seed: u64,
) -> Result<Vec<Array2<f32>>> {
    let noise = stream(seed, Purpose::Sampling, STREAM);
    let means = model.posterior_means(images, SAMPLES, noise);
    for of_layer in &means {
        require_finite("the array of posterior means", &of_layer.view())?;
    }
    Ok(means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Initialisation, ModelKind, ModelSpec, NamedTensor};

    use crate::elbo::{EvaluationOptions, evaluate, sampled_losses};

    /// h₁ = (±1, 0) by the first pixel, h₂ = (h₁₁, 0.05 h₁₁, 0.5) on average:
    /// one unit of each moves enough.
    #[test]
    fn units_that_move_are_counted() {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "3-2/2-3".parse().unwrap(),
            likelihood: "bernoulli".parse().unwrap(),
            posterior_scale: Default::default(),
        };
        let plain = Model::new(spec, Initialisation::Glorot, 1).unwrap();
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
        let model = Model::from_named_tensors(plain.spec().clone(), tensors).unwrap();
        let images = Array2::from_shape_fn((400, 3), |(i, j)| 255 * u8::from((i + j) % 2 == 0));
        let options = EvaluationOptions::default();
        let found = evaluate(&model, images.view(), &options).unwrap();
        assert_eq!(
            (found.active_units_of_lower, found.active_units),
            (Some(1), 1)
        );
        assert_eq!(
            (found.variance_of_mu.len(), found.kl_per_dimension),
            (3, None)
        );
        let kl = found.kl.unwrap();
        assert!((found.elbo.unwrap() + found.reconstruction + kl).abs() < 1e-9);
        assert_eq!(found.loss, found.reconstruction + kl);
        assert_eq!(found.at_mean.kl, None);
        let black = Array2::<u8>::zeros((400, 3));
        let found = evaluate(&model, black.view(), &options).unwrap();
        assert_eq!(found.active_units_of_lower, Some(0));
        for wrong in [Array2::<u8>::zeros((400, 4)), Array2::zeros((0, 3))] {
            assert!(evaluate(&model, wrong.view(), &options).is_err());
        }
        let one = sampled_losses(&model, images.view(), 1, 3).unwrap();
        assert!(one.1.is_finite() && one.0 > 0.0);
        assert_eq!(one, sampled_losses(&model, images.view(), 1, 3).unwrap());
        for (seed, epoch) in [(1, 4), (2, 3)] {
            let other = sampled_losses(&model, images.view(), seed, epoch).unwrap();
            assert!(other != one, "seed {seed}, epoch {epoch}");
        }
        // The very samples, so that a number that is published can be measured again.
        let noise = |place| stream(1, Purpose::Sampling, place);
        let losses = model.sampled_losses(images.view(), noise(0x0000_326c_0000_0005));
        assert_eq!(one, (losses.reconstruction, losses.kl));
        assert_eq!(
            posterior_means(&model, Images::from(&images), 1).unwrap(),
            model.posterior_means(&images, 100, noise(0x0000_326c_0000_0001))
        );
    }
}
