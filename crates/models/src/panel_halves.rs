//! The first region of a training step on two threads: each owns half of
//! every weight matrix, and all rows.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::linear::{
    LinearScratch, LinearShape, RowBlock, complete_input_gradient, forward, forward_sparse, halves,
    input_gradient_half, input_gradient_partial_len,
};
use tensor_ops::panels::{LANES, Panels, Support};
use tensor_ops::parallel::{Barrier, ThreadPool};
use tensor_ops::{Activation, Float, loss};

use crate::aligned::AlignedBuffer;
use crate::batch::BatchSource;
use crate::contraction::Contraction;
use crate::exchange::Exchange;
use crate::gradient::ImageLosses;
use crate::latent::{LatentShape, code_and_penalty, head_gradient};
use crate::layout::{Layout, LinearLayer};
use crate::objective::{Bound, Objective};
use crate::panel_ownership::{PanelOwnership, THREADS};
use crate::parameters::Parameters;
use crate::spec::{Likelihood, ModelSpec};

/// The hand-derived gradient with every weight matrix cut in two.
///
/// The row blocks of [`RowBlocks`](crate::row_block::RowBlocks) have each
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
/// for themselves. The bits are those of the row blocks, on any number of
/// threads.
#[derive(Debug)]
pub(crate) struct PanelHalves<T: Float> {
    layout: Arc<Layout>,
    ownership: PanelOwnership,
    rows: usize,
    shared: Shared<T>,
    owners: Vec<Owner<T>>,
}

/// What both threads use in turn.
#[derive(Debug)]
struct Shared<T> {
    /// The latent pass of the batch in hand.
    latent: LatentShape,
    /// The output of each layer but the last; that of the head before the code
    /// is made of it.
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
    pixels: AlignedBuffer<T>,
    support: Support,
    noise: Vec<T>,
    sigma: Vec<T>,
    code: AlignedBuffer<T>,
    code_gradient: AlignedBuffer<T>,
    head_gradient: AlignedBuffer<T>,
    penalty: Vec<T>,
    /// The weight of the KL, for every latent dimension.
    kl_weights: Vec<T>,
    /// Of its half of the pixels.
    reconstruction: Vec<T>,
    scratch: LinearScratch<T>,
}

impl<T: Float> PanelHalves<T> {
    /// Whether this objective of this model is one of those offered: one
    /// sample of every code, and no pass over the batch in between.
    pub(crate) fn takes(spec: &ModelSpec, objective: &Objective) -> bool {
        objective.bound == Bound::Elbo
            && objective.samples == 1
            && objective.free_bits == 0.0
            && spec.likelihood == Likelihood::Bernoulli
    }

    /// Buffers for batches of up to `capacity` rows.
    pub(crate) fn new(spec: &ModelSpec, layout: Arc<Layout>, capacity: usize) -> Self {
        let layers = layout.layers();
        let len = |cols| Panels::new(capacity, cols).len();
        let partial = layers[1..]
            .iter()
            .map(|layer| input_gradient_partial_len(layer_shape(layer, capacity)))
            .max()
            .unwrap_or(0);
        let exchange = |layer: &LinearLayer| Exchange::zeroed(len(layer.outputs));
        let shared = Shared {
            latent: LatentShape::new(spec, 0, 1),
            outputs: layers[..layers.len() - 1].iter().map(exchange).collect(),
            output_gradients: layers.iter().map(exchange).collect(),
            partials: [(); 2].map(|()| [(); THREADS].map(|()| Exchange::zeroed(partial))),
        };
        let owners = (0..THREADS)
            .map(|_| Owner::new(LatentShape::new(spec, capacity, 1), &layout))
            .collect();
        Self {
            ownership: PanelOwnership::new(&layout),
            layout,
            rows: 0,
            shared,
            owners,
        }
    }

    /// Which thread owns what.
    pub(crate) fn ownership(&self) -> &PanelOwnership {
        &self.ownership
    }

    /// Forward pass, losses and activation gradients of a batch.
    pub(crate) fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
        beta: f64,
    ) {
        self.rows = batch.rows();
        self.shared.latent.images = self.rows;
        for owner in &mut self.owners {
            owner.kl_weights.fill(T::from_f64(beta));
        }
        let pass = Pass {
            rows: self.rows,
            layout: &self.layout,
            ownership: &self.ownership,
            parameters,
            shared: &self.shared,
        };
        pool.together(&mut self.owners, |thread, owner, barrier| {
            pass.run(thread, owner, barrier, batch);
        });
    }

    /// Calls `each` with the losses of every image, in order.
    pub(crate) fn for_each_image(&self, mut each: impl FnMut(ImageLosses<T>)) {
        let last = self.layout.layers().len() - 1;
        // The order in which the loss of a whole row adds its halves.
        let [first, second] = [0, 1].map(|half| &self.owners[self.ownership.thread_of(last, half)]);
        for row in 0..self.rows {
            each(ImageLosses {
                reconstruction: first.reconstruction[row] + second.reconstruction[row],
                penalty: first.penalty[row],
                negative_bound: None,
            });
        }
    }

    /// Index of the first layer, in forward order, whose output is not finite.
    pub(crate) fn first_non_finite_output(&self) -> Option<usize> {
        let layers = self.layout.layers();
        (0..layers.len()).find(|&layer| {
            let len = layer_shape(&layers[layer], self.rows).y().len();
            let output = self
                .shared
                .outputs
                .get(layer)
                .unwrap_or(&self.shared.output_gradients[layer]);
            // SAFETY: no region is running: `run`, which starts them, has the
            // workspace to itself until they end.
            let output = unsafe { output.first(len) };
            output.iter().any(|value| !value.is_finite())
        })
    }

    /// What the gradient of a layer is contracted from, for its owner.
    fn gradient_terms(&self, layer: usize, panels: &Range<usize>) -> RowBlock<'_, T> {
        let linear = &self.layout.layers()[layer];
        let shape = layer_shape(linear, self.rows);
        // Each thread reads its own copy of the pixels and of the codes.
        let owner = &self.owners[self.ownership.owner_of(layer, panels)];
        let x = if layer == 0 {
            &owner.pixels[..shape.x().len()]
        } else if layer == self.layout.head() + 1 {
            &owner.code[..shape.x().len()]
        } else {
            // SAFETY: no region that writes is running, see
            // `first_non_finite_output`.
            unsafe { self.shared.outputs[layer - 1].first(shape.x().len()) }
        };
        RowBlock {
            rows: self.rows,
            x,
            // SAFETY: as above.
            dy: unsafe { self.shared.output_gradients[layer].first(shape.y().len()) },
            support: (layer == 0).then_some(&owner.support),
        }
    }
}

impl<T: Float> Contraction<T> for PanelHalves<T> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn with_row_blocks(
        &self,
        layer: usize,
        panels: &Range<usize>,
        work: impl FnOnce(&[RowBlock<'_, T>]),
    ) {
        work(&[self.gradient_terms(layer, panels)]);
    }
}

impl<T: Float> Owner<T> {
    fn new(latent: LatentShape, layout: &Layout) -> Self {
        let capacity = latent.images;
        let buffer = |cols| AlignedBuffer::zeroed(Panels::new(capacity, cols).len());
        let pixels = buffer(layout.inputs());
        let mut support = Support::new();
        // Scanning the empty buffer once at full size is what makes later
        // scans free of allocation.
        support.scan(Panels::new(capacity, layout.inputs()), &pixels);
        let mut scratch = LinearScratch::new();
        for layer in &layout.layers()[1..] {
            scratch.reserve(layer_shape(layer, capacity));
        }
        Self {
            pixels,
            support,
            noise: vec![T::ZERO; latent.noise_len()],
            sigma: vec![T::ZERO; latent.sigma_len()],
            code: buffer(layout.latent()),
            code_gradient: buffer(layout.latent()),
            head_gradient: buffer(layout.layers()[layout.head()].outputs),
            kl_weights: vec![T::ONE; layout.latent()],
            penalty: vec![T::ZERO; capacity],
            reconstruction: vec![T::ZERO; capacity],
            scratch,
        }
    }
}

/// One batch on its way through the layers.
struct Pass<'a, T: Float> {
    rows: usize,
    layout: &'a Layout,
    ownership: &'a PanelOwnership,
    parameters: &'a Parameters<T>,
    shared: &'a Shared<T>,
}

impl<T: Float> Pass<'_, T> {
    /// The thread's part of the batch.
    ///
    /// The phases that make the sharing sound: between two barriers, a thread
    /// writes parts of `outputs`, `output_gradients` and `partials` that it
    /// owns; it reads `outputs` of a layer only after the barrier that follows
    /// their writing, never written again in the region; `output_gradients`
    /// only where it owns them; and `partials` of a layer after the barrier
    /// that follows their writing, while the next layer's go to the other
    /// pair. The pair is written again two layers on, after another barrier,
    /// which a thread reaches only when it has read what it needed.
    fn run(
        &self,
        thread: usize,
        owner: &mut Owner<T>,
        barrier: &Barrier,
        batch: &impl BatchSource<T>,
    ) {
        let pixels = Panels::new(self.rows, self.layout.inputs());
        let x = &mut owner.pixels[..pixels.len()];
        batch.pack_pixels(0..self.rows, pixels, x);
        owner.support.scan(pixels, x);

        let last = self.layout.layers().len() - 1;
        for layer in 0..=last {
            if layer == self.layout.head() + 1 {
                self.sample(owner, batch);
            }
            self.forward(layer, thread, owner);
            if layer < last {
                barrier.wait();
            }
        }
        self.loss(thread, owner);
        for layer in (1..=last).rev() {
            self.contract(layer, thread, owner);
            barrier.wait();
            if layer == self.layout.head() + 1 {
                self.through_code(thread, owner);
            } else {
                self.complete(layer, thread);
            }
        }
    }

    fn layer(&self, layer: usize) -> (&LinearLayer, LinearShape) {
        let linear = &self.layout.layers()[layer];
        (linear, layer_shape(linear, self.rows))
    }

    /// The owned panels of a layer, its shape with those outputs alone, and
    /// their range in its output; nothing if there are none.
    fn owned(
        &self,
        layer: usize,
        thread: usize,
    ) -> Option<(Range<usize>, LinearShape, Range<usize>)> {
        let (linear, shape) = self.layer(layer);
        let panels = self.ownership.panels(layer, thread);
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

    /// What a layer reads.
    ///
    /// # Safety
    /// The outputs of the layer below are complete and not written again.
    unsafe fn input<'b>(&'b self, layer: usize, owner: &'b Owner<T>) -> &'b [T] {
        let len = self.layer(layer).1.x().len();
        if layer == 0 {
            &owner.pixels[..len]
        } else if layer == self.layout.head() + 1 {
            &owner.code[..len]
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.shared.outputs[layer - 1].first(len) }
        }
    }

    fn forward(&self, layer: usize, thread: usize, owner: &Owner<T>) {
        let Some((panels, own, of_output)) = self.owned(layer, thread) else {
            return;
        };
        let weight = &self.parameters.weight(layer)[scaled(&panels, own.inputs * LANES)];
        let bias = &self.parameters.bias(layer)[scaled(&panels, LANES)];
        let activation = self.layout.layers()[layer].activation;
        let output = self
            .shared
            .outputs
            .get(layer)
            .unwrap_or(&self.shared.output_gradients[layer]);
        // SAFETY: the barrier after the layer below, and the thread's own part
        // of this one, see `run`.
        let (x, y) = unsafe { (self.input(layer, owner), output.part(of_output)) };
        if layer == 0 {
            forward_sparse(own, x, &owner.support, weight, bias, activation, y);
        } else {
            forward(own, x, weight, bias, activation, y);
        }
    }

    /// Codes and penalties of all rows.
    fn sample(&self, owner: &mut Owner<T>, batch: &impl BatchSource<T>) {
        let latent = self.shared.latent;
        let noise = &mut owner.noise[..latent.noise_len()];
        // SAFETY: the barrier after the head, see `run`.
        let head = unsafe { self.shared.outputs[self.layout.head()].first(latent.head().len()) };
        if !noise.is_empty() {
            batch.fill_noise(0..self.rows, latent.latent, noise);
        }
        code_and_penalty(
            latent,
            head,
            noise,
            &mut owner.sigma[..latent.sigma_len()],
            &mut owner.code[..latent.code().len()],
            &mut owner.penalty[..self.rows],
        );
    }

    /// Loss of the owned pixels, and its gradient in place of their logits.
    fn loss(&self, thread: usize, owner: &mut Owner<T>) {
        let last = self.layout.layers().len() - 1;
        let row_loss = &mut owner.reconstruction[..self.rows];
        let Some((_, own, of_output)) = self.owned(last, thread) else {
            row_loss.fill(T::ZERO);
            return;
        };
        // SAFETY: the thread's own part, see `run`.
        let logits = unsafe { self.shared.output_gradients[last].part(of_output.clone()) };
        loss::bce_with_logits_half(own.y(), logits, &owner.pixels[of_output], row_loss);
    }

    /// The layer's input gradient, as far as it comes from the owned outputs.
    fn contract(&self, layer: usize, thread: usize, owner: &mut Owner<T>) {
        let Some((panels, own, of_output)) = self.owned(layer, thread) else {
            return;
        };
        let weight = &self.parameters.weight(layer)[scaled(&panels, own.inputs * LANES)];
        let partial = &self.shared.partials[layer % 2][self.ownership.half_of(layer, thread)];
        let len = input_gradient_partial_len(own);
        // SAFETY: the thread's own part of δ, and its own partial, see `run`.
        let (dy, partial) = unsafe {
            let dy = self.shared.output_gradients[layer].part(of_output);
            (&*dy, partial.part(0..len))
        };
        let whole = self.layer(layer).1;
        input_gradient_half(whole, &panels, dy, weight, partial, &mut owner.scratch);
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
    fn complete(&self, layer: usize, thread: usize) {
        let Some((panels, _, of_output)) = self.owned(layer - 1, thread) else {
            return;
        };
        let shape = self.layer(layer).1;
        let activation = self.layout.layers()[layer - 1].activation;
        // SAFETY: the barrier after both partials; the outputs of the layer
        // below were complete before; the thread's own part of δ: see `run`.
        let (partials, h, dx) = unsafe {
            (
                self.partials(layer),
                &self.shared.outputs[layer - 1].first(shape.x().len())[of_output.clone()],
                self.shared.output_gradients[layer - 1].part(of_output),
            )
        };
        complete_input_gradient(shape, panels, partials, h, activation, dx);
    }

    /// The gradient by the code, whole, and through it that by the head.
    fn through_code(&self, thread: usize, owner: &mut Owner<T>) {
        let latent = self.shared.latent;
        let head = self.layout.head();
        let shape = self.layer(head + 1).1;
        // SAFETY: the barrier after both partials, see `run`.
        let partials = unsafe { self.partials(head + 1) };
        let code = latent.code();
        let g = &mut owner.code_gradient[..code.len()];
        let z = &owner.code[..code.len()];
        complete_input_gradient(
            shape,
            0..code.panel_count(),
            partials,
            z,
            Activation::Identity,
            g,
        );
        let gradient = &mut owner.head_gradient[..latent.head().len()];
        // SAFETY: the barrier after the head, see `run`.
        let outputs = unsafe { self.shared.outputs[head].first(latent.head().len()) };
        head_gradient(
            latent,
            &owner.kl_weights,
            outputs,
            &owner.noise[..latent.noise_len()],
            &owner.sigma[..latent.sigma_len()],
            g,
            gradient,
        );
        if let Some((_, _, of_output)) = self.owned(head, thread) {
            // SAFETY: the thread's own part, see `run`.
            unsafe { self.shared.output_gradients[head].part(of_output.clone()) }
                .copy_from_slice(&gradient[of_output]);
        }
    }
}

fn layer_shape(layer: &LinearLayer, rows: usize) -> LinearShape {
    LinearShape {
        rows,
        inputs: layer.inputs,
        outputs: layer.outputs,
    }
}

fn scaled(range: &Range<usize>, factor: usize) -> Range<usize> {
    range.start * factor..range.end * factor
}
