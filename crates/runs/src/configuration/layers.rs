//! Putting one layer of a configuration over another, key by key.

use super::setting::{Values, declared, unknown_key};
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

/// Puts the keys of `layer` in place of those of `values`.
pub(super) fn merge(values: &mut Values, layer: toml::Table, origin: &str) -> Result<(), Error> {
    let mut keys = flat(layer, "").into_iter();
    keys.try_for_each(|(key, value)| put(values, &key, value, origin))
}

/// Puts one value in place of another.
pub(super) fn set(values: &mut Values, item: &Override) -> Result<(), Error> {
    put(values, &item.key, parse_value(&item.value), &item.origin)
}

/// Every key of a table, dotted, with its value; an empty table is one.
pub(super) fn flat(table: toml::Table, prefix: &str) -> Vec<(String, toml::Value)> {
    let keys = table.into_iter().flat_map(|(name, value)| match value {
        toml::Value::Table(inner) if !inner.is_empty() => flat(inner, &format!("{prefix}{name}.")),
        value => vec![(format!("{prefix}{name}"), value)],
    });
    keys.collect()
}

/// Tables of values, as a file has them.
pub(super) fn nested(values: Values) -> toml::Table {
    let mut table = toml::Table::new();
    for (setting, value) in values {
        let (sections, name) = setting.section_and_name();
        let mut inner = &mut table;
        for section in sections.split('.') {
            let empty = || toml::Table::new().into();
            let section = inner.entry(section).or_insert_with(empty);
            inner = section.as_table_mut().expect("sections are tables");
        }
        inner.insert(name.into(), value);
    }
    table
}

fn put(values: &mut Values, key: &str, value: toml::Value, origin: &str) -> Result<(), Error> {
    if let Some((setting, slot)) = values.iter_mut().find(|(setting, _)| setting.key == key) {
        *slot = setting.fit(value, origin)?;
        return Ok(());
    }
    let section = format!("{key}.");
    match declared().find(|setting| setting.key.starts_with(&section)) {
        Some(_) if value.as_table().is_some_and(toml::Table::is_empty) => Ok(()),
        Some(setting) => Err(Error::Configuration(format!(
            "{origin} names the section '{key}', but expects one of its keys, such as {}",
            setting.key
        ))),
        None => Err(unknown_key(key, origin)),
    }
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
