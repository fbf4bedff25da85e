//! Chains of linear layers, forward and back.

use std::ops::Range;

use tensor_ops::linear::{
    LinearScratch, LinearShape, RowBlock, forward, forward_sparse, input_gradient,
};
use tensor_ops::panels::{Panels, Support};
use tensor_ops::{Activation, Float};

use crate::aligned::AlignedBuffer;
use crate::layout::Layout;
use crate::parameters::Parameters;

/// The outputs of all layers of a block and the gradients by them, before
/// their activation.
#[derive(Debug)]
pub(super) struct Chains<T> {
    pub(super) outputs: Vec<AlignedBuffer<T>>,
    pub(super) gradients: Vec<AlignedBuffer<T>>,
    scratch: LinearScratch<T>,
}

/// The first input of a network, and which of it is not zero if that has been
/// found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a, T> {
    pub(super) rows: usize,
    pub(super) values: &'a [T],
    pub(super) support: Option<&'a Support>,
}

impl<T: Float> Chains<T> {
    /// Buffers for as many rows as `rows_of` says of each layer.
    pub(super) fn new(layout: &Layout, rows_of: impl Fn(usize) -> usize) -> Self {
        let mut scratch = LinearScratch::new();
        for layer in 1..layout.layers().len() {
            scratch.reserve(shape(layout, layer, rows_of(layer)));
        }
        let buffers = || {
            let layers = layout.layers().iter().enumerate();
            let panels = layers.map(|(index, layer)| Panels::new(rows_of(index), layer.outputs));
            panels
                .map(|panels| AlignedBuffer::zeroed(panels.len()))
                .collect()
        };
        Self {
            outputs: buffers(),
            gradients: buffers(),
            scratch,
        }
    }

    /// Computes the outputs of a network's layers.
    pub(super) fn forward(
        &mut self,
        parameters: &Parameters<T>,
        network: Range<usize>,
        source: Source<'_, T>,
    ) {
        let layout = parameters.layout();
        for layer in network.clone() {
            let shape = shape(layout, layer, source.rows);
            let (below, above) = self.outputs.split_at_mut(layer);
            let x = if layer == network.start {
                source.values
            } else {
                &below[layer - 1]
            };
            let x = &x[..shape.x().len()];
            let y = &mut above[0][..shape.y().len()];
            let (weight, bias) = (parameters.weight(layer), parameters.bias(layer));
            let activation = layout.layers()[layer].activation;
            match source.support.filter(|_| layer == network.start) {
                Some(support) => forward_sparse(shape, x, support, weight, bias, activation, y),
                None => forward(shape, x, weight, bias, activation, y),
            }
        }
    }

    /// From the gradient by a network's last output to those by the others,
    /// and by its first input where that is wanted: δ_{l−1} =
    /// (δ_l Wᵀ) ⊙ act'(h_{l−1}).
    pub(super) fn backward(
        &mut self,
        parameters: &Parameters<T>,
        network: Range<usize>,
        source: Source<'_, T>,
        mut by_source: Option<&mut [T]>,
    ) {
        let layout = parameters.layout();
        for layer in network.clone().rev() {
            let shape = shape(layout, layer, source.rows);
            let (below, above) = self.gradients.split_at_mut(layer);
            let (h, activation, dx) = if layer > network.start {
                let activation = layout.layers()[layer - 1].activation;
                (
                    &*self.outputs[layer - 1],
                    activation,
                    &mut *below[layer - 1],
                )
            } else if let Some(by_source) = by_source.take() {
                (source.values, Activation::Identity, by_source)
            } else {
                continue;
            };
            let dy = &above[0][..shape.y().len()];
            let (h, dx) = (&h[..shape.x().len()], &mut dx[..shape.x().len()]);
            let weight = parameters.weight(layer);
            input_gradient(shape, dy, weight, h, activation, dx, &mut self.scratch);
        }
    }

    /// What the weight gradient of a layer is contracted from.
    pub(super) fn gradient_terms<'a>(
        &'a self,
        layout: &Layout,
        network: &Range<usize>,
        layer: usize,
        source: Source<'a, T>,
    ) -> RowBlock<'a, T> {
        let shape = shape(layout, layer, source.rows);
        let is_first = layer == network.start;
        let x = if is_first {
            source.values
        } else {
            &self.outputs[layer - 1]
        };
        RowBlock {
            rows: source.rows,
            x: &x[..shape.x().len()],
            dy: &self.gradients[layer][..shape.y().len()],
            support: source.support.filter(|_| is_first),
        }
    }
}

fn shape(layout: &Layout, layer: usize, rows: usize) -> LinearShape {
    let layer = &layout.layers()[layer];
    LinearShape {
        rows,
        inputs: layer.inputs,
        outputs: layer.outputs,
    }
}
