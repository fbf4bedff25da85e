//! The fast path against f64 arithmetic written out, and what the numbers
//! may not depend on.

use super::*;
use models::{Initialisation, Likelihood, ModelKind, ModelSpec};
use ndarray::{Array2, s};

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
    let noise_stream = stream(seed, Purpose::Sampling, FIRST_STREAM + index);
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

#[test]
fn the_fast_path_agrees_with_f64_arithmetic() {
    // A latent dimension above one panel, a block and a part of one.
    let model = model(ModelKind::Vae, "37-21-19");
    let images = binary_images(3, 37);
    let samples = 2 * BLOCK + 17;
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
    assert_eq!(found.nll.len(), 4);
    for (size, estimate) in &found.nll {
        let reference = expected.nll[size];
        assert!(
            (estimate.value - reference.value).abs() < 2e-5,
            "K = {size}: {estimate:?} {reference:?}"
        );
        assert!((estimate.standard_error - reference.standard_error).abs() < 2e-5);
    }
    let (sizes, reference) = (found.effective_sample_size, expected.effective_sample_size);
    assert!(
        (sizes.mean / reference.mean - 1.0).abs() < 1e-4,
        "{sizes:?} {reference:?}"
    );
    assert!(sizes.mean > 1.5 && sizes.lowest < 0.9 * samples as f64);
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
    assert_eq!(alone.standard_error, 0.0);
    let two = images.slice(s![..2, ..]).to_owned();
    let pair = bounds(&model, &two, 130, 2).nll[&130];
    let second = 2.0 * pair.value - alone.value;
    assert!((pair.standard_error - 0.5 * (second - alone.value).abs()).abs() < 1e-9);
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
