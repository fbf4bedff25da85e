//! Bytes counted by hand, array by array.

use super::*;
use crate::objective::Bound;
use crate::spec::{ModelKind, PosteriorScale};
use crate::training::data_treatment::DataTreatment;

/// Of one stochastic layer: widths of whole panels are 32, 16; 32, 48.
const ONE: &str = "37-20-3";

/// Of two: 32, 32; 160, 64; 160, 32; 32, 48. The scales of both posteriors and of
/// the prior begin in panels of their own.
const TWO: &str = "37-20-5/5-150-18";

fn spec(kind: ModelKind, architecture: &str, likelihood: &str) -> ModelSpec {
    ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: likelihood.parse().unwrap(),
        posterior_scale: PosteriorScale::LogVariance,
    }
}

fn config(gradients: Gradients, threads: usize, objective: Objective) -> TrainingConfig {
    TrainingConfig {
        batch: 10,
        threads,
        gradients,
        objective,
        ..TrainingConfig::standard(1)
    }
}

/// Bytes of the places of pixels that are not zero, which depend on the
/// instruction set.
fn support(rows: usize) -> u64 {
    Support::bytes::<f32>(Panels::new(rows, 37)) as u64
}

#[test]
fn one_stochastic_layer_is_counted_array_by_array() {
    let objective = Objective {
        samples: 5,
        free_bits: 0.1,
        corruption: 0.3,
        ..Objective::ELBO
    };
    let config = TrainingConfig {
        batch: 1000,
        clip_norm: Some(1.0),
        treatment: DataTreatment::BinarisedOnce,
        ..config(Gradients::Hand, 3, objective)
    };
    let spec = spec(ModelKind::Vae, ONE, "gaussian/per-pixel");
    let told = TrainingFootprint::of(&spec, &config, 100);
    let weights = 37 * 32 + 20 * 16 + 3 * 32 + 20 * 48;
    let biases = 32 + 16 + 32 + 48 + 48;
    // Value, two moments and gradient of four bytes.
    assert_eq!(told.parameters, 4 * 4 * (weights + biases));
    assert_eq!(told.checkpoint, 6 * 4 * (weights + biases));
    // A number for every image, and three panels of 16 bits.
    assert_eq!(told.images, 100 * 4 + 100 * 6);
    // 256 / 5 images in each of two blocks, and 255 codes, 256 of them in panels.
    let outputs = 51 * (32 + 16) + 255 * (32 + 48);
    let gradients = 51 * (32 + 16) + 255 * (32 + 48);
    let in_place = 255 * 48;
    // The learned σ of every code has a gradient and no output.
    let of_sigma = 255 * 48;
    let input = 2 * 51 * 48 + 255 * 3;
    let of_codes = 51 * 16 + 2 * 255 * 16 + 5 * 255;
    let block = outputs + gradients - in_place + of_sigma + input + 3 * of_codes;
    // Three threads sum in five branches.
    let partials = 5 * (2 * 20 + 16) * 256;
    let of_threads = 3 * (37 * 256 + 51 * 16);
    let groups = 3 * (37 * 16 * 2);
    let of_free_bits = 2 * 3;
    let values = 2 * block + partials + of_threads + groups + of_free_bits;
    assert_eq!(told.batch, 4 * values + 2 * support(51));
    let parts = told.parameters + told.batch + told.images + told.checkpoint;
    assert_eq!(told.total(), parts);
}

#[test]
fn two_stochastic_layers_are_counted_array_by_array() {
    let spec = spec(ModelKind::Vae, TWO, "bernoulli");
    let told = |threads| {
        let config = TrainingConfig {
            batch: 25,
            ..config(Gradients::Hand, threads, Objective::iwae(3))
        };
        TrainingFootprint::of(&spec, &config, 30)
    };
    let weights = 37 * 32 + 20 * 32 + 5 * 160 + 150 * 64 + 18 * 160 + 150 * 32;
    let weights = weights + 5 * 32 + 20 * 48;
    let biases = 32 + 32 + 160 + 64 + 160 + 32 + 32 + 48;
    assert_eq!(told(1).parameters, 3 * 4 * (weights + biases));
    assert_eq!(told(1).images, 30 * 4);
    // 64 / 3 images in each of two blocks, and 63 codes, 64 of them in panels.
    let outputs = 21 * (32 + 32) + 63 * (160 + 64) + 63 * (160 + 32) + 63 * (32 + 48);
    let input = 21 * 48 + 63 * (5 + 18);
    let of_codes = 21 * 16 + 63 * (4 * 16 + 3 * 32) + 5 * 63;
    let block = |threads: u64| 2 * outputs - 63 * 48 + input + threads * of_codes;
    // One thread shares nothing with others.
    let alone = 2 * block(1) + 150 * 64 + 150 * 16 * 4;
    assert_eq!(told(1).batch, 4 * alone + 2 * support(21));
    let partials = 2 * (2 * 150 + 16) * 64;
    let of_threads = 2 * (150 * 64 + 63 * 64) + 2 * 150 * 16 * 4;
    let of_two = 2 * block(2) + partials + of_threads;
    assert_eq!(told(2).batch, 4 * of_two + 2 * support(21));
}

#[test]
fn what_the_tape_records_is_counted_array_by_array() {
    use ModelKind::{Ae, Vae};
    let wae = Objective {
        bound: Bound::Wae,
        ..Objective::ELBO
    };
    // Ten images on three threads are four each, whose rows are 16 in panels; the
    // widest layers have 37 outputs and 20 inputs.
    let scratch = (37 + 20) * 16;
    let groups = 3 * (37 * 16 * 2);
    let outputs = 4 * (32 + 16 + 32 + 48);
    let of_images = 4 * 3 + 3 * 48 / 2 + 2 * 16;
    let block = 2 * outputs + 4 * (48 + 2 * 16) + 4 * of_images + scratch;
    let deterministic = 3 * block + groups;

    // Two arrays of |d|² and fourteen of a fixed σ, and the pixels once more for
    // every one of two samples.
    let outputs = 4 * (32 + 16) + 8 * (32 + 48);
    let of_code = 16 * 37 + 2 * 48 + 6 * 3 + 2 * 16;
    let of_images = 26 * 3 + 3 * 48 / 2 + 2 * 16;
    let block = 2 * outputs + 8 * of_code + 4 * of_images + scratch;
    let of_two_samples = 3 * block + groups;

    // All ten in one block, and pairs of codes on seven scales.
    let outputs = 10 * (32 + 16 + 32 + 48);
    let of_images = 4 * 3 + 3 * 48 / 2 + 2 * 16;
    let block = 2 * outputs + 10 * (48 + 2 * 16) + 10 * of_images + scratch;
    let of_pairs = block + groups + 5 * 10 * 10 * (2 * 3 + 3 * 7);

    let outputs = 10 * (32 + 32 + 160 + 64 + 160 + 32 + 32 + 48);
    let of_images = 10 * 5 + 3 * 48 / 2 + 2 * 32;
    let block = 2 * outputs + 10 * (48 + 26 * (5 + 18)) + 10 * of_images;
    let of_two_layers = block + (150 + 150) * 16 + 150 * 16 * 4;

    for (kind, architecture, likelihood, objective, threads, values) in [
        (Ae, ONE, "bernoulli", Objective::ELBO, 3, deterministic),
        (
            Vae,
            ONE,
            "gaussian/0.5",
            Objective::iwae(2),
            3,
            of_two_samples,
        ),
        (Ae, ONE, "bernoulli", wae, 3, of_pairs),
        (Vae, TWO, "bernoulli", Objective::ELBO, 1, of_two_layers),
    ] {
        let spec = spec(kind, architecture, likelihood);
        let config = config(Gradients::Tape, threads, objective);
        let told = TrainingFootprint::of(&spec, &config, 30);
        assert_eq!(
            told.batch,
            4 * values,
            "{kind} {architecture} {objective} {threads}"
        );
    }
}

#[test]
fn a_pass_has_its_codes_and_a_block_of_rows_for_every_thread() {
    use ModelKind::{Ae, Vae};
    // 200 rows are two blocks of 128, for at most two of three threads. An input
    // is pixels or codes, whichever has more.
    for (kind, architecture, rows, values) in [
        // μ, log σ², ε and z, and the decoder's layers.
        (Vae, ONE, 200, 4 * 200 * 3 + 256 * (48 + 32 + 48)),
        (Vae, ONE, 100, 4 * 100 * 3 + 100 * (48 + 32 + 48)),
        (Ae, ONE, 200, 200 * 3 + 256 * (48 + 32 + 48)),
        // The encoder's are wider where codes are long.
        (Vae, "37-300", 200, 2 * 200 * 300 + 256 * (304 + 608)),
        (Ae, "37-300", 200, 200 * 300 + 256 * (304 + 304)),
        (
            Vae,
            TWO,
            200,
            4 * 200 * 18 + 256 * (48 + 160 + 32 + 32 + 48),
        ),
    ] {
        let told = pass_bytes(&spec(kind, architecture, "bernoulli"), rows, 3);
        assert_eq!(told, 4 * values, "{kind} {architecture} {rows}");
    }
}
