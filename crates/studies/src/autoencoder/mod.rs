//! Document 002: how an autoencoder uses a latent plane, what random points of
//! it decode to, and the VAE's plane beside it.

mod claims;
mod codes;
mod decoding;
mod measures;

use viz::page::Block;

use super::{BuiltIn, Drawing, PlannedRun, Scale};
use decoding::Source;
use figures::pictures::{Classes, Picture};
use figures::wording::said;
use runs::Error;
use runs::configuration::{Configuration, Override};

pub(super) const STUDY: BuiltIn = BuiltIn {
    name: "autoencoder",
    title: "An autoencoder's plane: where codes are and what lies between",
    about: "codes, class areas, gaps and random points of a 2-D AE beside those of a VAE",
    plan,
    draw,
    claims: claims::claims,
    answer: claims::answer,
};

const AE: &str = "ae";
const VAE: &str = "vae";
/// Epochs of both models: as many as the studies that share the VAE.
const EPOCHS: usize = 20;
const QUICK_EPOCHS: usize = 3;

fn plan(scale: Scale) -> Vec<PlannedRun> {
    let mut runs = Vec::new();
    for seed in 0..scale.seeds {
        for key in [AE, VAE] {
            let mut configuration =
                Configuration::resolve(Some("vae-2d"), None, &[] as &[Override])
                    .expect("presets are valid, as a test shows");
            configuration.model.kind = key.into();
            configuration.training.seed = seed as u64;
            configuration.training.epochs = if scale.quick { QUICK_EPOCHS } else { EPOCHS };
            runs.push(PlannedRun::new(key, configuration));
        }
    }
    runs
}

fn draw(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let runs = drawing.shown(&[AE, VAE]);
    let mut blocks = vec![
        Block::paragraph(format!(
            "The document trains an autoencoder with a code of two numbers on handwritten digits and \
             looks at how it uses the plane, to motivate the VAE. Here {} and {} share everything \
             but the sampling and the penalty, and every picture of the one has its twin.",
            drawing.title(AE),
            drawing.title(VAE),
        )),
        Block::Subheading("Where the codes are".into()),
        said(
            "002",
            "The plot is not symmetrical about the point (0, 0), or bounded. […] Some digits are \
             represented over a very small area and others over a much larger area. […] There are \
             large gaps between colors containing few points.",
        ),
    ];
    blocks.push(drawing.block("the codes", |d| codes::by_class(d, &runs))?);
    blocks.push(drawing.block("the areas of the classes", |d| codes::areas(d, &runs))?);
    blocks.push(drawing.block("the gaps between the codes", |d| codes::gaps(d, &runs))?);
    blocks.push(drawing.block("the codes in numbers", |d| codes::numbers(d, &runs))?);

    blocks.push(Block::Subheading("Random points".into()));
    blocks.push(said(
        "002",
        "[…] none of images are particularly well formed. […] even points that are right in the \
         middle of the domain may not be decoded into wellformed images.",
    ));
    for run in &runs {
        blocks.push(drawing.block("random points", |d| {
            decoding::random_points(d, run, Source::Extent)
        })?);
    }
    if let Some(vae) = drawing.run(VAE) {
        blocks.push(Block::paragraph(
            "A VAE need not be asked for points of a rectangle: it names the distribution to draw \
             from.",
        ));
        blocks.push(drawing.block("points drawn from the prior", |d| {
            decoding::random_points(d, vae, Source::Prior)
        })?);
    } else {
        blocks.push(drawing.left_out("points drawn from the prior", &[VAE]));
    }
    blocks.push(said(
        "002",
        "[…] so when we pick points randomly in the space, we're more likely to sample something \
         that decodes to look like a 1 than an 8.",
    ));
    blocks.extend(drawing.blocks("the classes of random images", |d| {
        Classes::default().draw(d, &runs, Classes::NAME)
    })?);
    blocks.push(drawing.block("maps over the codes' extent", |d| decoding::maps(d, &runs))?);

    blocks.push(Block::Subheading("Neighbouring codes".into()));
    blocks.push(said(
        "002",
        "[…] even though the point (2, –2) might be decoded to give a satisfactory image of a 4, \
         there is no mechanism in place to ensure that the point (2.1, –2.1) also produces a \
         satisfactory 4.",
    ));
    blocks.push(drawing.block("pairs of neighbouring codes", |d| decoding::pairs(d, &runs))?);
    if let (Some(ae), Some(vae)) = (drawing.run(AE), drawing.run(VAE)) {
        blocks.push(drawing.block("what the step means for both models", |d| {
            decoding::scale_of_the_step(d, ae, vae)
        })?);
    }
    blocks.extend(drawing.blocks("how well-formed decoded points are", |d| {
        decoding::numbers(d, &runs)
    })?);
    Ok(blocks)
}
