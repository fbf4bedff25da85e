//! The objective recorded on the autodiff tape: the oracle of the
//! hand-derived gradient, and an engine to train with.
//!
//! Only the forward program is written here. The tape brings its own reverse
//! pass; row blocks, panel groups, Adam, random streams and the training loop
//! are those of the hand-derived step.

use std::ops::Range;
use std::sync::Arc;

use autodiff::{BlockTapes, Error, PanelLayer, Tape, Var};
use tensor_ops::Float;
use tensor_ops::adam::Parameters as PanelParameters;
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::parallel::ThreadPool;

use crate::batch::BatchSource;
use crate::gradient::{ImageLosses, block_rows};
use crate::layout::Layout;
use crate::objective::{Bound, Objective};
use crate::optimiser::OptimiserStep;
use crate::panel_groups::{LayerGradients, fused_step, stored_step};
use crate::parameters::Parameters;
use crate::spec::{GaussianMean, GaussianSigma, Likelihood, ModelKind, ModelSpec};

/// One tape per row block, each recording the model on its own images.
#[derive(Debug)]
pub(crate) struct TapeBlocks<T: Float> {
    program: Program,
    layers: Vec<PanelLayer>,
    blocks: BlockTapes<T, TapeBlock<T>>,
}

/// What is recorded.
#[derive(Clone, Debug)]
struct Program {
    spec: ModelSpec,
    objective: Objective,
    layout: Arc<Layout>,
}

/// What a block reads back from its recording.
#[derive(Clone, Debug)]
struct TapeBlock<T> {
    index: usize,
    /// Output of each layer.
    outputs: Vec<Var>,
    /// The pixels of every code's image, where an image has several.
    targets: Vec<T>,
    reconstruction: Vec<T>,
    penalty: Vec<T>,
    /// −bound of every image, of importance weights.
    negative_bounds: Vec<T>,
    /// Σ_j max(λ, mean KL_j), with free bits.
    free_penalty: Option<f64>,
}

impl<T: Float> TapeBlocks<T> {
    /// `blocks` tapes for up to `capacity` images each; a single one for the
    /// whole batch with free bits, whose penalty is a function of the batch
    /// and no sum over its images.
    pub(crate) fn new(
        spec: &ModelSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        blocks: usize,
        capacity: usize,
    ) -> Self {
        let blocks = if objective.free_bits > 0.0 { 1 } else { blocks };
        let layers = layout.layers();
        let block = |index| TapeBlock {
            index,
            outputs: Vec::with_capacity(layers.len()),
            targets: Vec::new(),
            reconstruction: Vec::with_capacity(capacity),
            penalty: Vec::with_capacity(capacity),
            negative_bounds: Vec::with_capacity(capacity),
            free_penalty: None,
        };
        let blocks = BlockTapes::new((0..blocks).map(block));
        let layers = layers
            .iter()
            .map(|layer| PanelLayer {
                weight: layer.weight.clone(),
                bias: layer.bias.clone(),
                inputs: layer.inputs,
                outputs: layer.outputs,
            })
            .collect();
        let program = Program {
            spec: spec.clone(),
            objective: *objective,
            layout,
        };
        Self {
            program,
            layers,
            blocks,
        }
    }

    /// Records the batch and differentiates it down to the layers' outputs;
    /// the mean penalty Σ_j max(λ, mean KL_j) if some of the KL is free.
    pub(crate) fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
        beta: f64,
    ) -> Option<f64> {
        let (program, count) = (&self.program, self.blocks.len());
        let recorded = self
            .blocks
            .record(pool, parameters.as_slice(), |tape, block| {
                let images = block_rows(batch.rows(), count, block.index);
                program.record(tape, block, batch, images, T::from_f64(beta))
            });
        assert_recorded(recorded);
        self.blocks.iter().find_map(|(_, block)| block.free_penalty)
    }

    /// Calls `each` with the losses of every image, in order.
    pub(crate) fn for_each_image(&self, mut each: impl FnMut(ImageLosses<T>)) {
        for (_, block) in self.blocks.iter() {
            for (image, &reconstruction) in block.reconstruction.iter().enumerate() {
                each(ImageLosses {
                    reconstruction,
                    penalty: block.penalty[image],
                    negative_bound: block.negative_bounds.get(image).copied(),
                });
            }
        }
    }

    /// Index of the first layer, in forward order, whose output is not finite.
    pub(crate) fn first_non_finite_output(&self) -> Option<usize> {
        let offends = |tape: &Tape<'static, T>, output: Var| {
            tape.slice_of(output)
                .is_ok_and(|values| values.iter().any(|value| !value.is_finite()))
        };
        let first = |(tape, block): (&Tape<'static, T>, &TapeBlock<T>)| {
            block
                .outputs
                .iter()
                .position(|&output| offends(tape, output))
        };
        self.blocks.iter().filter_map(first).min()
    }
}

impl<T: Float> LayerGradients<T> for TapeBlocks<T> {
    fn layer_gradient(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    ) {
        assert_recorded(
            self.blocks
                .layer_gradient(&self.layers[layer], panels, scale, dw, db),
        );
    }

    /// The same, with Adam applied to each tile of the gradient while it is in
    /// registers, as in the hand-derived step.
    fn layer_step(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        target: [PanelParameters<'_, T>; 2],
        step: &OptimiserStep<T>,
        scratch: [&mut [T]; 2],
    ) {
        let of_tape = &self.layers[layer];
        if !self.blocks.is_deferred(of_tape) {
            return stored_step(self, layer, panels, scale, target, step, scratch);
        }
        let linear = &self.program.layout.layers()[layer];
        self.blocks.with_row_blocks(of_tape, |terms| {
            fused_step(linear, panels, terms, scale, target, step);
        });
    }
}

/// The codes of some images, and what the objective needs of the posterior.
struct Latent {
    /// `[images · samples, latent]`.
    codes: Var,
    /// The penalty by image and dimension, if there is one.
    penalty: Option<Var>,
    /// log p(z) − log q(z|x) of every code, `[images, samples]`, of a VAE.
    log_ratio: Option<Var>,
}

impl Program {
    /// The sum over the block's images of what is minimised.
    fn record<T: Float>(
        &self,
        tape: &mut Tape<'_, T>,
        block: &mut TapeBlock<T>,
        batch: &impl BatchSource<T>,
        images: Range<usize>,
        beta: T,
    ) -> Result<Var, Error> {
        let (layout, samples) = (self.layout.as_ref(), self.objective.samples);
        let count = images.len();
        let pixels = Panels {
            rows: count,
            cols: layout.inputs(),
        };
        let x = tape.sparse_constant_panels(count, layout.inputs(), |panels| {
            batch.pack_pixels(images.clone(), pixels, panels);
            if samples > 1 {
                block.targets.clear();
                for line in panels.as_chunks::<LANES>().0 {
                    for _ in 0..samples {
                        block.targets.extend_from_slice(line);
                    }
                }
            }
        });
        let targets = if samples > 1 {
            tape.constant_panels(count * samples, layout.inputs(), |panels| {
                panels.copy_from_slice(&block.targets);
            })
        } else {
            x
        };

        block.outputs.clear();
        let mut apply = |tape: &mut Tape<'_, T>, input: Var, layers: Range<usize>| {
            let mut output = input;
            for layer in &layout.layers()[layers] {
                let weight =
                    tape.bound_panels(layer.weight.clone(), layer.inputs, layer.outputs)?;
                let bias = tape.bound_panels(layer.bias.clone(), 1, layer.outputs)?;
                output = tape.linear_panels(output, weight, bias, layer.activation)?;
                block.outputs.push(output);
            }
            Ok::<Var, Error>(output)
        };

        let head = apply(tape, x, 0..layout.head() + 1)?;
        let head = tape.from_panels(head)?;
        let latent = self.latent(tape, head, batch, images)?;
        let code = tape.to_panels(latent.codes)?;
        let outputs = apply(tape, code, layout.decoder())?;
        let losses = self.losses(tape, outputs, targets, count * samples)?;
        let losses = tape.reshape(losses, &[count, samples])?;
        let reconstruction = tape.mean_axes(losses, &[1])?;

        let read = |tape: &Tape<'_, T>, values: &mut Vec<T>, of: Option<Var>| {
            values.clear();
            match of {
                Some(of) => values.extend_from_slice(tape.slice_of(of)?),
                None => values.resize(count, T::ZERO),
            }
            Ok::<(), Error>(())
        };
        let penalty = match latent.penalty {
            Some(by_dimension) => Some(tape.sum_axes(by_dimension, &[1])?),
            None => None,
        };
        read(tape, &mut block.reconstruction, Some(reconstruction))?;
        read(tape, &mut block.penalty, penalty)?;

        block.negative_bounds.clear();
        if let (Bound::Iwae, Some(log_ratio)) = (self.objective.bound, latent.log_ratio) {
            let log_weights = tape.sub(log_ratio, losses)?;
            let total = tape.logsumexp(log_weights, 1)?;
            let bound = tape.offset(total, T::from_f64(-(samples as f64).ln()))?;
            let negative_bound = tape.neg(bound)?;
            read(tape, &mut block.negative_bounds, Some(negative_bound))?;
            return tape.sum(negative_bound);
        }
        let (Some(penalty), Some(by_dimension)) = (penalty, latent.penalty) else {
            return tape.sum(reconstruction);
        };
        if self.objective.free_bits > 0.0 {
            let mean = tape.mean_axes(by_dimension, &[0])?;
            let free_bits = T::from_f64(self.objective.free_bits);
            let floored = tape.clamp(mean, free_bits, T::INFINITY)?;
            let total = tape.sum(floored)?;
            block.free_penalty = Some(tape.item(total)?.to_f64());
            let of_batch = tape.scale(total, beta * T::from_usize(count))?;
            let reconstruction = tape.sum(reconstruction)?;
            return tape.add(reconstruction, of_batch);
        }
        let weighted = tape.scale(penalty, beta)?;
        let loss = tape.add(reconstruction, weighted)?;
        tape.sum(loss)
    }

    /// −log p(x|z) of every code, from the decoder's outputs.
    fn losses<T: Float>(
        &self,
        tape: &mut Tape<'_, T>,
        outputs: Var,
        targets: Var,
        rows: usize,
    ) -> Result<Var, Error> {
        let (mean, sigma) = match self.spec.likelihood {
            Likelihood::Bernoulli => return tape.bce_with_logits_panels(outputs, targets),
            Likelihood::ContinuousBernoulli => {
                let (logits, targets) = (tape.from_panels(outputs)?, tape.from_panels(targets)?);
                let partition = tape.continuous_bernoulli_log_partition(logits)?;
                let product = tape.mul(logits, targets)?;
                let losses = tape.sub(partition, product)?;
                return tape.sum_axes(losses, &[1]);
            }
            Likelihood::Gaussian { mean, sigma } => (mean, sigma),
        };
        let inputs = self.layout.inputs();
        let (outputs, targets) = (tape.from_panels(outputs)?, tape.from_panels(targets)?);
        let (means, log_sigma) = match sigma {
            GaussianSigma::Decoder => {
                let first = inputs.next_multiple_of(LANES);
                (
                    tape.slice(outputs, 1, 0..inputs)?,
                    tape.slice(outputs, 1, first..first + inputs)?,
                )
            }
            GaussianSigma::Fixed(sigma) => (outputs, tape.scalar(T::from_f64(sigma.ln()))),
            GaussianSigma::Scalar | GaussianSigma::PerPixel => {
                (outputs, self.learned_log_sigma(tape, rows)?)
            }
        };
        let means = match mean {
            GaussianMean::Identity => means,
            GaussianMean::Sigmoid => tape.sigmoid(means)?,
        };
        // ½ d²·e^(−2 ln σ) + ln σ + ½ ln 2π
        let difference = tape.sub(means, targets)?;
        let square = tape.square(difference)?;
        let precision = tape.scale(log_sigma, T::from_f64(-2.0))?;
        let precision = tape.exp(precision)?;
        let square = tape.mul(square, precision)?;
        let square = tape.scale(square, T::from_f64(0.5))?;
        let losses = tape.add(square, log_sigma)?;
        let half_log_tau = 0.5 * std::f64::consts::TAU.ln();
        let losses = tape.offset(losses, T::from_f64(half_log_tau))?;
        tape.sum_axes(losses, &[1])
    }

    /// The learned ln σ for every row, `[rows, 1]` or `[rows, inputs]`: a layer
    /// without inputs gives its bias, and has its gradient summed over the
    /// rows in the same order as any other.
    fn learned_log_sigma<T: Float>(
        &self,
        tape: &mut Tape<'_, T>,
        rows: usize,
    ) -> Result<Var, Error> {
        let Some(layer) = self.layout.log_sigma() else {
            unreachable!("the layout has a place for the σ of its own likelihood");
        };
        let layer = &self.layout.layers()[layer];
        let nothing = tape.constant_panels(rows, 0, |_| {});
        let weight = tape.bound_panels(layer.weight.clone(), 0, layer.outputs)?;
        let bias = tape.bound_panels(layer.bias.clone(), 1, layer.outputs)?;
        let log_sigma = tape.linear_panels(nothing, weight, bias, layer.activation)?;
        tape.from_panels(log_sigma)
    }

    /// Codes, penalties and ratios from the encoder's head.
    fn latent<T: Float>(
        &self,
        tape: &mut Tape<'_, T>,
        head: Var,
        batch: &impl BatchSource<T>,
        images: Range<usize>,
    ) -> Result<Latent, Error> {
        let (latent, samples, count) = (self.layout.latent(), self.objective.samples, images.len());
        let half = T::from_f64(0.5);
        if !self.spec.kind.is_variational() {
            let penalty = match self.spec.kind {
                ModelKind::AeL2 => {
                    let square = tape.square(head)?;
                    Some(tape.scale(square, half)?)
                }
                ModelKind::Ae | ModelKind::Vae => None,
            };
            return Ok(Latent {
                codes: head,
                penalty,
                log_ratio: None,
            });
        }
        let factor = self.spec.posterior_scale.log_sigma_factor();
        let mu = tape.slice(head, 1, 0..latent)?;
        let scale = tape.slice(head, 1, latent..2 * latent)?;
        let log_sigma = tape.scale(scale, T::from_f64(factor))?;
        let log_variance = tape.scale(scale, T::from_f64(2.0 * factor))?;
        let sigma = tape.exp(log_sigma)?;
        let noise = tape.constant_with(&[count, samples, latent], |noise| {
            batch.fill_noise(images.start * samples..images.end * samples, latent, noise);
        })?;
        let spread = tape.insert_axis(sigma, 1)?;
        let spread = tape.mul(spread, noise)?;
        let center = tape.insert_axis(mu, 1)?;
        let codes = tape.add(center, spread)?;

        let mu_square = tape.square(mu)?;
        let variance = tape.square(sigma)?;
        let moments = tape.add(mu_square, variance)?;
        let excess = tape.sub(moments, log_variance)?;
        let excess = tape.offset(excess, -T::ONE)?;
        let penalty = tape.scale(excess, half)?;

        let log_ratio = if self.objective.bound == Bound::Iwae {
            // ½ Σ (ε² + log σ² − z²), in which the two ½ log 2π cancel.
            let posterior = tape.square(noise)?;
            let log_variance = tape.insert_axis(log_variance, 1)?;
            let posterior = tape.add(posterior, log_variance)?;
            let prior = tape.square(codes)?;
            let ratio = tape.sub(posterior, prior)?;
            let ratio = tape.sum_axes(ratio, &[2])?;
            Some(tape.scale(ratio, half)?)
        } else {
            None
        };
        Ok(Latent {
            codes: tape.reshape(codes, &[count * samples, latent])?,
            penalty: Some(penalty),
            log_ratio,
        })
    }
}

/// The program's shapes follow from the layout; an error is a bug here.
fn assert_recorded(result: Result<(), Error>) {
    if let Err(error) = result {
        unreachable!("the recorded objective does not fit its own layout: {error}");
    }
}
