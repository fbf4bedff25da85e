//! Reconstruction losses of all models, with and without sampling.

use serde_json::{Value, json};
use viz::charts::{LineChart, Series};
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Dash, Figure, Rgb};

use super::{PAIRS, Shown, both};
use crate::{Drawing, TrainedRun, collapsed};
use figures::Measured;
use figures::figure_data::rounded;
use figures::wording::seeds_of;
use runs::Error;
use runs::run_data::images;

/// One colour for each architecture.
const COLOURS: [u32; 3] = [0x3f90da, 0xe76300, 0x832db6];

/// Test reconstruction by epoch.
pub(super) fn figure(drawing: &mut Drawing<'_>, shown: &[Shown<'_>]) -> Result<Vec<Block>, Error> {
    let mut series = Vec::new();
    for (pair, colour) in shown.iter().zip(COLOURS) {
        for (run, dash) in [(pair.with, Dash::Solid), (pair.without, Dash::Dashed)] {
            series.push(Series {
                name: run.title(),
                points: run
                    .metrics
                    .iter()
                    .map(|epoch| [epoch.epoch as f64, rounded(epoch.test.reconstruction)])
                    .collect(),
                colour: Some(Rgb::hex(colour)),
                dash,
                ..Series::default()
            });
        }
    }
    let plot = LineChart {
        y_label: "nats per image",
        series: &series,
        ..LineChart::default()
    }
    .plot();
    let runs = both(shown);
    let caption = format!(
        "Test reconstruction by epoch, {}. Solid: with sampling, z drawn from the posterior; \
         dashed: without.",
        seeds_of(&runs)
    );
    let figure = Figure {
        title: "Reconstruction of the test images".into(),
        caption,
        ..Figure::of(plot)
    };
    let data: Vec<Value> = series
        .iter()
        .map(|series| json!({"model": series.name, "reconstruction": series.points}))
        .collect();
    drawing.chart("reconstruction", figure, &runs, json!(data))
}

/// Test reconstruction of a model after the last epoch, over seeds.
pub(super) fn measured(drawing: &Drawing<'_>, key: &str) -> Result<Measured, Error> {
    let name = drawing.title(key);
    drawing.over_seeds(key, &name, |run| {
        Ok(run
            .last()
            .map_or(f64::NAN, |epoch| epoch.test.reconstruction))
    })
}

/// The same at the posterior's mean.
pub(super) fn at_mean(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<f64, Error> {
    drawing.measure(run, "sampling-reconstruction", "1", || {
        let images = images(&drawing.dataset.test);
        let codes = run.encode(images).mean;
        let losses = run.model.reconstruction_losses(codes.view(), images);
        Ok(losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64)
    })
}

/// Losses after the last epoch.
pub(super) fn table(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let (counted, apart) = &collapsed::apart(drawing)?;
    let mut rows = Vec::new();
    for key in PAIRS.iter().flat_map(|pair| [pair.with, pair.without]) {
        let of = |value: fn(&TrainedRun) -> Option<f64>| {
            counted.over_seeds(key, "", |run| Ok(value(run).unwrap_or(f64::NAN)))
        };
        let mean = counted.over_seeds(key, "", |run| at_mean(drawing, run))?;
        rows.push(vec![
            Cell::text(drawing.title(key)),
            measured(counted, key)?.cell(2),
            mean.cell(2),
            of(|run| Some(run.last()?.test.kl))?.cell(2),
            of(|run| Some(run.last()?.test.loss))?.cell(2),
        ]);
    }
    Ok(vec![Block::Table(Table {
        caption: Text::from(format!(
            "Test losses after the last epoch, mean over seeds with its 95 % interval if there \
             are several. The penalty is the KL with sampling and ½‖z‖² without.{apart}",
        )),
        columns: vec![
            Column::new("model", ""),
            Column::new("reconstruction", "nats"),
            Column::new("reconstruction at z = μ", "nats"),
            Column::new("penalty", "nats"),
            Column::new("loss", "nats"),
        ],
        rows,
    })])
}
