//! Differences of images, made large enough to be seen.

use crate::VizError;
use crate::number::decimal;

/// Differences scaled to the full range, with the factor that a caption has to state.
///
/// The factor takes the 99.9 % quantile of the absolute finite differences to the end of the range,
/// so that a few outliers do not darken everything; what is larger is drawn as the end of the range
/// ([`ScaledDifference::clipped`] says which share). Without any difference the factor is 1. One
/// factor for all images that are compared, so pass them together.
///
/// ```
/// use viz::ScaledDifference;
/// let (input, decoded) = ([0.5f32, 0.25, 1.0, 0.0], [0.5f32, 0.5, 0.875, 0.0]);
/// let difference = ScaledDifference::absolute(&input, &decoded)?;
/// assert_eq!(difference.values, [0.0, 1.0, 0.5, 0.0]);
/// assert_eq!(difference.in_words(), "differences × 4.0");
/// // Signed ones lie about the middle grey.
/// let difference = ScaledDifference::signed(&input, &decoded)?;
/// assert_eq!(difference.values, [0.5, 0.0, 0.75, 0.5]);
/// # Ok::<(), viz::VizError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ScaledDifference {
    /// A value in [0, 1] for each of the input; NaN where a difference is not finite.
    pub values: Vec<f32>,
    /// What differences were multiplied by; for signed ones, half of it takes one to a value.
    pub factor: f64,
    /// Share of the differences beyond the range.
    pub clipped: f64,
}

/// Share of the absolute differences that keep within the range.
const WITHIN: f64 = 0.999;

impl ScaledDifference {
    /// |first − second|: 0 is none, 1 the largest.
    ///
    /// # Errors
    ///
    /// [`VizError::Shape`] when there are not as many values of both.
    pub fn absolute(first: &[f32], second: &[f32]) -> Result<ScaledDifference, VizError> {
        ScaledDifference::of(first, second, |scaled| scaled.abs())
    }

    /// first − second: 0.5 is none, 0 and 1 the largest of each sign.
    ///
    /// # Errors
    ///
    /// As [`ScaledDifference::absolute`].
    pub fn signed(first: &[f32], second: &[f32]) -> Result<ScaledDifference, VizError> {
        ScaledDifference::of(first, second, |scaled| 0.5 + 0.5 * scaled)
    }

    fn of(
        first: &[f32],
        second: &[f32],
        value: fn(f64) -> f64,
    ) -> Result<ScaledDifference, VizError> {
        if first.len() != second.len() {
            return Err(VizError::shape(
                "values of the second images of a difference",
                second.len(),
                format!("{}, as of the first", first.len()),
            ));
        }
        let differences: Vec<f64> = first
            .iter()
            .zip(second)
            .map(|(&a, &b)| f64::from(a) - f64::from(b))
            .collect();
        let mut sizes: Vec<f64> = differences
            .iter()
            .map(|difference| difference.abs())
            .filter(|size| size.is_finite())
            .collect();
        let rank = (WITHIN * sizes.len() as f64).ceil() as usize;
        let end = match rank.checked_sub(1) {
            None => 0.0,
            Some(rank) => *sizes.select_nth_unstable_by(rank, f64::total_cmp).1,
        };
        let end = if end > 0.0 {
            end
        } else {
            // Fewer than one in a thousand differ: those show, too.
            sizes.iter().copied().fold(0.0, f64::max)
        };
        let factor = if end > 0.0 { 1.0 / end } else { 1.0 };
        let beyond = sizes.iter().filter(|&&size| size > end).count();
        Ok(ScaledDifference {
            values: differences
                .iter()
                .map(|difference| value((difference * factor).clamp(-1.0, 1.0)) as f32)
                .collect(),
            factor,
            clipped: beyond as f64 / sizes.len().max(1) as f64,
        })
    }

    /// What a caption says, such as `differences × 3.1`.
    pub fn in_words(&self) -> String {
        let decimals = usize::from(self.factor < 100.0) + usize::from(self.factor < 1.0);
        format!("differences × {}", decimal(self.factor, decimals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_darken_the_rest() {
        let first: Vec<f32> = (0..2000)
            .map(|i| if i == 7 { 1.0 } else { 0.125 })
            .collect();
        let second = vec![0.0f32; 2000];
        let found = ScaledDifference::absolute(&first, &second).unwrap();
        assert_eq!((found.factor, found.clipped), (8.0, 1.0 / 2000.0));
        assert!(found.values.iter().all(|&value| value == 1.0));
        // The other way round, signed differences are mirrored.
        let there = ScaledDifference::signed(&first, &second).unwrap();
        let back = ScaledDifference::signed(&second, &first).unwrap();
        for (a, b) in there.values.iter().zip(&back.values) {
            assert_eq!(a + b, 1.0);
        }
        assert_eq!(there.factor, back.factor);
    }

    #[test]
    fn nothing_equal_and_infinite_values_have_a_picture() {
        let equal = ScaledDifference::absolute(&[0.5; 9], &[0.5; 9]).unwrap();
        assert_eq!((equal.factor, equal.values), (1.0, vec![0.0; 9]));
        let nothing = ScaledDifference::signed(&[], &[]).unwrap();
        assert!(nothing.values.is_empty() && nothing.clipped == 0.0);
        let strange = ScaledDifference::absolute(&[f32::NAN, 0.5], &[0.0, 0.0]).unwrap();
        assert!(strange.values[0].is_nan() && strange.values[1] == 1.0);
        let infinite = ScaledDifference::signed(&[f32::INFINITY, 0.5], &[0.0, 0.0]).unwrap();
        assert_eq!(infinite.values, [1.0, 1.0]);
        // A single pixel of ten thousand.
        let mut one = vec![0.0f32; 10_000];
        one[3] = 0.01;
        let found = ScaledDifference::absolute(&one, &vec![0.0; 10_000]).unwrap();
        assert!((found.factor - 100.0).abs() < 1e-3 && found.values[3] == 1.0);
        assert!(ScaledDifference::absolute(&[0.0], &[]).is_err());
    }

    #[test]
    fn words_have_digits_enough() {
        let of = |factor| ScaledDifference {
            values: Vec::new(),
            factor,
            clipped: 0.0,
        };
        assert_eq!(of(3.12).in_words(), "differences × 3.1");
        assert_eq!(of(0.504).in_words(), "differences × 0.50");
        assert_eq!(of(123.4).in_words(), "differences × 123");
    }
}
