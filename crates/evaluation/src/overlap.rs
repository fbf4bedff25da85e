//! How many posteriors meet at a code, by distance from the origin.

use std::f64::consts::TAU;

use ndarray::{Array1, ArrayView2, array};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::aggregate_posterior::LARGEST_LOG_VARIANCE_OF_DENSITIES;
use crate::distributions::chi_square_quantile;
use crate::draws::standard_normals;
use crate::error::{Result, require, require_posteriors};

/// Overlap of posteriors at one distance from the origin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// ‖z‖.
    pub radius: f64,
    /// Mean over directions of the number of posteriors whose 95 % ellipsoid
    /// contains z.
    pub covering: f64,
    /// Mean over directions of exp(entropy of the responsibilities
    /// q(z|x_i)/Σ_j q(z|x_j)): how many images z could equally well stem from.
    /// At least 1, also where no posterior reaches; read it with `density`.
    pub effective: f64,
    /// Mean over directions of the density of q(z); `None` where narrow
    /// posteriors of many dimensions give one beyond the largest f64.
    pub density: Option<f64>,
}

/// Overlap of the posteriors N(μ_i, diag σ_i²), means and log σ² [n, L], on
/// spheres of the given radii about the origin.
///
/// In 2-D, `directions` equally spaced angles are used; in other dimensions as
/// many random directions drawn from `seed`. The statement "posteriors overlap
/// most at the origin" says that `covering` falls with the radius; it depends on
/// density and on σ together, `effective` on σ against the spacing of means
/// alone.
///
/// # Errors
/// Arrays that do not fit, that are empty or not finite; a posterior narrower
/// than e⁻⁴⁰ or wider than e⁴⁰; no direction; a negative radius.
pub fn posterior_overlap(
    means: ArrayView2<'_, f32>,
    log_variances: ArrayView2<'_, f32>,
    radii: &[f64],
    directions: usize,
    seed: u64,
) -> Result<Vec<Overlap>> {
    require_posteriors(&means, &log_variances, LARGEST_LOG_VARIANCE_OF_DENSITIES)?;
    require(
        directions > 0 && radii.iter().all(|r| r.is_finite() && *r >= 0.0),
        "the list of radii and directions",
        format_args!("{radii:?} in {directions} directions"),
        "non-negative radii and at least one direction",
    )?;
    let unit = unit_directions(means.ncols(), directions, seed);
    let posteriors = Posteriors::new(&means, &log_variances);
    let at_radius = |&radius: &f64| {
        // At the origin all directions are one point.
        let used = if radius == 0.0 { 1 } else { directions };
        let at = |direction: &Array1<f64>| posteriors.overlap_at(&(radius * direction).to_vec());
        let points: Vec<[f64; 3]> = unit[..used].par_iter().map(at).collect();
        let sum = |of: usize| points.iter().map(|point| point[of]).sum::<f64>();
        let [covering, effective, density] = [0, 1, 2].map(|of| sum(of) / used as f64);
        Overlap {
            radius,
            covering,
            effective,
            density: Some(density).filter(|density| density.is_finite()),
        }
    };
    Ok(radii.iter().map(at_radius).collect())
}

fn unit_directions(dimensions: usize, count: usize, seed: u64) -> Vec<Array1<f64>> {
    if dimensions == 2 {
        let angles = (0..count).map(|i| TAU * i as f64 / count as f64);
        return angles
            .map(|angle| array![angle.cos(), angle.sin()])
            .collect();
    }
    let normals = standard_normals(seed, count, dimensions).mapv(f64::from);
    let unit = |mut direction: Array1<f64>| {
        if direction.iter().all(|v| *v == 0.0) {
            // A direction that chance has left out: the first axis.
            direction[0] = 1.0;
        }
        let length = direction.iter().map(|v| v.powi(2)).sum::<f64>().sqrt();
        direction / length
    };
    let rows = normals.rows().into_iter();
    rows.map(|row| unit(row.to_owned())).collect()
}

/// Posteriors in the form a density needs: μ, σ⁻² and Σ log σ².
struct Posteriors {
    means: Vec<f64>,
    precisions: Vec<f64>,
    log_determinants: Vec<f64>,
    /// Squared radius of the 95 % ellipsoid.
    ellipsoid: f64,
}

impl Posteriors {
    fn new(means: &ArrayView2<'_, f32>, log_variances: &ArrayView2<'_, f32>) -> Self {
        let log_variances = log_variances.mapv(f64::from);
        let rows = log_variances.rows().into_iter();
        Self {
            means: means.iter().map(|&m| f64::from(m)).collect(),
            precisions: log_variances.iter().map(|l| (-l).exp()).collect(),
            log_determinants: rows.map(|row| row.iter().sum()).collect(),
            ellipsoid: chi_square_quantile(0.95, means.ncols() as f64),
        }
    }

    /// Covering, effective number and density at z.
    ///
    /// With weights w = e^d/s, d = ln density − its maximum and s = Σ e^d, the
    /// entropy −Σ w ln w is ln s − Σ d e^d/s; terms below d = −40 add nothing.
    fn overlap_at(&self, z: &[f64]) -> [f64; 3] {
        let mut covering = 0.0;
        let mut log_densities = Vec::with_capacity(self.log_determinants.len());
        let (means, precisions) = (&self.means, &self.precisions);
        let rows = means
            .chunks_exact(z.len())
            .zip(precisions.chunks_exact(z.len()));
        for ((mean, precision), log_determinant) in rows.zip(&self.log_determinants) {
            let coordinates = mean.iter().zip(precision).zip(z);
            let distance: f64 = coordinates.map(|((m, p), z)| (z - m) * (z - m) * p).sum();
            covering += f64::from(u8::from(distance <= self.ellipsoid));
            log_densities.push(-0.5 * (distance + log_determinant));
        }
        let largest = tensor_ops::reduce::max(&log_densities);
        let (mut sum, mut moment) = (0.0, 0.0);
        for log_density in &log_densities {
            let d = log_density - largest;
            if d > -40.0 {
                let weight = d.exp();
                sum += weight;
                moment += d * weight;
            }
        }
        let entropy = sum.ln() - moment / sum;
        let norm = 0.5 * z.len() as f64 * TAU.ln();
        let density = (largest - norm).exp() * sum / log_densities.len() as f64;
        [covering, entropy.exp(), density]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn equal_posteriors_overlap_wholly() {
        let means = Array2::<f32>::zeros((8, 2));
        let log_variances = Array2::<f32>::zeros((8, 2));
        let found =
            posterior_overlap(means.view(), log_variances.view(), &[0.0, 2.4, 2.5], 16, 0).unwrap();
        // The 95 % radius is 2.4477.
        let covering: Vec<f64> = found.iter().map(|o| o.covering).collect();
        assert_eq!(covering, vec![8.0, 8.0, 0.0]);
        assert!(found.iter().all(|o| (o.effective - 8.0).abs() < 1e-9));
        assert!((found[0].density.unwrap() - 1.0 / TAU).abs() < 1e-12);
    }

    #[test]
    fn distant_posteriors_do_not() {
        let means = array![[3.0f32, 0.0], [-3.0, 0.0]];
        let log_variances = Array2::from_elem((2, 2), -4.0f32);
        let found =
            posterior_overlap(means.view(), log_variances.view(), &[0.0, 3.0], 4, 0).unwrap();
        // At the origin both are equally far; at radius 3, two of four points
        // are on a mean.
        assert!((found[0].effective - 2.0).abs() < 1e-9 && found[0].covering == 0.0);
        assert_eq!(found[1].covering, 0.5);
        assert!(posterior_overlap(means.view(), log_variances.view(), &[-1.0], 4, 0).is_err());
        assert!(posterior_overlap(means.view(), log_variances.view(), &[1.0], 0, 0).is_err());
    }

    /// Softmax, entropy and density of every posterior as they are defined.
    #[test]
    fn unlike_posteriors_overlap_by_their_responsibilities() {
        let means = standard_normals(5, 9, 3);
        let log_variances = standard_normals(6, 9, 3).mapv(|l| 0.8 * l - 0.3);
        let (seed, directions) = (4, 5);
        let radii = [0.0, 0.7, 1.9, 6.0];
        let found = posterior_overlap(means.view(), log_variances.view(), &radii, directions, seed)
            .unwrap();
        let normals = standard_normals(seed, directions, 3).mapv(f64::from);
        let mut covered = 0.0;
        for (found, radius) in found.iter().zip(radii) {
            let (mut covering, mut effective, mut density) = (0.0, 0.0, 0.0);
            for normal in normals.rows() {
                let length = (normal[0].powi(2) + normal[1].powi(2) + normal[2].powi(2)).sqrt();
                let densities: Vec<f64> = (0..9)
                    .map(|image| {
                        let mut product = 1.0;
                        let mut distance = 0.0;
                        for axis in 0..3 {
                            let variance = f64::from(log_variances[[image, axis]]).exp();
                            let z = radius * normal[axis] / length;
                            let apart = z - f64::from(means[[image, axis]]);
                            distance += apart.powi(2) / variance;
                            product *= (TAU * variance).sqrt();
                        }
                        // The 95 % quantile of chi-square with 3 degrees of freedom.
                        covering += f64::from(u8::from(distance < 7.814_727_903_251_179));
                        (-0.5 * distance).exp() / product
                    })
                    .collect();
                let sum: f64 = densities.iter().sum();
                let entropy: f64 = densities
                    .iter()
                    .map(|d| d / sum)
                    .filter(|share| *share > 0.0)
                    .map(|share| -share * share.ln())
                    .sum();
                effective += entropy.exp();
                density += sum / 9.0;
            }
            let n = directions as f64;
            assert_eq!(found.radius, radius);
            assert!((found.covering - covering / n).abs() < 1e-12, "{found:?}");
            assert!(
                (found.effective * n / effective - 1.0).abs() < 1e-10,
                "{found:?}"
            );
            assert!(
                (found.density.unwrap() * n / density - 1.0).abs() < 1e-10,
                "{found:?}"
            );
            covered += covering;
        }
        assert!(covered > 5.0);
        let refused = |radius| {
            posterior_overlap(means.view(), log_variances.view(), &[radius], 3, 0).is_err()
        };
        assert!(refused(f64::INFINITY) && refused(f64::NAN));
    }

    #[test]
    fn three_dimensions_use_random_directions() {
        let means = Array2::<f32>::zeros((5, 3));
        let found = posterior_overlap(means.view(), means.view(), &[2.79, 2.80], 7, 1).unwrap();
        // √7.8147 = 2.7955.
        assert_eq!((found[0].covering, found[1].covering), (5.0, 0.0));
    }
}
