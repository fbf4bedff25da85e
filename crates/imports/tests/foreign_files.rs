//! Files that PyTorch, Keras and ONNX wrote give what they gave there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use imports::{Declared, Imported, NameMap, read};
use models::{Activation, Model, ModelKind, PosteriorScale};
use ndarray::Array2;
use safetensors::SafeTensors;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/imports")
        .join(name)
}

fn import(files: &[&str], declared: &Declared) -> Imported {
    let paths: Vec<PathBuf> = files.iter().map(|name| fixture(name)).collect();
    read(&paths, None, declared).unwrap_or_else(|error| panic!("{files:?}: {error}"))
}

fn refused(file: &str) -> String {
    let message = read(&[fixture(file)], None, &Declared::default())
        .expect_err("no such model")
        .to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// What the other program computed.
fn values(name: &str) -> BTreeMap<String, Array2<f32>> {
    let bytes = std::fs::read(fixture(&format!("{name}.values.safetensors"))).expect("a fixture");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let arrays = file.iter().map(|(name, view)| {
        let (numbers, _) = view.data().as_chunks::<4>();
        let numbers: Vec<f32> = numbers
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect();
        let [rows, columns] = view.shape() else {
            panic!("{name} is no matrix");
        };
        let array = Array2::from_shape_vec((*rows, *columns), numbers).expect("its shape");
        (name.to_owned(), array)
    });
    arrays.collect()
}

fn close(found: &Array2<f32>, expected: &Array2<f32>, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-6,
            "{what}: {found}, expected {expected}"
        );
    }
}

fn gives_what_it_gave(model: &Model, name: &str) {
    let values = values(name);
    let codes = model.encode(values["x"].view());
    close(&codes.mean, &values["mu"], &format!("{name}: mu"));
    if let Some(expected) = values.get("log_var") {
        let found = codes.log_variance.expect("a scale");
        close(&found, expected, &format!("{name}: log_var"));
    }
    let decoded = model.decode(values["mu"].view());
    close(&decoded, &values["decoded"], &format!("{name}: decoded"));
}

fn tanh() -> Declared {
    Declared {
        activation: Some(Activation::Tanh),
        ..Declared::default()
    }
}

#[test]
fn pytorchs_example_is_the_same_in_every_format() {
    let default = Declared::default();
    let files = [
        "pytorch-example.pt",
        "pytorch-example.safetensors",
        "pytorch-example.onnx",
    ];
    for file in files {
        let imported = import(&[file], &default);
        assert_eq!(
            imported.model.spec().architecture.to_string(),
            "20-12-3",
            "{file}"
        );
        assert_eq!(imported.model.spec().kind, ModelKind::Vae);
        assert_eq!(imported.names["mu"], "fc21");
        assert_eq!(imported.names["decoder.2"], "fc4");
        gives_what_it_gave(&imported.model, "pytorch-example");
    }
    let [pt, safetensors, onnx] = files.map(|file| import(&[file], &default));
    assert_eq!(pt.model, safetensors.model);
    assert_eq!(pt.model, onnx.model);
    assert_eq!(
        pt.said,
        [
            "encoder: fc1 20→12",
            "mu: fc21 12→3",
            "log_var: fc22 12→3",
            "decoder: fc3 3→12, fc4 12→20"
        ]
    );
    let assumed = pt.assumed.join("\n");
    for expected in [
        "fc21 is taken for mu",
        "relu is assumed",
        "bernoulli is assumed",
        "log-variance",
    ] {
        assert!(assumed.contains(expected), "{expected}: {assumed}");
    }
    // The graph tells what it does with the second head, and that ReLU is there.
    let assumed = onnx.assumed.join("\n");
    assert!(
        !assumed.contains("relu") && !assumed.contains("log-variance"),
        "{assumed}"
    );
}

#[test]
fn a_checkpoint_with_an_optimiser_gives_its_weights() {
    let imported = import(&["checkpoint.pth"], &tanh());
    assert_eq!(imported.model.spec().architecture.to_string(), "20-12-12-3");
    assert!(
        imported.assumed[0].contains("model_state_dict"),
        "{:?}",
        imported.assumed
    );
    assert_eq!(imported.names["mu"], "module.fc_mu");
    gives_what_it_gave(&imported.model, "checkpoint");
}

#[test]
fn kernels_are_transposed_and_square_ones_follow() {
    let imported = import(&["keras.safetensors"], &tanh());
    assert_eq!(imported.model.spec().architecture.to_string(), "20-12-12-3");
    assert_eq!(imported.names["encoder.2"], "dense_1, transposed");
    let assumed = imported.assumed.join("\n");
    assert!(assumed.contains("dense_1, dense_3 are square"), "{assumed}");
    assert!(
        assumed.contains("dense_1, dense_3 have the same widths"),
        "{assumed}"
    );
    gives_what_it_gave(&imported.model, "keras");
}

#[test]
fn a_shared_head_is_cut_in_halves() {
    let imported = import(&["shared-head.pt"], &tanh());
    assert_eq!(imported.names["log_var"], "head[3..6]");
    gives_what_it_gave(&imported.model, "shared-head");
}

#[test]
fn an_autoencoder_without_biases_is_read() {
    let declared = Declared {
        likelihood: Some("gaussian-identity/1".parse().expect("a likelihood")),
        ..Declared::default()
    };
    let imported = import(&["no-bias.safetensors"], &declared);
    assert_eq!(imported.model.spec().kind, ModelKind::Ae);
    assert!(
        imported
            .assumed
            .join("\n")
            .contains("the file has no bias of")
    );
    gives_what_it_gave(&imported.model, "no-bias");
}

#[test]
fn a_graph_tells_its_nonlinearity_and_its_scale() {
    let imported = import(&["log-sigma.onnx"], &Declared::default());
    let spec = imported.model.spec();
    assert_eq!(spec.architecture.activation, Activation::Tanh);
    assert_eq!(spec.posterior_scale, PosteriorScale::LogSigma);
    gives_what_it_gave(&imported.model, "log-sigma");
    let wrong = Declared {
        activation: Some(Activation::Relu),
        ..Declared::default()
    };
    let message = read(&[fixture("log-sigma.onnx")], None, &wrong)
        .unwrap_err()
        .to_string();
    assert!(message.contains("the graph has tanh"), "{message}");
    let identity = Declared {
        likelihood: Some("gaussian-identity/1".parse().expect("a likelihood")),
        ..Declared::default()
    };
    let message = read(&[fixture("log-sigma.onnx")], None, &identity)
        .unwrap_err()
        .to_string();
    assert!(message.contains("ends in a sigmoid"), "{message}");
}

#[test]
fn encoder_and_decoder_may_be_two_files() {
    for files in [
        ["encoder.onnx", "decoder.onnx"],
        ["decoder.onnx", "encoder.onnx"],
    ] {
        let imported = import(&files, &Declared::default());
        assert_eq!(imported.files.len(), 2);
        assert_eq!(imported.names["encoder.0"], "encoder.of.fc1");
        gives_what_it_gave(&imported.model, "two-graphs");
    }
}

#[test]
fn the_mean_of_our_continuous_bernoulli_graphs_is_known() {
    let files = ["encoder", "decoder"].map(|part| format!("continuous-bernoulli.{part}.onnx"));
    let paths = files.map(|file| fixture(&file));
    let of = |likelihood: Option<&str>| {
        let declared = Declared {
            likelihood: likelihood.map(|it| it.parse().expect("a likelihood")),
            ..Declared::default()
        };
        read(&paths, None, &declared).map_err(|error| error.to_string())
    };
    let imported = of(Some("continuous-bernoulli")).expect("a model");
    assert_eq!(imported.model.spec().architecture.to_string(), "6-4-2");
    for likelihood in [None, Some("bernoulli"), Some("gaussian/1")] {
        let message = of(likelihood).expect_err("another model");
        assert!(
            message.contains("ends in the mean of a continuous Bernoulli"),
            "{message}"
        );
    }
}

#[test]
fn a_map_says_what_names_do_not() {
    let map = "mu = \"fc22\"\nlog_var = \"fc21\"\n";
    let map = NameMap::parse(map, "names.toml").expect("a map");
    let of = |file: &str| read(&[fixture(file)], Some(&map), &Declared::default());
    let imported = of("pytorch-example.pt").expect("a model");
    assert_eq!(imported.names["mu"], "fc22");
    let values = values("pytorch-example");
    let codes = imported.model.encode(values["x"].view());
    close(&codes.mean, &values["log_var"], "the other head");
    assert!(!imported.assumed.join("\n").contains("is taken for mu"));
    // A graph shows which head is the mean.
    let one = NameMap::parse("log_var = \"fc21\"", "names.toml").expect("a map");
    let file = fixture("pytorch-example.onnx");
    let message = read(&[file], Some(&one), &Declared::default()).unwrap_err();
    assert!(
        message
            .to_string()
            .contains("--map says that log_var is fc21, but"),
        "{message}"
    );
    let message = of("pytorch-example.onnx").unwrap_err().to_string();
    assert!(
        message.contains(
            "--map says that mu is fc22, but the graph samples around the outputs of fc21"
        ),
        "{message}"
    );
}

#[test]
fn what_is_no_such_model_is_refused_with_its_tensors() {
    for (file, expected) in [
        (
            "bad-convolution.pt",
            &["0.weight 2×1×3×3", "convolutions", "dense layers alone"][..],
        ),
        (
            "bad-batch-norm.pt",
            &["1.running_mean 4", "fuse_linear_bn_eval"],
        ),
        ("bad-uneven.safetensors", &["8-6-2", "2-5-8", "mirrors"]),
        ("bad-leaky.onnx", &["LeakyRelu", "relu or tanh"]),
        ("bad-legacy.pt", &["before version 1.6", "state_dict()"]),
        (
            "bad-whole-module.pt",
            &["__main__.Example", "not run", "state_dict()"],
        ),
        ("make.py", &["neither safetensors"]),
        ("pytorch-example.values.safetensors", &["decoded 5×20"]),
    ] {
        let message = refused(file);
        for words in expected {
            assert!(message.contains(words), "{file}: {words}: {message}");
        }
    }
    let other = Declared {
        inputs: Some(784),
        ..Declared::default()
    };
    let message = read(&[fixture("pytorch-example.pt")], None, &other)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("takes 20 values, but a row of the data has 784"),
        "{message}"
    );
    let no_vae = Declared {
        kind: Some(ModelKind::Ae),
        ..Declared::default()
    };
    let message = read(&[fixture("pytorch-example.pt")], None, &no_vae)
        .unwrap_err()
        .to_string();
    assert!(message.contains("one layer for the code"), "{message}");
    let learned = Declared {
        likelihood: Some("gaussian/scalar".parse().expect("a likelihood")),
        ..Declared::default()
    };
    let message = read(&[fixture("pytorch-example.pt")], None, &learned)
        .unwrap_err()
        .to_string();
    assert!(message.contains("give --sigma a number"), "{message}");
}
