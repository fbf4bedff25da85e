//! Agreement with PyTorch: forward values, losses, gradients and ten steps of
//! Adam, from the fixtures in `fixtures/pytorch` (see the README there).

mod reference;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use models::{
    AdamConstants, BatchGradient, GradientWorkspace, Gradients, Layout, Model, ModelKind,
    ModelSpec, Moments, NamedTensor, Objective, Parameters, PosteriorScale,
};
use ndarray::ArrayView2;
use reference::batch::ValueBatch;
use reference::{largest_magnitude, spec};
use safetensors::{Dtype, SafeTensors};
use tensor_ops::Float;
use tensor_ops::loss::continuous_bernoulli;
use tensor_ops::parallel::ThreadPool;

/// Shape and values by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

struct Fixture {
    name: String,
    spec: ModelSpec,
    objective: Objective,
    /// How its ten steps are taken, where it has them.
    adam: AdamConstants,
    batch_gradient: BatchGradient,
    learning_rate: f64,
    /// Whether the samples of an image stand together, rather than one sample
    /// of all images after the other.
    is_image_major: bool,
    tensors: Tensors,
}

impl Fixture {
    /// The cases of a file: one, or several whose tensors and metadata are
    /// called `CASE/…`.
    fn read(path: PathBuf) -> Vec<Self> {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let values = |view: &safetensors::tensor::TensorView<'_>| match view.dtype() {
            Dtype::F64 => view
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b))
                .collect(),
            Dtype::U8 => view.data().iter().map(|&b| f64::from(b)).collect(),
            other => panic!("{name}: unexpected {other}"),
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        let mut cases = BTreeMap::<&str, (BTreeMap<_, _>, HashMap<_, _>)>::new();
        let of_case = |key| str::rsplit_once(key, '/').unwrap_or(("", key));
        for (key, view) in file.iter() {
            let ((case, key), tensor) = (of_case(key), (view.shape().to_vec(), values(&view)));
            let (tensors, _) = cases.entry(case).or_default();
            tensors.insert(key.to_owned(), tensor);
        }
        for (key, value) in &metadata {
            let (case, key) = of_case(key);
            if let Some((_, metadata)) = cases.get_mut(case) {
                metadata.insert(key.to_owned(), value.clone());
            }
        }
        let cases = cases.into_iter();
        cases
            .map(|(case, (tensors, metadata))| {
                Self::new(format!("{name} {case}"), tensors, &metadata)
            })
            .collect()
    }

    fn new(name: String, tensors: Tensors, metadata: &HashMap<String, String>) -> Self {
        let entry = |key: &str| metadata.get(key).map_or("-", String::as_str);
        let is_of_two_layers = entry("model") == "two-layers";
        let kind = if is_of_two_layers {
            ModelKind::Vae
        } else {
            entry("model").parse().unwrap()
        };
        let activation = entry("activation").parse().unwrap();
        let mut spec = spec(kind, entry("architecture"), activation);
        let mut objective = Objective::ELBO;
        if metadata.contains_key("objective") {
            let number = |key: &str, default: f64| match entry(key) {
                "-" => default,
                text => text.parse().unwrap(),
            };
            objective = Objective {
                bound: entry("objective").parse().unwrap(),
                samples: entry("samples").parse().unwrap(),
                beta: number("beta", 1.0),
                free_bits: number("free_bits", 0.0),
                ..objective
            };
            if entry("head") == "log_sigma" {
                spec.posterior_scale = PosteriorScale::LogSigma;
            }
            let sigma = match entry("sigma") {
                "fixed" => entry("fixed_sigma"),
                sigma => sigma,
            };
            let likelihood = match (entry("likelihood"), entry("mean")) {
                ("gaussian", "sigmoid") => format!("gaussian/{sigma}"),
                ("gaussian", _) => format!("gaussian-identity/{sigma}"),
                (likelihood, _) => likelihood.to_owned(),
            };
            spec.likelihood = likelihood.parse().unwrap();
        }
        objective.corruption = spec.kind.corruption();
        let standard = AdamConstants::STANDARD;
        let number = |key: &str, standard: f64| match entry(key) {
            "-" => standard,
            text => text.parse().unwrap(),
        };
        let name_or = |key: &str, standard: &'static str| match metadata.get(key) {
            None => standard.to_owned(),
            Some(name) => name.clone(),
        };
        Self {
            name,
            spec,
            objective,
            adam: AdamConstants {
                beta1: number("beta1", standard.beta1),
                beta2: number("beta2", standard.beta2),
                epsilon: number("epsilon", standard.epsilon),
                second_moment_start: number("second_moment_start", 0.0),
                form: name_or("adam_form", "corrected").parse().unwrap(),
                moments: name_or("adam_moments", "current").parse().unwrap(),
            },
            batch_gradient: name_or("batch_gradient", "mean").parse().unwrap(),
            learning_rate: number("learning_rate", f64::NAN),
            is_image_major: is_of_two_layers,
            tensors,
        }
    }

    fn values(&self, key: &str) -> &[f64] {
        &self.tensors[key].1
    }

    /// What the input keeps of some pixels; nothing is said where it keeps all.
    fn kept<T: Float>(&self, range: std::ops::Range<usize>) -> Vec<T> {
        let kept = self.tensors.get("kept").map_or(&[][..], |(_, kept)| kept);
        let kept = kept.get(range).unwrap_or_default();
        kept.iter().map(|&kept| T::from_f64(kept)).collect()
    }

    fn parameters<T: Float>(&self, prefix: &str, layout: &Arc<Layout>) -> Parameters<T> {
        let tensors = self.tensors.iter().filter_map(|(key, (shape, values))| {
            let name = key.strip_prefix(prefix)?.strip_prefix('.')?.to_owned();
            let values = values.iter().map(|&v| T::from_f64(v)).collect();
            Some(NamedTensor {
                name,
                shape: shape.clone(),
                values,
            })
        });
        Parameters::from_named_tensors(layout.clone(), tensors).unwrap()
    }

    /// Runs the fixture's ten steps in `T` and compares everything on the way.
    fn compare<T: Float>(&self, gradients: Gradients, tolerance: f64) {
        let layout = Arc::new(Layout::new(&self.spec));
        let pool = ThreadPool::new(2).unwrap();
        let [steps, batch, inputs] = self.tensors["pixels"].0[..] else {
            panic!("{}: pixels", self.name)
        };
        assert_eq!(steps, 10);
        let mut workspace = GradientWorkspace::<T>::new(
            &self.spec,
            &self.objective,
            layout.clone(),
            gradients,
            batch,
            2,
        );
        workspace.set_batch_gradient(self.batch_gradient);
        let mut parameters = self.parameters::<T>("initial", &layout);
        let mut moments = Moments::at_start(&layout, &self.adam);
        for step in 0..steps {
            let pixels = &self.values("pixels")[step * batch * inputs..][..batch * inputs];
            let pixels: Vec<T> = pixels.iter().map(|&p| T::from_f64(p / 255.0)).collect();
            let len = batch * self.objective.samples * self.spec.architecture.noise_width();
            let noise: Vec<T> = match self.tensors.get("noise") {
                Some((_, noise)) => noise[step * len..][..len]
                    .iter()
                    .map(|&e| T::from_f64(e))
                    .collect(),
                None => vec![T::ZERO; len],
            };
            let kept = self.kept(step * batch * inputs..(step + 1) * batch * inputs);
            let source = ValueBatch {
                rows: batch,
                pixels: &pixels,
                noise: &noise,
                kept: &kept,
            };
            let losses = pool
                .install(|| workspace.forward_backward(&pool, &parameters, &source))
                .means();
            let check = |what: &str, found: f64| {
                self.check(
                    &format!("{what} of step {step}"),
                    &[found],
                    &self.values(what)[step..][..1],
                    tolerance,
                );
            };
            check("losses", losses.loss);
            check("reconstructions", losses.reconstruction);
            check("kls", losses.kl);
            if step == 0 {
                let mut gradient = Parameters::zeros(layout.clone());
                pool.install(|| workspace.gradient(&pool, &mut gradient));
                self.check_tensors("gradient", &gradient, tolerance);
            }
            let adam = self.adam.step(self.learning_rate, step as u64 + 1);
            pool.install(|| workspace.adam(&pool, &mut parameters, &mut moments, &adam));
            if step == 0 || step == 9 {
                self.check_tensors(&format!("step{}", step + 1), &parameters, tolerance);
            }
        }
    }

    /// One forward and backward pass under the fixture's own objective.
    fn compare_objective<T: Float>(&self, gradients: Gradients, tolerance: f64) {
        let layout = Arc::new(Layout::new(&self.spec));
        let pool = ThreadPool::new(2).unwrap();
        let samples = self.objective.samples;
        let (batch, width) = (self.tensors["x"].0[0], self.spec.architecture.noise_width());
        let cast = |values: &[f64]| values.iter().map(|&v| T::from_f64(v)).collect::<Vec<_>>();
        let pixels = cast(self.values("x"));
        let noise = match self.tensors.get("noise") {
            Some((_, noise)) => cast(noise),
            None => Vec::new(),
        };
        let by_image = |code: usize| {
            let (image, sample) = (code / samples, code % samples);
            noise[(sample * batch + image) * width..][..width].to_vec()
        };
        let noise = if self.is_image_major || noise.is_empty() {
            noise
        } else {
            (0..batch * samples).flat_map(by_image).collect()
        };
        let kept = self.kept(0..pixels.len());
        let source = ValueBatch {
            rows: batch,
            pixels: &pixels,
            noise: &noise,
            kept: &kept,
        };
        let mut workspace = GradientWorkspace::<T>::new(
            &self.spec,
            &self.objective,
            layout.clone(),
            gradients,
            batch,
            2,
        );
        let parameters = self.parameters::<T>("initial", &layout);
        let mut gradient = Parameters::zeros(layout.clone());
        let losses = pool.install(|| {
            let sums = workspace.forward_backward(&pool, &parameters, &source);
            workspace.gradient(&pool, &mut gradient);
            sums.means()
        });
        self.check("loss", &[losses.loss], self.values("loss"), tolerance);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let reconstruction = match self.tensors.get("reconstruction") {
            Some((_, values)) => values[0],
            None => -mean(self.values("forward.log_likelihood")),
        };
        self.check(
            "reconstruction",
            &[losses.reconstruction],
            &[reconstruction],
            tolerance,
        );
        if let Some((_, kl)) = self.tensors.get("image.kl").or(self.tensors.get("kl")) {
            self.check("kl", &[losses.kl], &[mean(kl)], tolerance);
        }
        self.check_tensors("gradient", &gradient, tolerance);
    }

    fn check_tensors<T: Float>(&self, prefix: &str, found: &Parameters<T>, tolerance: f64) {
        for tensor in found.named_tensors() {
            let found: Vec<f64> = tensor.values.iter().map(|v| v.to_f64()).collect();
            let key = format!("{prefix}.{}", tensor.name);
            self.check(&key, &found, self.values(&key), tolerance);
        }
    }

    /// |found − expected| ≤ tolerance · max(1, largest expected magnitude).
    fn check(&self, what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len(), "{}: {what}", self.name);
        let scale = largest_magnitude(expected).max(1.0);
        let difference = found
            .iter()
            .zip(expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(
            difference <= tolerance * scale,
            "{}: {what} differs by {difference}",
            self.name
        );
    }
}

const OF_NORMALISER: &str = "continuous-bernoulli-normaliser.safetensors";

/// Every fixture of a model.
fn all_fixtures() -> impl Iterator<Item = Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pytorch");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.ends_with(".safetensors") && name != OF_NORMALISER
        })
        .collect();
    paths.sort();
    paths.into_iter().flat_map(Fixture::read)
}

/// Those of ten steps of training.
fn fixtures() -> Vec<Fixture> {
    let of_training = |fixture: &Fixture| fixture.tensors.contains_key("pixels");
    let fixtures: Vec<_> = all_fixtures().filter(of_training).collect();
    assert!(
        fixtures.len() >= 28,
        "only {} fixtures found",
        fixtures.len()
    );
    fixtures
}

/// ln C = ln(1 + eᵃ) − A(a) and E[x] to fifty digits, rounded.
#[test]
fn the_continuous_bernoulli_is_normalised_to_1e_10() {
    let fixtures = fixtures_of_normaliser();
    let [logits, log_normaliser, mean] =
        ["logits", "log_normaliser", "mean"].map(|key| fixtures[key].clone());
    let (mut partitions, mut means) = (logits.clone(), logits.clone());
    continuous_bernoulli::log_partitions_in_place(&mut partitions);
    continuous_bernoulli::means_in_place(&mut means);
    assert_eq!(logits.len(), 61);
    for (index, &a) in logits.iter().enumerate() {
        let softplus = a.max(0.0) + (-a.abs()).exp().ln_1p();
        let found = softplus - partitions[index];
        assert!(
            (found - log_normaliser[index]).abs() < 1e-10,
            "{a}: {found}"
        );
        assert!((means[index] - mean[index]).abs() < 1e-10, "{a}: {found}");
    }
}

fn fixtures_of_normaliser() -> BTreeMap<String, Vec<f64>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pytorch");
    let bytes = std::fs::read(folder.join(OF_NORMALISER)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| {
        let numbers = data.as_chunks().0.iter();
        numbers.map(|b| f64::from_le_bytes(*b)).collect()
    };
    file.iter()
        .map(|(key, view)| (key.to_owned(), values(view.data())))
        .collect()
}

/// Those of a single pass.
fn objective_fixtures() -> Vec<Fixture> {
    let of_one_pass = |fixture: &Fixture| !fixture.tensors.contains_key("pixels");
    let fixtures: Vec<_> = all_fixtures().filter(of_one_pass).collect();
    assert!(
        fixtures.len() >= 24,
        "only {} fixtures of objectives",
        fixtures.len()
    );
    fixtures
}

#[test]
fn objectives_agree_to_1e_10_in_double_precision() {
    for fixture in objective_fixtures() {
        fixture.compare_objective::<f64>(Gradients::Hand, 1e-10);
        fixture.compare_objective::<f64>(Gradients::Tape, 1e-10);
    }
}

#[test]
fn objectives_agree_to_1e_5_in_single_precision() {
    for fixture in objective_fixtures() {
        fixture.compare_objective::<f32>(Gradients::Hand, 1e-5);
        fixture.compare_objective::<f32>(Gradients::Tape, 1e-5);
    }
}

#[test]
fn double_precision_agrees_to_1e_10() {
    for fixture in fixtures() {
        fixture.compare::<f64>(Gradients::Hand, 1e-10);
        fixture.compare::<f64>(Gradients::Tape, 1e-10);
    }
}

#[test]
fn single_precision_agrees_to_1e_5() {
    for fixture in fixtures() {
        fixture.compare::<f32>(Gradients::Hand, 1e-5);
        fixture.compare::<f32>(Gradients::Tape, 1e-5);
    }
}

/// log p(x|z) and the mean image of each likelihood, after training.
#[test]
fn inference_under_every_likelihood_agrees_to_1e_5() {
    let has_posterior = |fixture: &Fixture| fixture.tensors.contains_key("forward.mu");
    let fixtures: Vec<_> = objective_fixtures()
        .into_iter()
        .filter(has_posterior)
        .collect();
    assert!(fixtures.len() >= 18);
    for fixture in fixtures {
        let layout = Arc::new(Layout::new(&fixture.spec));
        let tensors = fixture
            .parameters::<f32>("initial", &layout)
            .named_tensors();
        let model = Model::from_named_tensors(fixture.spec.clone(), tensors).unwrap();
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let (batch, inputs) = (fixture.tensors["x"].0[0], layout.inputs());
        let (samples, latent) = (fixture.objective.samples, fixture.spec.architecture.latent);
        let x = single(fixture.values("x"));
        let images = ArrayView2::from_shape((batch, inputs), &x).unwrap();
        let check = |what: &str, found: &[f32], expected: &[f64]| {
            let found: Vec<f64> = found.iter().map(|&v| f64::from(v)).collect();
            fixture.check(what, &found, expected, 1e-5);
        };
        let codes = model.encode(images);
        let log_variance = codes.log_variance.as_ref().unwrap();
        check(
            "forward.log_var",
            log_variance.as_slice().unwrap(),
            fixture.values("forward.log_var"),
        );
        // The fixture has one sample of all images after the other; here the
        // samples of an image stand together.
        let z = single(fixture.values("forward.z"));
        let z: Vec<f32> = (0..batch * samples)
            .flat_map(|code| {
                let (image, sample) = (code / samples, code % samples);
                z[(sample * batch + image) * latent..][..latent].to_vec()
            })
            .collect();
        let z = ArrayView2::from_shape((batch * samples, latent), &z).unwrap();
        let found = model.log_likelihoods(z, images, samples);
        let expected = fixture.values("forward.log_likelihood");
        let expected: Vec<f64> = (0..batch * samples)
            .map(|code| expected[code % samples * batch + code / samples])
            .collect();
        check("forward.log_likelihood", &found, &expected);

        let mean = |a: f64| match fixture.spec.likelihood.name() {
            name if name.ends_with("-identity") => a,
            "continuous-bernoulli" => 1.0 / (1.0 - (-a).exp()) - 1.0 / a,
            _ => 1.0 / (1.0 + (-a).exp()),
        };
        let outputs = fixture.values("forward.outputs");
        let width = outputs.len() / (batch * samples);
        let expected: Vec<f64> = (0..batch * samples)
            .flat_map(|code| {
                let row = (code % samples) * batch + code / samples;
                outputs[row * width..][..inputs].iter().map(|&a| mean(a))
            })
            .collect();
        let decoded = model.decode(z);
        check("the mean images", decoded.as_slice().unwrap(), &expected);
    }
}

#[test]
fn inference_agrees_to_1e_5() {
    // A model that is used loses nothing of its input.
    let has_code = |fixture: &Fixture| {
        let tensors = &fixture.tensors;
        tensors.contains_key("forward.z") && !tensors.contains_key("kept")
    };
    for fixture in fixtures().into_iter().filter(has_code) {
        let layout = Arc::new(Layout::new(&fixture.spec));
        let tensors = fixture
            .parameters::<f32>("initial", &layout)
            .named_tensors();
        let model = Model::from_named_tensors(fixture.spec.clone(), tensors).unwrap();
        let (shape, x) = &fixture.tensors["x"];
        let (batch, inputs) = (shape[0], shape[1]);
        let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let images = ArrayView2::from_shape((batch, inputs), &x).unwrap();
        let codes = model.encode(images);
        let check = |what: &str, found: &[f32]| {
            let found: Vec<f64> = found.iter().map(|&v| f64::from(v)).collect();
            fixture.check(what, &found, fixture.values(what), 1e-5);
        };
        let z = if fixture.spec.kind == ModelKind::Vae {
            check("forward.mu", codes.mean.as_slice().unwrap());
            check(
                "forward.log_var",
                codes.log_variance.as_ref().unwrap().as_slice().unwrap(),
            );
            let noise: Vec<f32> = fixture.values("noise")[..codes.mean.len()]
                .iter()
                .map(|&e| e as f32)
                .collect();
            codes.sample(ArrayView2::from_shape(codes.mean.dim(), &noise).unwrap())
        } else {
            assert_eq!(codes.log_variance, None);
            codes.mean.clone()
        };
        check("forward.z", z.as_slice().unwrap());
        check(
            "forward.logits",
            model.decode_logits(z.view()).as_slice().unwrap(),
        );
        check(
            "image.reconstruction",
            &model.reconstruction_losses(z.view(), images),
        );
    }
}
