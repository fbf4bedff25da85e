//! The text of a study with its figures, in the order of the page.

use figures::Drawing;
use figures::wording::{listed, said};
use runs::Error;
use viz::number::shortest;
use viz::page::Block;

use super::Peculiar;
use super::figure::Shown;
use super::models::{Model, find};
use super::table;
use crate::measures::{Measure, measure};

/// A part of the article.
#[derive(Clone, Debug)]
pub(super) enum Part {
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
        name: String,
        /// What is missing when it cannot be made, in words.
        what: String,
        /// Models without which it cannot be made.
        needs: Vec<String>,
    },
}

impl Part {
    /// A table with one of `heading`, `text`, `said` (and its `document`),
    /// `figure`, `table`, or `draw`.
    pub(super) fn of(
        mut written: toml::Table,
        models: &[Model],
        peculiar: &Peculiar,
    ) -> Result<Self, Error> {
        if written.contains_key("figure") {
            return Ok(Self::Figure(Shown::of(written, models)?));
        }
        let names = |written: &mut toml::Table, name: &str| match written.remove(name) {
            None => Ok(None),
            Some(toml::Value::Array(values)) => Ok(Some(values)),
            Some(other) => Err(Error::Configuration(format!(
                "a part of the article has the {name} {other}, but it must be a list of names"
            ))),
        };
        if let Some(measures) = names(&mut written, "table")? {
            let chosen = match names(&mut written, "models")? {
                None => models.to_vec(),
                Some(names) => names
                    .iter()
                    .map(|name| find(models, name).cloned())
                    .collect::<Result<_, _>>()?,
            };
            let named = measures.iter().map(|name| {
                let name = name
                    .as_str()
                    .map_or_else(|| name.to_string(), str::to_owned);
                measure(&name)
            });
            return alone(
                &written,
                Self::Table {
                    measures: named.collect::<Result<_, _>>()?,
                    models: chosen,
                },
            );
        }
        let needs = names(&mut written, "needs")?.unwrap_or_default();
        let mut text = |name: &str| -> Result<Option<String>, Error> {
            match written.remove(name) {
                None => Ok(None),
                Some(toml::Value::String(text)) => Ok(Some(text)),
                Some(other) => Err(Error::Configuration(format!(
                    "a part of the article has the {name} {other}, but it must be a text"
                ))),
            }
        };
        let part = if let Some(heading) = text("heading")? {
            Self::Heading(heading)
        } else if let Some(paragraphs) = text("text")? {
            Self::Paragraphs(paragraphs)
        } else if let Some(words) = text("said")? {
            let document = text("document")?.unwrap_or_default();
            Self::Quotation { document, words }
        } else if let Some(name) = text("draw")? {
            if !peculiar.pieces.iter().any(|(known, _)| *known == name) {
                let known = peculiar.pieces.iter().map(|(known, _)| *known);
                return Err(Error::Configuration(format!(
                    "the article has draw = '{name}', which the study does not have; {}",
                    names::hint(&name, known, &[])
                )));
            }
            let what = text("what")?.unwrap_or_else(|| name.clone());
            let needs = needs
                .iter()
                .map(|name| Ok(find(models, name)?.key.clone()))
                .collect::<Result<_, Error>>()?;
            Self::Peculiar { name, what, needs }
        } else {
            let known = ["heading", "text", "said", "figure", "table"];
            let first = written.keys().next().map_or("nothing", String::as_str);
            return Err(Error::Configuration(format!(
                "a part of the article has '{first}'; {}",
                names::hint(first, known, &[])
            )));
        };
        alone(&written, part)
    }

    pub(super) fn blocks(
        &self,
        drawing: &mut Drawing<'_>,
        peculiar: &Peculiar,
    ) -> Result<Vec<Block>, Error> {
        match self {
            Self::Heading(heading) => Ok(vec![Block::Subheading(heading.clone())]),
            Self::Paragraphs(text) => Ok(paragraphs(&filled(text, drawing, &[]))),
            Self::Quotation { document, words } => Ok(vec![said(document, &flowing(words))]),
            Self::Figure(shown) => shown.blocks(drawing),
            Self::Table { measures, models } => {
                Ok(vec![table::of_models(drawing, models, measures)?])
            }
            Self::Peculiar { name, what, needs } => {
                let (what, needs) = (
                    filled(what, drawing, &[]),
                    needs.iter().map(String::as_str).collect::<Vec<_>>(),
                );
                if needs.iter().any(|key| drawing.run(key).is_none()) {
                    return Ok(vec![drawing.left_out(&what, &needs)]);
                }
                let piece = peculiar.pieces.iter().find(|(known, _)| known == name);
                let (_, piece) = piece.expect("parsing has refused other names");
                drawing.blocks(&what, piece)
            }
        }
    }
}

/// The part, if nothing is left of what was written.
fn alone(left: &toml::Table, part: Part) -> Result<Part, Error> {
    match left.keys().next() {
        None => Ok(part),
        Some(other) => Err(Error::Configuration(format!(
            "a part of the article has '{other}' besides another one; begin a new [[article]] with it"
        ))),
    }
}

/// Paragraphs that empty lines divide.
pub(super) fn paragraphs(text: &str) -> Vec<Block> {
    text.split("\n\n")
        .map(flowing)
        .filter(|paragraph| !paragraph.is_empty())
        .map(Block::paragraph)
        .collect()
}

/// A text with what stands in its places: `{title of vae}` is `VAE 784-256-2`,
/// `{architecture of vae}` that without the kind, `{models}` the titles of all,
/// `{0}` the first threshold. Other braces are the text's own.
pub(super) fn filled(text: &str, drawing: &Drawing<'_>, thresholds: &[f64]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let place = after.split_once('}');
        let value =
            place.and_then(|(place, after)| Some((value_of(place, drawing, thresholds)?, after)));
        match value {
            Some((value, after)) => {
                filled.push_str(&value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

fn value_of(place: &str, drawing: &Drawing<'_>, thresholds: &[f64]) -> Option<String> {
    if let Ok(index) = place.parse::<usize>() {
        return thresholds.get(index).map(|value| shortest(*value));
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
        return Some(listed(&titles));
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
