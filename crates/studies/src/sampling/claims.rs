//! What document 003 says about sampling, held against the numbers.

use evaluation::statistics::Claim::{AtLeast, AtMost};

use super::reconstruction;
use super::{DEEP, Pair, SHALLOW, SPACE};
use crate::Drawing;
use crate::claims::{Claim, Decide, Decided, Part, claim, in_short, times};
use crate::measures::shape::{Shape, UNVARYING, shape, unless_flat};
use figures::Measured;
use figures::absence::known;
use figures::image_quality::{Quantity, Source, image_quality};
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

    /// Without over with sampling, seed by seed.
    fn ratio(&self, name: &str) -> Measured {
        self.without.over(&self.with, name)
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

    fn generation(
        &self,
        pair: Pair,
        what: &str,
        source: Source,
        value: Quantity,
    ) -> Result<Compared, Error> {
        self.compared(pair, what, |run| {
            Ok(value(&image_quality(self.drawing, run, source)?))
        })
    }
}

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("003.4", shallow_hardly_changes),
    ("003.5", deep_less_uniform),
    ("003.6", deep_more_distorted),
    ("003.7", depth_reconstructs_better),
    ("003.8", slightly_better_without),
    ("003.9", space_more_spherical),
    ("003.10", space_very_bad),
];

/// What sampling in training is good for.
pub(super) fn answer(claims: &[Claim]) -> Option<String> {
    let [shallow, space] = [claim(claims, "003.4")?, claim(claims, "003.10")?];
    // Of the Fréchet distances, without over with.
    let flat = shallow.mean(4)? / shallow.mean(3)?;
    let mut text = format!(
        "Images made at random by a model trained without sampling lie {} from real ones as those \
         of a VAE in the small net with two latent variables, and {} in the deep net with three",
        times(flat, "far"),
        times(space.mean(1)? / space.mean(0)?, "far"),
    );
    let gain = claim(claims, "003.8").and_then(|claim| claim.mean(2));
    if let Some(gain) = gain.filter(|gain| in_short(gain.abs()) != "0") {
        let word = if gain < 0.0 { "better" } else { "worse" };
        text.push_str(&format!(
            "; its reconstructions are {word} by {} nats in the deep net with two",
            in_short(gain.abs())
        ));
    }
    Some(text + ".")
}

/// By which factor a number differs from 1.
fn factor(ratio: &Measured, name: &str) -> Measured {
    let away = |value: f64| value.max(1.0 / value);
    let values = ratio
        .by_seed
        .iter()
        .map(|(seed, value)| (*seed, away(*value)));
    Measured::new(name, values.collect(), ratio.diverged.clone()).without(ratio.missing.clone())
}

fn shallow_hardly_changes(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let gaps = measure.shape(SHALLOW, "gaps", |shape| unless_flat(&shape.gaps))?;
    let frechet = measure.generation(SHALLOW, "Fréchet distance", Source::Prior, |images| {
        images.frechet
    })?;
    let change = gaps
        .without
        .paired(&gaps.with, "change of the gaps", |without, with| {
            (without - with).abs()
        });
    let worse = factor(&frechet.ratio(""), "factor of the Fréchet distance");
    Ok(Decided::new(
        [
            Part::of(&change, AtMost, at[0]),
            Part::of(&worse, AtMost, at[1]),
        ],
        listed([gaps.measured(), frechet.measured()], [change, worse]),
    ))
}

fn deep_less_uniform(drawing: &Drawing<'_>, _: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let gaps = measure.shape(DEEP, "gaps", |shape| unless_flat(&shape.gaps))?;
    let discrepancy =
        measure.shape(DEEP, "discrepancy", |shape| unless_flat(&shape.discrepancy))?;
    let more_gaps = gaps.difference("difference of the gaps");
    let farther = discrepancy.difference("difference of the discrepancy");
    Ok(Decided::new(
        [
            Part::of(&more_gaps, AtLeast, 0.0),
            Part::of(&farther, AtLeast, 0.0),
        ],
        listed(
            [gaps.measured(), discrepancy.measured()],
            [more_gaps, farther],
        ),
    ))
}

fn deep_more_distorted(drawing: &Drawing<'_>, _: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let samples = samples(
        measure,
        DEEP,
        ("precision", |images| images.precision),
        ("difference", Compared::difference),
    )?;
    Ok(Decided::new(samples.parts(0.0, 0.0), samples.measured()))
}

fn depth_reconstructs_better(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let of = |key| reconstruction::measured(drawing, key);
    let [shallow, deep] = [of(SHALLOW.with)?, of(DEEP.with)?];
    let [shallow_without, deep_without] = [of(SHALLOW.without)?, of(DEEP.without)?];
    let gain = deep.minus(&shallow, "difference with sampling");
    let gain_without = deep_without.minus(&shallow_without, "difference without");
    Ok(Decided::new(
        [
            Part::of(&gain, AtMost, -at[0]),
            Part::of(&gain_without, AtMost, -at[0]),
        ],
        vec![
            shallow,
            deep,
            gain,
            shallow_without,
            deep_without,
            gain_without,
        ],
    ))
}

fn slightly_better_without(drawing: &Drawing<'_>, _: &[f64]) -> Result<Decided, Error> {
    let of = |key| reconstruction::measured(drawing, key);
    let [shallow, with, without] = [of(SHALLOW.with)?, of(DEEP.with)?, of(DEEP.without)?];
    let gain = without.minus(&with, "difference of sampling");
    let depth = with.minus(&shallow, "difference of depth");
    // Both are negative for an improvement.
    let less_than_depth = gain.minus(&depth, "the first minus the second");
    Ok(Decided::new(
        [
            Part::of(&gain, AtMost, 0.0),
            Part::of(&less_than_depth, AtLeast, 0.0),
        ],
        vec![with, without, gain, depth, less_than_depth],
    ))
}

fn space_more_spherical(drawing: &Drawing<'_>, _: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let stretch = measure.shape(SPACE, "eigenvalue ratio", |shape| {
        known(shape.eigenvalue_ratio, UNVARYING)
    })?;
    let radius = measure.shape(SPACE, "radius distance", |shape| {
        known(shape.radius_distance, UNVARYING)
    })?;
    let directions = measure.shape(SPACE, "Bingham's statistic", |shape| {
        known(shape.bingham, UNVARYING)
    })?;
    let differences = [&stretch, &radius, &directions].map(|of| of.difference("difference"));
    let parts = [
        Part::of(&differences[0], AtMost, 0.0),
        Part::of(&differences[1], AtLeast, 0.0),
        Part::of(&differences[2], AtLeast, 0.0),
    ];
    let measured = [stretch, radius, directions].map(Compared::measured);
    let each = measured.into_iter().zip(differences);
    let measured = each.flat_map(|(pair, difference)| pair.into_iter().chain([difference]));
    Ok(Decided::new(parts, measured))
}

fn space_very_bad(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measure = &Measure { drawing };
    let samples = samples(
        measure,
        SPACE,
        ("coverage", |images| images.coverage),
        ("ratio", Compared::ratio),
    )?;
    Ok(Decided::new(
        samples.parts(at[0], at[1]),
        samples.measured(),
    ))
}

/// The samples of both models of an architecture.
struct Samples {
    frechet: Compared,
    /// Of a quantity that is the smaller the worse.
    share: Compared,
    /// Without sampling against with it, for the distance and the share.
    derived: [Measured; 2],
    /// The distance of samples from a normal distribution fitted to the codes.
    fitted: Compared,
}

/// Measures the samples of an architecture by their Fréchet distance and a
/// second quantity, and holds the models against each other.
fn samples(
    measure: &Measure<'_, '_>,
    pair: Pair,
    (share_name, share): (&str, Quantity),
    (against_name, against): (&str, fn(&Compared, &str) -> Measured),
) -> Result<Samples, Error> {
    let distance: Quantity = |images| images.frechet;
    let frechet = measure.generation(pair, "Fréchet distance", Source::Prior, distance)?;
    let share = measure.generation(pair, share_name, Source::Prior, share)?;
    Ok(Samples {
        derived: [
            against(&frechet, &format!("{against_name} of the distance")),
            against(&share, &format!("{against_name} of the {share_name}")),
        ],
        frechet,
        share,
        fitted: measure.generation(
            pair,
            "Fréchet distance, fitted normal",
            Source::Fitted,
            distance,
        )?,
    })
}

impl Samples {
    /// The parts of "worse without sampling": the distance at least and the
    /// share at most so much against that with sampling.
    fn parts(&self, distance: f64, share: f64) -> [Part; 2] {
        [
            Part::of(&self.derived[0], AtLeast, distance),
            Part::of(&self.derived[1], AtMost, share),
        ]
    }

    fn measured(self) -> Vec<Measured> {
        let mut measured = listed(
            [self.frechet.measured(), self.share.measured()],
            self.derived,
        );
        measured.extend(self.fitted.measured());
        measured
    }
}

/// Each pair of measurements followed by what was derived from it.
fn listed(pairs: [[Measured; 2]; 2], derived: [Measured; 2]) -> Vec<Measured> {
    pairs
        .into_iter()
        .zip(derived)
        .flat_map(|([with, without], derived)| [with, without, derived])
        .collect()
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
        assert_eq!(compared.ratio("r").by_seed, [(0, 1.5), (1, 0.5)].into());
        assert_eq!(
            factor(&compared.ratio("r"), "f").by_seed,
            [(0, 1.5), (1, 2.0)].into()
        );
    }
}
