//! Statements of the source documents beside what was measured about them.

use evaluation::statistics::Verdict;
use figures::Measured;
use serde::{Deserialize, Serialize};

/// One statement, what was measured about it, and what follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Document and running number, such as `000.2`.
    pub id: String,
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
