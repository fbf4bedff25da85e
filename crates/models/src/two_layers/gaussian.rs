//! Gaussian layers over panels: sampling, log densities and the gradients by
//! mean and log σ².

use tensor_ops::Float;
use tensor_ops::panels::{LANES, Panels};

use super::spec::gaussian_width;

/// A Gaussian layer of a block: `heads` rows of μ and log σ², each with
/// `samples` consecutive rows of codes.
#[derive(Clone, Copy, Debug)]
pub(super) struct GaussianShape {
    pub(super) heads: usize,
    pub(super) samples: usize,
    pub(super) latent: usize,
}

impl GaussianShape {
    /// μ and log σ², and their gradient.
    pub(super) fn head(self) -> Panels {
        Panels::new(self.heads, gaussian_width(self.latent))
    }

    /// The codes, and their gradient.
    pub(super) fn code(self) -> Panels {
        Panels::new(self.heads * self.samples, self.latent)
    }

    /// Where log σ² begins in the head; as many elements follow.
    pub(super) fn scale_start(self) -> usize {
        self.latent.div_ceil(LANES) * self.heads * LANES
    }

    /// Panels, each with the number of lanes that are not padding.
    fn panels(self) -> impl Iterator<Item = (usize, usize)> {
        let latent = self.latent;
        (0..latent.div_ceil(LANES)).map(move |panel| (panel, LANES.min(latent - panel * LANES)))
    }
}

/// Deviates by row of codes: `values[row · stride + first ..]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise<'a, T> {
    pub(super) values: &'a [T],
    pub(super) stride: usize,
    pub(super) first: usize,
}

/// h = μ + σ·ε of every code, and adds −log q(h), without its ½ log 2π, to
/// `log_ratio` by code: ½ Σ_j (ε_j² + log σ_j²).
pub(super) fn sample<T: Float>(
    shape: GaussianShape,
    head: &[T],
    sigma: &[T],
    noise: Noise<'_, T>,
    code: &mut [T],
    log_ratio: &mut [f64],
) {
    let (mean, log_variance) = head.split_at(shape.scale_start());
    let (mean, log_variance) = (lines(mean), lines(log_variance));
    let sigma = lines(sigma);
    let code = code.as_chunks_mut::<LANES>().0;
    for (row, log_ratio) in log_ratio.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (panel, width) in shape.panels() {
            let at = panel * shape.heads + row / shape.samples;
            let mut epsilon = [T::ZERO; LANES];
            let first = row * noise.stride + noise.first + panel * LANES;
            epsilon[..width].copy_from_slice(&noise.values[first..first + width]);
            let code = &mut code[panel * shape.code().rows + row];
            for lane in 0..LANES {
                code[lane] = mean[at][lane] + sigma[at][lane] * epsilon[lane];
                let epsilon = epsilon[lane].to_f64();
                sums[lane] += epsilon * epsilon + log_variance[at][lane].to_f64();
            }
            code[width..].fill(T::ZERO);
        }
        *log_ratio += 0.5 * sums.iter().sum::<f64>();
    }
}

/// Adds log N(h; 0, I), without its ½ log 2π, to `log_ratio` by code.
pub(super) fn add_standard_density<T: Float>(
    shape: GaussianShape,
    code: &[T],
    log_ratio: &mut [f64],
) {
    let code = lines(code);
    for (row, log_ratio) in log_ratio.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (panel, _) in shape.panels() {
            let line = &code[panel * shape.code().rows + row];
            for (sum, h) in sums.iter_mut().zip(line) {
                *sum += h.to_f64() * h.to_f64();
            }
        }
        *log_ratio -= 0.5 * sums.iter().sum::<f64>();
    }
}

/// Adds log N(h; m, diag s²), without its ½ log 2π, to `log_ratio` by code:
/// −½ Σ_j ((h_j − m_j)²/s_j² + log s_j²). `precision` is 1/s²; it becomes
/// (h − m)/s², which the gradient needs.
pub(super) fn add_density<T: Float>(
    shape: GaussianShape,
    head: &[T],
    precision: &mut [T],
    code: &[T],
    log_ratio: &mut [f64],
) {
    let (mean, log_variance) = head.split_at(shape.scale_start());
    let (mean, log_variance, code) = (lines(mean), lines(log_variance), lines(code));
    let precision = precision.as_chunks_mut::<LANES>().0;
    for (row, log_ratio) in log_ratio.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (panel, _) in shape.panels() {
            let at = panel * shape.heads + row;
            for lane in 0..LANES {
                let difference = code[at][lane] - mean[at][lane];
                let scaled = difference * precision[at][lane];
                precision[at][lane] = scaled;
                let (difference, scaled) = (difference.to_f64(), scaled.to_f64());
                sums[lane] += difference * scaled + log_variance[at][lane].to_f64();
            }
        }
        *log_ratio -= 0.5 * sums.iter().sum::<f64>();
    }
}

/// Gradient of −v log N(h; m, diag s²) by m and log s², for the weight v of
/// every code, given (h − m)/s²: −v (h − m)/s² and ½ v (1 − (h − m)²/s²).
pub(super) fn density_gradient<T: Float>(
    shape: GaussianShape,
    head: &[T],
    scaled: &[T],
    code: &[T],
    weights: &[T],
    gradient: &mut [T],
) {
    let half = T::from_f64(0.5);
    let (mean, scaled, code) = (lines(head), lines(scaled), lines(code));
    let (by_mean, by_scale) = gradient.split_at_mut(shape.scale_start());
    let by_mean = by_mean.as_chunks_mut::<LANES>().0;
    let by_scale = by_scale.as_chunks_mut::<LANES>().0;
    for (panel, width) in shape.panels() {
        for (row, &weight) in weights.iter().enumerate() {
            let at = panel * shape.heads + row;
            for lane in 0..LANES {
                let weighed = weight * scaled[at][lane];
                let difference = code[at][lane] - mean[at][lane];
                by_mean[at][lane] = -weighed;
                by_scale[at][lane] = half * (weight - weighed * difference);
            }
            by_scale[at][width..].fill(T::ZERO);
        }
    }
}

/// Gradient by μ and log σ² of codes h = μ + σ·ε that enter the loss with the
/// gradient g by each, besides the entropy's −½ v log σ²:
/// Σ_s g_s and ½ Σ_s (g_s (h_s − μ) − v_s), as ∂h/∂(log σ²) = ½ σ ε = ½ (h − μ).
pub(super) fn sample_gradient<T: Float>(
    shape: GaussianShape,
    head: &[T],
    code: &[T],
    code_gradient: &[T],
    weights: &[T],
    gradient: &mut [T],
) {
    let half = T::from_f64(0.5);
    let (mean, code, code_gradient) = (lines(head), lines(code), lines(code_gradient));
    let (by_mean, by_scale) = gradient.split_at_mut(shape.scale_start());
    let by_mean = by_mean.as_chunks_mut::<LANES>().0;
    let by_scale = by_scale.as_chunks_mut::<LANES>().0;
    for (panel, width) in shape.panels() {
        for head in 0..shape.heads {
            let at = panel * shape.heads + head;
            let (mut sum, mut spread) = ([T::ZERO; LANES], [T::ZERO; LANES]);
            let first = head * shape.samples;
            let rows = weights.iter().enumerate().skip(first);
            for (row, &weight) in rows.take(shape.samples) {
                let line = panel * shape.code().rows + row;
                for lane in 0..LANES {
                    let g = code_gradient[line][lane];
                    sum[lane] += g;
                    spread[lane] += g * (code[line][lane] - mean[at][lane]) - weight;
                }
            }
            by_mean[at] = sum;
            by_scale[at] = spread.map(|spread| half * spread);
            by_mean[at][width..].fill(T::ZERO);
            by_scale[at][width..].fill(T::ZERO);
        }
    }
}

fn lines<T>(panels: &[T]) -> &[[T; LANES]] {
    panels.as_chunks::<LANES>().0
}
