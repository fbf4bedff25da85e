//! What a handful of seeds says: intervals, paired differences, comparison of
//! spreads, and verdicts.
//!
//! A number from one trained model is one draw. Everything here treats the
//! values of independent seeds as a sample from a normal distribution, which
//! five seeds can neither confirm nor deny; the intervals of the mean tolerate
//! that, the F test of two spreads does not, so it stands beside the
//! Brown–Forsythe test, which does.

use ndarray::aview1;
use serde::{Deserialize, Serialize};

use crate::distributions::{fisher_cdf, fisher_quantile, student_cdf, student_quantile};
use crate::error::{Result, require, require_finite, require_length, require_rows};

/// A mean over seeds with its two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Values averaged.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation with n − 1 in the denominator; `None` for one value.
    pub standard_deviation: Option<f64>,
    /// Lower end; `None` for one value, which bounds nothing.
    pub lower: Option<f64>,
    /// Upper end; `None` for one value.
    pub upper: Option<f64>,
}

/// Mean and Student's t interval of independent values, one per seed:
/// mean ± t_{(1+level)/2, n−1} · s/√n.
///
/// One value gives a mean without ends.
///
/// # Errors
/// No values, a value that is not finite, or a level outside (0, 1).
///
/// ```
/// let interval = evaluation::statistics::t_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95)?;
/// assert_eq!(interval.mean, 3.0);
/// assert!((interval.upper.unwrap() - 4.963_243).abs() < 1e-6);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn t_interval(values: &[f64], level: f64) -> Result<Interval> {
    let n = require_values("the list of values per seed", values, 1)?;
    require_level(CONFIDENCE, level)?;
    let (mean, variance) = mean_and_variance(values);
    let what = "the list of squares of values per seed";
    require_finite(what, &aview1(&[variance]))?;
    let is_interval = values.len() > 1;
    let half = || student_quantile(0.5 + 0.5 * level, n - 1.0) * (variance / n).sqrt();
    let half = is_interval.then(half);
    Ok(Interval {
        n: values.len(),
        mean,
        standard_deviation: is_interval.then(|| variance.sqrt()),
        lower: half.map(|half| mean - half),
        upper: half.map(|half| mean + half),
    })
}

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
/// assert_eq!((share.mean, share.upper), (1.0, Some(1.0)));
/// assert!((share.lower.unwrap() - 0.025_f64.powf(0.2)).abs() < 1e-9);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn proportion_interval(successes: usize, trials: usize, level: f64) -> Result<Interval> {
    require_rows("the list of trials", trials, 1)?;
    require_level(CONFIDENCE, level)?;
    let (what, expected) = ("the number of successes", "no more than trials");
    require(successes <= trials, what, successes, expected)?;
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
        mean: k / n,
        standard_deviation: None,
        lower: Some(lower),
        upper: Some(upper),
    })
}

/// Difference of two models trained with the same seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Mean and interval of first − second.
    pub difference: Interval,
    /// Two-sided p-value of Student's paired t test; `None` for one pair, or
    /// when all differences are the same number.
    pub p_value: Option<f64>,
    /// How often the first value is larger.
    pub first_larger: usize,
}

/// Paired comparison `first[i] − second[i]`, where i counts seeds.
///
/// Pairing pays when a seed moves both models the same way (same split, same
/// shuffling); it costs nothing but degrees of freedom otherwise.
///
/// # Errors
/// Lists of different lengths, or those of [`t_interval`].
pub fn paired_difference(first: &[f64], second: &[f64], level: f64) -> Result<PairedDifference> {
    require_length("the second list of values", second.len(), first.len())?;
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let difference = t_interval(&differences, level)?;
    let spread = difference.standard_deviation.filter(|sd| *sd > 0.0);
    let n = difference.n as f64;
    let t = spread.map(|sd| difference.mean.abs() / (sd / n.sqrt()));
    Ok(PairedDifference {
        difference,
        p_value: t.map(|t| 2.0 * student_cdf(-t, n - 1.0)),
        first_larger: differences.iter().filter(|d| **d > 0.0).count(),
    })
}

/// Whether one model varies more from seed to seed than another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpreadComparison {
    /// Standard deviation of the first over that of the second.
    pub ratio: f64,
    /// Interval of that ratio from the F distribution, exact for normal values.
    pub lower: f64,
    /// Upper end of the interval.
    pub upper: f64,
    /// Two-sided p-value of the F test of equal variances.
    pub f_test_p_value: f64,
    /// p-value of the Brown–Forsythe test (Levene's with medians), robust to
    /// values that are not normal but weak at five seeds.
    pub brown_forsythe_p_value: f64,
}

/// Compares the spreads of two independent lists of values.
///
/// The ratio of standard deviations has the interval
/// (s₁/s₂)/√F_{(1±level)/2}(n₁−1, n₂−1). With five seeds each the 95 % interval
/// spans a factor 9.6, so only large differences of spread can be shown at all.
/// Brown & Forsythe 1974: one-way analysis of variance of |x − median|.
///
/// # Errors
/// Fewer than two values in a list, values that are not finite, or no spread
/// in the second list, which nothing can be compared with.
pub fn spread_comparison(first: &[f64], second: &[f64], level: f64) -> Result<SpreadComparison> {
    let n1 = require_values("the first list of values", first, 2)? - 1.0;
    let n2 = require_values("the second list of values", second, 2)? - 1.0;
    require_level(CONFIDENCE, level)?;
    let (_, first_variance) = mean_and_variance(first);
    let (_, second_variance) = mean_and_variance(second);
    let f = first_variance / second_variance;
    require(
        f.is_finite(),
        "the variance of the second list of values",
        format_args!("{second_variance:e} beside {first_variance:e} of the first"),
        "more than zero, and both within the range of numbers; equal values are of one seed counted twice",
    )?;
    let below = fisher_cdf(f.min(1e12), n1, n2);
    Ok(SpreadComparison {
        ratio: f.sqrt(),
        lower: (f / fisher_quantile(0.5 + 0.5 * level, n1, n2)).sqrt(),
        upper: (f / fisher_quantile(0.5 - 0.5 * level, n1, n2)).sqrt(),
        f_test_p_value: (2.0 * below.min(1.0 - below)).min(1.0),
        brown_forsythe_p_value: brown_forsythe(first, second),
    })
}

/// Outcome of holding a measurement against a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The interval lies wholly where the statement says.
    Supported,
    /// The interval lies wholly where the statement denies.
    Refuted,
    /// Parts of the statement hold and parts do not.
    Mixed,
    /// The interval reaches both sides, or there is only one seed on the line.
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

/// Verdict on "the quantity is at least (at most) `threshold`": supported when
/// the whole interval satisfies it, refuted when none of it does, undecided
/// otherwise.
///
/// A single seed has no interval; its value decides alone, and whoever prints
/// the verdict prints n beside it.
pub fn verdict(interval: &Interval, claim: Claim, threshold: f64) -> Verdict {
    let lower = interval.lower.unwrap_or(interval.mean);
    let upper = interval.upper.unwrap_or(interval.mean);
    let (all, none) = match claim {
        Claim::AtLeast => (lower >= threshold, upper < threshold),
        Claim::AtMost => (upper <= threshold, lower > threshold),
    };
    match (all, none) {
        (true, _) => Verdict::Supported,
        (_, true) => Verdict::Refuted,
        _ => Verdict::Undecided,
    }
}

/// Verdict on a statement with several parts: the common verdict when they
/// agree, mixed when some are supported and some refuted, and undecided when
/// any is undecided and the others do not already disagree.
pub fn combined_verdict(parts: &[Verdict]) -> Verdict {
    let any = |v: Verdict| parts.contains(&v);
    if any(Verdict::Mixed) || (any(Verdict::Supported) && any(Verdict::Refuted)) {
        Verdict::Mixed
    } else if any(Verdict::Undecided) || parts.is_empty() {
        Verdict::Undecided
    } else {
        parts[0]
    }
}

pub(crate) fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    // Of one value, whose square is 0.
    (mean, squares / f64::max(n - 1.0, 1.0))
}

/// Values in ascending order, as [`sorted_quantile`] wants them.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The q-quantile of sorted values by linear interpolation (Hyndman & Fan's
/// type 7, the default of R and NumPy).
///
/// # Panics
/// If there are no values.
///
/// ```
/// assert_eq!(evaluation::statistics::sorted_quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
/// ```
pub fn sorted_quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

fn brown_forsythe(first: &[f64], second: &[f64]) -> f64 {
    let deviations = |values: &[f64]| -> Vec<f64> {
        let median = sorted_quantile(&sorted(values.iter().copied()), 0.5);
        values.iter().map(|v| (v - median).abs()).collect()
    };
    let (d1, d2) = (deviations(first), deviations(second));
    let (m1, v1) = mean_and_variance(&d1);
    let (m2, v2) = mean_and_variance(&d2);
    let (n1, n2) = (d1.len() as f64, d2.len() as f64);
    let grand = (n1 * m1 + n2 * m2) / (n1 + n2);
    let between = n1 * (m1 - grand).powi(2) + n2 * (m2 - grand).powi(2);
    let within = ((n1 - 1.0) * v1 + (n2 - 1.0) * v2) / (n1 + n2 - 2.0);
    if within == 0.0 {
        return if between == 0.0 { 1.0 } else { 0.0 };
    }
    1.0 - fisher_cdf(between / within, 1.0, n1 + n2 - 2.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_interval_of_five_values() {
        let interval = t_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).unwrap();
        // 2.776445 · √(2.5/5)
        assert!((interval.lower.unwrap() - (3.0 - 1.963_243_161)).abs() < 1e-8);
        assert_eq!(interval.standard_deviation, Some(2.5_f64.sqrt()));
        let single = t_interval(&[7.0], 0.95).unwrap();
        assert_eq!((single.mean, single.lower), (7.0, None));
        assert!(t_interval(&[], 0.95).is_err());
        assert!(t_interval(&[f64::NAN], 0.95).is_err());
        assert!(t_interval(&[1.0], 1.0).is_err());
    }

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
        let none = proportion_interval(0, 5, 0.95).unwrap();
        assert_eq!((none.mean, none.lower), (0.0, Some(0.0)));
        assert!((none.upper.unwrap() - (1.0 - 0.025_f64.powf(0.2))).abs() < 1e-9);
        assert!(proportion_interval(0, 0, 0.95).is_err());
        assert!(proportion_interval(2, 1, 0.95).is_err());
    }

    #[test]
    fn paired_differences_cancel_what_seeds_share() {
        let first = [10.1, 20.2, 30.0, 40.3];
        let second = [10.0, 20.0, 30.0, 40.0];
        let paired = paired_difference(&first, &second, 0.95).unwrap();
        assert!((paired.difference.mean - 0.15).abs() < 1e-12);
        // t = 0.15/(0.129099/2) = 2.3238 with 3 degrees of freedom: p = 0.1027.
        assert!((paired.p_value.unwrap() - 0.1027).abs() < 1e-3);
        assert_eq!(paired.first_larger, 3);
        assert!(paired_difference(&first, &second[..3], 0.95).is_err());
    }

    #[test]
    fn spreads_of_known_ratio() {
        let narrow = [1.0, 2.0, 3.0, 4.0, 5.0];
        let wide: Vec<f64> = narrow.iter().map(|v| 10.0 * v).collect();
        let compared = spread_comparison(&wide, &narrow, 0.95).unwrap();
        assert!((compared.ratio - 10.0).abs() < 1e-12);
        // F(4,4) at .975 is 9.6045: the interval is 10/√9.6045 … 10·√9.6045.
        assert!((compared.lower - 10.0 / 9.604_529_9_f64.sqrt()).abs() < 1e-6);
        assert!((compared.upper - 10.0 * 9.604_529_9_f64.sqrt()).abs() < 1e-5);
        assert!(compared.f_test_p_value < 0.001);
        // Deviations 20,10,0,10,20 and 2,1,0,1,2: F = 291.6/35.35 on (1, 8).
        assert!((compared.brown_forsythe_p_value - 0.0208).abs() < 2e-3);
        let same = spread_comparison(&narrow, &narrow, 0.95).unwrap();
        assert!((same.f_test_p_value - 1.0).abs() < 1e-9);
        assert!(spread_comparison(&[1.0, 1.0], &[2.0, 2.0], 0.95).is_err());
    }

    #[test]
    fn verdicts_follow_the_interval() {
        use Verdict::{Mixed, Refuted, Supported, Undecided};
        let interval = t_interval(&[8.0, 9.0, 10.0], 0.95).unwrap(); // 9 ± 2.48
        assert_eq!(verdict(&interval, Claim::AtLeast, 6.0), Supported);
        assert_eq!(verdict(&interval, Claim::AtLeast, 8.0), Undecided);
        assert_eq!(verdict(&interval, Claim::AtMost, 6.0), Refuted);
        assert_eq!(verdict(&interval, Claim::AtMost, 12.0), Supported);
        assert_eq!(combined_verdict(&[Supported, Refuted]), Mixed);
        assert_eq!(combined_verdict(&[Supported, Undecided]), Undecided);
        assert_eq!(combined_verdict(&[Refuted, Refuted]), Refuted);
        assert_eq!(combined_verdict(&[]), Undecided);
    }
}
