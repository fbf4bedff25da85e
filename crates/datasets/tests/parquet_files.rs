//! Parquet files written by pyarrow, and everything that can be wrong with
//! one.
#![cfg(feature = "parquet")]

use std::fs;
use std::path::{Path, PathBuf};

use datasets::{
    Colour, DataError, Dataset, Kind, LabelColumn, Lookup, Reading, Shape, Source, load_source,
    stream,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/tables")
        .join(name)
}

fn load_as(path: &Path, reading: &Reading) -> Result<Dataset, DataError> {
    let source = Source::Path(path.to_owned());
    load_source(&source, reading, &Lookup::default(), &mut |_| {})
}

fn load(name: &str) -> Dataset {
    load_as(&fixture(name), &Reading::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// All rows in the order of the source, as the numbers they stand for.
fn rows(name: &str, chunk: usize) -> (Shape, Kind, Vec<f32>, Vec<i64>) {
    let source = Source::Path(fixture(name));
    let mut opened = stream(
        &source,
        &Reading::default(),
        &Lookup::default(),
        &mut |_| {},
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    let first = &opened.parts[0];
    let (shape, kind) = (first.shape(), first.kind());
    for part in &mut opened.parts {
        while let Some(chunk) = part.next_chunk(chunk).unwrap() {
            let mut row = vec![0.0; shape.len()];
            for index in 0..chunk.rows.dim().0 {
                chunk.rows.write(index, &mut row);
                values.extend_from_slice(&row);
            }
            labels.extend(chunk.labels.unwrap_or_default());
        }
    }
    (shape, kind, values, labels)
}

/// The values that every fixture holds.
fn unit(count: usize) -> Vec<f32> {
    (0..count)
        .map(|at| (at * 37 % 256) as f32 / 255.0)
        .collect()
}

#[test]
fn images_of_a_hub_have_labels_with_names() {
    let dataset = load("hub.parquet");
    assert_eq!(dataset.shape(), Shape::grey(5, 4));
    assert_eq!(dataset.class_names, ["zero", "one", "two"]);
    assert_eq!(dataset.train.len() + dataset.test.len(), 12);
    assert!(dataset.remarks.is_empty(), "{:?}", dataset.remarks);
    for chunk in [1, 5, 100] {
        let (_, kind, values, labels) = rows("hub.parquet", chunk);
        assert_eq!(kind, Kind::Bytes);
        assert_eq!(values, unit(240));
        assert_eq!(labels, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }
    let names = dataset.train.names().unwrap();
    assert!(names.iter().all(|name| name.ends_with(".png")), "{names:?}");
    let colour = Reading {
        colour: Colour::Rgb,
        labels: LabelColumn::None,
        ..Reading::default()
    };
    let dataset = load_as(&fixture("hub.parquet"), &colour).unwrap();
    assert_eq!(dataset.shape(), Shape::colour(5, 4));
    assert!(!dataset.is_labelled());
}

#[test]
fn images_are_decoded_as_those_of_a_folder() {
    // Grey, a palette, 16 bits, transparent, and turned by its EXIF data.
    let (shape, _, values, labels) = rows("pictures.parquet", 2);
    assert_eq!(shape, Shape::colour(5, 4));
    assert!(labels.is_empty());
    let grey = |level: f32| [level / 255.0].repeat(60);
    assert_eq!(values[..60], grey(51.0));
    assert_eq!(values[60..120], [1.0, 0.0, 0.0, 0.0, 0.0, 1.0].repeat(10));
    assert_eq!(values[120..180], grey(102.0));
    assert_eq!(values[180..240], grey(0.0));
    assert_eq!(values[240..], grey(51.0));
    assert!(load("pictures.parquet").train.names().is_none());
    let white = Reading {
        background: [255; 3],
        colour: Colour::Grey,
        ..Reading::default()
    };
    let dataset = load_as(&fixture("pictures.parquet"), &white).unwrap();
    assert_eq!(dataset.shape(), Shape::grey(5, 4));
    let brightest = [&dataset.train, &dataset.test].map(|split| {
        let images = split.images().bytes().unwrap();
        (0..images.nrows()).any(|row| images.row(row).iter().all(|&byte| byte == 255))
    });
    assert!(brightest.contains(&true), "transparent on white is white");

    // Colour that is none.
    let (shape, _, values, _) = rows("grey-in-colour.parquet", 1);
    assert_eq!(shape, Shape::grey(5, 4));
    assert_eq!(values, [0.2].repeat(40));
}

#[test]
fn images_of_different_sizes_are_resized_when_asked_for() {
    let path = fixture("sizes.parquet");
    let found = load_as(&path, &Reading::default()).unwrap_err().to_string();
    for part in [
        "2 of 5x4, 1 of 3x4 such as row 2 of sizes.parquet",
        "--resize 5x4",
    ] {
        assert!(found.contains(part), "{found}");
    }
    let resized = Reading {
        resize: Some((6, 6)),
        ..Reading::default()
    };
    let dataset = load_as(&path, &resized).unwrap();
    assert_eq!(dataset.shape(), Shape::grey(6, 6));
    assert!(
        dataset
            .train
            .images()
            .bytes()
            .unwrap()
            .iter()
            .all(|&byte| byte == 51)
    );
}

#[test]
fn the_files_of_a_folder_are_one_set() {
    for folder in ["shards", "shards/data"] {
        let dataset = load(folder);
        assert_eq!((dataset.train.len(), dataset.test.len()), (9, 3));
        assert_eq!(dataset.test.labels().unwrap(), [0, 1, 2]);
        assert_eq!(rows(folder, 4).2, unit(240));
    }
    assert_eq!(load("shards").fingerprint, load("keras.npz").fingerprint);
}

#[test]
fn lists_are_vectors_whatever_the_codec_and_the_version() {
    for codec in ["none", "snappy", "gzip"] {
        for version in [1, 2] {
            let name = format!("vectors-{codec}-{version}.parquet");
            let (shape, kind, values, labels) = rows(&name, 5);
            assert_eq!(shape, Shape::Vector { length: 20 }, "{name}");
            assert_eq!(kind, Kind::Floats);
            assert_eq!(values, unit(240), "{name}");
            assert_eq!(labels[..6], [1, 2, 0, 1, 2, 0]);
            assert_eq!(load(&name).class_names, ["cat", "dog", "äpfel"]);
        }
    }
    let (shape, _, values, labels) = rows("fixed-size.parquet", 7);
    assert_eq!(shape, Shape::Vector { length: 20 });
    assert_eq!(values, unit(240));
    assert!(labels.is_empty());
    let (shape, kind, values, _) = rows("byte-lists.parquet", 7);
    assert_eq!((shape, kind), (Shape::Vector { length: 20 }, Kind::Bytes));
    assert_eq!(values, unit(240));
}

#[test]
fn columns_of_numbers_are_a_table_or_pixels() {
    let (shape, kind, values, labels) = rows("columns.parquet", 5);
    assert_eq!((shape, kind), (Shape::Vector { length: 20 }, Kind::Floats));
    assert_eq!(values, unit(240));
    assert_eq!(labels[..4], [0, 1, 2, 0]);
    let (shape, kind, values, _) = rows("pixels.parquet", 5);
    assert_eq!((shape, kind), (Shape::grey(5, 5), Kind::Bytes));
    assert_eq!(values, unit(300));
    assert!(load("pixels.parquet").remarks[0].contains("--shape 25"));
}

#[test]
fn what_is_not_read_is_refused() {
    for (name, parts) in [
        (
            "vectors-zstd-1.parquet",
            ["column embedding", "Zstandard", "compression=\"snappy\""],
        ),
        (
            "vectors-zstd-2.parquet",
            ["column embedding", "Zstandard", "compression=\"snappy\""],
        ),
        (
            "delta.parquet",
            ["column a", "DELTA_BINARY_PACKED", "write the file again"],
        ),
        (
            "null.parquet",
            ["column a", "no value in row 2", "a number"],
        ),
        (
            "ragged.parquet",
            ["column x", "a list of length 1 in row 2", "length 2"],
        ),
        (
            "empty-list.parquet",
            ["column x", "no value in row 1", "a number"],
        ),
        (
            "no-rows.parquet",
            ["no-rows.parquet", "0 rows", "at least 1"],
        ),
    ] {
        let found = load_as(&fixture(name), &Reading::default());
        let found = found.unwrap_err().to_string();
        for part in parts {
            assert!(found.contains(part), "{name}: {found}");
        }
    }
}

fn message(content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.parquet");
    fs::write(&path, content).unwrap();
    let message = load_as(&path, &Reading::default()).unwrap_err().to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn files_that_are_cut_or_changed_are_refused() {
    let content = fs::read(fixture("hub.parquet")).unwrap();
    let found = message(&content[..content.len() - 1]);
    assert!(found.contains("begins and ends with PAR1"), "{found}");
    assert!(message(b"PAR1").contains("PAR1"));
    let mut lengths = content.clone();
    let at = content.len() - 8;
    lengths[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(message(&lengths).contains("PAR1"));
    // A PNG that is none.
    let png = content
        .windows(4)
        .position(|bytes| bytes == b"\x89PNG")
        .unwrap();
    let mut image = content.clone();
    image[png + 1] = b'X';
    let found = message(&image);
    assert!(
        found.contains("column image.bytes") && found.contains("row 0"),
        "{found}"
    );
    // A file that is longer than its page.
    let mut length = content.clone();
    length[png - 1] = 0x7f;
    let found = message(&length);
    assert!(
        found.contains("column image.bytes") && found.contains("damaged"),
        "{found}"
    );
}
