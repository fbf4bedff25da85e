//! What document 003 says about sampling, held against the numbers.

use std::collections::BTreeSet;

use evaluation::statistics::Claim::{AtLeast, AtMost};
use evaluation::statistics::Scale;

use super::reconstruction;
use super::{DEEP, Pair, SHALLOW, SPACE};
use crate::Drawing;
use crate::claims::{Decide, Decided, Part, in_short, share_of_trainings};
use crate::measures::quality::{ByClassifier, floors};
use crate::measures::shape::{Shape, UNVARYING, shape, unless_flat};
use figures::Measured;
use figures::absence::{Measurement, known};
use figures::image_quality::{Quantity, Source, floor_by_each_classifier};
use runs::Error;

/// A quantity of both models of an architecture.
struct Compared {
    with: Measured,
    without: Measured,
}

impl Compared {
    /// Without minus with sampling, seed by seed.
    fn difference(&self, name: &str) -> Measured {
        self.without.minus(&self.with, name)
    }

    fn measured(self) -> [Measured; 2] {
        [self.with, self.without]
    }
}

struct Measure<'a, 'b> {
    drawing: &'a Drawing<'b>,
}

impl Measure<'_, '_> {
    fn compared(
        &self,
        pair: Pair,
        what: &str,
        value: impl Fn(&crate::TrainedRun) -> Result<f64, Error>,
    ) -> Result<Compared, Error> {
        let of = |key: &str| {
            let title = self.drawing.title(key);
            self.drawing
                .over_seeds(key, &format!("{what}, {title}"), &value)
        };
        Ok(Compared {
            with: of(pair.with)?,
            without: of(pair.without)?,
        })
    }

    fn shape(
        &self,
        pair: Pair,
        what: &str,
        value: impl Fn(&Shape) -> Result<f64, Error>,
    ) -> Result<Compared, Error> {
        self.compared(pair, what, |run| value(&shape(self.drawing, run)?))
    }

    /// A quality of the samples of both models, and without against with
    /// sampling.
    fn samples(
        &self,
        pair: Pair,
        what: &str,
        source: Source,
        (quantity, against): (Quantity, Against),
    ) -> Result<Sampled, Error> {
        let of = |key: &str| ByClassifier::of(self.drawing, key, source, quantity);
        let (with, without) = (of(pair.with)?, of(pair.without)?);
        let named = |key: &str| format!("{what}, {}", self.drawing.title(key));
        let (word, combine): (&str, fn(f64, f64) -> f64) = match against {
            Against::Ratio => ("ratio", |a, b| a / b),
            Against::Difference => ("difference", |a, b| a - b),
        };
        let derived = without.paired(&with, combine);
        let of_both = derived.mean(format!("{word} of the {what}"));
        let is_ratio =
            matches!(against, Against::Ratio) && of_both.by_seed.values().all(|value| *value > 0.0);
        Ok(Sampled {
            compared: Compared {
                with: with.mean(named(pair.with)),
                without: without.mean(named(pair.without)),
            },
            derived: if is_ratio {
                of_both.on(Scale::Ratio)
            } else {
                of_both
            },
            share: derived.share_of_classifiers(),
            without,
        })
    }
}

/// How two models' samples are held against each other.
#[derive(Clone, Copy)]
enum Against {
    Ratio,
    Difference,
}

/// A quality of the samples of both models.
struct Sampled {
    compared: Compared,
    /// Without against with sampling.
    derived: Measured,
    /// Of the variance of that, the part of the classifier.
    share: Measured,
    /// Without sampling, by each classifier.
    without: ByClassifier,
}

impl Sampled {
    fn measured(self) -> [Measured; 4] {
        let [with, without] = self.compared.measured();
        [with, without, self.derived, self.share]
    }
}

const FRECHET: (Quantity, Against) = (|images| images.frechet, Against::Ratio);

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("003.4", shallow_less_evident),
    ("003.5", deep_less_uniform),
    ("003.6", deep_more_distorted),
    ("003.7", depth_reconstructs_better),
    ("003.8", slightly_better_without),
    ("003.9", space_more_spherical),
    ("003.10", space_very_bad),
];

/// "In this case, is not so evident", the document says, and shows the deeper net
/// next, where it can be "readily observed": so the effect here is held against the
/// effect there, either way. Fréchet distances are squares of a metric (Dowson &
/// Landau 1982), so it is their roots that can be subtracted.
fn shallow_less_evident(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let gaps = |pair| measure.shape(pair, "gaps", |shape| unless_flat(&shape.gaps));
    let [shallow, deep] = [gaps(SHALLOW)?, gaps(DEEP)?];
    let [here, there] = [
        shallow.difference("change of the gaps"),
        deep.difference("change of the gaps in the deeper net"),
    ];
    let of_gaps = [
        there.minus(&here, "change there − here"),
        there.paired(&here, "change there + here", |there, here| there + here),
    ];
    let root: Quantity = |images| images.frechet.sqrt();
    let moved = |pair: Pair| -> Result<ByClassifier, Error> {
        let of = |key: &str| ByClassifier::of(drawing, key, Source::Prior, root);
        Ok(of(pair.without)?.paired(&of(pair.with)?, |without, with| without - with))
    };
    let [moved_here, moved_there] = [moved(SHALLOW)?, moved(DEEP)?];
    let of_samples = [
        moved_there.paired(&moved_here, |there, here| there - here),
        moved_there.paired(&moved_here, |there, here| there + here),
    ];
    let names = ["change there − here", "change there + here"];
    let of_samples = [0, 1].map(|sign| of_samples[sign].mean(names[sign]));
    let parts = of_gaps.each_ref().into_iter().chain(&of_samples);
    let parts: Vec<Part> = parts.map(|less| Part::of(less, AtLeast, at[0])).collect();
    let frechet = measure.samples(SHALLOW, "Fréchet distance", Source::Prior, FRECHET)?;
    let of_roots = [
        moved_here.mean("change of the distance's root"),
        moved_there.mean("change of the distance's root in the deeper net"),
    ];
    let measured = shallow.measured().into_iter().chain([here, there]);
    let measured = measured.chain(of_gaps).chain(frechet.measured());
    let measured = measured.chain(of_roots).chain(of_samples);
    Ok(Decided::new([Part::all(&parts)], measured))
}

fn deep_less_uniform(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let gaps = measure.shape(DEEP, "gaps", |shape| unless_flat(&shape.gaps))?;
    let discrepancy =
        measure.shape(DEEP, "discrepancy", |shape| unless_flat(&shape.discrepancy))?;
    let differences = [
        gaps.difference("difference of the gaps"),
        discrepancy.difference("difference of the discrepancy"),
    ];
    let parts = differences
        .each_ref()
        .map(|difference| Part::of(difference, AtLeast, at[0]));
    let pairs = [gaps, discrepancy].map(Compared::measured);
    let measured = pairs
        .into_iter()
        .zip(differences)
        .flat_map(|([with, without], difference)| [with, without, difference]);
    Ok(Decided::new([Part::all(&parts)], measured))
}

fn deep_more_distorted(drawing: &Drawing<'_>, _: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let precision: (Quantity, Against) = (|images| images.precision, Against::Difference);
    let frechet = measure.samples(DEEP, "Fréchet distance", Source::Prior, FRECHET)?;
    let precision = measure.samples(DEEP, "precision", Source::Prior, precision)?;
    let fitted = measure.samples(
        DEEP,
        "Fréchet distance, fitted normal",
        Source::Fitted,
        FRECHET,
    )?;
    let parts = [
        Part::of(&frechet.derived, AtLeast, 1.0),
        Part::of(&precision.derived, AtMost, 0.0),
    ];
    let measured = frechet.measured().into_iter();
    let measured = measured.chain(precision.measured());
    Ok(Decided::new(
        [Part::all(&parts)],
        measured.chain(fitted.compared.measured()),
    ))
}

fn depth_reconstructs_better(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let of = |key| reconstruction::measured(drawing, key);
    let [shallow, deep] = [of(SHALLOW.with)?, of(DEEP.with)?];
    let [shallow_without, deep_without] = [of(SHALLOW.without)?, of(DEEP.without)?];
    let gain = deep.minus(&shallow, "difference with sampling");
    let gain_without = deep_without.minus(&shallow_without, "difference without");
    let parts = [&gain, &gain_without].map(|gain| Part::of(gain, AtMost, -at[0]));
    Ok(Decided::new(
        [Part::all(&parts)],
        [
            shallow,
            deep,
            gain,
            shallow_without,
            deep_without,
            gain_without,
        ],
    ))
}

fn slightly_better_without(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let of = |key| reconstruction::measured(drawing, key);
    let [with, without] = [of(DEEP.with)?, of(DEEP.without)?];
    let gain = without.minus(&with, "difference");
    let at_mean = |key: &str| {
        let name = format!("{}, z = μ", drawing.title(key));
        drawing.over_seeds(key, &name, |run| reconstruction::at_mean(drawing, run))
    };
    let [with_at_mean, without_at_mean] = [at_mean(DEEP.with)?, at_mean(DEEP.without)?];
    let gain_at_mean = without_at_mean.minus(&with_at_mean, "difference at z = μ");
    let parts = [
        Part::within(&gain, -at[0], 0.0),
        Part::within(&gain_at_mean, -at[0], at[0]),
    ];
    let noise = gain.mean() < 0.0 && gain_at_mean.mean() >= 0.0;
    let caveat = noise.then(|| {
        format!(
            "At z = μ, without the noise of sampling, it is worse by {} nats: what is gained is \
             the noise.",
            in_short(gain_at_mean.mean())
        )
    });
    let measured = [
        with,
        without,
        gain,
        with_at_mean,
        without_at_mean,
        gain_at_mean,
    ];
    Ok(Decided::new([Part::all(&parts)], measured).but(caveat))
}

/// How like a sphere the codes of three latent variables are. A run with a
/// collapsed variable is like a disc whatever the others are: how often that
/// happens is one thing, and how round the codes are where it does not another.
fn space_more_spherical(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let flat = measure.shape(SPACE, "collapsed", |shape| {
        Ok(f64::from(u8::from(shape.is_flat())))
    })?;
    let collapsed: BTreeSet<u64> = [&flat.with, &flat.without]
        .into_iter()
        .flat_map(|of| &of.by_seed)
        .filter(|(_, is_flat)| **is_flat > 0.0)
        .map(|(seed, _)| *seed)
        .collect();
    // Both models of a seed, so that the others still are pairs.
    let round = |what: &str, value: fn(&Shape) -> Option<f64>| -> Result<Compared, Error> {
        let of = measure.shape(SPACE, what, |shape| known(value(shape), UNVARYING))?;
        let apart = |of: Measured| of.apart_from(&collapsed).on(Scale::Count);
        Ok(Compared {
            with: apart(of.with),
            without: apart(of.without),
        })
    };
    let stretch = round("eigenvalue ratio", |shape| shape.eigenvalue_ratio)?;
    let radius = round("radius distance", |shape| shape.radius_distance)?;
    let directions = round("Bingham's statistic", |shape| shape.bingham)?;
    let differences = [&stretch, &radius, &directions].map(|of| of.difference("difference"));
    let parts = [
        Part::of(&differences[0], AtMost, at[0]),
        Part::of(&differences[1], AtLeast, at[0]),
        Part::of(&differences[2], AtLeast, at[0]),
    ];
    let shares = [flat.with, flat.without].map(|of| {
        let name = format!(
            "share of trainings with a collapsed variable, {}",
            title(&of)
        );
        share_of_trainings(&name, &of, |is_flat| is_flat > 0.0)
    });
    let measured = [stretch, radius, directions].map(Compared::measured);
    let each = measured.into_iter().zip(differences);
    let measured = each.flat_map(|(pair, difference)| pair.into_iter().chain([difference]));
    Ok(Decided::new([Part::all(&parts)], measured.chain(shares)))
}

/// What a measurement is called after its first comma: the model.
fn title(measured: &Measured) -> &str {
    let (_, title) = measured.name.split_once(", ").unwrap_or_default();
    title
}

fn space_very_bad(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let coverage: (Quantity, Against) = (|images| images.coverage, Against::Ratio);
    let frechet = measure.samples(SPACE, "Fréchet distance", Source::Prior, FRECHET)?;
    let coverage = measure.samples(SPACE, "coverage", Source::Prior, coverage)?;
    let fitted = measure.samples(
        SPACE,
        "Fréchet distance, fitted normal",
        Source::Fitted,
        FRECHET,
    )?;
    let real = Measurement::of(floor_by_each_classifier(drawing))?;
    let of_real = real.map(|real| floors(real, |images| images.coverage));
    let of_real = of_real.get().cloned().unwrap_or_default();
    let reached = coverage
        .without
        .with(&of_real, |own, real| 100.0 * own / real);
    let reached = reached.mean("coverage without sampling, % of real images'");
    let parts = [
        Part::of(&frechet.derived, AtLeast, 1.0),
        Part::of(&reached, AtMost, at[0]),
    ];
    let caveat = as_good_where_its_codes_are(&frechet, &fitted);
    let measured = frechet.measured().into_iter();
    let measured = measured.chain(coverage.measured()).chain([reached]);
    let measured = measured.chain(fitted.compared.measured());
    Ok(Decided::new([Part::all(&parts)], measured).but(caveat))
}

/// That the model without sampling is as good as the VAE when it is sampled where
/// its codes are.
fn as_good_where_its_codes_are(prior: &Sampled, fitted: &Sampled) -> Option<String> {
    let [vae, own] = [&prior.compared.with, &fitted.compared.without].map(Measured::mean);
    (own <= vae).then(|| {
        format!(
            "From a normal distribution fitted to its own codes the model without sampling lies {} \
             from real images, and the VAE {} from N(0, I).",
            in_short(own),
            in_short(vae)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(values: &[(u64, f64)]) -> Measured {
        Measured::new("m", values.iter().copied().collect(), Vec::new())
    }

    #[test]
    fn models_are_compared_seed_by_seed() {
        let compared = Compared {
            with: measured(&[(0, 2.0), (1, 4.0)]),
            without: measured(&[(0, 3.0), (1, 2.0), (2, 9.0)]),
        };
        assert_eq!(
            compared.difference("d").by_seed,
            [(0, 1.0), (1, -2.0)].into()
        );
    }

    #[test]
    fn models_are_named_after_the_quantity() {
        let named = Measured {
            name: "collapsed, VAE 784-256-3".into(),
            ..measured(&[(0, 1.0)])
        };
        assert_eq!(title(&named), "VAE 784-256-3");
    }
}
