//! Statements of a study: decided by a rule that its file has, or by Rust of a
//! built-in study.

use std::collections::BTreeSet;

use evaluation::statistics::Centre;
use evaluation::statistics::Claim::{AtLeast, AtMost};
use evaluation::statistics::sequential::Look;
use figures::Drawing;
use figures::wording::title_of;
use runs::Error;
use serde::Deserialize;

use super::Peculiar;
use super::article::{check_places, filled, flowing, is_called, replaced};
use super::models::{self, Model};
use crate::claims::{Claim, Decide, Decided, Part, SIGNIFICANCE, in_short};
use crate::collapsed;
use crate::measures::{Measure, measure};

/// A statement as a file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    id: Option<String>,
    /// The data set that the document is about.
    about: Option<String>,
    statement: String,
    /// The statement as a clause for the lead of the page.
    lead: Option<String>,
    /// What is measured and how it decides, in words, where Rust does both.
    quantity: Option<String>,
    rule: Option<String>,
    #[serde(default)]
    thresholds: Vec<f64>,
    measure: Option<String>,
    model: Option<toml::Value>,
    minus: Option<toml::Value>,
    over: Option<toml::Value>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    /// Whether trainings whose every latent variable collapsed are a category of
    /// their own, and in none of its numbers.
    #[serde(default)]
    collapsed_apart: bool,
}

/// A statement and what decides it.
#[derive(Clone, Debug)]
pub(super) struct Stated {
    pub(super) id: String,
    about: Option<String>,
    statement: String,
    lead: Option<String>,
    pub(super) collapsed_apart: bool,
    decided: DecidedBy,
}

#[derive(Clone, Debug)]
enum DecidedBy {
    Rule(Box<Rule>),
    Rust {
        quantity: String,
        rule: String,
        thresholds: Vec<f64>,
        decide: Decide,
    },
}

/// A measure of one model, or of two compared, against a threshold.
#[derive(Clone, Debug)]
struct Rule {
    measure: &'static Measure,
    model: String,
    compared: Option<(Comparison, String)>,
    side: evaluation::statistics::Claim,
    threshold: f64,
}

/// How two models are compared, seed by seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Minus,
    Over,
}

impl Stated {
    /// The statement of a file; `id` is what it is called if the file does not
    /// say.
    pub(super) fn of(
        written: Written,
        id: String,
        models: &[Model],
        peculiar: &Peculiar,
    ) -> Result<Self, Error> {
        let id = written.id.clone().unwrap_or(id);
        for text in [
            &Some(written.statement.clone()),
            &written.quantity,
            &written.rule,
            &written.lead,
        ] {
            check_places(text.as_deref().unwrap_or_default(), models)?;
        }
        let decide = peculiar.decisions.iter().find(|(known, _)| *known == id);
        let decided = match decide {
            Some((_, decide)) => DecidedBy::Rust {
                quantity: flowing(written.quantity.as_deref().unwrap_or_default()),
                rule: flowing(written.rule.as_deref().unwrap_or_default()),
                thresholds: written.thresholds.clone(),
                decide: *decide,
            },
            None => DecidedBy::Rule(Box::new(Rule::of(&written, models)?)),
        };
        Ok(Self {
            id,
            about: written.about,
            statement: flowing(&written.statement),
            lead: written.lead.as_deref().map(flowing),
            collapsed_apart: written.collapsed_apart,
            decided,
        })
    }

    /// What the document is about, where these data are others.
    fn transfer(&self, drawing: &Drawing<'_>) -> Option<String> {
        let about = self.about.as_deref()?;
        (!is_called(drawing, about)).then(|| title_of(about))
    }

    /// Decides it at this look, with the models it asked for.
    pub(super) fn measured(
        &self,
        drawing: &Drawing<'_>,
        look: Look,
    ) -> Result<(Claim, BTreeSet<String>), Error> {
        let apart = if self.collapsed_apart {
            collapsed::trainings(drawing)?
        } else {
            BTreeSet::new()
        };
        let counted = &drawing.apart_from(&apart, collapsed::REASON);
        let (quantity, mut rule, decided) = match &self.decided {
            DecidedBy::Rule(rule) => rule.decided(counted)?,
            DecidedBy::Rust {
                quantity,
                rule,
                thresholds,
                decide,
            } => (
                filled(quantity, drawing, thresholds),
                filled(rule, drawing, thresholds),
                decide(counted, thresholds)?,
            ),
        };
        let models = counted.asked();
        let mut shares = Vec::new();
        if self.collapsed_apart {
            rule += "; trainings with every variable collapsed are in none of these numbers";
            let of_each = models.iter();
            shares.extend(of_each.map(|model| collapsed::share(drawing, model, &apart)));
        }
        let lead = self.lead.as_deref();
        let lead = lead.map(|clause| with_measured(clause, drawing, &decided));
        let claim = Claim {
            id: self.id.clone(),
            lead,
            transfer: self.transfer(drawing),
            statement: filled(&self.statement, drawing, &[]),
            quantity,
            collapsed: shares,
            rule,
            ..Claim::at(look, decided)
        };
        Ok((claim, models))
    }
}

/// A clause with its places, `{measured 0}` the first measurement's mean.
fn with_measured(clause: &str, drawing: &Drawing<'_>, decided: &Decided) -> String {
    let clause = filled(clause, drawing, &[]);
    replaced(&clause, |place| {
        let index: usize = place.strip_prefix("measured ")?.parse().ok()?;
        let mean = decided.measured.get(index)?.mean();
        Some(if mean.is_finite() {
            in_short(mean)
        } else {
            "–".into()
        })
    })
}

impl Rule {
    fn of(written: &Written, models: &[Model]) -> Result<Self, Error> {
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
        if !threshold.is_finite() {
            return Err(Error::Configuration(format!(
                "{about} has the threshold {threshold}, but needs a number"
            )));
        }
        let name = |value: &toml::Value| -> Result<String, Error> {
            Ok(models::find(models, value)?.key.clone())
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
            .map(|(how, other)| name(other).map(|key| (how, key)))
            .transpose()?;
        let missing =
            |what: &str| Error::Configuration(format!("{about} has no {what}, but needs one"));
        if written.quantity.is_some() || written.rule.is_some() || !written.thresholds.is_empty() {
            return Err(Error::Configuration(format!(
                "{about} has a quantity, a rule in words or thresholds, but is decided by measure, model, and at_least or at_most"
            )));
        }
        Ok(Self {
            measure: measure(written.measure.as_ref().ok_or_else(|| missing("measure"))?)?,
            model: name(written.model.as_ref().ok_or_else(|| missing("model"))?)?,
            compared,
            side,
            threshold,
        })
    }

    /// The quantity and the rule in words, and what is decided.
    fn decided(&self, drawing: &Drawing<'_>) -> Result<(String, String, Decided), Error> {
        let over_seeds = |key: &str, title: &str| self.measure.over_seeds(drawing, key, title);
        let title = &drawing.title(&self.model);
        let own = over_seeds(&self.model, title)?;
        let (measured, what) = match &self.compared {
            None => (vec![own], format!("of '{title}'")),
            Some((how, key)) => {
                let other_title = &drawing.title(key);
                let other = over_seeds(key, other_title)?;
                let (compared, word) = match how {
                    Comparison::Minus => (own.minus(&other, "difference"), "minus"),
                    Comparison::Over => (own.over(&other, "ratio"), "over"),
                };
                let what = format!("of '{title}' {word} that of '{other_title}', seed by seed,");
                (vec![own, other, compared], what)
            }
        };
        let unit = match (self.measure.unit, &self.compared) {
            ("", _) | (_, Some((Comparison::Over, ..))) => String::new(),
            (unit, _) => format!(" {unit}"),
        };
        let decisive = &measured[measured.len() - 1];
        let quantity = format!("{}: {}", self.measure.label, self.measure.about);
        let centre = decisive
            .interval
            .map_or(Centre::Mean, |interval| interval.about);
        let (named, than) = match self.side {
            AtLeast => ("at least", "less"),
            AtMost => ("at most", "more"),
        };
        let rule = format!(
            "supported if the {} {what} is {named} {}{unit}, refuted if it is {than}, each with p of at \
             most {SIGNIFICANCE}",
            centre.name(),
            viz::number::shortest(self.threshold)
        );
        let part = Part::of(decisive, self.side, self.threshold);
        Ok((quantity, rule, Decided::new([part], measured)))
    }
}
