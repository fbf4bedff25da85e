//! How many seeds a verdict takes.

use super::{Claim, Scale, mean_and_variance, require_values};
use crate::distributions::{binomial_survival, noncentral_student_survival, student_quantile};
use crate::error::{Result, require};

/// More seeds than this are not looked for.
pub const MOST: usize = 10_000;

/// From how many seeds on a statement about a threshold is decided with a chance
/// of `power` by [`one_sided`](super::one_sided) at `level`, if all seeds are as
/// `values`, a pilot; none where more than [`MOST`] would be needed.
///
/// It is a guess: the effect and the spread of a pilot of five are themselves
/// uncertain, and which side the verdict would fall on is the pilot's.
///
/// # Errors
/// Those of [`one_sided`](super::one_sided); a level or a power outside (0, 1).
pub fn seeds_needed(
    values: &[f64],
    scale: Scale,
    threshold: f64,
    level: f64,
    power: f64,
) -> Result<Option<usize>> {
    // Also what these refuse.
    let evidence = super::one_sided(values, scale, Claim::AtLeast, threshold)?;
    require_values("the list of values per seed", values, 1)?;
    for (what, number) in [("the level of a test", level), ("its power", power)] {
        let expected = "a number between 0 and 1";
        require(number > 0.0 && number < 1.0, what, number, expected)?;
    }
    let Some(line) = scale.line(values) else {
        // Those that lie as most do, with half a value more on either side, as
        // no share is certain.
        let holds = |value: &&f64| {
            if evidence.supports <= evidence.refutes {
                **value >= threshold
            } else {
                **value < threshold
            }
        };
        let count = values.iter().filter(holds).count() as f64;
        let probability = (count + 0.5) / (values.len() as f64 + 1.0);
        return Ok(by_signs(probability, level, power));
    };
    let (mean, variance) = mean_and_variance(&line.of(values));
    let effect = (mean - line.forth(threshold)).abs();
    Ok(by_t(effect / variance.sqrt(), level, power))
}

/// Values that Student's one-sided t test takes where the mean lies `effect`
/// standard deviations from the threshold: the power is that of the noncentral t
/// distribution.
fn by_t(effect: f64, level: f64, power: f64) -> Option<usize> {
    let reached = |n: usize| {
        let degrees = n as f64 - 1.0;
        let critical = student_quantile(1.0 - level, degrees);
        let shift = effect * (n as f64).sqrt();
        noncentral_student_survival(critical, degrees, shift) >= power
    };
    // It grows with n.
    let mut most = 2;
    while !reached(most) {
        if most >= MOST {
            return None;
        }
        most = (2 * most).min(MOST);
    }
    let mut too_few = most / 2;
    while most - too_few > 1 {
        let middle = too_few + (most - too_few) / 2;
        if reached(middle) {
            most = middle;
        } else {
            too_few = middle;
        }
    }
    Some(most)
}

/// Values that the sign test takes where each lies on the verdict's side with
/// this probability: the first number at which it has the power. As counts are
/// whole, one more value can have a little less.
fn by_signs(probability: f64, level: f64, power: f64) -> Option<usize> {
    if probability <= 0.5 {
        return None;
    }
    let mut critical = 0;
    (1..=MOST as u64)
        .find(|&n| {
            // The fewest that decide, at most one more than with one value less.
            while critical <= n && binomial_survival(critical, n, 0.5) > level {
                critical += 1;
            }
            critical <= n && binomial_survival(critical, n, probability) >= power
        })
        .map(|n| n as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_tests_need_what_r_says() {
        // R: power.t.test(delta = 0.5, sd = 1, sig.level = 0.05, power = 0.9,
        // type = "one.sample", alternative = "one.sided")$n = 35.65268.
        assert_eq!(by_t(0.5, 0.05, 0.9), Some(36));
        // The first n at which scipy.stats.nct (1.17) has the power.
        assert_eq!(by_t(1.0, 0.05, 0.9), Some(11));
        assert_eq!(by_t(0.5, 0.05 / 29.0, 0.9), Some(76));
        assert_eq!(by_t(2.0, 0.006_25, 0.9), Some(7));
        assert_eq!(by_t(0.2, 0.05, 0.9), Some(216));
        assert_eq!(by_t(0.0, 0.05, 0.9), None);
        assert_eq!(by_t(100.0, 0.05, 0.9), Some(2));
    }

    #[test]
    fn sign_tests_need_what_the_binomial_says() {
        // Five heads of five have 1/32; all five come with 0.98⁵ = 0.904, four of
        // five would not do.
        assert_eq!(by_signs(0.98, 0.05, 0.9), Some(5));
        assert_eq!(by_signs(0.97, 0.05, 0.9), Some(8));
        assert_eq!(by_signs(0.5, 0.05, 0.9), None);
        assert_eq!(by_signs(1.0, 0.01, 0.9), Some(7));
        // scipy.stats.binom (1.17).
        assert_eq!(by_signs(5.5 / 6.0, 0.05, 0.9), Some(11));
        assert_eq!(by_signs(0.7, 0.05, 0.9), Some(53));
        // One head decides at a level of a half, which is its chance.
        assert_eq!(by_signs(0.95, 0.5, 0.9), Some(1));
    }

    #[test]
    fn pilots_tell_how_many_seeds_are_needed() {
        let of = |values: &[f64], scale, threshold| {
            seeds_needed(values, scale, threshold, 0.05, 0.9).unwrap()
        };
        // Mean 0.5, standard deviation 1, on either side.
        let pilot = [0.5 - 1.0, 0.5, 0.5 + 1.0];
        assert_eq!(of(&pilot, Scale::Real, 0.0), Some(36));
        assert_eq!(of(&pilot, Scale::Real, 1.0), Some(36));
        assert_eq!(of(&pilot, Scale::Real, 0.5), None);
        // The same in other units.
        let thrice = pilot.map(|value| 3.0 * value);
        assert_eq!(of(&thrice, Scale::Real, 0.0), Some(36));
        // 5.5 of 6 on one side.
        assert_eq!(
            of(&[4.0; 5], Scale::Count, 2.0),
            by_signs(5.5 / 6.0, 0.05, 0.9)
        );
        assert_eq!(
            of(&[4.0; 5], Scale::Count, 5.0),
            by_signs(5.5 / 6.0, 0.05, 0.9)
        );
        // Five of six lie below, and one at the threshold does not: 5.5 of 7 need
        // 23 (scipy.stats.binom, 1.17), and 6.5 of 7 would need 11.
        let below = [1.0, 2.0, 3.0, 5.0, 4.0, 2.0];
        assert_eq!(of(&below, Scale::Count, 5.0), Some(23));
        for (level, power) in [(1.0, 0.9), (0.0, 0.9), (0.05, 1.0), (0.05, 0.0)] {
            assert!(seeds_needed(&[1.0], Scale::Real, 0.0, level, power).is_err());
        }
    }
}
