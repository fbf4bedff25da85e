//! How long training is going to take, from steps that are timed.

use std::time::{Duration, Instant};

use datasets::Dataset;
use models::{Layout, Standardisation};

use super::Run;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::jobs::Share;
use crate::run_data::training_rows;
use crate::run_folder::RunFolder;

/// Steps that are not timed: they find nothing in the caches.
const WARM_UP: usize = 2;

/// Multiply-adds, each counted as two operations, of all that a run computes: its
/// steps, counted as dense, and the test pass after every epoch, which is a third of a
/// step for as many images.
///
/// # Errors
/// Settings of no model, or of no training images.
pub fn operations(configuration: &Configuration, dataset: &Dataset) -> Result<f64, Error> {
    const PASSES_OF_A_STEP: f64 = 3.0;
    let layout = Layout::new(&configuration.model_spec()?);
    let trained = training_rows(configuration, dataset)? * configuration.objective()?.samples;
    let rows = trained as f64 + dataset.test.len() as f64 / PASSES_OF_A_STEP;
    let epochs = configuration.training.epochs as f64;
    Ok(layout.training_flops_per_image() as f64 * rows * epochs)
}

/// Operations that training of `configuration` does in a second on one thread of this
/// machine, from as many steps as there is time for; one at least. None where training
/// diverges before that.
///
/// # Errors
/// As [`Run::start`], before its first step.
pub fn operations_per_second(
    configuration: &Configuration,
    dataset: &Dataset,
    standardisation: Option<&Standardisation>,
    time: Duration,
) -> Result<Option<f64>, Error> {
    let run = Run {
        configuration,
        dataset,
        standardisation,
        threads: Share::of(1),
        checkpoint_every: Duration::MAX,
        keeps_state: true,
        // Nothing is written.
        folder: RunFolder::at(""),
        command: "",
    };
    let images = run.images(1)?;
    let mut trainer = run.trainer(&images, 1)?;
    let (mut steps, mut began) = (0, Instant::now());
    let mut last = began;
    let batch = configuration.training.batch.min(images.train_count);
    let most = trainer.steps_in_epoch();
    let timed = trainer.run_steps(most, &mut |_| {
        steps += 1;
        last = Instant::now();
        if steps == WARM_UP && most > WARM_UP {
            began = last;
        }
        last - began < time
    });
    if timed.is_err() {
        return Ok(None);
    }
    let timed = if steps > WARM_UP {
        steps - WARM_UP
    } else {
        steps
    };
    let layout = Layout::new(&configuration.model_spec()?);
    let images = (timed * batch * configuration.objective()?.samples) as f64;
    let seconds = (last - began).as_secs_f64().max(1e-9);
    Ok(Some(
        images * layout.training_flops_per_image() as f64 / seconds,
    ))
}
