//! Putting one layer of a configuration over another, key by key.

use toml::{Table, Value};

use super::setting::unknown_key;
use super::{SETTINGS, Setting};
use crate::error::Error;

/// Settings by their keys, such as `training.batch`, with their values.
pub(super) type Values = Table;

/// One `key=value` as given by `--set` or implied by a flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Dotted key, such as `training.batch`.
    pub key: String,
    /// The value.
    pub value: Value,
    /// How the user wrote it, for messages: `--batch` or `--set training.batch`.
    pub origin: String,
}

impl Override {
    /// Reads the argument of `--set`: a value in TOML's notation, where a bare
    /// word is taken as a string.
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
            value: parse_value(value),
            origin: format!("--set {}", key.trim()),
        })
    }
}

/// Puts the keys of `layer` in place of those of `values`.
pub(super) fn merge(values: &mut Values, layer: Table, origin: &str) -> Result<(), Error> {
    let mut keys = flat(layer, "").into_iter();
    keys.try_for_each(|(key, value)| put(values, &key, value, origin))
}

/// Every key of a table, dotted, with its value; an empty table is one.
pub(super) fn flat(table: Table, prefix: &str) -> Values {
    let keys = table.into_iter().flat_map(|(name, value)| match value {
        Value::Table(inner) if !inner.is_empty() => flat(inner, &format!("{prefix}{name}.")),
        value => Table::from_iter([(format!("{prefix}{name}"), value)]),
    });
    keys.collect()
}

/// Puts one value in place of another.
pub(super) fn put(values: &mut Values, key: &str, value: Value, origin: &str) -> Result<(), Error> {
    if let Some(setting) = Setting::find(key) {
        values.insert(key.into(), setting.fit(value, origin)?);
        return Ok(());
    }
    let section = format!("{key}.");
    let mut settings = SETTINGS.iter();
    match settings.find(|setting| setting.key.starts_with(&section)) {
        Some(_) if value.as_table().is_some_and(Table::is_empty) => Ok(()),
        Some(setting) => Err(Error::Configuration(format!(
            "{origin} names the section '{key}', but expects one of its keys, such as {}",
            setting.key
        ))),
        None => Err(unknown_key(key, origin)),
    }
}

/// TOML where it parses as a value, otherwise the text itself.
pub(super) fn parse_value(text: &str) -> Value {
    let text = text.trim();
    // `.01` is a number to everybody but TOML.
    let begins_with_a_point = text.trim_start_matches(['+', '-']).starts_with('.');
    if begins_with_a_point && let Ok(number) = text.parse() {
        return Value::Float(number);
    }
    text.parse().unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_toml_is_a_text() {
        for (text, value) in [
            (" 7 ", Value::Integer(7)),
            ("-.5", Value::Float(-0.5)),
            ("true", Value::Boolean(true)),
            ("[256, 32]", vec![256, 32].into()),
            ("'3'", "3".into()),
            ("", "".into()),
            (" mnist ", "mnist".into()),
            ("#ff8000", "#ff8000".into()),
        ] {
            assert_eq!(parse_value(text), value, "{text}");
        }
    }
}
