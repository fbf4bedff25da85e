//! The objective recorded on the autodiff tape: the oracle of the
//! hand-derived gradient, and an engine to train with.
//!
//! Only the forward program is written here, and the models' part of it in
//! `latent`. The tape brings its own reverse pass; row blocks, panel groups,
//! Adam, random streams and the training loop are those of the hand-derived
//! step.

use std::ops::Range;
use std::sync::Arc;

use autodiff::{BlockTapes, Error, PanelLayer, Tape, Var};
use tensor_ops::linear::RowBlock;
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::parallel::ThreadPool;
use tensor_ops::{Float, library};

use super::panel_groups::LayerGradients;
use super::{Engine, ImageLosses, block_rows};
use crate::latent::program;
use crate::likelihood::program::losses as pixel_losses;
use crate::network::layout::{Layout, Role};
use crate::network::parameters::Parameters;
use crate::objective::{BatchValue, Bound, Objective};
use crate::spec::ModelSpec;
use crate::training::batch::BatchSource;

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
    /// What is minimised of every image, where it is no sum of both.
    losses: Vec<T>,
    /// The penalty of the batch, if it is one of the batch.
    batch_penalty: Option<f64>,
}

/// The part of a model between the encoder's output and the codes, as a program
/// for the tape.
pub(crate) trait LatentProgram<T: Float> {
    /// Records codes, penalties and ratios from the encoder's output.
    fn record(&self, recorder: &mut Recorder<'_, '_, T>, head: Var) -> Result<Latent, Error>;
}

/// The codes of some images, and what the objective needs of the posterior.
pub(crate) struct Latent {
    /// `[images · samples, width]`.
    pub(crate) codes: Var,
    /// The penalty by image and dimension, if there is one in closed form.
    pub(crate) penalty: Option<Var>,
    /// log p(z) − log q(z|x) of every code, `[images, samples]`, where the
    /// objective is made of it.
    pub(crate) log_ratio: Option<Var>,
}

/// A tape with the model whose batch it records.
pub(crate) struct Recorder<'a, 't, T: Float> {
    pub(crate) tape: &'a mut Tape<'t, T>,
    pub(crate) spec: &'a ModelSpec,
    pub(crate) objective: &'a Objective,
    /// Images of the block.
    pub(crate) images: Range<usize>,
    layout: &'a Layout,
    batch: &'a dyn BatchSource<T>,
    outputs: &'a mut Vec<Var>,
}

impl<T: Float> Recorder<'_, '_, T> {
    /// The output of a network's last layer, row-major `[rows, width]`.
    pub(crate) fn network(&mut self, role: Role, input: Var) -> Result<Var, Error> {
        let output = self.network_in_panels(role, input)?;
        self.tape.from_panels(output)
    }

    /// The block's deviates `[images, samples, width]`.
    pub(crate) fn noise(&mut self) -> Result<Var, Error> {
        let (samples, width) = (
            self.objective.samples,
            self.objective.noise_width(self.spec),
        );
        let codes = self.images.start * samples..self.images.end * samples;
        let shape = [self.images.len(), samples, width];
        let batch = self.batch;
        self.tape
            .constant_with(&shape, |noise| batch.fill_noise(codes, width, noise))
    }

    fn network_in_panels(&mut self, role: Role, input: Var) -> Result<Var, Error> {
        let mut output = input;
        for layer in &self.layout.layers()[self.layout.network(role)] {
            let (tape, (inputs, outputs)) = (&mut *self.tape, (layer.inputs, layer.outputs));
            let weight = tape.bound_panels(layer.weight.clone(), inputs, outputs)?;
            let bias = tape.bound_panels(layer.bias.clone(), 1, outputs)?;
            output = tape.linear_panels(output, weight, bias, layer.activation)?;
            self.outputs.push(output);
        }
        Ok(output)
    }
}

impl<T: Float> TapeBlocks<T> {
    /// A tape for every thread, for batches of up to `capacity` images; a single
    /// one for the whole batch where the penalty is a function of the batch and
    /// no sum over its images.
    pub(crate) fn new(
        spec: &ModelSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        capacity: usize,
        threads: usize,
    ) -> Self {
        let is_one = objective.is_of_batch();
        let blocks = if is_one { 1 } else { threads.min(capacity) };
        let (layers, images) = (layout.layers(), capacity.div_ceil(blocks));
        let block = |index| TapeBlock {
            index,
            outputs: Vec::with_capacity(layers.len()),
            targets: Vec::new(),
            reconstruction: Vec::with_capacity(images),
            penalty: Vec::with_capacity(images),
            losses: Vec::with_capacity(images),
            batch_penalty: None,
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
}

impl<T: Float> Engine<T> for TapeBlocks<T> {
    /// Blocks of rows go to whoever is free, as many as there are tapes.
    fn set_threads(&mut self, _threads: usize) {}

    /// Records the batch and differentiates it down to the layers' outputs.
    fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &dyn BatchSource<T>,
        beta: f64,
    ) -> Option<BatchValue> {
        let (program, count) = (&self.program, self.blocks.len());
        let recorded = self
            .blocks
            .record(pool, parameters.as_slice(), |tape, block| {
                let images = block_rows(batch.rows(), count, block.index);
                program.record(tape, block, batch, images, T::from_f64(beta))
            });
        assert_recorded(recorded);
        let penalty = self
            .blocks
            .iter()
            .find_map(|(_, block)| block.batch_penalty);
        penalty.map(|penalty| BatchValue {
            penalty,
            is_all: !program.spec.kind.is_variational(),
        })
    }

    fn for_each_image(&self, each: &mut dyn FnMut(ImageLosses)) {
        for (_, block) in self.blocks.iter() {
            for (image, reconstruction) in block.reconstruction.iter().enumerate() {
                each(ImageLosses {
                    reconstruction: reconstruction.to_f64(),
                    penalty: block.penalty[image].to_f64(),
                    loss: block.losses.get(image).map(|loss| loss.to_f64()),
                });
            }
        }
    }

    fn first_non_finite_output(&self) -> Option<usize> {
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
    fn layout(&self) -> &Layout {
        &self.program.layout
    }

    fn with_row_blocks(
        &self,
        layer: usize,
        _panels: &Range<usize>,
        work: &mut dyn FnMut(&[RowBlock<'_, T>]),
    ) -> bool {
        let of_tape = &self.layers[layer];
        let is_contracted = self.blocks.is_deferred(of_tape);
        if is_contracted {
            self.blocks.with_row_blocks(of_tape, work);
        }
        is_contracted
    }

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
}

impl Program {
    /// The sum over the block's images of what is minimised.
    fn record<T: Float>(
        &self,
        tape: &mut Tape<'_, T>,
        block: &mut TapeBlock<T>,
        batch: &dyn BatchSource<T>,
        images: Range<usize>,
        beta: T,
    ) -> Result<Var, Error> {
        let (inputs, samples) = (self.layout.inputs(), self.objective.samples);
        let count = images.len();
        let pixels = Panels::new(count, inputs);
        let x = tape.sparse_constant_panels(count, inputs, |panels| {
            batch.pack_pixels(images.clone(), pixels, 0..pixels.panel_count(), panels);
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
            tape.constant_panels(count * samples, inputs, |panels| {
                panels.copy_from_slice(&block.targets);
            })
        } else {
            x
        };

        let corruption = self.objective.corruption;
        let input = if corruption > 0.0 {
            tape.sparse_constant_panels(count, inputs, |panels| {
                batch.pack_pixels(images.clone(), pixels, 0..pixels.panel_count(), panels);
                batch.corrupt(
                    images.clone(),
                    corruption,
                    pixels,
                    0..pixels.panel_count(),
                    panels,
                );
            })
        } else {
            x
        };

        block.outputs.clear();
        let mut recorder = Recorder {
            tape,
            spec: &self.spec,
            objective: &self.objective,
            images,
            layout: &self.layout,
            batch,
            outputs: &mut block.outputs,
        };
        let head = recorder.network(Role::Encoder, input)?;
        let latent = program(&self.spec).record(&mut recorder, head)?;
        let of_batch = self
            .objective
            .record_batch_penalty(&mut recorder, &latent)?;
        let code = recorder.tape.to_panels(latent.codes)?;
        let outputs = recorder.network_in_panels(Role::Decoder, code)?;
        let rows = count * samples;
        let (likelihood, layout) = (self.spec.likelihood, &self.layout);
        let losses = pixel_losses(likelihood, layout, rows, tape, [outputs, targets])?;
        let losses = tape.reshape(losses, &[count, samples])?;
        let reconstruction = tape.mean_axes(losses, &[1])?;

        let penalty = match (latent.penalty, latent.log_ratio) {
            (Some(by_dimension), _) => Some(tape.sum_axes(by_dimension, &[1])?),
            (None, Some(log_ratio)) => {
                let penalty = tape.mean_axes(log_ratio, &[1])?;
                Some(tape.neg(penalty)?)
            }
            (None, None) => None,
        };
        let read = |tape: &Tape<'_, T>, values: &mut Vec<T>, of: Option<Var>| {
            values.clear();
            match of {
                Some(of) => values.extend_from_slice(tape.slice_of(of)?),
                None => values.resize(count, T::ZERO),
            }
            Ok::<(), Error>(())
        };
        read(tape, &mut block.reconstruction, Some(reconstruction))?;
        read(tape, &mut block.penalty, penalty)?;

        block.losses.clear();
        if let (Bound::Iwae, Some(log_ratio)) = (self.objective.bound, latent.log_ratio) {
            let log_weights = tape.sub(log_ratio, losses)?;
            let total = tape.logsumexp(log_weights, 1)?;
            let bound = tape.offset(total, T::from_f64(-library::ln(samples as f64)))?;
            let negative_bound = tape.neg(bound)?;
            read(tape, &mut block.losses, Some(negative_bound))?;
            return tape.sum(negative_bound);
        }
        if let Some(of_batch) = of_batch {
            block.batch_penalty = Some(tape.item(of_batch)?.to_f64());
            let of_batch = tape.scale(of_batch, beta * T::from_usize(count))?;
            let reconstruction = tape.sum(reconstruction)?;
            return tape.add(reconstruction, of_batch);
        }
        let Some(penalty) = penalty else {
            return tape.sum(reconstruction);
        };
        let weighted = tape.scale(penalty, beta)?;
        let loss = tape.add(reconstruction, weighted)?;
        tape.sum(loss)
    }
}

/// The program's shapes follow from the layout; an error is a bug here.
fn assert_recorded(result: Result<(), Error>) {
    if let Err(error) = result {
        unreachable!("the recorded objective does not fit its own layout: {error}");
    }
}
