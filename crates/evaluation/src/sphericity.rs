//! Whether codes of any dimension fill a sphere as the prior does.

use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::codes::{covariance_of_codes, mean_of_codes};
use crate::distributions::{chi_cdf, chi_square_cdf};
use crate::error::{Result, require_array};
use crate::statistics::sorted;
use crate::symmetric::SymmetricEigen;

/// How round a cloud of codes is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sphericity {
    /// Codes used.
    pub n: usize,
    /// Eigenvalues of their covariance, ascending.
    pub eigenvalues: Vec<f64>,
    /// Smallest eigenvalue over largest: 1 for a sphere, 0 for a collapsed
    /// dimension. `None`, as all that follows but the distance to the prior, of
    /// codes that are all one point.
    pub eigenvalue_ratio: Option<f64>,
    /// (det C)^(1/L)/(tr C/L): the likelihood-ratio statistic of Mauchly's test
    /// of sphericity to the power 1/L, 1 for a sphere.
    pub mauchly: Option<f64>,
    /// Kolmogorov–Smirnov distance of ‖z‖ to the prior's: the chi distribution
    /// with L degrees of freedom. Nothing is fitted.
    pub radius_distance_to_prior: f64,
    /// The same distance after moving and scaling the codes to mean 0 and mean
    /// variance 1 per axis: shape alone, fair to an AE.
    pub radius_distance: Option<f64>,
    /// Distance a sample of this size from the distribution itself exceeds in
    /// 5 % of cases: 1.358/√n.
    pub radius_null_95: f64,
    /// Length of the mean direction (z−centroid)/‖z−centroid‖, 0 for directions
    /// in balance, 1 for a single direction.
    pub mean_direction: Option<f64>,
    /// Rayleigh's test of uniform directions: n·L·‖mean direction‖² against
    /// chi-square with L degrees of freedom.
    pub rayleigh_p_value: Option<f64>,
    /// Bingham's statistic per code, (L(L+2)/2)(tr T² − 1/L) with T the mean of
    /// u uᵀ: 0 for directions without a preferred axis.
    pub bingham: Option<f64>,
    /// Bingham's test: n times the statistic against chi-square with
    /// (L−1)(L+2)/2 degrees of freedom; `None` also of one dimension, which has
    /// one axis.
    pub bingham_p_value: Option<f64>,
}

/// Measures how spherical codes [n, L] are.
///
/// The covariance says whether the cloud is stretched, the radius whether it is
/// hollow or heavy-tailed, the direction tests whether it has rays
/// (Mardia & Jupp, *Directional Statistics*, §10.4). Rays in opposite pairs
/// escape Rayleigh's test and not Bingham's; six rays along ± three axes escape
/// both, which the radius then shows. With 10,000 codes every p-value of a real
/// model is near 0; compare the sizes (`eigenvalue_ratio`, `radius_distance`,
/// `bingham`) between models.
///
/// # Errors
/// Fewer than L + 2 codes, or one that is not finite.
pub fn sphericity(codes: ArrayView2<'_, f32>) -> Result<Sphericity> {
    let dimensions = codes.ncols();
    require_array("the array of codes", &codes, dimensions + 2, None)?;
    let n = codes.nrows() as f64;
    let l = dimensions as f64;
    let mean = mean_of_codes(&codes);
    let eigen = SymmetricEigen::new(covariance_of_codes(&codes).view());
    let values: Vec<f64> = eigen.values.iter().map(|v| v.max(0.0)).collect();
    let mean_variance = values.iter().sum::<f64>() / l;
    let largest = values.last().copied().unwrap_or(0.0);

    let length = |code: &Array1<f64>| code.iter().map(|z| z.powi(2)).sum::<f64>().sqrt();
    let mut raw_radii = Vec::with_capacity(codes.nrows());
    let mut radii = Vec::with_capacity(codes.nrows());
    let mut direction_sum = Array1::<f64>::zeros(dimensions);
    let mut direction_moment = Array2::<f64>::zeros((dimensions, dimensions));
    let mut directed = 0.0;
    for code in codes.rows() {
        let code = code.mapv(f64::from);
        raw_radii.push(length(&code));
        let centred = code - &mean;
        let radius = length(&centred);
        radii.push(radius / mean_variance.sqrt());
        if radius > 0.0 {
            directed += 1.0;
            direction_sum.zip_mut_with(&centred, |sum, c| *sum += c / radius);
            for ((i, j), moment) in direction_moment.indexed_iter_mut() {
                *moment += centred[i] * centred[j] / (radius * radius);
            }
        }
    }
    let is_spread = mean_variance > 0.0;
    let directed = f64::max(directed, 1.0);
    let mean_direction_squared: f64 = direction_sum.iter().map(|s| (s / directed).powi(2)).sum();
    let trace: f64 = direction_moment
        .iter()
        .map(|t| (t / directed).powi(2))
        .sum();
    let bingham = (0.5 * l * (l + 2.0) * (trace - 1.0 / l)).max(0.0);
    Ok(Sphericity {
        n: codes.nrows(),
        eigenvalue_ratio: is_spread.then(|| values[0] / largest),
        // One that is 0 has the logarithm −∞ and makes this 0.
        mauchly: is_spread
            .then(|| (values.iter().map(|v| v.ln()).sum::<f64>() / l).exp() / mean_variance),
        eigenvalues: values,
        radius_distance_to_prior: distance_to_chi(raw_radii, l),
        radius_distance: is_spread.then(|| distance_to_chi(radii, l)),
        radius_null_95: 1.358_1 / n.sqrt(),
        mean_direction: is_spread.then(|| mean_direction_squared.sqrt()),
        rayleigh_p_value: is_spread
            .then(|| 1.0 - chi_square_cdf(directed * l * mean_direction_squared, l)),
        bingham: is_spread.then_some(bingham),
        bingham_p_value: (is_spread && dimensions > 1)
            .then(|| 1.0 - chi_square_cdf(directed * bingham, 0.5 * (l - 1.0) * (l + 2.0))),
    })
}

fn distance_to_chi(radii: Vec<f64>, dimensions: f64) -> f64 {
    let n = radii.len() as f64;
    let steps = sorted(radii).into_iter().enumerate();
    let distances = steps.map(|(i, radius)| {
        let expected = chi_cdf(radius, dimensions);
        (expected - i as f64 / n).max((i + 1) as f64 / n - expected)
    });
    distances.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::erfc;
    use crate::draws::standard_normals;

    #[test]
    fn normal_codes_are_spherical() {
        let found = sphericity(standard_normals(21, 5000, 3).view()).unwrap();
        assert!(
            found.eigenvalue_ratio.unwrap() > 0.9 && found.mauchly.unwrap() > 0.999,
            "{found:?}"
        );
        assert!(found.radius_distance.unwrap() < found.radius_null_95);
        assert!(found.radius_distance_to_prior < found.radius_null_95);
        assert!(found.rayleigh_p_value.unwrap() > 0.05 && found.bingham_p_value.unwrap() > 0.05);
    }

    #[test]
    fn a_stretched_cloud_is_not() {
        let mut codes = standard_normals(22, 5000, 3);
        codes.column_mut(0).mapv_inplace(|z| 3.0 * z);
        let found = sphericity(codes.view()).unwrap();
        assert!((found.eigenvalue_ratio.unwrap() - 1.0 / 9.0).abs() < 0.01);
        // det^(1/3) = 9^(1/3), tr/3 = 11/3.
        assert!((found.mauchly.unwrap() - 9.0_f64.cbrt() / (11.0 / 3.0)).abs() < 0.01);
        assert!(found.bingham_p_value.unwrap() < 1e-6);
        assert!(found.radius_distance_to_prior > 0.2);
    }

    #[test]
    fn a_shell_shows_in_the_radius_alone() {
        let mut codes = standard_normals(23, 4000, 3);
        for mut code in codes.rows_mut() {
            let radius = code.iter().map(|z| z * z).sum::<f32>().sqrt();
            code.mapv_inplace(|z| z * 3.0_f32.sqrt() / radius);
        }
        let found = sphericity(codes.view()).unwrap();
        assert!(found.eigenvalue_ratio.unwrap() > 0.9 && found.bingham_p_value.unwrap() > 0.01);
        // All radii are √3, where the chi distribution stands at 0.608.
        assert!((found.radius_distance.unwrap() - chi_cdf(3.0_f64.sqrt(), 3.0)).abs() < 0.02);
    }

    #[test]
    fn one_ray_is_a_direction() {
        let codes = Array2::from_shape_fn((100, 2), |(i, j)| if j == 0 { 1.0 } else { i as f32 });
        let found = sphericity(codes.view()).unwrap();
        assert!(found.eigenvalue_ratio.unwrap() < 1e-12 && found.mauchly.unwrap() == 0.0);
        // Along one axis T = diag(0, 1): 2·4/2·(1 − 1/2) = 2.
        assert!((found.bingham.unwrap() - 2.0).abs() < 1e-12);
    }

    /// Codes along ± the axes, so many of each, all 1 from the origin.
    fn crosses(counts: &[usize]) -> Array2<f32> {
        let of_axis = counts.iter().enumerate();
        let axes = of_axis.flat_map(|(axis, &count)| std::iter::repeat_n(axis, count));
        let axes: Vec<usize> = axes.collect();
        Array2::from_shape_fn((2 * axes.len(), counts.len()), |(i, j)| {
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            if axes[i / 2] == j { sign } else { 0.0 }
        })
    }

    #[test]
    fn axes_that_few_codes_prefer_have_the_p_value_of_the_tables() {
        // T = diag(6, 4, 2)/12, tr T² = 7/18: 3·5/2·(7/18 − 1/3) = 5/12 of each of
        // 12 codes. Of chi-square with 5 degrees of freedom 0.4158801870 is beyond 5
        // (R: pchisq(5, 5, lower.tail = FALSE)).
        let found = sphericity(crosses(&[3, 2, 1]).view()).unwrap();
        assert!((found.bingham.unwrap() - 5.0 / 12.0).abs() < 1e-12);
        assert!((found.bingham_p_value.unwrap() - 0.415_880_187_0).abs() < 1e-9);
        assert!(found.mean_direction.unwrap() < 1e-12);
        assert!((found.rayleigh_p_value.unwrap() - 1.0).abs() < 1e-12);
        // T = diag(6, 2)/8: 2·4/2·(5/8 − 1/2) = 1/2 of each of 8 codes; two degrees of
        // freedom are an exponential.
        let found = sphericity(crosses(&[3, 1]).view()).unwrap();
        assert!((found.bingham.unwrap() - 0.5).abs() < 1e-12);
        assert!((found.bingham_p_value.unwrap() - (-2.0_f64).exp()).abs() < 1e-12);
        let line = crosses(&[4]);
        let found = sphericity(line.view()).unwrap();
        assert_eq!((found.bingham, found.bingham_p_value), (Some(0.0), None));
    }

    #[test]
    fn one_far_code_against_three_near_ones_has_a_direction() {
        let at = [3.0, -1.0, -1.0, -1.0, 0.0];
        let codes = Array2::from_shape_fn((5, 2), |(i, j)| if j == 0 { at[i] } else { 0.0 });
        let found = sphericity(codes.view()).unwrap();
        // Four of the codes have a direction, and one of them lies against three.
        assert!((found.mean_direction.unwrap() - 0.5).abs() < 1e-12);
        assert!((found.rayleigh_p_value.unwrap() - (-1.0_f64).exp()).abs() < 1e-12);
        // T = diag(1, 0): 2 of each.
        assert!((found.bingham_p_value.unwrap() - (-4.0_f64).exp()).abs() < 1e-12);
        // Of 0, 1, 1, 1, 3 the distribution function 1 − exp(−r²/2) is farthest
        // below 4/5, at the ones; with the mean variance 6/5 as unit the same.
        let farthest = |square: f64| 0.8 - (1.0 - (-0.5 * square).exp());
        assert!((found.radius_distance_to_prior - farthest(1.0)).abs() < 1e-12);
        assert!((found.radius_distance.unwrap() - farthest(1.0 / 1.2)).abs() < 1e-12);
        assert!((found.radius_null_95 - 1.358_1 / 5.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn radii_with_a_gap_are_farthest_at_its_outer_end() {
        let codes = ndarray::array![[0.1_f32], [-2.5], [2.75], [-2.875], [3.0]];
        let found = sphericity(codes.view()).unwrap();
        // One of five is nearer than 2.5, where the prior has erf(2.5/√2) of its mass.
        let expected = 1.0 - erfc(2.5 / std::f64::consts::SQRT_2) - 0.2;
        assert!((found.radius_distance_to_prior - expected).abs() < 1e-12);
    }

    #[test]
    fn two_codes_more_than_dimensions_are_enough() {
        let codes = standard_normals(24, 6, 4);
        assert!(sphericity(codes.view()).is_ok());
        assert!(sphericity(codes.slice(ndarray::s![..5, ..])).is_err());
    }
}
