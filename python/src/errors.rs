//! Errors as Python knows them.

use pyo3::exceptions::{PyFloatingPointError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::{PyErr, create_exception};
use runs::Error;

use crate::advice::in_python;

create_exception!(
    latent_atlas,
    Diverged,
    PyFloatingPointError,
    "The loss or a weight stopped being finite."
);

/// The exception of an error: `ValueError` of settings and data, `OSError` of files and
/// folders, `Diverged` of a training that left the finite numbers.
pub(crate) fn exception(error: impl Into<Error>) -> PyErr {
    match error.into() {
        Error::Diverged { divergence, .. } => {
            Diverged::new_err(format!("{divergence}; try a smaller learning_rate"))
        }
        // Not as a parameter: what is quoted of a file has no options in it.
        error @ (Error::Read { .. }
        | Error::Write { .. }
        | Error::Taken(_)
        | Error::RunFolder(_)
        | Error::Checkpoint(_)) => PyOSError::new_err(error.to_string()),
        error @ Error::Trainer(models::TrainerError::Threads(_)) => {
            PyRuntimeError::new_err(error.to_string())
        }
        error => PyValueError::new_err(in_python(&error.to_string(), &[])),
    }
}

/// The exception of a panic: a mistake of this program.
pub(crate) fn of_panic(payload: &(dyn std::any::Any + Send)) -> PyErr {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    PyRuntimeError::new_err(format!(
        "latent_atlas has failed in a way that is a mistake of its own: {text}"
    ))
}
