//! Studies: which runs a question needs, and the figures and numbers that
//! answer it.

mod autoencoder;
mod dimensions;
mod divergence;
mod drawing;
mod figure_data;
mod image_quality;
mod lab;
mod plane_map;
pub(crate) mod random_codes;
mod sampling;
mod trained_run;
mod trajectories;
mod wording;

use datasets::Dataset;
use viz::page::{Block, Section};

pub use drawing::{Animated, Described, Drawing};
pub(crate) use trained_run::title;
pub use trained_run::{DivergedRun, TrainedRun};
pub(crate) use wording::name_of;

use crate::claims::Claim;
use crate::configuration::Configuration;
use crate::error::Error;

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
    plan: fn(&Dataset, Scale) -> Vec<PlannedRun>,
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

/// How much work a study may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Fewer epochs, for a first look.
    pub quick: bool,
    /// Seeds per model.
    pub seeds: usize,
}

/// A run that a study needs.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRun {
    /// The study's name for the model, such as `vae`.
    pub key: &'static str,
    /// What to train.
    pub configuration: Configuration,
}

impl Study {
    /// The runs it needs.
    #[must_use]
    pub fn runs(&self, dataset: &Dataset, scale: Scale) -> Vec<PlannedRun> {
        (self.plan)(dataset, scale)
    }

    /// Whether it can be made of this data set.
    ///
    /// # Errors
    /// When the data set does not have ten classes of 28 × 28 images.
    pub fn check(&self, dataset: &Dataset) -> Result<(), Error> {
        let counts = dataset
            .test
            .class_counts(dataset.classes())
            .unwrap_or_default();
        let classes = counts.iter().filter(|&&count| count > 0).count();
        if dataset.classes() != 10 || classes != 10 {
            return Err(Error::Configuration(format!(
                "the study '{}' was asked of {}, whose test images have {classes} classes, but it expects ten; choose another --dataset",
                self.name, dataset.name
            )));
        }
        Ok(())
    }

    /// Draws its figures and writes its section. What needs a model of which
    /// every run diverged is left out; the section names these runs first.
    ///
    /// # Errors
    /// When a figure cannot be made or written.
    pub fn draw(&self, drawing: &mut Drawing<'_>) -> Result<Report, Error> {
        let mut blocks: Vec<Block> = divergence::table(drawing.diverged).into_iter().collect();
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

/// The labels of a split that has some.
pub(crate) fn labels(split: &datasets::Split) -> &[u32] {
    split.labels().unwrap_or_default()
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
