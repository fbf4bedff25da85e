//! Two stochastic layers: training, determinism, resumption, log weights,
//! refusals.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use models::streams::{Purpose, stream};
use models::{
    Activation, Architecture, DataTreatment, Images, ImportanceSampler, Initialisation, Layout,
    Model, ModelKind, ModelSpec, Objective, Role, Schedule, SharedPixels, Trainer, TrainingConfig,
};
use ndarray::{Array2, ArrayView2, ShapeBuilder};
use tensor_ops::parallel::ThreadPool;
use tensor_ops::random::fill_normal;

const SIDE: usize = 12;

/// Grey squares at different places on black.
fn images(count: usize) -> Arc<[u8]> {
    let mut bytes = vec![0; count * SIDE * SIDE];
    for (index, image) in bytes.chunks_exact_mut(SIDE * SIDE).enumerate() {
        let (top, left) = (index * 5 % (SIDE - 4), index * 3 % (SIDE - 4));
        for row in top..top + 5 {
            for (at, pixel) in image[row * SIDE + left..][..5].iter_mut().enumerate() {
                *pixel = 255 - (7 * index + 11 * row + 3 * at) as u8 % 120;
            }
        }
    }
    bytes.into()
}

fn config(objective: Objective) -> TrainingConfig {
    TrainingConfig {
        batch: 20,
        objective,
        treatment: DataTreatment::BinarisedPerMinibatch,
        schedule: Schedule::Iwae,
        ..TrainingConfig::standard(5)
    }
}

fn spec(architecture: &str, likelihood: &str) -> ModelSpec {
    let mut spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: architecture.parse().unwrap(),
        likelihood: likelihood.parse().unwrap(),
        posterior_scale: Default::default(),
    };
    spec.architecture.activation = Activation::Tanh;
    spec
}

fn trainer(config: TrainingConfig) -> Trainer {
    let mut model = Model::new(
        spec("144-20-6/6-10-3", "bernoulli"),
        Initialisation::Glorot,
        5,
    )
    .unwrap();
    let images = images(110);
    model.set_output_bias_to_mean(SharedPixels::from(images.clone()).images(SIDE * SIDE));
    Trainer::new(model, config, images).unwrap()
}

fn train(trainer: &mut Trainer, steps: usize) {
    for _ in 0..steps {
        trainer.run_steps(1, &mut |_| true).unwrap();
    }
}

fn bytes(trainer: &Trainer, folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let (model, state) = (
        folder.join("model.safetensors"),
        folder.join("state.safetensors"),
    );
    trainer.model().save(&model, &BTreeMap::new()).unwrap();
    trainer.save_state(&state, &Default::default()).unwrap();
    (fs::read(model).unwrap(), fs::read(state).unwrap())
}

#[test]
fn any_number_of_threads_and_any_interruption_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for objective in [Objective::ELBO, Objective::iwae(5)] {
        let run = |threads| {
            let mut trainer = trainer(TrainingConfig {
                threads,
                ..config(objective)
            });
            train(&mut trainer, 14);
            bytes(&trainer, folder.path())
        };
        let expected = run(1);
        for threads in [2, 3, 32] {
            assert!(run(threads) == expected, "{objective}, {threads} threads");
        }
        for cut in [3, 6, 9] {
            let mut first = trainer(config(objective));
            train(&mut first, cut);
            let state = folder.path().join("cut.safetensors");
            first.save_state(&state, &Default::default()).unwrap();
            let mut second = trainer(config(objective));
            second.load_state(&state).unwrap();
            assert_eq!(second.steps(), cut as u64);
            train(&mut second, 14 - cut);
            let found = bytes(&second, folder.path());
            assert!(found == expected, "{objective}, cut after {cut}");
        }
    }
}

#[test]
fn training_learns_and_more_samples_tighten_the_bound() {
    let mut trainer = trainer(TrainingConfig {
        learning_rate: 5e-3,
        ..config(Objective::ELBO)
    });
    let mut losses = Vec::new();
    while trainer.epoch() < 40 {
        losses.extend(trainer.run_steps(usize::MAX, &mut |_| true).unwrap());
    }
    let (first, last) = (losses[0].loss, losses[39].loss);
    assert!(last < 0.8 * first, "{first} {last}");
    assert!((losses[39].reconstruction + losses[39].kl - last).abs() < 1e-9 * last);
    let model = trainer.model();
    let binary: Vec<u8> = images(30)
        .iter()
        .map(|&b| 255 * u8::from(b > 127))
        .collect();
    let images = ArrayView2::from_shape((30, SIDE * SIDE), &binary).unwrap();
    let noise = stream(1, Purpose::Sampling, 0);
    let elbo = model.sampled_losses(images, noise);
    let mut sampler = ImportanceSampler::new(model, 64);
    let mut bound = |samples: usize| {
        let of_image = |image: usize| {
            let mut log_weights = vec![0.0; samples];
            let noise = stream(1, Purpose::Sampling, 1 + image as u64);
            sampler.set_image(Images::from(images).slice_rows(image..image + 1));
            for (block, out) in log_weights.chunks_mut(64).enumerate() {
                sampler.log_weights(noise, 64 * block, out);
            }
            let largest = log_weights.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = log_weights.iter().map(|w| (w - largest).exp()).sum();
            largest + (sum / samples as f64).ln()
        };
        (0..30).map(of_image).sum::<f64>() / 30.0
    };
    let (one, many) = (bound(1), bound(500));
    assert!((one + elbo.loss).abs() < 1.5, "{one} {}", elbo.loss);
    assert!(many > one + 0.1, "{one} {many}");
}

/// The blocks that samples are drawn in cannot be seen.
#[test]
fn a_sample_has_the_same_weight_in_any_block() {
    let trainer = trainer(config(Objective::ELBO));
    let pixels = images(1);
    let image = ArrayView2::from_shape((1, SIDE * SIDE), &pixels).unwrap();
    let noise = stream(4, Purpose::Sampling, 9);
    let mut whole = vec![0.0; 37];
    let mut sampler = ImportanceSampler::new(trainer.model(), 37);
    sampler.set_image(image);
    sampler.log_weights(noise, 0, &mut whole);
    let mut parts = vec![0.0; 37];
    let mut sampler = ImportanceSampler::new(trainer.model(), 10);
    sampler.set_image(image);
    for (block, out) in parts.chunks_mut(10).enumerate() {
        sampler.log_weights(noise, 10 * block, out);
    }
    assert_eq!(whole, parts);
    assert!(whole[0] != whole[1]);
}

/// A model from PyTorch's tensors by plain loops in f64.
struct Reference {
    spec: ModelSpec,
    tensors: BTreeMap<String, Vec<f64>>,
}

impl Reference {
    fn new(model: &Model) -> Self {
        let widen = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        let tensors = model.named_tensors().into_iter();
        Self {
            spec: model.spec().clone(),
            tensors: tensors.map(|t| (t.name, widen(t.values))).collect(),
        }
    }

    fn upper_layers(&self) -> usize {
        let lower = self.spec.architecture.lower.as_ref();
        lower.unwrap().upper_hidden.len()
    }

    fn linear(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let weight = &self.tensors[&format!("{name}.weight")];
        let bias = &self.tensors[&format!("{name}.bias")];
        let rows = weight.chunks_exact(x.len()).zip(bias);
        rows.map(|(row, b)| b + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
            .collect()
    }

    fn hidden(&self, name: &str, layers: usize, x: &[f64]) -> Vec<f64> {
        (0..layers).fold(x.to_vec(), |x, layer| {
            let mut y = self.linear(&format!("{name}.{}", 2 * layer), &x);
            y.iter_mut().for_each(|y| *y = y.tanh());
            y
        })
    }

    /// Mean and log σ².
    fn gaussian(&self, name: &str, layers: usize, heads: [&str; 2], x: &[f64]) -> [Vec<f64>; 2] {
        let hidden = self.hidden(name, layers, x);
        heads.map(|head| self.linear(head, &hidden))
    }

    fn lower_posterior(&self, x: &[f64]) -> [Vec<f64>; 2] {
        let layers = self.spec.architecture.hidden.len();
        self.gaussian("encoder_1", layers, ["mu_1", "log_var_1"], x)
    }

    fn upper_posterior(&self, h1: &[f64]) -> [Vec<f64>; 2] {
        let layers = self.upper_layers();
        self.gaussian("encoder_2", layers, ["mu_2", "log_var_2"], h1)
    }

    /// log w of an image with the ε of h₁, then of h₂.
    fn log_weight(&self, x: &[f64], epsilon: &[f64]) -> f64 {
        let (epsilon_1, epsilon_2) = epsilon.split_at(self.spec.architecture.decoded());
        let q1 = self.lower_posterior(x);
        let h1 = code(&q1, epsilon_1);
        let q2 = self.upper_posterior(&h1);
        let h2 = code(&q2, epsilon_2);
        let heads = ["prior_mu", "prior_log_var"];
        let prior = self.gaussian("prior", self.upper_layers(), heads, &h2);
        let standard = [vec![0.0; h2.len()], vec![0.0; h2.len()]];
        let layers = self.spec.architecture.hidden.len();
        let hidden = self.hidden("decoder", layers, &h1);
        let logits = self.linear(&format!("decoder.{}", 2 * layers), &hidden);
        let pixels = logits.iter().zip(x);
        let of_pixels: f64 = pixels
            .map(|(a, x)| x * a - a.max(0.0) - (-a.abs()).exp().ln_1p())
            .sum();
        of_pixels + ln_normal(&h1, &prior) + ln_normal(&h2, &standard)
            - ln_normal(&h1, &q1)
            - ln_normal(&h2, &q2)
    }
}

fn code([mean, log_variance]: &[Vec<f64>; 2], epsilon: &[f64]) -> Vec<f64> {
    let scales = mean.iter().zip(log_variance).zip(epsilon);
    scales.map(|((m, v), e)| m + (0.5 * v).exp() * e).collect()
}

fn ln_normal(h: &[f64], [mean, log_variance]: &[Vec<f64>; 2]) -> f64 {
    let terms = h.iter().zip(mean).zip(log_variance);
    let sum: f64 = terms
        .map(|((h, m), v)| (h - m).powi(2) / v.exp() + v + std::f64::consts::TAU.ln())
        .sum();
    -0.5 * sum
}

fn widened(pixels: &[u8]) -> Vec<f64> {
    pixels.iter().map(|&b| f64::from(b) / 255.0).collect()
}

#[test]
fn log_weights_in_f32_are_those_in_f64() {
    let mut trainer = trainer(config(Objective::ELBO));
    train(&mut trainer, 40);
    let reference = Reference::new(trainer.model());
    let width = reference.spec.noise_width();
    let mut sampler = ImportanceSampler::new(trainer.model(), 50);
    let mut largest = 0.0_f64;
    for (index, image) in images(10).chunks_exact(SIDE * SIDE).enumerate() {
        let noise = stream(6, Purpose::Sampling, index as u64);
        let mut found = [0.0; 50];
        sampler.set_image(ArrayView2::from_shape((1, SIDE * SIDE), image).unwrap());
        sampler.log_weights(noise, 0, &mut found);
        let mut deviates = vec![0.0_f64; 50 * width];
        fill_normal(&mut deviates, noise, 0);
        let x = widened(image);
        for (found, epsilon) in found.iter().zip(deviates.chunks_exact(width)) {
            let expected = reference.log_weight(&x, epsilon);
            assert!(expected < -10.0, "{expected} tests nothing");
            largest = largest.max((found - expected).abs());
        }
    }
    assert!(largest < 2e-4, "{largest}");
}

#[test]
fn head_and_decoder_of_a_layout_are_those_of_the_lower_layer() {
    let layout = Layout::new(&spec("144-20-6/6-10-9-3", "bernoulli"));
    let layers = layout.layers();
    let head = layout.network(Role::Encoder).end - 1;
    assert_eq!(layers[head].inputs, 20);
    let names = |layer: usize| {
        let slots = layout.tensors().iter();
        let of_layer = slots.filter(move |slot| slot.layer == layer);
        of_layer.map(|slot| &slot.name[..]).collect::<Vec<_>>()
    };
    assert!(names(head).contains(&"mu_1.weight"));
    let decoder = layout.network(Role::Decoder);
    assert_eq!(
        (layers[decoder.start].inputs, decoder.end),
        (6, layers.len())
    );
    assert_eq!(names(decoder.start)[0], "decoder.0.weight");
    assert_eq!(layout.inputs(), 144);
    let networks = layout.networks().iter();
    let networks: Vec<_> = networks.map(|network| network.layers.clone()).collect();
    assert_eq!(networks, [0..2, 2..5, 5..8, 8..10]);
}

#[test]
fn posterior_means_are_those_of_the_networks() {
    let mut trainer = trainer(config(Objective::ELBO));
    train(&mut trainer, 40);
    let model = trainer.model();
    let grey = images(200);
    let images = ArrayView2::from_shape((200, SIDE * SIDE), &grey).unwrap();
    let noise = stream(2, Purpose::Sampling, 0);
    let means = model.posterior_means(images, 7, noise);
    let [lower, upper] = &means[..] else {
        panic!("{} layers", means.len());
    };
    assert_eq!((lower.dim(), upper.dim()), ((200, 6), (200, 3)));
    let reference = Reference::new(model);
    let mut deviates = vec![0.0_f64; 200 * 7 * 9];
    fill_normal(&mut deviates, noise, 0);
    let of_images = grey
        .chunks_exact(SIDE * SIDE)
        .zip(deviates.chunks_exact(7 * 9));
    for (index, (image, deviates)) in of_images.enumerate() {
        let posterior = reference.lower_posterior(&widened(image));
        let mut mean = [0.0; 3];
        for epsilon in deviates.chunks_exact(9) {
            let h1 = code(&posterior, &epsilon[..6]);
            let [mu, _] = reference.upper_posterior(&h1);
            mean.iter_mut()
                .zip(mu)
                .for_each(|(mean, mu)| *mean += mu / 7.0);
        }
        let found = lower.row(index).into_iter().chain(upper.row(index));
        for (&found, expected) in found.zip(posterior[0].iter().chain(&mean)) {
            let error = (f64::from(found) - expected).abs();
            assert!(error < 2e-6, "image {index}: {found} {expected}");
        }
    }
    // The same images in an array laid out otherwise, on other threads.
    let columns = Array2::from_shape_fn((200, SIDE * SIDE).f(), |at| images[at]);
    let pool = ThreadPool::new(3).unwrap();
    let again = pool.install(|| model.posterior_means(columns.view(), 7, noise));
    assert_eq!(means, again);
    // μ₁ does not depend on the noise.
    let other = model.posterior_means(images, 2, stream(3, Purpose::Sampling, 0));
    assert_eq!(*lower, other[0]);
}

#[test]
fn models_are_written_and_read_and_states_of_other_runs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = trainer(config(Objective::ELBO));
    train(&mut first, 2);
    let (model, state) = (folder.path().join("model"), folder.path().join("state"));
    let metadata = BTreeMap::from([("step".to_owned(), "2".to_owned())]);
    first.model().save(&model, &metadata).unwrap();
    first.save_state(&state, &Default::default()).unwrap();
    let (read, found) = Model::load_with_metadata(&model).unwrap();
    assert_eq!((&read, &found["step"][..]), (first.model(), "2"));
    assert!(
        Model::load(&state)
            .unwrap_err()
            .to_string()
            .contains("format")
    );
    let refused = |config| trainer(config).load_state(&state).unwrap_err().to_string();
    let message = refused(config(Objective::iwae(5)));
    assert!(message.contains("\"objective\" is elbo"), "{message}");
    let message = refused(TrainingConfig {
        batch: 10,
        ..config(Objective::ELBO)
    });
    assert!(
        message.contains("\"batch\" is 20; expected 10"),
        "{message}"
    );
}

#[test]
fn what_two_layers_cannot_have_is_refused() {
    for (text, expected) in [
        ("784-200-100/", "784-200-200-100/100-100-100-50"),
        ("784-200-100/99-50", "from h1 to h2"),
        ("784-0-100/100-50", "width 0"),
    ] {
        let message = text.parse::<Architecture>().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let table_1: Architecture = "784-200-200-100/100-100-100-50".parse().unwrap();
    assert_eq!(table_1.to_string().parse(), Ok(table_1.clone()));
    let mut other = spec("4-3/3-2", "gaussian/scalar");
    assert_eq!(other.validate(), Ok(()));
    other.kind = ModelKind::Ae;
    let message = other.validate().unwrap_err().to_string();
    assert!(
        message.contains("ae has two stochastic layers"),
        "{message}"
    );

    let refused = |change: &dyn Fn(&mut TrainingConfig)| {
        let mut config = config(Objective::ELBO);
        change(&mut config);
        let model = Model::new(spec("144-6/6-3", "bernoulli"), Initialisation::Glorot, 5).unwrap();
        let error = Trainer::new(model, config, images(5)).unwrap_err();
        error.to_string()
    };
    assert!(refused(&|config| config.objective.beta = 2.0).contains("beta 2"));
    assert!(refused(&|config| config.objective.samples = 0).contains("samples is 0"));
    assert!(refused(&|config| config.objective.free_bits = 0.1).contains("free bits 0.1"));
    assert!(refused(&|config| config.clip_norm = Some(0.0)).contains("clip norm"));
}

#[test]
fn divergence_names_epoch_step_and_tensor() {
    let mut trainer = trainer(TrainingConfig {
        learning_rate: 1e30,
        ..config(Objective::ELBO)
    });
    let error = (0..5)
        .find_map(|_| trainer.run_steps(usize::MAX, &mut |_| true).err())
        .unwrap();
    assert_eq!(error.epoch, 1);
    assert!((1..=6).contains(&error.step), "{error}");
    assert!(error.tensor.ends_with("(output)"), "{error}");
}

/// All layers' outputs are finite in each case.
#[test]
fn losses_that_are_not_finite_are_told_apart() {
    let images = images(20);
    for (likelihood, objective, biases, expected) in [
        // 1/s² is infinite.
        (
            "bernoulli",
            Objective::ELBO,
            [("prior_log_var", -100.0)],
            "kl",
        ),
        (
            "bernoulli",
            Objective::iwae(3),
            [("prior_log_var", -100.0)],
            "kl",
        ),
        (
            "gaussian-identity/0.1",
            Objective::iwae(3),
            [("decoder.2", 1e30)],
            "reconstruction",
        ),
    ] {
        let of_case = spec("144-20-6/6-10-3", likelihood);
        let plain = Model::new(of_case.clone(), Initialisation::Glorot, 5).unwrap();
        let tensors = plain.named_tensors().into_iter().map(|mut tensor| {
            for (name, bias) in biases {
                if tensor.name == format!("{name}.bias") {
                    tensor.values.fill(bias);
                }
            }
            tensor
        });
        let model = Model::from_named_tensors(of_case, tensors).unwrap();
        let config = TrainingConfig {
            treatment: DataTreatment::Grey,
            ..config(objective)
        };
        let mut trainer = Trainer::new(model, config, images.clone()).unwrap();
        let error = trainer.run_steps(1, &mut |_| true).unwrap_err();
        assert_eq!(error.tensor, expected, "{likelihood} {objective}: {error}");
    }
}
