//! Document 003, its last third: what happens with more than three latent
//! variables.
//!
//! The document trains a deeper and a shallower network at four, eight and
//! sixteen latent variables, and compares them by eye. Here every model also
//! has its final loss over seeds, its active units and the distance of its
//! samples from real images.

mod claims;
mod samples;
mod spread;
mod units;

use datasets::Dataset;
use evaluation::Evaluation;
use evaluation::elbo::{EvaluationOptions, evaluate};
use viz::page::{Block, Cell, Column, Section, Table, Text};

use super::{Drawing, PlannedRun, Report, Scale, Study, TrainedRun, generation};
use crate::claims::Measured;
use crate::configuration::Configuration;
use crate::error::Error;

pub(super) const STUDY: Study = Study {
    name: "dimensions",
    title: "Towards higher dimensions",
    about: "4, 8 and 16 latent variables, a deeper and a shallower net each: samples, collapse, spread over seeds",
    plan,
    draw,
};

/// Enough for the deeper networks to settle on how many variables they use.
const EPOCHS: usize = 20;
const QUICK_EPOCHS: usize = 3;

/// One architecture of the document.
#[derive(Clone, Copy, Debug)]
struct Case {
    key: &'static str,
    name: &'static str,
    hidden: &'static [usize],
    latent: usize,
}

const SHALLOW_2: Case = Case {
    key: "2",
    name: "784-256-2",
    hidden: &[256],
    latent: 2,
};
const DEEP_2: Case = Case {
    key: "2-deep",
    name: "784-256-32-8-2",
    hidden: &[256, 32, 8],
    latent: 2,
};
const DEEP_4: Case = Case {
    key: "4-deep",
    name: "784-256-32-8-4",
    hidden: &[256, 32, 8],
    latent: 4,
};
const SHALLOW_4: Case = Case {
    key: "4",
    name: "784-256-32-4",
    hidden: &[256, 32],
    latent: 4,
};
const DEEP_8: Case = Case {
    key: "8-deep",
    name: "784-256-32-16-8",
    hidden: &[256, 32, 16],
    latent: 8,
};
const SHALLOW_8: Case = Case {
    key: "8",
    name: "784-256-32-8",
    hidden: &[256, 32],
    latent: 8,
};
const DEEP_16: Case = Case {
    key: "16-deep",
    name: "784-256-32-24-16",
    hidden: &[256, 32, 24],
    latent: 16,
};
const SHALLOW_16: Case = Case {
    key: "16",
    name: "784-256-32-16",
    hidden: &[256, 32],
    latent: 16,
};

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

fn plan(dataset: &Dataset, scale: Scale) -> Vec<PlannedRun> {
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
            configuration.data.dataset.clone_from(&dataset.name);
            configuration.model.hidden = case.hidden.to_vec();
            configuration.model.latent = case.latent;
            configuration.training.seed = seed as u64;
            configuration.training.epochs = if scale.quick { QUICK_EPOCHS } else { EPOCHS };
            runs.push(PlannedRun {
                key: case.key,
                configuration,
            });
        }
    }
    runs
}

fn draw(drawing: &mut Drawing<'_>) -> Result<Report, Error> {
    let said = |text: &str| Block::Quotation {
        text: Text::from(text),
        source: "Document 003".into(),
    };
    let mut blocks = vec![
        said(
            "In more dimensions the codes of the data may lie too scattered for sampling to cover \
             the space between them. With four latent variables the results differ much more from \
             one training to the next than before, and not infrequently a variable collapses: its \
             variance is about zero. A net with fewer layers is more stable, and its samples look \
             slightly better.",
        ),
        Block::Subheading("Four latent variables".into()),
    ];
    blocks.push(samples::lattices(drawing)?);
    blocks.push(Block::Subheading("Eight and sixteen".into()));
    blocks.push(said(
        "With 8 and 16 variables several collapse, more evidently in the deeper nets. All the \
         same, at 16 samples seem slightly better with the deeper one.",
    ));
    blocks.push(samples::from_the_prior(drawing)?);
    blocks.push(quality_table(drawing)?);
    blocks.push(Block::Subheading("Which variables are in use".into()));
    blocks.push(Block::paragraph(
        "A collapsed variable has the same posterior for every image, namely the prior: the \
         variance of its mean μ over images is zero and so is its KL, and the decoder has learned \
         to ignore it. We call a variable active when the variance of μ over the test images \
         exceeds 0.01 (Burda et al. 2016), and give the KL beside it, which tells the same in nats.",
    ));
    blocks.push(units::bars(drawing)?);
    blocks.push(Block::Subheading("From seed to seed".into()));
    blocks.append(&mut spread::blocks(drawing)?);
    blocks.push(results_table(drawing)?);
    Ok(Report {
        section: Section {
            heading: STUDY.title.into(),
            blocks,
        },
        claims: claims::claims(drawing)?,
    })
}

/// The numbers of `eval.json` on the test images, kept with the run.
fn evaluation(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Evaluation, Error> {
    drawing.measure(run, "evaluation", "1 test seed=0", || {
        Ok(evaluate(
            &run.model,
            drawing.dataset.test.images(),
            &EvaluationOptions::default(),
        )?)
    })
}

/// Latent variables that are not active.
fn collapsed(evaluation: &Evaluation) -> usize {
    evaluation.variance_of_mu.len() - evaluation.active_units
}

/// Test loss after the last epoch, nats per image, over seeds.
fn final_loss(drawing: &Drawing<'_>, case: Case) -> Result<Measured, Error> {
    drawing.over_seeds(case.key, case.name, |run| {
        Ok(run.last().map_or(f64::NAN, |epoch| epoch.test.loss))
    })
}

/// `seeds 0 to 4` or `seed 0`: all that were asked for.
fn seeds_in_words(scale: Scale) -> String {
    match scale.seeds {
        1 => "seed 0".into(),
        seeds => format!("seeds 0 to {}", seeds - 1),
    }
}

fn epochs(runs: &[&TrainedRun]) -> usize {
    runs.first().map_or(0, |run| run.metrics.len())
}

/// Mean with its interval, or the mean alone of a single seed.
fn cell(measured: &Measured, decimals: usize) -> Cell {
    match measured.interval {
        None => Cell::Missing,
        Some(interval) => match (interval.lower, interval.upper) {
            (Some(low), Some(high)) => Cell::Interval {
                mean: interval.mean,
                low,
                high,
                decimals,
            },
            _ => Cell::Number {
                value: interval.mean,
                decimals,
            },
        },
    }
}

fn results_table(drawing: &Drawing<'_>) -> Result<Block, Error> {
    let mut rows = Vec::new();
    for case in CASES {
        let value = |name: &str, of: &dyn Fn(&Evaluation) -> f64| {
            drawing.over_seeds(case.key, name, |run| Ok(of(&evaluation(drawing, run)?)))
        };
        rows.push(vec![
            Cell::text(case.name),
            cell(&final_loss(drawing, case)?, 2),
            cell(&value("reconstruction", &|e| e.reconstruction)?, 2),
            cell(&value("kl", &|e| e.kl.unwrap_or(f64::NAN))?, 2),
            Cell::Number {
                value: case.latent as f64,
                decimals: 0,
            },
            cell(&value("active", &|e| e.active_units as f64)?, 1),
            cell(
                &value("active", &|e| {
                    e.active_units_by_kl
                        .map_or(f64::NAN, |active| active as f64)
                })?,
                1,
            ),
        ]);
    }
    Ok(Block::Table(Table {
        caption: Text::from(format!(
            "Test images, n = {}, {}: mean over seeds{}. Active by variance: Var(μ) above 0.01; by \
             KL: more than 0.01 nats.",
            viz::number::decimal(drawing.dataset.test.len() as f64, 0),
            seeds_in_words(drawing.scale),
            if drawing.scale.seeds > 1 {
                " with its 95 % interval"
            } else {
                ""
            },
        )),
        columns: vec![
            Column::new("model", ""),
            Column::new("final loss", "nats"),
            Column::new("reconstruction", "nats"),
            Column::new("KL", "nats"),
            Column::new("latent", "variables"),
            Column::new("active", "by variance"),
            Column::new("active", "by KL"),
        ],
        rows,
    }))
}

fn quality_table(drawing: &Drawing<'_>) -> Result<Block, Error> {
    let mut rows = Vec::new();
    for case in PAIRS.iter().flatten() {
        let value = |of: &dyn Fn(&generation::Quality) -> f64| {
            drawing.over_seeds(case.key, "", |run| {
                Ok(of(&generation::of_samples(drawing, run)?))
            })
        };
        rows.push(vec![
            Cell::text(case.name),
            cell(&value(&|q| q.frechet)?, 1),
            cell(&value(&|q| q.prdc.precision)?, 3),
            cell(&value(&|q| q.prdc.recall)?, 3),
            cell(&value(&|q| q.prdc.density)?, 3),
            cell(&value(&|q| q.prdc.coverage)?, 3),
        ]);
    }
    let floor = generation::floor(drawing, drawing.run(DEEP_4.key)?)?;
    let number = |value, decimals| Cell::Number { value, decimals };
    rows.push(vec![
        Cell::text("test images, the other half"),
        number(floor.frechet, 1),
        number(floor.prdc.precision, 3),
        number(floor.prdc.recall, 3),
        number(floor.prdc.density, 3),
        number(floor.prdc.coverage, 3),
    ]);
    Ok(Block::Table(Table {
        caption: Text::from(format!(
            "{} samples from the prior against as many test images, {}: distances in the {}. \
             Precision and density say how real the samples are, recall and coverage how much of \
             the data they reach (k = {}). The last row is what real images reach.",
            viz::number::decimal(floor.n as f64, 0),
            seeds_in_words(drawing.scale),
            generation::classifier_in_words(drawing)?,
            floor.prdc.k,
        )),
        columns: [
            "model",
            "Fréchet distance",
            "precision",
            "recall",
            "density",
            "coverage",
        ]
        .map(|name| Column::new(name, ""))
        .into(),
        rows,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_architectures() {
        for case in CASES {
            let widths: Vec<String> = [784]
                .iter()
                .chain(case.hidden)
                .chain([&case.latent])
                .map(ToString::to_string)
                .collect();
            assert_eq!(case.name, widths.join("-"));
        }
    }
}
