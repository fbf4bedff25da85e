//! Random codes that new images are decoded from.

use crate::frechet::FeatureMoments;
use crate::symmetric::SymmetricEigen;
use ndarray::{Array1, Array2, ArrayView2};
use tensor_ops::random::Stream;

use crate::Result;
use crate::draws::normals_of;

/// Seed of the random codes, the same for every model; the stream is the
/// number of dimensions.
pub const CODES_SEED: u64 = 2;

/// Codes [n, L] of the prior, the same for every model of a dimension: row i
/// does not depend on n.
pub fn prior_codes(n: usize, latent: usize) -> Array2<f32> {
    normals_of(Stream::new(CODES_SEED, latent as u64), n, latent)
}

/// A normal distribution with the mean and the covariance of some codes.
#[derive(Clone, Debug)]
pub struct Fitted {
    mean: Array1<f64>,
    root: Array2<f64>,
}

impl Fitted {
    /// Takes both from codes [n, L].
    ///
    /// # Errors
    /// Fewer than two codes, or a value that is not finite.
    pub fn to(codes: ArrayView2<'_, f32>) -> Result<Self> {
        let moments = FeatureMoments::new(codes)?;
        Ok(Self {
            root: SymmetricEigen::new(moments.covariance.view()).square_root(),
            mean: moments.mean,
        })
    }

    /// Its codes, from those of N(0, I).
    pub fn codes(&self, noise: &Array2<f32>) -> Array2<f32> {
        let placed = noise.mapv(f64::from).dot(&self.root) + &self.mean;
        placed.mapv(|value| value as f32)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::s;

    use super::*;

    #[test]
    fn fitted_codes_have_the_moments_of_the_codes() {
        let noise = prior_codes(4000, 2);
        let codes = Array2::from_shape_fn((4000, 2), |(row, column)| {
            let (a, b) = (noise[[row, 0]], noise[[row, 1]]);
            if column == 0 {
                3.0 + 2.0 * a
            } else {
                a - 0.5 * b
            }
        });
        let again = Fitted::to(codes.view()).unwrap().codes(&noise);
        let expected = FeatureMoments::new(codes.view()).unwrap();
        let found = FeatureMoments::new(again.view()).unwrap();
        // The noise has the prior's moments up to 1/√4000.
        for (a, b) in expected.covariance.iter().zip(&found.covariance) {
            assert!((a - b).abs() < 0.2, "{expected:?} {found:?}");
        }
        for (a, b) in expected.mean.iter().zip(&found.mean) {
            assert!((a - b).abs() < 0.1);
        }
    }

    #[test]
    fn codes_of_the_prior_start_alike_for_any_number() {
        let few = prior_codes(10, 3);
        assert_eq!(prior_codes(100, 3).slice(s![..10, ..]), few);
        assert_ne!(prior_codes(10, 2).row(0)[0], few.row(0)[0]);
    }
}
