//! The variational autoencoder: z = μ + σ·ε, and the KL in closed form.

pub(crate) mod program;

use tensor_ops::Float;

use super::gaussian::{GaussianLayer, GaussianShape, Noise};
use super::{BlockRows, Factors, LatentPass};
use crate::network::layout::Role;
use crate::network::pass::Networks;
use crate::objective::Bound;
use crate::spec::ModelSpec;

/// q(z|x) = N(μ, diag σ²) and p(z) = N(0, I).
#[derive(Debug)]
pub(super) struct Vae<T> {
    posterior: GaussianLayer<T>,
    penalties: Vec<T>,
    images: usize,
}

impl<T: Float> Vae<T> {
    pub(super) fn new(spec: &ModelSpec, rows: BlockRows) -> Self {
        Self {
            posterior: GaussianLayer::new(spec, spec.architecture.latent, rows),
            penalties: vec![T::ZERO; rows.images],
            images: 0,
        }
    }
}

impl<T: Float> LatentPass<T> for Vae<T> {
    fn sample(&mut self, rows: BlockRows, networks: &mut dyn Networks<T>, noise: &[T]) {
        self.images = rows.images;
        let head = networks.output(Role::Encoder);
        let noise = Noise {
            values: noise,
            stride: self.posterior.shape.latent,
            first: 0,
        };
        self.posterior.sample(rows, head, noise);
        let shape = self.posterior.shape.of(rows);
        let penalties = &mut self.penalties[..rows.images];
        closed_form_kl(shape, head, &self.posterior.sigma, penalties);
    }

    fn source(&self, _network: Role) -> &[T] {
        &self.posterior.code
    }

    fn penalties(&self) -> Option<&[T]> {
        Some(&self.penalties[..self.images])
    }

    /// With z = μ + σ·ε this is Σ_j [ ½ (ε_j² − z_j²) + log σ_j ]: (z − μ)/σ = ε,
    /// and the two ½ log 2π per dimension cancel.
    fn log_ratios(
        &mut self,
        rows: BlockRows,
        networks: &mut dyn Networks<T>,
        noise: &[T],
        log_ratios: &mut [f64],
    ) {
        let shape = self.posterior.shape.of(rows);
        let head = networks.output(Role::Encoder);
        for (image, log_ratios) in log_ratios.chunks_exact_mut(rows.samples).enumerate() {
            let log_sigma: f64 = (0..shape.latent)
                .map(|j| shape.log_sigma_factor * head[shape.scale_at(image, j)].to_f64())
                .sum();
            for (sample, log_ratio) in log_ratios.iter_mut().enumerate() {
                let row = image * rows.samples + sample;
                let mut ratio = 0.0;
                for j in 0..shape.latent {
                    let epsilon = noise[row * shape.latent + j].to_f64();
                    let z = self.posterior.code[shape.code().index(row, j)].to_f64();
                    ratio += epsilon * epsilon - z * z;
                }
                *log_ratio = 0.5 * ratio + log_sigma;
            }
        }
    }

    fn add_penalty_by_dimension(
        &self,
        rows: BlockRows,
        networks: &dyn Networks<T>,
        sums: &mut [f64],
    ) {
        let shape = self.posterior.shape.of(rows);
        let head = networks.output(Role::Encoder);
        for image in 0..rows.images {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum += 0.5 * kl_term(shape, head, &self.posterior.sigma, image, j).to_f64();
            }
        }
    }

    fn backward(
        &mut self,
        rows: BlockRows,
        networks: &mut dyn Networks<T>,
        noise: &[T],
        factors: Factors<'_, T>,
        by_code: &mut [T],
    ) {
        let shape = self.posterior.shape.of(rows);
        let GaussianLayer { sigma, code, .. } = &self.posterior;
        networks.differentiate(Role::Encoder, rows.images, &mut |head, gradient| {
            if factors.bound == Bound::Iwae {
                let weights = factors.samples;
                importance_gradient(shape, weights, noise, sigma, code, by_code, gradient);
            } else {
                elbo_gradient(
                    shape,
                    factors.penalty,
                    head,
                    noise,
                    sigma,
                    by_code,
                    gradient,
                );
            }
        });
    }

    fn posterior_means(
        &self,
        _layer: usize,
        rows: BlockRows,
        networks: &dyn Networks<T>,
        means: &mut [T],
    ) {
        let shape = self.posterior.shape.of(rows).sigma();
        shape.unpack_row_major(&networks.output(Role::Encoder)[..shape.len()], means);
    }
}

/// KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ_j (μ_j² + σ_j² − log σ_j² − 1) of every
/// image (Kingma & Welling 2014, arXiv 1312.6114, appendix B).
fn closed_form_kl<T: Float>(shape: GaussianShape, head: &[T], sigma: &[T], kl: &mut [T]) {
    let half = T::from_f64(0.5);
    for (image, kl) in kl.iter_mut().enumerate() {
        let mut sum = T::ZERO;
        for j in 0..shape.latent {
            sum += kl_term(shape, head, sigma, image, j);
        }
        *kl = half * sum;
    }
}

/// μ² + σ² − log σ² − 1 of one dimension, twice its KL.
fn kl_term<T: Float>(shape: GaussianShape, head: &[T], sigma: &[T], image: usize, j: usize) -> T {
    let mu = head[shape.head().index(image, j)];
    let sigma = sigma[shape.sigma().index(image, j)];
    let log_variance = T::from_f64(2.0 * shape.log_sigma_factor) * head[shape.scale_at(image, j)];
    mu * mu + sigma * sigma - log_variance - T::ONE
}

/// Gradient of reconstruction + Σ_j β_j·KL_j by the head's outputs, given the
/// reconstruction's gradient g_s = ∂R/∂z_s by each code.
///
/// R is the mean over the samples, and its factor 1/k is in g already. With
/// z_s = μ + σ·ε_s and σ = exp(c·l), so that ∂σ/∂l = c·σ, the chain rule gives
///
/// * ∂R/∂μ = Σ_s g_s and ∂R/∂l = c·σ·Σ_s g_s·ε_s,
/// * ∂KL/∂μ = μ and ∂KL/∂l = c·(σ² − 1), as log σ² = 2c·l,
///
/// so the head's gradient is, with weights β_j of the KL by dimension, μ-part:
/// Σ g + βμ; l-part: c·(σ·Σ g·ε + β(σ² − 1)).
///
/// The l-part is evaluated as c·(σ·(Σ g·ε + βσ)) − cβ: the order in which
/// reverse mode meets the terms, so that training on the tape gives the same
/// bits with β = 1 and one sample.
///
/// With free bits, L holds max(λ, K_j) with K_j the mean KL of dimension j
/// over the batch: its derivative by the KL of an image is that of K_j where
/// K_j ≥ λ and 0 elsewhere. β_j is then β or 0.
///
/// Nothing is scaled by the batch size here: that factor enters once, in the
/// weight gradients.
fn elbo_gradient<T: Float>(
    shape: GaussianShape,
    kl_weights: &[T],
    head: &[T],
    noise: &[T],
    sigma: &[T],
    code_gradient: &[T],
    gradient: &mut [T],
) {
    let factor = T::from_f64(shape.log_sigma_factor);
    gradient.fill(T::ZERO);
    for image in 0..shape.heads {
        let first = image * shape.samples;
        for (j, &weight) in kl_weights.iter().enumerate() {
            let location = shape.head().index(image, j);
            let mut g = code_gradient[shape.code().index(first, j)];
            let mut spread = g * noise[first * shape.latent + j];
            for row in first + 1..first + shape.samples {
                let of_sample = code_gradient[shape.code().index(row, j)];
                g += of_sample;
                spread += of_sample * noise[row * shape.latent + j];
            }
            let sigma = sigma[shape.sigma().index(image, j)];
            gradient[shape.scale_at(image, j)] =
                factor * (sigma * (spread + weight * sigma)) - factor * weight;
            gradient[location] = g + weight * head[location];
        }
    }
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
///   of log σ alone, as the form in ε of [`log_ratios`](LatentPass::log_ratios) shows at once.
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
fn importance_gradient<T: Float>(
    shape: GaussianShape,
    weights: &[T],
    noise: &[T],
    sigma: &[T],
    code: &[T],
    code_gradient: &[T],
    gradient: &mut [T],
) {
    let factor = T::from_f64(shape.log_sigma_factor);
    gradient.fill(T::ZERO);
    for image in 0..shape.heads {
        for j in 0..shape.latent {
            let (mut sum, mut spread) = (T::ZERO, T::ZERO);
            for row in image * shape.samples..(image + 1) * shape.samples {
                let at = shape.code().index(row, j);
                let by_code = code_gradient[at] + weights[row] * code[at];
                sum += by_code;
                spread += by_code * noise[row * shape.latent + j];
            }
            let sigma = sigma[shape.sigma().index(image, j)];
            gradient[shape.head().index(image, j)] = sum;
            gradient[shape.scale_at(image, j)] = factor * (sigma * spread) - factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::pass::tests::Computed;
    use crate::objective::importance::normalise;
    use crate::spec::ModelKind;

    /// KL by numeric integration of q·log(q/p) on a fine grid.
    fn kl_by_quadrature(mu: f64, sigma: f64) -> f64 {
        let density = |x: f64, m: f64, s: f64| {
            (-0.5 * ((x - m) / s).powi(2)).exp() / (s * std::f64::consts::TAU.sqrt())
        };
        let (steps, width) = (20_000, 12.0 * sigma);
        let h = 2.0 * width / f64::from(steps);
        (0..=steps)
            .map(|i| {
                let x = mu - width + f64::from(i) * h;
                let q = density(x, mu, sigma);
                let weight = if i == 0 || i == steps { 0.5 } else { 1.0 };
                if q > 0.0 {
                    weight * h * q * (q / density(x, 0.0, 1.0)).ln()
                } else {
                    0.0
                }
            })
            .sum()
    }

    fn spec() -> ModelSpec {
        ModelSpec {
            kind: ModelKind::Vae,
            architecture: "784-2".parse().unwrap(),
            likelihood: "bernoulli".parse().unwrap(),
            posterior_scale: Default::default(),
        }
    }

    #[test]
    fn the_penalty_is_the_kl_divergence() {
        let (images, samples) = (2, 1);
        let rows = BlockRows { images, samples };
        let mut pass = Vae::<f64>::new(&spec(), rows);
        let head = [[0.3, -1.2, 2.0_f64.ln(), -1.0], [0.0, 0.0, 0.0, 0.0]];
        let mut networks = Computed(vec![0.0; pass.posterior.shape.head().len()]);
        let panels = pass.posterior.shape.head();
        panels.pack_row_major(head.as_flattened(), &mut networks.0);
        pass.posterior.code.fill(f64::NAN);
        pass.sample(rows, &mut networks, &[1.0, -2.0, 0.5, 0.25]);
        let penalties = pass.penalties().unwrap();
        let expected =
            kl_by_quadrature(0.3, 2.0_f64.sqrt()) + kl_by_quadrature(-1.2, (-0.5_f64).exp());
        assert!(
            (penalties[0] - expected).abs() < 1e-9,
            "{} against {expected}",
            penalties[0]
        );
        assert_eq!(penalties[1], 0.0);
        let code = pass.source(Role::Decoder);
        assert!((code[0] - (0.3 + 2.0_f64.sqrt())).abs() < 1e-15);
        assert_eq!(code[16], 0.5);
        assert!(code[2..16].iter().all(|&padding| padding == 0.0));
    }

    /// log w from the three densities themselves.
    #[test]
    fn weights_are_those_of_the_densities() {
        let (images, samples) = (1, 3);
        let rows = BlockRows { images, samples };
        let (mu, log_variance) = ([0.4, -1.1], [0.3, -0.8]);
        let mut head = vec![0.0_f64; 16];
        head[..4].copy_from_slice(&[mu[0], mu[1], log_variance[0], log_variance[1]]);
        let noise = [0.5, -1.0, 2.0, 0.1, -0.3, 0.0];
        let losses = [700.0, 701.5, 699.0];
        let normal = |x: f64, mean: f64, variance: f64| {
            -0.5 * ((x - mean).powi(2) / variance + (std::f64::consts::TAU * variance).ln())
        };
        let mut expected = [0.0; 3];
        for s in 0..3 {
            expected[s] = -losses[s];
            for j in 0..2 {
                let variance = log_variance[j].exp();
                let z = mu[j] + variance.sqrt() * noise[2 * s + j];
                expected[s] += normal(z, 0.0, 1.0) - normal(z, mu[j], variance);
            }
        }
        let mut pass = Vae::new(&spec(), rows);
        let mut networks = Computed(head);
        pass.sample(rows, &mut networks, &noise);
        let mut log_weights = [0.0; 3];
        pass.log_ratios(rows, &mut networks, &noise, &mut log_weights);
        for (log_weight, loss) in log_weights.iter_mut().zip(losses) {
            *log_weight -= loss;
        }
        let mut weights = [0.0; 3];
        let negative_bound = normalise(&mut log_weights, &mut weights);
        let total: f64 = expected.iter().map(|w| (w + 699.0).exp()).sum();
        assert!((negative_bound - (699.0 - (total / 3.0).ln())).abs() < 1e-12);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        for s in 0..3 {
            let ratio = (expected[s] - expected[2]).exp();
            assert!((weights[s] / weights[2] / ratio - 1.0).abs() < 1e-12);
        }
    }
}
