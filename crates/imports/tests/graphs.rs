//! What a graph does around its layers is part of the model.

use std::path::PathBuf;

use imports::{Declared, ImportError, Imported, read};
use models::PosteriorScale;
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
fn graphs_of_two_files_are_asked_the_same() {
    let pair = |sample: &dyn Fn(&mut GraphBuilder, [&Named; 2]) -> Named, prepare: Step| {
        let mut encoder = GraphBuilder::new("encoder");
        let x = encoder.input("x", INPUTS);
        let hidden = dense(&mut encoder, &x, "encoder.0", [INPUTS, HIDDEN]);
        let hidden = encoder.node("Relu", &[&hidden], "encoder.1", []);
        let mu = dense(&mut encoder, &hidden, "mu", [HIDDEN, CODES]);
        let s = dense(&mut encoder, &hidden, "log_var", [HIDDEN, CODES]);
        let z = sample(&mut encoder, [&mu, &s]);
        encoder.output(&z, CODES);
        let mut decoder = GraphBuilder::new("decoder");
        let z = decoder.input("z", CODES);
        let z = prepare(&mut decoder, &z);
        decoded(&mut decoder, &z, INPUTS, &as_it_is);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = ["one.onnx", "other.onnx"].map(|name| folder.path().join(name));
        for (path, graph) in paths.iter().zip([encoder, decoder]) {
            std::fs::write(path, graph.finish(9, &[]).encode().unwrap()).expect("writable");
        }
        let declared = Declared {
            likelihood: Some(models::Likelihood::Bernoulli),
            ..Declared::default()
        };
        read(&paths, None, &declared)
    };
    let with = |operator: &'static str| {
        move |graph: &mut GraphBuilder, [mu, s]: [&Named; 2]| {
            let sigma = graph.node(operator, &[s], "sigma", []);
            sampled(graph, mu, &sigma)
        }
    };
    pair(&|_, [mu, _]| mu.clone(), &as_it_is).expect("a model");
    let message = pair(&with("Sigmoid"), &as_it_is).unwrap_err().to_string();
    assert!(
        message.contains("adds noise through Sigmoid, Mul"),
        "{message}"
    );
    let message = pair(&with("Exp"), &as_it_is).unwrap_err().to_string();
    assert!(message.contains("exp(s) of the layer"), "{message}");
    let message = pair(&|_, [mu, _]| mu.clone(), &|graph, z| {
        standardised(graph, z, &[0.5], &[0.25])
    })
    .unwrap_err()
    .to_string();
    assert!(message.contains("takes the code standardised"), "{message}");
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

#[test]
fn the_decoder_has_to_take_the_code() {
    let tripled = |graph: &mut GraphBuilder, code: &Named| {
        let three = graph.number("three", 3.0);
        graph.node("Mul", &[&three, code], "tripled", [])
    };
    let message = import(
        autoencoder(&as_it_is, &tripled, INPUTS, &as_it_is),
        "bernoulli",
    )
    .unwrap_err()
    .to_string();
    assert!(
        message.contains("decoder.0 take values that are computed"),
        "{message}"
    );
    let of = |sample: &dyn Fn(&mut GraphBuilder, [&Named; 2]) -> Named| {
        import(vae("log_var", sample), "bernoulli")
    };
    of(&|graph, [mu, s]| {
        let half = graph.number("half", 0.5);
        let log_sigma = graph.node("Mul", &[s, &half], "log_sigma", []);
        let sigma = graph.node("Exp", &[&log_sigma], "sigma", []);
        sampled(graph, mu, &sigma)
    })
    .expect("a model");
    of(&|_, [mu, _]| mu.clone()).expect("a model");
    for sample in [
        &(|graph: &mut GraphBuilder, [mu, _]: [&Named; 2]| tripled(graph, mu))
            as &dyn Fn(&mut GraphBuilder, [&Named; 2]) -> Named,
        &|graph, [mu, s]| {
            let mu = tripled(graph, mu);
            sampled(graph, &mu, s)
        },
        &|graph, [mu, s]| graph.node("Add", &[mu, s], "z", []),
    ] {
        let message = of(sample).unwrap_err().to_string();
        assert!(
            message.contains("layer decoder.0 the graph computes something else"),
            "{message}"
        );
    }
    let message = of(&|graph, [mu, s]| sampled(graph, s, mu))
        .unwrap_err()
        .to_string();
    assert!(message.contains("mu = \"log_var\""), "{message}");
}

#[test]
fn a_graph_tells_what_its_scale_is_by_how_it_samples() {
    use PosteriorScale::{LogSigma, LogVariance};
    let exp = |graph: &mut GraphBuilder, s: &Named| graph.node("Exp", &[s], "exp", []);
    let halved = |graph: &mut GraphBuilder, s: &Named| {
        let half = graph.number("half", 0.5);
        let s = graph.node("Mul", &[&half, s], "halved", []);
        exp(graph, &s)
    };
    let root = |graph: &mut GraphBuilder, s: &Named| {
        let s = exp(graph, s);
        graph.node("Sqrt", &[&s], "root", [])
    };
    let power = |graph: &mut GraphBuilder, s: &Named| {
        let half = graph.number("half", 0.5);
        let s = exp(graph, s);
        graph.node("Pow", &[&s, &half], "power", [])
    };
    let of = |scale: &str, sigma: Step| {
        let graph = vae(scale, |graph, [mu, s]| {
            let sigma = sigma(graph, s);
            sampled(graph, mu, &sigma)
        });
        import(graph, "bernoulli")
    };
    let cases: [(Step, PosteriorScale, &str); 4] = [
        (&exp, LogSigma, "log_var"),
        (&halved, LogVariance, "log_sigma"),
        (&root, LogVariance, "log_sigma"),
        (&power, LogVariance, "log_sigma"),
    ];
    for (sigma, expected, contrary) in cases {
        let imported = of("s", sigma).expect("a model");
        assert_eq!(imported.model.spec().posterior_scale, expected);
        assert!(!imported.assumed.join("\n").contains("posterior"));
        // The graph shows it, whatever comes first.
        assert!(!imported.assumed.join("\n").contains("comes first"));
        let message = of(contrary, sigma).unwrap_err().to_string();
        assert!(
            message.contains("--posterior-scale log-sigma or log-variance"),
            "{message}"
        );
    }
    // What is none of these is another model, whatever else the graph has.
    let one = |graph: &mut GraphBuilder, operator: &str, of: &Named, number: f32| {
        let name = format!("{operator}-{number}");
        let number = graph.number(&format!("{name}-by"), number);
        graph.node(operator, &[of, &number], &name, [])
    };
    let others: [(Step, &str); 8] = [
        (&|_, s| s.clone(), "Mul"),
        (
            &|graph, s| graph.node("Sigmoid", &[s], "sigma", []),
            "Sigmoid, Mul",
        ),
        (
            &|graph, s| {
                let s = one(graph, "Mul", s, 0.25);
                exp(graph, &s)
            },
            "Mul, Exp, Mul",
        ),
        (
            &|graph, s| {
                let s = graph.node("Neg", &[s], "negative", []);
                halved(graph, &s)
            },
            "Neg, Mul, Exp, Mul",
        ),
        (
            &|graph, s| {
                let s = graph.node("Tanh", &[s], "bounded", []);
                halved(graph, &s)
            },
            "Tanh, Mul, Exp, Mul",
        ),
        (
            &|graph, s| {
                let s = graph.node("Clip", &[s], "clipped", []);
                halved(graph, &s)
            },
            "Clip, Mul, Exp, Mul",
        ),
        (
            &|graph, s| {
                let sigma = halved(graph, s);
                one(graph, "Mul", &sigma, 0.1)
            },
            "Mul, Exp, Mul",
        ),
        (
            &|graph, s| {
                let sigma = halved(graph, s);
                one(graph, "Add", &sigma, 0.1)
            },
            "Mul, Exp, Add, Mul",
        ),
    ];
    for (sigma, operators) in others {
        let message = of("log_var", sigma).unwrap_err().to_string();
        assert!(
            message.contains("to the mean the graph adds noise"),
            "{message}"
        );
        assert!(message.contains(operators), "{operators}: {message}");
    }
    for (attributes, expected) in [
        (vec![], true),
        (vec![("scale", 0.5)], false),
        (vec![("mean", 1.0)], false),
    ] {
        let drawn = vae("log_var", |graph, [mu, s]| {
            let attributes = attributes.iter().map(|&(name, value)| Attribute {
                name: name.into(),
                value: AttributeValue::Float(value),
            });
            let noise = graph.node("RandomNormalLike", &[mu], "noise", attributes);
            let sigma = halved(graph, s);
            let spread = graph.node("Mul", &[&noise, &sigma], "spread", []);
            graph.node("Add", &[&spread, mu], "z", [])
        });
        assert_eq!(
            import(drawn, "bernoulli").is_ok(),
            expected,
            "{attributes:?}"
        );
    }
    // As torch.distributions has it in a traced graph: normal(zeros, ones).
    let traced = vae("log_var", |graph, [mu, s]| {
        let shape = graph.node("Shape", &[mu], "shape", []);
        let zeros = graph.node("ConstantOfShape", &[&shape], "zeros", []);
        let ones = graph.floats("ones", &[1, CODES], vec![1.0; CODES]);
        let drawn = graph.node("RandomNormalLike", &[&zeros], "drawn", []);
        let scaled = graph.node("Mul", &[&ones, &drawn], "scaled", []);
        let noise = graph.node("Add", &[&scaled, &zeros], "noise", []);
        let half = graph.floats("half", &[1, 1], vec![0.5]);
        let s = graph.node("Mul", &[s, &half], "halved", []);
        let sigma = exp(graph, &s);
        let spread = graph.node("Mul", &[&noise, &sigma], "spread", []);
        graph.node("Add", &[mu, &spread], "z", [])
    });
    let imported = import(traced, "bernoulli").expect("a model");
    assert_eq!(imported.model.spec().posterior_scale, LogVariance);
    // However often: no file takes more of the stack than another.
    let long = vae("log_var", |graph, [mu, s]| {
        let one = graph.number("one", 1.0);
        let mut noise = graph.node("RandomNormalLike", &[mu], "noise", []);
        for step in 0..10_000 {
            noise = graph.node("Mul", &[&noise, &one], &format!("m{step}"), []);
        }
        let sigma = halved(graph, s);
        sampled_with(graph, mu, &sigma, &noise)
    });
    import(long, "bernoulli").expect("a model");
    let alone = vae("log_var", |graph, [mu, _]| {
        let noise = graph.node("RandomNormalLike", &[mu], "noise", []);
        graph.node("Add", &[mu, &noise], "z", [])
    });
    let message = import(alone, "bernoulli").unwrap_err().to_string();
    assert!(message.contains("adds noise alone"), "{message}");
    // A variance that is given back tells nothing of what is sampled with.
    let variance = vae("log_var", |graph, [mu, s]| {
        let variance = exp(graph, s);
        graph.output(&variance, CODES);
        mu.clone()
    });
    let imported = import(variance, "bernoulli").expect("a model");
    assert_eq!(imported.model.spec().posterior_scale, LogVariance);
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
