//! The runs of two stochastic layers: trained into a run folder, and measured.
//!
//! A folder has the files of a run of one layer, but for the trajectories of
//! tracked images. Its `config.toml` has a section on the upper layer, by which
//! everything that knows one layer only refuses it.

use std::time::{Duration, Instant};

use evaluation::likelihood::two_layer_likelihood_bounds;
use evaluation::two_layers::{active_units, sampled_losses};
use models::two_layers::{TwoLayerModel, TwoLayerSpec, TwoLayerTrainer};
use models::{Images, SharedImages, SharedPixels, TrainerError};
use ndarray::ArrayView2;
use tensor_ops::parallel::ThreadPool;

use super::Workshop;
use super::another_run;
use super::likelihoods::{EVALUATION_SEED, Measured};
use crate::configuration::{Configuration, TwoLayerConfiguration};
use crate::environment::{Environment, threads};
use crate::error::Error;
use crate::needed_memory::require_for_two_layers;
use crate::report;
use crate::run_data;
use crate::run_folder::{EpochMetrics, Losses, RunFolder, SETTINGS};
use crate::run_images::{RunImages, treated};
use crate::training::{Checkpoints, Identity, Record, Run, images_per_second, or_divergence};

/// Steps between two reports of progress.
const STEPS: usize = 100;

/// Brings the run in `folder` to the end of `configuration`, as
/// [`Workshop::train`] does those of one layer.
pub(super) fn train(
    workshop: &Workshop<'_>,
    name: &str,
    configuration: &Configuration,
    folder: &RunFolder,
) -> Result<(), Error> {
    let described = TwoLayerConfiguration {
        lower: configuration.clone(),
        upper: Some(TwoLayerSpec::table_1().upper.to_string()),
    };
    let former = prepare(workshop, &described, folder)?;
    let digest = described.digest(&workshop.dataset.fingerprint);
    let run = workshop.run(configuration, folder);
    if former.is_none()
        && let Some(result) = folder.read_result()?
    {
        if result.digest != digest {
            return Err(folder.of_another_version());
        }
        return run.ended(result).map(drop);
    }
    let images = run.images()?;
    let mut trainer = trainer(&run, &images)?;
    let _taken = folder.take(&workshop.request.command)?;
    let epochs = configuration.training.epochs;
    let mut observer = workshop.observer.training(name, epochs);
    let identity = Identity {
        folder,
        configuration,
        fingerprint: &run.dataset.fingerprint,
        digest,
    };
    let mut record = if folder.exists() {
        let record = Record::take_up(identity, former.is_some(), observer.as_mut(), |state| {
            let attachments = trainer.load_state(state)?;
            Ok((attachments, trainer.epoch()))
        })?;
        if let Some(former) = &former {
            // Not before everything has been found that it goes on from.
            folder.extend_as(&described.to_toml()?, former)?;
        }
        record
    } else {
        let environment = Environment::describe(run.threads, identity.fingerprint);
        let text = described.to_toml()?;
        folder.create_as(&text, &workshop.request.command, &environment)?;
        Record::begin(identity)?
    };
    observer.began(&images.statement());
    let interrupt = workshop.interrupt;
    let total = (epochs * trainer.steps_in_epoch()) as f64;
    let mut checkpoints = Checkpoints::every(workshop.request.checkpoint_every, interrupt);
    let mut training = Duration::ZERO;
    while (trainer.epoch() as usize) < epochs {
        let began = Instant::now();
        let trained = trainer.run_steps(STEPS, &mut |_| !checkpoints.are_due());
        training += began.elapsed();
        observer.progressed(trainer.steps() as f64 / total);
        let (epoch, steps) = (trainer.epoch(), trainer.steps());
        let measured = match trained {
            Ok(None) => None,
            Ok(Some(trained)) => {
                let trained = Losses {
                    loss: trained.loss,
                    reconstruction: trained.reconstruction,
                    kl: trained.kl,
                };
                let seconds = std::mem::take(&mut training).as_secs_f64();
                let measured = metrics(&trainer, &images, trained, seconds);
                Some(or_divergence(measured, epoch, steps)?)
            }
            Err(diverged) => Some(Err(diverged.to_string())),
        };
        match measured {
            None => {}
            Some(Ok(metrics)) => {
                record.append(metrics)?;
                observer.epoch(&metrics, epochs);
            }
            Some(Err(divergence)) => {
                return Err(record.diverge(divergence, epoch, steps, observer.as_mut())?);
            }
        }
        let complete = trainer.epoch() as usize >= epochs;
        if complete || checkpoints.are_due() {
            let _stay = interrupt.stay();
            let metadata = record.metadata(epoch, steps);
            trainer.model().save(&folder.model(), &metadata)?;
            trainer.save_state(&folder.state(), &record.attachments()?)?;
            checkpoints.made();
            if !complete && interrupt.requested() {
                observer.finished();
                return Err(workshop.interrupted());
            }
        }
    }
    record.finish(trainer.epoch(), trainer.steps(), None)?;
    observer.finished();
    Ok(())
}

/// The digest of a shorter run in `folder` that is to go on as the one
/// described; refuses any other.
fn prepare(
    workshop: &Workshop<'_>,
    described: &TwoLayerConfiguration,
    folder: &RunFolder,
) -> Result<Option<String>, Error> {
    if !folder.exists() {
        return Ok(None);
    }
    folder.check_configuration()?;
    folder.check_dataset(workshop.dataset)?;
    let found = TwoLayerConfiguration::read(&folder.config())?;
    if found.upper.is_none() {
        return Err(Error::RunFolder(format!(
            "{} was begun by a version that did not write down the upper layer, so that it cannot go on; measure it with --no-training, or choose another --out",
            folder.path().display()
        )));
    }
    if described.extends(&found) {
        return Ok(Some(found.digest(&workshop.dataset.fingerprint)));
    }
    if found != *described {
        return Err(another_run(folder, &described.lower, &found.lower));
    }
    Ok(None)
}

fn trainer(run: &Run<'_>, images: &RunImages<'_>) -> Result<TwoLayerTrainer, Error> {
    let configuration = run.configuration;
    let initialisation = configuration.initialisation()?;
    let seed = configuration.training.seed;
    let pixels = shared_bytes(&images.train)?;
    let config = configuration.training_config(run.threads)?;
    let spec = TwoLayerSpec::table_1();
    require_for_two_layers(&spec, &config, images.train_count)?;
    let mut model = TwoLayerModel::new(spec, initialisation, seed)?;
    if configuration.output_bias_is_train_mean()? {
        model.set_output_bias_to_mean(pixels.images(run.dataset.shape().len()));
    }
    Ok(TwoLayerTrainer::new(model, config, pixels)?)
}

/// Pixels as two stochastic layers take them.
fn shared_bytes(images: &SharedImages) -> Result<SharedPixels<u8>, Error> {
    match images {
        SharedImages::Bytes(bytes) => Ok(bytes.clone()),
        SharedImages::Values(_) => Err(not_bytes()),
    }
}

fn bytes(images: Images<'_>) -> Result<ArrayView2<'_, u8>, Error> {
    match images {
        Images::Bytes(bytes) => Ok(bytes),
        Images::Values(_) => Err(not_bytes()),
    }
}

fn not_bytes() -> Error {
    Error::Configuration(
        "two stochastic layers take images of 8-bit grey values, but these are floats; choose another --dataset".into(),
    )
}

fn metrics(
    trainer: &TwoLayerTrainer,
    images: &RunImages<'_>,
    train: Losses,
    seconds: f64,
) -> Result<EpochMetrics, Error> {
    let (steps, config) = (trainer.steps_in_epoch(), trainer.config());
    let pixels = bytes(images.test.images())?;
    let test = trainer
        .pool()
        .install(|| sampled_losses(trainer.model(), pixels, config.seed, trainer.epoch()))?;
    Ok(EpochMetrics {
        epoch: trainer.epoch() as usize,
        step: trainer.steps(),
        train,
        test: Losses {
            loss: test.loss,
            reconstruction: test.reconstruction,
            kl: test.kl,
        },
        validation: None,
        data_treatment: images.treatment,
        learning_rate: Some(config.learning_rate_at(trainer.epoch() - 1, steps - 1, steps)),
        seconds,
        images_per_second: images_per_second(images.train_count, seconds),
    })
}

/// Measures the weights of a run's last checkpoint.
pub(super) fn measure(
    workshop: &Workshop<'_>,
    folder: &RunFolder,
    observer: &dyn report::Observer,
) -> Result<Measured, Error> {
    let request = workshop.request;
    folder.check_configuration()?;
    let configuration = TwoLayerConfiguration::read(&folder.config())?.lower;
    folder.check_dataset(workshop.dataset)?;
    let (model, metadata) = TwoLayerModel::load(&folder.model())?;
    let settings = metadata.get(SETTINGS).map(String::as_str);
    folder.check_settings(&folder.model(), settings, &configuration)?;
    let treatment = configuration.treatment()?.of_evaluation();
    let test = &workshop.dataset.test;
    let n = request.subset.unwrap_or(test.len());
    let images = run_data::images(test).slice_rows(0..n);
    let images = treated(treatment, images, configuration.data.test_seed)?;
    let pool = ThreadPool::new(threads(request.threads)).map_err(TrainerError::from)?;
    pool.install(|| {
        observer.sampling(n);
        let progress = || observer.sampled();
        let (images, samples) = (bytes(images.images())?, request.nll_samples);
        let seed = EVALUATION_SEED;
        Ok(Measured {
            bounds: two_layer_likelihood_bounds(&model, images, samples, seed, &progress)?,
            active_units: active_units(&model, images, seed)?.into(),
            negative_elbo: sampled_losses(&model, images, seed, 0)?.loss,
            images: n,
            data_treatment: treatment,
            data_seed: configuration.data.test_seed,
        })
    })
}
