//! Models of this program under the names and layouts of others come back with every
//! bit.

use std::path::{Path, PathBuf};

use imports::{Declared, Imported, NameMap, read};
use models::{
    Activation, Initialisation, Likelihood, Model, ModelKind, ModelSpec, NamedTensor,
    PosteriorScale,
};
use safetensors::tensor::{Dtype, TensorView};

fn model(kind: ModelKind, architecture: &str, likelihood: &str) -> Model {
    let spec = ModelSpec {
        kind,
        architecture: architecture.parse().expect("widths"),
        likelihood: likelihood.parse().expect("a likelihood"),
        posterior_scale: PosteriorScale::LogVariance,
    };
    Model::new(spec, Initialisation::PyTorchUniform, 5).expect("a model")
}

fn write(path: &Path, tensors: &[NamedTensor<f32>]) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|tensor| {
            tensor
                .values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).expect("its bytes");
        (tensor.name.clone(), view)
    });
    let file = safetensors::serialize(views.collect::<Vec<_>>(), None).expect("a file");
    std::fs::write(path, file).expect("writable");
}

/// Rows and columns exchanged.
fn transposed(mut tensor: NamedTensor<f32>) -> NamedTensor<f32> {
    if let &[rows, columns] = tensor.shape.as_slice() {
        let values = &tensor.values;
        tensor.values = (0..columns)
            .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
            .collect();
        tensor.shape = vec![columns, rows];
    }
    tensor
}

struct Case {
    folder: tempfile::TempDir,
    model: Model,
}

impl Case {
    fn of(model: Model) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, model }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("model.safetensors")
    }

    /// Imports the tensors as `rename` gives them.
    fn import(
        &self,
        map: Option<&str>,
        rename: impl Fn(NamedTensor<f32>) -> NamedTensor<f32>,
    ) -> Imported {
        let tensors: Vec<_> = self.model.named_tensors().into_iter().map(rename).collect();
        write(&self.path(), &tensors);
        self.read(map)
            .unwrap_or_else(|error| panic!("{}: {error}", self.model.spec().architecture))
    }

    fn read(&self, map: Option<&str>) -> Result<Imported, imports::ImportError> {
        let spec = self.model.spec();
        let declared = Declared {
            kind: (!spec.kind.is_variational()).then_some(spec.kind),
            activation: Some(spec.architecture.activation),
            likelihood: Some(spec.likelihood),
            ..Declared::default()
        };
        let map = map.map(|text| NameMap::parse(text, "names.toml").expect("a map"));
        read(&[self.path()], map.as_ref(), &declared)
    }

    fn comes_back(&self, imported: &Imported) {
        assert_eq!(imported.model.spec(), self.model.spec());
        assert_eq!(imported.model.named_tensors(), self.model.named_tensors());
    }
}

const ARCHITECTURES: [&str; 6] = [
    "35-2",
    "20-12-3",
    "48-12-7-1",
    "9-12-12-4",
    "27-30-16-8-40",
    "6-6-6-6",
];

#[test]
fn names_of_this_program_and_prefixes() {
    for kind in ModelKind::ALL {
        for architecture in ARCHITECTURES {
            for likelihood in [
                "bernoulli",
                "gaussian-identity/scalar",
                "laplace/per-pixel",
                "gaussian/decoder",
            ] {
                let case = Case::of(model(kind, architecture, likelihood));
                for prefix in ["", "module.", "_orig_mod.", "model.vae."] {
                    let imported = case.import(None, |tensor| NamedTensor {
                        name: format!("{prefix}{}", tensor.name),
                        ..tensor
                    });
                    case.comes_back(&imported);
                }
            }
        }
    }
}

#[test]
fn kernels_lie_the_other_way() {
    for architecture in ["35-2", "20-12-3", "9-12-12-4", "27-30-16-8-40"] {
        let case = Case::of(model(ModelKind::Vae, architecture, "bernoulli"));
        let imported = case.import(None, |tensor| {
            let name = tensor
                .name
                .replace(".weight", "/kernel:0")
                .replace(".bias", "/bias:0");
            transposed(NamedTensor { name, ..tensor })
        });
        case.comes_back(&imported);
        assert!(imported.names["mu"].ends_with(", transposed"));
    }
}

#[test]
fn names_that_say_nothing_are_told_by_widths_and_order() {
    let case = Case::of(model(ModelKind::Vae, "27-30-16-2", "bernoulli"));
    let names = [
        "encoder.0",
        "encoder.2",
        "mu",
        "log_var",
        "decoder.0",
        "decoder.2",
        "decoder.4",
    ];
    let numbered = |tensor: NamedTensor<f32>| {
        let (stem, part) = tensor.name.rsplit_once('.').expect("a part");
        let index = names
            .iter()
            .position(|name| *name == stem)
            .expect("a layer");
        // 10 comes after 9.
        NamedTensor {
            name: format!("layer{}.{part}", index + 7),
            ..tensor
        }
    };
    let imported = case.import(None, numbered);
    case.comes_back(&imported);
    assert!(
        imported
            .assumed
            .join("\n")
            .contains("layer9 is taken for mu")
    );
    // The other way round it has to be said.
    let exchanged = |tensor: NamedTensor<f32>| {
        let tensor = numbered(tensor);
        let name = match tensor.name.split_once('.') {
            Some(("layer9", part)) => format!("layer10.{part}"),
            Some(("layer10", part)) => format!("layer9.{part}"),
            _ => tensor.name.clone(),
        };
        NamedTensor { name, ..tensor }
    };
    let imported = case.import(Some("mu = \"layer10\""), exchanged);
    case.comes_back(&imported);
    assert!(!imported.assumed.join("\n").contains("taken for mu"));
}

#[test]
fn a_map_can_say_everything() {
    let case = Case::of(model(ModelKind::Vae, "6-6-6", "gaussian/scalar"));
    let letters = [
        ("encoder.0", "a"),
        ("mu", "b"),
        ("log_var", "c"),
        ("decoder.0", "d"),
        ("decoder.2", "e"),
    ];
    let scrambled = |tensor: NamedTensor<f32>| {
        if tensor.name == "likelihood.log_sigma" {
            return NamedTensor {
                name: "spread".into(),
                ..tensor
            };
        }
        let (stem, part) = tensor.name.rsplit_once('.').expect("a part");
        let (_, letter) = letters
            .iter()
            .find(|(name, _)| *name == stem)
            .expect("a layer");
        transposed(NamedTensor {
            name: format!("{letter}.{part}"),
            ..tensor
        })
    };
    let map = "\
        encoder.0 = { name = \"a\", transpose = true }\n\
        mu.weight = { name = \"b.weight\", transpose = true }\n\
        mu.bias = \"b.bias\"\n\
        log_var = { name = \"c\", transpose = true }\n\
        \"decoder.0\" = { name = \"d\", transpose = true }\n\
        \"decoder.2\" = { name = \"e\", transpose = true }\n\
        \"likelihood.log_sigma\" = \"spread\"\n";
    case.comes_back(&case.import(Some(map), scrambled));
}

#[test]
fn two_stochastic_layers_come_back_under_their_names() {
    for architecture in ["20-12-6/6-9-3", "20-6/6-3", "15-8-8-5/5-2"] {
        let case = Case::of(model(ModelKind::Vae, architecture, "bernoulli"));
        case.comes_back(&case.import(None, |tensor| tensor));
    }
}

#[test]
fn what_is_said_of_two_stochastic_layers_has_to_be_so() {
    let case = Case::of(model(ModelKind::Vae, "20-12-6/6-9-3", "bernoulli"));
    write(&case.path(), &case.model.named_tensors());
    for (declared, expected) in [
        (
            Declared {
                kind: Some(ModelKind::Ae),
                ..Declared::default()
            },
            "its model is vae, but ae was given",
        ),
        (
            Declared {
                posterior_scale: Some(PosteriorScale::LogSigma),
                ..Declared::default()
            },
            "its posterior's scale is log-variance, but log-sigma was given",
        ),
    ] {
        let message = read(&[case.path()], None, &declared)
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_values_are_standardised_by_comes_back() {
    let tensor = |name: &str, values: [f32; 9]| NamedTensor {
        name: name.into(),
        shape: vec![9],
        values: values.into(),
    };
    let repeated = |three: [f32; 3]| -> [f32; 9] { std::array::from_fn(|at| three[at % 3]) };
    let mean = repeated([0.5, -1.0, 2.0]);
    let deviation = repeated([1.5, 0.25, 3.0]);
    for architecture in ["9-7-2", "9-5-4/4-3-2"] {
        for prefix in ["", "module."] {
            let case = Case::of(model(ModelKind::Vae, architecture, "gaussian-identity/0.5"));
            // Names of two stochastic layers stand alone.
            let prefix = if architecture.contains('/') {
                ""
            } else {
                prefix
            };
            let mut tensors = case.model.named_tensors();
            tensors.push(tensor("standardisation.mean", mean));
            tensors.push(tensor("standardisation.deviation", deviation));
            for tensor in &mut tensors {
                tensor.name = format!("{prefix}{}", tensor.name);
            }
            write(&case.path(), &tensors);
            let imported = case.read(None).expect("a model");
            case.comes_back(&imported);
            let found = imported.model.standardisation().expect("standardised");
            assert_eq!(found.mean(), mean);
            assert_eq!(found.deviation(), deviation);
            // Half of it, and what nothing can be divided by.
            let whole = tensors.clone();
            tensors.retain(|tensor| !tensor.name.ends_with("deviation"));
            write(&case.path(), &tensors);
            let message = case.read(None).unwrap_err().to_string();
            assert!(
                message.contains("without standardisation.deviation"),
                "{message}"
            );
            let mut tensors = whole;
            for tensor in &mut tensors {
                if tensor.name.ends_with("deviation") {
                    tensor.values[3] = 0.0;
                }
            }
            write(&case.path(), &tensors);
            let message = case.read(None).unwrap_err().to_string();
            assert!(
                message.contains("feature 3 has mean 0.5 and deviation 0"),
                "{message}"
            );
        }
    }
}

#[test]
fn files_of_this_program_need_no_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    let mut spec = model(ModelKind::Vae, "20-12-3", "gaussian/0.25")
        .spec()
        .clone();
    spec.architecture.activation = Activation::Tanh;
    spec.posterior_scale = PosteriorScale::LogSigma;
    let model = Model::new(spec, Initialisation::Glorot, 3)
        .expect("a model")
        .with_shape("5x4")
        .expect("its shape");
    model.save(&path, &Default::default()).expect("writable");
    let imported = read(std::slice::from_ref(&path), None, &Declared::default()).expect("its own");
    assert_eq!(imported.model, model);
    assert_eq!(imported.assumed, [] as [String; 0]);
    let declared = Declared {
        likelihood: Some(Likelihood::Bernoulli),
        ..Declared::default()
    };
    let message = read(&[path], None, &declared).unwrap_err().to_string();
    assert!(
        message.contains("gaussian/0.25, but bernoulli was given"),
        "{message}"
    );
}

#[test]
fn weights_that_are_not_numbers_are_refused() {
    let case = Case::of(model(ModelKind::Ae, "8-4-2", "bernoulli"));
    let mut tensors = case.model.named_tensors();
    tensors[0].values[3] = f32::NAN;
    write(&case.path(), &tensors);
    let message = case.read(None).unwrap_err().to_string();
    assert!(
        message.contains("model.safetensors: the weight of encoder.0 holds NaN"),
        "{message}"
    );
}
