//! Document 003, second part: what sampling the latent variables is good for.
//!
//! A VAE beside the same network without sampling, which keeps the quadratic
//! penalty ½‖z‖² (`ae-l2`), in three architectures.

mod claims;
mod codes;
mod generation;
mod reconstruction;
mod shape;
mod space;

use viz::page::Block;

use super::{BuiltIn, Drawing, PlannedRun, Scale, TrainedRun};
use figures::image_quality;
use figures::pictures::{Gaps, Picture};
use figures::wording::said;
use runs::Error;
use runs::configuration::Configuration;

pub(super) const STUDY: BuiltIn = BuiltIn {
    name: "sampling",
    title: "What sampling is good for",
    about: "VAE beside the same network without sampling: 784-256-2, 784-256-32-8-2, 784-256-32-8-3",
    plan,
    draw,
    claims: claims::claims,
    answer: claims::answer,
};

const EPOCHS: usize = 20;
const QUICK_EPOCHS: usize = 3;

/// The keys of an architecture's two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    /// Sampled: the VAE.
    with: &'static str,
    /// Not sampled: the penalised autoencoder.
    without: &'static str,
    /// Widths behind the inputs.
    layers: &'static str,
    preset: &'static str,
    latent: usize,
}

impl Pair {
    /// `784-256-2`, of a data set of rows of 784.
    fn architecture(self, drawing: &Drawing<'_>) -> String {
        format!("{}-{}", drawing.shape().len(), self.layers)
    }
}

const SHALLOW: Pair = Pair {
    with: "vae-shallow",
    without: "ae-l2-shallow",
    layers: "256-2",
    preset: "vae-2d",
    latent: 2,
};
const DEEP: Pair = Pair {
    with: "vae-deep",
    without: "ae-l2-deep",
    layers: "256-32-8-2",
    preset: "vae-2d-deep",
    latent: 2,
};
const SPACE: Pair = Pair {
    with: "vae-3d",
    without: "ae-l2-3d",
    layers: "256-32-8-3",
    preset: "vae-2d-deep",
    latent: 3,
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

fn plan(scale: Scale) -> Vec<PlannedRun> {
    let mut runs = Vec::new();
    for seed in 0..scale.seeds {
        for pair in PAIRS {
            for (key, kind) in [(pair.with, "vae"), (pair.without, "ae-l2")] {
                let mut configuration = Configuration::resolve(Some(pair.preset), None, &[])
                    .expect("presets are valid, as a test shows");
                configuration.model.kind = kind.into();
                configuration.model.latent = pair.latent;
                configuration.training.seed = seed as u64;
                configuration.training.epochs = if scale.quick { QUICK_EPOCHS } else { EPOCHS };
                runs.push(PlannedRun::new(key, configuration));
            }
        }
    }
    runs
}

fn draw(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let shown: Vec<Shown<'_>> = PAIRS
        .iter()
        .filter_map(|pair| Shown::of(drawing, *pair))
        .collect();
    let flat: Vec<Shown<'_>> = shown
        .iter()
        .filter(|pair| pair.latent() == 2)
        .copied()
        .collect();
    let mut blocks = vec![Block::paragraph(
        "Sampling z from N(μ, σ²) while training makes every image occupy a region around its \
         code. What is it good for? Beside each VAE stands the same network without sampling, \
         with the quadratic penalty on the code kept: its loss is the reconstruction plus ½‖z‖². \
         Same data, same order, same starting weights where both have them.",
    )];
    blocks.push(Block::Subheading("Two latent variables".into()));
    blocks.push(said(
        "003",
        "[784-256-2:] The effect of sampling, in this case, is not so evident, neither on the \
         distribution in the latent space, nor in the quality of random generation of new \
         digits. [784-256-32-8-2:] Here, we can readily observe that the distribution of points \
         over the latent space is sensibly less uniform in the case without sampling, resulting \
         in the generation of more distorted digits.",
    ));
    for pair in PAIRS {
        if Shown::of(drawing, pair).is_none() {
            let architecture = pair.architecture(drawing);
            let what = format!("figures of {architecture} with and without sampling");
            blocks.push(drawing.left_out(&what, &[pair.with, pair.without]));
        }
    }
    if !flat.is_empty() {
        blocks.push(drawing.block("the codes", |d| codes::figure(d, &flat))?);
    }
    if !shown.is_empty() {
        blocks.push(drawing.block("the shape of the codes", |d| codes::table(d, &shown))?);
    }
    blocks.extend(codes::collapsed(drawing)?);
    blocks.push(Block::paragraph(
        "New images are made from the prior N(0, I). Without sampling nothing asks the codes to \
         fill it, only to stay small; so the penalised autoencoder is also given codes from a \
         normal distribution fitted to its own.",
    ));
    if !shown.is_empty() {
        blocks.push(drawing.block("random generation", |d| generation::figure(d, &shown))?);
    }
    blocks.push(Block::Subheading("Three latent variables".into()));
    blocks.push(said(
        "003",
        "We may observe that digits have a much better spherical disposition in the case with \
         sampling. In the latter case [without], random sampling from the latent space generates \
         very bad results.",
    ));
    if let Some(space) = Shown::of(drawing, SPACE) {
        blocks.push(drawing.block("the turning codes", |d| space::rotating(d, space))?);
        blocks.push(drawing.block("three projections", |d| space::projections(d, space))?);
        blocks.push(drawing.block("generation in slices", |d| space::slices(d, space))?);
    }
    blocks.push(said(
        "002",
        "This is just 2d, the problem of spacing will be huge when we move to higher complex \
         dimensions […].",
    ));
    if !shown.is_empty() {
        blocks.extend(drawing.blocks("gaps between the codes", |d| {
            Gaps::default().draw(d, &both(&shown), Gaps::NAME)
        })?);
    }
    blocks.push(Block::Subheading(
        "How good the generated images are".into(),
    ));
    blocks.extend(drawing.blocks("how good the generated images are", |d| {
        let floor = image_quality::floor(d)?;
        let mut blocks = vec![generation::quality_figure(d, &floor)?];
        if !shown.is_empty() {
            blocks.push(generation::table(d, &shown, &floor)?);
        }
        Ok(blocks)
    })?);
    blocks.push(Block::Subheading("Reconstruction".into()));
    blocks.push(said(
        "003",
        "It is also worth observing that, for both models, there is a sensible improvement in \
         the reconstruction loss wit [sic] respect to the previous shallower net, and that, from \
         this respect, the network without sampling is even slightly better than the variational \
         one.",
    ));
    if !shown.is_empty() {
        blocks.push(drawing.block("the course of the reconstruction", |d| {
            reconstruction::figure(d, &shown)
        })?);
    }
    blocks.push(reconstruction::table(drawing)?);
    Ok(blocks)
}

/// Both models of every architecture, one after the other.
fn both<'a>(shown: &[Shown<'a>]) -> Vec<&'a TrainedRun> {
    shown
        .iter()
        .flat_map(|pair| [pair.with, pair.without])
        .collect()
}
