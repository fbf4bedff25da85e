//! What an event file shows of weights: pictures and distributions.

use datasets::Split;
use evaluation::subset::{Population, SEED, numbers, subset};
use figures::TrainedRun;
use figures::choice::one_of_each_class;
use figures::plane::{Axes, Plane};
use figures::plane_map::PlaneMap;
use figures::tiles::{Layout, picture};
use models::{Codes, Images};
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use runs::Error;
use viz::{Image, linspace};

use super::messages::Value;
use super::summaries::{histogram, image};

/// Rows whose codes make distributions, at most; and values of them.
const SAMPLE: usize = 2000;
const SAMPLE_VALUES: usize = 1 << 21;

/// Latent variables with distributions of their own, at most.
const MOST_VARIABLES: usize = 32;

/// Codes on a side of the map, and how far it reaches.
const STEPS: usize = 21;
const REACH: f64 = 4.0;

/// Longer side of a tile of a picture, pixels.
const TILE: usize = 28;

/// Test rows that are shown, as the network sees them: `[n, values of a row]`.
#[derive(Clone, Debug)]
pub(super) struct ShownRows {
    /// One of each class, or some at random.
    examples: Array2<f32>,
    /// A random sample.
    sample: Array2<f32>,
}

impl ShownRows {
    /// Those of a test set; `seen` are its rows as the network sees them.
    pub(super) fn choose(test: &Split, classes: usize, seen: Images<'_>) -> Self {
        let most = SAMPLE.min(SAMPLE_VALUES / seen.ncols().max(1)).max(1);
        let population = Population::of(test.len(), test.labels());
        Self {
            examples: rows(seen, &one_of_each_class(test, classes).images),
            sample: rows(seen, &subset(population, most, numbers(SEED))),
        }
    }
}

/// Some rows as values.
fn rows(all: Images<'_>, chosen: &[usize]) -> Array2<f32> {
    let mut values = Array2::zeros((chosen.len(), all.ncols()));
    for (&row, mut target) in chosen.iter().zip(values.outer_iter_mut()) {
        if let Some(target) = target.as_slice_mut() {
            all.read_row(row, target);
        }
    }
    values
}

/// What the weights of `run` are, make of `rows` and decode.
///
/// # Errors
/// When codes are not finite, or a picture has no pixels.
pub(super) fn of_weights(run: &TrainedRun, rows: &ShownRows) -> Result<Vec<Value>, Error> {
    let codes = run.encode(rows.sample.view());
    let mut values = vec![
        image("pictures/map", map(run, &codes)?.as_ref())?,
        image(
            "pictures/reconstructions",
            reconstructions(run, rows.examples.view())?.as_ref(),
        )?,
    ];
    for tensor in run.model.named_tensors() {
        let tag = format!("weights/{}", tensor.name);
        values.extend(histogram(tag, tensor.values.iter().copied()));
    }
    let parts = [
        ("mu", Some(&codes.mean)),
        ("log_var", codes.log_variance.as_ref()),
    ];
    for (name, part) in parts {
        let columns = part.into_iter().flat_map(|part| part.columns());
        for (column, number) in columns.zip(1..=MOST_VARIABLES) {
            let tag = format!("codes/{name}{number}");
            values.extend(histogram(tag, column.iter().copied()));
        }
    }
    Ok(values)
}

/// Decoded images of 21 × 21 codes over −4 … 4 on both axes of the plane that
/// figures show, or of 21 codes of one latent variable.
fn map(run: &TrainedRun, codes: &Codes) -> Result<Image, Error> {
    let steps = linspace(STEPS, -REACH, REACH);
    if run.latent() == 1 {
        let codes = Array2::from_shape_fn((STEPS, 1), |(step, _)| steps[step] as f32);
        let grid = Layout::map(1, STEPS).bare_grid(run.shape, TILE);
        return picture(run.shape, run.decoded(codes.view()).view(), &grid);
    }
    let plane = Plane::of(codes, Axes::Automatic)?;
    PlaneMap::on(&plane, run, steps.clone(), steps).image()
}

/// Rows above their reconstructions.
fn reconstructions(run: &TrainedRun, rows: ArrayView2<'_, f32>) -> Result<Image, Error> {
    let inputs = run.brightness(rows.to_owned());
    let outputs = run.brightness(run.model.reconstruct(rows));
    let both = concatenate(Axis(0), &[inputs.view(), outputs.view()])
        .expect("reconstructions are as long as their rows");
    let grid = Layout::map(2, rows.nrows()).bare_grid(run.shape, TILE);
    picture(run.shape, both.view(), &grid)
}
