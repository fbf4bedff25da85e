//! The text of a study with its figures, in the order of the page.

use figures::Drawing;
use figures::wording::{listed, name_of, said};
use runs::Error;
use serde::Deserialize;
use viz::number::shortest;
use viz::page::Block;

use super::figure::Shown;
use super::models::{Model, find};
use super::table;
use super::{Peculiar, Piece};
use crate::measures::{Measure, measure};

/// A part of the article.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) content: Content,
    /// The data set that it is about.
    only_on: Option<String>,
    /// The data set on which there is nothing to say.
    not_on: Option<String>,
}

/// What a part of the article shows.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Heading(String),
    Paragraphs(String),
    /// A source document's own words.
    Quotation {
        document: String,
        words: String,
    },
    Figure(Shown),
    /// Measures of the models, over seeds.
    Table {
        measures: Vec<&'static Measure>,
        models: Vec<Model>,
    },
    /// What a built-in study makes with Rust of its own.
    Peculiar {
        piece: &'static (&'static str, Piece),
        /// What is missing when it cannot be made, in words.
        what: String,
        /// Models without which it cannot be made.
        needs: Vec<String>,
    },
}

/// A part as it is written, but for figures: these have options of their own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    heading: Option<String>,
    text: Option<String>,
    said: Option<String>,
    document: String,
    table: Option<Vec<String>>,
    models: Option<Vec<toml::Value>>,
    draw: Option<String>,
    what: Option<String>,
    needs: Vec<toml::Value>,
}

impl Part {
    /// A table with one of `heading`, `text`, `said` (and its `document`),
    /// `figure`, `table`, or `draw`, and maybe where it belongs.
    pub(super) fn of(
        mut written: toml::Table,
        models: &[Model],
        peculiar: &Peculiar,
    ) -> Result<Self, Error> {
        let mut place = |name: &str| match written.remove(name) {
            None => Ok(None),
            Some(toml::Value::String(dataset)) => Ok(Some(dataset)),
            Some(other) => Err(wrong(&format!(
                "has {name} = {other}, but it must be the name of a data set"
            ))),
        };
        let (only_on, not_on) = (place("only_on")?, place("not_on")?);
        let content = if written.contains_key("figure") {
            Content::Figure(Shown::of(written, models)?)
        } else {
            let known = [
                "heading", "text", "said", "document", "figure", "table", "models",
            ];
            let places = ["only_on", "not_on", "draw", "what", "needs"];
            for key in written.keys() {
                if !known.iter().chain(&places).any(|known| known == key) {
                    let hint = names::hint(key, known.into_iter().chain(places), &[]);
                    return Err(wrong(&format!("has the unknown key '{key}'; {hint}")));
                }
            }
            let written = written.try_into().map_err(|error: toml::de::Error| {
                wrong(&format!("is wrong: {}", error.message().replace('`', "'")))
            })?;
            Content::of(written, models, peculiar)?
        };
        Ok(Self {
            content,
            only_on,
            not_on,
        })
    }

    pub(super) fn blocks(&self, drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
        let is_here = |named: &String| is_called(drawing, named);
        let is_other = self.only_on.as_ref().is_some_and(|only| !is_here(only));
        if is_other || self.not_on.as_ref().is_some_and(is_here) {
            return Ok(Vec::new());
        }
        self.content.blocks(drawing)
    }
}

/// Whether a file that names this data set means those of `drawing`.
pub(super) fn is_called(drawing: &Drawing<'_>, named: &str) -> bool {
    names::find(named, [drawing.dataset.name.as_str()]).is_some()
}

impl Content {
    fn of(written: Written, models: &[Model], peculiar: &Peculiar) -> Result<Self, Error> {
        let found = |names: &[toml::Value]| -> Result<Vec<Model>, Error> {
            let models = names.iter().map(|name| find(models, name).cloned());
            models.collect()
        };
        let kinds = [
            written.heading.is_some(),
            written.text.is_some(),
            written.said.is_some(),
            written.table.is_some(),
            written.draw.is_some(),
        ];
        if kinds.iter().filter(|is_there| **is_there).count() != 1 {
            return Err(wrong(
                "has none or several of heading, text, said, figure and table; expected one, and a new [[article]] for the next",
            ));
        }
        if let Some(heading) = written.heading {
            return Ok(Self::Heading(heading));
        }
        if let Some(text) = written.text {
            check_places(&text, models)?;
            return Ok(Self::Paragraphs(text));
        }
        if let Some(words) = written.said {
            let document = written.document;
            if document.is_empty() {
                return Err(wrong(
                    "has words that were said, but no document; expected document = \"…\" beside them",
                ));
            }
            return Ok(Self::Quotation { document, words });
        }
        if let Some(measures) = written.table {
            let chosen = written.models.map(|names| found(&names)).transpose()?;
            if measures.is_empty() {
                return Err(wrong("has a table of no measure; expected some names"));
            }
            let measures = measures.iter().map(|name| measure(name));
            return Ok(Self::Table {
                measures: measures.collect::<Result<_, _>>()?,
                models: chosen.unwrap_or_else(|| models.to_vec()),
            });
        }
        let name = written.draw.unwrap_or_default();
        let piece = peculiar.pieces.iter().find(|piece| piece.0 == name);
        let piece = piece.ok_or_else(|| {
            let known = peculiar.pieces.iter().map(|(known, _)| *known);
            let hint = names::hint(&name, known, &[]);
            wrong(&format!(
                "has draw = '{name}', which the study does not have; {hint}"
            ))
        })?;
        Ok(Self::Peculiar {
            piece,
            what: written.what.unwrap_or_else(|| piece.0.into()),
            needs: found(&written.needs)?
                .into_iter()
                .map(|model| model.key)
                .collect(),
        })
    }

    fn blocks(&self, drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
        match self {
            Self::Heading(heading) => Ok(vec![Block::Subheading(heading.clone())]),
            Self::Paragraphs(text) => Ok(paragraphs(&filled(text, drawing, &[]))),
            Self::Quotation { document, words } => Ok(vec![said(document, &flowing(words))]),
            Self::Figure(shown) => shown.blocks(drawing),
            Self::Table { measures, models } => {
                Ok(vec![table::of_models(drawing, models, measures)?])
            }
            Self::Peculiar { piece, what, needs } => {
                let what = filled(what, drawing, &[]);
                let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                if needs.iter().any(|key| drawing.run(key).is_none()) {
                    return Ok(vec![drawing.left_out(&what, &needs)]);
                }
                drawing.blocks(&what, piece.1)
            }
        }
    }
}

fn wrong(problem: &str) -> Error {
    Error::Configuration(format!("a part of the article {problem}"))
}

/// Paragraphs that empty lines divide.
pub(super) fn paragraphs(text: &str) -> Vec<Block> {
    text.split("\n\n")
        .map(flowing)
        .filter(|paragraph| !paragraph.is_empty())
        .map(Block::paragraph)
        .collect()
}

/// Refuses places of a text that name a model which is not there, or nearly
/// another place.
pub(super) fn check_places(text: &str, models: &[Model]) -> Result<(), Error> {
    let mut refused = None;
    replaced(text, |place| {
        refused = refused.take().or_else(|| problem_of(place, models));
        None
    });
    refused.map_or(Ok(()), |problem| Err(wrong(&problem)))
}

fn problem_of(place: &str, models: &[Model]) -> Option<String> {
    let named = ["title of ", "architecture of "];
    if let Some(key) = named.iter().find_map(|start| place.strip_prefix(start)) {
        let known = || models.iter().map(|model| model.key.as_str());
        let hint = names::hint(key, known(), &[]);
        let is_known = known().any(|known| known == key);
        return (!is_known).then(|| format!("has {{{place}}}, but no such model; {hint}"));
    }
    let whole = ["models", "dataset"];
    let meant = names::nearest(place, whole, &[]).filter(|_| !whole.contains(&place))?;
    Some(format!(
        "has {{{place}}}, which stands for nothing; did you mean {{{meant}}}?"
    ))
}

/// A text with what stands in its places: `{title of vae}` is `VAE 784-256-2`,
/// `{architecture of vae}` that without the kind, `{models}` the titles of all,
/// `{dataset}` what the data set is called, `{0}` the first threshold. Other
/// braces are the text's own.
pub(super) fn filled(text: &str, drawing: &Drawing<'_>, thresholds: &[f64]) -> String {
    replaced(text, |place| value_of(place, drawing, thresholds))
}

/// A text with what `value` gives for what stands in braces; where it gives
/// nothing, the braces stay.
pub(super) fn replaced(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        replaced.push_str(before);
        let place = after.split_once('}');
        match place.and_then(|(place, after)| Some((value(place)?, after))) {
            Some((value, after)) => {
                replaced.push_str(&value);
                rest = after;
            }
            None => {
                replaced.push('{');
                rest = after;
            }
        }
    }
    replaced + rest
}

fn value_of(place: &str, drawing: &Drawing<'_>, thresholds: &[f64]) -> Option<String> {
    if let Ok(index) = place.parse::<usize>() {
        return thresholds.get(index).map(|value| shortest(*value));
    }
    if place == "dataset" {
        return Some(name_of(drawing.dataset));
    }
    if place == "models" {
        let mut keys: Vec<&str> = Vec::new();
        let finished = drawing.runs.iter().map(|run| run.key.as_str());
        for key in finished.chain(drawing.diverged.iter().map(|run| run.key.as_str())) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let titles: Vec<String> = keys.iter().map(|key| drawing.title(key)).collect();
        // Titles of a grid have commas of their own.
        return Some(if titles.iter().any(|title| title.contains(',')) {
            titles.join("; ")
        } else {
            listed(&titles)
        });
    }
    if let Some(key) = place.strip_prefix("title of ") {
        return Some(drawing.title(key));
    }
    let key = place.strip_prefix("architecture of ")?;
    Some(drawing.architecture(key))
}

/// A text without the line breaks of its file.
pub(super) fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
