//! Every way through a step, small enough for an interpreter that watches each
//! access to memory.

use std::sync::Arc;

use crate::{
    Bound, Gradients, Initialisation, Likelihood, Model, ModelKind, ModelSpec, Objective, Trainer,
    TrainingConfig,
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
