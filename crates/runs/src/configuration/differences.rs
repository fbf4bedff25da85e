//! Every setting by its name, and how two runs differ in them.

use super::Configuration;

impl Configuration {
    /// Every setting by the name that `--set` takes, with its value.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let values = self.values().unwrap_or_default().into_iter();
        let text = |value| match value {
            toml::Value::String(text) => text,
            value => value.to_string(),
        };
        values.map(|(name, value)| (name, text(value))).collect()
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
