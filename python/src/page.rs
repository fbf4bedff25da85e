//! The page in which the model of a run decodes under the pointer.

use std::collections::BTreeMap;

use datasets::{ArrayPart, Dataset};
use figures::TrainedRun;
use figures::explore::{Options, explored};
use pyo3::prelude::*;
use runs::Error;
use runs::environment::threads;
use runs::interrupt::Interrupt;
use tensor_ops::parallel::ThreadPool;

use crate::errors::exception;
use crate::fitting::temporary_folder;
use crate::listening::listening;
use crate::run::Run;

/// What a page is to show.
pub(crate) struct Contents {
    /// The rows whose codes it shows.
    pub(crate) rows: ArrayPart,
    /// What their labels are called.
    pub(crate) class_names: BTreeMap<i64, String>,
    /// How much it holds.
    pub(crate) options: Options,
}

/// The page as a text of HTML.
///
/// # Errors
/// `ValueError` of contents that cannot be shown or are too many, and what a signal raises.
pub(crate) fn page(
    py: Python<'_>,
    run: &Run,
    contents: Contents,
    asked: Option<usize>,
) -> PyResult<String> {
    let interrupt = Interrupt::default();
    let made = listening(
        py,
        &interrupt,
        |_sender: std::sync::mpsc::Sender<()>| made(run, contents, asked, &interrupt),
        |()| Ok(()),
    )?;
    made.map_err(exception)
}

fn made(
    run: &Run,
    contents: Contents,
    asked: Option<usize>,
    interrupt: &Interrupt,
) -> Result<String, Error> {
    let Contents {
        rows,
        class_names,
        options,
    } = contents;
    if options.images == 0 {
        return Err(Error::Configuration(
            "images is 0, but must be at least 1".into(),
        ));
    }
    // The page asks for test rows alone, and says that they are if there are others.
    let mut dataset = Dataset::of_arrays(rows.clone(), rows, &class_names)?;
    dataset.attribution = "Arrays in memory".into();
    let folder = temporary_folder()?;
    let opened = run.files().unpack(folder.path())?;
    if opened.environment()?.dataset_sha256 != dataset.fingerprint {
        // It follows rows that are not shown.
        let path = opened.trajectories();
        if path.exists() {
            std::fs::remove_file(&path).map_err(|source| Error::Write { path, source })?;
        }
    }
    dataset.train = dataset.train.slice(0..0);
    let shown = TrainedRun::showing(opened, &dataset)?;
    let title = shown.title();
    let shown = shown.called("model".into(), title);
    let pool = ThreadPool::new(threads(asked)).map_err(models::TrainerError::from)?;
    let explored = pool.install(|| explored(&dataset, &[&shown], &options, interrupt))?;
    // Nothing is written here, so that nothing can be forced.
    let advice = |text: String| text.replace(", or write it with --force", "");
    let wrong = |error: explorer::Error| Error::Configuration(advice(error.to_string()));
    explored.page.check_size().map_err(wrong)?;
    Ok(explored.page.html().to_owned())
}
