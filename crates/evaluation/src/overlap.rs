//! How many posteriors meet at a code, by distance from the origin.

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::aggregate_posterior::{LARGEST_LOG_VARIANCE_OF_DENSITIES, require_posteriors};
use crate::distributions::chi_square_quantile;
use crate::draws::standard_normals;
use crate::error::{EvaluationError, Result, require_variances};

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
    require_posteriors(&means, &log_variances)?;
    require_variances(&log_variances, LARGEST_LOG_VARIANCE_OF_DENSITIES)?;
    if directions == 0 || radii.iter().any(|r| !r.is_finite() || *r < 0.0) {
        return Err(EvaluationError::Parameter {
            what: "the list of radii and directions",
            found: format!("{radii:?} in {directions} directions"),
            expected: "non-negative radii and at least one direction",
        });
    }
    let unit = unit_directions(means.ncols(), directions, seed);
    let posteriors = Posteriors::new(&means, &log_variances);
    Ok(radii
        .iter()
        .map(|&radius| {
            // At the origin all directions are one point.
            let used = if radius == 0.0 { &unit[..1] } else { &unit[..] };
            let points: Vec<(f64, f64, f64)> = used
                .par_iter()
                .map(|direction| {
                    let z: Vec<f64> = direction.iter().map(|u| radius * u).collect();
                    posteriors.overlap_at(&z)
                })
                .collect();
            let n = points.len() as f64;
            Overlap {
                radius,
                covering: points.iter().map(|p| p.0).sum::<f64>() / n,
                effective: points.iter().map(|p| p.1).sum::<f64>() / n,
                density: Some(points.iter().map(|p| p.2).sum::<f64>() / n)
                    .filter(|density| density.is_finite()),
            }
        })
        .collect())
}

fn unit_directions(dimensions: usize, count: usize, seed: u64) -> Vec<Vec<f64>> {
    if dimensions == 2 {
        return (0..count)
            .map(|i| {
                let angle = std::f64::consts::TAU * i as f64 / count as f64;
                vec![angle.cos(), angle.sin()]
            })
            .collect();
    }
    standard_normals(seed, count, dimensions)
        .rows()
        .into_iter()
        .map(|row| {
            let length = row
                .iter()
                .map(|&v| f64::from(v).powi(2))
                .sum::<f64>()
                .sqrt();
            if length == 0.0 {
                // A direction that chance has left out: the first axis.
                return (0..dimensions)
                    .map(|axis| f64::from(u8::from(axis == 0)))
                    .collect();
            }
            row.iter().map(|&v| f64::from(v) / length).collect()
        })
        .collect()
}

/// Posteriors in the form a density needs: μ, σ⁻² and Σ log σ².
struct Posteriors {
    latent: usize,
    means: Vec<f64>,
    precisions: Vec<f64>,
    log_determinants: Vec<f64>,
    /// Squared radius of the 95 % ellipsoid.
    ellipsoid: f64,
}

impl Posteriors {
    fn new(means: &ArrayView2<'_, f32>, log_variances: &ArrayView2<'_, f32>) -> Self {
        Self {
            latent: means.ncols(),
            means: means.iter().map(|&m| f64::from(m)).collect(),
            precisions: log_variances
                .iter()
                .map(|&l| (-f64::from(l)).exp())
                .collect(),
            log_determinants: log_variances
                .rows()
                .into_iter()
                .map(|row| row.iter().map(|&l| f64::from(l)).sum())
                .collect(),
            ellipsoid: chi_square_quantile(0.95, means.ncols() as f64),
        }
    }

    /// (covering, effective, density) at z.
    ///
    /// With weights w = e^d/s, d = ln density − its maximum and s = Σ e^d, the
    /// entropy −Σ w ln w is ln s − Σ d e^d/s; terms below d = −40 add nothing.
    fn overlap_at(&self, z: &[f64]) -> (f64, f64, f64) {
        let mut covering = 0.0;
        let rows = self.means.chunks_exact(self.latent);
        let log_densities: Vec<f64> = rows
            .zip(self.precisions.chunks_exact(self.latent))
            .zip(&self.log_determinants)
            .map(|((mean, precision), log_determinant)| {
                let distance: f64 = mean
                    .iter()
                    .zip(precision)
                    .zip(z)
                    .map(|((m, p), z)| (z - m) * (z - m) * p)
                    .sum();
                if distance <= self.ellipsoid {
                    covering += 1.0;
                }
                -0.5 * (distance + log_determinant)
            })
            .collect();
        let largest = log_densities
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
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
        let norm = 0.5 * z.len() as f64 * std::f64::consts::TAU.ln();
        let density = (largest - norm).exp() * sum / log_densities.len() as f64;
        (covering, entropy.exp(), density)
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
        assert!((found[0].density.unwrap() - 1.0 / std::f64::consts::TAU).abs() < 1e-12);
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

    #[test]
    fn three_dimensions_use_random_directions() {
        let means = Array2::<f32>::zeros((5, 3));
        let found = posterior_overlap(means.view(), means.view(), &[2.79, 2.80], 7, 1).unwrap();
        // √7.8147 = 2.7955.
        assert_eq!((found[0].covering, found[1].covering), (5.0, 0.0));
    }
}
