//! Runs of one data set, opened to be shown side by side under names that tell
//! them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use datasets::Dataset;
use runs::Error;
use runs::configuration::Configuration;
use runs::run_folder::{RunFolder, Status};

use crate::TrainedRun;

/// More runs are not told apart side by side.
const MOST_RUNS: usize = 12;

/// The configurations of runs that can stand side by side.
pub(crate) fn configurations(folders: &[RunFolder]) -> Result<Vec<Configuration>, Error> {
    if folders.is_empty() || folders.len() > MOST_RUNS {
        return Err(Error::Configuration(format!(
            "{} runs were named, but 1 to {MOST_RUNS} can stand side by side",
            folders.len()
        )));
    }
    let places: Vec<PathBuf> = folders
        .iter()
        .map(|folder| place_of(folder.path()))
        .collect();
    for (index, place) in places.iter().enumerate() {
        if places[..index].contains(place) {
            return Err(Error::Configuration(format!(
                "{} was named twice; name each run once",
                folders[index].path().display()
            )));
        }
    }
    folders.iter().map(RunFolder::configuration).collect()
}

/// The same of all ways to name a folder.
fn place_of(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The runs that have weights, and a sentence about each that diverged before it
/// had any.
///
/// # Errors
/// When there is none with weights.
pub(crate) fn with_weights(folders: &[RunFolder]) -> Result<(Vec<RunFolder>, Vec<String>), Error> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for folder in folders {
        let divergence = folder
            .read_result()?
            .filter(|result| result.status == Status::Diverged && !folder.model().exists())
            .and_then(|result| result.divergence);
        match divergence {
            None => with.push(folder.clone()),
            Some(divergence) => without.push(format!(
                "Left out: {}, which has no weights, because {divergence}.",
                folder.path().display()
            )),
        }
    }
    if with.is_empty() {
        let first = &folders[0];
        return Err(Error::RunFolder(without_weights(first)?));
    }
    Ok((with, without))
}

/// Why a run that diverged cannot be drawn.
fn without_weights(folder: &RunFolder) -> Result<String, Error> {
    let divergence = folder.read_result()?.and_then(|result| result.divergence);
    Ok(format!(
        "{} has no weights to draw: {}; train it again with a smaller --lr",
        folder.path().display(),
        divergence.unwrap_or_default()
    ))
}

/// Opens runs under names that tell them apart.
pub(crate) fn open(folders: &[RunFolder], dataset: &Dataset) -> Result<Vec<TrainedRun>, Error> {
    let mut runs = Vec::new();
    for folder in folders {
        let run = TrainedRun::open(folder.clone(), dataset).map_err(|error| match error {
            Error::RunFolder(problem) if !runs.is_empty() => {
                Error::RunFolder(format!("{problem}; runs side by side are of one data set"))
            }
            error => error,
        })?;
        runs.push(run);
    }
    let differing = differing(&runs);
    let mut keys = BTreeSet::new();
    let titles: Vec<String> = runs
        .iter()
        .map(|run| told_apart(run, &runs, &differing))
        .collect();
    Ok(runs
        .into_iter()
        .zip(titles)
        .enumerate()
        .map(|(index, (run, title))| {
            let mut key = run.key.clone();
            if !keys.insert(key.clone()) {
                key = format!("{key}-{}", index + 1);
                keys.insert(key.clone());
            }
            run.called(key, title)
        })
        .collect())
}

/// The title of a run, with the settings that tell it from others of the same
/// title; the name of its folder where none does.
fn told_apart(
    run: &TrainedRun,
    runs: &[TrainedRun],
    differing: &BTreeMap<String, Vec<String>>,
) -> String {
    let alike: Vec<usize> = (0..runs.len())
        .filter(|&index| runs[index].title() == run.title())
        .collect();
    if alike.len() == 1 {
        return run.title();
    }
    let own = runs.iter().position(|other| std::ptr::eq(other, run));
    let settings: Vec<String> = differing
        .iter()
        .filter(|(_, values)| alike.iter().any(|&index| values[index] != values[alike[0]]))
        .filter_map(|(name, values)| {
            let last = name.rsplit('.').next().unwrap_or(name).replace('_', " ");
            own.map(|own| format!("{last} {}", values[own]))
        })
        .collect();
    if settings.is_empty() || settings.len() > 3 {
        format!("{} ({})", run.title(), run.key)
    } else {
        format!("{}, {}", run.title(), settings.join(", "))
    }
}

/// Settings that are not the same in all runs, with the value of each run.
pub(crate) fn differing(runs: &[TrainedRun]) -> BTreeMap<String, Vec<String>> {
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        for (name, value) in run.configuration.settings() {
            let values = settings.entry(name).or_default();
            values.resize(index, String::new());
            values.push(value);
        }
    }
    for values in settings.values_mut() {
        values.resize(runs.len(), String::new());
    }
    settings.retain(|_, values| values.iter().any(|value| *value != values[0]));
    settings
}

/// `20 epochs`, and whether more were asked for.
pub(crate) fn how_far(run: &TrainedRun) -> Result<String, Error> {
    let (done, asked) = (run.metrics.len(), run.configuration.training.epochs);
    let status = run.folder.read_result()?.map(|result| result.status);
    Ok(match status {
        Some(Status::Diverged) => format!("{done} of {asked} epochs, then diverged"),
        Some(Status::Done) if done == 0 && run.configuration.is_imported() => "imported".into(),
        Some(Status::Done) if done == 1 => "1 epoch".into(),
        Some(Status::Done) => format!("{done} epochs"),
        None => format!("{done} of {asked} epochs so far"),
    })
}
