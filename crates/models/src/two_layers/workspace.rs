//! The objective of one batch, its hand-derived gradient, and the training
//! step built on it.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::Float;
use tensor_ops::linear::RowBlock;
use tensor_ops::parallel::ThreadPool;

use super::row_block::StochasticBlock;
use super::spec::TwoLayerSpec;
use crate::batch::BatchSource;
use crate::configuration::MAXIMUM_THREADS;
use crate::contraction::{Contracted, Contraction, side_by_side};
use crate::gradient::{LossSums, block_rows};
use crate::layout::Layout;
use crate::objective::{Bound, Objective};
use crate::optimiser::{Moments, OptimiserStep};
use crate::panel_groups::{AdamSink, GradientSink, PanelGroups, StoreSink};
use crate::parameters::Parameters;

/// Samples that a block takes through the networks together: few enough for
/// the widest activations to stay in a core's cache. A block has more if one
/// image has, or if there are more images than [`MAXIMUM_THREADS`] such blocks.
const ROWS: usize = 64;

/// Everything a training step of a model of two stochastic layers needs
/// besides parameters and moments: allocated once, reused by every step.
///
/// As in the one-layer [`GradientWorkspace`](crate::GradientWorkspace), row
/// blocks go through forward pass, loss and activation gradients, and output
/// panels through weight gradients and Adam. The loss of an image is the mean
/// over its samples of −log w, or −log (1/k) Σ w; neither has a KL in closed
/// form, so that β, its warm-up and free bits do not apply.
#[derive(Debug)]
pub struct TwoLayerWorkspace<T: Float> {
    layout: Arc<Layout>,
    capacity: usize,
    blocks: Blocks<T>,
    groups: PanelGroups<T>,
    rows: usize,
    bound: Bound,
    samples: usize,
}

#[derive(Debug)]
struct Blocks<T: Float> {
    layout: Arc<Layout>,
    blocks: Vec<StochasticBlock<T>>,
}

impl<T: Float> TwoLayerWorkspace<T> {
    /// Buffers for batches of up to `capacity` images on `threads` threads
    /// (no more than [`MAXIMUM_THREADS`] are used). Of the objective the bound
    /// and the samples are used.
    pub fn new(
        spec: &TwoLayerSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        capacity: usize,
        threads: usize,
    ) -> Self {
        let threads = threads.clamp(1, MAXIMUM_THREADS);
        let capacity = capacity.max(1);
        let images = images_of_block(capacity, objective.samples, threads);
        let count = capacity.div_ceil(images);
        let block = |_| StochasticBlock::new(spec, &layout, images, objective.samples);
        Self {
            blocks: Blocks {
                layout: layout.clone(),
                blocks: (0..count).map(block).collect(),
            },
            groups: PanelGroups::split(&layout, threads),
            layout,
            capacity,
            rows: 0,
            bound: objective.bound,
            samples: objective.samples,
        }
    }

    /// First region: losses and activation gradients of a batch, whose noise
    /// is [`TwoLayerSpec::noise_width`] wide. Call it inside
    /// [`ThreadPool::install`]. The `kl` of the sums is log q − log p of the
    /// sampled codes.
    ///
    /// # Panics
    /// If the batch is empty or larger than the workspace's capacity.
    pub fn forward_backward(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
    ) -> LossSums {
        let rows = batch.rows();
        assert!(
            rows > 0 && rows <= self.capacity,
            "forward_backward: a batch of {rows} images for a workspace of {}",
            self.capacity
        );
        self.rows = rows;
        let (bound, samples, count) = (self.bound, self.samples, self.blocks.blocks.len());
        pool.for_each(&mut self.blocks.blocks, |index, block| {
            block.encode(parameters, batch, block_rows(rows, count, index), samples);
            if !block.is_empty() {
                block.decode(parameters);
                block.weigh_samples(bound);
                block.backward(parameters);
            }
        });
        let mut sums = LossSums {
            images: rows as u64,
            ..LossSums::default()
        };
        for image in self.blocks.blocks.iter().flat_map(StochasticBlock::losses) {
            sums.reconstruction += image.reconstruction;
            sums.kl += image.kl;
            sums.loss += image.loss;
        }
        sums
    }

    /// Second region, storing: the gradient of the mean loss of the batch
    /// last given to [`forward_backward`](Self::forward_backward).
    pub fn gradient(&mut self, pool: &ThreadPool, gradient: &mut Parameters<T>) {
        let sink = StoreSink::new(&self.layout, gradient);
        self.contract(pool, sink);
    }

    /// Second region, training: one Adam step along the same gradient.
    pub fn adam(
        &mut self,
        pool: &ThreadPool,
        parameters: &mut Parameters<T>,
        moments: &mut Moments<T>,
        step: &OptimiserStep<T>,
    ) {
        let sink = AdamSink::new(&self.layout, parameters, moments, step);
        self.contract(pool, sink);
    }

    /// What first went wrong in a batch whose loss is not finite: the first
    /// parameter tensor, layer output or loss term, in forward order.
    pub fn first_non_finite(&self, parameters: &Parameters<T>) -> String {
        if let Some(name) = parameters.first_non_finite() {
            return name.to_owned();
        }
        let blocks = self.blocks.blocks.iter().filter(|block| !block.is_empty());
        let layers = blocks.filter_map(|block| block.first_non_finite_output(&self.layout));
        let Some(layer) = layers.min() else {
            return self.first_non_finite_loss().to_owned();
        };
        self.layout.output_name(layer)
    }

    /// The first term of the loss that is not finite; finite terms can only
    /// have given importance weights that are not.
    fn first_non_finite_loss(&self) -> &'static str {
        let images = || self.blocks.blocks.iter().flat_map(StochasticBlock::losses);
        if images().any(|image| !image.kl.is_finite()) {
            "kl"
        } else if images().any(|image| !image.reconstruction.is_finite()) {
            "reconstruction"
        } else {
            "log weights"
        }
    }

    fn contract(&mut self, pool: &ThreadPool, sink: impl GradientSink<T>) {
        let scale = T::from_f64(1.0 / self.rows as f64);
        let (groups, layout) = (&mut self.groups, self.layout.as_ref());
        groups.run(pool, layout, &Contracted(&self.blocks), scale, sink);
    }
}

/// Images of every block, the last ones perhaps fewer: as few as make up
/// [`ROWS`] samples or give every thread a block.
pub(crate) fn images_of_block(capacity: usize, samples: usize, threads: usize) -> usize {
    let at_once = (ROWS / samples.max(1)).max(1);
    let at_once = at_once.min(capacity.div_ceil(threads));
    at_once.max(capacity.div_ceil(MAXIMUM_THREADS))
}

impl<T: Float> Contraction<T> for Blocks<T> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn with_row_blocks(
        &self,
        layer: usize,
        _panels: &Range<usize>,
        work: impl FnOnce(&[RowBlock<'_, T>]),
    ) {
        let blocks = self.blocks.iter().filter(|block| !block.is_empty());
        side_by_side(
            blocks.map(|block| block.gradient_terms(&self.layout, layer)),
            work,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_few_rows_and_threads_have_blocks() {
        for (capacity, samples, threads, expected) in [
            (20, 1, 1, 20),
            (20, 1, 2, 10),
            (20, 5, 2, 10),
            (20, 5, 1, 12),
            (20, 50, 2, 1),
            (20, 500, 2, 1),
            (1000, 50, 2, 16),
            (1, 1, 64, 1),
        ] {
            let found = images_of_block(capacity, samples, threads);
            assert_eq!(found, expected, "{capacity} {samples} {threads}");
            let blocks = capacity.div_ceil(found);
            assert!(blocks <= MAXIMUM_THREADS, "{capacity} {samples} {threads}");
        }
    }
}
