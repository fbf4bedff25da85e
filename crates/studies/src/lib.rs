//! Studies: which runs a question needs, and the figures and numbers that
//! answer it.

#![forbid(unsafe_code)]

mod autoencoder;
pub mod claims;
mod collapsed;
mod dimensions;
pub mod draw;
mod lab;
pub mod markdown;
pub mod measures;
mod page;
pub use page::replication;
pub mod planned;
mod sampling;
pub mod seeds;
pub mod study;
mod trajectories;

use std::path::Path;
use std::sync::LazyLock;

use datasets::Dataset;
pub use figures::{DivergedRun, Drawing, PlannedRun, Scale, TrainedRun};
use figures::{divergence, wording};
use runs::Error;
pub use seeds::Seeds;
pub use study::Study;
use viz::page::{Block, Section};

use crate::claims::Claim;

/// The studies of the atlas, in the order of the page.
pub static STUDIES: LazyLock<[Study; 5]> = LazyLock::new(|| {
    [
        Study::built_in("lab", include_str!("lab/study.toml"), lab::PECULIAR),
        Study::built_in(
            "autoencoder",
            include_str!("autoencoder/study.toml"),
            autoencoder::PECULIAR,
        ),
        Study::built_in(
            "trajectories",
            include_str!("trajectories/study.toml"),
            trajectories::PECULIAR,
        ),
        Study::built_in(
            "sampling",
            include_str!("sampling/study.toml"),
            sampling::PECULIAR,
        ),
        Study::built_in(
            "dimensions",
            include_str!("dimensions/study.toml"),
            dimensions::PECULIAR,
        ),
    ]
});

/// What a study says.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its part of the page.
    pub section: Section,
    /// The statements it measured.
    pub claims: Vec<Claim>,
}

/// Whether the runs of a study can be trained on this data set.
///
/// # Errors
/// When there are no training or test images, or their values are not those of
/// a model's likelihood.
pub fn check(study: &Study, runs: &[PlannedRun], dataset: &Dataset) -> Result<(), Error> {
    let noun = dataset.shape().noun();
    if dataset.train.is_empty() || dataset.test.is_empty() {
        return Err(Error::Configuration(format!(
            "the study '{}' was asked of {}, which has {} training and {} test {noun}, but it needs some of both; choose another --dataset",
            study.name(),
            dataset.name,
            dataset.train.len(),
            dataset.test.len(),
        )));
    }
    let [low, high] = dataset.range();
    let is_within_unit = low >= 0.0 && high <= 1.0;
    for run in runs {
        let likelihood = run.configuration.likelihood()?;
        if likelihood.is_of_unit_interval() && !is_within_unit {
            return Err(Error::Configuration(format!(
                "the study '{}' was asked of {}, whose {noun} hold values from {low} to {high}, but it trains models of values in [0, 1] (likelihood '{likelihood}'); bring them there (--maximum, where they start at 0) or choose another --dataset",
                study.name(),
                dataset.name
            )));
        }
    }
    Ok(())
}

/// Draws a study's figures and writes its section, with what was decided about its
/// statements. What needs a model of which
/// every run diverged is left out; the section names these runs first.
///
/// # Errors
/// When a figure cannot be made or written.
pub fn report(
    study: &Study,
    drawing: &mut Drawing<'_>,
    claims: Vec<Claim>,
) -> Result<Report, Error> {
    let mut blocks: Vec<Block> = wording::own_data(drawing.dataset).into_iter().collect();
    blocks.extend(wording::held_out(drawing.dataset, drawing.runs));
    blocks.extend(divergence::table(drawing.diverged));
    if !drawing.runs.is_empty() {
        blocks.extend(study.blocks(drawing)?);
    }
    Ok(Report {
        section: Section {
            heading: study.title().into(),
            blocks,
        },
        claims,
    })
}

/// The studies called `chosen`, and those of the files that are named (`*.toml`);
/// all of the atlas for an empty list.
///
/// # Errors
/// An unknown name; the message says which is meant. A file that cannot be
/// understood.
pub fn select(chosen: &[String]) -> Result<Vec<Study>, Error> {
    if chosen.is_empty() {
        return Ok(STUDIES.to_vec());
    }
    chosen
        .iter()
        .map(|name| {
            if Path::new(name).extension().is_some_and(|end| end == "toml") {
                return Study::read(Path::new(name));
            }
            let known = || STUDIES.iter().map(Study::name);
            let found = names::find(name, known());
            let study = STUDIES.iter().find(|study| Some(study.name()) == found);
            study.cloned().ok_or_else(|| {
                Error::Configuration(format!(
                    "there is no study '{name}' (one in a file ends in .toml); {}",
                    names::hint(name, known(), &[])
                ))
            })
        })
        .collect()
}
