//! The numbers of a finished run: `eval.json`.

use std::path::PathBuf;

use datasets::{Dataset, Lookup};
use evaluation::elbo::{Evaluation, EvaluationOptions, evaluate};
use models::Model;
use ndarray::s;

use crate::atomic_file;
use crate::environment::threads;
use crate::error::Error;
use crate::run_folder::RunFolder;

/// What to evaluate, and on which images.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run.
    pub folder: RunFolder,
    /// The images.
    pub split: SplitName,
    /// The first so many images; `None` for all.
    pub subset: Option<usize>,
    /// Seed of the sampled codes.
    pub seed: u64,
    /// Threads to use; `None` for all cores.
    pub threads: Option<usize>,
    /// Where data sets are looked up.
    pub lookup: Lookup,
}

/// One of a data set's two splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitName {
    /// The test images.
    Test,
    /// The training images.
    Train,
}

impl SplitName {
    /// `test` or `train`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Train => "train",
        }
    }

    fn of(self, dataset: &Dataset) -> &datasets::Split {
        match self {
            Self::Test => &dataset.test,
            Self::Train => &dataset.train,
        }
    }
}

/// Evaluates the weights of a run's last checkpoint and writes `eval.json`.
///
/// # Errors
/// When the folder is no run or has no checkpoint yet, the data set is not the
/// one it was trained on, the subset is empty or larger than the split, or
/// the file cannot be written.
pub fn write(
    request: &Request,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<(Evaluation, PathBuf), Error> {
    let folder = &request.folder;
    let configuration = folder.configuration()?;
    if !folder.model().exists() {
        return Err(Error::RunFolder(format!(
            "{} has no model.safetensors yet; let the run reach its first checkpoint, or continue it with --resume",
            folder.path().display()
        )));
    }
    let model = Model::load(&folder.model())?;
    if *model.spec() != configuration.model_spec()? {
        return Err(Error::RunFolder(format!(
            "{} holds a model {}, but config.toml beside it describes another one; expected the files of one run",
            folder.model().display(),
            model.spec().architecture
        )));
    }
    let dataset = datasets::load(&configuration.data.dataset, &request.lookup, download)?;
    folder.check_dataset(&dataset)?;
    let split = request.split.of(&dataset);
    let n = request.subset.unwrap_or(split.len());
    if n == 0 || n > split.len() {
        return Err(Error::Configuration(format!(
            "--subset is {n}, but must lie between 1 and the {} {} images of {}",
            split.len(),
            request.split.name(),
            dataset.name
        )));
    }
    let pool = tensor_ops::parallel::ThreadPool::new(threads(request.threads))
        .map_err(models::TrainerError::from)?;
    let options = EvaluationOptions {
        split: request.split.name().into(),
        seed: request.seed,
    };
    let images = split.images();
    let evaluation = pool.install(|| evaluate(&model, images.slice(s![..n, ..]), &options))?;
    let path = folder.evaluation();
    atomic_file::write_json(&path, &evaluation)?;
    Ok((evaluation, path))
}
