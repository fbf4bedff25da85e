use super::*;
use crate::draws::{standard_normals, uniforms};
use ndarray::Array1;
use proptest::prelude::*;

/// log Σ of all densities in f64.
fn plain(mean: &Array1<f32>, log_variance: &Array1<f32>, z: f64) -> f64 {
    let density = |(&mean, &l): (&f32, &f32)| {
        let (distance, l) = (f64::from(mean) - z, f64::from(l));
        -0.5 * distance.powi(2) / l.exp() - 0.5 * l
    };
    let densities: Vec<f64> = mean.iter().zip(log_variance).map(density).collect();
    let largest = densities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest
        + densities
            .iter()
            .map(|d| (d - largest).exp())
            .sum::<f64>()
            .ln()
}

/// One posterior for each mean and σ.
fn octaves(posteriors: &[(f32, f64)]) -> Vec<Octave> {
    let means: Array1<f32> = posteriors.iter().map(|&(mean, _)| mean).collect();
    let log_variances = posteriors.iter().map(|&(_, s)| (2.0 * s.ln()) as f32);
    let log_variances: Array1<f32> = log_variances.collect();
    Octave::of_all(means.view(), log_variances.view())
}

#[test]
fn posteriors_are_taken_by_powers_of_two_of_their_width() {
    let found = octaves(&[
        (7.0, 3.0),
        (8.0, 0.6),
        (9.0, 0.07),
        (10.0, 0.9),
        (11.0, 1.1),
    ]);
    // Without those between that hold none.
    let least: Vec<f64> = found.iter().map(|octave| octave.least).collect();
    assert_eq!(least, [0.0625, 0.5, 1.0, 2.0]);
    let sigmas = [
        vec![(9.0, 0.07)],
        vec![(8.0, 0.6), (10.0, 0.9)],
        vec![(11.0, 1.1)],
    ];
    for (octave, sigmas) in found.iter().zip(sigmas) {
        assert_eq!(octave.posteriors.len(), sigmas.len());
        for (posterior, (mean, sigma)) in octave.posteriors.iter().zip(sigmas) {
            assert_eq!(posterior.mean, mean);
            assert!((posterior.inverse * sigma - 1.0).abs() < 1e-6);
            let share = f64::from(posterior.log_share);
            assert!((share.exp() * sigma / octave.least - 1.0).abs() < 1e-6);
        }
    }
    // e^(−40.5) = 2.576757109154981e-18 (Python), of two densities of 1/0.5 at most.
    let left_out = found[1].left_out() / 2.576_757_109_154_981e-18;
    assert!((left_out - 4.0).abs() < 1e-12, "{left_out}");
}

/// Nine σ of ½ on both sides of 1.5 and no farther: both ends are counted, each as
/// e^(−40.5).
#[test]
fn a_density_reaches_as_far_as_is_said() {
    let octave = Octave {
        least: 0.5,
        posteriors: vec![Posterior {
            mean: 1.5,
            log_share: 0.0,
            inverse: 2.0,
        }],
    };
    let found = octave.sums_at(&[-3.5, -3.0, 1.0, 6.0, 6.5]);
    assert_eq!((found[0], found[4]), (0.0, 0.0));
    for (found, expected) in [(found[1], -40.5_f64), (found[2], -0.5), (found[3], -40.5)] {
        assert!((found / expected.exp() - 1.0).abs() < 1e-5, "{found}");
    }
}

/// So many posteriors that there is more than one part.
#[test]
fn parts_of_the_posteriors_are_added() {
    let posteriors: Vec<(f32, f64)> = (0..FEWEST_OF_PART + 100)
        .map(|n| ((n % 7) as f32, 1.25))
        .collect();
    let [octave] = &octaves(&posteriors)[..] else {
        panic!("more than one octave")
    };
    let found = octave.sums_at(&[2.5])[0];
    let densities = posteriors
        .iter()
        .map(|&(mean, sigma)| (-0.5 * ((2.5 - f64::from(mean)) / sigma).powi(2)).exp() / sigma);
    assert!((found / densities.sum::<f64>() - 1.0).abs() < 1e-6);
}

/// Codes in two intervals that are interpolated and one that is not, added to
/// what other octaves gave.
#[test]
fn densities_are_added_at_codes_few_and_many() {
    let posteriors = [(0.3, 0.6), (1.7, 0.9), (0.9, 0.55)];
    let [octave] = &octaves(&posteriors)[..] else {
        panic!("more than one octave")
    };
    let many = (0..60).map(|i| 0.1 + 0.013 * f64::from(i));
    let codes: Vec<f64> = many.chain([1.3, 1.35, 2.9]).collect();
    let (intervals, places) = octave.intervals(&codes);
    let interpolated: Vec<bool> = intervals
        .iter()
        .map(|interval| interval.interpolated_from.is_some())
        .collect();
    assert_eq!(interpolated, [true, true, false, false]);
    assert_eq!(places.len(), 2 * NODES + 3);
    let mut sums = vec![0.25; codes.len()];
    octave.add_to(&codes, &mut sums);
    for (code, sum) in codes.iter().zip(&sums) {
        let densities = posteriors.iter().map(|&(mean, sigma)| {
            (-0.5 * ((code - f64::from(mean)) / sigma).powi(2)).exp() / sigma
        });
        let expected = 0.25 + densities.sum::<f64>();
        assert!((sum - expected).abs() < 2e-6, "{sum} {expected} at {code}");
    }
}

/// Not of as many codes as there are points, nor where f64 does not resolve them,
/// which begins where an interval of 2⁻¹⁰ is 1e-9 of the place it lies at.
#[test]
fn codes_are_interpolated_where_there_are_more_of_them_than_points() {
    let octave = Octave {
        least: 1.0 / 1024.0,
        posteriors: Vec::new(),
    };
    for (place, count, is_interpolated) in [
        (3.0, 16, false),
        (3.0, 17, true),
        (976_562.0, 17, true),
        (976_562.5, 17, false),
        (-976_563.0, 17, false),
    ] {
        let (intervals, places) = octave.intervals(&vec![place; count]);
        assert_eq!(intervals.len(), 1);
        assert_eq!(
            (intervals[0].codes.clone(), intervals[0].places.clone()),
            (0..count, 0..places.len())
        );
        let start = is_interpolated.then_some(place);
        assert_eq!(intervals[0].interpolated_from, start, "{count} at {place}");
        assert_eq!(places.len(), if is_interpolated { 16 } else { count });
    }
    let (none, places) = octave.intervals(&[]);
    assert!(none.is_empty() && places.is_empty());
}

/// Exactly: −½d²/σ² − log σ, summed where both are felt.
#[test]
fn far_from_all_posteriors_the_sum_is_still_found() {
    let (mean, log_variance) = (ndarray::array![0.0_f32, 3.0], ndarray::array![0.0_f32, 0.0]);
    let z = [40.0, -12.0, 1.5, 14.0];
    let found = log_sums(mean.view(), log_variance.view(), &z);
    // −½·37² + log(1 + e^(−115.5)), −½·12² + log(1 + e^(−40.5)),
    // −½·1.5² + log 2, −½·11² + log(1 + e^(−37.5)).
    for (found, expected) in found.iter().zip([-684.5, -72.0, -0.431_852_819_44, -60.5]) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn points_ascend_from_end_to_end() {
    // cos(π/3) and cos(2π/15) (Python).
    for (k, expected) in [
        (0, -1.0),
        (5, -0.5),
        (10, 0.5),
        (13, 0.913_545_457_642_600_9),
        (15, 1.0),
    ] {
        assert!((node(k) - expected).abs() < 1e-15, "{k}");
    }
}

#[test]
fn polynomials_are_interpolated_exactly() {
    let of = |x: f64| 3.0 - x + 2.0 * x.powi(7) - x.powi(15);
    let values: Vec<f64> = (0..NODES).map(|k| of(node(k))).collect();
    for at in [-1.0, -0.99, -0.3, 0.0, 0.123, node(5), 0.77, 1.0] {
        assert!((interpolated(&values, at) - of(at)).abs() < 1e-13, "{at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Widths over many octaves, codes that are drawn from the posteriors,
    /// some of which lie far from all others, and many codes alike.
    #[test]
    fn sums_are_those_of_plain_loops(
        n in 1usize..700, count in 1usize..900, seed in 0u64..10_000,
        spread in 0.0f32..6.0, width in -12.0f32..6.0, far in 0usize..4, offset in -50f32..50.0,
    ) {
        let draws = standard_normals(seed, n, 2);
        let mut mean = draws.column(0).mapv(|x| offset + x);
        let log_variance = draws.column(1).mapv(|x| width + spread * x);
        for outlier in 0..far.min(n) {
            mean[outlier] += 1000.0 * (outlier + 1) as f32;
        }
        let noise = standard_normals(seed + 1, count, 1);
        let z: Vec<f64> = (0..count)
            .map(|i| {
                let of = i % n;
                let noise = if i % 5 == 0 { 0.0 } else { noise[[i, 0]] };
                f64::from(mean[of] + noise * (0.5 * log_variance[of]).exp())
            })
            .collect();
        let found = log_sums(mean.view(), log_variance.view(), &z);
        for (z, found) in z.iter().zip(&found).step_by(7) {
            let expected = plain(&mean, &log_variance, *z);
            prop_assert!((found - expected).abs() < 1e-5, "{} {} at {}", found, expected, z);
        }
    }
}

/// Most intervals are interpolated, and places far outside of all codes do not
/// matter.
#[test]
fn many_codes_under_wide_and_narrow_posteriors() {
    let n = 9000;
    let mean = standard_normals(1, n, 1).column(0).to_owned();
    let log_variance = uniforms(2, n, 1).column(0).mapv(|u| -9.0 * u);
    let z: Vec<f64> = (0..4000).map(|i| f64::from(i) * 0.002 - 4.0).collect();
    let octaves = Octave::of_all(mean.view(), log_variance.view());
    assert!(octaves.len() > 5);
    let (intervals, places) = octaves[octaves.len() - 1].intervals(&z);
    assert!(places.len() < z.len() / 8, "{} places", places.len());
    assert!(intervals.iter().all(|one| one.interpolated_from.is_some()));
    let found = log_sums(mean.view(), log_variance.view(), &z);
    for (z, found) in z.iter().zip(&found).step_by(97) {
        let expected = plain(&mean, &log_variance, *z);
        assert!((found - expected).abs() < 2e-6, "{found} {expected}");
    }
}
