//! What no file can say of the lab study: the maps' centres, what they show, and
//! how posteriors overlap.

mod claims;
mod held;
mod maps;
mod measures;
mod posteriors;
mod variety;

use viz::page::Block;

use super::study::Peculiar;
use super::{Drawing, TrainedRun};
use crate::measures::map::{RANGE, STEPS, on_the_map};
use figures::plane_map::PlaneMap;
use figures::wording::{listed, percent};
use runs::Error;

pub(super) const PECULIAR: Peculiar = Peculiar {
    pieces: &[
        ("maps", |d| maps::bare(d, &shown(d), &square_maps(d))),
        ("maps-with-axes", |d| {
            maps::labelled(d, &shown(d), &square_maps(d))
        }),
        ("centres", |d| maps::centres(d, &shown(d), &square_maps(d))),
        ("regions", |d| variety::regions(d, &shown(d))),
        ("change", |d| variety::change(d, &shown(d))),
        ("window", window),
        ("posteriors", |d| {
            posteriors::ellipses_and_surfaces(d, vae(d)?)
        }),
        ("by-radius", |d| {
            posteriors::by_radius(d, vae(d)?, &shown(d))
        }),
        ("against-the-prior", against_the_prior),
        ("maps-at-quantiles", |d| maps::at_quantiles(d, &shown(d))),
        ("numbers", |d| variety::numbers(d, &shown(d))),
    ],
    decisions: claims::DECISIONS,
};

/// Side of a panel, so that three beside each other are readable at half size.
const PANEL: f64 = 300.0;

/// The only model with posteriors.
const VAE: &str = "vae";
/// The exercise's own autoencoder.
const LAB_AE: &str = "lab-ae";
const MODELS: [&str; 3] = [VAE, "ae", LAB_AE];

fn shown<'a>(drawing: &Drawing<'a>) -> Vec<&'a TrainedRun> {
    drawing.shown(&MODELS)
}

fn vae<'a>(drawing: &Drawing<'a>) -> Result<&'a TrainedRun, Error> {
    let finished = drawing.run(VAE);
    finished.ok_or_else(|| Error::Undefined("every run of the VAE diverged".into()))
}

fn square_maps(drawing: &Drawing<'_>) -> Vec<PlaneMap> {
    let runs = shown(drawing).into_iter();
    runs.map(|run| PlaneMap::square(run, STEPS, RANGE))
        .collect()
}

/// How much of each model's codes the exercise's range shows.
fn window(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut parts = Vec::new();
    for run in shown(drawing) {
        let inside = on_the_map(drawing, run)?.codes_inside;
        parts.push(format!(
            "{} of the codes of {}",
            percent(inside),
            run.title()
        ));
    }
    Ok(vec![Block::paragraph(format!(
        "Why the maps differ so much is seen where the codes are: the range −4 … 4 holds {} (test \
         images). An autoencoder's codes have no reason to stay in it, so its map is a cut-out, \
         and how fast that cut-out changes says as much about the scale of the codes as about the \
         model.",
        listed(&parts),
    ))])
}

fn against_the_prior(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let found = measures::aggregate(drawing, vae(drawing)?)?.prior;
    let number = viz::number::decimal;
    Ok(vec![Block::paragraph(format!(
        "Held against the prior on a lattice, the aggregate posterior of the test images has \
         KL(q(z) ‖ p(z)) = {} nats and total variation {}; {} of the prior's mass lies where q(z) is \
         less than a tenth of it (holes), and {} of q(z) outside the disc that holds 95 % of the \
         prior.",
        number(found.kl_from_prior, 2),
        number(found.total_variation, 2),
        percent(found.hole_mass),
        percent(found.mass_outside_prior),
    ))])
}
