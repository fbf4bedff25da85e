//! Trains a variational autoencoder on arrays of one's own and evaluates it:
//!
//!     cargo run --release -p evaluation --example own_arrays

#![allow(clippy::print_stdout)]

use std::sync::Arc;

use evaluation::ndarray::{Array2, ArrayView2};
use evaluation::{EvaluationOptions, evaluate};
use models::{Initialisation, Likelihood, Model, ModelKind, ModelSpec, Trainer, TrainingConfig};

/// Bars of 8 × 8 pixels, upright or lying, at eight places: rows of bytes that
/// stand for b/255.
fn bars(n: usize) -> Array2<u8> {
    Array2::from_shape_fn((n, 64), |(row, pixel)| {
        let (place, is_upright) = (row % 8, (row / 8) % 2 == 0);
        let at = if is_upright { pixel % 8 } else { pixel / 8 };
        if at == place { 255 } else { 0 }
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let images = bars(2048);
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "64-32-2".parse()?,
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    let model = Model::new(spec, Initialisation::PyTorchUniform, 1)?;
    let config = TrainingConfig {
        batch: 64,
        ..TrainingConfig::standard(1)
    };
    let pixels: Arc<[u8]> = images.iter().copied().collect();
    let mut trainer = Trainer::new(model, config, pixels)?;
    for epoch in 1..=40 {
        let losses = trainer.run_epoch(&mut |_| {})?;
        if epoch % 10 == 0 {
            println!("epoch {epoch}: {:.2} nats per image", losses.loss);
        }
    }
    let model = trainer.model();
    let test: ArrayView2<'_, u8> = images.view();
    let found = evaluate(model, test, &EvaluationOptions::default())?;
    println!(
        "reconstruction {:.2} + KL {:.2} nats, {} active units",
        found.reconstruction,
        found.kl.unwrap_or(0.0),
        found.active_units
    );
    // Without a model, a pixel costs ln 2 and an image 44 nats.
    assert!(found.loss < 25.0);
    Ok(())
}
