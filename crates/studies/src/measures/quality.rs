//! Qualities of samples that statements are decided by, averaged over several
//! classifiers, and how much of their variance is the classifier's own.

use std::collections::BTreeMap;

use evaluation::statistics::Interval;
use figures::classifier::CLASSIFIER_SEEDS;
use figures::image_quality::{ImageQuality, Quantity, Source, by_each_classifier};
use figures::{Drawing, Measured};
use runs::Error;

/// A number over seeds by each classifier.
#[derive(Clone, Debug)]
pub(crate) struct ByClassifier {
    each: Vec<Measured>,
}

impl ByClassifier {
    /// A quality of the samples of the model called `key`.
    pub(crate) fn of(
        drawing: &Drawing<'_>,
        key: &str,
        source: Source,
        quantity: Quantity,
    ) -> Result<Self, Error> {
        let of = |classifier: usize| {
            drawing.over_seeds(key, "", |run| {
                let found = by_each_classifier(drawing, run, source)?;
                Ok(found.get(classifier).map_or(f64::NAN, quantity))
            })
        };
        let each = (0..CLASSIFIER_SEEDS as usize).map(of);
        Ok(Self {
            each: each.collect::<Result<_, Error>>()?,
        })
    }

    /// This and `other`, classifier by classifier and seed by seed.
    pub(crate) fn paired(&self, other: &Self, combine: fn(f64, f64) -> f64) -> Self {
        let pairs = self.each.iter().zip(&other.each);
        Self {
            each: pairs
                .map(|(own, other)| own.paired(other, "", combine))
                .collect(),
        }
    }

    /// This with a number of each classifier alone, such as what real images
    /// reach.
    pub(crate) fn with(&self, numbers: &[f64], combine: impl Fn(f64, f64) -> f64) -> Self {
        let each = self.each.iter().zip(numbers).map(|(own, number)| {
            let values = own.by_seed.iter();
            let values = values.map(|(seed, value)| (*seed, combine(*value, *number)));
            Measured::new("", values.collect(), own.diverged.clone()).without(own.missing.clone())
        });
        Self {
            each: each.collect(),
        }
    }

    /// The mean over classifiers, seed by seed.
    pub(crate) fn mean(&self, name: impl Into<String>) -> Measured {
        let mut missing = BTreeMap::new();
        for each in &self.each {
            missing.extend(each.missing.clone());
        }
        let seeds = self
            .each
            .first()
            .into_iter()
            .flat_map(|of| of.by_seed.keys());
        let mean = |seed: &u64| {
            let values = self.each.iter().map(|each| each.by_seed.get(seed).copied());
            let values: Option<Vec<f64>> = values.collect();
            values.map(|values| (*seed, values.iter().sum::<f64>() / values.len() as f64))
        };
        let diverged = self.each.first().map(|of| of.diverged.clone());
        Measured::new(
            name,
            seeds.filter_map(mean).collect(),
            diverged.unwrap_or_default(),
        )
        .without(missing)
    }

    /// Of the variance of a number made by one classifier and one training, the
    /// part that is the classifier's: that of the classifiers' means over seeds,
    /// beside that over seeds of their means over classifiers. It is in no
    /// interval over seeds, as all seeds share the classifiers.
    pub(crate) fn share_of_classifiers(&self) -> Measured {
        let name = "of its variance the classifier's own seed makes (%)";
        let seeds: Vec<f64> = self.mean("").by_seed.into_values().collect();
        let classifiers = self.each.iter().map(|of| {
            let values = of.by_seed.values();
            values.sum::<f64>() / of.by_seed.len() as f64
        });
        let classifiers: Vec<f64> = classifiers.collect();
        let share = variance(&classifiers)
            .zip(variance(&seeds))
            .map(|(own, of_seeds)| 100.0 * own / (own + of_seeds));
        Measured::together(name, share.map(Interval::of_one))
    }
}

/// What the other half of the test images reaches, by each classifier.
pub(crate) fn floors(found: &[ImageQuality], quantity: Quantity) -> Vec<f64> {
    found.iter().map(quantity).collect()
}

/// With n − 1 in the denominator; none of a single value.
fn variance(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(each: &[[f64; 3]]) -> ByClassifier {
        let each = each.iter().map(|values| {
            let by_seed = (0..).zip(values.iter().copied()).collect();
            Measured::new("", by_seed, Vec::new())
        });
        ByClassifier {
            each: each.collect(),
        }
    }

    #[test]
    fn numbers_are_averaged_over_classifiers() {
        let found = of(&[[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [5.0, 6.0, 7.0]]);
        let mean = found.mean("m");
        assert_eq!(mean.by_seed, [(0, 3.0), (1, 4.0), (2, 5.0)].into());
        let doubled = found.paired(&found, |a, b| a + b);
        assert_eq!(doubled.mean("m").mean(), 8.0);
        let less = found.with(&[1.0, 3.0, 5.0], |value, number| value - number);
        assert_eq!(
            less.mean("m").by_seed,
            [(0, 0.0), (1, 1.0), (2, 2.0)].into()
        );
    }

    #[test]
    fn the_classifiers_share_is_that_of_their_means() {
        // Means over seeds 2, 4 and 6 vary by 4, those over classifiers by 1.
        let found = of(&[[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [5.0, 6.0, 7.0]]);
        assert!((found.share_of_classifiers().mean() - 80.0).abs() < 1e-9);
        let alike = of(&[[1.0, 2.0, 3.0]; 3]);
        assert_eq!(alike.share_of_classifiers().mean(), 0.0);
        // Of no spread at all there is no share.
        assert!(of(&[[1.0; 3]; 3]).share_of_classifiers().interval.is_none());
    }
}
