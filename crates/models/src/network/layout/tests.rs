use super::*;
use crate::spec::{Likelihood, ModelKind};

/// The layout of a Bernoulli model.
pub(crate) fn layout(kind: ModelKind, architecture: &str) -> Layout {
    Layout::new(&ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    })
}

#[test]
fn names_are_those_of_a_pytorch_module() {
    let names = |layout: &Layout| {
        layout
            .tensors()
            .iter()
            .map(|slot| slot.name.clone())
            .collect::<Vec<_>>()
    };
    let vae = layout(ModelKind::Vae, "784-256-32-2");
    let expected = [
        "encoder.0.weight",
        "encoder.0.bias",
        "encoder.2.weight",
        "encoder.2.bias",
        "mu.weight",
        "mu.bias",
        "log_var.weight",
        "log_var.bias",
        "decoder.0.weight",
        "decoder.0.bias",
        "decoder.2.weight",
        "decoder.2.bias",
        "decoder.4.weight",
        "decoder.4.bias",
    ];
    assert_eq!(names(&vae), expected);
    assert_eq!(vae.tensors()[0].shape, [256, 784]);
    assert_eq!(vae.tensors()[6].shape, [2, 32]);
    let ae = layout(ModelKind::Ae, "784-2");
    assert_eq!(
        names(&ae),
        [
            "code.weight",
            "code.bias",
            "decoder.0.weight",
            "decoder.0.bias"
        ]
    );
    assert_eq!(ae.tensors()[2].shape, [784, 2]);
}

#[test]
fn tensors_partition_the_unpadded_buffer() {
    for (kind, architecture, likelihood) in [
        (ModelKind::Vae, "37-19-5", "bernoulli"),
        (ModelKind::Ae, "37-2", "bernoulli"),
        (ModelKind::AeL2, "20-33-17-9", "bernoulli"),
        (ModelKind::Vae, "37-19-5", "gaussian/scalar"),
        (ModelKind::Vae, "37-19-5", "gaussian/per-pixel"),
        (ModelKind::Vae, "37-19-5", "gaussian/decoder"),
        (ModelKind::Ae, "32-2", "gaussian-identity/decoder"),
    ] {
        let layout = Layout::new(&ModelSpec {
            kind,
            architecture: architecture.parse().unwrap(),
            likelihood: likelihood.parse().unwrap(),
            posterior_scale: PosteriorScale::LogVariance,
        });
        let mut flat = vec![0_u32; layout.len()];
        for (index, slot) in layout.tensors().iter().enumerate() {
            let len: usize = slot.shape.iter().product();
            let values: Vec<u32> = (0..len as u32)
                .map(|i| ((index as u32 + 1) << 20) | i)
                .collect();
            layout.import(slot, &values, &mut flat);
        }
        for (index, slot) in layout.tensors().iter().enumerate() {
            let values = layout.export(slot, &flat);
            assert!(
                values
                    .iter()
                    .enumerate()
                    .all(|(i, &v)| v == ((index as u32 + 1) << 20) | i as u32)
            );
        }
        let sizes = layout.tensors().iter();
        let size: usize = sizes.map(|slot| slot.shape.iter().product::<usize>()).sum();
        assert_eq!(flat.iter().filter(|&&v| v != 0).count(), size);
    }
}

#[test]
fn flops_are_counted_as_dense_products() {
    let layout = layout(ModelKind::Vae, "784-256-2");
    let products = |passes: u64, inputs: u64, outputs: u64| 2 * passes * inputs * outputs;
    let expected =
        products(2, 784, 256) + products(3, 256, 4) + products(3, 2, 256) + products(3, 256, 784);
    assert_eq!(layout.training_flops_per_image(), expected);
}

#[test]
fn layers_are_named_by_the_first_tensor_of_their_output() {
    let layout = layout(ModelKind::Vae, "37-19-5");
    assert!(!layout.is_empty());
    assert_eq!(layout.inputs(), 37);
    let names: Vec<String> = (0..4).map(|layer| layout.output_name(layer)).collect();
    let expected = ["encoder.0", "mu", "decoder.0", "decoder.2"];
    assert_eq!(names, expected.map(|name| format!("{name} (output)")));
    let roles: Vec<Role> = (0..4).map(|layer| layout.network_of(layer).role).collect();
    let (encoder, decoder) = (Role::Encoder, Role::Decoder);
    assert_eq!(roles, [encoder, encoder, decoder, decoder]);
    assert_eq!(layout.network(Role::Encoder), 0..2);
    assert_eq!(layout.network(Role::Prior), 0..0);
}

/// Panels have 16 columns.
#[test]
fn weights_lie_before_biases_in_whole_panels() {
    let layout = layout(ModelKind::Vae, "37-19-5");
    let panels = [(37, 2), (19, 1), (5, 2), (19, 3)];
    let (mut weights, mut biases) = (0, 0);
    let of_weights: usize = panels
        .map(|(inputs, count)| inputs * count * 16)
        .iter()
        .sum();
    for (layer, (inputs, count)) in layout.layers().iter().zip(panels) {
        let next = [weights + inputs * count * 16, biases + count * 16];
        assert_eq!(layer.weight, weights..next[0]);
        assert_eq!(layer.bias, of_weights + biases..of_weights + next[1]);
        [weights, biases] = next;
    }
    assert_eq!(layout.weights_len(), of_weights);
    assert_eq!(layout.len(), of_weights + biases);
}

#[test]
fn a_filled_tensor_leaves_all_else_as_it_was() {
    let layout = layout(ModelKind::Vae, "37-19-5");
    let slot = layout
        .tensors()
        .iter()
        .find(|slot| slot.name == "log_var.weight");
    let slot = slot.unwrap();
    let mut flat = vec![1_u8; layout.len()];
    layout.fill(slot, 3, &mut flat);
    assert_eq!(layout.export(slot, &flat), [3; 5 * 19]);
    assert_eq!(flat.iter().filter(|&&value| value == 3).count(), 5 * 19);
}
