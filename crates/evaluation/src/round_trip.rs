//! Codes decoded and encoded again.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::error::{Result, require_alike, require_array, require_finite};
use crate::statistics::{sorted, sorted_quantile};

/// How far codes return from where they left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// ‖encode(decode(z)) − z‖ of each code, in the order given.
    pub distances: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their median.
    pub median: f64,
    /// The largest.
    pub largest: f64,
    /// Mean weighted by the prior, Σ w d/Σ w with w = exp(−‖z‖²/2): use it on a
    /// linear lattice; codes drawn from the prior are weighted already. `None`
    /// when all codes lie so far out that no weight is left.
    pub prior_weighted_mean: Option<f64>,
    /// Share of codes that return within 1 of where they left: one standard
    /// deviation of the prior.
    pub share_within_one: f64,
}

/// Round trip z → decode → encode of codes [n, L]; `encode` gives μ of a
/// variational model.
///
/// A code in a hole of the prior decodes to an image that the encoder places
/// elsewhere: a large distance exposes holes that a map does not show. A small
/// one does not prove that the image is good. In an AE the unit of length is
/// arbitrary: divide by the standard deviation of the codes before comparing.
///
/// # Errors
/// No codes or none of any dimension, codes that do not return in the same
/// shape, or values that are not finite.
pub fn round_trip(
    codes: ArrayView2<'_, f32>,
    decode: impl FnOnce(ArrayView2<'_, f32>) -> Array2<f32>,
    encode: impl FnOnce(ArrayView2<'_, f32>) -> Array2<f32>,
) -> Result<RoundTrip> {
    let images = decode(codes);
    compare_round_trip(codes, encode(images.view()).view())
}

/// [`round_trip`] from codes and the codes they returned to.
///
/// # Errors
/// As [`round_trip`].
pub fn compare_round_trip(
    codes: ArrayView2<'_, f32>,
    returned: ArrayView2<'_, f32>,
) -> Result<RoundTrip> {
    require_array("the array of codes", &codes, 1, None)?;
    require_alike("the array of returned codes", returned.dim(), codes.dim())?;
    require_finite("the array of returned codes", &returned)?;
    let (mut weighted, mut weights) = (0.0, 0.0);
    let mut distances = Vec::with_capacity(codes.nrows());
    for (left, back) in codes.rows().into_iter().zip(returned.rows()) {
        let (mut squared, mut norm) = (0.0, 0.0);
        for (&z, &b) in left.iter().zip(back) {
            squared += (f64::from(b) - f64::from(z)).powi(2);
            norm += f64::from(z).powi(2);
        }
        let weight = f64::exp(-0.5 * norm);
        weighted += weight * f64::sqrt(squared);
        weights += weight;
        distances.push(squared.sqrt());
    }
    let sorted = sorted(distances.iter().copied());
    let n = distances.len() as f64;
    let mean = distances.iter().sum::<f64>() / n;
    Ok(RoundTrip {
        mean,
        median: sorted_quantile(&sorted, 0.5),
        largest: sorted[sorted.len() - 1],
        prior_weighted_mean: (weights > 0.0).then(|| weighted / weights),
        share_within_one: distances.iter().filter(|d| **d <= 1.0).count() as f64 / n,
        distances,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, array, concatenate};

    #[test]
    fn a_shrinking_encoder_moves_codes_by_half_their_length() {
        let codes = array![[3.0f32, 4.0], [0.0, 0.0], [0.0, 1.0]];
        let found = round_trip(
            codes.view(),
            |z| concatenate(Axis(1), &[z, z]).unwrap(),
            |x| x.slice(ndarray::s![.., ..2]).mapv(|v| 0.5 * v),
        )
        .unwrap();
        assert_eq!(found.distances, vec![2.5, 0.0, 0.5]);
        assert_eq!((found.mean, found.median, found.largest), (1.0, 0.5, 2.5));
        let (near, far) = ((-0.5_f64).exp(), (-12.5_f64).exp());
        let expected = (0.5 * near + 2.5 * far) / (1.0 + near + far);
        assert!((found.prior_weighted_mean.unwrap() - expected).abs() < 1e-12);
        assert!((found.share_within_one - 2.0 / 3.0).abs() < 1e-12);
        assert!(compare_round_trip(codes.view(), array![[0.0f32, 0.0]].view()).is_err());
    }
}
