//! Model and state files: round trips, and every way they can be wrong.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use models::{
    Activation, CheckpointError, Initialisation, Likelihood, Model, ModelKind, ModelSpec,
    PosteriorScale, Trainer, TrainingConfig,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

fn model(kind: ModelKind, architecture: &str) -> Model {
    let spec = ModelSpec {
        kind,
        architecture: architecture.parse().unwrap(),
        likelihood: Likelihood::Bernoulli,
        posterior_scale: Default::default(),
    };
    Model::new(spec, Initialisation::PyTorchUniform, 3).unwrap()
}

/// Rewrites a file, as one from before there were seals, after `change` to its
/// tensors (name → type, shape, bytes)
/// and metadata.
fn rewrite(
    path: &Path,
    change: impl FnOnce(
        &mut BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
        &mut HashMap<String, String>,
    ),
) {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: BTreeMap<_, _> = file
        .iter()
        .map(|(name, view)| {
            (
                name.to_owned(),
                (view.dtype(), view.shape().to_vec(), view.data().to_vec()),
            )
        })
        .collect();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    for json in metadata.values_mut() {
        let mut entries: BTreeMap<String, String> = serde_json::from_str(json).unwrap();
        entries.remove("sha256");
        let format = entries.get_mut("format").unwrap();
        *format = format.replace(" 2", " 1");
        *json = serde_json::to_string(&entries).unwrap();
    }
    change(&mut tensors, &mut metadata);
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

/// Both files as they were written before objectives and the posterior's
/// scale could be chosen.
#[test]
fn files_that_name_no_objective_are_of_the_plain_elbo() {
    let folder = tempfile::tempdir().unwrap();
    let (path, state) = (
        folder.path().join("model.safetensors"),
        folder.path().join("state.safetensors"),
    );
    let images: Arc<[u8]> = vec![7; 20 * 30].into();
    let trainer = || {
        let config = TrainingConfig {
            batch: 8,
            ..TrainingConfig::standard(3)
        };
        Trainer::new(model(ModelKind::Vae, "20-5-3"), config, images.clone()).unwrap()
    };
    let mut whole = trainer();
    whole.step().unwrap();
    whole.save_state(&state, &Default::default()).unwrap();
    whole.model().save(&path, &BTreeMap::new()).unwrap();
    for file in [&path, &state] {
        rewrite(file, |tensors, metadata| {
            tensors.remove("epoch_loss");
            let json = metadata.get_mut("latent_atlas").unwrap();
            let mut entries: BTreeMap<String, String> = serde_json::from_str(json).unwrap();
            entries.remove("posterior_scale").unwrap();
            entries.remove("objective");
            *json = serde_json::to_string(&entries).unwrap();
        });
    }
    assert_eq!(&Model::load(&path).unwrap(), whole.model());
    let mut resumed = trainer();
    resumed.load_state(&state).unwrap();
    let (found, expected) = (
        resumed.run_epoch(&mut |_| {}).unwrap(),
        whole.run_epoch(&mut |_| {}).unwrap(),
    );
    assert_eq!(found.reconstruction, expected.reconstruction);
    assert!((found.loss - expected.loss).abs() < 1e-12);
    assert_eq!(resumed.model(), whole.model());
}

#[test]
fn the_scale_of_the_posterior_names_its_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut spec = model(ModelKind::Vae, "20-5-3").spec().clone();
    spec.posterior_scale = PosteriorScale::LogSigma;
    let model = Model::new(spec, Initialisation::PyTorchUniform, 3).unwrap();
    let tensors = model.named_tensors();
    let names: Vec<_> = tensors.iter().map(|tensor| &*tensor.name).collect();
    assert!(names.contains(&"log_sigma.weight") && !names.contains(&"log_var.weight"));
    model.save(&path, &BTreeMap::new()).unwrap();
    let loaded = Model::load(&path).unwrap();
    assert_eq!(loaded.spec().posterior_scale, PosteriorScale::LogSigma);
    assert_eq!(loaded, model);
}

#[test]
fn a_model_file_round_trips_and_is_deterministic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for kind in ModelKind::ALL {
        for architecture in ["20-3", "20-17-3", "20-17-9-3"] {
            let mut model = model(kind, architecture);
            if architecture == "20-17-3" {
                let mut spec = model.spec().clone();
                spec.architecture.activation = Activation::Tanh;
                model = Model::from_named_tensors(spec, model.named_tensors()).unwrap();
            }
            let metadata: BTreeMap<_, _> = (0..20)
                .map(|i| (format!("key {i}"), format!("é \"{i}\"")))
                .collect();
            model.save(&path, &metadata).unwrap();
            let bytes = fs::read(&path).unwrap();
            let (loaded, found) = Model::load_with_metadata(&path).unwrap();
            assert_eq!(loaded, model);
            assert!(
                metadata
                    .iter()
                    .all(|(key, value)| found.get(key) == Some(value))
            );
            for _ in 0..5 {
                loaded.save(&path, &found).unwrap();
                assert!(fs::read(&path).unwrap() == bytes, "{kind} {architecture}");
            }
        }
    }
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(
        names,
        ["model.safetensors"],
        "a temporary file was left behind"
    );
}

#[test]
fn tensors_have_pytorch_names_and_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = model(ModelKind::Vae, "20-17-3");
    model.save(&path, &BTreeMap::new()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let shapes: BTreeMap<_, _> = file
        .iter()
        .map(|(name, view)| (name.to_owned(), view.shape().to_vec()))
        .collect();
    let expected = [
        ("decoder.0.bias", vec![17]),
        ("decoder.0.weight", vec![17, 3]),
        ("decoder.2.bias", vec![20]),
        ("decoder.2.weight", vec![20, 17]),
        ("encoder.0.bias", vec![17]),
        ("encoder.0.weight", vec![17, 20]),
        ("log_var.bias", vec![3]),
        ("log_var.weight", vec![3, 17]),
        ("mu.bias", vec![3]),
        ("mu.weight", vec![3, 17]),
    ];
    assert_eq!(
        shapes,
        expected
            .map(|(name, shape)| (name.to_owned(), shape))
            .into()
    );
}

#[test]
fn a_wrong_model_file_is_named_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let file = path.display().to_string();
    let save = || {
        model(ModelKind::Vae, "20-17-3")
            .save(&path, &BTreeMap::new())
            .unwrap()
    };
    let refused = || {
        let message = Model::load(&path).unwrap_err().to_string();
        assert!(
            message.contains(&file) && !message.contains('\n'),
            "{message}"
        );
        message
    };

    save();
    rewrite(&path, |tensors, _| drop(tensors.remove("mu.bias")));
    assert!(refused().ends_with("tensor mu.bias is missing; expected it with shape [3]"));
    save();
    rewrite(&path, |tensors, _| {
        let tensor = tensors["mu.bias"].clone();
        tensors.insert("gamma".into(), tensor);
    });
    assert!(refused().contains("tensor gamma is unknown"));
    save();
    rewrite(&path, |tensors, _| {
        tensors.get_mut("mu.weight").unwrap().1 = vec![17, 3]
    });
    assert!(refused().ends_with("tensor mu.weight has shape [17, 3]; expected [3, 17]"));
    save();
    rewrite(&path, |tensors, _| {
        let bytes = &mut tensors.get_mut("encoder.0.weight").unwrap().2;
        bytes[40..44].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(
        refused().ends_with(
            "tensor encoder.0.weight holds NaN at index 10; expected finite values only"
        )
    );
    save();
    rewrite(&path, |tensors, _| {
        tensors.get_mut("mu.bias").unwrap().0 = Dtype::I32
    });
    assert!(refused().contains("tensor mu.bias holds I32, expected F32"));
    save();
    rewrite(&path, |_, metadata| metadata.clear());
    assert!(refused().contains("metadata \"format\" is missing; expected latent-atlas model 2"));
    for (from, to, expected) in [
        (
            "model 1",
            "model 3",
            "is damaged: its checksum does not fit",
        ),
        (
            "\"vae\"",
            "\"vea\"",
            "metadata \"kind\" is \"vea\"; expected ae, vae",
        ),
        (
            "20-17-3",
            "20-x-3",
            "metadata \"architecture\" is \"20-x-3\"",
        ),
        (
            "20-17-3",
            "20-18-3",
            "tensor encoder.0.weight has shape [17, 20]; expected [18, 20]",
        ),
        (
            "relu",
            "identity",
            "the activation is \"identity\"; expected relu or tanh",
        ),
        (
            "bernoulli",
            "poisson",
            "metadata \"likelihood\" is \"poisson\"; expected bernoulli",
        ),
    ] {
        save();
        rewrite(&path, |_, metadata| {
            metadata
                .values_mut()
                .for_each(|json| *json = json.replace(from, to))
        });
        assert!(refused().contains(expected), "{}", refused());
    }
}

/// Its weights would take petabytes: what is not there is said before room is
/// made for it.
#[test]
fn absurd_widths_are_refused_before_anything_of_them_is_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model(ModelKind::Vae, "20-17-3")
        .save(&path, &BTreeMap::new())
        .unwrap();
    let wide = ["65536"; 100_000].join("-");
    rewrite(&path, |_, metadata| {
        let text = metadata.get_mut("latent_atlas").unwrap();
        assert!(text.contains("20-17-3"), "{text}");
        *text = text.replace("20-17-3", &wide);
    });
    let message = Model::load(&path).unwrap_err().to_string();
    assert!(
        message.ends_with("has shape [17, 20]; expected [65536, 65536]"),
        "{message}"
    );
}

#[test]
fn a_changed_bit_anywhere_in_a_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (model, state) = (folder.path().join("model"), folder.path().join("state"));
    let images = Arc::<[u8]>::from([7; 60]);
    let network = self::model(ModelKind::Vae, "20-3-2");
    let mut trainer = Trainer::new(network, TrainingConfig::standard(1), images).unwrap();
    trainer.step().unwrap();
    trainer.model().save(&model, &BTreeMap::new()).unwrap();
    let attachments = BTreeMap::from([("metrics".to_owned(), b"{}\n".to_vec())]);
    trainer.save_state(&state, &attachments).unwrap();
    assert_eq!(trainer.load_state(&state).unwrap(), attachments);
    for path in [&model, &state] {
        let mut bytes = fs::read(path).unwrap();
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(path, &bytes).unwrap();
            let read = match path == &model {
                true => Model::load(path).map(drop),
                false => trainer.load_state(path).map(drop),
            };
            let message = read.expect_err("a changed bit").to_string();
            assert!(message.contains(&path.display().to_string()), "{message}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn what_a_damaged_file_holds_does_not_break_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    // The parser names the tensor in its error.
    let header = br#"{"co\nder.0.weight":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend([0; 8]);
    fs::write(&path, bytes).unwrap();
    let sentence = Model::load(&path).unwrap_err().to_string();
    assert!(sentence.contains("der.0.weight"), "{sentence}");
    assert!(!sentence.contains(char::is_control), "{sentence}");
}

#[test]
fn damaged_and_absent_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model(ModelKind::Ae, "20-3")
        .save(&path, &BTreeMap::new())
        .unwrap();
    let bytes = fs::read(&path).unwrap();
    for len in [0, 4, 8, 100, bytes.len() - 1] {
        fs::write(&path, &bytes[..len]).unwrap();
        assert!(
            matches!(Model::load(&path), Err(CheckpointError::Format { .. })),
            "{len} bytes"
        );
    }
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(matches!(
        Model::load(&path),
        Err(CheckpointError::Format { .. })
    ));
    let absent = folder.path().join("absent.safetensors");
    let message = Model::load(&absent).unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("cannot read {}", absent.display())),
        "{message}"
    );
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder
        .path()
        .join("no such folder")
        .join("model.safetensors");
    let model = model(ModelKind::Ae, "20-3");
    let message = model
        .save(&missing, &BTreeMap::new())
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with(&format!("cannot write {}", missing.display())),
        "{message}"
    );
    // A folder cannot be replaced by a file: the rename fails.
    let occupied = folder.path().join("model.safetensors");
    fs::create_dir(&occupied).unwrap();
    assert!(matches!(
        model.save(&occupied, &BTreeMap::new()),
        Err(CheckpointError::Write { .. })
    ));
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["model.safetensors"]);
}

#[test]
fn a_state_of_another_run_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    let images: Arc<[u8]> = (0..20 * 30_u32).map(|i| (i % 256) as u8).collect();
    let config = TrainingConfig {
        batch: 8,
        ..TrainingConfig::standard(1)
    };
    let trainer = |kind, architecture: &str, config: &TrainingConfig, count: usize| {
        Trainer::new(
            model(kind, architecture),
            config.clone(),
            Arc::<[u8]>::from(&images[..count * 20]),
        )
        .unwrap()
    };
    let mut source = trainer(ModelKind::Vae, "20-17-3", &config, 30);
    source.run_epoch(&mut |_| {}).unwrap();
    source.save_state(&path, &Default::default()).unwrap();

    let refused = |mut target: Trainer| {
        let before = target.model().clone();
        let message = target.load_state(&path).unwrap_err().to_string();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
        assert_eq!(
            (target.model(), target.epoch(), target.steps()),
            (&before, 0, 0)
        );
        message
    };
    let message = refused(trainer(ModelKind::Ae, "20-17-3", &config, 30));
    assert!(
        message.ends_with("metadata \"kind\" is vae; expected ae"),
        "{message}"
    );
    let message = refused(trainer(ModelKind::Vae, "20-16-3", &config, 30));
    assert!(
        message.ends_with("metadata \"architecture\" is 20-17-3 relu; expected 20-16-3 relu"),
        "{message}"
    );
    let message = refused(trainer(
        ModelKind::Vae,
        "20-17-3",
        &TrainingConfig {
            seed: 2,
            ..config.clone()
        },
        30,
    ));
    assert!(
        message.ends_with("metadata \"seed\" is 1; expected 2"),
        "{message}"
    );
    let message = refused(trainer(
        ModelKind::Vae,
        "20-17-3",
        &TrainingConfig {
            batch: 9,
            ..config.clone()
        },
        30,
    ));
    assert!(
        message.ends_with("metadata \"batch\" is 8; expected 9"),
        "{message}"
    );
    let message = refused(trainer(ModelKind::Vae, "20-17-3", &config, 29));
    assert!(
        message.ends_with("metadata \"images\" is 30; expected 29"),
        "{message}"
    );

    rewrite(&path, |tensors, _| {
        drop(tensors.remove("adam.second_moment.mu.bias"))
    });
    let message = refused(trainer(ModelKind::Vae, "20-17-3", &config, 30));
    assert!(message.contains("tensor mu.bias is missing"), "{message}");
    source.save_state(&path, &Default::default()).unwrap();
    rewrite(&path, |tensors, _| {
        tensors.get_mut("counters").unwrap().2[16] = 200
    });
    let message = refused(trainer(ModelKind::Vae, "20-17-3", &config, 30));
    assert!(message.contains("counters"), "{message}");
    source.model().save(&path, &BTreeMap::new()).unwrap();
    let message = refused(trainer(ModelKind::Vae, "20-17-3", &config, 30));
    assert!(
        message.contains("metadata \"format\" is \"latent-atlas model 2\""),
        "{message}"
    );
}
