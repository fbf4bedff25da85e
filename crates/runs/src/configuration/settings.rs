//! Every setting by its name, and how two runs differ in them.

use super::Configuration;

impl Configuration {
    /// Every setting by the name that `--set` takes, with its value.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let table = toml::Table::try_from(self).unwrap_or_default();
        flat(&table, "")
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

fn flat(table: &toml::Table, prefix: &str) -> Vec<(String, String)> {
    table
        .iter()
        .flat_map(|(name, value)| match value {
            toml::Value::Table(inner) => flat(inner, &format!("{prefix}{name}.")),
            toml::Value::String(text) => vec![(format!("{prefix}{name}"), text.clone())],
            value => vec![(format!("{prefix}{name}"), value.to_string())],
        })
        .collect()
}
