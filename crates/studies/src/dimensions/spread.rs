//! How much the result of training depends on the seed.

use evaluation::statistics::{Evidence, Interval, SpreadComparison, spread, spread_comparison};
use serde_json::{Value, json};
use viz::charts::{Strip, StripChart};
use viz::page::{Block, Cell, Column, Table, Text};
use viz::{Figure, Panel, Rgb, class_colour};

use super::{DEEP_2, DEEP_4, KEYS, SHALLOW_2, SHALLOW_4, final_loss, unused_variables};
use crate::Drawing;
use crate::collapsed;
use crate::measures::evaluation;
use figures::measured::{LEVEL, Measured};
use figures::wording::seeds_in_words;
use runs::Error;

/// Pairs of models whose spreads the document compares: first the one said to
/// vary more.
pub(super) const COMPARISONS: [[&str; 2]; 3] =
    [[DEEP_4, SHALLOW_2], [DEEP_4, DEEP_2], [DEEP_4, SHALLOW_4]];

/// The chart of every seed, and what it says about spread. Trainings that failed as a
/// whole are points of it and in no interval.
pub(super) fn blocks(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let (counted, apart) = &collapsed::apart(drawing)?;
    let mut losses = Vec::new();
    let mut counted_losses = Vec::new();
    let mut unused = Vec::new();
    for key in KEYS {
        losses.push(final_loss(drawing, key)?);
        counted_losses.push(final_loss(counted, key)?);
        unused.push(drawing.over_seeds(key, &drawing.architecture(key), |run| {
            Ok(unused_variables(&evaluation(drawing, run)?) as f64)
        })?);
    }
    let several = losses.iter().any(|measured| measured.by_seed.len() > 1);
    let strips = |measured: &[Measured], counted: Option<&[Measured]>| -> Vec<Strip> {
        let each = measured.iter().enumerate();
        each.map(|(row, m)| Strip {
            interval: counted.and_then(|counted| counted[row].strip(colour(row)).interval),
            ..m.strip(colour(row))
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
        &strips(&losses, several.then_some(&counted_losses)),
        true,
        false,
    );
    if several {
        let about_means: Vec<Measured> = losses
            .iter()
            .zip(&counted_losses)
            .map(|(all, counted)| about(all, counted.mean()))
            .collect();
        panel(
            "Final loss about the model's mean",
            "nats per image",
            &strips(&about_means, None),
            false,
            false,
        );
    }
    panel(
        "Collapsed variables",
        "variables",
        &strips(&unused, None),
        false,
        true,
    );
    let runs: Vec<_> = drawing.runs.iter().collect();
    let caption = format!(
        "Loss on the test images (n = {}) after {} epochs and number of collapsed variables, {}: a \
         point for every training{}.{}{apart}",
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
        .zip(&counted_losses)
        .zip(&unused)
        .map(|((loss, counted), unused)| {
            json!({
                "model": loss.name,
                "final_loss_by_seed": loss.by_seed,
                "final_loss": counted.interval,
                "collapsed_by_seed": unused.by_seed,
                "diverged": loss.diverged,
            })
        })
        .collect();
    let data = json!({"split": "test", "models": data});
    let mut blocks = drawing.chart("seeds", figure, &runs, data)?;
    if several {
        blocks.extend(comparison_table(counted, apart)?);
    } else {
        blocks.push(Block::paragraph(
            "A single seed says nothing about spread; several are needed (--seeds 5).",
        ));
    }
    Ok(blocks)
}

/// The ratio of standard deviations of two models' final losses over seeds, with its
/// interval.
pub(super) fn interval(
    drawing: &Drawing<'_>,
    pair: [&'static str; 2],
) -> Result<Option<Interval>, Error> {
    let fewer = values(drawing, pair)?.map(|of| of.len()).into_iter().min();
    let compared = compare(drawing, pair)?;
    Ok(compared.map(|compared| compared.interval(fewer.unwrap_or(0), LEVEL)))
}

fn compare(
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

/// Of trainings that did not fail as a whole.
fn comparison_table(drawing: &Drawing<'_>, apart: &str) -> Result<Vec<Block>, Error> {
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
             distributed; the Brown–Forsythe test does not and decides.{apart}",
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

/// The values of a model less a number.
fn about(measured: &Measured, centre: f64) -> Measured {
    let by_seed = measured
        .by_seed
        .iter()
        .map(|(&seed, value)| (seed, value - centre))
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
            about(&measured[0], measured[0].mean()).by_seed,
            [(0, -1.0), (1, 1.0)].into()
        );
    }
}
