//! Two stochastic layers, as in the second half of Table 1 of Burda, Grosse &
//! Salakhutdinov (2016, arXiv 1509.00519): x ← h₁ ← h₂.
//!
//! ```text
//! q(h₁|x)  = N(μ₁(x), diag σ₁²(x))       p(h₂)    = N(0, I)
//! q(h₂|h₁) = N(μ₂(h₁), diag σ₂²(h₁))     p(h₁|h₂) = N(m(h₂), diag s²(h₂))
//!                                        p(x|h₁)
//! ```
//!
//! Four networks. Neither bound has its KL in closed form: both are made of the
//! log weights of the samples. The code of the model is h₂, the one with a
//! standard normal prior.

pub(crate) mod program;

use tensor_ops::panels::LANES;
use tensor_ops::{AlignedBuffer, Float};

use super::gaussian::{
    GaussianLayer, GaussianShape, Noise, add_density, add_negative_posterior, add_standard_density,
    density_gradient, exponential_of_scale, sample_gradient,
};
use super::{BlockRows, Factors, LatentPass};
use crate::network::layout::Role;
use crate::network::pass::{Networks, Source};
use crate::spec::ModelSpec;

/// Both layers of a block, h₁ being the lower.
#[derive(Debug)]
pub(super) struct TwoLayers<T> {
    lower: GaussianLayer<T>,
    upper: GaussianLayer<T>,
    /// 1/s², then (h₁ − m)/s², then v times that.
    scaled: AlignedBuffer<T>,
    /// The gradient by h₁ through q(h₂|h₁), and by h₂.
    by_lower: AlignedBuffer<T>,
    by_upper: AlignedBuffer<T>,
}

/// The rows of the upper layer: each h₁ has one h₂.
fn of_codes(rows: BlockRows) -> BlockRows {
    BlockRows {
        images: rows.codes(),
        samples: 1,
    }
}

impl<T: Float> TwoLayers<T> {
    pub(super) fn new(spec: &ModelSpec, rows: BlockRows) -> Self {
        let [lower, upper] = [spec.architecture.decoded(), spec.architecture.latent];
        let lower = GaussianLayer::new(spec, lower, rows);
        let upper = GaussianLayer::new(spec, upper, of_codes(rows));
        let [by_lower, by_upper] = [&lower, &upper].map(|layer| layer.shape.code().len());
        Self {
            scaled: AlignedBuffer::zeroed(by_lower),
            by_lower: AlignedBuffer::zeroed(by_lower),
            by_upper: AlignedBuffer::zeroed(by_upper),
            lower,
            upper,
        }
    }

    /// The deviates of a sample are h₁'s, then h₂'s.
    fn noise<'a>(&self, values: &'a [T]) -> [Noise<'a, T>; 2] {
        let [lower, upper] = [self.lower.shape.latent, self.upper.shape.latent];
        [0, lower].map(|first| Noise {
            values,
            stride: lower + upper,
            first,
        })
    }

    /// p(h₁|h₂) of every sample.
    fn prior(&self, rows: BlockRows) -> GaussianShape {
        self.lower.shape.of(of_codes(rows))
    }
}

impl<T: Float> LatentPass<T> for TwoLayers<T> {
    fn sample(&mut self, rows: BlockRows, networks: &mut dyn Networks<T>, noise: &[T]) {
        let [of_lower, of_upper] = self.noise(noise);
        self.lower
            .sample(rows, networks.output(Role::Encoder), of_lower);
        let source = Source::dense(rows.codes(), &self.lower.code);
        networks.forward(Role::UpperEncoder, source);
        let head = networks.output(Role::UpperEncoder);
        self.upper.sample(of_codes(rows), head, of_upper);
    }

    fn source(&self, network: Role) -> &[T] {
        match network {
            Role::Prior => &self.upper.code,
            _ => &self.lower.code,
        }
    }

    fn penalties(&self) -> Option<&[T]> {
        None
    }

    /// Per sample, the ½ log 2π of all dimensions cancelled,
    ///
    /// ```text
    /// log p(h₁|h₂) + log p(h₂) − log q(h₁|x) − log q(h₂|h₁)
    ///   = ½ Σ (ε₁² + log σ₁²) + ½ Σ (ε₂² + log σ₂²)
    ///     − ½ Σ ((h₁ − m)²/s² + log s²) − ½ Σ h₂²
    /// ```
    fn log_ratios(
        &mut self,
        rows: BlockRows,
        networks: &mut dyn Networks<T>,
        noise: &[T],
        log_ratios: &mut [f64],
    ) {
        let [of_lower, of_upper] = self.noise(noise);
        let (lower, upper) = (
            self.lower.shape.of(rows),
            self.upper.shape.of(of_codes(rows)),
        );
        log_ratios.fill(0.0);
        add_negative_posterior(lower, networks.output(Role::Encoder), of_lower, log_ratios);
        let head = networks.output(Role::UpperEncoder);
        add_negative_posterior(upper, head, of_upper, log_ratios);

        networks.forward(Role::Prior, Source::dense(rows.codes(), &self.upper.code));
        let (prior, head) = (self.prior(rows), networks.output(Role::Prior));
        exponential_of_scale(prior, head, -2.0 * prior.log_sigma_factor, &mut self.scaled);
        add_density(prior, head, &mut self.scaled, &self.lower.code, log_ratios);
        add_standard_density(upper, &self.upper.code, log_ratios);
    }

    fn add_penalty_by_dimension(
        &self,
        _rows: BlockRows,
        _networks: &dyn Networks<T>,
        _sums: &mut [f64],
    ) {
        unreachable!("free bits are refused of a penalty without closed form");
    }

    /// Activation gradients of the loss Σ_s v_s (−log w_s) with the weights v of
    /// `factors`: the gradient of both bounds, as
    /// ∂(−log Σ w) = −Σ w̃ ∂(log w).
    ///
    /// Every h is a function of the parameters with ε fixed. With
    /// u = (h₁ − m)/s² and log σ = c·l of every scale l, per sample,
    ///
    /// ```text
    /// by the decoder's outputs a    v ∂R/∂a
    /// by m and the prior's l        −v u,  c v (1 − (h₁ − m) u)
    /// by h₂            g₂ = v h₂ + through the prior's network
    /// by μ₂ and l₂                  g₂,  c (g₂ (h₂ − μ₂) − v)
    /// by h₁            g₁ = v u + through the decoder + through q(h₂|h₁)
    /// by μ₁ and l₁                  Σ_s g₁,  c Σ_s (g₁ (h₁ − μ₁) − v)
    /// ```
    ///
    /// where −c v is the derivative of −½ v Σ (ε² + log σ²), and
    /// ∂h/∂l = c σ ε = c (h − μ).
    fn backward(
        &mut self,
        rows: BlockRows,
        networks: &mut dyn Networks<T>,
        _noise: &[T],
        factors: Factors<'_, T>,
        by_code: &mut [T],
    ) {
        let weights = factors.samples;
        let (lower, upper) = (
            self.lower.shape.of(rows),
            self.upper.shape.of(of_codes(rows)),
        );
        let prior = self.prior(rows);
        let (h1, h2) = (&self.lower.code, &self.upper.code);

        let scaled = &mut self.scaled;
        networks.differentiate(Role::Prior, rows.codes(), &mut |head, gradient| {
            density_gradient(prior, head, scaled, h1, weights, gradient);
        });
        let by_h2 = &mut self.by_upper[..upper.code().len()];
        networks.backward(
            Role::Prior,
            Source::dense(rows.codes(), h2),
            Some(&mut *by_h2),
        );
        add_weighed(by_h2, h2, weights);
        networks.differentiate(Role::UpperEncoder, rows.codes(), &mut |head, gradient| {
            sample_gradient(upper, head, h2, by_h2, weights, gradient);
        });

        let through_encoder = &mut self.by_lower[..lower.code().len()];
        let source = Source::dense(rows.codes(), h1);
        networks.backward(Role::UpperEncoder, source, Some(&mut *through_encoder));
        let parts = through_encoder.iter().zip(&**scaled);
        for (g, (&through, &weighed)) in by_code.iter_mut().zip(parts) {
            *g += through + weighed;
        }
        networks.differentiate(Role::Encoder, rows.images, &mut |head, gradient| {
            sample_gradient(lower, head, h1, by_code, weights, gradient);
        });
    }

    fn posterior_means(
        &self,
        layer: usize,
        rows: BlockRows,
        networks: &dyn Networks<T>,
        means: &mut [T],
    ) {
        let (shape, network) = match layer {
            0 => (self.lower.shape.of(rows), Role::Encoder),
            _ => (self.upper.shape.of(of_codes(rows)), Role::UpperEncoder),
        };
        let panels = shape.sigma();
        panels.unpack_row_major(&networks.output(network)[..panels.len()], means);
    }
}

/// Adds v·h of every row to the gradient by it, of log p(h) under N(0, I).
fn add_weighed<T: Float>(gradient: &mut [T], code: &[T], weights: &[T]) {
    let panel = weights.len() * LANES;
    for (gradient, code) in gradient
        .chunks_exact_mut(panel)
        .zip(code.chunks_exact(panel))
    {
        let lines = gradient.as_chunks_mut::<LANES>().0.iter_mut();
        let codes = code.as_chunks::<LANES>().0;
        for ((line, code), &weight) in lines.zip(codes).zip(weights) {
            for (g, &h) in line.iter_mut().zip(code) {
                *g += weight * h;
            }
        }
    }
}
