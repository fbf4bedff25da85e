//! Whether the machine has the memory that a run, or the use of its model,
//! needs: asked before any of it is taken.

use std::fmt::Display;

use datasets::Dataset;
use evaluation::footprint::evaluation_bytes;
use models::footprint::{TrainingFootprint, pass_bytes};
use models::{ModelSpec, TrainingConfig};

use crate::configuration::Configuration;
use crate::error::Error;
use crate::run_data::training_rows;
use crate::trajectories::tracked_images;

/// Refuses to train what needs more memory than there is, in a sentence that
/// names the settings and what to do.
///
/// # Errors
/// [`Error::Configuration`], or settings that are wrong.
pub(crate) fn require_for_training(
    configuration: &Configuration,
    dataset: &Dataset,
    threads: usize,
) -> Result<(), Error> {
    let (spec, config) = (
        configuration.model_spec()?,
        configuration.training_config(threads)?,
    );
    let needed = Needed::of(configuration, dataset, &spec, &config)?;
    needed.require(&spec, &config, memory::available())
}

/// What training takes in all, beside the data set.
///
/// # Errors
/// Settings that are wrong.
pub(crate) fn bytes_of_training(
    configuration: &Configuration,
    dataset: &Dataset,
    threads: usize,
) -> Result<u64, Error> {
    let (spec, config) = (
        configuration.model_spec()?,
        configuration.training_config(threads)?,
    );
    Ok(Needed::of(configuration, dataset, &spec, &config)?.total())
}

/// Whether a run that is being trained can go on with so many threads: what a
/// batch then needs is taken before what it has needed is given back.
///
/// # Errors
/// Settings that are wrong.
pub(crate) fn allows_threads(
    configuration: &Configuration,
    dataset: &Dataset,
    threads: usize,
) -> Result<bool, Error> {
    let (spec, config) = (
        configuration.model_spec()?,
        configuration.training_config(threads)?,
    );
    let needed = Needed::of(configuration, dataset, &spec, &config)?;
    let more = needed.training.batch.saturating_add(needed.at_times());
    Ok(memory::available().is_none_or(|available| more <= available))
}

/// Refuses to evaluate what needs more memory than there is.
///
/// # Errors
/// One sentence.
pub(crate) fn require_for_evaluation(
    spec: &ModelSpec,
    rows: usize,
    threads: usize,
) -> Result<(), Error> {
    let what = format!(
        "evaluating {rows} rows with {} latent variables",
        spec.architecture.latent
    );
    let bytes = evaluation_bytes(spec, rows, threads);
    require(
        what,
        bytes,
        "choose fewer rows with --subset",
        memory::available(),
    )
}

/// Refuses `count` codes of as many latent variables, held twice.
///
/// # Errors
/// One sentence that names the option.
pub(crate) fn require_for_codes(option: &str, count: usize, latent: usize) -> Result<(), Error> {
    let values = (count as u64).saturating_mul(latent as u64);
    let bytes = values.saturating_mul(2 * size_of::<f32>() as u64);
    let what = format!("{option} {count} with {latent} latent variables");
    require(what, bytes, "choose fewer", memory::available())
}

/// What a run needs.
struct Needed {
    training: TrainingFootprint,
    /// Of the test and validation images after a treatment that changes them.
    treated: u64,
    /// Of a pass over the test images.
    pass: u64,
    /// Of the codes that are followed from the beginning to the end.
    tracked: u64,
}

impl Needed {
    fn of(
        configuration: &Configuration,
        dataset: &Dataset,
        spec: &ModelSpec,
        config: &TrainingConfig,
    ) -> Result<Self, Error> {
        let images = training_rows(configuration, dataset)?;
        Ok(Self {
            training: TrainingFootprint::of(spec, config, images),
            treated: treated_bytes(configuration, dataset)?,
            pass: pass_bytes(spec, dataset.test.len(), config.threads),
            tracked: tracked_bytes(configuration, spec, dataset, images),
        })
    }

    /// What is not held all the time: a checkpoint is not written while the test
    /// images go through.
    fn at_times(&self) -> u64 {
        self.training.checkpoint.max(self.pass)
    }

    fn total(&self) -> u64 {
        let training = &self.training;
        let parts = [
            training.parameters,
            training.batch,
            training.images,
            self.treated,
            self.at_times(),
            self.tracked,
        ];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    fn require(
        &self,
        spec: &ModelSpec,
        config: &TrainingConfig,
        available: Option<u64>,
    ) -> Result<(), Error> {
        let training = &self.training;
        let weights = training.parameters.saturating_add(training.checkpoint);
        let parts = [
            weights,
            training.batch,
            self.treated,
            self.pass,
            self.tracked,
        ];
        let largest = parts.into_iter().fold(0, u64::max);
        let advice = if largest == training.batch {
            batch_advice(config)
        } else if largest == self.tracked {
            "choose fewer --epochs, or follow fewer codes with --set tracking.snapshots_per_epoch=1"
        } else if largest == self.treated {
            "train with --set data.treatment=grey, which copies no image, or hold out fewer images with --set data.validation"
        } else if largest == self.pass {
            "choose a smaller --latent"
        } else {
            "choose narrower layers with --hidden or a smaller --latent"
        };
        let what = format!("training {} with {}", spec.architecture, described(config));
        require(what, self.total(), advice, available)
    }
}

fn described(config: &TrainingConfig) -> String {
    let samples = match config.objective.samples {
        1 => String::new(),
        samples => format!(" and --samples {samples}"),
    };
    format!("--batch {}{samples}", config.batch)
}

fn batch_advice(config: &TrainingConfig) -> &'static str {
    match (config.objective.samples, config.batch) {
        (1, _) => "choose a smaller --batch or narrower layers with --hidden",
        (_, 1) => "choose fewer --samples or narrower layers with --hidden",
        _ => "choose fewer --samples, a smaller --batch or narrower layers with --hidden",
    }
}

fn require(
    what: impl Display,
    bytes: u64,
    advice: &str,
    available: Option<u64>,
) -> Result<(), Error> {
    // What cannot be counted cannot be had anywhere.
    let available = available.or(Some(i64::MAX as u64));
    memory::require_of(available, what, bytes)
        .map_err(|error| Error::Configuration(format!("{error}; {advice}")))
}

/// The test images and those held out for validation, of which a treatment other
/// than grey makes a copy.
fn treated_bytes(configuration: &Configuration, dataset: &Dataset) -> Result<u64, Error> {
    if !configuration.treatment()?.is_binary() {
        return Ok(0);
    }
    let images = dataset
        .test
        .len()
        .saturating_add(configuration.data.validation);
    let value = match dataset.train.bytes() {
        Some(_) => 1,
        None => size_of::<f32>(),
    };
    let of_image = (dataset.shape().len() * value) as u64;
    Ok(of_image.saturating_mul(images as u64))
}

/// μ, and log σ² of a VAE, of every image that is followed at every moment.
fn tracked_bytes(
    configuration: &Configuration,
    spec: &ModelSpec,
    dataset: &Dataset,
    images: usize,
) -> u64 {
    let tracking = &configuration.tracking;
    let steps = images.div_ceil(configuration.training.batch);
    let snapshots =
        configuration.training.epochs as f64 * tracking.snapshots_per_epoch.min(steps) as f64 + 1.0;
    let codes = tracked_images(dataset, tracking.images_per_class).len() as f64;
    let moments = if spec.kind.is_variational() { 2.0 } else { 1.0 };
    let values = moments * spec.architecture.latent as f64;
    (snapshots * codes * values * size_of::<f32>() as f64) as u64
}

#[cfg(test)]
mod tests {
    use models::Objective;

    use super::*;

    fn refusal(settings: &[&str], available: u64) -> String {
        let overrides: Vec<_> = settings
            .iter()
            .map(|text| crate::configuration::Override::parse(text).expect("KEY=VALUE"))
            .collect();
        let configuration = Configuration::resolve(None, None, &overrides).expect("settings");
        let spec = configuration.model_spec().expect("a model");
        let config = configuration.training_config(2).expect("a configuration");
        let needed = Needed {
            training: TrainingFootprint::of(&spec, &config, 60_000),
            treated: 0,
            pass: pass_bytes(&spec, 10_000, 2),
            tracked: 0,
        };
        let done = needed.require(&spec, &config, Some(available));
        done.expect_err("too large").to_string()
    }

    #[test]
    fn a_refusal_says_what_to_choose() {
        let samples = [
            "training.samples=65536",
            "training.batch=100",
            "model.hidden=[200]",
        ];
        let message = refusal(&samples, 5 << 30);
        assert!(
            message.starts_with("training 784-200-2 with --batch 100 and --samples 65536 needs"),
            "{message}"
        );
        assert!(message.contains("5.37 GB can be had"), "{message}");
        assert!(
            message.ends_with(
                "choose fewer --samples, a smaller --batch or narrower layers with --hidden"
            ),
            "{message}"
        );
        let wide = refusal(&["model.hidden=[65536, 65536]"], 5 << 30);
        assert!(wide.contains("narrower layers with --hidden or"), "{wide}");
        let deep = refusal(&["model.latent=65536", "model.hidden=[4]"], 5 << 30);
        assert!(deep.ends_with("choose a smaller --latent"), "{deep}");
        let batch = refusal(&["training.batch=1000000000"], 1 << 28);
        assert!(batch.contains("choose a smaller --batch"), "{batch}");
    }

    #[test]
    fn treated_test_images_are_counted_before_they_are_copied() {
        let location = crate::run_data::DataLocation::default();
        let dataset = location.load(&Configuration::default(), &mut |_| {});
        let dataset = dataset.expect("the embedded set");
        let of = |setting: &str| {
            let setting = crate::configuration::Override::parse(setting).expect("KEY=VALUE");
            let held_out = crate::configuration::Override::parse("data.validation=40");
            let settings = [setting, held_out.expect("KEY=VALUE")];
            let configuration = Configuration::resolve(None, None, &settings).expect("settings");
            treated_bytes(&configuration, &dataset).expect("a treatment")
        };
        let all = ((dataset.test.len() + 40) * dataset.shape().len()) as u64;
        assert_eq!(of("data.treatment=grey"), 0);
        assert_eq!(of("data.treatment=threshold"), all);
        assert_eq!(of("data.treatment=binarised-per-epoch"), all);
        let configuration = Configuration::default();
        let spec = configuration.model_spec().expect("a model");
        let config = configuration.training_config(1).expect("a configuration");
        let needed = Needed {
            training: TrainingFootprint::of(&spec, &config, 60_000),
            treated: 3 << 30,
            pass: pass_bytes(&spec, 10_000, 2),
            tracked: 0,
        };
        let refused = needed.require(&spec, &config, Some(3 << 30));
        let message = refused.expect_err("too many").to_string();
        assert!(message.contains("--set data.treatment=grey"), "{message}");
    }

    #[test]
    fn a_usual_run_fits_and_codes_are_counted() {
        let configuration = Configuration::default();
        let spec = configuration.model_spec().expect("a model");
        let config = configuration.training_config(1).expect("a configuration");
        let needed = Needed {
            training: TrainingFootprint::of(&spec, &config, 60_000),
            treated: 0,
            pass: pass_bytes(&spec, 10_000, 2),
            tracked: 1 << 20,
        };
        assert!(needed.require(&spec, &config, Some(100 << 20)).is_ok());
        assert!(needed.require(&spec, &config, None).is_ok());
        assert_eq!(config.objective, Objective::ELBO);
        assert!(require_for_codes("-n", 100, 2).is_ok());
        let message = require_for_codes("-n", usize::MAX, 2)
            .expect_err("too many")
            .to_string();
        assert!(
            message.starts_with(&format!("-n {} with 2 latent variables needs", usize::MAX)),
            "{message}"
        );
    }
}
