//! Inputs, their reconstructions, and what is lost.

use ndarray::{Array2, Axis, concatenate};
use runs::Error;
use serde::{Deserialize, Serialize};
use serde_json::json;
use viz::page::Block;
use viz::{Figure, Panel, Weight};

use super::Picture;
use crate::choice::{Choice, chosen, in_random_order, one_of_each_class};
use crate::tiles::{Layout, panel};
use crate::trained_run::values;
use crate::wording::seeds_and_epochs;
use crate::{Drawing, TrainedRun};

/// Differences are drawn so that all but this share of their values are.
const BEYOND_SCALE: f64 = 0.001;
/// Size of the words above the columns, canvas units.
const HEAD_SIZE: f64 = 12.0;

/// Test images above their reconstructions at z = μ and the absolute
/// difference, for each run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconstructions {
    /// Indices of test images; without any, one of each class.
    pub images: Vec<usize>,
    /// So many test images at random instead of one of each class.
    pub random: usize,
    /// Whether the differences are shown.
    pub difference: bool,
}

impl Default for Reconstructions {
    fn default() -> Self {
        Self {
            images: Vec::new(),
            random: 0,
            difference: true,
        }
    }
}

impl Reconstructions {
    fn choice(&self, drawing: &Drawing<'_>) -> Result<Choice, Error> {
        let test = &drawing.dataset.test;
        if !self.images.is_empty() {
            return chosen(&self.images, drawing.dataset, Self::NAME);
        }
        if self.random > 0 {
            let images = in_random_order(test.len(), self.random);
            return Ok(Choice {
                title: Self::TITLE.into(),
                words: format!("{} test images at random", images.len()),
                images,
            });
        }
        Ok(one_of_each_class(test, drawing.dataset.classes()))
    }
}

impl Picture for Reconstructions {
    const NAME: &'static str = "reconstructions";
    const TITLE: &'static str = "Reconstructions";
    const ABOUT: &'static str =
        "input, reconstruction and difference of fixed images of each class";

    fn draw(
        &self,
        drawing: &mut Drawing<'_>,
        runs: &[&TrainedRun],
        file: &str,
    ) -> Result<Vec<Block>, Error> {
        let choice = self.choice(drawing)?;
        let mut rows: Vec<(String, Array2<f32>)> = Vec::new();
        let mut data = Vec::new();
        let mut decoded = Vec::new();
        for run in runs {
            let seen = run.seen_rows(&drawing.dataset.test, &choice.images)?;
            let losses = run.model.losses_at_mean(seen.images());
            let inputs = run.brightness(values(seen.images()));
            // Runs of one treatment share their inputs.
            if rows.iter().all(|(_, row)| *row != inputs) {
                let head = if rows.is_empty() {
                    "input"
                } else {
                    "input, as this run sees it"
                };
                rows.push((head.into(), inputs.clone()));
            }
            let reconstruction = run.brightness(run.model.reconstruct(seen.images()));
            rows.push((run.title(), reconstruction.clone()));
            decoded.push((rows.len() - 1, (&inputs - &reconstruction).mapv(f32::abs)));
            data.push(json!({
                "model": run.key,
                "reconstruction_nats": losses,
            }));
        }
        let scale = common_scale(decoded.iter().map(|(_, difference)| difference));
        if self.difference {
            for (behind, difference) in decoded.iter().rev() {
                let row = difference.mapv(|value| (value * scale as f32).min(1.0));
                rows.insert(behind + 1, ("difference".into(), row));
            }
        }
        let heads: Vec<String> = rows.iter().map(|(head, _)| head.clone()).collect();
        let views: Vec<_> = rows.iter().map(|(_, row)| row.view()).collect();
        let all = concatenate(Axis(0), &views).expect("rows of one data set have one length");
        let layout = Layout {
            gutter: 2,
            background: 255,
            pixel: 1.5,
            ..Layout::map(rows.len(), choice.images.len())
        };
        let mut tiles = panel("", runs[0].shape, all.view(), layout)?;
        let room = tiles.grid.cell_width() as f64 * tiles.pixel;
        tiles.column_heads = column_heads(drawing, &choice, room);
        tiles.row_heads = heads;
        let differences = match (self.difference, scale > 1.0) {
            (false, _) => String::new(),
            (true, false) => " Differences are absolute.".into(),
            (true, true) => format!(
                " Differences are absolute and drawn {} times as strong.",
                viz::number::decimal(scale, 1)
            ),
        };
        let of_two = runs.iter().filter(|run| run.has_lower_layer()).count();
        let decoded = match runs.len() - of_two {
            0 => "the mean image of the mean of the lower stochastic layer",
            one if one == runs.len() => "the mean image of the code z = μ",
            _ => {
                "the mean image of the code z = μ, or of two stochastic layers of the mean of the \
                 lower"
            }
        };
        let caption = format!(
            "Above: {}; below, for each model, {decoded}.{differences} {}.",
            choice.words,
            crate::wording::capitalised(&seeds_and_epochs(runs)),
        );
        let figure = Figure {
            title: Self::TITLE.into(),
            caption,
            ..Figure::of(Panel::from(tiles))
        };
        let data = json!({
            "split": "test",
            "images": choice.images,
            "difference_scale": scale,
            "models": data,
        });
        drawing.chart(file, figure, runs, data)
    }
}

/// Names of the classes above their images, as far as there is room.
fn column_heads(drawing: &Drawing<'_>, choice: &Choice, room: f64) -> Vec<String> {
    let Some(labels) = drawing.dataset.test.labels() else {
        return Vec::new();
    };
    let names = &drawing.dataset.class_names;
    let head = |&image: &usize| {
        let name = names.get(labels[image] as usize);
        viz::shortened(
            name.map_or("", String::as_str),
            HEAD_SIZE,
            Weight::Regular,
            room,
        )
    };
    choice.images.iter().map(head).collect()
}

/// The factor that brings all but a thousandth of the values to at most 1: at
/// least 1, and 1 where there is no difference at all.
fn common_scale<'a>(differences: impl Iterator<Item = &'a Array2<f32>>) -> f64 {
    let mut values: Vec<f32> = differences.flatten().copied().collect();
    values.sort_by(f32::total_cmp);
    let beyond = (BEYOND_SCALE * values.len() as f64) as usize;
    let largest = values.iter().rev().nth(beyond).copied().unwrap_or(0.0);
    if largest > 0.0 {
        // One decimal, as the caption says it.
        (((1.0 / f64::from(largest)) * 10.0).floor() / 10.0).max(1.0)
    } else {
        1.0
    }
}
