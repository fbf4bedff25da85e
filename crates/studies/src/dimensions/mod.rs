//! What no file can say of the study of dimensions: lattices and samples of many
//! variables, and spreads over seeds.

mod claims;
mod results;
mod samples;
mod spread;
mod units;

use evaluation::Evaluation;
use viz::page::{Block, Cell, Column, Table, Text};

use super::Drawing;
use super::study::Peculiar;
use figures::Measured;
use figures::absence::Absences;
use figures::image_quality::{self, Quantity, Source, image_quality};
use figures::wording::seeds_in_words;
use runs::Error;

pub(super) const PECULIAR: Peculiar = Peculiar {
    pieces: &[
        ("lattices", samples::lattices),
        ("samples", samples::from_the_prior),
        ("quality", quality_table),
        ("units", units::bars),
        ("spread", spread::blocks),
        ("results", results::table),
    ],
    decisions: claims::DECISIONS,
    answer: Some(claims::answer),
};

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

fn quality_table(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
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
    Ok(vec![Block::Table(Table {
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
    })])
}
