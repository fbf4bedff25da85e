//! What a graph standardises its values by, and where it brings them back.

use super::*;

#[test]
fn what_a_graph_standardises_by_is_part_of_the_model() {
    let each = [0.5, -1.0, 0.0, 2.0, 3.0, 0.25];
    for (mean, deviation, expected) in [
        (&each[..], &[2.0; INPUTS][..], (each, [2.0; INPUTS])),
        (&[0.5], &[0.25], ([0.5; INPUTS], [0.25; INPUTS])),
    ] {
        let graph = graph(|graph, x| standardised(graph, x, mean, deviation));
        let imported = import(graph, "gaussian-identity/0.5").expect("a model");
        let found = imported.model.standardisation().expect("standardised");
        assert_eq!(found.mean(), expected.0);
        assert_eq!(found.deviation(), expected.1);
        assert!(imported.said.join("\n").contains("are standardised by"));
        assert_eq!(imported.names["encoder.0"], "encoder.0");
    }
    let plain = import(graph(|_, x| x.clone()), "gaussian-identity/0.5").expect("a model");
    assert!(plain.model.standardisation().is_none());
}

#[test]
fn what_is_standardised_and_not_brought_back_is_no_model_of_standardised_values() {
    let (mean, deviation) = (
        [0.5, -1.0, 0.0, 2.0, 3.0, 0.25],
        [2.0, 0.5, 1.0, 4.0, 0.1, 3.0],
    );
    let sigmoid = |graph: &mut GraphBuilder, x: &Named| graph.node("Sigmoid", &[x], "end", []);
    let of = |end: Step, likelihood: &str| {
        let prepare =
            |graph: &mut GraphBuilder, x: &Named| standardised(graph, x, &mean, &deviation);
        import(autoencoder(&prepare, &as_it_is, INPUTS, end), likelihood).expect("a model")
    };
    let x = ndarray::array![
        [0.0_f32, 1.0, 0.5, 0.25, 0.75, 1.0],
        [1.0, 0.0, 0.0, 0.125, 0.0, 0.5]
    ];
    let seen =
        ndarray::Array2::from_shape_fn(x.dim(), |(i, j)| (x[[i, j]] - mean[j]) / deviation[j]);
    let plain = import(graph(|_, x| x.clone()), "bernoulli")
        .expect("a model")
        .model;
    for (likelihood, end) in [
        ("bernoulli", &sigmoid as Step),
        ("gaussian/0.5", &sigmoid),
        // Logits, as of a cross-entropy that takes these.
        ("bernoulli", &as_it_is),
    ] {
        let imported = of(end, likelihood);
        assert!(imported.model.standardisation().is_none(), "{likelihood}");
        assert!(
            imported
                .assumed
                .join("\n")
                .contains("a part of the first layer")
        );
        let codes = imported.model.encode(x.view()).mean;
        let expected = plain.encode(seen.view()).mean;
        for (found, expected) in codes.iter().zip(&expected) {
            assert!(
                (found - expected).abs() <= 1e-5 * expected.abs().max(1.0),
                "{found} {expected}"
            );
        }
        assert_eq!(imported.model.decode(expected.view()), {
            let plain = import(autoencoder(&as_it_is, &as_it_is, INPUTS, end), likelihood);
            plain.expect("a model").model.decode(expected.view())
        });
    }
    let imported = of(&as_it_is, "gaussian-identity/0.5");
    assert!(imported.model.standardisation().is_some());
    assert!(
        imported
            .assumed
            .join("\n")
            .contains("does not bring its outputs back")
    );
}

#[test]
fn every_layer_that_takes_standardised_values_takes_them_as_they_are() {
    let (mean, deviation) = (
        [0.5, -1.0, 0.0, 2.0, 3.0, 0.25],
        [2.0, 0.5, 1.0, 4.0, 0.1, 3.0],
    );
    // Two heads without a hidden layer, and one layer for both.
    let of = |is_shared: bool, is_standardised: bool| {
        let mut graph = GraphBuilder::new("vae");
        let x = graph.input("x", INPUTS);
        let x = match is_standardised {
            true => standardised(&mut graph, &x, &mean, &deviation),
            false => x,
        };
        let mu = match is_shared {
            true => {
                let both = dense(&mut graph, &x, "both", [INPUTS, 2 * CODES]);
                columns(&mut graph, &both, [0, CODES], "mu")
            }
            false => {
                dense(&mut graph, &x, "log_var", [INPUTS, CODES]);
                dense(&mut graph, &x, "mu", [INPUTS, CODES])
            }
        };
        let outputs = dense(&mut graph, &mu, "decoder.0", [CODES, INPUTS]);
        graph.output(&outputs, INPUTS);
        import(graph, "bernoulli").expect("a model").model
    };
    let x = ndarray::array![[0.0_f32, 1.0, 0.5, 0.25, 0.75, 1.0]];
    let seen =
        ndarray::Array2::from_shape_fn(x.dim(), |(i, j)| (x[[i, j]] - mean[j]) / deviation[j]);
    for is_shared in [false, true] {
        let found = of(is_shared, true).encode(x.view());
        let expected = of(is_shared, false).encode(seen.view());
        let both = [
            (Some(&found.mean), Some(&expected.mean)),
            (found.log_variance.as_ref(), expected.log_variance.as_ref()),
        ];
        for (found, expected) in both {
            let (found, expected) = (found.expect("a VAE"), expected.expect("a VAE"));
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= 1e-4 * expected.abs().max(1.0),
                    "{found} {expected}"
                );
            }
        }
    }
}

#[test]
fn a_layer_does_not_take_in_what_its_numbers_cannot_hold() {
    let of = |deviation: f32, likelihood: &str| {
        import(
            graph(|graph, x| standardised(graph, x, &[0.1], &[deviation])),
            likelihood,
        )
    };
    of(1e-8, "gaussian-identity/0.5").expect("kept as it is");
    of(1e-4, "bernoulli").expect("a tenth of a thousandth");
    let message = of(1e-5, "bernoulli").unwrap_err().to_string();
    assert!(message.contains("without losing digits"), "{message}");
}

#[test]
fn what_is_no_standardising_is_refused() {
    let refused = |prepare: &dyn Fn(&mut GraphBuilder, &Named) -> Named| {
        let of = |likelihood: &str| {
            let found = import(graph(prepare), likelihood);
            let message = found.expect_err("no such model").to_string();
            let (_, reason) = message.split_once("model.onnx: ").expect("of the file");
            reason.to_owned()
        };
        let message = of("gaussian-identity/0.5");
        assert_eq!(message, of("bernoulli"), "whatever becomes of it");
        message
    };
    let message = refused(&|graph, x| standardised(graph, x, &[0.5], &[0.0]));
    assert!(message.contains("deviation 0"), "{message}");
    let message = refused(&|graph, x| standardised(graph, x, &[0.5; 2], &[1.0; 2]));
    assert!(message.contains("by 2 means, but a row has 6"), "{message}");
    // Centred alone is another model.
    let message = refused(&|graph, x| {
        let mean = graph.floats("m", &[1], vec![0.5]);
        graph.node("Sub", &[x, &mean], "centred", [])
    });
    assert!(
        message.contains("encoder.0 take values that are computed"),
        "{message}"
    );
    let message = refused(&|graph, x| {
        dense(graph, x, "aside", [INPUTS, HIDDEN]);
        standardised(graph, x, &[0.5], &[2.0])
    });
    assert!(message.contains("for some layers and not for"), "{message}");
}

#[test]
fn the_inverse_of_standardising_may_follow_the_last_layer() {
    let of = |factor: f32, term: f32| {
        let prepare = |graph: &mut GraphBuilder, x: &Named| standardised(graph, x, &[0.5], &[0.25]);
        let end = move |graph: &mut GraphBuilder, x: &Named| {
            let factor = graph.number("factor", factor);
            let term = graph.floats("term", &[INPUTS], vec![term; INPUTS]);
            let spread = graph.node("Mul", &[x, &factor], "spread", []);
            graph.node("Add", &[&spread, &term], "end", [])
        };
        import(
            autoencoder(&prepare, &as_it_is, INPUTS, &end),
            "gaussian-identity/0.5",
        )
    };
    of(0.25, 0.5).expect("a model");
    for (factor, term) in [(0.5, 0.5), (0.25, 0.25)] {
        let message = of(factor, term).unwrap_err().to_string();
        assert!(message.contains("has Mul, Add,"), "{message}");
    }
}
