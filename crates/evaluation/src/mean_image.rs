//! The loss of a model that knows nothing of an image: what the mean image
//! costs.

use models::{
    Activation, Architecture, GaussianSigma, Images, Initialisation, Likelihood, Model, ModelKind,
    ModelSpec,
};
use ndarray::Array2;

use crate::error::{EvaluationError, Result, require_pixels};

/// The lowest spread of pixels about their mean that is told from none.
const LEAST_SPREAD: f64 = 1e-12;

/// What the mean image costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanImage {
    /// −log p(x) in nats per image where every image gets the same distribution
    /// of pixels, whose means are those of the images.
    pub loss: f64,
    /// Root of the mean square of a pixel's distance from its mean.
    pub deviation: f64,
}

/// The loss of the mean image of some images [n, pixels] under a likelihood, and
/// how far pixels are from it.
///
/// A decoder that hears nothing of the code can do no better, but for what other
/// images of the same mean image may cost; one that is worse has not even
/// learned the mean. σ is the given one where it is fixed, and otherwise the one
/// number that fits these images best, σᵖ = p·c·mean |x − m|ᵖ (the density is
/// exp(−c |x − m|ᵖ/σᵖ) but for a factor): with a σ for each pixel, a position that
/// never changes would have none. Means of pixels are kept within [0.001, 0.999]
/// where they are probabilities; a Laplace loss is the one about the mean, which
/// its median undercuts a little.
///
/// # Errors
/// No images, or pixels that the likelihood says nothing of.
pub fn mean_image<'a>(images: impl Into<Images<'a>>, likelihood: Likelihood) -> Result<MeanImage> {
    let images = images.into();
    require_pixels(images, likelihood)?;
    let (n, inputs) = images.dim();
    let spec = ModelSpec {
        kind: ModelKind::Ae,
        architecture: Architecture {
            inputs,
            hidden: Vec::new(),
            lower: None,
            latent: 1,
            activation: Activation::Relu,
        },
        likelihood: likelihood
            .with_sigma(GaussianSigma::Scalar)
            .unwrap_or(likelihood),
        posterior_scale: Default::default(),
    };
    let mut model = Model::new(spec, Initialisation::PyTorchUniform, 0)
        .map_err(|error| EvaluationError::Invalid(error.to_string()))?;
    model.set_output_bias_to_mean(images);
    // The code 0 leaves the bias alone.
    let mean = model.decode(Array2::zeros((1, 1)).view());
    let mut row = vec![0.0; inputs];
    let degree = likelihood.family().map_or(2.0, |family| family.degree());
    let (mut squares, mut powers) = (0.0, 0.0);
    for index in 0..n {
        images.read_row(index, &mut row);
        for (&value, &mean) in row.iter().zip(&mean) {
            let distance = f64::from(value - mean).abs();
            squares += distance * distance;
            powers += distance.powf(degree);
        }
    }
    let values = n as f64 * inputs as f64;
    let (squares, powers) = (squares / values, powers / values);
    let loss = match (likelihood.family(), likelihood.scale_source()) {
        (Some(family), Some(source)) => {
            let spread = family.factor() * powers;
            let log_sigma = match source {
                GaussianSigma::Fixed(sigma) => sigma.ln(),
                _ => (degree * spread.max(LEAST_SPREAD)).ln() / degree,
            };
            let of_pixel = spread * (-degree * log_sigma).exp() + log_sigma + family.constant();
            inputs as f64 * of_pixel
        }
        _ => {
            let codes = Array2::zeros((n, 1));
            let losses = model.reconstruction_losses(codes.view(), images);
            losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / n as f64
        }
    };
    Ok(MeanImage {
        loss,
        deviation: squares.sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn binary_images_cost_the_entropy_of_their_means() {
        // Means 1/2 and 1/4.
        let images = array![[255_u8, 0], [0, 0], [255, 255], [0, 0]];
        let found = mean_image(&images, Likelihood::Bernoulli).unwrap();
        let entropy = |p: f64| -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
        assert!((found.loss - entropy(0.5) - entropy(0.25)).abs() < 1e-6);
        let variance = 0.5 * (0.25 + 0.1875);
        assert!((found.deviation - f64::sqrt(variance)).abs() < 1e-6);
    }

    #[test]
    fn a_density_costs_what_its_best_sigma_costs() {
        let images = array![[0.0_f32, 4.0], [2.0, 0.0], [4.0, 2.0], [2.0, 2.0]];
        // Both pixels have the mean 2 and the variance 2, and 1 of mean distance.
        let gaussian: Likelihood = "gaussian-identity/scalar".parse().unwrap();
        let found = mean_image(&images, gaussian).unwrap();
        let best = (std::f64::consts::TAU * std::f64::consts::E * 2.0).ln();
        assert!((found.loss - best).abs() < 1e-6, "{found:?}");
        let fixed: Likelihood = "gaussian-identity/0.5".parse().unwrap();
        let expected = 2.0 * (0.5 * 2.0 / 0.25 + 0.5_f64.ln() + 0.5 * std::f64::consts::TAU.ln());
        assert!((mean_image(&images, fixed).unwrap().loss - expected).abs() < 1e-5);
        // −ln (1/2b) + |d|/b with b = mean |d| = 1.
        let laplace: Likelihood = "laplace-identity/scalar".parse().unwrap();
        let expected = 2.0 * (2.0_f64.ln() + 1.0);
        let found = mean_image(&images, laplace).unwrap().loss;
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }

    #[test]
    fn no_sigma_fits_better_than_the_best() {
        let images =
            Array2::from_shape_fn((50, 9), |(i, j)| ((i * 31 + j * 17) % 23) as f32 / 22.0);
        for family in [
            "gaussian",
            "laplace",
            "gaussian-identity",
            "laplace-identity",
        ] {
            let loss = |sigma: &str| {
                let likelihood: Likelihood = format!("{family}/{sigma}").parse().unwrap();
                mean_image(&images, likelihood).unwrap().loss
            };
            for sigma in ["0.05", "0.2", "0.29", "0.31", "0.4", "1.5"] {
                assert!(loss("scalar") < loss(sigma), "{family} {sigma}");
            }
            assert_eq!(loss("scalar"), loss("decoder"));
        }
    }

    #[test]
    fn images_that_are_alike_and_none_at_all() {
        let alike = Array2::from_elem((4, 3), 0.25_f32);
        let gaussian: Likelihood = "gaussian/scalar".parse().unwrap();
        let found = mean_image(&alike, gaussian).unwrap();
        assert!(
            found.loss.is_finite() && found.deviation < 1e-6,
            "{found:?}"
        );
        assert!(mean_image(&Array2::<u8>::zeros((0, 3)), gaussian).is_err());
    }
}
