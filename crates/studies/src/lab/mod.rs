//! The lab exercise that documents 000 and 001 answer: the map of a VAE's
//! latent plane beside that of an autoencoder.
//!
//! The exercise compares a VAE with one hidden layer to an autoencoder with
//! none. A third model, the VAE's own architecture without sampling and
//! penalty, tells apart what the architecture does and what the VAE does.

mod claims;
mod maps;
mod measures;
mod posteriors;
mod training;
mod variety;

use datasets::Dataset;
use viz::page::Block;

use super::{BuiltIn, Drawing, PlannedRun, Scale, TrainedRun};
use figures::pictures::{Architecture, Path, Picture};
use figures::plane_map::PlaneMap;
use figures::wording::{listed, name_of, percent, said};
use runs::Error;
use runs::configuration::{Configuration, Override};

pub(super) const STUDY: BuiltIn = BuiltIn {
    name: "lab",
    title: "The lab exercise: two latent planes side by side",
    about: "21 × 21 maps of a VAE, an AE of its architecture and the lab's AE without a hidden \
            layer, posteriors and their overlap",
    plan,
    draw,
    claims: claims::claims,
    answer: claims::answer,
};

/// Codes per side of the map, and the map's half-width: the exercise's own.
const STEPS: usize = 21;
const RANGE: f64 = 4.0;
/// Side of a panel, so that three beside each other are readable at half size.
const PANEL: f64 = 300.0;
/// Share of the tiles that a class needs to count as a kind of object.
const MINIMUM_SHARE: f64 = 0.01;

/// The only model with posteriors.
const VAE: &str = "vae";
/// The exercise's own autoencoder.
const LAB_AE: &str = "lab-ae";
/// Key and preset of each model.
const MODELS: [(&str, &str); 3] = [(VAE, "lab-vae"), ("ae", "lab-ae-deep"), (LAB_AE, "lab-ae")];

fn plan(scale: Scale) -> Vec<PlannedRun> {
    let mut runs = Vec::new();
    for seed in 0..scale.seeds {
        for (key, preset) in MODELS {
            let mut configuration = Configuration::resolve(Some(preset), None, &[] as &[Override])
                .expect("presets are valid, as a test shows");
            configuration.training.seed = seed as u64;
            if scale.quick {
                configuration.training.epochs = 3;
            }
            runs.push(PlannedRun::new(key, configuration));
        }
    }
    runs
}

fn draw(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let runs = drawing.shown(&MODELS.map(|(key, _)| key));
    let maps: Vec<PlaneMap> = runs
        .iter()
        .map(|run| PlaneMap::square(run, STEPS, RANGE))
        .collect();
    let mut blocks = introduction(drawing);
    blocks.extend(drawing.blocks("encoder and decoder", |d| {
        Architecture::default().draw(d, &runs, Architecture::NAME)
    })?);

    blocks.push(Block::Subheading("The maps".into()));
    blocks.push(said(
        "000",
        "It can be discovered that on VAE's figure, images are changing quite fast. By contrast, \
         on AE's figure images almost remain unchanged. […] VAE's figure has at least 8 kinds of \
         object, while AE's one only includes 4 kinds.",
    ));
    blocks.push(drawing.block("the maps", |d| maps::bare(d, &runs, &maps))?);
    blocks.push(drawing.block("the maps with axes", |d| maps::labelled(d, &runs, &maps))?);
    blocks.push(Block::paragraph(
        "The document looks at the 4 × 4 images in the middle of each map to see how much changes \
         from one to the next.",
    ));
    blocks.push(drawing.block("the centres of the maps", |d| {
        maps::centres(d, &runs, &maps)
    })?);
    blocks.push(drawing.block("which object is drawn where", |d| {
        variety::regions(d, &runs)
    })?);
    blocks.push(drawing.block("how fast the images change", |d| variety::change(d, &runs))?);
    blocks.push(drawing.block("how many codes the maps show", |d| window(d, &runs))?);
    blocks.push(drawing.block("the codes", |d| training::codes(d, &runs))?);

    blocks.push(Block::Subheading("Posteriors and their overlap".into()));
    blocks.push(said(
        "000",
        "Consequently, at the zero point there is high overlap of different p(Z|X) […], making \
         it the greatest point of p(Z), and also making it most various.",
    ));
    if let Some(vae) = drawing.run(VAE) {
        blocks.extend(drawing.blocks("posteriors of single images", |d| {
            posteriors::ellipses_and_surfaces(d, vae)
        })?);
        blocks.push(drawing.block("overlap by distance from the origin", |d| {
            posteriors::by_radius(d, vae, &runs)
        })?);
        blocks.push(
            drawing.block("the aggregate posterior beside the prior", |d| {
                against_the_prior(d, vae)
            })?,
        );
    } else {
        blocks.push(drawing.left_out("the posteriors and their overlap", &[VAE]));
    }
    blocks.push(drawing.block("the maps at the prior's quantiles", |d| {
        maps::at_quantiles(d, &runs)
    })?);

    blocks.push(Block::Subheading("Smoothness and coverage".into()));
    blocks.push(said(
        "001",
        "The VAE latent space most evidently shows better generalisation characteristics and is \
         able to capture a large number of the pre-trained images than the AE. In addition, the \
         transitions between pre-trained images are smoother than those provided in AE […].",
    ));
    blocks.push(said("001", SLEEVE_TO_SHOE));
    blocks.extend(drawing.blocks("the path from class to class", |d| {
        path(d.dataset).draw(d, &runs, Path::NAME)
    })?);
    blocks.push(Block::paragraph(
        "Over −4 … 4 a slow map and a smooth map look alike. So the numbers are taken twice: over \
         the range of the exercise, and over the rectangle that each model's codes fill, where all \
         models must show everything they have in the same number of tiles.",
    ));
    blocks.extend(drawing.blocks("the numbers of the maps", |d| variety::numbers(d, &runs))?);

    blocks.push(Block::Subheading("Training".into()));
    blocks.push(drawing.block("the course of the training", |d| training::curves(d, &runs))?);
    blocks.push(training::losses(&runs));
    Ok(blocks)
}

/// What document 001 sees at the left of its VAE's map.
const SLEEVE_TO_SHOE: &str = "[…] notice the space occupied by transitioning between short sleeve \
                              shirt to long sleeve to a bag and then shoes on the bottom left \
                              hand side of the VAE map […].";

/// The document's path on its data set, any on others.
fn path(dataset: &Dataset) -> Path {
    let named = match dataset.name.as_str() {
        "fashion-mnist" => &["T-shirt/top", "Pullover", "Bag", "Ankle boot"][..],
        _ => &[],
    };
    Path {
        classes: named.iter().map(ToString::to_string).collect(),
        ..Path::default()
    }
}

fn introduction(drawing: &Drawing<'_>) -> Vec<Block> {
    let mut text = format!(
        "Two students answer the same exercise: decode the codes from −4 to 4 on both axes, \
         z = (−4, 4) at the top left and (4, −4) at the bottom right, with a VAE's decoder and with \
         an autoencoder's, and compare. The exercise's VAE has a hidden layer and its autoencoder \
         none; a third model has the VAE's layers and the autoencoder's loss. Here: {}.",
        listed(&MODELS.map(|(key, _)| drawing.title(key))),
    );
    if drawing.dataset.name != "fashion-mnist" {
        text.push_str(&format!(
            " The documents use Fashion-MNIST; this section repeats their exercise on {}, where \
             their counts of kinds need not hold.",
            name_of(drawing.dataset)
        ));
    }
    vec![Block::paragraph(text)]
}

/// How much of each model's codes the exercise's range shows.
fn window(drawing: &Drawing<'_>, runs: &[&TrainedRun]) -> Result<Block, Error> {
    let mut parts = Vec::new();
    for run in runs {
        let inside = measures::on_the_map(drawing, run)?.codes_inside;
        parts.push(format!(
            "{} of the codes of {}",
            percent(inside),
            run.title()
        ));
    }
    Ok(Block::paragraph(format!(
        "Why the maps differ so much is seen where the codes are: the range −4 … 4 holds {} (test \
         images). An autoencoder's codes have no reason to stay in it, so its map is a cut-out, \
         and how fast that cut-out changes says as much about the scale of the codes as about the \
         model.",
        listed(&parts),
    )))
}

fn against_the_prior(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Block, Error> {
    let found = measures::aggregate(drawing, run)?.prior;
    let number = viz::number::decimal;
    Ok(Block::paragraph(format!(
        "Held against the prior on a lattice, the aggregate posterior of the test images has \
         KL(q(z) ‖ p(z)) = {} nats and total variation {}; {} of the prior's mass lies where q(z) is \
         less than a tenth of it (holes), and {} of q(z) outside the disc that holds 95 % of the \
         prior.",
        number(found.kl_from_prior, 2),
        number(found.total_variation, 2),
        percent(found.hole_mass),
        percent(found.mass_outside_prior),
    )))
}
