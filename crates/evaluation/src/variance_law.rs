//! The variance law Var(μ) + E σ² = 1.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::aggregate_posterior::LARGEST_LOG_VARIANCE;
use crate::codes::mean_and_variance_of_axis;
use crate::error::{Result, require_posteriors};

/// The variance law and its parts, per latent dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VarianceLaw {
    /// Mean of μ_j over images.
    pub mean_of_mu: Vec<f64>,
    /// Variance of μ_j over images.
    pub variance_of_mu: Vec<f64>,
    /// Mean of σ_j² over images.
    pub mean_variance: Vec<f64>,
    /// Var(μ_j) + E σ_j²: the variance of q(z_j).
    pub total: Vec<f64>,
}

/// Var_x(μ_j(x)) + E_x σ_j²(x) per dimension, which the KL term pulls to 1
/// (Asperti & Trentin 2020, *Balancing reconstruction error and
/// Kullback-Leibler divergence in variational autoencoders*).
///
/// Near 1 for active and collapsed dimensions alike in models of eight and more
/// dimensions; 1.3 to 2.2 in one-hidden-layer 2-D models, where its excess over
/// 1 measures how far q(z) overflows the prior.
///
/// # Errors
/// Arrays that do not fit, that are empty, or not finite; a variance beyond the
/// range of f64.
pub fn variance_law(
    means: ArrayView2<'_, f32>,
    log_variances: ArrayView2<'_, f32>,
) -> Result<VarianceLaw> {
    require_posteriors(&means, &log_variances, LARGEST_LOG_VARIANCE)?;
    let n = means.nrows() as f64;
    let axes = means.columns().into_iter();
    let (mean_of_mu, variance_of_mu): (Vec<f64>, Vec<f64>) =
        axes.map(mean_and_variance_of_axis).unzip();
    let axes = log_variances.columns().into_iter();
    let variances = axes.map(|axis| axis.iter().map(|&l| f64::from(l).exp()).sum::<f64>() / n);
    let mean_variance: Vec<f64> = variances.collect();
    let both = variance_of_mu.iter().zip(&mean_variance);
    Ok(VarianceLaw {
        total: both.map(|(of_mu, mean)| of_mu + mean).collect(),
        mean_of_mu,
        variance_of_mu,
        mean_variance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn two_posteriors_by_hand() {
        let means = array![[1.0f32, 2.0], [3.0, 2.0]];
        let log_variances = array![[0.0f32, 0.5f32.ln()], [0.0, 1.5f32.ln()]];
        let law = variance_law(means.view(), log_variances.view()).unwrap();
        assert_eq!(law.mean_of_mu, vec![2.0, 2.0]);
        assert_eq!(law.variance_of_mu, vec![1.0, 0.0]);
        assert!((law.mean_variance[1] - 1.0).abs() < 1e-7);
        assert!((law.total[0] - 2.0).abs() < 1e-7 && (law.total[1] - 1.0).abs() < 1e-7);
        assert!(variance_law(means.view(), array![[0.0f32, 0.0]].view()).is_err());
    }
}
