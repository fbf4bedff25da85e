//! What is read of runs that earlier versions made.

use std::path::Path;

use models::Model;
use serde::Serialize;

use super::{Configuration, digest, widths};
use crate::error::Error;
use crate::presets;

/// The section of `config.toml` that two stochastic layers had before they were
/// settings of the model. There `model.latent` was the lower layer's, and the
/// one key `upper` the widths from it to the code.
const SECTION: &str = "two_layers";

/// What such a run was known by. The widths are absent of runs that did not
/// write them down.
#[derive(Serialize)]
pub(super) struct TwoLayers {
    pub(super) lower: Configuration,
    pub(super) upper: Option<String>,
}

/// Puts settings of the model in the place of that section.
///
/// # Errors
/// A section that is damaged.
pub(super) fn settle(mut table: toml::Table, origin: &str) -> Result<toml::Table, Error> {
    let Some(section) = table.remove(SECTION) else {
        return Ok(table);
    };
    let keys = section.as_table().filter(|keys| keys.len() == 1);
    let upper = keys.and_then(|keys| keys.get("upper")?.as_str());
    let model = table.get_mut("model").and_then(toml::Value::as_table_mut);
    if let (Some(upper), Some(model)) = (upper, model)
        && let [lower, ref hidden @ .., latent] = widths::dashed(upper)[..]
        && model.get("latent") == Some(&lower.into())
    {
        model.insert("lower_latent".into(), lower.into());
        model.insert("upper_hidden".into(), hidden.to_vec().into());
        model.insert("latent".into(), latent.into());
        return Ok(table);
    }
    Err(Error::Configuration(format!(
        "the section {SECTION} of {origin} is damaged; expected the one key 'upper' with widths from model.latent on, such as \"100-100-100-50\""
    )))
}

impl Configuration {
    /// The digests that earlier versions gave the run: those that took the name
    /// of a data set for a part of what a run is, and those to which two
    /// stochastic layers were a lower and an upper model.
    #[must_use]
    pub(crate) fn former_digests(&self, dataset_fingerprint: &str) -> Vec<String> {
        let mut named = self.identity();
        named.data.dataset.clone_from(&self.data.dataset);
        let mut digests = vec![digest(&named, dataset_fingerprint)];
        if let Some((lower, upper)) = self.former_halves() {
            let lower = lower.identity();
            for upper in [Some(upper), None] {
                let lower = lower.clone();
                digests.push(digest(&TwoLayers { lower, upper }, dataset_fingerprint));
            }
        }
        digests
    }

    /// All digests the run may have been given.
    #[must_use]
    pub(crate) fn digests(&self, dataset_fingerprint: &str) -> Vec<String> {
        let mut digests = self.former_digests(dataset_fingerprint);
        digests.push(self.digest(dataset_fingerprint));
        digests
    }

    /// The settings of the lower layer and the widths from it to the code, as
    /// runs of two stochastic layers had them.
    pub(crate) fn former_halves(&self) -> Option<(Self, String)> {
        let architecture = self.model_spec().ok()?.architecture.to_string();
        let (_, upper) = architecture.split_once('/')?;
        let mut lower = self.clone();
        lower.model.latent = self.model.lower_latent;
        lower.model.lower_latent = 0;
        lower.model.upper_hidden.clear();
        Some((lower, upper.to_owned()))
    }

    /// The settings with the upper layer that runs of Table 1 did not write
    /// down, where the weights in `model` have one.
    pub(crate) fn with_unwritten_layer(mut self, model: &Path) -> Self {
        let Ok(whole) = Self::resolve(Some(presets::TWO_LAYERS), None, &[]) else {
            return self;
        };
        let lower = whole.former_halves().map(|(lower, _)| lower.model);
        let has_upper =
            || Model::load(model).is_ok_and(|model| model.spec().architecture.lower.is_some());
        if lower.as_ref() == Some(&self.model) && has_upper() {
            self.model = whole.model;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_of_two_layers_becomes_settings() {
        let whole = Configuration::resolve(Some(presets::TWO_LAYERS), None, &[]).expect("a preset");
        let (lower, upper) = whole.former_halves().expect("two layers");
        assert_eq!((lower.model.latent, &upper[..]), (100, "100-100-100-50"));
        let text = lower.to_toml().expect("plain data");
        let section = format!("{text}\n[{SECTION}]\nupper = \"{upper}\"\n");
        let read = |text: &str| Configuration::of_text(text, "f").expect("settings");
        assert_eq!((read(&section), read(&text)), (whole.clone(), lower));
        for damaged in [
            "two_layers = 3".to_owned(),
            "[two_layers]\nupper = 3".to_owned(),
            "[two_layers]".to_owned(),
            section.replace("100-100-100-50", "99-100-50"),
        ] {
            let message = Configuration::of_text(&damaged, "f")
                .unwrap_err()
                .to_string();
            assert!(message.contains("the one key 'upper'"), "{message}");
        }
        assert_eq!(whole.former_digests("a").len(), 3);
    }
}
