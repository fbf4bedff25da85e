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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layout::tests::layout;
    use crate::spec::ModelKind;

    #[test]
    fn the_norm_is_that_of_all_parameters() {
        let layout = Arc::new(layout(ModelKind::Ae, "20-3"));
        let mut clipped = ClippedGradient::<f32>::new(layout, 2.0);
        assert_eq!(clipped.norm(), 0.0);
        let values = clipped.gradient.as_mut_slice();
        let last = values.len() - 1;
        // 2² + 4² + 5² + 6² = 9², in two lanes, the first and the last line among them.
        for (at, value) in [(0, 2.0), (16, -4.0), (160, 5.0), (last, -6.0)] {
            values[at] = value;
        }
        assert_eq!(clipped.norm(), 9.0);
    }

    #[test]
    fn a_gradient_is_shortened_and_never_made_longer() {
        let layout = Arc::new(layout(ModelKind::Ae, "20-3"));
        let factor =
            |maximum, norm| ClippedGradient::<f32>::new(layout.clone(), maximum).factor(norm);
        assert_eq!(factor(2.0, 8.0), 2.0 / 8.000_001);
        assert_eq!(factor(2.0, 1.5), 1.0);
        assert_eq!(factor(2.0, 0.0), 1.0);
        // Beside the smallest norms a millionth counts.
        assert!((factor(1e-6, 1e-6) - 0.5).abs() < 1e-12);
        assert!((factor(1e-6, 3e-6) - 0.25).abs() < 1e-12);
    }
}
