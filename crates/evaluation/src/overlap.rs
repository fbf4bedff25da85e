//! How many posteriors meet at a code, by distance from the origin.

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::aggregate_posterior::require_posteriors;
use crate::distributions::chi_square_quantile;
use crate::draws::standard_normals;
use crate::error::{EvaluationError, Result};

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
    /// Mean over directions of the density of q(z).
    pub density: f64,
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
/// Arrays that do not fit, that are empty or not finite; no direction; a
/// negative radius.
pub fn posterior_overlap(
    means: ArrayView2<'_, f32>,
    log_variances: ArrayView2<'_, f32>,
    radii: &[f64],
    directions: usize,
    seed: u64,
) -> Result<Vec<Overlap>> {
    require_posteriors(&means, &log_variances)?;
    if directions == 0 || radii.iter().any(|r| !r.is_finite() || *r < 0.0) {
        return Err(EvaluationError::Parameter {
            what: "the list of radii and directions",
            found: format!("{radii:?} in {directions} directions"),
            expected: "non-negative radii and at least one direction",
        });
    }
    let unit = unit_directions(means.ncols(), directions, seed);
    Ok(radii
        .iter()
        .map(|&radius| {
            // At the origin all directions are one point.
            let used = if radius == 0.0 { &unit[..1] } else { &unit[..] };
            let points: Vec<(f64, f64, f64)> = used
                .par_iter()
                .map(|direction| {
                    let z: Vec<f64> = direction.iter().map(|u| radius * u).collect();
                    overlap_at(&means, &log_variances, &z)
                })
                .collect();
            let n = points.len() as f64;
            Overlap {
                radius,
                covering: points.iter().map(|p| p.0).sum::<f64>() / n,
                effective: points.iter().map(|p| p.1).sum::<f64>() / n,
                density: points.iter().map(|p| p.2).sum::<f64>() / n,
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
            row.iter().map(|&v| f64::from(v) / length).collect()
        })
        .collect()
}

/// (covering, effective, density) at z.
fn overlap_at(
    means: &ArrayView2<'_, f32>,
    log_variances: &ArrayView2<'_, f32>,
    z: &[f64],
) -> (f64, f64, f64) {
    let ellipsoid = chi_square_quantile(0.95, z.len() as f64);
    let mut covering = 0.0;
    let log_densities: Vec<f64> = means
        .rows()
        .into_iter()
        .zip(log_variances.rows())
        .map(|(mean, log_variance)| {
            let (mut distance, mut log_determinant) = (0.0, 0.0);
            for ((&m, &l), z) in mean.iter().zip(log_variance).zip(z) {
                distance += (z - f64::from(m)).powi(2) * (-f64::from(l)).exp();
                log_determinant += f64::from(l);
            }
            if distance <= ellipsoid {
                covering += 1.0;
            }
            -0.5 * (distance + log_determinant)
        })
        .collect();
    let largest = log_densities
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = log_densities.iter().map(|l| (l - largest).exp()).sum();
    let entropy: f64 = log_densities
        .iter()
        .map(|l| {
            let weight = (l - largest).exp() / sum;
            if weight > 0.0 {
                -weight * weight.ln()
            } else {
                0.0
            }
        })
        .sum();
    let norm = 0.5 * z.len() as f64 * std::f64::consts::TAU.ln();
    let density = (largest - norm).exp() * sum / means.nrows() as f64;
    (covering, entropy.exp(), density)
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
        assert!((found[0].density - 1.0 / std::f64::consts::TAU).abs() < 1e-12);
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
