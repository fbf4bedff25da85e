//! The IDX reader on well-formed files and on every malformation.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use datasets::{DataError, IdxProblem, Lookup, Shape, idx, sha256_hex};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

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

fn images() -> Vec<u8> {
    let data: Vec<u8> = (0..60u8).map(|i| i.wrapping_mul(37)).collect();
    bytes(&[3, 4, 5], &data)
}

/// A file with this content in a folder of its own.
fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some-images");
    fs::write(&path, content).unwrap();
    (folder, path)
}

/// What is wrong with these bytes as an image file, having checked that the
/// message is one line that begins with the file's name.
fn problem(content: &[u8]) -> IdxProblem {
    let (_folder, path) = file(content);
    let error = idx::read_images(&path).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(&path.display().to_string()),
        "{message}"
    );
    assert!(!message.contains('\n'), "{message}");
    match error {
        DataError::Idx { problem, .. } => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn raw_and_gzip_files_are_the_same_array() {
    let content = images();
    for stored in [content.clone(), gz(&content)] {
        let (_folder, path) = file(&stored);
        let array = idx::read_images(&path).unwrap();
        assert_eq!(array.dimensions, [3, 4, 5]);
        assert_eq!(array.data[..], content[16..]);
        assert_eq!(array.content_sha256, sha256_hex(&content));
        assert_eq!(array.file_sha256, sha256_hex(&stored));
        assert_eq!(array.file_bytes, stored.len() as u64);
        assert_eq!(array.compressed, stored != content);
    }
}

#[test]
fn a_gzip_file_of_several_members_is_read_whole() {
    let content = images();
    let stored = [gz(&content[..30]), gz(&content[30..])].concat();
    let (_folder, path) = file(&stored);
    let array = idx::read_images(&path).unwrap();
    assert_eq!(array.data[..], content[16..]);
    assert_eq!(array.content_sha256, sha256_hex(&content));
    assert_eq!(array.file_sha256, sha256_hex(&stored));
}

#[test]
fn wrong_first_bytes() {
    let png = b"\x89PNG\r\n\x1a\n and more";
    assert_eq!(problem(png), IdxProblem::Magic { found: *b"\x89PNG" });
    assert_eq!(
        problem(b"<!DOCTYPE html>"),
        IdxProblem::Magic { found: *b"<!DO" }
    );
    // The right header in the wrong byte order.
    let mut swapped = images();
    swapped[..4].reverse();
    assert_eq!(
        problem(&swapped),
        IdxProblem::Magic {
            found: [3, 8, 0, 0]
        }
    );
    assert_eq!(problem(&gz(png)), IdxProblem::Magic { found: *b"\x89PNG" });
}

#[test]
fn unknown_and_unsupported_types() {
    for found in [0x00, 0x07, 0x0a, 0x0f, 0xff] {
        let mut content = images();
        content[2] = found;
        assert_eq!(problem(&content), IdxProblem::UnknownType { found });
    }
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

#[test]
fn a_wrong_number_of_dimensions() {
    for count in [0, 1, 5, 255] {
        let mut content = images();
        content[3] = count;
        assert!(
            matches!(problem(&content), IdxProblem::Dimensions { found, expected: 3, .. } if found == count)
        );
    }
    let (_folder, path) = file(&images());
    let error = idx::read_labels(&path).unwrap_err();
    assert!(matches!(
        error,
        DataError::Idx {
            problem: IdxProblem::Dimensions {
                found: 3,
                expected: 1,
                ..
            },
            ..
        }
    ));
}

fn with_sizes(sizes: [u32; 3]) -> Vec<u8> {
    let mut content = images();
    for (place, size) in content[4..16].chunks_exact_mut(4).zip(sizes) {
        place.copy_from_slice(&size.to_be_bytes());
    }
    content
}

#[test]
fn dimensions_that_multiply_to_nonsense() {
    let max = u32::MAX;
    for sizes in [[max, max, max], [max, max, 1], [1 << 16, 1 << 16, 2]] {
        let expected = IdxProblem::TooLarge {
            dimensions: sizes.to_vec(),
        };
        assert_eq!(problem(&with_sizes(sizes)), expected);
        assert_eq!(problem(&gz(&with_sizes(sizes))), expected);
    }
    for sizes in [[0, 4, 5], [3, 0, 5], [3, 4, 0]] {
        let expected = IdxProblem::Empty {
            dimensions: sizes.to_vec(),
        };
        assert_eq!(problem(&with_sizes(sizes)), expected);
    }
}

#[test]
fn large_sizes_are_refused_by_the_length_of_the_file() {
    // Four gigabytes claimed by 76 bytes: refused without taking the memory,
    // as the memory test measures.
    let sizes = [1 << 16, 1 << 8, 1 << 8];
    assert!(matches!(
        problem(&with_sizes(sizes)),
        IdxProblem::Short {
            found: 76,
            expected: 4_294_967_312,
            ..
        }
    ));
    assert!(matches!(
        problem(&gz(&with_sizes(sizes))),
        IdxProblem::Implausible {
            expected: 4_294_967_312,
            ..
        }
    ));
}

#[test]
fn short_and_trailing_data() {
    let content = images();
    let longer = [&content[..], b"!"].concat();
    let dimensions = vec![3, 4, 5];
    for unpacked in [false, true] {
        let store = |content: &[u8]| {
            if unpacked {
                gz(content)
            } else {
                content.to_vec()
            }
        };
        for found in [16, 17, 75] {
            let problem = problem(&store(&content[..found as usize]));
            let dimensions = dimensions.clone();
            assert_eq!(
                problem,
                IdxProblem::Short {
                    found,
                    expected: 76,
                    dimensions,
                    unpacked
                }
            );
        }
        let problem = problem(&store(&longer));
        let dimensions = dimensions.clone();
        assert_eq!(
            problem,
            IdxProblem::Trailing {
                expected: 76,
                dimensions,
                unpacked
            }
        );
    }
    // Trailing data in a second gzip member whose length field is plausible.
    let members = [gz(&content), gz(&content)].concat();
    assert!(matches!(
        problem(&members),
        IdxProblem::Trailing { unpacked: true, .. }
    ));
}

#[test]
fn headers_cut_short() {
    let content = images();
    for length in 0..4 {
        let expected = IdxProblem::ShortHeader {
            found: length as u64,
            expected: 4,
        };
        assert_eq!(problem(&content[..length]), expected);
        assert_eq!(problem(&gz(&content[..length])), expected);
    }
    for length in 4..16 {
        let expected = IdxProblem::ShortHeader {
            found: length as u64,
            expected: 16,
        };
        assert_eq!(problem(&content[..length]), expected);
    }
}

#[test]
fn truncated_and_damaged_gzip() {
    let stored = gz(&images());
    for length in 2..stored.len() {
        let problem = problem(&stored[..length]);
        assert!(
            matches!(problem, IdxProblem::TruncatedGzip { .. }),
            "{length}: {problem:?}"
        );
    }
    // The checksum in the last eight bytes.
    let mut wrong_checksum = stored.clone();
    let place = stored.len() - 8;
    wrong_checksum[place] ^= 1;
    assert!(matches!(
        problem(&wrong_checksum),
        IdxProblem::DamagedGzip { .. }
    ));
    // The length field alone.
    let mut wrong_length = stored.clone();
    *wrong_length.last_mut().unwrap() ^= 1;
    assert!(matches!(
        problem(&wrong_length),
        IdxProblem::DamagedGzip { .. }
    ));
    // Something else behind the compressed stream, directly or after padding.
    for padding in [0, 700] {
        let trailing = [&stored[..], &vec![0; padding], b"\r\n"].concat();
        assert_eq!(
            problem(&trailing),
            IdxProblem::TrailingGzip {
                found: b"\r\n".to_vec()
            }
        );
    }
    // Padding alone is what gzip -d ignores, too.
    for padding in [1, 3, 4, 511, 70_000] {
        let (_folder, path) = file(&[&stored[..], &vec![0; padding]].concat());
        let array = idx::read_images(&path).unwrap();
        assert_eq!(array.content_sha256, sha256_hex(&images()), "{padding}");
    }
}

#[test]
fn what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("absent"), folder.path().to_owned()] {
        let error = idx::read_images(&path).unwrap_err();
        assert!(matches!(&error, DataError::Read { path: named, .. } if *named == path));
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
    }
}

fn put(folder: &Path, name: &str, content: &[u8]) {
    fs::write(folder.join(name), content).unwrap();
}

/// A folder with two training and one test image of 2×2 pixels.
fn complete() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(
        folder.path(),
        "train-images.idx3-ubyte",
        &bytes(&[2, 2, 2], &[1; 8]),
    );
    put(
        folder.path(),
        "train-labels-idx1-ubyte.gz",
        &gz(&bytes(&[2], &[4, 2])),
    );
    put(
        folder.path(),
        "t10k-images-idx3-ubyte",
        &bytes(&[1, 2, 2], &[2; 4]),
    );
    put(
        folder.path(),
        "t10k-labels.idx1-ubyte.gz",
        &gz(&bytes(&[1], &[9])),
    );
    folder
}

fn load(folder: &Path) -> Result<datasets::Dataset, DataError> {
    datasets::load(
        &format!("idx:{}", folder.display()),
        &Lookup::default(),
        &mut |_| {},
    )
}

#[test]
fn a_folder_with_mixed_spellings_loads() {
    let folder = complete();
    let dataset = load(folder.path()).unwrap();
    assert_eq!(dataset.train.images().dim(), (2, 4));
    assert_eq!(dataset.class_names, ["2", "4", "9"]);
    assert_eq!(dataset.train.labels(), Some(&[1, 0][..]));
    assert_eq!(dataset.shape(), Shape::grey(2, 2));
    assert_eq!(dataset.fingerprint.len(), 64);
}

#[test]
fn folders_that_do_not_fit_together() {
    let folder = complete();
    put(
        folder.path(),
        "train-labels-idx1-ubyte.gz",
        &gz(&bytes(&[3], &[4, 2, 1])),
    );
    let error = load(folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::CountMismatch {
                images: 2,
                labels: 3,
                ..
            }
        ),
        "{error}"
    );

    let folder = complete();
    put(
        folder.path(),
        "t10k-images-idx3-ubyte",
        &bytes(&[1, 2, 3], &[2; 6]),
    );
    let error = load(folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::SizeMismatch {
                train: Shape::Image { width: 2, .. },
                test: Shape::Image { width: 3, .. },
                ..
            }
        ),
        "{error}"
    );

    // Labels for the training images alone.
    let folder = complete();
    fs::remove_file(folder.path().join("t10k-labels.idx1-ubyte.gz")).unwrap();
    let error = load(folder.path()).unwrap_err();
    assert!(
        matches!(error, DataError::LabelsOfOnePart { .. }),
        "{error}"
    );

    let folder = complete();
    fs::remove_file(folder.path().join("train-images.idx3-ubyte")).unwrap();
    let error = load(folder.path()).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::MissingFile {
                file: "train-images-idx3-ubyte",
                ..
            }
        ),
        "{error}"
    );

    let error = load(&folder.path().join("absent")).unwrap_err();
    assert!(matches!(error, DataError::Read { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes, the reader returns; and it accepts only what
    /// writing the result gives back.
    #[test]
    fn arbitrary_bytes_are_an_array_or_an_error(
        prefix in prop_oneof![Just(vec![0, 0, 8, 3]), Just(vec![0x1f, 0x8b, 8, 0]), Just(vec![])],
        sizes in prop::collection::vec(0u32..4, 3),
        rest in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut content = prefix;
        sizes.iter().for_each(|size| content.extend(size.to_be_bytes()));
        content.extend(rest);
        let (_folder, path) = file(&content);
        if let Ok(array) = idx::read_images(&path) {
            // Padding after a gzip member is accepted and not given back.
            if !array.compressed {
                prop_assert_eq!(bytes(&array.dimensions, &array.data), content);
            }
        }
    }

    #[test]
    fn written_arrays_are_read_back(
        (dimensions, data) in (1usize..5, 1usize..6, 1usize..6).prop_flat_map(|(n, rows, columns)| {
            let data = prop::collection::vec(any::<u8>(), n * rows * columns);
            (Just(vec![n, rows, columns]), data)
        }),
        compress in any::<bool>(),
    ) {
        let content = bytes(&dimensions, &data);
        let (_folder, path) = file(&if compress { gz(&content) } else { content });
        let array = idx::read_images(&path).unwrap();
        prop_assert_eq!(array.dimensions, dimensions);
        prop_assert_eq!(&array.data[..], &data[..]);
    }
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
