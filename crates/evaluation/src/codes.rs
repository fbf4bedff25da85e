//! Where the codes of a set of images lie: centroid, extent, symmetry about
//! the origin, boundedness.
//!
//! Codes are the means μ(x) of a variational model and the codes themselves of
//! an autoencoder, [n, L].

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};
use serde::{Deserialize, Serialize};
use tensor_ops::gemm::{GemmScratch, GemmShape, Output, tn};

use crate::blocks::blocks;
use crate::distributions::chi_square_quantile;
use crate::error::{Result, require_array};
use crate::statistics::{sorted, sorted_quantile};
use crate::symmetric::SymmetricEigen;

/// Position and size of the cloud of codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodeExtent {
    /// Number of codes.
    pub n: usize,
    /// Mean of the codes, per axis.
    pub centroid: Vec<f64>,
    /// Standard deviation per axis, n in the denominator.
    pub standard_deviation: Vec<f64>,
    /// Smallest value per axis.
    pub minimum: Vec<f64>,
    /// Largest value per axis.
    pub maximum: Vec<f64>,
    /// 0.5 % quantile per axis: the extent without single outliers.
    pub lower_quantile: Vec<f64>,
    /// 99.5 % quantile per axis.
    pub upper_quantile: Vec<f64>,
    /// Largest ‖z‖.
    pub largest_radius: f64,
    /// Share of codes outside the square (cube) |z_j| ≤ 4 of the drawn map.
    pub share_outside_map: f64,
    /// Share of codes outside the ball that holds 95 % of the prior N(0, I):
    /// 0.05 for codes that follow the prior.
    pub share_outside_prior: f64,
    /// ‖E z‖²/E‖z‖², between 0 (centred) and 1 (a point away from the origin):
    /// how much of the codes' second moment is displacement. `None` when all
    /// codes are the origin.
    pub offset_share: Option<f64>,
}

/// Measures centroid, extent and boundedness of codes [n, L].
///
/// "Bounded" has no finite-sample meaning; what can be said is how far codes
/// reach compared with what is drawn (|z_j| ≤ 4) and with the prior (its 95 %
/// ball), and how much the largest radius exceeds the quantiles.
///
/// # Errors
/// Fewer than two codes, or one that is not finite.
pub fn code_extent(codes: ArrayView2<'_, f32>) -> Result<CodeExtent> {
    require_array("the array of codes", &codes, 2, None)?;
    let n = codes.nrows();
    let ball = chi_square_quantile(0.95, codes.ncols() as f64);
    let (mut outside_map, mut outside_prior) = (0usize, 0usize);
    let (mut largest, mut second_moment) = (0.0f64, 0.0f64);
    for code in codes.rows() {
        let squared: f64 = code.iter().map(|&z| f64::from(z).powi(2)).sum();
        largest = largest.max(squared);
        second_moment += squared / n as f64;
        outside_map += usize::from(code.iter().any(|z| z.abs() > 4.0));
        outside_prior += usize::from(squared > ball);
    }
    let axes = codes.columns().into_iter();
    let sorted: Vec<Vec<f64>> = axes
        .map(|axis| sorted(axis.iter().map(|&z| f64::from(z))))
        .collect();
    let centroid: Vec<f64> = mean_of_codes(&codes).to_vec();
    let displacement: f64 = centroid.iter().map(|c| c * c).sum();
    let variance =
        |axis: &[f64], mean: f64| axis.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / n as f64;
    let about_means = sorted.iter().zip(&centroid);
    let quantile = |q| sorted.iter().map(|axis| sorted_quantile(axis, q)).collect();
    Ok(CodeExtent {
        n,
        standard_deviation: about_means
            .map(|(axis, &mean)| variance(axis, mean).sqrt())
            .collect(),
        minimum: sorted.iter().map(|axis| axis[0]).collect(),
        maximum: sorted.iter().map(|axis| axis[n - 1]).collect(),
        lower_quantile: quantile(0.005),
        upper_quantile: quantile(0.995),
        largest_radius: largest.sqrt(),
        share_outside_map: outside_map as f64 / n as f64,
        share_outside_prior: outside_prior as f64 / n as f64,
        offset_share: (second_moment > 0.0).then(|| (displacement / second_moment).min(1.0)),
        centroid,
    })
}

/// How far one axis of the codes is from being symmetric about 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AxisSymmetry {
    /// Butler's statistic in [0, 1]: 0 when z and −z have the same distribution,
    /// 1 when all codes lie on one side.
    pub asymmetry: f64,
    /// Value that a symmetric axis exceeds in 5 % of samples of this size.
    pub null_95: f64,
    /// p-value of symmetry (asymptotic, good from n ≈ 100).
    pub p_value: f64,
    /// Lower end of a 95 % confidence band of the population's asymmetry.
    pub lower: f64,
    /// Upper end of the band.
    pub upper: f64,
    /// Share of codes with z > 0 (half of those at 0 counted in).
    pub positive_share: f64,
    /// Mean over standard deviation; its standard error is 1/√n. `None` for an
    /// axis on which all codes are alike.
    pub standardised_mean: Option<f64>,
}

/// Symmetry about the origin of each axis of codes [n, L].
///
/// D = sup over x ≥ 0 of |P(z ≥ x) − P(z ≤ −x)| compares the distribution with
/// its mirror image. Walking from the largest |z| inwards, n·D is the largest
/// excursion of the sum of signs, which under symmetry is a fair random walk:
/// √n·D follows the largest absolute value of Brownian motion on [0, 1], whose
/// 95 % quantile is 2.2414 (Butler 1969, *Annals of Mathematical Statistics*
/// 40:2209). The band of the population's D adds twice the
/// Dvoretzky–Kiefer–Wolfowitz radius √(ln 40/2n) on both sides: conservative,
/// but free of assumptions.
///
/// Three pitfalls: with 10,000 codes an asymmetry of 0.03 is significant and
/// may still be of no interest, so read the size, not the p-value; latent axes
/// are arbitrary up to rotation in a VAE and up to any linear map in an AE, so
/// asymmetry on one axis can show as asymmetry on the other in another run; and
/// symmetric axes do not make a symmetric cloud (see
/// [`CodeExtent::offset_share`] for the displacement).
///
/// # Errors
/// Fewer than two codes, or one that is not finite.
pub fn axis_symmetry(codes: ArrayView2<'_, f32>) -> Result<Vec<AxisSymmetry>> {
    require_array("the array of codes", &codes, 2, None)?;
    let n = codes.nrows() as f64;
    let band = 2.0 * (40.0_f64.ln() / (2.0 * n)).sqrt();
    let symmetry = |axis: ArrayView1<'_, f32>| {
        let mut values = axis.to_vec();
        let (mean, variance) = mean_and_variance_of_axis(axis);
        values.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
        let sign = |z: &f32| f64::from(i8::from(*z > 0.0) - i8::from(*z < 0.0));
        let (mut walk, mut farthest) = (0.0f64, 0.0f64);
        // Codes at one |z| step together: their order means nothing.
        for together in values.chunk_by(|a, b| a.abs() == b.abs()) {
            walk += together.iter().map(sign).sum::<f64>();
            farthest = farthest.max(walk.abs());
        }
        let asymmetry = farthest / n;
        let positive = values.iter().filter(|z| **z > 0.0).count() as f64;
        let at_zero = values.iter().filter(|z| **z == 0.0).count() as f64;
        AxisSymmetry {
            asymmetry,
            null_95: 2.241_402_728 / n.sqrt(),
            p_value: brownian_excursion_tail(asymmetry * n.sqrt()),
            lower: (asymmetry - band).max(0.0),
            upper: (asymmetry + band).min(1.0),
            positive_share: (positive + 0.5 * at_zero) / n,
            standardised_mean: (variance > 0.0).then(|| mean / variance.sqrt()),
        }
    };
    Ok(codes.columns().into_iter().map(symmetry).collect())
}

/// Mean of codes [n, L] in f64.
pub(crate) fn mean_of_codes(codes: &ArrayView2<'_, f32>) -> Array1<f64> {
    let mut sum = Array1::<f64>::zeros(codes.ncols());
    for code in codes.rows() {
        sum.zip_mut_with(&code, |total, &z| *total += f64::from(z));
    }
    sum / codes.nrows() as f64
}

/// Mean and variance of one coordinate over codes, n in the denominator.
pub(crate) fn mean_and_variance_of_axis(axis: ArrayView1<'_, f32>) -> (f64, f64) {
    let n = axis.len() as f64;
    let mean = axis.iter().map(|&z| f64::from(z)).sum::<f64>() / n;
    let squares = axis.iter().map(|&z| (f64::from(z) - mean).powi(2));
    (mean, squares.sum::<f64>() / n)
}

/// Variance of each coordinate of codes [n, L], n in the denominator.
pub fn variance_of_codes(codes: ArrayView2<'_, f32>) -> Vec<f64> {
    let axes = codes.columns().into_iter();
    axes.map(|axis| mean_and_variance_of_axis(axis).1).collect()
}

/// Covariance of codes [n, L] in f64, n in the denominator.
pub(crate) fn covariance_of_codes(codes: &ArrayView2<'_, f32>) -> Array2<f64> {
    scatter(codes, &mean_of_codes(codes)) / codes.nrows() as f64
}

/// Rows that are centred together, to be multiplied by themselves.
const ROWS_TOGETHER: usize = 512;

/// Σ (z − m)(z − m)ᵀ over codes [n, L]: [L, L].
///
/// A sum over fixed groups of rows, one after the other into one matrix, which
/// threads share among them: neither memory nor bits depend on their number.
pub(crate) fn scatter(codes: &ArrayView2<'_, f32>, mean: &Array1<f64>) -> Array2<f64> {
    let width = mean.len();
    let mut sum = vec![0.0; width * width];
    let mut centred = Vec::with_capacity(ROWS_TOGETHER.min(codes.nrows()) * width);
    let mut scratch = GemmScratch::new();
    for rows in blocks(codes.nrows(), ROWS_TOGETHER) {
        centred.clear();
        for code in codes.slice(s![rows.clone(), ..]).rows() {
            centred.extend(code.iter().zip(mean).map(|(&z, mean)| f64::from(z) - mean));
        }
        let shape = GemmShape {
            m: width,
            k: rows.len(),
            n: width,
        };
        let output = Output::Accumulate;
        tn(shape, &centred, &centred, output, &mut sum, &mut scratch);
    }
    match Array2::from_shape_vec((width, width), sum) {
        Ok(sum) => sum,
        Err(error) => unreachable!("a sum for every pair of columns: {error}"),
    }
}

/// Codes moved to mean 0 and covariance I by the symmetric inverse square root
/// of their covariance.
///
/// Comparing an AE's codes with a prior it never saw is only fair after this;
/// report the raw number beside it.
///
/// # Errors
/// Fewer codes than dimensions + 1, a code that is not finite, or a collapsed
/// dimension.
pub fn whiten(codes: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
    require_array("the array of codes", &codes, codes.ncols() + 1, None)?;
    let mean = mean_of_codes(&codes);
    let transform =
        SymmetricEigen::new(covariance_of_codes(&codes).view()).inverse_square_root("the codes")?;
    let mut whitened = Array2::zeros(codes.raw_dim());
    for (code, mut out) in codes.rows().into_iter().zip(whitened.rows_mut()) {
        let centred = code.mapv(f64::from) - &mean;
        out.assign(&transform.dot(&centred).mapv(|z| z as f32));
    }
    Ok(whitened)
}

/// P(max |B(t)|, 0 ≤ t ≤ 1, exceeds b) = 1 − 4/π Σ (−1)^k/(2k+1)
/// exp(−(2k+1)²π²/8b²) (Feller, *Introduction to Probability Theory* II, X.5).
fn brownian_excursion_tail(b: f64) -> f64 {
    if b <= 0.0 {
        return 1.0;
    }
    let rate = std::f64::consts::PI.powi(2) / (8.0 * b * b);
    let mut sum = 0.0;
    for k in 0..10_000 {
        let odd = (2 * k + 1) as f64;
        let term = (-odd * odd * rate).exp() / odd;
        sum += if k % 2 == 0 { term } else { -term };
        if term < 1e-17 {
            break;
        }
    }
    (1.0 - 4.0 / std::f64::consts::PI * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;
    use ndarray::array;

    #[test]
    fn extent_of_a_square_of_codes() {
        let codes = array![[1.0f32, 5.0], [3.0, 5.0], [1.0, 1.0], [3.0, 1.0]];
        let extent = code_extent(codes.view()).unwrap();
        assert_eq!(extent.centroid, vec![2.0, 3.0]);
        assert_eq!(extent.standard_deviation, vec![1.0, 2.0]);
        assert_eq!((extent.minimum[1], extent.maximum[1]), (1.0, 5.0));
        assert_eq!(extent.share_outside_map, 0.5);
        // Norms² 26, 34, 2, 10 against 5.99.
        assert_eq!(extent.share_outside_prior, 0.75);
        assert!((extent.offset_share.unwrap() - 13.0 / 18.0).abs() < 1e-12);
        assert!((extent.largest_radius - 34.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_code_on_the_edge_of_the_map_is_on_it() {
        let codes = array![[4.0f32, -4.0], [0.5, -4.125], [4.125, 1.0], [1.0, 4.0]];
        let extent = code_extent(codes.view()).unwrap();
        assert_eq!(extent.share_outside_map, 0.5);
    }

    #[test]
    fn normal_codes_are_symmetric_and_shifted_ones_are_not() {
        let codes = standard_normals(7, 4000, 2);
        let extent = code_extent(codes.view()).unwrap();
        assert!((extent.share_outside_prior - 0.05).abs() < 0.011);
        assert!(extent.offset_share.unwrap() < 0.002);
        for axis in axis_symmetry(codes.view()).unwrap() {
            assert!(axis.asymmetry < axis.null_95, "{axis:?}");
            assert!(axis.p_value > 0.05);
            assert_eq!(axis.lower, 0.0);
        }
        // z ~ N(1, 1): D = sup_x Φ(1−x) − Φ(−x−1), largest at x = 0: 0.6827.
        let shifted = codes.mapv(|z| z + 1.0);
        let axis = axis_symmetry(shifted.view()).unwrap()[0];
        assert!((axis.asymmetry - 0.6827).abs() < 0.03, "{axis:?}");
        assert!(axis.p_value < 1e-6 && axis.lower > 0.5);
        assert!((axis.standardised_mean.unwrap() - 1.0).abs() < 0.05);
    }

    #[test]
    fn one_sided_codes_are_as_asymmetric_as_can_be() {
        let axis = axis_symmetry(array![[1.0f32], [2.0], [3.0]].view()).unwrap()[0];
        assert_eq!((axis.asymmetry, axis.positive_share), (1.0, 1.0));
        let mirror = axis_symmetry(array![[1.0f32], [-1.0], [3.0], [-3.0]].view()).unwrap()[0];
        assert_eq!(mirror.asymmetry, 0.0);
        assert!((brownian_excursion_tail(2.241_402_728) - 0.05).abs() < 1e-8);
    }

    #[test]
    fn the_scatter_is_the_sum_of_its_rows_whatever_the_threads() {
        for (n, width) in [(1, 1), (2, 3), (511, 2), (513, 17), (1300, 40)] {
            let codes = standard_normals(n as u64, n, width).mapv(|z| 3.0 * z + 7.0);
            let mean = mean_of_codes(&codes.view());
            let run = |threads| {
                let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
                pool.install(|| scatter(&codes.view(), &mean))
            };
            let found = run(1);
            assert_eq!(run(3), found);
            for i in 0..width {
                for j in 0..width {
                    let centred = |row: usize, at: usize| f64::from(codes[[row, at]]) - mean[at];
                    let expected: f64 = (0..n).map(|row| centred(row, i) * centred(row, j)).sum();
                    let size: f64 = (0..n)
                        .map(|row| (centred(row, i) * centred(row, j)).abs())
                        .sum();
                    let error = (found[[i, j]] - expected).abs();
                    assert!(error <= 1e-15 * n as f64 * size, "{n} {width} {i} {j}");
                }
            }
        }
    }

    #[test]
    fn moments_divide_by_the_number_of_codes() {
        // Means 3 and 5; about them −2, −1, 3 and 4, −3, −1.
        let codes = array![[1.0f32, 9.0], [2.0, 2.0], [6.0, 4.0]];
        assert_eq!(mean_of_codes(&codes.view()), array![3.0, 5.0]);
        let close = |found: f64, expected: f64| (found - expected).abs() < 1e-14;
        let variances = variance_of_codes(codes.view());
        assert!(close(variances[0], 14.0 / 3.0) && close(variances[1], 26.0 / 3.0));
        assert_eq!(variances.len(), 2);
        let covariance = covariance_of_codes(&codes.view());
        let expected = [14.0 / 3.0, -8.0 / 3.0, -8.0 / 3.0, 26.0 / 3.0];
        assert!(covariance.iter().zip(expected).all(|(&a, b)| close(a, b)));
    }

    #[test]
    fn whitened_codes_have_mean_zero_and_unit_covariance() {
        let mut codes = standard_normals(3, 500, 3);
        for mut code in codes.rows_mut() {
            code[1] = 4.0 * code[1] + code[0] + 10.0;
            code[2] = 0.1 * code[2] - code[1];
        }
        let whitened = whiten(codes.view()).unwrap();
        let mean = mean_of_codes(&whitened.view());
        assert!(mean.iter().all(|m| m.abs() < 1e-4), "{mean}");
        let covariance = covariance_of_codes(&whitened.view());
        let departure = (&covariance - &Array2::<f64>::eye(3))
            .iter()
            .fold(0.0_f64, |m, x| m.max(x.abs()));
        assert!(departure < 1e-4, "{departure}");
        codes.column_mut(2).fill(1.0);
        assert!(whiten(codes.view()).is_err());
        // As many codes as dimensions always lie in a plane.
        let few = whiten(codes.slice(s![..3, ..])).unwrap_err().to_string();
        assert!(few.contains("at least 4"), "{few}");
    }

    #[test]
    fn codes_at_zero_are_half_positive_and_tip_no_balance() {
        let codes = array![[0.0f32], [1.0], [-1.0], [2.0], [0.0], [7.0], [0.0], [5.0]];
        let axis = axis_symmetry(codes.view()).unwrap()[0];
        assert_eq!((axis.positive_share, axis.asymmetry), (0.6875, 0.375));
        // Mean 7/4, mean square 10.
        let expected = 1.75 / (10.0 - 1.75 * 1.75_f64).sqrt();
        assert!((axis.standardised_mean.unwrap() - expected).abs() < 1e-12);
        assert!((axis.null_95 - 2.241_402_728 / 8.0_f64.sqrt()).abs() < 1e-9);
        assert_eq!((axis.lower, axis.upper), (0.0, 1.0));
        let mirror = axis_symmetry(codes.mapv(|z| -z).view()).unwrap()[0];
        assert_eq!((mirror.positive_share, mirror.asymmetry), (0.3125, 0.375));
    }

    #[test]
    fn the_band_of_an_asymmetry_is_twice_the_radius_of_dvoretzky_kiefer_and_wolfowitz() {
        // 700 of 1000 codes are positive, all as far from 0: D = 400/1000.
        let codes = Array2::from_shape_fn((1000, 1), |(i, _)| if i < 700 { 1.0f32 } else { -1.0 });
        let axis = axis_symmetry(codes.view()).unwrap()[0];
        let band = 2.0 * (40.0_f64.ln() / 2000.0).sqrt();
        assert_eq!((axis.asymmetry, axis.positive_share), (0.4, 0.7));
        assert!((axis.lower - (0.4 - band)).abs() < 1e-12);
        assert!((axis.upper - (0.4 + band)).abs() < 1e-12);
    }
}
