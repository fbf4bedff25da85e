//! What the models generate: a lattice of four dimensions, and draws from the
//! prior.

use evaluation::distributions::normal_quantile;
use ndarray::Array2;
use serde_json::json;
use viz::page::Block;
use viz::{Figure, Panel, TilePanel};

use super::{DEEP_4, DEEP_8, DEEP_16, PAIRS, SHALLOW_4, SHALLOW_8, SHALLOW_16};
use crate::{Drawing, TrainedRun};
use evaluation::random_codes::{CODES_SEED, prior_codes};
use figures::tiles::{Layout, nested, panel};
use figures::wording::{capitalised, seeds_and_epochs};
use runs::Error;

/// Canvas units of a pixel of a tile of 28 × 28.
const PIXEL: f64 = 1.5;
/// Points a dimension of the lattice.
const POINTS: usize = 3;
/// Samples a side of the square of draws.
const SAMPLES: usize = 10;

/// The 81 images of both four-dimensional models.
pub(super) fn lattices(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let keys = [DEEP_4, SHALLOW_4];
    let runs = drawing.shown(&keys);
    if runs.is_empty() {
        return Ok(vec![drawing.left_out("lattices of four dimensions", &keys)]);
    }
    let axis = quantiles();
    let codes = lattice_of_four(&axis);
    let mut panels = Vec::new();
    for run in &runs {
        panels.push(Panel::from(lattice(run, &codes, &axis)?));
    }
    let step = viz::number::decimal(axis[2], 2);
    let caption = format!(
        "Four latent variables, three points each: {} images a model at −{step}, 0 and {step}, the \
         prior's quantiles 1/6, 1/2 and 5/6. The blocks follow z₁ to the right and z₂ upwards; \
         inside each block z₃ goes to the right and z₄ upwards. {}.",
        codes.nrows(),
        capitalised(&seeds_and_epochs(&runs)),
    );
    let figure = Figure {
        title: "81 images from four dimensions".into(),
        caption,
        ..Figure::row(panels)
    };
    let order = "blocks row-major from the top left over z1 (right) and z2 (up), \
                 in each block over z3 (right) and z4 (up)";
    let data = json!({"points_per_dimension": axis, "order": order});
    drawing.chart("four-dimensions", figure, &runs, data)
}

/// A hundred images of each model with 8 and 16 latent variables.
pub(super) fn from_the_prior(drawing: &mut Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut runs: Vec<&TrainedRun> = Vec::new();
    let mut rows = Vec::new();
    for pair in &PAIRS[1..] {
        let mut panels = Vec::new();
        for key in pair {
            let Some(run) = drawing.run(key) else {
                continue;
            };
            let codes = prior_codes(SAMPLES * SAMPLES, run.latent());
            let images = run.model.decode(codes.view());
            let square = Layout {
                pixel: PIXEL,
                ..Layout::map(SAMPLES, SAMPLES)
            };
            let tiles = panel(&run.title(), run.shape, images.view(), square)?;
            panels.push(Panel::from(tiles));
            runs.push(run);
        }
        if !panels.is_empty() {
            rows.push(panels);
        }
    }
    if runs.is_empty() {
        let keys: Vec<&str> = PAIRS[1..].as_flattened().to_vec();
        return Ok(vec![drawing.left_out("samples from the prior", &keys)]);
    }
    let caption = format!(
        "{} images decoded from codes drawn from the prior: {} and {} with 8 latent variables, {} \
         and {} with 16; the deeper net at the left. The same codes for both nets of a row. \
         {}.",
        SAMPLES * SAMPLES,
        drawing.architecture(DEEP_8),
        drawing.architecture(SHALLOW_8),
        drawing.architecture(DEEP_16),
        drawing.architecture(SHALLOW_16),
        capitalised(&seeds_and_epochs(&runs)),
    );
    let figure = Figure {
        title: "Samples from the prior".into(),
        caption,
        ..Figure::grid(rows)
    };
    let codes = format!(
        "normal deviates of seed {CODES_SEED} and the stream of the number of dimensions, \
         row-major from the top left"
    );
    let data = json!({"samples": SAMPLES * SAMPLES, "codes": codes});
    drawing.chart("samples", figure, &runs, data)
}

/// The prior's quantiles at the middles of three equal shares: 1/6, 1/2, 5/6.
fn quantiles() -> [f64; POINTS] {
    let outer = normal_quantile(5.0 / 6.0);
    [-outer, 0.0, outer]
}

/// The codes [81, 4] in the order of the picture: blocks row by row from the
/// top left, with z₁ to the right and z₂ upwards, and in each block z₃ and z₄
/// alike.
fn lattice_of_four(axis: &[f64; POINTS]) -> Array2<f32> {
    let plane = viz::lattice_of(axis, axis);
    let mut codes = Array2::zeros((plane.len() * plane.len(), 4));
    for (block, outer) in plane.iter().enumerate() {
        for (tile, inner) in plane.iter().enumerate() {
            let row = block * plane.len() + tile;
            for (column, value) in outer.iter().chain(inner).enumerate() {
                codes[[row, column]] = *value as f32;
            }
        }
    }
    codes
}

/// Blocks of 3 × 3 tiles in 3 × 3, with the blocks' codes at the border.
fn lattice(
    run: &TrainedRun,
    codes: &Array2<f32>,
    axis: &[f64; POINTS],
) -> Result<TilePanel, Error> {
    let inner = Layout {
        pixel: PIXEL,
        ..Layout::map(POINTS, POINTS)
    };
    let outer = Layout {
        gutter: 6,
        background: 255,
        ..inner
    };
    let images = run.model.decode(codes.view());
    let (image, grid, pixel) = nested(run.shape, images.view(), inner, outer)?;
    let head = |name: &str, value: f64| {
        let decimals = if value == 0.0 { 0 } else { 2 };
        format!("{name} = {}", viz::number::decimal(value, decimals))
    };
    Ok(TilePanel {
        title: run.title(),
        image,
        grid,
        row_heads: axis.iter().rev().map(|&value| head("z₂", value)).collect(),
        column_heads: axis.iter().map(|&value| head("z₁", value)).collect(),
        pixel,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lattice_runs_as_the_caption_says() {
        let axis = quantiles();
        assert_eq!(axis[1], 0.0);
        assert!((axis[2] - 0.967_421_566).abs() < 1e-8 && (axis[0] + axis[2]).abs() < 1e-12);
        let codes = lattice_of_four(&axis);
        let (low, high) = (axis[0] as f32, axis[2] as f32);
        assert_eq!(codes.dim(), (81, 4));
        assert_eq!(codes.row(0).to_vec(), [low, high, low, high]);
        assert_eq!(
            codes.row(1).to_vec(),
            [low, high, 0.0, high],
            "z₃ goes right in a block"
        );
        assert_eq!(
            codes.row(9).to_vec(),
            [0.0, high, low, high],
            "z₁ goes right over blocks"
        );
        assert_eq!(codes.row(40).to_vec(), [0.0; 4]);
        assert_eq!(codes.row(80).to_vec(), [high, low, high, low]);
    }
}
