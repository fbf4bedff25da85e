//! Statements of a study in a file, decided by a rule.

use evaluation::statistics::Claim::{AtLeast, AtMost};
use figures::Drawing;
use runs::Error;
use serde::Deserialize;

use super::models::{self, Model};
use crate::claims::Claim;
use crate::measures::{Measure, measure};

/// A statement as a file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    statement: String,
    measure: String,
    model: toml::Value,
    minus: Option<toml::Value>,
    over: Option<toml::Value>,
    at_least: Option<f64>,
    at_most: Option<f64>,
}

/// A statement about one model, or about two compared.
#[derive(Clone, Debug)]
pub(super) struct StatedClaim {
    statement: String,
    measure: &'static Measure,
    model: (String, String),
    compared: Option<(Comparison, String, String)>,
    side: evaluation::statistics::Claim,
    threshold: f64,
}

/// How two models are compared, seed by seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Minus,
    Over,
}

impl StatedClaim {
    pub(super) fn of(written: Written, models: &[Model]) -> Result<Self, Error> {
        let about = format!("the claim '{}'", written.statement);
        let (side, threshold) = match (written.at_least, written.at_most) {
            (Some(threshold), None) => (AtLeast, threshold),
            (None, Some(threshold)) => (AtMost, threshold),
            _ => {
                return Err(Error::Configuration(format!(
                    "{about} has {} rules, but needs one: at_least or at_most",
                    if written.at_least.is_some() {
                        "two"
                    } else {
                        "no"
                    }
                )));
            }
        };
        let name = |value: &toml::Value| -> Result<(String, String), Error> {
            let model = models::find(models, value)?;
            Ok((model.key.clone(), model.title.clone()))
        };
        let compared = match (&written.minus, &written.over) {
            (None, None) => None,
            (Some(other), None) => Some((Comparison::Minus, other)),
            (None, Some(other)) => Some((Comparison::Over, other)),
            (Some(_), Some(_)) => {
                return Err(Error::Configuration(format!(
                    "{about} has minus and over, but compares two models in one way"
                )));
            }
        };
        let compared = compared
            .map(|(how, other)| name(other).map(|(key, title)| (how, key, title)))
            .transpose()?;
        Ok(Self {
            measure: measure(&written.measure)?,
            model: name(&written.model)?,
            compared,
            side,
            threshold,
            statement: written.statement,
        })
    }

    pub(super) fn measured(&self, drawing: &Drawing<'_>, id: &str) -> Result<Claim, Error> {
        let over_seeds = |key: &str, title: &str| {
            drawing.over_seeds(key, title, |run| self.measure.of(drawing, run))
        };
        let own = over_seeds(&self.model.0, &self.model.1)?;
        let (measured, what) = match &self.compared {
            None => (vec![own], format!("of '{}'", self.model.1)),
            Some((how, key, title)) => {
                let other = over_seeds(key, title)?;
                let (compared, word) = match how {
                    Comparison::Minus => (own.minus(&other, "difference"), "minus"),
                    Comparison::Over => (own.over(&other, "ratio"), "over"),
                };
                let what = format!(
                    "of '{}' {word} that of '{title}', seed by seed,",
                    self.model.1
                );
                (vec![own, other, compared], what)
            }
        };
        let unit = match (self.measure.unit, &self.compared) {
            ("", _) | (_, Some((Comparison::Over, ..))) => String::new(),
            (unit, _) => format!(" {unit}"),
        };
        let side = match self.side {
            AtLeast => "at least",
            AtMost => "at most",
        };
        let decisive = &measured[measured.len() - 1];
        Ok(Claim {
            id: id.into(),
            caveat: None,
            statement: self.statement.clone(),
            quantity: format!("{}: {}", self.measure.label, self.measure.about),
            rule: format!(
                "supported if the whole interval {what} is {side} {}{unit}, refuted if none of it is",
                viz::number::shortest(self.threshold)
            ),
            verdict: decisive.verdict(self.side, self.threshold),
            measured,
        })
    }
}
