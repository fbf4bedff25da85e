//! The statements of document 003 about four, eight and sixteen latent
//! variables.

use evaluation::statistics::Claim::{AtLeast, AtMost};
use evaluation::statistics::{Evidence, Interval, Scale, proportion};

use super::spread::{self, COMPARISONS};
use super::{
    DEEP_4, DEEP_8, DEEP_16, SHALLOW_4, SHALLOW_8, SHALLOW_16, final_loss, unused_variables,
};
use crate::Drawing;
use crate::claims::{Decide, Decided, Part, in_short, share_of_trainings};
use crate::measures::evaluation;
use crate::measures::quality::{ByClassifier, floors};
use figures::absence::Measurement;
use figures::image_quality::{Quantity, Source, floor_by_each_classifier};
use figures::measured::Measured;
use runs::Error;

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("003.11", |d, _| by_spread(d, &COMPARISONS[..2])),
    ("003.12", collapse_at_four),
    ("003.13", |d, _| by_spread(d, &COMPARISONS[2..])),
    ("003.14", collapse_by_depth),
    ("003.15", |d, at| {
        slightly_better(d, at, [DEEP_16, SHALLOW_16], FIDELITY)
    }),
    ("003.16", |d, at| {
        slightly_better(d, at, [SHALLOW_4, DEEP_4], FIDELITY)
    }),
    ("003.19", modest),
    ("003.20", |d, at| {
        slightly_better(d, at, [DEEP_16, SHALLOW_16], DIVERSITY)
    }),
    ("003.21", |d, at| {
        slightly_better(d, at, [SHALLOW_4, DEEP_4], DIVERSITY)
    }),
    ("003.22", more_detail),
];

/// How real samples are, and how much of the data they reach.
const FIDELITY: (&str, Quantity) = ("precision", |quality| quality.precision);
const DIVERSITY: (&str, Quantity) = ("recall", |quality| quality.recall);

/// That the final losses of the first of each pair vary more over seeds. The
/// Brown–Forsythe test decides; the ratio with its interval from the F
/// distribution, which takes losses for normally distributed, is a remark.
fn by_spread(drawing: &Drawing<'_>, pairs: &[[&'static str; 2]]) -> Result<Decided, Error> {
    let mut measured = Vec::new();
    let mut keys: Vec<&'static str> = Vec::new();
    for key in pairs.iter().flatten() {
        if keys.iter().all(|known| known != key) {
            keys.push(*key);
        }
    }
    for key in keys {
        measured.push(final_loss(drawing, key)?);
    }
    let mut parts: Vec<Part> = Vec::new();
    for pair in pairs {
        let [first, second] = pair.map(|key| drawing.architecture(key));
        let name = format!("spread of {first} over that of {second}");
        let compared = Measured::together(name, spread::interval(drawing, *pair)?);
        measured.push(compared);
        parts.push(spread::evidence(drawing, *pair)?.into());
    }
    Ok(Decided::new([Part::all(&parts)], measured))
}

fn unused(drawing: &Drawing<'_>, key: &'static str) -> Result<Measured, Error> {
    let unused = drawing.over_seeds(key, &drawing.architecture(key), |run| {
        Ok(unused_variables(&evaluation(drawing, run)?) as f64)
    })?;
    Ok(unused.on(Scale::Count))
}

fn collapse_at_four(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measured = unused(drawing, DEEP_4)?;
    let share = share_of_trainings("share of trainings with a collapse", &measured, |count| {
        count > 0.0
    });
    let counts = measured.by_seed.values().filter(|count| **count > 0.0);
    let evidence = proportion(counts.count(), measured.by_seed.len(), AtLeast, at[0]);
    let evidence = evidence.unwrap_or(Evidence::NONE);
    Ok(Decided::new([evidence], [measured, share]))
}

/// That several collapse in the deeper nets, and more than in the others, at eight
/// and at sixteen.
fn collapse_by_depth(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let mut measured = Vec::new();
    let mut parts = Vec::new();
    for (latent, deep, shallow) in [(8, DEEP_8, SHALLOW_8), (16, DEEP_16, SHALLOW_16)] {
        let (first, second) = (unused(drawing, deep)?, unused(drawing, shallow)?);
        let name = format!("difference at {latent}");
        let difference = first.minus(&second, name);
        parts.push(Part::of(&first, AtLeast, at[0]));
        parts.push(Part::of(&difference, AtLeast, at[1]));
        measured.extend([first, second, difference]);
    }
    Ok(Decided::new([Part::all(&parts)], measured))
}

/// Samples of the first model are said to be slightly better than those of the
/// second: better by more than two samples of real images differ by chance, and
/// by less than half of what the second lacks to real images.
fn slightly_better(
    drawing: &Drawing<'_>,
    at: &[f64],
    [better, worse]: [&'static str; 2],
    (what, quantity): (&str, Quantity),
) -> Result<Decided, Error> {
    let of = |key: &str| ByClassifier::of(drawing, key, Source::Prior, quantity);
    let (first, second) = (of(better)?, of(worse)?);
    let real = Measurement::of(floor_by_each_classifier(drawing))?;
    let real = real.map(|real| floors(real, quantity));
    let real = real.get().cloned().unwrap_or_default();
    let gain = first.paired(&second, |first, second| first - second);
    let half_lacking = second.with(&real, |second, real| 0.5 * (real - second));
    let room = half_lacking.paired(&gain, |half, gain| half - gain);
    let share = gain.share_of_classifiers();
    let gain = gain.mean(format!("{what} difference"));
    let room = room.mean("half of what the latter lacks to real images, less the difference");
    let parts = [
        Part::of(&gain, AtLeast, at[0]),
        Part::of(&room, AtLeast, 0.0),
    ];
    let caveat = more_than_slightly(&gain, &room, at[0]);
    let named = |key: &str| format!("{what} {}", drawing.architecture(key));
    let of_real = real.iter().sum::<f64>() / real.len() as f64;
    let of_real = Interval::of_one(of_real);
    Ok(Decided::new(
        [Part::all(&parts)],
        [
            first.mean(named(better)),
            second.mean(named(worse)),
            gain,
            Measured::together(format!("{what} real images"), Some(of_real)),
            room,
            share,
        ],
    )
    .but(caveat))
}

/// That what refutes "slightly better" is that it is better by more.
fn more_than_slightly(gain: &Measured, room: &Measured, least: f64) -> Option<String> {
    (gain.mean() > least && room.mean() < 0.0).then(|| {
        format!(
            "It is better, and by more than slightly: {} are over half of what was lacking.",
            in_short(gain.mean())
        )
    })
}

fn modest(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let coverage: Quantity = |quality| quality.coverage;
    let real = Measurement::of(floor_by_each_classifier(drawing))?;
    let real = real.map(|real| floors(real, coverage));
    let real = real.get().cloned().unwrap_or_default();
    let own = ByClassifier::of(drawing, DEEP_4, Source::Prior, coverage)?;
    let reached = own.with(&real, |own, real| 100.0 * own / real);
    let share = reached.share_of_classifiers();
    let reached = reached.mean("% of the coverage of real images");
    let name = format!("coverage {}", drawing.architecture(DEEP_4));
    let part = Part::within(&reached, at[0], at[1]);
    Ok(Decided::new([part], [own.mean(name), reached, share]))
}

/// That sixteen latent variables reconstruct better than eight, in both nets.
fn more_detail(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let mut measured = Vec::new();
    let mut parts = Vec::new();
    for (more, fewer) in [(DEEP_16, DEEP_8), (SHALLOW_16, SHALLOW_8)] {
        let of = |key: &str| {
            drawing.over_seeds(key, &drawing.architecture(key), |run| {
                Ok(evaluation(drawing, run)?.reconstruction)
            })
        };
        let (more, fewer) = (of(more)?, of(fewer)?);
        let name = format!("{} − {}", more.name, fewer.name);
        let difference = more.minus(&fewer, name);
        parts.push(Part::of(&difference, AtMost, at[0]));
        measured.extend([more, fewer, difference]);
    }
    Ok(Decided::new([Part::all(&parts)], measured))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(values: [f64; 5]) -> Measured {
        Measured::new("m", (0..).zip(values).collect(), Vec::new())
    }

    #[test]
    fn more_than_slightly_is_said_where_it_refutes() {
        let gain = measured([0.06, 0.07, 0.06, 0.07, 0.06]);
        let room = measured([-0.03, -0.04, -0.03, -0.04, -0.03]);
        let said = more_than_slightly(&gain, &room, 0.01).unwrap();
        assert!(said.contains("by more than slightly: 0.06"), "{said}");
        assert_eq!(more_than_slightly(&gain, &gain, 0.01), None);
        assert_eq!(more_than_slightly(&room, &room, 0.01), None);
    }
}
