//! Studies: which runs a question needs, and the figures and numbers that
//! answer it.

mod autoencoder;
pub mod claims;
mod dimensions;
pub mod draw;
mod lab;
pub mod markdown;
mod page;
mod sampling;
mod trajectories;

use datasets::Dataset;
pub use figures::{DivergedRun, Drawing, PlannedRun, Scale, TrainedRun};
use figures::{divergence, wording};
use runs::Error;
use viz::page::{Block, Section};

use crate::claims::Claim;

/// Every study, in the order of the page.
pub const STUDIES: &[Study] = &[
    lab::STUDY,
    autoencoder::STUDY,
    trajectories::STUDY,
    sampling::STUDY,
    dimensions::STUDY,
];

/// A question, the runs it needs and the figures that answer it.
#[derive(Clone, Copy, Debug)]
pub struct Study {
    /// What `--study` takes, and the name of its folder.
    pub name: &'static str,
    /// Heading of its section.
    pub title: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    plan: fn(Scale) -> Vec<PlannedRun>,
    /// Its figures and text; called with at least one finished run.
    draw: fn(&mut Drawing<'_>) -> Result<Vec<Block>, Error>,
    /// Its statements, also when runs they need are missing.
    claims: fn(&Drawing<'_>) -> Result<Vec<Claim>, Error>,
}

/// What a study says.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its part of the page.
    pub section: Section,
    /// The statements of the source documents it measured.
    pub claims: Vec<Claim>,
}

impl Study {
    /// The runs it needs, of any data set: which one, its shape and how it was
    /// read are written into them when they are to be trained.
    #[must_use]
    pub fn runs(&self, scale: Scale) -> Vec<PlannedRun> {
        (self.plan)(scale)
    }

    /// Whether it can be made of this data set: all studies train models of
    /// values in [0, 1].
    ///
    /// # Errors
    /// When the data set has others, or no test images.
    pub fn check(&self, dataset: &Dataset) -> Result<(), Error> {
        let noun = dataset.shape().noun();
        if dataset.train.is_empty() || dataset.test.is_empty() {
            return Err(Error::Configuration(format!(
                "the study '{}' was asked of {}, which has {} training and {} test {noun}, but it needs some of both; choose another --dataset",
                self.name,
                dataset.name,
                dataset.train.len(),
                dataset.test.len()
            )));
        }
        let [low, high] = dataset.range();
        if low >= 0.0 && high <= 1.0 {
            return Ok(());
        }
        Err(Error::Configuration(format!(
            "the study '{}' was asked of {}, whose {noun} hold values from {low} to {high}, but it trains models of values in [0, 1]; bring them there (--maximum, where they start at 0) or choose another --dataset",
            self.name, dataset.name
        )))
    }

    /// Draws its figures and writes its section. What needs a model of which
    /// every run diverged is left out; the section names these runs first.
    ///
    /// # Errors
    /// When a figure cannot be made or written.
    pub fn draw(&self, drawing: &mut Drawing<'_>) -> Result<Report, Error> {
        let mut blocks: Vec<Block> = wording::own_data(drawing.dataset).into_iter().collect();
        blocks.extend(divergence::table(drawing.diverged));
        if !drawing.runs.is_empty() {
            blocks.extend((self.draw)(drawing)?);
        }
        Ok(Report {
            section: Section {
                heading: self.title.into(),
                blocks,
            },
            claims: (self.claims)(drawing)?,
        })
    }
}

/// The studies called `names`, all of them for an empty list.
///
/// # Errors
/// An unknown name; the message lists the known ones.
pub fn select(names: &[String]) -> Result<Vec<Study>, Error> {
    if names.is_empty() {
        return Ok(STUDIES.to_vec());
    }
    names
        .iter()
        .map(|name| {
            STUDIES
                .iter()
                .find(|study| study.name == name)
                .copied()
                .ok_or_else(|| {
                    let known: Vec<&str> = STUDIES.iter().map(|study| study.name).collect();
                    Error::Configuration(format!(
                        "there is no study '{name}'; expected one of {}",
                        known.join(", ")
                    ))
                })
        })
        .collect()
}
