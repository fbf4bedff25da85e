//! What the settings mean: the types that training and evaluation take.

use models::{
    AdamConstants, Architecture, ConfigurationError, DataTreatment, Initialisation, Likelihood,
    LowerLayer, ModelSpec, Objective, Schedule, TrainingConfig,
};

use super::{
    Configuration, DataConfiguration, ModelConfiguration, SETTINGS, Setting, TrainingConfiguration,
};
use crate::error::Error;

impl Configuration {
    /// What is done to pixels before the likelihood sees them.
    ///
    /// # Errors
    /// An unknown name.
    pub fn treatment(&self) -> Result<DataTreatment, Error> {
        DataConfiguration::treatment.named(&self.data.treatment)
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
            other => Err(ModelConfiguration::output_bias.unknown_name(other)),
        }
    }

    /// What training minimises.
    ///
    /// # Errors
    /// An unknown name, or an objective the model has not what it needs for.
    pub fn objective(&self) -> Result<Objective, Error> {
        let settings = &self.training;
        let objective = Objective {
            bound: TrainingConfiguration::objective.named(&settings.objective)?,
            samples: settings.samples,
            beta: settings.beta,
            beta_warm_up_epochs: settings.beta_warm_up_epochs,
            free_bits: settings.free_bits,
            corruption: self.corruption()?,
        };
        objective
            .validate(&self.model_spec()?)
            .map_err(in_training)?;
        Ok(objective)
    }

    /// The share of the input that is lost in training.
    fn corruption(&self) -> Result<f64, Error> {
        let (kind, corruption) = (self.model_spec()?.kind, self.model.corruption);
        if kind.corruption() > 0.0 {
            return Ok(corruption);
        }
        if corruption != ModelConfiguration::default().corruption {
            return Err(Error::Configuration(format!(
                "model.corruption is {corruption}, but the model {kind} loses nothing of its input; set model.kind to 'denoising'"
            )));
        }
        Ok(0.0)
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
                second_moment_start: settings.second_moment_start,
                form: TrainingConfiguration::adam_form.named(&settings.adam_form)?,
                moments: TrainingConfiguration::adam_moments.named(&settings.adam_moments)?,
            },
            seed: settings.seed,
            threads,
            gradients: TrainingConfiguration::gradients.named(&settings.gradients)?,
            batch_gradient: TrainingConfiguration::batch_gradient
                .named(&settings.batch_gradient)?,
            objective,
            shuffle: settings.shuffle,
            treatment: self.treatment()?,
            schedule: self.schedule()?,
            warm_up_epochs: settings.warm_up_epochs,
            weight_decay: settings.weight_decay,
            clip_norm: Some(settings.clip_norm).filter(|&norm| norm > 0.0),
        };
        config.validate().map_err(in_training)?;
        Ok(config)
    }

    pub(super) fn schedule(&self) -> Result<Schedule, Error> {
        let settings = &self.training;
        let (epochs, factor) = (settings.schedule_epochs, settings.schedule_factor);
        Ok(
            match TrainingConfiguration::schedule.named(&settings.schedule)? {
                Schedule::Step { .. } => Schedule::Step { epochs, factor },
                Schedule::Cosine { .. } => Schedule::Cosine {
                    epochs: if epochs == 0 {
                        settings.epochs as u64
                    } else {
                        epochs
                    },
                    last: factor,
                },
                without_constants => without_constants,
            },
        )
    }

    /// The model this configuration describes.
    ///
    /// # Errors
    /// An unknown kind, activation, likelihood or initialisation.
    pub fn model_spec(&self) -> Result<ModelSpec, Error> {
        type Settings = ModelConfiguration;
        let model = &self.model;
        let spec = ModelSpec {
            kind: Settings::kind.named(&model.kind)?,
            architecture: Architecture {
                inputs: self.shape()?.len(),
                hidden: model.hidden.clone(),
                lower: (model.lower_latent > 0).then(|| LowerLayer {
                    latent: model.lower_latent,
                    upper_hidden: model.upper_hidden.clone(),
                }),
                latent: model.latent,
                activation: Settings::activation.named(&model.activation)?,
            },
            likelihood: self.likelihood()?,
            posterior_scale: Settings::posterior_scale.named(&model.posterior_scale)?,
        };
        self.initialisation()?;
        Ok(spec)
    }

    /// The distribution of the pixels given the code.
    ///
    /// # Errors
    /// An unknown name, a σ that is none, or a σ for a likelihood without.
    pub fn likelihood(&self) -> Result<Likelihood, Error> {
        let sigma = &self.model.sigma;
        let likelihood: Likelihood =
            ModelConfiguration::likelihood.named(&self.model.likelihood)?;
        let is_given = *sigma != ModelConfiguration::default().sigma;
        if is_given && likelihood.scale_source().is_none() {
            let names = names::list(Likelihood::names_with_sigma());
            return Err(Error::Configuration(format!(
                "model.sigma is '{sigma}', but only a Gaussian or the like has one; set model.likelihood to {names}"
            )));
        }
        let given = sigma.parse().map_err(|_| {
            let names = names::list(ModelConfiguration::sigma.names());
            ModelConfiguration::sigma.refuse(sigma, &format!("a positive number, {names}"))
        })?;
        Ok(likelihood.with_sigma(given).unwrap_or(likelihood))
    }

    /// How the weights start.
    ///
    /// # Errors
    /// An unknown name.
    pub fn initialisation(&self) -> Result<Initialisation, Error> {
        ModelConfiguration::initialisation.named(&self.model.initialisation)
    }
}

/// What training refuses, with the key of the setting where it is one.
fn in_training(error: ConfigurationError) -> Error {
    if let ConfigurationError::OutOfRange {
        option,
        found,
        expected,
    } = &error
    {
        let name = option.trim_start_matches("Adam ").replace([' ', '-'], "_");
        let is_named = |setting: &&Setting| setting.key.rsplit('.').next() == Some(&name);
        if let Some(setting) = SETTINGS.iter().find(is_named) {
            let key = setting.key;
            return Error::Configuration(format!("{key} is {found}; expected {expected}"));
        }
    }
    Error::Configuration(format!("[training]: {error}"))
}
