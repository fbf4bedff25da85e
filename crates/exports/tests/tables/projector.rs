//! `--format projector`: a folder of which every file says the same.

use std::fs;

use exports::projector;
use exports::rows::SplitChoice;
use runs::apply::Kind;
use serde_json::Value;
use tempfile::tempdir;
use viz::Rgb;

use crate::support::*;

#[test]
fn every_row_has_a_code_a_line_and_a_picture() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let run = trained(folder.path(), &data, &[]);
    let names = ["projector-1", "projector-2"];
    let (path, exported) = exported_twice(folder.path(), names, Kind::Folder, |destination| {
        projector::export(&run, SplitChoice::Test, None, destination, &mut |_| {})
    });
    assert_eq!(exported.rows, Some(TEST));
    let text = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    let tensors = text("tensors.tsv");
    let codes = &run.data(&mut |_| {}).unwrap().run;
    let codes = codes
        .codes(&run.data(&mut |_| {}).unwrap().dataset.test)
        .unwrap();
    assert_eq!(tensors.lines().count(), TEST);
    for (line, code) in tensors.lines().zip(codes.mean.outer_iter()) {
        let values: Vec<f32> = line.split('\t').map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(values, [code.to_vec(), vec![0.0]].concat());
    }
    let metadata = text("metadata.tsv");
    let mut lines = metadata.lines();
    assert_eq!(lines.next(), Some("class\tlabel\tindex\treconstruction"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), TEST);
    for (row, cells) in rows.iter().enumerate() {
        let label = ((TRAIN + row) % 3).to_string();
        assert_eq!(cells[..3], [&label, &label, &row.to_string()]);
    }
    let sprite = viz::decode_png(&fs::read(path.join("sprite.png")).unwrap()).unwrap();
    let sprite = sprite.as_ref();
    // 30 pictures in 6 columns.
    assert_eq!((sprite.width(), sprite.height()), (6 * 7, 5 * 5));
    for row in [0, 5, 6, 29] {
        for (y, x) in [(0, 0), (4, 6), (2, 3)] {
            let grey = pixel(TRAIN + row, &[y, x]);
            let found = sprite.get(row % 6 * 7 + x, row / 6 * 5 + y);
            assert_eq!(found, Rgb(grey, grey, grey), "{row} {x} {y}");
        }
    }
    let config = text("projector_config.pbtxt");
    assert!(config.contains("tensor_path: \"tensors.tsv\""), "{config}");
    assert!(
        config.contains("single_image_dim: 7\n    single_image_dim: 5"),
        "{config}"
    );
    let site: Value = serde_json::from_str(&text("projector.json")).unwrap();
    let embedding = &site["embeddings"][0];
    assert_eq!(embedding["tensorShape"], serde_json::json!([TEST, 3]));
    assert_eq!(
        embedding["sprite"]["singleImageDim"],
        serde_json::json!([7, 5])
    );
    let events = exported
        .files
        .iter()
        .find(|file| file.to_string_lossy().contains("tfevents"));
    assert!(!event_file(events.expect("an event file")).is_empty());
}

#[test]
fn vectors_without_labels_and_a_single_latent_variable_have_one_too() {
    let folder = tempdir().unwrap();
    let settings = ["model.likelihood=gaussian-identity", "model.latent=1"];
    let run = trained(folder.path(), &vectors(folder.path()), &settings);
    let names = ["projector-1", "projector-2"];
    let (path, exported) = exported_twice(folder.path(), names, Kind::Folder, |destination| {
        let base = Some("https://example.org/p");
        projector::export(&run, SplitChoice::All, base, destination, &mut |_| {})
    });
    assert_eq!(exported.rows, Some(200));
    assert!(!path.join("sprite.png").exists());
    let text = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    assert!(
        text("tensors.tsv")
            .lines()
            .all(|line| line.ends_with("\t0\t0"))
    );
    assert_eq!(text("metadata.tsv").lines().count(), 201);
    assert!(text("metadata.tsv").starts_with("index\tsplit\t"));
    assert!(text("projector.json").contains("https://example.org/p/tensors.tsv"));
    assert!(exported.remarks[0].contains("coordinates of 0"));
}
