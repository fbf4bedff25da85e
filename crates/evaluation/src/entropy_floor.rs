//! The lowest cross-entropy grey images allow.

use ndarray::ArrayView2;

use crate::error::{Result, require_rows};

/// Σ over pixels of the binary entropy −t ln t − (1−t) ln(1−t) of grey values
/// t = byte/255, mean over images, in nats: the reconstruction term of a decoder
/// that returns every image exactly.
///
/// Cross-entropy with a grey target is its entropy plus a divergence, so no
/// model goes below this; on images of 0 and 255 alone it is 0. What remains of
/// a reconstruction after subtracting it is comparable between data sets
/// (MNIST's test set: 45.53 nats, Fashion-MNIST's: 189.86). Counts grey levels,
/// so memory is constant and the sum exact to rounding.
///
/// # Errors
/// No images.
///
/// ```
/// use ndarray::array;
/// let floor = evaluation::entropy_floor::entropy_floor(array![[0u8, 255, 51]].view())?;
/// let t: f64 = 0.2;
/// assert!((floor + t * t.ln() + (1.0 - t) * (1.0 - t).ln()).abs() < 1e-12);
/// # Ok::<(), evaluation::EvaluationError>(())
/// ```
pub fn entropy_floor(images: ArrayView2<'_, u8>) -> Result<f64> {
    require_rows("the array of images", images.nrows(), 1)?;
    let mut counts = [0u64; 256];
    for &byte in images {
        counts[usize::from(byte)] += 1;
    }
    let sum: f64 = counts
        .iter()
        .enumerate()
        .map(|(level, &count)| {
            let t = level as f64 / 255.0;
            let entropy = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
            count as f64 * (entropy(t) + entropy(1.0 - t))
        })
        .sum();
    Ok(sum / images.nrows() as f64)
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
}
