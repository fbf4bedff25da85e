//! Studies: which runs a question needs, and the figures and numbers that
//! answer it.

mod autoencoder;
pub mod claims;
mod dimensions;
pub mod draw;
pub mod file;
mod lab;
pub mod markdown;
pub mod measures;
mod page;
mod sampling;
mod trajectories;

use std::path::Path;

use datasets::Dataset;
pub use figures::{DivergedRun, Drawing, PlannedRun, Scale, TrainedRun};
use figures::{divergence, wording};
use runs::Error;
use runs::configuration::ReadingConfiguration;
use viz::page::{Block, Section};

use crate::claims::Claim;

/// The studies of the atlas, in the order of the page.
pub const STUDIES: &[BuiltIn] = &[
    lab::STUDY,
    autoencoder::STUDY,
    trajectories::STUDY,
    sampling::STUDY,
    dimensions::STUDY,
];

/// A question, the runs it needs and the figures that answer it.
pub trait Study: Sync {
    /// What `--study` takes, and the name of its folder.
    fn name(&self) -> &str;

    /// Heading of its section.
    fn title(&self) -> &str;

    /// The data set it asks for where the command names none.
    fn dataset(&self) -> Option<&str> {
        None
    }

    /// How it reads its data where the command does not say.
    fn reading(&self) -> ReadingConfiguration {
        ReadingConfiguration::default()
    }

    /// Seeds per model where the command does not say.
    fn seeds(&self) -> usize {
        1
    }

    /// The runs it needs, of any data set: which one, its shape and how it was
    /// read are written into them when they are to be trained.
    fn runs(&self, scale: Scale) -> Vec<PlannedRun>;

    /// Its figures and text; called with at least one finished run.
    ///
    /// # Errors
    /// When a figure cannot be made or written.
    fn blocks(&self, drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error>;

    /// Its statements, also when runs they need are missing.
    ///
    /// # Errors
    /// When a measure cannot be kept.
    fn claims(&self, drawing: &Drawing<'_>) -> Result<Vec<Claim>, Error>;

    /// Whether it can be made of this data set, beyond what all need.
    ///
    /// # Errors
    /// When it cannot.
    fn check(&self, _dataset: &Dataset) -> Result<(), Error> {
        Ok(())
    }
}

/// A study of the atlas: its plan, figures and statements are functions.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// What `--study` takes, and the name of its folder.
    pub name: &'static str,
    /// Heading of its section.
    pub title: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    plan: fn(Scale) -> Vec<PlannedRun>,
    draw: fn(&mut Drawing<'_>) -> Result<Vec<Block>, Error>,
    claims: fn(&Drawing<'_>) -> Result<Vec<Claim>, Error>,
    /// What was found, in one sentence that claims and their numbers make.
    answer: fn(&[Claim]) -> Option<String>,
}

impl Study for BuiltIn {
    fn name(&self) -> &str {
        self.name
    }

    fn title(&self) -> &str {
        self.title
    }

    fn runs(&self, scale: Scale) -> Vec<PlannedRun> {
        (self.plan)(scale)
    }

    fn blocks(&self, drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
        (self.draw)(drawing)
    }

    fn claims(&self, drawing: &Drawing<'_>) -> Result<Vec<Claim>, Error> {
        (self.claims)(drawing)
    }

    /// They train models of values in [0, 1].
    fn check(&self, dataset: &Dataset) -> Result<(), Error> {
        let noun = dataset.shape().noun();
        let [low, high] = dataset.range();
        if low >= 0.0 && high <= 1.0 {
            return Ok(());
        }
        Err(Error::Configuration(format!(
            "the study '{}' was asked of {}, whose {noun} hold values from {low} to {high}, but it trains models of values in [0, 1]; bring them there (--maximum, where they start at 0) or choose another --dataset",
            self.name, dataset.name
        )))
    }
}

/// What a study says.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its part of the page.
    pub section: Section,
    /// The statements it measured.
    pub claims: Vec<Claim>,
}

/// Whether a study can be made of this data set.
///
/// # Errors
/// When there are no training or test images, or the study needs others.
pub fn check(study: &dyn Study, dataset: &Dataset) -> Result<(), Error> {
    if dataset.train.is_empty() || dataset.test.is_empty() {
        return Err(Error::Configuration(format!(
            "the study '{}' was asked of {}, which has {} training and {} test {}, but it needs some of both; choose another --dataset",
            study.name(),
            dataset.name,
            dataset.train.len(),
            dataset.test.len(),
            dataset.shape().noun(),
        )));
    }
    study.check(dataset)
}

/// Draws a study's figures and writes its section. What needs a model of which
/// every run diverged is left out; the section names these runs first.
///
/// # Errors
/// When a figure cannot be made or written.
pub fn report(study: &dyn Study, drawing: &mut Drawing<'_>) -> Result<Report, Error> {
    let mut blocks: Vec<Block> = wording::own_data(drawing.dataset).into_iter().collect();
    blocks.extend(divergence::table(drawing.diverged));
    if !drawing.runs.is_empty() {
        blocks.extend(study.blocks(drawing)?);
    }
    Ok(Report {
        section: Section {
            heading: study.title().into(),
            blocks,
        },
        claims: study.claims(drawing)?,
    })
}

/// The studies called `chosen`, and those of the files that are named (`*.toml`);
/// all of the atlas for an empty list.
///
/// # Errors
/// An unknown name; the message says which is meant. A file that cannot be
/// understood.
pub fn select(chosen: &[String]) -> Result<Vec<Box<dyn Study>>, Error> {
    let boxed = |study: &BuiltIn| -> Box<dyn Study> { Box::new(*study) };
    if chosen.is_empty() {
        return Ok(STUDIES.iter().map(boxed).collect());
    }
    chosen
        .iter()
        .map(|name| {
            if Path::new(name).extension().is_some_and(|end| end == "toml") {
                let study = file::StudyFile::read(Path::new(name))?;
                return Ok(Box::new(study) as Box<dyn Study>);
            }
            let known = || STUDIES.iter().map(|study| study.name);
            let found = names::find(name, known());
            let study = STUDIES.iter().find(|study| Some(study.name) == found);
            study.map(boxed).ok_or_else(|| {
                Error::Configuration(format!(
                    "there is no study '{name}'; {}; a study in a file ends in .toml",
                    names::hint(name, known(), &[])
                ))
            })
        })
        .collect()
}
