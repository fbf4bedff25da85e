//! What a graph does around its layers is part of the model.

use std::path::PathBuf;

use imports::{Declared, ImportError, Imported, read};
use onnx::{GraphBuilder, Named};

const INPUTS: usize = 6;
const HIDDEN: usize = 4;
const CODES: usize = 2;

fn dense(graph: &mut GraphBuilder, x: &Named, name: &str, [inputs, outputs]: [usize; 2]) -> Named {
    let values = (0..inputs * outputs).map(|at| (at as f32).sin()).collect();
    let weight = graph.floats(&format!("{name}.weight"), &[outputs, inputs], values);
    let bias = graph.floats(&format!("{name}.bias"), &[outputs], vec![0.25; outputs]);
    graph.dense(x, &weight, &bias, name)
}

/// An autoencoder of relu layers whose encoder takes what `prepare` makes of x.
fn graph(prepare: impl Fn(&mut GraphBuilder, &Named) -> Named) -> GraphBuilder {
    let mut graph = GraphBuilder::new("autoencoder");
    let x = graph.input("x", INPUTS);
    let seen = prepare(&mut graph, &x);
    let hidden = dense(&mut graph, &seen, "encoder.0", [INPUTS, HIDDEN]);
    let hidden = graph.node("Relu", &[&hidden], "encoder.1", []);
    let code = dense(&mut graph, &hidden, "code", [HIDDEN, CODES]);
    let hidden = dense(&mut graph, &code, "decoder.0", [CODES, HIDDEN]);
    let hidden = graph.node("Relu", &[&hidden], "decoder.1", []);
    let decoded = dense(&mut graph, &hidden, "decoder.2", [HIDDEN, INPUTS]);
    graph.output(&decoded, INPUTS);
    graph
}

fn standardised(graph: &mut GraphBuilder, x: &Named, mean: &[f32], deviation: &[f32]) -> Named {
    let mean = graph.floats("m", &[mean.len()], mean.to_vec());
    let deviation = graph.floats("d", &[deviation.len()], deviation.to_vec());
    let centred = graph.node("Sub", &[x, &mean], "centred", []);
    graph.node("Div", &[&centred, &deviation], "standardised", [])
}

fn import(graph: GraphBuilder, likelihood: &str) -> Result<Imported, ImportError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path: PathBuf = folder.path().join("model.onnx");
    std::fs::write(&path, graph.finish(9, &[]).encode()).expect("writable");
    let declared = Declared {
        likelihood: Some(likelihood.parse().expect("a likelihood")),
        ..Declared::default()
    };
    read(&[path], None, &declared)
}

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
fn what_is_no_standardising_is_refused() {
    let refused = |prepare: &dyn Fn(&mut GraphBuilder, &Named) -> Named| {
        let found = import(graph(prepare), "gaussian-identity/0.5");
        found.expect_err("no such model").to_string()
    };
    let message = refused(&|graph, x| standardised(graph, x, &[0.5], &[0.0]));
    assert!(message.contains("deviation 0"), "{message}");
    let message = refused(&|graph, x| standardised(graph, x, &[0.5; 2], &[1.0; 2]));
    assert!(message.contains("2 features"), "{message}");
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
fn a_learned_sigma_is_known_by_its_name() {
    let of = |count: usize| {
        graph(|graph, x| {
            graph.floats("likelihood.log_sigma", &[count], vec![-0.5; count]);
            x.clone()
        })
    };
    for (count, likelihood) in [
        (1, "gaussian-identity/scalar"),
        (INPUTS, "laplace-identity/per-pixel"),
    ] {
        let imported = import(of(count), likelihood).expect("a model");
        let found = imported.model.log_sigma().expect("learned");
        assert_eq!(found, vec![-0.5; count]);
    }
    let message = import(of(1), "bernoulli").unwrap_err().to_string();
    assert!(message.contains("holds a learned ln σ"), "{message}");
}
