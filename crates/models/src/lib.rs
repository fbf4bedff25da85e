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

pub mod footprint;

mod files;
mod images;
mod latent;
mod likelihood;
mod model;
mod named;
mod network;
mod objective;
mod spec;
mod step;
mod training;

/// Arrays at the border of this crate.
pub use ndarray;

pub use files::checkpoint::{Attachments, CheckpointError, ContentsError, read_attachments};
pub use images::binary_images::BinaryImages;
pub use images::shared_images::{SharedImages, SharedPixels};
pub use images::standardisation::{Standardisation, StandardisationError};
pub use images::{Images, PixelRows, RowMajorImages};
pub use model::Model;
pub use model::dense::DenseLayer;
pub use model::inference::Codes;
pub use model::samples::ImportanceSampler;
pub use network::initialisation::{Initialisation, UnknownInitialisation};
pub use network::layout::{Layout, LinearLayer, Network, Role, TensorSlot};
pub use network::parameters::{NamedTensor, Parameters, TensorError};
pub use objective::{Bound, MAXIMUM_SAMPLES, Objective};
pub use spec::{
    Activation, Architecture, GaussianMean, GaussianSigma, Likelihood, LowerLayer, MAXIMUM_WIDTH,
    ModelKind, ModelSpec, PosteriorScale, SpecError,
};
pub use step::{GradientWorkspace, LossSums, Losses};
pub use tensor_ops::AlignedBuffer;
pub use tensor_ops::loss::location_scale::Family;
pub use training::batch::{BatchPixels, BatchSource, IndexedBatch};
pub use training::clipping::ClippedGradient;
pub use training::configuration::{
    AdamConstants, AdamForm, AdamMoments, BatchGradient, ConfigurationError, Gradients,
    MAXIMUM_THREADS, TrainingConfig,
};
pub use training::data_treatment::DataTreatment;
pub use training::optimiser::{Moments, OptimiserStep};
pub use training::schedule::{Schedule, iwae_epochs};
pub use training::streams;
pub use training::trainer::{Diverged, EpochLosses, Progress, Trainer, TrainerError};
