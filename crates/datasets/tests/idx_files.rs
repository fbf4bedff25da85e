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
    // Beyond 64 bits, and beyond what 63 bits of an address name.
    for sizes in [[max, max, max], [max, max, 1], [1 << 31, 1 << 31, 2]] {
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
    // Four gigabytes claimed by 76 bytes, and four million times as much:
    // refused without taking the memory, as the memory test measures.
    for (sizes, claimed) in [
        ([1 << 16, 1 << 8, 1 << 8], 4_294_967_312),
        ([1 << 31, 1 << 31, 1], (1 << 62) + 16),
    ] {
        let short = problem(&with_sizes(sizes));
        assert!(
            matches!(short, IdxProblem::Short { found: 76, expected, .. } if expected == claimed),
            "{short:?}"
        );
        let implausible = problem(&gz(&with_sizes(sizes)));
        assert!(
            matches!(implausible, IdxProblem::Implausible { expected, .. } if expected == claimed),
            "{implausible:?}"
        );
    }
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
