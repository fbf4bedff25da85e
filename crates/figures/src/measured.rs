//! A number over the seeds of a model, with its interval.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::statistics::{Interval, Verdict, t_interval};
use serde::{Deserialize, Serialize};
use viz::Rgb;
use viz::charts::Strip;

/// A quantity for one model or condition, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The model or condition.
    pub name: String,
    /// The value of every seed whose run finished.
    pub by_seed: BTreeMap<u64, f64>,
    /// Mean and 95 % interval over these seeds; absent without any.
    pub interval: Option<Interval>,
    /// Seeds whose run diverged: named here, in none of the numbers.
    pub diverged: Vec<u64>,
    /// Why seeds whose run finished have no value, by seed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<u64, String>,
}

/// The reason of a value that could be computed and is no finite number.
const NOT_FINITE: &str = "it is not a finite number";

/// Level of every interval of the claims table.
pub const LEVEL: f64 = 0.95;

impl Measured {
    /// Summarises the values of the seeds that finished. A value that is not
    /// finite, because a run does not have the quantity, leaves the interval
    /// absent and is not listed: JSON has no word for it.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        mut by_seed: BTreeMap<u64, f64>,
        diverged: Vec<u64>,
    ) -> Self {
        let values: Vec<f64> = by_seed.values().copied().collect();
        let interval = t_interval(&values, LEVEL).ok();
        let missing = by_seed
            .iter()
            .filter(|(_, value)| !value.is_finite())
            .map(|(seed, _)| (*seed, NOT_FINITE.to_owned()))
            .collect();
        by_seed.retain(|_, value| value.is_finite());
        Self {
            name: name.into(),
            interval,
            by_seed,
            diverged,
            missing,
        }
    }

    /// A point for every seed, and the interval of a mean of several.
    #[must_use]
    pub fn strip(&self, colour: Rgb) -> Strip {
        let interval = self.interval;
        Strip {
            name: self.name.clone(),
            values: self.by_seed.values().copied().collect(),
            interval: interval.and_then(|of| Some([of.mean, of.lower?, of.upper?])),
            colour: Some(colour),
        }
    }

    /// The same with the reasons of seeds that have none of these values: they
    /// leave the interval absent too.
    #[must_use]
    pub fn without(mut self, missing: BTreeMap<u64, String>) -> Self {
        if !missing.is_empty() {
            self.interval = None;
        }
        self.missing.extend(missing);
        self
    }

    /// A quantity that all seeds give together, such as a ratio of spreads, or
    /// one that no seed changes, such as a floor.
    #[must_use]
    pub fn together(name: impl Into<String>, interval: Option<Interval>) -> Self {
        let is_finite = |interval: &Interval| {
            let ends = [interval.lower, interval.upper, interval.standard_deviation];
            let mut values = std::iter::once(interval.mean).chain(ends.into_iter().flatten());
            values.all(f64::is_finite)
        };
        Self {
            name: name.into(),
            by_seed: BTreeMap::new(),
            interval: interval.filter(is_finite),
            diverged: Vec::new(),
            missing: BTreeMap::new(),
        }
    }

    /// The mean over seeds; NaN without any.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.interval.map_or(f64::NAN, |interval| interval.mean)
    }

    /// For a table: the mean with its interval, or alone when a single seed
    /// finished.
    #[must_use]
    pub fn cell(&self, decimals: usize) -> viz::page::Cell {
        match self.interval {
            None => viz::page::Cell::Missing,
            Some(interval) => match (interval.lower, interval.upper) {
                (Some(low), Some(high)) => viz::page::Cell::Interval {
                    mean: interval.mean,
                    low,
                    high,
                    decimals,
                },
                _ => viz::page::Cell::Number {
                    value: interval.mean,
                    decimals,
                },
            },
        }
    }

    /// This minus `other`, seed by seed, over the seeds both have; what
    /// diverged in either is missing.
    #[must_use]
    pub fn minus(&self, other: &Self, name: impl Into<String>) -> Self {
        self.paired(other, name, |own, others| own - others)
    }

    /// This divided by `other`, seed by seed, over the seeds both have; what
    /// diverged in either is missing.
    #[must_use]
    pub fn over(&self, other: &Self, name: impl Into<String>) -> Self {
        self.paired(other, name, |own, others| own / others)
    }

    /// Any number of this and `other`, seed by seed, over the seeds both have.
    #[must_use]
    pub fn paired(
        &self,
        other: &Self,
        name: impl Into<String>,
        combine: impl Fn(f64, f64) -> f64,
    ) -> Self {
        let values = self
            .by_seed
            .iter()
            .filter_map(|(seed, own)| Some((*seed, combine(*own, *other.by_seed.get(seed)?))))
            .collect();
        let diverged: BTreeSet<u64> = self
            .diverged
            .iter()
            .chain(&other.diverged)
            .copied()
            .collect();
        let missing = self.missing.iter().chain(&other.missing);
        let missing = missing.map(|(seed, reason)| (*seed, reason.clone()));
        Self::new(name, values, diverged.into_iter().collect()).without(missing.collect())
    }

    /// The verdict on "at least (at most) `threshold`"; undecided without a
    /// finished seed.
    #[must_use]
    pub fn verdict(&self, side: evaluation::statistics::Claim, threshold: f64) -> Verdict {
        self.interval.map_or(Verdict::Undecided, |interval| {
            evaluation::statistics::verdict(&interval, side, threshold)
        })
    }
}

#[cfg(test)]
mod tests {
    use evaluation::statistics::Claim::{AtLeast, AtMost};

    use super::*;

    fn around(mean: f64) -> Measured {
        let values = [(0, mean - 0.1), (1, mean), (2, mean + 0.1)];
        Measured::new("m", values.into_iter().collect(), Vec::new())
    }

    #[test]
    fn verdicts_follow_the_interval() {
        assert_eq!(around(9.0).verdict(AtLeast, 8.0), Verdict::Supported);
        assert_eq!(around(7.0).verdict(AtLeast, 8.0), Verdict::Refuted);
        assert_eq!(around(8.0).verdict(AtLeast, 8.0), Verdict::Undecided);
        assert_eq!(around(7.0).verdict(AtMost, 8.0), Verdict::Supported);
        let none = Measured::new("m", BTreeMap::new(), vec![0]);
        assert_eq!(none.verdict(AtLeast, 0.0), Verdict::Undecided);
        assert!(none.mean().is_nan());
    }

    #[test]
    fn a_missing_quantity_survives_writing() {
        let partly = Measured::new("m", [(0, 1.0), (1, f64::NAN)].into(), Vec::new());
        assert!(partly.interval.is_none());
        assert_eq!(partly.missing, [(1, NOT_FINITE.to_owned())].into());
        let text = serde_json::to_string(&partly).expect("plain data");
        assert_eq!(
            serde_json::from_str::<Measured>(&text).expect("as written"),
            partly
        );
    }

    /// What is measured and what is read back must not differ in the last
    /// digit, or a page drawn again would.
    #[test]
    fn measured_values_survive_writing_to_the_bit() {
        // A parser that does not round correctly reads the last digits of
        // some of these as others.
        let values = [34.39310902624031, 38.3157909650735, 31.488692546696683];
        let by_seed = (0..).zip(values).collect();
        let measured = Measured::new("m", by_seed, Vec::new());
        let text = serde_json::to_string(&measured).expect("plain data");
        let read: Measured = serde_json::from_str(&text).expect("as written");
        for (read, value) in read.by_seed.values().zip(values) {
            assert_eq!(read.to_bits(), value.to_bits(), "{value}");
        }
        assert_eq!(read, measured);
    }

    #[test]
    fn differences_pair_seeds() {
        let first = Measured::new("a", [(0, 3.0), (1, 5.0), (4, 9.0)].into(), Vec::new());
        let second = Measured::new("b", [(1, 1.0), (0, 2.0)].into(), vec![4]);
        let difference = first.minus(&second, "a − b");
        assert_eq!(difference.by_seed, [(0, 1.0), (1, 4.0)].into());
        assert_eq!(difference.mean(), 2.5);
        assert_eq!(difference.diverged, [4]);
        let ratio = first.over(&second, "a / b");
        assert_eq!(ratio.by_seed, [(0, 1.5), (1, 5.0)].into());
        let partly = second.without([(3, "it has no labels".to_owned())].into());
        let difference = first.minus(&partly, "a − b");
        assert!(difference.interval.is_none() && difference.missing.contains_key(&3));
        assert_eq!(difference.verdict(AtLeast, 0.0), Verdict::Undecided);
    }
}
