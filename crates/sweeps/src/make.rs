//! Making a plan: of studies, lists of configurations and published results.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use datasets::{Dataset, Lookup};
use runs::Error;
use runs::configuration::{Configuration, ReadingConfiguration};
use runs::jobs::Limits;
use runs::reproduce::{self, Reproduction};
use runs::run_data::{DataLocation, anchored};
use runs::training::CHECKPOINT_EVERY;
use studies::{STUDIES, Seeds, Study};

use crate::list::{self, Listed};
use crate::plan::{DIGITS, Plan, PlannedRun, with_slashes};
use crate::speed;

/// Which runs there are to be.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names of studies and published results, files of studies (`.toml`), of settings
    /// (`.toml`) and of lists of settings (`.jsonl`); empty for all studies of the
    /// atlas.
    pub sources: Vec<String>,
    /// The data set of all of them; `None` for what each names.
    pub dataset: Option<String>,
    /// Fewer epochs of the models of studies.
    pub quick: bool,
    /// Seeds per model, counted from the first; `None` for what each says.
    pub seeds: Option<Seeds>,
    /// The first seed.
    pub first_seed: Option<u64>,
    /// What of published results.
    pub published: Published,
    /// How data are read.
    pub reading: ReadingConfiguration,
    /// Where they are.
    pub location: DataLocation,
    /// Operations a second of one thread of the machines that train; `None` to measure
    /// them here.
    pub speed: Option<f64>,
}

impl Request {
    /// The seeds that were asked for of `what`, which has no statements; `None` where
    /// none were.
    fn counted_seeds(&self, what: &str) -> Result<Option<Range<u64>>, Error> {
        let Some(seeds) = self.seeds else {
            return Ok(None);
        };
        seeds.check("--seeds")?;
        let first = self.first_seed.unwrap_or(0);
        match seeds {
            Seeds::Each(count) => Ok(Some(first..first + count as u64)),
            Seeds::UntilDecided(_) => Err(Error::Configuration(format!(
                "--seeds is {seeds}, but {what} has nothing to decide; name a number"
            ))),
        }
    }
}

/// What `reproduce` is asked for besides a name.
#[derive(Clone, Debug)]
pub struct Published {
    /// Stages of the IWAE schedule.
    pub stages: u32,
    /// Stochastic layers.
    pub layers: usize,
    /// Samples in training, a run each.
    pub samples: Vec<usize>,
}

/// A plan that has been made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The plan.
    pub plan: Plan,
    /// How often a list asks for a run that has been asked for before; runs that several
    /// studies need are not counted.
    pub repeated: usize,
}

/// Makes the plan.
///
/// # Errors
/// An unknown name, a file that cannot be understood, data that cannot be had, seeds
/// that nobody knows before.
pub fn make(
    request: &Request,
    download: &mut dyn FnMut(datasets::Progress<'_>),
) -> Result<Made, Error> {
    let mut makers = Makers {
        request,
        data: Vec::new(),
        candidates: Vec::new(),
    };
    let named = Named::of(&request.sources)?;
    if !named.studies.is_empty() {
        makers.add_studies(&named.studies, download)?;
    }
    for listed in named.listed {
        makers.add_listed(listed, download)?;
    }
    for reproduction in named.reproductions {
        makers.add_reproduction(reproduction, download)?;
    }
    makers.plan()
}

/// What the sources are.
#[derive(Default)]
struct Named {
    studies: Vec<Study>,
    listed: Vec<Listed>,
    reproductions: Vec<&'static Reproduction>,
}

impl Named {
    fn of(sources: &[String]) -> Result<Self, Error> {
        let mut named = Self::default();
        if sources.is_empty() {
            named.studies = STUDIES.to_vec();
        }
        for source in sources {
            let path = Path::new(source);
            let ending = path.extension().and_then(|ending| ending.to_str());
            match ending {
                Some("jsonl") => named.listed.extend(list::read(path)?),
                Some("toml") => match list::read_configuration(path)? {
                    Some(listed) => named.listed.push(listed),
                    None => named.studies.push(Study::read(path)?),
                },
                _ => named.add(source)?,
            }
        }
        Ok(named)
    }

    fn add(&mut self, name: &str) -> Result<(), Error> {
        let studies = || STUDIES.iter().map(Study::name);
        let results = || Reproduction::ALL.iter().map(|one| one.name);
        if let Some(found) = names::find(name, studies()) {
            let study = STUDIES.iter().find(|study| study.name() == found);
            self.studies.extend(study.cloned());
        } else if names::find(name, results()).is_some() {
            self.reproductions.push(Reproduction::find(name)?);
        } else {
            let known: Vec<&str> = studies().chain(results()).collect();
            return Err(Error::Configuration(format!(
                "there is no study and no published result '{name}' (files end in .toml or .jsonl); {}",
                names::hint(name, known.iter().copied(), &[])
            )));
        }
        Ok(())
    }
}

/// A run that the plan may have.
struct Candidate {
    model: String,
    /// What asks for it, where several may call models alike.
    asker: Option<String>,
    configuration: Configuration,
    /// Place of its data.
    data: usize,
    /// Its folder, where that is not named after its content.
    folder: Option<String>,
}

struct Makers<'a> {
    request: &'a Request,
    /// With the settings by which they are found again.
    data: Vec<(Option<(String, ReadingConfiguration)>, Dataset)>,
    candidates: Vec<Candidate>,
}

impl Makers<'_> {
    fn add_studies(
        &mut self,
        studies: &[Study],
        download: &mut dyn FnMut(datasets::Progress<'_>),
    ) -> Result<(), Error> {
        let request = self.request;
        let asked = studies::planned::Request {
            studies,
            dataset: request.dataset.as_deref(),
            quick: request.quick,
            seeds: request.seeds,
            first_seed: request.first_seed.unwrap_or(0),
            reading: &request.reading,
            location: &request.location,
        };
        let (dataset, planned) = studies::planned::planned(&asked, download)?;
        self.data.push((None, dataset));
        for (study, runs) in studies.iter().zip(planned) {
            for run in runs {
                self.candidates.push(Candidate {
                    model: run.title.unwrap_or(run.key),
                    asker: Some(study.name().to_owned()),
                    configuration: run.configuration,
                    data: self.data.len() - 1,
                    folder: None,
                });
            }
        }
        Ok(())
    }

    fn add_listed(
        &mut self,
        listed: Listed,
        download: &mut dyn FnMut(datasets::Progress<'_>),
    ) -> Result<(), Error> {
        let Listed {
            model,
            mut configuration,
            has_seed,
            dataset_of,
        } = listed;
        let request = self.request;
        if let (Some(dataset), Some(line)) = (&request.dataset, dataset_of) {
            return Err(Error::Configuration(format!(
                "--dataset is {dataset}, but {line} says data.dataset itself; leave one of them out"
            )));
        }
        let own = configuration.training.seed;
        if let (Some(first), None) = (request.first_seed, request.seeds) {
            return Err(Error::Configuration(format!(
                "--first-seed is {first}, but of the settings of '{model}' no seeds are counted; add --seeds N, or leave it out"
            )));
        }
        if has_seed && request.seeds.is_some() {
            return Err(Error::Configuration(format!(
                "--seeds asks for several seeds, but the settings of '{model}' say training.seed is {own}; leave one of them out"
            )));
        }
        let seeds = request.counted_seeds("a list")?.unwrap_or(own..own + 1);
        if let Some(dataset) = &request.dataset {
            configuration.data.dataset.clone_from(dataset);
        }
        if request.reading != ReadingConfiguration::default() {
            configuration.data.reading = request.reading.clone();
        }
        configuration.data.dataset = anchored(&configuration.data.dataset)?;
        let data = self.data_of(&configuration, download)?;
        let configuration = configuration.of_shape(&self.data[data].1)?;
        for seed in seeds {
            let mut configuration = configuration.clone();
            configuration.training.seed = seed;
            self.candidates.push(Candidate {
                model: model.clone(),
                asker: None,
                configuration,
                data,
                folder: None,
            });
        }
        Ok(())
    }

    /// The place of the data of a configuration, which are read once.
    fn data_of(
        &mut self,
        configuration: &Configuration,
        download: &mut dyn FnMut(datasets::Progress<'_>),
    ) -> Result<usize, Error> {
        let key = (
            configuration.data.dataset.clone(),
            configuration.data.reading.clone(),
        );
        let key = Some(key);
        if let Some(place) = self.data.iter().position(|(known, _)| *known == key) {
            return Ok(place);
        }
        let dataset = self.request.location.load(configuration, download)?;
        self.data.push((key, dataset));
        Ok(self.data.len() - 1)
    }

    fn add_reproduction(
        &mut self,
        reproduction: &'static Reproduction,
        download: &mut dyn FnMut(datasets::Progress<'_>),
    ) -> Result<(), Error> {
        /// The images of every published number.
        const PUBLISHED: &str = "mnist";
        let request = self.request;
        let only = request.first_seed.unwrap_or(reproduce::SEED);
        let seeds = request.counted_seeds("a published result")?;
        let asked = reproduce::Request {
            reproduction,
            dataset: request.dataset.clone().unwrap_or_else(|| PUBLISHED.into()),
            stages: request.published.stages,
            layers: request.published.layers,
            samples: request.published.samples.clone(),
            subset: None,
            nll_samples: 1,
            seeds: seeds.unwrap_or(only..only + 1).collect(),
            trains: true,
            out: PathBuf::new(),
            limits: Limits::of(Some(1), Some(1)),
            checkpoint_every: CHECKPOINT_EVERY,
            lookup: Lookup::clone(&request.location.lookup),
            command: String::new(),
        };
        let (dataset, planned) = reproduce::planned(&asked, download)?;
        self.data.push((None, dataset));
        for run in planned {
            self.candidates.push(Candidate {
                model: run.model,
                asker: None,
                folder: Some(with_slashes(&run.folder)?),
                configuration: run.configuration,
                data: self.data.len() - 1,
            });
        }
        Ok(())
    }

    fn plan(self) -> Result<Made, Error> {
        let mut repeated = 0;
        let mut titles = Titles::default();
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        let mut runs: Vec<PlannedRun> = Vec::new();
        let mut kept: Vec<(&Configuration, &Dataset)> = Vec::new();
        for candidate in &self.candidates {
            let (configuration, dataset) = (&candidate.configuration, &self.data[candidate.data].1);
            let fingerprint = dataset.fingerprint.as_str();
            let digest = configuration.digest(fingerprint);
            let run = candidate
                .folder
                .clone()
                .unwrap_or_else(|| configuration.run_name(fingerprint));
            match known.insert(digest.clone(), run.clone()) {
                None => {}
                Some(other) if other == run => {
                    repeated += usize::from(candidate.asker.is_none());
                    continue;
                }
                Some(other) => {
                    return Err(Error::Configuration(format!(
                        "one run is asked for in two folders, {other} and {run}; make a plan of each"
                    )));
                }
            }
            runs.push(PlannedRun {
                id: digest[..DIGITS].to_owned(),
                run,
                model: titles.of(candidate, fingerprint),
                seed: configuration.training.seed,
                digest,
                dataset_sha256: fingerprint.to_owned(),
                seconds: 0.0,
                configuration: configuration.clone(),
            });
            kept.push((configuration, dataset));
        }
        let seconds = speed::seconds(&kept, self.request.speed)?;
        for (run, seconds) in runs.iter_mut().zip(seconds) {
            run.seconds = seconds;
        }
        Ok(Made {
            plan: Plan { runs },
            repeated,
        })
    }
}

/// What models are called: each otherwise, and what is the same but for its seed alike.
#[derive(Default)]
struct Titles {
    by_settings: BTreeMap<String, String>,
    taken: BTreeMap<String, String>,
}

impl Titles {
    fn of(&mut self, candidate: &Candidate, fingerprint: &str) -> String {
        let mut settings = candidate.configuration.clone();
        settings.training.seed = 0;
        let settings = settings.digest(fingerprint);
        if let Some(title) = self.by_settings.get(&settings) {
            return title.clone();
        }
        let own = candidate.model.clone();
        let with_asker = candidate
            .asker
            .as_ref()
            .map(|asker| format!("{asker}/{own}"));
        let numbered = (2..).map(|number| format!("{own} ({number})"));
        let mut titles = [own.clone()].into_iter().chain(with_asker).chain(numbered);
        let title = titles.find(|title| !self.taken.contains_key(title));
        let title = title.unwrap_or(own);
        self.taken.insert(title.clone(), settings.clone());
        self.by_settings.insert(settings, title.clone());
        title
    }
}
