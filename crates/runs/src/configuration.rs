//! What a run is: every setting that decides its result, and nothing else.
//!
//! A [`Configuration`] is built by layers, each overriding the one before:
//! defaults, a preset, a TOML file, then `--set key=value` and the flags of
//! the command line. Keys are checked against the defaults, so a misspelt key
//! is an error that names the nearest one.
//!
//! The number of threads is absent on purpose: it never changes a result.

mod declaration;
mod differences;
mod former;
mod imported;
mod layers;
mod named;
mod page;
#[cfg(test)]
mod pinned;
mod reading;
mod schema;
mod section;
mod setting;
mod typed;
mod widths;

use std::path::Path;

use datasets::{Dataset, Shape, sha256_hex};
use models::SpecError;
use serde::{Deserialize, Serialize};

use crate::error::{Error, unreadable};
use crate::presets;
use crate::run_data::short_name;

pub use declaration::{
    DataConfiguration, ModelConfiguration, ReadingConfiguration, SETTINGS, TrackingConfiguration,
    TrainingConfiguration,
};
pub use layers::Override;
pub use page::settings_page;
pub use schema::schema;
pub use setting::{Kind, Names, Setting};

use layers::{Values, flat, merge, put};

/// The shape of the rows of runs that do not write it down: all runs of
/// versions before there were others.
const UNWRITTEN_SHAPE: Shape = Shape::grey(28, 28);

/// The resolved settings of one run, as written to `config.toml`; by default a
/// small VAE with two latents on the embedded data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Which images, and how they are treated.
    pub data: DataConfiguration,
    /// The network and its likelihood.
    pub model: ModelConfiguration,
    /// The optimisation.
    pub training: TrainingConfiguration,
    /// The test images whose codes are kept while the run goes on.
    pub tracking: TrackingConfiguration,
}

impl Configuration {
    /// Builds a configuration from its layers and validates it.
    ///
    /// # Errors
    /// An unknown preset, an unreadable file, an unknown key (with the nearest
    /// known one), or a value of the wrong type or outside its range.
    pub fn resolve(
        preset: Option<&str>,
        file: Option<&Path>,
        overrides: &[Override],
    ) -> Result<Self, Error> {
        let mut values = Self::default().values()?;
        if let Some(name) = preset {
            merge(&mut values, presets::find(name)?, &format!("preset {name}"))?;
        }
        if let Some(path) = file {
            let text = input_files::read_to_string(path).map_err(unreadable(path))?;
            let origin = path.display().to_string();
            merge(&mut values, parse(&text, &origin)?, &origin)?;
        }
        Self::of_values(values, overrides)?.validated()
    }

    /// The settings of a text that [`to_toml`](Self::to_toml) gave; `origin` is
    /// where it stood.
    ///
    /// # Errors
    /// When it is something else.
    pub(crate) fn of_text(text: &str, origin: &str) -> Result<Self, Error> {
        let mut values = Self::default().values()?;
        merge(&mut values, parse(text, origin)?, origin)?;
        Self::of_values(values, &[])?.validated()
    }

    fn of_values(mut values: Values, overrides: &[Override]) -> Result<Self, Error> {
        for item in overrides {
            put(&mut values, &item.key, item.value.clone(), &item.origin)?;
        }
        widths::settle(&mut values, overrides)?;
        let lines = values
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"));
        toml::from_str(&lines.collect::<String>()).map_err(|error| {
            Error::Configuration(format!(
                "the configuration has a value of the wrong type: {}",
                error.message()
            ))
        })
    }

    /// Every setting with its value, but for those that are not written while
    /// they have their default.
    fn values(&self) -> Result<Values, Error> {
        Ok(flat(toml::Table::try_from(self).map_err(internal)?, ""))
    }

    /// What one row of the data is.
    ///
    /// # Errors
    /// When `data.shape` is no shape.
    pub fn shape(&self) -> Result<Shape, Error> {
        match self.data.shape.as_str() {
            "" => Ok(UNWRITTEN_SHAPE),
            text => Ok(text.parse()?),
        }
    }

    /// The same with the shape of the data written down.
    ///
    /// # Errors
    /// When it was written down already and is another one.
    pub fn of_shape(mut self, dataset: &Dataset) -> Result<Self, Error> {
        let found = dataset.shape();
        if !self.data.shape.is_empty() && self.shape()? != found {
            return Err(Error::Configuration(format!(
                "{} holds {} of {found}, but data.shape is {}; expected the same, choose another --dataset or leave data.shape out",
                dataset.name,
                found.noun(),
                self.data.shape
            )));
        }
        self.data.shape = found.to_string();
        Ok(self)
    }

    /// The same where every value is in its range.
    ///
    /// # Errors
    /// One sentence naming the key, what was found and what is expected.
    pub(crate) fn validated(self) -> Result<Self, Error> {
        imported::check(&self)?;
        // First what the types behind the settings refuse in words of their own.
        self.model_spec()?;
        self.objective()?;
        self.data.reading.reading()?;
        for (key, value) in &self.values()? {
            Setting::find(key).map_or(Ok(()), |setting| setting.check(value))?;
        }
        if let Err(error @ SpecError::Deterministic(_)) = self.model_spec()?.validate() {
            return Err(Error::Configuration(format!("[model]: {error}")));
        }
        if !self.model.upper_hidden.is_empty() && self.model.lower_latent == 0 {
            return Err(Error::Configuration(
                "model.upper_hidden is given, but model.lower_latent is 0; set both for two stochastic layers or neither".into(),
            ));
        }
        if self.training.patience > 0 && self.data.validation == 0 {
            return Err(Error::Configuration(format!(
                "training.patience is {}, but data.validation holds out no images to measure the loss on; set both or neither",
                self.training.patience
            )));
        }
        let treatment = self.treatment()?;
        if treatment.is_binary() && self.likelihood()?.is_density() {
            return Err(Error::Configuration(format!(
                "data.treatment is '{treatment}', but the likelihood '{}' is a density of grey values; set data.treatment to 'grey' or model.likelihood to 'bernoulli'",
                self.model.likelihood
            )));
        }
        self.output_bias_is_train_mean()?;
        self.training_config(1)?;
        Ok(self)
    }

    /// Whether this is the course of `shorter` with more epochs: a run of
    /// `shorter` can then go on as a run of this configuration.
    #[must_use]
    pub fn extends(&self, shorter: &Self) -> bool {
        let mut same = self.identity();
        same.training.epochs = shorter.training.epochs;
        same == shorter.identity()
            && self.training.epochs > shorter.training.epochs
            // A descent over the run's own epochs is another one when they change.
            && self.schedule().ok() == shorter.schedule().ok()
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// Only if serialisation itself fails.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(internal)
    }

    /// SHA-256 of the settings together with the data they apply to: two runs
    /// with the same digest have the same result.
    #[must_use]
    pub fn digest(&self, dataset_fingerprint: &str) -> String {
        digest(&self.identity(), dataset_fingerprint)
    }

    /// The settings that decide a result beside the content of the data: not
    /// how and where that content was read, which its fingerprint stands for.
    #[must_use]
    pub fn identity(&self) -> Self {
        let mut identity = self.clone();
        identity.data.keep_what_decides();
        identity.model.keep_what_decides();
        identity.training.keep_what_decides();
        identity.tracking.keep_what_decides();
        // A name of the registry has neither; a path has one of them once it
        // is anchored.
        if identity.data.dataset.contains(['/', '\\', ':']) {
            identity.data.dataset = "files".into();
        }
        identity
    }

    /// Folder name of a run: readable parts, then twelve digits of the digest.
    #[must_use]
    pub fn run_name(&self, dataset_fingerprint: &str) -> String {
        let architecture = self.model_spec().map(|spec| spec.architecture.to_string());
        let architecture = architecture.unwrap_or_default().replace('/', "_");
        let dataset = short_name(&self.data.dataset);
        format!(
            "{dataset}-{}-{}-s{}-{}",
            self.model.kind,
            architecture,
            self.training.seed,
            &self.digest(dataset_fingerprint)[..12]
        )
    }
}

/// Changes when a change of the code changes what a configuration results in,
/// so that older finished runs are not taken for current ones.
pub(crate) const RESULT_FORMAT: &str = "latent-atlas results 3";

/// Why it can be written.
const PLAIN: &str = "a configuration is plain data";

/// SHA-256 of a description of a run, its data and [`RESULT_FORMAT`].
fn digest(description: &impl Serialize, dataset_fingerprint: &str) -> String {
    // serde_json writes struct fields in declaration order and floats in their
    // shortest form, which makes this text canonical.
    let text = serde_json::to_vec(description).expect(PLAIN);
    let data = dataset_fingerprint.as_bytes();
    sha256_hex(&[&text, data, RESULT_FORMAT.as_bytes()].concat())
}

/// The layer that `text` is, whatever version wrote it.
fn parse(text: &str, origin: &str) -> Result<toml::Table, Error> {
    let layer = text.parse().map_err(|error: toml::de::Error| {
        let place = error.span().map_or_else(String::new, |span| {
            let line = text[..span.start].matches('\n').count() + 1;
            format!(" in line {line}")
        });
        let is_large = error.message().contains("too large");
        let limit = is_large.then(|| format!("; its whole numbers are at most {}", i64::MAX));
        Error::Configuration(format!(
            "{origin} is not valid TOML{place}: {}{}",
            error.message(),
            limit.unwrap_or_default()
        ))
    })?;
    former::settle(layer, origin)
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Configuration(format!("the configuration cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(sets: &[&str]) -> Result<Configuration, Error> {
        let overrides: Vec<Override> = sets
            .iter()
            .map(|text| Override::parse(text).expect("has an equals sign"))
            .collect();
        Configuration::resolve(None, None, &overrides)
    }

    #[test]
    fn layers_override_in_order() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("experiment.toml");
        std::fs::write(&file, "[training]\nbatch = 64\nepochs = 3\n").expect("writable");
        let configuration = Configuration::resolve(
            Some("lab-vae"),
            Some(&file),
            &[Override::parse("training.epochs=7").expect("valid")],
        )
        .expect("valid layers");
        assert_eq!(configuration.model.hidden, [512]);
        assert_eq!(configuration.training.batch, 64);
        assert_eq!(configuration.training.epochs, 7);
    }

    #[test]
    fn a_written_configuration_resolves_to_itself() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config.toml");
        let configuration =
            resolve(&["model.hidden=[]", "training.learning_rate=3e-4"]).expect("valid overrides");
        std::fs::write(&file, configuration.to_toml().expect("plain data")).expect("writable");
        let again = Configuration::resolve(None, Some(&file), &[]).expect("valid file");
        assert_eq!(configuration, again);
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        let message = resolve(&["training.bacth=64"]).unwrap_err().to_string();
        assert!(message.contains("'training.batch'"), "{message}");
        let message = resolve(&["latent=3"]).unwrap_err().to_string();
        assert!(message.contains("'model.latent'"), "{message}");
    }

    #[test]
    fn wrong_values_are_one_sentence() {
        for (text, expected) in [
            ("training.batch=many", "whole number"),
            ("training.batch=0", "at least 1"),
            ("training.batch=-3", "non-negative"),
            ("training.learning_rate=-1", "positive"),
            ("training.learning_rate=nan", "positive"),
            ("training.beta1=1.0", "[0, 1)"),
            ("model.kind=gan", "'vae'"),
            ("model.hidden=[0]", "at least 1"),
            ("model.activation=gelu", "'relu' or 'tanh'"),
            ("training.gradients=magic", "'hand' or 'tape'"),
            ("training.objective=vi", "'iwae'"),
            ("model.likelihood=poisson", "'continuous-bernoulli'"),
            ("model.sigma=0.1", "only a Gaussian"),
            ("training.samples=0", "training.samples is 0"),
            ("training.beta=-1", "training.beta is -1"),
            ("training.free_bits=-0.5", "training.free_bits is -0.5"),
            ("model.posterior_scale=sigma", "'log-sigma'"),
            ("data.treatment=binary", "'binarised-once'"),
            ("model.output_bias=mean", "'train-mean'"),
            ("training.schedule=linear", "'cosine'"),
            ("training.schedule=step", "training.schedule_epochs is 0"),
            ("training.weight_decay=-1", "at least 0"),
            ("training.patience=3", "data.validation"),
            ("model=3", "one of its keys"),
        ] {
            let message = resolve(&[text]).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains('\n'), "{text}: {message}");
        }
    }

    #[test]
    fn the_mean_image_is_a_bias_of_probabilities_only() {
        let sets = [
            "model.output_bias=train-mean",
            "model.likelihood=continuous-bernoulli",
        ];
        assert!(resolve(&sets[..1]).is_ok());
        let message = resolve(&sets).unwrap_err().to_string();
        assert!(message.ends_with("expected 'bernoulli'"), "{message}");
    }

    #[test]
    fn a_run_is_extended_by_epochs_alone() {
        let base = ["training.epochs=4", "training.schedule=iwae"];
        let shorter = resolve(&base).expect("valid");
        let longer = |more: &[&str]| resolve(&[&base[1..], more].concat()).expect("valid");
        assert!(longer(&["training.epochs=13"]).extends(&shorter));
        assert!(!longer(&["training.epochs=4"]).extends(&shorter));
        assert!(!longer(&["training.epochs=13", "training.seed=1"]).extends(&shorter));
        let cosine = |epochs: &str| {
            resolve(&[
                "training.schedule=cosine",
                &format!("training.epochs={epochs}"),
            ])
            .expect("valid")
        };
        assert!(!cosine("13").extends(&cosine("4")));
    }

    #[test]
    fn a_likelihood_and_its_sigma_go_together() {
        let likelihood = |sets: &[&str]| {
            let configuration = resolve(sets)?;
            Ok::<_, Error>(configuration.likelihood()?.to_string())
        };
        for (sets, expected) in [
            (&["model.likelihood=gaussian"][..], "gaussian/scalar"),
            (
                &["model.likelihood=gaussian", "model.sigma=0.1"],
                "gaussian/0.1",
            ),
            (
                &[
                    "model.likelihood=gaussian-identity",
                    "model.sigma=per-pixel",
                ],
                "gaussian-identity/per-pixel",
            ),
            (
                &["model.likelihood=continuous-bernoulli"],
                "continuous-bernoulli",
            ),
        ] {
            assert_eq!(likelihood(sets).expect("valid"), expected);
        }
        for sigma in ["0", "-0.1", "wide"] {
            let sigma = format!("model.sigma={sigma}");
            let message = likelihood(&["model.likelihood=gaussian", &sigma]).unwrap_err();
            assert!(message.to_string().contains("positive"), "{message}");
        }
        let message = likelihood(&["model.likelihood=gaussian", "data.treatment=threshold"]);
        assert!(message.unwrap_err().to_string().contains("grey"));
    }

    #[test]
    fn the_digest_depends_on_settings_and_data() {
        let first = Configuration::default();
        let mut second = first.clone();
        second.training.seed = 1;
        assert_ne!(first.digest("a"), second.digest("a"));
        assert_ne!(first.digest("a"), first.digest("b"));
        assert_eq!(first.digest("a"), Configuration::default().digest("a"));
    }
}
