use super::*;
use models::{Initialisation, Likelihood, ModelSpec, NamedTensor};
use ndarray::array;

fn model(kind: ModelKind, architecture: &str) -> Model {
    let spec = ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    Model::new(spec, Initialisation::PyTorchUniform, 5).unwrap()
}

/// A model whose head and decoder are given by hand: 2 pixels, no hidden
/// layer, 1 latent dimension.
fn by_hand(kind: ModelKind, head: &[(&str, Vec<usize>, Vec<f32>)]) -> Model {
    let tensors = head.iter().map(|(name, shape, values)| NamedTensor {
        name: (*name).to_owned(),
        shape: shape.clone(),
        values: values.clone(),
    });
    Model::from_named_tensors(model(kind, "2-1").spec().clone(), tensors).unwrap()
}

fn images(n: usize, pixels: usize) -> Array2<u8> {
    Array2::from_shape_fn((n, pixels), |(i, j)| {
        ((i * 37 + j * 101 + i * j) % 256) as u8
    })
}

#[test]
fn kl_matches_numerical_integration() {
    let (mu, log_variance) = (0.7_f32, -1.3_f32);
    let found = kl_per_dimension(array![[mu]].view(), array![[log_variance]].view()).unwrap();
    let (mu, variance) = (f64::from(mu), f64::from(log_variance).exp());
    let step = 1e-3;
    let integral: f64 = (-8000..8000)
        .map(|i| {
            let z = (f64::from(i) + 0.5) * step;
            let ln_q = -0.5 * ((z - mu).powi(2) / variance + variance.ln());
            let ln_p = -0.5 * z * z;
            (ln_q - 0.5 * std::f64::consts::TAU.ln()).exp() * (ln_q - ln_p) * step
        })
        .sum();
    assert!(
        (found[0] - integral).abs() < 1e-9,
        "{} {integral}",
        found[0]
    );
}

#[test]
fn a_vae_by_hand() {
    // μ = x₁ (pixel 1), log σ² = −40 (σ = 2e-9: the sample is the mean),
    // logits (2z, 0).
    let model = by_hand(
        ModelKind::Vae,
        &[
            ("mu.weight", vec![1, 2], vec![1.0, 0.0]),
            ("mu.bias", vec![1], vec![0.0]),
            ("log_var.weight", vec![1, 2], vec![0.0, 0.0]),
            ("log_var.bias", vec![1], vec![-40.0]),
            ("decoder.0.weight", vec![2, 1], vec![2.0, 0.0]),
            ("decoder.0.bias", vec![2], vec![0.0, 0.0]),
        ],
    );
    let found = evaluate(
        &model,
        array![[255u8, 0], [0, 255]].view(),
        &EvaluationOptions::default(),
    )
    .unwrap();
    // Image 1: z = 1, logits (2, 0), targets (1, 0); image 2: z = 0, logits 0.
    let ln2 = 2.0_f64.ln();
    let expected = 0.5 * ((1.0 + (-2.0_f64).exp()).ln() + ln2 + 2.0 * ln2);
    assert!((found.reconstruction - expected).abs() < 1e-6, "{found:?}");
    assert!((found.at_mean.reconstruction - expected).abs() < 1e-6);
    assert_eq!(found.at_mean.kl, found.kl);
    let kl = 0.5 * (0.5 + (-40.0_f64).exp() + 40.0 - 1.0);
    assert!((found.kl.unwrap() - kl).abs() < 1e-6);
    assert!((found.elbo.unwrap() + expected + kl).abs() < 1e-5);
    assert_eq!(found.variance_of_mu, vec![0.25]);
    assert_eq!((found.active_units, found.active_units_by_kl), (1, Some(1)));
    assert_eq!(found.entropy_floor, Some(0.0));
}

/// μ is the first pixel less the second: 1 and −1 of one image each and 0 of 198
/// others has a variance of 2/200, which is the threshold itself, and twice as many
/// have more.
#[test]
fn a_unit_at_the_threshold_is_not_active() {
    let model = by_hand(
        ModelKind::Vae,
        &[
            ("mu.weight", vec![1, 2], vec![1.0, -1.0]),
            ("mu.bias", vec![1], vec![0.0]),
            ("log_var.weight", vec![1, 2], vec![0.0, 0.0]),
            ("log_var.bias", vec![1], vec![0.0]),
            ("decoder.0.weight", vec![2, 1], vec![2.0, -1.0]),
            ("decoder.0.bias", vec![2], vec![0.5, 0.0]),
        ],
    );
    let options = EvaluationOptions::default();
    for (pairs, active) in [(1, 0), (2, 1)] {
        let images = Array2::from_shape_fn((200, 2), |(i, j)| {
            255 * u8::from(i < 2 * pairs && i % 2 == j)
        });
        let found = evaluate(&model, images.view(), &options).unwrap();
        assert_eq!(found.variance_of_mu, [pairs as f64 / 100.0]);
        assert_eq!(found.active_units, active);
    }
    let grey = evaluate(&model, array![[51u8, 0], [0, 102]].view(), &options).unwrap();
    let entropy = |t: f64| -t * t.ln() - (1.0 - t) * (1.0 - t).ln();
    let floor = 0.5 * (entropy(0.2) + entropy(0.4));
    assert!((grey.entropy_floor.unwrap() - floor).abs() < 1e-12);
    let excess = grey.excess_over_floor.unwrap();
    assert!(excess > 0.0 && (excess - (grey.reconstruction - floor)).abs() < 1e-12);
}

#[test]
fn sampling_raises_the_reconstruction_of_a_wide_posterior() {
    let model = by_hand(
        ModelKind::Vae,
        &[
            ("mu.weight", vec![1, 2], vec![0.0, 0.0]),
            ("mu.bias", vec![1], vec![0.0]),
            ("log_var.weight", vec![1, 2], vec![0.0, 0.0]),
            ("log_var.bias", vec![1], vec![0.0]),
            ("decoder.0.weight", vec![2, 1], vec![3.0, 3.0]),
            ("decoder.0.bias", vec![2], vec![0.0, 0.0]),
        ],
    );
    let images = Array2::from_shape_fn((2000, 2), |(i, j)| 255 * (((i + j) % 2) as u8));
    let found = evaluate(&model, images.view(), &EvaluationOptions::default()).unwrap();
    // z ~ N(0, 1), and one pixel of each pair is on: E[2 softplus(3z) − 3z]
    // by quadrature; at the mean 2 ln 2.
    let integral: f64 = (-8000..8000)
        .map(|i| {
            let z = (f64::from(i) + 0.5) * 1e-3;
            let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
            1e-3 * density * (2.0 * (3.0 * z).exp().ln_1p() - 3.0 * z)
        })
        .sum();
    assert!(
        (found.reconstruction - integral).abs() < 0.12,
        "{found:?} {integral}"
    );
    assert!((found.at_mean.reconstruction - 2.0 * 2.0_f64.ln()).abs() < 1e-6);
    assert!(found.kl.unwrap().abs() < 1e-9);
    assert_eq!((found.active_units, found.active_units_by_kl), (0, Some(0)));
    assert!((found.variance_law.unwrap()[0] - 1.0).abs() < 1e-6);
}

#[test]
fn models_without_sigma_have_no_elbo() {
    let images = images(50, 30);
    let options = EvaluationOptions::default();
    let plain = evaluate(&model(ModelKind::Ae, "30-7-2"), images.view(), &options).unwrap();
    assert_eq!((plain.kl, plain.elbo, plain.at_mean.kl), (None, None, None));
    assert_eq!(plain.loss, plain.reconstruction);
    let json = serde_json::to_value(&plain).unwrap();
    assert!(json["kl"].is_null() && json["elbo"].is_null());
    let penalised_model = model(ModelKind::AeL2, "30-7-2");
    let penalised = evaluate(&penalised_model, images.view(), &options).unwrap();
    let codes = penalised_model.encode(images.view()).mean;
    let expected: f64 = codes
        .iter()
        .map(|&z| 0.5 * f64::from(z).powi(2))
        .sum::<f64>()
        / 50.0;
    assert!((penalised.kl.unwrap() - expected).abs() < 1e-12);
    assert_eq!(penalised.elbo, None);
    assert!((penalised.loss - penalised.reconstruction - expected).abs() < 1e-12);
}

#[test]
fn json_has_the_documented_keys() {
    let found = evaluate(
        &model(ModelKind::Vae, "30-7-3"),
        images(40, 30).view(),
        &EvaluationOptions::default(),
    )
    .unwrap();
    let json = serde_json::to_value(&found).unwrap();
    for key in [
        "split",
        "n",
        "data_treatment",
        "reconstruction",
        "kl",
        "elbo",
        "kl_per_dimension",
        "variance_of_mu",
        "active_units",
        "seed",
    ] {
        assert!(!json[key].is_null(), "{key}");
    }
    assert_eq!(json["data_treatment"], "grey");
    assert_eq!(json["split"], "test");
    assert!(json["at_mean"]["reconstruction"].is_number());
    assert_eq!(json["kl_per_dimension"].as_array().unwrap().len(), 3);
    assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), found);
    let sum: f64 = found.kl_per_dimension.unwrap().iter().sum();
    assert!((sum - found.kl.unwrap()).abs() < 1e-12);
}

#[test]
fn threads_and_the_number_of_images_do_not_change_a_row() {
    let model = model(ModelKind::Vae, "30-16-2");
    let images = images(700, 30);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| evaluate(&model, images.view(), &EvaluationOptions::default()).unwrap())
    };
    assert_eq!(run(1), run(3));
    let all = sample_codes(&model.encode(images.view()), 4);
    let few = sample_codes(&model.encode(images.slice(ndarray::s![..10, ..])), 4);
    assert_eq!(all.slice(ndarray::s![..10, ..]), few);
    let images_of_codes = [0, 1, 17, 17, 699];
    let some = sample_codes_of(&model.encode(images.view()), 4, &images_of_codes);
    assert_eq!(some, all.select(Axis(0), &images_of_codes));
    let other = EvaluationOptions {
        seed: 1,
        ..EvaluationOptions::default()
    };
    let reseeded = evaluate(&model, images.view(), &other).unwrap();
    assert_ne!(reseeded.reconstruction, run(1).reconstruction);
    assert_eq!(reseeded.kl, run(1).kl);
}

#[test]
fn bad_input_is_an_error() {
    let model = model(ModelKind::Vae, "30-7-2");
    let options = EvaluationOptions::default();
    assert!(evaluate(&model, images(4, 29).view(), &options).is_err());
    assert!(evaluate(&model, &Array2::<u8>::zeros((0, 30)), &options).is_err());
}
