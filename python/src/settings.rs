//! Settings: those of `config.toml`, by their keys.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use runs::configuration::{self, Configuration, Override};
use toml::Value;

use crate::errors::exception;

/// The JSON schema of all settings: each with what it does, what it can be and its
/// default.
#[pyfunction]
pub(crate) fn schema() -> String {
    configuration::schema().to_string()
}

/// Refuses settings that cannot be, as fitting would.
#[pyfunction]
pub(crate) fn check(settings: &Bound<'_, PyDict>) -> PyResult<()> {
    resolved(settings).map(drop)
}

/// The configuration that a dictionary of keys and values sets.
///
/// # Errors
/// `ValueError` of an unknown key or a wrong value, in the program's words; `TypeError`
/// of values that no setting has.
pub(crate) fn resolved(settings: &Bound<'_, PyDict>) -> PyResult<Configuration> {
    let overrides = settings
        .iter()
        .map(|(key, value)| {
            let key: String = key.extract()?;
            let origin = key.rsplit('.').next().unwrap_or_default().to_owned();
            Ok(Override {
                value: setting(&origin, &value)?,
                key,
                origin,
            })
        })
        .collect::<PyResult<Vec<_>>>()?;
    Configuration::resolve(None, None, &overrides).map_err(exception)
}

/// A value of `name` as a configuration file has it.
fn setting(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Value> {
    // Of numbers, True is one too.
    if value.is_instance_of::<PyBool>() {
        return Ok(Value::Boolean(value.extract()?));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Value::String(value.extract()?));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(value.extract()?));
    }
    if value.is_instance_of::<PyInt>() {
        // Larger ones are refused as numbers, by whoever knows the limit.
        let small = value.extract::<i64>().map(Value::Integer);
        return small.or_else(|_| Ok(Value::Float(value.extract()?)));
    }
    if value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>() {
        let items = value.try_iter()?.map(|item| setting(name, &item?));
        return Ok(Value::Array(items.collect::<PyResult<_>>()?));
    }
    Err(PyTypeError::new_err(format!(
        "{name} is {}; expected a number, a text, True or False, or a sequence of whole numbers",
        value.repr()?
    )))
}
