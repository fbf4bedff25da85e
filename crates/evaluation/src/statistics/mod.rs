//! What a handful of seeds says: intervals, evidence for and against a
//! statement, differences, spreads, and how many seeds a verdict takes.
//!
//! A number from one trained model is one draw. What may be said of several
//! depends on what the number is, its [`Scale`]: means of real quantities bear
//! Student's t, ratios and shares do on their logarithms and log odds, and counts
//! are tested exactly, by the sign test about their median. No interval reaches
//! where the quantity cannot be, and equal values are no certainty: five
//! trainings that all give ten say no more than that at least 48 % of trainings
//! do.
//!
//! A statement is decided by [`Evidence`], two p-values; how many of the
//! verdicts of a table may be wrong is held by [`holm`], and by [`sequential`]
//! where seeds are added until there is a verdict.

mod equivalence;
mod evidence;
mod interval;
mod multiplicity;
mod one_sided;
mod paired;
pub mod power;
mod quantile;
mod scale;
pub mod sequential;
mod share;
mod spread;

use ndarray::aview1;

use crate::error::{Result, require, require_finite, require_rows};

pub use equivalence::equivalence;
pub use evidence::{Claim, Decision, Evidence, Verdict};
pub use interval::{Centre, Equal, Interval, interval, t_interval};
pub use multiplicity::holm;
pub use one_sided::one_sided;
pub use paired::{PairedDifference, paired_difference};
pub(crate) use quantile::sorted;
pub use quantile::sorted_quantile;
pub use scale::Scale;
pub use share::{proportion, proportion_interval};
pub use spread::{SpreadComparison, spread, spread_comparison};

pub(crate) fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    // Of one value, whose square is 0.
    (mean, squares / f64::max(n - 1.0, 1.0))
}

const CONFIDENCE: &str = "the confidence level";

/// A share of what an interval or a region holds.
pub(crate) fn require_level(what: &str, level: f64) -> Result<()> {
    let expected = "a number between 0 and 1, such as 0.95";
    require(level > 0.0 && level < 1.0, what, level, expected)
}

/// The number of values of a list of at least `needed` finite ones.
fn require_values(what: &str, values: &[f64], needed: usize) -> Result<f64> {
    require_rows(what, values.len(), needed)?;
    require_finite(what, &aview1(values))?;
    Ok(values.len() as f64)
}
