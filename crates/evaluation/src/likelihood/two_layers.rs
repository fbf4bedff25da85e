//! The importance-sampled bounds of two stochastic layers.

use models::{
    GaussianMean, GaussianSigma, Initialisation, Likelihood, ModelKind, ModelSpec, NamedTensor,
};
use ndarray::Array2;
use tensor_ops::random::{Stream, fill_normal};

use super::*;

/// One pixel column x = b + w h₁ + τ·noise with scalar h₁ = c h₂ + s·noise
/// and h₂ ~ N(0, 1): log p(x) is that of a Gaussian with mean b and the
/// covariance (c² + s²) w wᵀ + τ² I.
const WEIGHT: [f64; 4] = [0.20, -0.12, 0.15, 0.08];
const BIAS: f64 = 0.5;
const TAU: f64 = 0.1;
const COUPLING: f64 = 0.8;
const SCALE: f64 = 0.7;

/// log N(x; b, v w wᵀ + τ² I) by the lemmas of rank one.
fn log_density(x: &[f64]) -> f64 {
    let variance = COUPLING.powi(2) + SCALE.powi(2);
    let squares: f64 = WEIGHT.iter().map(|w| w * w).sum();
    let ratio = variance * squares / TAU.powi(2);
    let difference: Vec<f64> = x.iter().map(|x| x - BIAS).collect();
    let norm: f64 = difference.iter().map(|d| d * d).sum();
    let along: f64 = difference.iter().zip(WEIGHT).map(|(d, w)| d * w).sum();
    let explained = variance * along.powi(2) / (TAU.powi(2) * (1.0 + ratio));
    let quadratic = (norm - explained) / TAU.powi(2);
    let dimensions = x.len() as f64;
    let ln_determinant = dimensions * TAU.powi(2).ln() + ratio.ln_1p();
    -0.5 * (quadratic + ln_determinant + dimensions * std::f64::consts::TAU.ln())
}

/// That model, with both posteriors slightly off the exact ones.
fn model() -> Model {
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "4-1/1-1".parse().unwrap(),
        likelihood: Likelihood::Gaussian {
            mean: GaussianMean::Identity,
            sigma: GaussianSigma::Fixed(TAU),
        },
        posterior_scale: Default::default(),
    };
    let variance = COUPLING.powi(2) + SCALE.powi(2);
    let squares: f64 = WEIGHT.iter().map(|w| w * w).sum();
    // Exact: h₁|x has precision 1/v + ‖w‖²/τ², h₂|h₁ the variance s²/v.
    let lower = 1.0 / (1.0 / variance + squares / TAU.powi(2));
    let gain: Vec<f64> = WEIGHT
        .iter()
        .map(|w| 0.97 * lower * w / TAU.powi(2))
        .collect();
    let offset = -BIAS * gain.iter().sum::<f64>();
    let upper = SCALE.powi(2) / variance;
    let column = WEIGHT.to_vec();
    let tensors = [
        ("mu_1", gain, vec![offset]),
        ("log_var_1", vec![0.0; 4], vec![(1.2 * lower).ln()]),
        ("mu_2", vec![1.05 * COUPLING / variance], vec![0.02]),
        ("log_var_2", vec![0.0], vec![(1.15 * upper).ln()]),
        ("prior_mu", vec![COUPLING], vec![0.0]),
        ("prior_log_var", vec![0.0], vec![2.0 * SCALE.ln()]),
        ("decoder.0", column, vec![BIAS; 4]),
    ];
    let tensors = tensors.into_iter().flat_map(|(name, weight, bias)| {
        let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
        let (outputs, inputs) = (bias.len(), weight.len() / bias.len());
        [
            NamedTensor {
                name: format!("{name}.weight"),
                shape: vec![outputs, inputs],
                values: narrow(weight),
            },
            NamedTensor {
                name: format!("{name}.bias"),
                shape: vec![outputs],
                values: narrow(bias),
            },
        ]
    });
    Model::from_named_tensors(spec, tensors).unwrap()
}

#[test]
fn a_linear_gaussian_model_gives_its_known_log_likelihood() {
    let model = model();
    let mut noise = vec![0.0_f64; 40 * 6];
    fill_normal(&mut noise, Stream::new(8, 8), 0);
    let mut errors = Vec::new();
    let mut gaps = 0.0;
    for (seed, noise) in noise.chunks_exact(6).enumerate() {
        let h1 = COUPLING * noise[0] + SCALE * noise[1];
        let pixels = Array2::from_shape_fn((1, 4), |(_, i)| {
            let value = BIAS + WEIGHT[i] * h1 + TAU * noise[2 + i];
            (255.0 * value).round().clamp(0.0, 255.0) as u8
        });
        // Seeds of their own, so that the errors are independent.
        let seed = seed as u64;
        let found = likelihood_bounds(&model, pixels.view(), 5000, seed, &|| {});
        let nll = found.unwrap().nll;
        let x: Vec<f64> = pixels.iter().map(|&b| f64::from(b) / 255.0).collect();
        let truth = log_density(&x);
        errors.push(-nll[&5000].value - truth);
        gaps += nll[&1].value + truth;
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
    assert!(gaps / n > 0.01, "the ELBO has a gap here: {}", gaps / n);
}

#[test]
fn threads_and_subsets_do_not_change_a_bound() {
    let mut spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "37-9-6/6-5-3".parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    spec.architecture.activation = models::Activation::Tanh;
    let model = Model::new(spec, Initialisation::Glorot, 3).unwrap();
    let images = Array2::from_shape_fn((9, 37), |(i, j)| 255 * u8::from((i * 7 + j * j) % 5 < 2));
    let bounds = |threads, n| {
        let pool = tensor_ops::parallel::ThreadPool::new(threads).unwrap();
        let images = images.slice(ndarray::s![..n, ..]);
        pool.install(|| likelihood_bounds(&model, images, 230, 2, &|| {}).unwrap())
    };
    assert_eq!(bounds(1, 9), bounds(3, 9));
    assert_eq!(
        bounds(2, 1).nll.keys().copied().collect::<Vec<_>>(),
        [1, 10, 100, 230]
    );
    // The first image alone is the first image of two: their spread is that
    // of their mean and the first only if neither knows the other.
    let (alone, pair) = (bounds(2, 1).nll[&230], bounds(2, 2).nll[&230]);
    assert_eq!(alone.standard_error, None);
    let second = 2.0 * pair.value - alone.value;
    let half_spread = 0.5 * (second - alone.value).abs();
    assert!(half_spread > 1e-3, "{half_spread} tests nothing");
    assert!((pair.standard_error.unwrap() - half_spread).abs() < 1e-9);
    let refused = |images: &Array2<u8>, samples| {
        likelihood_bounds(&model, images.view(), samples, 0, &|| {})
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&images, 0).contains("at least 1"));
    assert!(refused(&Array2::zeros((2, 36)), 1).contains("[n, 37]"));
}
