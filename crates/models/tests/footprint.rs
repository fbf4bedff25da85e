//! The memory that is told before it is taken, against what is taken.

use std::sync::Arc;

use allocation_meter::Meter;
use models::footprint::{TrainingFootprint, pass_bytes};
use models::{
    Bound, DataTreatment, Gradients, Images, Initialisation, Likelihood, Model, ModelKind,
    ModelSpec, Objective, Trainer, TrainingConfig,
};
use ndarray::{Array2, ArrayView2};

#[global_allocator]
static METER: Meter = Meter::new();

/// Never less than 80 % of what was taken, and at most 30 % above it.
fn assert_close(what: &str, told: u64, taken: usize) {
    let ratio = told as f64 / taken as f64;
    assert!(
        (0.8..=1.3).contains(&ratio),
        "{what}: {told} bytes told, {taken} taken: {ratio:.3}"
    );
}

const IMAGES: usize = 100;
const PIXELS: usize = 784;

/// Images of which a copy would be most of what training takes.
const MANY_IMAGES: usize = 20_000;

fn images() -> Arc<[u8]> {
    (0..IMAGES * PIXELS)
        .map(|i| (i % 251) as u8 * u8::from(i % 3 == 0))
        .collect()
}

/// One test, so that no other runs beside it and is counted.
#[test]
fn what_is_told_is_what_is_taken() {
    absurd_sizes_are_told();
    let images = images();
    let mut models = Models::default();
    let objectives = [
        Objective::ELBO,
        Objective::iwae(5),
        Objective {
            samples: 2,
            free_bits: 0.1,
            ..Objective::ELBO
        },
    ];
    let likelihoods = Likelihood::with_every_sigma(0.1).into_iter();
    let likelihoods: Vec<_> = likelihoods.map(|one| one.to_string()).collect();
    for architecture in ["784-512-2", "784-200-200-50", "784-2", "784-16-300"] {
        for gradients in [Gradients::Hand, Gradients::Tape] {
            for threads in [1, 2, 8] {
                for objective in objectives {
                    for likelihood in &likelihoods {
                        let spec = spec(ModelKind::Vae, architecture, likelihood);
                        let config = TrainingConfig {
                            batch: 60,
                            threads,
                            gradients,
                            objective,
                            ..TrainingConfig::standard(1)
                        };
                        models.train(spec, config, &images);
                    }
                }
            }
        }
    }
    // Batches of one row, larger than the data, clipped; other models; wide
    // layers, of which parameters are the most.
    let plain = TrainingConfig::standard(1);
    let others = [
        (1, None, DataTreatment::Grey, 1),
        (1 << 40, Some(1.0), DataTreatment::BinarisedOnce, 3),
        (16, Some(1.0), DataTreatment::Threshold, 2),
    ];
    for (batch, clip_norm, treatment, threads) in others {
        for kind in [ModelKind::Ae, ModelKind::AeL2, ModelKind::Vae] {
            for architecture in ["784-900-700-30", "784-64-2"] {
                let spec = spec(kind, architecture, "bernoulli");
                let config = TrainingConfig {
                    batch,
                    clip_norm,
                    treatment,
                    threads,
                    ..plain.clone()
                };
                models.train(spec, config, &images);
            }
        }
    }
    for (kind, bound) in kinds_and_bounds() {
        for architecture in ["784-64-2", "784-16-300"] {
            for (gradients, threads) in [(Gradients::Hand, 2), (Gradients::Tape, 1)] {
                let config = TrainingConfig {
                    batch: 100,
                    threads,
                    gradients,
                    objective: of_bound(bound),
                    ..plain.clone()
                };
                models.train(spec(kind, architecture, "bernoulli"), config, &images);
            }
        }
    }
    for (objective, threads) in [
        (Objective::ELBO, 1),
        (Objective::iwae(50), 2),
        (Objective::iwae(5), 3),
    ] {
        for spec in ["784-200-200-100/100-100-100-50", "784-20-300/300-50-5"] {
            let config = TrainingConfig {
                batch: 20,
                objective,
                threads,
                ..plain.clone()
            };
            for (gradients, likelihood) in [
                (Gradients::Hand, "bernoulli"),
                (Gradients::Hand, "gaussian/per-pixel"),
                (Gradients::Tape, "bernoulli"),
            ] {
                let spec = self::spec(ModelKind::Vae, spec, likelihood);
                let config = TrainingConfig {
                    gradients,
                    ..config.clone()
                };
                models.train(spec, config, &images);
            }
        }
    }
    no_treatment_copies_the_images();
    for architecture in ["784-512-2", "784-32-4000", "784-200-100/100-64-50"] {
        for (kind, threads) in [(ModelKind::Vae, 1), (ModelKind::Vae, 2), (ModelKind::Ae, 1)] {
            if kind == ModelKind::Ae && architecture.contains('/') {
                continue;
            }
            pass(&spec(kind, architecture, "bernoulli"), threads, &images);
        }
    }
}

fn of_bound(bound: Bound) -> Objective {
    Objective {
        bound,
        ..Objective::ELBO
    }
}

/// Every bound with every model that it fits.
fn kinds_and_bounds() -> impl Iterator<Item = (ModelKind, Bound)> {
    let of_kind = |kind| Bound::ALL.into_iter().map(move |bound| (kind, bound));
    let all = ModelKind::ALL.into_iter().flat_map(of_kind);
    all.filter(|&(kind, bound)| {
        let spec = spec(kind, "784-2", "bernoulli");
        of_bound(bound).validate(&spec).is_ok()
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

fn what(architecture: &impl ToString, config: &TrainingConfig) -> String {
    format!(
        "{}, {} by {} on {} threads, batch {}",
        architecture.to_string(),
        config.objective,
        config.gradients,
        config.threads,
        config.batch
    )
}

/// The models that were trained, so that each is drawn once.
#[derive(Default)]
struct Models(Vec<Model>);

impl Models {
    fn train(&mut self, spec: ModelSpec, config: TrainingConfig, images: &Arc<[u8]>) {
        let what = format!(
            "{} {}: {}",
            spec.kind,
            spec.likelihood,
            what(&spec.architecture, &config)
        );
        let told = TrainingFootprint::of(&spec, &config, IMAGES);
        let known = self.0.iter().find(|model| *model.spec() == spec);
        let (trainer, taken) = METER.peak_during(|| {
            let model = match known {
                Some(model) => model.clone(),
                None => Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap(),
            };
            let mut trainer = Trainer::new(model, config, images.clone()).unwrap();
            trainer.step().unwrap();
            trainer
        });
        assert_close(&what, told.total() - told.checkpoint, taken);
        if known.is_some() {
            return;
        }
        // What a checkpoint takes depends on the model alone.
        if told.checkpoint > 1 << 20 {
            let folder = tempfile::tempdir().unwrap();
            let state = folder.path().join("state.safetensors");
            let ((), taken) =
                METER.peak_during(|| trainer.save_state(&state, &Default::default()).unwrap());
            assert_close(&format!("checkpoint of {what}"), told.checkpoint, taken);
        }
        self.0.push(trainer.into_model());
    }
}

fn pass(spec: &ModelSpec, threads: usize, images: &Arc<[u8]>) {
    let model = Model::new(spec.clone(), Initialisation::PyTorchUniform, 1).unwrap();
    let rows = ArrayView2::from_shape((IMAGES, PIXELS), images).unwrap();
    let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
    let (_, taken) = METER.peak_during(|| {
        pool.install(|| {
            let codes = model.encode(Images::Bytes(rows));
            if !spec.kind.is_variational() {
                return model.reconstruction_losses(codes.mean.view(), Images::Bytes(rows));
            }
            let noise = Array2::zeros(codes.mean.raw_dim());
            let z = codes.sample(noise.view());
            model.reconstruction_losses(z.view(), Images::Bytes(rows))
        })
    });
    let what = format!("a pass of {} on {threads} threads", spec.architecture);
    assert_close(&what, pass_bytes(spec, IMAGES, threads), taken);
}

/// The images are shared, 16 MB of them, and what training takes beside them is
/// a twentieth of that, or an eighth more where they are drawn once.
fn no_treatment_copies_the_images() {
    let images: Arc<[u8]> = (0..MANY_IMAGES * PIXELS).map(|i| (i % 251) as u8).collect();
    for treatment in DataTreatment::ALL {
        let spec = spec(ModelKind::Vae, "784-16-2", "bernoulli");
        let config = TrainingConfig {
            batch: 20,
            treatment,
            ..TrainingConfig::standard(1)
        };
        let what = format!("{treatment} of {MANY_IMAGES} images");
        let told = TrainingFootprint::of(&spec, &config, MANY_IMAGES);
        let model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
        let (_, taken) = METER.peak_during(|| {
            let mut trainer = Trainer::new(model.clone(), config, images.clone()).unwrap();
            trainer.step().unwrap();
            trainer
        });
        let drawn = match treatment {
            DataTreatment::BinarisedOnce => images.len() / 8,
            _ => 0,
        };
        assert!(taken < images.len() / 20 + drawn, "{what}: {taken}");
        assert_close(&what, told.total() - told.checkpoint, taken);
    }
}

/// What cannot be had is told, too, and no product overflows on the way.
fn absurd_sizes_are_told() {
    let widest = spec(
        ModelKind::Vae,
        "65536-65536-65536-65536",
        "gaussian/decoder",
    );
    let config = TrainingConfig {
        batch: usize::MAX,
        objective: Objective::iwae(1 << 16),
        ..TrainingConfig::standard(1)
    };
    for gradients in [Gradients::Hand, Gradients::Tape] {
        let config = TrainingConfig {
            gradients,
            ..config.clone()
        };
        let told = TrainingFootprint::of(&widest, &config, u32::MAX as usize);
        assert_eq!(told.total(), u64::MAX);
    }
    assert!(pass_bytes(&widest, usize::MAX, 64) == u64::MAX);
}
