//! Putting one layer of a configuration over another, key by key.

use super::{Configuration, choices, widths};
use crate::error::Error;

/// One `key=value` as given by `--set` or implied by a flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Dotted key, such as `training.batch`.
    pub key: String,
    /// The value in TOML's notation; a bare word is taken as a string.
    pub value: String,
    /// How the user wrote it, for messages: `--batch` or `--set training.batch`.
    pub origin: String,
}

impl Override {
    /// Reads the argument of `--set`.
    ///
    /// # Errors
    /// When the text has no `=`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            Error::Configuration(format!(
                "--set was given '{text}', but expects key=value, such as --set training.batch=64"
            ))
        })?;
        Ok(Self {
            key: key.trim().into(),
            value: value.trim().into(),
            origin: format!("--set {}", key.trim()),
        })
    }
}

/// Puts the keys of `layer` in place of those of `base`.
pub(super) fn merge(base: &mut toml::Table, layer: toml::Table, origin: &str) -> Result<(), Error> {
    fn walk(
        prefix: &str,
        base: &mut toml::Table,
        layer: toml::Table,
        origin: &str,
    ) -> Result<(), Error> {
        for (key, value) in layer {
            let path = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            match (base.get_mut(&key), value) {
                (None, _) => return Err(unknown_key(&path, origin)),
                (Some(toml::Value::Table(inner)), toml::Value::Table(layer)) => {
                    walk(&path, inner, layer, origin)?;
                }
                (Some(slot), value) => *slot = fit(slot, value, &path, origin)?,
            }
        }
        Ok(())
    }
    walk("", base, layer, origin)
}

/// Puts one value in place of another.
pub(super) fn set(table: &mut toml::Table, item: &Override) -> Result<(), Error> {
    let value = parse_value(&item.value);
    let mut parts = item.key.split('.').peekable();
    let mut table = table;
    while let Some(part) = parts.next() {
        let slot = table
            .get_mut(part)
            .ok_or_else(|| unknown_key(&item.key, &item.origin))?;
        let is_last = parts.peek().is_none();
        if is_last && !slot.is_table() {
            *slot = fit(slot, value, &item.key, &item.origin)?;
            return Ok(());
        }
        let toml::Value::Table(inner) = slot else {
            return Err(unknown_key(&item.key, &item.origin));
        };
        if is_last {
            return Err(Error::Configuration(format!(
                "{} names the section '{}', but expects one of its keys, such as {}.{}",
                item.origin,
                item.key,
                item.key,
                inner.keys().next().map_or("", String::as_str)
            )));
        }
        table = inner;
    }
    Err(unknown_key(&item.key, &item.origin))
}

/// Every leaf key of the default configuration, dotted.
pub(super) fn known_keys() -> Vec<String> {
    fn walk(prefix: &str, table: &toml::Table, keys: &mut Vec<String>) {
        for (key, value) in table {
            let path = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            match value {
                toml::Value::Table(inner) => walk(&path, inner, keys),
                _ => keys.push(path),
            }
        }
    }
    let mut keys = Vec::new();
    let defaults = Configuration::every_key().expect("the default configuration is plain data");
    walk("", &defaults, &mut keys);
    keys
}

fn unknown_key(key: &str, origin: &str) -> Error {
    choices::unknown_key(key, origin, &known_keys())
}

/// TOML where it parses as a value, otherwise the text itself.
fn parse_value(text: &str) -> toml::Value {
    // `.01` is a number to everybody but TOML.
    let begins_with_a_point = text.trim_start_matches(['+', '-']).starts_with('.');
    if begins_with_a_point && let Ok(number) = text.parse() {
        return toml::Value::Float(number);
    }
    format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.into()))
}

/// Takes `value` if its type is that of the default; integers may stand for
/// floating-point numbers, and numbers for a text, which then has to make
/// sense of them.
fn fit(
    slot: &toml::Value,
    value: toml::Value,
    key: &str,
    origin: &str,
) -> Result<toml::Value, Error> {
    let value = match (slot, value) {
        // A text for now, read when all layers are in place.
        (_, value) if key == widths::KEY => return hidden(value, key, origin),
        (toml::Value::String(_), toml::Value::String(text)) => {
            toml::Value::String(choices::spelled(key, text))
        }
        (toml::Value::Float(_), toml::Value::Integer(integer)) => {
            toml::Value::Float(integer as f64)
        }
        (toml::Value::String(_), value) if value.is_integer() || value.is_float() => {
            toml::Value::String(value.to_string())
        }
        (_, value) => value,
    };
    let negative =
        matches!((slot, &value), (toml::Value::Integer(_), toml::Value::Integer(i)) if *i < 0);
    if slot.same_type(&value) && !negative {
        return Ok(value);
    }
    let expected = match slot {
        toml::Value::Integer(_) => "a non-negative whole number of at most 9223372036854775807",
        toml::Value::Float(_) => "a number",
        toml::Value::Boolean(_) => "true or false",
        _ => "a text",
    };
    Err(Error::Configuration(format!(
        "{origin} sets {key} to {value}, but expects {expected}"
    )))
}

/// A list, or a text that [`widths::settle`] reads.
fn hidden(value: toml::Value, key: &str, origin: &str) -> Result<toml::Value, Error> {
    match value {
        toml::Value::Array(_) | toml::Value::String(_) => Ok(value),
        toml::Value::Integer(width) => Ok(toml::Value::String(width.to_string())),
        // Some architectures are dates to TOML.
        toml::Value::Datetime(date) => Ok(toml::Value::String(date.to_string())),
        value => Err(Error::Configuration(format!(
            "{origin} sets {key} to {value}, but expects a list of whole numbers, such as [256, 32, 8]"
        ))),
    }
}
