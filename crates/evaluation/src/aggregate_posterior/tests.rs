use super::*;
use crate::draws::standard_normals;
use ndarray::array;

fn posteriors(mu: [f32; 2], sigma: [f32; 2]) -> (Array2<f32>, Array2<f32>) {
    (
        array![[mu[0], mu[1]]],
        array![[2.0 * sigma[0].ln(), 2.0 * sigma[1].ln()]],
    )
}

#[test]
fn the_prior_itself_has_no_divergence() {
    let (mu, log_variance) = posteriors([0.0, 0.0], [1.0, 1.0]);
    let mass = aggregate_mass(mu.view(), log_variance.view(), Lattice::STANDARD).unwrap();
    let found = mass.against_prior(0.1);
    assert!(found.kl_from_prior.abs() < 1e-12 && found.kl_to_prior.unwrap().abs() < 1e-12);
    assert!(found.total_variation < 1e-12 && found.hole_mass == 0.0);
    assert!((found.mass_outside_prior - 0.05).abs() < 5e-4, "{found:?}");
    let total: f64 = mass.ln_mass.mapv(f64::exp).sum() + mass.outside;
    assert!((total - 1.0).abs() < 1e-12);
}

#[test]
fn one_normal_has_its_closed_form_divergences() {
    let (mu, sigma) = ([0.5_f32, -1.0], [0.7_f32, 0.4]);
    let (means, log_variances) = posteriors(mu, sigma);
    let mass = aggregate_mass(means.view(), log_variances.view(), Lattice::STANDARD).unwrap();
    let found = mass.against_prior(0.1);
    let (mut forward, mut backward) = (0.0, 0.0);
    for axis in 0..2 {
        let (m, v) = (f64::from(mu[axis]), f64::from(sigma[axis]).powi(2));
        forward += 0.5 * (m * m + v - v.ln() - 1.0);
        backward += 0.5 * ((1.0 + m * m) / v + v.ln() - 1.0);
    }
    // Rounding to cells of 0.04 loses under 0.1 %.
    assert!(
        (found.kl_from_prior / forward - 1.0).abs() < 1e-3,
        "{found:?} {forward}"
    );
    assert!(found.kl_from_prior <= forward + 1e-9);
    assert!(
        (found.kl_to_prior.unwrap() / backward - 1.0).abs() < 1e-3,
        "{found:?} {backward}"
    );
}

#[test]
fn very_narrow_posteriors_keep_their_mass_and_finite_logarithms() {
    let (means, log_variances) = posteriors([1.0, 1.0], [0.003, 0.003]);
    let lattice = Lattice {
        half_width: 8.0,
        cells: 101,
    };
    let mass = aggregate_mass(means.view(), log_variances.view(), lattice).unwrap();
    assert!((mass.ln_mass.mapv(f64::exp).sum() - 1.0).abs() < 1e-12);
    assert!(mass.ln_mass.iter().all(|ln| ln.is_finite()));
    // At a corner the nearest edges are about 9 − step away on both axes.
    let t = (9.0 - lattice.step()) / 0.003_f64;
    assert!((mass.ln_mass[[0, 0]] / -(t * t) - 1.0).abs() < 1e-4);
    let found = mass.against_prior(0.1);
    assert!(found.kl_to_prior.is_some() && found.hole_mass > 0.99);
}

#[test]
fn aggregate_of_prior_distributed_codes_approaches_the_prior() {
    // μ ~ N(0, 0.75 I), σ² = 0.25: q(z) is N(0, I) up to sampling.
    let means = standard_normals(3, 4000, 2).mapv(|z| z * 0.75_f32.sqrt());
    let log_variances = Array2::from_elem((4000, 2), 0.25_f32.ln());
    let lattice = Lattice {
        half_width: 8.0,
        cells: 201,
    };
    let mass = aggregate_mass(means.view(), log_variances.view(), lattice).unwrap();
    let found = mass.against_prior(0.1);
    assert!(
        found.kl_from_prior > 0.0 && found.kl_from_prior < 0.02,
        "{found:?}"
    );
    assert!(found.total_variation < 0.08);
}

#[test]
fn codes_that_leave_half_the_prior_empty_have_holes() {
    let means = standard_normals(4, 4000, 2).mapv(|z| z * 0.75_f32.sqrt());
    let half = Array2::from_shape_fn((4000, 2), |(i, j)| {
        if j == 0 {
            means[[i, 0]].abs() + 1.0
        } else {
            means[[i, 1]]
        }
    });
    let log_variances = Array2::from_elem((4000, 2), 0.01_f32.ln());
    let lattice = Lattice {
        half_width: 8.0,
        cells: 201,
    };
    let mass = aggregate_mass(half.view(), log_variances.view(), lattice).unwrap();
    let found = mass.against_prior(0.1);
    // Codes start at z₁ = 1, where posteriors of σ = 0.1 end about 0.15 before:
    // Φ(0.85) = 0.80 of the prior is empty, and more at the far ends.
    assert!(found.hole_mass > 0.79 && found.hole_mass < 0.9, "{found:?}");
}

#[test]
fn threads_do_not_change_the_bits() {
    let means = standard_normals(5, 300, 2);
    let log_variances = standard_normals(6, 300, 2).mapv(|z| z - 4.0);
    let lattice = Lattice {
        half_width: 8.0,
        cells: 101,
    };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mass = aggregate_mass(means.view(), log_variances.view(), lattice).unwrap();
            mass.against_prior(0.1).kl_to_prior.unwrap().to_bits()
        })
    };
    assert_eq!(run(1), run(3));
}

/// Φ(b) − Φ(a) of N(μ, σ²).
fn mass_between(a: f64, b: f64, mu: f64, sigma: f64) -> f64 {
    let cdf = |z: f64| 0.5 * erfc((mu - z) / (sigma * SQRT_2));
    cdf(b) - cdf(a)
}

#[test]
fn what_lies_outside_the_lattice_is_one_more_cell() {
    let lattice = Lattice {
        half_width: 1.5,
        cells: 2,
    };
    assert_eq!([0, 1].map(|index| lattice.centre(index)), [-0.75, 0.75]);
    let means = array![[0.5_f32, -1.25], [-0.75, 0.25], [1.0, 1.75]];
    let log_variances = array![[-1.5_f32, -2.5], [0.25, -1.0], [-3.0, -0.5]];
    let mass = aggregate_mass(means.view(), log_variances.view(), lattice).unwrap();
    assert_eq!(mass.n, 3);
    let edges = [-1.5, 0.0, 1.5];
    let (density, ratio) = (mass.density(), mass.ln_ratio_to_prior());
    let (mut q_outside, mut p_outside) = (1.0, 1.0);
    let (mut from_prior, mut to_prior, mut variation) = (0.0, 0.0, 0.0);
    for row in 0..2 {
        for column in 0..2 {
            let cell = [column, row];
            let of = |mu: [f64; 2], sigma: [f64; 2]| -> f64 {
                let axes = (0..2).map(|axis| {
                    let (a, b) = (edges[cell[axis]], edges[cell[axis] + 1]);
                    mass_between(a, b, mu[axis], sigma[axis])
                });
                axes.product()
            };
            let posteriors = (0..3).map(|image| {
                let mu = [0, 1].map(|axis| f64::from(means[[image, axis]]));
                let sigma = [0, 1].map(|axis| sigma_of(log_variances[[image, axis]]));
                of(mu, sigma) / 3.0
            });
            let (q, p) = (posteriors.sum::<f64>(), of([0.0; 2], [1.0; 2]));
            let found = density[[row, column]];
            assert!((found - q / 2.25).abs() < 1e-14, "{density}");
            let found = ratio[[row, column]];
            assert!((found - (q / p).ln()).abs() < 1e-12, "{ratio}");
            q_outside -= q;
            p_outside -= p;
            from_prior += q * (q / p).ln();
            to_prior += p * (p / q).ln();
            variation += 0.5 * (q - p).abs();
        }
    }
    from_prior += q_outside * (q_outside / p_outside).ln();
    to_prior += p_outside * (p_outside / q_outside).ln();
    variation += 0.5 * (q_outside - p_outside).abs();
    let found = mass.against_prior(0.1);
    let differences = [
        found.kl_from_prior - from_prior,
        found.kl_to_prior.unwrap() - to_prior,
        found.total_variation - variation,
        found.mass_outside_lattice - q_outside,
    ];
    assert!(differences.iter().all(|d| d.abs() < 1e-12), "{found:?}");
    // Every centre is within the ball that holds 95 % of the prior.
    assert_eq!(found.mass_outside_prior, found.mass_outside_lattice);
}

fn sigma_of(log_variance: f32) -> f64 {
    (0.5 * f64::from(log_variance)).exp()
}

/// ln of the normal mass beyond t ≥ 0: from 3 on by the continued fraction of Mills'
/// ratio, 1/(t + 1/(t + 2/(t + 3/(t + …)))) (A&S 26.2.14).
fn ln_tail(t: f64) -> f64 {
    if t < 3.0 {
        return (0.5 * erfc(t / SQRT_2)).ln();
    }
    let fraction = (1..200).rev().fold(t, |below, k| t + f64::from(k) / below);
    -0.5 * t * t - 0.5 * std::f64::consts::TAU.ln() - fraction.ln()
}

/// ln of the mass of N(μ, σ²) in a cell of an axis.
fn ln_mass_of(lattice: Lattice, cell: usize, mu: f64, sigma: f64) -> f64 {
    let width = 2.0 * lattice.half_width / lattice.cells as f64;
    let [a, b] =
        [cell, cell + 1].map(|edge| (edge as f64 * width - lattice.half_width - mu) / sigma);
    if a < 0.0 && b > 0.0 {
        return (-(ln_tail(-a).exp() + ln_tail(b).exp())).ln_1p();
    }
    let (near, far) = if a >= 0.0 { (a, b) } else { (-b, -a) };
    ln_tail(near) + (-(ln_tail(far) - ln_tail(near)).exp()).ln_1p()
}

/// Posteriors much narrower than a cell of which several share one, in more groups
/// than one; and ones that are as wide as many cells and reach far.
#[test]
fn several_posteriors_are_added_in_every_cell() {
    let nineteen = |sigma: f32, spread: f32| {
        let means = Array2::from_shape_fn((19, 2), |(i, axis)| {
            let centre = [1.0, -2.6][axis];
            centre + spread * ((i * (7 + 4 * axis) + axis) % 19) as f32
        });
        let log_variances = Array2::from_shape_fn((19, 2), |(i, axis)| {
            2.0 * sigma.ln() + 0.05 * ((i * (3 + axis)) % 19) as f32
        });
        (means, log_variances)
    };
    let narrow = Lattice {
        half_width: 8.0,
        cells: 41,
    };
    let wide = Lattice {
        half_width: 60.0,
        cells: 31,
    };
    for (lattice, (means, log_variances)) in
        [(narrow, nineteen(0.004, 0.02)), (wide, nineteen(8.0, 0.7))]
    {
        let mass = aggregate_mass(means.view(), log_variances.view(), lattice).unwrap();
        let axis_masses = |axis: usize| {
            Array2::from_shape_fn((19, lattice.cells), |(i, cell)| {
                let mu = f64::from(means[[i, axis]]);
                ln_mass_of(lattice, cell, mu, sigma_of(log_variances[[i, axis]]))
            })
        };
        let [xs, ys] = [0, 1].map(axis_masses);
        let ln_n = 19_f64.ln();
        let mut added = 0;
        for ((row, column), &found) in mass.ln_mass.indexed_iter() {
            let of_each: Vec<f64> = (0..19).map(|i| ys[[i, row]] + xs[[i, column]]).collect();
            let largest = of_each.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = of_each.iter().map(|ln| (ln - largest).exp()).sum();
            let expected = largest + sum.ln() - ln_n;
            if expected > -300.0 {
                let error = (found - expected).abs();
                assert!(error < 1e-9, "{row} {column}: {found} {expected}");
                added += usize::from(sum > 2.0);
            } else {
                let tolerance = 1e-6 * largest.abs();
                let (least, most) = (largest - ln_n - tolerance, expected + tolerance);
                assert!(
                    least <= found && found <= most,
                    "{row} {column}: {found} not in {least} to {most}"
                );
            }
        }
        assert!(added > 1, "{added}");
    }
}

#[test]
fn a_lattice_has_cells_and_a_width() {
    let (means, log_variances) = posteriors([0.0, 0.0], [1.0, 1.0]);
    for (half_width, cells) in [
        (8.0, 0),
        (0.0, 5),
        (-1.0, 5),
        (f64::INFINITY, 5),
        (f64::NAN, 5),
    ] {
        let lattice = Lattice { half_width, cells };
        let refused = aggregate_mass(means.view(), log_variances.view(), lattice);
        assert!(refused.is_err(), "{lattice:?}");
    }
}

#[test]
fn masses_that_no_number_can_hold_leave_the_divergence_from_the_prior() {
    // σ = 4e-18 at the origin: next to the middle cell ln q is below −1e39.
    let (means, log_variances) = (array![[0.0_f32, 0.0]], array![[-80.0_f32, -80.0]]);
    let lattice = Lattice {
        half_width: 1000.0,
        cells: 3,
    };
    let mass = aggregate_mass(means.view(), log_variances.view(), lattice).unwrap();
    assert_eq!(mass.ln_mass[[1, 0]], f64::NEG_INFINITY);
    let found = mass.against_prior(0.1);
    // In the middle cell both have all their mass.
    assert_eq!((found.kl_from_prior, found.kl_to_prior), (0.0, None));
    assert_eq!(
        (found.total_variation, found.mass_outside_lattice),
        (0.0, 0.0)
    );
    // A posterior across the edge of a lattice outside of which the prior is no number.
    let (means, log_variances) = posteriors([59.5, 0.0], [1.0, 1.0]);
    let lattice = Lattice {
        half_width: 60.0,
        cells: 40,
    };
    let mass = aggregate_mass(means.view(), log_variances.view(), lattice).unwrap();
    let found = mass.against_prior(0.1);
    let beyond = 0.5 * erfc(0.5 / SQRT_2);
    assert!(
        (found.mass_outside_lattice - beyond).abs() < 1e-12,
        "{found:?}"
    );
    assert!(found.kl_from_prior.is_finite(), "{found:?}");
}

#[test]
fn a_cell_on_the_threshold_is_no_hole() {
    let lattice = Lattice {
        half_width: 3.0,
        cells: 4,
    };
    let prior = ln_interval_masses(lattice, 0.0, 1.0);
    let mut mass = AggregateMass {
        lattice,
        ln_mass: Array2::from_shape_fn((4, 4), |(row, column)| prior[row] + prior[column]),
        outside: 0.0,
        n: 1,
    };
    assert_eq!(mass.against_prior(1.0).hole_mass, 0.0);
    let outer = mass_between(1.5, 3.0, 0.0, 1.0);
    mass.ln_mass[[0, 3]] -= 1e-9;
    let found = mass.against_prior(1.0).hole_mass;
    assert!((found - outer * outer).abs() < 1e-15, "{found}");
}

#[test]
fn a_density_is_the_mass_by_the_area_of_a_cell() {
    let (mu, log_variance) = posteriors([0.0, 0.0], [1.0, 1.0]);
    let mass = aggregate_mass(mu.view(), log_variance.view(), Lattice::STANDARD).unwrap();
    // The cell in the middle is about the origin.
    let at_origin = mass.density()[[200, 200]];
    assert!((at_origin * std::f64::consts::TAU - 1.0).abs() < 1e-3);
    let ratio = mass.ln_ratio_to_prior();
    assert!(ratio.iter().all(|ln| ln.abs() < 1e-9));
}
