//! Which latent variables carry something: variance of μ and KL of each.

use serde_json::{Value, json};
use viz::page::Block;
use viz::{Figure, Panel};

use super::PAIRS;
use crate::Drawing;
use crate::measures::evaluation;
use figures::pictures::{THRESHOLD, UnitsInUse, decades};
use figures::wording::{capitalised, seeds_and_epochs};
use runs::Error;

/// A panel for each model with 4, 8 and 16 variables, all on one scale.
pub(super) fn bars(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut runs = Vec::new();
    let mut rows: Vec<Vec<(&'static str, UnitsInUse)>> = Vec::new();
    for pair in PAIRS {
        let mut row = Vec::new();
        for key in pair {
            let Some(run) = drawing.run(key) else {
                continue;
            };
            let found = evaluation(drawing, run)?;
            let kl = found.kl_per_dimension.unwrap_or_default();
            row.push((key, UnitsInUse::sorted(&found.variance_of_mu, &kl)));
            runs.push(run);
        }
        if !row.is_empty() {
            rows.push(row);
        }
    }
    if runs.is_empty() {
        let keys = PAIRS.as_flattened();
        let keys: Vec<&str> = keys.to_vec();
        return Ok(vec![drawing.left_out("the latent variables in use", &keys)]);
    }
    let range = decades(rows.iter().flatten().map(|(_, units)| units));
    let mut panels: Vec<Vec<Panel>> = Vec::new();
    for row in &rows {
        let mut line = Vec::new();
        for (column, (key, units)) in row.iter().enumerate() {
            let mut plot = units.plot(&drawing.architecture(key), range)?;
            if column > 0 {
                plot.y.label.clear();
            }
            line.push(Panel::from(plot));
        }
        panels.push(line);
    }
    let caption = format!(
        "Variance of the posterior means μ over the test images (n = {}) and mean KL of every \
         latent variable, the largest KL first; the deeper nets at the left. Pale bars lie at or \
         below the threshold of 0.01. Logarithmic scale. {}.",
        viz::number::decimal(drawing.dataset.test.len() as f64, 0),
        capitalised(&seeds_and_epochs(&runs)),
    );
    let figure = Figure {
        title: "Latent variables in use".into(),
        caption,
        ..Figure::grid(panels)
    }
    .with_shared_legend();
    let data: Vec<Value> = rows
        .iter()
        .flatten()
        .map(|(key, units)| {
            json!({
                "model": drawing.architecture(key),
                "variance_of_mu": units.variance,
                "kl": units.kl,
                "active": units.active(),
            })
        })
        .collect();
    drawing.chart(
        "units",
        figure,
        &runs,
        json!({"split": "test", "threshold": THRESHOLD, "models": data}),
    )
}
