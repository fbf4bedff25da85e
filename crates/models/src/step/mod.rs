//! The objective of one batch, its hand-derived gradient, and the training
//! step built on it.

pub(crate) mod block;
pub(crate) mod input;
pub(crate) mod panel_groups;
pub(crate) mod panel_owners;
pub(crate) mod program;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tensor_ops::Float;
use tensor_ops::parallel::ThreadPool;

use crate::network::layout::Layout;
use crate::network::parameters::Parameters;
use crate::objective::{BatchValue, Objective};
use crate::spec::ModelSpec;
use crate::step::panel_groups::{GroupScratch, LayerGradients, PanelGroups};
use crate::step::panel_owners::{PanelOwners, images_of_block};
use crate::step::program::TapeBlocks;
use crate::training::batch::BatchSource;
use crate::training::clipping::ClippedGradient;
use crate::training::configuration::{BatchGradient, Gradients};
use crate::training::optimiser::{Moments, OptimiserStep};

/// Sums over the images of a batch or an epoch, in nats, accumulated in f64
/// in the order of the images.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSums {
    /// Images summed over.
    pub images: u64,
    /// Σ −log p(x|z), for each image the mean over its samples.
    pub reconstruction: f64,
    /// Σ KL(q(z|x) ‖ p(z)) of a VAE, Σ ½‖z‖² of `ae-l2`, 0 of `ae`; before β
    /// and free bits. A penalty of the batch that stands in their place counts
    /// once for every image.
    pub kl: f64,
    /// Σ of what is minimised, see [`Objective`].
    pub loss: f64,
}

/// Means per image, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Losses {
    /// What is minimised: reconstruction + kl of the plain ELBO, otherwise as
    /// the [`Objective`] says; −bound of importance weights.
    pub loss: f64,
    /// Mean of −log p(x|z).
    pub reconstruction: f64,
    /// Mean of the penalty.
    pub kl: f64,
}

impl LossSums {
    /// The means; zero over no images.
    pub fn means(&self) -> Losses {
        let images = self.images.max(1) as f64;
        Losses {
            loss: self.loss / images,
            reconstruction: self.reconstruction / images,
            kl: self.kl / images,
        }
    }

    /// Adds another batch.
    pub fn add(&mut self, other: &LossSums) {
        self.images += other.images;
        self.reconstruction += other.reconstruction;
        self.kl += other.kl;
        self.loss += other.loss;
    }

    /// No sum is a NaN or infinite.
    pub fn is_finite(&self) -> bool {
        self.reconstruction.is_finite() && self.kl.is_finite() && self.loss.is_finite()
    }
}

/// The losses of one image, in nats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageLosses {
    /// −log p(x|z), the mean over its samples.
    pub(crate) reconstruction: f64,
    /// KL(q(z|x) ‖ p(z)), or what takes its place.
    pub(crate) penalty: f64,
    /// What is minimised, where that is no weighed sum of both: −log (1/k) Σ w
    /// of importance weights, and −log w where the KL has no closed form.
    pub(crate) loss: Option<f64>,
}

/// Everything a training step needs besides parameters and moments: allocated
/// once, reused by every step.
///
/// # The objective and its gradient
///
/// For a batch of B images the plain objective is the mean
///
/// ```text
/// L = 1/B Σ_i [ R(x_i, z_i) + P_i ],     R(x, z) = −log p(x|z)
/// ```
///
/// with z_i and the penalty P_i of the model: for a VAE z = μ + σ⊙ε and
/// P = KL(N(μ, diag σ²) ‖ N(0, I)), so that −L is a one-sample estimate of the
/// ELBO; for `ae-l2` P = ½‖z‖²; for `ae` P = 0. An [`Objective`] may weigh P,
/// take the mean of R over k samples, or put −log (1/k) Σ_s w_s in the place
/// of R + P.
///
/// Per image, with a the decoder's logits and t the pixels,
/// R = Σ softplus(a) − t·a and ∂R/∂a = σ(a) − t, times the share of the sample
/// in the loss. For a linear layer a = h·W + b with δ = ∂L_i/∂a,
///
/// ```text
/// ∂L_i/∂W = hᵀ δ     ∂L_i/∂b = δ     ∂L_i/∂h = δ Wᵀ
/// ```
///
/// and through h = act(a'), δ' = (δ Wᵀ) ⊙ act'(a'), where act' is read off the
/// output: 1 where h > 0 for relu, 1 − h² for tanh. Between decoder and encoder
/// stands the code: with g = ∂R/∂z = δ₁ W₁ᵀ of the decoder's first layer,
///
/// ```text
/// vae:    ∂L_i/∂μ = g + μ,   ∂L_i/∂(log σ²) = ½ (g·ε·σ + σ² − 1)
/// ae-l2:  ∂L_i/∂z = g + z        ae:  ∂L_i/∂z = g
/// ```
///
/// Weights of the KL, several samples, log σ in the place of log σ² and
/// importance weights are derived at the models in `latent`.
///
/// No image's δ depends on another image — penalties of the batch apart, such as
/// free bits, which choose the weights of the KL by the batch — so the factor 1/B
/// enters once, in
/// ∂L/∂W = 1/B Σ_i h_iᵀ δ_i.
///
/// # Two parallel regions
///
/// In [`forward_backward`](Self::forward_backward) each thread owns some output
/// panels of every layer and takes all rows of the batch through them: forward
/// pass, loss and all δ. In [`gradient`](Self::gradient) and [`adam`](Self::adam)
/// it contracts those panels over the rows in ascending order, and stores, or
/// feeds to Adam, what it has while it is in cache. Every element of every product
/// is one chain in ascending order, or a fixed tree of eight
/// ([`tensor_ops::eighths`]), so the bits do not depend on the number of threads.
/// A penalty of the batch cuts the first region in two, between which it is summed
/// in the order of the images.
///
/// With [`Gradients::Tape`] the first region records the same objective on
/// one tape per block of rows, one for each thread, and lets the tape find the δ;
/// the second is the same.
#[derive(Debug)]
pub struct GradientWorkspace<T: Float> {
    layout: Arc<Layout>,
    capacity: usize,
    engine: Box<dyn Engine<T>>,
    /// By number of threads less one; of the tape one alone.
    groups: Vec<PanelGroups>,
    scratch: Vec<GroupScratch<T>>,
    /// Threads that have taken the batch in hand.
    threads: usize,
    next_threads: usize,
    rows: usize,
    beta: f64,
    batch_gradient: BatchGradient,
}

/// A way through the first region of a step, which leaves behind what the
/// second contracts the gradient from: by hand or on the tape.
pub(crate) trait Engine<T: Float>: LayerGradients<T> + fmt::Debug + Send {
    /// Has the coming batches taken by so many threads, if it can have fewer than
    /// it was made for.
    fn set_threads(&mut self, threads: usize);

    /// Forward pass, losses and activation gradients of a batch, `beta` being
    /// the weight of the penalty; that penalty, if it is one of the batch.
    fn run(
        &mut self,
        pool: &ThreadPool,
        parameters: &Parameters<T>,
        batch: &dyn BatchSource<T>,
        beta: f64,
    ) -> Option<BatchValue>;

    /// Gives the losses of every image, in order.
    fn for_each_image(&self, each: &mut dyn FnMut(ImageLosses));

    /// Index of the first layer, in forward order, whose output is not finite,
    /// after a backward pass.
    fn first_non_finite_output(&self) -> Option<usize>;
}

impl<T: Float> GradientWorkspace<T> {
    /// Buffers for batches of up to `capacity` images on up to `threads` threads
    /// (by hand no more than eight are used).
    ///
    /// # Panics
    /// If the objective is one that [`Objective::validate`] refuses.
    pub fn new(
        spec: &ModelSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        gradients: Gradients,
        capacity: usize,
        threads: usize,
    ) -> Self {
        let images = images_of_block(spec, objective, capacity);
        let rows = (capacity, images);
        Self::in_blocks(spec, objective, layout, gradients, rows, threads)
    }

    /// [`new`](Self::new) with by hand so many images in a block.
    fn in_blocks(
        spec: &ModelSpec,
        objective: &Objective,
        layout: Arc<Layout>,
        gradients: Gradients,
        (capacity, images): (usize, usize),
        threads: usize,
    ) -> Self {
        let valid = objective.validate(spec);
        assert!(valid.is_ok(), "GradientWorkspace::new: {valid:?}");
        let of_layout = layout.clone();
        let for_engine = layout.clone();
        let threads = threads.clamp(1, gradients.most_threads());
        let (engine, groups): (Box<dyn Engine<T>>, Vec<PanelGroups>) = match gradients {
            Gradients::Hand => {
                let rows = (capacity, images);
                let owners = PanelOwners::new(spec, objective, for_engine, rows, threads);
                let groups = owners.ownerships().iter();
                let groups = groups.map(|ownership| PanelGroups::owned(&layout, ownership));
                let groups = groups.collect();
                (Box::new(owners), groups)
            }
            Gradients::Tape => {
                let blocks = TapeBlocks::new(spec, objective, for_engine, capacity, threads);
                (Box::new(blocks), vec![PanelGroups::split(&layout, threads)])
            }
        };
        Self {
            layout,
            capacity,
            engine,
            scratch: GroupScratch::of(&of_layout, &groups),
            threads: groups.len(),
            next_threads: groups.len(),
            groups,
            rows: 0,
            beta: objective.beta,
            batch_gradient: BatchGradient::Mean,
        }
    }

    /// The most threads that [`set_threads`](Self::set_threads) can choose: one
    /// where there is no choice.
    pub fn most_threads(&self) -> usize {
        self.groups.len()
    }

    /// Has the coming batches taken by so many threads, at least one and at most
    /// [`most_threads`](Self::most_threads). No bit depends on it.
    pub fn set_threads(&mut self, threads: usize) {
        self.next_threads = threads.clamp(1, self.groups.len());
    }

    /// Sets the weight of the KL for the coming batches, as a warm-up does;
    /// at first it is the objective's β.
    pub fn set_beta(&mut self, beta: f64) {
        self.beta = beta;
    }

    /// Sets what becomes of the gradients of a batch's images; at first their mean.
    /// Losses are means in any case.
    pub fn set_batch_gradient(&mut self, batch_gradient: BatchGradient) {
        self.batch_gradient = batch_gradient;
    }

    /// First region: losses and activation gradients of a batch. Call it
    /// inside [`ThreadPool::install`].
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
        self.threads = self.next_threads;
        self.engine.set_threads(self.threads);
        let mut sums = LossSums {
            images: rows as u64,
            ..LossSums::default()
        };
        let penalty = self.engine.run(pool, parameters, batch, self.beta);
        let mut of_images = None;
        self.engine.for_each_image(&mut |image: ImageLosses| {
            sums.reconstruction += image.reconstruction;
            sums.kl += image.penalty;
            if let Some(loss) = image.loss {
                *of_images.get_or_insert(0.0) += loss;
            }
        });
        let of_batch = penalty.map(|batch| batch.penalty * rows as f64);
        if let Some(of_batch) = of_batch.filter(|_| penalty.is_some_and(|batch| batch.is_all)) {
            sums.kl = of_batch;
        }
        sums.loss = match of_images {
            Some(loss) => loss,
            None => sums.reconstruction + self.beta * of_batch.unwrap_or(sums.kl),
        };
        sums
    }

    /// Second region, storing: the gradient of the mean loss of the batch, or of the sum,
    /// last given to [`forward_backward`](Self::forward_backward).
    pub fn gradient(&mut self, pool: &ThreadPool, gradient: &mut Parameters<T>) {
        let scale = self.scale();
        let (engine, scratch) = (self.engine.as_ref(), &mut self.scratch);
        self.groups[self.threads - 1].store(pool, engine, scale, gradient, scratch);
    }

    /// Second region, training: one Adam step along the same gradient.
    pub fn adam(
        &mut self,
        pool: &ThreadPool,
        parameters: &mut Parameters<T>,
        moments: &mut Moments<T>,
        step: &OptimiserStep<T>,
    ) {
        let (scale, engine) = (self.scale(), self.engine.as_ref());
        let groups = &self.groups[self.threads - 1];
        let parameters = [parameters, &mut moments.first, &mut moments.second];
        groups.step(pool, engine, scale, parameters, step, &mut self.scratch);
    }

    /// Second region, training with a clipped gradient: stores the gradient,
    /// and takes the step along what is left of it in a third region. Gives
    /// its norm before clipping; if that is not finite, no step is taken.
    pub fn clipped_adam(
        &mut self,
        pool: &ThreadPool,
        parameters: &mut Parameters<T>,
        moments: &mut Moments<T>,
        step: &OptimiserStep<T>,
        clipped: &mut ClippedGradient<T>,
    ) -> f64 {
        self.gradient(pool, &mut clipped.gradient);
        let norm = clipped.norm();
        if norm.is_finite() {
            let scale = T::from_f64(clipped.factor(norm));
            let groups = &self.groups[self.threads - 1];
            let parameters = [parameters, &mut moments.first, &mut moments.second];
            groups.step(pool, &*clipped, scale, parameters, step, &mut self.scratch);
        }
        norm
    }

    /// What first went wrong in a batch whose loss is not finite: the first
    /// parameter tensor, layer output or loss term, in forward order, that
    /// holds a NaN or an infinity.
    pub fn first_non_finite(&self, parameters: &Parameters<T>) -> String {
        if let Some(name) = parameters.first_non_finite() {
            return name.to_owned();
        }
        let Some(layer) = self.engine.first_non_finite_output() else {
            return self.first_non_finite_loss().to_owned();
        };
        self.layout.output_name(layer)
    }

    /// The first term of the loss that is not finite; finite terms can only
    /// have given importance weights that are not.
    fn first_non_finite_loss(&self) -> &'static str {
        let (mut kl_offends, mut reconstruction_offends, mut has_weights) = (false, false, false);
        self.engine.for_each_image(&mut |image: ImageLosses| {
            kl_offends |= !image.penalty.is_finite();
            reconstruction_offends |= !image.reconstruction.is_finite();
            has_weights |= image.loss.is_some();
        });
        if kl_offends {
            "kl"
        } else if has_weights && !reconstruction_offends {
            "log weights"
        } else {
            "reconstruction"
        }
    }

    /// The factor of every image in what the gradient is of: 1/B of the mean loss.
    fn scale(&self) -> T {
        match self.batch_gradient {
            BatchGradient::Mean => T::from_f64(1.0 / self.rows as f64),
            BatchGradient::Sum => T::ONE,
        }
    }
}

/// Rows of block `index` when `rows` are cut into `blocks` of equal size, the
/// last ones smaller or empty.
pub(crate) fn block_rows(rows: usize, blocks: usize, index: usize) -> Range<usize> {
    let size = rows.div_ceil(blocks);
    (index * size).min(rows)..((index + 1) * size).min(rows)
}
