//! Training on arrays in memory.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::Duration;

use datasets::{ArrayPart, Dataset, Shape, Split, Values};
use evaluation::subset::{self, Population, SEED};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use runs::Error;
use runs::configuration::Configuration;
use runs::environment::threads;
use runs::interrupt::Interrupt;
use runs::jobs::Share;
use runs::run_data::{IN_MEMORY, RunData};
use runs::run_folder::{EpochMetrics, RunFiles, RunFolder};
use runs::training::{Observer, Run as Training};

use crate::arrays::Rows;
use crate::errors::exception;
use crate::listening::{detached, listening};
use crate::run::Run;
use crate::settings::resolved;

/// Training rows that losses after each epoch are of, where no others are given.
const MEASURED: usize = 1000;

/// Which of `rows` training rows the losses after each epoch are of where no others are
/// given: a random choice, the same every time.
#[pyfunction]
#[pyo3(name = "measured_rows")]
pub(crate) fn measured_rows_of(py: Python<'_>, rows: usize) -> PyResult<Vec<usize>> {
    detached(py, || measured_rows(rows))
}

/// What a row is, such as `28x28`: what `asked` says, else what an array of these sizes
/// without the first holds; `bytes` in a square number are a square image.
///
/// # Errors
/// `ValueError` where it is nothing, or not as long as the row is.
#[pyfunction]
pub(crate) fn row_shape(
    sizes: Vec<usize>,
    is_bytes: bool,
    asked: Option<&str>,
) -> PyResult<String> {
    let product = sizes
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size));
    let found = product.ok_or_else(|| {
        exception(Error::Configuration(format!(
            "a row of X has the sizes {sizes:?}, which are more values than there can be"
        )))
    })?;
    let shape = match (asked, &sizes[..]) {
        (Some(asked), _) => {
            // In words of Python: a shape is a tuple there.
            let shape: Shape = asked.parse().map_err(|_| {
                exception(Error::Configuration(format!(
                    "shape is {asked}, which is no shape; expected height and width such as (28, 28), with channels such as (64, 64, 3), or the length of a vector such as 512"
                )))
            })?;
            if shape.len() != found {
                return Err(exception(Error::Configuration(format!(
                    "shape is {asked}, which has {} values, but a row of X has {found}",
                    shape.len()
                ))));
            }
            shape
        }
        (None, &[length]) if is_bytes => Shape::of_bytes(length),
        (None, &[length]) => Shape::Vector { length },
        (None, &[height, width]) => Shape::grey(height, width),
        (None, &[height, width, channels @ (1 | 3)]) => Shape::Image {
            height,
            width,
            channels,
        },
        (None, _) => {
            return Err(exception(Error::Configuration(format!(
                "a row of X has the sizes {sizes:?}; expected [length], [height, width] or [height, width, channels] with 1 or 3 channels"
            ))));
        }
    };
    Ok(shape.to_string())
}

/// Tells of each epoch.
struct Epochs(Sender<EpochMetrics>);

impl Observer for Epochs {
    fn epoch(&mut self, metrics: &EpochMetrics, _epochs: usize) {
        // Whoever no longer listens has asked for a stop.
        let _ = self.0.send(*metrics);
    }
}

/// Trains on `train`, rows of `shape`; after each epoch losses are measured on `test`, or
/// on [`measured_rows_of`], and `on_epoch` is called with them as a text of JSON.
///
/// # Errors
/// `ValueError` of settings or data that cannot be, `Diverged`, `OSError` where there is
/// no room for temporary files, and what `on_epoch` or a signal raises.
#[pyfunction]
#[pyo3(signature = (settings, train, test, shape, labels, class_names, threads, command, on_epoch))]
#[allow(
    clippy::too_many_arguments,
    reason = "called from one place, in Python"
)]
pub(crate) fn fit(
    py: Python<'_>,
    settings: &Bound<'_, PyDict>,
    train: Rows<'_>,
    test: Option<Rows<'_>>,
    shape: &str,
    labels: Option<(Vec<i64>, Vec<i64>)>,
    class_names: BTreeMap<i64, String>,
    threads: Option<usize>,
    command: &str,
    on_epoch: Option<Bound<'_, PyAny>>,
) -> PyResult<Run> {
    let mut configuration = resolved(settings)?;
    configuration.data.dataset = IN_MEMORY.into();
    let arrays = Arrays::of(train, test, shape, labels)?;
    let interrupt = Interrupt::default();
    let trained = listening(
        py,
        &interrupt,
        |sender| {
            let dataset = arrays.dataset(&class_names)?;
            trained(
                configuration,
                dataset,
                threads,
                command,
                &interrupt,
                Epochs(sender),
            )
            .and_then(Run::of)
        },
        |metrics: EpochMetrics| match &on_epoch {
            None => Ok(()),
            Some(on_epoch) => {
                let text = serde_json::to_string(&metrics).map_err(std::io::Error::from)?;
                on_epoch.call1((text,)).map(drop)
            }
        },
    )?;
    trained.map_err(exception)
}

/// What identifies a data set of these arrays, as [`fit`] takes them.
///
/// # Errors
/// `ValueError` of arrays that are none.
#[pyfunction]
pub(crate) fn fingerprint(
    py: Python<'_>,
    train: Rows<'_>,
    test: Option<Rows<'_>>,
    shape: &str,
    labels: Option<(Vec<i64>, Vec<i64>)>,
    class_names: BTreeMap<i64, String>,
) -> PyResult<String> {
    let arrays = Arrays::of(train, test, shape, labels)?;
    let dataset = detached(py, || arrays.dataset(&class_names))?.map_err(exception)?;
    Ok(dataset.fingerprint)
}

/// Rows that were given, where they are, and not yet a data set.
struct Arrays {
    train: ArrayPart,
    test: Option<ArrayPart>,
}

impl Arrays {
    /// Training and test rows of `shape`, with their labels.
    fn of(
        train: Rows<'_>,
        test: Option<Rows<'_>>,
        shape: &str,
        labels: Option<(Vec<i64>, Vec<i64>)>,
    ) -> PyResult<Self> {
        let row: Shape = shape
            .parse::<Shape>()
            .map_err(Error::from)
            .map_err(exception)?;
        let (train_labels, test_labels) = labels.unzip();
        let test = test.map(|test| test.part("X_test", row, test_labels));
        Ok(Self {
            train: train.part("X", row, train_labels)?,
            test: test.transpose()?,
        })
    }

    /// The data set, for which all rows are read and those that are measured copied: not
    /// while the interpreter is held.
    fn dataset(self, class_names: &BTreeMap<i64, String>) -> Result<Dataset, Error> {
        let test = self.test.map_or_else(|| measured(&self.train), Ok)?;
        Ok(Dataset::of_arrays(self.train, test, class_names)?)
    }
}

/// Which of `rows` training rows are measured where no others are given.
fn measured_rows(rows: usize) -> Vec<usize> {
    subset::subset(Population::Rows(rows), MEASURED, subset::numbers(SEED))
}

/// Copies of the rows that losses are of where no others are given.
///
/// # Errors
/// Where there are more or fewer labels than rows.
fn measured(train: &ArrayPart) -> Result<ArrayPart, Error> {
    let all = Split::new(train.values.clone(), train.shape, None);
    let measured = measured_rows(all.len());
    let labels = match &train.labels {
        None => None,
        Some(labels) if labels.len() == all.len() => {
            Some(measured.iter().map(|&row| labels[row]).collect())
        }
        Some(labels) => {
            return Err(Error::Configuration(format!(
                "X has {} rows and {} labels; expected one label for each row",
                all.len(),
                labels.len()
            )));
        }
    };
    let rows = all.select(&measured);
    let values: Values = rows.shared().0.clone();
    Ok(ArrayPart {
        name: "X_test".into(),
        values,
        shape: train.shape,
        labels,
    })
}

/// Trains in a temporary folder, as the program does in one that stays, and keeps what is
/// there at the end.
fn trained(
    configuration: Configuration,
    dataset: Dataset,
    asked: Option<usize>,
    command: &str,
    interrupt: &Interrupt,
    mut epochs: Epochs,
) -> Result<RunFiles, Error> {
    let configuration = configuration.of_shape(&dataset)?;
    let data = RunData::of_training(&configuration, dataset)?;
    let folder = temporary_folder()?;
    let run = Training {
        configuration: &configuration,
        dataset: &data.dataset,
        standardisation: data.standardisation.as_ref(),
        threads: Share::of(threads(asked)),
        // Of a folder that goes with the process none is any good.
        checkpoint_every: Duration::MAX,
        keeps_state: true,
        folder: RunFolder::at(folder.path().join("run")),
        command,
    };
    let outcome = run.start(interrupt, &mut epochs)?;
    RunFiles::read(&outcome.folder)
}

/// A folder that is deleted when the result is dropped.
pub(crate) fn temporary_folder() -> Result<tempfile::TempDir, Error> {
    tempfile::Builder::new()
        .prefix("latent-atlas-")
        .tempdir()
        .map_err(|source| Error::Write {
            path: std::env::temp_dir(),
            source,
        })
}
