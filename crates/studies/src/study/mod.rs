//! Studies: a question in a file, with the models it needs, figures, measures
//! and statements.
//!
//! The file is TOML; [`EXAMPLE`] says all of it. A model is the base
//! configuration with some settings over it: every combination of a grid, or
//! each of the named ones. What no file can say, the built-in studies add in
//! Rust.

mod article;
mod claims;
mod figure;
mod models;
mod plots;
mod table;

use std::collections::BTreeSet;
use std::path::Path;

use evaluation::statistics::sequential::Look;
use figures::absence::reason;
use runs::Error;
use runs::configuration::ReadingConfiguration;
use serde::Deserialize;
use viz::page::Block;

use self::article::{Content, Part, check_places, filled, flowing, paragraphs};
use self::claims::Stated;
use self::figure::Shown;
use self::models::Model;
pub use self::models::in_words;
use self::plots::StatedPlot;
use crate::claims::{Claim, Decide};
use crate::measures::{Measure, measure};
use crate::{Drawing, PlannedRun, Scale, Seeds};

/// A commented file that `study new` writes.
pub const EXAMPLE: &str = include_str!("example.toml");

/// Epochs of a first look.
const QUICK_EPOCHS: usize = 3;

/// A question, the runs it needs and the figures that answer it.
#[derive(Clone, Debug)]
pub struct Study {
    name: String,
    title: String,
    subject: Option<String>,
    about: String,
    text: String,
    dataset: Option<String>,
    reading: ReadingConfiguration,
    seeds: Seeds,
    titles: Titles,
    models: Vec<Model>,
    article: Vec<Part>,
    figures: Vec<Shown>,
    measures: Vec<&'static Measure>,
    plots: Vec<StatedPlot>,
    claims: Vec<Stated>,
    /// Names of what it has beyond its file, which a test holds against the file.
    #[cfg(test)]
    peculiar: Peculiar,
}

/// What a built-in study has beyond its file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peculiar {
    /// Parts of the article, by the names that the file has for them.
    pub(crate) pieces: &'static [(&'static str, Piece)],
    /// What decides its statements, by their ids.
    pub(crate) decisions: &'static [(&'static str, Decide)],
}

/// Draws a part of the article.
pub(crate) type Piece = fn(&mut Drawing<'_>) -> Result<Vec<Block>, Error>;

/// What figures call a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Titles {
    /// What the file does, or the settings it has in the grid.
    #[default]
    Name,
    /// Its kind and layers.
    Architecture,
}

/// The file as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    /// What the statements are about, in the lead of the page.
    subject: Option<String>,
    #[serde(default)]
    about: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    titles: Titles,
    dataset: Option<String>,
    #[serde(default)]
    reading: ReadingConfiguration,
    #[serde(default = "one")]
    seeds: Seeds,
    #[serde(default)]
    base: toml::Table,
    #[serde(default)]
    grid: toml::Table,
    #[serde(default)]
    models: toml::Table,
    #[serde(default)]
    article: Vec<toml::Table>,
    #[serde(default)]
    figures: Vec<WrittenFigure>,
    #[serde(default)]
    measures: Vec<String>,
    plots: Option<Vec<plots::Written>>,
    #[serde(default)]
    claims: Vec<claims::Written>,
}

fn one() -> Seeds {
    Seeds::Each(1)
}

/// A figure's name, or a table with its options.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum WrittenFigure {
    Name(String),
    Options(toml::Table),
}

impl Study {
    /// Reads a study.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown name of anything (with the nearest
    /// known one), a setting that a model cannot have.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = input_files::read_to_string(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let taken = crate::STUDIES.iter().any(|study| study.name == slug(&name));
        if taken {
            return Err(Error::Configuration(format!(
                "{} is called as the built-in study '{}', whose folder of figures it would take; give the file another name",
                path.display(),
                slug(&name)
            )));
        }
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
    /// As [`Study::read`].
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        Self::with(name, text, Peculiar::default())
    }

    /// A built-in study.
    ///
    /// # Panics
    /// When its file is wrong; a test reads them all.
    pub(crate) fn built_in(name: &str, text: &str, peculiar: Peculiar) -> Self {
        Self::with(name, text, peculiar).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn with(name: &str, text: &str, peculiar: Peculiar) -> Result<Self, Error> {
        let written: Written = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start].matches('\n').count() + 1);
            let place = line.map_or_else(String::new, |line| format!("line {line}: "));
            let problem = error.message().replace('`', "'");
            Error::Configuration(format!("{place}{problem}"))
        })?;
        written.seeds.check("seeds")?;
        let models = models::of(&written.base, &written.grid, &written.models)?;
        check_places(&written.text, &models)?;
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
        let mut article = written
            .article
            .into_iter()
            .map(|part| Part::of(part, &models, &peculiar))
            .collect::<Result<Vec<_>, _>>()?;
        let mut figures = written
            .figures
            .into_iter()
            .map(|figure| Shown::of(figure.into(), &models))
            .collect::<Result<Vec<_>, _>>()?;
        let in_article = article
            .iter_mut()
            .filter_map(|part| match &mut part.content {
                Content::Figure(shown) => Some(shown),
                _ => None,
            });
        figure::number(in_article.chain(&mut figures));
        let claims = written
            .claims
            .into_iter()
            .enumerate()
            .map(|(index, claim)| {
                let id = format!("{}.{}", slug(name), index + 1);
                Stated::of(claim, id, &models, &peculiar)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut ids: Vec<&str> = claims
            .iter()
            .map(|claim: &Stated| claim.id.as_str())
            .collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::Configuration(format!(
                "two claims have the id '{}', but each needs its own",
                pair[0]
            )));
        }
        Ok(Self {
            name: slug(name),
            title: written.title,
            subject: written.subject,
            text: written.text,
            dataset: written.dataset,
            reading: written.reading,
            seeds: written.seeds,
            about: flowing(&written.about),
            titles: written.titles,
            article,
            figures,
            models,
            measures,
            plots,
            claims,
            #[cfg(test)]
            peculiar,
        })
    }

    /// What `--study` takes, and the name of its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Heading of its section.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// One line for `--help`.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The data set it asks for where the command names none.
    #[must_use]
    pub fn dataset(&self) -> Option<&str> {
        self.dataset.as_deref()
    }

    /// How it reads its data where the command does not say.
    #[must_use]
    pub fn reading(&self) -> &ReadingConfiguration {
        &self.reading
    }

    /// Seeds per model where the command does not say.
    #[must_use]
    pub fn seeds(&self) -> Seeds {
        self.seeds
    }

    /// The runs it needs, of any data set: which one, its shape and how it was
    /// read are written into them when they are to be trained.
    #[must_use]
    pub fn runs(&self, scale: Scale) -> Vec<PlannedRun> {
        let mut runs = Vec::new();
        for seed in scale.seeds_of_a_model() {
            for model in &self.models {
                let mut configuration = model.configuration.clone();
                configuration.training.seed = seed;
                if scale.quick {
                    let epochs = configuration.training.epochs;
                    configuration.training.epochs = epochs.min(QUICK_EPOCHS);
                }
                runs.push(PlannedRun {
                    title: (self.titles == Titles::Name).then(|| model.title.clone()),
                    ..PlannedRun::new(&model.key, configuration)
                });
            }
        }
        runs
    }

    /// Measures what its tables, plots and statements say of the runs of
    /// `drawing`, which keeps it beside them for its figures and text.
    ///
    /// # Errors
    /// When a measure cannot be kept.
    pub fn measure(&self, drawing: &Drawing<'_>) -> Result<(), Error> {
        let of_plots = self.plots.iter().map(StatedPlot::measure);
        for measure in self.measures.iter().copied().chain(of_plots) {
            for run in drawing.runs {
                if let Err(error) = measure.of(drawing, run) {
                    reason(error)?;
                }
            }
        }
        let look = Look::only(drawing.scale.seeds);
        self.claims(drawing, look, |_| true).map(drop)
    }

    /// Its figures and text; called with at least one finished run.
    ///
    /// # Errors
    /// When a figure cannot be made or written.
    pub fn blocks(&self, drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
        let mut blocks = paragraphs(&filled(&self.text, drawing, &[]));
        for part in &self.article {
            blocks.extend(part.blocks(drawing)?);
        }
        if !self.measures.is_empty() {
            blocks.push(Block::Subheading("Numbers".into()));
            blocks.push(table::of_models(drawing, &self.models, &self.measures)?);
        }
        blocks.extend(plots::draw(drawing, &self.plots, &self.models)?);
        for shown in &self.figures {
            blocks.push(Block::Subheading(shown.kind.title.into()));
            blocks.extend(shown.blocks(drawing)?);
        }
        Ok(blocks)
    }

    /// Its statements that are `wanted` by their ids, decided at this look also
    /// when runs they need are missing, each with the keys of the models it is
    /// about.
    ///
    /// # Errors
    /// When a measure cannot be kept.
    pub fn claims(
        &self,
        drawing: &Drawing<'_>,
        look: Look,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(Claim, BTreeSet<String>)>, Error> {
        let wanted = self.claims.iter().filter(|stated| wanted(&stated.id));
        wanted
            .map(|stated| stated.measured(drawing, look))
            .collect()
    }

    /// What the lead of the page calls what the statements are about.
    pub(crate) fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or(&self.title)
    }
}

impl From<WrittenFigure> for toml::Table {
    fn from(written: WrittenFigure) -> Self {
        match written {
            WrittenFigure::Name(name) => Self::from_iter([("figure".into(), name.into())]),
            WrittenFigure::Options(options) => options,
        }
    }
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
