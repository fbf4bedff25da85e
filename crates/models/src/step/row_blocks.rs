//! The hand-derived gradient by row blocks: each is taken through all networks
//! by one thread.

use std::ops::Range;
use std::sync::Arc;

use tensor_ops::Float;
use tensor_ops::linear::RowBlock;
use tensor_ops::panels::Panels;
use tensor_ops::parallel::ThreadPool;

use super::block::Block;
use super::panel_groups::LayerGradients;
use super::{Engine, ImageLosses, block_rows};
use crate::latent::BlockRows;
use crate::network::layout::{Layout, Role};
use crate::network::parameters::Parameters;
use crate::network::rows::{Activations, RowNetworks};
use crate::objective::{BatchPenalty, BatchValue, Objective, batch_penalty};
use crate::spec::ModelSpec;
use crate::training::batch::BatchSource;
use crate::training::configuration::MAXIMUM_THREADS;

/// Samples that a block of two stochastic layers takes through the networks
/// together: few enough for the widest activations to stay in a core's cache. A
/// block has more if one image has, or if there are more images than
/// [`MAXIMUM_THREADS`] such blocks.
const CODES_AT_ONCE: usize = 64;

/// Blocks of consecutive images.
#[derive(Debug)]
pub(crate) struct RowBlocks<T: Float> {
    layout: Arc<Layout>,
    blocks: Vec<(Block<T>, Activations<T>)>,
    batch_penalty: Option<Box<dyn BatchPenalty<T>>>,
    /// Weight of the penalty of every latent dimension in the gradient.
    penalty_weights: Vec<T>,
}

impl<T: Float> RowBlocks<T> {
    /// Blocks for batches of up to `capacity` images.
    pub(crate) fn new(
        spec: &ModelSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        capacity: usize,
        threads: usize,
    ) -> Self {
        let images = images_of_block(spec, objective, capacity, threads);
        let rows = BlockRows {
            images,
            samples: objective.samples,
        };
        let block = |_| {
            let activations = Activations::new(&layout, |network| rows.of(network));
            (Block::new(spec, objective, images), activations)
        };
        let latent = spec.architecture.latent;
        Self {
            blocks: (0..capacity.div_ceil(images)).map(block).collect(),
            batch_penalty: batch_penalty(objective, spec, capacity),
            penalty_weights: vec![T::ONE; latent],
            layout,
        }
    }
}

impl<T: Float> Engine<T> for RowBlocks<T> {
    /// Without a penalty of the batch each block goes through by itself. With it
    /// the gradient of one image depends on the whole batch: the blocks meet
    /// between forward and backward pass, and what is penalised is collected
    /// image by image, whatever the blocks.
    fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &dyn BatchSource<T>,
        beta: f64,
    ) -> Option<BatchValue> {
        let count = self.blocks.len();
        let rows = |index| block_rows(batch.rows(), count, index);
        self.penalty_weights.fill(T::from_f64(beta));
        let Some(penalty) = &mut self.batch_penalty else {
            let weights = &self.penalty_weights;
            pool.for_each(&mut self.blocks, |index, (block, activations)| {
                let mut networks = RowNetworks::new(parameters, activations);
                block.forward(&mut networks, parameters, batch, rows(index));
                block.backward(&mut networks, weights, &[]);
            });
            return None;
        };
        pool.for_each(&mut self.blocks, |index, (block, activations)| {
            let mut networks = RowNetworks::new(parameters, activations);
            block.forward(&mut networks, parameters, batch, rows(index));
        });
        penalty.begin(batch.rows());
        for (block, activations) in &mut self.blocks {
            let networks = RowNetworks::new(parameters, activations);
            penalty.collect(block, &networks, block.noise());
        }
        let value = penalty.finish(pool, &mut self.penalty_weights);
        let (penalty, weights) = (&*penalty, &self.penalty_weights);
        pool.for_each(&mut self.blocks, |index, (block, activations)| {
            let mut networks = RowNetworks::new(parameters, activations);
            block.backward(&mut networks, weights, penalty.by_codes(rows(index)));
        });
        Some(value)
    }

    fn for_each_image(&self, each: &mut dyn FnMut(ImageLosses)) {
        for (block, _) in &self.blocks {
            (0..block.rows().images).for_each(|image| each(block.losses(image)));
        }
    }

    fn first_non_finite_output(&self) -> Option<usize> {
        let blocks = self.blocks.iter().filter(|(block, _)| !block.is_empty());
        let first = |(block, activations): &(Block<T>, Activations<T>)| {
            let last = self.layout.network(Role::Decoder).end - 1;
            (0..=last).find(|&layer| {
                let rows = block.rows().of(self.layout.network_of(layer).role);
                let len = Panels::new(rows, self.layout.layers()[layer].outputs).len();
                let output = &activations.output(layer)[..len];
                if layer == last {
                    !block.is_output_finite(output)
                } else {
                    output.iter().any(|value| !value.is_finite())
                }
            })
        };
        blocks.filter_map(first).min()
    }
}

/// Images of every block, the last ones perhaps fewer: every thread has one
/// block; of two stochastic layers blocks are as small as makes up
/// [`CODES_AT_ONCE`] samples.
pub(crate) fn images_of_block(
    spec: &ModelSpec,
    objective: &Objective,
    capacity: usize,
    threads: usize,
) -> usize {
    let capacity = capacity.max(1);
    let of_thread = capacity.div_ceil(threads.min(capacity));
    if spec.architecture.lower.is_none() {
        return of_thread;
    }
    let at_once = (CODES_AT_ONCE / objective.samples.max(1)).max(1);
    at_once
        .min(of_thread)
        .max(capacity.div_ceil(MAXIMUM_THREADS))
}

impl<T: Float> LayerGradients<T> for RowBlocks<T> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Puts up to [`MAXIMUM_THREADS`] row blocks side by side, without
    /// allocating.
    fn with_row_blocks(
        &self,
        layer: usize,
        _panels: &Range<usize>,
        work: &mut dyn FnMut(&[RowBlock<'_, T>]),
    ) -> bool {
        let network = self.layout.network_of(layer).role;
        let blocks = self.blocks.iter().filter(|(block, _)| !block.is_empty());
        let mut room = [RowBlock {
            rows: 0,
            x: &[],
            dy: &[],
            support: None,
        }; MAXIMUM_THREADS];
        let mut count = 0;
        for (block, activations) in blocks {
            room[count] = activations.gradient_terms(&self.layout, layer, block.source(network));
            count += 1;
        }
        work(&room[..count]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Likelihood, ModelKind, PosteriorScale};

    #[test]
    fn blocks_have_few_rows_and_threads_have_blocks() {
        let spec = |architecture: &str| ModelSpec {
            kind: ModelKind::Vae,
            architecture: architecture.parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: PosteriorScale::LogVariance,
        };
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
            let objective = Objective::iwae(samples);
            let found =
                |architecture| images_of_block(&spec(architecture), &objective, capacity, threads);
            let images = found("784-4/4-2");
            assert_eq!(images, expected, "{capacity} {samples} {threads}");
            let blocks = capacity.div_ceil(images);
            assert!(blocks <= MAXIMUM_THREADS, "{capacity} {samples} {threads}");
            assert_eq!(found("784-2"), capacity.div_ceil(threads));
        }
    }
}
