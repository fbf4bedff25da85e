//! How much memory a model takes, told before any is taken.
//!
//! An allocation that the system cannot serve ends the process without a word,
//! and one that it can serve only by promise ends it later. Whoever is about to
//! train or to use a model asks here first. Sizes are counted in f64, which no
//! product of widths, rows and samples overflows, and go up to `u64::MAX`
//! bytes. The formulas are those of the buffers where they are allocated;
//! `tests/footprint.rs` sets them against an allocator that counts.

use tensor_ops::panels::LANES;

use crate::configuration::{Gradients, MAXIMUM_THREADS, TrainingConfig};
use crate::gradient::takes_halves;
use crate::inference::BLOCK_ROWS;
use crate::layout::Layout;
use crate::objective::Objective;
use crate::panel_groups::PANELS_AT_ONCE;
use crate::panel_ownership;
use crate::spec::{GaussianSigma, Likelihood, ModelSpec};
use crate::two_layers::{TwoLayerSpec, images_of_block};

/// Bytes of a value of the network.
const VALUE: f64 = size_of::<f32>() as f64;

/// Bytes that training takes, by what for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingFootprint {
    /// Of every parameter its value and both moments, and its gradient where
    /// the norm is clipped: 3 or 4 values each.
    pub parameters: u64,
    /// The rows of a batch on their way through the layers and back: the
    /// activations, the gradients by them, codes and noise, and what the
    /// threads contract them with.
    pub batch: u64,
    /// The order of the images, and their copy where the treatment makes one.
    pub images: u64,
    /// Parameters and moments in the order of their file, and the file, while a
    /// checkpoint is written: 6 values of each parameter.
    pub checkpoint: u64,
}

impl TrainingFootprint {
    /// Of training a model on so many images, of `image_bytes` in all.
    ///
    /// With `rows` the images of a batch and `codes` = rows · samples, a layer
    /// has `rows` rows up to the head and `codes` rows from the codes on. The
    /// batch takes
    ///
    /// * of every layer its input and the gradient by its output;
    /// * the head and the gradient by the codes; ε, σ; three numbers a code;
    /// * the widest transposed gradient, of one layer at a time;
    /// * the places of the pixels that are not zero, at most half a value each;
    ///
    /// cut among the threads, except on two threads that own half the panels
    /// each (`panel_halves.rs`): each then has pixels and
    /// codes of its own, and the partial sums of two layers are kept. The tape
    /// has a value and a gradient for every number that it records instead.
    #[must_use]
    pub fn of(spec: &ModelSpec, config: &TrainingConfig, images: usize, image_bytes: u64) -> Self {
        let layout = Layout::new(spec);
        let threads = config.threads.clamp(1, MAXIMUM_THREADS);
        let batch = Batch {
            layout: &layout,
            rows: config.batch.min(images).max(1),
            samples: config.objective.samples,
        };
        let values = match config.gradients {
            Gradients::Tape => batch.on_the_tape(spec, &config.objective, threads),
            Gradients::Hand if takes_halves(spec, &config.objective, &layout, threads) => {
                batch.in_halves()
            }
            Gradients::Hand => batch.in_blocks(threads),
        };
        Self::new(&layout, config, values + group_values(&layout, threads)).with_images(
            config,
            images,
            image_bytes,
        )
    }

    /// Of training a model of two stochastic layers. The batch takes of every
    /// layer its output and the gradient by it, the codes of both layers twelve
    /// times over (with ε, σ and gradients), and seven numbers a sample.
    #[must_use]
    pub fn of_two_layers(
        spec: &TwoLayerSpec,
        config: &TrainingConfig,
        images: usize,
        image_bytes: u64,
    ) -> Self {
        let layout = spec.layout();
        let threads = config.threads.clamp(1, MAXIMUM_THREADS);
        let samples = config.objective.samples;
        let capacity = config.batch.min(images).max(1);
        let of_block = images_of_block(capacity, samples, threads);
        let (rows, blocks) = (of_block as f64, capacity.div_ceil(of_block) as f64);
        let codes = rows * samples as f64;
        let of_images = spec.networks().lower_encoder;
        let layers = layout.layers().iter().enumerate();
        let chains: f64 = layers
            .map(|(index, layer)| {
                let rows = if of_images.contains(&index) {
                    rows
                } else {
                    codes
                };
                2.0 * rows * padded(layer.outputs)
            })
            .sum();
        let latent = [spec.lower.latent, spec.upper.latent];
        let of_codes: f64 = latent
            .iter()
            .map(|&latent| 4.5 * codes * padded(latent))
            .sum();
        let pixels = 1.5 * rows * padded(spec.lower.inputs);
        let scratch = widest_output(&layout) * codes.max(LANES as f64);
        let block = chains + of_codes + pixels + scratch + 8.0 * codes;
        Self::new(
            &layout,
            config,
            blocks * block + group_values(&layout, threads),
        )
        .with_images(config, images, image_bytes)
    }

    fn new(layout: &Layout, config: &TrainingConfig, batch: f64) -> Self {
        let values = layout.len() as f64;
        let kept = if config.clip_norm.is_some() { 4.0 } else { 3.0 };
        Self {
            parameters: bytes(kept * values),
            batch: bytes(batch),
            images: 0,
            checkpoint: bytes(6.0 * values),
        }
    }

    fn with_images(self, config: &TrainingConfig, images: usize, image_bytes: u64) -> Self {
        let order = (images as u64).saturating_mul(size_of::<u32>() as u64);
        let copy = if config.treatment.copies_images() {
            image_bytes
        } else {
            0
        };
        Self {
            images: order.saturating_add(copy),
            ..self
        }
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        let parts = [self.parameters, self.batch, self.images, self.checkpoint];
        parts.into_iter().fold(0, u64::saturating_add)
    }
}

/// Bytes of encoding `rows` rows, drawing a code for each and decoding it, as a
/// pass over the test images does: four numbers for each latent variable of a
/// row (μ, log σ², ε, z; three without σ), and 128 rows through the layers on every thread.
#[must_use]
pub fn pass_bytes(spec: &ModelSpec, rows: usize, threads: usize) -> u64 {
    let layout = Layout::new(spec);
    let layers = layout.layers();
    // What a layer gives and what the next one takes share a buffer.
    let taken = layers.iter().skip(1).map(|layer| layer.inputs).chain([0]);
    let given = layers.iter().map(|layer| layer.outputs);
    let between: f64 = given
        .zip(taken)
        .map(|(given, taken)| padded(given.max(taken)))
        .sum();
    let widths = padded(layout.inputs()) + between;
    let blocks = threads.min(rows.div_ceil(BLOCK_ROWS)) as f64;
    let blocks = blocks * BLOCK_ROWS.min(rows) as f64 * widths;
    let numbers = if spec.kind.is_variational() { 4.0 } else { 3.0 };
    bytes(numbers * rows as f64 * spec.architecture.latent as f64 + blocks)
}

/// Bytes of the parameters of a model alone.
#[must_use]
pub fn parameter_bytes(spec: &ModelSpec) -> u64 {
    bytes(Layout::new(spec).len() as f64)
}

/// A batch on its way through a model of one layer.
struct Batch<'a> {
    layout: &'a Layout,
    rows: usize,
    samples: usize,
}

impl Batch<'_> {
    fn codes(&self, rows: usize) -> f64 {
        rows as f64 * self.samples as f64
    }

    /// Rows of a layer when `rows` images go through it.
    fn rows_of(&self, layer: usize, rows: usize) -> f64 {
        if layer > self.layout.head() {
            self.codes(rows)
        } else {
            rows as f64
        }
    }

    /// The sum over the layers of what `of` says of a layer and its rows.
    fn sum(&self, rows: usize, of: impl Fn(usize, usize) -> f64) -> f64 {
        let layers = self.layout.layers().iter().enumerate();
        layers
            .map(|(index, layer)| self.rows_of(index, rows) * of(layer.inputs, layer.outputs))
            .sum()
    }

    /// Codes in panels, ε and σ, and three numbers a code.
    fn latent(&self, rows: usize) -> f64 {
        let latent = self.layout.latent();
        let codes = self.codes(rows);
        codes * (padded(latent) + latent as f64 + 3.0) + rows as f64 * latent as f64
    }

    fn head(&self) -> f64 {
        padded(self.layout.layers()[self.layout.head()].outputs)
    }

    /// One block of rows for each thread.
    fn in_blocks(&self, threads: usize) -> f64 {
        let blocks = threads.min(self.rows);
        let rows = self.rows.div_ceil(blocks);
        let layers = self.sum(rows, |inputs, outputs| padded(inputs) + padded(outputs));
        let scratch = widest_output(self.layout) * padded_rows(self.codes(rows));
        let support = 0.5 * rows as f64 * padded(self.layout.inputs());
        let head = rows as f64 * self.head();
        blocks as f64 * (layers + self.latent(rows) + head + scratch + support)
    }

    /// Every weight matrix cut in two.
    fn in_halves(&self) -> f64 {
        let rows = self.rows as f64;
        let threads = panel_ownership::THREADS as f64;
        let layers = self.sum(self.rows, |_, outputs| 2.0 * padded(outputs))
            - rows * padded(self.layout.inputs());
        let partials = 2.0 * threads * widest_input(self.layout) * padded_rows(rows);
        let scratch = widest_output(self.layout) * padded_rows(rows);
        let pixels = 1.5 * rows * padded(self.layout.inputs());
        let codes = self.latent(self.rows) + rows * (padded(self.layout.latent()) + self.head());
        layers + partials + threads * (pixels + codes + scratch)
    }

    /// A value and a gradient of what is recorded: the outputs of the layers,
    /// and as many arrays of pixels and of codes as likelihood and latent pass
    /// have steps in `tape.rs`. Free bits have a single tape for the batch.
    fn on_the_tape(&self, spec: &ModelSpec, objective: &Objective, threads: usize) -> f64 {
        let blocks = if objective.free_bits > 0.0 {
            1
        } else {
            threads.min(self.rows)
        };
        let rows = self.rows.div_ceil(blocks);
        let (images, codes) = (rows as f64, self.codes(rows));
        let (inputs, latent) = (self.layout.inputs(), self.layout.latent());
        let layers = self.sum(rows, |_, outputs| 2.0 * padded(outputs));
        let of_pixels = match spec.likelihood {
            Likelihood::Bernoulli => padded(inputs),
            Likelihood::ContinuousBernoulli => 9.0 * inputs as f64,
            Likelihood::Gaussian { sigma, .. } => match sigma {
                GaussianSigma::Decoder => 24.0 * inputs as f64,
                GaussianSigma::PerPixel => 22.0 * inputs as f64,
                GaussianSigma::Fixed(_) | GaussianSigma::Scalar => 16.0 * inputs as f64,
            },
        };
        let targets = if self.samples > 1 {
            2.0 * padded(inputs)
        } else {
            0.0
        };
        let of_codes = 6.0 * latent as f64 + 2.0 * padded(latent);
        let of_images = 26.0 * latent as f64 + 1.5 * padded(inputs) + 2.0 * self.head();
        let scratch = widest_output(self.layout) + widest_input(self.layout);
        let block = layers
            + codes * (of_pixels + targets + of_codes)
            + images * of_images
            + scratch * padded_rows(codes);
        blocks as f64 * block
    }
}

/// Room for the gradients of the panels that each thread computes together.
fn group_values(layout: &Layout, threads: usize) -> f64 {
    let layers = layout.layers().iter();
    let widest = layers.map(|layer| {
        let panels = layer.outputs.div_ceil(LANES).min(PANELS_AT_ONCE);
        (layer.inputs * LANES * panels) as f64
    });
    threads as f64 * widest.fold(0.0, f64::max)
}

/// The most outputs of the layers that have an input gradient: all but the
/// first.
fn widest_output(layout: &Layout) -> f64 {
    let outputs = layout.layers()[1..].iter().map(|layer| layer.outputs);
    outputs.max().unwrap_or(0) as f64
}

/// The most inputs of the same.
fn widest_input(layout: &Layout) -> f64 {
    let inputs = layout.layers()[1..].iter().map(|layer| layer.inputs);
    inputs.max().unwrap_or(0) as f64
}

/// Columns in whole panels.
fn padded(columns: usize) -> f64 {
    (columns.div_ceil(LANES) * LANES) as f64
}

/// Rows as columns of a transposed matrix.
fn padded_rows(rows: f64) -> f64 {
    (rows / LANES as f64).ceil() * LANES as f64
}

/// Bytes of so many values; all there can be where they are more.
fn bytes(values: f64) -> u64 {
    // A conversion to integers saturates.
    (VALUE * values) as u64
}
