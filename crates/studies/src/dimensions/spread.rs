//! How much the result of training depends on the seed.

use evaluation::statistics::{Evidence, SpreadComparison, spread, spread_comparison};
use serde_json::{Value, json};
use viz::charts::{Strip, StripChart};
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Figure, Panel, Rgb, class_colour};

use super::{DEEP_2, DEEP_4, KEYS, SHALLOW_2, SHALLOW_4, collapsed, final_loss};
use crate::Drawing;
use crate::measures::evaluation;
use figures::measured::{LEVEL, Measured};
use figures::wording::seeds_in_words;
use runs::Error;

/// Pairs of models whose spreads the document compares: first the one said to
/// vary more.
pub(super) const COMPARISONS: [[&str; 2]; 3] =
    [[DEEP_4, SHALLOW_2], [DEEP_4, DEEP_2], [DEEP_4, SHALLOW_4]];

/// The chart of every seed, and what it says about spread.
pub(super) fn blocks(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut losses = Vec::new();
    let mut unused = Vec::new();
    for key in KEYS {
        losses.push(final_loss(drawing, key)?);
        unused.push(drawing.over_seeds(key, &drawing.architecture(key), |run| {
            Ok(collapsed(&evaluation(drawing, run)?) as f64)
        })?);
    }
    let several = losses.iter().any(|measured| measured.by_seed.len() > 1);
    let strips = |measured: &[Measured], interval: bool| -> Vec<Strip> {
        measured
            .iter()
            .enumerate()
            .map(|(row, m)| {
                let strip = m.strip(colour(row));
                let interval = strip.interval.filter(|_| interval);
                Strip { interval, ..strip }
            })
            .collect()
    };
    let mut panels: Vec<Panel> = Vec::new();
    let mut panel = |title: &str, label: &str, strips: &[Strip], names: bool, integers: bool| {
        let mut plot = StripChart {
            title,
            label,
            strips,
            ..StripChart::default()
        }
        .plot();
        plot.size[0] = 250.0;
        plot.size[1] = 26.0 + 34.0 * strips.len() as f64;
        if integers {
            plot.x.low = -0.5;
            plot.x.high = plot.x.high.max(2.5);
        }
        if !names {
            plot.y.ticks = viz::Ticks::At(Vec::new());
        }
        panels.push(plot.into());
    };
    panel(
        "Final loss",
        "nats per image",
        &strips(&losses, several),
        true,
        false,
    );
    if several {
        let about_means: Vec<Measured> = losses.iter().map(about_its_mean).collect();
        panel(
            "Final loss about the model's mean",
            "nats per image",
            &strips(&about_means, false),
            false,
            false,
        );
    }
    panel(
        "Collapsed variables",
        "variables",
        &strips(&unused, false),
        false,
        true,
    );
    let runs: Vec<_> = drawing.runs.iter().collect();
    let caption = format!(
        "Loss on the test images (n = {}) after {} epochs and number of collapsed variables, {}: a \
         point for every training{}.{}",
        viz::number::decimal(drawing.dataset.test.len() as f64, 0),
        runs[0].metrics.len(),
        seeds_in_words(drawing.scale),
        if several {
            ", below it the mean with its 95 % interval"
        } else {
            ""
        },
        diverged_in_words(&losses),
    );
    let figure = Figure {
        title: "From seed to seed".into(),
        caption,
        ..Figure::row(panels)
    }
    .with_shared_legend();
    let data: Vec<Value> = losses
        .iter()
        .zip(&unused)
        .map(|(loss, unused)| {
            json!({
                "model": loss.name,
                "final_loss_by_seed": loss.by_seed,
                "final_loss": loss.interval,
                "collapsed_by_seed": unused.by_seed,
                "diverged": loss.diverged,
            })
        })
        .collect();
    let data = json!({"split": "test", "models": data});
    let mut blocks = drawing.chart("seeds", figure, &runs, data)?;
    if several {
        blocks.extend(comparison_table(drawing)?);
    } else {
        blocks.push(Block::paragraph(
            "A single seed says nothing about spread; several are needed (--seeds 5).",
        ));
    }
    Ok(blocks)
}

/// The ratio of standard deviations of two models' final losses over seeds.
pub(super) fn compare(
    drawing: &Drawing<'_>,
    pair: [&'static str; 2],
) -> Result<Option<SpreadComparison>, Error> {
    let [first, second] = values(drawing, pair)?;
    Ok(spread_comparison(&first, &second, LEVEL).ok())
}

/// The evidence on "the final losses of the first model vary more".
pub(super) fn evidence(drawing: &Drawing<'_>, pair: [&'static str; 2]) -> Result<Evidence, Error> {
    let [first, second] = values(drawing, pair)?;
    Ok(spread(&first, &second).unwrap_or(Evidence::NONE))
}

fn values(drawing: &Drawing<'_>, pair: [&'static str; 2]) -> Result<[Vec<f64>; 2], Error> {
    let of = |key| -> Result<Vec<f64>, Error> {
        Ok(final_loss(drawing, key)?.by_seed.into_values().collect())
    };
    Ok([of(pair[0])?, of(pair[1])?])
}

fn comparison_table(drawing: &Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut rows = Vec::new();
    for pair in COMPARISONS {
        let deviation = |key| -> Result<Cell, Error> {
            let interval = final_loss(drawing, key)?.interval;
            Ok(interval
                .and_then(|interval| interval.standard_deviation)
                .map_or(Cell::Missing, |value| Cell::Number { value, decimals: 2 }))
        };
        let compared = compare(drawing, pair)?;
        let number = |value: Option<f64>, decimals| match value {
            Some(value) => Cell::Number { value, decimals },
            None => Cell::Missing,
        };
        rows.push(vec![
            Cell::text(format!(
                "{} over {}",
                drawing.architecture(pair[0]),
                drawing.architecture(pair[1])
            )),
            deviation(pair[0])?,
            deviation(pair[1])?,
            compared.map_or(Cell::Missing, |compared| Cell::Interval {
                mean: compared.ratio,
                low: compared.lower,
                high: compared.upper,
                decimals: 2,
            }),
            number(compared.map(|compared| compared.f_test_p_value), 3),
            number(compared.map(|compared| compared.brown_forsythe_p_value), 3),
        ]);
    }
    Ok(vec![Block::Table(Table {
        caption: Text::from(format!(
            "Standard deviation of the final test loss over {}, and the ratio of the two with its \
             95 % interval from the F distribution. The F test takes the losses for normally \
             distributed; the Brown–Forsythe test does not and decides.",
            seeds_in_words(drawing.scale)
        )),
        columns: vec![
            Column::new("models", ""),
            Column::new("first", "nats"),
            Column::new("second", "nats"),
            Column::new("ratio", ""),
            Column::new("p", "F test"),
            Column::new("p", "Brown–Forsythe"),
        ],
        rows,
    })])
}

/// The two models of one latent size share a colour.
fn colour(row: usize) -> Rgb {
    class_colour(row / 2)
}

fn about_its_mean(measured: &Measured) -> Measured {
    let mean = measured.mean();
    let by_seed = measured
        .by_seed
        .iter()
        .map(|(&seed, value)| (seed, value - mean))
        .collect();
    Measured::new(measured.name.clone(), by_seed, measured.diverged.clone())
        .without(measured.missing.clone())
}

fn diverged_in_words(measured: &[Measured]) -> String {
    let diverged: Vec<String> = measured
        .iter()
        .flat_map(|m| {
            m.diverged
                .iter()
                .map(|seed| format!("{} seed {seed}", m.name))
        })
        .collect();
    if diverged.is_empty() {
        return String::new();
    }
    format!(" Diverged and therefore absent: {}.", diverged.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diverged_seeds_are_named() {
        let measured = [
            Measured::new("a", [(0, 1.0), (1, 3.0)].into(), vec![2, 5]),
            Measured::new("b", [(0, 1.0)].into(), Vec::new()),
        ];
        assert_eq!(
            diverged_in_words(&measured),
            " Diverged and therefore absent: a seed 2, a seed 5."
        );
        assert_eq!(diverged_in_words(&measured[1..]), "");
        assert_eq!(
            about_its_mean(&measured[0]).by_seed,
            [(0, -1.0), (1, 1.0)].into()
        );
    }
}
