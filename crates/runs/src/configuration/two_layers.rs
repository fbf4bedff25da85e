//! What a run of two stochastic layers is.

use std::path::Path;

use serde::Serialize;

use super::{Configuration, digest, internal, read_table};
use crate::error::Error;

/// The section of `config.toml` that no run of one layer has.
pub(super) const SECTION: &str = "two_layers";

/// The settings of a run of two stochastic layers, as in its `config.toml`:
/// those of a run of the lower layer, and a section on the upper.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TwoLayerConfiguration {
    /// The data, the lower layer and the training.
    pub lower: Configuration,
    /// Widths from h₁ to h₂. Absent from folders of versions that did not write
    /// them, which can be measured but not continued.
    pub upper: Option<String>,
}

impl TwoLayerConfiguration {
    /// Reads the `config.toml` of a run.
    ///
    /// # Errors
    /// The file cannot be read, or has keys or values it should not have.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut table = read_table(path)?;
        let origin = path.display().to_string();
        let upper = match table.remove(SECTION) {
            None => None,
            Some(toml::Value::Table(section)) => Some(upper_of(&section, &origin)?),
            Some(_) => return Err(malformed(&origin)),
        };
        let lower = Configuration::of_layers(None, Some((table, &origin)), &[])?;
        Ok(Self { lower, upper })
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// Only if serialisation itself fails.
    pub fn to_toml(&self) -> Result<String, Error> {
        let mut table = toml::Table::try_from(&self.lower).map_err(internal)?;
        if let Some(upper) = &self.upper {
            let section = toml::Table::from_iter([("upper".into(), upper.clone().into())]);
            table.insert(SECTION.into(), section.into());
        }
        toml::to_string(&table).map_err(internal)
    }

    /// As [`Configuration::digest`], and never that of a run of one layer.
    pub fn digest(&self, dataset_fingerprint: &str) -> String {
        let identity = Self {
            lower: self.lower.identity(),
            upper: self.upper.clone(),
        };
        digest(&identity, dataset_fingerprint)
    }

    /// As [`Configuration::extends`].
    pub fn extends(&self, shorter: &Self) -> bool {
        self.upper == shorter.upper && self.lower.extends(&shorter.lower)
    }
}

fn upper_of(section: &toml::Table, origin: &str) -> Result<String, Error> {
    match section.get("upper") {
        Some(toml::Value::String(upper)) if section.len() == 1 => Ok(upper.clone()),
        _ => Err(malformed(origin)),
    }
}

fn malformed(origin: &str) -> Error {
    Error::Configuration(format!(
        "the section {SECTION} of {origin} is damaged; expected the one key 'upper' with widths such as \"100-100-100-50\""
    ))
}

/// The sentence for such a `config.toml` where one layer is expected.
pub(super) fn refused(origin: &str) -> Error {
    Error::Configuration(format!(
        "{origin} describes a two-layer model; expected one of one layer: only 'latent-atlas reproduce iwae-table1 --layers 2' continues and measures the other"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_folder::RunFolder;

    #[test]
    fn a_run_of_two_layers_is_none_of_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config.toml");
        std::fs::write(folder.path().join("environment.json"), "{}").expect("writable");
        let lower = Configuration::resolve(Some("iwae-table1"), None, &[]).expect("a preset");
        let two = TwoLayerConfiguration {
            upper: Some("100-100-100-50".into()),
            lower: lower.clone(),
        };
        std::fs::write(&file, two.to_toml().expect("plain data")).expect("writable");
        assert_eq!(TwoLayerConfiguration::read(&file).expect("its own"), two);
        assert_ne!(two.digest("a"), lower.digest("a"));
        assert_ne!(two.digest("a"), two.digest("b"));
        let as_file = Configuration::resolve(None, Some(&file), &[]);
        let as_folder = RunFolder::at(folder.path()).configuration();
        for refused in [as_file, as_folder] {
            let message = refused.unwrap_err().to_string();
            assert!(message.contains("two-layer model"), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }

        // As versions before the section wrote it.
        std::fs::write(&file, lower.to_toml().expect("plain data")).expect("writable");
        let older = TwoLayerConfiguration::read(&file).expect("readable");
        assert_eq!((&older.lower, &older.upper), (&lower, &None));
        assert!(!two.extends(&older));
        for damaged in ["two_layers = 3", "[two_layers]\nupper = 3", "[two_layers]"] {
            std::fs::write(&file, damaged).expect("writable");
            let message = TwoLayerConfiguration::read(&file).unwrap_err().to_string();
            assert!(message.contains("the one key 'upper'"), "{message}");
        }
    }
}
