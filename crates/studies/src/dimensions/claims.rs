//! The statements of document 003 about four, eight and sixteen latent
//! variables.

use evaluation::statistics::Claim::AtMost;
use evaluation::statistics::{
    Interval, SpreadComparison, Verdict, combined_verdict, proportion_interval,
};

use super::spread::{self, COMPARISONS};
use super::{DEEP_4, DEEP_8, DEEP_16, SHALLOW_4, SHALLOW_8, SHALLOW_16, collapsed, final_loss};
use crate::Drawing;
use crate::claims::{Claim, Decide, Decided, claim, in_short};
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
    let mut verdicts = Vec::new();
    for pair in pairs {
        let compared = spread::compare(drawing, *pair)?;
        let [first, second] = pair.map(|key| drawing.architecture(key));
        let name = format!("spread of {first} over that of {second}");
        measured.push(ratio(name, compared, drawing.scale.seeds));
        verdicts.push(spread_verdict(compared));
    }
    Ok(Decided::new(combined_verdict(&verdicts), measured))
}

fn ratio(name: String, compared: Option<SpreadComparison>, n: usize) -> Measured {
    let interval = compared.map(|compared| Interval {
        n,
        mean: compared.ratio,
        standard_deviation: None,
        lower: Some(compared.lower),
        upper: Some(compared.upper),
    });
    Measured::together(name, interval)
}

fn spread_verdict(compared: Option<SpreadComparison>) -> Verdict {
    match compared {
        Some(compared) if compared.lower > 1.0 => Verdict::Supported,
        Some(compared) if compared.upper < 1.0 => Verdict::Refuted,
        _ => Verdict::Undecided,
    }
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
        share.map_or(Verdict::Undecided, |share| above(&share, at[0])),
        vec![
            measured,
            Measured::together("share of trainings with a collapse", share),
        ],
    ))
}

fn collapse_by_depth(drawing: &Drawing<'_>, _: &[f64]) -> Result<Decided, Error> {
    let mut measured = Vec::new();
    let mut verdicts = Vec::new();
    for (latent, deep, shallow) in [(8, DEEP_8, SHALLOW_8), (16, DEEP_16, SHALLOW_16)] {
        let (first, second) = (unused(drawing, deep)?, unused(drawing, shallow)?);
        let name = format!("difference at {latent}");
        let difference = first.minus(&second, name);
        verdicts.push(
            difference
                .interval
                .map_or(Verdict::Undecided, |i| above(&i, 0.0)),
        );
        measured.extend([first, second, difference]);
    }
    Ok(Decided::new(combined_verdict(&verdicts), measured))
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
    let mut verdicts = Vec::new();
    let quantities: [(&str, Quantity, bool); 2] = [
        ("Fréchet", |q| q.frechet, false),
        ("coverage", |q| q.coverage, true),
    ];
    for (what, of, higher_is_better) in quantities {
        let (first, second) = (value(better, what, of)?, value(worse, what, of)?);
        let difference = first.minus(&second, format!("{what} difference"));
        let gain = if higher_is_better {
            difference.interval
        } else {
            second.minus(&first, "").interval
        };
        verdicts.push(gain.map_or(Verdict::Undecided, |gain| above(&gain, 0.0)));
        let floor = reached(of).map(|mean| Interval {
            n: 1,
            mean,
            standard_deviation: None,
            lower: None,
            upper: None,
        });
        measured.extend([
            first,
            second,
            difference,
            Measured::together(format!("{what} real images"), floor),
        ]);
    }
    Ok(Decided::new(combined_verdict(&verdicts), measured))
}

/// Verdict on "more than `threshold`"; equal is not more.
fn above(interval: &Interval, threshold: f64) -> Verdict {
    match evaluation::statistics::verdict(interval, AtMost, threshold) {
        Verdict::Supported => Verdict::Refuted,
        Verdict::Refuted => Verdict::Supported,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use evaluation::statistics::{spread_comparison, t_interval};

    use super::*;

    #[test]
    fn equal_is_not_more() {
        let of = |values: &[f64]| above(&t_interval(values, LEVEL).unwrap(), 0.0);
        assert_eq!(of(&[0.0, 0.0, 0.0]), Verdict::Refuted);
        assert_eq!(of(&[1.0, 1.0, 1.0]), Verdict::Supported);
        assert_eq!(of(&[0.0, 1.0, 0.0]), Verdict::Undecided);
        assert_eq!(of(&[-2.0, -2.1, -2.2]), Verdict::Refuted);
    }

    #[test]
    fn a_single_seed_says_nothing_about_spread() {
        assert_eq!(
            spread_verdict(spread_comparison(&[1.0], &[2.0], LEVEL).ok()),
            Verdict::Undecided
        );
        let narrow = [1.0, 1.01, 0.99, 1.0, 1.02];
        let wide = [1.0, 3.0, -2.0, 5.0, 0.0];
        let of = |a, b| spread_verdict(spread_comparison(a, b, LEVEL).ok());
        assert_eq!(of(&wide, &narrow), Verdict::Supported);
        assert_eq!(of(&narrow, &wide), Verdict::Refuted);
        assert_eq!(of(&wide, &wide), Verdict::Undecided);
    }
}
