//! The weights of importance samples.

use tensor_ops::{Float, library, reduce};

/// w̃ below 2⁻⁶⁰ counts as zero: it is far below the rounding of the sums it
/// enters, but its products with small gradients would be subnormal numbers,
/// where arithmetic is many times slower. Most samples have such weights until
/// the posterior has narrowed.
const SMALLEST_SHARE: f64 = 1.0 / (1_u64 << 60) as f64;

/// Normalises the weights of one image's samples: gives −log (1/k) Σ w and
/// writes w̃ to `normalised`; `log_weights` are used up.
pub(crate) fn normalise<T: Float>(log_weights: &mut [f64], normalised: &mut [T]) -> f64 {
    // Relative to the largest, so that nothing overflows and the normalised
    // weights keep their digits however small all w are.
    let largest = reduce::max(log_weights);
    for weight in &mut *log_weights {
        *weight = library::exp(*weight - largest);
    }
    let total = reduce::sum(log_weights);
    for (normalised, weight) in normalised.iter_mut().zip(&*log_weights) {
        let share = weight / total;
        *normalised = if share < SMALLEST_SHARE {
            T::ZERO
        } else {
            T::from_f64(share)
        };
    }
    library::ln(log_weights.len() as f64) - (largest + library::ln(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vanished_weights_are_zero_and_the_bound_is_that_of_all() {
        let mut log_weights = [-498.0, -460.0, -458.0, -540.0];
        let mut normalised = [f32::NAN; 4];
        let negative_bound = normalise(&mut log_weights, &mut normalised);
        assert!((negative_bound - (458.0 + 4_f64.ln() - (-2_f64).exp().ln_1p())).abs() < 1e-12);
        // e⁻⁴⁰ is above 2⁻⁶⁰ and kept, e⁻⁸² is not.
        assert!(normalised[0] > 0.0 && normalised[0] < 1e-15);
        assert_eq!(normalised[3], 0.0);
        assert!((normalised[1] + normalised[2] - 1.0).abs() < 1e-6);
    }

    /// Of m weights of 1 and one of m·2⁻⁶⁰ the sum rounds to m, so that the share
    /// of the one is 2⁻⁶⁰ exactly. Its logarithm is one of few whose exponential is
    /// exact.
    #[test]
    fn a_share_of_exactly_the_smallest_counts_and_a_smaller_one_does_not() {
        let smallest = (-60.0_f64).exp2();
        let is_exact = |&m: &usize| (m as f64 * smallest).ln().exp() == m as f64 * smallest;
        let ones = (1..1000).find(is_exact).unwrap();
        let log_weight = (ones as f64 * smallest).ln();
        for (log_weight, expected) in [(log_weight, smallest), (log_weight - 1e-9, 0.0)] {
            let mut log_weights = vec![0.0; ones];
            log_weights.push(log_weight);
            let mut normalised = vec![f64::NAN; ones + 1];
            normalise(&mut log_weights, &mut normalised);
            assert_eq!(normalised[ones], expected);
            assert_eq!(normalised[0], 1.0 / ones as f64);
        }
    }
}
