//! Statements of the source documents beside what was measured about them.

use evaluation::statistics::Verdict;
use figures::{Drawing, Measured};
use runs::Error;
use serde::{Deserialize, Serialize};

/// One statement, what was measured about it, and what follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Document and running number, such as `000.2`.
    pub id: String,
    /// What turns the verdict round, if the numbers do: a whole sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
    /// The statement, in our words.
    pub statement: String,
    /// What was measured, in words, with its unit.
    pub quantity: String,
    /// The measurements, one for each model or condition compared.
    pub measured: Vec<Measured>,
    /// How the verdict follows from the measurements.
    pub rule: String,
    /// What follows.
    pub verdict: Verdict,
}

/// What a statement's measurements are, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The measurements, one for each model or condition compared.
    pub measured: Vec<Measured>,
    /// What follows.
    pub verdict: Verdict,
    /// What turns the verdict round, if the numbers do: a whole sentence.
    pub caveat: Option<String>,
}

/// Measures what a statement is about, and decides it by the thresholds that its
/// file has.
pub(crate) type Decide = fn(&Drawing<'_>, &[f64]) -> Result<Decided, Error>;

impl Decided {
    /// A verdict and what it follows from.
    #[must_use]
    pub fn new(verdict: Verdict, measured: impl IntoIterator<Item = Measured>) -> Self {
        Self {
            measured: measured.into_iter().collect(),
            verdict,
            caveat: None,
        }
    }

    /// The same with what turns it round.
    #[must_use]
    pub fn but(self, caveat: Option<String>) -> Self {
        Self { caveat, ..self }
    }
}

impl Claim {
    /// The mean of one of its measurements; none where it could not be taken.
    #[must_use]
    pub fn mean(&self, index: usize) -> Option<f64> {
        let interval = self.measured.get(index)?.interval?;
        Some(interval.mean).filter(|mean| mean.is_finite())
    }
}

/// The claim of an id; none when its study was not drawn.
#[must_use]
pub fn claim<'a>(claims: &'a [Claim], id: &str) -> Option<&'a Claim> {
    claims.iter().find(|claim| claim.id == id)
}

/// A number in a sentence: two digits, or all before the point.
#[must_use]
pub fn in_short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 9.95 => 0,
        size if size >= 0.995 => 1,
        _ => 2,
    };
    let unit = 10f64.powi(decimals);
    viz::number::shortest((value * unit).round() / unit)
}

/// `13 times as far`, or `as far` if there is no difference to see.
#[must_use]
pub fn times(ratio: f64, like: &str) -> String {
    match in_short(ratio).as_str() {
        "1" => format!("as {like}"),
        ratio => format!("{ratio} times as {like}"),
    }
}

/// The badge of a verdict on the page.
#[must_use]
pub fn badge(verdict: Verdict) -> viz::page::Verdict {
    match verdict {
        Verdict::Supported => viz::page::Verdict::Supported,
        Verdict::Refuted => viz::page::Verdict::Refuted,
        Verdict::Mixed => viz::page::Verdict::Mixed,
        Verdict::Undecided => viz::page::Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_sentences_are_short() {
        let read = [0.0123, 0.5, 1.04, 2.26, 9.97, 83.4, 1234.5].map(in_short);
        assert_eq!(read, ["0.01", "0.5", "1", "2.3", "10", "83", "1235"]);
        assert_eq!(times(1.02, "fast"), "as fast");
        assert_eq!(times(2.51, "fast"), "2.5 times as fast");
    }
}
