//! Fréchet distance between two samples in feature space.

use ndarray::{Array1, Array2, ArrayView2};

use crate::codes::{mean_of_codes, scatter};
use crate::error::{Result, require_array, require_length, require_rows, require_shape};
use crate::symmetric::SymmetricEigen;

/// Mean and covariance of features, in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMoments {
    /// Rows they were taken of.
    pub n: usize,
    /// Mean, D long.
    pub mean: Array1<f64>,
    /// Covariance [D, D] with n − 1 in the denominator.
    pub covariance: Array2<f64>,
}

impl FeatureMoments {
    /// Moments of features [n, D], summed in fixed groups of rows. Beside the
    /// features it takes D² numbers, whatever n and the number of threads.
    ///
    /// # Errors
    /// Fewer than two rows, no column, or a value that is not finite.
    pub fn new(features: ArrayView2<'_, f32>) -> Result<Self> {
        require_array("the array of features", &features, 2, None)?;
        let n = features.nrows();
        let mean = mean_of_codes(&features);
        Ok(Self {
            n,
            covariance: scatter(&features, &mean) / (n - 1) as f64,
            mean,
        })
    }
}

/// Fréchet distance of two normal distributions with the given moments:
///
/// ‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 (C₁^½ C₂ C₁^½)^½)
///
/// (Dowson & Landau 1982; Heusel et al. 2017). The product under the root is
/// symmetric, so its root comes from a symmetric eigendecomposition and never
/// turns complex.
///
/// Features are those of the project's own classifier, so the value compares
/// with nothing published, only within one feature network: print its
/// fingerprint and accuracy beside it. The estimate is biased upwards by about
/// (tr C)·D/2n or less; compare samples of one size, and give the floor, the
/// distance of two random halves of the test images
/// ([`halves`](crate::subset::halves)): those of the file may be other populations.
///
/// # Errors
/// Moments of different widths.
pub fn frechet_distance(first: &FeatureMoments, second: &FeatureMoments) -> Result<f64> {
    let widths = (second.mean.len(), first.mean.len());
    require_length("the second mean of features", widths.0, widths.1)?;
    let displacement: f64 = (&first.mean - &second.mean).iter().map(|d| d * d).sum();
    let root = SymmetricEigen::new(first.covariance.view()).square_root();
    let product = root.dot(&second.covariance).dot(&root);
    let eigenvalues = SymmetricEigen::new(product.view()).values;
    let roots = eigenvalues.iter().map(|value| value.max(0.0).sqrt());
    let trace_of_root: f64 = roots.sum();
    let traces = first.covariance.diag().sum() + second.covariance.diag().sum();
    // Rounding can leave a trifle below zero for equal moments.
    Ok((displacement + traces - 2.0 * trace_of_root).max(0.0))
}

/// [`frechet_distance`] of two sets of features [n, D] and [m, D].
///
/// # Errors
/// As [`FeatureMoments::new`] and [`frechet_distance`]; also no more rows than
/// features, which leaves a covariance without full rank.
pub fn frechet_distance_of(first: ArrayView2<'_, f32>, second: ArrayView2<'_, f32>) -> Result<f64> {
    let [(_, width), (rows, found)] = [first.dim(), second.dim()];
    require_shape(
        found == width,
        "the second array of features",
        format_args!("[{rows}, {found}]"),
        format_args!("[n, {width}]"),
    )?;
    for features in [&first, &second] {
        require_rows(
            "the array of features",
            features.nrows(),
            features.ncols() + 1,
        )?;
    }
    frechet_distance(&FeatureMoments::new(first)?, &FeatureMoments::new(second)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;
    use ndarray::array;

    fn moments(mean: Array1<f64>, covariance: Array2<f64>) -> FeatureMoments {
        FeatureMoments {
            n: 100,
            mean,
            covariance,
        }
    }

    #[test]
    fn commuting_covariances_have_a_closed_form() {
        let first = moments(
            array![3.0, -1.0, 5.0],
            Array2::from_diag(&array![1.0, 4.0, 9.0]),
        );
        let second = moments(
            array![4.0, 1.0, 7.0],
            Array2::from_diag(&array![4.0, 4.0, 0.0]),
        );
        // 9 + (1−2)² + (2−2)² + (3−0)².
        assert!((frechet_distance(&first, &second).unwrap() - 19.0).abs() < 1e-12);
        assert!(frechet_distance(&first, &first).unwrap() < 1e-12);
    }

    #[test]
    fn two_general_covariances_of_two_dimensions() {
        // tr (AB)^½ = √(tr AB + 2 √det AB) in two dimensions.
        let a = array![[2.0, 0.6], [0.6, 1.0]];
        let b = array![[1.0, -0.3], [-0.3, 3.0]];
        let det = |m: &Array2<f64>| m[[0, 0]] * m[[1, 1]] - m[[0, 1]] * m[[1, 0]];
        let trace: f64 = a.dot(&b).diag().sum();
        let root = (trace + 2.0 * (det(&a) * det(&b)).sqrt()).sqrt();
        let zero = array![0.0, 0.0];
        let found = frechet_distance(&moments(zero.clone(), a), &moments(zero, b)).unwrap();
        assert!((found - (7.0 - 2.0 * root)).abs() < 1e-12);
    }

    #[test]
    fn samples_of_one_distribution_are_near_and_shifted_ones_at_their_distance() {
        let first = standard_normals(1, 4000, 16);
        let second = standard_normals(2, 4000, 16);
        let floor = frechet_distance_of(first.view(), second.view()).unwrap();
        assert!(floor < 0.1, "{floor}");
        let shifted = second.mapv(|v| v + 0.5);
        let found = frechet_distance_of(first.view(), shifted.view()).unwrap();
        assert!((found - 4.0).abs() < 0.3, "{found}");
    }

    #[test]
    fn each_sample_needs_one_row_more_than_features() {
        let rows = standard_normals(3, 9, 4);
        let of = |n: usize, m: usize| {
            let [first, second] = [n, m].map(|rows_of| rows.slice(ndarray::s![..rows_of, ..]));
            frechet_distance_of(first, second).is_ok()
        };
        assert!(of(5, 9) && of(9, 5));
        assert!(!of(4, 9) && !of(9, 4));
        let narrow = rows.slice(ndarray::s![.., ..3]);
        assert!(frechet_distance_of(rows.view(), narrow).is_err());
    }

    #[test]
    fn moments_by_hand() {
        let found = FeatureMoments::new(array![[1.0_f32, 5.0], [4.0, 2.0], [7.0, 8.0]].view());
        let found = found.unwrap();
        assert_eq!((found.n, found.mean), (3, array![4.0, 5.0]));
        // Deviations −3, 0, 3 and 0, −3, 3, over two.
        assert_eq!(found.covariance, array![[9.0, 4.5], [4.5, 9.0]]);
    }
}
