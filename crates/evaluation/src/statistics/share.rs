//! Shares of trainings: how often something happens, counted.

use super::{CONFIDENCE, Centre, Claim, Evidence, Interval, require_level};
use crate::distributions::{binomial_cdf, binomial_survival, fisher_quantile};
use crate::error::{Result, require, require_rows};

/// Share of successes with its exact two-sided interval (Clopper & Pearson
/// 1934), written with quantiles of the F distribution.
///
/// Exact means that it covers at least as often as `level` says, for any share
/// and any n; with few trials it is wide, and it should be.
///
/// # Errors
/// No trials, more successes than trials, or a level outside (0, 1).
///
/// ```
/// let share = evaluation::statistics::proportion_interval(5, 5, 0.95)?;
/// assert_eq!((share.centre, share.upper), (1.0, Some(1.0)));
/// assert!((share.lower.unwrap() - 0.025_f64.powf(0.2)).abs() < 1e-9);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn proportion_interval(successes: usize, trials: usize, level: f64) -> Result<Interval> {
    require_trials(successes, trials)?;
    require_level(CONFIDENCE, level)?;
    let (k, n) = (successes as f64, trials as f64);
    let tail = 0.5 * (1.0 - level);
    let lower = if successes == 0 {
        0.0
    } else {
        let f = fisher_quantile(tail, 2.0 * k, 2.0 * (n - k + 1.0));
        1.0 / (1.0 + (n - k + 1.0) / (k * f))
    };
    let upper = if successes == trials {
        1.0
    } else {
        let f = fisher_quantile(1.0 - tail, 2.0 * (k + 1.0), 2.0 * (n - k));
        1.0 / (1.0 + (n - k) / ((k + 1.0) * f))
    };
    Ok(Interval {
        n: trials,
        about: Centre::Proportion,
        lower: Some(lower),
        upper: Some(upper),
        level,
        ..Interval::of_one(k / n)
    })
}

/// The evidence of independent trials on "the share of successes is at least (at
/// most) `threshold`": exact tails of the binomial distribution at the threshold,
/// where either hypothesis is hardest to tell from its opposite.
///
/// # Errors
/// No trials, more successes than trials, or a threshold outside [0, 1].
///
/// ```
/// use evaluation::statistics::{Claim::AtLeast, proportion};
///
/// let often = proportion(5, 5, AtLeast, 0.5)?;
/// assert!((often.supports - 1.0 / 32.0).abs() < 1e-12);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn proportion(
    successes: usize,
    trials: usize,
    side: Claim,
    threshold: f64,
) -> Result<Evidence> {
    require_trials(successes, trials)?;
    require(
        (0.0..=1.0).contains(&threshold),
        "the threshold of a share",
        threshold,
        "a number from 0 to 1",
    )?;
    let (k, n) = (successes as u64, trials as u64);
    let at_least = Evidence {
        supports: binomial_survival(k, n, threshold),
        refutes: binomial_cdf(k, n, threshold),
    };
    Ok(match side {
        Claim::AtLeast => at_least,
        Claim::AtMost => at_least.opposite(),
    })
}

fn require_trials(successes: usize, trials: usize) -> Result<()> {
    require_rows("the list of trials", trials, 1)?;
    let (what, expected) = ("the number of successes", "no more than trials");
    require(successes <= trials, what, successes, expected)
}

#[cfg(test)]
mod tests {
    use super::Claim::{AtLeast, AtMost};
    use super::*;

    #[test]
    fn exact_interval_of_a_proportion() {
        // R: binom.test(2, 5)$conf.int = 0.05274495 0.85336720.
        let share = proportion_interval(2, 5, 0.95).unwrap();
        assert!(
            (share.lower.unwrap() - 0.052_744_95).abs() < 1e-7,
            "{share:?}"
        );
        assert!(
            (share.upper.unwrap() - 0.853_367_20).abs() < 1e-7,
            "{share:?}"
        );
        // SciPy 1.17: binomtest(7, 20).proportion_ci(0.9, method="exact").
        let seven = proportion_interval(7, 20, 0.9).unwrap();
        assert!((seven.lower.unwrap() - 0.177_310_917_574_469_15).abs() < 1e-9);
        assert!((seven.upper.unwrap() - 0.558_034_511_315_488_9).abs() < 1e-9);
        assert_eq!((seven.n, seven.centre, seven.level), (20, 0.35, 0.9));
        assert_eq!(seven.about, Centre::Proportion);
        let none = proportion_interval(0, 5, 0.95).unwrap();
        assert_eq!((none.centre, none.lower), (0.0, Some(0.0)));
        assert!((none.upper.unwrap() - (1.0 - 0.025_f64.powf(0.2))).abs() < 1e-9);
        assert!(proportion_interval(0, 0, 0.95).is_err());
        assert!(proportion_interval(2, 1, 0.95).is_err());
    }

    #[test]
    fn evidence_of_a_proportion_is_that_of_the_exact_test() {
        let of = |k, side, threshold| proportion(k, 5, side, threshold).unwrap();
        // binom.test(2, 5, 0.1, "greater"): 1 − 0.9⁵ − 5·0.1·0.9⁴.
        let two = of(2, AtLeast, 0.1);
        assert!((two.supports - 0.081_46).abs() < 1e-12, "{two:?}");
        // binom.test(2, 5, 0.1, "less"): 0.9⁵ + 5·0.1·0.9⁴ + 10·0.1²·0.9³.
        assert!((two.refutes - 0.991_44).abs() < 1e-12, "{two:?}");
        assert_eq!(of(2, AtMost, 0.1), two.opposite());
        // SciPy 1.17: binomtest(7, 20, 0.2, alternative="greater") and "less".
        let seven = proportion(7, 20, AtLeast, 0.2).unwrap();
        assert!((seven.supports - 0.086_692_513_567_400_35).abs() < 1e-12);
        assert!((seven.refutes - 0.967_857_336_919_124_8).abs() < 1e-12);
        // One training that does it shows that some do; none does not show that
        // none ever will.
        assert_eq!(of(1, AtMost, 0.0).refutes, 0.0);
        assert_eq!(of(0, AtMost, 0.0).supports, 1.0);
        assert!(proportion(6, 5, AtLeast, 0.5).is_err());
        assert!(proportion(1, 5, AtLeast, 1.5).is_err());
    }

    /// The ends of the interval are where the tests turn.
    #[test]
    fn tests_and_interval_agree() {
        for k in 1..8 {
            let interval = proportion_interval(k, 8, 0.95).unwrap();
            let at_lower = proportion(k, 8, AtLeast, interval.lower.unwrap()).unwrap();
            let at_upper = proportion(k, 8, AtMost, interval.upper.unwrap()).unwrap();
            assert!((at_lower.supports - 0.025).abs() < 1e-9);
            assert!((at_upper.supports - 0.025).abs() < 1e-9);
        }
    }
}
