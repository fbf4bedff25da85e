//! What can be said at the end of a command from what is at hand there: a look
//! at so few images that nobody waits for it.

use datasets::Dataset;
use evaluation::EvaluationError;
use models::Model;
use tensor_ops::parallel::ThreadPool;

use super::{Case, Course, Sample, Symptoms, TrainingImages, faults};
use crate::configuration::Configuration;
use crate::environment::threads;
use crate::error::Error;
use crate::run_folder::RunFolder;

/// Rows of each split at most.
const MOST_ROWS: usize = 256;

/// Rows that are too few to say anything from.
const FEWEST_ROWS: usize = 64;

/// Forward passes that a diagnosis makes of each row of the sample, in both
/// splits together.
const PASSES: f64 = 13.0;

/// Forward passes that a step of training costs for each image: one there, two
/// back.
const PASSES_OF_TRAINING: f64 = 3.0;

/// Share of an epoch that a brief diagnosis may cost.
const SHARE_OF_EPOCH: f64 = 0.02;

/// Share of all epochs that it may cost where images are so few that a share of one
/// is nothing: moments.
const SHARE_OF_RUN: f64 = 0.1;

/// Seed of the sample.
const SEED: u64 = 0;

/// The rows of each split for which a diagnosis costs no more than its share of
/// an epoch; of so few images that this would be none, its share of all epochs.
fn rows(images: usize, epochs: usize) -> Option<usize> {
    let epoch = PASSES_OF_TRAINING / PASSES * images as f64;
    let (of_epoch, of_run) = (SHARE_OF_EPOCH * epoch, SHARE_OF_RUN * epoch * epochs as f64);
    let rows = if of_epoch < FEWEST_ROWS as f64 {
        of_run.min(FEWEST_ROWS as f64)
    } else {
        of_epoch.min(MOST_ROWS as f64)
    };
    (rows >= FEWEST_ROWS as f64).then_some(rows as usize)
}

/// The diagnosis of a run in a line, from a small sample of its data, which are
/// as its `model` sees them; `None` of one in which nothing is wrong. What keeps
/// it from being made is said in its place: the work before it is done.
pub(crate) fn brief(
    folder: &RunFolder,
    configuration: &Configuration,
    dataset: &Dataset,
    model: &Model,
    threads: Option<usize>,
) -> Option<String> {
    said(looked_at(folder, configuration, dataset, model, threads))
}

/// [`brief`] of a run that has just been trained, whose weights are in its
/// folder.
pub(crate) fn of_training(
    folder: &RunFolder,
    configuration: &Configuration,
    dataset: &Dataset,
    threads: Option<usize>,
) -> Option<String> {
    let model = folder.load_model(configuration);
    said(model.and_then(|model| looked_at(folder, configuration, dataset, &model, threads)))
}

fn said(found: Result<Option<String>, Error>) -> Option<String> {
    found.unwrap_or_else(|error| Some(format!("no diagnosis: {error}")))
}

fn looked_at(
    folder: &RunFolder,
    configuration: &Configuration,
    dataset: &Dataset,
    model: &Model,
    asked_threads: Option<usize>,
) -> Result<Option<String>, Error> {
    let result = folder.read_result()?;
    let mut case = Case::of(folder, configuration, result.as_ref())?;
    let course = Course::of(&folder.read_metrics()?, &case.spec, &case.objective);
    case.course = course.as_ref();
    let epochs = course.map_or(1, |course| course.epochs);
    let Some(rows) = rows(dataset.train.len(), epochs) else {
        return Ok(None);
    };
    let sample = Sample::of_model_data(configuration, dataset, rows, SEED)?;
    let pool = ThreadPool::new(threads(asked_threads)).map_err(models::TrainerError::from)?;
    let images = TrainingImages::of(&sample, case.spec.likelihood)?;
    let range = images.range;
    let symptoms = match pool.install(|| Symptoms::of(model, &sample, range, SEED, false)) {
        Ok(symptoms) => Some(symptoms),
        Err(EvaluationError::Diverged(sentence)) => {
            case.divergence = Some(sentence);
            None
        }
        Err(error) => return Err(error.into()),
    };
    case.images = Some(&images);
    case.symptoms = symptoms.as_ref();
    let (findings, _) = faults::judge(&case);
    let run = case.run;
    Ok(findings.first().map(|finding| {
        let line = finding.line();
        format!("diagnosis: {line} (more: latent-atlas diagnose {run})")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brief_diagnosis_keeps_to_its_share() {
        assert_eq!(rows(60_000, 1), Some(MOST_ROWS));
        assert_eq!(rows(20_000, 1), Some(92));
        assert_eq!(rows(1_000, 1), None);
        assert_eq!(rows(500, 10), Some(FEWEST_ROWS));
        assert_eq!(rows(1_000, 100), Some(FEWEST_ROWS));
        for (images, epochs) in [(60_000, 10), (14_000, 1), (5_000, 20), (300, 30)] {
            let cost = rows(images, epochs).map_or(0.0, |rows| rows as f64 * PASSES);
            let epoch = PASSES_OF_TRAINING * images as f64;
            assert!(cost <= (SHARE_OF_EPOCH * epoch).max(SHARE_OF_RUN * epoch * epochs as f64));
        }
    }
}
