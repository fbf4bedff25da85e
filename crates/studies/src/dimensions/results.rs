//! Losses, variables in use and the distance from the prior of every model,
//! over seeds.

use evaluation::Evaluation;
use evaluation::elbo::sample_codes;
use evaluation::mmd::mmd_of_sample_to_prior;
use viz::page::{Block, Cell, Column, Table, Text};

use super::{KEYS, final_loss};
use crate::collapsed;
use crate::measures::evaluation;
use crate::{Drawing, TrainedRun};
use figures::absence::Absences;
use figures::wording::{count, seeds_in_words, some_test_images};
use runs::Error;

/// Codes of the discrepancy, a random sample of more, and rows and draws of its
/// null distribution.
const ROWS: usize = 5000;
const NULL: (usize, usize) = (300, 400);

/// The table of all models.
pub(super) fn table(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let (counted, apart) = &collapsed::apart(drawing)?;
    let mut rows = Vec::new();
    let mut absences = Absences::default();
    for key in KEYS {
        let over = |drawing: &Drawing<'_>, of: &dyn Fn(&Evaluation) -> f64| {
            drawing.over_seeds(key, "", |run| Ok(of(&evaluation(drawing, run)?)))
        };
        let value = |of: &dyn Fn(&Evaluation) -> f64| over(counted, of);
        // Collapse is what these count.
        let of_all = |of: &dyn Fn(&Evaluation) -> f64| over(drawing, of);
        let law = |e: &Evaluation| {
            let total = e.variance_law.as_deref().unwrap_or_default();
            total.iter().sum::<f64>() / total.len() as f64
        };
        let active_by_kl = |e: &Evaluation| {
            e.active_units_by_kl
                .map_or(f64::NAN, |active| active as f64)
        };
        let discrepancies = counted.over_seeds(key, "", |run| discrepancy(drawing, run))?;
        rows.push(vec![
            Cell::text(drawing.architecture(key)),
            absences.over_seeds(&final_loss(counted, key)?, 2),
            absences.over_seeds(&value(&|e| e.reconstruction)?, 2),
            absences.over_seeds(&value(&|e| e.kl.unwrap_or(f64::NAN))?, 2),
            absences.over_seeds(&of_all(&|e| e.active_units as f64)?, 1),
            absences.over_seeds(&of_all(&active_by_kl)?, 1),
            absences.over_seeds(&value(&law)?, 2),
            absences.over_seeds(&discrepancies, 1),
        ]);
    }
    Ok(vec![Block::Table(Table {
        caption: Text::from(format!(
            "Test images, n = {}, {}: mean over seeds{}. Active by variance: Var(μ) above 0.01; by \
             KL: more than 0.01 nats. Variance: Var(μ) + E[σ²], that of the codes, mean over \
             variables; the prior's is 1. Active ones are counted in all trainings. Discrepancy: MMD² to the prior of one code z drawn from \
             q(z|x) of {} each, in units of what chance exceeds in one case of twenty.{apart}{}",
            count(drawing.dataset.test.len()),
            seeds_in_words(drawing.scale),
            if drawing.scale.seeds > 1 {
                " with its 95 % interval"
            } else {
                ""
            },
            some_test_images(drawing.dataset, ROWS.min(drawing.dataset.test.len())),
            absences.sentence(),
        )),
        columns: vec![
            Column::new("model", ""),
            Column::new("final loss", "nats"),
            Column::new("reconstruction", "nats"),
            Column::new("KL", "nats"),
            Column::new("active", "by variance"),
            Column::new("active", "by KL"),
            Column::new("variance", "Var(μ) + E[σ²]"),
            Column::new("discrepancy", ""),
        ],
        rows,
    })])
}

/// How far the aggregate posterior is from the prior.
fn discrepancy(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<f64, Error> {
    let version = format!("3, {ROWS} codes at random, null {NULL:?}");
    let ratio: Option<f64> = drawing.measure(run, "dimensions-discrepancy", &version, || {
        let drawn = sample_codes(&run.codes(&drawing.dataset.test)?, 0);
        let (rows, draws) = NULL;
        Ok(mmd_of_sample_to_prior(drawn.view(), ROWS, rows, draws, 0)?.ratio)
    })?;
    Ok(ratio.unwrap_or(f64::NAN))
}
