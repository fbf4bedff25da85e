//! The second region of a training step: weight gradients by groups of output
//! panels, each consumed while it is still in cache.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tensor_ops::Float;
use tensor_ops::adam::Parameters as PanelParameters;
use tensor_ops::linear::{RowBlock, weight_gradient_adam};
use tensor_ops::panels::LANES;
use tensor_ops::parallel::ThreadPool;

use crate::network::layout::{Layout, LinearLayer};
use crate::network::parameters::Parameters;
use crate::step::panel_ownership::{PanelOwnership, THREADS};
use crate::training::configuration::MAXIMUM_THREADS;
use crate::training::optimiser::{Moments, OptimiserStep};
use tensor_ops::AlignedBuffer;

/// Output panels of one layer whose gradients are computed together: two whole
/// register tiles of AVX-512, so that what a tile loads of x is reused, and few
/// enough for a stored gradient to stay in the second-level cache until the
/// optimiser reads it.
pub(crate) const PANELS_AT_ONCE: usize = 6;

/// All output panels of a layout, cut among threads.
#[derive(Debug)]
pub(crate) struct PanelGroups<T> {
    groups: Vec<PanelGroup<T>>,
    /// Elements of the weights and of the biases of every run, in the order of
    /// memory.
    runs: Vec<[usize; 2]>,
}

/// The panels one thread works on, in runs of consecutive output panels.
#[derive(Debug)]
struct PanelGroup<T> {
    runs: Vec<Run>,
    weight_scratch: AlignedBuffer<T>,
    bias_scratch: AlignedBuffer<T>,
}

/// Consecutive output panels, of one layer or across several: their weights
/// and their biases are one contiguous range each.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// In the weights' part of the flat buffer.
    weights: Range<usize>,
    /// In the biases' part of the flat buffer, counted from its start.
    biases: Range<usize>,
    /// Its place among all runs in the order of memory.
    place: usize,
    parts: Vec<GroupPart>,
}

/// The most runs of all groups together.
pub(crate) const MAXIMUM_RUNS: usize = MAXIMUM_THREADS;

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
        target: [PanelParameters<'_, T>; 2],
        step: &OptimiserStep<T>,
        scratch: [&mut [T]; 2],
    ) {
        stored_step(self, layer, panels, scale, target, step, scratch);
    }
}

/// [`LayerGradients::layer_step`] by way of the stored gradient.
pub(crate) fn stored_step<T: Float>(
    gradients: &(impl LayerGradients<T> + ?Sized),
    layer: usize,
    panels: Range<usize>,
    scale: T,
    mut target: [PanelParameters<'_, T>; 2],
    step: &OptimiserStep<T>,
    [dw, db]: [&mut [T]; 2],
) {
    gradients.layer_gradient(layer, panels, scale, dw, db);
    for (target, gradient) in target.iter_mut().zip([&*dw, &*db]) {
        step.apply(target.values, target.m, target.v, gradient);
    }
}

/// One optimiser step of some output panels of a layer, along the gradient
/// contracted from the rows of `terms` in order; each tile of it is used while
/// it is in registers.
pub(crate) fn fused_step<T: Float>(
    layer: &LinearLayer,
    panels: Range<usize>,
    terms: &[RowBlock<'_, T>],
    scale: T,
    mut target: [PanelParameters<'_, T>; 2],
    step: &OptimiserStep<T>,
) {
    let [weight, bias] = target.each_mut().map(|part| PanelParameters {
        values: &mut *part.values,
        m: &mut *part.m,
        v: &mut *part.v,
    });
    let (inputs, outputs, adam) = (layer.inputs, layer.outputs, step.adam());
    weight_gradient_adam(inputs, outputs, panels, terms, scale, weight, bias, adam);
    for part in &mut target {
        step.flush(part.m, part.v);
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

impl<T: Float> PanelGroups<T> {
    /// Cuts all output panels of a layout into `threads` groups of about
    /// equal work, of one run each.
    pub(crate) fn split(layout: &Layout, threads: usize) -> Self {
        let units: Vec<(usize, usize)> = (0..layout.layers().len())
            .flat_map(|layer| {
                (0..layout.layers()[layer].panels().panel_count()).map(move |panel| (layer, panel))
            })
            .collect();
        let cost = |&(layer, _): &(usize, usize)| layout.layers()[layer].inputs as u64 + 1;
        let total: u64 = units.iter().map(cost).sum();
        let mut groups = Vec::with_capacity(threads);
        let (mut taken, mut spent) = (0, 0);
        for group in 1..=threads as u64 {
            let target = total * group / threads as u64;
            let first = taken;
            // A panel goes to the group that holds its middle.
            while taken < units.len() && spent + cost(&units[taken]) / 2 < target {
                spent += cost(&units[taken]);
                taken += 1;
            }
            let mut parts: Vec<GroupPart> = Vec::new();
            for &(layer, panel) in &units[first..taken] {
                match parts.last_mut() {
                    Some(part) if part.layer == layer => part.panels.end = panel + 1,
                    _ => parts.push(GroupPart {
                        layer,
                        panels: panel..panel + 1,
                    }),
                }
            }
            groups.push(PanelGroup::new(layout, vec![Run::new(layout, parts)]));
        }
        Self::new(groups)
    }

    /// One group for each thread, of the panels that it owns; one run a layer.
    pub(crate) fn owned(layout: &Layout, ownership: &PanelOwnership) -> Self {
        let groups = (0..THREADS)
            .map(|thread| {
                let runs = (0..layout.layers().len()).map(|layer| {
                    let panels = ownership.panels(layer, thread);
                    Run::new(layout, vec![GroupPart { layer, panels }])
                });
                PanelGroup::new(layout, runs.collect())
            })
            .collect();
        Self::new(groups)
    }

    fn new(mut groups: Vec<PanelGroup<T>>) -> Self {
        let mut runs: Vec<&mut Run> = groups
            .iter_mut()
            .flat_map(|group| &mut group.runs)
            .collect();
        runs.sort_by_key(|run| (run.weights.start, run.weights.end));
        assert!(runs.len() <= MAXIMUM_RUNS, "{} runs of panels", runs.len());
        for (place, run) in runs.iter_mut().enumerate() {
            run.place = place;
        }
        let runs = runs
            .iter()
            .map(|run| [run.weights.len(), run.biases.len()])
            .collect();
        Self { groups, runs }
    }

    /// Computes the whole gradient, `scale` times the sum over all images, in
    /// parallel over the groups, and hands it to the sink piece by piece.
    pub(crate) fn run<S: GradientSink<T>>(
        &mut self,
        pool: &ThreadPool,
        layout: &Layout,
        gradients: &impl LayerGradients<T>,
        scale: T,
        sink: S,
    ) {
        let sinks: [Mutex<Option<S>>; MAXIMUM_RUNS] = [const { Mutex::new(None) }; MAXIMUM_RUNS];
        let mut rest = sink;
        for ([weights, biases], slot) in self.runs.iter().zip(&sinks) {
            let (own, others) = rest.split_at(*weights, *biases);
            rest = others;
            *lock(slot) = Some(own);
        }
        pool.together(&mut self.groups, |_, group, _| {
            group.run(layout, gradients, scale, &sinks);
        });
    }
}

impl<T: Float> PanelGroup<T> {
    fn new(layout: &Layout, runs: Vec<Run>) -> Self {
        let scratch = |part: &GroupPart| {
            layout.layers()[part.layer].inputs * LANES * part.panels.len().min(PANELS_AT_ONCE)
        };
        let parts = runs.iter().flat_map(|run| &run.parts);
        Self {
            weight_scratch: AlignedBuffer::zeroed(parts.map(scratch).max().unwrap_or(0)),
            bias_scratch: AlignedBuffer::zeroed(PANELS_AT_ONCE * LANES),
            runs,
        }
    }

    fn run(
        &mut self,
        layout: &Layout,
        gradients: &impl LayerGradients<T>,
        scale: T,
        sinks: &[Mutex<Option<impl GradientSink<T>>>],
    ) {
        for run in &self.runs {
            let Some(mut sink) = lock(&sinks[run.place]).take() else {
                continue;
            };
            let (mut weights, mut biases) = (0, 0);
            for part in &run.parts {
                let layer = &layout.layers()[part.layer];
                let mut first = part.panels.start;
                while first < part.panels.end {
                    let panels = first..first + panels_at_once(part.panels.end - first);
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
}

impl Run {
    /// The run of `parts`, consecutive in the layout.
    fn new(layout: &Layout, parts: Vec<GroupPart>) -> Self {
        let (mut weights, mut biases) = (0..0, 0..0);
        for (index, part) in parts.iter().enumerate() {
            let layer = &layout.layers()[part.layer];
            let panel = layer.panels().panel_len();
            let first_bias = layer.bias.start - layout.weights_len();
            if index == 0 {
                weights.start = layer.weight.start + part.panels.start * panel;
                biases.start = first_bias + part.panels.start * LANES;
            }
            weights.end = layer.weight.start + part.panels.end * panel;
            biases.end = first_bias + part.panels.end * LANES;
        }
        Self {
            weights,
            biases,
            place: 0,
            parts,
        }
    }
}

/// Panels of the next group when `left` are left. A single one at the end would
/// be a register tile of one panel where others have two or three: such an end
/// is halved.
fn panels_at_once(left: usize) -> usize {
    if left == PANELS_AT_ONCE + 1 {
        left.div_ceil(2)
    } else {
        left.min(PANELS_AT_ONCE)
    }
}

fn lock<S>(slot: &Mutex<S>) -> MutexGuard<'_, S> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a, T: Float> AdamSink<'a, T> {
    /// A sink over whole flat buffers.
    pub(crate) fn new(
        layout: &Layout,
        parameters: &'a mut Parameters<T>,
        moments: &'a mut Moments<T>,
        step: &'a OptimiserStep<T>,
    ) -> Self {
        let [(p, pb), (m, mb), (v, vb)] = [parameters, &mut moments.first, &mut moments.second]
            .map(|values| values.as_mut_slice().split_at_mut(layout.weights_len()));
        Self {
            weights: [p, m, v],
            biases: [pb, mb, vb],
            step,
        }
    }
}

impl<'a, T: Float> StoreSink<'a, T> {
    /// A sink over a whole flat buffer.
    pub(crate) fn new(layout: &Layout, gradient: &'a mut Parameters<T>) -> Self {
        let gradient = gradient.as_mut_slice();
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
    use crate::network::layout::tests::layout;
    use crate::spec::ModelKind;

    #[test]
    fn groups_cover_every_panel_once_and_share_the_work() {
        let layout = layout(ModelKind::Vae, "784-256-2");
        for threads in [1, 2, 3, 7, 64] {
            let groups = PanelGroups::<f32>::split(&layout, threads);
            assert_covers(&layout, &groups, threads);
            if threads <= 3 {
                let fair = layout.weights_len() / threads;
                assert!(
                    groups
                        .groups
                        .iter()
                        .all(|g| g.runs[0].weights.len().abs_diff(fair) <= 784 * LANES),
                    "{threads} threads"
                );
            }
        }
    }

    #[test]
    fn owned_groups_cover_every_panel_once() {
        for architecture in ["784-256-2", "784-200-200-50", "784-256-32-8-2"] {
            let layout = layout(ModelKind::Vae, architecture);
            let ownership = PanelOwnership::new(&layout);
            let groups = PanelGroups::<f32>::owned(&layout, &ownership);
            assert_covers(&layout, &groups, THREADS);
        }
    }

    #[test]
    fn no_group_of_a_long_run_is_a_single_panel() {
        for panels in 2..60 {
            let mut left = panels;
            while left > 0 {
                let group = panels_at_once(left);
                assert!((2..=PANELS_AT_ONCE).contains(&group), "{group} of {panels}");
                left -= group;
            }
        }
        assert_eq!(panels_at_once(1), 1);
    }

    fn assert_covers(layout: &Layout, groups: &PanelGroups<f32>, threads: usize) {
        assert_eq!(groups.groups.len(), threads);
        let mut runs: Vec<&Run> = groups.groups.iter().flat_map(|group| &group.runs).collect();
        runs.sort_by_key(|run| run.place);
        let (mut weights, mut biases) = (0, 0);
        for (run, lengths) in runs.into_iter().zip(&groups.runs) {
            assert_eq!([run.weights.len(), run.biases.len()], *lengths);
            if run.weights.is_empty() {
                continue;
            }
            assert_eq!((run.weights.start, run.biases.start), (weights, biases));
            (weights, biases) = (run.weights.end, run.biases.end);
            let parts = run.parts.iter();
            let len: usize = parts
                .map(|p| p.panels.len() * layout.layers()[p.layer].inputs * LANES)
                .sum();
            assert_eq!(len, run.weights.len());
        }
        assert_eq!(
            (weights, weights + biases),
            (layout.weights_len(), layout.len())
        );
    }
}
