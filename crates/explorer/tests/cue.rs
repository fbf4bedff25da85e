//! The badge says of images that are new what it says: that 95 % of the data
//! are nearer than this.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "NUMERICS has the numbers")]

use std::sync::Arc;

use datasets::glyphs;
use evaluation::knn::NearestNeighbours;
use explorer::distances::{quantiles, share_nearer, to_nearest_other};
use models::streams::{Purpose, stream};
use models::{Initialisation, Model, ModelKind, ModelSpec, Trainer, TrainingConfig};
use ndarray::{ArrayView2, Axis};

const SEEDS: u64 = 5;
const TRAINED_ON: usize = 20_000;
const EPOCHS: usize = 4;

fn trained(kind: ModelKind, seed: u64, images: &Arc<[u8]>) -> Model {
    let spec = ModelSpec {
        kind,
        architecture: "784-64-2".parse().unwrap(),
        likelihood: "bernoulli".parse().unwrap(),
        posterior_scale: Default::default(),
    };
    let model = Model::new(spec, Initialisation::PyTorchUniform, seed).unwrap();
    let config = TrainingConfig::standard(seed);
    let mut trainer = Trainer::new(model, config, images.clone()).unwrap();
    for _ in 0..EPOCHS {
        trainer.run_epoch(&mut |_| {}).unwrap();
    }
    trainer.model().clone()
}

/// The share of codes that are held out whose badge says at most 95 %.
fn covered(reference: ArrayView2<'_, f32>, held_out: ArrayView2<'_, f32>) -> f64 {
    let quantiles = quantiles(to_nearest_other(reference).unwrap());
    let neighbours = NearestNeighbours::new(reference).unwrap();
    let near = held_out.outer_iter().filter(|code| {
        let code: Vec<f64> = code.iter().map(|&value| f64::from(value)).collect();
        let distance = neighbours.nearest(&code, 1)[0].squared_distance.sqrt();
        share_nearer(&quantiles, distance) <= 0.95
    });
    near.count() as f64 / held_out.nrows() as f64
}

#[test]
fn ninety_five_per_cent_of_new_codes_are_as_near_as_the_badge_says() {
    let train: Arc<[u8]> = bytes(0..TRAINED_ON).into();
    let test = bytes(glyphs::TRAIN..glyphs::TRAIN + glyphs::TEST);
    let test = ArrayView2::from_shape((glyphs::TEST, glyphs::PIXELS), &test).unwrap();
    for kind in [ModelKind::Ae, ModelKind::Vae] {
        let mut shares = Vec::new();
        for seed in 0..SEEDS {
            let codes = trained(kind, seed, &train).encode(test).mean;
            let numbers = stream(seed, Purpose::Sampling, 1);
            let mut order: Vec<usize> = (0..glyphs::TEST).collect();
            order.sort_by_cached_key(|&row| numbers.block(row as u64));
            let (reference, held_out) = order.split_at(glyphs::TEST / 2);
            let share = covered(
                codes.select(Axis(0), reference).view(),
                codes.select(Axis(0), held_out).view(),
            );
            // Of 5000 codes against quantiles of 5000, one deviation is 0.5 %.
            assert!((share - 0.95).abs() < 0.02, "{kind}, seed {seed}: {share}");
            shares.push(share);
        }
        println!("{kind}: {shares:?}");
        let mean = shares.iter().sum::<f64>() / SEEDS as f64;
        assert!((mean - 0.95).abs() < 0.01, "{kind}: {shares:?}");
    }
}

fn bytes(indices: std::ops::Range<usize>) -> Vec<u8> {
    let split = glyphs::split(indices);
    split.bytes().unwrap().iter().copied().collect()
}
