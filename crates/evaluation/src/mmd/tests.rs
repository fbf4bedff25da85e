use super::*;
use ndarray::{Array2, ArrayView1, array, concatenate, s};

#[test]
fn two_points_by_hand() {
    // L = 1: k(a, b) = Σ_C 2C/(2C + d²).
    let k = |d: f64| -> f64 { SCALES.iter().map(|s| 2.0 * s / (2.0 * s + d * d)).sum() };
    let found = mmd_squared(
        array![[0.0f32], [1.0]].view(),
        array![[3.0f32], [5.0]].view(),
    )
    .unwrap();
    let between = (k(3.0) + k(5.0) + k(2.0) + k(4.0)) / 4.0;
    assert!((found - (k(1.0) + k(2.0) - 2.0 * between)).abs() < 1e-12);
}

/// Σ_C C/(C + ‖a − b‖²) over C = 2L·{0.1 … 10}.
fn kernel(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    let pairs = a.iter().zip(b);
    let squared: f64 = pairs
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    let scales = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0].map(|scale| 2.0 * a.len() as f64 * scale);
    scales.iter().map(|c| c / (c + squared)).sum()
}

/// The mean over all pairs of a row of `x` and another of `y`.
fn mean_kernel(x: &Array2<f32>, y: &Array2<f32>, within: bool) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (i, a) in x.outer_iter().enumerate() {
        for (j, b) in y.outer_iter().enumerate() {
            if !(within && i == j) {
                sum += kernel(a, b);
                pairs += 1.0;
            }
        }
    }
    sum / pairs
}

fn plain_mmd_squared(x: &Array2<f32>, y: &Array2<f32>) -> f64 {
    mean_kernel(x, x, true) + mean_kernel(y, y, true) - 2.0 * mean_kernel(x, y, false)
}

#[test]
fn samples_of_different_sizes_are_measured_as_by_plain_loops() {
    for (n, m, width, scale) in [(3, 5, 3, 1.0), (7, 4, 1, 1e-3), (37, 50, 5, 40.0)] {
        let x = standard_normals(3, n, width).mapv(|z| scale * z);
        let y = standard_normals(4, m, width).mapv(|z| scale * (z + 0.5));
        let found = mmd_squared(x.view(), y.view()).unwrap();
        assert!((found - plain_mmd_squared(&x, &y)).abs() < 1e-13);
    }
}

#[test]
fn the_null_is_of_pairs_of_samples_of_the_prior() {
    let (n, rows, draws) = (11, 5, 7);
    let codes = standard_normals(8, n, 3).mapv(|z| 1.5 * z + 0.5);
    let found = mmd_to_prior(codes.view(), rows, draws, 30).unwrap();
    let measured = plain_mmd_squared(&codes, &standard_normals(30, n, 3));
    assert!((found.mmd_squared - measured).abs() < 1e-13);
    // Pair after pair of one sequence of deviates, as of so many rows for 11.
    let pool = standard_normals(31, 70, 3);
    let null = (0..draws).map(|draw| {
        let first = pool.slice(s![10 * draw..10 * draw + 5, ..]).to_owned();
        let second = pool.slice(s![10 * draw + 5..10 * draw + 10, ..]).to_owned();
        plain_mmd_squared(&first, &second) * 5.0 / 11.0
    });
    let expected = sorted_quantile(&sorted(null), 0.95);
    assert!((found.null_95 - expected).abs() < 1e-13);
    assert!((found.ratio.unwrap() - measured / expected).abs() < 1e-10);
    assert_eq!((found.n, found.of), (11, 11));
}

#[test]
fn the_permutation_null_is_of_the_halves_that_are_dealt() {
    let (n, permutations) = (5, 67);
    let x = standard_normals(5, n, 2);
    let y = standard_normals(6, n, 2).mapv(|z| 2.0 * z);
    let found = mmd_permutation_test(x.view(), y.view(), permutations, 12).unwrap();
    assert!((found.mmd_squared - plain_mmd_squared(&x, &y)).abs() < 1e-13);
    let pooled = concatenate(Axis(0), &[x.view(), y.view()]).unwrap();
    let halves = Halves::deal(10, permutations, 12);
    let null = (0..permutations).map(|permutation| {
        let is_first =
            |row: &usize| halves.words[permutation / 64][*row] >> (permutation % 64) & 1 == 1;
        let (first, second): (Vec<usize>, Vec<usize>) = (0..10).partition(is_first);
        let [first, second] = [first, second].map(|rows| pooled.select(Axis(0), &rows));
        plain_mmd_squared(&first, &second)
    });
    let expected = sorted_quantile(&sorted(null), 0.95);
    assert!((found.null_95 - expected).abs() < 1e-13);
}

#[test]
fn bits_are_signs() {
    let signs = Halves::signs(0b1101 | 1 << 63);
    assert_eq!(signs[..5], [1.0, -1.0, 1.0, 1.0, -1.0]);
    assert_eq!((signs[62], signs[63]), (-1.0, 1.0));
}

#[test]
fn prior_samples_exceed_the_null_as_often_as_they_should() {
    // Of 40 samples of the prior, 2 are expected above the 95 % quantile;
    // more than 6 have probability 0.003.
    let above = (0..40)
        .filter(|&seed| {
            let sample = standard_normals(1000 + seed, 200, 2);
            mmd_to_prior(sample.view(), 200, 100, seed)
                .unwrap()
                .ratio
                .unwrap()
                > 1.0
        })
        .count();
    assert!(above <= 6, "{above} of 40");
}

#[test]
fn a_shifted_sample_is_found_and_the_null_scales_with_n() {
    let shifted = standard_normals(99, 800, 2).mapv(|z| z + 0.3);
    let found = mmd_to_prior(shifted.view(), 100, 1000, 1).unwrap();
    assert!(found.ratio.unwrap() > 5.0, "{found:?}");
    let full = mmd_to_prior(shifted.view(), 800, 400, 1).unwrap();
    assert!(
        (full.null_95 / found.null_95 - 1.0).abs() < 0.2,
        "{full:?} {found:?}"
    );
}

/// Codes in the order of a file whose first half lies more widely than the
/// second: samples of the file and of the file shuffled agree, and the first
/// rows say something else.
#[test]
fn the_order_of_codes_does_not_change_what_a_sample_of_them_says() {
    let (n, most) = (3000, 500);
    let mut codes = standard_normals(41, n, 2);
    for (row, mut code) in codes.rows_mut().into_iter().enumerate() {
        code.mapv_inplace(|z| z * if 2 * row < n { 1.5 } else { 0.7 });
    }
    let shuffled = codes.select(Axis(0), &crate::subset::in_random_order(n, n, numbers(42)));
    let measured = |codes: &Array2<f32>, seed| {
        let found = mmd_of_sample_to_prior(codes.view(), most, 100, 100, seed).unwrap();
        assert_eq!((found.n, found.of), (most, n));
        found.mmd_squared
    };
    let several =
        |codes: &Array2<f32>| -> Vec<f64> { (0..12).map(|seed| measured(codes, seed)).collect() };
    let moments = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        (mean, squares / (values.len() - 1) as f64)
    };
    let ((one, variance), (other, other_variance)) =
        (moments(&several(&codes)), moments(&several(&shuffled)));
    let error = ((variance + other_variance) / 12.0).sqrt();
    assert!((one - other).abs() < 4.0 * error, "{one} {other} ± {error}");
    let first = codes.slice(ndarray::s![..most, ..]);
    let first = mmd_to_prior(first, 100, 100, 0).unwrap();
    assert_eq!(first.of, most);
    assert!(
        (first.mmd_squared - one).abs() > 10.0 * error,
        "{first:?} {one} ± {error}"
    );
}

#[test]
fn a_sample_of_all_codes_is_all_of_them() {
    let codes = standard_normals(8, 150, 3);
    let all = mmd_to_prior(codes.view(), 50, 20, 4).unwrap();
    assert_eq!(
        mmd_of_sample_to_prior(codes.view(), 150, 50, 20, 4).unwrap(),
        all
    );
    assert_eq!(
        mmd_of_sample_to_prior(codes.view(), 9000, 50, 20, 4).unwrap(),
        all
    );
}

#[test]
fn permutation_null_agrees_with_the_estimator() {
    let x = standard_normals(5, 300, 3);
    let y = standard_normals(6, 300, 3).mapv(|z| 1.5 * z);
    let tested = mmd_permutation_test(x.view(), y.view(), 100, 3).unwrap();
    assert!(tested.ratio.unwrap() > 2.0, "{tested:?}");
    let z = standard_normals(7, 300, 3);
    let tested = mmd_permutation_test(x.view(), z.view(), 100, 3).unwrap();
    assert!(
        tested.ratio.unwrap() < 1.0 && tested.null_95 > 0.0,
        "{tested:?}"
    );
    assert!(mmd_squared(x.view(), Array2::zeros((5, 2)).view()).is_err());
    assert!(mmd_permutation_test(x.view(), Array2::zeros((5, 3)).view(), 9, 1).is_err());
}

/// More rows than a tile has, and more permutations than a word.
#[test]
fn the_sums_of_permutations_are_those_of_plain_loops() {
    for (total, width, permutations) in [(4, 1, 1), (6, 3, 70), (1100, 2, 65)] {
        let rows = axis_major(&standard_normals(1, total, width).view());
        let halves = Halves::deal(total, permutations, 9);
        let (all, signed) = signed_kernel_sums(&rows, &halves);
        assert_eq!(signed.len(), permutations);
        let mut kernels = vec![0.0; total * total];
        for (i, line) in kernels.chunks_exact_mut(total).enumerate() {
            kernel_row(&rows, i, &rows, 0, line);
            line[i] = 0.0;
        }
        let plain: f64 = kernels.iter().sum();
        assert!((all / plain - 1.0).abs() < 1e-12, "{all} {plain}");
        for permutation in [0, permutations / 2, permutations - 1] {
            let words = &halves.words[permutation / WORD];
            let sign = |row: usize| Halves::signs(words[row])[permutation % WORD];
            let firsts = (0..total).filter(|&row| sign(row) > 0.0).count();
            assert_eq!(firsts, total / 2);
            let mut expected = 0.0;
            for i in 0..total {
                for j in 0..total {
                    expected += sign(i) * sign(j) * kernels[i * total + j];
                }
            }
            let error = (signed[permutation] - expected).abs();
            assert!(error < 1e-12 * plain, "{permutation}: {error:e}");
        }
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    let x = standard_normals(5, 700, 2);
    let y = standard_normals(6, 500, 2);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| mmd_squared(x.view(), y.view()).unwrap())
    };
    assert_eq!(run(1).to_bits(), run(3).to_bits());
    let (x, y) = (x.slice(ndarray::s![..500, ..]), y.view());
    let run = |threads| {
        let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
        pool.install(|| mmd_permutation_test(x, y, 70, 2).unwrap())
    };
    assert_eq!(run(1), run(3));
}
