//! Evidence on "as good as the same": within two margins.

use super::{Claim, Evidence, Scale, one_sided};
use crate::error::{Result, require};

/// The evidence on "the quantity lies from `low` to `high`".
///
/// Two one-sided tests (Schuirmann 1987): the statement is supported where both
/// "at least `low`" and "at most `high`" are, so its p-value is the larger one.
/// It is refuted where the quantity lies beyond either margin: two chances to
/// err, for which the smaller p-value is doubled.
///
/// A difference that is not significant is no equivalence: few seeds support
/// nothing here.
///
/// # Errors
/// Those of [`one_sided`]; margins that are not in order.
pub fn equivalence(values: &[f64], scale: Scale, low: f64, high: f64) -> Result<Evidence> {
    require(
        low <= high,
        "the lower margin of an equivalence",
        low,
        format_args!("no more than the upper one, {high}"),
    )?;
    let above = one_sided(values, scale, Claim::AtLeast, low)?;
    let below = one_sided(values, scale, Claim::AtMost, high)?;
    Ok(Evidence {
        supports: above.supports.max(below.supports),
        refutes: (2.0 * above.refutes.min(below.refutes)).min(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Verdict;

    #[test]
    fn equivalence_takes_both_sides() {
        let values = [0.1, -0.2, 0.05, 0.0, 0.15];
        let of = |margin: f64| equivalence(&values, Scale::Real, -margin, margin).unwrap();
        assert_eq!(of(0.5).verdict(0.05), Verdict::Supported);
        // Neither is within nor beyond shown.
        assert_eq!(of(0.1).verdict(0.05), Verdict::Undecided);
        let low = one_sided(&values, Scale::Real, Claim::AtLeast, -0.5).unwrap();
        let high = one_sided(&values, Scale::Real, Claim::AtMost, 0.5).unwrap();
        assert_eq!(of(0.5).supports, f64::max(low.supports, high.supports));
        let beyond = equivalence(&values, Scale::Real, 1.0, 2.0).unwrap();
        let low = one_sided(&values, Scale::Real, Claim::AtLeast, 1.0).unwrap();
        assert_eq!(beyond.refutes, 2.0 * low.refutes);
        assert!(equivalence(&values, Scale::Real, 1.0, -1.0).is_err());
    }
}
