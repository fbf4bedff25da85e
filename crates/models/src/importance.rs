//! The importance-weighted bound: weights of the samples and the
//! hand-derived gradient.

use tensor_ops::{Float, reduce};

use crate::latent::LatentShape;

/// Normalised weights of all codes and the negative bound of every image.
///
/// For the codes z_s = μ + σ·ε_s of an image (Burda, Grosse & Salakhutdinov
/// 2016, arXiv 1509.00519, eq. 8),
///
/// ```text
/// log w_s = log p(x|z_s) + log p(z_s) − log q(z_s|x)
///         = −R_s + Σ_j [ ½ (ε_sj² − z_sj²) + log σ_j ]
/// bound   = log (1/k) Σ_s w_s          w̃_s = w_s / Σ_r w_r
/// ```
///
/// where (z_s − μ)/σ = ε_s and the two ½ log 2π per dimension cancel.
///
/// `relative_weights` is room for one image's. `losses` are R_s by code; `weights` receives w̃ by code and
/// `negative_bounds` the loss −bound by image. Weights and bounds are formed
/// in f64: they depend on differences of losses that may be large.
#[allow(clippy::too_many_arguments)] // everything the log weights are made of
pub(crate) fn importance_weights<T: Float>(
    shape: LatentShape,
    head: &[T],
    noise: &[T],
    code: &[T],
    losses: &[T],
    relative_weights: &mut [f64],
    weights: &mut [T],
    negative_bounds: &mut [T],
) {
    let code_panels = shape.code();
    for (image, negative_bound) in negative_bounds.iter_mut().enumerate() {
        let log_sigma: f64 = (0..shape.latent)
            .map(|j| shape.log_sigma_factor * head[shape.scale_at(image, j)].to_f64())
            .sum();
        let rows = image * shape.samples..(image + 1) * shape.samples;
        let log_weights = &mut relative_weights[..shape.samples];
        for (row, log_weight) in rows.clone().zip(&mut *log_weights) {
            let mut ratio = 0.0;
            for j in 0..shape.latent {
                let epsilon = noise[row * shape.latent + j].to_f64();
                let z = code[code_panels.index(row, j)].to_f64();
                ratio += epsilon * epsilon - z * z;
            }
            *log_weight = 0.5 * ratio + log_sigma - losses[row].to_f64();
        }
        *negative_bound = T::from_f64(normalise(log_weights, &mut weights[rows]));
    }
}

/// w̃ below 2⁻⁶⁰ counts as zero: it is far below the rounding of the sums it
/// enters, but its products with small gradients would be subnormal numbers,
/// where arithmetic is many times slower. Most samples have such weights until
/// the posterior has narrowed.
const SMALLEST_SHARE: f64 = 1.0 / (1_u64 << 60) as f64;

/// Normalises the weights of one image's samples: gives −log (1/k) Σ w and
/// writes w̃ to `normalised`; `log_weights` are used up.
pub(crate) fn normalise<T: Float>(log_weights: &mut [f64], normalised: &mut [T]) -> f64 {
    // Relative to the largest, so that nothing overflows and the normalised
    // weights keep their digits however small all w are.
    let largest = reduce::max(log_weights);
    for weight in &mut *log_weights {
        *weight = (*weight - largest).exp();
    }
    let total = reduce::sum(log_weights);
    for (normalised, weight) in normalised.iter_mut().zip(&*log_weights) {
        let share = weight / total;
        *normalised = if share < SMALLEST_SHARE {
            T::ZERO
        } else {
            T::from_f64(share)
        };
    }
    (log_weights.len() as f64).ln() - (largest + total.ln())
}

/// Gradient of −log (1/k) Σ_s w_s by the head's outputs, given
/// G_s = w̃_s·∂R_s/∂z_s by each code: what comes down the decoder when the
/// gradients of its outputs have been multiplied by w̃_s.
///
/// ∂(−log Σ w)/∂θ = −Σ_s w̃_s ∂(log w_s)/∂θ, and θ reaches log w_s through
/// three terms. With ε_s fixed, z_s = μ + σ·ε_s and g_s = ∂R_s/∂z_s:
///
/// * −R_s(z_s) contributes −g_s by z_s,
/// * log p(z_s) = −½‖z_s‖² + const contributes −z_s by z_s,
/// * −log q(z_s|x) = Σ_j ½((z_sj − μ_j)/σ_j)² + log σ_j + const. Through z_s it
///   contributes ε_s/σ, and directly −ε_s/σ by μ and (1 − ε_s²)/σ by σ. By μ
///   the two cancel; by σ, ε_s·(ε_s/σ) + (1 − ε_s²)/σ = 1/σ, the derivative
///   of log σ alone, as the form in ε of [`importance_weights`] shows at once.
///
/// Hence, with Σ w̃ = 1 and ∂σ/∂l = c·σ,
///
/// ```text
/// ∂L/∂μ_j = Σ_s (G_sj + w̃_s z_sj)
/// ∂L/∂l_j = c · ( σ_j Σ_s (G_sj + w̃_s z_sj) ε_sj − 1 )
/// ```
///
/// With one sample w̃ = 1 and this is the gradient of R + log q(z|x) − log p(z):
/// the ELBO with its KL estimated by the sample.
#[allow(clippy::too_many_arguments)] // everything the gradient is made of
pub(crate) fn importance_head_gradient<T: Float>(
    shape: LatentShape,
    weights: &[T],
    noise: &[T],
    sigma: &[T],
    code: &[T],
    code_gradient: &[T],
    gradient: &mut [T],
) {
    let code_panels = shape.code();
    let factor = T::from_f64(shape.log_sigma_factor);
    gradient.fill(T::ZERO);
    for image in 0..shape.images {
        for j in 0..shape.latent {
            let (mut sum, mut spread) = (T::ZERO, T::ZERO);
            for row in image * shape.samples..(image + 1) * shape.samples {
                let at = code_panels.index(row, j);
                let by_code = code_gradient[at] + weights[row] * code[at];
                sum += by_code;
                spread += by_code * noise[row * shape.latent + j];
            }
            let sigma = sigma[image * shape.latent + j];
            gradient[shape.head().index(image, j)] = sum;
            gradient[shape.scale_at(image, j)] = factor * (sigma * spread) - factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ModelKind;

    #[test]
    fn vanished_weights_are_zero_and_the_bound_is_that_of_all() {
        let mut log_weights = [-498.0, -460.0, -458.0, -540.0];
        let mut normalised = [f32::NAN; 4];
        let negative_bound = normalise(&mut log_weights, &mut normalised);
        assert!((negative_bound - (458.0 + 4_f64.ln() - (-2_f64).exp().ln_1p())).abs() < 1e-12);
        // e⁻⁴⁰ is above 2⁻⁶⁰ and kept, e⁻⁸² is not.
        assert!(normalised[0] > 0.0 && normalised[0] < 1e-15);
        assert_eq!(normalised[3], 0.0);
        assert!((normalised[1] + normalised[2] - 1.0).abs() < 1e-6);
    }

    /// log w from the three densities themselves.
    #[test]
    fn weights_are_those_of_the_densities() {
        let shape = LatentShape {
            kind: ModelKind::Vae,
            log_sigma_factor: 0.5,
            images: 1,
            samples: 3,
            latent: 2,
        };
        let (mu, log_variance) = ([0.4, -1.1], [0.3, -0.8]);
        let mut head = vec![0.0_f64; 16];
        head[..4].copy_from_slice(&[mu[0], mu[1], log_variance[0], log_variance[1]]);
        let noise = [0.5, -1.0, 2.0, 0.1, -0.3, 0.0];
        let losses = [700.0, 701.5, 699.0];
        let normal = |x: f64, mean: f64, variance: f64| {
            -0.5 * ((x - mean).powi(2) / variance + (std::f64::consts::TAU * variance).ln())
        };
        let mut code = vec![0.0; shape.code().len()];
        let mut expected = [0.0; 3];
        for s in 0..3 {
            expected[s] = -losses[s];
            for j in 0..2 {
                let variance = log_variance[j].exp();
                let z = mu[j] + variance.sqrt() * noise[2 * s + j];
                code[shape.code().index(s, j)] = z;
                expected[s] += normal(z, 0.0, 1.0) - normal(z, mu[j], variance);
            }
        }
        let (mut relative, mut weights, mut bound) = ([0.0; 3], [0.0; 3], [0.0]);
        importance_weights(
            shape,
            &head,
            &noise,
            &code,
            &losses,
            &mut relative,
            &mut weights,
            &mut bound,
        );
        let total: f64 = expected.iter().map(|w| (w + 699.0).exp()).sum();
        assert!((bound[0] - (699.0 - (total / 3.0).ln())).abs() < 1e-12);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        for s in 0..3 {
            let ratio = (expected[s] - expected[2]).exp();
            assert!((weights[s] / weights[2] / ratio - 1.0).abs() < 1e-12);
        }
    }
}
