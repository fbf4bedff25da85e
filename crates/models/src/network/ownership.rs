//! Which output panels of every layer each of several threads owns.

use std::cmp::Reverse;
use std::ops::Range;

use tensor_ops::eighths::{EIGHTHS, branches, panels_of};

use crate::network::layout::Layout;

/// The most threads among whom the panels are shared: one for each chain of a
/// sum over outputs.
pub(crate) const MAXIMUM_OWNERS: usize = EIGHTHS;

/// Consecutive eighths of every layer's output panels for each of some threads,
/// given out so that all have about the same number of weights.
#[derive(Debug)]
pub(crate) struct PanelOwnership {
    threads: usize,
    /// By layer, the number of the share that each thread has.
    shares: Vec<[usize; MAXIMUM_OWNERS]>,
    /// The branches that make up the shares, in ascending order.
    branches: Vec<Range<usize>>,
}

impl PanelOwnership {
    /// Goes through the layers from the largest to the smallest: of each, the
    /// larger shares to the threads that have less so far.
    pub(crate) fn new(layout: &Layout, threads: usize) -> Self {
        let layers = layout.layers();
        let weights = |layer: usize, share: usize| {
            panels_of(layers[layer].outputs, &eighths_of(share, threads)).len()
                * (layers[layer].inputs + 1)
        };
        let mut order: Vec<usize> = (0..layers.len()).collect();
        order.sort_by_key(|&layer| (Reverse(layers[layer].weight.len()), layer));
        let mut shares = vec![[0; MAXIMUM_OWNERS]; layers.len()];
        let mut owned = vec![0; threads];
        for layer in order {
            let mut of_size: Vec<usize> = (0..threads).collect();
            of_size.sort_by_key(|&share| (Reverse(weights(layer, share)), share));
            let mut of_need: Vec<usize> = (0..threads).collect();
            of_need.sort_by_key(|&thread| (owned[thread], thread));
            for (share, thread) in of_size.into_iter().zip(of_need) {
                shares[layer][thread] = share;
                owned[thread] += weights(layer, share);
            }
        }
        Self {
            threads,
            shares,
            branches: branches_of(threads).collect(),
        }
    }

    /// Threads that the panels are shared among.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// The eighths of a layer's outputs that a thread owns.
    pub(crate) fn eighths(&self, layer: usize, thread: usize) -> Range<usize> {
        eighths_of(self.shares[layer][thread], self.threads)
    }

    /// The thread that owns some consecutive panels of a layer of so many outputs.
    pub(crate) fn owner_of(&self, layer: usize, outputs: usize, panels: &Range<usize>) -> usize {
        let owns = |&thread: &usize| {
            let own = panels_of(outputs, &self.eighths(layer, thread));
            own.start <= panels.start && panels.end <= own.end && !own.is_empty()
        };
        (0..self.threads).find(owns).unwrap_or(0)
    }

    /// The eighths that a thread has of what is no layer's outputs.
    pub(crate) fn eighths_of_thread(&self, thread: usize) -> Range<usize> {
        eighths_of(thread, self.threads)
    }

    /// The place of a branch that a thread owns among those of all.
    pub(crate) fn place_of(&self, branch: &Range<usize>) -> usize {
        self.branches
            .iter()
            .take_while(|other| *other != branch)
            .count()
    }

    /// Of all layers the same branches of sums over outputs, in ascending order.
    pub(crate) fn branches(&self) -> &[Range<usize>] {
        &self.branches
    }
}

/// The most branches that up to so many threads have together.
pub(crate) fn maximum_branches(threads: usize) -> usize {
    let counts = (2..=threads).map(|threads| branches_of(threads).count());
    counts.max().unwrap_or(0)
}

fn branches_of(threads: usize) -> impl Iterator<Item = Range<usize>> {
    (0..threads).flat_map(move |share| branches(eighths_of(share, threads)))
}

fn eighths_of(share: usize, threads: usize) -> Range<usize> {
    share * EIGHTHS / threads..(share + 1) * EIGHTHS / threads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::layout::tests::layout;
    use crate::spec::ModelKind;

    #[test]
    fn threads_have_all_panels_and_about_the_same_weights() {
        for (architecture, most_of_two) in [
            ("784-256-2", 0.502),
            ("784-512-2", 0.501),
            ("784-400-20", 0.502),
            ("784-256-32-8-2", 0.505),
            ("784-200-200-50", 0.501),
        ] {
            let layout = layout(ModelKind::Vae, architecture);
            for threads in 1..=MAXIMUM_OWNERS {
                let ownership = PanelOwnership::new(&layout, threads);
                let mut weights = vec![0; threads];
                for (layer, linear) in layout.layers().iter().enumerate() {
                    let mut shares: Vec<_> = (0..threads)
                        .map(|thread| ownership.eighths(layer, thread))
                        .collect();
                    for (share, weights) in shares.iter().zip(&mut weights) {
                        *weights += panels_of(linear.outputs, share).len() * linear.inputs;
                    }
                    shares.sort_by_key(|share| share.start);
                    assert_eq!((shares[0].start, shares[threads - 1].end), (0, EIGHTHS));
                    assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
                }
                let total: usize = weights.iter().sum();
                let most = weights.iter().max().unwrap_or(&0);
                let share = *most as f64 / total as f64;
                // A share is a whole number of eighths.
                let of_eighths = EIGHTHS.div_ceil(threads) as f64 / EIGHTHS as f64;
                let bound = if threads == 2 {
                    most_of_two
                } else {
                    of_eighths + 0.03
                };
                assert!(share <= bound, "{architecture}, {threads} threads: {share}");
            }
        }
    }

    #[test]
    fn branches_are_few() {
        let counts: Vec<usize> = (0..=8).map(maximum_branches).collect();
        assert_eq!(counts, [0, 0, 2, 5, 5, 6, 6, 7, 8]);
        let layout = layout(ModelKind::Vae, "784-2");
        let ownership = PanelOwnership::new(&layout, 3);
        assert_eq!(ownership.branches(), [0..2, 2..4, 4..5, 5..6, 6..8]);
    }

    #[test]
    fn panels_and_branches_are_found_where_they_are_owned() {
        for architecture in ["784-200-200-50", "40-33-5"] {
            let layout = layout(ModelKind::Vae, architecture);
            for threads in 1..=MAXIMUM_OWNERS {
                let ownership = PanelOwnership::new(&layout, threads);
                assert_eq!(ownership.threads(), threads);
                for (layer, linear) in layout.layers().iter().enumerate() {
                    for thread in 0..threads {
                        let eighths = ownership.eighths(layer, thread);
                        let own = panels_of(linear.outputs, &eighths);
                        for end in own.start + 1..=own.end {
                            for panels in [own.start..end, end - 1..end] {
                                let owner = ownership.owner_of(layer, linear.outputs, &panels);
                                assert_eq!(owner, thread, "{architecture}, {layer}: {panels:?}");
                            }
                        }
                    }
                }
                let eighths = (0..threads).flat_map(|thread| ownership.eighths_of_thread(thread));
                assert!(eighths.eq(0..EIGHTHS), "{threads} threads");
                for (place, branch) in ownership.branches().iter().enumerate() {
                    assert_eq!(ownership.place_of(branch), place);
                }
            }
        }
    }
}
