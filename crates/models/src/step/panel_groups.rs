//! The second region of a training step: weight gradients by groups of output
//! panels, each consumed while it is still in cache.

use std::array;
use std::mem;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tensor_ops::Float;
use tensor_ops::adam::Parameters as PanelParameters;
use tensor_ops::eighths::panels_of;
use tensor_ops::linear::{RowBlock, weight_gradient, weight_gradient_adam};
use tensor_ops::panels::LANES;
use tensor_ops::parallel::ThreadPool;

use crate::network::layout::{Layout, LinearLayer};
use crate::network::ownership::PanelOwnership;
use crate::network::parameters::Parameters;
use crate::training::optimiser::OptimiserStep;
use tensor_ops::AlignedBuffer;

/// Output panels of one layer whose gradients are computed together: two whole
/// register tiles of AVX-512, so that what a tile loads of x is reused, and few
/// enough for a stored gradient to stay in the second-level cache until the
/// optimiser reads it.
pub(crate) const PANELS_AT_ONCE: usize = 6;

/// All output panels of a layout, cut among threads.
#[derive(Debug)]
pub(crate) struct PanelGroups {
    groups: Vec<PanelGroup>,
    /// Elements of the weights and of the biases of every run, in the order of
    /// memory.
    runs: Vec<[usize; 2]>,
}

/// The panels one thread works on, in runs of consecutive output panels.
#[derive(Debug)]
struct PanelGroup {
    runs: Vec<Run>,
}

/// Room that a thread has for the gradient of the panels it works on.
#[derive(Debug)]
pub(crate) struct GroupScratch<T> {
    weights: AlignedBuffer<T>,
    biases: AlignedBuffer<T>,
}

impl<T: Float> GroupScratch<T> {
    /// That of as many threads as any of `groups` has.
    pub(crate) fn of(layout: &Layout, groups: &[PanelGroups]) -> Vec<Self> {
        let panels = |layer: &LinearLayer| {
            layer.inputs * LANES * layer.panels().panel_count().min(PANELS_AT_ONCE)
        };
        let most = layout.layers().iter().map(panels).max().unwrap_or(0);
        let threads = groups.iter().map(|groups| groups.groups.len()).max();
        let scratch = |_| Self {
            weights: AlignedBuffer::zeroed(most),
            biases: AlignedBuffer::zeroed(PANELS_AT_ONCE * LANES),
        };
        (0..threads.unwrap_or(0)).map(scratch).collect()
    }
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

/// Runs of all groups together that a step has room for on its stack; more are
/// made longer.
const MOST_RUNS: usize = 1024;

/// The same of nearly all models, for which there is less to prepare.
const USUAL_RUNS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
struct GroupPart {
    layer: usize,
    panels: Range<usize>,
}

/// Elements of `N` flat buffers of one layout: of their weights and of their
/// biases.
type Elements<'a, T, const N: usize> = [[&'a mut [T]; N]; 2];

/// Where the weight gradients come from.
pub(crate) trait LayerGradients<T: Float>: Sync {
    /// The layers.
    fn layout(&self) -> &Layout;

    /// Calls `work` with what the gradient of some output panels of a layer is
    /// contracted from, ∂L/∂W = Σ hᵀδ, in ascending order of rows. Where it is
    /// no such contraction `work` is not called, and the result is false; whose
    /// result that is has a [`layer_gradient`](Self::layer_gradient) of its own.
    fn with_row_blocks(
        &self,
        layer: usize,
        panels: &Range<usize>,
        work: &mut dyn FnMut(&[RowBlock<'_, T>]),
    ) -> bool;

    /// `scale` times the gradient of some output panels of a layer, summed
    /// over all images; `dw` and `db` hold just those panels.
    fn layer_gradient(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    ) {
        let linear = &self.layout().layers()[layer];
        let is_contracted = self.with_row_blocks(layer, &panels, &mut |blocks| {
            let (inputs, outputs) = (linear.inputs, linear.outputs);
            weight_gradient(inputs, outputs, panels.clone(), blocks, scale, dw, db);
        });
        assert!(is_contracted, "layer {layer} has no rows to contract");
    }
}

impl PanelGroups {
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
            groups.push(PanelGroup {
                runs: vec![Run::new(layout, parts)],
            });
        }
        Self::new(groups)
    }

    /// One group for each thread, of the panels that it owns; one run a layer. Of
    /// more layers than there is room for the panels are cut without regard to
    /// who owns them.
    pub(crate) fn owned(layout: &Layout, ownership: &PanelOwnership) -> Self {
        let threads = ownership.threads();
        if threads * layout.layers().len() > MOST_RUNS {
            return Self::split(layout, threads);
        }
        let groups = (0..threads)
            .map(|thread| {
                let runs = (0..layout.layers().len()).map(|layer| {
                    let outputs = layout.layers()[layer].outputs;
                    let panels = panels_of(outputs, &ownership.eighths(layer, thread));
                    Run::new(layout, vec![GroupPart { layer, panels }])
                });
                PanelGroup {
                    runs: runs.collect(),
                }
            })
            .collect();
        Self::new(groups)
    }

    fn new(mut groups: Vec<PanelGroup>) -> Self {
        let mut runs: Vec<&mut Run> = groups
            .iter_mut()
            .flat_map(|group| &mut group.runs)
            .collect();
        // A layer without inputs has no weights to tell its runs apart.
        runs.sort_by_key(|run| (run.weights.start, run.biases.start));
        assert!(runs.len() <= MOST_RUNS, "{} runs of panels", runs.len());
        for (place, run) in runs.iter_mut().enumerate() {
            run.place = place;
        }
        let runs = runs
            .iter()
            .map(|run| [run.weights.len(), run.biases.len()])
            .collect();
        Self { groups, runs }
    }

    /// Stores the whole gradient, `scale` times the sum over all images.
    pub(crate) fn store<T: Float>(
        &self,
        pool: &ThreadPool,
        gradients: &(impl LayerGradients<T> + ?Sized),
        scale: T,
        gradient: &mut Parameters<T>,
        scratch: &mut [GroupScratch<T>],
    ) {
        self.run(pool, [gradient], scratch, |part, [[dw], [db]], _| {
            gradients.layer_gradient(part.layer, part.panels, scale, dw, db);
        });
    }

    /// Takes one step of Adam along the same gradient; `parameters` are followed by
    /// their first and second moments.
    pub(crate) fn step<T: Float>(
        &self,
        pool: &ThreadPool,
        gradients: &(impl LayerGradients<T> + ?Sized),
        scale: T,
        parameters: [&mut Parameters<T>; 3],
        step: &OptimiserStep<T>,
        scratch: &mut [GroupScratch<T>],
    ) {
        self.run(pool, parameters, scratch, |part, elements, scratch| {
            step_panels(gradients, part, scale, elements, step, scratch);
        });
    }

    /// Hands the elements of all buffers to `work`, some panels at a time and in
    /// parallel over the groups, with room for a gradient by them.
    fn run<T: Float, const N: usize>(
        &self,
        pool: &ThreadPool,
        buffers: [&mut Parameters<T>; N],
        scratch: &mut [GroupScratch<T>],
        work: impl Fn(GroupPart, Elements<'_, T, N>, [&mut [T]; 2]) + Sync,
    ) {
        if self.runs.len() <= USUAL_RUNS {
            self.run_all::<T, N, USUAL_RUNS>(pool, buffers, scratch, work);
        } else {
            self.run_all::<T, N, MOST_RUNS>(pool, buffers, scratch, work);
        }
    }

    /// [`run`](Self::run) of at most `RUNS` runs.
    fn run_all<T: Float, const N: usize, const RUNS: usize>(
        &self,
        pool: &ThreadPool,
        buffers: [&mut Parameters<T>; N],
        scratch: &mut [GroupScratch<T>],
        work: impl Fn(GroupPart, Elements<'_, T, N>, [&mut [T]; 2]) + Sync,
    ) {
        let layout = buffers[0].layout().clone();
        let mut parts =
            buffers.map(|buffer| buffer.as_mut_slice().split_at_mut(layout.weights_len()));
        let weights = parts.each_mut().map(|(weights, _)| mem::take(weights));
        let mut rest = [weights, parts.map(|(_, biases)| biases)];
        let of_runs: [Mutex<Option<Elements<'_, T, N>>>; RUNS] = [const { Mutex::new(None) }; RUNS];
        for (lengths, slot) in self.runs.iter().zip(&of_runs) {
            *lock(slot) = Some(take_first(&mut rest, *lengths));
        }
        let scratch = &mut scratch[..self.groups.len()];
        pool.together(scratch, |thread, scratch, _| {
            self.groups[thread].run(&layout, &of_runs, scratch, &work);
        });
    }
}

impl PanelGroup {
    fn run<T: Float, const N: usize>(
        &self,
        layout: &Layout,
        of_runs: &[Mutex<Option<Elements<'_, T, N>>>],
        scratch: &mut GroupScratch<T>,
        work: &impl Fn(GroupPart, Elements<'_, T, N>, [&mut [T]; 2]),
    ) {
        for run in &self.runs {
            let Some(mut rest) = lock(&of_runs[run.place]).take() else {
                continue;
            };
            for &GroupPart { layer, ref panels } in &run.parts {
                let inputs = layout.layers()[layer].inputs;
                let mut first = panels.start;
                while first < panels.end {
                    let panels = first..first + panels_at_once(panels.end - first);
                    first = panels.end;
                    let lengths = [inputs, 1].map(|rows| panels.len() * rows * LANES);
                    let dw = &mut scratch.weights[..lengths[0]];
                    let db = &mut scratch.biases[..lengths[1]];
                    let elements = take_first(&mut rest, lengths);
                    work(GroupPart { layer, panels }, elements, [dw, db]);
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

/// Cuts off the first elements, so many weights and so many biases.
fn take_first<'a, T, const N: usize>(
    rest: &mut Elements<'a, T, N>,
    lengths: [usize; 2],
) -> Elements<'a, T, N> {
    array::from_fn(|part| {
        rest[part].each_mut().map(|slice| {
            let (first, others) = mem::take(slice).split_at_mut(lengths[part]);
            *slice = others;
            first
        })
    })
}

/// One optimiser step of some output panels of a layer along their gradient. One
/// that is contracted from row blocks is used tile by tile while it is in
/// registers; any other is stored in `dw` and `db` before.
fn step_panels<T: Float>(
    gradients: &(impl LayerGradients<T> + ?Sized),
    GroupPart { layer, panels }: GroupPart,
    scale: T,
    mut elements: Elements<'_, T, 3>,
    step: &OptimiserStep<T>,
    [dw, db]: [&mut [T]; 2],
) {
    let linear = &gradients.layout().layers()[layer];
    for [values, m, v] in &mut elements {
        step.before_gradient(values, m, v);
    }
    let is_contracted = gradients.with_row_blocks(layer, &panels, &mut |blocks| {
        let (inputs, outputs, panels) = (linear.inputs, linear.outputs, panels.clone());
        let parts = elements.each_mut();
        let [weight, bias] = parts.map(|[values, m, v]| PanelParameters { values, m, v });
        let adam = step.adam();
        weight_gradient_adam(inputs, outputs, panels, blocks, scale, weight, bias, adam);
    });
    if !is_contracted {
        gradients.layer_gradient(layer, panels, scale, dw, db);
    }
    for ([values, m, v], gradient) in elements.into_iter().zip([dw, db]) {
        if is_contracted {
            step.flush(m, v);
        } else {
            step.apply(values, m, v, gradient);
        }
    }
}

fn lock<S>(slot: &Mutex<S>) -> MutexGuard<'_, S> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
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
            let groups = PanelGroups::split(&layout, threads);
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

    /// Panels cost 20 four times, 64, 4 four times and 64 twice: of 288 just two thirds
    /// lie below the middle of the first of the last two.
    #[test]
    fn a_panel_goes_to_the_group_that_holds_its_middle() {
        let groups = PanelGroups::split(&layout(ModelKind::Vae, "19-63-3"), 3);
        let parts = groups.groups.iter().map(|group| {
            let parts = group.runs[0].parts.iter();
            let parts = parts.map(|part| (part.layer, part.panels.clone()));
            parts.collect::<Vec<_>>()
        });
        let expected = [vec![(0, 0..4)], vec![(1, 0..1), (2, 0..4)], vec![(3, 0..2)]];
        assert!(parts.eq(expected));
    }

    #[test]
    fn owned_groups_cover_every_panel_once() {
        for architecture in ["784-256-2", "784-200-200-50", "784-256-32-8-2"] {
            let layout = layout(ModelKind::Vae, architecture);
            for threads in 1..=8 {
                let ownership = PanelOwnership::new(&layout, threads);
                let groups = PanelGroups::owned(&layout, &ownership);
                assert_covers(&layout, &groups, threads);
            }
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

    fn assert_covers(layout: &Layout, groups: &PanelGroups, threads: usize) {
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

    /// As many layers as there is room for, and two more.
    #[test]
    fn owned_groups_of_too_many_layers_are_cut_without_regard_to_owners() {
        for (hidden, runs) in [(63, 1024), (64, 8)] {
            let layout = layout(ModelKind::Vae, &format!("20-{}3", "4-".repeat(hidden)));
            assert_eq!(layout.layers().len(), 2 * hidden + 2);
            let groups = PanelGroups::owned(&layout, &PanelOwnership::new(&layout, 8));
            assert_eq!(groups.runs.len(), runs);
            assert_covers(&layout, &groups, 8);
        }
    }
}
