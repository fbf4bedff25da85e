//! The hand-derived gradient on two threads: each owns half of every weight
//! matrix, and takes all rows through it.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::linear::{
    LinearScratch, LinearShape, RowBlock, complete_input_gradient, forward, forward_sparse, halves,
    input_gradient_half, input_gradient_partial_len,
};
use tensor_ops::loss::{SampledRows, bce_with_logits_half};
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::parallel::{Barrier, ThreadPool};
use tensor_ops::{Activation, AlignedBuffer, Float};

use super::block::Block;
use super::exchange::Exchange;
use super::panel_groups::LayerGradients;
use super::panel_ownership::{PanelOwnership, THREADS};
use super::{Engine, ImageLosses};
use crate::likelihood::PixelLikelihood;
use crate::network::layout::{Layout, LinearLayer, Role};
use crate::network::parameters::Parameters;
use crate::network::pass::{Networks, Source};
use crate::objective::{BatchValue, Bound, Objective};
use crate::spec::{Likelihood, ModelSpec};
use crate::training::batch::BatchSource;

/// The hand-derived gradient with every weight matrix cut in two.
///
/// The row blocks of [`RowBlocks`](super::row_blocks::RowBlocks) have each
/// thread read all weights, half of which the other thread has just updated:
/// on the machines measured, moving those cache lines from core to core and
/// back costs two threads a quarter to a half of a step. Here a thread reads
/// and writes only the output panels it owns, in this region and in the next;
/// what moves are activations, which are much smaller:
///
/// * forward, h_l = act(h_{l−1}·W_l + b_l): each thread computes its panels of
///   h_l from all of h_{l−1}, and waits for the other's;
/// * the loss and δ of the output layer: each its own panels;
/// * backward, δ_{l−1} = (δ_l·W_lᵀ) ⊙ act'(h_{l−1}): each thread contracts over
///   its own outputs, waits, and adds both partial sums for the panels of
///   δ_{l−1} that it owns ([`input_gradient_half`]).
///
/// The pixels and everything of the code, which is small, both threads compute
/// for themselves: each has a [`Block`] of all rows. The bits are those of the
/// row blocks, on any number of threads.
#[derive(Debug)]
pub(crate) struct PanelHalves<T: Float> {
    layout: Arc<Layout>,
    ownership: PanelOwnership,
    rows: usize,
    shared: Shared<T>,
    owners: Vec<Owner<T>>,
    /// Weight of the penalty of every latent dimension in the gradient.
    penalty_weights: Vec<T>,
}

/// What both threads use in turn.
#[derive(Debug)]
struct Shared<T> {
    /// The output of each layer but the last.
    outputs: Vec<Exchange<T>>,
    /// The gradient by each layer's pre-activation output: written and read by
    /// the owner of each part alone, until the region ends. The last holds the
    /// logits until the loss turns them into their gradient.
    output_gradients: Vec<Exchange<T>>,
    /// The partial input gradients of each half of the outputs, for layers of
    /// even and of odd number: while one is completed from, the next is made.
    partials: [[Exchange<T>; THREADS]; 2],
}

/// What one thread has for itself.
#[derive(Debug)]
struct Owner<T: Float> {
    /// Of its half of the pixels it knows the losses.
    block: Block<T>,
    /// The gradient by the encoder's output.
    by_output: AlignedBuffer<T>,
    scratch: LinearScratch<T>,
}

impl<T: Float> PanelHalves<T> {
    /// Whether this objective of this model is one of those offered: one
    /// sample of every code, a penalty in closed form, and no pass over the
    /// batch in between.
    pub(crate) fn takes(spec: &ModelSpec, objective: &Objective) -> bool {
        objective.bound == Bound::Elbo
            && objective.samples == 1
            && !objective.is_of_batch()
            && spec.has_closed_form_penalty()
            && spec.likelihood == Likelihood::Bernoulli
    }

    /// Buffers for batches of up to `capacity` rows.
    pub(crate) fn new(
        spec: &ModelSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        capacity: usize,
    ) -> Self {
        let layers = layout.layers();
        let len = |layer: &LinearLayer| layer.shape(capacity).y().len();
        let partials = layers[1..].iter();
        let partials = partials.map(|layer| input_gradient_partial_len(layer.shape(capacity)));
        let partial = partials.max().unwrap_or(0);
        let exchange = |layer: &LinearLayer| Exchange::zeroed(len(layer));
        let head = &layers[layout.network(Role::Encoder).end - 1];
        let owner = |_| {
            let mut scratch = LinearScratch::new();
            for layer in &layers[1..] {
                scratch.reserve(layer.shape(capacity));
            }
            Owner {
                block: Block::new(spec, objective, capacity),
                by_output: AlignedBuffer::zeroed(len(head)),
                scratch,
            }
        };
        Self {
            shared: Shared {
                outputs: layers[..layers.len() - 1].iter().map(exchange).collect(),
                output_gradients: layers.iter().map(exchange).collect(),
                partials: [(); 2].map(|()| [(); THREADS].map(|()| Exchange::zeroed(partial))),
            },
            owners: (0..THREADS).map(owner).collect(),
            ownership: PanelOwnership::new(&layout),
            rows: 0,
            penalty_weights: vec![T::ONE; spec.architecture.latent],
            layout,
        }
    }

    /// Which thread owns what.
    pub(crate) fn ownership(&self) -> &PanelOwnership {
        &self.ownership
    }
}

impl<T: Float> Engine<T> for PanelHalves<T> {
    fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &dyn BatchSource<T>,
        beta: f64,
    ) -> Option<BatchValue> {
        self.rows = batch.rows();
        self.penalty_weights.fill(T::from_f64(beta));
        let (rows, layout) = (self.rows, self.layout.as_ref());
        let (ownership, shared) = (&self.ownership, &self.shared);
        let penalty_weights = &self.penalty_weights;
        pool.together(&mut self.owners, |thread, owner, barrier| {
            let mut networks = PanelNetworks {
                rows,
                layout,
                ownership,
                parameters,
                shared,
                thread,
                barrier,
                by_output: &mut owner.by_output,
                scratch: &mut owner.scratch,
            };
            let block = &mut owner.block;
            block.forward(&mut networks, parameters, batch, 0..rows);
            block.backward(&mut networks, penalty_weights, &[]);
        });
        None
    }

    fn for_each_image(&self, each: &mut dyn FnMut(ImageLosses)) {
        let last = self.layout.layers().len() - 1;
        // The order in which the loss of a whole row adds its halves.
        let [first, second] =
            [0, 1].map(|half| &self.owners[self.ownership.thread_of(last, half)].block);
        for row in 0..self.rows {
            let (first, second) = (first.losses(row), second.losses(row));
            let [one, other] = [first, second].map(|half| T::from_f64(half.reconstruction));
            each(ImageLosses {
                reconstruction: (one + other).to_f64(),
                ..first
            });
        }
    }

    fn first_non_finite_output(&self) -> Option<usize> {
        let layers = self.layout.layers();
        (0..layers.len()).find(|&layer| {
            let len = layers[layer].shape(self.rows).y().len();
            let output = self.shared.output_or_logits(layer);
            // SAFETY: no region is running: `run`, which starts them, has the
            // workspace to itself until they end.
            let output = unsafe { output.first(len) };
            output.iter().any(|value| !value.is_finite())
        })
    }
}

impl<T: Float> LayerGradients<T> for PanelHalves<T> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn with_row_blocks(
        &self,
        layer: usize,
        panels: &Range<usize>,
        work: &mut dyn FnMut(&[RowBlock<'_, T>]),
    ) -> bool {
        let shape = self.layout.layers()[layer].shape(self.rows);
        let network = self.layout.network_of(layer);
        // Each thread reads its own copy of the pixels and of the codes.
        let owner = &self.owners[self.ownership.owner_of(layer, panels)];
        let (x, support) = if layer == network.layers.start {
            let source = owner.block.source(network.role);
            (&source.values[..shape.x().len()], source.support)
        } else {
            // SAFETY: no region that writes is running, see
            // `first_non_finite_output`.
            let x = unsafe { self.shared.outputs[layer - 1].first(shape.x().len()) };
            (x, None)
        };
        work(&[RowBlock {
            rows: self.rows,
            x,
            // SAFETY: as above.
            dy: unsafe { self.shared.output_gradients[layer].first(shape.y().len()) },
            support,
        }]);
        true
    }
}

impl<T> Shared<T> {
    /// The output of a layer; of the last, whose gradient takes its place, the
    /// logits.
    fn output_or_logits(&self, layer: usize) -> &Exchange<T> {
        let output = self.outputs.get(layer);
        output.unwrap_or(&self.output_gradients[layer])
    }
}

/// One thread's way through the networks of a batch.
///
/// The phases that make the sharing sound: both threads call the same methods
/// in the same order. Between two barriers, a thread writes parts of `outputs`,
/// `output_gradients` and `partials` that it owns; it reads `outputs` of a layer
/// only after the barrier that follows their writing, never written again in the
/// region; `output_gradients` only where it owns them; and `partials` of a layer
/// after the barrier that follows their writing, while the next layer's go to
/// the other pair. The pair is written again two layers on, after another
/// barrier, which a thread reaches only when it has read what it needed.
#[derive(Debug)]
pub(crate) struct PanelNetworks<'a, T: Float> {
    rows: usize,
    layout: &'a Layout,
    ownership: &'a PanelOwnership,
    parameters: &'a Parameters<T>,
    shared: &'a Shared<T>,
    thread: usize,
    barrier: &'a Barrier<'a>,
    by_output: &'a mut AlignedBuffer<T>,
    scratch: &'a mut LinearScratch<T>,
}

impl<T: Float> PanelNetworks<'_, T> {
    fn layer(&self, layer: usize) -> (&LinearLayer, LinearShape) {
        let linear = &self.layout.layers()[layer];
        (linear, linear.shape(self.rows))
    }

    /// The owned panels of a layer, its shape with those outputs alone, and
    /// their range in its output; nothing if there are none.
    fn owned(&self, layer: usize) -> Option<(Range<usize>, LinearShape, Range<usize>)> {
        let (linear, shape) = self.layer(layer);
        let panels = self.ownership.panels(layer, self.thread);
        if panels.is_empty() {
            return None;
        }
        let own = LinearShape {
            outputs: linear.outputs.min(panels.end * LANES) - panels.start * LANES,
            ..shape
        };
        let of_output = scaled(&panels, shape.y().panel_len());
        Some((panels, own, of_output))
    }

    /// The outputs of a layer, whole.
    ///
    /// # Safety
    /// They are complete and not written again.
    unsafe fn complete_output(&self, layer: usize) -> &[T] {
        let len = self.layer(layer).1.y().len();
        // SAFETY: the caller's promise.
        unsafe { self.shared.outputs[layer].first(len) }
    }

    /// The owned outputs of a layer that takes `x`.
    fn forward_owned(&self, layer: usize, x: &[T], source: Option<&Source<'_, T>>) {
        let Some((panels, own, of_output)) = self.owned(layer) else {
            return;
        };
        let weight = &self.parameters.weight(layer)[scaled(&panels, own.inputs * LANES)];
        let bias = &self.parameters.bias(layer)[scaled(&panels, LANES)];
        let activation = self.layout.layers()[layer].activation;
        let output = self.shared.output_or_logits(layer);
        // SAFETY: the thread's own part, see the type.
        let y = unsafe { output.part(of_output) };
        match source.and_then(|source| source.support) {
            Some(support) => forward_sparse(own, x, support, weight, bias, activation, y),
            None => forward(own, x, weight, bias, activation, y),
        }
    }

    /// The layer's input gradient, as far as it comes from the owned outputs.
    fn contract(&mut self, layer: usize) {
        let Some((panels, own, of_output)) = self.owned(layer) else {
            return;
        };
        let weight = &self.parameters.weight(layer)[scaled(&panels, own.inputs * LANES)];
        let half = self.ownership.half_of(layer, self.thread);
        let partial = &self.shared.partials[layer % 2][half];
        let len = input_gradient_partial_len(own);
        // SAFETY: the thread's own part of δ, and its own partial, see the type.
        let (dy, partial) = unsafe {
            let dy = self.shared.output_gradients[layer].part(of_output);
            (&*dy, partial.part(0..len))
        };
        let whole = self.layer(layer).1;
        input_gradient_half(whole, &panels, dy, weight, partial, self.scratch);
    }

    /// Both partial input gradients of a layer, in the order in which they are
    /// added.
    ///
    /// # Safety
    /// They are complete and not written again.
    unsafe fn partials(&self, layer: usize) -> (&[T], Option<&[T]>) {
        let (linear, shape) = self.layer(layer);
        let len = input_gradient_partial_len(shape);
        // SAFETY: the caller's promise.
        let [first, second] = self.shared.partials[layer % 2]
            .each_ref()
            .map(|partial| unsafe { partial.first(len) });
        if halves(linear.outputs)[0].is_empty() {
            (second, None)
        } else {
            (first, Some(second))
        }
    }

    /// δ of the owned panels of the layer below.
    fn complete(&self, layer: usize) {
        let Some((panels, _, of_output)) = self.owned(layer - 1) else {
            return;
        };
        let shape = self.layer(layer).1;
        let activation = self.layout.layers()[layer - 1].activation;
        // SAFETY: the barrier after both partials; the outputs of the layer
        // below were complete before; the thread's own part of δ: see the type.
        let (partials, h, dx) = unsafe {
            (
                self.partials(layer),
                &self.complete_output(layer - 1)[of_output.clone()],
                self.shared.output_gradients[layer - 1].part(of_output),
            )
        };
        complete_input_gradient(shape, panels, partials, h, activation, dx);
    }
}

impl<T: Float> Networks<T> for PanelNetworks<'_, T> {
    fn forward(&mut self, network: Role, source: Source<'_, T>) {
        let layers = self.layout.network(network);
        let last = self.layout.layers().len() - 1;
        for layer in layers.clone() {
            let len = self.layer(layer).1.x().len();
            if layer == layers.start {
                self.forward_owned(layer, &source.values[..len], Some(&source));
            } else {
                // SAFETY: the barrier after the layer below, see the type.
                let x = unsafe { self.complete_output(layer - 1) };
                self.forward_owned(layer, x, None);
            }
            if layer < last {
                self.barrier.wait();
            }
        }
    }

    fn output(&self, network: Role) -> &[T] {
        let last = self.layout.network(network).end - 1;
        // SAFETY: the barrier after the layer, see the type.
        unsafe { self.complete_output(last) }
    }

    fn losses(
        &mut self,
        _likelihood: &PixelLikelihood<T>,
        _rows: SampledRows,
        targets: &[T],
        row_loss: &mut [T],
    ) {
        let last = self.layout.layers().len() - 1;
        let Some((_, own, of_output)) = self.owned(last) else {
            row_loss.fill(T::ZERO);
            return;
        };
        // SAFETY: the thread's own part, see the type.
        let logits = unsafe { self.shared.output_gradients[last].part(of_output.clone()) };
        bce_with_logits_half(own.y(), logits, &targets[of_output], row_loss);
    }

    fn weigh_losses(&mut self, _weights: &[T]) {
        unreachable!("one sample counts fully, and no other objective is taken");
    }

    fn differentiate(&mut self, network: Role, rows: usize, write: &mut dyn FnMut(&[T], &mut [T])) {
        let last = self.layout.network(network).end - 1;
        let len = Panels::new(rows, self.layout.layers()[last].outputs).len();
        let shared = self.shared;
        // SAFETY: the barrier after the layer, see the type.
        let output = unsafe { shared.outputs[last].first(len) };
        write(output, &mut self.by_output[..len]);
        if let Some((_, _, of_output)) = self.owned(last) {
            // SAFETY: the thread's own part, see the type.
            unsafe { shared.output_gradients[last].part(of_output.clone()) }
                .copy_from_slice(&self.by_output[of_output]);
        }
    }

    fn backward(&mut self, network: Role, source: Source<'_, T>, by_source: Option<&mut [T]>) {
        let layers = self.layout.network(network);
        for layer in (layers.start + 1..layers.end).rev() {
            self.contract(layer);
            self.barrier.wait();
            self.complete(layer);
        }
        let Some(by_source) = by_source else {
            return;
        };
        self.contract(layers.start);
        self.barrier.wait();
        let shape = self.layer(layers.start).1;
        let x = &source.values[..shape.x().len()];
        // SAFETY: the barrier after both partials, see the type.
        let partials = unsafe { self.partials(layers.start) };
        let panels = 0..shape.x().panel_count();
        complete_input_gradient(shape, panels, partials, x, Activation::Identity, by_source);
    }
}

fn scaled(range: &Range<usize>, factor: usize) -> Range<usize> {
    range.start * factor..range.end * factor
}
