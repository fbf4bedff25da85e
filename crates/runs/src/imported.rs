//! Weights that another program trained, as a run: everything that reads runs then
//! reads them, and training can go on from them.
//!
//! Such a run has no epochs and no losses of its own training. `environment.json` says
//! where its weights are from, and `model.imported` in `config.toml` is their SHA-256:
//! so its digest is that of no run that was trained here.

use std::collections::BTreeMap;

use datasets::{Dataset, sha256_hex};
use evaluation::EvaluationError;
use models::{Model, Trainer, TrainerError};
use serde::{Deserialize, Serialize};
use tensor_ops::parallel::ThreadPool;

use crate::atomic_file;
use crate::configuration::Configuration;
use crate::environment::{Environment, threads};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::needed_memory::require_for_training;
use crate::run_data::RunData;
use crate::run_folder::{Losses, RunFolder, RunResult};
use crate::run_images::RunImages;
use crate::training::{Identity, Record};
use crate::trajectories::Trajectories;

/// Where weights are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The files that were read.
    pub files: Vec<ImportedFile>,
    /// Their format.
    pub format: String,
    /// Our names of the layers, and what they were called.
    pub layers: BTreeMap<String, String>,
    /// What the files did not tell and was assumed, in sentences.
    pub assumed: Vec<String>,
    /// The text of the file of names, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
}

/// A file that weights were read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFile {
    /// Where it was.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// What is imported, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the run is to be.
    pub folder: RunFolder,
    /// Data and training; what it says of the model is replaced.
    pub configuration: Configuration,
    /// The command as typed, for `command.txt`.
    pub command: String,
    /// Threads to use; `None` for all cores.
    pub threads: Option<usize>,
}

/// A run that was made of imported weights.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What `result.json` says.
    pub result: RunResult,
    /// The settings, as `config.toml` has them.
    pub configuration: Configuration,
    /// Of the test rows, with one sample of z.
    pub test: Losses,
    /// How many test rows there are.
    pub test_rows: usize,
}

/// Checks that a folder is free for a new run, before any work.
///
/// # Errors
/// When it holds a run or somebody else's files, or cannot be written.
pub fn check_folder(folder: &RunFolder) -> Result<(), Error> {
    let path = folder.path();
    if folder.exists() {
        return Err(Error::RunFolder(format!(
            "{} holds a run already; choose another -o",
            path.display()
        )));
    }
    atomic_file::check_folder(path)?;
    atomic_file::check_own(path, |_| false)
}

/// Makes a run of `model`, measures its test rows, and writes the folder with
/// everything that training needs to go on from it.
///
/// # Errors
/// When the data do not fit the model, the folder is not free or cannot be written,
/// or the losses are not finite.
pub fn create(
    request: &Request,
    model: Model,
    provenance: Provenance,
    dataset: Dataset,
    interrupt: &Interrupt,
) -> Result<Outcome, Error> {
    let folder = &request.folder;
    check_folder(folder)?;
    let mut configuration = request.configuration.clone().of_shape(&dataset)?;
    configuration.data.standardise |= model.standardisation().is_some();
    let configuration = configuration.of_imported(model.spec(), sha256_of(&model))?;
    let shape = dataset.shape();
    if configuration.model_spec()? != *model.spec() {
        return Err(Error::Configuration(format!(
            "the model takes {} values, but {} holds {} of {shape}; name the data it was trained on with --dataset",
            model.spec().architecture.inputs,
            dataset.name,
            shape.noun(),
        )));
    }
    let data = match model.standardisation() {
        Some(own) => RunData::standardised(dataset, Some(own.clone())),
        None => RunData::of_training(&configuration, dataset)?,
    };
    let count = threads(request.threads);
    let dataset = &data.dataset;
    require_for_training(&configuration, dataset, count)?;
    let images = RunImages::new(&configuration, dataset)?;
    let mut model = model.with_shape(shape.to_string())?;
    if let Some(standardisation) = &data.standardisation {
        model = model.with_standardisation(standardisation.clone())?;
    }
    let test = losses(&model, &images, &configuration, count)?;
    let config = configuration.training_config(count)?;
    let trainer = Trainer::new(model, config, images.train.clone())?;

    let _stay = interrupt.stay();
    let taken = folder.take(&request.command)?;
    if folder.exists() {
        return check_folder(folder).and(Err(Error::Abandoned));
    }
    let mut environment = Environment::describe(count, &dataset.fingerprint);
    environment.imported = Some(provenance);
    folder.create(&configuration, &request.command, &environment)?;
    let identity = Identity {
        folder,
        configuration: &configuration,
        fingerprint: &dataset.fingerprint,
        digest: configuration.digest(&dataset.fingerprint),
    };
    let record = Record::begin(identity, taken)?;
    let trajectories = Trajectories::begin(&configuration.tracking, dataset, &trainer, folder)?;
    trajectories.write(&folder.trajectories())?;
    trainer
        .model()
        .save(&folder.model(), &record.metadata(0, 0))?;
    trainer.save_state(&folder.state(), &record.attachments()?)?;
    let result = record.finish(0, 0, None)?;
    Ok(Outcome {
        result,
        test,
        test_rows: dataset.test.len(),
        configuration,
    })
}

/// The losses of the test rows; how the weights show that they do not fit, where these
/// are not finite.
fn losses(
    model: &Model,
    images: &RunImages<'_>,
    configuration: &Configuration,
    threads: usize,
) -> Result<Losses, Error> {
    let pool = ThreadPool::new(threads).map_err(TrainerError::from)?;
    let seed = configuration.training.seed;
    let measured =
        pool.install(|| evaluation::elbo::sampled_losses(model, images.test.images(), seed, 0));
    match measured {
        Ok((reconstruction, kl)) => Ok(Losses {
            loss: reconstruction + kl,
            reconstruction,
            kl,
        }),
        Err(EvaluationError::Diverged(sentence)) => Err(Error::Configuration(format!(
            "the losses of the test rows are not finite with these weights ({sentence}); see whether mu and log_var are what they are taken for, and the data what the model was trained on"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// SHA-256 of the weights under their names.
fn sha256_of(model: &Model) -> String {
    let mut bytes = Vec::new();
    for tensor in model.named_tensors() {
        bytes.extend_from_slice(tensor.name.as_bytes());
        bytes.extend_from_slice(format!("{:?}", tensor.shape).as_bytes());
        bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
    }
    sha256_hex(&bytes)
}

/// Refuses to train a new run whose weights would have to be imported.
pub(crate) fn refuse_to_begin(configuration: &Configuration) -> Result<(), Error> {
    if !configuration.is_imported() {
        return Ok(());
    }
    Err(Error::Configuration(
        "model.imported is set: the run begins with weights of another program, which these settings alone do not give; continue the run they were imported into with --resume and --epochs, import the file into another folder, or take model.imported out to begin with drawn weights".into(),
    ))
}

/// Refuses to go on with imported weights whose state is gone: without it training
/// would begin with drawn weights.
pub(crate) fn require_state(
    configuration: &Configuration,
    folder: &RunFolder,
) -> Result<(), Error> {
    if !configuration.is_imported() || folder.state().exists() {
        return Ok(());
    }
    Err(Error::RunFolder(format!(
        "{} is gone, without which imported weights cannot be trained; put it back, or import the file into another folder",
        folder.state().display()
    )))
}

impl Provenance {
    /// That a run of imported weights cannot be made again by training.
    pub(crate) fn cannot_be_made_again(&self, folder: &RunFolder) -> Error {
        let files: Vec<String> = self
            .files
            .iter()
            .map(|file| format!("{} (SHA-256 {})", file.path, file.sha256))
            .collect();
        Error::RunFolder(format!(
            "the weights of {} were imported from {}: another program trained them, and training here does not make them again; to compare, import the file into another folder",
            folder.path().display(),
            files.join(", ")
        ))
    }
}
