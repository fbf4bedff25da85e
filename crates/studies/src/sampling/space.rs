//! Three latent variables: the codes seen from all sides, and their
//! generation in horizontal slices.

use evaluation::distributions::normal_quantile;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde_json::{Value, json};
use viz::charts::{Camera, ClassScatter, Scatter3d};
use viz::page::Block;
use viz::{Figure, LegendEntry, Panel, RgbImage, number::decimal};

use super::Shown;
use super::generation::{rounded_rows, tiles};
use crate::{Drawing, TrainedRun};
use evaluation::random_codes::Fitted;
use figures::figure_data::points;
use figures::wording::{name_of, unbroken};
use figures::{Animated, Described};
use runs::Error;
use runs::run_data::images;

/// Changes when the drawing of the frames does.
const FRAMES_VERSION: &str = "2";
/// Frames of a full turn.
const FRAMES: usize = 72;
/// Every so many codes turn, and lie in the projections.
const TURN_EVERY: usize = 5;
const DRAW_EVERY: usize = 2;
/// Codes along each axis of the generation.
const STEPS: usize = 5;

/// A model's codes in a cube about the origin.
struct Cloud<'a> {
    run: &'a TrainedRun,
    codes: Vec<[f64; 3]>,
    labels: Option<Vec<u32>>,
    reach: f64,
}

impl<'a> Cloud<'a> {
    fn new(drawing: &Drawing<'_>, run: &'a TrainedRun, every: usize) -> Self {
        let test = &drawing.dataset.test;
        let codes: Vec<[f64; 3]> = points(run.encode(images(test)).mean.view(), every);
        let reach = codes
            .iter()
            .flatten()
            .fold(0.0f64, |reach, z| reach.max(z.abs()));
        Self {
            run,
            labels: test
                .labels()
                .map(|labels| labels.iter().step_by(every).copied().collect()),
            codes,
            reach: 1.02 * reach,
        }
    }

    fn data(&self) -> Value {
        json!({"model": self.run.key, "labels": self.labels, "codes": self.codes})
    }
}

fn clouds<'a>(drawing: &Drawing<'_>, pair: Shown<'a>, every: usize) -> [Cloud<'a>; 2] {
    [pair.with, pair.without].map(|run| Cloud::new(drawing, run, every))
}

/// Both clouds turning about the vertical axis.
pub(super) fn rotating(drawing: &mut Drawing<'_>, pair: Shown<'_>) -> Result<Block, Error> {
    let clouds = clouds(drawing, pair, TURN_EVERY);
    let names = &drawing.dataset.class_names;
    let title = format!("Codes in three dimensions, {}", name_of(drawing.dataset));
    let caption = format!(
        "Codes of {} test images after {} epochs, seed {}: left with sampling (μ), right without. \
         Each box is a cube about the origin that holds its codes; far points are paler.",
        decimal(clouds[0].codes.len() as f64, 0),
        pair.with.metrics.len(),
        pair.with.configuration.training.seed,
    );
    let frame = |index: usize| -> Result<RgbImage, Error> {
        let mut legend: Vec<LegendEntry> = Vec::new();
        let mut panels: Vec<Panel> = Vec::new();
        for cloud in &clouds {
            let mut plot = Scatter3d {
                title: &cloud.run.title(),
                points: &cloud.codes,
                classes: cloud.labels.as_deref().into(),
                class_names: names,
                ranges: Some([[-cloud.reach, cloud.reach]; 3]),
                camera: Camera {
                    azimuth: 30.0 + 360.0 * index as f64 / FRAMES as f64,
                    ..Camera::default()
                },
                ..Scatter3d::default()
            }
            .plot()?;
            legend = std::mem::take(&mut plot.legend);
            panels.push(plot.into());
        }
        Ok(Figure {
            title: title.clone(),
            caption: unbroken(&caption),
            legend,
            scale: 1.25,
            ..Figure::row(panels)
        }
        .render())
    };
    let data: Vec<Value> = clouds.iter().map(Cloud::data).collect();
    let link = drawing.animate(
        "space",
        FRAMES_VERSION,
        Described {
            caption: &caption,
            runs: &[pair.with, pair.without],
            data: json!({"split": "test", "models": data}),
            bare: false,
        },
        || {
            Ok(Animated {
                frames: (0..FRAMES)
                    .into_par_iter()
                    .map(frame)
                    .collect::<Result<_, _>>()?,
                milliseconds: 90,
                hold: 90,
            })
        },
    )?;
    Ok(Block::figure(link))
}

/// Both clouds along each of the three axes.
pub(super) fn projections(drawing: &mut Drawing<'_>, pair: Shown<'_>) -> Result<Block, Error> {
    let clouds = clouds(drawing, pair, DRAW_EVERY);
    let mut legend = Vec::new();
    let mut rows = Vec::new();
    for cloud in &clouds {
        let mut row: Vec<Panel> = Vec::new();
        for (first, second) in [(0, 1), (0, 2), (1, 2)] {
            let names = ["z₁", "z₂", "z₃"];
            let flat: Vec<[f64; 2]> = cloud
                .codes
                .iter()
                .map(|code| [code[first], code[second]])
                .collect();
            let mut plot = ClassScatter {
                title: &cloud.run.title(),
                points: &flat,
                classes: cloud.labels.as_deref().into(),
                class_names: &drawing.dataset.class_names,
                labels: [names[first], names[second]],
                ranges: Some([[-cloud.reach, cloud.reach]; 2]),
                prior: cloud.run.is_variational(),
                radius: 1.5,
                ..ClassScatter::default()
            }
            .plot()?;
            plot.size = [300.0, 300.0];
            legend = std::mem::take(&mut plot.legend);
            row.push(plot.into());
        }
        rows.push(row);
    }
    let caption = format!(
        "The same models from three sides, codes of {} test images: above with sampling (μ, with \
         one and two standard deviations of the prior), below without.",
        decimal(clouds[0].codes.len() as f64, 0),
    );
    let figure = Figure {
        title: "Three projections".into(),
        caption,
        legend,
        ..Figure::grid(rows)
    };
    let data: Vec<Value> = clouds.iter().map(Cloud::data).collect();
    drawing.chart(
        "projections",
        figure,
        &[pair.with, pair.without],
        json!({"split": "test", "models": data}),
    )
}

/// Five horizontal slices of 25 images of each model.
pub(super) fn slices(drawing: &mut Drawing<'_>, pair: Shown<'_>) -> Result<Block, Error> {
    let heights = quantiles(STEPS);
    let own = pair.without.encode(images(&drawing.dataset.test)).mean;
    let fitted = Fitted::to(own.view())?;
    let mut rows: [Vec<Panel>; 3] = Default::default();
    let mut data = Vec::new();
    for &height in &heights {
        let codes = slice(&heights, height);
        let placed = fitted.codes(&codes);
        let sources = [
            (pair.with, &codes, "VAE, "),
            (pair.without, &codes, "AE-L2, "),
            (pair.without, &placed, "AE-L2 fitted, "),
        ];
        for (row, (run, codes, name)) in rows.iter_mut().zip(sources) {
            let title = format!("{name}z₃ = {}", decimal(height, 2));
            row.push(tiles(&title, run, codes, STEPS, 1.5)?.into());
            data.push(json!({"model": run.key, "title": title, "codes": rounded_rows(codes)}));
        }
    }
    let values: Vec<String> = heights.iter().map(|&value| decimal(value, 2)).collect();
    let caption = format!(
        "{} and {} after {} epochs, seed {}: five slices of 25 images, z₁ to the right and z₂ \
         upwards. All coordinates are {}, the middles of five equally probable parts of N(0, 1). \
         Above, with sampling; middle, without; below, without, the lattice moved and stretched \
         to the mean and covariance of its codes.",
        pair.with.title(),
        pair.without.title(),
        pair.with.metrics.len(),
        pair.with.configuration.training.seed,
        values.join(", "),
    );
    let figure = Figure {
        title: "Generation in three dimensions".into(),
        caption,
        ..Figure::grid(rows.into())
    };
    drawing.chart("slices", figure, &[pair.with, pair.without], json!(data))
}

/// The middles, by probability, of equally probable parts of N(0, 1).
fn quantiles(steps: usize) -> Vec<f64> {
    (0..steps)
        .map(|step| normal_quantile((step as f64 + 0.5) / steps as f64))
        .collect()
}

/// The codes of a horizontal slice, row-major from the top left.
fn slice(axis: &[f64], height: f64) -> Array2<f32> {
    let codes: Vec<f32> = viz::lattice_of(axis, axis)
        .into_iter()
        .flat_map(|[first, second]| [first as f32, second as f32, height as f32])
        .collect();
    let count = codes.len() / 3;
    ArrayView2::from_shape((count, 3), &codes)
        .expect("three coordinates a code")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_read_like_a_map() {
        let axis = quantiles(5);
        assert!(axis[2].abs() < 1e-12 && (axis[0] + axis[4]).abs() < 1e-12);
        let codes = slice(&axis, axis[4]);
        assert_eq!(codes.dim(), (25, 3));
        let corner = [codes[[0, 0]], codes[[0, 1]], codes[[0, 2]]];
        assert_eq!(corner, [axis[0] as f32, axis[4] as f32, axis[4] as f32]);
        assert_eq!(codes[[24, 0]], axis[4] as f32);
    }
}
