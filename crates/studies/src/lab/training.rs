//! Codes of the test images, training curves and final losses.

use viz::page::{Block, Cell, Column, Table, Text};

use super::PANEL;
use crate::{Drawing, TrainedRun};
use figures::pictures::{Codes, Training};
use figures::wording::seeds_of;
use runs::Error;

/// Codes coloured by class, each model over its own extent.
pub(super) fn codes(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let (figure, data) = Codes::default().figure(drawing.dataset, runs, PANEL)?;
    drawing.chart("codes", figure, runs, data)
}

/// Losses by epoch.
pub(super) fn curves(drawing: &mut Drawing<'_>, runs: &[&TrainedRun]) -> Result<Vec<Block>, Error> {
    let (figure, data) = Training { kl: false }.figure(runs)?;
    drawing.chart("training", figure, runs, data)
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
    Block::Table(Table {
        caption: Text::from(format!("Losses after the last epoch, {}.", seeds_of(runs))),
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
