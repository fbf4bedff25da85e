//! The picture that is seen where the script of a page does not run.

use datasets::Shape;
use explorer::Still;
use ndarray::Array2;
use runs::Error;
use viz::{Grid, Image, ImageRef, encode_png_within, linspace};

use super::run::Gathered;
use crate::TrainedRun;
use crate::plane_map::PlaneMap;
use crate::tiles::{Layout, picture};

/// Codes on each axis.
const STEPS: usize = 21;

/// How far a map of a variational autoencoder reaches: where the prior is.
const PRIOR_REACH: f64 = 4.0;

/// Longest side of a tile, pixels.
const LONGEST_SIDE: usize = 28;

/// What the picture may take of the page, about.
const MOST_BYTES: usize = 90_000;

/// The decoded map of a run over its first plane.
pub(super) fn still(run: &TrainedRun, (gathered, plane): &Gathered<'_>) -> Result<Still, Error> {
    let ranges: Vec<[f64; 2]> = if run.is_variational() {
        vec![[-PRIOR_REACH, PRIOR_REACH]; gathered.plane.ranges.len()]
    } else {
        gathered.plane.ranges.clone()
    };
    let lines: Vec<Vec<f64>> = ranges
        .iter()
        .map(|&[low, high]| linspace(STEPS, low, high))
        .collect();
    let (image, over) = match (plane, &lines[..]) {
        (Some(plane), [first, second]) => {
            let map = PlaneMap::on(plane, run, first.clone(), second.clone());
            let image = tiles(run.shape, STEPS, map.images)?;
            (
                image,
                format!("{} and {}", plane.labels[0], plane.labels[1]),
            )
        }
        _ => {
            let codes = lines.first().cloned().unwrap_or_default();
            let codes = Array2::from_shape_fn((codes.len(), 1), |(row, _)| codes[row] as f32);
            let image = tiles(run.shape, 1, run.decoded(codes.view()))?;
            (image, "its one latent variable".to_owned())
        }
    };
    let (png, size) = encoded(&image)?;
    Ok(Still {
        png,
        size,
        alternative: format!(
            "What {} decodes from equally spaced codes over {over}, from {}.",
            run.title(),
            words(&ranges)
        ),
    })
}

/// `−4 to 4`, on each axis where they differ.
fn words(ranges: &[[f64; 2]]) -> String {
    let number = |value: f64| viz::number::decimal(value, if value.fract() == 0.0 { 0 } else { 2 });
    let mut words: Vec<String> = ranges
        .iter()
        .map(|&[low, high]| format!("{} to {}", number(low), number(high)))
        .collect();
    words.dedup();
    words.join(" and from ")
}

fn tiles(shape: Shape, rows: usize, images: Array2<f32>) -> Result<Image, Error> {
    let grid = match shape {
        Shape::Vector { .. } => Layout::map(rows, STEPS).bare_grid(shape, LONGEST_SIDE),
        Shape::Image { height, width, .. } => {
            let kept = (LONGEST_SIDE as f64 / height.max(width) as f64).min(1.0);
            let side = |side: usize| ((side as f64 * kept).round() as usize).max(1);
            Grid {
                scale: (LONGEST_SIDE / height.max(width)).max(1),
                ..Grid::new(rows, STEPS, side(height), side(width))
            }
        }
    };
    picture(shape, images.view(), &grid)
}

/// A PNG file of about as many bytes as there is room for, and its size.
fn encoded(image: &Image) -> Result<(Vec<u8>, (usize, usize)), Error> {
    let mut image = image.clone();
    loop {
        let picture = image.as_ref();
        let (width, height) = (picture.width(), picture.height());
        let png = match picture {
            ImageRef::Gray(grey) => encode_png_within(&grey.to_rgb(), MOST_BYTES)?,
            ImageRef::Rgb(colour) => encode_png_within(colour, MOST_BYTES)?,
        };
        if png.len() <= MOST_BYTES || width.max(height) < 2 * STEPS {
            return Ok((png, (width, height)));
        }
        let smaller = |side: usize| side * 3 / 4;
        image = picture.reduced(smaller(width), smaller(height).max(1));
    }
}
