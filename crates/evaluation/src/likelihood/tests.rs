//! The fast path against f64 arithmetic written out, and what the numbers
//! may not depend on.

use super::*;
use models::{Initialisation, Likelihood, ModelKind, ModelSpec};
use ndarray::{Array2, s};
use tensor_ops::random::{Stream, fill_normal};

fn model(kind: ModelKind, architecture: &str) -> Model {
    let spec = ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    // Glorot's wider weights make log weights that differ by nats.
    Model::new(spec, Initialisation::Glorot, 3).unwrap()
}

fn binary_images(n: usize, pixels: usize) -> Array2<u8> {
    Array2::from_shape_fn((n, pixels), |(i, j)| {
        255 * u8::from((i * 7 + j * j + i * j) % 5 < 2)
    })
}

fn bounds(model: &Model, images: &Array2<u8>, samples: usize, seed: u64) -> LikelihoodBounds {
    likelihood_bounds(model, images.view(), samples, seed, &|| {}).unwrap()
}

/// y = act(W x + b) in f64, W [out, in] row-major.
fn dense(x: &[f64], weight: &[f32], bias: &[f32], relu: bool) -> Vec<f64> {
    let rows = weight.chunks_exact(x.len()).zip(bias);
    rows.map(|(row, &b)| {
        let y = row
            .iter()
            .zip(x)
            .map(|(&w, x)| f64::from(w) * x)
            .sum::<f64>()
            + f64::from(b);
        if relu { y.max(0.0) } else { y }
    })
    .collect()
}

/// All log weights of one image from PyTorch's tensors, in f64.
fn log_weights(model: &Model, image: &[u8], index: u64, samples: usize, seed: u64) -> Vec<f64> {
    let tensors = model.named_tensors();
    let tensor = |name: &str| &tensors.iter().find(|t| t.name == name).unwrap().values;
    let layer = |name: &str, x: &[f64], relu| {
        dense(
            x,
            tensor(&format!("{name}.weight")),
            tensor(&format!("{name}.bias")),
            relu,
        )
    };
    let pixels: Vec<f64> = image.iter().map(|&b| f64::from(b) / 255.0).collect();
    let hidden = layer("encoder.0", &pixels, true);
    let (mean, log_variance) = (
        layer("mu", &hidden, false),
        layer("log_var", &hidden, false),
    );
    let latent = mean.len();
    let mut noise = vec![0.0_f64; samples * latent];
    let noise_stream = stream(seed, Purpose::Sampling, 0x0000_6e6c_0000_0000 + index);
    fill_normal(&mut noise, noise_stream, 0);
    let ln_density = |x: f64, mean: f64, log_variance: f64| {
        -0.5 * ((x - mean).powi(2) / log_variance.exp() + log_variance + std::f64::consts::TAU.ln())
    };
    noise
        .chunks_exact(latent)
        .map(|epsilon| {
            let mut z = Vec::new();
            let mut log_weight = 0.0;
            for j in 0..latent {
                z.push(mean[j] + (0.5 * log_variance[j]).exp() * epsilon[j]);
                log_weight +=
                    ln_density(z[j], 0.0, 0.0) - ln_density(z[j], mean[j], log_variance[j]);
            }
            let logits = layer("decoder.2", &layer("decoder.0", &z, true), false);
            for (x, t) in logits.iter().zip(&pixels) {
                log_weight += t * x - (x.max(0.0) + (-x.abs()).exp().ln_1p());
            }
            log_weight
        })
        .collect()
}

/// The largest difference of −L_K and of its standard error from f64 arithmetic
/// throughout, with the largest −L_K, of three images.
fn distance_from_f64(architecture: &str, samples: usize) -> (f64, f64) {
    let model = model(ModelKind::Vae, architecture);
    let images = binary_images(3, model.spec().architecture.inputs);
    let found = bounds(&model, &images, samples, 5);
    let each: Vec<Bounds> = (0..3)
        .map(|i| {
            let mut curve = BoundCurve::new(samples).unwrap();
            let image = images.row(i).to_vec();
            for weight in log_weights(&model, &image, i as u64, samples, 5) {
                curve.push(weight);
            }
            curve.finish()
        })
        .collect();
    let expected = summarise(&each).unwrap();
    assert_eq!(
        found.nll.keys().collect::<Vec<_>>(),
        expected.nll.keys().collect::<Vec<_>>()
    );
    let (mut distance, mut largest) = (0.0_f64, 0.0_f64);
    for (size, estimate) in &found.nll {
        let reference = expected.nll[size];
        let errors = [estimate, &reference].map(|of| of.standard_error.unwrap());
        distance = distance.max((estimate.value - reference.value).abs());
        distance = distance.max((errors[0] - errors[1]).abs());
        largest = largest.max(reference.value);
    }
    let (sizes, reference) = (found.effective_sample_size, expected.effective_sample_size);
    assert!(
        (sizes.mean / reference.mean - 1.0).abs() < 1e-4,
        "{sizes:?} {reference:?}"
    );
    assert!(sizes.mean > 1.5 && sizes.lowest < 0.9 * samples as f64);
    (distance, largest)
}

#[test]
fn the_fast_path_agrees_with_f64_arithmetic() {
    // A latent dimension above one panel, a block and a part of one.
    let (distance, largest) = distance_from_f64("37-21-19", 2 * BLOCK + 17);
    assert!(largest > 20.0 && distance < 2e-5, "{distance} of {largest}");
    // Of the size of MNIST, and values of hundreds of nats.
    let (distance, largest) = distance_from_f64("784-64-50", BLOCK + 5);
    assert!(
        largest > 500.0 && distance < 2e-4,
        "{distance} of {largest}"
    );
}

#[test]
fn a_decoder_that_ignores_the_code_has_a_known_likelihood() {
    // Without weights every pixel has probability σ(b) whatever z, so that
    // log p(x) is known, and E_q[p(z)/q(z)] = 1 makes the rest vanish.
    let plain = model(ModelKind::Vae, "6-2");
    let tensors = plain.named_tensors().into_iter().map(|mut tensor| {
        match tensor.name.as_str() {
            "decoder.0.weight" => tensor.values.fill(0.0),
            "decoder.0.bias" => tensor.values.fill(1.5),
            // A posterior wider than the prior keeps the weights bounded.
            "log_var.weight" => tensor.values.fill(0.0),
            "log_var.bias" => tensor.values.fill(0.4),
            _ => {}
        }
        tensor
    });
    let model = Model::from_named_tensors(plain.spec().clone(), tensors).unwrap();
    let images = binary_images(30, 6);
    let found = bounds(&model, &images, 5000, 1);
    let ink = images.iter().filter(|&&b| b == 255).count() as f64 / 30.0;
    let truth = 6.0 * (1.5_f64.exp()).ln_1p() - 1.5 * ink;
    assert!(
        (found.nll[&5000].value - truth).abs() < 0.01,
        "{found:?} {truth}"
    );
    assert!(
        found.nll[&1].value > truth + 0.05,
        "the ELBO has a gap here"
    );
}

/// Pixels W z + b + σ·noise with z ~ N(0, I): log p(x) is that of
/// N(b, W Wᵀ + σ² I), and the encoder is the exact posterior's mean slightly
/// off, with a diagonal scale that the exact posterior has not.
#[test]
fn a_linear_gaussian_autoencoder_gives_its_known_log_likelihood() {
    let (weight, bias, sigma) = (
        [[0.20_f32, -0.05], [0.10, 0.15], [-0.12, 0.10], [0.05, 0.18]],
        0.5_f32,
        0.1,
    );
    let exact = LinearGaussian {
        weight: Array2::from_shape_fn((4, 2), |(i, j)| f64::from(weight[i][j])),
        bias: f64::from(bias),
        sigma,
    };
    let (gain, variances) = exact.posterior();
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "4-2".parse().unwrap(),
        likelihood: Likelihood::Gaussian {
            mean: models::GaussianMean::Identity,
            sigma: models::GaussianSigma::Fixed(sigma),
        },
        posterior_scale: Default::default(),
    };
    let tensor = |name: &str, shape: &[usize], values: Vec<f32>| models::NamedTensor {
        name: name.into(),
        shape: shape.to_vec(),
        values,
    };
    let gain: Vec<f32> = gain.iter().map(|&g| 0.97 * g as f32).collect();
    let offsets = gain.chunks(4).map(|row| -bias * row.iter().sum::<f32>());
    let tensors = [
        tensor("mu.bias", &[2], offsets.collect()),
        tensor("mu.weight", &[2, 4], gain),
        tensor("log_var.weight", &[2, 4], vec![0.0; 8]),
        tensor(
            "log_var.bias",
            &[2],
            variances.iter().map(|v| (1.2 * v).ln() as f32).collect(),
        ),
        tensor("decoder.0.weight", &[4, 2], weight.concat()),
        tensor("decoder.0.bias", &[4], vec![bias; 4]),
    ];
    let model = Model::from_named_tensors(spec, tensors).unwrap();
    let mut noise = vec![0.0_f64; 40 * 6];
    fill_normal(&mut noise, Stream::new(8, 8), 0);
    let mut errors = Vec::new();
    for (seed, noise) in noise.chunks_exact(6).enumerate() {
        let pixels = Array2::from_shape_fn((1, 4), |(_, i)| {
            let mean: f64 = (0..2).map(|j| exact.weight[[i, j]] * noise[j]).sum();
            let value = exact.bias + mean + sigma * noise[2 + i];
            (255.0 * value).round().clamp(0.0, 255.0) as u8
        });
        // Seeds of their own, so that the errors are independent.
        let found = bounds(&model, &pixels, 5000, seed as u64);
        let x: Vec<f64> = pixels.iter().map(|&b| f64::from(b) / 255.0).collect();
        errors.push(-found.nll[&5000].value - exact.log_density(&x));
    }
    let n = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / n;
    let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let standard_error = (variance / n).sqrt();
    assert!(standard_error < 0.01, "{standard_error}");
    assert!(
        mean.abs() < 3.0 * standard_error,
        "{mean} ± {standard_error}"
    );
}

/// A linear decoder of two dimensions with Gaussian pixels.
struct LinearGaussian {
    weight: Array2<f64>,
    bias: f64,
    sigma: f64,
}

impl LinearGaussian {
    /// (I + WᵀW/σ²)⁻¹, the posterior's covariance.
    fn covariance(&self) -> [[f64; 2]; 2] {
        let gram = self.weight.t().dot(&self.weight) / self.sigma.powi(2);
        let (a, b, d) = (1.0 + gram[[0, 0]], gram[[0, 1]], 1.0 + gram[[1, 1]]);
        let determinant = a * d - b * b;
        [[d, -b], [-b, a]].map(|row| row.map(|value| value / determinant))
    }

    /// The matrix that takes x − b to the posterior's mean, [2, pixels], and
    /// the posterior's variances.
    fn posterior(&self) -> (Array2<f64>, [f64; 2]) {
        let covariance = self.covariance();
        let matrix = Array2::from_shape_fn((2, 2), |(i, j)| covariance[i][j]);
        let gain = matrix.dot(&self.weight.t()) / self.sigma.powi(2);
        (gain, [covariance[0][0], covariance[1][1]])
    }

    /// log N(x; b, WWᵀ + σ²I) by the matrix inversion and determinant lemmas:
    /// the quadratic form is (‖d‖² − dᵀW C Wᵀd/σ²)/σ² with the posterior's
    /// covariance C, the determinant σ^(2·pixels) / det C.
    fn log_density(&self, x: &[f64]) -> f64 {
        let covariance = self.covariance();
        let difference = ndarray::Array1::from_iter(x.iter().map(|x| x - self.bias));
        let projected = self.weight.t().dot(&difference);
        let mut explained = 0.0;
        for i in 0..2 {
            for j in 0..2 {
                explained += projected[i] * covariance[i][j] * projected[j];
            }
        }
        let variance = self.sigma.powi(2);
        let quadratic = (difference.dot(&difference) - explained / variance) / variance;
        let determinant = covariance[0][0] * covariance[1][1] - covariance[0][1].powi(2);
        let ln_determinant = x.len() as f64 * variance.ln() - determinant.ln();
        -0.5 * (quadratic + ln_determinant + x.len() as f64 * std::f64::consts::TAU.ln())
    }
}

#[test]
fn threads_subsets_and_further_samples_do_not_change_a_bound() {
    let model = model(ModelKind::Vae, "37-21-3");
    let images = binary_images(23, 37);
    let run = |threads| {
        let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
        pool.install(|| bounds(&model, &images, 130, 2))
    };
    let expected = run(1);
    assert_eq!(run(2), expected);
    assert_eq!(run(3), expected);
    assert_ne!(bounds(&model, &images, 130, 3), expected);
    // The first image alone is the first image of many: two halves of the set
    // have the mean of the whole only if no image knows its neighbours.
    let first = images.slice(s![..1, ..]).to_owned();
    let alone = bounds(&model, &first, 130, 2).nll[&130];
    assert_eq!(alone.standard_error, None);
    let two = images.slice(s![..2, ..]).to_owned();
    let pair = bounds(&model, &two, 130, 2).nll[&130];
    let second = 2.0 * pair.value - alone.value;
    assert!((pair.standard_error.unwrap() - 0.5 * (second - alone.value).abs()).abs() < 1e-9);
}

/// Means, errors and quantiles counted by hand: squares of 4 + 1 + 9 over 3 · 2 for the
/// error at K = 20, of 0.25 + 0 + 0.25 at K = 1.
#[test]
fn bounds_of_images_are_summarised() {
    let of_image = |(one, all, effective_sample_size): (f64, f64, f64)| Bounds {
        log_likelihood: BTreeMap::from([(1, one), (20, all)]),
        effective_sample_size,
    };
    let mut bounds = [(-7.5, -1.0, 10.0), (-7.0, -2.0, 2.0), (-6.5, -6.0, 3.0)].map(of_image);
    let found = summarise(&bounds).unwrap();
    assert_eq!((found.nll[&1].value, found.nll[&20].value), (7.0, 3.0));
    let error = |k: usize| found.nll[&k].standard_error.unwrap();
    assert!((error(1).powi(2) - 0.5 / 6.0).abs() < 1e-15);
    assert!((error(20).powi(2) - 14.0 / 6.0).abs() < 1e-14);
    let sizes = found.effective_sample_size;
    assert_eq!((sizes.mean, sizes.median, sizes.lowest), (5.0, 3.0, 2.0));
    let alone = summarise(&bounds[1..2]).unwrap();
    assert_eq!(
        (alone.nll[&20].value, alone.nll[&20].standard_error),
        (2.0, None)
    );
    for broken in [f64::NAN, f64::NEG_INFINITY] {
        bounds[2].log_likelihood.insert(20, broken);
        let message = summarise(&bounds).unwrap_err().to_string();
        assert!(message.contains("in row 2"), "{message}");
    }
}

#[test]
fn every_image_is_reported_as_it_is_done() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let model = model(ModelKind::Vae, "37-21-3");
    likelihood_bounds(&model, binary_images(9, 37).view(), 3, 0, &|| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(count.into_inner(), 9);
}

#[test]
fn bad_input_is_an_error() {
    let vae = model(ModelKind::Vae, "37-21-3");
    let images = binary_images(2, 37);
    let run = |model: &Model, images: &Array2<u8>, samples| {
        likelihood_bounds(model, images.view(), samples, 0, &|| {})
            .unwrap_err()
            .to_string()
    };
    assert!(run(&vae, &images, 0).contains("at least 1"));
    assert!(run(&vae, &binary_images(2, 36), 1).contains("[n, 37]"));
    assert!(run(&vae, &binary_images(0, 37), 1).contains("0 rows"));
    for kind in [ModelKind::Ae, ModelKind::AeL2] {
        let message = run(&model(kind, "37-21-3"), &images, 10);
        assert!(message.contains("of kind vae"), "{message}");
    }
}
