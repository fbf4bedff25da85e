//! Many statements at once.

/// Adjusted p-values of Holm's procedure (1979), in the order of `p_values`: a
/// table whose statements are decided where these are at most α holds a wrong
/// decision with a chance of at most α, however the statements depend on each
/// other.
///
/// With m statements the smallest p-value counts m times, the next m − 1 times
/// and so on, none less than one before it, and none more than 1.
///
/// The theorem is about hypotheses of which some may be false. A verdict here
/// chooses between a hypothesis and its opposite, of which one is always true,
/// and a first right decision relaxes the next; of independent quantities that
/// all lie exactly at their thresholds, the worst case, two err with a chance of
/// α + α²/4, more of them with less.
///
/// A p-value that is no number counts as 1.
///
/// ```
/// // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
/// let adjusted = evaluation::statistics::holm(&[0.01, 0.04, 0.03, 0.005]);
/// assert_eq!(adjusted, [0.03, 0.06, 0.06, 0.02]);
/// ```
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let known = |place: usize| {
        let p = p_values[place];
        if p.is_nan() { 1.0 } else { p }
    };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| known(a).total_cmp(&known(b)));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        largest = largest.max(left * known(place)).min(1.0);
        adjusted[place] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjusted_values_are_those_of_r() {
        // R's example of p.adjust: p <- 2*pnorm(-abs(x)) rounded here to these.
        let p = [0.001, 0.2, 0.013, 0.04, 0.04, 0.9];
        // p.adjust(p, "holm"): 6·0.001, 2·0.2, 5·0.013, 4·0.04, 4·0.04, 0.9.
        let expected = [0.006, 0.4, 0.065, 0.16, 0.16, 0.9];
        for (found, expected) in holm(&p).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
        assert_eq!(holm(&[f64::NAN, 0.01]), [1.0, 0.02]);
        assert!(holm(&[]).is_empty());
    }

    /// Every quantity exactly at its threshold, where each test errs as often as
    /// it may; both ways of a verdict are tried, as tables do.
    #[test]
    fn tables_of_worst_cases_hold_the_level() {
        const TABLES: usize = 20_000;
        for statements in [1, 2, 7, 29] {
            // p-values of the true hypothesis of each statement; the other's is
            // what is left to 1.
            let p = crate::draws::uniforms(31, TABLES, statements);
            let wrong = p.outer_iter().filter(|table| {
                let own: Vec<f64> = table.iter().map(|p| f64::from(*p)).collect();
                let decided: Vec<f64> = own.iter().map(|p| p.min(1.0 - p)).collect();
                let adjusted = holm(&decided);
                let errs = |place: usize| adjusted[place] <= 0.05 && own[place] < 0.5;
                (0..statements).any(errs)
            });
            let share = wrong.count() as f64 / TABLES as f64;
            // Three standard errors of 20,000 tables are 0.0046.
            assert!(share <= 0.0506 + 0.0046, "{statements}: {share}");
            assert!(share >= 0.04, "{statements}: {share}");
        }
    }
}
