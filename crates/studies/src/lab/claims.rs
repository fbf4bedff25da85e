//! The statements of documents 000 and 001 about the maps, held against
//! measurements.

use evaluation::overlap::Overlap;
use evaluation::statistics::Claim::{AtLeast, AtMost};
use evaluation::statistics::Scale;

use super::LAB_AE;
use super::held::{Held, held};
use super::measures::{Ring, aggregate, excess_at_origin, fine_map, largest_of_others, ring_means};
use crate::claims::{Decide, Decided, Part, in_short, share_of_trainings};
use crate::measures::map::{MapNumbers, on_own_codes, on_the_map};
use crate::{Drawing, TrainedRun};
use figures::Measured;
use runs::Error;

pub(super) const DECISIONS: &[(&str, Decide)] = &[
    ("000.1", kinds_of_the_vae),
    ("000.2", kinds_of_the_ae),
    ("000.3", fast_and_hardly),
    ("000.4", overlap),
    ("000.5", variety),
    ("000.6", centres),
    ("000.7", greatest_density),
    ("000.8", kept_apart),
    ("000.9", trade_off),
    ("001.1", smoothness),
    ("001.2", captured),
    ("001.3", smooth_by_distributions),
    ("001.4", generalises),
    ("001.5", in_detail),
];

/// That the layers, and not the VAE, make the map change fast.
fn by_its_layers(whole: &[Measured; 3]) -> Option<String> {
    let [vae, alike, _] = whole.each_ref().map(Measured::mean);
    (alike >= 0.5 * vae).then(|| {
        format!(
            "The autoencoder of the VAE's own layers changes by {} % where the VAE does by {} %: \
             less than half of the speed is the VAE's doing.",
            in_short(alike),
            in_short(vae)
        )
    })
}

/// A number of each model, over seeds: VAE, AE of its architecture, the lab's AE.
fn of_models(
    drawing: &Drawing<'_>,
    suffix: &str,
    value: impl Fn(&TrainedRun) -> Result<f64, Error>,
) -> Result<[Measured; 3], Error> {
    let over = |key: &'static str| -> Result<Measured, Error> {
        let title = drawing.title(key);
        drawing.over_seeds(key, &format!("{title}{suffix}"), &value)
    };
    Ok([over("vae")?, over("ae")?, over(LAB_AE)?])
}

/// A number of each model's map.
fn of_each(
    drawing: &Drawing<'_>,
    suffix: &str,
    map: fn(&Drawing<'_>, &TrainedRun) -> Result<MapNumbers, Error>,
    value: impl Fn(&MapNumbers) -> Result<f64, Error>,
) -> Result<[Measured; 3], Error> {
    of_models(drawing, suffix, |run| value(&map(drawing, run)?))
}

/// A number of what each model's codes hold.
fn of_held(
    drawing: &Drawing<'_>,
    suffix: &str,
    value: fn(&Held) -> f64,
) -> Result<[Measured; 3], Error> {
    of_models(drawing, suffix, |run| Ok(value(&held(drawing, run)?)))
}

fn kinds(drawing: &Drawing<'_>, suffix: &str) -> Result<[Measured; 3], Error> {
    let kinds = of_each(drawing, suffix, on_the_map, MapNumbers::kinds)?;
    Ok(kinds.map(|kinds| kinds.on(Scale::Count)))
}

fn kinds_of_the_vae(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measured = kinds(drawing, "")?;
    let evidence = Part::of(&measured[0], AtLeast, at[0]);
    Ok(Decided::new([evidence], measured))
}

fn kinds_of_the_ae(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let measured = kinds(drawing, "")?;
    let evidence = Part::of(&measured[2], AtMost, at[0]);
    Ok(Decided::new([evidence], measured))
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
    let faster = ratios.each_ref().map(|ratio| Part::of(ratio, AtLeast, 1.0));
    let hardly = Part::of(&whole[2], AtMost, at[0]);
    let caveat = by_its_layers(&whole);
    let measured = whole.into_iter().chain(centre).chain(ratios);
    Ok(Decided::new([Part::all(&faster), hardly], measured).but(caveat))
}

fn overlap(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let covering = |name: &str, of: fn(&[f64]) -> f64| {
        drawing.over_seeds("vae", name, |run| {
            aggregate(drawing, run).map(|found| of(&found.covering))
        })
    };
    let of_overlap = |name: &str, value: fn(&[Overlap]) -> f64| {
        drawing.over_seeds("vae", name, |run| {
            aggregate(drawing, run).map(|found| value(&found.overlap))
        })
    };
    let excess = covering("VAE, disc minus the fullest ring", excess_at_origin)?;
    let evidence = Part::of(&excess, AtLeast, at[0]);
    let measured = [
        covering("VAE, disc at the origin", |rings| rings[0])?.positive(),
        covering("VAE, fullest ring", largest_of_others)?.positive(),
        excess,
        of_overlap("VAE, at the origin itself", |overlap| overlap[0].covering)?.positive(),
        of_overlap("VAE, distance of the most covered points", |overlap| {
            let most = overlap
                .iter()
                .max_by(|a, b| a.covering.total_cmp(&b.covering));
            most.map_or(f64::NAN, |at| at.radius)
        })?
        .positive(),
    ];
    Ok(Decided::new([evidence], measured))
}

fn greatest_density(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let density = |name: &str, of: fn(&[f64]) -> f64| {
        drawing.over_seeds("vae", name, |run| {
            let found = aggregate(drawing, run)?;
            let density = |at: &Overlap| at.density.unwrap_or(f64::NAN);
            Ok(of(&ring_means(&found.overlap, density)))
        })
    };
    let disc = density("VAE, disc at the origin", |rings| rings[0])?;
    let densest = density("VAE, densest ring", largest_of_others)?;
    let ratio = disc.over(&densest, "VAE, disc over the densest ring (ratio)");
    let evidence = Part::of(&ratio, AtLeast, at[0]);
    let measured = [disc.positive(), densest.positive(), ratio];
    Ok(Decided::new([evidence], measured))
}

fn variety(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let title = drawing.title("vae");
    let rings = |name: &str, value: fn(&Ring) -> Result<f64, Error>| {
        let excess = drawing.over_seeds("vae", &format!("{title}, {name}"), |run| {
            let rings: Result<Vec<f64>, Error> =
                fine_map(drawing, run)?.rings.iter().map(value).collect();
            Ok(excess_at_origin(&rings?))
        })?;
        // What the largest of the others is changes from run to run: how often
        // it is not larger is the question, and not by how much.
        Ok::<_, Error>(excess.on(Scale::Count))
    };
    let change = rings("image change, disc minus the largest ring", |ring| {
        Ok(ring.change)
    })?;
    let borders = rings("class borders, disc minus the largest ring", |ring| {
        ring.borders()
    })?;
    let parts = [
        Part::of(&change, AtLeast, at[0]),
        Part::of(&borders, AtLeast, at[1]),
    ];
    let shares = [(&change, at[0], "change"), (&borders, at[1], "borders")];
    let shares = shares.map(|(measured, least, what)| {
        let name = format!("share of trainings with most {what} in the disc");
        share_of_trainings(&name, measured, |value| value >= least)
    });
    Ok(Decided::new(
        parts,
        [change, borders].into_iter().chain(shares),
    ))
}

fn centres(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let corners = of_each(
        drawing,
        ", corners",
        on_the_map,
        MapNumbers::corners_in_classes,
    )?;
    let most = of_each(
        drawing,
        ", most different tiles",
        on_the_map,
        MapNumbers::centre_in_classes,
    )?;
    let parts = [
        Part::of(&corners[0], AtLeast, at[0]),
        Part::of(&most[2], AtMost, at[0]),
    ];
    let measured = corners.into_iter().chain(most);
    Ok(Decided::new([Part::all(&parts)], measured))
}

fn kept_apart(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let [vae, ae, shallow] = of_held(drawing, "", |held| held.distance)?;
    let ratio = ae.over(&vae, "AE / VAE of its architecture (ratio)");
    let evidence = Part::of(&ratio, AtLeast, at[0]);
    Ok(Decided::new([evidence], [vae, ae, shallow, ratio]))
}

fn trade_off(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let loss = of_held(drawing, ", reconstruction", |held| held.reconstruction)?;
    let rise = of_held(drawing, ", cost of noise", Held::rise)?;
    let worse = loss[0].minus(&loss[1], "VAE − AE of its architecture, reconstruction");
    let steadier = rise[1].minus(&rise[0], "AE of its architecture − VAE, cost of noise");
    let parts = [
        Part::of(&worse, AtLeast, at[0]),
        Part::of(&steadier, AtLeast, at[0]),
    ];
    let measured = loss.into_iter().chain(rise).chain([worse, steadier]);
    Ok(Decided::new([Part::all(&parts)], measured))
}

/// The largest step of the maps: over the mean step on −4 … 4, and over each
/// model's own codes.
fn largest_steps(drawing: &Drawing<'_>) -> Result<[[Measured; 3]; 2], Error> {
    Ok([
        of_each(
            drawing,
            ", −4 … 4, largest/mean",
            on_the_map,
            |numbers| Ok(numbers.unevenness()),
        )?,
        of_each(
            drawing,
            ", own codes, largest (%)",
            on_own_codes,
            |numbers| Ok(100.0 * numbers.largest_change()),
        )?,
    ])
}

/// That both largest steps of the VAE are at most those of another model.
fn smoother_than(
    drawing: &Drawing<'_>,
    other: usize,
    called: &str,
    at: &[f64],
) -> Result<Decided, Error> {
    let [same, own] = largest_steps(drawing)?;
    let ratios = [
        same[0].over(
            &same[other],
            format!("VAE / {called}, largest/mean (ratio)"),
        ),
        own[0].over(&own[other], format!("VAE / {called}, own codes (ratio)")),
    ];
    let parts = ratios
        .each_ref()
        .map(|ratio| Part::of(ratio, AtMost, at[0]));
    let measured = same.into_iter().chain(own).chain(ratios);
    Ok(Decided::new([Part::all(&parts)], measured))
}

fn smoothness(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    smoother_than(drawing, 2, "AE without a hidden layer", at)
}

fn smooth_by_distributions(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    smoother_than(drawing, 1, "AE of its architecture", at)
}

fn captured(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let kinds = kinds(drawing, ", kinds")?;
    let explained = of_each(drawing, ", explained (%)", on_the_map, |n| {
        Ok(100.0 * n.explained)
    })?;
    let more = |of: &[Measured; 3], what: &str| {
        [1, 2].map(|other| {
            let name = format!("{} − {}", title(&of[0]), title(&of[other]));
            of[0].minus(&of[other], format!("{name}, {what}"))
        })
    };
    let [more_kinds, more_explained] = [more(&kinds, "kinds"), more(&explained, "explained")];
    // Where both show as many, a training says nothing of which shows more: the sign
    // test leaves it out (Dixon & Mood 1946).
    let differing = more_kinds.each_ref().map(|more| {
        let values = more.by_seed.iter();
        let equal = values.filter(|(_, kinds)| **kinds == at[0]);
        more.clone()
            .apart_from(&equal.map(|(seed, _)| *seed).collect())
    });
    let parts: Vec<Part> = differing
        .iter()
        .map(|more| Part::of(more, AtLeast, at[0]))
        .chain(
            more_explained
                .iter()
                .map(|more| Part::of(more, AtLeast, at[1])),
        )
        .collect();
    let measured = kinds.into_iter().chain(explained);
    let measured = measured.chain(more_kinds).chain(more_explained);
    Ok(Decided::new([Part::all(&parts)], measured))
}

/// What a measurement is called before its first comma.
fn title(measured: &Measured) -> &str {
    measured.name.split(',').next().unwrap_or_default()
}

fn generalises(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let [vae, ae, shallow] = of_held(drawing, ", test − training", Held::generalisation_gap)?;
    let less = ae.minus(&vae, "AE of its architecture − VAE");
    let evidence = Part::of(&less, AtLeast, at[0]);
    Ok(Decided::new([evidence], [vae, ae, shallow, less]))
}

fn in_detail(drawing: &Drawing<'_>, at: &[f64]) -> Result<Decided, Error> {
    let [vae, ae, shallow] = of_held(drawing, ", training images", |held| held.of_training)?;
    let better = ae.minus(&vae, "AE of its architecture − VAE");
    let evidence = Part::of(&better, AtLeast, at[0]);
    Ok(Decided::new([evidence], [vae, ae, shallow, better]))
}
