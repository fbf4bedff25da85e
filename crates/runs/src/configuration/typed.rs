//! What the settings mean: the types that training and evaluation take.

use models::{
    AdamConstants, Architecture, DataTreatment, Gradients, Initialisation, Likelihood, ModelKind,
    ModelSpec, Objective, PosteriorScale, Schedule, TrainingConfig,
};
use tensor_ops::Activation;

use super::choices::unknown_name;
use super::{Configuration, DEFAULT_SIGMA, ModelConfiguration};
use crate::error::Error;

impl Configuration {
    /// What is done to pixels before the likelihood sees them.
    ///
    /// # Errors
    /// An unknown name.
    pub fn treatment(&self) -> Result<DataTreatment, Error> {
        let name = &self.data.treatment;
        name.parse()
            .map_err(|_| unknown_name("data.treatment", name))
    }

    /// Whether the decoder's last bias starts at the logit of the mean image.
    ///
    /// # Errors
    /// An unknown name, or a likelihood without probabilities of pixels.
    pub fn output_bias_is_train_mean(&self) -> Result<bool, Error> {
        match self.model.output_bias.as_str() {
            "initialisation" => Ok(false),
            "train-mean" if self.model.likelihood == "bernoulli" => Ok(true),
            "train-mean" => Err(Error::Configuration(format!(
                "model.output_bias is 'train-mean', the logit of a pixel's probability, but model.likelihood is '{}'; expected 'bernoulli'",
                self.model.likelihood
            ))),
            other => Err(unknown_name("model.output_bias", other)),
        }
    }

    /// What training minimises.
    ///
    /// # Errors
    /// An unknown name, or an objective the model has not what it needs for.
    pub fn objective(&self) -> Result<Objective, Error> {
        let settings = &self.training;
        let objective = Objective {
            bound: settings
                .objective
                .parse()
                .map_err(|_| unknown_name("training.objective", &settings.objective))?,
            samples: settings.samples,
            beta: settings.beta,
            beta_warm_up_epochs: settings.beta_warm_up_epochs,
            free_bits: settings.free_bits,
        };
        objective
            .validate(self.model_spec()?.kind)
            .map_err(|error| Error::Configuration(format!("[training]: {error}")))?;
        Ok(objective)
    }

    /// How the model is trained, on `threads` threads.
    ///
    /// # Errors
    /// An unknown name, or a value that training refuses.
    pub fn training_config(&self, threads: usize) -> Result<TrainingConfig, Error> {
        let settings = &self.training;
        let objective = self.objective()?;
        let config = TrainingConfig {
            batch: settings.batch,
            learning_rate: settings.learning_rate,
            adam: AdamConstants {
                beta1: settings.beta1,
                beta2: settings.beta2,
                epsilon: settings.epsilon,
            },
            seed: settings.seed,
            threads,
            gradients: match settings.gradients.as_str() {
                "hand" => Gradients::Hand,
                "tape" => Gradients::Tape,
                other => return Err(unknown_name("training.gradients", other)),
            },
            objective,
            shuffle: settings.shuffle,
            treatment: self.treatment()?,
            schedule: self.schedule()?,
            warm_up_epochs: settings.warm_up_epochs,
            weight_decay: settings.weight_decay,
            clip_norm: Some(settings.clip_norm).filter(|&norm| norm > 0.0),
        };
        config
            .validate()
            .map_err(|error| Error::Configuration(format!("[training]: {error}")))?;
        Ok(config)
    }

    pub(super) fn schedule(&self) -> Result<Schedule, Error> {
        let settings = &self.training;
        Ok(match settings.schedule.as_str() {
            "constant" => Schedule::Constant,
            "iwae" => Schedule::Iwae,
            "step" => Schedule::Step {
                epochs: settings.schedule_epochs,
                factor: settings.schedule_factor,
            },
            "cosine" => Schedule::Cosine {
                epochs: match settings.schedule_epochs {
                    0 => settings.epochs as u64,
                    epochs => epochs,
                },
                last: settings.schedule_factor,
            },
            other => return Err(unknown_name("training.schedule", other)),
        })
    }

    /// The model this configuration describes.
    ///
    /// # Errors
    /// An unknown kind, activation, likelihood or initialisation.
    pub fn model_spec(&self) -> Result<ModelSpec, Error> {
        let model = &self.model;
        let kind: ModelKind = model
            .kind
            .parse()
            .map_err(|_| unknown_name("model.kind", &model.kind))?;
        let activation: Activation = match model.activation.as_str() {
            "relu" => Activation::Relu,
            "tanh" => Activation::Tanh,
            other => return Err(unknown_name("model.activation", other)),
        };
        let likelihood = self.likelihood()?;
        let posterior_scale: PosteriorScale = model
            .posterior_scale
            .parse()
            .map_err(|_| unknown_name("model.posterior_scale", &model.posterior_scale))?;
        self.initialisation()?;
        Ok(ModelSpec {
            kind,
            architecture: Architecture {
                inputs: self.shape()?.len(),
                hidden: model.hidden.clone(),
                latent: model.latent,
                activation,
            },
            likelihood,
            posterior_scale,
        })
    }

    /// The distribution of the pixels given the code.
    ///
    /// # Errors
    /// An unknown name, a σ that is none, or a σ for a likelihood without.
    pub fn likelihood(&self) -> Result<Likelihood, Error> {
        let ModelConfiguration {
            likelihood: name,
            sigma,
            ..
        } = &self.model;
        let text = match name.as_str() {
            "gaussian" | "gaussian-identity" => format!("{name}/{sigma}"),
            "bernoulli" | "continuous-bernoulli" if sigma == DEFAULT_SIGMA => name.clone(),
            "bernoulli" | "continuous-bernoulli" => {
                return Err(Error::Configuration(format!(
                    "model.sigma is '{sigma}', but only a Gaussian has one; set model.likelihood to 'gaussian' or 'gaussian-identity'"
                )));
            }
            _ => return Err(unknown_name("model.likelihood", name)),
        };
        text.parse().map_err(|_| {
            Error::Configuration(format!(
                "model.sigma is '{sigma}', but must be a positive number, 'scalar', 'per-pixel' or 'decoder'"
            ))
        })
    }

    /// How the weights start.
    ///
    /// # Errors
    /// An unknown name.
    pub fn initialisation(&self) -> Result<Initialisation, Error> {
        match self.model.initialisation.as_str() {
            "pytorch" => Ok(Initialisation::PyTorchUniform),
            "glorot" => Ok(Initialisation::Glorot),
            other => Err(unknown_name("model.initialisation", other)),
        }
    }
}
