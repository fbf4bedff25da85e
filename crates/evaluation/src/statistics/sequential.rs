//! Adding seeds until statements are decided, without deciding too easily.
//!
//! Who looks at the data again and again, and stops at the first verdict, errs
//! more often than the level says. Here looks are fixed beforehand, at 5, 10,
//! 20, 40, … seeds and at the last, and each has its own share of the level; a
//! p-value of a look is divided by its share. Whatever the test is, the chance
//! that any look errs is then at most the sum over looks of share·α, which is α
//! (Bonferroni), and the smallest of the divided p-values so far is a p-value.
//!
//! A look's share is the part of all seeds that are new to it, so the level is
//! spent as the seeds are: α·t when the part t of them is there (the linear
//! spending function of Kim & DeMets 1987). Of 40 seeds that is ⅛ at 5 and at 10,
//! ¼ at 20 and ½ at the last.
//!
//! Boundaries of group-sequential designs would spend a little less: those of
//! Pocock (1977) and O'Brien & Fleming (1979), and of Lan & DeMets (1983) for
//! looks at any time. They are computed from the joint distribution of a normal
//! mean at all looks; t of five values, signs, and the largest p-value of several
//! parts have another. Bonferroni asks nothing of it.

/// Seeds until a statement is decided, and no more than so many, if nothing else
/// is asked for.
pub const USUAL_MOST: usize = 40;

/// Seeds of the first look: fewer decide nothing by a sign test.
pub const FIRST: usize = 5;

/// A look at the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Seeds there are.
    pub seeds: usize,
    /// The part of the level that it may spend.
    pub share: f64,
}

impl Look {
    /// The only one, which spends all.
    #[must_use]
    pub fn only(seeds: usize) -> Self {
        Self { seeds, share: 1.0 }
    }
}

/// The looks up to `most` seeds: 5 and twice as many each time, and `most`. One
/// that would leave the last with less than half as many new seeds as there are
/// is left out, as the last would have no level to speak of.
///
/// ```
/// let looks = evaluation::statistics::sequential::looks(30);
/// let seeds: Vec<usize> = looks.iter().map(|look| look.seeds).collect();
/// assert_eq!(seeds, [5, 10, 20, 30]);
/// ```
#[must_use]
pub fn looks(most: usize) -> Vec<Look> {
    let doubling = std::iter::successors(Some(FIRST), |seeds| seeds.checked_mul(2));
    let before = doubling.take_while(|seeds| most.saturating_sub(*seeds) >= seeds.div_ceil(2));
    let mut seen = 0;
    before
        .chain([most])
        .map(|seeds| {
            let share = (seeds - seen) as f64 / most.max(1) as f64;
            seen = seeds;
            Look { seeds, share }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::standard_normals;
    use crate::statistics::{Claim::AtLeast, Scale, one_sided};

    #[test]
    fn looks_double_and_spend_the_level() {
        let of = |most| -> Vec<usize> { looks(most).iter().map(|look| look.seeds).collect() };
        assert_eq!(of(40), [5, 10, 20, 40]);
        assert_eq!(of(100), [5, 10, 20, 40, 100]);
        assert_eq!(of(41), [5, 10, 20, 41]);
        assert_eq!(of(3), [3]);
        assert_eq!(of(5), [5]);
        assert_eq!(of(6), [6]);
        // Five leave three of eight, which is half of five rounded up.
        assert_eq!(of(7), [7]);
        assert_eq!(of(8), [5, 8]);
        for most in [1, 5, 12, 40, 10_000] {
            let spent: f64 = looks(most).iter().map(|look| look.share).sum();
            assert!((spent - 1.0).abs() < 1e-12);
        }
        let shares: Vec<f64> = looks(40).iter().map(|look| look.share).collect();
        assert_eq!(shares, [0.125, 0.125, 0.25, 0.5]);
    }

    /// At the threshold, where tests err as often as they may.
    #[test]
    fn all_looks_together_hold_the_level() {
        const DRAWS: usize = 4000;
        let looks = looks(40);
        let values = standard_normals(17, DRAWS, 40);
        for scale in [Scale::Real, Scale::Count] {
            let mut wrong = 0;
            let mut unspent = 0;
            for row in values.outer_iter() {
                let row: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
                let supports = |look: &Look| {
                    let seeds = &row[..look.seeds];
                    one_sided(seeds, scale, AtLeast, 0.0).unwrap().supports
                };
                wrong += usize::from(looks.iter().any(|l| supports(l) / l.share <= 0.05));
                unspent += usize::from(looks.iter().any(|l| supports(l) <= 0.05));
            }
            let share = wrong as f64 / DRAWS as f64;
            // Three standard errors are 0.0103; without shares it is well above.
            assert!(share <= 0.05 + 0.0103, "{scale:?}: {share}");
            let unspent = unspent as f64 / DRAWS as f64;
            assert!(unspent > 0.065, "{scale:?}: {unspent}");
        }
    }
}
