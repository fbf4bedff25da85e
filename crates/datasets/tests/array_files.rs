//! Arrays written by NumPy, and everything that can be wrong with one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use datasets::{
    DataError, Dataset, Kind, Lookup, PartName, Reading, Shape, Source, Split, load_source, stream,
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
fn rows(path: &Path, reading: &Reading) -> (Shape, Kind, Vec<f32>, Vec<i64>) {
    let source = Source::Path(path.to_owned());
    let mut opened = stream(&source, reading, &Lookup::default(), &mut |_| {}).unwrap();
    let part = &mut opened.parts[0];
    let (shape, kind) = (part.shape(), part.kind());
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    // Chunks that do not divide the number of rows.
    while let Some(chunk) = part.next_chunk(5).unwrap() {
        let mut row = vec![0.0; shape.len()];
        for index in 0..chunk.rows.dim().0 {
            chunk.rows.write(index, &mut row);
            values.extend_from_slice(&row);
        }
        labels.extend(chunk.labels.unwrap_or_default());
    }
    (shape, kind, values, labels)
}

/// The bytes that every fixture holds.
fn pixels(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 37 % 256) as u8).collect()
}

fn message(path: &Path) -> String {
    message_as(path, &Reading::default())
}

/// The message of an error, having checked that it is one line and begins
/// with the file.
fn message_as(path: &Path, reading: &Reading) -> String {
    let error = load_as(path, reading).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(&path.display().to_string()) || matches!(error, DataError::Read { .. }),
        "{message}"
    );
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn every_type_and_order_of_numpy_is_read() {
    let bytes = pixels(240);
    let unit: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let whole: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
    for name in [
        "images-u1.npy",
        "images-fortran.npy",
        "version-2.npy",
        "version-3.npy",
    ] {
        let (shape, kind, values, _) = rows(&fixture(name), &Reading::default());
        assert_eq!((shape, kind), (Shape::grey(5, 4), Kind::Bytes), "{name}");
        assert_eq!(values, unit, "{name}");
    }
    for name in [
        "images-i2.npy",
        "images-i4-big.npy",
        "images-i8.npy",
        "images-u2-big.npy",
    ] {
        let (shape, kind, values, _) = rows(&fixture(name), &Reading::default());
        assert_eq!((shape, kind), (Shape::grey(5, 4), Kind::Floats), "{name}");
        assert_eq!(values, whole, "{name}");
    }
    for name in [
        "images-f4.npy",
        "images-f8-big.npy",
        "images-f4-fortran.npy",
    ] {
        assert_eq!(rows(&fixture(name), &Reading::default()).2, unit, "{name}");
    }
    let (_, _, values, _) = rows(&fixture("images-f2.npy"), &Reading::default());
    for (value, exact) in values.iter().zip(&unit) {
        // Eleven bits of a half float.
        assert!((value - exact).abs() <= exact / 2048.0, "{value} {exact}");
    }
    let (_, kind, values, _) = rows(&fixture("images-bool.npy"), &Reading::default());
    assert_eq!(kind, Kind::Bytes);
    let ink: Vec<f32> = bytes
        .iter()
        .map(|&byte| f32::from(u8::from(byte >= 128)))
        .collect();
    assert_eq!(values, ink);
}

#[test]
fn channels_come_last_wherever_they_were() {
    let unit: Vec<f32> = pixels(720).iter().map(|&b| f32::from(b) / 255.0).collect();
    for name in [
        "channels-last.npy",
        "channels-first.npy",
        "channels-first-fortran.npy",
    ] {
        let (shape, _, values, _) = rows(&fixture(name), &Reading::default());
        assert_eq!(shape, Shape::colour(5, 4), "{name}");
        assert_eq!(values, unit, "{name}");
    }
    assert!(load("channels-first.npy").remarks[0].contains("channels first"));
    assert!(load("channels-last.npy").remarks.is_empty());
}

fn labels_of(split: &Split) -> Vec<u32> {
    split.labels().unwrap().to_vec()
}

#[test]
fn archives_have_training_and_test_rows() {
    for name in ["keras.npz", "keras-compressed.npz"] {
        let dataset = load(name);
        assert_eq!((dataset.train.len(), dataset.test.len()), (9, 3));
        assert_eq!(dataset.shape(), Shape::grey(5, 4));
        assert_eq!(labels_of(&dataset.test), [0, 1, 2]);
        let bytes = pixels(240);
        let train = dataset.train.bytes().unwrap();
        assert_eq!(train.as_slice().unwrap(), &bytes[..180]);
        assert!(dataset.remarks.is_empty());
    }
    let medical = load("medical.npz");
    assert_eq!(medical.shape(), Shape::colour(5, 4));
    assert_eq!(labels_of(&medical.train), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    let remark = &medical.remarks[0];
    assert!(
        remark.contains("val_images") && remark.contains("not used"),
        "{remark}"
    );
}

#[test]
fn names_become_classes_in_their_order() {
    let dataset = load("names.npz");
    assert_eq!(dataset.class_names, ["cat", "dog", "äpfel"]);
    assert_eq!(dataset.train.len() + dataset.test.len(), 12);
    let (.., labels) = rows(&fixture("names.npz"), &Reading::default());
    assert_eq!(labels[..6], [1, 2, 0, 1, 2, 0]);
    assert!(
        dataset.remarks[0].contains("\"comment\""),
        "{:?}",
        dataset.remarks
    );
    let (.., labels) = rows(&fixture("bytes-names.npz"), &Reading::default());
    assert_eq!(labels[..3], [1, 0, 2]);
    let (.., labels) = rows(&fixture("float-labels.npz"), &Reading::default());
    assert_eq!(labels[..4], [0, 1, 2, 0]);
}

#[test]
fn arrays_in_fortran_order_are_gathered_unless_they_are_compressed() {
    let (_, _, values, labels) = rows(&fixture("fortran.npz"), &Reading::default());
    let unit: Vec<f32> = pixels(240).iter().map(|&b| f32::from(b) / 255.0).collect();
    assert_eq!(values, unit);
    assert_eq!(labels.len(), 12);
    let message = message(&fixture("fortran-compressed.npz"));
    assert!(message.contains("ascontiguousarray"), "{message}");
}

#[test]
fn what_cannot_be_used_is_said() {
    for (name, parts) in [
        ("objects.npy", &["|O", "pickles"][..]),
        ("one-hot.npz", &["(12, 3)", "argmax"]),
        ("keys.npz", &["\"a\", \"b\"", "x_train"]),
    ] {
        let message = message(&fixture(name));
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    }
}

/// An array file with this header and data.
fn array(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

fn written(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.npy");
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn square_rows_of_bytes_are_images_and_other_rows_vectors() {
    let (_folder, path) = written(&array("|u1", "(3, 16)", &pixels(48)));
    let dataset = load_as(&path, &Reading::default()).unwrap();
    assert_eq!(dataset.shape(), Shape::grey(4, 4));
    assert!(
        dataset.remarks[0].contains("--shape 16"),
        "{:?}",
        dataset.remarks
    );
    let declared = |shape: &str| Reading {
        shape: Some(shape.parse().unwrap()),
        ..Reading::default()
    };
    let dataset = load_as(&path, &declared("2x8")).unwrap();
    assert_eq!(dataset.shape(), Shape::grey(2, 8));
    assert!(dataset.remarks.is_empty());
    let dataset = load_as(&path, &declared("16")).unwrap();
    assert_eq!(dataset.shape(), Shape::Vector { length: 16 });
    assert!(message_as(&path, &declared("3x5")).contains("--shape is 3x5"));
    let (_folder, path) = written(&array("<f4", "(2, 4)", &[0; 32]));
    let dataset = load_as(&path, &Reading::default()).unwrap();
    assert_eq!(dataset.shape(), Shape::Vector { length: 4 });
    let (_folder, path) = written(&array("|u1", "(2, 3, 4, 3)", &pixels(72)));
    assert!(message(&path).contains("--shape"));
    let first = load_as(&path, &declared("4x3x3")).unwrap();
    assert_eq!(first.shape(), Shape::colour(4, 3));
}

#[test]
fn malformed_arrays_are_named() {
    for (content, part) in [
        (array("|u1", "(3, 4, 4)", &pixels(47)), "expected"),
        (
            array("|u1", "(3, 4, 4)", &pixels(49)),
            "for an array of the shape (3, 4, 4)",
        ),
        (array("|u1", "(3,)", &pixels(3)), "reshape"),
        (array("|u1", "()", &pixels(1)), "of the shape ()"),
        (array("|u1", "(3, 0)", &[]), "without values"),
        (array("|u1", "(0, 4)", &[]), "holds 0 rows"),
        (array("|u1", "(1, 4)", &[1; 4]), "holds 1 row"),
        (
            array("|u1", "(2, 1, 1, 1, 1)", &[1; 2]),
            "two to four dimensions",
        ),
        (array("<U1", "(2, 1)", &[0; 8]), "names"),
        (array("<c8", "(2, 1)", &[0; 16]), "<c8"),
        (array("<f4", "(10000000000, 784)", &[0; 64]), "10000000000"),
        (
            array("<f4", "(4294967296, 4294967296, 4)", &[0; 64]),
            "more than can be counted",
        ),
        (
            array("<f4", "(2, 1)", &[0, 0, 0xc0, 0x7f, 0, 0, 0, 0]),
            "NaN",
        ),
        (b"\x93NUMPY\x01".to_vec(), "ends within its header"),
        (b"\x93NUMPY\x09\x00\x00\x00".to_vec(), "version 9"),
        (array("|u1", "(3, 2, 2, 5)", &pixels(60)), "1 or 3 channels"),
    ] {
        let (_folder, path) = written(&content);
        let message = message(&path);
        assert!(message.contains(part), "{message}");
    }
}

/// An archive with stored entries.
fn archive(entries: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.npz");
    let (mut content, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let (start, size) = (content.len() as u32, (data.len() as u32).to_le_bytes());
        let name_length = (name.len() as u16).to_le_bytes();
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &name_length,
            &[0, 0],
        ]
        .concat();
        content.write_all(b"PK\x03\x04").unwrap();
        content.extend(&common);
        content.extend(name.as_bytes());
        content.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let start = content.len() as u32;
    content.extend(&directory);
    content.extend(b"PK\x05\x06\0\0\0\0");
    content.extend([count, count].concat());
    content.extend((directory.len() as u32).to_le_bytes());
    content.extend(start.to_le_bytes());
    content.extend([0, 0]);
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn labels_that_do_not_fit_are_named() {
    let images = array("|u1", "(4, 2, 2)", &pixels(16));
    let eight = |values: &[u64]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let floats = |values: &[f64]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    for (labels, part) in [
        (
            array("<i8", "(3,)", &eight(&[0, 1, 2])),
            "3 labels; expected 4",
        ),
        (array("<i8", "(4,)", &eight(&[0, 1, 2, 1 << 40])), "row 3"),
        (array("<u8", "(4,)", &eight(&[0, 1, u64::MAX, 0])), "row 2"),
        (
            array("<f8", "(4,)", &floats(&[0.0, 0.5, 1.0, 2.0])),
            "the label 0.5 in row 1",
        ),
        (
            array("<f8", "(4,)", &floats(&[0.0, f64::NAN, 1.0, 2.0])),
            "NaN",
        ),
        (array("|u1", "(4, 1, 1)", &[0; 4]), "(4, 1, 1)"),
        (array("|S1", "(4,)", b"a\0bb"), "an empty label"),
        (array("|S1", "(4,)", b"a\xffbb"), "no text"),
        (
            array("|S70000", "(4,)", &[b'a'; 280_000]),
            "labels of 70000 bytes each",
        ),
    ] {
        let (_folder, path) = archive(&[("x.npy", images.clone()), ("y.npy", labels)]);
        let message = message(&path);
        assert!(
            message.contains(part) && message.contains("\"y\""),
            "{message}"
        );
    }
    let numbers = array("|u1", "(4,)", &[0, 1, 0, 1]);
    let names = array("|S1", "(4,)", b"abab");
    let (_folder, path) = archive(&[
        ("x_train.npy", images.clone()),
        ("y_train.npy", numbers),
        ("x_test.npy", images.clone()),
        ("y_test.npy", names),
    ]);
    assert!(message(&path).contains("another type"));
    let (_folder, path) = archive(&[]);
    assert!(message(&path).contains("no array"));
}

#[test]
fn damaged_archives_are_refused() {
    let images = array("|u1", "(4, 2, 2)", &pixels(16));
    let (_folder, path) = archive(&[("x.npy", images.clone())]);
    let content = fs::read(&path).unwrap();
    assert!(load_as(&path, &Reading::default()).is_ok());
    // A pixel that is not the one the checksum was made of.
    let mut changed = content.clone();
    let at = 30 + "x.npy".len() + images.len() - 1;
    changed[at] ^= 1;
    fs::write(&path, &changed).unwrap();
    assert!(message(&path).contains("checksum"));
    fs::write(&path, &content[..content.len() - 30]).unwrap();
    assert!(message(&path).contains("damaged archive"));
}

#[test]
fn parts_are_streamed_in_order() {
    let source = Source::Path(fixture("keras-compressed.npz"));
    let opened = stream(
        &source,
        &Reading::default(),
        &Lookup::default(),
        &mut |_| {},
    )
    .unwrap();
    let names: Vec<(PartName, usize)> = opened.parts.iter().map(|p| (p.name(), p.len())).collect();
    assert_eq!(names, [(PartName::Train, 9), (PartName::Test, 3)]);
}
