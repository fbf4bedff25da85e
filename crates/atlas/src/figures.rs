//! Drawing the atlas: trains what the studies need, draws their figures and
//! writes the page that shows them.

use std::path::{Path, PathBuf};

use datasets::{Dataset, Lookup};

use crate::environment::threads;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::page;
use crate::run_folder::RunFolder;
use crate::study::{self, Drawing, PlannedRun, Scale, Study, TrainedRun};
use crate::training::{self, Run};

/// Which figures to make, of what and where.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names of the studies; empty for all.
    pub studies: Vec<String>,
    /// The data set.
    pub dataset: String,
    /// Fewer epochs, for a first look.
    pub quick: bool,
    /// Seeds per model, counted from 0.
    pub seeds: usize,
    /// Folder of the figures and of `index.html`.
    pub out: PathBuf,
    /// Folder of the runs; finished ones are used again.
    pub runs: PathBuf,
    /// Threads to use; `None` for all cores.
    pub threads: Option<usize>,
    /// Where data sets are looked up.
    pub lookup: Lookup,
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
}

/// Hears how far the figures have come.
pub trait Observer {
    /// Run `index` of `total` is next; hears how its training goes.
    fn training(
        &mut self,
        index: usize,
        total: usize,
        run: &PlannedRun,
    ) -> Box<dyn training::Observer + '_>;
    /// A study's figures are being drawn.
    fn drawing(&mut self, study: &Study);
}

/// Makes the figures.
///
/// # Errors
/// An unknown study, a missing data set, an unwritable folder, a diverged run
/// or a stop asked for by a signal.
pub fn draw(
    request: &Request,
    interrupt: &Interrupt,
    download: &mut dyn FnMut(datasets::Progress<'_>),
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    if request.seeds == 0 {
        return Err(Error::Configuration(
            "--seeds is 0, but must be at least 1".into(),
        ));
    }
    let studies = study::select(&request.studies)?;
    let dataset = datasets::load(&request.dataset, &request.lookup, download)?;
    for study in &studies {
        study.check(&dataset)?;
    }
    let scale = Scale {
        quick: request.quick,
        seeds: request.seeds,
    };
    let threads = threads(request.threads);
    let mut outcome = Outcome {
        page: request.out.join("index.html"),
        figures: Vec::new(),
        runs: Vec::new(),
        trained: 0,
    };
    let planned: Vec<Vec<PlannedRun>> = studies
        .iter()
        .map(|study| study.runs(&dataset, scale))
        .collect();
    let total = planned.iter().map(Vec::len).sum();
    let mut index = 0;
    let mut trained: Vec<Vec<TrainedRun>> = Vec::new();
    for runs in planned {
        let mut done = Vec::new();
        for planned in runs {
            let name = planned.configuration.run_name(&dataset.fingerprint);
            let run = Run {
                configuration: &planned.configuration,
                dataset: &dataset,
                threads,
                folder: RunFolder::at(request.runs.join(name)),
            };
            let mut progress = observer.training(index, total, &planned);
            let finished = run.complete(&request.command, interrupt, &mut *progress);
            drop(progress);
            let finished = finished.map_err(|error| restart_with(error, &request.command))?;
            outcome.trained += usize::from(!finished.already_done);
            outcome.runs.push(finished.folder.clone());
            done.push(TrainedRun::load(planned, finished)?);
            index += 1;
        }
        trained.push(done);
    }
    for (study, runs) in studies.iter().zip(&trained) {
        observer.drawing(study);
        let folder = request.out.join(folder_name(&dataset)).join(study.name);
        create_folder(&folder)?;
        let mut drawing = Drawing::new(&dataset, runs, &folder, scale);
        let section = study.draw(&mut drawing)?;
        outcome.figures.append(&mut drawing.written());
        page::write_section(&folder, study, &dataset, section)?;
        if interrupt.requested() {
            return Err(Error::Interrupted {
                command: request.command.clone(),
            });
        }
    }
    page::write_index(&request.out)?;
    Ok(outcome)
}

/// Name of a data set's folder below the figures' folder.
fn folder_name(dataset: &Dataset) -> String {
    dataset
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .collect()
}

fn create_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|source| Error::Write {
        path: path.into(),
        source,
    })
}

/// A stop in one of the runs is continued by repeating the whole command.
fn restart_with(error: Error, command: &str) -> Error {
    match error {
        Error::Stopped { .. } => Error::Interrupted {
            command: command.into(),
        },
        other => other,
    }
}
