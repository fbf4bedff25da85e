//! What is wrong with a trained run: faults by their names, each with the number
//! that shows it, the limit it has passed and the setting that mends it.
//!
//! `training_images` looks at a random sample of the run's images, `symptoms` measures
//! what the model makes of it, `course` reads its losses, and `faults` judges: it holds the faults, in the order in which one
//! explains the others, and what a limit is taken from. The first finding is the
//! diagnosis; those after it are often its consequences. Limits are shares of
//! what the data themselves say (the loss of their mean image, the pixels' own
//! entropy and spread, their principal directions), so that they hold for any
//! data set, shape and likelihood.

mod brief;
mod course;
mod faults;
mod sample;
mod symptoms;
mod training_images;

use std::path::PathBuf;

use evaluation::EvaluationError;
use models::{Bound, Model, ModelSpec, Objective};
use serde::Serialize;
use tensor_ops::parallel::ThreadPool;

use crate::configuration::Configuration;
use crate::environment::threads;
use crate::error::Error;
use crate::needed_memory::require_for_evaluation;
use crate::run_data::DataLocation;
use crate::run_folder::{RunFolder, RunResult, Status};
use crate::shell::quoted_path;

pub(crate) use brief::{brief, of_training};
pub use course::Course;
pub use faults::{Fault, Finding, NotAsked};
use sample::Sample;
pub use symptoms::{Aggregate, Posterior, Symptoms, Terms};
pub use training_images::TrainingImages;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run.
    pub folder: RunFolder,
    /// Other images that take the place of the run's test images, as a source.
    pub images: Option<String>,
    /// Seed of the sample and of the codes that are drawn.
    pub seed: u64,
    /// Threads to use; `None` for all cores.
    pub threads: Option<usize>,
    /// Where the data are.
    pub location: DataLocation,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The run.
    #[serde(serialize_with = "crate::shell::serialize_path")]
    pub run: PathBuf,
    /// How far it has come.
    pub ending: Ending,
    /// Epochs that are done.
    pub epochs: usize,
    /// Epochs that it was to have.
    pub epochs_asked: usize,
    /// What is wrong, the diagnosis first.
    pub findings: Vec<Finding>,
    /// Faults that this run cannot have, or that cannot be seen in it, and why.
    pub not_asked: Vec<NotAsked>,
    /// What the training images show by themselves; absent where there are no
    /// weights and the images are not at hand.
    pub images: Option<TrainingImages>,
    /// What was measured; absent where there are no weights, or where they give
    /// no finite numbers.
    pub symptoms: Option<Symptoms>,
    /// The losses of the epochs.
    pub course: Option<Course>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// All epochs were run, or training stopped early.
    Done,
    /// The loss stopped being finite.
    Diverged,
    /// It is still being trained, or was stopped.
    Unfinished,
}

/// A run with what is known of it before anything is measured.
#[derive(Debug)]
struct Case<'a> {
    /// Its folder, as a shell reads it.
    run: String,
    configuration: &'a Configuration,
    spec: ModelSpec,
    objective: Objective,
    ending: Ending,
    /// Where and in what it diverged.
    divergence: Option<String>,
    /// Whether the test images are others than the run's.
    has_other_images: bool,
    images: Option<&'a TrainingImages>,
    symptoms: Option<&'a Symptoms>,
    course: Option<&'a Course>,
}

impl<'a> Case<'a> {
    fn of(
        folder: &RunFolder,
        configuration: &'a Configuration,
        result: Option<&RunResult>,
    ) -> Result<Self, Error> {
        Ok(Self {
            run: quoted_path(folder.path()),
            configuration,
            spec: configuration.model_spec()?,
            objective: configuration.objective()?,
            ending: match result.map(|result| result.status) {
                None => Ending::Unfinished,
                Some(Status::Done) => Ending::Done,
                Some(Status::Diverged) => Ending::Diverged,
            },
            divergence: result.and_then(|result| result.divergence.clone()),
            has_other_images: false,
            images: None,
            symptoms: None,
            course: None,
        })
    }

    /// The weight of the KL in what training minimised.
    fn weight(&self) -> f64 {
        match self.objective.bound {
            Bound::Elbo => self.objective.beta,
            Bound::Iwae | Bound::Wae => 1.0,
        }
    }

    /// The largest step size, as far as epochs tell.
    fn learning_rate(&self) -> f64 {
        let recorded = self.course.and_then(|course| course.largest_learning_rate);
        recorded.unwrap_or(self.configuration.training.learning_rate)
    }
}

/// Looks at a run for everything that may be wrong with it.
///
/// # Errors
/// When the folder is no run or has no checkpoint yet and did not diverge before
/// one, its data set is not the one it was trained on, other images have another
/// shape, or there is too little memory.
pub fn diagnose(
    request: &Request,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Diagnosis, Error> {
    let folder = &request.folder;
    let configuration = folder.configuration()?;
    let result = folder.read_result()?;
    let mut case = Case::of(folder, &configuration, result.as_ref())?;
    let metrics = folder.read_metrics()?;
    let course = Course::of(&metrics, &case.spec, &case.objective);
    let model = match folder.load_model(&configuration) {
        Err(_) if case.ending == Ending::Diverged && !folder.model().exists() => None,
        model => Some(model?),
    };
    let dataset = request.location.load(&configuration, download);
    let dataset = dataset.and_then(|dataset| folder.check_dataset(&dataset).map(|()| dataset));
    let dataset = match (&model, dataset) {
        (Some(_), dataset) => Some(dataset?),
        // Without weights the images still tell something, unless what standardised
        // them went with the weights.
        (None, dataset) => dataset.ok().filter(|_| !configuration.data.standardise),
    };
    let (mut images, mut symptoms) = (None, None);
    if let Some(dataset) = dataset {
        let others = request.images.as_ref().map(|source| {
            let location = DataLocation {
                dataset: Some(source.clone()),
                ..request.location.clone()
            };
            let others = location.load(&configuration, download)?;
            sample::check_shape(&dataset, &others)?;
            Ok::<_, Error>(others)
        });
        case.has_other_images = others.is_some();
        let count = threads(request.threads);
        let rows = sample::most_rows(dataset.shape().len());
        require_for_evaluation(&case.spec, rows, count)?;
        let sample = Sample::of(
            &configuration,
            &dataset,
            others.transpose()?.as_ref(),
            model.as_ref().and_then(Model::standardisation),
            rows,
            request.seed,
        )?;
        let found = TrainingImages::of(&sample, case.spec.likelihood)?;
        if let Some(model) = &model {
            let pool = ThreadPool::new(count).map_err(models::TrainerError::from)?;
            let range = found.range;
            match pool.install(|| Symptoms::of(model, &sample, range, request.seed, true)) {
                Ok(found) => symptoms = Some(found),
                Err(EvaluationError::Diverged(sentence)) => case.divergence = Some(sentence),
                Err(error) => return Err(error.into()),
            }
        }
        images = Some(found);
    }
    case.images = images.as_ref();
    case.symptoms = symptoms.as_ref();
    case.course = course.as_ref();
    let (findings, not_asked) = faults::judge(&case);
    Ok(Diagnosis {
        run: folder.path().to_owned(),
        ending: case.ending,
        epochs: metrics.len(),
        epochs_asked: configuration.training.epochs,
        findings,
        not_asked,
        images,
        symptoms,
        course,
    })
}
