//! What is trained: every model, objective and likelihood, and every option
//! once.

use std::sync::Arc;

use models::{
    Activation, AdamConstants, AdamForm, AdamMoments, BatchGradient, Bound, DataTreatment,
    Gradients, Initialisation, Likelihood, ModelKind, ModelSpec, Objective, PosteriorScale,
    Schedule, TrainingConfig,
};

/// Steps that every case is trained for: three epochs and two steps, so that
/// the state holds the losses of an epoch in progress.
pub(crate) const STEPS: u64 = 20;

/// Pixels of an image, images, and images of a step: none a multiple of
/// another or of a panel. The last step of an epoch has five images.
pub(crate) const PIXELS: usize = 53;
const IMAGES: usize = 110;
const BATCH: usize = 21;

const SEED: u64 = 11;

/// One configuration, to be trained on any number of threads with any of its
/// [`gradients`](Case::gradients).
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) spec: ModelSpec,
    pub(crate) training: TrainingConfig,
    pub(crate) initialisation: Initialisation,
    /// Whether the decoder's bias begins at the mean image.
    pub(crate) begins_at_mean: bool,
}

impl Case {
    /// What can compute the case's gradient.
    pub(crate) fn gradients(&self) -> [Gradients; 2] {
        [Gradients::Hand, Gradients::Tape]
    }
}

/// Those that a model cannot have are left out for it.
const OBJECTIVES: [(&str, Objective); 6] = [
    ("elbo", Objective::ELBO),
    ("elbo k=3", elbo(3, 1.0, 0, 0.0)),
    ("iwae k=3", Objective::iwae(3)),
    ("elbo free bits", elbo(1, 1.0, 0, 0.3)),
    ("elbo beta warm-up", elbo(1, 2.0, 2, 0.0)),
    ("elbo k=3 beta warm-up free bits", elbo(3, 0.5, 2, 0.3)),
];

/// [`OBJECTIVES`], and every bound of which there is none, by its name.
fn objectives() -> impl Iterator<Item = (&'static str, Objective)> {
    let is_new = |bound: &Bound| OBJECTIVES.iter().all(|(_, one)| one.bound != *bound);
    let others = Bound::ALL.into_iter().filter(is_new).map(|bound| {
        let plain = Objective {
            bound,
            ..Objective::ELBO
        };
        (bound.name(), plain)
    });
    OBJECTIVES.into_iter().chain(others)
}

const fn elbo(samples: usize, beta: f64, beta_warm_up_epochs: usize, free_bits: f64) -> Objective {
    Objective {
        samples,
        beta,
        beta_warm_up_epochs,
        free_bits,
        ..Objective::ELBO
    }
}

type ModelOption = (&'static str, fn(&mut ModelSpec, &mut TrainingConfig));

/// Options of a VAE with the ELBO and a Bernoulli likelihood, one at a time
/// and, at last, together.
const OPTIONS: &[ModelOption] = &[
    ("tanh", |spec, _| {
        spec.architecture.activation = Activation::Tanh
    }),
    ("no hidden layer", |spec, _| reshape(spec, "53-3")),
    ("wide", |spec, _| reshape(spec, "53-224-40-3")),
    ("17 latent dimensions", |spec, _| reshape(spec, "53-37-17")),
    ("log-sigma", |spec, _| {
        spec.posterior_scale = PosteriorScale::LogSigma
    }),
    ("log-sigma, iwae k=3", |spec, training| {
        spec.posterior_scale = PosteriorScale::LogSigma;
        training.objective = Objective::iwae(3);
    }),
    ("log-sigma, free bits", |spec, training| {
        spec.posterior_scale = PosteriorScale::LogSigma;
        training.objective = elbo(1, 1.0, 0, 0.3);
    }),
    ("corruption", |_, training| {
        training.objective.corruption = 0.3
    }),
    ("corruption, iwae k=3", |_, training| {
        training.objective = Objective {
            corruption: 0.3,
            ..Objective::iwae(3)
        };
    }),
    ("clipping", |_, training| training.clip_norm = Some(1.0)),
    ("weight decay", |_, training| training.weight_decay = 0.1),
    ("other constants of Adam", |_, training| {
        training.adam = AdamConstants {
            beta1: 0.5,
            beta2: 0.9,
            epsilon: 1e-3,
            ..AdamConstants::STANDARD
        };
    }),
    ("other forms of Adam, sum", |_, training| {
        training.adam.second_moment_start = 1.0;
        training.adam.form = AdamForm::Efficient;
        training.adam.moments = AdamMoments::Previous;
        training.batch_gradient = BatchGradient::Sum;
    }),
    ("warm-up", |_, training| training.warm_up_epochs = 1.5),
    ("schedule iwae", |_, training| {
        training.schedule = Schedule::Iwae
    }),
    ("schedule iwae-rounded", |_, training| {
        training.schedule = Schedule::IwaeRounded
    }),
    ("schedule step", |_, training| {
        training.schedule = Schedule::Step {
            epochs: 1,
            factor: 0.75,
        };
    }),
    ("schedule cosine", |_, training| {
        training.schedule = Schedule::Cosine {
            epochs: 4,
            last: 0.1,
        };
    }),
    ("not shuffled", |_, training| training.shuffle = false),
    ("one batch", |_, training| training.batch = 2 * IMAGES),
    ("binarised-per-minibatch", |_, training| {
        training.treatment = DataTreatment::BinarisedPerMinibatch;
    }),
    ("binarised-per-epoch", |_, training| {
        training.treatment = DataTreatment::BinarisedPerEpoch;
    }),
    ("binarised-once", |_, training| {
        training.treatment = DataTreatment::BinarisedOnce;
    }),
    ("threshold", |_, training| {
        training.treatment = DataTreatment::Threshold
    }),
    ("everything", |spec, training| {
        spec.architecture.activation = Activation::Tanh;
        spec.posterior_scale = PosteriorScale::LogSigma;
        training.objective = elbo(2, 3.0, 1, 0.1);
        training.treatment = DataTreatment::BinarisedPerMinibatch;
        training.schedule = Schedule::Cosine {
            epochs: 4,
            last: 0.1,
        };
        training.warm_up_epochs = 1.5;
        training.weight_decay = 0.01;
        training.clip_norm = Some(2.0);
    }),
];

fn reshape(spec: &mut ModelSpec, architecture: &str) {
    spec.architecture = architecture.parse().unwrap();
}

/// Options of two stochastic layers with the ELBO, a Bernoulli likelihood and
/// tanh.
const TWO_LAYER_OPTIONS: &[ModelOption] = &[
    ("elbo", |_, _| {}),
    ("elbo k=3", |_, training| {
        training.objective = elbo(3, 1.0, 0, 0.0)
    }),
    ("iwae k=3", |_, training| {
        training.objective = Objective::iwae(3)
    }),
    ("relu", |spec, _| {
        spec.architecture.activation = Activation::Relu;
    }),
    ("continuous-bernoulli, iwae k=3", |spec, training| {
        spec.likelihood = likelihood("continuous-bernoulli");
        training.objective = Objective::iwae(3);
    }),
    ("gaussian/0.25", |spec, _| {
        spec.likelihood = likelihood("gaussian/0.25")
    }),
    ("gaussian-identity/0.25", |spec, _| {
        spec.likelihood = likelihood("gaussian-identity/0.25");
    }),
    ("everything", |_, training| {
        training.objective = Objective::iwae(3);
        training.treatment = DataTreatment::BinarisedPerMinibatch;
        training.schedule = Schedule::Iwae;
        training.warm_up_epochs = 1.5;
        training.weight_decay = 0.01;
    }),
];

fn likelihood(text: &str) -> Likelihood {
    text.parse().unwrap()
}

/// Every case, in the order of the tables.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in ModelKind::ALL {
        for (name, objective) in objectives() {
            for likelihood in Likelihood::with_every_sigma(0.25) {
                let of_pixels = likelihood.to_string();
                let mut case = one_layer(format!("{kind}, {name}, {likelihood}"), kind, &of_pixels);
                case.training.objective = Objective {
                    corruption: kind.corruption(),
                    ..objective
                };
                if objective.validate(&case.spec).is_ok() {
                    cases.push(case);
                }
            }
        }
    }
    for (name, change) in OPTIONS {
        let mut case = one_layer(format!("vae with {name}"), ModelKind::Vae, "bernoulli");
        change(&mut case.spec, &mut case.training);
        cases.push(case);
    }
    for likelihood in [
        "bernoulli",
        "continuous-bernoulli",
        "gaussian-identity/0.25",
    ] {
        let name = format!("vae from the mean image, {likelihood}");
        cases.push(Case {
            initialisation: Initialisation::Glorot,
            begins_at_mean: true,
            ..one_layer(name, ModelKind::Vae, likelihood)
        });
    }
    for (name, change) in TWO_LAYER_OPTIONS {
        let mut case = Case {
            initialisation: Initialisation::Glorot,
            begins_at_mean: true,
            ..one_layer(format!("two layers, {name}"), ModelKind::Vae, "bernoulli")
        };
        reshape(&mut case.spec, "53-37-7/7-19-3");
        case.spec.architecture.activation = Activation::Tanh;
        change(&mut case.spec, &mut case.training);
        cases.push(case);
    }
    cases
}

/// Grey, black and white in equal parts, by integer arithmetic alone; besides
/// them a pixel that is always black, one that is always white, and one that
/// has ink in one image only.
pub(crate) fn images() -> Arc<[u8]> {
    let mut state = 1_u64;
    (0..IMAGES * PIXELS)
        .map(|at| {
            // Knuth's MMIX generator.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (image, pixel) = (at / PIXELS, at % PIXELS);
            let [.., kind, grey] = (state >> 40).to_be_bytes();
            match (pixel, kind % 3) {
                (5, _) => 0,
                (20, _) => 255,
                (52, _) => 200 * u8::from(image == 30),
                (_, 0) => 0,
                (_, 1) => 255,
                _ => grey,
            }
        })
        .collect()
}

fn one_layer(name: String, kind: ModelKind, of_pixels: &str) -> Case {
    Case {
        name,
        spec: ModelSpec {
            kind,
            architecture: "53-37-19-3".parse().unwrap(),
            likelihood: likelihood(of_pixels),
            posterior_scale: PosteriorScale::LogVariance,
        },
        training: training(),
        initialisation: Initialisation::PyTorchUniform,
        begins_at_mean: false,
    }
}

/// A step size at which twenty steps go somewhere.
fn training() -> TrainingConfig {
    TrainingConfig {
        batch: BATCH,
        learning_rate: 5e-3,
        ..TrainingConfig::standard(SEED)
    }
}
