//! The numbers of a finished run: `eval.json`.

use std::path::PathBuf;

use datasets::{Dataset, Split};
use evaluation::EvaluationError;
use evaluation::elbo::{Evaluation, EvaluationOptions, evaluate};
use evaluation::likelihood::{LikelihoodBounds, likelihood_bounds};
use evaluation::rates::{RateDecomposition, rate_decomposition};
use models::{DataTreatment, Images, Model, ModelSpec};
use serde::Serialize;

use crate::atomic_file;
use crate::configuration::Configuration;
use crate::diagnosis;
use crate::environment::threads;
use crate::error::Error;
use crate::needed_memory::require_for_evaluation;
use crate::run_data::{self, DataLocation, RunData, training_rows};
use crate::run_folder::RunFolder;
use crate::run_images::{Treated, evaluated_treatment, treated};
use crate::sealed_json;

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
    /// What to do to the images' pixels; `None` for what the run's
    /// configuration does to its test images.
    pub treatment: Option<DataTreatment>,
    /// Importance samples per image of −log p(x); `None` for no such bound.
    pub nll_samples: Option<usize>,
    /// Threads to use; `None` for all cores.
    pub threads: Option<usize>,
    /// Where the data are.
    pub location: DataLocation,
}

/// Which images of a run's data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitName {
    /// The test images.
    Test,
    /// The training images, without those held out for validation.
    Train,
    /// The images held out from the end of the training set.
    Validation,
}

impl SplitName {
    /// `test`, `train` or `validation`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Train => "train",
            Self::Validation => "validation",
        }
    }

    /// The one it is held against.
    fn other(self) -> Self {
        match self {
            Self::Test | Self::Validation => Self::Train,
            Self::Train => Self::Test,
        }
    }

    /// Its images, of which the first `kept` training images were trained on.
    fn of(self, dataset: &Dataset, kept: usize) -> Split {
        match self {
            Self::Test => dataset.test.clone(),
            Self::Train => dataset.train.slice(0..kept),
            Self::Validation => dataset.train.slice(kept..dataset.train.len()),
        }
    }
}

/// The document of `eval.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The terms of the loss and the moments of the codes.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Rows of the whole split: where they are more than `n`, the numbers are of the
    /// first `n`, which were asked for.
    pub rows_of_split: usize,
    /// Which images the numbers are of.
    pub data: DataReport,
    /// The settings of the run.
    pub configuration: Configuration,
    /// Digest of settings and data, as in `result.json`.
    pub digest: String,
    /// The distribution of the pixels given the code.
    pub pixel_likelihood: models::Likelihood,
    /// One sentence about what training minimised and the effective β.
    pub objective: String,
    /// What training did to its images' pixels.
    pub training_data_treatment: DataTreatment,
    /// Seed of the draw that binarised the evaluated images; `None` where
    /// nothing was drawn.
    pub data_seed: Option<u64>,
    /// −log p(x) by importance sampling: `nll` by number of samples and
    /// `effective_sample_size`, where asked for. The seed is that of the codes.
    #[serde(flatten)]
    pub likelihood: Option<LikelihoodBounds>,
    /// Whether `nll` bounds the negative log-likelihood of the very images:
    /// not where grey pixels stand in for binary ones. Absent without `nll`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nll_is_likelihood: Option<bool>,
    /// What the KL is made of; a variational autoencoder's only.
    #[serde(flatten)]
    pub rates: Option<RateDecomposition>,
    /// Test (or validation) minus train; absent when a split has been cut to a
    /// subset.
    pub train_test_gap: Option<Gap>,
}

/// The data set of a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataReport {
    /// The source as it was asked for.
    pub dataset: String,
    /// Identifies its content.
    pub fingerprint: String,
    /// What one row is.
    pub shape: String,
    /// The share of a source without a test set that became one, by a hash of
    /// the content; absent where the source has a test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_share: Option<f64>,
    /// Whether the numbers are of standardised values.
    pub standardised: bool,
}

impl DataReport {
    fn of(dataset: &Dataset, standardised: bool) -> Self {
        Self {
            standardised,
            dataset: dataset.name.clone(),
            fingerprint: dataset.fingerprint.clone(),
            shape: dataset.shape().to_string(),
            test_share: match dataset.test_origin {
                datasets::TestOrigin::Own => None,
                datasets::TestOrigin::Share(share) => Some(share),
            },
        }
    }
}

/// How much worse the terms of the loss are on test images than on training
/// images, nats per image; both splits whole and under the same treatment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// Of the loss: −ELBO for a variational autoencoder.
    pub loss: f64,
    /// Of the reconstruction.
    pub reconstruction: f64,
    /// Of the KL or penalty.
    pub kl: Option<f64>,
}

/// Hears how far an evaluation has come.
pub trait Observer: Sync {
    /// Importance sampling begins over this many images.
    fn sampling(&self, _images: usize) {}
    /// One more of them is done; called from any thread.
    fn sampled(&self) {}
    /// Whether a diagnosis is wanted at the end.
    fn wants_diagnosis(&self) -> bool {
        false
    }
    /// Something is wrong with the run, or could not be looked for; in a line.
    fn diagnosed(&self, _line: &str) {}
}

/// Hears nothing.
impl Observer for () {}

/// Evaluates the weights of a run's last checkpoint and writes `eval.json`.
///
/// # Errors
/// When the folder is no run or has no checkpoint yet, the data set is not the
/// one it was trained on, the subset is empty or larger than the split, a
/// likelihood is asked of a model that has none or with no samples, or the
/// file cannot be written.
pub fn write(
    request: &Request,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &dyn Observer,
) -> Result<(Report, PathBuf), Error> {
    let evaluated = Evaluated::of(request)?;
    let dataset = request.location.load(&evaluated.configuration, download)?;
    write_evaluated(request, &evaluated, dataset, observer)
}

/// The same where the data set has been read, whose pixels are shared.
///
/// # Errors
/// As [`write()`].
pub fn write_of(
    request: &Request,
    dataset: &Dataset,
    observer: &dyn Observer,
) -> Result<(Report, PathBuf), Error> {
    write_evaluated(request, &Evaluated::of(request)?, dataset.clone(), observer)
}

/// A run that can be evaluated.
struct Evaluated {
    configuration: Configuration,
    spec: ModelSpec,
    model: Model,
}

impl Evaluated {
    /// What can be refused before the data are read is.
    fn of(request: &Request) -> Result<Self, Error> {
        let folder = &request.folder;
        let configuration = folder.configuration()?;
        atomic_file::check_file(&folder.evaluation())?;
        let spec = configuration.model_spec()?;
        match request.nll_samples {
            Some(0) => {
                return Err(Error::Configuration(
                    "--nll-samples is 0, but must be at least 1".into(),
                ));
            }
            Some(_) if !spec.kind.is_variational() => {
                return Err(EvaluationError::NotVariational.into());
            }
            _ => {}
        }
        Ok(Self {
            model: folder.load_model(&configuration)?,
            configuration,
            spec,
        })
    }
}

fn write_evaluated(
    request: &Request,
    evaluated: &Evaluated,
    dataset: Dataset,
    observer: &dyn Observer,
) -> Result<(Report, PathBuf), Error> {
    let folder = &request.folder;
    let Evaluated {
        configuration,
        spec,
        model,
    } = evaluated;
    folder.check_dataset(&dataset)?;
    let RunData { dataset, .. } = RunData::standardised(dataset, model.standardisation().cloned());
    let kept = training_rows(configuration, &dataset)?;
    let split = request.split.of(&dataset, kept);
    if split.is_empty() {
        return Err(Error::Configuration(format!(
            "--split is {}, but the run held out no images; set data.validation when training",
            request.split.name()
        )));
    }
    let other = request.split.other().of(&dataset, kept);
    let n = request.subset.unwrap_or(split.len());
    if n == 0 || n > split.len() {
        return Err(Error::Configuration(format!(
            "--subset is {n}, but must lie between 1 and the {} {} images of {}",
            split.len(),
            request.split.name(),
            dataset.name
        )));
    }
    // The gap is measured with all rows of both splits.
    let most = if n == split.len() {
        n.max(other.len())
    } else {
        n
    };
    require_for_evaluation(spec, most, threads(request.threads))?;
    let pool = tensor_ops::parallel::ThreadPool::new(threads(request.threads))
        .map_err(models::TrainerError::from)?;
    let trained = configuration.treatment()?;
    let treatment = evaluated_treatment(configuration, request.treatment)?;
    let data_seed = configuration.data.test_seed;
    let subject = Subject {
        model,
        objective: configuration.objective()?.statement(spec),
        trained,
        treatment,
        data_seed: (treatment == DataTreatment::BinarisedOnce).then_some(data_seed),
        // A row's draw depends on its index alone: the first n of all.
        images: treated(
            treatment,
            run_data::images(&split).slice_rows(0..n),
            data_seed,
        )?,
        rows_of_split: split.len(),
        other: (n == split.len())
            .then(|| treated(treatment, run_data::images(&other), data_seed))
            .transpose()?,
        data: DataReport::of(&dataset, model.standardisation().is_some()),
        configuration,
        digest: match folder.read_result()? {
            Some(result) => result.digest,
            None => configuration.digest(&dataset.fingerprint),
        },
    };
    let report = pool.install(|| measure(request, &subject, observer))?;
    let path = folder.evaluation();
    sealed_json::write(&path, &report)?;
    if observer.wants_diagnosis()
        && let Some(line) =
            diagnosis::brief(folder, configuration, &dataset, model, request.threads)
    {
        observer.diagnosed(&line);
    }
    Ok((report, path))
}

/// What is measured.
struct Subject<'a> {
    model: &'a Model,
    /// What training minimised, in a sentence.
    objective: String,
    trained: DataTreatment,
    treatment: DataTreatment,
    data_seed: Option<u64>,
    /// The images of the request, after the treatment.
    images: Treated<'a>,
    /// How many the whole split has.
    rows_of_split: usize,
    /// All images of the other split, if those of the request are all of theirs.
    other: Option<Treated<'a>>,
    data: DataReport,
    configuration: &'a Configuration,
    digest: String,
}

fn measure(
    request: &Request,
    subject: &Subject<'_>,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    let (model, images): (_, Images<'_>) = (subject.model, subject.images.images());
    let options = |split: SplitName| EvaluationOptions {
        split: split.name().into(),
        seed: request.seed,
        data_treatment: subject.treatment,
    };
    let evaluation = evaluate(model, images, &options(request.split))?;
    let train_test_gap = match &subject.other {
        None => None,
        Some(images) => {
            let other = evaluate(model, images.images(), &options(request.split.other()))?;
            Some(match request.split {
                SplitName::Test | SplitName::Validation => Gap::between(&evaluation, &other),
                SplitName::Train => Gap::between(&other, &evaluation),
            })
        }
    };
    // Of two stochastic layers no posterior of the code is Gaussian.
    let is_gaussian = model.spec().architecture.lower.is_none();
    let rates = if model.spec().kind.is_variational() && is_gaussian {
        Some(rate_decomposition(&model.encode(images), request.seed)?)
    } else {
        None
    };
    let likelihood = match request.nll_samples {
        None => None,
        Some(samples) => {
            observer.sampling(images.nrows());
            let progress = || observer.sampled();
            Some(likelihood_bounds(
                model,
                images,
                samples,
                request.seed,
                &progress,
            )?)
        }
    };
    Ok(Report {
        nll_is_likelihood: likelihood
            .as_ref()
            .map(|_| subject.treatment.is_binary() || model.spec().likelihood.is_density()),
        data: subject.data.clone(),
        configuration: subject.configuration.clone(),
        digest: subject.digest.clone(),
        pixel_likelihood: model.spec().likelihood,
        objective: subject.objective.clone(),
        training_data_treatment: subject.trained,
        data_seed: subject.data_seed,
        evaluation,
        rows_of_split: subject.rows_of_split,
        likelihood,
        rates,
        train_test_gap,
    })
}

impl Gap {
    fn between(test: &Evaluation, train: &Evaluation) -> Self {
        Self {
            loss: test.loss - train.loss,
            reconstruction: test.reconstruction - train.reconstruction,
            kl: test.kl.zip(train.kl).map(|(test, train)| test - train),
        }
    }
}
