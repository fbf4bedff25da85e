//! The kit of figures: each picture is a function of runs of one data set, with
//! options, captions, numbers beside it and names of its files.
//!
//! A picture is a type whose fields are its options. To add one: a file here
//! and a line of [`KIT`].

mod aggregate_posterior;
mod architecture;
mod change;
mod classes;
mod cloud;
mod codes;
mod each_run;
mod explained;
mod gaps;
mod interpolation;
mod map;
mod path;
mod posteriors;
mod reconstructions;
mod regions;
mod samples;
mod training;
mod trajectories;
mod traversals;
mod units;

use runs::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use viz::page::Block;

use crate::{Drawing, TrainedRun};

pub use aggregate_posterior::AggregatePosterior;
pub use architecture::Architecture;
pub use change::{
    Change, ChangeFields, in_percent, log10_stretch, typical_distance, typical_distance_within,
};
pub use classes::Classes;
pub use cloud::{Cloud, PointCloud, slice};
pub use codes::Codes;
pub use explained::Explained;
pub use gaps::Gaps;
pub use interpolation::Interpolation;
pub use map::{Map, Over};
pub use path::Path;
pub use posteriors::{Ellipses, Of, Posteriors, at_the_origin, at_the_origin_in_words};
pub use reconstructions::Reconstructions;
pub use regions::{RegionMap, Regions, about_the_classifier};
pub use samples::Samples;
pub use training::Training;
pub use trajectories::Trajectories;
pub use traversals::Traversals;
pub use units::{THRESHOLD, Units, UnitsInUse, decades};

/// Every picture, in the order of a page that shows them all.
pub const KIT: &[Kind] = &[
    Kind::of::<Architecture>(),
    Kind::of::<Map>(),
    Kind::of::<Codes>(),
    Kind::of::<Reconstructions>(),
    Kind::of::<Samples>(),
    Kind::of::<Classes>(),
    Kind::of::<Traversals>(),
    Kind::of::<Interpolation>(),
    Kind::of::<Path>(),
    Kind::of::<Units>(),
    Kind::of::<Cloud>(),
    Kind::of::<Posteriors>(),
    Kind::of::<Explained>(),
    Kind::of::<AggregatePosterior>(),
    Kind::of::<Gaps>(),
    Kind::of::<Change>(),
    Kind::of::<Regions>(),
    Kind::of::<Training>(),
    Kind::of::<Trajectories>(),
];

/// What a page that shows everything has: each picture of the kit, the map also
/// over the codes, as the name of its files, the picture and its options.
#[must_use]
pub fn everything() -> Vec<(String, &'static Kind, toml::Table)> {
    let mut all = Vec::new();
    for kind in KIT {
        all.push((kind.name.to_owned(), kind, toml::Table::new()));
        if kind.name == Map::NAME {
            let over_codes = toml::Table::from_iter([("over".to_owned(), "codes".into())]);
            all.push(("map-over-codes".to_owned(), kind, over_codes));
        }
    }
    all
}

/// A picture with its options.
pub trait Picture: Default + Serialize + DeserializeOwned {
    /// What a study calls it, and how its files begin.
    const NAME: &'static str;
    /// Heading of its part of a page.
    const TITLE: &'static str;
    /// What it shows, in one line.
    const ABOUT: &'static str;

    /// Whether its options can be drawn, of whatever runs.
    ///
    /// # Errors
    /// When they cannot.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Draws it of `runs`, of which there is at least one, into files that begin
    /// with `file`; its options have been checked.
    ///
    /// # Errors
    /// [`Error::Undefined`] where these runs or their data do not have it.
    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error>;
}

/// A picture of the kit, whatever its options.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What a study calls it.
    pub name: &'static str,
    /// Heading of its part of a page.
    pub title: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    draw: Draw,
    options: fn() -> toml::Table,
    check: fn(&toml::Table) -> Result<(), Error>,
}

type Draw = fn(&mut Drawing<'_>, &[&TrainedRun], &toml::Table, &str) -> Result<Vec<Block>, Error>;

impl Kind {
    const fn of<P: Picture>() -> Self {
        Self {
            name: P::NAME,
            title: P::TITLE,
            about: P::ABOUT,
            draw: |drawing, runs, options, file| read::<P>(options)?.draw(drawing, runs, file),
            options: || toml::Table::try_from(P::default()).unwrap_or_default(),
            check: |options| read::<P>(options).map(|_| ()),
        }
    }

    /// Its options with their defaults.
    #[must_use]
    pub fn options(&self) -> toml::Table {
        (self.options)()
    }

    /// Whether it takes these options.
    ///
    /// # Errors
    /// An unknown option or a value it cannot have.
    pub fn check(&self, options: &toml::Table) -> Result<(), Error> {
        (self.check)(options)
    }

    /// Draws it of `runs` into files that begin with `file`; a sentence in its
    /// place where these runs or their data do not have it.
    ///
    /// # Errors
    /// Unknown options, or a file that cannot be written.
    pub fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        options: &toml::Table,
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let what = self.title.to_lowercase();
        drawing.blocks(&what, |drawing| (self.draw)(drawing, runs, options, file))
    }
}

/// The picture called `name`.
///
/// # Errors
/// An unknown name; the message says which is meant.
pub fn kind(name: &str) -> Result<&'static Kind, Error> {
    names::choose("figure", name, KIT, |kind| kind.name).map_err(Error::Configuration)
}

fn read<P: Picture>(options: &toml::Table) -> Result<P, Error> {
    let read = options.clone().try_into();
    let picture: P = read.map_err(|error: toml::de::Error| {
        let problem = error.message().replace('`', "'");
        Error::Configuration(format!(
            "the figure '{}' has a wrong option: {problem}",
            P::NAME
        ))
    })?;
    picture.check()?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_defaults_are_read_back() {
        for (index, kind) in KIT.iter().enumerate() {
            assert!(KIT[..index].iter().all(|other| other.name != kind.name));
            let options = kind.options();
            kind.check(&options).unwrap();
            kind.check(&toml::Table::new()).unwrap();
            let wrong: toml::Table = "colour = 3".parse().unwrap();
            let message = kind.check(&wrong).unwrap_err().to_string();
            assert!(
                message.contains("colour") && message.contains(kind.name),
                "{message}"
            );
        }
        assert!(kind("maps").unwrap_err().to_string().contains("map"));
    }
}
