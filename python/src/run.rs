//! A trained run: its files in memory, and its model ready to be used.

use std::collections::BTreeMap;
use std::path::PathBuf;

use models::{Images, Model};
use ndarray::{Array2, ArrayView2, s};
use numpy::{PyArray2, PyReadonlyArray2, PyUntypedArrayMethods as _};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use runs::Error;
use runs::apply::random_codes;
use runs::configuration::Configuration;
use runs::environment::threads;
use runs::run_data::kept_shape;
use runs::run_folder::{EpochMetrics, RunFiles, RunFolder, RunResult};
use runs::run_images::{Treated, evaluated_treatment, treated_from};
use tensor_ops::parallel::ThreadPool;

use crate::arrays::{Rows, to_python};
use crate::errors::exception;
use crate::fitting::temporary_folder;
use crate::listening::detached;
use crate::page::{Contents, page};

/// Rows that go through the network at a time: standardising copies no more.
const ROWS: usize = 4096;

/// A trained run.
#[pyclass(frozen, module = "latent_atlas._native")]
pub(crate) struct Run {
    files: RunFiles,
    configuration: Configuration,
    model: Model,
    metrics: Vec<EpochMetrics>,
    result: Option<RunResult>,
    fingerprint: String,
    shape: String,
}

/// Arrays of codes: means, and of a VAE log variances.
type PyCodes<'py> = (Bound<'py, PyArray2<f32>>, Option<Bound<'py, PyArray2<f32>>>);

impl Run {
    /// The run of these files.
    pub(crate) fn of(files: RunFiles) -> Result<Self, Error> {
        let folder = temporary_folder()?;
        let run = files.unpack(folder.path())?;
        let configuration = run.configuration()?;
        let model = run.load_model(&configuration)?;
        Ok(Self {
            shape: kept_shape(&configuration, &model)?.0.to_string(),
            metrics: run.read_metrics()?,
            result: run.read_result()?,
            fingerprint: run.environment()?.dataset_sha256,
            files,
            configuration,
            model,
        })
    }

    pub(crate) fn files(&self) -> &RunFiles {
        &self.files
    }

    fn inputs(&self) -> usize {
        self.model.spec().architecture.inputs
    }

    fn latent(&self) -> usize {
        self.model.spec().architecture.latent
    }

    /// Gives rows to `work` as the network sees them, some at a time.
    fn for_chunks(
        &self,
        rows: Images<'_>,
        mut work: impl FnMut(usize, Images<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let treatment = evaluated_treatment(&self.configuration, None)?;
        let seed = self.configuration.data.test_seed;
        for first in (0..rows.nrows()).step_by(ROWS) {
            let end = rows.nrows().min(first + ROWS);
            let chunk = treated_from(first, treatment, rows.slice_rows(first..end), seed)?;
            self.check_values(first, chunk.images())?;
            work(first, self.standardised(chunk).images())?;
        }
        Ok(())
    }

    fn standardised<'a>(&self, rows: Treated<'a>) -> Treated<'a> {
        let Some(standardisation) = self.model.standardisation() else {
            return rows;
        };
        let images = rows.images();
        let mut values = Array2::zeros(images.dim());
        for (index, mut row) in values.outer_iter_mut().enumerate() {
            if let Some(row) = row.as_slice_mut() {
                images.read_row(index, row);
                standardisation.apply(row);
            }
        }
        Treated::Values(values.into())
    }

    /// Mean rows of codes, in the units of the data.
    fn decoded(&self, codes: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut rows = self.model.decode(codes);
        if let Some(standardisation) = self.model.standardisation() {
            for mut row in rows.outer_iter_mut() {
                if let Some(row) = row.as_slice_mut() {
                    standardisation.invert(row);
                }
            }
        }
        rows
    }

    fn encoded(&self, rows: Images<'_>) -> Result<(Array2<f32>, Option<Array2<f32>>), Error> {
        let mut mean = Array2::zeros((rows.nrows(), self.latent()));
        let is_variational = self.model.spec().kind.is_variational();
        let mut log_variance = is_variational.then(|| mean.clone());
        self.for_chunks(rows, |first, rows| {
            let codes = self.model.encode(rows);
            let range = first..first + codes.mean.nrows();
            mean.slice_mut(s![range.clone(), ..]).assign(&codes.mean);
            if let (Some(all), Some(some)) = (&mut log_variance, codes.log_variance) {
                all.slice_mut(s![range, ..]).assign(&some);
            }
            Ok(())
        })?;
        Ok((mean, log_variance))
    }

    /// All rows as the network sees them.
    fn seen<'a>(&self, rows: Images<'a>) -> Result<Treated<'a>, Error> {
        let treatment = evaluated_treatment(&self.configuration, None)?;
        let rows = treated_from(0, treatment, rows, self.configuration.data.test_seed)?;
        self.check_values(0, rows.images())?;
        Ok(self.standardised(rows))
    }

    /// Refuses values that the likelihood is none of, as the program's `encode` does: a
    /// network gives codes of any, and those of 0 … 255 for 0 … 1 would be believed. The
    /// first of `rows` is that of number `first`.
    fn check_values(&self, first: usize, rows: Images<'_>) -> Result<(), Error> {
        let likelihood = self.model.spec().likelihood;
        if !likelihood.is_of_unit_interval() || self.model.standardisation().is_some() {
            return Ok(());
        }
        let Some((row, position)) = rows.first_outside_unit() else {
            return Ok(());
        };
        let mut values = vec![0.0; rows.ncols()];
        rows.read_row(row, &mut values);
        Err(Error::Configuration(format!(
            "X holds {} in row {}, but the likelihood '{}' is of values in [0, 1]; give rows in the type and the units of those given to fit (uint8 stands for value / 255)",
            values[position],
            first + row,
            self.configuration.model.likelihood
        )))
    }

    fn check_width(&self, name: &str, found: usize, expected: usize) -> PyResult<()> {
        if found == expected {
            return Ok(());
        }
        Err(PyValueError::new_err(format!(
            "{name} has rows of {found} values; expected {expected}"
        )))
    }
}

fn pool(asked: Option<usize>) -> Result<ThreadPool, Error> {
    let pool = ThreadPool::new(threads(asked)).map_err(models::TrainerError::from)?;
    Ok(pool)
}

#[pymethods]
impl Run {
    /// The run whose files have this content.
    #[staticmethod]
    fn from_files(py: Python<'_>, files: BTreeMap<String, Vec<u8>>) -> PyResult<Self> {
        detached(py, || RunFiles::of_map(files).and_then(Self::of))?.map_err(exception)
    }

    /// The run in a folder of the program.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let read = || RunFiles::read(&RunFolder::at(path)).and_then(Self::of);
        detached(py, read)?.map_err(exception)
    }

    /// Writes a run folder, whose settings say that its data are in `dataset`.
    #[pyo3(signature = (path, command, dataset=None))]
    fn save(
        &self,
        py: Python<'_>,
        path: PathBuf,
        command: &str,
        dataset: Option<&str>,
    ) -> PyResult<()> {
        detached(py, || self.files.write(&path, command, dataset))?.map_err(exception)
    }

    /// The content of each file, by its name.
    #[getter(files)]
    fn files_of<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let files = PyDict::new(py);
        for (name, bytes) in self.files.as_map() {
            files.set_item(name, PyBytes::new(py, bytes))?;
        }
        Ok(files)
    }

    /// For `pickle` and `copy`: the run is what its files are.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let of_files = py.get_type::<Self>().getattr("from_files")?;
        let arguments = (self.files_of(py)?,).into_pyobject(py)?;
        Ok((of_files, arguments.into_any()))
    }

    /// Its settings as a text of JSON; those that have their defaults may be absent.
    #[getter]
    fn configuration(&self) -> PyResult<String> {
        Ok(serde_json::to_string(&self.configuration).map_err(std::io::Error::from)?)
    }

    /// Its epochs as a text of JSON, as in `metrics.jsonl`.
    #[getter]
    fn metrics(&self) -> PyResult<String> {
        Ok(serde_json::to_string(&self.metrics).map_err(std::io::Error::from)?)
    }

    /// How it ended as a text of JSON; `null` where it has not.
    #[getter]
    fn result(&self) -> PyResult<String> {
        Ok(serde_json::to_string(&self.result).map_err(std::io::Error::from)?)
    }

    /// What a row is, such as `28x28`.
    #[getter]
    fn shape(&self) -> &str {
        &self.shape
    }

    /// What identifies its data.
    #[getter]
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Means and log variances of the codes of rows; no log variances of an autoencoder.
    #[pyo3(signature = (rows, threads=None))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        rows: Rows<'_>,
        threads: Option<usize>,
    ) -> PyResult<PyCodes<'py>> {
        self.check_width("X", rows.dim().1, self.inputs())?;
        let images = rows.images()?;
        let encode = || pool(threads)?.install(|| self.encoded(images));
        let (mean, log_variance) = detached(py, encode)?.map_err(exception)?;
        let log_variance = log_variance.map(|values| to_python(py, values));
        Ok((to_python(py, mean), log_variance))
    }

    /// Mean rows of codes, in the units of the data.
    #[pyo3(signature = (codes, threads=None))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        codes: PyReadonlyArray2<'_, f32>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        self.check_width("Z", codes.shape()[1], self.latent())?;
        let codes = codes.as_array();
        let decode = || Ok(pool(threads)?.install(|| self.decoded(codes)));
        let rows = detached(py, decode)?.map_err(|error: Error| exception(error))?;
        Ok(to_python(py, rows))
    }

    /// The codes from N(0, I) that the program's `sample` decodes.
    fn prior_codes<'py>(
        &self,
        py: Python<'py>,
        count: usize,
        seed: u64,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let latent = self.latent();
        let bytes = (count as u64).saturating_mul(4 * (latent + self.inputs()) as u64);
        memory::require(format!("{count} samples"), bytes)
            .map_err(|error| PyMemoryError::new_err(error.to_string()))?;
        let codes = detached(py, || random_codes(count, latent, seed, 1.0))?;
        Ok(to_python(py, codes))
    }

    /// Mean −log p(x|z) and penalty of rows in nats, with one z for each as `seed` draws
    /// it: what the program's `eval` says.
    #[pyo3(signature = (rows, seed=0, threads=None))]
    fn losses(
        &self,
        py: Python<'_>,
        rows: Rows<'_>,
        seed: u64,
        threads: Option<usize>,
    ) -> PyResult<(f64, Option<f64>)> {
        self.check_width("X", rows.dim().1, self.inputs())?;
        let images = rows.images()?;
        let measure = || {
            pool(threads)?.install(|| {
                let rows = self.seen(images)?;
                let options = evaluation::elbo::EvaluationOptions {
                    seed,
                    ..Default::default()
                };
                let found = evaluation::elbo::evaluate(&self.model, rows.images(), &options)?;
                Ok((found.reconstruction, found.kl))
            })
        };
        detached(py, measure)?.map_err(|error: Error| exception(error))
    }

    /// The explorer of the run as a page of HTML, which shows `rows`.
    #[pyo3(signature = (rows, labels, class_names, images, thumbnails, compact, without_encoder, threads=None))]
    #[allow(
        clippy::too_many_arguments,
        reason = "called from one place, in Python"
    )]
    fn explore(
        &self,
        py: Python<'_>,
        rows: Rows<'_>,
        labels: Option<Vec<i64>>,
        class_names: BTreeMap<i64, String>,
        images: usize,
        thumbnails: usize,
        compact: bool,
        without_encoder: bool,
        threads: Option<usize>,
    ) -> PyResult<String> {
        self.check_width("X", rows.dim().1, self.inputs())?;
        let shape = self
            .shape
            .parse::<datasets::Shape>()
            .map_err(Error::from)
            .map_err(exception)?;
        let images_of_rows = rows.images()?;
        let check = || self.for_chunks(images_of_rows, |_, _| Ok(()));
        detached(py, check)?.map_err(exception)?;
        let contents = Contents {
            rows: rows.part("X", shape, labels)?,
            class_names,
            options: figures::explore::Options {
                images,
                thumbnails,
                weights: explorer::Weights {
                    compact,
                    without_encoder,
                },
            },
        };
        page(py, self, contents, threads)
    }
}
