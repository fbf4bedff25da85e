//! Evidence on "at least" and "at most" a threshold.

use super::{Claim, Evidence, Scale, mean_and_variance, require_values};
use crate::distributions::{binomial_survival, student_cdf};
use crate::error::{Result, require};

/// The evidence of independent values, one per seed, on "the quantity is at
/// least (at most) `threshold`", as its [`Scale`] allows:
///
/// * *real*, *ratio* and *share*: Student's one-sided t test of the mean of the
///   values, their logarithms or log odds;
/// * *count* and *bounded*, and shares of which some are 0 or 1: the sign test of
///   the median, exact for any distribution. A value at the threshold counts for
///   a statement that includes it;
/// * where t has no spread to go by (one value, or values equal up to rounding),
///   the sign test on every scale: n equal values have p = 2⁻ⁿ at best, and not
///   the 0 that a spread of 0 would make of them.
///
/// # Errors
/// No values, one that is not finite or that the scale does not have, or a
/// threshold that is no number.
///
/// ```
/// use evaluation::statistics::{Claim::AtLeast, Scale, one_sided};
///
/// let tens = one_sided(&[10.0; 5], Scale::Count, AtLeast, 8.0)?;
/// assert!((tens.supports - 1.0 / 32.0).abs() < 1e-12 && tens.refutes == 1.0);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn one_sided(values: &[f64], scale: Scale, side: Claim, threshold: f64) -> Result<Evidence> {
    require_values("the list of values per seed", values, 1)?;
    require(
        threshold.is_finite(),
        "the threshold of a statement",
        threshold,
        "a finite number",
    )?;
    scale.require(values)?;
    let Some(line) = scale.line(values) else {
        return Ok(sign_test(values, side, threshold));
    };
    let n = values.len() as f64;
    let (mean, variance) = mean_and_variance(&line.of(values));
    let above = (mean - line.forth(threshold)) / (variance / n).sqrt();
    let t = match side {
        Claim::AtLeast => above,
        Claim::AtMost => -above,
    };
    Ok(Evidence {
        supports: student_cdf(-t, n - 1.0),
        refutes: student_cdf(t, n - 1.0),
    })
}

/// "At least" is false where fewer than half of all values would be so large:
/// as many as there are, or more, then have at most the chance of as many heads.
fn sign_test(values: &[f64], side: Claim, threshold: f64) -> Evidence {
    let holds = |value: &&f64| match side {
        Claim::AtLeast => **value >= threshold,
        Claim::AtMost => **value <= threshold,
    };
    let n = values.len() as u64;
    let holding = values.iter().filter(holds).count() as u64;
    Evidence {
        supports: binomial_survival(holding, n, 0.5),
        refutes: binomial_survival(n - holding, n, 0.5),
    }
}

#[cfg(test)]
mod tests {
    use super::Claim::{AtLeast, AtMost};
    use super::*;
    use crate::statistics::Verdict;

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-6 * expected.abs(),
            "found {found:e}, expected {expected:e}"
        );
    }

    // SciPy 1.17: scipy.stats.ttest_1samp(…, alternative="greater") and "less" of the
    // values, their logarithms and log odds.
    #[test]
    fn t_tests_are_those_of_scipy() {
        let near = [0.1, -0.2, 0.05, 0.0, 0.15];
        let real = |side, threshold| one_sided(&near, Scale::Real, side, threshold).unwrap();
        close(real(AtLeast, -0.1).supports, 0.058_977_366_171_370_97);
        close(real(AtLeast, 0.1).supports, 0.871_978_196_750_259_7);
        close(real(AtMost, 0.1).refutes, 0.871_978_196_750_259_7);
        let ratios = [1.2, 0.8, 2.5, 1.9, 1.1];
        let ratio = one_sided(&ratios, Scale::Ratio, AtLeast, 1.0).unwrap();
        close(ratio.supports, 0.093_586_942_729_301_1);
        let shares = [0.02, 0.05, 0.11, 0.04, 0.08];
        let share = one_sided(&shares, Scale::Share, AtMost, 0.1).unwrap();
        close(share.supports, 0.041_713_017_010_918_26);
        let percent = shares.map(|share| 100.0 * share);
        let percent = one_sided(&percent, Scale::Percent, AtMost, 10.0).unwrap();
        close(percent.supports, 0.041_713_017_010_918_26);
    }

    #[test]
    fn sign_tests_count_the_threshold_for_the_statement() {
        let counts = [3.0, 4.0, 4.0, 5.0, 2.0, 4.0];
        let of = |side, threshold| one_sided(&counts, Scale::Count, side, threshold).unwrap();
        // Four of six are 4 or more: P(Bin(6, ½) ≥ 4) = 22/64, and two are not:
        // P(Bin(6, ½) ≥ 2) = 57/64.
        close(of(AtLeast, 4.0).supports, 22.0 / 64.0);
        close(of(AtLeast, 4.0).refutes, 57.0 / 64.0);
        // Five of six are 4 or less.
        close(of(AtMost, 4.0).supports, 7.0 / 64.0);
        close(of(AtMost, 1.0).refutes, 1.0 / 64.0);
    }

    #[test]
    fn no_spread_is_no_certainty() {
        for scale in [Scale::Real, Scale::Ratio, Scale::Share, Scale::Count] {
            let five = one_sided(&[0.7; 5], scale, AtLeast, 0.5).unwrap();
            close(five.supports, 1.0 / 32.0);
            assert_eq!(five.refutes, 1.0);
            assert_eq!(five.verdict(0.05), Verdict::Supported);
            let one = one_sided(&[0.7], scale, AtLeast, 0.5).unwrap();
            assert_eq!(one.verdict(0.05), Verdict::Undecided);
        }
        assert!(one_sided(&[], Scale::Real, AtLeast, 0.0).is_err());
        assert!(one_sided(&[1.0], Scale::Real, AtLeast, f64::NAN).is_err());
        assert!(one_sided(&[0.0, 1.0], Scale::Ratio, AtLeast, 1.0).is_err());
    }

    #[test]
    fn thresholds_that_a_scale_cannot_reach_are_passed() {
        let ratio = one_sided(&[1.0, 2.0, 3.0], Scale::Ratio, AtLeast, -1.0).unwrap();
        assert_eq!((ratio.supports, ratio.refutes), (0.0, 1.0));
        let share = one_sided(&[0.1, 0.2], Scale::Share, AtLeast, 1.5).unwrap();
        assert_eq!((share.supports, share.refutes), (1.0, 0.0));
    }

    /// At the threshold, where they err as often as they may: 5 % of 4,000 draws
    /// have a standard error of 0.34 %.
    #[test]
    fn tests_hold_their_level() {
        const DRAWS: usize = 4000;
        let deviates = crate::draws::standard_normals(6, DRAWS, 10);
        let errors = |scale: Scale, n: usize, side, of: fn(f64) -> f64, threshold: f64| {
            let errs = |row: &ndarray::ArrayView1<'_, f32>| {
                let values: Vec<f64> = row.iter().take(n).map(|z| of(f64::from(*z))).collect();
                one_sided(&values, scale, side, threshold).unwrap().supports <= 0.05
            };
            deviates.outer_iter().filter(errs).count() as f64 / DRAWS as f64
        };
        for side in [AtLeast, AtMost] {
            for share in [
                errors(Scale::Real, 5, side, |z| z, 0.0),
                errors(Scale::Ratio, 5, side, |z| z.exp(), 1.0),
                errors(Scale::Share, 5, side, |z| 1.0 / (1.0 + (-z).exp()), 0.5),
            ] {
                assert!((share - 0.05).abs() <= 0.0105, "{share}");
            }
            // The sign test of ten: P(Bin(10, ½) ≥ 9) = 11/1024, of any shape.
            let share = errors(Scale::Count, 10, side, |z| z.exp(), 1.0);
            assert!((share - 11.0 / 1024.0).abs() <= 0.005, "{share}");
        }
        // 45 % of these counts are 4 or more: said of most, it is false.
        let share = errors(Scale::Count, 10, AtLeast, |z| (3.5 * z.exp()).floor(), 4.0);
        assert!(share <= 0.0107, "{share}");
    }
}
