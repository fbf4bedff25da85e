//! Intervals of a quantity over seeds.

use ndarray::aview1;
use serde::{Deserialize, Serialize};

use super::scale::Line;
use super::{
    CONFIDENCE, Scale, mean_and_variance, proportion_interval, require_level, require_values,
    sorted, sorted_quantile,
};
use crate::distributions::{binomial_cdf, student_quantile};
use crate::error::{Result, require_finite};

/// A number over seeds with its two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Values it is of.
    pub n: usize,
    /// The number that `about` names.
    #[serde(alias = "mean")]
    pub centre: f64,
    /// What that number is, and what the ends bound.
    #[serde(default)]
    pub about: Centre,
    /// Standard deviation of the values with n − 1 in the denominator; `None`
    /// for one value, and of what is counted over all.
    pub standard_deviation: Option<f64>,
    /// Lower end; `None` for one value, which bounds nothing, and for equal ones.
    pub lower: Option<f64>,
    /// Upper end; `None` for the same.
    pub upper: Option<f64>,
    /// How often the ends hold what they bound: the level asked for, at least
    /// that of order statistics, and 1 where they are the bounds of the quantity.
    #[serde(default = "usual")]
    pub level: f64,
    /// Stands in the place of ends that would be one point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equal: Option<Equal>,
}

fn usual() -> f64 {
    0.95
}

/// What the centre of an interval is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// The arithmetic mean.
    #[default]
    Mean,
    /// exp of the mean logarithm: the median of a log-normal quantity.
    GeometricMean,
    /// The share whose log odds are the mean of those of the values: the median
    /// of a logit-normal share.
    MeanLogOdds,
    /// The median.
    Median,
    /// The share of trainings of which something holds.
    Proportion,
}

/// How many of the values are the same number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Equal {
    /// Values equal to the centre.
    pub count: usize,
    /// At least so large is the share of all trainings that give this value: the
    /// lower end of the two-sided interval of Clopper & Pearson at the level of
    /// the interval; 0.478 for five of five at 95 %.
    pub share: f64,
}

impl Centre {
    /// `mean`, `geometric mean`, `median`, …
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::GeometricMean => "geometric mean",
            Self::MeanLogOdds => "mean by log odds",
            Self::Median => "median",
            Self::Proportion => "share of trainings",
        }
    }
}

impl Interval {
    /// A number that no seed changes.
    #[must_use]
    pub fn of_one(value: f64) -> Self {
        Self {
            n: 1,
            centre: value,
            about: Centre::Mean,
            standard_deviation: None,
            lower: None,
            upper: None,
            level: usual(),
            equal: None,
        }
    }
}

/// The interval of independent values of a quantity, one per seed, as its
/// [`Scale`] allows:
///
/// * *real*, *ratio* and *share*: Student's t of the values, their logarithms or
///   log odds, mapped back, so that no end lies where the quantity cannot;
/// * *count* and *bounded*, and shares of which some are 0 or 1: the median
///   between the r-th smallest and the r-th largest value, the largest r for
///   which that holds it with at least `level`, 1 − 2·P(Bin(n, ½) < r) (David &
///   Nagaraja 2003, *Order Statistics*, 7.1). At 95 % six values are needed; of
///   fewer, the ends are the bounds of the quantity, if it has both;
/// * where the ends would be one point, as of equal values on any scale, there
///   are none: [`Equal`] says what is known instead.
///
/// # Errors
/// No values, one that is not finite or that the scale does not have, or a level
/// outside (0, 1).
///
/// ```
/// use evaluation::statistics::{Centre, Scale, interval};
///
/// let tens = interval(&[10.0; 5], Scale::Count, 0.95)?;
/// assert_eq!((tens.about, tens.lower), (Centre::Median, None));
/// assert!((tens.equal.unwrap().share - 0.025_f64.powf(0.2)).abs() < 1e-9);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn interval(values: &[f64], scale: Scale, level: f64) -> Result<Interval> {
    require_values("the list of values per seed", values, 1)?;
    require_level(CONFIDENCE, level)?;
    scale.require(values)?;
    match scale.line(values) {
        Some(Line::Itself) => t_interval(values, level),
        Some(line) => {
            let on_line = t_interval(&line.of(values), level)?;
            let about = match line {
                Line::LogOdds(_) => Centre::MeanLogOdds,
                Line::Itself | Line::Logarithm => Centre::GeometricMean,
            };
            Ok(Interval {
                centre: line.back(on_line.centre),
                about,
                standard_deviation: deviation(values),
                // Beyond the range of numbers nothing is bounded.
                lower: on_line.lower.map(|end| line.back(end)),
                upper: on_line
                    .upper
                    .map(|end| line.back(end))
                    .filter(|end| end.is_finite()),
                ..on_line
            })
        }
        None => of_order_statistics(values, scale, level),
    }
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
/// assert_eq!(interval.centre, 3.0);
/// assert!((interval.upper.unwrap() - 4.963_243).abs() < 1e-6);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn t_interval(values: &[f64], level: f64) -> Result<Interval> {
    let n = require_values("the list of values per seed", values, 1)?;
    require_level(CONFIDENCE, level)?;
    let (mean, variance) = mean_and_variance(values);
    let what = "the list of squares of values per seed";
    require_finite(what, &aview1(&[variance]))?;
    let half = || student_quantile(0.5 + 0.5 * level, n - 1.0) * (variance / n).sqrt();
    let half = (values.len() > 1).then(half);
    Ok(Interval {
        n: values.len(),
        standard_deviation: deviation(values),
        lower: half.map(|half| mean - half),
        upper: half.map(|half| mean + half),
        level,
        ..Interval::of_one(mean)
    })
}

/// Their standard deviation; none of one value, and of squares beyond all numbers.
fn deviation(values: &[f64]) -> Option<f64> {
    let deviation = (values.len() > 1).then(|| mean_and_variance(values).1.sqrt());
    deviation.filter(|deviation| deviation.is_finite())
}

fn of_order_statistics(values: &[f64], scale: Scale, level: f64) -> Result<Interval> {
    let n = values.len();
    let ordered = sorted(values.iter().copied());
    let median = sorted_quantile(&ordered, 0.5);
    require_finite("the median of values per seed", &aview1(&[median]))?;
    let found = Interval {
        n,
        // Of values that differ by rounding alone the mean is as good a name.
        about: match scale {
            Scale::Real => Centre::Mean,
            Scale::Ratio => Centre::GeometricMean,
            _ => Centre::Median,
        },
        standard_deviation: deviation(values),
        level,
        ..Interval::of_one(median)
    };
    if n == 1 {
        return Ok(found);
    }
    let beyond = |rank: u64| 2.0 * binomial_cdf(rank - 1, n as u64, 0.5);
    let rank = (1..=n as u64).take_while(|rank| 1.0 - beyond(*rank) >= level);
    let rank = rank.last();
    let within = rank.map_or([0, n - 1], |rank| [rank as usize - 1, n - rank as usize]);
    let [lower, upper] = within.map(|place| ordered[place]);
    let is_line = matches!(scale, Scale::Real | Scale::Ratio);
    if lower == upper || is_line {
        // Of a line these are all equal, up to rounding.
        let count = if is_line {
            n
        } else {
            values.iter().filter(|value| **value == median).count()
        };
        let share = proportion_interval(count, n, level)?.lower.unwrap_or(0.0);
        let equal = Some(Equal { count, share });
        return Ok(Interval { equal, ..found });
    }
    Ok(match (rank, scale.bounds()) {
        (Some(rank), _) => Interval {
            lower: Some(lower),
            upper: Some(upper),
            level: 1.0 - beyond(rank),
            ..found
        },
        (None, [Some(low), Some(high)]) => Interval {
            lower: Some(low),
            upper: Some(high),
            level: 1.0,
            ..found
        },
        (None, _) => found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-6 * expected.abs(),
            "found {found}, expected {expected}"
        );
    }

    #[test]
    fn t_interval_of_five_values() {
        let interval = t_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).unwrap();
        // 2.776445 · √(2.5/5)
        assert!((interval.lower.unwrap() - (3.0 - 1.963_243_161)).abs() < 1e-8);
        assert_eq!(interval.standard_deviation, Some(2.5_f64.sqrt()));
        assert_eq!((interval.n, interval.about), (5, Centre::Mean));
        // SciPy 1.17: scipy.stats.t.interval(0.9, 4, 3, √0.5).
        let narrow = t_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.9).unwrap();
        close(narrow.lower.unwrap(), 1.492_556_680_937_676_2);
        close(narrow.upper.unwrap(), 4.507_443_319_062_323);
        assert_eq!(narrow.level, 0.9);
        let single = t_interval(&[7.0], 0.95).unwrap();
        assert_eq!((single.centre, single.lower), (7.0, None));
        assert_eq!((single.upper, single.standard_deviation), (None, None));
        assert!(t_interval(&[], 0.95).is_err());
        assert!(t_interval(&[f64::NAN], 0.95).is_err());
        assert!(t_interval(&[1.0], 1.0).is_err());
        assert!(t_interval(&[1.0], 0.0).is_err());
    }

    /// As intervals were written before they said what they are about.
    #[test]
    fn intervals_of_older_files_are_read_as_of_means_at_the_usual_level() {
        let text =
            r#"{"n": 1, "mean": 1.5, "standard_deviation": null, "lower": null, "upper": null}"#;
        let read: Interval = serde_json::from_str(text).unwrap();
        assert_eq!(read, Interval::of_one(1.5));
        assert_eq!((read.about, read.level), (Centre::Mean, 0.95));
    }

    #[test]
    fn centres_are_called_what_they_are() {
        let names = [
            (Centre::Mean, "mean"),
            (Centre::GeometricMean, "geometric mean"),
            (Centre::MeanLogOdds, "mean by log odds"),
            (Centre::Median, "median"),
            (Centre::Proportion, "share of trainings"),
        ];
        for (centre, name) in names {
            assert_eq!(centre.name(), name);
        }
    }

    // SciPy 1.17: scipy.stats.t.interval of logarithms and log odds, mapped back.
    #[test]
    fn intervals_on_other_lines_are_those_of_scipy() {
        let of = |values: &[f64], scale| {
            let found = interval(values, scale, 0.95).unwrap();
            [found.centre, found.lower.unwrap(), found.upper.unwrap()]
        };
        let ratio = of(&[1.2, 0.8, 2.5, 1.9, 1.1], Scale::Ratio);
        let share = of(&[0.02, 0.05, 0.11, 0.04, 0.08], Scale::Share);
        for (found, expected) in ratio.iter().chain(&share).zip([
            1.380_611_560_335_289,
            0.785_934_39,
            2.425_251_14,
            0.051_686_905_367_596_68,
            0.022_504_615_886_315_88,
            0.114_286_268_838_702_06,
        ]) {
            close(*found, expected);
        }
    }

    #[test]
    fn shares_stay_shares_and_ratios_positive() {
        let values = [0.001, 0.002, 0.02, 0.0005, 0.3];
        let share = interval(&values, Scale::Share, 0.95).unwrap();
        assert_eq!(share.about, Centre::MeanLogOdds);
        assert!(share.lower.unwrap() > 0.0 && share.upper.unwrap() < 1.0);
        assert!(t_interval(&values, 0.95).unwrap().lower.unwrap() < 0.0);
        let ratio = interval(&values, Scale::Ratio, 0.95).unwrap();
        assert_eq!(ratio.about, Centre::GeometricMean);
        let product: f64 = values.iter().product();
        close(ratio.centre, product.powf(0.2));
        assert!(ratio.lower.unwrap() > 0.0);
        // Of the values, not of their logarithms.
        let five = interval(&[1.2, 0.8, 2.5, 1.9, 1.1], Scale::Ratio, 0.95).unwrap();
        close(five.standard_deviation.unwrap(), 0.689_202_437_604_511);
        // A ratio and its inverse say the same.
        let inverse: Vec<f64> = values.iter().map(|v| 1.0 / v).collect();
        let inverse = interval(&inverse, Scale::Ratio, 0.95).unwrap();
        close(inverse.lower.unwrap(), 1.0 / ratio.upper.unwrap());
        let percent: Vec<f64> = values.iter().map(|v| 100.0 * v).collect();
        let percent = interval(&percent, Scale::Percent, 0.95).unwrap();
        close(percent.upper.unwrap(), 100.0 * share.upper.unwrap());
        // Shares at an end of theirs have no log odds.
        let at_the_end = interval(&[0.5, 0.7, 1.0, 1.0, 0.9], Scale::Share, 0.95).unwrap();
        assert_eq!(at_the_end.about, Centre::Median);
        let ends = [at_the_end.lower, at_the_end.upper].map(Option::unwrap);
        assert_eq!((ends, at_the_end.level), ([0.0, 1.0], 1.0));
    }

    #[test]
    fn medians_are_held_by_order_statistics() {
        let counts: Vec<f64> = (1..=10).map(f64::from).collect();
        let held = interval(&counts, Scale::Count, 0.95).unwrap();
        // Between the second and the ninth of ten: 1 − 2·(1 + 10)/2¹⁰.
        assert_eq!((held.lower, held.upper), (Some(2.0), Some(9.0)));
        assert_eq!((held.n, held.about), (10, Centre::Median));
        // Squares about 5.5 of one to ten: 82.5.
        close(held.standard_deviation.unwrap(), (82.5_f64 / 9.0).sqrt());
        close(held.level, 1.0 - 22.0 / 1024.0);
        // Five have no such interval at 95 %: their extremes hold 93.75 %.
        let few = interval(&counts[..5], Scale::Count, 0.95).unwrap();
        assert_eq!((few.centre, few.lower, few.equal), (3.0, None, None));
        let none = interval(&counts[..5], Scale::Count, 0.99).unwrap();
        assert_eq!((none.lower, none.level), (None, 0.99));
        let extremes = interval(&counts[..5], Scale::Count, 0.9).unwrap();
        assert_eq!((extremes.lower, extremes.upper), (Some(1.0), Some(5.0)));
        close(extremes.level, 0.9375);
        let kinds = Scale::Bounded {
            low: 0.0,
            high: 10.0,
        };
        let bounded = interval(&counts[..5], kinds, 0.95).unwrap();
        assert_eq!((bounded.lower, bounded.upper), (Some(0.0), Some(10.0)));
        assert_eq!(bounded.level, 1.0);
    }

    #[test]
    fn equal_values_are_no_certainty() {
        let scales = [Scale::Real, Scale::Ratio, Scale::Share, Scale::Count];
        for scale in scales {
            for n in [2, 5, 20] {
                let equal = interval(&vec![0.7; n], scale, 0.95).unwrap();
                assert_eq!((equal.centre, equal.lower), (0.7, None), "{scale:?}");
                assert_eq!(equal.upper, None);
                assert_eq!(equal.n, n);
                assert!(equal.standard_deviation.unwrap() < 1e-15);
                let about = match scale {
                    Scale::Real => Centre::Mean,
                    Scale::Ratio => Centre::GeometricMean,
                    _ => Centre::Median,
                };
                assert_eq!(equal.about, about);
                let known = equal.equal.unwrap();
                assert_eq!(known.count, n);
                // R: binom.test(n, n)$conf.int[1] = 0.025^(1/n).
                close(known.share, 0.025_f64.powf(1.0 / n as f64));
            }
        }
        // All but two of twenty: their median's interval would be a point.
        let mut most = vec![4.0; 18];
        most.extend([3.0, 5.0]);
        let most = interval(&most, Scale::Count, 0.95).unwrap();
        // R: binom.test(18, 20)$conf.int[1].
        let known = most.equal.unwrap();
        assert_eq!((known.count, most.lower), (18, None));
        close(known.share, 0.683_017_2);
    }

    /// Of values that are what their scale takes them for, over 2,000 draws: 95 %
    /// with a standard error of half a per cent.
    #[test]
    fn intervals_hold_what_they_are_of_as_often_as_they_say() {
        const DRAWS: usize = 2000;
        let deviates = crate::draws::standard_normals(5, DRAWS, 10);
        let held = |scale: Scale, n: usize, of: fn(f64) -> f64, truth: f64| {
            let holds = |row: &ndarray::ArrayView1<'_, f32>| {
                let values: Vec<f64> = row.iter().take(n).map(|z| of(f64::from(*z))).collect();
                let found = interval(&values, scale, 0.95).unwrap();
                match (found.lower, found.upper) {
                    (Some(lower), Some(upper)) => lower <= truth && truth <= upper,
                    _ => found.centre == truth,
                }
            };
            deviates.outer_iter().filter(holds).count() as f64 / DRAWS as f64
        };
        let nominal = |share: f64| (share - 0.95).abs() <= 0.015;
        let log_normal = |z: f64| (0.7 + 1.5 * z).exp();
        let logit_normal = |z: f64| 1.0 / (1.0 + (3.0 - 2.0 * z).exp());
        assert!(nominal(held(Scale::Real, 5, |z| 2.0 + z, 2.0)));
        assert!(nominal(held(Scale::Ratio, 5, log_normal, 0.7_f64.exp())));
        let share = 1.0 / (1.0 + 3.0_f64.exp());
        assert!(nominal(held(Scale::Share, 5, logit_normal, share)));
        // Taken for normal, ratios like these would be held far less often.
        let mean = (0.7 + 0.5 * 1.5_f64.powi(2)).exp();
        assert!(held(Scale::Real, 5, log_normal, mean) < 0.85);
        // Counts of which 44 % are below 3 and 55 % are no more: 97.9 % at least.
        let counts = held(Scale::Count, 10, |z| (3.5 * z.exp()).floor(), 3.0);
        assert!(counts >= 1.0 - 22.0 / 1024.0 - 0.01, "{counts}");
    }
}
