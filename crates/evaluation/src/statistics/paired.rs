//! Two models trained with the same seeds.

use serde::{Deserialize, Serialize};

use super::{Interval, t_interval};
use crate::distributions::student_cdf;
use crate::error::{Result, require_length};

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
    let t = spread.map(|sd| difference.centre.abs() / (sd / n.sqrt()));
    Ok(PairedDifference {
        difference,
        p_value: t.map(|t| 2.0 * student_cdf(-t, n - 1.0)),
        first_larger: differences.iter().filter(|d| **d > 0.0).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paired_differences_cancel_what_seeds_share() {
        let first = [10.1, 20.2, 30.0, 40.3];
        let second = [10.0, 20.0, 30.0, 40.0];
        let paired = paired_difference(&first, &second, 0.95).unwrap();
        assert!((paired.difference.centre - 0.15).abs() < 1e-12);
        // SciPy 1.17: scipy.stats.ttest_rel, t = 2.3238 with 3 degrees of freedom.
        assert!((paired.p_value.unwrap() - 0.102_728_078_858).abs() < 1e-10);
        assert_eq!(paired.first_larger, 3);
        assert!(paired_difference(&first, &second[..3], 0.95).is_err());
    }

    #[test]
    fn pairs_that_differ_by_one_number_have_no_p_value() {
        let alike = paired_difference(&[1.5, 2.5, 4.0], &[1.0, 2.0, 3.5], 0.95).unwrap();
        assert_eq!((alike.difference.centre, alike.p_value), (0.5, None));
        assert_eq!(alike.first_larger, 3);
        let single = paired_difference(&[1.0], &[3.0], 0.95).unwrap();
        assert_eq!((single.p_value, single.first_larger), (None, 0));
    }
}
