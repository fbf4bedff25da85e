//! `--format onnx` and `--format python`: folders that appear whole, and say how the run
//! read its rows.

use std::fs;

use exports::rows::{EncodedRows, SplitChoice};
use exports::{Exported, ExportedRun, metadata, onnx, python};
use runs::Error;
use runs::apply::{Destination, Kind};
use tempfile::tempdir;

use crate::support::*;

type Export = fn(&ExportedRun, Destination) -> Result<Exported, Error>;

const FORMATS: [(&str, Export, [&str; 2]); 2] = [
    ("onnx", onnx::export, ["encoder.onnx", "decoder.onnx"]),
    ("python", python::export, ["model.py", "model.safetensors"]),
];

#[test]
fn a_folder_appears_whole_or_not_at_all() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let run = trained(folder.path(), &data, &[]);
    for (name, export, files) in FORMATS {
        let (path, exported) = exported_twice(
            folder.path(),
            [name, &format!("{name}-again")],
            Kind::Folder,
            |destination| export(&run, destination),
        );
        assert_eq!(exported.files, files.map(|file| path.join(file)));
        assert_eq!(contents(&path).len(), 2);
        // What somebody puts there meanwhile is left alone, and nothing is added to it.
        let taken = folder.path().join(format!("{name}-taken"));
        let destination = Destination::open(&taken, false, &[Kind::Folder]).unwrap();
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("letter.txt"), "dear").unwrap();
        let error = export(&run, destination).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}-taken")), "{error}");
        let found: Vec<_> = contents(&taken).into_keys().collect();
        assert_eq!(found, ["letter.txt"]);
    }
    let left = fs::read_dir(folder.path()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name());
    let hidden = names.filter(|name| name.to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0);
}

#[test]
fn files_say_how_the_run_read_its_rows() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let settings = ["data.reading.invert=true", "data.reading.maximum=510.0"];
    let run = trained(folder.path(), &data, &settings);
    // Rows of the graphs are those that the run has: 1 − b / 510.
    let rows = run.data(&mut |_| {}).unwrap();
    let seen = rows.run.seen(&rows.dataset.test).unwrap();
    let mut row = vec![0.0; 35];
    seen.images().read_row(4, &mut row);
    let expected = 1.0 - f32::from(pixel(TRAIN + 4, &[2, 3])) / 510.0;
    assert!((row[2 * 7 + 3] - expected).abs() < 1e-6, "{row:?}");

    let told = "--set data.reading.invert=true --set data.reading.maximum=510.0";
    let [graphs, program] = FORMATS.map(|(name, export, _)| {
        let path = folder.path().join(name);
        export(
            &run,
            Destination::open(&path, false, &[Kind::Folder]).unwrap(),
        )
        .unwrap();
        path
    });
    for name in ["encoder.onnx", "decoder.onnx"] {
        let bytes = fs::read(graphs.join(name)).unwrap();
        let graph = ::onnx::Model::decode(&bytes).unwrap();
        let of_key = graph.metadata.iter().find(|(key, _)| key == "preparation");
        assert_eq!(of_key.map(|(_, value)| value.as_str()), Some(told));
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("as the run read"), "{name}");
    }
    let text = fs::read_to_string(program.join("model.py")).unwrap();
    assert!(text.contains(&format!("--dataset SOURCE {told} -o RUN")));
    assert!(text.contains("as the run read its rows"));
}

#[test]
fn files_of_rows_as_they_come_say_nothing_of_it() {
    let folder = tempdir().unwrap();
    let data = images(folder.path(), 5, 7, 1);
    let run = trained(folder.path(), &data, &[]);
    let entries = metadata::of_run(&run).unwrap();
    assert!(entries.iter().all(|(key, _)| *key != "preparation"));
}

#[test]
fn losses_are_those_at_the_mean_of_the_layer_that_rows_are_decoded_from() {
    for settings in [
        &[][..],
        &["model.kind=ae"],
        &["model.lower_latent=4", "model.upper_hidden=[5]"],
    ] {
        let folder = tempdir().unwrap();
        let data = images(folder.path(), 5, 7, 1);
        let run = trained(folder.path(), &data, settings);
        let rows = EncodedRows::of(&run, SplitChoice::Test, &mut |_| {}).unwrap();
        let data = run.data(&mut |_| {}).unwrap();
        let seen = data.run.seen(&data.dataset.test).unwrap();
        let expected = data.run.model.losses_at_mean(seen.images());
        assert_eq!(rows.reconstruction, expected, "{settings:?}");
        let codes = data.run.model.encode(seen.images());
        assert_eq!(rows.codes.mean, codes.mean, "{settings:?}");
    }
}
