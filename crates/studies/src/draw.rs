//! Drawing the atlas: trains what the studies need, draws their figures and
//! writes the page that shows them.

mod data;
mod rounds;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datasets::Dataset;
use figures::classifier::SharedClassifier;
use figures::explore;

pub(crate) use self::data::Data;
use self::rounds::{Asked, adjust_all};
use crate::claims::Claim;
use crate::page;
use crate::{DivergedRun, Drawing, PlannedRun, Seeds, Study, TrainedRun};
use runs::Error;
use runs::atomic_file::{check_folder, check_own, create_folder, take_folder};
use runs::configuration::{Configuration, ReadingConfiguration};
use runs::interrupt::Interrupt;
use runs::jobs::{Due, Limits, Share, side_by_side};
use runs::run_data::{DataLocation, folder_name, refuse_inside};
use runs::run_folder::RunFolder;
use runs::training::{self, Run};

/// Which figures to make, of what and where.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names of the studies of the atlas, or files of others; empty for all of
    /// the atlas.
    pub studies: Vec<String>,
    /// The data set: a name of the registry, or a source of files; `None` for
    /// the one that the studies name, or the embedded one.
    pub dataset: Option<String>,
    /// Fewer epochs, for a first look.
    pub quick: bool,
    /// Seeds per model; `None` for what a study says.
    pub seeds: Option<Seeds>,
    /// The first seed of each model: of another range of seeds statements are decided
    /// anew, by runs that have nothing in common with those of the usual range.
    pub first_seed: u64,
    /// Folder of the figures and of `index.html`.
    pub out: PathBuf,
    /// Folder of the runs; finished ones are used again.
    pub runs: PathBuf,
    /// In which formats and sizes, beside what the page shows.
    pub output: viz::FigureOutput,
    /// Threads of all runs together, and how many are trained at once.
    pub limits: Limits,
    /// The longest that training goes on without a checkpoint.
    pub checkpoint_every: Duration,
    /// Where data sets are looked up, and decoded folders kept.
    pub location: DataLocation,
    /// How the data set is read.
    pub reading: ReadingConfiguration,
    /// The command as typed.
    pub command: String,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The page that shows all figures.
    pub page: PathBuf,
    /// Every picture, in the order of the page.
    pub figures: Vec<PathBuf>,
    /// The runs the figures show.
    pub runs: Vec<RunFolder>,
    /// How many of them had to be trained.
    pub trained: usize,
    /// Those of them that diverged; figures and numbers leave them out, and
    /// the page names them.
    pub diverged: Vec<RunFolder>,
}

/// Hears how far the figures have come.
pub trait Observer {
    /// Run `index` of `total` starts; hears how its training goes. Several may
    /// be under way at once.
    fn training(
        &self,
        index: usize,
        total: usize,
        run: &PlannedRun,
    ) -> Box<dyn training::Observer + '_>;
    /// A study's figures are being drawn.
    fn drawing(&self, study: &Study);
    /// Something about all runs, in a sentence.
    fn remark(&self, sentence: &str);
}

/// Makes the figures.
///
/// # Errors
/// An unknown study, a missing data set, an unwritable folder or a stop asked
/// for by a signal. A run that diverges is no error: the page reports it.
pub fn draw(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &(dyn Observer + Sync),
) -> Result<Outcome, Error> {
    if let Some(seeds) = request.seeds {
        seeds.check("--seeds")?;
    }
    let studies = crate::select(&request.studies)?;
    let data = Data::of_studies(request.dataset.as_deref(), &request.reading, &studies)?;
    for output in [&request.out, &request.runs] {
        refuse_inside(&data.name, output)?;
        check_folder(output)?;
    }
    check_own(&request.out, page::is_in)?;
    let (out, command) = (request.out.clone(), request.command.clone());
    let _farewell = interrupt.on_departure(move || stopped(&out, &command));
    let dataset = request
        .location
        .load(&data.of(Configuration::default()), download)?;
    let asked = studies.iter().map(|study| {
        let seeds = request.seeds.unwrap_or_else(|| study.seeds());
        let (first_seed, quick) = (request.first_seed, request.quick);
        Asked::of(study, seeds, first_seed, quick, &data, &dataset)
    });
    let asked = asked.collect::<Result<_, Error>>()?;
    let _taken = take_folder(&request.out, &request.command, page::is_in)?;
    draw_asked(request, &data, &dataset, asked, interrupt, observer)
}

/// Trains the runs of each study, look by look until its statements are decided
/// or there are no more, and draws it.
fn draw_asked(
    request: &Request,
    data: &Data,
    dataset: &Dataset,
    mut asked: Vec<Asked<'_>>,
    interrupt: &Interrupt,
    observer: &(dyn Observer + Sync),
) -> Result<Outcome, Error> {
    let pool = tensor_ops::parallel::ThreadPool::new(request.limits.threads)
        .map_err(models::TrainerError::from)?;
    let classifier = Arc::new(SharedClassifier::on(request.limits.threads));
    let part = request.out.join(folder_name(dataset));
    let drawn: Vec<&str> = asked.iter().map(|asked| asked.study.name()).collect();
    let mut others = page::claims_of_others(&part, &drawn)?;
    let mut results = BTreeMap::new();
    let looks = asked.iter().map(Asked::looks).max().unwrap_or(0);
    for number in 0..looks {
        if !asked.iter().any(|asked| asked.is_due(number)) {
            break;
        }
        for asked in &mut asked {
            asked.plan(number, data, dataset)?;
        }
        let runs = asked.iter().flat_map(|asked| &asked.runs);
        let queue = Queue::new(runs, dataset, request).without(&results);
        results.extend(queue.train(interrupt, observer, &|name, folder| {
            for (asked, planned) in asking(&asked, name, dataset) {
                if interrupt.requested() {
                    return Err(Error::Abandoned);
                }
                let run = TrainedRun::load(planned.clone(), folder.clone(), dataset)?;
                let drawing = Drawing::new(
                    dataset,
                    std::slice::from_ref(&run),
                    &[],
                    asked.scale(),
                    &request.runs,
                    &request.out,
                )
                .with_classifier(Arc::clone(&classifier))
                .of_one_run();
                asked.study.measure(&drawing)?;
            }
            Ok(())
        })?);
        for asked in asked.iter_mut().filter(|asked| asked.is_due(number)) {
            let (runs, diverged) = collect(asked.runs.clone(), &results, dataset)?;
            let scale = asked.scale();
            let drawing = Drawing::new(
                dataset,
                &runs,
                &diverged,
                scale,
                &request.runs,
                &request.out,
            )
            .with_classifier(Arc::clone(&classifier));
            pool.install(|| asked.decide(number, &drawing))?;
            if interrupt.requested() {
                return Err(stopped(&request.out, &request.command));
            }
        }
        adjust_all(&mut asked, &mut others);
        if let Some(sentence) = looked_in_words(&asked, number) {
            observer.remark(&sentence);
        }
    }
    let ended = || results.values();
    let mut outcome = Outcome {
        page: request.out.join("index.html"),
        figures: Vec::new(),
        runs: ended().map(|ended| ended.folder.clone()).collect(),
        trained: ended().filter(|ended| ended.trained_now).count(),
        diverged: ended()
            .filter(|ended| ended.divergence.is_some())
            .map(|ended| ended.folder.clone())
            .collect(),
    };
    for asked in asked {
        let (study, scale) = (asked.study, asked.scale());
        observer.drawing(study);
        let folder = part.join(study.name());
        create_folder(&folder)?;
        let claims: Vec<Claim> = asked.claims().cloned().collect();
        let fewest = asked.fewest_seeds();
        let (runs, diverged) = collect(asked.runs, &results, dataset)?;
        let mut drawing = Drawing::new(dataset, &runs, &diverged, scale, &request.runs, &folder)
            .with_output(request.output.clone())
            .with_classifier(Arc::clone(&classifier));
        let report = pool.install(|| crate::report(study, &mut drawing, claims))?;
        outcome.figures.append(&mut drawing.written());
        let explorer = match first_of_each(&runs) {
            shown if shown.is_empty() || scale.quick => None,
            shown => Some(
                pool.install(|| explore::beside(&folder, dataset, &shown, interrupt))
                    .map_err(|error| match error {
                        Error::Abandoned => stopped(&request.out, &request.command),
                        error => error,
                    })?,
            ),
        };
        page::write_section(&folder, study, dataset, scale, fewest, report, explorer)?;
        if interrupt.requested() {
            return Err(stopped(&request.out, &request.command));
        }
    }
    page::write_index(&request.out)?;
    Ok(outcome)
}

/// What a look has decided, where others follow.
fn looked_in_words(asked: &[Asked<'_>], number: usize) -> Option<String> {
    let more = asked.iter().filter(|asked| asked.is_due(number + 1));
    let open: usize = more.map(Asked::open).sum();
    let all: usize = asked.iter().map(|asked| asked.claims().count()).sum();
    (open > 0).then(|| {
        format!("{open} of {all} statements undecided: models that they are about get more seeds")
    })
}

/// The studies that need the run called `name`, with what each has planned.
fn asking<'p, 's>(
    asked: &'p [Asked<'s>],
    name: &str,
    dataset: &Dataset,
) -> impl Iterator<Item = (&'p Asked<'s>, &'p PlannedRun)> {
    let all = asked
        .iter()
        .flat_map(|asked| asked.runs.iter().map(move |run| (asked, run)));
    all.filter(move |(_, run)| run.configuration.run_name(&dataset.fingerprint) == name)
}

/// How a run of the queue ended.
struct Ended {
    folder: RunFolder,
    trained_now: bool,
    divergence: Option<String>,
}

/// The runs that several studies need, each once.
struct Queue<'a> {
    dataset: &'a Dataset,
    request: &'a Request,
    runs: Vec<(String, &'a PlannedRun)>,
}

impl<'a> Queue<'a> {
    fn new(
        planned: impl Iterator<Item = &'a PlannedRun>,
        dataset: &'a Dataset,
        request: &'a Request,
    ) -> Self {
        let mut runs: Vec<(String, &PlannedRun)> = Vec::new();
        for planned in planned {
            let name = planned.configuration.run_name(&dataset.fingerprint);
            if runs.iter().all(|(known, _)| *known != name) {
                runs.push((name, planned));
            }
        }
        Self {
            dataset,
            request,
            runs,
        }
    }

    /// The same without those that have ended before.
    fn without(mut self, ended: &BTreeMap<String, Ended>) -> Self {
        self.runs.retain(|(name, _)| !ended.contains_key(name));
        self
    }

    /// Trains what is not finished, side by side, and does `then` with the name
    /// and the folder of each run that has not diverged.
    fn train(
        &self,
        interrupt: &Interrupt,
        observer: &(dyn Observer + Sync),
        then: &(dyn Fn(&str, &RunFolder) -> Result<(), Error> + Sync),
    ) -> Result<BTreeMap<String, Ended>, Error> {
        let due = (0..self.runs.len()).map(|index| self.due(index));
        let ended = side_by_side(
            &due.collect::<Result<Vec<_>, Error>>()?,
            self.request.limits,
            interrupt,
            &|sentence| observer.remark(sentence),
            |index, share, interrupt| {
                let ended = self.complete(index, share, interrupt, observer)?;
                if ended.divergence.is_none() {
                    let pool = tensor_ops::parallel::ThreadPool::new(share.threads())
                        .map_err(models::TrainerError::from)?;
                    pool.install(|| then(&self.runs[index].0, &ended.folder))?;
                }
                Ok(ended)
            },
        );
        match ended {
            _ if interrupt.requested() => Err(stopped(&self.request.out, &self.request.command)),
            Err(error) => Err(error),
            Ok(ended) => {
                let names = self.runs.iter().map(|(name, _)| name.clone());
                Ok(names.zip(ended).collect())
            }
        }
    }

    /// A run as the others of the queue see it: one that is finished is measured,
    /// after all that have to be trained.
    fn due(&self, index: usize) -> Result<Due, Error> {
        let configuration = &self.runs[index].1.configuration;
        let test = self.dataset.test.len();
        let due = Due::training(self.called(index), configuration, self.dataset)?.then_evaluated(
            configuration,
            test,
            1,
        )?;
        let is_finished = self
            .folder(index)
            .read_result()
            .is_ok_and(|result| result.is_some());
        Ok(match is_finished {
            true => Due { cost: 0.0, ..due },
            false => due,
        })
    }

    /// What a message calls a run.
    fn called(&self, index: usize) -> String {
        let PlannedRun {
            key, configuration, ..
        } = self.runs[index].1;
        format!("{key} seed {}", configuration.training.seed)
    }

    fn folder(&self, index: usize) -> RunFolder {
        RunFolder::at(self.request.runs.join(&self.runs[index].0))
    }

    fn complete(
        &self,
        index: usize,
        share: &Share,
        interrupt: &Interrupt,
        observer: &dyn Observer,
    ) -> Result<Ended, Error> {
        let planned = self.runs[index].1;
        let run = Run {
            configuration: &planned.configuration,
            dataset: self.dataset,
            standardisation: None,
            threads: share.clone(),
            checkpoint_every: self.request.checkpoint_every,
            keeps_state: true,
            folder: self.folder(index),
            command: &self.request.command,
        };
        let mut progress = observer.training(index, self.runs.len(), planned);
        match run.complete(interrupt, &mut *progress) {
            Ok(done) => Ok(Ended {
                trained_now: !done.already_done,
                folder: done.folder,
                divergence: None,
            }),
            Err(Error::Diverged { run, divergence }) => Ok(Ended {
                folder: RunFolder::at(run),
                trained_now: false,
                divergence: Some(divergence),
            }),
            Err(error) => Err(error),
        }
    }
}

/// A study's runs, loaded, and those of them that diverged.
fn collect(
    planned: Vec<PlannedRun>,
    results: &BTreeMap<String, Ended>,
    dataset: &Dataset,
) -> Result<(Vec<TrainedRun>, Vec<DivergedRun>), Error> {
    let mut runs = Vec::new();
    let mut diverged = Vec::new();
    for planned in planned {
        let ended = &results[&planned.configuration.run_name(&dataset.fingerprint)];
        match &ended.divergence {
            None => runs.push(TrainedRun::load(planned, ended.folder.clone(), dataset)?),
            Some(divergence) => diverged.push(DivergedRun {
                title: planned.title()?,
                key: planned.key,
                seed: planned.configuration.training.seed,
                folder: ended.folder.clone(),
                divergence: divergence.clone(),
            }),
        }
    }
    Ok((runs, diverged))
}

/// The runs that a study's explorer has: of each model the first, of the first few
/// models.
fn first_of_each(runs: &[TrainedRun]) -> Vec<&TrainedRun> {
    /// More do not stand side by side.
    const MOST: usize = 4;
    let mut shown: Vec<&TrainedRun> = Vec::new();
    for run in runs {
        if shown.len() < MOST && shown.iter().all(|other| other.key != run.key) {
            shown.push(run);
        }
    }
    shown
}

/// Ends a call that a signal has stopped: with the page of what has been drawn.
fn stopped(out: &Path, command: &str) -> Error {
    let written = if page::is_in(out) {
        page::write_index(out)
    } else {
        // Nothing has been drawn.
        Ok(())
    };
    written.err().unwrap_or_else(|| Error::Interrupted {
        command: command.into(),
    })
}

#[cfg(test)]
mod tests;
