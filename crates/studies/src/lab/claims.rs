//! The statements of documents 000 and 001 about the maps, held against
//! measurements.

use evaluation::overlap::Overlap;
use evaluation::statistics::Claim::{AtLeast, AtMost};
use evaluation::statistics::Verdict;

use super::LAB_AE;
use super::measures::{Ring, aggregate, excess_at_origin, fine_map};
use crate::claims::{Claim, Decide, Decided, Part, claim, in_short, times, verdict_of};
use crate::measures::map::{MapNumbers, on_own_codes, on_the_map};
use crate::{Drawing, TrainedRun};
use figures::Measured;
use runs::Error;

/// Of the measurements about change: the VAE's over the exercise's autoencoder's.
const CHANGE_RATIO: usize = 6;

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("000.1", kinds_of_the_vae),
    ("000.2", kinds_of_the_ae),
    ("000.3", fast_and_hardly),
    ("000.4", overlap),
    ("000.5", variety),
    ("001.1", smoothness),
    ("001.2", captured),
];

/// What the maps show.
pub(super) fn answer(claims: &[Claim]) -> Option<String> {
    let [kinds, change] = [claim(claims, "000.1")?, claim(claims, "000.3")?];
    let mut text = format!(
        "Decoded from the same square of codes, from −4 to 4 on both axes, the VAE's map shows {} \
         kinds of object and that of the exercise's autoencoder {}",
        in_short(kinds.mean(0)?),
        in_short(kinds.mean(2)?),
    );
    if let Some(ratio) = change.mean(CHANGE_RATIO) {
        text.push_str(&format!(
            "; from one image to the next the VAE's map changes {}",
            times(ratio, "fast")
        ));
    }
    Some(text + ".")
}

/// That the layers, and not the VAE, make the map change fast.
fn by_its_layers(whole: &[Measured; 3], verdict: Verdict) -> Option<String> {
    let [vae, alike, _] = whole.each_ref().map(Measured::mean);
    let is_reached = alike >= 0.5 * vae && verdict != Verdict::Refuted;
    is_reached.then(|| {
        format!(
            "The autoencoder of the VAE's own layers changes by {} % where the VAE does by {} %: \
             less than half of the speed is the VAE's doing.",
            in_short(alike),
            in_short(vae)
        )
    })
}

/// A number of each model's map, over seeds: VAE, AE of its architecture, the
/// lab's AE.
fn of_each(
    drawing: &Drawing<'_>,
    suffix: &str,
    map: fn(&Drawing<'_>, &TrainedRun) -> Result<MapNumbers, Error>,
    value: impl Fn(&MapNumbers) -> Result<f64, Error>,
) -> Result<[Measured; 3], Error> {
    let over = |key: &'static str| -> Result<Measured, Error> {
        let title = drawing.title(key);
        drawing.over_seeds(key, &format!("{title}{suffix}"), |run| {
            value(&map(drawing, run)?)
        })
    };
    Ok([over("vae")?, over("ae")?, over(LAB_AE)?])
}

fn kinds(drawing: &Drawing<'_>) -> Result<[Measured; 3], Error> {
    of_each(drawing, "", on_the_map, MapNumbers::kinds)
}

fn kinds_of_the_vae(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measured = kinds(drawing)?;
    let part = Part::of(&measured[0], AtLeast, at[0]);
    Ok(Decided::new([part], measured))
}

fn kinds_of_the_ae(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measured = kinds(drawing)?;
    let part = Part::of(&measured[2], AtMost, at[0]);
    Ok(Decided::new([part], measured))
}

fn fast_and_hardly(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let whole = of_each(drawing, ", whole map", on_the_map, |n| {
        Ok(100.0 * n.mean_change())
    })?;
    let centre = of_each(drawing, ", centre", on_the_map, |n| {
        Ok(100.0 * n.centre_change())
    })?;
    let shallow = drawing.title(LAB_AE);
    let ratios = [
        whole[0].over(&whole[2], format!("VAE / {shallow}, whole map (ratio)")),
        centre[0].over(&centre[2], format!("VAE / {shallow}, centre (ratio)")),
    ];
    let parts = ratios
        .each_ref()
        .map(|ratio| Part::of(ratio, AtLeast, at[0]));
    let caveat = by_its_layers(&whole, verdict_of(&parts));
    let measured = whole.into_iter().chain(centre).chain(ratios);
    Ok(Decided::new(parts, measured).but(caveat))
}

fn overlap(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let covering = |name: &str, value: fn(&[f64]) -> f64| {
        drawing.over_seeds("vae", name, |run| {
            aggregate(drawing, run).map(|found| value(&found.covering))
        })
    };
    let excess = covering("VAE, disc minus the fullest ring", excess_at_origin)?;
    Ok(Decided::new(
        [Part::of(&excess, AtLeast, at[0])],
        vec![
            covering("VAE, disc at the origin", |rings| rings[0])?,
            covering("VAE, fullest ring", |rings| {
                rings[1..].iter().copied().fold(f64::NEG_INFINITY, f64::max)
            })?,
            excess,
            of_overlap(drawing, "VAE, at the origin itself", |overlap| {
                overlap[0].covering
            })?,
            of_overlap(
                drawing,
                "VAE, distance of the most covered points",
                |overlap| {
                    let most = overlap
                        .iter()
                        .max_by(|a, b| a.covering.total_cmp(&b.covering));
                    most.map_or(f64::NAN, |at| at.radius)
                },
            )?,
        ],
    ))
}

fn of_overlap(
    drawing: &Drawing<'_>,
    name: &str,
    value: fn(&[Overlap]) -> f64,
) -> Result<Measured, Error> {
    drawing.over_seeds("vae", name, |run| {
        aggregate(drawing, run).map(|found| value(&found.overlap))
    })
}

fn variety(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let rings = |name: &str, value: fn(&Ring) -> Result<f64, Error>| {
        let title = drawing.title("vae");
        drawing.over_seeds("vae", &format!("{title}, {name}"), |run| {
            let rings: Result<Vec<f64>, Error> =
                fine_map(drawing, run)?.rings.iter().map(value).collect();
            Ok(excess_at_origin(&rings?))
        })
    };
    let change = rings("image change, disc minus the largest ring", |ring| {
        Ok(ring.change)
    })?;
    let borders = rings("class borders, disc minus the largest ring", |ring| {
        ring.borders()
    })?;
    Ok(Decided::new(
        [
            Part::of(&change, AtLeast, at[0]),
            Part::of(&borders, AtLeast, at[1]),
        ],
        vec![change, borders],
    ))
}

fn smoothness(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let same = of_each(
        drawing,
        ", −4 … 4, largest/mean",
        on_the_map,
        |numbers| Ok(numbers.unevenness()),
    )?;
    let own = of_each(
        drawing,
        ", own codes, largest (%)",
        on_own_codes,
        |numbers| Ok(100.0 * numbers.largest_change()),
    )?;
    let differences = [
        same[0].minus(&same[2], "VAE − AE without a hidden layer, largest/mean"),
        own[0].minus(&own[2], "VAE − AE without a hidden layer, own codes"),
        same[0].minus(&same[1], "VAE − AE of its architecture, largest/mean"),
        own[0].minus(&own[1], "VAE − AE of its architecture, own codes"),
    ];
    let parts = differences
        .each_ref()
        .map(|difference| Part::of(difference, AtMost, at[0]));
    Ok(Decided::new(
        parts,
        same.into_iter().chain(own).chain(differences),
    ))
}

fn captured(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let kinds = of_each(drawing, ", kinds", on_the_map, MapNumbers::kinds)?;
    let explained = of_each(drawing, ", explained (%)", on_the_map, |n| {
        Ok(100.0 * n.explained)
    })?;
    let shallow = drawing.title(LAB_AE);
    let differences = [
        kinds[0].minus(&kinds[2], format!("VAE − {shallow}, kinds")),
        explained[0].minus(&explained[2], format!("VAE − {shallow}, explained")),
    ];
    let parts = [
        Part::of(&differences[0], AtLeast, at[0]),
        Part::of(&differences[1], AtLeast, at[1]),
    ];
    Ok(Decided::new(
        parts,
        kinds.into_iter().chain(explained).chain(differences),
    ))
}
