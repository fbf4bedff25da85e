//! A number over the seeds of a model, with its interval.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::statistics::{
    self, Claim, Evidence, Interval, Scale, equivalence, one_sided, power,
};
use serde::{Deserialize, Serialize};
use viz::Rgb;
use viz::charts::Strip;

/// A quantity for one model or condition, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The model or condition.
    pub name: String,
    /// What kind of number the quantity is.
    #[serde(default)]
    pub scale: Scale,
    /// The value of every seed whose run finished.
    pub by_seed: BTreeMap<u64, f64>,
    /// What its scale has for a mean, and its 95 % interval over these seeds;
    /// absent without any.
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

/// Chance of a verdict that a number of seeds is said to have.
pub const POWER: f64 = 0.9;

/// Seeds from which on their spread is told apart from nothing at all.
const FEWEST_OF_A_PILOT: usize = 3;

impl Measured {
    /// Summarises the values of the seeds that finished, as real numbers; see
    /// [`Measured::on`] for others. A value that is not finite, because a run
    /// does not have the quantity, leaves the interval absent and is not listed:
    /// JSON has no word for it.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        mut by_seed: BTreeMap<u64, f64>,
        diverged: Vec<u64>,
    ) -> Self {
        let missing = by_seed
            .iter()
            .filter(|(_, value)| !value.is_finite())
            .map(|(seed, _)| (*seed, NOT_FINITE.to_owned()))
            .collect();
        by_seed.retain(|_, value| value.is_finite());
        let measured = Self {
            name: name.into(),
            scale: Scale::Real,
            interval: None,
            by_seed,
            diverged,
            missing,
        };
        measured.on(Scale::Real)
    }

    /// The same quantity as what it is: its interval, and what decides statements
    /// about it, follow from the scale. A value that the scale does not have
    /// leaves the interval absent, and is the reason that is given.
    #[must_use]
    pub fn on(mut self, scale: Scale) -> Self {
        self.scale = scale;
        let values: Vec<f64> = self.by_seed.values().copied().collect();
        self.interval = match statistics::interval(&values, scale, LEVEL) {
            _ if !self.missing.is_empty() || values.is_empty() => None,
            Ok(interval) => Some(interval),
            Err(error) => {
                let reason = error.to_string();
                let seeds = self.by_seed.keys();
                self.missing = seeds.map(|seed| (*seed, reason.clone())).collect();
                None
            }
        };
        self
    }

    /// The same of a quantity that is never below 0: as a ratio, or where one is 0 as a
    /// count, so that no interval reaches below.
    #[must_use]
    pub fn positive(self) -> Self {
        let is_ratio = self.by_seed.values().all(|value| *value > 0.0);
        self.on(if is_ratio { Scale::Ratio } else { Scale::Count })
    }

    /// The evidence of these seeds on "the quantity is at least (at most)
    /// `threshold`"; none where the interval is absent.
    #[must_use]
    pub fn evidence(&self, side: Claim, threshold: f64) -> Evidence {
        self.said(|values| one_sided(values, self.scale, side, threshold))
    }

    /// The evidence of these seeds on "the quantity lies from `low` to `high`";
    /// none where the interval is absent.
    #[must_use]
    pub fn equivalent(&self, low: f64, high: f64) -> Evidence {
        self.said(|values| equivalence(values, self.scale, low, high))
    }

    fn said(&self, test: impl FnOnce(&[f64]) -> evaluation::Result<Evidence>) -> Evidence {
        if self.interval.is_none() || self.by_seed.is_empty() {
            return Evidence::NONE;
        }
        let values: Vec<f64> = self.by_seed.values().copied().collect();
        // What a test refuses, the interval of the same values does too.
        test(&values).unwrap_or(Evidence::NONE)
    }

    /// From how many seeds on a statement with this threshold is decided with
    /// 90 % power at `level`, if others are as these; none where that cannot be
    /// told, as from one seed or two.
    #[must_use]
    pub fn seeds_needed(&self, threshold: f64, level: f64) -> Option<usize> {
        self.interval?;
        let values: Vec<f64> = self.by_seed.values().copied().collect();
        if values.len() < FEWEST_OF_A_PILOT {
            return None;
        }
        let needed = power::seeds_needed(&values, self.scale, threshold, level, POWER);
        needed.unwrap_or_default()
    }

    /// A point for every seed, and the interval of a mean of several.
    #[must_use]
    pub fn strip(&self, colour: Rgb) -> Strip {
        let interval = self.interval;
        Strip {
            name: self.name.clone(),
            values: self.by_seed.values().copied().collect(),
            interval: interval.and_then(|of| Some([of.centre, of.lower?, of.upper?])),
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

    /// The same without some seeds, which are a category of their own and no
    /// values of this quantity.
    #[must_use]
    pub fn apart_from(mut self, seeds: &BTreeSet<u64>) -> Self {
        self.by_seed.retain(|seed, _| !seeds.contains(seed));
        self.missing.retain(|seed, _| !seeds.contains(seed));
        let scale = self.scale;
        self.on(scale)
    }

    /// A quantity that all seeds give together, such as a ratio of spreads, or
    /// one that no seed changes, such as a floor.
    #[must_use]
    pub fn together(name: impl Into<String>, interval: Option<Interval>) -> Self {
        let is_finite = |interval: &Interval| {
            let ends = [interval.lower, interval.upper, interval.standard_deviation];
            let mut values = std::iter::once(interval.centre).chain(ends.into_iter().flatten());
            values.all(f64::is_finite)
        };
        Self {
            name: name.into(),
            scale: Scale::Real,
            by_seed: BTreeMap::new(),
            interval: interval.filter(is_finite),
            diverged: Vec::new(),
            missing: BTreeMap::new(),
        }
    }

    /// What its scale has for a mean over seeds: the mean, the geometric mean of
    /// ratios, the median of counts (`interval.about` says it); NaN without any.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.interval.map_or(f64::NAN, |interval| interval.centre)
    }

    /// For a table: the mean with its interval, or alone when a single seed
    /// finished.
    #[must_use]
    pub fn cell(&self, decimals: usize) -> viz::page::Cell {
        match self.interval {
            None => viz::page::Cell::Missing,
            Some(interval) => match (interval.lower, interval.upper) {
                (Some(low), Some(high)) => viz::page::Cell::Interval {
                    mean: interval.centre,
                    low,
                    high,
                    decimals,
                },
                _ => viz::page::Cell::Number {
                    value: interval.centre,
                    decimals,
                },
            },
        }
    }

    /// This minus `other`, seed by seed, over the seeds both have; what
    /// diverged in either is missing. A difference of counts is a count, and every
    /// other one a real number.
    #[must_use]
    pub fn minus(&self, other: &Self, name: impl Into<String>) -> Self {
        let difference = self.paired(other, name, |own, others| own - others);
        if self.is_counted() && other.is_counted() {
            difference.on(Scale::Count)
        } else {
            difference
        }
    }

    /// This divided by `other`, seed by seed, over the seeds both have; what
    /// diverged in either is missing. It is a ratio where all are positive, of
    /// counts with as many equal values as a count, and a real number otherwise.
    #[must_use]
    pub fn over(&self, other: &Self, name: impl Into<String>) -> Self {
        let over = self.paired(other, name, |own, others| own / others);
        if self.is_counted() && other.is_counted() {
            over.on(Scale::Count)
        } else if over.by_seed.values().all(|value| *value > 0.0) {
            over.on(Scale::Ratio)
        } else {
            over
        }
    }

    fn is_counted(&self) -> bool {
        matches!(self.scale, Scale::Count | Scale::Bounded { .. })
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
}

#[cfg(test)]
mod tests {
    use evaluation::statistics::Claim::{AtLeast, AtMost};
    use evaluation::statistics::{Centre, Verdict};

    use super::*;

    fn around(mean: f64) -> Measured {
        let values = [(0, mean - 0.1), (1, mean), (2, mean + 0.1)];
        Measured::new("m", values.into_iter().collect(), Vec::new())
    }

    #[test]
    fn evidence_follows_the_values() {
        let of = |mean, side| around(mean).evidence(side, 8.0).verdict(0.05);
        assert_eq!(of(9.0, AtLeast), Verdict::Supported);
        assert_eq!(of(7.0, AtLeast), Verdict::Refuted);
        assert_eq!(of(8.0, AtLeast), Verdict::Undecided);
        assert_eq!(of(7.0, AtMost), Verdict::Supported);
        let none = Measured::new("m", BTreeMap::new(), vec![0]);
        assert_eq!(none.evidence(AtLeast, 0.0), Evidence::NONE);
        assert!(none.mean().is_nan());
    }

    #[test]
    fn what_is_compared_keeps_its_kind() {
        let of = |values: [f64; 5]| {
            let by_seed = (0..).zip(values).collect();
            Measured::new("m", by_seed, Vec::new())
        };
        let counts = |values| of(values).on(Scale::Count);
        let tens = counts([10.0; 5]);
        let interval = tens.interval.unwrap();
        assert_eq!((interval.about, interval.lower), (Centre::Median, None));
        assert_eq!(interval.equal.unwrap().count, 5);
        assert!((tens.evidence(AtLeast, 9.0).supports - 1.0 / 32.0).abs() < 1e-12);
        let fewer = tens.minus(&counts([8.0, 9.0, 9.0, 7.0, 9.0]), "d");
        assert_eq!(fewer.scale, Scale::Count);
        let wide = of([2.0, 3.0, 4.0, 5.0, 6.0]);
        let ratio = wide.over(&of([1.0, 2.0, 1.0, 2.0, 1.0]), "r");
        assert_eq!(ratio.scale, Scale::Ratio);
        assert_eq!(ratio.interval.unwrap().about, Centre::GeometricMean);
        let crossing = wide.over(&of([-1.0, 1.0, 1.0, 1.0, 1.0]), "r");
        assert_eq!(crossing.scale, Scale::Real);
        assert_eq!(wide.equivalent(-9.0, 9.0).verdict(0.05), Verdict::Supported);
        assert!(wide.seeds_needed(3.0, 0.05).is_some_and(|seeds| seeds > 5));
        // A share beyond 1 is none.
        let no_share = wide.clone().on(Scale::Share);
        assert!(no_share.interval.is_none() && no_share.missing.len() == 5);
        assert_eq!(no_share.evidence(AtMost, 0.5), Evidence::NONE);
    }

    #[test]
    fn seeds_apart_are_neither_values_nor_missing() {
        let values = [(0, 1.0), (1, f64::NAN), (2, 9.0), (3, 2.0)];
        let some = Measured::new("m", values.into(), vec![7]);
        assert!(some.interval.is_none());
        let apart = some.apart_from(&[1, 2].into());
        assert_eq!(apart.by_seed, [(0, 1.0), (3, 2.0)].into());
        assert_eq!((apart.mean(), apart.diverged.len()), (1.5, 1));
        assert!(apart.missing.is_empty());
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
        assert_eq!(difference.evidence(AtLeast, 0.0), Evidence::NONE);
    }
}
