//! The second region of a training step: weight gradients by groups of output
//! panels, each consumed while it is still in cache.

use std::ops::Range;

use tensor_ops::Float;
use tensor_ops::adam::Parameters as PanelParameters;
use tensor_ops::panels::LANES;
use tensor_ops::parallel::ThreadPool;

use crate::aligned::AlignedBuffer;
use crate::configuration::MAXIMUM_THREADS;
use crate::layout::Layout;
use crate::optimiser::OptimiserStep;

/// Output panels of one layer whose gradients are computed together: enough
/// for a register tile to reuse what it loads of x, few enough for the
/// gradient to stay in the second-level cache until the optimiser reads it.
const PANELS_AT_ONCE: usize = 4;

/// The panels one thread works on: a run of consecutive output panels, so
/// that its weights and its biases are one contiguous range each.
#[derive(Debug)]
pub(crate) struct PanelGroup<T> {
    /// In the weights' part of the flat buffer.
    weights: Range<usize>,
    /// In the biases' part of the flat buffer, counted from its start.
    biases: Range<usize>,
    parts: Vec<GroupPart>,
    weight_scratch: AlignedBuffer<T>,
    bias_scratch: AlignedBuffer<T>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct GroupPart {
    layer: usize,
    panels: Range<usize>,
}

/// Where the weight gradients come from.
pub(crate) trait LayerGradients<T: Float>: Sync {
    /// `scale` times the gradient of some output panels of a layer, summed
    /// over all images; `dw` and `db` hold just those panels.
    fn layer_gradient(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    );

    /// One optimiser step of those panels along that gradient. `scratch` has
    /// room for `dw` and `db`; whoever can keep the gradient in registers
    /// leaves it alone.
    fn layer_step(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        mut target: [PanelParameters<'_, T>; 2],
        step: &OptimiserStep<T>,
        scratch: [&mut [T]; 2],
    ) {
        let [dw, db] = scratch;
        self.layer_gradient(layer, panels, scale, dw, db);
        for (target, gradient) in target.iter_mut().zip([&*dw, &*db]) {
            step.apply(target.values, target.m, target.v, gradient);
        }
    }
}

/// Some output panels of a layer, and where their weights and biases are in a
/// sink.
pub(crate) struct Piece {
    layer: usize,
    panels: Range<usize>,
    weights: Range<usize>,
    biases: Range<usize>,
}

/// What is done with a piece of the gradient.
///
/// A sink covers a range of the weights and a range of the biases; pieces are
/// addressed relative to those.
pub(crate) trait GradientSink<T: Float>: Send + Sized {
    /// Cuts off the first `weights` and `biases` elements.
    fn split_at(self, weights: usize, biases: usize) -> (Self, Self);

    /// Has the gradient of a piece computed and takes it. `scratch` has room
    /// for it.
    fn take(
        &mut self,
        piece: Piece,
        scale: T,
        gradients: &impl LayerGradients<T>,
        scratch: [&mut [T]; 2],
    );
}

/// Applies one step of Adam.
pub(crate) struct AdamSink<'a, T> {
    /// Parameters, first and second moments: their weights …
    weights: [&'a mut [T]; 3],
    /// … and their biases.
    biases: [&'a mut [T]; 3],
    step: &'a OptimiserStep<T>,
}

/// Stores the gradient.
pub(crate) struct StoreSink<'a, T> {
    weights: &'a mut [T],
    biases: &'a mut [T],
}

impl<T: Float> PanelGroup<T> {
    /// Cuts all output panels of a layout into `threads` groups of about
    /// equal work.
    pub(crate) fn split(layout: &Layout, threads: usize) -> Vec<Self> {
        let units: Vec<(usize, usize)> = (0..layout.layers().len())
            .flat_map(|layer| {
                (0..layout.layers()[layer].panels().panel_count()).map(move |panel| (layer, panel))
            })
            .collect();
        let cost = |&(layer, _): &(usize, usize)| layout.layers()[layer].inputs as u64 + 1;
        let total: u64 = units.iter().map(cost).sum();
        let mut groups = Vec::with_capacity(threads);
        let (mut taken, mut spent, mut weights, mut biases) = (0, 0, 0, 0);
        for group in 1..=threads as u64 {
            let target = total * group / threads as u64;
            let first = taken;
            // A panel goes to the group that holds its middle.
            while taken < units.len() && spent + cost(&units[taken]) / 2 < target {
                spent += cost(&units[taken]);
                taken += 1;
            }
            let mut parts: Vec<GroupPart> = Vec::new();
            let (first_weight, first_bias) = (weights, biases);
            for &(layer, panel) in &units[first..taken] {
                weights += layout.layers()[layer].inputs * LANES;
                biases += LANES;
                match parts.last_mut() {
                    Some(part) if part.layer == layer => part.panels.end = panel + 1,
                    _ => parts.push(GroupPart {
                        layer,
                        panels: panel..panel + 1,
                    }),
                }
            }
            let scratch = |part: &GroupPart| {
                layout.layers()[part.layer].inputs * LANES * part.panels.len().min(PANELS_AT_ONCE)
            };
            groups.push(Self {
                weights: first_weight..weights,
                biases: first_bias..biases,
                weight_scratch: AlignedBuffer::zeroed(parts.iter().map(scratch).max().unwrap_or(0)),
                bias_scratch: AlignedBuffer::zeroed(PANELS_AT_ONCE * LANES),
                parts,
            });
        }
        groups
    }

    fn run(
        &mut self,
        layout: &Layout,
        gradients: &impl LayerGradients<T>,
        scale: T,
        sink: &mut impl GradientSink<T>,
    ) {
        let (mut weights, mut biases) = (0, 0);
        for part in &self.parts {
            let layer = &layout.layers()[part.layer];
            let mut first = part.panels.start;
            while first < part.panels.end {
                let panels = first..part.panels.end.min(first + PANELS_AT_ONCE);
                first = panels.end;
                let dw = &mut self.weight_scratch[..panels.len() * layer.inputs * LANES];
                let db = &mut self.bias_scratch[..panels.len() * LANES];
                let piece = Piece {
                    layer: part.layer,
                    panels,
                    weights: weights..weights + dw.len(),
                    biases: biases..biases + db.len(),
                };
                (weights, biases) = (piece.weights.end, piece.biases.end);
                sink.take(piece, scale, gradients, [dw, db]);
            }
        }
    }
}

/// Computes the whole gradient, `scale` times the sum over all images, in
/// parallel over `groups`, and hands it to the sink piece by piece.
pub(crate) fn run_groups<T: Float, S: GradientSink<T>>(
    pool: &ThreadPool,
    groups: &mut [PanelGroup<T>],
    layout: &Layout,
    gradients: &impl LayerGradients<T>,
    scale: T,
    sink: S,
) {
    let mut tasks: [Option<(&mut PanelGroup<T>, S)>; MAXIMUM_THREADS] =
        [const { None }; MAXIMUM_THREADS];
    let count = groups.len();
    let mut rest = sink;
    for (group, task) in groups.iter_mut().zip(&mut tasks) {
        let (own, others) = rest.split_at(group.weights.len(), group.biases.len());
        rest = others;
        *task = Some((group, own));
    }
    pool.for_each(&mut tasks[..count], |_, task| {
        if let Some((group, sink)) = task {
            group.run(layout, gradients, scale, sink);
        }
    });
}

impl<'a, T: Float> AdamSink<'a, T> {
    /// A sink over whole flat buffers.
    pub(crate) fn new(
        layout: &Layout,
        parameters: &'a mut [T],
        first_moment: &'a mut [T],
        second_moment: &'a mut [T],
        step: &'a OptimiserStep<T>,
    ) -> Self {
        let [(p, pb), (m, mb), (v, vb)] = [parameters, first_moment, second_moment]
            .map(|values| values.split_at_mut(layout.weights_len()));
        Self {
            weights: [p, m, v],
            biases: [pb, mb, vb],
            step,
        }
    }
}

impl<'a, T: Float> StoreSink<'a, T> {
    /// A sink over a whole flat buffer.
    pub(crate) fn new(layout: &Layout, gradient: &'a mut [T]) -> Self {
        let (weights, biases) = gradient.split_at_mut(layout.weights_len());
        Self { weights, biases }
    }
}

impl<T: Float> GradientSink<T> for AdamSink<'_, T> {
    fn split_at(self, weights: usize, biases: usize) -> (Self, Self) {
        let [p, m, v] = self.weights.map(|values| values.split_at_mut(weights));
        let [pb, mb, vb] = self.biases.map(|values| values.split_at_mut(biases));
        let first = Self {
            weights: [p.0, m.0, v.0],
            biases: [pb.0, mb.0, vb.0],
            step: self.step,
        };
        let second = Self {
            weights: [p.1, m.1, v.1],
            biases: [pb.1, mb.1, vb.1],
            step: self.step,
        };
        (first, second)
    }

    fn take(
        &mut self,
        piece: Piece,
        scale: T,
        gradients: &impl LayerGradients<T>,
        scratch: [&mut [T]; 2],
    ) {
        let mut target = [
            panel_parameters(&mut self.weights, piece.weights),
            panel_parameters(&mut self.biases, piece.biases),
        ];
        for part in &mut target {
            self.step.decay(part.values);
        }
        gradients.layer_step(piece.layer, piece.panels, scale, target, self.step, scratch);
    }
}

/// A range of parameters and both their moments.
fn panel_parameters<'a, T>(
    of: &'a mut [&mut [T]; 3],
    range: Range<usize>,
) -> PanelParameters<'a, T> {
    let [values, m, v] = of.each_mut().map(|slice| &mut slice[range.clone()]);
    PanelParameters { values, m, v }
}

impl<T: Float> GradientSink<T> for StoreSink<'_, T> {
    fn split_at(self, weights: usize, biases: usize) -> (Self, Self) {
        let (w0, w1) = self.weights.split_at_mut(weights);
        let (b0, b1) = self.biases.split_at_mut(biases);
        (
            Self {
                weights: w0,
                biases: b0,
            },
            Self {
                weights: w1,
                biases: b1,
            },
        )
    }

    fn take(
        &mut self,
        piece: Piece,
        scale: T,
        gradients: &impl LayerGradients<T>,
        _scratch: [&mut [T]; 2],
    ) {
        let dw = &mut self.weights[piece.weights];
        let db = &mut self.biases[piece.biases];
        gradients.layer_gradient(piece.layer, piece.panels, scale, dw, db);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Likelihood, ModelKind, ModelSpec};

    #[test]
    fn groups_cover_every_panel_once_and_share_the_work() {
        let layout = Layout::new(&ModelSpec {
            kind: ModelKind::Vae,
            architecture: "784-256-2".parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        });
        for threads in [1, 2, 3, 7, 64] {
            let groups = PanelGroup::<f32>::split(&layout, threads);
            assert_eq!(groups.len(), threads);
            let (mut weights, mut biases) = (0, 0);
            for group in &groups {
                assert_eq!((group.weights.start, group.biases.start), (weights, biases));
                (weights, biases) = (group.weights.end, group.biases.end);
                let parts = group.parts.iter();
                let len: usize = parts
                    .map(|p| p.panels.len() * layout.layers()[p.layer].inputs * LANES)
                    .sum();
                assert_eq!(len, group.weights.len());
            }
            assert_eq!(
                (weights, weights + biases),
                (layout.weights_len(), layout.len())
            );
            if threads <= 3 {
                let fair = layout.weights_len() / threads;
                assert!(
                    groups
                        .iter()
                        .all(|g| g.weights.len().abs_diff(fair) <= 784 * LANES),
                    "{threads} threads"
                );
            }
        }
    }
}
