//! Networks run by threads that own output panels of every layer, or by one
//! that owns them all.

use std::ops::Range;

use tensor_ops::eighths::{EIGHTHS, PartialSums, branches, panels_of};
use tensor_ops::linear::{
    LinearScratch, LinearShape, complete_input_gradient, forward, forward_sparse, input_gradient,
    input_gradient_branch, input_gradient_partial_len,
};
use tensor_ops::loss::{RowSums, SampledRows, complete_row_losses};
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::parallel::{Barrier, Exchange};
use tensor_ops::{Activation, AlignedBuffer, Float};

use super::activations::{Activations, Partials};
use super::layout::{Layout, Role};
use super::ownership::PanelOwnership;
use super::parameters::Parameters;
use super::pass::{Networks, Source};
use crate::likelihood::{PixelLikelihood, PixelOutputs};

/// One thread's way through the networks of some rows.
///
/// Where several threads share the panels, all call the same methods in the same
/// order. A thread reads and writes only the weights of panels it owns, in this
/// pass and in the update that follows; what moves between cores are activations,
/// which are much smaller:
///
/// * forward, h_l = act(h_{l−1}·W_l + b_l): each thread computes its panels of
///   h_l from all of h_{l−1}, and waits for the others';
/// * the loss and δ of the output layer: each its own panels;
/// * backward, δ_{l−1} = (δ_l·W_lᵀ) ⊙ act'(h_{l−1}): each thread contracts over
///   its own outputs, waits, and adds the parts of all for the panels of δ_{l−1}
///   that it owns ([`input_gradient_branch`]).
///
/// The phases that make the sharing sound: between two barriers, a thread writes
/// parts of `outputs`, `gradients` and partials that it owns; it reads `outputs`
/// of a layer only after the barrier that follows their writing, never written
/// again but by the loss, which takes the parts of the decoder's last that it
/// owns; `gradients` only where it owns them; and partials of a layer after the
/// barrier that follows their writing, while those of the next layer down go to
/// the other set. A set is written again two layers on, after another barrier,
/// which a thread reaches only when it has read what it needed; between two passes
/// back there is a barrier too. The lines of losses are written once in a pass and
/// read after one of its barriers, before the next pass writes them. The gradient
/// by a σ of each pixel is written by whoever takes the pixel's loss, and weighed
/// by the owner of its layer after a barrier.
#[derive(Debug)]
pub(crate) struct PanelNetworks<'a, T: Float> {
    parameters: &'a Parameters<T>,
    activations: &'a Activations<T>,
    own: &'a mut OwnBuffers<T>,
    /// None where one thread owns all panels.
    sharing: Option<Sharing<'a, T>>,
}

/// How one of several threads shares the panels with the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sharing<'a, T> {
    pub(crate) ownership: &'a PanelOwnership,
    pub(crate) partials: &'a Partials<T>,
    pub(crate) thread: usize,
    pub(crate) barrier: &'a Barrier<'a>,
}

/// What a thread has for itself.
#[derive(Debug)]
pub(crate) struct OwnBuffers<T> {
    /// The gradient by the output of a network, before its own panels go to
    /// where all can read them.
    by_output: AlignedBuffer<T>,
    scratch: LinearScratch<T>,
}

impl<T: Float> OwnBuffers<T> {
    /// Those of one of `threads` threads that take so many rows forward and back.
    pub(crate) fn new(layout: &Layout, rows_of: impl Fn(Role) -> usize, threads: usize) -> Self {
        let (mut most, mut scratch) = (0, LinearScratch::new());
        for network in layout.networks() {
            let rows = rows_of(network.role);
            let is_differentiated = !matches!(network.role, Role::Decoder | Role::Scale);
            for layer in network.layers.clone() {
                let shape = layout.layers()[layer].shape(rows);
                if is_differentiated && threads > 1 && layer + 1 == network.layers.end {
                    most = most.max(shape.y().len());
                }
                if layer > 0 && network.role != Role::Scale {
                    scratch.reserve(shape);
                }
            }
        }
        Self {
            by_output: AlignedBuffer::zeroed(most),
            scratch,
        }
    }

    /// Those of a thread that goes forward alone.
    pub(crate) fn of_forward_pass() -> Self {
        Self {
            by_output: AlignedBuffer::zeroed(0),
            scratch: LinearScratch::new(),
        }
    }
}

impl<'a, T: Float> PanelNetworks<'a, T> {
    pub(crate) fn new(
        parameters: &'a Parameters<T>,
        activations: &'a Activations<T>,
        own: &'a mut OwnBuffers<T>,
        sharing: Option<Sharing<'a, T>>,
    ) -> Self {
        Self {
            parameters,
            activations,
            own,
            sharing,
        }
    }

    /// Networks whose panels one thread owns, which has the activations to
    /// itself.
    pub(crate) fn alone(
        parameters: &'a Parameters<T>,
        activations: &'a mut Activations<T>,
        own: &'a mut OwnBuffers<T>,
    ) -> Self {
        Self::new(parameters, activations, own, None)
    }

    fn shape(&self, layer: usize, rows: usize) -> LinearShape {
        self.parameters.layout().layers()[layer].shape(rows)
    }

    fn last(&self, network: Role) -> usize {
        self.parameters.layout().network(network).end - 1
    }

    /// The eighths of a layer's outputs that the thread owns.
    fn eighths(&self, layer: usize) -> Range<usize> {
        let share = |sharing: Sharing<'_, T>| sharing.ownership.eighths(layer, sharing.thread);
        self.sharing.map_or(0..EIGHTHS, share)
    }

    fn owned_panels(&self, layer: usize) -> Range<usize> {
        let outputs = self.parameters.layout().layers()[layer].outputs;
        panels_of(outputs, &self.eighths(layer))
    }

    /// Where the gradient by a layer's outputs is.
    fn gradient(&self, layer: usize) -> &'a Exchange<T> {
        if layer == self.last(Role::Decoder) {
            &self.activations.outputs[layer]
        } else {
            &self.activations.gradients[layer]
        }
    }

    /// The weights of some panels of a layer.
    fn weight(&self, layer: usize, panels: &Range<usize>) -> &'a [T] {
        let inputs = self.parameters.layout().layers()[layer].inputs;
        &self.parameters.weight(layer)[scaled(panels, inputs * LANES)]
    }

    /// The owned outputs of a layer that takes `x`.
    fn forward_owned(&self, layer: usize, rows: usize, x: &[T], source: Option<&Source<'_, T>>) {
        let panels = self.owned_panels(layer);
        if panels.is_empty() {
            return;
        }
        let shape = self.shape(layer, rows);
        let own = LinearShape {
            outputs: shape.outputs.min(panels.end * LANES) - panels.start * LANES,
            ..shape
        };
        let weight = self.weight(layer, &panels);
        let bias = &self.parameters.bias(layer)[scaled(&panels, LANES)];
        let activation = self.parameters.layout().layers()[layer].activation;
        // SAFETY: the thread's own part, see the type.
        let y =
            unsafe { self.activations.outputs[layer].part(scaled(&panels, shape.y().panel_len())) };
        match source.and_then(|source| source.support) {
            Some(support) => forward_sparse(own, x, support, weight, bias, activation, y),
            None => forward(own, x, weight, bias, activation, y),
        }
    }

    /// The layer's input gradient, as far as it comes from the owned outputs.
    fn contract(&mut self, layer: usize, rows: usize, sharing: Sharing<'_, T>) {
        let shape = self.shape(layer, rows);
        for branch in branches(self.eighths(layer)) {
            let panels = panels_of(shape.outputs, &branch);
            if panels.is_empty() {
                continue;
            }
            let place = sharing.ownership.place_of(&branch);
            let partial = &sharing.partials.input_gradients[layer % 2][place];
            let weight = self.weight(layer, &panels);
            // SAFETY: the thread's own part of δ, and its own partial, see the
            // type.
            let (dy, partial) = unsafe {
                (
                    self.gradient(layer)
                        .read(scaled(&panels, shape.y().panel_len())),
                    partial.part(0..input_gradient_partial_len(shape)),
                )
            };
            let scratch = &mut self.own.scratch;
            input_gradient_branch(shape, &branch, dy, weight, partial, scratch);
        }
    }

    /// All parts of a sum over `columns` columns, of `len` elements each.
    ///
    /// # Safety
    /// They are complete and not written.
    unsafe fn sums<'b>(
        columns: usize,
        ownership: &PanelOwnership,
        parts: &'b [Exchange<T>],
        len: usize,
    ) -> PartialSums<'b, T> {
        let parts = ownership.branches().iter().cloned().zip(parts);
        // SAFETY: the caller's promise.
        let parts = parts.map(|(branch, part)| (branch, unsafe { part.read(0..len) }));
        PartialSums::new(columns, parts)
    }

    /// The gradient by the input of a layer, x: by some panels of it alone that
    /// `dx` holds, from the parts of all threads.
    fn complete(
        &self,
        layer: usize,
        rows: usize,
        sharing: Sharing<'_, T>,
        (panels, x, activation): (Range<usize>, &[T], Activation),
        dx: &mut [T],
    ) {
        let shape = self.shape(layer, rows);
        let parts = &sharing.partials.input_gradients[layer % 2];
        let len = input_gradient_partial_len(shape);
        // SAFETY: the barrier after the parts, see the type.
        let parts = unsafe { Self::sums(shape.outputs, sharing.ownership, parts, len) };
        let x = &x[scaled(&panels, shape.x().panel_len())];
        complete_input_gradient(shape, panels, parts, x, activation, dx);
    }

    /// The eighths of the pixels whose losses the thread takes: where the
    /// decoder has an output for each, those it owns.
    fn eighths_of_pixels(&self) -> Range<usize> {
        match self.sharing {
            Some(sharing) if self.has_foreign_outputs() => {
                sharing.ownership.eighths_of_thread(sharing.thread)
            }
            _ => self.eighths(self.last(Role::Decoder)),
        }
    }

    /// A pixel has outputs of the decoder in panels that another thread may own.
    fn has_foreign_outputs(&self) -> bool {
        let layout = self.parameters.layout();
        let outputs = layout.layers()[self.last(Role::Decoder)].outputs;
        self.sharing.is_some() && outputs != layout.inputs()
    }
}

impl<T: Float> Networks<T> for PanelNetworks<'_, T> {
    fn share(&self, count: usize) -> Range<usize> {
        let share = |sharing: Sharing<'_, T>| {
            let threads = sharing.ownership.threads();
            sharing.thread * count / threads..(sharing.thread + 1) * count / threads
        };
        self.sharing.map_or(0..count, share)
    }

    fn meet(&self) {
        if let Some(sharing) = self.sharing {
            sharing.barrier.wait();
        }
    }

    fn forward(&mut self, network: Role, source: Source<'_, T>) {
        let layers = self.parameters.layout().network(network);
        let last = self.last(Role::Decoder);
        for layer in layers.clone() {
            let len = self.shape(layer, source.rows).x().len();
            if layer == layers.start {
                self.forward_owned(layer, source.rows, &source.values[..len], Some(&source));
            } else {
                // SAFETY: the barrier after the layer below, see the type.
                let x = unsafe { self.activations.outputs[layer - 1].read(0..len) };
                self.forward_owned(layer, source.rows, x, None);
            }
            if layer != last || self.has_foreign_outputs() {
                self.meet();
            }
        }
    }

    fn output(&self, network: Role) -> &[T] {
        let output = &self.activations.outputs[self.last(network)];
        // SAFETY: the barrier after the layer, see the type.
        unsafe { output.read(0..output.len()) }
    }

    fn losses(
        &mut self,
        likelihood: &PixelLikelihood<T>,
        rows: SampledRows,
        targets: &[T],
        row_loss: &mut [T],
    ) {
        let last = self.last(Role::Decoder);
        let outputs = &self.activations.outputs[last];
        if self.activations.gradients.is_empty() {
            let len = self.shape(last, rows.shape.rows).y().len();
            // SAFETY: the thread is alone where there is no backward pass.
            let outputs = unsafe { outputs.read(0..len) };
            return likelihood.losses(rows, outputs, targets, row_loss);
        }
        let (panel, target_panel) = (rows.shape.panel_len(), rows.targets().panel_len());
        let scale = self.parameters.layout().network(Role::Scale).next();
        for branch in branches(self.eighths_of_pixels()) {
            let panels = panels_of(rows.shape.cols, &branch);
            if panels.is_empty() && self.sharing.is_some() {
                continue;
            }
            let of_outputs = scaled(&panels, panel);
            // SAFETY: parts of pixels that the thread takes the loss of alone;
            // those that another thread owns lie behind barriers on both sides.
            let outputs = unsafe {
                PixelOutputs {
                    means: outputs.part(of_outputs.clone()),
                    log_sigma: if likelihood.has_decoded_scale() {
                        let first = rows.shape.len();
                        outputs.part(first + of_outputs.start..first + of_outputs.end)
                    } else if let Some(layer) = scale.filter(|_| likelihood.has_pixel_scale()) {
                        self.activations.gradients[layer].part(of_outputs)
                    } else {
                        &mut []
                    },
                }
            };
            let targets = &targets[scaled(&panels, target_panel)];
            let sums = match self.sharing {
                None => RowSums::Whole(&mut *row_loss),
                Some(sharing) => {
                    let place = sharing.ownership.place_of(&branch);
                    let lines = &sharing.partials.row_losses[place];
                    // SAFETY: the thread's own lines.
                    RowSums::Branch(branch, unsafe { lines.part(0..panel) })
                }
            };
            likelihood.losses_and_gradients(rows, outputs, targets, sums);
        }
        if self.has_foreign_outputs() {
            self.meet();
        }
    }

    fn complete_losses(
        &mut self,
        likelihood: &PixelLikelihood<T>,
        rows: SampledRows,
        row_loss: &mut [T],
    ) {
        if self.activations.gradients.is_empty() {
            return;
        }
        if let Some(sharing) = self.sharing {
            let (columns, parts) = (rows.shape.cols, &sharing.partials.row_losses);
            let len = rows.shape.panel_len();
            // SAFETY: a barrier after the lines, see the trait.
            let lines = unsafe { Self::sums(columns, sharing.ownership, parts, len) };
            complete_row_losses(lines, row_loss);
        }
        let scale = self.parameters.layout().network(Role::Scale).next();
        let scale = scale
            .filter(|&layer| !likelihood.has_pixel_scale() && !self.owned_panels(layer).is_empty());
        let by_log_sigma = match scale {
            // SAFETY: the thread owns the only panel.
            Some(layer) => unsafe {
                self.activations.gradients[layer].part(0..rows.shape.panel_len())
            },
            None => &mut [],
        };
        likelihood.complete(row_loss, by_log_sigma);
    }

    fn weigh_losses(&mut self, weights: &[T]) {
        let layout = self.parameters.layout();
        let scale = layout.network(Role::Scale);
        for layer in std::iter::once(self.last(Role::Decoder)).chain(scale) {
            let shape = self.shape(layer, weights.len()).y();
            let panels = self.owned_panels(layer);
            // SAFETY: the thread's own part, see the type.
            let by_outputs = unsafe {
                self.gradient(layer)
                    .part(scaled(&panels, shape.panel_len()))
            };
            let own = Panels::new(shape.rows, panels.len() * LANES);
            own.scale_rows(weights, by_outputs);
        }
    }

    fn differentiate(&mut self, network: Role, rows: usize, write: &mut dyn FnMut(&[T], &mut [T])) {
        let last = self.last(network);
        let shape = self.shape(last, rows).y();
        let gradient = self.gradient(last);
        // SAFETY: the barrier after the layer; the thread's own part.
        unsafe {
            let output = self.activations.outputs[last].read(0..shape.len());
            if self.sharing.is_none() {
                return write(output, gradient.part(0..shape.len()));
            }
            write(output, &mut self.own.by_output[..shape.len()]);
            let own = scaled(&self.owned_panels(last), shape.panel_len());
            gradient
                .part(own.clone())
                .copy_from_slice(&self.own.by_output[own]);
        }
    }

    fn backward(&mut self, network: Role, source: Source<'_, T>, by_source: Option<&mut [T]>) {
        let layers = self.parameters.layout().network(network);
        let rows = source.rows;
        let mut by_source = by_source;
        for layer in layers.clone().rev() {
            let shape = self.shape(layer, rows);
            let is_first = layer == layers.start;
            if is_first && by_source.is_none() {
                continue;
            }
            // No activation made the first input.
            let (x, activation) = if is_first {
                (&source.values[..shape.x().len()], Activation::Identity)
            } else {
                let activation = self.parameters.layout().layers()[layer - 1].activation;
                // SAFETY: complete since the forward pass, see the type.
                let x = unsafe { self.activations.outputs[layer - 1].read(0..shape.x().len()) };
                (x, activation)
            };
            if let Some(sharing) = self.sharing {
                self.contract(layer, rows, sharing);
                self.meet();
            }
            let panels = match self.sharing {
                Some(_) if !is_first => self.owned_panels(layer - 1),
                _ => 0..shape.x().panel_count(),
            };
            let dx = match by_source.take_if(|_| is_first) {
                Some(by_source) => by_source,
                // SAFETY: the thread's own part, see the type.
                None => unsafe {
                    self.gradient(layer - 1)
                        .part(scaled(&panels, shape.x().panel_len()))
                },
            };
            match self.sharing {
                Some(_) if panels.is_empty() => {}
                Some(sharing) => self.complete(layer, rows, sharing, (panels, x, activation), dx),
                None => {
                    // SAFETY: the thread is alone.
                    let dy = unsafe { self.gradient(layer).read(0..shape.y().len()) };
                    let weight = self.parameters.weight(layer);
                    input_gradient(shape, dy, weight, x, activation, dx, &mut self.own.scratch);
                }
            }
        }
    }
}

fn scaled(range: &Range<usize>, factor: usize) -> Range<usize> {
    range.start * factor..range.end * factor
}
