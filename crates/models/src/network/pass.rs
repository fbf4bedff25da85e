//! What a model asks of whoever runs its networks.

use std::fmt;
use std::ops::Range;

use tensor_ops::Float;
use tensor_ops::loss::SampledRows;
use tensor_ops::panels::Support;

use crate::likelihood::PixelLikelihood;
use crate::network::layout::Role;

/// The first input of a network in panels, and which of it is not zero if that
/// has been found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a, T> {
    pub(crate) rows: usize,
    pub(crate) values: &'a [T],
    pub(crate) support: Option<&'a Support>,
}

impl<'a, T> Source<'a, T> {
    /// Rows of which nothing more is known.
    pub(crate) fn dense(rows: usize, values: &'a [T]) -> Self {
        Self {
            rows,
            values,
            support: None,
        }
    }
}

/// Runs the networks of a model over the rows of a block.
///
/// What a model computes is written once, in `latent` and
/// [`Block`](crate::step::block::Block), against this trait. Its networks are
/// run by threads that each own output panels of every layer and take the same
/// steps together, or by one that owns all
/// ([`PanelNetworks`](crate::network::panels::PanelNetworks)): each of them calls
/// these methods in the same order.
pub(crate) trait Networks<T: Float>: fmt::Debug {
    /// Which of `count` equal pieces of work that is done once for all threads
    /// the calling one does.
    fn share(&self, count: usize) -> Range<usize>;

    /// Returns when all threads have come here.
    fn meet(&self);

    /// Computes the outputs of a network's layers.
    fn forward(&mut self, network: Role, source: Source<'_, T>);

    /// The outputs of a network's last layer, and whatever the buffer holds
    /// beyond them.
    fn output(&self, network: Role) -> &[T];

    /// −log p(x|z) of every row of the decoder's output. Where the networks are
    /// run back as well, the output becomes its gradient, and the one by a learned
    /// ln σ is left behind. Each thread takes those of its own pixels:
    /// [`complete_losses`](Self::complete_losses) makes losses of them.
    fn losses(
        &mut self,
        likelihood: &PixelLikelihood<T>,
        rows: SampledRows,
        targets: &[T],
        row_loss: &mut [T],
    );

    /// The losses of the rows given to [`losses`](Self::losses) in nats, to be
    /// called by every thread once all have met after that; before they are
    /// weighed.
    fn complete_losses(
        &mut self,
        likelihood: &PixelLikelihood<T>,
        rows: SampledRows,
        row_loss: &mut [T],
    );

    /// Multiplies every row of what [`losses`](Self::losses) left behind by its
    /// weight, once all have met after that.
    fn weigh_losses(&mut self, weights: &[T]);

    /// Has the gradient by the output of a network's last layer written by
    /// `write`, which gets that output.
    fn differentiate(&mut self, network: Role, rows: usize, write: &mut dyn FnMut(&[T], &mut [T]));

    /// From the gradient by a network's last output to those by the others,
    /// and by its first input where that is wanted: δ_{l−1} =
    /// (δ_l Wᵀ) ⊙ act'(h_{l−1}).
    fn backward(&mut self, network: Role, source: Source<'_, T>, by_source: Option<&mut [T]>);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Networks that have computed their output already.
    #[derive(Debug)]
    pub(crate) struct Computed(pub(crate) Vec<f64>);

    impl Networks<f64> for Computed {
        fn share(&self, count: usize) -> Range<usize> {
            0..count
        }

        fn meet(&self) {}

        fn forward(&mut self, _network: Role, _source: Source<'_, f64>) {}

        fn output(&self, _network: Role) -> &[f64] {
            &self.0
        }

        fn losses(
            &mut self,
            _likelihood: &PixelLikelihood<f64>,
            _rows: SampledRows,
            _targets: &[f64],
            _row_loss: &mut [f64],
        ) {
        }

        fn complete_losses(
            &mut self,
            _likelihood: &PixelLikelihood<f64>,
            _rows: SampledRows,
            _row_loss: &mut [f64],
        ) {
        }

        fn weigh_losses(&mut self, _weights: &[f64]) {}

        fn differentiate(
            &mut self,
            _network: Role,
            _rows: usize,
            _write: &mut dyn FnMut(&[f64], &mut [f64]),
        ) {
        }

        fn backward(
            &mut self,
            _network: Role,
            _source: Source<'_, f64>,
            _by_source: Option<&mut [f64]>,
        ) {
        }
    }
}
