//! What no file can say of the study of sampling: codes and samples of models
//! with and without it, and the third dimension.

mod claims;
mod codes;
mod generation;
mod reconstruction;
mod space;

use viz::page::Block;

use super::study::Peculiar;
use super::{Drawing, TrainedRun};
use figures::image_quality;
use runs::Error;

pub(super) const PECULIAR: Peculiar = Peculiar {
    pieces: &[
        ("left-out", left_out),
        ("codes", |d| {
            let flat = shown(d).into_iter().filter(|pair| pair.latent() == 2);
            of_some(flat.collect(), |pairs| codes::figure(d, pairs))
        }),
        ("shape", |d| {
            of_some(shown(d), |pairs| codes::table(d, pairs))
        }),
        ("collapsed", codes::collapsed),
        ("generation", |d| {
            of_some(shown(d), |pairs| generation::figure(d, pairs))
        }),
        ("rotating", |d| of_space(d, space::rotating)),
        ("projections", |d| of_space(d, space::projections)),
        ("slices", |d| of_space(d, space::slices)),
        ("quality", quality),
        ("reconstruction", |d| {
            of_some(shown(d), |pairs| reconstruction::figure(d, pairs))
        }),
        ("losses", reconstruction::table),
    ],
    decisions: claims::DECISIONS,
};

/// The keys of an architecture's two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    /// Sampled: the VAE.
    with: &'static str,
    /// Not sampled: the penalised autoencoder.
    without: &'static str,
}

const SHALLOW: Pair = Pair {
    with: "vae-shallow",
    without: "ae-l2-shallow",
};
const DEEP: Pair = Pair {
    with: "vae-deep",
    without: "ae-l2-deep",
};
const SPACE: Pair = Pair {
    with: "vae-3d",
    without: "ae-l2-3d",
};
const PAIRS: [Pair; 3] = [SHALLOW, DEEP, SPACE];

/// The models of an architecture that figures show.
#[derive(Clone, Copy, Debug)]
struct Shown<'a> {
    with: &'a TrainedRun,
    without: &'a TrainedRun,
}

impl<'a> Shown<'a> {
    /// The models of a pair, unless every run of one of them diverged.
    fn of(drawing: &Drawing<'a>, pair: Pair) -> Option<Self> {
        Some(Self {
            with: drawing.run(pair.with)?,
            without: drawing.run(pair.without)?,
        })
    }

    fn latent(&self) -> usize {
        self.with.configuration.model.latent
    }
}

fn shown<'a>(drawing: &Drawing<'a>) -> Vec<Shown<'a>> {
    let pairs = PAIRS.into_iter();
    pairs.filter_map(|pair| Shown::of(drawing, pair)).collect()
}

/// What is drawn of some pairs, nothing of none.
fn of_some(
    pairs: Vec<Shown<'_>>,
    draw: impl FnOnce(&[Shown<'_>]) -> Result<Vec<Block>, Error>,
) -> Result<Vec<Block>, Error> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    draw(&pairs)
}

fn of_space(
    drawing: &mut Drawing<'_>,
    draw: fn(&mut Drawing<'_>, Shown<'_>) -> Result<Vec<Block>, Error>,
) -> Result<Vec<Block>, Error> {
    let space = Shown::of(drawing, SPACE);
    space.map_or(Ok(Vec::new()), |space| draw(drawing, space))
}

/// Pairs of which every run of a model diverged.
fn left_out(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let missing = PAIRS.into_iter();
    let missing = missing.filter(|pair| Shown::of(drawing, *pair).is_none());
    let said = missing.map(|pair| {
        let architecture = drawing.architecture(pair.with);
        let what = format!("figures of {architecture} with and without sampling");
        drawing.left_out(&what, &[pair.with, pair.without])
    });
    Ok(said.collect())
}

fn quality(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let floor = image_quality::floor(drawing)?;
    let mut blocks = generation::quality_figure(drawing, &floor)?;
    let pairs = shown(drawing);
    blocks.extend(of_some(pairs, |pairs| {
        generation::table(drawing, pairs, &floor)
    })?);
    Ok(blocks)
}

/// Both models of every architecture, one after the other.
fn both<'a>(shown: &[Shown<'a>]) -> Vec<&'a TrainedRun> {
    shown
        .iter()
        .flat_map(|pair| [pair.with, pair.without])
        .collect()
}
