//! From the encoder's head to the code and back: sampling, the penalty, and
//! their hand-derived gradient.

use tensor_ops::panels::Panels;
use tensor_ops::{Float, vector};

use crate::spec::ModelKind;

/// The block of rows the latent pass works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LatentShape {
    pub(crate) kind: ModelKind,
    pub(crate) rows: usize,
    pub(crate) latent: usize,
}

impl LatentShape {
    /// The head's outputs, and their gradient.
    pub(crate) fn head(self) -> Panels {
        Panels {
            rows: self.rows,
            cols: self.kind.head_width(self.latent),
        }
    }

    /// The codes, and their gradient.
    pub(crate) fn code(self) -> Panels {
        Panels {
            rows: self.rows,
            cols: self.latent,
        }
    }
}

/// Codes and penalties of one block.
///
/// For a VAE the head holds μ and l = log σ² side by side and
///
/// * z = μ + σ·ε with σ = exp(l/2) and the given ε ~ N(0, 1)
///   (Kingma & Welling 2014, arXiv 1312.6114, §2.4),
/// * penalty = KL(N(μ, diag σ²) ‖ N(0, I)) = ½ Σ_j (μ_j² + σ_j² − l_j − 1)
///   (the same, appendix B).
///
/// For `ae-l2` z is the head and the penalty ½‖z‖², the part of the KL that
/// is left when σ is taken away; for `ae` there is no penalty.
///
/// `noise` and `sigma` are row-major `[rows, latent]` and used by a VAE only;
/// `sigma` receives σ for [`head_gradient`].
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
    for (row, sigma) in sigma.chunks_exact_mut(shape.latent).enumerate() {
        for (j, sigma) in sigma.iter_mut().enumerate() {
            *sigma = half * head[head_panels.index(row, shape.latent + j)];
        }
    }
    vector::exp_in_place(sigma);
    for (row, penalty) in penalty.iter_mut().enumerate() {
        let mut sum = T::ZERO;
        for j in 0..shape.latent {
            let mu = head[head_panels.index(row, j)];
            let log_variance = head[head_panels.index(row, shape.latent + j)];
            let sigma = sigma[row * shape.latent + j];
            code[code_panels.index(row, j)] = mu + sigma * noise[row * shape.latent + j];
            sum += mu * mu + sigma * sigma - log_variance - T::ONE;
        }
        *penalty = half * sum;
    }
}

/// Gradient of reconstruction + penalty by the head's outputs, given the
/// reconstruction's gradient g = ∂R/∂z by the code.
///
/// For a VAE, with z = μ + exp(l/2)·ε the chain rule gives
///
/// * ∂R/∂μ = g and ∂R/∂l = g·ε·∂σ/∂l = ½ g·ε·σ,
/// * ∂KL/∂μ = μ and ∂KL/∂l = ½ (exp(l) − 1) = ½ (σ² − 1),
///
/// so the head's gradient is μ-part: g + μ; log σ²-part: ½ (g·ε·σ + σ² − 1).
/// For `ae-l2` it is g + z, for `ae` g itself.
///
/// The last line is evaluated as ½ (σ·(g·ε + σ)) − ½: the order in which
/// reverse mode meets the terms, so that training on the tape gives the same
/// bits.
///
/// Nothing is scaled by the batch size here: that factor enters once, in the
/// weight gradients.
pub(crate) fn head_gradient<T: Float>(
    shape: LatentShape,
    head: &[T],
    noise: &[T],
    sigma: &[T],
    code_gradient: &[T],
    gradient: &mut [T],
) {
    let (head_panels, code_panels) = (shape.head(), shape.code());
    let half = T::from_f64(0.5);
    gradient.fill(T::ZERO);
    for row in 0..shape.rows {
        for j in 0..shape.latent {
            let g = code_gradient[code_panels.index(row, j)];
            let location = head_panels.index(row, j);
            gradient[location] = match shape.kind {
                ModelKind::Ae => g,
                ModelKind::AeL2 | ModelKind::Vae => g + head[location],
            };
            if shape.kind.is_variational() {
                let sigma = sigma[row * shape.latent + j];
                let epsilon = noise[row * shape.latent + j];
                gradient[head_panels.index(row, shape.latent + j)] =
                    half * (sigma * (g * epsilon + sigma)) - half;
            }
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
            rows: 2,
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
            rows: 1,
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
