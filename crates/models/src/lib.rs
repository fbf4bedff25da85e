//! Autoencoders and variational autoencoders of small images and other vectors:
//! models, hand-derived gradients, Adam, the training loop and checkpoints.
//!
//! A model's weights live in one flat buffer ([`Parameters`], [`Layout`]) in
//! the panel layout of `tensor-ops`; gradients and optimiser moments have the
//! same layout, so that a training step converts nothing. The objective and
//! the derivation of its gradient are documented at [`GradientWorkspace`],
//! which can also let the `autodiff` tape find it ([`Gradients::Tape`]).
//!
//! ```
//! use std::sync::Arc;
//! use models::{Initialisation, Likelihood, Model, ModelKind, ModelSpec, Trainer, TrainingConfig};
//!
//! let spec = ModelSpec {
//!     kind: ModelKind::Vae,
//!     architecture: "16-8-2".parse()?,
//!     likelihood: Likelihood::Bernoulli,
//!     posterior_scale: Default::default(),
//! };
//! let model = Model::new(spec, Initialisation::PyTorchUniform, 7)?;
//! let images: Arc<[u8]> = (0..64 * 16).map(|i| if i % 3 == 0 { 255 } else { 0 }).collect();
//! let config = TrainingConfig { batch: 32, ..TrainingConfig::standard(7) };
//! let mut trainer = Trainer::new(model, config, images)?;
//! let first = trainer.run_epoch(&mut |_| {})?;
//! for _ in 0..9 {
//!     trainer.run_epoch(&mut |_| {})?;
//! }
//! let last = trainer.run_epoch(&mut |_| {})?;
//! assert!(last.loss < first.loss);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aligned;
mod batch;
mod checkpoint;
mod clipping;
mod configuration;
mod contraction;
mod data_treatment;
mod exchange;
pub mod footprint;
mod gradient;
mod image_decoder;
mod images;
mod importance;
mod inference;
mod initialisation;
mod latent;
mod layout;
mod likelihood;
mod model;
mod objective;
mod optimiser;
mod panel_groups;
mod panel_halves;
mod panel_ownership;
mod parameters;
mod row_block;
mod row_blocks;
mod schedule;
mod shared_images;
mod spec;
mod standardisation;
mod state;
pub mod streams;
mod tape;
mod trainer;
pub mod two_layers;

/// Arrays at the border of this crate.
pub use ndarray;

pub use aligned::AlignedBuffer;
pub use batch::{BatchPixels, BatchSource, IndexedBatch, ValueBatch};
pub use checkpoint::{Attachments, CheckpointError, read_attachments};
pub use clipping::ClippedGradient;
pub use configuration::{
    AdamConstants, ConfigurationError, Gradients, MAXIMUM_THREADS, TrainingConfig,
};
pub use data_treatment::DataTreatment;
pub use gradient::{GradientWorkspace, LossSums, Losses};
pub use image_decoder::ImageDecoder;
pub use images::{Images, PixelRows, RowMajorImages};
pub use inference::Codes;
pub use initialisation::{Initialisation, UnknownInitialisation};
pub use layout::{Layout, LinearLayer, TensorSlot};
pub use model::Model;
pub use objective::{Bound, MAXIMUM_SAMPLES, Objective};
pub use optimiser::{Moments, OptimiserStep};
pub use parameters::{NamedTensor, Parameters, TensorError};
pub use schedule::{Schedule, iwae_epochs};
pub use shared_images::{SharedImages, SharedPixels};
pub use spec::{
    Activation, Architecture, GaussianMean, GaussianSigma, Likelihood, MAXIMUM_WIDTH, ModelKind,
    ModelSpec, PosteriorScale, SpecError,
};
pub use standardisation::{Standardisation, StandardisationError};
pub use trainer::{Diverged, EpochLosses, Progress, Trainer, TrainerError};
