//! Two stochastic layers: the hand-derived gradient against the tape and
//! finite differences.

#[path = "reference/batch.rs"]
mod batch;

use std::collections::BTreeMap;

use autodiff::{Tape, Var};
use batch::ValueBatch;
use models::{
    Activation, Bound, GradientWorkspace, Gradients, Initialisation, Likelihood, LossSums, Model,
    ModelKind, ModelSpec, Objective, Parameters,
};
use ndarray::{Array2, ArrayView, ArrayView2};
use tensor_ops::parallel::ThreadPool;
use tensor_ops::random::{Stream, fill_normal, fill_uniform};

/// A batch of five images of a model with random weights, in f64.
struct Problem {
    spec: ModelSpec,
    objective: Objective,
    parameters: Parameters<f64>,
    pixels: Vec<f64>,
    noise: Vec<f64>,
}

const IMAGES: usize = 5;

impl Problem {
    fn new(architecture: &str, likelihood: &str, objective: Objective) -> Self {
        let mut spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: architecture.parse().unwrap(),
            likelihood: likelihood.parse().unwrap(),
            posterior_scale: Default::default(),
        };
        spec.architecture.activation = Activation::Tanh;
        let model = Model::new(spec.clone(), Initialisation::PyTorchUniform, 3).unwrap();
        let codes = IMAGES * objective.samples;
        let mut problem = Self {
            pixels: vec![0.0; IMAGES * spec.architecture.inputs],
            noise: vec![0.0; codes * spec.noise_width()],
            parameters: model.parameters().cast(),
            spec,
            objective,
        };
        fill_uniform(&mut problem.pixels, Stream::new(1, 1), 0);
        fill_normal(&mut problem.noise, Stream::new(1, 2), 0);
        problem
    }

    /// The sums over the batch, and the gradient of the mean loss.
    fn by_hand(&self, parameters: &Parameters<f64>, threads: usize) -> (LossSums, Parameters<f64>) {
        self.by(Gradients::Hand, parameters, threads)
    }

    /// The same by either way to a gradient.
    fn by(
        &self,
        gradients: Gradients,
        parameters: &Parameters<f64>,
        threads: usize,
    ) -> (LossSums, Parameters<f64>) {
        let pool = ThreadPool::new(threads).unwrap();
        let layout = parameters.layout().clone();
        let (spec, objective) = (&self.spec, &self.objective);
        let capacity = IMAGES + 2;
        let of_layout = layout.clone();
        let mut workspace =
            GradientWorkspace::new(spec, objective, of_layout, gradients, capacity, threads);
        let batch = ValueBatch {
            rows: IMAGES,
            pixels: &self.pixels,
            noise: &self.noise,
            kept: &[],
        };
        let mut gradient = Parameters::zeros(layout);
        let sums = pool.install(|| {
            let sums = workspace.forward_backward(&pool, parameters, &batch);
            workspace.gradient(&pool, &mut gradient);
            sums
        });
        (sums, gradient)
    }

    /// The mean loss and its gradient by tensor, from the densities as they
    /// are written in the paper.
    fn on_the_tape(&self) -> (f64, BTreeMap<String, Vec<f64>>) {
        let mut tape = Tape::<f64>::new();
        let mut variables = BTreeMap::new();
        for tensor in self.parameters.named_tensors() {
            let view = ArrayView::from_shape(tensor.shape.clone(), &tensor.values).unwrap();
            let variable = tape.parameter(view).unwrap();
            variables.insert(tensor.name, variable);
        }
        let samples = self.objective.samples;
        let (inputs, width) = (self.spec.architecture.inputs, self.spec.noise_width());
        let constant = |tape: &mut Tape<'_, f64>, values: &[f64], columns: usize| {
            let shape = (values.len() / columns, columns);
            let view = ArrayView2::from_shape(shape, values).unwrap();
            tape.constant(view).unwrap()
        };
        // Every sample has its image in a row of its own.
        let repeated: Vec<f64> = self
            .pixels
            .chunks(inputs)
            .flat_map(|image| image.repeat(samples))
            .collect();
        let x = constant(&mut tape, &repeated, inputs);
        let noise = constant(&mut tape, &self.noise, width);
        let split = self.spec.architecture.decoded();
        let epsilon_1 = tape.slice(noise, 1, 0..split).unwrap();
        let epsilon_2 = tape.slice(noise, 1, split..width).unwrap();

        let network = Network {
            variables: &variables,
            activation: self.spec.architecture.activation,
        };
        let architecture = &self.spec.architecture;
        let above = &architecture.lower.as_ref().unwrap().upper_hidden;
        let (lower, upper) = (architecture.hidden.len(), above.len());
        let (mu_1, sigma_1) =
            network.gaussian(&mut tape, "encoder_1", lower, x, ["mu_1", "log_var_1"]);
        let h1 = sampled(&mut tape, mu_1, sigma_1, epsilon_1);
        let (mu_2, sigma_2) =
            network.gaussian(&mut tape, "encoder_2", upper, h1, ["mu_2", "log_var_2"]);
        let h2 = sampled(&mut tape, mu_2, sigma_2, epsilon_2);
        let prior = ["prior_mu", "prior_log_var"];
        let (m, s) = network.gaussian(&mut tape, "prior", upper, h2, prior);
        let hidden = network.hidden(&mut tape, "decoder", lower, h1);
        let last = format!("decoder.{}", 2 * lower);
        let outputs = network.linear(&mut tape, &last, hidden, Activation::Identity);

        let zeros = Array2::zeros((IMAGES * samples, width - split));
        let zero = tape.constant(zeros.view()).unwrap();
        let one = tape.constant((&zeros + 1.0).view()).unwrap();
        let pixels = match self.spec.likelihood {
            Likelihood::Bernoulli => {
                let losses = tape.bce_with_logits(outputs, x).unwrap();
                let losses = tape.sum_axes(losses, &[1]).unwrap();
                tape.neg(losses).unwrap()
            }
            _ => {
                let mean = tape.sigmoid(outputs).unwrap();
                let sigma = Array2::from_elem((IMAGES * samples, inputs), 0.3);
                let sigma = tape.constant(sigma.view()).unwrap();
                log_density(&mut tape, x, mean, sigma)
            }
        };
        let mut log_weight = pixels;
        for (h, mean, sigma, sign) in [
            (h1, m, s, 1.0),
            (h2, zero, one, 1.0),
            (h1, mu_1, sigma_1, -1.0),
            (h2, mu_2, sigma_2, -1.0),
        ] {
            let density = log_density(&mut tape, h, mean, sigma);
            let density = tape.scale(density, sign).unwrap();
            log_weight = tape.add(log_weight, density).unwrap();
        }
        let log_weights = tape.reshape(log_weight, &[IMAGES, samples]).unwrap();
        let bounds = if self.objective.bound == Bound::Iwae {
            let sum = tape.logsumexp(log_weights, 1).unwrap();
            tape.offset(sum, -(samples as f64).ln()).unwrap()
        } else {
            tape.mean_axes(log_weights, &[1]).unwrap()
        };
        let mean = tape.mean(bounds).unwrap();
        let loss = tape.neg(mean).unwrap();
        tape.backward(loss).unwrap();
        let gradients = variables.iter().map(|(name, &variable)| {
            let gradient = tape.gradient(variable).unwrap();
            (name.clone(), gradient.iter().copied().collect())
        });
        let gradients = gradients.collect();
        (tape.item(loss).unwrap(), gradients)
    }
}

/// The layers of a problem on the tape.
struct Network<'a> {
    variables: &'a BTreeMap<String, Var>,
    activation: Activation,
}

impl Network<'_> {
    fn linear(&self, tape: &mut Tape<'_, f64>, name: &str, x: Var, activation: Activation) -> Var {
        let variable = |suffix: &str| self.variables[&format!("{name}.{suffix}")];
        tape.linear(x, variable("weight"), variable("bias"), activation)
            .unwrap()
    }

    fn hidden(&self, tape: &mut Tape<'_, f64>, name: &str, layers: usize, x: Var) -> Var {
        (0..layers).fold(x, |x, layer| {
            self.linear(tape, &format!("{name}.{}", 2 * layer), x, self.activation)
        })
    }

    /// μ and σ.
    fn gaussian(
        &self,
        tape: &mut Tape<'_, f64>,
        name: &str,
        layers: usize,
        x: Var,
        [mean, log_variance]: [&str; 2],
    ) -> (Var, Var) {
        let hidden = self.hidden(tape, name, layers, x);
        let mean = self.linear(tape, mean, hidden, Activation::Identity);
        let log_variance = self.linear(tape, log_variance, hidden, Activation::Identity);
        let log_sigma = tape.scale(log_variance, 0.5).unwrap();
        (mean, tape.exp(log_sigma).unwrap())
    }
}

fn sampled(tape: &mut Tape<'_, f64>, mean: Var, sigma: Var, epsilon: Var) -> Var {
    let spread = tape.mul(sigma, epsilon).unwrap();
    tape.add(mean, spread).unwrap()
}

/// Σ_j log N(h_j; μ_j, σ_j²) by row.
fn log_density(tape: &mut Tape<'_, f64>, h: Var, mean: Var, sigma: Var) -> Var {
    let difference = tape.sub(h, mean).unwrap();
    let ratio = tape.div(difference, sigma).unwrap();
    let square = tape.square(ratio).unwrap();
    let half = tape.scale(square, -0.5).unwrap();
    let log_sigma = tape.log(sigma).unwrap();
    let density = tape.sub(half, log_sigma).unwrap();
    let density = tape
        .offset(density, -0.5 * std::f64::consts::TAU.ln())
        .unwrap();
    tape.sum_axes(density, &[1]).unwrap()
}

fn problems() -> Vec<Problem> {
    let objectives = [
        Objective::ELBO,
        Objective {
            samples: 3,
            ..Objective::ELBO
        },
        Objective::iwae(1),
        Objective::iwae(4),
    ];
    let cases = [
        ("21-9-7-5/5-6-4-3", "bernoulli"),
        ("18-6/6-2", "bernoulli"),
        ("19-8-17/17-18", "gaussian/0.3"),
        ("33-20/20-17-16", "bernoulli"),
    ];
    let problem = |(architecture, likelihood)| {
        objectives.map(|objective| Problem::new(architecture, likelihood, objective))
    };
    cases.into_iter().flat_map(problem).collect()
}

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * a.abs().max(b.abs()).max(1e-2)
}

#[test]
fn loss_and_gradient_are_those_of_the_tape() {
    for problem in problems() {
        let what = format!("{} {}", problem.spec.architecture, problem.objective);
        let (sums, gradient) = problem.by_hand(&problem.parameters, 2);
        let (loss, expected) = problem.on_the_tape();
        let found = sums.means().loss;
        assert!(close(found, loss, 1e-13), "{what}: {found} {loss}");
        for tensor in gradient.named_tensors() {
            for (a, &b) in tensor.values.iter().zip(&expected[&tensor.name]) {
                assert!(close(*a, b, 1e-11), "{what} {}: {a} {b}", tensor.name);
            }
        }
        // Padding stays zero: the whole buffer has no more than the tensors.
        let total: f64 = gradient.as_slice().iter().map(|g| g.abs()).sum();
        let named = gradient.named_tensors();
        let values = named.iter().flat_map(|tensor| &tensor.values);
        assert!(close(total, values.map(|g| g.abs()).sum(), 1e-12), "{what}");
    }
}

/// The model's own program on the tape is the one that stands above.
#[test]
fn the_recorded_program_gives_the_same_gradient() {
    for problem in problems() {
        let what = format!("{} {}", problem.spec.architecture, problem.objective);
        let (sums, gradient) = problem.by_hand(&problem.parameters, 1);
        for threads in [1, 3] {
            let recorded = problem.by(Gradients::Tape, &problem.parameters, threads);
            let found = recorded.0;
            for (a, b) in [
                (found.loss, sums.loss),
                (found.reconstruction, sums.reconstruction),
                (found.kl, sums.kl),
            ] {
                assert!(close(a, b, 1e-12), "{what}: {a} {b}");
            }
            let pairs = recorded.1.as_slice().iter().zip(gradient.as_slice());
            for (&a, &b) in pairs {
                assert!(close(a, b, 1e-11), "{what}: {a} {b}");
            }
        }
    }
}

#[test]
fn gradient_is_that_of_finite_differences() {
    for problem in problems() {
        let (_, gradient) = problem.by_hand(&problem.parameters, 1);
        let norm = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>().sqrt();
        let scale = norm(gradient.as_slice());
        // Along random unit vectors, each of all parameters at once.
        for direction in 0..6 {
            let mut step = vec![0.0; gradient.as_slice().len()];
            fill_normal(&mut step, Stream::new(7, direction), 0);
            let length = norm(&step);
            step.iter_mut().for_each(|step| *step /= length);
            let moved = |sign: f64| {
                let mut tensors = problem.parameters.named_tensors();
                let values = tensors.iter_mut().flat_map(|tensor| &mut tensor.values);
                for (value, step) in values.zip(&step) {
                    *value += sign * 5e-5 * step;
                }
                let layout = problem.parameters.layout().clone();
                let moved = Parameters::from_named_tensors(layout, tensors).unwrap();
                problem.by_hand(&moved, 1).0.means().loss
            };
            let expected = (moved(1.0) - moved(-1.0)) / 1e-4;
            let named = gradient.named_tensors();
            let values = named.iter().flat_map(|tensor| &tensor.values);
            let found: f64 = values.zip(&step).map(|(g, s)| g * s).sum();
            let what = format!("{} {}", problem.spec.architecture, problem.objective);
            let error = (found - expected).abs() / scale;
            assert!(error < 1e-7, "{what}: {found} {expected}");
        }
    }
}
