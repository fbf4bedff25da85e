//! Published results made again: the recipe trained, measured as the source
//! measures, and set beside its numbers.
//!
//! A reproduction keeps its runs and one small result file per row in its own
//! folder, so that calling it again trains and measures only what is missing,
//! a longer schedule continues the runs of a shorter one, and the
//! [document](document::write) is made of what has been run and nothing else.

pub mod document;
mod likelihoods;
mod losses;
mod measured;
mod table;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use datasets::{Dataset, Lookup};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::configuration::{Configuration, Override};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::jobs::{Due, Limits, Share, side_by_side};
use crate::run_folder::RunFolder;
use crate::training::{self, Run};
use crate::{atomic_file, presets, report, sealed_json};

pub use likelihoods::{LikelihoodRow, PublishedLikelihood};
pub use losses::{LossRow, PublishedLoss};
pub use measured::ActiveUnits;
pub use table::Table;

/// A published result.
#[derive(Debug, PartialEq)]
pub struct Reproduction {
    /// The name on the command line, of the folder and of the preset.
    pub name: &'static str,
    /// One line for the help and the document.
    pub about: &'static str,
    /// Numbers of epochs, the lower and the upper end of the range that the
    /// test loss of a run of the recipe should then fall into, and what it is
    /// drawn around; none where likelihoods are published.
    losses: &'static [(usize, f64, f64, &'static str)],
    /// The preset of two stochastic layers, where there are likelihoods of those too.
    two_layers: Option<&'static str>,
}

/// The seed of a reproduction that names none.
pub const SEED: u64 = 42;

const IWAE_TABLE_1: &str = "iwae-table1";
const IWAE_TABLE_1_AS_PUBLISHED: &str = "iwae-table1-as-published";
const NOTEBOOKS: &str = "notebooks with 200 and 392 hidden units, an independent JAX run";

impl Reproduction {
    /// All of them, in the order of the help.
    pub const ALL: &'static [Self] = &[
        Self {
            name: IWAE_TABLE_1,
            about: "Burda et al. 2016, Table 1: −log p(x) of binarised MNIST, one or two stochastic layers, k samples in training",
            losses: &[],
            two_layers: Some(presets::TWO_LAYERS),
        },
        Self {
            name: IWAE_TABLE_1_AS_PUBLISHED,
            about: "the same table, trained as the code published with the paper trains, which differs from its text",
            losses: &[],
            two_layers: Some(presets::TWO_LAYERS_AS_PUBLISHED),
        },
        Self {
            name: "pytorch-example",
            about: "PyTorch's VAE example, 784-400-20: test loss on grey MNIST after 10 epochs",
            losses: &[(10, 105.2, 106.2, "three logs of the example, 105.56–105.77")],
            two_layers: None,
        },
        Self {
            name: "keras-2d",
            about: "the two-dimensional VAE of the Keras notebooks, 784-256-2: test loss on grey MNIST after 10 and 30 epochs",
            losses: &[(10, 155.4, 157.5, NOTEBOOKS), (30, 150.9, 153.0, NOTEBOOKS)],
            two_layers: None,
        },
    ];

    /// The one called `name`, in any case of letters.
    ///
    /// # Errors
    /// When there is none; the message names the nearest.
    pub fn find(name: &str) -> Result<&'static Self, Error> {
        names::choose("reproduction", name, Self::ALL, |one| one.name).map_err(Error::Configuration)
    }

    /// Whether its rows are likelihoods by number of samples, and not losses by epoch.
    #[must_use]
    pub fn is_of_likelihoods(&self) -> bool {
        self.losses.is_empty()
    }
}

/// What to reproduce, and how much of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which result.
    pub reproduction: &'static Reproduction,
    /// The images; the published ones are MNIST.
    pub dataset: String,
    /// Stages of the IWAE schedule, 1 to 8: (3ⁿ − 1)/2 epochs.
    pub stages: u32,
    /// Stochastic layers of the IWAE table, 1 or 2.
    pub layers: usize,
    /// Samples in training, one row each.
    pub samples: Vec<usize>,
    /// Measure −log p(x) on the first so many test images; `None` for all.
    pub subset: Option<usize>,
    /// Importance samples of −log p(x).
    pub nll_samples: usize,
    /// Seeds of the runs, a row each.
    pub seeds: Vec<u64>,
    /// Train what is missing; otherwise measure the runs as they stand.
    pub trains: bool,
    /// Folder of the reproductions.
    pub out: PathBuf,
    /// Threads of all runs together, and how many are trained at once.
    pub limits: Limits,
    /// The longest that training goes on without a checkpoint.
    pub checkpoint_every: Duration,
    /// Where data sets are looked up.
    pub lookup: Lookup,
    /// The command as typed, for the runs and for what to repeat.
    pub command: String,
}

/// Hears how far a reproduction has come. Several runs may be under way at once.
pub trait Observer {
    /// The run of a row is trained for up to so many epochs.
    fn training(&self, row: &str, epochs: usize) -> Box<dyn training::Observer + '_>;
    /// Its −log p(x) is measured.
    fn measuring(&self, row: &str) -> Box<dyn report::Observer + '_>;
    /// Something about all of it, in a sentence.
    fn remark(&self, sentence: &str);
}

/// Hears nothing.
impl Observer for () {
    fn training(&self, _row: &str, _epochs: usize) -> Box<dyn training::Observer + '_> {
        Box::new(())
    }

    fn measuring(&self, _row: &str) -> Box<dyn report::Observer + '_> {
        Box::new(())
    }

    fn remark(&self, _sentence: &str) {}
}

/// The rows of a reproduction, ours and the published numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rows {
    /// Likelihoods by number of samples in training.
    Likelihoods(Vec<LikelihoodRow>),
    /// Test losses by number of epochs.
    Losses(Vec<LossRow>),
}

impl Rows {
    /// The rows as text, for a terminal or a document.
    #[must_use]
    pub fn table(&self) -> Table {
        match self {
            Self::Likelihoods(rows) => Table::of(rows),
            Self::Losses(rows) => Table::of(rows),
        }
    }
}

/// One measured row, as its result file has it.
trait Row: Serialize + DeserializeOwned {
    /// What its cells are.
    const COLUMNS: &'static [&'static str];

    /// It as text.
    fn cells(&self) -> Vec<String>;

    /// What it is sorted by among others.
    fn place(&self) -> [u64; 4];
}

/// Trains and measures what is missing, and gives all rows asked for.
///
/// # Errors
/// A request out of range, anything that training or evaluation refuses, or a
/// stop asked for by a signal, after a checkpoint. A run that diverges is an error
/// when the others are finished, and their rows are kept.
pub fn run(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &(dyn Observer + Sync),
) -> Result<Rows, Error> {
    check(request)?;
    atomic_file::check_folder(&request.out)?;
    let command = request.command.clone();
    let _farewell = interrupt.on_departure(move || Error::Interrupted {
        command: command.clone(),
    });
    let dataset = datasets::load(&request.dataset, &request.lookup, download)?;
    let workshop = Workshop {
        request,
        dataset: &dataset,
        folder: request.out.join(request.reproduction.name),
        interrupt,
        observer,
    };
    if request.reproduction.is_of_likelihoods() {
        likelihoods::rows(&workshop).map(Rows::Likelihoods)
    } else {
        losses::rows(&workshop).map(Rows::Losses)
    }
}

/// A run that [`run`] would train, for those who train it elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRun {
    /// What it is one of several seeds of.
    pub model: String,
    /// What to train.
    pub configuration: Configuration,
    /// Where [`run`] looks for it, below [`Request::out`].
    pub folder: PathBuf,
}

/// The data set and the runs that [`run`] would train for the same request, whatever
/// stands in its folder.
///
/// # Errors
/// A request out of range, or data that cannot be had.
pub fn planned(
    request: &Request,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<(Dataset, Vec<PlannedRun>), Error> {
    check(request)?;
    let dataset = datasets::load(&request.dataset, &request.lookup, download)?;
    let name = request.reproduction.name;
    let workshop = Workshop {
        request,
        dataset: &dataset,
        folder: PathBuf::from(name),
        interrupt: &Interrupt::default(),
        observer: &(),
    };
    let planned = if request.reproduction.is_of_likelihoods() {
        likelihoods::planned(&workshop)?
    } else {
        let planned = losses::planned(&workshop)?;
        planned
            .into_iter()
            .map(|run| (name.to_owned(), run))
            .collect()
    };
    let runs = planned.into_iter().map(|(model, run)| PlannedRun {
        model,
        folder: run.folder.path().to_owned(),
        configuration: run.configuration,
    });
    let runs = runs.collect();
    Ok((dataset, runs))
}

/// Refuses what cannot be asked for, before data are read.
fn check(request: &Request) -> Result<(), Error> {
    let has_two = request.reproduction.two_layers.is_some();
    if request.layers != 1 && !(has_two && request.layers == 2) {
        return Err(Error::Configuration(format!(
            "--layers is {}, but must be 1, or 2 with {IWAE_TABLE_1} and {IWAE_TABLE_1_AS_PUBLISHED}",
            request.layers
        )));
    }
    if request.reproduction.is_of_likelihoods() {
        likelihoods::check(request)?;
    }
    check_distinct("--k", &request.samples)?;
    check_distinct("--seed", &request.seeds)?;
    Ok(())
}

/// What the rows of one reproduction are made with.
struct Workshop<'a> {
    request: &'a Request,
    dataset: &'a Dataset,
    folder: PathBuf,
    interrupt: &'a Interrupt,
    observer: &'a (dyn Observer + Sync),
}

/// A run of a reproduction.
struct Planned {
    /// What its row is called.
    row: String,
    configuration: Configuration,
    folder: RunFolder,
}

impl Workshop<'_> {
    /// A preset on the data set of the request, with a seed and further settings.
    fn configuration(
        &self,
        preset: &str,
        seed: u64,
        settings: &[(&str, String)],
    ) -> Result<Configuration, Error> {
        let quoted = toml::Value::from(self.request.dataset.as_str()).to_string();
        let common = [
            ("data.dataset", quoted),
            ("training.seed", seed.to_string()),
        ];
        let overrides = common.iter().chain(settings).map(|(key, value)| {
            let mut set = Override::parse(&format!("{key}={value}"))?;
            set.origin = "the recipe".into();
            Ok(set)
        });
        let overrides = overrides.collect::<Result<Vec<_>, Error>>()?;
        Configuration::resolve(Some(preset), None, &overrides)
    }

    /// Trains `planned` side by side, where that is asked for, and does `then` with
    /// each run and its place as soon as it is trained; `evaluated` is how many rows
    /// that is about.
    fn complete<T: Send>(
        &self,
        planned: &[Planned],
        evaluated: usize,
        then: impl Fn(usize, &Share) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let due = planned.iter().map(|planned| {
            let configuration = &planned.configuration;
            Due::training(&planned.row, configuration, self.dataset)?.then_evaluated(
                configuration,
                evaluated,
                1,
            )
        });
        let ended = side_by_side(
            &due.collect::<Result<Vec<_>, Error>>()?,
            self.request.limits,
            self.interrupt,
            &|sentence| self.observer.remark(sentence),
            |place, share, interrupt| {
                if self.request.trains {
                    match self.train(&planned[place], share, interrupt) {
                        // Its place in the table stays empty; the others go on.
                        Err(error @ Error::Diverged { .. }) => return Ok(Err(error)),
                        trained => trained?,
                    }
                }
                then(place, share).map(Ok)
            },
        );
        match ended {
            Err(Error::Abandoned) => Err(self.interrupted()),
            ended => ended?.into_iter().collect(),
        }
    }

    /// Brings a run to the end of its configuration: a new one, or one that was
    /// interrupted, finished, or meant to be shorter.
    fn train(&self, planned: &Planned, share: &Share, interrupt: &Interrupt) -> Result<(), Error> {
        let Planned {
            row,
            configuration,
            folder,
        } = planned;
        let mut is_longer = false;
        if folder.exists() {
            folder.check_dataset(self.dataset)?;
            let found = folder.configuration()?;
            is_longer = configuration.extends(&found);
            if !is_longer && found.identity() != configuration.identity() {
                return Err(another_run(folder, configuration, &found));
            }
        }
        let mut observer = self.observer.training(row, configuration.training.epochs);
        let run = Run {
            configuration,
            dataset: self.dataset,
            standardisation: None,
            threads: share.clone(),
            checkpoint_every: self.request.checkpoint_every,
            keeps_state: true,
            folder: folder.clone(),
            command: &self.request.command,
        };
        let ended = if is_longer {
            run.resume(true, interrupt, observer.as_mut())
        } else {
            run.complete(interrupt, observer.as_mut())
        };
        ended.map(drop)
    }

    fn interrupted(&self) -> Error {
        Error::Interrupted {
            command: self.request.command.clone(),
        }
    }
}

/// Refuses a list of which rows are made that has one number twice.
fn check_distinct<N: Ord + Display>(option: &str, numbers: &[N]) -> Result<(), Error> {
    let mut known = BTreeSet::new();
    match numbers.iter().find(|&number| !known.insert(number)) {
        None => Ok(()),
        Some(number) => Err(Error::Configuration(format!(
            "{option} has {number} twice, but makes one row of each number"
        ))),
    }
}

/// That `folder` holds the run of `found`, from which `asked` cannot go on.
fn another_run(folder: &RunFolder, asked: &Configuration, found: &Configuration) -> Error {
    let (longer, epochs) = (found.training.epochs, asked.training.epochs);
    let why = match found.extends(asked) {
        true => format!("a run of {longer} epochs, more than the {epochs} asked for"),
        false => "a run with other settings".into(),
    };
    let folder = folder.path().display();
    Error::RunFolder(format!("{folder} holds {why}; choose another --out"))
}

/// Writes the result file of a row.
fn write_row(path: &Path, row: &impl Row) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        atomic_file::create_folder(folder)?;
    }
    sealed_json::write(path, row)
}

/// Reads the result file of a row; `None` when there is none.
fn read_row<R: Row>(path: &Path) -> Result<Option<R>, Error> {
    sealed_json::read(path, "delete it and repeat the command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reproduction_has_its_preset() {
        for one in Reproduction::ALL {
            assert_eq!(Reproduction::find(one.name).expect("its own name"), one);
            Configuration::resolve(Some(one.name), None, &[]).expect("a preset of that name");
        }
        let message = Reproduction::find("iwae-table").unwrap_err().to_string();
        assert!(message.contains("'iwae-table1'"), "{message}");
    }
}
