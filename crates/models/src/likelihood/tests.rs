use tensor_ops::panels::Panels;

use super::*;
use crate::network::initialisation::Initialisation;
use crate::spec::{ModelKind, ModelSpec};

#[test]
fn outputs_have_the_mean_they_were_made_for() {
    for likelihood in Likelihood::ALL {
        for mean in [0.001, 0.02, 0.3, 0.5, 0.9, 0.999] {
            let mut output = [likelihood.output_of_mean(mean) as f32];
            likelihood.means_in_place(&mut output);
            let error = (f64::from(output[0]) - mean).abs();
            assert!(error < 1e-6, "{likelihood}: {mean} {}", output[0]);
        }
    }
}

#[test]
fn every_likelihood_has_what_belongs_to_it() {
    let none = [None; 2];
    let families = [Some(Family::Gaussian); 2]
        .into_iter()
        .chain([Some(Family::Laplace); 2]);
    let expected: Vec<_> = none.into_iter().chain(families).collect();
    assert_eq!(Likelihood::ALL.map(Likelihood::family).to_vec(), expected);
    let names = [
        "bernoulli",
        "continuous-bernoulli",
        "gaussian",
        "gaussian-identity",
        "laplace",
        "laplace-identity",
    ];
    assert_eq!(Likelihood::ALL.map(Likelihood::name), names);
    assert_eq!(Likelihood::names_with_sigma(), names[2..]);
    assert_eq!(
        Likelihood::expected(),
        "bernoulli, continuous-bernoulli, or gaussian or gaussian-identity or laplace or \
         laplace-identity with its sigma, as in gaussian/0.1"
    );
    let are = |is: fn(Likelihood) -> bool| Likelihood::ALL.map(is);
    let (f, t) = (false, true);
    assert_eq!(are(Likelihood::is_density), [f, t, t, t, t, t]);
    assert_eq!(are(Likelihood::is_of_unit_interval), [t, t, f, f, f, f]);
    assert_eq!(are(Likelihood::output_is_mean), [f, f, f, t, f, t]);
}

#[test]
fn every_source_of_sigma_is_told_with_its_numbers_and_outputs() {
    let texts: Vec<String> = Likelihood::with_every_sigma(0.25)
        .into_iter()
        .map(|likelihood| likelihood.to_string())
        .collect();
    assert_eq!(texts.len(), 2 + 4 * 4);
    for (text, log_sigma, doubles) in [
        ("bernoulli", None, false),
        ("continuous-bernoulli", None, false),
        ("gaussian/0.25", None, false),
        ("gaussian-identity/scalar", Some(1), false),
        ("laplace/per-pixel", Some(18), false),
        ("laplace-identity/decoder", None, true),
    ] {
        assert!(texts.contains(&text.to_owned()), "{text}");
        let likelihood: Likelihood = text.parse().unwrap();
        assert_eq!(likelihood.log_sigma_len(18), log_sigma, "{text}");
        assert_eq!(likelihood.doubles_outputs(), doubles, "{text}");
        let source = likelihood.scale_source();
        let name = source.map_or("", GaussianSigma::name);
        let of_text = text.split_once('/').map_or("", |(_, sigma)| sigma);
        assert_eq!(name, if of_text == "0.25" { "fixed" } else { of_text });
        assert_eq!(format!("{likelihood:>30}"), format!("{text:>30}"));
    }
    for name in GaussianSigma::NAMES {
        assert_eq!(name.parse::<GaussianSigma>().unwrap().name(), name);
    }
    assert_eq!(
        Likelihood::Bernoulli.with_sigma(GaussianSigma::Scalar),
        None
    );
}

/// Sigmoid: m = 1/(1 + e⁻ᵃ), dm/da = m(1 − m). Continuous Bernoulli: m = 1/(1 − e⁻ᵃ) −
/// 1/a and dm/da = 1/a² − 1/(4 sinh²(a/2)). The information about a is (dm/da)²/σ²,
/// twice of a Laplace, or dm/da itself without σ.
#[test]
fn means_slopes_and_information_are_those_of_the_densities() {
    let log_sigma = -0.7_f64;
    for output in [-2.3_f64, 0.6, 3.1] {
        let sigmoid = 1.0 / (1.0 + (-output).exp());
        let normalised = 1.0 / (1.0 - (-output).exp()) - 1.0 / output;
        let variance = output.powi(-2) - 0.25 * (output / 2.0).sinh().powi(-2);
        let (of_sigmoid, of_identity) = ((sigmoid, sigmoid * (1.0 - sigmoid)), (output, 1.0));
        let precision = (1.4_f64).exp();
        let of_squares = |(_, slope): (f64, f64)| slope * slope * precision;
        let expected = [
            (of_sigmoid, of_sigmoid.1),
            ((normalised, variance), variance),
            (of_sigmoid, of_squares(of_sigmoid)),
            (of_identity, of_squares(of_identity)),
            (of_sigmoid, 2.0 * of_squares(of_sigmoid)),
            (of_identity, 2.0 * of_squares(of_identity)),
        ];
        for (likelihood, ((mean, slope), information)) in Likelihood::ALL.into_iter().zip(expected)
        {
            let found = [
                likelihood.mean_of_output(output),
                likelihood.slope_of_mean(output),
                likelihood.information_about_output(output, log_sigma),
            ];
            for (found, expected) in found.into_iter().zip([mean, slope, information]) {
                let error = (found / expected - 1.0).abs();
                assert!(
                    error < 1e-11,
                    "{likelihood} at {output}: {found} {expected}"
                );
            }
        }
    }
    let about_log_sigma = Likelihood::ALL.map(Likelihood::information_about_log_sigma);
    assert_eq!(about_log_sigma, [0.0, 0.0, 2.0, 2.0, 1.0, 1.0]);
}

/// Far out the mean of a continuous Bernoulli is within e^−|a| of 1/|a| from 0 or 1.
#[test]
fn outputs_of_means_near_the_ends_keep_their_digits() {
    let likelihood = Likelihood::ContinuousBernoulli;
    for output in [100.0, 1000.0, 1e6] {
        for (mean, expected) in [(1.0 / output, -output), (1.0 - 1.0 / output, output)] {
            let found = likelihood.output_of_mean(mean);
            assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        }
    }
    assert!(likelihood.output_of_mean(0.5).abs() < 1e-13);
    let identity: Likelihood = "gaussian-identity/0.1".parse().unwrap();
    assert_eq!(identity.output_of_mean(-3.5), -3.5);
}

fn spec(likelihood: &str) -> ModelSpec {
    ModelSpec {
        kind: ModelKind::Vae,
        architecture: "18-2".parse().unwrap(),
        likelihood: likelihood.parse().unwrap(),
        posterior_scale: Default::default(),
    }
}

#[test]
fn a_model_tells_ln_sigma_where_it_is_no_output() {
    let fresh = |likelihood| {
        let spec = spec(likelihood);
        Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap()
    };
    let told = |likelihood| fresh(likelihood).log_sigma();
    assert_eq!(told("bernoulli"), None);
    assert_eq!(told("laplace/decoder"), None);
    assert_eq!(told("gaussian/0.25"), Some(vec![0.25_f64.ln()]));
    assert_eq!(told("laplace/scalar"), Some(vec![-1.0]));
    assert_eq!(told("gaussian/per-pixel"), Some(vec![-1.0; 18]));
    let mut model = fresh("gaussian/per-pixel");
    let layout = model.parameters().layout().clone();
    let slot = layout.tensors().last().unwrap();
    let values: Vec<f32> = (0..18).map(|pixel| 0.5 * pixel as f32).collect();
    layout.import(slot, &values, model.parameters_mut().as_mut_slice());
    let expected = values.into_iter().map(f64::from).collect();
    assert_eq!(model.log_sigma(), Some(expected));
}

/// −ln p = ½ Σ d²/σ² + 18 (ln σ + ½ ln 2π), and its derivative by ln σ is 18 − Σ d²/σ²;
/// of a Laplace √2 Σ|d|/σ + 18 (ln σ + ½ ln 2) and 18 − √2 Σ|d|/σ.
#[test]
fn losses_are_completed_with_or_without_room_for_the_gradient_by_sigma() {
    for (likelihood, power, half_log) in [
        ("gaussian/scalar", 2.0, 0.5 * std::f64::consts::TAU.ln()),
        ("laplace-identity/scalar", 1.0, 0.5 * std::f64::consts::LN_2),
    ] {
        let model = Model::new(spec(likelihood), Initialisation::Glorot, 1).unwrap();
        let mut pixels = PixelLikelihood::<f64>::new(model.spec());
        pixels.read(&model.parameters().cast());
        let powers = [3.0, 41.5, 0.25];
        for room in [0, Panels::new(3, 1).len()] {
            let (mut losses, mut by_log_sigma) = (powers, vec![7.0; room]);
            pixels.complete(&mut losses, &mut by_log_sigma);
            for (loss, sum) in losses.iter().zip(powers) {
                let expected = sum + 18.0 * (half_log - 1.0);
                assert!((loss - expected).abs() < 1e-12, "{loss} {expected}");
            }
            if room > 0 {
                for (row, sum) in powers.into_iter().enumerate() {
                    let by_log_sigma = by_log_sigma[Panels::new(3, 1).index(row, 0)];
                    assert_eq!(by_log_sigma, 18.0 - power * sum);
                }
            }
        }
    }
    // Other sources leave the gradient to others.
    for likelihood in [
        "bernoulli",
        "gaussian/0.5",
        "gaussian/per-pixel",
        "gaussian/decoder",
    ] {
        let model = Model::new(spec(likelihood), Initialisation::Glorot, 1).unwrap();
        let pixels = PixelLikelihood::of(&model);
        let mut by_log_sigma = [7.0; 16];
        pixels.complete(&mut [1.0], &mut by_log_sigma);
        assert_eq!(by_log_sigma, [7.0; 16], "{likelihood}");
        let sources = [pixels.has_decoded_scale(), pixels.has_pixel_scale()];
        let name = likelihood.rsplit('/').next();
        assert_eq!(
            sources,
            ["decoder", "per-pixel"].map(|one| name == Some(one))
        );
    }
}
