//! No allocation per training step after the first.

use std::sync::{Arc, Barrier};

use allocation_meter::Meter;
use models::{
    Bound, DataTreatment, Gradients, Initialisation, Model, ModelKind, ModelSpec, Objective,
    Schedule, SharedImages, Trainer, TrainingConfig,
};
use tensor_ops::parallel::ThreadPool;

#[global_allocator]
static METER: Meter = Meter::new();

/// One test, so that no other runs beside it and is counted.
#[test]
fn steps_after_the_first_allocate_nothing() {
    let images: Arc<[u8]> = (0..100 * 784_u32)
        .map(|i| (i % 251) as u8 * u8::from(i % 3 == 0))
        .collect();
    let cases = [
        (Gradients::Hand, 1),
        (Gradients::Hand, 2),
        (Gradients::Tape, 1),
        (Gradients::Tape, 2),
    ];
    let plain = TrainingConfig {
        // Batches of 16, 16, …, 4: the last one of an epoch is smaller.
        batch: 16,
        ..TrainingConfig::standard(1)
    };
    let elaborate = TrainingConfig {
        treatment: DataTreatment::BinarisedPerMinibatch,
        schedule: Schedule::Iwae,
        weight_decay: 0.01,
        clip_norm: Some(10.0),
        ..plain.clone()
    };
    let values_config = plain.clone();
    let free_bits = Objective {
        samples: 3,
        free_bits: 0.2,
        ..Objective::ELBO
    };
    let configs = [
        TrainingConfig {
            objective: free_bits,
            ..plain.clone()
        },
        TrainingConfig {
            objective: Objective::iwae(5),
            ..elaborate.clone()
        },
        TrainingConfig {
            objective: Objective::iwae(2),
            ..plain.clone()
        },
        plain.clone(),
        plain,
        elaborate.clone(),
    ];
    let likelihoods = [
        "bernoulli",
        "bernoulli",
        "gaussian/per-pixel",
        "gaussian-identity/decoder",
        "continuous-bernoulli",
        "bernoulli",
    ];
    // All threads start before any counting and live to its end: starting and
    // ending, they allocate on their own time.
    let mut trainers: Vec<Trainer> = cases
        .into_iter()
        .flat_map(|case| {
            let configs = configs.clone().into_iter().zip(likelihoods);
            configs.map(move |(config, likelihood)| (case, config, likelihood))
        })
        .map(|((gradients, threads), config, likelihood)| {
            let config = TrainingConfig {
                gradients,
                threads,
                ..config
            };
            trainer(images.clone(), config, likelihood)
        })
        .collect();
    let values: Arc<[f32]> = images.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    for (gradients, threads) in cases {
        let config = TrainingConfig {
            gradients,
            threads,
            ..values_config.clone()
        };
        trainers.push(trainer(values.clone(), config, "gaussian-identity/scalar"));
    }
    for ((gradients, threads), objective) in cases.into_iter().flat_map(of_every_bound) {
        let config = TrainingConfig {
            gradients,
            threads,
            objective,
            ..values_config.clone()
        };
        let spec = spec(ModelKind::Ae, "784-64-20-2", "bernoulli");
        if objective.validate(&spec).is_ok() {
            trainers.push(trainer_of(spec, images.clone(), config));
        }
    }
    let of_two_layers = [(Objective::ELBO, 1), (Objective::iwae(5), 2)];
    let mut of_two_layers = of_two_layers.map(|(objective, threads)| {
        let config = TrainingConfig {
            objective,
            threads,
            clip_norm: None,
            ..elaborate.clone()
        };
        let spec = spec(ModelKind::Vae, "784-64-20/20-12-3", "bernoulli");
        trainer_of(spec, images.clone(), config)
    });
    let pools = trainers.iter().map(Trainer::pool);
    pools
        .chain(of_two_layers.iter().map(Trainer::pool))
        .for_each(wake_every_thread);
    for trainer in &mut of_two_layers {
        let mut counts = Vec::with_capacity(100);
        for _ in 0..3 {
            let mut count = || counts.push(METER.allocations());
            let epoch = trainer.run_steps(usize::MAX, &mut |_| {
                count();
                true
            });
            assert!(epoch.unwrap().is_some());
        }
        let config = trainer.config();
        let what = format!(
            "two layers, {} on {} threads",
            config.objective, config.threads
        );
        assert_none_allocated(&counts, trainer.steps_in_epoch(), &what);
    }
    for trainer in &mut trainers {
        let mut counts = Vec::with_capacity(100);
        for _ in 0..3 {
            trainer
                .run_epoch(&mut |_| counts.push(METER.allocations()))
                .unwrap();
        }
        let config = trainer.config();
        let what = format!(
            "{}: {} on {} threads",
            config.objective, config.gradients, config.threads
        );
        assert_none_allocated(&counts, trainer.steps_in_epoch(), &what);
    }
    assert!(METER.allocations() > 0);
}

/// Of three epochs with a count after every step.
fn assert_none_allocated(counts: &[usize], steps: usize, what: &str) {
    assert_eq!(counts.len(), 3 * steps);
    for epoch in 0..3 {
        let first = usize::from(epoch == 0);
        let (from, to) = (epoch * steps + first, (epoch + 1) * steps - 1);
        let found = &counts[epoch * steps..=to];
        let epoch = epoch + 1;
        assert_eq!(
            counts[to] - counts[from],
            0,
            "{what}, epoch {epoch}: {found:?}"
        );
    }
}

fn trainer(images: impl Into<SharedImages>, config: TrainingConfig, likelihood: &str) -> Trainer {
    let spec = spec(ModelKind::Vae, "784-64-20-2", likelihood);
    trainer_of(spec, images, config)
}

/// A case with every bound.
fn of_every_bound<C: Copy>(case: C) -> [(C, Objective); Bound::ALL.len()] {
    Bound::ALL.map(|bound| {
        let objective = Objective {
            bound,
            ..Objective::ELBO
        };
        (case, objective)
    })
}

fn spec(kind: ModelKind, architecture: &str, likelihood: &str) -> ModelSpec {
    ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: likelihood.parse().unwrap(),
        posterior_scale: Default::default(),
    }
}

fn trainer_of(spec: ModelSpec, images: impl Into<SharedImages>, config: TrainingConfig) -> Trainer {
    let model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
    Trainer::new(model, config, images).unwrap()
}

/// Has every thread of the pool take a job, so that what a thread sets up at
/// its first one is not taken for an allocation of the step.
fn wake_every_thread(pool: &ThreadPool) {
    let all = Barrier::new(pool.threads());
    let mut jobs = vec![(); pool.threads()];
    pool.install(|| {
        pool.for_each(&mut jobs, |_, ()| {
            all.wait();
        });
    });
}
