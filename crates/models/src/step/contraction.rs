//! Weight gradients contracted from activations and their gradients.

use std::ops::Range;

use tensor_ops::Float;
use tensor_ops::adam::Parameters as PanelParameters;
use tensor_ops::linear::{RowBlock, weight_gradient};

use crate::network::layout::{Layout, LinearLayer};
use crate::step::panel_groups::{LayerGradients, fused_step};
use crate::training::configuration::MAXIMUM_THREADS;
use crate::training::optimiser::OptimiserStep;

/// Layers whose weight gradients are contracted from row blocks,
/// ∂L/∂W = Σ hᵀδ over all rows in ascending order.
pub(crate) trait Contraction<T: Float>: Sync {
    /// The layers.
    fn layout(&self) -> &Layout;

    /// Calls `work` with what the gradient of some output panels of a layer is
    /// contracted from, in ascending order of rows.
    fn with_row_blocks(
        &self,
        layer: usize,
        panels: &Range<usize>,
        work: impl FnOnce(&[RowBlock<'_, T>]),
    );
}

/// The weight gradients of a [`Contraction`].
pub(crate) struct Contracted<'a, C>(pub(crate) &'a C);

impl<T: Float, C: Contraction<T>> LayerGradients<T> for Contracted<'_, C> {
    fn layer_gradient(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    ) {
        let LinearLayer {
            inputs, outputs, ..
        } = self.0.layout().layers()[layer];
        self.0.with_row_blocks(layer, &panels.clone(), |blocks| {
            weight_gradient(inputs, outputs, panels, blocks, scale, dw, db);
        });
    }

    /// The same, with Adam applied to each tile of the gradient while it is in
    /// registers.
    fn layer_step(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        target: [PanelParameters<'_, T>; 2],
        step: &OptimiserStep<T>,
        _scratch: [&mut [T]; 2],
    ) {
        let linear = &self.0.layout().layers()[layer];
        self.0.with_row_blocks(layer, &panels.clone(), |blocks| {
            fused_step(linear, panels, blocks, scale, target, step);
        });
    }
}

/// Calls `work` with up to [`MAXIMUM_THREADS`] row blocks side by side, without
/// allocating.
pub(crate) fn side_by_side<'a, T: Float>(
    blocks: impl Iterator<Item = RowBlock<'a, T>>,
    work: impl FnOnce(&[RowBlock<'_, T>]),
) {
    let mut room = [RowBlock {
        rows: 0,
        x: &[],
        dy: &[],
        support: None,
    }; MAXIMUM_THREADS];
    let mut count = 0;
    for block in blocks {
        room[count] = block;
        count += 1;
    }
    work(&room[..count]);
}
