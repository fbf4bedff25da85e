//! A finished run, loaded for a study.

use datasets::Shape;
use models::{Codes, Images, Model, ModelKind, ModelSpec};
use ndarray::Array2;

use runs::Error;
use runs::configuration::Configuration;
use runs::run_folder::{EpochMetrics, RunFolder};

/// A run that a study needs.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRun {
    /// The study's name for the model, such as `vae`.
    pub key: String,
    /// What to train.
    pub configuration: Configuration,
}

/// A model with its settings and its history.
#[derive(Debug)]
pub struct TrainedRun {
    /// The study's name for the model, such as `vae`.
    pub key: String,
    /// Its settings.
    pub configuration: Configuration,
    /// What a row of its data is.
    pub shape: Shape,
    /// Where it is kept.
    pub folder: RunFolder,
    /// Its weights after the last epoch.
    pub model: Model,
    /// Its epochs.
    pub metrics: Vec<EpochMetrics>,
}

/// A run whose loss stopped being finite.
#[derive(Clone, Debug)]
pub struct DivergedRun {
    /// The study's name for the model.
    pub key: String,
    /// `VAE 784-512-2`.
    pub title: String,
    /// Its seed.
    pub seed: u64,
    /// Where it is kept.
    pub folder: RunFolder,
    /// Where and in what it happened.
    pub divergence: String,
}

impl TrainedRun {
    /// Loads a finished run.
    ///
    /// # Errors
    /// When a file of the run folder is missing or damaged, or its model is
    /// not the one that was planned, such as one of another latent size.
    pub fn load(planned: PlannedRun, folder: RunFolder) -> Result<Self, Error> {
        let model = Model::load(&folder.model())?;
        let (found, expected) = (model.spec(), planned.configuration.model_spec()?);
        if *found != expected {
            return Err(Error::RunFolder(format!(
                "{} holds the model {} {} with {} latent variables, but the study needs {} {} with {}; delete the folder {} to train it again",
                folder.model().display(),
                found.kind,
                found.architecture,
                found.architecture.latent,
                expected.kind,
                expected.architecture,
                expected.architecture.latent,
                folder.path().display(),
            )));
        }
        Ok(Self {
            key: planned.key,
            shape: planned.configuration.shape()?,
            configuration: planned.configuration,
            model,
            metrics: folder.read_metrics()?,
            folder,
        })
    }

    /// `VAE 784-512-2`.
    #[must_use]
    pub fn title(&self) -> String {
        title(self.model.spec())
    }

    /// Whether the codes are distributions.
    #[must_use]
    pub fn is_variational(&self) -> bool {
        self.model.spec().kind.is_variational()
    }

    /// The last epoch's metrics.
    #[must_use]
    pub fn last(&self) -> Option<&EpochMetrics> {
        self.metrics.last()
    }

    /// Codes of images.
    #[must_use]
    pub fn encode<'a>(&self, images: impl Into<Images<'a>>) -> Codes {
        self.model.encode(images)
    }

    /// Decoded images of 2-D codes: pixel probabilities `[n, values of a row]`.
    #[must_use]
    pub fn decode(&self, codes: &[[f64; 2]]) -> Array2<f32> {
        let codes =
            Array2::from_shape_fn((codes.len(), 2), |(row, column)| codes[row][column] as f32);
        self.model.decode(codes.view())
    }
}

/// `VAE 784-512-2`: what figures and tables call a model.
#[must_use]
pub fn title(spec: &ModelSpec) -> String {
    let kind = match spec.kind {
        ModelKind::Ae => "AE",
        ModelKind::Vae => "VAE",
        ModelKind::AeL2 => "AE-L2",
    };
    format!("{kind} {}", spec.architecture)
}
