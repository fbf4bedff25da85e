//! What a row of likelihoods is measured by besides its own report: how far another draw
//! of its pixels would move it, and active units as the published code counts them.

use datasets::Dataset;
use evaluation::elbo::{EvaluationOptions, evaluate};
use evaluation::likelihood::deviation_between_draws;
use models::DataTreatment;
use serde::{Deserialize, Serialize};
use tensor_ops::parallel::ThreadPool;

use super::likelihoods::EVALUATION_SEED;
use crate::error::Error;
use crate::report::SplitName;
use crate::run_data::{images, training_rows};
use crate::run_folder::RunFolder;
use crate::run_images::{evaluated_treatment, treated};

/// Training images that the published code counts active units by (`get_units_variances`
/// of `iwae.py`).
const COUNTED_IMAGES: usize = 500;

/// Importance samples by which two draws are compared: what they leave of log p(x) is
/// nearly the same for both.
const SAMPLES_OF_DRAWS: usize = 100;

/// Units whose posterior mean varies between images by more than 0.01.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveUnits {
    /// How many.
    pub units: usize,
    /// The images they are counted by.
    pub images: usize,
}

/// What is measured beside a report.
pub(super) struct Measured {
    /// Deviation between draws of the mean of −log p(x); `None` where nothing is drawn.
    pub(super) draw_deviation: Option<f64>,
    /// By the first training images, binarised once. `None` of two stochastic layers: the
    /// code takes the means of the upper one at one sample of the lower, which count otherwise
    /// than those over all its samples.
    pub(super) first_training_images: Option<ActiveUnits>,
}

/// Measures the weights in `folder` by the first `count` test images.
///
/// # Errors
/// When the run or the data cannot be read as it was trained on them, or the model gives
/// values that are not finite.
pub(super) fn measure(
    folder: &RunFolder,
    dataset: &Dataset,
    count: usize,
    nll_samples: usize,
    threads: usize,
) -> Result<Measured, Error> {
    let configuration = folder.configuration()?;
    let model = folder.load_model(&configuration)?;
    let treatment = evaluated_treatment(&configuration, None)?;
    let seed = configuration.data.test_seed;
    let counted = COUNTED_IMAGES.min(training_rows(&configuration, dataset)?);
    let train = treated(
        treatment,
        images(&dataset.train).slice_rows(0..counted),
        seed,
    )?;
    let options = EvaluationOptions {
        split: SplitName::Train.name().into(),
        seed: EVALUATION_SEED,
        data_treatment: treatment,
    };
    let pool = ThreadPool::new(threads).map_err(models::TrainerError::from)?;
    pool.install(|| {
        let evaluation = evaluate(&model, train.images(), &options)?;
        let draw_deviation = if treatment == DataTreatment::BinarisedOnce {
            let draw = |seed| treated(treatment, images(&dataset.test).slice_rows(0..count), seed);
            let (own, other) = (draw(seed)?, draw(seed.wrapping_add(1))?);
            let draws = [own.images(), other.images()];
            let samples = nll_samples.min(SAMPLES_OF_DRAWS);
            let deviation = deviation_between_draws(&model, draws, samples, EVALUATION_SEED)?;
            Some(deviation)
        } else {
            None
        };
        Ok(Measured {
            draw_deviation,
            first_training_images: (model.spec().architecture.lower.is_none()).then_some(
                ActiveUnits {
                    units: evaluation.active_units,
                    images: evaluation.n,
                },
            ),
        })
    })
}
