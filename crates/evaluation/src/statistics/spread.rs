//! Whether one model varies more from seed to seed than another.

use serde::{Deserialize, Serialize};

use super::{
    CONFIDENCE, Evidence, Interval, mean_and_variance, require_level, require_values, sorted,
    sorted_quantile,
};
use crate::distributions::{fisher_cdf, fisher_quantile, student_cdf};
use crate::error::{Result, require};

/// The ratio of two spreads, as normal values would have it.
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
    /// Two-sided p-value of the Brown–Forsythe test (Levene's with medians), of
    /// which [`spread`] asks one side.
    pub brown_forsythe_p_value: f64,
}

impl SpreadComparison {
    /// The ratio with its interval, of `n` seeds each, at the `level` asked for.
    #[must_use]
    pub fn interval(&self, n: usize, level: f64) -> Interval {
        Interval {
            n,
            lower: Some(self.lower),
            upper: Some(self.upper),
            level,
            ..Interval::of_one(self.ratio)
        }
    }
}

/// The evidence on "the first varies more than the second": Student's one-sided
/// t test of |x − median|, each list about its own (Brown & Forsythe 1974, whose
/// F of two groups is the square of this t).
///
/// It decides, because the F test of two variances does not hold its level for
/// values that are not normal, which a handful of seeds cannot show them to be
/// (Box 1953); medians keep this one's for skewed values and heavy tails.
///
/// Where neither list's deviations differ among themselves, as of two values
/// each, t has nothing to go by: the chance that a random division of all
/// deviations has the larger ones on one side, 1/(n₁+n₂ over n₁), stands in its
/// place.
///
/// # Errors
/// Fewer than two values in a list, or values that are not finite.
pub fn spread(first: &[f64], second: &[f64]) -> Result<Evidence> {
    require_values("the first list of values", first, 2)?;
    require_values("the second list of values", second, 2)?;
    let (t, degrees) = brown_forsythe(first, second);
    if t.is_finite() {
        return Ok(Evidence {
            supports: student_cdf(-t, degrees),
            refutes: student_cdf(t, degrees),
        });
    }
    let (n, k) = (first.len() + second.len(), first.len());
    let ways = (1..=k).fold(1.0, |ways, i| ways * (n - k + i) as f64 / i as f64);
    let more = Evidence {
        supports: 1.0 / ways,
        refutes: 1.0,
    };
    Ok(if t.is_nan() {
        Evidence::NONE
    } else if t > 0.0 {
        more
    } else {
        more.opposite()
    })
}

/// Compares the spreads of two independent lists of values.
///
/// The ratio of standard deviations has the interval
/// (s₁/s₂)/√F_{(1±level)/2}(n₁−1, n₂−1). With five seeds each the 95 % interval
/// spans a factor 9.6, so only large differences of spread can be shown at all.
/// [`spread`] decides; this describes.
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
    let evidence = spread(first, second)?;
    Ok(SpreadComparison {
        ratio: f.sqrt(),
        lower: (f / fisher_quantile(0.5 + 0.5 * level, n1, n2)).sqrt(),
        upper: (f / fisher_quantile(0.5 - 0.5 * level, n1, n2)).sqrt(),
        f_test_p_value: (2.0 * below.min(1.0 - below)).min(1.0),
        brown_forsythe_p_value: (2.0 * evidence.p_value()).min(1.0),
    })
}

/// Student's t of the difference of mean |x − median|, first minus second, with
/// its degrees of freedom; infinite where deviations differ between the lists
/// alone, no number where they do not differ at all.
fn brown_forsythe(first: &[f64], second: &[f64]) -> (f64, f64) {
    let deviations = |values: &[f64]| -> Vec<f64> {
        let median = sorted_quantile(&sorted(values.iter().copied()), 0.5);
        values.iter().map(|v| (v - median).abs()).collect()
    };
    let (d1, d2) = (deviations(first), deviations(second));
    let (m1, v1) = mean_and_variance(&d1);
    let (m2, v2) = mean_and_variance(&d2);
    let (n1, n2) = (d1.len() as f64, d2.len() as f64);
    let degrees = n1 + n2 - 2.0;
    let within = ((n1 - 1.0) * v1 + (n2 - 1.0) * v2) / degrees;
    let difference = m1 - m2;
    // Deviations of two values are equal up to rounding.
    let rounding = 8.0 * f64::EPSILON * m1.max(m2);
    let error = (within * (1.0 / n1 + 1.0 / n2)).sqrt();
    if error <= rounding {
        let none = difference.abs() <= rounding;
        let t = if none { f64::NAN } else { difference / 0.0_f64 };
        return (t, degrees);
    }
    (difference / error, degrees)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Verdict;

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
        let interval = compared.interval(5, 0.9);
        assert_eq!(interval.centre, compared.ratio);
        assert_eq!(interval.lower, Some(compared.lower));
        assert_eq!(interval.upper, Some(compared.upper));
        assert_eq!((interval.n, interval.level), (5, 0.9));
    }

    /// Numbers of values that differ, so that their order matters.
    #[test]
    fn degrees_of_freedom_belong_to_their_list() {
        let first = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let second = [1.0, 2.0, 4.0];
        let compared = spread_comparison(&first, &second, 0.95).unwrap();
        // qf(.975, 6, 2) = 39.33146, qf(.975, 2, 6) = 7.259856 of the tables;
        // variances 14/3 and 7/3.
        assert!((compared.ratio - 2.0_f64.sqrt()).abs() < 1e-12);
        assert!((compared.lower - (2.0 / 39.331_458_f64).sqrt()).abs() < 1e-6);
        assert!((compared.upper - (2.0 * 7.259_856_f64).sqrt()).abs() < 1e-5);
    }

    /// Losses of six and four runs.
    #[test]
    fn spreads_are_those_of_scipy() {
        let first = [151.2, 149.8, 153.9, 150.1, 158.4, 149.0];
        let second = [150.2, 150.9, 150.4, 151.1];
        let compared = spread_comparison(&first, &second, 0.95).unwrap();
        // SciPy 1.17: levene(…, center="median"), and f.ppf, f.sf and f.cdf on (5, 3).
        assert!((compared.brown_forsythe_p_value - 0.182_884_436_739_610_25).abs() < 1e-9);
        let f = 70.905_660_377_357_89_f64;
        assert!((compared.ratio - f.sqrt()).abs() < 1e-9);
        assert!((compared.lower - (f / 14.884_822_920_641_959).sqrt()).abs() < 1e-7);
        assert!((compared.upper - (f / 0.128_806_398_421_262).sqrt()).abs() < 1e-6);
        assert!((compared.f_test_p_value - 0.005_180_096_771_668_875).abs() < 1e-9);
        // One side of the same, and the other.
        let evidence = spread(&first, &second).unwrap();
        assert!((evidence.supports - 0.091_442_218_369_805_1).abs() < 1e-9);
        assert_eq!(spread(&second, &first).unwrap(), evidence.opposite());
        // In other units the same.
        for unit in [1e-12, 1e12] {
            let [first, second] = [&first[..], &second]
                .map(|list| -> Vec<f64> { list.iter().map(|value| unit * value).collect() });
            let supports = spread(&first, &second).unwrap().supports;
            assert!((supports - evidence.supports).abs() < 1e-9);
        }
    }

    /// Skewed: about their means these spreads look otherwise.
    #[test]
    fn deviations_are_taken_from_the_median() {
        let skewed = [0.0, 0.0, 0.1, 0.2, 10.0];
        let even = [-2.0, -1.0, 0.0, 1.0, 2.0];
        let evidence = spread(&skewed, &even).unwrap();
        // SciPy 1.17: levene(…, center="median") has F 0.176329 on (1, 8) and the two-sided
        // p 0.685597; about means it has 0.152275.
        assert!((2.0 * evidence.supports - 0.685_597_398_464_683_8).abs() < 1e-9);
        assert!((evidence.supports + evidence.refutes - 1.0).abs() < 1e-12);
    }

    #[test]
    fn deviations_without_spread_are_no_certainty() {
        let two = spread(&[1.0, 9.0], &[1.0, 2.0]).unwrap();
        assert!((two.supports - 1.0 / 6.0).abs() < 1e-12, "{two:?}");
        assert_eq!(two.refutes, 1.0);
        assert_eq!(spread(&[1.0, 2.0], &[1.0, 9.0]).unwrap(), two.opposite());
        assert_eq!(spread(&[1.0, 1.0], &[2.0, 2.0]).unwrap(), Evidence::NONE);
        // Two of five in one of ten ways.
        let unlike = spread(&[1.0, 9.0], &[2.0; 3]).unwrap();
        assert!((unlike.supports - 0.1).abs() < 1e-12, "{unlike:?}");
        // Either deviation here is 3e8, but for rounding by 1.2e-7.
        let rounded = spread(&[1e8 + 0.1, 7e8 + 0.3], &[1.0, 2.0]).unwrap();
        assert!((rounded.supports - 1.0 / 6.0).abs() < 1e-12, "{rounded:?}");
        let wide = [1.0, 3.0, -2.0, 5.0, 0.0];
        let narrow = [1.0, 1.01, 0.99, 1.0, 1.02];
        let of = |a: &[f64], b: &[f64]| spread(a, b).unwrap().verdict(0.05);
        assert_eq!(of(&wide, &narrow), Verdict::Supported);
        assert_eq!(of(&narrow, &wide), Verdict::Refuted);
        assert_eq!(of(&wide, &wide), Verdict::Undecided);
        assert!(spread(&[1.0], &[1.0, 2.0]).is_err());
    }
}
