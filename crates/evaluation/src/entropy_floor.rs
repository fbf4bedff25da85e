//! The lowest cross-entropy grey images allow.

use models::{Images, Likelihood};

use crate::error::{Result, require_pixels};

/// Σ over pixels of the binary entropy −t ln t − (1−t) ln(1−t) of grey values
/// t = byte/255, mean over images, in nats: the reconstruction term of a decoder
/// that returns every image exactly.
///
/// Cross-entropy with a grey target is its entropy plus a divergence, so no
/// model goes below this; on images of 0 and 255 alone it is 0. What remains of
/// a reconstruction after subtracting it is comparable between data sets
/// (MNIST's test set: 45.53 nats, Fashion-MNIST's: 189.86). Of bytes it counts
/// grey levels, so memory is constant and the sum exact to rounding.
///
/// # Errors
/// No images, or a value outside [0, 1].
///
/// ```
/// use ndarray::array;
/// let floor = evaluation::entropy_floor::entropy_floor(array![[0u8, 255, 51]].view())?;
/// let t: f64 = 0.2;
/// assert!((floor + t * t.ln() + (1.0 - t) * (1.0 - t).ln()).abs() < 1e-12);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn entropy_floor<'a>(images: impl Into<Images<'a>>) -> Result<f64> {
    let images = images.into();
    require_pixels(images, Likelihood::Bernoulli)?;
    let sum: f64 = match images {
        Images::Bytes(bytes) => {
            let mut counts = [0u64; 256];
            for &byte in bytes {
                counts[usize::from(byte)] += 1;
            }
            let of_level = |(level, &count): (usize, &u64)| {
                count as f64 * binary_entropy(level as f64 / 255.0)
            };
            counts.iter().enumerate().map(of_level).sum()
        }
        Images::Values(values) => values.iter().map(|&t| binary_entropy(t.into())).sum(),
    };
    Ok(sum / images.nrows() as f64)
}

fn binary_entropy(t: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(t) + term(1.0 - t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn binary_images_have_none_and_grey_ones_their_entropy() {
        assert_eq!(
            entropy_floor(array![[0u8, 255], [255, 0]].view()).unwrap(),
            0.0
        );
        let grey = Array2::from_elem((3, 4), 127u8);
        let t = 127.0 / 255.0_f64;
        let expected = -4.0 * (t * t.ln() + (1.0 - t) * (1.0 - t).ln());
        assert!((entropy_floor(grey.view()).unwrap() - expected).abs() < 1e-12);
        assert!(entropy_floor(Array2::<u8>::zeros((0, 4)).view()).is_err());
    }

    #[test]
    fn values_have_the_floor_of_the_bytes_they_equal() {
        let bytes = Array2::from_shape_fn((5, 52), |(i, j)| (i * 51 + j) as u8);
        let values = bytes.mapv(|byte| f32::from(byte) / 255.0);
        let floor = entropy_floor(&bytes).unwrap();
        assert!((entropy_floor(&values).unwrap() / floor - 1.0).abs() < 1e-7);
        let error = entropy_floor(array![[0.0_f32, 1.0], [0.5, 1.5]].view()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pixel 1 of image 1 is 1.5, expected a number between 0 and 1 under the likelihood \
             bernoulli"
        );
    }
}
