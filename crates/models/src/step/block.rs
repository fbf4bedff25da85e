//! A block of images through a model and back: the one training step, whoever
//! runs its networks.

use std::ops::Range;

use tensor_ops::loss::SampledRows;
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::{AlignedBuffer, Float, reduce};

use super::ImageLosses;
use super::input::Input;
use crate::latent::{BlockRows, Factors, LatentPass, pass};
use crate::likelihood::PixelLikelihood;
use crate::network::layout::Role;
use crate::network::pass::{Networks, Source};
use crate::objective::importance::normalise;
use crate::objective::{Bound, Objective};
use crate::spec::ModelSpec;
use crate::training::batch::BatchSource;

/// Buffers that a thread has for one contiguous block of images, allocated once
/// for the largest block and used with as many images as a batch gives it. Where
/// several threads run its networks, each has a block of the same images, whose
/// [`Input`] they share, and computes all of the codes: those are small.
///
/// All matrices are in panel layout. Up to the encoder's output their rows are
/// images; from the codes on each image has a row for every sample, one after
/// the other.
#[derive(Debug)]
pub(crate) struct Block<T: Float> {
    /// The rows of the batch in hand.
    rows: BlockRows,
    bound: Bound,
    /// The losses are complete after the forward pass: what weighs them depends on
    /// them, or other blocks go forward before this one goes back.
    has_losses_forward: bool,
    inputs: usize,
    decoded: usize,
    latent: Box<dyn LatentPass<T>>,
    code_gradient: AlignedBuffer<T>,
    /// −log p(x|z) of every code.
    reconstruction: Vec<T>,
    samples: SampleWeights<T>,
}

/// What the samples of an image count for. Empty where one sample counts
/// fully.
#[derive(Debug)]
struct SampleWeights<T> {
    /// v of every code: the factor of its reconstruction in the loss, 1/k or w̃.
    weights: Vec<T>,
    /// log p(z) − log q(z|x) of every code, where the loss is made of it.
    log_ratios: Vec<f64>,
    /// Room for the log weights of one image's codes.
    log_weights: Vec<f64>,
    /// −bound of every image, of importance weights.
    negative_bounds: Vec<f64>,
}

impl<T: Float> SampleWeights<T> {
    fn new(spec: &ModelSpec, bound: Bound, rows: BlockRows) -> Self {
        let is_importance = bound == Bound::Iwae;
        let has_ratios = is_importance || !spec.has_closed_form_penalty();
        let only_if = |condition, len| if condition { len } else { 0 };
        let share = T::from_f64(1.0 / rows.samples as f64);
        Self {
            weights: vec![share; only_if(has_ratios || rows.samples > 1, rows.codes())],
            log_ratios: vec![0.0; only_if(has_ratios, rows.codes())],
            log_weights: vec![0.0; only_if(is_importance, rows.samples)],
            negative_bounds: vec![0.0; only_if(is_importance, rows.images)],
        }
    }
}

impl<T: Float> Block<T> {
    /// Buffers for up to `capacity` images.
    pub(crate) fn new(spec: &ModelSpec, objective: &Objective, capacity: usize) -> Self {
        let rows = BlockRows {
            images: capacity,
            samples: objective.samples,
        };
        let (inputs, decoded) = (spec.architecture.inputs, spec.architecture.decoded());
        let samples = SampleWeights::new(spec, objective.bound, rows);
        Self {
            rows: BlockRows { images: 0, ..rows },
            bound: objective.bound,
            has_losses_forward: objective.is_of_batch() || !samples.weights.is_empty(),
            inputs,
            decoded,
            latent: pass(spec, rows),
            code_gradient: AlignedBuffer::zeroed(Panels::new(rows.codes(), decoded).len()),
            reconstruction: vec![T::ZERO; rows.codes()],
            samples,
        }
    }

    /// Forward pass of the batch's `images`, whose input has begun, and the losses
    /// that must be complete now; [`backward`](Self::backward) completes the others.
    pub(crate) fn forward(
        &mut self,
        input: &Input<T>,
        networks: &mut dyn Networks<T>,
        likelihood: &PixelLikelihood<T>,
        batch: &dyn BatchSource<T>,
        images: Range<usize>,
    ) {
        let samples = self.rows.samples;
        input.draw(
            networks,
            batch,
            images.start * samples..images.end * samples,
        );
        self.encode(input, networks, batch, images);
        if self.is_empty() {
            return;
        }
        self.sample(input, networks);
        self.decode(input, networks, likelihood);
        if self.has_losses_forward {
            networks.meet();
            self.complete_losses(networks, likelihood);
        }
        if self.bound == Bound::Iwae {
            self.weigh_samples();
        }
    }

    /// Takes the batch's `images` through the encoder.
    pub(crate) fn encode(
        &mut self,
        input: &Input<T>,
        networks: &mut dyn Networks<T>,
        batch: &dyn BatchSource<T>,
        images: Range<usize>,
    ) {
        self.rows.images = images.len();
        if self.is_empty() {
            return;
        }
        input.take(networks, batch, images.clone());
        networks.forward(Role::Encoder, input.source(images.len()));
    }

    /// Draws the codes of the images that were encoded, with the input's deviates.
    pub(crate) fn sample(&mut self, input: &Input<T>, networks: &mut dyn Networks<T>) {
        let rows = self.rows;
        self.latent
            .sample(rows, networks, input.noise(rows.codes()));
    }

    /// Takes the codes that were drawn to the losses, and their ratios where the
    /// objective asks for them.
    pub(crate) fn decode(
        &mut self,
        input: &Input<T>,
        networks: &mut dyn Networks<T>,
        likelihood: &PixelLikelihood<T>,
    ) {
        let rows = self.rows;
        if !self.samples.log_ratios.is_empty() {
            let noise = input.noise(rows.codes());
            let log_ratios = &mut self.samples.log_ratios[..rows.codes()];
            self.latent.log_ratios(rows, networks, noise, log_ratios);
        }
        networks.forward(Role::Decoder, self.source(input, Role::Decoder));
        let (sampled, targets) = (self.sampled(), input.pixels(rows.images));
        let losses = &mut self.reconstruction[..rows.codes()];
        networks.losses(likelihood, sampled, targets, losses);
    }

    /// Makes losses of what the threads have of them.
    fn complete_losses(&mut self, networks: &mut dyn Networks<T>, likelihood: &PixelLikelihood<T>) {
        let sampled = self.sampled();
        let losses = &mut self.reconstruction[..self.rows.codes()];
        networks.complete_losses(likelihood, sampled, losses);
    }

    fn sampled(&self) -> SampledRows {
        SampledRows {
            shape: Panels::new(self.rows.codes(), self.inputs),
            samples: self.rows.samples,
        }
    }

    /// Activation gradients of the images given to
    /// [`forward`](Self::forward), with `penalty` the weight of the penalty by
    /// latent dimension, and `of_batch` the gradient of one of the batch by the
    /// codes, row-major, or nothing.
    ///
    /// With a_l the pre-activation output of layer l, h_l = act(a_l) and
    /// δ_l = ∂L_i/∂a_l for the image's own loss L_i:
    ///
    /// * output layer: δ = v_s·∂R_s/∂a, for the Bernoulli R = Σ softplus(a) − t·a
    ///   and ∂R/∂a = σ(a) − t, with v_s = ∂L_i/∂R_s of the sample: 1 of one
    ///   sample, 1/k of k, w̃_s under importance weights; a learned ln σ is the
    ///   bias of a layer without inputs, with a δ of its own;
    /// * each layer below: ∂L_i/∂h_{l−1} = δ_l·W_lᵀ and
    ///   δ_{l−1} = (δ_l·W_lᵀ) ⊙ act'(h_{l−1});
    /// * codes and encoder's output: see the models in `latent`.
    ///
    /// The weight gradients Σ_i h_{l−1}ᵀ δ_l are left to the caller, which
    /// has all blocks.
    pub(crate) fn backward(
        &mut self,
        input: &Input<T>,
        networks: &mut dyn Networks<T>,
        likelihood: &PixelLikelihood<T>,
        penalty: &[T],
        of_batch: &[T],
    ) {
        let rows = self.rows;
        if self.is_empty() {
            return;
        }
        let (has_weights, sampled) = (!self.samples.weights.is_empty(), self.sampled());
        let weights = &self.samples.weights[..if has_weights { rows.codes() } else { 0 }];
        if has_weights {
            networks.weigh_losses(weights);
        }
        let len = Panels::new(rows.codes(), self.decoded).len();
        let by_code = &mut self.code_gradient[..len];
        let codes = Source::dense(rows.codes(), self.latent.source(Role::Decoder));
        networks.backward(Role::Decoder, codes, Some(&mut *by_code));
        if !self.has_losses_forward {
            // The threads have met on the way down the decoder.
            let losses = &mut self.reconstruction[..rows.codes()];
            networks.complete_losses(likelihood, sampled, losses);
        }
        let panels = Panels::new(rows.codes(), self.decoded);
        for (row, of_batch) in of_batch.chunks_exact(self.decoded).enumerate() {
            for (j, &of_batch) in of_batch.iter().enumerate() {
                by_code[panels.index(row, j)] += of_batch;
            }
        }
        let factors = Factors {
            bound: self.bound,
            samples: weights,
            penalty,
        };
        let noise = input.noise(rows.codes());
        self.latent
            .backward(rows, networks, noise, factors, by_code);
        networks.backward(Role::Encoder, input.source(rows.images), None);
    }

    /// Whether the batch in hand has no image for this block.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.images == 0
    }

    /// The rows of the batch in hand.
    pub(crate) fn rows(&self) -> BlockRows {
        self.rows
    }

    /// Sets how many samples an image has from now on: no more than there is
    /// room for.
    pub(crate) fn set_samples(&mut self, samples: usize) {
        self.rows.samples = samples;
    }

    /// What a network takes.
    pub(crate) fn source<'a>(&'a self, input: &'a Input<T>, network: Role) -> Source<'a, T> {
        match network {
            Role::Encoder => input.source(self.rows.images),
            _ => Source::dense(self.rows.of(network), self.latent.source(network)),
        }
    }

    /// The codes, what they cost, and their posteriors.
    pub(crate) fn latent(&self) -> &dyn LatentPass<T> {
        self.latent.as_ref()
    }

    /// log w of every code, in nats.
    pub(crate) fn log_weights(&self) -> impl ExactSizeIterator<Item = f64> {
        let losses = &self.reconstruction[..self.rows.codes()];
        let pairs = losses.iter().zip(&self.samples.log_ratios);
        pairs.map(|(loss, ratio)| ratio - loss.to_f64())
    }

    /// The losses of an image. Where the penalty has a closed form they are
    /// kept in the precision of the networks; otherwise penalty and loss are
    /// differences of large numbers, and are formed in f64.
    pub(crate) fn losses(&self, image: usize) -> ImageLosses {
        let samples = self.rows.samples;
        let codes = image * samples..(image + 1) * samples;
        let losses = &self.reconstruction[codes.clone()];
        let negative_bound = self.samples.negative_bounds.get(image);
        if let Some(penalties) = self.latent.penalties() {
            let reconstruction = match losses {
                &[one] => one,
                several => reduce::sum(several) * T::from_f64(1.0 / samples as f64),
            };
            return ImageLosses {
                reconstruction: reconstruction.to_f64(),
                penalty: penalties[image].to_f64(),
                loss: negative_bound.map(|&bound| T::from_f64(bound).to_f64()),
            };
        }
        let share = 1.0 / samples as f64;
        let reconstruction = losses.iter().map(|loss| loss.to_f64()).sum::<f64>() * share;
        let penalty = -reduce::sum(&self.samples.log_ratios[codes]) * share;
        let loss = negative_bound.copied().unwrap_or(reconstruction + penalty);
        ImageLosses {
            reconstruction,
            penalty,
            loss: Some(loss),
        }
    }

    /// Whether the output of the decoder's last layer, in whose place its
    /// weighed gradient is, holds a NaN or an infinity. Where the weight is
    /// none of a finite number, its row tells nothing of the output.
    pub(crate) fn is_output_finite(&self, output: &[T]) -> bool {
        let rows = self.rows.codes();
        let weights = &self.samples.weights;
        let tells = |row: usize| weights.get(row).is_none_or(|weight| weight.is_finite());
        let mut lines = output.as_chunks::<LANES>().0.iter().enumerate();
        lines.all(|(at, line)| !tells(at % rows) || line.iter().all(|value| value.is_finite()))
    }

    /// The importance weights of all codes and the negative bound of every
    /// image (Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519, eq. 8):
    ///
    /// ```text
    /// log w_s = log p(x|z_s) + log p(z_s) − log q(z_s|x)
    /// bound   = log (1/k) Σ_s w_s          w̃_s = w_s / Σ_r w_r
    /// ```
    ///
    /// Weights and bounds are formed in f64: they depend on differences of
    /// losses that may be large.
    fn weigh_samples(&mut self) {
        let samples = self.rows.samples;
        for image in 0..self.rows.images {
            let codes = image * samples..(image + 1) * samples;
            let losses = &self.reconstruction[codes.clone()];
            let ratios = &self.samples.log_ratios[codes.clone()];
            let log_weights = &mut self.samples.log_weights[..samples];
            for (log_weight, (loss, ratio)) in log_weights.iter_mut().zip(losses.iter().zip(ratios))
            {
                *log_weight = ratio - loss.to_f64();
            }
            self.samples.negative_bounds[image] =
                normalise(log_weights, &mut self.samples.weights[codes]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ModelKind, PosteriorScale};

    /// A weight that is no finite number spoils the gradient in its row, of which
    /// nothing can be told then.
    #[test]
    fn only_rows_of_finite_weights_tell_of_the_output() {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "20-3".parse().unwrap(),
            likelihood: "bernoulli".parse().unwrap(),
            posterior_scale: PosteriorScale::LogVariance,
        };
        let mut block = Block::<f32>::new(&spec, &Objective::iwae(2), 4);
        block.rows.images = 3;
        let weights = [1.0, f32::NAN, 0.5, 0.0, f32::INFINITY, 0.25];
        block.samples.weights[..6].copy_from_slice(&weights);
        let mut output = vec![0.0; Panels::new(6, 20).len()];
        assert!(block.is_output_finite(&output));
        for (row, weight) in weights.into_iter().enumerate() {
            for panel in 0..2 {
                let at = (panel * 6 + row) * LANES + 5;
                output[at] = f32::NAN;
                let is_finite = block.is_output_finite(&output);
                assert_eq!(is_finite, !weight.is_finite(), "row {row}, panel {panel}");
                output[at] = 0.0;
            }
        }
    }
}
