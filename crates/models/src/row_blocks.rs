//! The row blocks of a batch: the hand-derived gradient.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::Float;
use tensor_ops::linear::RowBlock;
use tensor_ops::parallel::ThreadPool;

use crate::batch::BatchSource;
use crate::contraction::{Contraction, side_by_side};
use crate::gradient::{ImageLosses, block_rows};
use crate::layout::Layout;
use crate::objective::Objective;
use crate::parameters::Parameters;
use crate::row_block::RowBlockWorkspace;
use crate::spec::ModelSpec;

/// One workspace per block of consecutive images.
#[derive(Debug)]
pub(crate) struct RowBlocks<T: Float> {
    layout: Arc<Layout>,
    blocks: Vec<RowBlockWorkspace<T>>,
    free_bits: Option<FreeBits>,
    /// Weight of the KL of every latent dimension in the gradient.
    kl_weights: Vec<T>,
}

/// KL per dimension that costs nothing.
#[derive(Debug)]
struct FreeBits {
    /// λ.
    nats: f64,
    /// Mean KL of every dimension over the batch.
    kl: Vec<f64>,
}

impl<T: Float> RowBlocks<T> {
    /// `blocks` blocks of up to `capacity` images each.
    pub(crate) fn new(
        spec: &ModelSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        blocks: usize,
        capacity: usize,
    ) -> Self {
        let blocks = (0..blocks)
            .map(|_| RowBlockWorkspace::new(spec, objective, &layout, capacity))
            .collect();
        let free_bits = (objective.free_bits > 0.0).then(|| FreeBits {
            nats: objective.free_bits,
            kl: vec![0.0; layout.latent()],
        });
        Self {
            kl_weights: vec![T::ONE; layout.latent()],
            layout,
            blocks,
            free_bits,
        }
    }

    /// Forward pass, losses and activation gradients of a batch; the mean
    /// penalty Σ_j max(λ, mean KL_j) if some of the KL is free.
    ///
    /// Without free bits each block goes through by itself. With them the
    /// gradient of one image's KL depends on the whole batch's: the blocks
    /// meet between forward and backward pass, and the KL is summed image by
    /// image, whatever the blocks.
    pub(crate) fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &impl BatchSource<T>,
        beta: f64,
    ) -> Option<f64> {
        let count = self.blocks.len();
        let rows = |index| block_rows(batch.rows(), count, index);
        self.kl_weights.fill(T::from_f64(beta));
        let Some(free_bits) = &mut self.free_bits else {
            let kl_weights = &self.kl_weights;
            pool.for_each(&mut self.blocks, |index, block| {
                block.forward(parameters, batch, rows(index));
                block.backward(parameters, kl_weights);
            });
            return None;
        };
        pool.for_each(&mut self.blocks, |index, block| {
            block.forward(parameters, batch, rows(index));
        });
        free_bits.kl.fill(0.0);
        for block in &self.blocks {
            block.add_kl_by_dimension(&mut free_bits.kl);
        }
        let mut penalty = 0.0;
        for (kl, weight) in free_bits.kl.iter_mut().zip(&mut self.kl_weights) {
            *kl /= batch.rows() as f64;
            if *kl < free_bits.nats {
                *weight = T::ZERO;
            }
            penalty += if kl.is_nan() {
                *kl
            } else {
                kl.max(free_bits.nats)
            };
        }
        let kl_weights = &self.kl_weights;
        pool.for_each(&mut self.blocks, |_, block| {
            block.backward(parameters, kl_weights);
        });
        Some(penalty)
    }

    /// Calls `each` with the losses of every image, in order.
    pub(crate) fn for_each_image(&self, mut each: impl FnMut(ImageLosses<T>)) {
        for block in &self.blocks {
            block.for_each_image(&mut each);
        }
    }

    /// Index of the first layer, in forward order, whose output is not finite.
    pub(crate) fn first_non_finite_output(&self) -> Option<usize> {
        self.blocks
            .iter()
            .filter_map(|block| block.first_non_finite_output(&self.layout))
            .min()
    }
}

impl<T: Float> Contraction<T> for RowBlocks<T> {
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
