//! The objective in plain f64 loops over PyTorch-shaped tensors: written
//! without a line of the crate's kernels, for its tests to compare with.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use models::{
    Activation, GradientWorkspace, Gradients, Layout, Likelihood, LossSums, ModelKind, ModelSpec,
    NamedTensor, Parameters, ValueBatch,
};
use rand::Rng;
use tensor_ops::parallel::ThreadPool;
use tensor_ops::random::{Stream, fill_normal};

pub(crate) fn spec(kind: ModelKind, architecture: &str, activation: Activation) -> ModelSpec {
    let mut spec = ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
    };
    spec.architecture.activation = activation;
    spec
}

/// A model, a batch and its noise, drawn from a seed.
#[derive(Clone)]
pub(crate) struct Problem {
    pub(crate) spec: ModelSpec,
    pub(crate) layout: Arc<Layout>,
    pub(crate) parameters: Parameters<f64>,
    pub(crate) rows: usize,
    pub(crate) pixels: Vec<f64>,
    pub(crate) noise: Vec<f64>,
}

impl Problem {
    pub(crate) fn new(spec: ModelSpec, rows: usize, seed: u64) -> Self {
        let layout = Arc::new(Layout::new(&spec));
        let mut rng = Stream::new(seed, 1).rng(0);
        let tensors: Vec<_> = layout
            .tensors()
            .iter()
            .map(|slot| {
                let len: usize = slot.shape.iter().product();
                let scale = if slot.is_bias {
                    0.5
                } else {
                    1.2 / (slot.shape[1] as f64).sqrt()
                };
                let values = (0..len)
                    .map(|_| scale * rng.random_range(-1.0..1.0))
                    .collect();
                NamedTensor {
                    name: slot.name.clone(),
                    shape: slot.shape.clone(),
                    values,
                }
            })
            .collect();
        let parameters = Parameters::from_named_tensors(layout.clone(), tensors).unwrap();
        // A third of the pixels are zero, as in digits.
        let pixels = (0..rows * layout.inputs())
            .map(|_| {
                if rng.random_bool(0.33) {
                    0.0
                } else {
                    rng.random_range(0.0..1.0)
                }
            })
            .collect();
        let mut noise = vec![0.0; rows * layout.latent()];
        fill_normal(&mut noise, Stream::new(seed, 2), 0);
        Self {
            spec,
            layout,
            parameters,
            rows,
            pixels,
            noise,
        }
    }

    pub(crate) fn batch(&self) -> ValueBatch<'_, f64> {
        ValueBatch {
            rows: self.rows,
            pixels: &self.pixels,
            noise: &self.noise,
        }
    }

    /// Loss sums and the gradient of the mean loss, by the crate.
    pub(crate) fn gradient(
        &self,
        gradients: Gradients,
        threads: usize,
    ) -> (LossSums, Parameters<f64>) {
        let pool = ThreadPool::new(threads).unwrap();
        let mut workspace = GradientWorkspace::new(
            &self.spec,
            self.layout.clone(),
            gradients,
            self.rows,
            threads,
        );
        let mut gradient = Parameters::zeros(self.layout.clone());
        let sums = pool.install(|| {
            let sums = workspace.forward_backward(&pool, &self.parameters, &self.batch());
            workspace.gradient(&pool, &mut gradient);
            sums
        });
        (sums, gradient)
    }

    pub(crate) fn tensors(&self) -> BTreeMap<String, NamedTensor<f64>> {
        self.parameters
            .named_tensors()
            .into_iter()
            .map(|tensor| (tensor.name.clone(), tensor))
            .collect()
    }

    pub(crate) fn evaluate(&self, tensors: &BTreeMap<String, NamedTensor<f64>>) -> Evaluation {
        let Problem {
            spec,
            rows,
            pixels,
            noise,
            layout,
            ..
        } = self;
        let hidden = spec.architecture.hidden.len();
        let activation = spec.architecture.activation;
        let mut evaluation = Evaluation {
            kink_distance: f64::INFINITY,
            ..Evaluation::default()
        };
        let layer = |name: String, x: &[f64]| -> Vec<f64> {
            let (weight, bias) = (
                &tensors[&format!("{name}.weight")],
                &tensors[&format!("{name}.bias")],
            );
            let inputs = weight.shape[1];
            let row = |(w, b): (&[f64], &f64)| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b;
            weight
                .values
                .chunks_exact(inputs)
                .zip(&bias.values)
                .map(row)
                .collect()
        };
        for i in 0..*rows {
            let x = &pixels[i * layout.inputs()..(i + 1) * layout.inputs()];
            let mut nonlinear = |a: Vec<f64>| -> Vec<f64> {
                let distance = a.iter().fold(f64::INFINITY, |d, a| d.min(a.abs()));
                evaluation.kink_distance = evaluation.kink_distance.min(distance);
                a.into_iter()
                    .map(|a| {
                        if activation == Activation::Relu {
                            a.max(0.0)
                        } else {
                            a.tanh()
                        }
                    })
                    .collect()
            };
            let mut h = x.to_vec();
            for l in 0..hidden {
                h = nonlinear(layer(format!("encoder.{}", 2 * l), &h));
            }
            let (code, kl) = match spec.kind {
                ModelKind::Vae => {
                    let mu = layer("mu".into(), &h);
                    let log_variance = layer("log_var".into(), &h);
                    let epsilon = &noise[i * layout.latent()..];
                    let z = (0..mu.len())
                        .map(|j| mu[j] + (0.5 * log_variance[j]).exp() * epsilon[j])
                        .collect();
                    let term = |(m, l): (&f64, &f64)| 0.5 * (m * m + l.exp() - l - 1.0);
                    let kl = mu.iter().zip(&log_variance).map(term).sum();
                    evaluation.mu.extend(mu);
                    evaluation.log_variance.extend(log_variance);
                    (z, kl)
                }
                kind => {
                    let z: Vec<f64> = layer("code".into(), &h);
                    let square: f64 = z.iter().map(|z| z * z).sum();
                    evaluation.mu.extend(&z);
                    (
                        z,
                        if kind == ModelKind::AeL2 {
                            0.5 * square
                        } else {
                            0.0
                        },
                    )
                }
            };
            evaluation.codes.extend(&code);
            let mut h = code;
            for l in 0..hidden {
                h = nonlinear(layer(format!("decoder.{}", 2 * l), &h));
            }
            let logits = layer(format!("decoder.{}", 2 * hidden), &h);
            let term = |(a, t): (&f64, &f64)| a.max(0.0) + (-a.abs()).exp().ln_1p() - a * t;
            evaluation
                .reconstruction
                .push(logits.iter().zip(x).map(term).sum());
            evaluation.logits.extend(logits);
            evaluation.kl.push(kl);
        }
        evaluation
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluation {
    pub(crate) reconstruction: Vec<f64>,
    pub(crate) kl: Vec<f64>,
    pub(crate) mu: Vec<f64>,
    pub(crate) log_variance: Vec<f64>,
    pub(crate) codes: Vec<f64>,
    pub(crate) logits: Vec<f64>,
    /// The smallest |pre-activation| of any hidden unit.
    pub(crate) kink_distance: f64,
}

impl Evaluation {
    pub(crate) fn mean_loss(&self) -> f64 {
        let total: f64 = self.reconstruction.iter().chain(&self.kl).sum();
        total / self.kl.len() as f64
    }
}

/// Largest |a − b| / max(|a|, |b|, floor).
pub(crate) fn largest_relative_error(a: &[f64], b: &[f64], floor: f64) -> f64 {
    assert_eq!(a.len(), b.len());
    let error = |(a, b): (&f64, &f64)| (a - b).abs() / a.abs().max(b.abs()).max(floor);
    a.iter().zip(b).map(error).fold(0.0, f64::max)
}

pub(crate) fn largest_magnitude(values: &[f64]) -> f64 {
    values
        .iter()
        .fold(0.0, |largest, value| largest.max(value.abs()))
}
