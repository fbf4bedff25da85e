//! Which rows a number is measured on, where it is not all of them.
//!
//! Rows of a file are seldom in random order: MNIST's test images are ordered by
//! writer, and the second 5,000 are easier than the first; folders are read class
//! by class. The first N are therefore no sample of all, nor are the two halves of
//! a file samples of one population, and every so many rows are none where the
//! order has a period. Every subset that is not asked for by its rows is drawn
//! here.
//!
//! Row i has a random number of 64 bits that depends on the address (a [`Stream`])
//! and i alone; those with the smallest numbers are drawn. This is a simple random
//! sample without replacement: all orders of independent, equally distributed
//! numbers are equally probable (Sunter 1977, *List sequential sampling*). It is the
//! same on every machine and for any number of threads; time grows with the rows and
//! memory with those that are drawn; a smaller sample of a population without labels
//! is a part of a larger one.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tensor_ops::random::Stream;

use crate::draws::SUBSETS;

/// Seed of the subsets that are the same for every model of a data set, whatever
/// the seed it was trained with.
pub const SEED: u64 = 0;

/// Rows that are drawn from.
#[derive(Clone, Copy, Debug)]
pub enum Population<'a> {
    /// So many, alike.
    Rows(usize),
    /// One for each label, drawn class by class: of m of n rows a class has m/n
    /// of its own, rounded by the largest remainder.
    Labelled(&'a [u32]),
}

impl<'a> Population<'a> {
    /// Those of `n` rows, by class where there are labels, which are one for each
    /// row.
    #[must_use]
    pub fn of(n: usize, labels: Option<&'a [u32]>) -> Self {
        labels.map_or(Self::Rows(n), Self::Labelled)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(n) => *n,
            Self::Labelled(labels) => labels.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of each class, of which at most `most` will be drawn; all rows are of
    /// one class where there are no labels.
    fn strata(&self, most: usize, numbers: Stream) -> Vec<Stratum> {
        match self {
            Self::Rows(n) => {
                let mut all = Stratum::new(0);
                for row in 0..*n {
                    all.add((number(numbers, row as u64), row), most);
                }
                vec![all]
            }
            Self::Labelled(labels) => {
                let mut classes = BTreeMap::<u32, Stratum>::new();
                for (row, &label) in labels.iter().enumerate() {
                    let tie = || Stratum::new(number(numbers, TIES | u64::from(label)));
                    let class = classes.entry(label).or_insert_with(tie);
                    class.add((number(numbers, row as u64), row), most);
                }
                classes.into_values().collect()
            }
        }
    }
}

/// The address of a seed's subsets, apart from all other draws of an evaluation.
#[must_use]
pub fn numbers(seed: u64) -> Stream {
    Stream::new(seed, SUBSETS)
}

/// At most `count` rows at random, ascending; all of them where there are no more.
///
/// ```
/// use evaluation::subset::{Population, SEED, numbers, subset};
///
/// let drawn = subset(Population::Rows(10_000), 2000, numbers(SEED));
/// assert_eq!(drawn.len(), 2000);
/// assert!(drawn.is_sorted() && drawn[1999] < 10_000);
/// assert_eq!(subset(Population::Rows(3), 2000, numbers(SEED)), [0, 1, 2]);
/// ```
#[must_use]
pub fn subset(population: Population<'_>, count: usize, numbers: Stream) -> Vec<usize> {
    let [drawn] = parts(population, [count], numbers);
    drawn
}

/// Two samples without a row in common that make up all rows, ascending; of an odd
/// number the first has one more.
#[must_use]
pub fn halves(population: Population<'_>, numbers: Stream) -> [Vec<usize>; 2] {
    let n = population.len();
    parts(population, [n.div_ceil(2), n / 2], numbers)
}

/// Samples of at most so many rows each, ascending and without a row in common: the
/// first of all rows, each later one of those that are left. One that finds fewer
/// rows left than it is to have takes these.
#[must_use]
pub fn parts<const N: usize>(
    population: Population<'_>,
    counts: [usize; N],
    numbers: Stream,
) -> [Vec<usize>; N] {
    let most = counts
        .iter()
        .fold(0, |sum: usize, &count| sum.saturating_add(count));
    let mut strata = population.strata(most, numbers);
    counts.map(|count| {
        let quotas = apportioned(&strata, count);
        let mut drawn = Vec::new();
        for (stratum, quota) in strata.iter_mut().zip(quotas) {
            stratum.take(quota, &mut drawn);
        }
        drawn.sort_unstable();
        drawn
    })
}

/// At most `most` of the rows 0, …, n − 1 in random order: a smaller choice begins a
/// larger one.
#[must_use]
pub fn in_random_order(n: usize, most: usize, numbers: Stream) -> Vec<usize> {
    let mut order: Vec<(u64, usize)> = (0..n)
        .map(|row| (number(numbers, row as u64), row))
        .collect();
    order.sort_unstable();
    order.into_iter().take(most).map(|(_, row)| row).collect()
}

/// Places from here on have the numbers that decide between equal remainders.
const TIES: u64 = 1 << 63;

/// The number of a row; of two rows with one number the first comes first.
fn number(numbers: Stream, place: u64) -> u64 {
    let [high, low, ..] = numbers.block(place);
    (u64::from(high) << 32) | u64::from(low)
}

/// A row behind its number.
type Numbered = (u64, usize);

/// The rows of a class that are not drawn yet.
struct Stratum {
    /// Decides between classes with equal remainders.
    tie: u64,
    /// How many they are.
    left: usize,
    /// Those with the smallest numbers, as many as may be drawn or more, in no
    /// order.
    candidates: Vec<Numbered>,
    /// The largest of these when there were last too many; none beyond it is
    /// drawn.
    bound: Option<Numbered>,
}

impl Stratum {
    fn new(tie: u64) -> Self {
        Self {
            tie,
            left: 0,
            candidates: Vec::new(),
            bound: None,
        }
    }

    /// Adds a row, of which `most` with the smallest numbers are enough. All others
    /// are let go when there are as many of them, so that memory grows with what is
    /// drawn and time with the rows.
    fn add(&mut self, row: Numbered, most: usize) {
        self.left += 1;
        if most == 0 || self.bound.is_some_and(|bound| row > bound) {
            return;
        }
        self.candidates.push(row);
        if self.candidates.len() == most.saturating_mul(2) {
            let (_, &mut bound, _) = self.candidates.select_nth_unstable(most - 1);
            self.bound = Some(bound);
            self.candidates.truncate(most);
        }
    }

    /// Moves the `quota` rows with the smallest numbers to `drawn`.
    fn take(&mut self, quota: usize, drawn: &mut Vec<usize>) {
        if quota == 0 {
            return;
        }
        if quota < self.candidates.len() {
            self.candidates.select_nth_unstable(quota - 1);
        }
        drawn.extend(self.candidates.drain(..quota).map(|(_, row)| row));
        self.left -= quota;
    }
}

/// How many of `count` rows each class gives: its share rounded down, and one more
/// of those with the largest remainders (Hamilton's method). Between equal
/// remainders chance decides, so that no class is favoured over many addresses.
fn apportioned(strata: &[Stratum], count: usize) -> Vec<usize> {
    let left: usize = strata.iter().map(|stratum| stratum.left).sum();
    let count = count.min(left);
    // Nothing is drawn of nothing.
    let all = left.max(1) as u128;
    // A product of two sizes need not fit into a word.
    let share = |stratum: &Stratum| count as u128 * stratum.left as u128;
    let mut quotas: Vec<usize> = strata.iter().map(|s| (share(s) / all) as usize).collect();
    let missing = count - quotas.iter().sum::<usize>();
    let mut order: Vec<usize> = (0..strata.len()).collect();
    order.sort_unstable_by_key(|&class| {
        let remainder = share(&strata[class]) % all;
        (std::cmp::Reverse(remainder), strata[class].tie, class)
    });
    for class in order.into_iter().take(missing) {
        quotas[class] += 1;
    }
    quotas
}
