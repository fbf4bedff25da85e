//! IDX files of every element type and kind of row, whole and damaged.

use std::fs;
use std::io::Write;
use std::path::Path;

use datasets::{DataError, IdxProblem, Lookup, Shape, idx};
use flate2::Compression;
use flate2::write::GzEncoder;

fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn bytes(dimensions: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    idx::write(&mut bytes, dimensions, data).unwrap();
    bytes
}

fn put(folder: &Path, name: &str, content: &[u8]) {
    fs::write(folder.join(name), content).unwrap();
}

fn load(folder: &Path) -> Result<datasets::Dataset, DataError> {
    datasets::load(
        &format!("idx:{}", folder.display()),
        &Lookup::default(),
        &mut |_| {},
    )
}

/// An array of any type, its elements given as big-endian bytes.
fn typed(code: u8, dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let mut content = vec![0, 0, code, dimensions.len() as u8];
    dimensions
        .iter()
        .for_each(|size| content.extend(size.to_be_bytes()));
    content.extend(data);
    content
}

#[test]
fn every_type_is_read_as_the_numbers_it_holds() {
    let numbers = [0.0f64, 1.0, 3.0, 100.0];
    let encoded: [(u8, Vec<u8>); 5] = [
        (0x09, numbers.iter().map(|&v| v as i8 as u8).collect()),
        (
            0x0b,
            numbers
                .iter()
                .flat_map(|&v| (v as i16).to_be_bytes())
                .collect(),
        ),
        (
            0x0c,
            numbers
                .iter()
                .flat_map(|&v| (v as i32).to_be_bytes())
                .collect(),
        ),
        (
            0x0d,
            numbers
                .iter()
                .flat_map(|&v| (v as f32).to_be_bytes())
                .collect(),
        ),
        (
            0x0e,
            numbers.iter().flat_map(|&v| v.to_be_bytes()).collect(),
        ),
    ];
    for (code, data) in encoded {
        let folder = tempfile::tempdir().unwrap();
        put(
            folder.path(),
            "train-images-idx3-x",
            &typed(code, &[2, 1, 2], &data),
        );
        put(
            folder.path(),
            "t10k-images-idx3-x",
            &typed(code, &[2, 1, 2], &data),
        );
        let dataset = load(folder.path()).unwrap();
        assert_eq!(dataset.shape(), Shape::grey(1, 2));
        assert_eq!(
            dataset
                .train
                .to_floats()
                .iter()
                .copied()
                .map(f64::from)
                .collect::<Vec<_>>(),
            numbers
        );
        assert!(dataset.train.bytes().is_none() && !dataset.is_labelled());
        // One byte short.
        put(
            folder.path(),
            "t10k-images-idx3-x",
            &typed(code, &[2, 1, 2], &data[1..]),
        );
        assert!(matches!(
            load(folder.path()).unwrap_err(),
            DataError::Idx {
                problem: IdxProblem::Short { .. },
                ..
            }
        ));
    }
}

#[test]
fn colour_images_and_vectors_are_told_by_their_dimensions() {
    let folder = tempfile::tempdir().unwrap();
    put(
        folder.path(),
        "train-images-idx4-ubyte",
        &bytes(&[2, 3, 4, 3], &[9; 72]),
    );
    put(
        folder.path(),
        "test-images-idx4-ubyte",
        &bytes(&[1, 3, 4, 3], &[7; 36]),
    );
    assert_eq!(load(folder.path()).unwrap().shape(), Shape::colour(3, 4));
    let folder = tempfile::tempdir().unwrap();
    let floats: Vec<u8> = [0.5f32, -2.0, 0.25]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    put(
        folder.path(),
        "train-images-idx2-float",
        &typed(0x0d, &[1, 3], &floats),
    );
    put(
        folder.path(),
        "test-images-idx2-float",
        &typed(0x0d, &[1, 3], &floats),
    );
    let dataset = load(folder.path()).unwrap();
    assert_eq!(dataset.shape(), Shape::Vector { length: 3 });
    assert_eq!(dataset.test.to_floats().row(0).to_vec(), [0.5, -2.0, 0.25]);
}

#[test]
fn labels_of_any_kind_are_numbered_in_ascending_order() {
    // EMNIST's letters begin at 1; QMNIST's label is the first of eight columns.
    let folder = tempfile::tempdir().unwrap();
    put(
        folder.path(),
        "train-images-idx3-ubyte",
        &bytes(&[3, 1, 1], &[1, 2, 3]),
    );
    put(
        folder.path(),
        "train-labels-idx1-ubyte",
        &bytes(&[3], &[26, 1, 7]),
    );
    put(
        folder.path(),
        "test-images-idx3-ubyte",
        &bytes(&[1, 1, 1], &[1]),
    );
    put(folder.path(), "test-labels-idx1-ubyte", &bytes(&[1], &[3]));
    let dataset = load(folder.path()).unwrap();
    assert_eq!(dataset.class_names, ["1", "3", "7", "26"]);
    assert_eq!(dataset.train.labels(), Some(&[3, 0, 2][..]));
    let columns = |label: i32| [label, 9, 9, 9, 9, 9, 9, 9].map(i32::to_be_bytes).concat();
    let rows = [columns(5), columns(70_000), columns(-1)].concat();
    put(
        folder.path(),
        "train-labels-idx1-ubyte",
        &typed(0x0c, &[3, 8], &rows),
    );
    let dataset = load(folder.path()).unwrap();
    assert_eq!(dataset.class_names, ["-1", "3", "5", "70000"]);
    let floats = [1.0f32; 3].map(f32::to_be_bytes).concat();
    put(
        folder.path(),
        "train-labels-idx1-ubyte",
        &typed(0x0d, &[3], &floats),
    );
    assert!(matches!(
        load(folder.path()).unwrap_err(),
        DataError::Idx {
            problem: IdxProblem::LabelType { .. },
            ..
        }
    ));
}

#[test]
fn emnist_is_turned_back_and_its_mapping_read() {
    let folder = tempfile::tempdir().unwrap();
    let name = |rest: &str| format!("emnist-letters-{rest}");
    put(
        folder.path(),
        &name("train-images-idx3-ubyte"),
        &bytes(&[1, 2, 2], &[1, 2, 3, 4]),
    );
    put(
        folder.path(),
        &name("train-labels-idx1-ubyte"),
        &bytes(&[1], &[2]),
    );
    put(
        folder.path(),
        &name("test-images-idx3-ubyte"),
        &bytes(&[1, 2, 2], &[5, 6, 7, 8]),
    );
    put(
        folder.path(),
        &name("test-labels-idx1-ubyte"),
        &bytes(&[1], &[1]),
    );
    put(folder.path(), &name("mapping.txt"), b"1 65 97\n2 66 98\n");
    let dataset = load(folder.path()).unwrap();
    assert_eq!(dataset.train.bytes().unwrap().row(0).to_vec(), [1, 3, 2, 4]);
    assert_eq!(dataset.class_names, ["Aa", "Bb"]);
    assert_eq!(dataset.train.labels(), Some(&[1][..]));
    assert_eq!(dataset.remarks.len(), 1);
}

/// Files of each element type, damaged in a few places: an array or a sentence
/// that begins with the file, never a panic. `LATENT_ATLAS_MUTATIONS` files.
#[test]
fn mutated_files_are_read_or_refused_in_a_sentence() {
    let count: u64 = std::env::var("LATENT_ATLAS_MUTATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte");
    let labels = bytes(&[3], &[4, 1, 4]);
    put(folder.path(), "train-labels-idx1-ubyte", &labels);
    let originals: Vec<Vec<u8>> = [0x08u8, 0x09, 0x0b, 0x0c, 0x0d, 0x0e]
        .into_iter()
        .zip([1usize, 1, 2, 4, 4, 8])
        .map(|(code, size)| typed(code, &[3, 4, 5], &vec![0x3f; 60 * size]))
        .flat_map(|content| [gz(&content), content])
        .collect();
    let mut state = 1u64;
    let mut next = |below: usize| {
        // Knuth's MMIX generator: no crate, the same files everywhere.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..count {
        let mut content = originals[round as usize % originals.len()].clone();
        for _ in 0..=next(3) {
            let at = next(content.len());
            match next(4) {
                0 => content[at] ^= 1 << next(8),
                1 => content[at] = next(256) as u8,
                2 => content.truncate(at.max(1)),
                _ => content.extend(vec![next(256) as u8; next(40)]),
            }
        }
        fs::write(&path, &content).unwrap();
        if let Err(error) = load(folder.path()) {
            let message = error.to_string();
            assert!(!message.contains('\n'), "{round}: {message}");
            assert!(
                message.contains("train-images-idx3-ubyte"),
                "{round}: {message}"
            );
        }
    }
}

fn load_as(folder: &Path, shape: Shape) -> Result<datasets::Dataset, DataError> {
    let reading = datasets::Reading {
        shape: Some(shape),
        ..datasets::Reading::default()
    };
    let source = datasets::Source::Idx(folder.to_owned());
    datasets::load_source(&source, &reading, &Lookup::default(), &mut |_| {})
}

#[test]
fn rows_of_a_declared_shape_are_the_data_set_of_that_shape() {
    let write = |sizes: &[usize]| {
        let folder = tempfile::tempdir().unwrap();
        for (count, part) in [(3usize, "train"), (2, "t10k")] {
            let dimensions = [&[count], sizes].concat();
            let data: Vec<u8> = (0..count as u8 * 6).collect();
            put(
                folder.path(),
                &format!("{part}-images-idx3-ubyte"),
                &bytes(&dimensions, &data),
            );
            put(
                folder.path(),
                &format!("{part}-labels-idx1-ubyte"),
                &bytes(&[count], &vec![1; count]),
            );
        }
        folder
    };
    let (images, vectors) = (write(&[2, 3]), write(&[6]));
    let vector = Shape::Vector { length: 6 };
    let plain = load(images.path()).unwrap();
    let declared = load_as(images.path(), vector).unwrap();
    assert_ne!(declared.fingerprint, plain.fingerprint);
    assert_eq!(
        declared.fingerprint,
        load(vectors.path()).unwrap().fingerprint
    );
    let back = load_as(vectors.path(), Shape::grey(2, 3)).unwrap();
    assert_eq!(back.fingerprint, plain.fingerprint);
    // Images have a shape of their own.
    let error = load_as(images.path(), Shape::grey(3, 2)).unwrap_err();
    assert!(matches!(error, DataError::DeclaredShape { .. }), "{error}");
}

#[test]
fn a_list_of_names_fits_labels_that_begin_at_one() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "t10k"] {
        put(
            folder.path(),
            &format!("{part}-images-idx3-ubyte"),
            &bytes(&[3, 1, 1], &[1, 2, 3]),
        );
        put(
            folder.path(),
            &format!("{part}-labels-idx1-ubyte"),
            &bytes(&[3], &[3, 1, 2]),
        );
    }
    put(folder.path(), "labels.txt", b"A\nB\nC\n");
    let dataset = load(folder.path()).unwrap();
    assert_eq!(dataset.class_names, ["A", "B", "C"]);
    assert_eq!(dataset.train.labels(), Some(&[2, 0, 1][..]));
    put(folder.path(), "labels.txt", b"A\nB\n");
    let error = load(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::ListedNames { .. }), "{error}");
    put(folder.path(), "labels.txt", b"1 one\n2 two\n3 three\n");
    assert_eq!(
        load(folder.path()).unwrap().class_names,
        ["one", "two", "three"]
    );
}
