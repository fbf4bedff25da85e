//! From the encoder's head to the codes and back: sampling, the penalty, and
//! the hand-derived gradient of the ELBO.

use tensor_ops::panels::Panels;
use tensor_ops::{Float, vector};

use crate::spec::{ModelKind, ModelSpec};

/// The block of images the latent pass works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LatentShape {
    pub(crate) kind: ModelKind,
    /// c of log σ = c·l, with l the second half of the head: ½ for log σ²,
    /// 1 for log σ.
    pub(crate) log_sigma_factor: f64,
    pub(crate) images: usize,
    pub(crate) samples: usize,
    pub(crate) latent: usize,
}

impl LatentShape {
    /// The latent pass of a model over `images` images with `samples` codes
    /// each.
    pub(crate) fn new(spec: &ModelSpec, images: usize, samples: usize) -> Self {
        Self {
            kind: spec.kind,
            log_sigma_factor: spec.posterior_scale.log_sigma_factor(),
            images,
            samples,
            latent: spec.architecture.latent,
        }
    }

    /// The head's outputs, and their gradient.
    pub(crate) fn head(self) -> Panels {
        Panels {
            rows: self.images,
            cols: self.kind.head_width(self.latent),
        }
    }

    /// The codes, and their gradient: the samples of an image in consecutive
    /// rows.
    pub(crate) fn code(self) -> Panels {
        Panels {
            rows: self.images * self.samples,
            cols: self.latent,
        }
    }

    /// Elements of σ: none without a posterior.
    pub(crate) fn sigma_len(self) -> usize {
        if self.kind.is_variational() {
            self.images * self.latent
        } else {
            0
        }
    }

    /// Elements of ε.
    pub(crate) fn noise_len(self) -> usize {
        self.sigma_len() * self.samples
    }

    /// Position of dimension j of an image's scale in the head.
    pub(crate) fn scale_at(self, image: usize, j: usize) -> usize {
        self.head().index(image, self.latent + j)
    }
}

/// Codes and penalties of one block.
///
/// For a VAE the head holds μ and l side by side, with log σ = c·l, and
///
/// * z_s = μ + σ·ε_s with σ = exp(c·l) and the given ε_s ~ N(0, 1)
///   (Kingma & Welling 2014, arXiv 1312.6114, §2.4),
/// * penalty = KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ_j (μ_j² + σ_j² − log σ_j² − 1)
///   (the same, appendix B).
///
/// For `ae-l2` z is the head and the penalty ½‖z‖², the part of the KL that
/// is left when σ is taken away; for `ae` there is no penalty.
///
/// `noise` `[images, samples, latent]` and `sigma` `[images, latent]` are
/// row-major and used by a VAE only; `sigma` receives σ for the gradient.
pub(crate) fn code_and_penalty<T: Float>(
    shape: LatentShape,
    head: &[T],
    noise: &[T],
    sigma: &mut [T],
    code: &mut [T],
    penalty: &mut [T],
) {
    let (head_panels, code_panels) = (shape.head(), shape.code());
    let half = T::from_f64(0.5);
    code.fill(T::ZERO);
    if !shape.kind.is_variational() {
        for (row, penalty) in penalty.iter_mut().enumerate() {
            let mut square = T::ZERO;
            for j in 0..shape.latent {
                let z = head[head_panels.index(row, j)];
                code[code_panels.index(row, j)] = z;
                square += z * z;
            }
            *penalty = if shape.kind == ModelKind::AeL2 {
                half * square
            } else {
                T::ZERO
            };
        }
        return;
    }
    let factor = T::from_f64(shape.log_sigma_factor);
    for (image, sigma) in sigma.chunks_exact_mut(shape.latent).enumerate() {
        for (j, sigma) in sigma.iter_mut().enumerate() {
            *sigma = factor * head[shape.scale_at(image, j)];
        }
    }
    vector::exp_in_place(sigma);
    for (image, penalty) in penalty.iter_mut().enumerate() {
        let mut sum = T::ZERO;
        for j in 0..shape.latent {
            let mu = head[head_panels.index(image, j)];
            let sigma = sigma[image * shape.latent + j];
            for row in image * shape.samples..(image + 1) * shape.samples {
                code[code_panels.index(row, j)] = mu + sigma * noise[row * shape.latent + j];
            }
            sum += kl_term(shape, mu, sigma, head[shape.scale_at(image, j)]);
        }
        *penalty = half * sum;
    }
}

/// μ² + σ² − log σ² − 1 of one dimension, twice its KL.
fn kl_term<T: Float>(shape: LatentShape, mu: T, sigma: T, scale: T) -> T {
    let log_variance = T::from_f64(2.0 * shape.log_sigma_factor) * scale;
    mu * mu + sigma * sigma - log_variance - T::ONE
}

/// Adds the KL of every dimension, image by image, to `sums`.
pub(crate) fn add_kl_by_dimension<T: Float>(
    shape: LatentShape,
    head: &[T],
    sigma: &[T],
    sums: &mut [f64],
) {
    for (image, sigma) in sigma.chunks_exact(shape.latent).enumerate() {
        for (j, (&sigma, sum)) in sigma.iter().zip(&mut *sums).enumerate() {
            let mu = head[shape.head().index(image, j)];
            *sum += 0.5 * kl_term(shape, mu, sigma, head[shape.scale_at(image, j)]).to_f64();
        }
    }
}

/// Gradient of reconstruction + Σ_j β_j·penalty_j by the head's outputs, given
/// the reconstruction's gradient g_s = ∂R/∂z_s by each code.
///
/// R is the mean over the samples, and its factor 1/k is in g already. For a
/// VAE, with z_s = μ + σ·ε_s and σ = exp(c·l), so that ∂σ/∂l = c·σ, the chain
/// rule gives
///
/// * ∂R/∂μ = Σ_s g_s and ∂R/∂l = c·σ·Σ_s g_s·ε_s,
/// * ∂KL/∂μ = μ and ∂KL/∂l = c·(σ² − 1), as log σ² = 2c·l,
///
/// so the head's gradient is, with weights β_j of the KL by dimension, μ-part:
/// Σ g + βμ; l-part: c·(σ·Σ g·ε + β(σ² − 1)). For `ae-l2` it is g + βz, for
/// `ae` g itself.
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
pub(crate) fn head_gradient<T: Float>(
    shape: LatentShape,
    kl_weights: &[T],
    head: &[T],
    noise: &[T],
    sigma: &[T],
    code_gradient: &[T],
    gradient: &mut [T],
) {
    let (head_panels, code_panels) = (shape.head(), shape.code());
    let factor = T::from_f64(shape.log_sigma_factor);
    gradient.fill(T::ZERO);
    for image in 0..shape.images {
        let first = image * shape.samples;
        for (j, &weight) in kl_weights.iter().enumerate() {
            let location = head_panels.index(image, j);
            let mut g = code_gradient[code_panels.index(first, j)];
            if shape.kind.is_variational() {
                let mut spread = g * noise[first * shape.latent + j];
                for row in first + 1..first + shape.samples {
                    let of_sample = code_gradient[code_panels.index(row, j)];
                    g += of_sample;
                    spread += of_sample * noise[row * shape.latent + j];
                }
                let sigma = sigma[image * shape.latent + j];
                gradient[shape.scale_at(image, j)] =
                    factor * (sigma * (spread + weight * sigma)) - factor * weight;
            }
            gradient[location] = match shape.kind {
                ModelKind::Ae => g,
                ModelKind::AeL2 | ModelKind::Vae => g + weight * head[location],
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_penalty_of_a_vae_is_the_kl_divergence() {
        let shape = LatentShape {
            kind: ModelKind::Vae,
            log_sigma_factor: 0.5,
            images: 2,
            samples: 1,
            latent: 2,
        };
        let rows = [[0.3, -1.2, 2.0_f64.ln(), -1.0], [0.0, 0.0, 0.0, 0.0]];
        let mut head = vec![0.0_f64; shape.head().len()];
        shape.head().pack_row_major(rows.as_flattened(), &mut head);
        let mut code = vec![f64::NAN; shape.code().len()];
        let (mut sigma, mut penalty) = (vec![0.0; 4], vec![0.0; 2]);
        let noise = [1.0, -2.0, 0.5, 0.25];
        code_and_penalty(shape, &head, &noise, &mut sigma, &mut code, &mut penalty);
        let expected =
            kl_by_quadrature(0.3, 2.0_f64.sqrt()) + kl_by_quadrature(-1.2, (-0.5_f64).exp());
        assert!(
            (penalty[0] - expected).abs() < 1e-9,
            "{} against {expected}",
            penalty[0]
        );
        assert_eq!(penalty[1], 0.0);
        assert!((code[0] - (0.3 + 2.0_f64.sqrt())).abs() < 1e-15);
        assert_eq!(code[16], 0.5);
        assert!(code[2..16].iter().all(|&padding| padding == 0.0));
    }

    #[test]
    fn the_quadratic_penalty_is_half_the_squared_norm() {
        let shape = LatentShape {
            kind: ModelKind::AeL2,
            log_sigma_factor: 0.5,
            images: 1,
            samples: 1,
            latent: 2,
        };
        let mut head = vec![0.0_f64; 16];
        head[..2].copy_from_slice(&[3.0, -4.0]);
        let (mut code, mut penalty) = (vec![0.0; 16], vec![0.0]);
        code_and_penalty(shape, &head, &[], &mut [], &mut code, &mut penalty);
        assert_eq!((penalty[0], code[0], code[1]), (12.5, 3.0, -4.0));
        let shape = LatentShape {
            kind: ModelKind::Ae,
            ..shape
        };
        code_and_penalty(shape, &head, &[], &mut [], &mut code, &mut penalty);
        assert_eq!(penalty[0], 0.0);
    }
}
