//! Networks run by one thread, on rows of its own.

use tensor_ops::linear::{LinearScratch, RowBlock, forward, forward_sparse, input_gradient};
use tensor_ops::loss::SampledRows;
use tensor_ops::panels::Panels;
use tensor_ops::{Activation, AlignedBuffer, Float};

use super::layout::{Layout, Role};
use super::parameters::Parameters;
use super::pass::{Networks, Source};
use crate::likelihood::PixelLikelihood;

/// The outputs of all layers for some rows, and the gradients by them before
/// their activation.
#[derive(Debug)]
pub(crate) struct Activations<T> {
    /// The decoder's last is replaced by its gradient where the loss is taken.
    outputs: Vec<AlignedBuffer<T>>,
    /// None where no backward pass follows.
    gradients: Vec<AlignedBuffer<T>>,
    scratch: LinearScratch<T>,
}

/// The networks of a model and the rows that are taken through them.
#[derive(Debug)]
pub(crate) struct RowNetworks<'a, T: Float> {
    parameters: &'a Parameters<T>,
    activations: &'a mut Activations<T>,
}

impl<T: Float> Activations<T> {
    /// Buffers of as many rows as `rows_of` says of each network.
    pub(crate) fn new(layout: &Layout, rows_of: impl Fn(Role) -> usize) -> Self {
        let mut forward_alone = Self::of_forward_pass(layout, &rows_of);
        let (decoder, scale) = (layout.network(Role::Decoder), layout.network(Role::Scale));
        for network in layout.networks() {
            let rows = rows_of(network.role);
            for layer in network.layers.clone() {
                let linear = &layout.layers()[layer];
                // The decoder's last gradient takes the place of its output.
                let is_in_place = layer + 1 == decoder.end;
                let len = Panels::new(if is_in_place { 0 } else { rows }, linear.outputs).len();
                forward_alone.gradients.push(AlignedBuffer::zeroed(len));
                if layer > 0 && !scale.contains(&layer) {
                    forward_alone.scratch.reserve(linear.shape(rows));
                }
            }
        }
        forward_alone
    }

    /// Buffers of a forward pass alone.
    pub(crate) fn of_forward_pass(layout: &Layout, rows_of: impl Fn(Role) -> usize) -> Self {
        let networks = layout.networks().iter();
        let outputs = networks.flat_map(|network| {
            let is_computed = network.role != Role::Scale;
            let rows = if is_computed {
                rows_of(network.role)
            } else {
                0
            };
            let layers = layout.layers()[network.layers.clone()].iter();
            layers.map(move |layer| AlignedBuffer::zeroed(Panels::new(rows, layer.outputs).len()))
        });
        Self {
            outputs: outputs.collect(),
            gradients: Vec::new(),
            scratch: LinearScratch::new(),
        }
    }

    /// The output of a layer; of the decoder's last after the loss its
    /// gradient.
    pub(crate) fn output(&self, layer: usize) -> &[T] {
        &self.outputs[layer]
    }

    /// What the weight gradient of a layer is contracted from, with the source
    /// of its network.
    pub(crate) fn gradient_terms<'a>(
        &'a self,
        layout: &Layout,
        layer: usize,
        source: Source<'a, T>,
    ) -> RowBlock<'a, T> {
        let shape = layout.layers()[layer].shape(source.rows);
        let is_first = layer == layout.network_of(layer).layers.start;
        let x = if is_first {
            source.values
        } else {
            &self.outputs[layer - 1]
        };
        let is_in_place = layer + 1 == layout.network(Role::Decoder).end;
        let dy = if is_in_place {
            &self.outputs[layer]
        } else {
            &self.gradients[layer]
        };
        RowBlock {
            rows: source.rows,
            x: &x[..shape.x().len()],
            dy: &dy[..shape.y().len()],
            support: source.support.filter(|_| is_first),
        }
    }
}

impl<'a, T: Float> RowNetworks<'a, T> {
    pub(crate) fn new(parameters: &'a Parameters<T>, activations: &'a mut Activations<T>) -> Self {
        Self {
            parameters,
            activations,
        }
    }

    fn last(&self, network: Role) -> usize {
        self.parameters.layout().network(network).end - 1
    }
}

impl<T: Float> Networks<T> for RowNetworks<'_, T> {
    fn forward(&mut self, network: Role, source: Source<'_, T>) {
        let layout = self.parameters.layout();
        let layers = layout.network(network);
        for layer in layers.clone() {
            let linear = &layout.layers()[layer];
            let shape = linear.shape(source.rows);
            let (below, above) = self.activations.outputs.split_at_mut(layer);
            let is_first = layer == layers.start;
            let x = if is_first {
                source.values
            } else {
                &below[layer - 1]
            };
            let x = &x[..shape.x().len()];
            let y = &mut above[0][..shape.y().len()];
            let (weight, bias) = (self.parameters.weight(layer), self.parameters.bias(layer));
            match source.support.filter(|_| is_first) {
                Some(support) => {
                    forward_sparse(shape, x, support, weight, bias, linear.activation, y);
                }
                None => forward(shape, x, weight, bias, linear.activation, y),
            }
        }
    }

    fn output(&self, network: Role) -> &[T] {
        &self.activations.outputs[self.last(network)]
    }

    fn losses(
        &mut self,
        likelihood: &PixelLikelihood<T>,
        rows: SampledRows,
        targets: &[T],
        row_loss: &mut [T],
    ) {
        let layout = self.parameters.layout();
        let last = self.last(Role::Decoder);
        let len = layout.layers()[last].shape(rows.shape.rows).y().len();
        let outputs = &mut self.activations.outputs[last][..len];
        let gradients = &mut self.activations.gradients;
        if gradients.is_empty() {
            return likelihood.losses(rows, outputs, targets, row_loss);
        }
        let by_log_sigma = match layout.network(Role::Scale).next() {
            Some(layer) => {
                let panels = layout.layers()[layer].shape(rows.shape.rows).y();
                &mut gradients[layer][..panels.len()]
            }
            None => &mut [],
        };
        likelihood.losses_and_gradients(rows, outputs, by_log_sigma, targets, row_loss);
    }

    fn weigh_losses(&mut self, weights: &[T]) {
        let layout = self.parameters.layout();
        let last = self.last(Role::Decoder);
        let panels = |layer: usize| layout.layers()[layer].shape(weights.len()).y();
        let by_outputs = &mut self.activations.outputs[last][..panels(last).len()];
        panels(last).scale_rows(weights, by_outputs);
        for layer in layout.network(Role::Scale) {
            let by_log_sigma = &mut self.activations.gradients[layer][..panels(layer).len()];
            panels(layer).scale_rows(weights, by_log_sigma);
        }
    }

    fn differentiate(&mut self, network: Role, rows: usize, write: &mut dyn FnMut(&[T], &mut [T])) {
        let last = self.last(network);
        let len = self.parameters.layout().layers()[last]
            .shape(rows)
            .y()
            .len();
        let Activations {
            outputs, gradients, ..
        } = &mut *self.activations;
        write(&outputs[last][..len], &mut gradients[last][..len]);
    }

    fn backward(&mut self, network: Role, source: Source<'_, T>, by_source: Option<&mut [T]>) {
        let layout = self.parameters.layout();
        let layers = layout.network(network);
        let in_place = self.last(Role::Decoder);
        let Activations {
            outputs,
            gradients,
            scratch,
        } = &mut *self.activations;
        let mut by_source = by_source;
        for layer in layers.clone().rev() {
            let shape = layout.layers()[layer].shape(source.rows);
            let (below, above) = gradients.split_at_mut(layer);
            let (h, activation, dx) = if layer > layers.start {
                let activation = layout.layers()[layer - 1].activation;
                (&*outputs[layer - 1], activation, &mut *below[layer - 1])
            } else if let Some(by_source) = by_source.take() {
                // No activation made the first input.
                (source.values, Activation::Identity, by_source)
            } else {
                continue;
            };
            let dy = if layer == in_place {
                &outputs[layer]
            } else {
                &above[0]
            };
            let (h, dx) = (&h[..shape.x().len()], &mut dx[..shape.x().len()]);
            let (dy, weight) = (&dy[..shape.y().len()], self.parameters.weight(layer));
            input_gradient(shape, dy, weight, h, activation, dx, scratch);
        }
    }
}
