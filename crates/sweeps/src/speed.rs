//! How long the runs of a plan are expected to take.

use std::collections::BTreeMap;
use std::time::Duration;

use datasets::Dataset;
use runs::Error;
use runs::configuration::Configuration;
use runs::run_data::RunData;
use runs::training::pace::{operations, operations_per_second};

/// Time for all measurements together, and the most for one.
const ALL: Duration = Duration::from_millis(1200);
const ONE: Duration = Duration::from_millis(300);

/// The most kinds of step that are measured.
const MOST_KINDS: usize = 6;

/// Seconds of each run on one thread: what it computes over what this machine does in a
/// second of training, or over `speed` operations a second.
///
/// Training of the most different models is timed for a moment; others are taken to be
/// as fast as that of the model nearest in size.
///
/// # Errors
/// Settings of no model, or ones that training refuses to begin with.
pub(crate) fn seconds(
    runs: &[(&Configuration, &Dataset)],
    speed: Option<f64>,
) -> Result<Vec<f64>, Error> {
    // Runs that differ in their seed alone take as long.
    let mut known: BTreeMap<String, f64> = BTreeMap::new();
    let mut work = Vec::with_capacity(runs.len());
    let mut kinds: BTreeMap<String, Kind<'_>> = BTreeMap::new();
    for &(configuration, dataset) in runs {
        let key = format!(
            "{:?} {:?} {}",
            configuration.model,
            step_of(configuration),
            dataset.fingerprint
        );
        let of_run = format!("{key} {}", configuration.training.epochs);
        let all = match known.get(&of_run) {
            Some(&all) => all,
            None => *known
                .entry(of_run)
                .or_insert(operations(configuration, dataset)?),
        };
        work.push((key.clone(), all));
        let epochs = configuration.training.epochs as f64;
        kinds.entry(key).or_insert(Kind {
            configuration,
            dataset,
            size: all / epochs,
        });
    }
    if let Some(speed) = speed {
        return Ok(work.into_iter().map(|(_, all)| all / speed).collect());
    }
    let measured = measured(&kinds)?;
    let speeds: BTreeMap<&str, f64> = kinds
        .iter()
        .map(|(key, kind)| (key.as_str(), nearest(&measured, kind.size)))
        .collect();
    let seconds = work.iter().map(|(key, all)| all / speeds[key.as_str()]);
    Ok(seconds.collect())
}

/// One kind of step.
struct Kind<'a> {
    configuration: &'a Configuration,
    dataset: &'a Dataset,
    /// Operations of an epoch.
    size: f64,
}

/// What a step depends on beside the model.
fn step_of(configuration: &Configuration) -> impl std::fmt::Debug + '_ {
    let training = &configuration.training;
    (
        training.batch,
        training.samples,
        &training.objective,
        &training.gradients,
        &configuration.data.treatment,
        configuration.data.standardise,
        configuration.data.validation,
    )
}

/// Operations a second of some kinds, from the smallest to the largest, each with its
/// size.
fn measured(kinds: &BTreeMap<String, Kind<'_>>) -> Result<Vec<(f64, f64)>, Error> {
    let mut by_size: Vec<&Kind<'_>> = kinds.values().collect();
    by_size.sort_by(|a, b| a.size.total_cmp(&b.size));
    let count = by_size.len().min(MOST_KINDS);
    let time = ONE.min(ALL / count.max(1) as u32);
    let mut speeds = Vec::new();
    for number in 0..count {
        // The first, the last, and others evenly between them.
        let kind = by_size[number * (by_size.len() - 1) / (count - 1).max(1)];
        let configuration = kind.configuration;
        // A copy shares the values.
        let data = RunData::of_training(configuration, kind.dataset.clone())?;
        let standardisation = data.standardisation.as_ref();
        let speed = operations_per_second(configuration, &data.dataset, standardisation, time)?;
        speeds.extend(speed.map(|speed| (kind.size, speed)));
    }
    if speeds.is_empty() {
        return Err(Error::Configuration(
            "the speed of training cannot be measured, because every model of the plan diverges in its first steps; lower training.learning_rate, or say the speed with --gflops".into(),
        ));
    }
    Ok(speeds)
}

/// The speed of the kind that is nearest in size.
fn nearest(measured: &[(f64, f64)], size: f64) -> f64 {
    let distance = |(other, _): &&(f64, f64)| (other / size).ln().abs();
    let found = measured
        .iter()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)));
    found.map_or(f64::NAN, |(_, speed)| *speed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_as_fast_as_the_nearest_that_was_measured() {
        let measured = [(1e6, 10.0), (1e9, 40.0)];
        for (size, speed) in [(1.0, 10.0), (2e6, 10.0), (3e8, 40.0), (1e12, 40.0)] {
            assert_eq!(nearest(&measured, size), speed, "{size}");
        }
    }
}
