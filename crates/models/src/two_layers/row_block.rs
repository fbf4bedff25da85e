//! A block of images through both layers: log weights, and the hand-derived
//! gradient.

use std::ops::Range;

use tensor_ops::linear::RowBlock;
use tensor_ops::loss::SampledRows;
use tensor_ops::panels::{LANES, Panels, Support};
use tensor_ops::{Float, reduce, vector};

use super::chain::{Chains, Source};
use super::gaussian::{
    GaussianShape, Noise, add_density, add_standard_density, density_gradient, sample,
    sample_gradient,
};
use super::spec::{StochasticNetworks, TwoLayerSpec};
use crate::aligned::AlignedBuffer;
use crate::batch::BatchSource;
use crate::importance::normalise;
use crate::layout::Layout;
use crate::likelihood::PixelLikelihood;
use crate::objective::Bound;
use crate::parameters::Parameters;

/// Buffers of one contiguous block of images, allocated once for the largest.
///
/// All matrices are in panel layout. Up to the head of q(h₁|x) rows are
/// images; from h₁ on each image has a row for every sample.
#[derive(Debug)]
pub(super) struct StochasticBlock<T: Float> {
    networks: StochasticNetworks,
    likelihood: PixelLikelihood<T>,
    latent: [usize; 2],
    inputs: usize,
    images: usize,
    samples: usize,
    x: AlignedBuffer<T>,
    support: Support,
    noise: Vec<T>,
    /// h₁ and h₂.
    codes: [AlignedBuffer<T>; 2],
    /// σ₁ and σ₂.
    sigma: [AlignedBuffer<T>; 2],
    /// 1/s², then (h₁ − m)/s².
    scaled: AlignedBuffer<T>,
    /// The decoder's last output is replaced by its gradient where
    /// [`decode`](Self::decode) takes the loss, and both change places before
    /// the backward pass.
    chains: Chains<T>,
    /// By h₁ through the decoder and through q(h₂|h₁), and by h₂.
    by_lower: [AlignedBuffer<T>; 2],
    by_upper: AlignedBuffer<T>,
    /// −log p(x|h₁) of every sample.
    reconstruction: Vec<T>,
    /// log p(h₁|h₂) + log p(h₂) − log q(h₁|x) − log q(h₂|h₁) of every sample.
    log_ratio: Vec<f64>,
    /// Share of every sample in the loss of its image: 1/k or w̃.
    weights: Vec<T>,
    /// Room for the log weights of one image.
    log_weights: Vec<f64>,
    losses: Vec<ImageLosses>,
}

/// The losses of one image, in nats.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ImageLosses {
    /// −log p(x|h₁), the mean over the samples.
    pub(super) reconstruction: f64,
    /// log q − log p of both layers' codes, the mean over the samples.
    pub(super) kl: f64,
    /// What is minimised.
    pub(super) loss: f64,
}

impl<T: Float> StochasticBlock<T> {
    /// Buffers for up to `images` images of up to `samples` samples.
    pub(super) fn new(spec: &TwoLayerSpec, layout: &Layout, images: usize, samples: usize) -> Self {
        let networks = spec.networks();
        let latent = [spec.lower.latent, spec.upper.latent];
        let rows = images * samples;
        let buffer = |rows, cols| AlignedBuffer::zeroed(Panels::new(rows, cols).len());
        let x = buffer(images, spec.lower.inputs);
        let mut support = Support::new();
        // Scanned once at full size, later scans allocate nothing.
        support.scan(Panels::new(images, spec.lower.inputs), &x);
        Self {
            chains: Chains::new(layout, |layer| {
                let is_of_images = networks.lower_encoder.contains(&layer);
                if is_of_images { images } else { rows }
            }),
            networks,
            likelihood: PixelLikelihood::new(&spec.lower_model()),
            latent,
            inputs: spec.lower.inputs,
            images: 0,
            samples,
            x,
            support,
            noise: vec![T::ZERO; rows * spec.noise_width()],
            codes: latent.map(|latent| buffer(rows, latent)),
            sigma: [buffer(images, latent[0]), buffer(rows, latent[1])],
            scaled: buffer(rows, latent[0]),
            by_lower: [buffer(rows, latent[0]), buffer(rows, latent[0])],
            by_upper: buffer(rows, latent[1]),
            reconstruction: vec![T::ZERO; rows],
            log_ratio: vec![0.0; rows],
            weights: vec![T::ZERO; rows],
            log_weights: vec![0.0; samples],
            losses: vec![ImageLosses::default(); images],
        }
    }

    /// Takes images of a batch as far as their codes, `samples` for each.
    pub(super) fn encode(
        &mut self,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
        images: Range<usize>,
        samples: usize,
    ) {
        (self.images, self.samples) = (images.len(), samples);
        if self.is_empty() {
            return;
        }
        let rows = self.rows();
        let pixels = Panels::new(self.images, self.inputs);
        let x = &mut self.x[..pixels.len()];
        batch.pack_pixels(images.clone(), pixels, x);
        self.support.scan(pixels, x);
        let stride = self.latent[0] + self.latent[1];
        let noise = &mut self.noise[..rows * stride];
        batch.fill_noise(images.start * samples..images.end * samples, stride, noise);
        self.log_ratio[..rows].fill(0.0);
        for layer in 0..2 {
            let (shape, network) = (self.posterior(layer), self.encoder(layer));
            let source = Source {
                rows: shape.heads,
                values: if layer == 0 { &self.x } else { &self.codes[0] },
                support: (layer == 0).then_some(&self.support),
            };
            self.chains.forward(parameters, network.clone(), source);
            let head = &self.chains.outputs[network.end - 1][..shape.head().len()];
            let log_variance = &head[shape.scale_start()..];
            let sigma = &mut self.sigma[layer][..log_variance.len()];
            let half = T::from_f64(0.5);
            for (sigma, &log_variance) in sigma.iter_mut().zip(log_variance) {
                *sigma = half * log_variance;
            }
            vector::exp_in_place(sigma);
            let noise = Noise {
                values: &self.noise[..rows * stride],
                stride,
                first: layer * self.latent[0],
            };
            let code = &mut self.codes[layer][..shape.code().len()];
            sample(shape, head, sigma, noise, code, &mut self.log_ratio[..rows]);
        }
    }

    /// The rest of the forward pass of what [`encode`](Self::encode) was given.
    /// Per sample, the ½ log 2π of all dimensions cancelled,
    ///
    /// ```text
    /// log w = log p(x|h₁) + log p(h₁|h₂) + log p(h₂) − log q(h₁|x) − log q(h₂|h₁)
    ///       = −R − ½ Σ ((h₁ − m)²/s² + log s²) − ½ Σ h₂²
    ///         + ½ Σ (ε₁² + log σ₁²) + ½ Σ (ε₂² + log σ₂²)
    /// ```
    ///
    /// What [`backward`](Self::backward) needs is left behind.
    pub(super) fn decode(&mut self, parameters: &Parameters<T>) {
        let (sampled, last) = self.forward(parameters);
        self.likelihood.losses_and_gradients(
            sampled,
            &mut self.chains.outputs[last][..sampled.shape.len()],
            &mut [],
            &self.x[..sampled.targets().len()],
            &mut self.reconstruction[..sampled.shape.rows],
        );
    }

    /// The same where no backward pass follows.
    pub(super) fn decode_alone(&mut self, parameters: &Parameters<T>) {
        let (sampled, last) = self.forward(parameters);
        self.likelihood.losses(
            sampled,
            &self.chains.outputs[last][..sampled.shape.len()],
            &self.x[..sampled.targets().len()],
            &mut self.reconstruction[..sampled.shape.rows],
        );
    }

    /// From the codes to the log ratio and to the decoder's last output, whose
    /// rows and layer it gives.
    fn forward(&mut self, parameters: &Parameters<T>) -> (SampledRows, usize) {
        let rows = self.rows();
        let StochasticNetworks { prior, decoder, .. } = self.networks.clone();
        let source = source_of(&self.codes[1], rows);
        self.chains.forward(parameters, prior.clone(), source);
        let shape = self.conditional_prior();
        let head = &self.chains.outputs[prior.end - 1][..shape.head().len()];
        let log_variance = &head[shape.scale_start()..];
        let scaled = &mut self.scaled[..log_variance.len()];
        for (scaled, &log_variance) in scaled.iter_mut().zip(log_variance) {
            *scaled = -log_variance;
        }
        vector::exp_in_place(scaled);
        let log_ratio = &mut self.log_ratio[..rows];
        let [lower, upper] = &self.codes;
        add_density(shape, head, scaled, &lower[..shape.code().len()], log_ratio);
        let shape = self.posterior(1);
        let log_ratio = &mut self.log_ratio[..rows];
        add_standard_density(shape, &upper[..shape.code().len()], log_ratio);

        let source = source_of(lower, rows);
        self.chains.forward(parameters, decoder.clone(), source);
        let sampled = SampledRows {
            shape: Panels::new(rows, self.inputs),
            samples: self.samples,
        };
        self.likelihood.read(parameters);
        (sampled, decoder.end - 1)
    }

    /// log w of every sample, in nats.
    pub(super) fn log_weights(&self) -> impl ExactSizeIterator<Item = f64> {
        let losses = &self.reconstruction[..self.rows()];
        let pairs = losses.iter().zip(&self.log_ratio);
        pairs.map(|(loss, ratio)| ratio - loss.to_f64())
    }

    /// The losses of every image, and what the samples count for in
    /// [`backward`](Self::backward): 1/k of each under the plain bound, the
    /// mean of log w; w̃ under log (1/k) Σ w.
    pub(super) fn weigh_samples(&mut self, bound: Bound) {
        let samples = self.samples;
        let share = 1.0 / samples as f64;
        for image in 0..self.images {
            let rows = image * samples..(image + 1) * samples;
            let (losses, ratios) = (
                &self.reconstruction[rows.clone()],
                &self.log_ratio[rows.clone()],
            );
            let reconstruction = losses.iter().map(|loss| loss.to_f64()).sum::<f64>() * share;
            let kl = -reduce::sum(ratios) * share;
            let weights = &mut self.weights[rows];
            let loss = match bound {
                Bound::Elbo => {
                    weights.fill(T::from_f64(share));
                    reconstruction + kl
                }
                Bound::Iwae => {
                    let log_weights = &mut self.log_weights[..samples];
                    for (log_weight, (loss, ratio)) in
                        log_weights.iter_mut().zip(losses.iter().zip(ratios))
                    {
                        *log_weight = ratio - loss.to_f64();
                    }
                    normalise(log_weights, weights)
                }
            };
            self.losses[image] = ImageLosses {
                reconstruction,
                kl,
                loss,
            };
        }
    }

    /// The losses of the images in order, as
    /// [`weigh_samples`](Self::weigh_samples) has left them.
    pub(super) fn losses(&self) -> &[ImageLosses] {
        &self.losses[..self.images]
    }

    /// Activation gradients of the loss Σ_s v_s (−log w_s) with the weights v
    /// that [`weigh_samples`](Self::weigh_samples) has left: the gradient of
    /// both bounds, as ∂(−log Σ w) = −Σ w̃ ∂(log w).
    ///
    /// Every h is a function of the parameters with ε fixed. With
    /// u = (h₁ − m)/s², per sample,
    ///
    /// ```text
    /// by the decoder's outputs a    v ∂R/∂a
    /// by m and log s²               −v u,  ½ v (1 − (h₁ − m) u)
    /// by h₂            g₂ = v h₂ + through the prior's network
    /// by μ₂ and log σ₂²             g₂,  ½ (g₂ (h₂ − μ₂) − v)
    /// by h₁            g₁ = v u + through the decoder + through q(h₂|h₁)
    /// by μ₁ and log σ₁²             Σ_s g₁,  ½ Σ_s (g₁ (h₁ − μ₁) − v)
    /// ```
    ///
    /// where −½ v is the derivative of −½ v Σ (ε² + log σ²), and
    /// ∂h/∂(log σ²) = ½ σ ε = ½ (h − μ). Each network below is a chain of linear
    /// layers. The weight gradients Σ hᵀδ are left to the caller, which has all
    /// blocks.
    pub(super) fn backward(&mut self, parameters: &Parameters<T>) {
        let rows = self.rows();
        let weights = &self.weights[..rows];
        let (lower, upper, prior_shape) = (
            self.posterior(0),
            self.posterior(1),
            self.conditional_prior(),
        );
        let StochasticNetworks {
            lower_encoder,
            upper_encoder,
            prior,
            decoder,
        } = self.networks.clone();
        let h1 = &self.codes[0][..lower.code().len()];
        let h2 = &self.codes[1][..upper.code().len()];
        let chains = &mut self.chains;
        let head_of = |network: &Range<usize>| network.end - 1;

        let last = head_of(&decoder);
        std::mem::swap(&mut chains.outputs[last], &mut chains.gradients[last]);
        let pixels = Panels::new(rows, self.inputs);
        pixels.scale_rows(weights, &mut chains.gradients[last][..pixels.len()]);
        let [through_decoder, through_encoder] = &mut self.by_lower;
        let by_h1 = &mut through_decoder[..h1.len()];
        let source = source_of(h1, rows);
        chains.backward(parameters, decoder, source, Some(&mut *by_h1));

        density_gradient(
            prior_shape,
            &chains.outputs[head_of(&prior)][..prior_shape.head().len()],
            &self.scaled[..h1.len()],
            h1,
            weights,
            &mut chains.gradients[head_of(&prior)][..prior_shape.head().len()],
        );
        let by_h2 = &mut self.by_upper[..h2.len()];
        let source = source_of(h2, rows);
        chains.backward(parameters, prior.clone(), source, Some(&mut *by_h2));
        for panel in by_h2
            .chunks_exact_mut(rows * LANES)
            .zip(h2.chunks_exact(rows * LANES))
        {
            let lines = panel.0.as_chunks_mut::<LANES>().0.iter_mut();
            let codes = panel.1.as_chunks::<LANES>().0;
            for ((line, code), &weight) in lines.zip(codes).zip(weights) {
                for (g, &h) in line.iter_mut().zip(code) {
                    *g += weight * h;
                }
            }
        }
        sample_gradient(
            upper,
            &chains.outputs[head_of(&upper_encoder)][..upper.head().len()],
            h2,
            by_h2,
            weights,
            &mut chains.gradients[head_of(&upper_encoder)][..upper.head().len()],
        );

        let through_encoder = &mut through_encoder[..h1.len()];
        let source = source_of(h1, rows);
        chains.backward(
            parameters,
            upper_encoder,
            source,
            Some(&mut *through_encoder),
        );
        // v u is minus the gradient by m, whose panels are those of h₁.
        let by_prior_mean = &chains.gradients[head_of(&prior)][..h1.len()];
        for ((g, &through), &by_mean) in by_h1.iter_mut().zip(&*through_encoder).zip(by_prior_mean)
        {
            *g += through - by_mean;
        }
        sample_gradient(
            lower,
            &chains.outputs[head_of(&lower_encoder)][..lower.head().len()],
            h1,
            by_h1,
            weights,
            &mut chains.gradients[head_of(&lower_encoder)][..lower.head().len()],
        );
        let source = source_of(&self.x, self.images);
        chains.backward(parameters, lower_encoder, source, None);
    }

    /// What the weight gradient of a layer is contracted from.
    pub(super) fn gradient_terms(&self, layout: &Layout, layer: usize) -> RowBlock<'_, T> {
        let networks = &self.networks;
        let rows = self.rows();
        let (network, source) = if networks.lower_encoder.contains(&layer) {
            let source = Source {
                support: Some(&self.support),
                ..source_of(&self.x, self.images)
            };
            (&networks.lower_encoder, source)
        } else if networks.upper_encoder.contains(&layer) {
            (&networks.upper_encoder, source_of(&self.codes[0], rows))
        } else if networks.prior.contains(&layer) {
            (&networks.prior, source_of(&self.codes[1], rows))
        } else {
            (&networks.decoder, source_of(&self.codes[0], rows))
        };
        self.chains.gradient_terms(layout, network, layer, source)
    }

    /// Index of the first layer, in forward order, whose output is not finite,
    /// after a backward pass.
    pub(super) fn first_non_finite_output(&self, layout: &Layout) -> Option<usize> {
        let last = self.networks.decoder.end - 1;
        (0..=last).find(|&layer| {
            let is_of_images = self.networks.lower_encoder.contains(&layer);
            let rows = if is_of_images {
                self.images
            } else {
                self.rows()
            };
            let len = Panels::new(rows, layout.layers()[layer].outputs).len();
            let output = if layer == last {
                &self.chains.gradients[layer]
            } else {
                &self.chains.outputs[layer]
            };
            // The gradient in the place of the last output has been weighed:
            // where the weight is not finite it tells nothing of the output.
            let tells = |row: usize| layer != last || self.weights[row].is_finite();
            let lines = output[..len].as_chunks::<LANES>().0.iter().enumerate();
            lines
                .filter(|(at, _)| tells(at % rows))
                .any(|(_, line)| line.iter().any(|value| !value.is_finite()))
        })
    }

    /// The means of q(h₁|x) by image and of q(h₂|h₁) by sample, row-major.
    pub(super) fn posterior_means(&self, layer: usize, means: &mut [T]) {
        let shape = self.posterior(layer);
        let head = &self.chains.outputs[self.encoder(layer).end - 1];
        for (row, means) in means.chunks_exact_mut(shape.latent).enumerate() {
            for (j, mean) in means.iter_mut().enumerate() {
                *mean = head[shape.head().index(row, j)];
            }
        }
    }

    /// Whether the batch in hand has no image for this block.
    pub(super) fn is_empty(&self) -> bool {
        self.images == 0
    }

    fn rows(&self) -> usize {
        self.images * self.samples
    }

    fn encoder(&self, layer: usize) -> Range<usize> {
        if layer == 0 {
            self.networks.lower_encoder.clone()
        } else {
            self.networks.upper_encoder.clone()
        }
    }

    /// q(h₁|x) or q(h₂|h₁).
    fn posterior(&self, layer: usize) -> GaussianShape {
        let (heads, samples) = if layer == 0 {
            (self.images, self.samples)
        } else {
            (self.rows(), 1)
        };
        GaussianShape {
            heads,
            samples,
            latent: self.latent[layer],
        }
    }

    /// p(h₁|h₂).
    fn conditional_prior(&self) -> GaussianShape {
        GaussianShape {
            heads: self.rows(),
            samples: 1,
            latent: self.latent[0],
        }
    }
}

fn source_of<T>(values: &[T], rows: usize) -> Source<'_, T> {
    Source {
        rows,
        values,
        support: None,
    }
}
