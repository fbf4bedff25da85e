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
use crate::collapsed;
use figures::Measured;
use figures::absence::Absences;
use figures::image_quality::{self, QUANTITIES, Source, image_quality};
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
};

const SHALLOW_2: &str = "2";
const DEEP_2: &str = "2-deep";
const DEEP_4: &str = "4-deep";
const SHALLOW_4: &str = "4";
const DEEP_8: &str = "8-deep";
const SHALLOW_8: &str = "8";
const DEEP_16: &str = "16-deep";
const SHALLOW_16: &str = "16";

/// Every model, in the order of tables; the first two are those that the
/// document showed before.
const KEYS: [&str; 8] = [
    SHALLOW_2, DEEP_2, DEEP_4, SHALLOW_4, DEEP_8, SHALLOW_8, DEEP_16, SHALLOW_16,
];

/// The deeper and the shallower network of one latent size, as the document
/// lays them out.
const PAIRS: [[&str; 2]; 3] = [
    [DEEP_4, SHALLOW_4],
    [DEEP_8, SHALLOW_8],
    [DEEP_16, SHALLOW_16],
];

/// Latent variables that are not active.
fn unused_variables(evaluation: &Evaluation) -> usize {
    evaluation.variance_of_mu.len() - evaluation.active_units
}

/// Test loss after the last epoch, nats per image, over seeds.
fn final_loss(drawing: &Drawing<'_>, key: &str) -> Result<Measured, Error> {
    drawing.over_seeds(key, &drawing.architecture(key), |run| {
        Ok(run.last().map_or(f64::NAN, |epoch| epoch.test.loss))
    })
}

fn quality_table(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let floor = image_quality::floor(drawing)?;
    let (counted, apart) = &collapsed::apart(drawing)?;
    let decimals = |at: usize| if at == 0 { 1 } else { 3 };
    let mut rows = Vec::new();
    let mut absences = Absences::default();
    for key in KEYS {
        let mut row = vec![Cell::text(drawing.architecture(key))];
        for (at, (_, value)) in QUANTITIES.iter().enumerate() {
            let measured = counted.over_seeds(key, "", |run| {
                Ok(value(&image_quality(drawing, run, Source::Prior)?))
            })?;
            row.push(absences.over_seeds(&measured, decimals(at)));
        }
        rows.push(row);
    }
    let mut row = vec![Cell::text("real images")];
    for (at, (_, value)) in QUANTITIES.iter().enumerate() {
        row.push(absences.cell(Ok(value(&floor)), decimals(at))?);
    }
    rows.push(row);
    let names = std::iter::once("model").chain(QUANTITIES.map(|(name, _)| name));
    Ok(vec![Block::Table(Table {
        caption: Text::from(format!(
            "Samples from the prior, {}: {}. Precision and density say how real the samples are, \
             recall and coverage how much of the data they reach ({} neighbours); confidence is \
             the classifier's mean probability of the most probable class. The last row is what \
             the other test images reach.{apart}{}",
            seeds_in_words(drawing.scale),
            image_quality::in_words(drawing, &floor)?,
            image_quality::NEIGHBOURS,
            absences.sentence(),
        )),
        columns: names.map(|name| Column::new(name, "")).collect(),
        rows,
    })])
}
