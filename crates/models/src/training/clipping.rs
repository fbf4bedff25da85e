//! Clipping of the whole gradient's norm.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::Float;
use tensor_ops::linear::RowBlock;
use tensor_ops::panels::LANES;

use crate::network::layout::Layout;
use crate::network::parameters::Parameters;
use crate::step::panel_groups::LayerGradients;

/// The gradient of a step, kept as a whole because its norm must be known
/// before any of it is used (Pascanu, Mikolov & Bengio 2013, algorithm 1).
#[derive(Clone, Debug)]
pub struct ClippedGradient<T: Float> {
    maximum: f64,
    pub(crate) gradient: Parameters<T>,
}

impl<T: Float> ClippedGradient<T> {
    /// Room for a gradient, whose norm is to be at most `maximum`.
    pub fn new(layout: Arc<Layout>, maximum: f64) -> Self {
        Self {
            maximum,
            gradient: Parameters::zeros(layout),
        }
    }

    /// ‖g‖₂ over all parameters: sixteen chains of f64 in ascending order, one
    /// per lane, so that it does not depend on the threads.
    pub(crate) fn norm(&self) -> f64 {
        let mut lanes = [0.0; LANES];
        for line in self.gradient.as_slice().chunks_exact(LANES) {
            for (sum, value) in lanes.iter_mut().zip(line) {
                let value = value.to_f64();
                *sum += value * value;
            }
        }
        lanes.iter().sum::<f64>().sqrt()
    }

    /// What a gradient of norm `norm` is multiplied by: as in PyTorch,
    /// maximum / (norm + 1e-6), at most 1.
    pub(crate) fn factor(&self, norm: f64) -> f64 {
        (self.maximum / (norm + 1e-6)).min(1.0)
    }
}

impl<T: Float> LayerGradients<T> for ClippedGradient<T> {
    fn layout(&self) -> &Layout {
        self.gradient.layout()
    }

    fn with_row_blocks(
        &self,
        _layer: usize,
        _panels: &Range<usize>,
        _work: &mut dyn FnMut(&[RowBlock<'_, T>]),
    ) -> bool {
        false
    }

    fn layer_gradient(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    ) {
        let layer = &self.gradient.layout().layers()[layer];
        let gradient = self.gradient.as_slice();
        let weight = layer.weight.start + panels.start * layer.inputs * LANES;
        let bias = layer.bias.start + panels.start * LANES;
        for (target, from) in [(dw, weight), (db, bias)] {
            let source = &gradient[from..from + target.len()];
            for (target, &value) in target.iter_mut().zip(source) {
                *target = scale * value;
            }
        }
    }
}
