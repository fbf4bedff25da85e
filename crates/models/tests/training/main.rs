//! The training loop: resumption and the tape; the order of images, refusals and
//! several threads in files of their own.

mod order;
mod refusals;
mod threads;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use models::{
    Activation, AdamConstants, AdamForm, AdamMoments, BatchGradient, DataTreatment, EpochLosses,
    Gradients, Initialisation, Likelihood, Model, ModelKind, ModelSpec, Objective, Progress,
    Schedule, Trainer, TrainerError, TrainingConfig,
};
use rand::Rng;
use tensor_ops::random::Stream;

const SIDE: usize = 12;

/// Bright squares at random places on black: compressible, so that training
/// has something to learn.
fn images(count: usize) -> Arc<[u8]> {
    let mut rng = Stream::new(99, 0).rng(0);
    let mut bytes = vec![0; count * SIDE * SIDE];
    for image in bytes.chunks_exact_mut(SIDE * SIDE) {
        let (top, left) = (rng.random_range(0..SIDE - 4), rng.random_range(0..SIDE - 4));
        for row in top..top + 5 {
            for pixel in &mut image[row * SIDE + left..][..5] {
                *pixel = rng.random_range(128..=255);
            }
        }
    }
    bytes.into()
}

fn model(kind: ModelKind, hidden: &str, activation: Activation) -> Model {
    let mut spec = ModelSpec {
        kind,
        architecture: format!("{}-{hidden}", SIDE * SIDE).parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    spec.architecture.activation = activation;
    Model::new(spec, Initialisation::PyTorchUniform, 5).unwrap()
}

fn config() -> TrainingConfig {
    TrainingConfig {
        batch: 24,
        ..TrainingConfig::standard(5)
    }
}

/// Every option at once, with draws of each kind.
fn elaborate(treatment: DataTreatment) -> TrainingConfig {
    TrainingConfig {
        treatment,
        schedule: Schedule::Cosine {
            epochs: 4,
            last: 0.1,
        },
        warm_up_epochs: 1.5,
        weight_decay: 0.01,
        clip_norm: Some(20.0),
        ..config()
    }
}

/// Every other form of the optimiser at once, as the published code of Burda et al.
/// (2016) takes them.
fn as_published() -> TrainingConfig {
    TrainingConfig {
        adam: AdamConstants {
            beta1: 0.99,
            epsilon: 1e-4,
            second_moment_start: 1.0,
            form: AdamForm::Efficient,
            moments: AdamMoments::Previous,
            ..AdamConstants::STANDARD
        },
        batch_gradient: BatchGradient::Sum,
        objective: Objective::iwae(1),
        treatment: DataTreatment::BinarisedPerMinibatch,
        schedule: Schedule::IwaeRounded,
        shuffle: false,
        ..config()
    }
}

fn trainer(config: TrainingConfig) -> Trainer {
    Trainer::new(
        model(ModelKind::Vae, "40-20-3", Activation::Relu),
        config,
        images(250),
    )
    .unwrap()
}

fn epochs(trainer: &mut Trainer, count: usize) -> Vec<EpochLosses> {
    (0..count)
        .map(|_| trainer.run_epoch(&mut |_| {}).unwrap())
        .collect()
}

fn saved(trainer: &Trainer, folder: &Path, name: &str) -> (Vec<u8>, Vec<u8>) {
    let (model, state) = (
        folder.join(format!("{name}.model")),
        folder.join(format!("{name}.state")),
    );
    trainer.model().save(&model, &BTreeMap::new()).unwrap();
    trainer.save_state(&state, &Default::default()).unwrap();
    (fs::read(model).unwrap(), fs::read(state).unwrap())
}

/// Objectives that take other ways through a step than the plain ELBO.
fn objectives() -> [Objective; 5] {
    let warm_up = Objective {
        beta: 2.0,
        beta_warm_up_epochs: 3,
        ..Objective::ELBO
    };
    let free_bits = Objective {
        free_bits: 0.4,
        ..warm_up
    };
    let several = Objective {
        samples: 3,
        ..warm_up
    };
    [
        warm_up,
        free_bits,
        several,
        Objective {
            samples: 2,
            ..free_bits
        },
        Objective::iwae(4),
    ]
}

#[test]
fn every_objective_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.safetensors");
    for objective in objectives() {
        let config = || TrainingConfig {
            objective,
            ..config()
        };
        let mut whole = trainer(config());
        let whole_losses = epochs(&mut whole, 3);
        // In the middle of the warm-up, and of an epoch.
        let mut first = trainer(config());
        epochs(&mut first, 1);
        for _ in 0..4 {
            first.step().unwrap();
        }
        first.save_state(&state, &Default::default()).unwrap();
        let mut second = trainer(config());
        second.load_state(&state).unwrap();
        let losses = epochs(&mut second, 2);
        assert_eq!(losses[0].loss, whole_losses[1].loss, "{objective}");
        assert!(
            saved(&second, folder.path(), "resumed") == saved(&whole, folder.path(), "whole"),
            "{objective}"
        );

        let mut other = trainer(with_one_more_sample(objective));
        let error = other.load_state(&state).unwrap_err().to_string();
        assert!(error.contains("objective"), "{error}");
    }
}

fn with_one_more_sample(objective: Objective) -> TrainingConfig {
    let objective = Objective {
        samples: objective.samples + 1,
        ..objective
    };
    TrainingConfig {
        objective,
        ..config()
    }
}

/// Every likelihood learns, whatever the bound, and does so to the same bytes
/// on any number of threads and across a stop.
#[test]
fn every_likelihood_learns_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("model"), folder.path().join("state"));
    for likelihood in [
        "continuous-bernoulli",
        "gaussian/0.2",
        "gaussian/scalar",
        "gaussian-identity/per-pixel",
        "gaussian-identity/decoder",
    ] {
        for objective in [Objective::ELBO, Objective::iwae(3)] {
            let run = |threads, stop: bool| {
                let mut spec = model(ModelKind::Vae, "40-3", Activation::Relu)
                    .spec()
                    .clone();
                spec.likelihood = likelihood.parse().unwrap();
                let new = || {
                    let model = Model::new(spec.clone(), Initialisation::PyTorchUniform, 5);
                    let config = TrainingConfig {
                        learning_rate: 3e-3,
                        threads,
                        objective,
                        ..config()
                    };
                    Trainer::new(model.unwrap(), config, images(250)).unwrap()
                };
                let mut trainer = new();
                let mut losses = epochs(&mut trainer, 6);
                if stop {
                    trainer.save_state(&state, &Default::default()).unwrap();
                    trainer = new();
                    trainer.load_state(&state).unwrap();
                }
                losses.extend(epochs(&mut trainer, 6));
                trainer.model().save(&file, &BTreeMap::new()).unwrap();
                assert_eq!(&Model::load(&file).unwrap(), trainer.model());
                (losses, trainer.into_model())
            };
            let (losses, model) = run(1, false);
            let (first, last) = (losses[0].loss, losses[11].loss);
            let case = format!("{likelihood} {objective}");
            assert!(last < first - 0.2 * first.abs(), "{case}: {first} {last}");
            assert!(model == run(2, true).1, "{case}");
            let means = model.decode(ndarray::Array2::zeros((1, 3)).view());
            assert!(means.iter().all(|mean| mean.is_finite()), "{case}");
        }
    }
}

/// The first step of a warm-up weighs the KL with 0, the last with β.
#[test]
fn warm_up_changes_the_weight_of_the_kl_with_every_step() {
    let objective = Objective {
        beta: 2.0,
        beta_warm_up_epochs: 1,
        ..Objective::ELBO
    };
    let mut trainer = trainer(TrainingConfig {
        objective,
        ..config()
    });
    let steps = trainer.steps_in_epoch() as f64;
    for step in 0..trainer.steps_in_epoch() + 3 {
        let losses = trainer.step().unwrap().losses;
        let beta = (losses.loss - losses.reconstruction) / losses.kl;
        let expected = 2.0 * (step as f64 / steps).min(1.0);
        assert!((beta - expected).abs() < 1e-9, "step {step}: {beta}");
    }
}

#[test]
fn importance_weights_tighten_the_bound() {
    let mut trained = trainer(TrainingConfig {
        learning_rate: 1e-2,
        ..config()
    });
    epochs(&mut trained, 20);
    let model = trained.into_model();
    // With a step size of 0 the bounds of one model are compared: in
    // expectation ELBO = IWAE₁ ≤ IWAE₅ ≤ IWAE₅₀ (Burda et al. 2016, theorem 1).
    let bound = |objective| {
        let config = TrainingConfig {
            objective,
            learning_rate: 0.0,
            ..config()
        };
        let mut trainer = Trainer::new(model.clone(), config, images(250)).unwrap();
        let losses = epochs(&mut trainer, 8);
        -losses.iter().map(|losses| losses.loss).sum::<f64>() / 8.0
    };
    let (elbo, one) = (bound(Objective::ELBO), bound(Objective::iwae(1)));
    let (five, fifty) = (bound(Objective::iwae(5)), bound(Objective::iwae(50)));
    assert!((elbo - one).abs() < 0.2, "{elbo} {one}");
    assert!(
        one + 0.2 < five && five + 0.05 < fifty,
        "{one} {five} {fifty}"
    );
}

#[test]
fn a_resumed_run_gives_the_bytes_of_an_uninterrupted_one() {
    resumed_gives_the_bytes_of_uninterrupted(config());
    resumed_gives_the_bytes_of_uninterrupted(as_published());
    for treatment in DataTreatment::ALL {
        resumed_gives_the_bytes_of_uninterrupted(elaborate(treatment));
    }
}

fn resumed_gives_the_bytes_of_uninterrupted(config: TrainingConfig) {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = trainer(config.clone());
    let whole_losses = epochs(&mut whole, 4);
    let expected = saved(&whole, folder.path(), "whole");

    let state = folder.path().join("state.safetensors");
    // After whole epochs, and in the middle of one.
    for (before, steps) in [(2, 0), (1, 4), (0, 1)] {
        let mut first = trainer(config.clone());
        epochs(&mut first, before);
        for _ in 0..steps {
            first.step().unwrap();
        }
        first.save_state(&state, &Default::default()).unwrap();
        drop(first);
        // Another initial model, to show that nothing of it stays.
        let other = Model::new(whole.model().spec().clone(), Initialisation::Glorot, 77).unwrap();
        let mut second = Trainer::new(
            other,
            TrainingConfig {
                threads: 2,
                ..config.clone()
            },
            images(250),
        )
        .unwrap();
        second.load_state(&state).unwrap();
        assert_eq!(second.epoch(), before as u64);
        let losses = epochs(&mut second, 4 - before);
        assert_eq!(
            losses[0].loss, whole_losses[before].loss,
            "after {before} epochs and {steps} steps"
        );
        assert!(
            saved(&second, folder.path(), "resumed") == expected,
            "after {before} epochs and {steps} steps"
        );
    }
}

#[test]
fn steps_and_epochs_are_the_same_training() {
    let mut by_epochs = trainer(config());
    let expected = epochs(&mut by_epochs, 2);
    let mut by_steps = trainer(config());
    let (mut seen, mut found) = (0, Vec::new());
    while found.len() < 2 {
        // Asked to stop after every third step.
        let ended = by_steps
            .run_steps(7, &mut |progress| {
                seen += 1;
                assert_eq!(progress.step, seen);
                // 250 images in batches of 24.
                assert_eq!(
                    (progress.epoch, progress.steps_in_epoch),
                    (1 + (seen - 1) / 11, 11)
                );
                seen % 3 != 0
            })
            .unwrap();
        found.extend(ended);
    }
    assert_eq!(seen, 2 * by_steps.steps_in_epoch() as u64);
    assert_eq!(by_steps.model(), by_epochs.model());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.loss, found.kl), (expected.loss, expected.kl));
    }
}

/// Both engines call the same kernels in the same order, so training on the
/// tape follows the hand-derived training bit for bit: rounding would
/// otherwise drive the two apart within a few epochs.
#[test]
fn hand_derived_and_tape_training_are_the_same() {
    for kind in ModelKind::ALL {
        let run = |gradients| {
            let config = TrainingConfig {
                gradients,
                ..config()
            };
            let model = model(kind, "40-20-3", Activation::Relu);
            let mut trainer = Trainer::new(model, config, images(250)).unwrap();
            let losses = epochs(&mut trainer, 8);
            (losses, trainer.into_model())
        };
        let (hand, tape) = (run(Gradients::Hand), run(Gradients::Tape));
        assert!(hand.1 == tape.1, "{kind}: the weights differ");
        for (hand, tape) in hand.0.iter().zip(&tape.0) {
            // Only the order of the KL's sum over dimensions may differ.
            assert_eq!(hand.reconstruction, tape.reconstruction, "{kind}");
            assert!(
                (hand.kl - tape.kl).abs() < 1e-5,
                "{kind}: {} and {}",
                hand.kl,
                tape.kl
            );
        }
    }
}

#[test]
fn every_model_learns() {
    let config = TrainingConfig {
        learning_rate: 1e-2,
        ..config()
    };
    for kind in ModelKind::ALL {
        for activation in [Activation::Relu, Activation::Tanh] {
            for hidden in ["3", "40-3", "40-20-3"] {
                let mut trainer =
                    Trainer::new(model(kind, hidden, activation), config.clone(), images(250))
                        .unwrap();
                let losses = epochs(&mut trainer, 12);
                let (first, last) = (losses[0], losses[11]);
                assert!(
                    last.loss < 0.8 * first.loss,
                    "{kind} {hidden} {activation}: {first:?} {last:?}"
                );
                assert!((last.loss - last.reconstruction - last.kl).abs() < 1e-9);
                let is_free = kind.penalty_name().is_none();
                assert_eq!(last.kl == 0.0, is_free, "{kind}: {last:?}");
            }
        }
    }
}
