//! Studies in a file: models or a grid over settings, seeds, figures, measures
//! and statements, without Rust.
//!
//! The file is TOML; [`EXAMPLE`] says all of it. A model is the base
//! configuration with some settings over it: every combination of a grid, or
//! each of the named ones.

mod claims;
mod models;
mod plots;
mod table;

use std::path::Path;

use figures::pictures;
use runs::Error;
use runs::configuration::ReadingConfiguration;
use serde::Deserialize;
use viz::page::Block;

use self::claims::StatedClaim;
use self::models::Model;
use self::plots::StatedPlot;
use crate::claims::Claim;
use crate::measures::{Measure, measure};
use crate::{Drawing, PlannedRun, Scale, Study};

/// A commented file that `study new` writes.
pub const EXAMPLE: &str = include_str!("example.toml");

/// Epochs of a first look.
const QUICK_EPOCHS: usize = 3;
/// More runs are not told apart in one figure.
const MOST_SHOWN: usize = 12;

/// A study that was read from a file.
#[derive(Clone, Debug)]
pub struct StudyFile {
    name: String,
    title: String,
    text: String,
    dataset: Option<String>,
    reading: ReadingConfiguration,
    seeds: usize,
    models: Vec<Model>,
    figures: Vec<Shown>,
    measures: Vec<&'static Measure>,
    plots: Vec<StatedPlot>,
    claims: Vec<StatedClaim>,
}

/// A figure of some of the models.
#[derive(Clone, Debug)]
struct Shown {
    kind: &'static pictures::Kind,
    options: toml::Table,
    file: String,
    /// Keys of the models.
    models: Vec<String>,
}

/// The file as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    #[serde(default)]
    text: String,
    dataset: Option<String>,
    #[serde(default)]
    reading: ReadingConfiguration,
    #[serde(default = "one")]
    seeds: usize,
    #[serde(default)]
    base: toml::Table,
    #[serde(default)]
    grid: toml::Table,
    #[serde(default)]
    models: toml::Table,
    #[serde(default)]
    figures: Vec<WrittenFigure>,
    #[serde(default)]
    measures: Vec<String>,
    plots: Option<Vec<plots::Written>>,
    #[serde(default)]
    claims: Vec<claims::Written>,
}

fn one() -> usize {
    1
}

/// A figure's name, or a table with its options.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum WrittenFigure {
    Name(String),
    Options(toml::Table),
}

impl StudyFile {
    /// Reads a study.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown name of anything (with the nearest
    /// known one), a setting that a model cannot have.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text).map_err(|error| match error {
            Error::Configuration(problem) => {
                Error::Configuration(format!("{}: {problem}", path.display()))
            }
            error => error,
        })
    }

    /// The same of a text, for the study called `name`.
    ///
    /// # Errors
    /// As [`StudyFile::read`].
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let written: Written = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start].matches('\n').count() + 1);
            let place = line.map_or_else(String::new, |line| format!("line {line}: "));
            let problem = error.message().replace('`', "'");
            Error::Configuration(format!("{place}{problem}"))
        })?;
        if written.seeds == 0 {
            return Err(Error::Configuration(
                "seeds is 0, but must be at least 1".into(),
            ));
        }
        let models = models::of(&written.base, &written.grid, &written.models)?;
        let measures: Vec<&'static Measure> = written
            .measures
            .iter()
            .map(|name| measure(name))
            .collect::<Result<_, _>>()?;
        let plots = match written.plots {
            Some(plots) => plots
                .into_iter()
                .map(|plot| StatedPlot::of(plot, &models))
                .collect::<Result<_, _>>()?,
            None => StatedPlot::of_grid(&written.grid, &models, &measures),
        };
        let figures = written
            .figures
            .into_iter()
            .map(|figure| Shown::of(figure, &models))
            .collect::<Result<Vec<_>, _>>()?;
        let claims = written
            .claims
            .into_iter()
            .map(|claim| StatedClaim::of(claim, &models))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: slug(name),
            title: written.title,
            text: written.text,
            dataset: written.dataset,
            reading: written.reading,
            seeds: written.seeds,
            figures: numbered(figures),
            models,
            measures,
            plots,
            claims,
        })
    }
}

impl Study for StudyFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn dataset(&self) -> Option<&str> {
        self.dataset.as_deref()
    }

    fn reading(&self) -> ReadingConfiguration {
        self.reading.clone()
    }

    fn seeds(&self) -> usize {
        self.seeds
    }

    fn runs(&self, scale: Scale) -> Vec<PlannedRun> {
        let mut runs = Vec::new();
        for seed in 0..scale.seeds {
            for model in &self.models {
                let mut configuration = model.configuration.clone();
                configuration.training.seed = seed as u64;
                if scale.quick {
                    let epochs = configuration.training.epochs;
                    configuration.training.epochs = epochs.min(QUICK_EPOCHS);
                }
                runs.push(PlannedRun {
                    title: Some(model.title.clone()),
                    ..PlannedRun::new(&model.key, configuration)
                });
            }
        }
        runs
    }

    fn blocks(&self, drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
        let mut blocks: Vec<Block> = self
            .text
            .split("\n\n")
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|paragraph| !paragraph.is_empty())
            .map(Block::paragraph)
            .collect();
        if !self.measures.is_empty() {
            blocks.push(Block::Subheading("Numbers".into()));
            blocks.push(table::of_models(drawing, &self.models, &self.measures)?);
        }
        blocks.extend(plots::draw(drawing, &self.plots, &self.models)?);
        for shown in &self.figures {
            blocks.push(Block::Subheading(shown.kind.title.into()));
            let keys: Vec<&str> = shown.models.iter().map(String::as_str).collect();
            let runs = drawing.shown(&keys);
            if runs.is_empty() {
                blocks.push(drawing.left_out(&shown.kind.title.to_lowercase(), &keys));
                continue;
            }
            blocks.extend(
                shown
                    .kind
                    .draw(drawing, &runs, &shown.options, &shown.file)?,
            );
        }
        Ok(blocks)
    }

    fn claims(&self, drawing: &Drawing<'_>) -> Result<Vec<Claim>, Error> {
        let numbered = self.claims.iter().enumerate();
        numbered
            .map(|(index, claim)| claim.measured(drawing, &format!("{}.{}", self.name, index + 1)))
            .collect()
    }
}

impl Shown {
    fn of(written: WrittenFigure, models: &[Model]) -> Result<Self, Error> {
        let mut options = match written {
            WrittenFigure::Name(name) => toml::Table::from_iter([("figure".into(), name.into())]),
            WrittenFigure::Options(options) => options,
        };
        let name = match options.remove("figure") {
            Some(toml::Value::String(name)) => name,
            _ => {
                return Err(Error::Configuration(
                    "a figure has options but no name; expected figure = \"…\" among them".into(),
                ));
            }
        };
        let known = pictures::KIT.iter().map(|kind| kind.name);
        let kind = pictures::KIT
            .iter()
            .find(|kind| kind.name == name)
            .ok_or_else(|| {
                Error::Configuration(format!(
                    "there is no figure '{name}'; {}",
                    names::hint(&name, known, &[])
                ))
            })?;
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
            file: name,
            models: chosen,
        })
    }
}

/// Figures of one kind get files of their own.
fn numbered(mut figures: Vec<Shown>) -> Vec<Shown> {
    for index in 0..figures.len() {
        let before = figures[..index].iter();
        let alike = before.filter(|other| other.kind.name == figures[index].kind.name);
        let count = alike.count();
        if count > 0 {
            figures[index].file.push_str(&format!("-{}", count + 1));
        }
    }
    figures
}

/// A name for files and anchors: letters and digits in lower case, joined by
/// dashes.
fn slug(text: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || c == '.';
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !kept(c))
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests;
