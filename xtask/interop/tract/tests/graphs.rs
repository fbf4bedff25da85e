//! Encoders and decoders in tract against the models that they are of, in 32-bit
//! floats.

use models::{
    Activation, Initialisation, Likelihood, Model, ModelKind, ModelSpec, NamedTensor,
    PosteriorScale, Standardisation,
};
use ndarray::Array2;
use tract_onnx::prelude::*;

const TOLERANCE: f32 = 1e-6;

/// Every result of a graph for some rows; the number of rows is left open until
/// they come.
fn run(bytes: &[u8], rows: &Array2<f32>) -> TractResult<Vec<Array2<f32>>> {
    let plan = tract_onnx::onnx()
        .model_for_read(&mut std::io::Cursor::new(bytes))?
        .into_optimized()?
        .into_runnable()?;
    let (count, width) = rows.dim();
    let values: Vec<f32> = rows.iter().copied().collect();
    let input = Tensor::from_shape(&[count, width], &values)?;
    let outputs = plan.run(tvec!(input.into()))?;
    let results = outputs.iter().map(|output| {
        let values = output
            .to_plain_array_view::<f32>()?
            .iter()
            .copied()
            .collect();
        Ok(Array2::from_shape_vec(
            (output.shape()[0], output.shape()[1]),
            values,
        )?)
    });
    results.collect()
}

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
    let fresh = Model::new(spec.clone(), Initialisation::Glorot, 5).unwrap();
    let tensors = fresh.named_tensors().into_iter().map(|tensor| {
        let moved = tensor.values.iter().enumerate();
        let values = moved.map(|(at, value)| value + 0.1 * (3.0 * at as f32).sin());
        NamedTensor {
            values: values.collect(),
            ..tensor
        }
    });
    Model::from_named_tensors(spec, tensors.collect::<Vec<_>>()).unwrap()
}

fn standardised(model: Model) -> Model {
    let inputs = model.spec().architecture.inputs;
    let mean = (0..inputs).map(|j| 0.1 + 0.3 * (j as f32).sin()).collect();
    let deviation = (0..inputs).map(|j| 0.5 + (j % 5) as f32).collect();
    let standardisation = Standardisation::new(mean, deviation).unwrap();
    model.with_standardisation(standardisation).unwrap()
}

#[track_caller]
fn assert_close(found: &Array2<f32>, expected: &Array2<f32>, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(
            error <= TOLERANCE * expected.abs().max(1.0),
            "{what}: {found} {expected}"
        );
    }
}

fn check(model: &Model, what: &str) {
    let spec = model.spec();
    let (inputs, latent) = (spec.architecture.inputs, spec.architecture.latent);
    for rows in [1, 6] {
        let x = Array2::from_shape_fn((rows, inputs), |(i, j)| {
            ((7 * i + 3 * j) % 11) as f32 / 10.0
        });
        let mut seen = x.clone();
        if let Some(standardisation) = model.standardisation() {
            standardisation.apply(seen.as_slice_mut().unwrap());
        }
        let codes = model.encode(&seen);
        let found = run(&exports::onnx::encoder(model, &[]).encode().unwrap(), &x).unwrap();
        assert_close(&found[0], &codes.mean, what);
        if let Some(log_variance) = &codes.log_variance {
            assert_close(&found[1], log_variance, what);
        }
        let z = Array2::from_shape_fn((rows, latent), |(i, j)| 0.4 * i as f32 - 0.3 * j as f32);
        let mut means = model.decode(z.view());
        if let Some(standardisation) = model.standardisation() {
            standardisation.invert(means.as_slice_mut().unwrap());
        }
        let found = run(&exports::onnx::decoder(model, &[]).encode().unwrap(), &z).unwrap();
        assert_close(&found[0], &means, what);
        let has_sigma = spec.likelihood.scale_source().is_some();
        assert_eq!(found.len(), 1 + usize::from(has_sigma), "{what}");
        if let (Some(sigma), Some(log_sigma)) = (found.get(1), model.log_sigma()) {
            let expected = Array2::from_shape_fn((rows, inputs), |(_, pixel)| {
                let log_sigma = log_sigma[if log_sigma.len() == 1 { 0 } else { pixel }];
                let unit = model
                    .standardisation()
                    .map_or(1.0, |s| s.deviation()[pixel]);
                log_sigma.exp() as f32 * unit
            });
            assert_close(sigma, &expected, what);
        }
    }
}

#[test]
fn tract_computes_what_models_do() {
    for likelihood in Likelihood::with_every_sigma(0.3) {
        let scale = PosteriorScale::LogVariance;
        let model = model(
            ModelKind::Vae,
            "21-13-3",
            Activation::Relu,
            likelihood,
            scale,
        );
        check(&model, &likelihood.to_string());
        check(&standardised(model), &format!("{likelihood} standardised"));
    }
    for kind in ModelKind::ALL {
        for architecture in ["1-1", "75-2", "33-16-40", "30-17-4-1"] {
            for activation in [Activation::Relu, Activation::Tanh] {
                let scale = PosteriorScale::LogSigma;
                let model = model(kind, architecture, activation, Likelihood::Bernoulli, scale);
                check(&model, &format!("{kind} {architecture} {activation}"));
            }
        }
    }
    let (likelihood, scale) = (
        "gaussian/decoder".parse().unwrap(),
        PosteriorScale::LogVariance,
    );
    let model = model(
        ModelKind::Vae,
        "21-13-5/5-11-3",
        Activation::Tanh,
        likelihood,
        scale,
    );
    check(&model, "two layers");
}
