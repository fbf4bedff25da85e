//! The models of a study in a file: a base configuration and what is set over
//! it.

use runs::Error;
use runs::configuration::{Configuration, Override};

use super::slug;

/// More models than a study can be meant to have.
const MOST_MODELS: usize = 500;

/// A model of a study.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// Begins the names of its files.
    pub(super) key: String,
    /// What tables and figures call it.
    pub(super) title: String,
    /// What is set over the base, by dotted name.
    pub(super) settings: Vec<(String, toml::Value)>,
    pub(super) configuration: Configuration,
}

impl Model {
    fn new(
        title: &str,
        preset: Option<&str>,
        base: &[(String, toml::Value)],
        settings: Vec<(String, toml::Value)>,
    ) -> Result<Self, Error> {
        for (key, _) in base.iter().chain(&settings) {
            refuse_of_study(key)?;
        }
        let overrides: Vec<Override> = base
            .iter()
            .chain(&settings)
            .map(|(key, value)| Override {
                key: key.clone(),
                value: value.clone(),
                origin: format!("the setting {key}"),
            })
            .collect();
        Ok(Self {
            key: slug(title),
            title: title.into(),
            configuration: Configuration::resolve(preset, None, &overrides)?,
            settings,
        })
    }

    /// The value of a setting by its dotted name or the last part of it.
    pub(super) fn setting(&self, name: &str) -> Option<&toml::Value> {
        let found = self.settings.iter();
        let mut found = found.filter(|(known, _)| known == name || last(known) == name);
        found.next().map(|(_, value)| value)
    }
}

/// Refuses settings that are the same for all models, and are the study's own.
fn refuse_of_study(key: &str) -> Result<(), Error> {
    let own = match key {
        "data.dataset" => "dataset = \"…\"",
        "training.seed" => "seeds = N",
        _ if key.starts_with("data.reading") => "[reading]",
        _ => return Ok(()),
    };
    Err(Error::Configuration(format!(
        "the models set {key}, which is the same for all of them; expected {own} at the head of the study"
    )))
}

/// The last part of a dotted name, as words.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Settings by their last names, as the models of a grid are called.
#[must_use]
pub fn in_words(settings: &[(String, toml::Value)]) -> String {
    let words = settings
        .iter()
        .map(|(name, value)| format!("{} {}", last(name).replace('_', " "), shown(value)));
    words.collect::<Vec<_>>().join(", ")
}

/// A value as tables show it.
pub(super) fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Float(number) => viz::number::shortest(*number),
        toml::Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join("-"),
        value => value.to_string(),
    }
}

/// The models of a file: every combination of the grid, and the named ones; the
/// base alone where there are neither.
pub(super) fn of(
    base: &toml::Table,
    grid: &toml::Table,
    named: &toml::Table,
) -> Result<Vec<Model>, Error> {
    let mut base = base.clone();
    let common = preset_of(&mut base, "base")?;
    let base = flat(&base, "");
    let model = |title: &str, settings| Model::new(title, common.as_deref(), &base, settings);
    let mut models = Vec::new();
    if !grid.is_empty() {
        for settings in combinations(&flat(grid, ""))? {
            models.push(model(&in_words(&settings), settings)?);
        }
    }
    for (name, settings) in named {
        let toml::Value::Table(mut settings) = settings.clone() else {
            return Err(Error::Configuration(format!(
                "models.{name} is {settings}, but must be a table of settings"
            )));
        };
        let own = preset_of(&mut settings, &format!("models.{name}"))?;
        let preset = own.as_deref().or(common.as_deref());
        models.push(Model::new(name, preset, &base, flat(&settings, ""))?);
    }
    if models.is_empty() {
        models.push(model("model", Vec::new())?);
    }
    for (index, one) in models.iter().enumerate() {
        if let Some(other) = models[..index].iter().find(|other| other.key == one.key) {
            return Err(Error::Configuration(format!(
                "the models '{}' and '{}' would have the same files; give one another name",
                other.title, one.title
            )));
        }
    }
    Ok(models)
}

/// The preset that a table names, taken out of it.
fn preset_of(table: &mut toml::Table, place: &str) -> Result<Option<String>, Error> {
    match table.remove("preset") {
        None => Ok(None),
        Some(toml::Value::String(preset)) => Ok(Some(preset)),
        Some(other) => Err(Error::Configuration(format!(
            "{place}.preset is {other}, but must be the name of a preset"
        ))),
    }
}

/// A model by its name, or by settings that only it has.
pub(super) fn find<'m>(models: &'m [Model], name: &toml::Value) -> Result<&'m Model, Error> {
    let matches: Vec<&Model> = match name {
        toml::Value::String(name) => models
            .iter()
            .filter(|model| model.title == *name || model.key == slug(name))
            .collect(),
        toml::Value::Table(settings) => models
            .iter()
            .filter(|model| {
                let mut settings = flat(settings, "").into_iter();
                settings
                    .all(|(name, value)| model.setting(&name).is_some_and(|own| same(own, &value)))
            })
            .collect(),
        _ => Vec::new(),
    };
    match matches[..] {
        [only] => Ok(only),
        [] => {
            let known: Vec<&str> = models.iter().map(|model| model.title.as_str()).collect();
            Err(Error::Configuration(format!(
                "there is no model {name}; expected one of {}",
                known.join("; ")
            )))
        }
        [first, second, ..] => Err(Error::Configuration(format!(
            "the model {name} could be '{}' or '{}'; name more of its settings",
            first.title, second.title
        ))),
    }
}

/// Whether two values are one: 4 and 4.0 are.
pub(super) fn same(a: &toml::Value, b: &toml::Value) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// A value as a number, if it is one.
pub(super) fn number(value: &toml::Value) -> Option<f64> {
    match value {
        toml::Value::Float(number) => Some(*number),
        toml::Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}

/// Settings of nested tables by their dotted names.
pub(super) fn flat(table: &toml::Table, prefix: &str) -> Vec<(String, toml::Value)> {
    let mut settings = Vec::new();
    for (name, value) in table {
        let name = format!("{prefix}{name}");
        match value {
            toml::Value::Table(inner) => settings.extend(flat(inner, &format!("{name}."))),
            value => settings.push((name, value.clone())),
        }
    }
    settings
}

/// Every combination, the last setting changing fastest.
fn combinations(grid: &[(String, toml::Value)]) -> Result<Vec<Vec<(String, toml::Value)>>, Error> {
    let mut all = vec![Vec::new()];
    for (name, values) in grid {
        let values = match values {
            toml::Value::Array(values) if !values.is_empty() => values,
            other => {
                // A text of several lines is written in one.
                let other = other.to_string().replace('\n', " ");
                return Err(Error::Configuration(format!(
                    "grid.{name} is {other}, but must be a list of values"
                )));
            }
        };
        if all.len() * values.len() > MOST_MODELS {
            return Err(Error::Configuration(format!(
                "the grid has more than {MOST_MODELS} combinations; expected fewer values"
            )));
        }
        all = all
            .iter()
            .flat_map(|settings: &Vec<_>| {
                values.iter().map(move |value| {
                    let mut settings = settings.clone();
                    settings.push((name.clone(), value.clone()));
                    settings
                })
            })
            .collect();
    }
    Ok(all)
}
