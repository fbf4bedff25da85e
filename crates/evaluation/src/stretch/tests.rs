use super::*;
use crate::draws::standard_normals;
use models::{GaussianMean, Initialisation, ModelKind, ModelSpec};
use ndarray::array;
use tensor_ops::loss::continuous_bernoulli;

fn random_network(widths: &[usize], activation: Activation) -> DecoderNetwork {
    let layers = widths
        .windows(2)
        .enumerate()
        .map(|(i, w)| DenseLayer {
            weight: standard_normals(i as u64 + 1, w[0], w[1]).mapv(|v| 0.7 * f64::from(v)),
            bias: standard_normals(i as u64 + 90, 1, w[1])
                .row(0)
                .mapv(f64::from),
            activation: if i + 2 == widths.len() {
                Activation::Identity
            } else {
                activation
            },
        })
        .collect();
    DecoderNetwork::new(layers).unwrap()
}

#[test]
fn jacobian_agrees_with_central_differences() {
    for activation in [Activation::Tanh, Activation::Relu] {
        let network = random_network(&[3, 8, 5, 11], activation);
        let codes = standard_normals(7, 6, 3).mapv(f64::from);
        let (_, jacobian) = network.jacobian(codes.view()).unwrap();
        let h = 1e-6;
        for j in 0..3 {
            let shifted = |sign: f64| {
                let mut moved = codes.clone();
                moved.column_mut(j).mapv_inplace(|z| z + sign * h);
                network.jacobian(moved.view()).unwrap().0
            };
            let difference = (shifted(1.0) - shifted(-1.0)) / (2.0 * h);
            for ((i, k), expected) in difference.indexed_iter() {
                let found = jacobian[[i, j, k]];
                assert!(
                    (found - expected).abs() < 1e-8,
                    "{activation}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn on_a_plane_only_its_own_directions_are_stretched() {
    let linear = DecoderNetwork::new(vec![DenseLayer {
        weight: array![[3.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 7.0]],
        bias: array![0.0, 0.0, 0.0],
        activation: Activation::Identity,
    }])
    .unwrap();
    let axes = array![[0.0, 0.0, 1.0], [0.6, 0.8, 0.0]];
    let plane = linear.clone().on_plane(Array1::zeros(3), axes).unwrap();
    let at = |network: &DecoderNetwork, codes: &Array2<f32>| {
        network.stretch(codes.view(), ImageMetric::Outputs).unwrap()[0].volume
    };
    let along = (1.8f64.powi(2) + 4.0f64.powi(2)).sqrt();
    assert!((at(&plane, &array![[0.0, 0.0]]) - 7.0 * along).abs() < 1e-12);
    // A plane that is the whole latent space changes nothing but the place.
    let network = random_network(&[2, 8, 5], Activation::Tanh);
    let moved = network
        .clone()
        .on_plane(array![0.5, -1.0], array![[1.0, 0.0], [0.0, 1.0]]);
    let found = at(&moved.unwrap(), &array![[1.0, 1.0]]);
    assert!((found - at(&network, &array![[1.5, 0.0]])).abs() < 1e-9);
    assert!(
        linear
            .on_plane(Array1::zeros(2), Array2::zeros((2, 2)))
            .is_err()
    );
}

#[test]
fn a_linear_decoder_stretches_by_its_singular_values() {
    let network = DecoderNetwork::new(vec![DenseLayer {
        weight: array![[3.0, 0.0, 0.0], [0.0, 0.6, 0.8]],
        bias: array![0.0, 0.0, 0.0],
        activation: Activation::Identity,
    }])
    .unwrap();
    let codes = array![[0.0f32, 0.0]];
    let at = |metric| network.stretch(codes.view(), metric).unwrap()[0];
    let outputs = at(ImageMetric::Outputs);
    assert!((outputs.volume - 3.0).abs() < 1e-12);
    assert!((outputs.largest - 3.0).abs() < 1e-12 && (outputs.smallest - 1.0).abs() < 1e-12);
    // At logit 0, p(1−p) = ¼ scales G once for Fisher–Rao and twice for p.
    assert!((at(ImageMetric::FisherRao).volume - 3.0 / 4.0).abs() < 1e-12);
    assert!((at(ImageMetric::MeanImages).volume - 3.0 / 16.0).abs() < 1e-12);
}

fn model(likelihood: &str) -> Model {
    let spec = ModelSpec {
        kind: ModelKind::Vae,
        architecture: "40-20-9-2".parse().unwrap(),
        likelihood: likelihood.parse().unwrap(),
        posterior_scale: Default::default(),
    };
    let model = Model::new(spec.clone(), Initialisation::Glorot, 3).unwrap();
    // A learned σ that is not 1 everywhere.
    let tensors = model.named_tensors().into_iter().map(|mut tensor| {
        if tensor.name == "likelihood.log_sigma" {
            for (pixel, value) in tensor.values.iter_mut().enumerate() {
                *value = 0.05 * pixel as f32 - 1.0;
            }
        }
        tensor
    });
    Model::from_named_tensors(spec, tensors).unwrap()
}

const LIKELIHOODS: [&str; 7] = [
    "bernoulli",
    "continuous-bernoulli",
    "gaussian/0.3",
    "gaussian/scalar",
    "gaussian/per-pixel",
    "gaussian/decoder",
    "gaussian-identity/0.3",
];

/// The volume against differences of `image`, the coordinates of image
/// space in which the metric is Euclidean.
fn volume_by_differences(z: [f64; 2], image: impl Fn([f64; 2]) -> Array1<f64>) -> f64 {
    let h = 1e-6;
    let dx = (image([z[0] + h, z[1]]) - image([z[0] - h, z[1]])) / (2.0 * h);
    let dy = (image([z[0], z[1] + h]) - image([z[0], z[1] - h])) / (2.0 * h);
    (dx.dot(&dx) * dy.dot(&dy) - dx.dot(&dy).powi(2)).sqrt()
}

#[test]
fn a_models_decoder_is_taken_over_whole() {
    for likelihood in LIKELIHOODS {
        let model = model(likelihood);
        let network = DecoderNetwork::of_model(&model);
        let codes = standard_normals(1, 70, 2);
        let outputs = network.jacobian(codes.mapv(f64::from).view()).unwrap().0;
        let expected = model.decode_logits(codes.view());
        for ((row, pixel), expected) in expected.indexed_iter() {
            let found = outputs[[row, pixel]];
            assert!((found - f64::from(*expected)).abs() < 1e-5, "{likelihood}");
        }
        let stretch = network.stretch(codes.view(), ImageMetric::Outputs).unwrap();
        assert_eq!(stretch.len(), 70);
        let wrong = Array2::zeros((1, 3));
        let refused = network.stretch(wrong.view(), ImageMetric::Outputs);
        assert!(refused.is_err());
    }
}

#[test]
fn mean_images_are_those_of_every_likelihood() {
    for likelihood in LIKELIHOODS {
        let model = model(likelihood);
        let network = DecoderNetwork::of_model(&model);
        let image = |z: [f64; 2]| {
            let z = Array2::from_shape_fn((1, 2), |(_, j)| z[j]);
            let outputs = network.jacobian(z.view()).unwrap().0;
            let mut means = outputs.row(0).slice(s![..40]).to_owned();
            match model.spec().likelihood {
                Likelihood::ContinuousBernoulli => {
                    continuous_bernoulli::means_in_place(means.as_slice_mut().unwrap());
                }
                Likelihood::Gaussian {
                    mean: GaussianMean::Identity,
                    ..
                } => {}
                _ => means.mapv_inplace(|a| 1.0 / (1.0 + (-a).exp())),
            }
            means
        };
        let code = standard_normals(1, 1, 2);
        let z = [f64::from(code[[0, 0]]), f64::from(code[[0, 1]])];
        // The images are those that the model itself decodes.
        for (found, expected) in image(z).iter().zip(&model.decode(code.view())) {
            assert!((found - f64::from(*expected)).abs() < 1e-5, "{likelihood}");
        }
        let found = network
            .stretch(code.view(), ImageMetric::MeanImages)
            .unwrap();
        let expected = volume_by_differences(z, image);
        let error = (found[0].volume / expected - 1.0).abs();
        assert!(error < 1e-6, "{likelihood}: {error}");
    }
}

/// Of every likelihood, the outputs beyond the pixels left out.
#[test]
fn the_jacobian_of_mean_images_is_their_derivative() {
    for likelihood in LIKELIHOODS {
        let model = model(likelihood);
        let network = DecoderNetwork::of_model(&model);
        let codes = standard_normals(2, 3, 2);
        let images = |shift: [f64; 2]| {
            let moved = Array2::from_shape_fn((3, 2), |(i, j)| f64::from(codes[[i, j]]) + shift[j]);
            network.mean_jacobian(moved.view()).unwrap()
        };
        let (means, jacobian) = images([0.0; 2]);
        assert_eq!((means.dim(), jacobian.dim()), ((3, 40), (3, 2, 40)));
        for (found, expected) in means.iter().zip(&model.decode(codes.view())) {
            assert!((found - f64::from(*expected)).abs() < 1e-5, "{likelihood}");
        }
        let h = 1e-5;
        for (j, shift) in [[h, 0.0], [0.0, h]].into_iter().enumerate() {
            let expected = (images(shift).0 - images(shift.map(|h| -h)).0) / (2.0 * h);
            for ((i, k), expected) in expected.indexed_iter() {
                let found = jacobian[[i, j, k]];
                assert!(
                    (found - expected).abs() < 1e-8,
                    "{likelihood}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn a_network_has_the_sigma_of_its_model_for_every_pixel() {
    let of = |likelihood| DecoderNetwork::of_model(&model(likelihood)).log_sigma;
    // As `model` sets them: one that is learned is −1.
    let each: Vec<f64> = (0..40)
        .map(|pixel| f64::from(0.05 * pixel as f32 - 1.0))
        .collect();
    assert_eq!(of("gaussian/per-pixel"), each);
    assert_eq!(of("gaussian/scalar"), vec![-1.0; 40]);
    let fixed = of("gaussian/0.3");
    assert_eq!(fixed.len(), 40);
    assert!(
        fixed
            .iter()
            .all(|found| (found - 0.3_f64.ln()).abs() < 1e-7)
    );
    assert!(of("gaussian/decoder").is_empty() && of("bernoulli").is_empty());
}

/// The ln σ that come from a decoder are no part of the metric of its outputs.
#[test]
fn outputs_are_those_of_the_pixels() {
    for likelihood in LIKELIHOODS {
        let network = DecoderNetwork::of_model(&model(likelihood));
        let code = standard_normals(3, 1, 2);
        let image = |z: [f64; 2]| {
            let z = Array2::from_shape_fn((1, 2), |(_, j)| z[j]);
            let outputs = network.jacobian(z.view()).unwrap().0;
            outputs.row(0).slice(s![..40]).to_owned()
        };
        let expected = volume_by_differences([0, 1].map(|j| f64::from(code[[0, j]])), image);
        let found = network.stretch(code.view(), ImageMetric::Outputs).unwrap();
        let error = (found[0].volume / expected - 1.0).abs();
        assert!(error < 1e-6, "{likelihood}: {error}");
    }
}

#[test]
fn what_rounding_makes_negative_is_no_stretch() {
    // Eigenvalues −3 and 5.
    let found = stretch_of_metric(&array![[1.0, 4.0], [4.0, 1.0]]);
    assert_eq!((found.volume, found.smallest), (0.0, 0.0));
    assert!((found.largest - 5.0_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn a_volume_beyond_numbers_is_refused() {
    // Forty singular values of 1e10.
    let network = DecoderNetwork::new(vec![DenseLayer {
        weight: Array2::eye(40) * 1e10,
        bias: Array1::zeros(40),
        activation: Activation::Identity,
    }])
    .unwrap();
    let codes = Array2::<f32>::zeros((2, 40));
    let refused = network.stretch(codes.view(), ImageMetric::Outputs);
    assert!(refused.is_err(), "{refused:?}");
}

/// KL(p_z ‖ p_z′) is ½ dzᵀ(JᵀIJ)dz to second order, for every likelihood.
#[test]
fn fisher_rao_is_the_curvature_of_the_divergence() {
    for likelihood in LIKELIHOODS {
        let model = model(likelihood);
        let network = DecoderNetwork::of_model(&model);
        let code = standard_normals(1, 1, 2).mapv(f64::from);
        let outputs = |step: [f64; 2]| {
            let z = Array2::from_shape_fn((1, 2), |(_, j)| code[[0, j]] + step[j]);
            network.jacobian(z.view()).unwrap().0.row(0).to_owned()
        };
        let base = outputs([0.0; 2]);
        let divergence = |step: [f64; 2]| {
            let moved = outputs(step);
            (0..40)
                .map(|k| pixel_divergence(&network, k, &base, &moved))
                .sum::<f64>()
        };
        let h = 1e-3;
        let second = |x: f64, y: f64| divergence([x * h, y * h]) + divergence([-x * h, -y * h]);
        let (xx, yy) = (second(1.0, 0.0), second(0.0, 1.0));
        let xy = 0.5 * (second(1.0, 1.0) - xx - yy);
        let expected = (xx * yy - xy * xy).sqrt() / h.powi(2);
        let code = code.mapv(|z| z as f32);
        let found = network
            .stretch(code.view(), ImageMetric::FisherRao)
            .unwrap();
        let error = (found[0].volume / expected - 1.0).abs();
        assert!(error < 1e-4, "{likelihood}: {error}");
    }
}

/// KL of pixel k's distribution at the outputs `a` from that at `b`.
fn pixel_divergence(network: &DecoderNetwork, k: usize, a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    let softplus = |a: f64| a.exp().ln_1p();
    let sigmoid = |a: f64| 1.0 / (1.0 + (-a).exp());
    match network.likelihood {
        Likelihood::Bernoulli => softplus(b[k]) - softplus(a[k]) - sigmoid(a[k]) * (b[k] - a[k]),
        Likelihood::ContinuousBernoulli => {
            let (mut partitions, mut mean) = ([a[k], b[k]], [a[k]]);
            continuous_bernoulli::log_partitions_in_place(&mut partitions);
            continuous_bernoulli::means_in_place(&mut mean);
            partitions[1] - partitions[0] - mean[0] * (b[k] - a[k])
        }
        // The others of these tests are Gaussian.
        likelihood => {
            let moments = |outputs: &Array1<f64>| {
                let own = outputs.len() > 40;
                let scale = if own {
                    outputs[outputs.len() - 40 + k]
                } else {
                    network.log_sigma[k]
                };
                let identity = likelihood.name().ends_with("-identity");
                (
                    if identity {
                        outputs[k]
                    } else {
                        sigmoid(outputs[k])
                    },
                    scale,
                )
            };
            let ((m, s), (n, t)) = (moments(a), moments(b));
            t - s + 0.5 * (((2.0 * s).exp() + (m - n).powi(2)) * (-2.0 * t).exp() - 1.0)
        }
    }
}
