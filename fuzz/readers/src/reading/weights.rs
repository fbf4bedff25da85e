//! Weights and states of training.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use evaluation::classifier::{Classifier, ClassifierOptions};
use models::{Initialisation, Likelihood, Model, ModelKind, ModelSpec, Trainer, TrainingConfig};
use ndarray::Array2;

use super::{get, of_file, sentence};
use crate::Opened;

const ONE_LAYER: &str = "16-4-2";
const TWO_LAYERS: &str = "16-4-3/3-4-2";

/// Twelve images of sixteen pixels.
fn images() -> Arc<[u8]> {
    (0..12 * 16).map(|at| (at * 37 % 256) as u8).collect()
}

fn config() -> TrainingConfig {
    TrainingConfig {
        batch: 5,
        ..TrainingConfig::standard(7)
    }
}

fn trained(kind: ModelKind, architecture: &str, likelihood: &str) -> Trainer {
    let likelihood: Likelihood = likelihood.parse().expect("a likelihood");
    let spec = ModelSpec {
        kind,
        architecture: architecture.parse().expect("an architecture"),
        likelihood,
        posterior_scale: models::PosteriorScale::default(),
    };
    let model = Model::new(spec, Initialisation::PyTorchUniform, 7).expect("a model");
    let model = model.with_shape("4x4").expect("its pixels");
    let mut trainer = Trainer::new(model, config(), images()).expect("images of the model");
    for _ in 0..4 {
        trainer.step().expect("finite losses");
    }
    trainer
}

fn saved(place: &Path, save: impl FnOnce(&Path)) -> Vec<u8> {
    let path = place.join("saved");
    save(&path);
    get(&path)
}

fn metadata() -> BTreeMap<String, String> {
    BTreeMap::from([("epochs".to_owned(), "2".to_owned())])
}

/// What a run keeps in its state: a file of its own.
fn attachments() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("metrics.jsonl".to_owned(), b"{\"epoch\":1}\n".to_vec())])
}

pub(crate) fn model(place: &Path) -> Opened {
    let files = [
        (ModelKind::Vae, ONE_LAYER, "bernoulli"),
        (ModelKind::Ae, ONE_LAYER, "continuous-bernoulli"),
        (ModelKind::Vae, ONE_LAYER, "gaussian/per-pixel"),
        (ModelKind::Vae, TWO_LAYERS, "bernoulli"),
    ]
    .map(|(kind, architecture, likelihood)| {
        let trainer = trained(kind, architecture, likelihood);
        saved(place, |path| {
            trainer.model().save(path, &metadata()).expect("a file");
        })
    });
    of_file(place, "model.safetensors", files.to_vec(), |path| {
        sentence(Model::load(path))
    })
}

pub(crate) fn state(place: &Path) -> Opened {
    state_of(place, ONE_LAYER)
}

pub(crate) fn two_layer_state(place: &Path) -> Opened {
    state_of(place, TWO_LAYERS)
}

fn state_of(place: &Path, architecture: &str) -> Opened {
    let mut trainer = trained(ModelKind::Vae, architecture, "bernoulli");
    let file = saved(place, |path| {
        trainer.save_state(path, &attachments()).expect("a file")
    });
    of_file(place, "state.safetensors", vec![file], move |path| {
        let loaded = trainer.load_state(path);
        if loaded.is_ok() {
            // What was read is gone on with, whatever it counts.
            let _ = trainer.step();
        }
        sentence(loaded)
    })
}

pub(crate) fn classifier(place: &Path) -> Opened {
    let images = Array2::from_shape_vec((12, 16), images().to_vec()).expect("twelve images");
    let labels: Vec<u32> = (0..12).map(|image| image % 3).collect();
    let options = ClassifierOptions {
        hidden: vec![5, 4],
        epochs: 1,
        batch: 4,
        ..ClassifierOptions::default()
    };
    let mut classifier =
        Classifier::train(images.view(), &labels, 3, &options).expect("a classifier");
    classifier
        .measure_test_accuracy(images.view(), &labels)
        .expect("an accuracy");
    let file = saved(place, |path| classifier.save(path).expect("a file"));
    of_file(place, "classifier.safetensors", vec![file], |path| {
        sentence(Classifier::load(path))
    })
}
