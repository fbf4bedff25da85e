//! The explorer of trained runs: what its page is to hold, gathered from runs
//! and their data set.

mod beside;
mod data;
mod run;
mod still;

use std::path::PathBuf;

use datasets::Dataset;
use explorer::{Contents, Explorer, Precision, Weights};
use rayon::prelude::*;
use runs::Error;
use runs::atomic_file::{self, check_file};
use runs::environment::threads;
use runs::interrupt::Interrupt;
use runs::run_data::{DataLocation, refuse_inside};
use runs::run_folder::RunFolder;

use crate::TrainedRun;
use crate::opened::{configurations, open, with_weights};
use crate::wording::listed;

pub use beside::{BESIDE, Beside, beside};
pub use data::Shown;

/// How much a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// At most so many test rows, a random choice where there are more.
    pub images: usize,
    /// Small pictures of at most so many of them.
    pub thumbnails: usize,
    /// How weights are kept.
    pub weights: Weights,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            images: 10_000,
            thumbnails: 2_000,
            weights: Weights::default(),
        }
    }
}

/// What to explore, and where the page goes.
#[derive(Clone, Debug)]
pub struct Request {
    /// The runs, all of one data set.
    pub runs: Vec<RunFolder>,
    /// The file of the page.
    pub out: PathBuf,
    /// How much it holds.
    pub options: Options,
    /// Replace a file that is no explorer, and write a page of any size.
    pub force: bool,
    /// Threads to use; `None` for all cores.
    pub threads: Option<usize>,
    /// Where the data are.
    pub location: DataLocation,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The page.
    pub page: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// The runs it shows, with what it calls them.
    pub runs: Vec<(RunFolder, String)>,
    /// How exactly each of them computes in the page.
    pub precisions: Vec<Precision>,
    /// Test rows whose codes it shows.
    pub images: usize,
    /// Those of which it has a picture.
    pub thumbnails: usize,
    /// What is to be said besides, in sentences.
    pub remarks: Vec<String>,
}

/// Writes the explorer of some runs; `opened` hears of them when all is well and the
/// work begins.
///
/// # Errors
/// Runs of different data sets, a run without weights, a missing data set, a
/// page that is too large, a file that cannot be written or replaced, or a stop
/// asked for by a signal; nothing is written then.
pub fn write(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    opened: &mut dyn FnMut(&[TrainedRun]),
) -> Result<Outcome, Error> {
    let configurations = configurations(&request.runs)?;
    refuse_inside(&configurations[0].data.dataset, &request.out)?;
    check_out(request)?;
    check_counts(&request.options)?;
    let dataset = request.location.load(&configurations[0], download)?;
    let (folders, mut remarks) = with_weights(&request.runs)?;
    let runs = open(&folders, &dataset)?;
    opened(&runs);
    let pool = tensor_ops::parallel::ThreadPool::new(threads(request.threads))
        .map_err(models::TrainerError::from)?;
    let shown: Vec<&TrainedRun> = runs.iter().collect();
    let explored = pool.install(|| explored(&dataset, &shown, &request.options, interrupt))?;
    let page = &explored.page;
    if !request.force {
        page.check_size().map_err(unexplored)?;
    }
    remarks.extend(page.warning());
    if interrupt.requested() {
        return Err(Error::Abandoned);
    }
    {
        let _stay = interrupt.stay();
        atomic_file::write(&request.out, page.html().as_bytes())?;
    }
    Ok(Outcome {
        page: request.out.clone(),
        bytes: page.html().len(),
        precisions: page.precisions().to_vec(),
        images: explored.images,
        thumbnails: explored.thumbnails,
        runs: runs
            .iter()
            .map(|run| (run.folder.clone(), run.title()))
            .collect(),
        remarks,
    })
}

/// A page in memory, and how much is on it.
#[derive(Clone, Debug)]
pub struct Explored {
    /// The page.
    pub page: Explorer,
    /// Test rows whose codes it shows.
    pub images: usize,
    /// Those of which it has a picture.
    pub thumbnails: usize,
}

/// The explorer of runs of `dataset`.
///
/// # Errors
/// Codes or losses that are not finite, what cannot be measured, or a stop asked
/// for by a signal.
pub fn explored(
    dataset: &Dataset,
    runs: &[&TrainedRun],
    options: &Options,
    interrupt: &Interrupt,
) -> Result<Explored, Error> {
    if dataset.test.is_empty() {
        return Err(unexplored(explorer::Error::Nothing("test row")));
    }
    let shown = Shown::of(dataset, options.images);
    let seen: Vec<_> = runs
        .iter()
        .map(|run| shown.seen(run, dataset))
        .collect::<Result<_, Error>>()?;
    let gathered: Vec<_> = runs
        .par_iter()
        .zip(&seen)
        .map(|(run, seen)| {
            if interrupt.requested() {
                return Err(Error::Abandoned);
            }
            run::gathered(run, seen.images(), dataset)
        })
        .collect::<Result<_, Error>>()?;
    let titles: Vec<String> = runs.iter().map(|run| run.title()).collect();
    let data = shown.data_set(dataset, runs, options.thumbnails)?;
    let (images, thumbnails) = (data.index.len(), data.thumbnails.which.len());
    let first = gathered.first().zip(runs.first());
    let Some((gathered_first, first)) = first else {
        return Err(unexplored(explorer::Error::Nothing("run")));
    };
    let contents = Contents {
        program: concat!("latent-atlas ", env!("CARGO_PKG_VERSION")).into(),
        title: listed(&titles),
        data,
        still: still::still(first, gathered_first)?,
        runs: gathered.into_iter().map(|(run, _)| run).collect(),
        weights: options.weights,
    };
    let page = Explorer::new(&contents).map_err(unexplored)?;
    Ok(Explored {
        page,
        images,
        thumbnails,
    })
}

/// An error of the page in the words of a command.
fn unexplored(error: explorer::Error) -> Error {
    match error {
        explorer::Error::Evaluation(error) => error.into(),
        explorer::Error::Picture(error) => error.into(),
        error => Error::Configuration(error.to_string()),
    }
}

fn check_counts(options: &Options) -> Result<(), Error> {
    if options.images == 0 {
        return Err(Error::Configuration(
            "--images is 0, but must be at least 1".into(),
        ));
    }
    Ok(())
}

/// Checks the place of the page before there is one.
fn check_out(request: &Request) -> Result<(), Error> {
    let out = &request.out;
    let ending = out.extension().map(|ending| ending.to_ascii_lowercase());
    if ending.is_none_or(|ending| ending != "html" && ending != "htm") {
        return Err(Error::Configuration(format!(
            "-o is {}; expected the name of a page, such as {}",
            out.display(),
            out.with_extension("html").display()
        )));
    }
    check_file(out)?;
    if out.exists() && !request.force && !explorer::is_ours(out) {
        return Err(Error::Configuration(format!(
            "{} exists and is no explorer; name another file, or replace it with --force",
            out.display()
        )));
    }
    Ok(())
}
