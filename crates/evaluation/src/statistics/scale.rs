//! What kind of number a quantity is, and what may be assumed of its values.

use serde::{Deserialize, Serialize};

use super::mean_and_variance;
use crate::error::{Result, require};

/// The kind of number a quantity is: which distribution its values over seeds
/// may be taken for, and what its interval and its tests are about.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Any real number, such as a loss or a difference: Student's t about the
    /// mean.
    #[default]
    Real,
    /// A positive factor, such as one number over another: Student's t of the
    /// logarithms, about the geometric mean.
    Ratio,
    /// A part of a whole, in [0, 1]: Student's t of the log odds where all are
    /// inside, and as a count otherwise.
    Share,
    /// The same in percent, in [0, 100].
    Percent,
    /// A whole number, or a difference of some, and whatever else has many equal
    /// values: the sign test and order statistics, exact about the median.
    Count,
    /// The same of values that cannot leave an interval.
    Bounded {
        /// The smallest value there can be.
        low: f64,
        /// The largest.
        high: f64,
    },
}

/// The map of a scale onto the line on which its values are taken for normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Line {
    Itself,
    Logarithm,
    /// Of a part of so much.
    LogOdds(f64),
}

impl Scale {
    /// The smallest and the largest value that a quantity of this kind can have.
    #[must_use]
    pub fn bounds(self) -> [Option<f64>; 2] {
        match self {
            Self::Real | Self::Count => [None, None],
            Self::Ratio => [Some(0.0), None],
            Self::Share => [Some(0.0), Some(1.0)],
            Self::Percent => [Some(0.0), Some(100.0)],
            Self::Bounded { low, high } => [Some(low), Some(high)],
        }
    }

    /// Values that this scale has.
    pub(super) fn require(self, values: &[f64]) -> Result<()> {
        let [low, high] = self.bounds();
        let holds = |value: f64| match self {
            Self::Ratio => value > 0.0,
            _ => low.is_none_or(|low| value >= low) && high.is_none_or(|high| value <= high),
        };
        let expected = match (low, high) {
            (Some(low), Some(high)) => format!("a number from {low} to {high}"),
            _ => "a number above 0".to_owned(),
        };
        let beyond = values.iter().find(|value| !holds(**value));
        let found = beyond.copied().unwrap_or_default();
        let what = "a value per seed of this scale";
        require(beyond.is_none(), what, found, expected)
    }

    /// The line on which these values bear Student's t; none where they do not:
    /// of a scale that is tested exactly, of one value, of equal ones, and of
    /// shares at an end of theirs.
    ///
    /// Values that differ by rounding alone are equal: their spread says nothing
    /// of how far others would lie, and t would make a certainty of it.
    pub(super) fn line(self, values: &[f64]) -> Option<Line> {
        let line = match self {
            Self::Real => Line::Itself,
            Self::Ratio => Line::Logarithm,
            Self::Share => Line::LogOdds(1.0),
            Self::Percent => Line::LogOdds(100.0),
            Self::Count | Self::Bounded { .. } => return None,
        };
        let on_line = line.of(values);
        let (_, variance) = mean_and_variance(&on_line);
        let largest = on_line.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let least = if line == Line::Itself { 0.0 } else { 1.0 };
        let rounding = 8.0 * f64::EPSILON * largest.max(least);
        // That of one value is 0, and of infinite log odds it is no number.
        (variance.sqrt() > rounding).then_some(line)
    }
}

impl Line {
    pub(super) fn of(self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|value| self.forth(*value)).collect()
    }

    /// Where a value of the scale lies; a threshold beyond its ends lies at
    /// infinity, as these do.
    pub(super) fn forth(self, value: f64) -> f64 {
        match self {
            Self::Itself => value,
            Self::Logarithm => value.max(0.0).ln(),
            Self::LogOdds(whole) => {
                let share = (value / whole).clamp(0.0, 1.0);
                share.ln() - (-share).ln_1p()
            }
        }
    }

    pub(super) fn back(self, place: f64) -> f64 {
        match self {
            Self::Itself => place,
            Self::Logarithm => place.exp(),
            Self::LogOdds(whole) => whole / (1.0 + (-place).exp()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lead_back_and_end_at_infinity() {
        for line in [Line::Itself, Line::Logarithm, Line::LogOdds(1.0)] {
            for value in [1e-9, 0.3, 0.999] {
                let there_and_back = line.back(line.forth(value));
                assert!((there_and_back / value - 1.0).abs() < 1e-12, "{line:?}");
            }
        }
        assert_eq!(Line::Logarithm.forth(-1.0), f64::NEG_INFINITY);
        assert_eq!(Line::LogOdds(1.0).forth(1.5), f64::INFINITY);
        assert_eq!(Line::LogOdds(100.0).back(f64::NEG_INFINITY), 0.0);
    }

    #[test]
    fn t_is_for_values_that_have_a_spread_of_their_own() {
        assert_eq!(Scale::Real.line(&[1.0, 2.0]), Some(Line::Itself));
        assert_eq!(Scale::Real.line(&[1.0]), None);
        assert_eq!(Scale::Real.line(&[0.3, 0.1 + 0.2]), None);
        assert_eq!(Scale::Real.line(&[0.0, 0.0]), None);
        assert_eq!(Scale::Share.line(&[0.0]), None);
        assert_eq!(Scale::Share.line(&[0.5, 1.0]), None);
        assert_eq!(Scale::Share.line(&[0.5, 0.9]), Some(Line::LogOdds(1.0)));
        assert_eq!(Scale::Count.line(&[1.0, 2.0]), None);
        assert!(Scale::Ratio.require(&[1.0, 0.0]).is_err());
        assert!(Scale::Share.require(&[1.0, 1.1]).is_err());
        let kinds = Scale::Bounded {
            low: 0.0,
            high: 10.0,
        };
        assert!(kinds.require(&[0.0, 10.0]).is_ok());
        assert!(kinds.require(&[11.0]).is_err());
        let said = |scale: Scale, value| scale.require(&[value]).unwrap_err().to_string();
        assert!(said(kinds, -1.0).ends_with("is -1, expected a number from 0 to 10"));
        assert!(said(Scale::Ratio, -2.0).ends_with("is -2, expected a number above 0"));
    }

    /// Of real values to their own size, however small or large that is; of
    /// logarithms and log odds to 1, as the logarithm of a value near 1 has the
    /// rounding of that value.
    #[test]
    fn rounding_is_relative() {
        assert_eq!(Scale::Real.line(&[1e-20, 2e-20]), Some(Line::Itself));
        assert_eq!(Scale::Real.line(&[1e9, 1e9 + 2.5e-7]), None);
        assert_eq!(Scale::Real.line(&[1e9, 1e9 + 1.0]), Some(Line::Itself));
        assert_eq!(Scale::Ratio.line(&[1.0, 1.0 + 2.0 * f64::EPSILON]), None);
        assert_eq!(Scale::Ratio.line(&[1.0, 1.0 + 1e-9]), Some(Line::Logarithm));
    }
}
