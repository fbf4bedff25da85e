//! Codes of the test images, training curves and final losses.

use serde_json::{Value, json};
use viz::charts::{ClassScatter, LineChart, Series, extent};
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Dash, Figure, Layer, LegendAt, Panel, Rgb, class_colour};

use super::{PANEL, RANGE};
use crate::{Drawing, TrainedRun};
use figures::plane_map::{points, ranges_with_window, rounded_points};
use figures::wording::{codes_title, seed_and_epochs, test_images};
use runs::Error;
use runs::run_data::images;
use runs::run_folder::Losses;

/// Codes coloured by class, each model over its own extent.
pub(super) fn codes(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Block, Error> {
    let test = &drawing.dataset.test;
    let mut panels = Vec::new();
    let mut legend = Vec::new();
    let mut data = Vec::new();
    for run in runs {
        let codes = points(run.encode(images(test)).mean.view());
        let mut plot = ClassScatter {
            title: &run.title(),
            points: &codes,
            classes: test.labels().into(),
            class_names: &drawing.dataset.class_names,
            ranges: Some(ranges_with_window(&codes, RANGE)),
            prior: run.is_variational(),
            ..ClassScatter::default()
        }
        .plot()?;
        plot.size = [PANEL; 2];
        // Names as long as `Ankle boot` cover much of a panel of this size.
        if let Some(Layer::Labels(labels)) = plot.layers.last_mut() {
            labels.size = 10.5;
        }
        let window = [-RANGE, RANGE];
        // Under the names, which are the last layer.
        let below = plot.layers.len().saturating_sub(1);
        plot.layers
            .insert(below, extent(window, window, Rgb::hex(0x2b3038)));
        legend = std::mem::take(&mut plot.legend);
        panels.push(Panel::from(plot));
        data.push(json!({"model": run.key, "codes": rounded_points(&codes)}));
    }
    let caption = format!(
        "Codes of the {}; for the VAE the posterior means, with the prior's circles of \
         one and two standard deviations. Each panel has its own range; the dashed square is the \
         range −4 … 4 of the maps; {}.",
        test_images(drawing.dataset),
        seed_and_epochs(runs[0]),
    );
    let figure = Figure {
        title: codes_title(drawing.dataset).into(),
        caption,
        legend,
        ..Figure::row(panels)
    };
    drawing.chart(
        "codes",
        figure,
        runs,
        json!({"split": "test", "labels": test.labels(), "models": data}),
    )
}

/// Losses by epoch, one panel with its own range for each model: the
/// autoencoder without a hidden layer would flatten the others.
pub(super) fn curves(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Block, Error> {
    let mut panels = Vec::new();
    let mut legend = Vec::new();
    for run in runs {
        let curve = |name: &str, colour: usize, dash, value: &dyn Fn(&TrainedRun) -> Vec<f64>| {
            let values = value(run);
            Series {
                name: name.into(),
                points: run
                    .metrics
                    .iter()
                    .zip(values)
                    .map(|(epoch, value)| [epoch.epoch as f64, value])
                    .collect(),
                colour: Some(class_colour(colour)),
                dash,
                ..Series::default()
            }
        };
        let on = |test: bool, value: fn(&Losses) -> f64| {
            move |run: &TrainedRun| -> Vec<f64> {
                let losses = |test: bool, epoch: &runs::run_folder::EpochMetrics| {
                    value(if test { &epoch.test } else { &epoch.train })
                };
                run.metrics
                    .iter()
                    .map(|epoch| losses(test, epoch))
                    .collect()
            }
        };
        let mut series = vec![
            curve("loss, training", 0, Dash::Dashed, &on(false, |l| l.loss)),
            curve("loss, test", 0, Dash::Solid, &on(true, |l| l.loss)),
        ];
        if run.is_variational() {
            series.push(curve(
                "reconstruction, training",
                6,
                Dash::Dashed,
                &on(false, |l| l.reconstruction),
            ));
            series.push(curve(
                "reconstruction, test",
                6,
                Dash::Solid,
                &on(true, |l| l.reconstruction),
            ));
        }
        let mut plot = LineChart {
            title: &run.title(),
            y_label: "nats per image",
            series: &series,
            ..LineChart::default()
        }
        .plot();
        plot.size = [330.0, 260.0];
        plot.legend_at = LegendAt::TopRight;
        let entries = std::mem::take(&mut plot.legend);
        if entries.len() > legend.len() {
            legend = entries;
        }
        panels.push(Panel::from(plot));
    }
    let caption = format!(
        "Losses by epoch; for an AE the loss is the reconstruction. Each panel has its own range. \
         Training values are means over the epoch while the weights change; test values are taken \
         after it, with z sampled for the VAE; {}.",
        seed_and_epochs(runs[0]),
    );
    let figure = Figure {
        title: "Training".into(),
        caption,
        legend,
        ..Figure::row(panels)
    };
    let data: Vec<Value> = runs
        .iter()
        .map(|run| json!({"model": run.key, "metrics": run.metrics}))
        .collect();
    drawing.chart("training", figure, runs, json!(data))
}

/// Losses after the last epoch.
pub(super) fn losses(runs: &[&TrainedRun]) -> Block {
    let number = |value: f64| Cell::Number { value, decimals: 2 };
    let rows = runs
        .iter()
        .filter_map(|run| {
            let last = run.last()?;
            Some(vec![
                Cell::text(run.title()),
                Cell::Number {
                    value: last.epoch as f64,
                    decimals: 0,
                },
                number(last.test.reconstruction),
                if run.is_variational() {
                    number(last.test.kl)
                } else {
                    Cell::Missing
                },
                number(last.test.loss),
                number(last.train.loss),
            ])
        })
        .collect();
    let seed = runs
        .first()
        .map_or(0, |run| run.configuration.training.seed);
    Block::Table(Table {
        caption: Text::from(format!("Losses after the last epoch, seed {seed}.")),
        columns: vec![
            Column::new("model", ""),
            Column::new("epochs", ""),
            Column::new("test reconstruction", "nats"),
            Column::new("test KL", "nats"),
            Column::new("test loss", "nats"),
            Column::new("train loss", "nats"),
        ],
        rows,
    })
}
