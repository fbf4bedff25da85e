//! Settings: those of `config.toml`, by their keys, as parameters give them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use runs::configuration::{self, Configuration, Kind, Override, Setting};
use toml::{Table, Value};

use crate::advice::in_python;

/// The JSON schema of all settings: each with what it does, what it can be and its
/// default.
#[pyfunction]
pub(crate) fn schema() -> String {
    configuration::schema().to_string()
}

/// The name of the parameter that sets `key`; none of what arrays say themselves, what is
/// done to them before they are given, and weights that are not fitted.
#[pyfunction]
pub(crate) fn parameter(key: &str) -> Option<&str> {
    match key {
        "data.dataset" | "data.shape" | "model.imported" => None,
        "training.seed" => Some("random_state"),
        _ if key.starts_with("data.reading.") => None,
        _ => key.rsplit('.').next(),
    }
}

/// Refuses settings that cannot be, as fitting would.
#[pyfunction]
pub(crate) fn check(settings: &Bound<'_, PyDict>) -> PyResult<()> {
    resolved(settings).map(drop)
}

/// The configuration that a dictionary of keys and values sets.
///
/// # Errors
/// `ValueError` of a wrong value, with the name of its parameter.
pub(crate) fn resolved(settings: &Bound<'_, PyDict>) -> PyResult<Configuration> {
    let given = settings
        .iter()
        .map(|(key, value)| Given::of(key.extract()?, value))
        .collect::<PyResult<Vec<_>>>()?;
    let overrides: Vec<_> = given.iter().map(Given::as_override).collect();
    Configuration::resolve(None, None, &overrides)
        .map_err(|error| PyValueError::new_err(in_python(&error.to_string(), &given)))
}

/// A setting with the value that a parameter gives it.
pub(crate) struct Given<'py> {
    key: String,
    value: Value,
    python: Bound<'py, PyAny>,
}

impl<'py> Given<'py> {
    fn of(key: String, python: Bound<'py, PyAny>) -> PyResult<Self> {
        check_widths(&key, &python)?;
        let value = in_toml(&python)?;
        Ok(Self { key, value, python })
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    fn as_override(&self) -> Override {
        Override {
            key: self.key.clone(),
            value: self.value.clone(),
            origin: "the estimator".into(),
        }
    }

    /// The value in every way that a sentence of the program writes it.
    pub(crate) fn written(&self) -> Vec<String> {
        let value = self.value.to_string();
        let mut ways = vec![format!("'{value}'"), value];
        match &self.value {
            Value::String(text) => ways.push(format!("'{text}'")),
            Value::Float(number) => ways.push(number.to_string()),
            _ => {}
        }
        // As errors of settings have it.
        let shown = ways
            .iter()
            .map(|way| way.replace(char::is_control, "\u{fffd}"));
        shown.collect()
    }

    /// The value as Python shows it, if it can.
    pub(crate) fn in_python(&self) -> Option<String> {
        let shown = self.python.repr().ok()?.to_string();
        Some(shown.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Refuses widths that no layer has. The program would too, but of those that its types
/// cannot hold it says no more than the type.
fn check_widths(key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let Some(&Setting {
        kind: Kind::Widths(widest),
        ..
    }) = Setting::find(key)
    else {
        return Ok(());
    };
    if !is_sequence(value) {
        return Ok(());
    }
    for item in value.try_iter()? {
        let item = item?;
        let is_whole = item.is_instance_of::<PyInt>() && !item.is_instance_of::<PyBool>();
        let is_width = |width: usize| (1..=widest).contains(&width);
        if is_whole && !item.extract().is_ok_and(is_width) {
            let name = parameter(key).unwrap_or(key);
            return Err(PyValueError::new_err(format!(
                "{name} contains a layer of width {}, but every width must be at least 1 and at most {widest}; for no hidden layer use {name}=()",
                item.repr()?
            )));
        }
    }
    Ok(())
}

fn is_sequence(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>()
}

/// A value as a configuration file has it.
fn in_toml(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    // No setting is a table, so that of what a file has no values for the program says
    // what it expects in its place.
    let absent = || Value::Table(Table::new());
    // Of numbers, True is one too.
    Ok(if value.is_instance_of::<PyBool>() {
        Value::Boolean(value.extract()?)
    } else if value.is_instance_of::<PyString>() {
        value.extract().map_or_else(|_| absent(), Value::String)
    } else if value.is_instance_of::<PyFloat>() {
        Value::Float(value.extract()?)
    } else if value.is_instance_of::<PyInt>() {
        // Larger ones are refused as numbers, by whoever knows the limit.
        match (value.extract(), value.extract()) {
            (Ok(whole), _) => Value::Integer(whole),
            (_, Ok(number)) => Value::Float(number),
            _ if value.lt(0)? => Value::Float(f64::NEG_INFINITY),
            _ => Value::Float(f64::INFINITY),
        }
    } else if is_sequence(value) {
        let items = value.try_iter()?.map(|item| in_toml(&item?));
        Value::Array(items.collect::<PyResult<_>>()?)
    } else {
        absent()
    })
}
