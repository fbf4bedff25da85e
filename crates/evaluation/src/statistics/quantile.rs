//! Quantiles of a list of values.

/// Values in ascending order, as [`sorted_quantile`] wants them.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The q-quantile of sorted values by linear interpolation (Hyndman & Fan's
/// type 7, the default of R and NumPy).
///
/// # Panics
/// If there are no values.
///
/// ```
/// assert_eq!(evaluation::statistics::sorted_quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
/// ```
pub fn sorted_quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours_in_order() {
        let values = sorted([4.0, 11.0, -1.0, 2.0]);
        assert_eq!(values, [-1.0, 2.0, 4.0, 11.0]);
        // Three quarters of the way from the first to the second, and a quarter of
        // that from the third to the last.
        assert_eq!(sorted_quantile(&values, 0.25), 1.25);
        assert_eq!(sorted_quantile(&values, 0.75), 5.75);
        assert_eq!(sorted_quantile(&values, 0.0), -1.0);
        assert_eq!(sorted_quantile(&values, 1.0), 11.0);
        assert_eq!(sorted_quantile(&[7.0], 0.3), 7.0);
    }
}
