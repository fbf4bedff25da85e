//! The buffers of some rows on their way through the networks.

use tensor_ops::Float;
use tensor_ops::linear::{RowBlock, input_gradient_partial_len};
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::parallel::Exchange;

use super::layout::{Layout, Role};
use super::ownership::maximum_branches;
use super::pass::Source;

/// The outputs of all layers for some rows, and the gradients by them before
/// their activation: written by whoever owns the panels, read by all.
#[derive(Debug)]
pub(crate) struct Activations<T> {
    /// The decoder's last is replaced by its gradient where the loss is taken.
    pub(super) outputs: Vec<Exchange<T>>,
    /// None where no backward pass follows.
    pub(super) gradients: Vec<Exchange<T>>,
}

/// What threads that share panels have of sums over outputs, by branch: used by
/// one block of rows after the other.
#[derive(Debug)]
pub(crate) struct Partials<T> {
    /// Input gradients, for layers of even and of odd number: while one is
    /// completed from, the next is made.
    pub(super) input_gradients: [Vec<Exchange<T>>; 2],
    /// Losses of rows, in lines.
    pub(super) row_losses: Vec<Exchange<T>>,
}

impl<T: Float> Activations<T> {
    /// Buffers of as many rows as `rows_of` says of each network.
    pub(crate) fn new(layout: &Layout, rows_of: impl Fn(Role) -> usize) -> Self {
        let mut forward_alone = Self::of_forward_pass(layout, &rows_of);
        let decoder = layout.network(Role::Decoder);
        for network in layout.networks() {
            let rows = rows_of(network.role);
            for layer in network.layers.clone() {
                // The decoder's last gradient takes the place of its output.
                let rows = if layer + 1 == decoder.end { 0 } else { rows };
                let len = layout.layers()[layer].shape(rows).y().len();
                forward_alone.gradients.push(Exchange::zeroed(len));
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
            layers.map(move |layer| Exchange::zeroed(Panels::new(rows, layer.outputs).len()))
        });
        Self {
            outputs: outputs.collect(),
            gradients: Vec::new(),
        }
    }

    /// The output of a layer for some rows; of the decoder's last after the loss
    /// its gradient.
    ///
    /// # Safety
    /// No thread writes it.
    pub(crate) unsafe fn output(&self, layout: &Layout, layer: usize, rows: usize) -> &[T] {
        let len = layout.layers()[layer].shape(rows).y().len();
        // SAFETY: the caller's promise.
        unsafe { self.outputs[layer].read(0..len) }
    }

    /// What the weight gradient of a layer is contracted from, with the source
    /// of its network.
    ///
    /// # Safety
    /// No thread writes any of it.
    pub(crate) unsafe fn gradient_terms<'a>(
        &'a self,
        layout: &Layout,
        layer: usize,
        source: Source<'a, T>,
    ) -> RowBlock<'a, T> {
        let shape = layout.layers()[layer].shape(source.rows);
        let is_first = layer == layout.network_of(layer).layers.start;
        let is_in_place = layer + 1 == layout.network(Role::Decoder).end;
        // SAFETY: the caller's promise.
        let (x, dy) = unsafe {
            let x = if is_first {
                &source.values[..shape.x().len()]
            } else {
                self.outputs[layer - 1].read(0..shape.x().len())
            };
            let dy = if is_in_place {
                &self.outputs[layer]
            } else {
                &self.gradients[layer]
            };
            (x, dy.read(0..shape.y().len()))
        };
        RowBlock {
            rows: source.rows,
            x,
            dy,
            support: source.support.filter(|_| is_first),
        }
    }
}

impl<T: Float> Partials<T> {
    /// Those of up to `threads` threads and so many rows.
    pub(crate) fn new(layout: &Layout, rows_of: impl Fn(Role) -> usize, threads: usize) -> Self {
        let branches = maximum_branches(threads);
        let buffers = |len: usize| (0..branches).map(|_| Exchange::zeroed(len)).collect();
        let len = |layer: usize| {
            let rows = rows_of(layout.network_of(layer).role);
            input_gradient_partial_len(layout.layers()[layer].shape(rows))
        };
        let most = (1..layout.layers().len()).map(len).max().unwrap_or(0);
        Self {
            input_gradients: [buffers(most), buffers(most)],
            row_losses: buffers(rows_of(Role::Decoder) * LANES),
        }
    }
}
