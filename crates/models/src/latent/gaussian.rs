//! Diagonal Gaussians over panels: sampling, log densities and the gradients by
//! mean and scale.

use tensor_ops::panels::{LANES, Panels};
use tensor_ops::{AlignedBuffer, Float, vector};

use super::BlockRows;
use crate::network::layout::scale_column;
use crate::spec::ModelSpec;

/// A Gaussian layer of a block: `heads` rows of μ and of its scale l, with
/// log σ = c·l, each with `samples` consecutive rows of codes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GaussianShape {
    pub(crate) heads: usize,
    pub(crate) samples: usize,
    pub(crate) latent: usize,
    /// The column of the head at which l begins.
    scale_column: usize,
    /// c: ½ for l = log σ², 1 for l = log σ.
    pub(crate) log_sigma_factor: f64,
}

impl GaussianShape {
    /// A layer of `latent` dimensions of a model.
    pub(crate) fn new(spec: &ModelSpec, latent: usize, rows: BlockRows) -> Self {
        Self {
            heads: rows.images,
            samples: rows.samples,
            latent,
            scale_column: scale_column(&spec.architecture, latent),
            log_sigma_factor: spec.posterior_scale.log_sigma_factor(),
        }
    }

    /// The same of other rows.
    pub(crate) fn of(self, rows: BlockRows) -> Self {
        Self {
            heads: rows.images,
            samples: rows.samples,
            ..self
        }
    }

    /// μ and l, and their gradient.
    pub(crate) fn head(self) -> Panels {
        Panels::new(self.heads, self.scale_column + self.latent)
    }

    /// The codes, and their gradient.
    pub(crate) fn code(self) -> Panels {
        Panels::new(self.heads * self.samples, self.latent)
    }

    /// σ, and whatever else has a number for each dimension of a head.
    pub(crate) fn sigma(self) -> Panels {
        Panels::new(self.heads, self.latent)
    }

    /// Position of dimension j of a row's scale in the head.
    pub(crate) fn scale_at(self, row: usize, j: usize) -> usize {
        self.head().index(row, self.scale_column + j)
    }

    /// l of a row in the dimensions of a panel of codes; where padding begins,
    /// 0.
    fn scales<T: Float>(self, head: &[T], row: usize, panel: usize) -> [T; LANES] {
        let first = panel * LANES;
        if self.scale_column.is_multiple_of(LANES) {
            let line = (self.scale_column + first) / LANES * self.heads + row;
            return lines(head)[line];
        }
        let width = LANES.min(self.latent - first);
        let mut scales = [T::ZERO; LANES];
        for (lane, scale) in scales[..width].iter_mut().enumerate() {
            *scale = head[self.scale_at(row, first + lane)];
        }
        scales
    }

    /// 2c: log σ² of l.
    fn log_variance_factor<T: Float>(self) -> T {
        T::from_f64(2.0 * self.log_sigma_factor)
    }

    /// Where the scale begins in a head that has it in panels of its own.
    fn scale_start(self) -> usize {
        debug_assert!(self.scale_column.is_multiple_of(LANES));
        self.scale_column * self.heads
    }

    /// Panels, each with the number of lanes that are not padding.
    fn panels(self) -> impl Iterator<Item = (usize, usize)> {
        let latent = self.latent;
        (0..latent.div_ceil(LANES)).map(move |panel| (panel, LANES.min(latent - panel * LANES)))
    }
}

/// Deviates by row of codes: `values[row · stride + first ..]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise<'a, T> {
    pub(crate) values: &'a [T],
    pub(crate) stride: usize,
    pub(crate) first: usize,
}

impl<T: Float> Noise<'_, T> {
    /// Those of a row of codes in the dimensions of a panel; beyond `width`, 0.
    fn line(self, row: usize, panel: usize, width: usize) -> [T; LANES] {
        let mut line = [T::ZERO; LANES];
        let first = row * self.stride + self.first + panel * LANES;
        line[..width].copy_from_slice(&self.values[first..first + width]);
        line
    }
}

/// The posterior of a stochastic layer and its codes.
#[derive(Debug)]
pub(crate) struct GaussianLayer<T> {
    pub(crate) shape: GaussianShape,
    pub(crate) sigma: AlignedBuffer<T>,
    pub(crate) code: AlignedBuffer<T>,
}

impl<T: Float> GaussianLayer<T> {
    pub(crate) fn new(spec: &ModelSpec, latent: usize, rows: BlockRows) -> Self {
        let shape = GaussianShape::new(spec, latent, rows);
        Self {
            shape,
            sigma: AlignedBuffer::zeroed(shape.sigma().len()),
            code: AlignedBuffer::zeroed(shape.code().len()),
        }
    }

    /// Draws the codes of all rows from the heads of the network before.
    pub(crate) fn sample(&mut self, rows: BlockRows, head: &[T], noise: Noise<'_, T>) {
        let shape = self.shape.of(rows);
        exponential_of_scale(shape, head, shape.log_sigma_factor, &mut self.sigma);
        sample(shape, head, &self.sigma, noise, &mut self.code);
    }
}

/// exp(factor · l) of every dimension of a head: σ with the factor c, the
/// precision 1/σ² with −2c.
pub(crate) fn exponential_of_scale<T: Float>(
    shape: GaussianShape,
    head: &[T],
    factor: f64,
    out: &mut [T],
) {
    let factor = T::from_f64(factor);
    for (panel, _) in shape.panels() {
        for row in 0..shape.heads {
            let scales = shape.scales(head, row, panel);
            let out = &mut out.as_chunks_mut::<LANES>().0[panel * shape.heads + row];
            *out = scales.map(|scale| factor * scale);
        }
    }
    vector::exp_in_place(&mut out[..shape.sigma().len()]);
}

/// z = μ + σ·ε of every code (Kingma & Welling 2014, arXiv 1312.6114, §2.4).
pub(crate) fn sample<T: Float>(
    shape: GaussianShape,
    head: &[T],
    sigma: &[T],
    noise: Noise<'_, T>,
    code: &mut [T],
) {
    let (mean, sigma) = (lines(head), lines(sigma));
    let code = code.as_chunks_mut::<LANES>().0;
    for (panel, width) in shape.panels() {
        for row in 0..shape.code().rows {
            let at = panel * shape.heads + row / shape.samples;
            let epsilon = noise.line(row, panel, width);
            let code = &mut code[panel * shape.code().rows + row];
            for lane in 0..LANES {
                code[lane] = mean[at][lane] + sigma[at][lane] * epsilon[lane];
            }
            code[width..].fill(T::ZERO);
        }
    }
}

/// Adds −log q(z), without its ½ log 2π, to `log_ratios` by code:
/// ½ Σ_j (ε_j² + log σ_j²).
pub(crate) fn add_negative_posterior<T: Float>(
    shape: GaussianShape,
    head: &[T],
    noise: Noise<'_, T>,
    log_ratios: &mut [f64],
) {
    let factor = shape.log_variance_factor::<T>();
    for (row, log_ratio) in log_ratios.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (panel, width) in shape.panels() {
            let scales = shape.scales(head, row / shape.samples, panel);
            let epsilon = noise.line(row, panel, width);
            for lane in 0..LANES {
                let epsilon = epsilon[lane].to_f64();
                sums[lane] += epsilon * epsilon + (factor * scales[lane]).to_f64();
            }
        }
        *log_ratio += 0.5 * sums.iter().sum::<f64>();
    }
}

/// Adds log N(h; 0, I), without its ½ log 2π, to `log_ratios` by code.
pub(crate) fn add_standard_density<T: Float>(
    shape: GaussianShape,
    code: &[T],
    log_ratios: &mut [f64],
) {
    let code = lines(code);
    for (row, log_ratio) in log_ratios.iter_mut().enumerate() {
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

/// Adds log N(h; m, diag s²), without its ½ log 2π, to `log_ratios` by code:
/// −½ Σ_j ((h_j − m_j)²/s_j² + log s_j²). `precision` is 1/s²; it becomes
/// (h − m)/s², which the gradient needs.
pub(crate) fn add_density<T: Float>(
    shape: GaussianShape,
    head: &[T],
    precision: &mut [T],
    code: &[T],
    log_ratios: &mut [f64],
) {
    let factor = shape.log_variance_factor::<T>();
    let (mean, code) = (lines(head), lines(code));
    let precision = precision.as_chunks_mut::<LANES>().0;
    for (row, log_ratio) in log_ratios.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (panel, _) in shape.panels() {
            let scales = shape.scales(head, row, panel);
            let at = panel * shape.heads + row;
            for lane in 0..LANES {
                let difference = code[at][lane] - mean[at][lane];
                let scaled = difference * precision[at][lane];
                precision[at][lane] = scaled;
                let (difference, scaled) = (difference.to_f64(), scaled.to_f64());
                sums[lane] += difference * scaled + (factor * scales[lane]).to_f64();
            }
        }
        *log_ratio -= 0.5 * sums.iter().sum::<f64>();
    }
}

/// Gradient of −v log N(h; m, diag s²) by m and by l with log s = c·l, for the
/// weight v of every code, given u = (h − m)/s²: −v u and c v (1 − (h − m) u).
/// `scaled` is u; it becomes v u.
pub(crate) fn density_gradient<T: Float>(
    shape: GaussianShape,
    head: &[T],
    scaled: &mut [T],
    code: &[T],
    weights: &[T],
    gradient: &mut [T],
) {
    let factor = T::from_f64(shape.log_sigma_factor);
    let (mean, code) = (lines(head), lines(code));
    let scaled = scaled.as_chunks_mut::<LANES>().0;
    let (by_mean, by_scale) = gradient.split_at_mut(shape.scale_start());
    let by_mean = by_mean.as_chunks_mut::<LANES>().0;
    let by_scale = by_scale.as_chunks_mut::<LANES>().0;
    for (panel, width) in shape.panels() {
        for (row, &weight) in weights.iter().enumerate() {
            let at = panel * shape.heads + row;
            for lane in 0..LANES {
                let weighed = weight * scaled[at][lane];
                let difference = code[at][lane] - mean[at][lane];
                scaled[at][lane] = weighed;
                by_mean[at][lane] = -weighed;
                by_scale[at][lane] = factor * (weight - weighed * difference);
            }
            by_scale[at][width..].fill(T::ZERO);
        }
    }
}

/// Gradient by μ and by l, with log σ = c·l, of codes h = μ + σ·ε that enter the
/// loss with the gradient g by each, besides the entropy's −v log σ:
/// Σ_s g_s and c Σ_s (g_s (h_s − μ) − v_s), as ∂h/∂l = c σ ε = c (h − μ).
pub(crate) fn sample_gradient<T: Float>(
    shape: GaussianShape,
    head: &[T],
    code: &[T],
    code_gradient: &[T],
    weights: &[T],
    gradient: &mut [T],
) {
    let factor = T::from_f64(shape.log_sigma_factor);
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
            by_scale[at] = spread.map(|spread| factor * spread);
            by_mean[at][width..].fill(T::ZERO);
            by_scale[at][width..].fill(T::ZERO);
        }
    }
}

fn lines<T>(panels: &[T]) -> &[[T; LANES]] {
    panels.as_chunks::<LANES>().0
}
