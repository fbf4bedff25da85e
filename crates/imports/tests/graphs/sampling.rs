//! What a graph makes of its heads before the decoder takes the code.

use models::PosteriorScale;

use super::*;

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
