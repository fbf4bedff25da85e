//! Every setting by its name, and how two runs differ in them.

use super::Configuration;
use super::layers::flat;

impl Configuration {
    /// Every setting by the name that `--set` takes, with its value.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let table = toml::Table::try_from(self).unwrap_or_default();
        let text = |value| match value {
            toml::Value::String(text) => text,
            value => value.to_string(),
        };
        let settings = flat(table, "").into_iter();
        settings.map(|(name, value)| (name, text(value))).collect()
    }

    /// Settings of `self` that another run's differ in, as `training.batch is 64
    /// instead of 128`: those that decide a result.
    pub(crate) fn differing_from(&self, expected: &Self) -> Vec<String> {
        let expected = expected.identity().settings();
        let own = self.identity().settings().into_iter();
        own.filter_map(|(name, value)| {
            let other = expected.iter().find(|(other, _)| *other == name);
            let other = other.map_or("absent", |(_, value)| value);
            (other != value).then(|| format!("{name} is {value} instead of {other}"))
        })
        .collect()
    }
}
