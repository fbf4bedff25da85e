//! Evidence for and against a statement, and the verdict it gives at a level.

use serde::{Deserialize, Serialize};

/// Outcome of holding a measurement against a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The statement holds in all its parts.
    Supported,
    /// The opposite of every part holds.
    Refuted,
    /// Every part is decided, some for the statement and others against it.
    Mixed,
    /// Some part could be either.
    Undecided,
}

/// The side of a threshold a statement claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    /// "At least": the quantity is the threshold or more.
    AtLeast,
    /// "At most": the quantity is the threshold or less.
    AtMost,
}

/// What the seeds say about a statement: a one-sided p-value for each of the two
/// ways in which a verdict on it could be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// p-value of the null hypothesis that the statement is false: small where
    /// the seeds support it.
    pub supports: f64,
    /// p-value of the null hypothesis that the statement is true: small where
    /// the seeds refute it.
    pub refutes: f64,
}

impl Evidence {
    /// Of no seeds: nothing is said either way.
    pub const NONE: Self = Self {
        supports: 1.0,
        refutes: 1.0,
    };

    /// The verdict of two one-sided tests at `level`, the chance of a wrong one
    /// that is accepted.
    ///
    /// A statement is true or it is false, so of the two errors, "supported" of a
    /// false one and "refuted" of a true one, only one can be made, and each
    /// test may use all of the level.
    #[must_use]
    pub fn verdict(&self, level: f64) -> Verdict {
        Self::all(&[*self]).verdict(level)
    }

    /// The evidence on the opposite of the statement.
    #[must_use]
    pub fn opposite(self) -> Self {
        Self {
            supports: self.refutes,
            refutes: self.supports,
        }
    }

    /// The evidence on a statement that says all of `parts`.
    #[must_use]
    pub fn all(parts: &[Self]) -> Decision {
        Decision {
            parts: parts.to_vec(),
        }
    }

    /// The evidence on a statement that is false where any of `parts` is.
    ///
    /// It is supported with the largest of their p-values, as an intersection–union
    /// test (Berger 1982), and refuted with the smallest times their number
    /// (Bonferroni): any of them can be the one that is false, and each test of a
    /// true one could err. Beside [`Evidence::all`], which says that every part
    /// must agree, it has no mixed verdict.
    #[must_use]
    pub fn conjunction(parts: &[Self]) -> Self {
        let supports = parts.iter().map(|part| part.supports);
        let refutes = parts.iter().map(|part| part.refutes);
        Self {
            supports: supports.reduce(f64::max).unwrap_or(1.0),
            refutes: refutes
                .reduce(f64::min)
                .map_or(1.0, |least| (parts.len() as f64 * least).min(1.0)),
        }
    }

    /// The smaller of the two p-values: the smallest level at which this is
    /// decided.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        self.supports.min(self.refutes)
    }
}

/// The evidence on a statement of several parts; its verdict can be taken at any
/// level.
///
/// What can be wrong about a verdict at level α, however the parts depend on
/// each other:
///
/// * *supported*, though some part is false, has a chance of at most α: that
///   part's own test must err (an intersection–union test, Berger 1982);
/// * *refuted*, which says that every part is false, though some part is true:
///   at most α, for the same reason;
/// * *mixed*, though the parts are all true or all false: some part's test must
///   err, and it could be any of the k parts, so at most k·α.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// The evidence on each part.
    pub parts: Vec<Evidence>,
}

impl Decision {
    /// The verdict at `level`: the common one of all parts, mixed where all are
    /// decided and differ, undecided where any part is, or there is none.
    #[must_use]
    pub fn verdict(&self, level: f64) -> Verdict {
        let supported = self.parts.iter().filter(|part| part.supports <= level);
        let refuted = self.parts.iter().filter(|part| part.refutes <= level);
        let (supported, refuted) = (supported.count(), refuted.count());
        match self.parts.len() {
            0 => Verdict::Undecided,
            all if supported + refuted < all => Verdict::Undecided,
            all if supported == all => Verdict::Supported,
            all if refuted == all => Verdict::Refuted,
            _ => Verdict::Mixed,
        }
    }

    /// The smallest level at which the statement is decided, whichever way:
    /// max over parts of min(supports, refutes); 1 without parts.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        let parts = self.parts.iter().map(Evidence::p_value);
        parts.reduce(f64::max).unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Mixed, Refuted, Supported, Undecided};
    use super::*;

    fn evidence(supports: f64) -> Evidence {
        Evidence {
            supports,
            refutes: 1.0 - supports,
        }
    }

    #[test]
    fn parts_agree_differ_or_are_open() {
        let [yes, no, open] = [0.01, 0.99, 0.3].map(evidence);
        let of = |parts: &[Evidence]| Evidence::all(parts).verdict(0.05);
        assert_eq!(of(&[yes, yes]), Supported);
        assert_eq!(of(&[no, no]), Refuted);
        assert_eq!(of(&[yes, no]), Mixed);
        // What is open could still make it all the same.
        assert_eq!(of(&[yes, no, open]), Undecided);
        assert_eq!(of(&[yes, open]), Undecided);
        assert_eq!(of(&[]), Undecided);
        assert_eq!(Evidence::NONE.verdict(0.05), Undecided);
        assert_eq!(yes.opposite().verdict(0.05), Refuted);
    }

    #[test]
    fn one_false_part_refutes_a_conjunction() {
        let [yes, no, open] = [0.01, 0.99, 0.3].map(evidence);
        let of = |parts: &[Evidence]| Evidence::conjunction(parts);
        assert_eq!(of(&[yes, evidence(0.02)]).supports, 0.02);
        assert_eq!(of(&[yes, no]).verdict(0.05), Refuted);
        // Twice 1 − 0.99, and three times.
        assert!((of(&[yes, no]).refutes - 0.02).abs() < 1e-12);
        assert!((of(&[yes, no, open]).refutes - 0.03).abs() < 1e-12);
        assert_eq!(of(&[yes, open]).verdict(0.05), Undecided);
        assert_eq!(of(&[yes]), yes);
        assert_eq!(of(&[]), Evidence::NONE);
        // Of many parts one is refuted by chance now and then.
        assert_eq!(of(&[evidence(0.98); 5]).verdict(0.05), Undecided);
    }

    #[test]
    fn the_p_value_is_the_smallest_level_of_a_decision() {
        let decision = Evidence::all(&[evidence(0.01), evidence(0.97)]);
        let p = decision.p_value();
        assert!((p - 0.03).abs() < 1e-12);
        assert_eq!(decision.verdict(p), Mixed);
        assert_eq!(decision.verdict(p - 1e-9), Undecided);
        assert_eq!(Evidence::all(&[]).p_value(), 1.0);
    }
}
