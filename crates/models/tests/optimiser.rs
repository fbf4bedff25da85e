//! The training step's options against plain references: weight decay,
//! clipping, schedule, data treatment.

use std::sync::Arc;

use models::{
    BatchGradient, DataTreatment, Gradients, Initialisation, Likelihood, Model, ModelKind,
    ModelSpec, Schedule, Trainer, TrainingConfig,
};

fn model() -> Model {
    let spec = ModelSpec {
        kind: ModelKind::Ae,
        architecture: "20-18-3".parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    Model::new(spec, Initialisation::PyTorchUniform, 4).unwrap()
}

/// Four images, used together in every step.
fn images() -> Arc<[u8]> {
    (0..4 * 20_u32).map(|i| (i * i * 7 % 256) as u8).collect()
}

fn config() -> TrainingConfig {
    TrainingConfig {
        batch: 4,
        learning_rate: 0.01,
        shuffle: false,
        ..TrainingConfig::standard(3)
    }
}

fn trained(config: &TrainingConfig, steps: usize) -> Model {
    let mut trainer = Trainer::new(model(), config.clone(), images()).unwrap();
    for _ in 0..steps {
        trainer.step().unwrap();
    }
    trainer.into_model()
}

fn values(model: &Model) -> Vec<f64> {
    model
        .named_tensors()
        .into_iter()
        .flat_map(|tensor| tensor.values)
        .map(f64::from)
        .collect()
}

/// A gradient by its first step of Adam with β₁ = β₂ = 0 and a huge ε: then
/// p moves by lr · g / ε to first order in g / ε.
fn gradient_at(model: &Model) -> Vec<f64> {
    let mut config = config();
    (config.adam.beta1, config.adam.beta2) = (0.0, 0.0);
    // Powers of two, so that the scaling rounds nothing.
    config.adam.epsilon = 2_f64.powi(40);
    config.learning_rate = 2_f64.powi(40 + 10);
    let before = values(model);
    let mut trainer = Trainer::new(model.clone(), config, images()).unwrap();
    trainer.step().unwrap();
    let after = values(trainer.model());
    let moved = before
        .iter()
        .zip(after)
        .map(|(before, after)| before - after);
    moved.map(|distance| distance / 1024.0).collect()
}

/// Adam in f64 as PyTorch writes it, along the given gradients, one in each epoch, with
/// the decoupled decay of its AdamW.
fn reference(config: &TrainingConfig, start: &[f64], gradients: &[Vec<f64>]) -> Vec<f64> {
    let (b1, b2) = (config.adam.beta1, config.adam.beta2);
    let mut p = start.to_vec();
    let (mut m, mut v) = (vec![0.0; p.len()], vec![0.0; p.len()]);
    for (t, g) in (1..).zip(gradients) {
        let rate = config.learning_rate_at(t as u64 - 1, 0, 1);
        for i in 0..p.len() {
            p[i] *= 1.0 - rate * config.weight_decay;
            m[i] = b1 * m[i] + (1.0 - b1) * g[i];
            v[i] = b2 * v[i] + (1.0 - b2) * g[i] * g[i];
            let root = (v[i] / (1.0 - b2.powi(t))).sqrt() + config.adam.epsilon;
            p[i] -= rate * m[i] / (1.0 - b1.powi(t)) / root;
        }
    }
    p
}

fn norm(g: &[f64]) -> f64 {
    g.iter().map(|g| g * g).sum::<f64>().sqrt()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance,
            "parameter {i}: {found} is not {expected}"
        );
    }
}

/// Three steps of the trainer and of the reference, whose gradients are taken
/// at the trainer's own points.
fn check(config: &TrainingConfig, clip: impl Fn(Vec<f64>) -> Vec<f64>) {
    for (gradients, threads) in [
        (Gradients::Hand, 1),
        (Gradients::Hand, 2),
        (Gradients::Tape, 2),
    ] {
        let config = TrainingConfig {
            gradients,
            threads,
            ..config.clone()
        };
        let points = (0..3).map(|steps| trained(&config, steps));
        let along: Vec<Vec<f64>> = points.map(|model| clip(gradient_at(&model))).collect();
        let expected = reference(&config, &values(&model()), &along);
        assert_close(&values(&trained(&config, 3)), &expected, 2e-6);
    }
}

#[test]
fn weight_decay_is_decoupled() {
    let mut config = config();
    // An ε of the gradient's size, so that a wrong gradient shows.
    config.adam.epsilon = 0.1;
    check(&config, |g| g);
    config.weight_decay = 3.0;
    check(&config, |g| g);
    // At a step size of 0 nothing decays either.
    config.learning_rate = 0.0;
    assert_eq!(trained(&config, 2), model());
}

#[test]
fn weight_decay_follows_the_schedule_and_the_warm_up() {
    let mut config = config();
    config.adam.epsilon = 0.1;
    config.weight_decay = 3.0;
    config.schedule = Schedule::Step {
        epochs: 1,
        factor: 0.5,
    };
    check(&config, |g| g);
    config.warm_up_epochs = 3.0;
    check(&config, |g| g);
}

/// A sum is a mean times the batch: with ε and second moments in the same proportion
/// the steps are the same, and without them they are not.
#[test]
fn steps_along_the_sum_are_steps_along_the_mean_with_smaller_constants() {
    let of = |batch_gradient, epsilon, second_moment_start| {
        let mut config = config();
        config.batch_gradient = batch_gradient;
        config.adam.epsilon = epsilon;
        config.adam.second_moment_start = second_moment_start;
        values(&trained(&config, 5))
    };
    let sum = of(BatchGradient::Sum, 0.1, 0.2);
    // Four images: all factors are powers of two, which round nothing but where they
    // meet other numbers.
    assert_close(&of(BatchGradient::Mean, 0.1 / 4.0, 0.2 / 16.0), &sum, 1e-7);
    let moved = |other: Vec<f64>| {
        let distances = other.iter().zip(&sum).map(|(a, b)| (a - b).abs());
        distances.fold(0.0, f64::max)
    };
    for other in [
        of(BatchGradient::Mean, 0.1, 0.2),
        of(BatchGradient::Mean, 0.1 / 4.0, 0.2),
        of(BatchGradient::Sum, 0.1, 0.0),
    ] {
        assert!(moved(other) > 1e-5);
    }
}

#[test]
fn a_long_gradient_is_shortened_to_the_clip_norm() {
    let mut config = config();
    config.adam.epsilon = 0.1;
    let length = norm(&gradient_at(&model()));
    config.clip_norm = Some(0.25 * length);
    check(&config, |g| {
        let factor = (0.25 * length / (norm(&g) + 1e-6)).min(1.0);
        g.into_iter().map(|g| g * factor).collect()
    });
    // A norm that is never reached changes nothing but the path to the step.
    config.clip_norm = Some(1e6);
    check(&config, |g| g);
}

#[test]
fn the_schedule_sets_the_step_size() {
    let scheduled = TrainingConfig {
        schedule: Schedule::Step {
            epochs: 1,
            factor: 0.5,
        },
        ..config()
    };
    let mut by_schedule = Trainer::new(model(), scheduled, images()).unwrap();
    let mut by_hand = Trainer::new(model(), config(), images()).unwrap();
    for rate in [0.01, 0.005, 0.0025] {
        assert_eq!(by_schedule.learning_rate(), rate);
        by_hand.set_learning_rate(rate).unwrap();
        by_schedule.step().unwrap();
        by_hand.step().unwrap();
        assert_eq!(by_schedule.model(), by_hand.model());
    }
}

#[test]
fn fixed_treatments_train_on_the_images_they_name() {
    let with = |treatment, images: Arc<[u8]>| {
        let config = TrainingConfig {
            treatment,
            ..config()
        };
        let mut trainer = Trainer::new(model(), config, images).unwrap();
        trainer.step().unwrap();
        trainer.into_model()
    };
    let binary: Arc<[u8]> = images()
        .iter()
        .map(|&b| if b >= 128 { 255 } else { 0 })
        .collect();
    let grey = with(DataTreatment::Grey, binary.clone());
    assert_eq!(with(DataTreatment::Threshold, images()), grey);
    // Binary images are what they are under every treatment.
    for treatment in DataTreatment::ALL {
        assert_eq!(with(treatment, binary.clone()), grey, "{treatment}");
    }
    assert_ne!(with(DataTreatment::BinarisedOnce, images()), grey);
}

#[test]
fn draws_are_renewed_as_the_treatment_says() {
    // A step size of 0 leaves the model alone, so that only the images change.
    let losses = |treatment| {
        let config = TrainingConfig {
            treatment,
            learning_rate: 0.0,
            batch: 2,
            ..config()
        };
        let mut trainer = Trainer::new(model(), config, images()).unwrap();
        [(); 4].map(|()| trainer.step().unwrap().losses.loss)
    };
    let [a, b, c, d] = losses(DataTreatment::BinarisedOnce);
    assert_eq!((a, b), (c, d));
    for treatment in [
        DataTreatment::BinarisedPerEpoch,
        DataTreatment::BinarisedPerMinibatch,
    ] {
        let [a, b, c, d] = losses(treatment);
        assert!(a != c && b != d, "{treatment}");
    }
}
