//! `--format tensorboard`: every record checked, every message decoded.

use exports::tensorboard;
use runs::apply::Kind;
use tempfile::tempdir;

use crate::support::*;

fn event_file_of(run: &exports::ExportedRun, folder: &std::path::Path) -> Vec<Told> {
    let (path, exported) = exported_twice(folder, ["tb-1", "tb-2"], Kind::Folder, |destination| {
        tensorboard::export(run, destination, &mut |_| {})
    });
    assert_eq!(exported.files.len(), 1);
    assert!(exported.files[0].starts_with(&path));
    event_file(&exported.files[0])
}

#[test]
fn a_run_is_told_by_epochs() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let run = trained(folder.path(), &data, &["data.validation=20"]);
    let told = event_file_of(&run, folder.path());
    let metrics = run.folder().read_metrics().unwrap();
    assert_eq!(metrics.len(), 3);
    for metrics in &metrics {
        let validation = metrics.validation.unwrap();
        for (tag, expected) in [
            ("loss/train", metrics.train.loss),
            ("loss/test", metrics.test.loss),
            ("loss/validation", validation.loss),
            ("reconstruction/train", metrics.train.reconstruction),
            ("reconstruction/test", metrics.test.reconstruction),
            ("kl/train", metrics.train.kl),
            ("kl/test", metrics.test.kl),
            ("learning_rate", metrics.learning_rate.unwrap()),
        ] {
            let of_epoch = |told: &&Told| told.tag == tag && told.step == metrics.epoch as u64;
            let found: Vec<f32> = told
                .iter()
                .filter(of_epoch)
                .filter_map(Told::scalar)
                .collect();
            assert_eq!(found, [expected as f32], "{tag} of epoch {}", metrics.epoch);
        }
    }
    // The settings, as they can be trained with again.
    let settings = told
        .iter()
        .find(|told| told.tag == "configuration/text_summary");
    let settings = settings.expect("the settings");
    let metadata = fields(field(&settings.fields, 9).unwrap().bytes());
    let plugin = fields(field(&metadata, 1).unwrap().bytes());
    assert_eq!(field(&plugin, 1).unwrap().text(), "text");
    let tensor = fields(field(&settings.fields, 8).unwrap().bytes());
    let text = field(&tensor, 8).unwrap().text();
    assert!(
        text.starts_with("```toml\n") && text.contains("epochs = 3"),
        "{text}"
    );
}

#[test]
fn pictures_and_distributions_are_of_the_last_weights() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let run = trained(folder.path(), &data, &[]);
    let told = event_file_of(&run, folder.path());
    let images: Vec<&Told> = told
        .iter()
        .filter(|told| field(&told.fields, 4).is_some())
        .collect();
    let of_tag = |tag: &'static str| images.iter().filter(move |told| told.tag == tag);
    // Of the beginning and of three epochs.
    let steps: Vec<u64> = of_tag("pictures/codes").map(|told| told.step).collect();
    assert_eq!(steps, [0, 1, 2, 3]);
    for tag in ["pictures/map", "pictures/reconstructions"] {
        let [told] = of_tag(tag).collect::<Vec<_>>()[..] else {
            panic!("one {tag}");
        };
        assert_eq!(told.step, 3);
        let image = fields(field(&told.fields, 4).unwrap().bytes());
        let png = viz::decode_png(field(&image, 4).unwrap().bytes()).unwrap();
        let (width, height) = (png.as_ref().width() as u64, png.as_ref().height() as u64);
        assert_eq!(field(&image, 1), Some(&Field::Varint(height)));
        assert_eq!(field(&image, 2), Some(&Field::Varint(width)));
        assert_eq!(field(&image, 3), Some(&Field::Varint(1)), "grey");
        if tag == "pictures/map" {
            // 21 tiles of 7 × 5, enlarged by one factor.
            let scale = width / (21 * 7);
            assert_eq!((width, height), (21 * 7 * scale, 21 * 5 * scale));
        }
    }
    for tensor in run.model().named_tensors() {
        let tag = format!("weights/{}", tensor.name);
        let told = told
            .iter()
            .find(|told| told.tag == tag)
            .expect("a histogram");
        let histogram = fields(field(&told.fields, 5).unwrap().bytes());
        let number = |at: u64| field(&histogram, at).map_or(0.0, Field::double);
        assert_eq!(number(3), tensor.values.len() as f64, "{tag}");
        let sum: f64 = tensor.values.iter().map(|&value| f64::from(value)).sum();
        assert!((number(4) - sum).abs() < 1e-9, "{tag}");
        let buckets = field(&histogram, 7).unwrap().bytes().as_chunks::<8>().0;
        let counted: f64 = buckets.iter().map(|&bytes| f64::from_le_bytes(bytes)).sum();
        assert_eq!(counted, number(3), "{tag}");
    }
    for tag in ["codes/mu1", "codes/mu2", "codes/log_var1", "codes/log_var2"] {
        assert!(told.iter().any(|told| told.tag == tag), "{tag}");
    }
}

#[test]
fn every_model_and_shape_has_a_file() {
    for (shape, settings) in [
        ((6, 4, 3), &["model.kind=ae", "model.latent=3"][..]),
        ((4, 4, 1), &["model.latent=1"]),
        ((4, 9, 1), &["model.hidden=[]", "model.latent=20"]),
        ((5, 5, 1), &["model.kind=ae-l2"]),
    ] {
        let folder = tempdir().unwrap();
        let data = images(folder.path(), shape.0, shape.1, shape.2);
        let run = trained(folder.path(), &data, settings);
        let told = event_file_of(&run, folder.path());
        assert!(
            told.iter().any(|told| told.tag == "pictures/map"),
            "{settings:?}"
        );
        let is_vae = run.model().spec().kind.is_variational();
        assert_eq!(told.iter().any(|told| told.tag == "kl/test"), is_vae);
    }
    let folder = tempdir().unwrap();
    let settings = [
        "model.likelihood=gaussian-identity",
        "data.standardise=true",
    ];
    let run = trained(folder.path(), &vectors(folder.path()), &settings);
    let told = event_file_of(&run, folder.path());
    assert!(
        told.iter()
            .any(|told| told.tag == "pictures/reconstructions")
    );
}
