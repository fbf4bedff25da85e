use super::*;

fn tensor(name: &str, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    Tensor {
        name: name.into(),
        shape: shape.into(),
        values: Some((0..count).map(|index| index as f32).collect()),
    }
}

#[test]
fn names_end_in_what_a_tensor_is() {
    let first = Some(Direction::OutputsFirst);
    let last = Some(Direction::InputsFirst);
    for (name, layer, part) in [
        ("fc1.weight", "fc1", Part::Weight(first)),
        ("encoder.0.bias", "encoder.0", Part::Bias),
        ("dense_1/kernel:0", "dense_1", Part::Weight(last)),
        ("vae/z_mean/bias:0", "vae/z_mean", Part::Bias),
        ("fc21_weight", "fc21", Part::Weight(first)),
        ("decoder.out_bias", "decoder.out", Part::Bias),
        ("W1", "1", Part::Weight(None)),
        ("b_12", "12", Part::Bias),
        ("enc.w3", "enc.3", Part::Weight(None)),
        ("weight", "", Part::Weight(first)),
    ] {
        assert_eq!(parts(name), Some((layer.to_owned(), part)), "{name}");
    }
    for name in [
        "bn.running_mean",
        "log_scale",
        "bn.num_batches_tracked",
        "fc.weight_g",
    ] {
        assert_eq!(parts(name), None, "{name}");
    }
}

#[test]
fn a_bias_tells_which_way_its_weight_lies() {
    let layers = |tensors: &[Tensor]| {
        let direction = direction_of(tensors);
        let found = Layers::of(tensors.to_vec(), direction, false);
        found.expect("layers").layers
    };
    let kernel = layers(&[tensor("d/kernel:0", &[3, 2]), tensor("d/bias:0", &[2])]);
    assert_eq!((kernel[0].inputs, kernel[0].outputs), (3, 2));
    assert!(kernel[0].was_transposed && !kernel[0].is_direction_guessed);
    assert_eq!(kernel[0].weight, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    // Against the word.
    let weight = layers(&[tensor("d.weight", &[3, 2]), tensor("d.bias", &[2])]);
    assert_eq!((weight[0].inputs, weight[0].outputs), (3, 2));
    // A square one follows the others, and without any its word.
    let square = [tensor("s.weight", &[2, 2]), tensor("s.bias", &[2])];
    assert!(!layers(&square)[0].was_transposed);
    let others = [tensor("d.weight", &[3, 2]), tensor("d.bias", &[2])];
    let both = layers(&[&square[..], &others[..]].concat());
    assert!(both[0].was_transposed && both[0].is_direction_guessed);
    let kernel = layers(&[tensor("s.kernel", &[2, 2])]);
    assert!(kernel[0].was_transposed && !kernel[0].has_bias);
    assert_eq!(kernel[0].bias, [0.0, 0.0]);
    let error = Layers::of(
        vec![tensor("d.weight", &[3, 2]), tensor("d.bias", &[4])],
        None,
        false,
    );
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("has 4 values, but its weight is 3×2"),
        "{message}"
    );
}

#[test]
fn what_is_left_over_is_listed_with_advice() {
    for (name, shape, expected) in [
        ("bn.running_mean", &[4][..], "fuse_linear_bn_eval"),
        ("conv1.weight", &[4, 1, 3, 3], "dense layers alone"),
        ("log_scale", &[1], "ignore"),
        ("norm.gain", &[1], "normalisation"),
    ] {
        let found = Layers::of(vec![tensor(name, shape)], None, false).expect("layers");
        assert_eq!(found.others.len(), 1);
        let text = leftovers(&found.others);
        assert!(text.contains(expected) && text.contains(name), "{text}");
    }
}

#[test]
fn sides_that_no_layer_has_are_refused_before_anything_is_made_of_them() {
    for shape in [[1 << 62, 0], [0, 1 << 40], [3, 1 << 40]] {
        let weight = Tensor {
            name: "fc.weight".into(),
            shape: shape.into(),
            values: Some(Vec::new()),
        };
        let message = Layers::of(vec![weight], None, false)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("a side of a width that no layer has"),
            "{message}"
        );
    }
}
