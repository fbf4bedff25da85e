//! The hand-derived gradient by threads that own output panels: each takes all
//! rows through its part of every weight matrix.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tensor_ops::Float;
use tensor_ops::linear::RowBlock;
use tensor_ops::parallel::{Barrier, ThreadPool};

use super::block::Block;
use super::input::Input;
use super::panel_groups::LayerGradients;
use super::{Engine, ImageLosses, block_rows};
use crate::latent::BlockRows;
use crate::likelihood::PixelLikelihood;
use crate::network::activations::{Activations, Partials};
use crate::network::layout::{Layout, Role};
use crate::network::ownership::PanelOwnership;
use crate::network::panels::{OwnBuffers, PanelNetworks, Sharing};
use crate::network::parameters::Parameters;
use crate::network::pass::Networks;
use crate::objective::{BatchPenalty, BatchValue, Objective, batch_penalty};
use crate::spec::ModelSpec;
use crate::training::batch::BatchSource;

/// Rows of codes taken through the networks together: few enough for the widest
/// activations to stay in a core's cache. A block has more if one image has, or
/// if there are more images than [`MAXIMUM_BLOCKS`] such blocks.
const CODES_AT_ONCE: usize = 256;

/// The same of two stochastic layers, whose activations are several.
const CODES_OF_TWO_LAYERS: usize = 64;

/// The most blocks of a batch.
pub(crate) const MAXIMUM_BLOCKS: usize = 64;

/// Threads that own panels, and what they take through them.
///
/// With blocks of rows for each thread all of them would read all weights, most
/// of which others have just updated: on the machines measured, moving those
/// cache lines from core to core and back costs two threads a quarter to a half
/// of a step. Here weights stay where they are, and activations move, see
/// [`PanelNetworks`]. Any number of threads, up to those there are buffers for,
/// come to the same bits.
#[derive(Debug)]
pub(crate) struct PanelOwners<T: Float> {
    layout: Arc<Layout>,
    /// By number of threads less one.
    ownerships: Vec<PanelOwnership>,
    /// Threads that take the next batch.
    threads: usize,
    blocks: Vec<RowsOfBlock<T>>,
    partials: Partials<T>,
    owners: Vec<Owner<T>>,
    likelihood: PixelLikelihood<T>,
    batch_penalty: Option<Box<dyn BatchPenalty<T>>>,
    /// Weight of the penalty of every latent dimension in the gradient.
    penalty_weights: Vec<T>,
}

/// What all threads use of consecutive images.
#[derive(Debug)]
struct RowsOfBlock<T> {
    input: Input<T>,
    activations: Activations<T>,
}

/// What one thread has for itself.
#[derive(Debug)]
struct Owner<T: Float> {
    blocks: Vec<Block<T>>,
    own: OwnBuffers<T>,
}

/// What the threads take a batch through.
#[derive(Clone, Copy)]
struct Pass<'a, T: Float> {
    parameters: &'a Parameters<T>,
    ownership: &'a PanelOwnership,
    blocks: &'a [RowsOfBlock<T>],
    partials: &'a Partials<T>,
}

impl<'a, T: Float> Pass<'a, T> {
    /// A thread's way through the networks of a block.
    fn networks<'b>(
        &self,
        own: &'b mut OwnBuffers<T>,
        block: usize,
        thread: usize,
        barrier: &'b Barrier<'b>,
    ) -> PanelNetworks<'b, T>
    where
        'a: 'b,
    {
        let sharing = (self.ownership.threads() > 1).then_some(Sharing {
            ownership: self.ownership,
            partials: self.partials,
            thread,
            barrier,
        });
        let activations = &self.blocks[block].activations;
        PanelNetworks::new(self.parameters, activations, own, sharing)
    }
}

impl<T: Float> PanelOwners<T> {
    /// Buffers for batches of up to `capacity` images, in blocks of so many, on up
    /// to `threads` threads.
    pub(crate) fn new(
        spec: &ModelSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        (capacity, images): (usize, usize),
        threads: usize,
    ) -> Self {
        let count = capacity.div_ceil(images);
        let rows = BlockRows {
            images,
            samples: objective.samples,
        };
        let rows_of = |role| rows.of(role);
        let of_block = |_| RowsOfBlock {
            input: Input::new(spec, objective, images),
            activations: Activations::new(&layout, rows_of),
        };
        let owner = |_| Owner {
            blocks: (0..count)
                .map(|_| Block::new(spec, objective, images))
                .collect(),
            own: OwnBuffers::new(&layout, rows_of, threads),
        };
        let ownership = |threads| PanelOwnership::new(&layout, threads);
        Self {
            ownerships: (1..=threads).map(ownership).collect(),
            threads,
            blocks: (0..count).map(of_block).collect(),
            partials: Partials::new(&layout, rows_of, threads),
            owners: (0..threads).map(owner).collect(),
            likelihood: PixelLikelihood::new(spec),
            batch_penalty: batch_penalty(objective, spec, capacity),
            penalty_weights: vec![T::ONE; spec.architecture.latent],
            layout,
        }
    }

    /// Which thread owns what, for every number of threads from one on.
    pub(crate) fn ownerships(&self) -> &[PanelOwnership] {
        &self.ownerships
    }

    fn ownership(&self) -> &PanelOwnership {
        &self.ownerships[self.threads - 1]
    }

    /// The blocks that the batch in hand fills, as thread 0 has them.
    fn filled(&self) -> impl Iterator<Item = (&RowsOfBlock<T>, &Block<T>)> {
        let blocks = self.blocks.iter().zip(&self.owners[0].blocks);
        blocks.filter(|(_, block)| !block.is_empty())
    }
}

impl<T: Float> Engine<T> for PanelOwners<T> {
    fn set_threads(&mut self, threads: usize) {
        self.threads = threads.clamp(1, self.owners.len());
    }

    /// Without a penalty of the batch the threads take one block after the other
    /// forward and back. With it the gradient of one image depends on the whole
    /// batch: all blocks go forward before any goes back, and what is penalised is
    /// collected in between, image by image.
    fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &dyn BatchSource<T>,
        beta: f64,
    ) -> Option<BatchValue> {
        // Once: all threads go by the same number, whatever a batch answers next.
        let (count, batch_rows) = (self.blocks.len(), batch.rows());
        let rows = |index| block_rows(batch_rows, count, index);
        self.likelihood.read(parameters);
        let likelihood = &self.likelihood;
        self.penalty_weights.fill(T::from_f64(beta));
        for (index, block) in self.blocks.iter_mut().enumerate() {
            block.input.begin(rows(index).len());
        }
        let pass = Pass {
            parameters,
            ownership: &self.ownerships[self.threads - 1],
            blocks: &self.blocks,
            partials: &self.partials,
        };
        let owners = &mut self.owners[..self.threads];
        let Some(penalty) = &mut self.batch_penalty else {
            let weights = &self.penalty_weights;
            pool.together(owners, |thread, owner, barrier| {
                for index in 0..count {
                    let input = &pass.blocks[index].input;
                    let mut networks = pass.networks(&mut owner.own, index, thread, barrier);
                    let block = &mut owner.blocks[index];
                    block.forward(input, &mut networks, likelihood, batch, rows(index));
                    block.backward(input, &mut networks, likelihood, weights, &[]);
                }
            });
            return None;
        };
        penalty.begin(batch_rows);
        let collector = Mutex::new(&mut *penalty);
        pool.together(owners, |thread, owner, barrier| {
            for index in 0..count {
                let input = &pass.blocks[index].input;
                let mut networks = pass.networks(&mut owner.own, index, thread, barrier);
                let block = &mut owner.blocks[index];
                block.forward(input, &mut networks, likelihood, batch, rows(index));
                if thread == 0 {
                    let noise = input.noise(block.rows().codes());
                    let mut penalty = collector.lock().unwrap_or_else(PoisonError::into_inner);
                    penalty.collect(block, &networks, noise);
                }
            }
        });
        let value = penalty.finish(pool, &mut self.penalty_weights);
        let (penalty, weights) = (&*penalty, &self.penalty_weights);
        pool.together(owners, |thread, owner, barrier| {
            for index in 0..count {
                let (input, by_codes) = (&pass.blocks[index].input, penalty.by_codes(rows(index)));
                let mut networks = pass.networks(&mut owner.own, index, thread, barrier);
                // The partial sums of the block before may still be read.
                networks.meet();
                let block = &mut owner.blocks[index];
                block.backward(input, &mut networks, likelihood, weights, by_codes);
            }
        });
        Some(value)
    }

    fn for_each_image(&self, each: &mut dyn FnMut(ImageLosses)) {
        for (_, block) in self.filled() {
            (0..block.rows().images).for_each(|image| each(block.losses(image)));
        }
    }

    fn first_non_finite_output(&self) -> Option<usize> {
        let last = self.layout.network(Role::Decoder).end - 1;
        let first = |(of_block, block): (&RowsOfBlock<T>, &Block<T>)| {
            (0..=last).find(|&layer| {
                let rows = block.rows().of(self.layout.network_of(layer).role);
                // SAFETY: no region is running: `run`, which starts them, has the
                // workspace to itself until they end.
                let output = unsafe { of_block.activations.output(&self.layout, layer, rows) };
                if layer == last {
                    !block.is_output_finite(output)
                } else {
                    output.iter().any(|value| !value.is_finite())
                }
            })
        };
        self.filled().filter_map(first).min()
    }
}

impl<T: Float> LayerGradients<T> for PanelOwners<T> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Puts up to [`MAXIMUM_BLOCKS`] blocks side by side, without allocating.
    fn with_row_blocks(
        &self,
        layer: usize,
        panels: &Range<usize>,
        work: &mut dyn FnMut(&[RowBlock<'_, T>]),
    ) -> bool {
        let network = self.layout.network_of(layer).role;
        // Each thread reads its own copy of the codes.
        let outputs = self.layout.layers()[layer].outputs;
        let owner = self.ownership().owner_of(layer, outputs, panels);
        let mut room = [RowBlock {
            rows: 0,
            x: &[],
            dy: &[],
            support: None,
        }; MAXIMUM_BLOCKS];
        let mut count = 0;
        for (of_block, block) in self.blocks.iter().zip(&self.owners[owner].blocks) {
            if block.is_empty() {
                continue;
            }
            let source = block.source(&of_block.input, network);
            // SAFETY: no region that writes is running, see
            // `first_non_finite_output`.
            room[count] = unsafe {
                of_block
                    .activations
                    .gradient_terms(&self.layout, layer, source)
            };
            count += 1;
        }
        work(&room[..count]);
        true
    }
}

/// Images of every block, the last ones perhaps fewer.
pub(crate) fn images_of_block(spec: &ModelSpec, objective: &Objective, capacity: usize) -> usize {
    let capacity = capacity.max(1);
    let codes = match spec.architecture.lower {
        None => CODES_AT_ONCE,
        Some(_) => CODES_OF_TWO_LAYERS,
    };
    let at_once = (codes / objective.samples.max(1)).max(1);
    at_once.max(capacity.div_ceil(MAXIMUM_BLOCKS)).min(capacity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Likelihood, ModelKind, PosteriorScale};

    #[test]
    fn blocks_have_few_rows_and_are_few() {
        let spec = |architecture: &str| ModelSpec {
            kind: ModelKind::Vae,
            architecture: architecture.parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: PosteriorScale::LogVariance,
        };
        for (capacity, samples, one_layer, two_layers) in [
            (20, 1, 20, 20),
            (20, 5, 20, 12),
            (20, 50, 5, 1),
            (20, 500, 1, 1),
            (1000, 50, 16, 16),
            (4096, 1, 256, 64),
            (20_000, 1, 313, 313),
            (1, 1, 1, 1),
        ] {
            let objective = Objective::iwae(samples);
            for (architecture, expected) in [("784-2", one_layer), ("784-4/4-2", two_layers)] {
                let images = images_of_block(&spec(architecture), &objective, capacity);
                assert_eq!(images, expected, "{architecture} {capacity} {samples}");
                assert!(capacity.div_ceil(images) <= MAXIMUM_BLOCKS);
            }
        }
    }

    #[test]
    fn batches_are_taken_by_as_many_owners_as_are_asked_for_and_there_are() {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "20-3".parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: PosteriorScale::LogVariance,
        };
        let layout = Arc::new(Layout::new(&spec));
        let mut owners = PanelOwners::<f32>::new(&spec, &Objective::ELBO, layout, (4, 4), 5);
        assert_eq!(owners.ownership().threads(), 5);
        assert_eq!(owners.ownerships().len(), 5);
        for (asked, threads) in [(3, 3), (1, 1), (0, 1), (5, 5), (6, 5)] {
            owners.set_threads(asked);
            assert_eq!(owners.ownership().threads(), threads);
        }
    }
}
