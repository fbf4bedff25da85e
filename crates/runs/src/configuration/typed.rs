//! What the settings mean: the types that training and evaluation take.

use models::{
    AdamConstants, Architecture, DataTreatment, Gradients, Initialisation, Likelihood, ModelKind,
    ModelSpec, Objective, PosteriorScale, Schedule, TrainingConfig,
};
use tensor_ops::Activation;

use super::{Configuration, DEFAULT_SIGMA, ModelConfiguration};
use crate::error::Error;

impl Configuration {
    /// What is done to pixels before the likelihood sees them.
    ///
    /// # Errors
    /// An unknown name.
    pub fn treatment(&self) -> Result<DataTreatment, Error> {
        self.data.treatment.parse().map_err(|_| {
            let names = DataTreatment::ALL.map(|treatment| format!("'{treatment}'"));
            Error::Configuration(format!(
                "data.treatment is '{}', but must be one of {}",
                self.data.treatment,
                names.join(", ")
            ))
        })
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
            other => Err(Error::Configuration(format!(
                "model.output_bias is '{other}', but must be 'initialisation' or 'train-mean'"
            ))),
        }
    }

    /// What training minimises.
    ///
    /// # Errors
    /// An unknown name, or an objective the model has not what it needs for.
    pub fn objective(&self) -> Result<Objective, Error> {
        let settings = &self.training;
        let objective = Objective {
            bound: settings.objective.parse().map_err(|_| {
                Error::Configuration(format!(
                    "training.objective is '{}', but must be 'elbo' or 'iwae'",
                    settings.objective
                ))
            })?,
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
                other => {
                    return Err(Error::Configuration(format!(
                        "training.gradients is '{other}', but must be 'hand' or 'tape'"
                    )));
                }
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
            other => {
                return Err(Error::Configuration(format!(
                    "training.schedule is '{other}', but must be 'constant', 'iwae', 'step' or 'cosine'"
                )));
            }
        })
    }

    /// The model this configuration describes.
    ///
    /// # Errors
    /// An unknown kind, activation, likelihood or initialisation.
    pub fn model_spec(&self) -> Result<ModelSpec, Error> {
        let parse_error = |key: &str, value: &str, expected: &str| {
            Error::Configuration(format!("{key} is '{value}', but must be {expected}"))
        };
        let model = &self.model;
        let kind: ModelKind = model
            .kind
            .parse()
            .map_err(|_| parse_error("model.kind", &model.kind, "'ae', 'vae' or 'ae-l2'"))?;
        let activation: Activation = match model.activation.as_str() {
            "relu" => Activation::Relu,
            "tanh" => Activation::Tanh,
            other => return Err(parse_error("model.activation", other, "'relu' or 'tanh'")),
        };
        let likelihood = self.likelihood()?;
        let posterior_scale: PosteriorScale = model.posterior_scale.parse().map_err(|_| {
            parse_error(
                "model.posterior_scale",
                &model.posterior_scale,
                "'log-variance' or 'log-sigma'",
            )
        })?;
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
            _ => {
                return Err(Error::Configuration(format!(
                    "model.likelihood is '{name}', but must be 'bernoulli', 'continuous-bernoulli', 'gaussian' or 'gaussian-identity'"
                )));
            }
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
            other => Err(Error::Configuration(format!(
                "model.initialisation is '{other}', but must be 'pytorch' or 'glorot'"
            ))),
        }
    }
}
