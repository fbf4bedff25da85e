//! The statements of document 003 about four, eight and sixteen latent
//! variables.

use evaluation::statistics::Claim::AtLeast;
use evaluation::statistics::{
    Evidence, Interval, SpreadComparison, Verdict, proportion, proportion_interval,
};

use super::spread::{self, COMPARISONS};
use super::{DEEP_4, DEEP_8, DEEP_16, SHALLOW_4, SHALLOW_8, SHALLOW_16, collapsed, final_loss};
use crate::Drawing;
use crate::claims::{Claim, Decide, Decided, Part, claim, in_short};
use crate::measures::evaluation;
use figures::absence::Measurement;
use figures::image_quality::{self, Quantity, Source, image_quality};
use figures::measured::{LEVEL, Measured};
use figures::wording::spelled;
use runs::Error;

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("003.11", |d, _| by_spread(d, &COMPARISONS[..2])),
    ("003.12", collapse_at_four),
    ("003.13", |d, _| by_spread(d, &COMPARISONS[2..])),
    ("003.14", collapse_by_depth),
    ("003.15", |d, _| by_samples(d, [DEEP_16, SHALLOW_16])),
    ("003.16", |d, _| by_samples(d, [SHALLOW_4, DEEP_4])),
];

/// How many latent variables are left unused.
pub(super) fn answer(claims: &[Claim]) -> Option<String> {
    let [four, more] = [claim(claims, "003.12")?, claim(claims, "003.14")?];
    let trainings = four.measured.first()?.by_seed.len();
    let collapses = (four.mean(1)? * trainings as f64).round() as usize;
    let mut text = format!(
        "With four latent variables at least one was left unused in {} of {} trainings of the deep \
         net",
        if collapses == 0 {
            "none".into()
        } else {
            spelled(collapses)
        },
        spelled(trainings),
    );
    if four.verdict == Verdict::Undecided {
        text.push_str(", too few to say how often that happens");
    }
    if let (Some(deep), Some(shallow)) = (more.mean(3), more.mean(4)) {
        text.push_str(&format!(
            "; of sixteen the deep net leaves {} unused and the one with fewer layers {}",
            in_short(deep),
            in_short(shallow)
        ));
    }
    Some(text + ".")
}

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
    let mut parts = Vec::new();
    for pair in pairs {
        let compared = spread::compare(drawing, *pair)?;
        let [first, second] = pair.map(|key| drawing.architecture(key));
        let name = format!("spread of {first} over that of {second}");
        measured.push(ratio(name, compared, drawing.scale.seeds));
        parts.push(spread::evidence(drawing, *pair)?);
    }
    Ok(Decided::new(parts, measured))
}

fn ratio(name: String, compared: Option<SpreadComparison>, n: usize) -> Measured {
    let interval = compared.map(|compared| compared.interval(n, LEVEL));
    Measured::together(name, interval)
}

fn unused(drawing: &Drawing<'_>, key: &'static str) -> Result<Measured, Error> {
    drawing.over_seeds(key, &drawing.architecture(key), |run| {
        Ok(collapsed(&evaluation(drawing, run)?) as f64)
    })
}

fn collapse_at_four(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measured = unused(drawing, DEEP_4)?;
    let n = measured.by_seed.len();
    let collapses = measured
        .by_seed
        .values()
        .filter(|&&count| count > 0.0)
        .count();
    let share = proportion_interval(collapses, n, LEVEL).ok();
    Ok(Decided::new(
        [proportion(collapses, n, AtLeast, at[0]).unwrap_or(Evidence::NONE)],
        vec![
            measured,
            Measured::together("share of trainings with a collapse", share),
        ],
    ))
}

fn collapse_by_depth(drawing: &Drawing<'_>, _: &[f64]) -> Result<Decided, Error> {
    let mut measured = Vec::new();
    let mut parts = Vec::new();
    for (latent, deep, shallow) in [(8, DEEP_8, SHALLOW_8), (16, DEEP_16, SHALLOW_16)] {
        let (first, second) = (unused(drawing, deep)?, unused(drawing, shallow)?);
        let name = format!("difference at {latent}");
        let difference = first.minus(&second, name);
        parts.push(Part::beyond(&difference, AtLeast, 0.0));
        measured.extend([first, second, difference]);
    }
    Ok(Decided::new(parts, measured))
}

/// Samples of the first model are said to be better than those of the second.
fn by_samples(drawing: &Drawing<'_>, [better, worse]: [&'static str; 2]) -> Result<Decided, Error> {
    let value = |key: &str, what: &str, of: Quantity| {
        drawing.over_seeds(
            key,
            &format!("{what} {}", drawing.architecture(key)),
            |run| Ok(of(&image_quality(drawing, run, Source::Prior)?)),
        )
    };
    let floor = Measurement::of(image_quality::floor(drawing))?;
    let reached = |of: Quantity| floor.get().map(of).ok();
    let mut measured = Vec::new();
    let mut parts = Vec::new();
    let quantities: [(&str, Quantity, bool); 2] = [
        ("Fréchet", |q| q.frechet, false),
        ("coverage", |q| q.coverage, true),
    ];
    for (what, of, higher_is_better) in quantities {
        let (first, second) = (value(better, what, of)?, value(worse, what, of)?);
        let difference = first.minus(&second, format!("{what} difference"));
        let gain = if higher_is_better {
            difference.clone()
        } else {
            second.minus(&first, "")
        };
        parts.push(Part::beyond(&gain, AtLeast, 0.0));
        let floor = reached(of).map(Interval::of_one);
        measured.extend([
            first,
            second,
            difference,
            Measured::together(format!("{what} real images"), floor),
        ]);
    }
    Ok(Decided::new(parts, measured))
}
