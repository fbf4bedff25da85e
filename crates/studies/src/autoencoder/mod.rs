//! What no file can say of the study of the autoencoder: areas and gaps of its
//! codes, random points, neighbours.

mod claims;
mod codes;
mod decoding;
mod judge;
mod measures;
mod spacing;

use super::study::Peculiar;
use super::{Drawing, TrainedRun};

pub(super) const PECULIAR: Peculiar = Peculiar {
    pieces: &[
        ("codes", |d| codes::by_class(d, &shown(d))),
        ("areas", |d| codes::areas(d, &shown(d))),
        ("gaps", |d| codes::gaps(d, &shown(d))),
        ("numbers-of-codes", |d| codes::numbers(d, &shown(d))),
        ("spacing", |d| spacing::paragraph(d)),
        ("random-points", decoding::over_the_extent),
        ("points-from-the-prior", decoding::from_the_prior),
        ("maps", |d| decoding::maps(d, &shown(d))),
        ("pairs", |d| decoding::pairs(d, &shown(d))),
        ("scale-of-the-step", |d| {
            decoding::scale_of_the_step(d, &shown(d))
        }),
        ("numbers-of-images", |d| decoding::numbers(d, &shown(d))),
    ],
    decisions: claims::DECISIONS,
};

const AE: &str = "ae";
const VAE: &str = "vae";
/// An AE of the same hidden layer with eight latent variables.
const AE_8: &str = "ae-8";

fn shown<'a>(drawing: &Drawing<'a>) -> Vec<&'a TrainedRun> {
    drawing.shown(&[AE, VAE])
}
