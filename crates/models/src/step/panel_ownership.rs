//! Which half of every weight matrix each of two threads owns.

use std::ops::Range;

use tensor_ops::linear::halves;

use crate::network::layout::Layout;

/// Threads that share the halves.
pub(crate) const THREADS: usize = 2;

/// The halves of every layer's output panels, given to two threads so that
/// both have about the same number of weights.
#[derive(Debug)]
pub(crate) struct PanelOwnership {
    /// Of every layer: both halves of its output panels, and the thread that
    /// owns the first.
    layers: Vec<([Range<usize>; 2], usize)>,
}

impl PanelOwnership {
    /// Goes through the layers from the largest difference between the halves
    /// to the smallest: the larger one to the thread that has less so far. Of
    /// equal halves the first thread owns the first.
    pub(crate) fn new(layout: &Layout) -> Self {
        let mut layers: Vec<_> = layout
            .layers()
            .iter()
            .map(|layer| (halves(layer.outputs), 0))
            .collect();
        // The halves differ by one panel at most, the second being the larger.
        let lines = |layer: usize| layout.layers()[layer].inputs;
        let mut uneven: Vec<usize> = (0..layers.len())
            .filter(|&layer| layers[layer].0[0].len() != layers[layer].0[1].len())
            .collect();
        uneven.sort_by_key(|&layer| (std::cmp::Reverse(lines(layer)), layer));
        let mut surplus = [0; THREADS];
        for layer in uneven {
            let taker = usize::from(surplus[1] < surplus[0]);
            surplus[taker] += lines(layer);
            // The taker has the second half, the other thread the first.
            layers[layer].1 = 1 - taker;
        }
        Self { layers }
    }

    /// The output panels of a layer that a thread owns.
    pub(crate) fn panels(&self, layer: usize, thread: usize) -> Range<usize> {
        self.layers[layer].0[self.half_of(layer, thread)].clone()
    }

    /// The half of a layer that a thread owns.
    pub(crate) fn half_of(&self, layer: usize, thread: usize) -> usize {
        (self.layers[layer].1 + thread) % THREADS
    }

    /// The thread that owns some consecutive panels of one half of a layer.
    pub(crate) fn owner_of(&self, layer: usize, panels: &Range<usize>) -> usize {
        let [_, second] = &self.layers[layer].0;
        self.thread_of(layer, usize::from(panels.start >= second.start))
    }

    /// The thread that owns a half of a layer.
    pub(crate) fn thread_of(&self, layer: usize, half: usize) -> usize {
        (self.layers[layer].1 + half) % THREADS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layout::tests::layout;
    use crate::spec::ModelKind;

    #[test]
    fn both_threads_have_all_panels_and_about_the_same_weights() {
        for (architecture, difference) in [
            ("784-256-2", 0),
            ("784-512-2", 0),
            ("784-400-20", 4),
            ("784-256-32-8-2", 256 - 32 - 8 - 2),
            ("784-200-200-50", 34),
        ] {
            let layout = layout(ModelKind::Vae, architecture);
            let ownership = PanelOwnership::new(&layout);
            let mut lines = [0; THREADS];
            for (layer, linear) in layout.layers().iter().enumerate() {
                let [first, second] = [0, 1].map(|half| {
                    let thread = ownership.thread_of(layer, half);
                    assert_eq!(ownership.half_of(layer, thread), half);
                    let panels = ownership.panels(layer, thread);
                    if !panels.is_empty() {
                        assert_eq!(ownership.owner_of(layer, &panels), thread);
                    }
                    lines[thread] += panels.len() * linear.inputs;
                    panels
                });
                assert_eq!((first.start, first.end), (0, second.start));
                assert_eq!(second.end, linear.panels().panel_count());
            }
            assert_eq!(lines[0].abs_diff(lines[1]), difference, "{architecture}");
        }
    }
}
