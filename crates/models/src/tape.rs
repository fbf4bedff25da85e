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
use tensor_ops::panels::Panels;
use tensor_ops::parallel::ThreadPool;

use crate::batch::BatchSource;
use crate::gradient::block_rows;
use crate::layout::Layout;
use crate::panel_groups::LayerGradients;
use crate::parameters::Parameters;
use crate::spec::ModelKind;

/// One tape per row block, each recording the model on its own rows.
#[derive(Debug)]
pub(crate) struct TapeBlocks<T: Float> {
    kind: ModelKind,
    layout: Arc<Layout>,
    layers: Vec<PanelLayer>,
    blocks: BlockTapes<T, TapeBlock<T>>,
}

/// What a block reads back from its recording.
#[derive(Clone, Debug)]
struct TapeBlock<T> {
    index: usize,
    /// Output of each layer.
    outputs: Vec<Var>,
    reconstruction: Vec<T>,
    penalty: Vec<T>,
}

impl<T: Float> TapeBlocks<T> {
    pub(crate) fn new(
        kind: ModelKind,
        layout: Arc<Layout>,
        blocks: usize,
        capacity: usize,
    ) -> Self {
        let layers = layout.layers();
        let block = |index| TapeBlock {
            index,
            outputs: Vec::with_capacity(layers.len()),
            reconstruction: Vec::with_capacity(capacity),
            penalty: Vec::with_capacity(capacity),
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
        Self {
            kind,
            layout,
            layers,
            blocks,
        }
    }

    /// Records the batch and differentiates it down to the layers' outputs.
    pub(crate) fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
    ) {
        let (kind, layout, count) = (self.kind, self.layout.as_ref(), self.blocks.len());
        let recorded = self
            .blocks
            .record(pool, parameters.as_slice(), |tape, block| {
                let rows = block_rows(batch.rows(), count, block.index);
                record(tape, block, kind, layout, batch, rows)
            });
        assert_recorded(recorded);
    }

    /// Calls `each` with the reconstruction loss and the penalty of every
    /// image, in order.
    pub(crate) fn for_each_image(&self, mut each: impl FnMut(T, T)) {
        for (_, block) in self.blocks.iter() {
            for (&reconstruction, &penalty) in block.reconstruction.iter().zip(&block.penalty) {
                each(reconstruction, penalty);
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
}

/// The sum over the block's images of reconstruction + penalty, as a program.
fn record<T: Float>(
    tape: &mut Tape<'_, T>,
    block: &mut TapeBlock<T>,
    kind: ModelKind,
    layout: &Layout,
    batch: &impl BatchSource<T>,
    rows: Range<usize>,
) -> Result<Var, Error> {
    let count = rows.len();
    let pixels = Panels {
        rows: count,
        cols: layout.inputs(),
    };
    let x = tape.sparse_constant_panels(count, layout.inputs(), |panels| {
        batch.pack_pixels(rows.clone(), pixels, panels);
    });

    block.outputs.clear();
    let mut apply = |tape: &mut Tape<'_, T>, input: Var, layers: Range<usize>| {
        let mut output = input;
        for layer in &layout.layers()[layers] {
            let weight = tape.bound_panels(layer.weight.clone(), layer.inputs, layer.outputs)?;
            let bias = tape.bound_panels(layer.bias.clone(), 1, layer.outputs)?;
            output = tape.linear_panels(output, weight, bias, layer.activation)?;
            block.outputs.push(output);
        }
        Ok::<Var, Error>(output)
    };

    let head = apply(tape, x, 0..layout.head() + 1)?;
    let head = tape.from_panels(head)?;
    let half = T::from_f64(0.5);
    let latent = layout.latent();
    let (code, penalty) = match kind {
        ModelKind::Ae => (head, None),
        ModelKind::AeL2 => {
            let square = tape.square(head)?;
            let norm = tape.sum_axes(square, &[1])?;
            (head, Some(tape.scale(norm, half)?))
        }
        ModelKind::Vae => {
            let mu = tape.slice(head, 1, 0..latent)?;
            let log_variance = tape.slice(head, 1, latent..2 * latent)?;
            let log_sigma = tape.scale(log_variance, half)?;
            let sigma = tape.exp(log_sigma)?;
            let noise = tape.constant_with(&[count, latent], |noise| {
                batch.fill_noise(rows, latent, noise)
            })?;
            let spread = tape.mul(sigma, noise)?;
            let code = tape.add(mu, spread)?;
            let mu_square = tape.square(mu)?;
            let variance = tape.square(sigma)?;
            let moments = tape.add(mu_square, variance)?;
            let excess = tape.sub(moments, log_variance)?;
            let excess = tape.offset(excess, -T::ONE)?;
            let total = tape.sum_axes(excess, &[1])?;
            (code, Some(tape.scale(total, half)?))
        }
    };
    let code = tape.to_panels(code)?;
    let logits = apply(tape, code, layout.head() + 1..layout.layers().len())?;
    let reconstruction = tape.bce_with_logits_panels(logits, x)?;

    block.reconstruction.clear();
    block
        .reconstruction
        .extend_from_slice(tape.slice_of(reconstruction)?);
    block.penalty.clear();
    let loss = match penalty {
        Some(penalty) => {
            block.penalty.extend_from_slice(tape.slice_of(penalty)?);
            tape.add(reconstruction, penalty)?
        }
        None => {
            block.penalty.resize(count, T::ZERO);
            reconstruction
        }
    };
    tape.sum(loss)
}

/// The program's shapes follow from the layout; an error is a bug here.
fn assert_recorded(result: Result<(), Error>) {
    if let Err(error) = result {
        unreachable!("the recorded objective does not fit its own layout: {error}");
    }
}
