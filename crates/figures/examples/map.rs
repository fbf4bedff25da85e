//! Trains a small variational autoencoder on the embedded glyphs and draws the
//! map of its latent plane:
//!
//!     cargo run --release -p figures --example map -- map.png

#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use models::{Initialisation, Likelihood, Model, ModelKind, ModelSpec, Trainer, TrainingConfig};
use ndarray::Array2;
use runs::run_data::shared_images;
use viz::charts::LabelledMap;
use viz::{Figure, Grid, TileShape, Tiles, lattice, linspace, write_png};

/// Codes a side.
const STEPS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .map_or("map.png".into(), PathBuf::from);
    let dataset = datasets::load("glyphs", &datasets::Lookup::default(), &mut |_| {})?;
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "784-64-2".parse()?,
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    let model = Model::new(spec, Initialisation::PyTorchUniform, 1)?;
    let images = shared_images(&dataset.train, dataset.train.len());
    let mut trainer = Trainer::new(model, TrainingConfig::standard(1), images)?;
    for _ in 0..3 {
        trainer.run_epoch(&mut |_| {})?;
    }
    // Codes from the top left to the bottom right, and the mean image of each.
    let codes = lattice(STEPS, -3.0, 3.0);
    let codes = Array2::from_shape_fn((codes.len(), 2), |(row, axis)| codes[row][axis] as f32);
    let decoded = trainer.model().decode(codes.view());
    let tiles = Tiles::new(
        TileShape::Grey {
            height: 28,
            width: 28,
        },
        decoded.as_slice().expect("a new array"),
    );
    let image = tiles.montage(&Grid::new(STEPS, STEPS, 28, 28))?;
    let axis = linspace(STEPS, -3.0, 3.0);
    let plot = LabelledMap {
        title: "VAE 784-64-2",
        image: image.as_ref(),
        first: &axis,
        second: &axis,
        labels: ["z₁", "z₂"],
        pixel: 1.0,
    }
    .plot();
    let figure = Figure {
        title: "Map of the latent plane".into(),
        caption: "Decoded images of 15 × 15 codes, every tile centred on its code.".into(),
        ..Figure::of(plot)
    };
    write_png(&path, &figure.render(), &[])?;
    println!("wrote {}", path.display());
    Ok(())
}
