//! Encoding and decoding in blocks.

mod reference;

use models::{Activation, Model, ModelKind, NamedTensor};
use ndarray::{Array2, s};
use reference::{Problem, largest_relative_error, spec};

fn problem_and_model(kind: ModelKind, rows: usize) -> (Problem, Model) {
    let problem = Problem::new(spec(kind, "37-20-7-3", Activation::Tanh), rows, 8);
    let tensors = problem
        .parameters
        .named_tensors()
        .into_iter()
        .map(|tensor| NamedTensor {
            values: tensor.values.iter().map(|&v| v as f32).collect(),
            name: tensor.name,
            shape: tensor.shape,
        });
    let model = Model::from_named_tensors(problem.spec.clone(), tensors).unwrap();
    (problem, model)
}

fn doubled(values: &Array2<f32>) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

#[test]
fn inference_is_that_of_plain_loops_across_block_borders() {
    for kind in ModelKind::ALL {
        let (problem, model) = problem_and_model(kind, 300);
        let expected = problem.evaluate(&problem.tensors());
        let images = Array2::from_shape_fn((300, 37), |(i, j)| problem.pixels[i * 37 + j] as f32);
        let codes = model.encode(images.view());
        assert!(largest_relative_error(&doubled(&codes.mean), &expected.mu, 1.0) < 1e-5);
        assert_eq!(codes.log_variance.is_some(), kind == ModelKind::Vae);
        if let Some(log_variance) = &codes.log_variance {
            assert!(
                largest_relative_error(&doubled(log_variance), &expected.log_variance, 1.0) < 1e-5
            );
        }
        let noise = Array2::from_shape_fn((300, 3), |(i, j)| problem.noise[i * 3 + j] as f32);
        let z = codes.sample(noise.view());
        assert!(largest_relative_error(&doubled(&z), &expected.codes, 1.0) < 1e-5);
        let logits = model.decode_logits(z.view());
        assert!(largest_relative_error(&doubled(&logits), &expected.logits, 1.0) < 1e-5);
        let probabilities: Vec<f64> = expected
            .logits
            .iter()
            .map(|a| 1.0 / (1.0 + (-a).exp()))
            .collect();
        assert!(
            largest_relative_error(&doubled(&model.decode(z.view())), &probabilities, 1.0) < 1e-5
        );
        let losses = model.reconstruction_losses(z.view(), images.view());
        let losses: Vec<f64> = losses.into_iter().map(f64::from).collect();
        assert!(largest_relative_error(&losses, &expected.reconstruction, 1.0) < 1e-5);
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours_or_on_the_memory_order() {
    let (problem, model) = problem_and_model(ModelKind::Vae, 300);
    let images = Array2::from_shape_fn((300, 37), |(i, j)| problem.pixels[i * 37 + j] as f32);
    let codes = model.encode(images.view());
    let decoded = model.decode(codes.mean.view());
    assert_eq!(model.reconstruct(images.view()), decoded);
    for range in [0..1, 5..140, 299..300] {
        let part = model.encode(images.slice(s![range.clone(), ..]));
        assert_eq!(part, codes.slice(range.clone()));
        assert_eq!(model.decode(part.mean.view()), decoded.slice(s![range, ..]));
    }
    let transposed = images.t().as_standard_layout().into_owned();
    assert_eq!(model.encode(transposed.t()), codes);
    assert!(model.encode(images.slice(s![..0, ..])).is_empty());
}

#[test]
fn bytes_are_pixels_over_255() {
    let (_, model) = problem_and_model(ModelKind::Ae, 1);
    let bytes = Array2::from_shape_fn((200, 37), |(i, j)| (i * 31 + j * 7) as u8);
    let values = bytes.mapv(|b| f32::from(b) / 255.0);
    assert_eq!(model.encode(bytes.view()), model.encode(values.view()));
    let codes = model.encode(bytes.view()).mean;
    assert_eq!(
        model.reconstruction_losses(codes.view(), bytes.view()),
        model.reconstruction_losses(codes.view(), values.view())
    );
}

#[test]
#[should_panic(
    expected = "encode: an array of shape (2, 36) for a model 37-20-7-3 that takes 37 columns"
)]
fn images_of_another_width_break_the_contract() {
    let (_, model) = problem_and_model(ModelKind::Ae, 1);
    model.encode(Array2::<f32>::zeros((2, 36)).view());
}
