//! A figure of the kit in a study: its options, and which models it shows.

use figures::{Drawing, pictures};
use runs::Error;
use viz::page::Block;

use super::models::{self, Model};

/// More runs are not told apart in one figure.
const MOST_SHOWN: usize = 12;

/// A figure of some of the models.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) kind: &'static pictures::Kind,
    options: toml::Table,
    pub(super) file: String,
    /// Keys of the models.
    pub(super) models: Vec<String>,
}

impl Shown {
    /// The figure that a table names, with its options.
    pub(super) fn of(mut options: toml::Table, models: &[Model]) -> Result<Self, Error> {
        let name = match options.remove("figure") {
            Some(toml::Value::String(name)) => name,
            _ => {
                return Err(Error::Configuration(
                    "a figure has options but no name; expected figure = \"…\" among them".into(),
                ));
            }
        };
        let kind = pictures::kind(&name)?;
        let chosen: Vec<String> = match options.remove("models") {
            None => models.iter().map(|model| model.key.clone()).collect(),
            Some(toml::Value::Array(names)) => names
                .iter()
                .map(|name| Ok(models::find(models, name)?.key.clone()))
                .collect::<Result<_, Error>>()?,
            Some(other) => {
                return Err(Error::Configuration(format!(
                    "models of the figure '{name}' is {other}, but must be a list of models"
                )));
            }
        };
        if chosen.is_empty() || chosen.len() > MOST_SHOWN {
            return Err(Error::Configuration(format!(
                "the figure '{name}' would show {} models, but can show 1 to {MOST_SHOWN}; name some with models = […]",
                chosen.len()
            )));
        }
        kind.check(&options)?;
        Ok(Self {
            kind,
            options,
            file: kind.name.into(),
            models: chosen,
        })
    }

    pub(super) fn blocks(&self, drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
        let keys: Vec<&str> = self.models.iter().map(String::as_str).collect();
        let runs = drawing.shown(&keys);
        if runs.is_empty() {
            return Ok(vec![
                drawing.left_out(&self.kind.title.to_lowercase(), &keys),
            ]);
        }
        self.kind.draw(drawing, &runs, &self.options, &self.file)
    }
}

/// Gives figures of one kind files of their own.
pub(super) fn number<'s>(figures: impl Iterator<Item = &'s mut Shown>) {
    let mut before: Vec<&'static str> = Vec::new();
    for figure in figures {
        let alike = before.iter().filter(|name| **name == figure.kind.name);
        let count = alike.count();
        before.push(figure.kind.name);
        if count > 0 {
            figure.file.push_str(&format!("-{}", count + 1));
        }
    }
}
