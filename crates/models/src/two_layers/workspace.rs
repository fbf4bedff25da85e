//! The objective of one batch, its hand-derived gradient, and the training
//! step built on it.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::Float;
use tensor_ops::linear::{RowBlock, weight_gradient};
use tensor_ops::parallel::ThreadPool;

use super::row_block::StochasticBlock;
use super::spec::TwoLayerSpec;
use crate::batch::BatchSource;
use crate::configuration::MAXIMUM_THREADS;
use crate::gradient::{LossSums, block_rows};
use crate::layout::{Layout, LinearLayer};
use crate::objective::{Bound, Objective};
use crate::optimiser::{Moments, OptimiserStep};
use crate::panel_groups::{AdamSink, GradientSink, LayerGradients, PanelGroups, StoreSink};
use crate::parameters::Parameters;

/// Rows of a block that go through the networks together: few enough for the
/// widest activations to stay in a core's cache.
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
        let wanted = (capacity * objective.samples).div_ceil(ROWS);
        let most = capacity.clamp(1, MAXIMUM_THREADS);
        let count = wanted.max(threads).min(most);
        let rows = capacity.div_ceil(count);
        let block = |_| StochasticBlock::new(spec, &layout, rows, objective.samples);
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
        let sink = StoreSink::new(&self.layout, gradient.as_mut_slice());
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
        let sink = AdamSink::new(
            &self.layout,
            parameters.as_mut_slice(),
            moments.first.as_mut_slice(),
            moments.second.as_mut_slice(),
            step,
        );
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
            return "log weights".to_owned();
        };
        let slots = self.layout.tensors().iter();
        let name = slots
            .filter(|slot| slot.layer == layer)
            .map(|slot| &slot.name);
        let name = name.min().map_or("", |name| name.trim_end_matches(".bias"));
        format!("{name} (output)")
    }

    fn contract(&mut self, pool: &ThreadPool, sink: impl GradientSink<T>) {
        let scale = T::from_f64(1.0 / self.rows as f64);
        let (groups, layout) = (&mut self.groups, self.layout.as_ref());
        groups.run(pool, layout, &self.blocks, scale, sink);
    }
}

impl<T: Float> LayerGradients<T> for Blocks<T> {
    /// ∂L/∂W = Σ hᵀδ over the rows of all blocks in ascending order.
    fn layer_gradient(
        &self,
        layer: usize,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    ) {
        let mut terms = [RowBlock {
            rows: 0,
            x: &[],
            dy: &[],
            support: None,
        }; MAXIMUM_THREADS];
        let mut count = 0;
        for block in self.blocks.iter().filter(|block| !block.is_empty()) {
            terms[count] = block.gradient_terms(&self.layout, layer);
            count += 1;
        }
        let LinearLayer {
            inputs, outputs, ..
        } = self.layout.layers()[layer];
        weight_gradient(inputs, outputs, panels, &terms[..count], scale, dw, db);
    }
}
