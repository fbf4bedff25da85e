//! The objective in plain f64 loops over PyTorch-shaped tensors: written
//! without a line of the crate's kernels, for its tests to compare with.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

pub(crate) mod batch;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::batch::ValueBatch;
use models::{
    Activation, Bound, GaussianMean, GaussianSigma, GradientWorkspace, Gradients, Layout,
    Likelihood, LossSums, ModelKind, ModelSpec, NamedTensor, Objective, Parameters, PosteriorScale,
};
use rand::Rng;
use tensor_ops::parallel::ThreadPool;
use tensor_ops::random::{Stream, fill_normal, fill_uniform};

pub(crate) fn spec(kind: ModelKind, architecture: &str, activation: Activation) -> ModelSpec {
    let mut spec = ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    spec.architecture.activation = activation;
    spec
}

/// A model, a batch and its noise, drawn from a seed.
#[derive(Clone)]
pub(crate) struct Problem {
    pub(crate) spec: ModelSpec,
    pub(crate) objective: Objective,
    pub(crate) layout: Arc<Layout>,
    pub(crate) parameters: Parameters<f64>,
    pub(crate) rows: usize,
    pub(crate) pixels: Vec<f64>,
    pub(crate) noise: Vec<f64>,
    /// 1 where the input keeps a pixel.
    pub(crate) kept: Vec<f64>,
}

impl Problem {
    pub(crate) fn new(spec: ModelSpec, rows: usize, seed: u64) -> Self {
        Self::with_objective(spec, Objective::ELBO, rows, seed)
    }

    pub(crate) fn with_objective(
        spec: ModelSpec,
        objective: Objective,
        rows: usize,
        seed: u64,
    ) -> Self {
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
        let mut noise = vec![0.0; rows * objective.samples * spec.architecture.latent];
        fill_normal(&mut noise, Stream::new(seed, 2), 0);
        let mut kept = vec![0.0; rows * layout.inputs()];
        fill_uniform(&mut kept, Stream::new(seed, 3), 0);
        for kept in &mut kept {
            *kept = f64::from(u8::from(*kept >= objective.corruption));
        }
        Self {
            spec,
            objective,
            layout,
            parameters,
            rows,
            pixels,
            noise,
            kept,
        }
    }

    pub(crate) fn batch(&self) -> ValueBatch<'_, f64> {
        ValueBatch {
            rows: self.rows,
            pixels: &self.pixels,
            noise: &self.noise,
            kept: &self.kept,
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
            &self.objective,
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

    /// The objective at other parameters, image by image and sample by sample.
    pub(crate) fn evaluate(&self, tensors: &BTreeMap<String, NamedTensor<f64>>) -> Evaluation {
        let mut evaluation = Evaluation {
            kink_distance: f64::INFINITY,
            ..Evaluation::default()
        };
        let latent = self.spec.architecture.latent;
        let samples = self.objective.samples;
        let mut kl_of_batch = vec![0.0; latent];
        for (i, x) in self.pixels.chunks_exact(self.layout.inputs()).enumerate() {
            let kept = &self.kept[i * x.len()..][..x.len()];
            let input: Vec<f64> = x.iter().zip(kept).map(|(x, kept)| x * kept).collect();
            let posterior = self.encode(tensors, &input, &mut evaluation);
            let (mut losses, mut log_weights) = (Vec::new(), Vec::new());
            for s in 0..samples {
                let epsilon = &self.noise[(i * samples + s) * latent..][..latent];
                let z = posterior.sample(epsilon);
                let loss = self.decode(tensors, &z, x, &mut evaluation);
                losses.push(loss);
                log_weights.push(posterior.log_ratio(&z) - loss);
                evaluation.codes.extend(z);
            }
            let mean_loss = losses.iter().sum::<f64>() / samples as f64;
            let kl = posterior.kl(self.spec.kind);
            for (sum, kl) in kl_of_batch.iter_mut().zip(&kl) {
                *sum += kl / self.rows as f64;
            }
            evaluation.reconstruction.push(mean_loss);
            evaluation.kl.push(kl.iter().sum());
            let weights: f64 = log_weights.iter().map(|w| (w - log_weights[0]).exp()).sum();
            evaluation
                .bound
                .push((weights / samples as f64).ln() + log_weights[0]);
            evaluation.mu.extend(posterior.mu);
            evaluation
                .log_variance
                .extend(posterior.log_variance.iter().flatten());
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let Objective {
            beta, free_bits, ..
        } = self.objective;
        evaluation.loss = match self.objective.bound {
            Bound::Elbo => {
                let distance = |kl: &f64| (kl - free_bits).abs();
                let near = kl_of_batch
                    .iter()
                    .map(distance)
                    .fold(f64::INFINITY, f64::min);
                if free_bits > 0.0 {
                    evaluation.kink_distance = evaluation.kink_distance.min(near);
                }
                let penalty: f64 = kl_of_batch.iter().map(|kl| kl.max(free_bits)).sum();
                mean(&evaluation.reconstruction) + beta * penalty
            }
            Bound::Iwae => -mean(&evaluation.bound),
            Bound::Wae => {
                let discrepancy = mmd_squared(&evaluation.codes, &self.noise, latent);
                evaluation.kl.fill(discrepancy);
                mean(&evaluation.reconstruction) + beta * discrepancy
            }
        };
        evaluation.kl_by_dimension = kl_of_batch;
        evaluation
    }

    fn encode(
        &self,
        tensors: &BTreeMap<String, NamedTensor<f64>>,
        x: &[f64],
        evaluation: &mut Evaluation,
    ) -> Posterior {
        let hidden = self.spec.architecture.hidden.len();
        let mut h = x.to_vec();
        for l in 0..hidden {
            h = self.nonlinear(
                linear(tensors, &format!("encoder.{}", 2 * l), &h),
                evaluation,
            );
        }
        match (self.spec.kind, self.spec.posterior_scale) {
            (ModelKind::Vae, PosteriorScale::LogVariance) => Posterior {
                mu: linear(tensors, "mu", &h),
                log_variance: Some(linear(tensors, "log_var", &h)),
            },
            (ModelKind::Vae, PosteriorScale::LogSigma) => {
                let log_sigma = linear(tensors, "log_sigma", &h);
                Posterior {
                    mu: linear(tensors, "mu", &h),
                    log_variance: Some(log_sigma.iter().map(|s| 2.0 * s).collect()),
                }
            }
            _ => Posterior {
                mu: linear(tensors, "code", &h),
                log_variance: None,
            },
        }
    }

    /// −log p(x|z).
    fn decode(
        &self,
        tensors: &BTreeMap<String, NamedTensor<f64>>,
        z: &[f64],
        x: &[f64],
        evaluation: &mut Evaluation,
    ) -> f64 {
        let hidden = self.spec.architecture.hidden.len();
        let mut h = z.to_vec();
        for l in 0..hidden {
            h = self.nonlinear(
                linear(tensors, &format!("decoder.{}", 2 * l), &h),
                evaluation,
            );
        }
        let outputs = linear(tensors, &format!("decoder.{}", 2 * hidden), &h);
        let learned = tensors.get("likelihood.log_sigma");
        let loss = (0..x.len())
            .map(|pixel| {
                self.pixel_loss(
                    pixel,
                    &outputs,
                    learned,
                    x[pixel],
                    &mut evaluation.kink_distance,
                )
            })
            .sum();
        evaluation.logits.extend(outputs);
        loss
    }

    /// −log p(x|z) of one pixel.
    fn pixel_loss(
        &self,
        pixel: usize,
        outputs: &[f64],
        learned: Option<&NamedTensor<f64>>,
        x: f64,
        kink_distance: &mut f64,
    ) -> f64 {
        let a = outputs[pixel];
        let (mean, source) = match self.spec.likelihood {
            Likelihood::Bernoulli => return a.max(0.0) + (-a.abs()).exp().ln_1p() - a * x,
            Likelihood::ContinuousBernoulli => return (a.exp_m1() / a).ln() - a * x,
            Likelihood::Gaussian { mean, sigma } | Likelihood::Laplace { mean, sigma } => {
                (mean, sigma)
            }
        };
        let sigma = match (source, learned) {
            (GaussianSigma::Fixed(sigma), _) => sigma,
            (GaussianSigma::Decoder, _) => outputs[self.layout.inputs() + pixel].exp(),
            (GaussianSigma::Scalar, learned) => learned.unwrap().values[0].exp(),
            (GaussianSigma::PerPixel, learned) => learned.unwrap().values[pixel].exp(),
        };
        let mean = match mean {
            GaussianMean::Identity => a,
            GaussianMean::Sigmoid => 1.0 / (1.0 + (-a).exp()),
        };
        let residual = (x - mean).abs() / sigma;
        if matches!(self.spec.likelihood, Likelihood::Gaussian { .. }) {
            return 0.5 * residual.powi(2) + (sigma * std::f64::consts::TAU.sqrt()).ln();
        }
        *kink_distance = kink_distance.min((x - mean).abs());
        std::f64::consts::SQRT_2 * residual + (sigma * std::f64::consts::SQRT_2).ln()
    }

    fn nonlinear(&self, a: Vec<f64>, evaluation: &mut Evaluation) -> Vec<f64> {
        let distance = a.iter().fold(f64::INFINITY, |d, a| d.min(a.abs()));
        evaluation.kink_distance = evaluation.kink_distance.min(distance);
        let activation = self.spec.architecture.activation;
        a.into_iter()
            .map(|a| {
                if activation == Activation::Relu {
                    a.max(0.0)
                } else {
                    a.tanh()
                }
            })
            .collect()
    }
}

/// MMD² between codes and as many draws, `[n, latent]`: Σ_{i≠j} within each, all
/// pairs between them.
fn mmd_squared(codes: &[f64], draws: &[f64], latent: usize) -> f64 {
    let n = codes.len() / latent;
    let kernel = |a: &[f64], b: &[f64]| -> f64 {
        let squared: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
        let scales = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
        let of_scale = |s: f64| 1.0 / (1.0 + squared / (2.0 * latent as f64 * s));
        scales.map(of_scale).iter().sum()
    };
    let mut sum = 0.0;
    for i in 0..n {
        for j in 0..n {
            let [(z_i, p_i), (z_j, p_j)] = [i, j].map(|at| {
                (
                    &codes[at * latent..][..latent],
                    &draws[at * latent..][..latent],
                )
            });
            if i != j {
                sum += (kernel(z_i, z_j) + kernel(p_i, p_j)) / (n * (n - 1)) as f64;
            }
            sum -= 2.0 * kernel(z_i, p_j) / (n * n) as f64;
        }
    }
    if n < 2 { 0.0 } else { sum }
}

fn linear(tensors: &BTreeMap<String, NamedTensor<f64>>, name: &str, x: &[f64]) -> Vec<f64> {
    let (weight, bias) = (
        &tensors[&format!("{name}.weight")],
        &tensors[&format!("{name}.bias")],
    );
    let row = |(w, b): (&[f64], &f64)| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + b;
    let rows = weight.values.chunks_exact(weight.shape[1]);
    rows.zip(&bias.values).map(row).collect()
}

/// q(z|x) of one image, or its code.
struct Posterior {
    mu: Vec<f64>,
    log_variance: Option<Vec<f64>>,
}

impl Posterior {
    fn sample(&self, epsilon: &[f64]) -> Vec<f64> {
        let Some(log_variance) = &self.log_variance else {
            return self.mu.clone();
        };
        (0..self.mu.len())
            .map(|j| self.mu[j] + (0.5 * log_variance[j]).exp() * epsilon[j])
            .collect()
    }

    /// log p(z) − log q(z|x), from the two densities.
    fn log_ratio(&self, z: &[f64]) -> f64 {
        let Some(log_variance) = &self.log_variance else {
            return 0.0;
        };
        let log_normal = |x: f64, mean: f64, log_variance: f64| {
            let log_tau = std::f64::consts::TAU.ln();
            -0.5 * ((x - mean).powi(2) / log_variance.exp() + log_variance + log_tau)
        };
        (0..z.len())
            .map(|j| log_normal(z[j], 0.0, 0.0) - log_normal(z[j], self.mu[j], log_variance[j]))
            .sum()
    }

    /// The penalty by dimension.
    fn kl(&self, kind: ModelKind) -> Vec<f64> {
        match (&self.log_variance, kind) {
            (Some(log_variance), _) => {
                let term = |(m, l): (&f64, &f64)| 0.5 * (m * m + l.exp() - l - 1.0);
                self.mu.iter().zip(log_variance).map(term).collect()
            }
            (None, ModelKind::AeL2) => self.mu.iter().map(|z| 0.5 * z * z).collect(),
            (None, _) => vec![0.0; self.mu.len()],
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluation {
    /// By image: the mean over its samples.
    pub(crate) reconstruction: Vec<f64>,
    pub(crate) kl: Vec<f64>,
    /// log (1/k) Σ w by image.
    pub(crate) bound: Vec<f64>,
    pub(crate) mu: Vec<f64>,
    pub(crate) log_variance: Vec<f64>,
    pub(crate) codes: Vec<f64>,
    pub(crate) logits: Vec<f64>,
    /// Mean over the batch.
    pub(crate) kl_by_dimension: Vec<f64>,
    /// What is minimised.
    pub(crate) loss: f64,
    /// The smallest |pre-activation| of any hidden unit, distance of a
    /// dimension's KL from the free bits, and |x − m| of a density pointed at m.
    pub(crate) kink_distance: f64,
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
