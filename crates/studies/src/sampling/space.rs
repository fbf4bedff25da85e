//! Three latent variables: the codes seen from all sides, and their
//! generation in horizontal slices.

use rayon::prelude::*;
use serde_json::{Value, json};
use viz::charts::Camera;
use viz::page::Block;
use viz::{Figure, LegendEntry, Panel, RgbImage, number::decimal};

use super::Shown;
use super::generation::{rounded_rows, tiles};
use crate::Drawing;
use evaluation::random_codes::Fitted;
use figures::pictures::{PointCloud, slice};
use figures::plane::{Axes, Subspace};
use figures::plane_map::prior_quantiles;
use figures::wording::{name_of, seeds_of, some_test_images, unbroken};
use figures::{Animated, Described};
use runs::Error;
use runs::run_data::images;

/// Changes when the drawing of the frames does.
const FRAMES_VERSION: &str = "3";
/// Frames of a full turn.
const FRAMES: usize = 72;
/// Most codes that turn, and that lie in the projections.
const MOST_TURNING: usize = 2000;
const MOST_DRAWN: usize = 5000;
/// Codes along each axis of the generation.
const STEPS: usize = 5;

fn clouds(drawing: &Drawing<'_>, pair: Shown<'_>, most: usize) -> Result<Vec<PointCloud>, Error> {
    [pair.with, pair.without]
        .into_iter()
        .map(|run| PointCloud::of(drawing.dataset, run, Axes::Automatic, most))
        .collect()
}

fn numbers(pair: Shown<'_>, clouds: &[PointCloud]) -> Vec<Value> {
    let runs = [pair.with, pair.without].into_iter();
    runs.zip(clouds)
        .map(|(run, cloud)| cloud.data(run))
        .collect()
}

/// Both clouds turning about the vertical axis.
pub(super) fn rotating(drawing: &mut Drawing<'_>, pair: Shown<'_>) -> Result<Vec<Block>, Error> {
    let clouds = clouds(drawing, pair, MOST_TURNING)?;
    let names = &drawing.dataset.class_names;
    let title = format!("Codes in three dimensions, {}", name_of(drawing.dataset));
    let caption = format!(
        "Codes of {} after {} epochs, {}: left with sampling (μ), right without. \
         Each box is a cube about the origin that holds its codes; far points are paler.",
        some_test_images(drawing.dataset, clouds[0].points.len()),
        pair.with.metrics.len(),
        seeds_of(&[pair.with, pair.without]),
    );
    let frame = |index: usize| -> Result<RgbImage, Error> {
        let mut legend: Vec<LegendEntry> = Vec::new();
        let mut panels: Vec<Panel> = Vec::new();
        for cloud in &clouds {
            let camera = Camera {
                azimuth: 30.0 + 360.0 * index as f64 / FRAMES as f64,
                ..Camera::default()
            };
            let mut plot = cloud.seen_by(camera, names)?;
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
    let data = numbers(pair, &clouds);
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
    Ok(vec![Block::figure(link)])
}

/// Both clouds along each of the three axes.
pub(super) fn projections(drawing: &mut Drawing<'_>, pair: Shown<'_>) -> Result<Vec<Block>, Error> {
    let clouds = clouds(drawing, pair, MOST_DRAWN)?;
    let mut legend = Vec::new();
    let mut rows = Vec::new();
    for cloud in &clouds {
        let mut row: Vec<Panel> = Vec::new();
        for mut plot in cloud.sides(300.0, &drawing.dataset.class_names)? {
            legend = std::mem::take(&mut plot.legend);
            row.push(plot.into());
        }
        rows.push(row);
    }
    let caption = format!(
        "The same models from three sides, codes of {}: above with sampling (μ, with \
         one and two standard deviations of the prior), below without.",
        some_test_images(drawing.dataset, clouds[0].points.len()),
    );
    let figure = Figure {
        title: "Three projections".into(),
        caption,
        legend,
        ..Figure::grid(rows)
    };
    let data = numbers(pair, &clouds);
    drawing.chart(
        "projections",
        figure,
        &[pair.with, pair.without],
        json!({"split": "test", "models": data}),
    )
}

/// Five horizontal slices of 25 images of each model.
pub(super) fn slices(drawing: &mut Drawing<'_>, pair: Shown<'_>) -> Result<Vec<Block>, Error> {
    let heights = prior_quantiles(STEPS);
    let own = pair.without.encode(images(&drawing.dataset.test)).mean;
    let fitted = Fitted::to(own.view())?;
    let mut rows: [Vec<Panel>; 3] = Default::default();
    let mut data = Vec::new();
    for &height in &heights {
        let codes = Subspace::whole().embed(&slice([&heights, &heights], height));
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
        "{} and {} after {} epochs, {}: five slices of 25 images, z₁ to the right and z₂ \
         upwards. All coordinates are {}, the middles of five equally probable parts of N(0, 1). \
         Above, with sampling; middle, without; below, without, the lattice moved and stretched \
         to the mean and covariance of its codes.",
        pair.with.title(),
        pair.without.title(),
        pair.with.metrics.len(),
        seeds_of(&[pair.with, pair.without]),
        values.join(", "),
    );
    let figure = Figure {
        title: "Generation in three dimensions".into(),
        caption,
        ..Figure::grid(rows.into())
    };
    drawing.chart("slices", figure, &[pair.with, pair.without], json!(data))
}
