//! Document 003, its last third: what happens with more than three latent
//! variables.
//!
//! The document trains a deeper and a shallower network at four, eight and
//! sixteen latent variables, and compares them by eye. Here every model also
//! has its final loss over seeds, its active units and the distance of its
//! samples from real images.

mod claims;
mod results;
mod samples;
mod spread;
mod units;

use evaluation::Evaluation;
use viz::page::{Block, Cell, Column, Table, Text};

use super::{BuiltIn, Drawing, PlannedRun, Scale, TrainedRun};
use figures::Measured;
use figures::absence::Absences;
use figures::image_quality::{self, Quantity, Source, image_quality};
use figures::wording::{said, seeds_in_words};
use runs::Error;
use runs::configuration::Configuration;

pub(super) const STUDY: BuiltIn = BuiltIn {
    name: "dimensions",
    title: "Towards higher dimensions",
    about: "4, 8 and 16 latent variables, a deeper and a shallower net each: samples, collapse, spread over seeds",
    plan,
    draw,
    claims: claims::claims,
    answer: claims::answer,
};

/// Enough for the deeper networks to settle on how many variables they use.
const EPOCHS: usize = 20;
const QUICK_EPOCHS: usize = 3;

/// One architecture of the document.
#[derive(Clone, Copy, Debug)]
struct Case {
    key: &'static str,
    hidden: &'static [usize],
    latent: usize,
}

impl Case {
    const fn new(key: &'static str, hidden: &'static [usize], latent: usize) -> Self {
        Self {
            key,
            hidden,
            latent,
        }
    }

    /// `784-256-2`, of a data set of rows of 784.
    fn name(self, drawing: &Drawing<'_>) -> String {
        let widths: Vec<String> = [drawing.shape().len()]
            .iter()
            .chain(self.hidden)
            .chain([&self.latent])
            .map(ToString::to_string)
            .collect();
        widths.join("-")
    }
}

const SHALLOW_2: Case = Case::new("2", &[256], 2);
const DEEP_2: Case = Case::new("2-deep", &[256, 32, 8], 2);
const DEEP_4: Case = Case::new("4-deep", &[256, 32, 8], 4);
const SHALLOW_4: Case = Case::new("4", &[256, 32], 4);
const DEEP_8: Case = Case::new("8-deep", &[256, 32, 16], 8);
const SHALLOW_8: Case = Case::new("8", &[256, 32], 8);
const DEEP_16: Case = Case::new("16-deep", &[256, 32, 24], 16);
const SHALLOW_16: Case = Case::new("16", &[256, 32], 16);

/// Every model, in the order of tables; the first two are those that the
/// document showed before.
const CASES: [Case; 8] = [
    SHALLOW_2, DEEP_2, DEEP_4, SHALLOW_4, DEEP_8, SHALLOW_8, DEEP_16, SHALLOW_16,
];

/// The deeper and the shallower network of one latent size, as the document
/// lays them out.
const PAIRS: [[Case; 2]; 3] = [
    [DEEP_4, SHALLOW_4],
    [DEEP_8, SHALLOW_8],
    [DEEP_16, SHALLOW_16],
];

fn plan(scale: Scale) -> Vec<PlannedRun> {
    let mut runs = Vec::new();
    for seed in 0..scale.seeds {
        for case in CASES {
            // The presets of the 2-D models, so that the other studies' runs
            // are these.
            let preset = if case.hidden.len() == 1 {
                "vae-2d"
            } else {
                "vae-2d-deep"
            };
            let mut configuration = Configuration::resolve(Some(preset), None, &[])
                .expect("presets are valid, as a test shows");
            configuration.model.hidden = case.hidden.to_vec();
            configuration.model.latent = case.latent;
            configuration.training.seed = seed as u64;
            configuration.training.epochs = if scale.quick { QUICK_EPOCHS } else { EPOCHS };
            runs.push(PlannedRun::new(case.key, configuration));
        }
    }
    runs
}

fn draw(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut blocks = vec![
        said(
            "003",
            "[…] in a high dimensional space the encoding of data in the latent space will \
             eventually be scattered away, and it is not evident that sampling during training \
             will be enough to guarantee a good coverage in view of generation. […] The first \
             observation is that the result of training is much more aleatory than in the \
             previous cases, resulting in quite different final errors. Not infrequently, we \
             also have a collapse to 0 of some of the latent variables […]. […] the 784-256-32-4 \
             architecture is more stable during training, and even sampling looks slightly \
             improved […].",
        ),
        Block::Subheading("Four latent variables".into()),
    ];
    blocks.push(drawing.block("lattices of four dimensions", samples::lattices)?);
    blocks.push(Block::Subheading("Eight and sixteen".into()));
    blocks.push(said(
        "003",
        "The collapse to zero of several latent variables is confirmed, more evident for deeper \
         architectures. In spite of this phenomenon, generative sampling from a latent space of \
         dimension 16 seems to produce slightly better results with a deeper network.",
    ));
    blocks.push(drawing.block("samples from the prior", samples::from_the_prior)?);
    blocks.push(drawing.block("how good the samples are", |d| quality_table(d))?);
    blocks.push(Block::Subheading("Which variables are in use".into()));
    blocks.push(Block::paragraph(
        "A collapsed variable has the same posterior for every image, namely the prior: the \
         variance of its mean μ over images is zero and so is its KL, and the decoder has learned \
         to ignore it. We call a variable active when the variance of μ over the test images \
         exceeds 0.01 (Burda et al. 2016), and give the KL beside it, which tells the same in nats.",
    ));
    blocks.push(drawing.block("the latent variables in use", units::bars)?);
    blocks.push(Block::Subheading("From seed to seed".into()));
    blocks.extend(drawing.blocks("the spread over seeds", spread::blocks)?);
    blocks.push(drawing.block("the table of all models", |d| results::table(d))?);
    Ok(blocks)
}

/// Latent variables that are not active.
fn collapsed(evaluation: &Evaluation) -> usize {
    evaluation.variance_of_mu.len() - evaluation.active_units
}

/// Test loss after the last epoch, nats per image, over seeds.
fn final_loss(drawing: &Drawing<'_>, case: Case) -> Result<Measured, Error> {
    drawing.over_seeds(case.key, &case.name(drawing), |run| {
        Ok(run.last().map_or(f64::NAN, |epoch| epoch.test.loss))
    })
}

fn epochs(runs: &[&TrainedRun]) -> usize {
    runs.first().map_or(0, |run| run.metrics.len())
}

fn quality_table(drawing: &Drawing<'_>) -> Result<Block, Error> {
    let columns: [(&str, usize, Quantity); 6] = [
        ("Fréchet", 1, |quality| quality.frechet),
        ("precision", 3, |quality| quality.precision),
        ("recall", 3, |quality| quality.recall),
        ("density", 3, |quality| quality.density),
        ("coverage", 3, |quality| quality.coverage),
        ("confidence", 3, |quality| quality.confidence),
    ];
    let floor = image_quality::floor(drawing)?;
    let mut rows = Vec::new();
    let mut absences = Absences::default();
    for case in CASES {
        let mut row = vec![Cell::text(case.name(drawing))];
        for (_, decimals, value) in columns {
            let measured = drawing.over_seeds(case.key, "", |run| {
                Ok(value(&image_quality(drawing, run, Source::Prior)?))
            })?;
            row.push(absences.over_seeds(&measured, decimals));
        }
        rows.push(row);
    }
    let mut row = vec![Cell::text("real images")];
    for (_, decimals, value) in columns {
        row.push(absences.cell(Ok(value(&floor)), decimals)?);
    }
    rows.push(row);
    let names = std::iter::once("model").chain(columns.map(|(name, ..)| name));
    Ok(Block::Table(Table {
        caption: Text::from(format!(
            "Samples from the prior, {}: {}. Precision and density say how real the samples are, \
             recall and coverage how much of the data they reach ({} neighbours); confidence is \
             the classifier's mean probability of the most probable class. The last row is what \
             the other test images reach.{}",
            seeds_in_words(drawing.scale),
            image_quality::in_words(drawing, &floor)?,
            image_quality::NEIGHBOURS,
            absences.sentence(),
        )),
        columns: names.map(|name| Column::new(name, "")).collect(),
        rows,
    }))
}
