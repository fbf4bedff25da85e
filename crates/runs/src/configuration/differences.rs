//! Every setting by its name, and how two runs differ in them.

use super::Configuration;

impl Configuration {
    /// Every setting by the name that `--set` takes, with its value.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let text = |value| match value {
            toml::Value::String(text) => text,
            value => value.to_string(),
        };
        let values = self.values().unwrap_or_default().into_iter();
        values.map(|(key, value)| (key, text(value))).collect()
    }

    /// Settings of `self` that another run's differ in, as `training.batch is 64
    /// instead of 128`: those that decide a result.
    pub(crate) fn differing_from(&self, expected: &Self) -> Vec<String> {
        let expected = expected.identity().settings();
        let own = self.identity().settings().into_iter();
        own.filter_map(|(key, value)| {
            let other = expected.iter().find(|(other, _)| *other == key);
            let other = other.map_or("absent", |(_, value)| value);
            (other != value).then(|| format!("{key} is {value} instead of {other}"))
        })
        .collect()
    }
}
