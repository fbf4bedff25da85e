use models::{Likelihood, ModelKind, ModelSpec, NamedTensor, PosteriorScale, Standardisation};
use ndarray::{Array2, ArrayD, Axis};
use onnx::{Elements, Size};

use super::*;
use crate::onnx::interpreter::run;

/// A model whose tensors are all drawn anew, biases and ln σ too.
fn model(
    kind: ModelKind,
    architecture: &str,
    activation: Activation,
    likelihood: Likelihood,
    posterior_scale: PosteriorScale,
) -> Model {
    let mut spec = ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood,
        posterior_scale,
    };
    spec.architecture.activation = activation;
    let fresh = Model::new(spec.clone(), models::Initialisation::Glorot, 5).unwrap();
    let mut state = 1_u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let tensors = fresh.named_tensors().into_iter().map(|tensor| NamedTensor {
        values: tensor
            .values
            .iter()
            .map(|value| value + 0.4 * draw())
            .collect(),
        ..tensor
    });
    Model::from_named_tensors(spec, tensors.collect::<Vec<_>>()).unwrap()
}

fn standardised(model: Model) -> Model {
    let inputs = model.spec().architecture.inputs;
    let mean = (0..inputs).map(|j| 0.1 + 0.3 * (j as f32).sin()).collect();
    let deviation = (0..inputs).map(|j| 0.05 + (j % 5) as f32).collect();
    let standardisation = Standardisation::new(mean, deviation).unwrap();
    model.with_standardisation(standardisation).unwrap()
}

fn read(written: &Written) -> onnx::Model {
    onnx::Model::decode(&written.encode().unwrap()).unwrap()
}

fn rows(array: &Array2<f32>) -> ArrayD<f64> {
    array.mapv(f64::from).into_dyn()
}

#[track_caller]
fn assert_close(found: &ArrayD<f64>, expected: &Array2<f32>, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    for (found, &expected) in found.iter().zip(expected) {
        let expected = f64::from(expected);
        let error = (found - expected).abs();
        assert!(
            error <= 2e-6 * expected.abs().max(1.0),
            "{what}: {found} {expected}"
        );
    }
}

/// ln σ of every value of some codes, in plain loops.
fn sigma(model: &Model, codes: &Array2<f32>) -> Array2<f32> {
    let inputs = model.spec().architecture.inputs;
    let shared = model.log_sigma();
    Array2::from_shape_fn((codes.nrows(), inputs), |(row, pixel)| {
        let log_sigma = match &shared {
            Some(values) => values[if values.len() == 1 { 0 } else { pixel }],
            None => {
                let code = codes.index_axis(Axis(0), row).mapv(f64::from).to_vec();
                let of_layer = |x: Vec<f64>, layer: &DenseLayer| -> Vec<f64> {
                    let rows = layer.weight.axis_iter(Axis(0)).zip(&layer.bias);
                    rows.map(|(weights, &bias)| {
                        let products = weights.iter().zip(&x).map(|(&w, x)| f64::from(w) * x);
                        let sum = products.sum::<f64>() + f64::from(bias);
                        layer.activation.apply(sum)
                    })
                    .collect()
                };
                let outputs = model.decoder_layers().iter().fold(code, of_layer);
                outputs[inputs + pixel]
            }
        };
        let deviation = model
            .standardisation()
            .map_or(1.0, |s| s.deviation()[pixel]);
        (log_sigma.exp() * f64::from(deviation)) as f32
    })
}

/// Both graphs against the model itself.
fn check(model: &Model, what: &str) {
    let spec = model.spec();
    let (inputs, latent) = (spec.architecture.inputs, spec.architecture.latent);
    let x = Array2::from_shape_fn((3, inputs), |(i, j)| ((7 * i + 3 * j) % 11) as f32 / 10.0);
    let mut seen = x.clone();
    if let Some(standardisation) = model.standardisation() {
        standardisation.apply(seen.as_slice_mut().unwrap());
    }
    let codes = model.encode(&seen);
    let graph = read(&encoder(model, &[]));
    assert_eq!(graph.opset(), Some(OPSET));
    let found = run(&graph, rows(&x));
    assert_close(&found["mu"], &codes.mean, what);
    assert_eq!(found.len(), 1 + usize::from(codes.log_variance.is_some()));
    if let Some(log_variance) = &codes.log_variance {
        assert_close(&found["log_var"], log_variance, what);
    }

    // Logits on both sides of where the continuous Bernoulli's mean changes form,
    // 0 among them, and large ones.
    let scales = [0.0, 0.01, 0.7, 3.0, 40.0];
    let z = Array2::from_shape_fn((scales.len(), latent), |(i, j)| {
        scales[i] * (1.0 - 0.6 * ((i + j) % 4) as f32)
    });
    let mut means = model.decode(z.view());
    if let Some(standardisation) = model.standardisation() {
        standardisation.invert(means.as_slice_mut().unwrap());
    }
    let graph = read(&decoder(model, &[]));
    let found = run(&graph, rows(&z));
    assert_close(&found["x"], &means, what);
    let has_sigma = spec.likelihood.scale_source().is_some();
    assert_eq!(found.len(), 1 + usize::from(has_sigma));
    if has_sigma {
        // Of the largest codes ln σ may be out of range.
        let first = |rows: ndarray::Slice| z.slice_axis(Axis(0), rows).to_owned();
        let expected = sigma(model, &first((..4).into()));
        let found = found["sigma"].slice_axis(Axis(0), (..4).into()).to_owned();
        assert_close(&found, &expected, what);
    }
}

#[test]
fn graphs_compute_what_models_do_under_every_likelihood() {
    for likelihood in Likelihood::with_every_sigma(0.3) {
        for kind in ModelKind::ALL {
            let model = model(
                kind,
                "21-13-3",
                Activation::Relu,
                likelihood,
                PosteriorScale::LogVariance,
            );
            check(&model, &format!("{kind} {likelihood}"));
            check(
                &standardised(model),
                &format!("{kind} {likelihood} standardised"),
            );
        }
    }
}

#[test]
fn graphs_compute_what_models_do_of_every_architecture() {
    let shapes = [
        "1-1",
        "75-2",
        "5-9",
        "30-17-4-1",
        "33-6-40",
        "21-13-5/5-11-3",
        "9-2/2-2",
    ];
    for architecture in shapes {
        for activation in [Activation::Relu, Activation::Tanh] {
            for scale in PosteriorScale::ALL {
                for likelihood in ["bernoulli", "gaussian/decoder"] {
                    let likelihood = likelihood.parse().unwrap();
                    let model = model(ModelKind::Vae, architecture, activation, likelihood, scale);
                    let what = format!("{architecture} {activation} {scale} {likelihood}");
                    check(&model, &what);
                }
            }
        }
    }
}

#[test]
fn constants_have_the_names_of_the_weights() {
    let likelihood = "laplace/per-pixel".parse().unwrap();
    let scale = PosteriorScale::LogSigma;
    let model = model(
        ModelKind::Vae,
        "12-7-2",
        Activation::Tanh,
        likelihood,
        scale,
    );
    let graphs = [encoder(&model, &[]), decoder(&model, &[])].map(|graph| read(&graph));
    for tensor in model.named_tensors() {
        let mut constants = graphs
            .iter()
            .filter_map(|graph| graph.initialiser(&tensor.name));
        let constant = constants
            .next()
            .unwrap_or_else(|| panic!("{} is missing", tensor.name));
        assert_eq!(constant.shape, tensor.shape);
        assert_eq!(constant.elements, Elements::Floats(tensor.values));
    }
    let operators = |graph: &onnx::Model| -> Vec<String> {
        let node = |node: &onnx::Node| format!("{} {}", node.operator, node.outputs.join(" "));
        graph.nodes.iter().map(node).collect()
    };
    assert_eq!(
        operators(&graphs[0]),
        [
            "Gemm encoder.0",
            "Tanh encoder.1",
            "Gemm mu",
            "Gemm log_sigma",
            "Mul log_var"
        ]
    );
    assert_eq!(
        operators(&graphs[1]),
        [
            "Gemm decoder.0",
            "Tanh decoder.1",
            "Gemm decoder.2",
            "Sigmoid x",
            "Exp sigma.learned",
            "Shape shape",
            "Expand sigma"
        ]
    );
}

#[test]
fn rows_are_free_and_metadata_is_told() {
    let scale = PosteriorScale::LogVariance;
    let likelihood = Likelihood::Bernoulli;
    let model = model(ModelKind::Ae, "12-2", Activation::Relu, likelihood, scale);
    let metadata = [("shape", "3x4".to_owned()), ("kind", "ae".to_owned())];
    let written = encoder(&model, &metadata);
    assert_eq!(written.encode(), encoder(&model, &metadata).encode());
    let graph = read(&written);
    let free = |width| Some(vec![Size::Free("n".into()), Size::Fixed(width)]);
    assert_eq!(graph.inputs[0].shape, free(12));
    assert_eq!(graph.outputs[0].shape, free(2));
    let keys: Vec<_> = graph.metadata.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["shape", "kind"]);
}

#[test]
fn a_network_that_no_file_of_onnx_holds_is_told_with_what_does() {
    let message = unwritable("encoder.onnx", &onnx::Error::TooLarge(1 << 31)).to_string();
    assert_eq!(
        message,
        "encoder.onnx cannot be written: the file has 2147483648 bytes; expected at most \
         2147483647, which is the most that ONNX allows in one file; use --format python, which \
         loads model.safetensors"
    );
}
