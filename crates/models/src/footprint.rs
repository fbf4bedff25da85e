//! How much memory a model takes, told before any is taken.
//!
//! An allocation that the system cannot serve ends the process without a word,
//! and one that it can serve only by promise ends it later. Whoever is about to
//! train or to use a model asks here first. Sizes are counted in f64, which no
//! product of widths, rows and samples overflows, and go up to `u64::MAX`
//! bytes. The formulas are those of the buffers where they are allocated;
//! `tests/footprint.rs` sets them against an allocator that counts.

use tensor_ops::panels::{LANES, Panels, Support};

use crate::likelihood;
use crate::model::inference::{BLOCK_ROWS, decoders, encoders};
use crate::network::layout::{Layout, Network, Role};
use crate::network::ownership::maximum_branches;
use crate::objective::Objective;
use crate::spec::ModelSpec;
use crate::step::panel_groups::PANELS_AT_ONCE;
use crate::step::panel_owners::images_of_block;
use crate::training::configuration::{Gradients, TrainingConfig};

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
    /// The order of the images and, of a treatment that draws them once, a bit for
    /// every pixel. They themselves are shared with whoever read them.
    pub images: u64,
    /// Parameters and moments in the order of their file, and the file, while a
    /// checkpoint is written: 6 values of each parameter.
    pub checkpoint: u64,
}

impl TrainingFootprint {
    /// Of training a model on so many images.
    ///
    /// With `rows` the images of a block and `codes` = rows · samples, a layer
    /// has `rows` rows in the encoder and `codes` rows in every other network. A
    /// block takes
    ///
    /// * of every layer its output and the gradient by it, which of the last
    ///   share a place;
    /// * the pixels, and the places of those that are not zero, about half a
    ///   value each; ε;
    /// * for each thread the codes, σ and the gradient by the codes; five numbers a
    ///   code.
    ///
    /// A block has a few hundred rows at most, unless there were too many of them.
    /// Besides, each thread has the widest transposed gradient of one layer at a
    /// time, and several that share the panels have the partial sums of two
    /// layers. The tape has a value and a
    /// gradient for every number that it records instead. A penalty of the batch
    /// says itself what it takes.
    #[must_use]
    pub fn of(spec: &ModelSpec, config: &TrainingConfig, images: usize) -> Self {
        let layout = Layout::new(spec);
        let objective = &config.objective;
        let threads = config.threads.clamp(1, config.gradients.most_threads());
        let capacity = config.batch.min(images).max(1);
        let batch = Batch {
            spec,
            layout: &layout,
            objective,
        };
        let of_batch = match config.gradients {
            Gradients::Tape => batch.on_the_tape(capacity, threads),
            Gradients::Hand => batch.by_owners(capacity, threads),
        };
        let of_penalty = objective.batch_penalty_values(spec, config.gradients, capacity);
        let of_batch = of_batch + of_penalty + group_values(&layout, threads);
        let values = layout.len() as f64;
        let kept = if config.clip_norm.is_some() { 4.0 } else { 3.0 };
        let order = (images as u64).saturating_mul(size_of::<u32>() as u64);
        let drawn = config
            .treatment
            .bytes_of_fixed_draw(images, layout.inputs());
        Self {
            parameters: bytes(kept * values),
            batch: bytes(of_batch),
            images: order.saturating_add(drawn),
            checkpoint: bytes(6.0 * values),
        }
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        let parts = [self.parameters, self.batch, self.images, self.checkpoint];
        parts.into_iter().fold(0, u64::saturating_add)
    }
}

/// Bytes of encoding `rows` rows, drawing a code for each of a variational model
/// and decoding it, as a pass over the test images does, one after the other: 128
/// rows through the encoder on every thread with its output for all, two numbers
/// for each latent variable of a row (μ, log σ²; the code alone of an autoencoder);
/// then four (ε and z; still the code alone) with 128 rows through the decoder.
#[must_use]
pub fn pass_bytes(spec: &ModelSpec, rows: usize, threads: usize) -> u64 {
    let layout = Layout::new(spec);
    let latent = spec.architecture.latent;
    let input = padded(layout.inputs().max(latent));
    let threads = threads.min(rows.div_ceil(BLOCK_ROWS)) as f64;
    let block_rows = threads * BLOCK_ROWS.min(rows) as f64;
    let blocks = |roles: &[Role]| {
        let layers = roles.iter().flat_map(|&role| layout.network(role));
        let widths = layers.map(|layer| padded(layout.layers()[layer].outputs));
        block_rows * (input + widths.sum::<f64>())
    };
    let codes = rows as f64 * latent as f64;
    let (of_head, of_draw) = if spec.kind.is_variational() {
        (2.0, 2.0)
    } else {
        (1.0, 0.0)
    };
    let encoding = of_head * codes + blocks(encoders(spec));
    let decoding = (of_head + of_draw) * codes + blocks(decoders(spec));
    bytes(encoding.max(decoding))
}

/// A batch on its way through a model.
struct Batch<'a> {
    spec: &'a ModelSpec,
    layout: &'a Layout,
    objective: &'a Objective,
}

impl Batch<'_> {
    fn codes(&self, rows: usize) -> f64 {
        rows as f64 * self.objective.samples as f64
    }

    /// The outputs of all layers when `rows` images go through them.
    fn outputs(&self, rows: usize) -> f64 {
        let networks = self.layout.networks().iter();
        let of_network = |network: &Network| {
            let rows = match network.role {
                Role::Encoder => rows as f64,
                _ => self.codes(rows),
            };
            let layers = self.layout.layers()[network.layers.clone()].iter();
            rows * layers.map(|layer| padded(layer.outputs)).sum::<f64>()
        };
        networks.map(of_network).sum()
    }

    /// The outputs that share their place with their gradient: those of the
    /// decoder's last layer. A learned σ has a gradient alone.
    fn last_outputs(&self, rows: usize) -> f64 {
        let last = self.layout.network(Role::Decoder).end - 1;
        let scale = self.layout.network(Role::Scale);
        let layers = self.layout.layers()[scale].iter();
        let of_last = padded(self.layout.layers()[last].outputs);
        self.codes(rows) * layers.fold(of_last, |sum, layer| sum + padded(layer.outputs))
    }

    /// What the threads share of the images of a block: pixels, where they are not
    /// zero, and ε.
    fn input(&self, rows: usize) -> f64 {
        let pixels = Panels::new(rows, self.layout.inputs());
        let is_corrupted = self.objective.corruption > 0.0;
        let copies = if is_corrupted { 2.0 } else { 1.0 };
        let noise = self.codes(rows) * self.objective.noise_width(self.spec) as f64;
        copies * rows as f64 * padded(pixels.cols) + Support::bytes::<f32>(pixels) / VALUE + noise
    }

    /// What every thread has of a block for itself: codes and their gradients.
    fn of_codes(&self, rows: usize) -> f64 {
        let architecture = &self.spec.architecture;
        let (images, codes) = (rows as f64, self.codes(rows));
        let latent = padded(architecture.latent);
        let of_latent = match &architecture.lower {
            None => images * latent + 2.0 * codes * latent,
            Some(lower) => {
                let lower = padded(lower.latent);
                images * lower + codes * (4.0 * lower + 3.0 * latent)
            }
        };
        of_latent + 5.0 * codes
    }

    fn scratch(&self, rows: usize) -> f64 {
        widest_output(self.layout) * padded_rows(self.codes(rows))
    }

    /// All blocks of a batch, and what the threads that own the panels exchange
    /// and have for themselves.
    fn by_owners(&self, capacity: usize, threads: usize) -> f64 {
        let rows = images_of_block(self.spec, self.objective, capacity);
        let blocks = capacity.div_ceil(rows) as f64;
        let activations = 2.0 * self.outputs(rows) - self.last_outputs(rows);
        let codes = padded_rows(self.codes(rows));
        let partials = (2.0 * widest_input(self.layout) + LANES as f64) * codes;
        let branches = maximum_branches(threads) as f64;
        let of_thread = if threads > 1 {
            self.head_rows(rows)
        } else {
            0.0
        };
        blocks * (activations + self.input(rows) + threads as f64 * self.of_codes(rows))
            + branches * partials
            + threads as f64 * (self.scratch(rows) + of_thread)
    }

    /// The largest output of a network that is differentiated as a whole.
    fn head_rows(&self, rows: usize) -> f64 {
        let networks = self.layout.networks().iter();
        let heads = networks.filter_map(|network| {
            let last = padded(self.layout.layers()[network.layers.end - 1].outputs);
            match network.role {
                Role::Encoder => Some(rows as f64 * last),
                Role::UpperEncoder | Role::Prior => Some(self.codes(rows) * last),
                Role::Decoder | Role::Scale => None,
            }
        });
        heads.fold(0.0, f64::max)
    }

    fn head(&self) -> f64 {
        let head = self.layout.network(Role::Encoder).end - 1;
        padded(self.layout.layers()[head].outputs)
    }

    /// A value and a gradient of what is recorded: the outputs of the layers,
    /// and as many arrays of pixels and of codes as likelihood and latent
    /// program have steps. A penalty of the batch has a single tape for it.
    fn on_the_tape(&self, capacity: usize, threads: usize) -> f64 {
        let is_one = self.objective.is_of_batch();
        let blocks = if is_one { 1 } else { threads.min(capacity) };
        let rows = capacity.div_ceil(blocks);
        let (images, codes) = (rows as f64, self.codes(rows));
        let (inputs, latent) = (self.layout.inputs(), self.spec.architecture.latent);
        let of_pixels = likelihood::program::values(self.spec.likelihood, inputs);
        let targets = if self.objective.samples > 1 {
            2.0 * padded(inputs)
        } else {
            0.0
        };
        let (of_codes, of_images) = match &self.spec.architecture.lower {
            None if !self.spec.kind.is_variational() => (2.0 * padded(latent), 4.0 * latent as f64),
            None => (
                6.0 * latent as f64 + 2.0 * padded(latent),
                26.0 * latent as f64,
            ),
            Some(lower) => (
                26.0 * (lower.latent + latent) as f64,
                10.0 * lower.latent as f64,
            ),
        };
        let of_images = of_images + 1.5 * padded(inputs) + 2.0 * self.head();
        let scratch = widest_output(self.layout) + widest_input(self.layout);
        let block = 2.0 * self.outputs(rows)
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

#[cfg(test)]
mod tests;
