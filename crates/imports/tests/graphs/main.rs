//! What a graph does around its layers is part of the model.

mod sampling;
mod standardising;

use std::path::PathBuf;

use imports::{Declared, ImportError, Imported, read};
use onnx::{Attribute, AttributeValue, GraphBuilder, Named};

const INPUTS: usize = 6;
const HIDDEN: usize = 4;
const CODES: usize = 2;

fn dense(graph: &mut GraphBuilder, x: &Named, name: &str, [inputs, outputs]: [usize; 2]) -> Named {
    let values = (0..inputs * outputs).map(|at| (at as f32).sin()).collect();
    let weight = graph.floats(&format!("{name}.weight"), &[outputs, inputs], values);
    let bias = graph.floats(&format!("{name}.bias"), &[outputs], vec![0.25; outputs]);
    graph.dense(x, &weight, &bias, name)
}

/// A step of a graph: what it makes of a value.
type Step<'a> = &'a dyn Fn(&mut GraphBuilder, &Named) -> Named;

/// An autoencoder of relu layers whose encoder takes what `prepare` makes of x.
fn graph(prepare: impl Fn(&mut GraphBuilder, &Named) -> Named) -> GraphBuilder {
    autoencoder(&prepare, &as_it_is, INPUTS, &as_it_is)
}

/// One whose decoder takes what `between` makes of the code, and gives back what `end`
/// makes of its `outputs`.
fn autoencoder(prepare: Step, between: Step, outputs: usize, end: Step) -> GraphBuilder {
    let mut graph = GraphBuilder::new("autoencoder");
    let x = graph.input("x", INPUTS);
    let seen = prepare(&mut graph, &x);
    let hidden = dense(&mut graph, &seen, "encoder.0", [INPUTS, HIDDEN]);
    let hidden = graph.node("Relu", &[&hidden], "encoder.1", []);
    let code = dense(&mut graph, &hidden, "code", [HIDDEN, CODES]);
    let code = between(&mut graph, &code);
    decoded(&mut graph, &code, outputs, end);
    graph
}

fn decoded(graph: &mut GraphBuilder, code: &Named, outputs: usize, end: Step) {
    let hidden = dense(graph, code, "decoder.0", [CODES, HIDDEN]);
    let hidden = graph.node("Relu", &[&hidden], "decoder.1", []);
    let decoded = dense(graph, &hidden, "decoder.2", [HIDDEN, outputs]);
    let x = end(graph, &decoded);
    graph.output(&x, INPUTS);
}

/// A VAE whose decoder takes what `sample` makes of μ and s, which is called `scale`.
fn vae(scale: &str, sample: impl Fn(&mut GraphBuilder, [&Named; 2]) -> Named) -> GraphBuilder {
    let mut graph = GraphBuilder::new("vae");
    let x = graph.input("x", INPUTS);
    let hidden = dense(&mut graph, &x, "encoder.0", [INPUTS, HIDDEN]);
    let hidden = graph.node("Relu", &[&hidden], "encoder.1", []);
    let mu = dense(&mut graph, &hidden, "mu", [HIDDEN, CODES]);
    let s = dense(&mut graph, &hidden, scale, [HIDDEN, CODES]);
    let code = sample(&mut graph, [&mu, &s]);
    decoded(&mut graph, &code, INPUTS, &as_it_is);
    graph
}

/// μ and σ times something random.
fn sampled(graph: &mut GraphBuilder, mu: &Named, sigma: &Named) -> Named {
    let noise = graph.node("RandomNormalLike", &[mu], "noise", []);
    sampled_with(graph, mu, sigma, &noise)
}

fn sampled_with(graph: &mut GraphBuilder, mu: &Named, sigma: &Named, noise: &Named) -> Named {
    let spread = graph.node("Mul", &[sigma, noise], "spread", []);
    graph.node("Add", &[mu, &spread], "z", [])
}

fn as_it_is(_: &mut GraphBuilder, value: &Named) -> Named {
    value.clone()
}

/// Some columns of a value.
fn columns(graph: &mut GraphBuilder, of: &Named, range: [usize; 2], name: &str) -> Named {
    let whole = |name: &str, value: usize| Attribute {
        name: name.into(),
        value: AttributeValue::Integers(vec![value as i64]),
    };
    let attributes = [
        whole("axes", 1),
        whole("starts", range[0]),
        whole("ends", range[1]),
    ];
    graph.node("Slice", &[of], name, attributes)
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
    std::fs::write(&path, graph.finish(9, &[]).encode().unwrap()).expect("writable");
    let declared = Declared {
        likelihood: Some(likelihood.parse().expect("a likelihood")),
        ..Declared::default()
    };
    read(&[path], None, &declared)
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

#[test]
fn means_and_their_sigma_from_one_layer_are_told_apart() {
    let end = |is_first: bool, has_sigmoid: bool| {
        move |graph: &mut GraphBuilder, outputs: &Named| {
            let halves = [[0, INPUTS], [INPUTS, 2 * INPUTS]];
            let [mean, log_sigma] = [is_first, !is_first].map(|it| halves[usize::from(!it)]);
            let log_sigma = columns(graph, outputs, log_sigma, "log_sigma");
            let mean = columns(graph, outputs, mean, "outputs");
            let sigma = graph.node("Exp", &[&log_sigma], "sigma", []);
            graph.output(&sigma, INPUTS);
            let operator = if has_sigmoid { "Sigmoid" } else { "Identity" };
            graph.node(operator, &[&mean], "x", [])
        }
    };
    let of = |is_first, has_sigmoid, likelihood| {
        let end = end(is_first, has_sigmoid);
        import(
            autoencoder(&as_it_is, &as_it_is, 2 * INPUTS, &end),
            likelihood,
        )
    };
    for (has_sigmoid, likelihood, other) in [
        (true, "gaussian/decoder", "gaussian-identity/decoder"),
        (false, "gaussian-identity/decoder", "gaussian/decoder"),
    ] {
        let imported = of(true, has_sigmoid, likelihood).expect("a model");
        assert_eq!(imported.model.spec().likelihood.to_string(), likelihood);
        let message = of(true, has_sigmoid, other).unwrap_err().to_string();
        assert!(message.contains("--likelihood is"), "{message}");
    }
    let message = of(false, true, "gaussian/decoder").unwrap_err().to_string();
    assert!(message.contains("a part of its outputs"), "{message}");
}

#[test]
fn what_follows_the_last_layer_has_to_be_part_of_a_model() {
    let of =
        |end: Step, likelihood| import(autoencoder(&as_it_is, &as_it_is, INPUTS, end), likelihood);
    let identity = "gaussian-identity/0.5";
    for operator in ["Tanh", "Relu", "Exp"] {
        let end = |graph: &mut GraphBuilder, x: &Named| graph.node(operator, &[x], "end", []);
        let message = of(&end, identity).unwrap_err().to_string();
        let expected = format!("behind the last layer decoder.2 the graph has {operator},");
        assert!(message.contains(&expected), "{message}");
    }
    let doubled = |graph: &mut GraphBuilder, x: &Named| {
        let two = graph.number("two", 2.0);
        graph.node("Mul", &[x, &two], "end", [])
    };
    assert!(
        of(&doubled, identity)
            .unwrap_err()
            .to_string()
            .contains("has Mul,")
    );
    let both = |graph: &mut GraphBuilder, x: &Named| {
        let x = doubled(graph, x);
        graph.node("Sigmoid", &[&x], "mean", [])
    };
    assert!(
        of(&both, "bernoulli")
            .unwrap_err()
            .to_string()
            .contains("has Mul, Sigmoid,")
    );
    let sigmoid = |graph: &mut GraphBuilder, x: &Named| {
        graph.output(x, INPUTS);
        graph.node("Sigmoid", &[x], "mean", [])
    };
    of(&sigmoid, "bernoulli").expect("a model");
    of(&sigmoid, identity).unwrap_err();
}

#[test]
fn a_weight_without_columns_is_refused_before_memory_is_asked_for_its_rows() {
    for shape in [[1 << 40, 0], [0, 1 << 40], [0, 4]] {
        let mut graph = GraphBuilder::new("nothing");
        let x = graph.input("x", INPUTS);
        let weight = graph.floats("w", &shape, Vec::new());
        let transposed = Attribute {
            name: "transB".into(),
            value: AttributeValue::Integer(1),
        };
        let y = graph.node("Gemm", &[&x, &weight], "y", [transposed]);
        graph.output(&y, INPUTS);
        let message = import(graph, "bernoulli").unwrap_err().to_string();
        assert!(
            message.contains("a side of a width that no layer has"),
            "{message}"
        );
    }
}
