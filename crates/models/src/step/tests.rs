//! Every way through a step, small enough for an interpreter that watches each
//! access to memory.

use std::sync::Arc;

use tensor_ops::parallel::ThreadPool;
use tensor_ops::random::Stream;

use crate::images::PixelRows;
use crate::step::GradientWorkspace;
use crate::training::batch::{BatchPixels, IndexedBatch};
use crate::{
    Bound, GaussianSigma, Gradients, Initialisation, Likelihood, Model, ModelKind, ModelSpec,
    Objective, Trainer, TrainingConfig,
};

const PIXELS: usize = 20;

/// Two steps, so that the second sees what the first has written.
fn parameters_after_two_steps(
    spec: &ModelSpec,
    objective: Objective,
    gradients: Gradients,
    threads: usize,
) -> Vec<u32> {
    let images: Arc<[u8]> = (0..10 * PIXELS).map(|i| (i * 37 % 256) as u8).collect();
    let config = TrainingConfig {
        batch: 5,
        objective,
        gradients,
        threads,
        ..TrainingConfig::standard(3)
    };
    let model = Model::new(spec.clone(), Initialisation::PyTorchUniform, 1).unwrap();
    let mut trainer = Trainer::new(model, config, images).unwrap();
    for _ in 0..2 {
        trainer.step().unwrap();
    }
    let values = trainer.model().parameters().as_slice().iter();
    values.map(|value| value.to_bits()).collect()
}

#[test]
fn every_model_takes_the_same_tiny_steps_on_any_number_of_threads() {
    let wae = Objective {
        bound: Bound::Wae,
        ..Objective::ELBO
    };
    let lossy = Objective {
        corruption: ModelKind::Denoising.corruption(),
        ..Objective::ELBO
    };
    // 36 outputs are three panels, of which one thread owns one and the other two.
    for (kind, architecture, objective) in [
        (ModelKind::Vae, "20-36-3", Objective::ELBO),
        (ModelKind::Vae, "20-4-3", Objective::iwae(3)),
        (ModelKind::Denoising, "20-36-3", lossy),
        (ModelKind::Ae, "20-4-3", wae),
        (ModelKind::Vae, "20-4-3/3-5-2", Objective::iwae(2)),
    ] {
        let spec = ModelSpec {
            kind,
            architecture: architecture.parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        let run =
            |gradients, threads| parameters_after_two_steps(&spec, objective, gradients, threads);
        // The interpreter takes half a minute for each.
        let more: &[usize] = if cfg!(miri) { &[2] } else { &[2, 3] };
        let on_tape = !cfg!(miri) || objective == Objective::ELBO;
        let ways = [(Gradients::Hand, more), (Gradients::Tape, &[2])];
        for (gradients, more) in ways.into_iter().take(1 + usize::from(on_tape)) {
            let one = run(gradients, 1);
            for &threads in more {
                assert!(
                    run(gradients, threads) == one,
                    "{kind} {architecture} {objective}: {gradients}, {threads} threads"
                );
            }
        }
    }
}

/// Blocks of any size, the last ones smaller or empty, and any number of threads,
/// changed from batch to batch, come to the losses and the gradient of one block on
/// one thread.
#[test]
fn blocks_and_threads_cannot_be_seen_in_losses_and_gradient() {
    let with = |change: fn(&mut Objective)| {
        let mut objective = Objective::ELBO;
        change(&mut objective);
        objective
    };
    let free_bits = with(|objective| objective.free_bits = 0.3);
    let of_two = Objective {
        samples: 2,
        ..free_bits
    };
    let wae = with(|objective| objective.bound = Bound::Wae);
    let cases = [
        (ModelKind::Vae, "20-36-3", "bernoulli", free_bits),
        (ModelKind::Vae, "20-36-3", "gaussian/1", of_two),
        (ModelKind::Ae, "20-36-3", "bernoulli", wae),
        (ModelKind::Vae, "20-36-3", "gaussian/1", Objective::iwae(3)),
        (ModelKind::Vae, "20-3", "laplace/1", Objective::ELBO),
        (
            ModelKind::Vae,
            "20-4-3/3-5-2",
            "bernoulli",
            Objective::iwae(2),
        ),
    ];
    for (kind, architecture, likelihood, objective) in cases {
        let likelihood: Likelihood = likelihood.parse().unwrap();
        let sigmas = [
            GaussianSigma::Scalar,
            GaussianSigma::PerPixel,
            GaussianSigma::Decoder,
            GaussianSigma::Fixed(0.5),
        ];
        let of_sigmas = sigmas
            .into_iter()
            .filter_map(|sigma| likelihood.with_sigma(sigma));
        let mut likelihoods: Vec<Likelihood> = of_sigmas.collect();
        if likelihoods.is_empty() {
            likelihoods.push(likelihood);
        }
        if cfg!(miri) {
            likelihoods.truncate(1);
        }
        for likelihood in likelihoods {
            let spec = ModelSpec {
                kind,
                architecture: architecture.parse().unwrap(),
                likelihood,
                posterior_scale: Default::default(),
            };
            let case = format!("{kind} {architecture} {likelihood} {objective}");
            assert_blocks_and_threads_are_invisible(&spec, &objective, &case);
        }
    }
}

fn assert_blocks_and_threads_are_invisible(spec: &ModelSpec, objective: &Objective, case: &str) {
    let capacity = 8;
    let bytes: Vec<u8> = (0..capacity * PIXELS)
        .map(|i| (i * 37 % 256) as u8)
        .collect();
    let indices: Vec<u32> = (0..capacity as u32).collect();
    let model = Model::new(spec.clone(), Initialisation::PyTorchUniform, 1).unwrap();
    let layout = model.parameters().layout();
    let run = |workspace: &mut GradientWorkspace<f32>, pool: &ThreadPool, rows: usize| {
        let batch = IndexedBatch {
            pixels: BatchPixels::AsStored(PixelRows::Bytes(&bytes)),
            indices: &indices[..rows],
            noise: Stream::new(1, 1),
            noise_offset: 0,
            corruption: (Stream::new(1, 2), 0),
        };
        let sums = workspace.forward_backward(pool, model.parameters(), &batch);
        let mut gradient = crate::Parameters::zeros(layout.clone());
        workspace.gradient(pool, &mut gradient);
        let values = gradient.as_slice().iter();
        let bits: Vec<u32> = values.map(|value| value.to_bits()).collect();
        (sums, bits)
    };
    let workspace = |images: usize, threads: usize| {
        let rows = (capacity, images);
        let hand = Gradients::Hand;
        GradientWorkspace::in_blocks(spec, objective, layout.clone(), hand, rows, threads)
    };
    let alone = ThreadPool::new(1).unwrap();
    let most = if cfg!(miri) { 2 } else { 8 };
    let pool = ThreadPool::new(most).unwrap();
    let sizes: &[usize] = if cfg!(miri) { &[3] } else { &[8, 3, 2] };
    for &images in sizes {
        let mut shared = workspace(images, most);
        // Of seven images the last block has one, of three the last ones none.
        for rows in [7, 3] {
            let expected = run(&mut workspace(capacity, 1), &alone, rows);
            for threads in (1..=most).rev() {
                shared.set_threads(threads);
                let found = run(&mut shared, &pool, rows);
                assert_eq!(
                    found.0, expected.0,
                    "{case}: {rows} by {images}, {threads} threads"
                );
                assert!(
                    found.1 == expected.1,
                    "{case}: another gradient of {rows} by {images}, {threads} threads"
                );
            }
        }
    }
}
