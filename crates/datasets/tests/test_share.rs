//! Sources without a test set: which rows become one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use datasets::{DataError, Dataset, Lookup, Reading, Source, TestOrigin, idx};
use proptest::prelude::*;

fn load(
    folder: &Path,
    images: &[Vec<u8>],
    labels: &[u8],
    share: f64,
) -> Result<Dataset, DataError> {
    let write = |name: &str, dimensions: &[usize], data: &[u8]| {
        let mut bytes = Vec::new();
        idx::write(&mut bytes, dimensions, data).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    };
    write(
        "train-images-idx3-ubyte",
        &[images.len(), 1, images[0].len()],
        &images.concat(),
    );
    write("train-labels-idx1-ubyte", &[labels.len()], labels);
    let reading = Reading {
        test_share: share,
        ..Reading::default()
    };
    datasets::load_source(
        &Source::Idx(folder.to_owned()),
        &reading,
        &Lookup::default(),
        &mut |_| {},
    )
}

fn images(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|image| {
            let bytes = (image as u32).wrapping_mul(2_654_435_761).to_be_bytes();
            vec![bytes[0], bytes[1], bytes[2]]
        })
        .collect()
}

fn rows(split: &datasets::Split) -> Vec<Vec<u8>> {
    let bytes = split.bytes().unwrap();
    bytes.outer_iter().map(|row| row.to_vec()).collect()
}

#[test]
fn the_share_is_kept_and_order_and_labels_stay_with_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(5000);
    let labels: Vec<u8> = images.iter().map(|image| image[0] % 7).collect();
    let dataset = load(folder.path(), &images, &labels, 0.15).unwrap();
    assert_eq!(dataset.test_origin, TestOrigin::Share(0.15));
    // Five standard deviations of a binomial count.
    let test = dataset.test.len() as f64;
    assert!(
        (test - 750.0).abs() < 5.0 * (750.0f64 * 0.85).sqrt(),
        "{test}"
    );
    for split in [&dataset.train, &dataset.test] {
        let rows = rows(split);
        let mut rest = images.iter();
        assert!(
            rows.iter().all(|row| rest.any(|image| image == row)),
            "the order of the source is kept"
        );
        for (row, &label) in rows.iter().zip(split.labels().unwrap()) {
            assert_eq!(u32::from(row[0] % 7), label);
        }
    }
    assert!(dataset.statement().contains("share of 0.15"));
}

#[test]
fn adding_images_moves_none_and_equal_images_stay_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut images = images(400);
    let before = load(folder.path(), &images, &[0; 400], 0.3).unwrap();
    let test: BTreeSet<_> = rows(&before.test).into_iter().collect();
    images.splice(0..0, (0..100u8).map(|image| vec![image, 1, 2]));
    images.extend(images.clone());
    let after = load(folder.path(), &images, &[0; 1000].map(|l: u8| l), 0.3).unwrap();
    let (train_after, test_after): (BTreeSet<_>, BTreeSet<_>) = (
        rows(&after.train).into_iter().collect(),
        rows(&after.test).into_iter().collect(),
    );
    assert!(test.is_subset(&test_after));
    assert!(train_after.is_disjoint(&test_after));
}

#[test]
fn the_stored_form_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(300);
    let bytes = load(folder.path(), &images, &[0; 300], 0.2).unwrap();
    let floats: Vec<u8> = images
        .concat()
        .iter()
        .flat_map(|&byte| (f32::from(byte) / 255.0).to_be_bytes())
        .collect();
    let mut content = vec![0, 0, 0x0d, 3];
    for size in [300u32, 1, 3] {
        content.extend(size.to_be_bytes());
    }
    content.extend(floats);
    fs::write(folder.path().join("train-images-idx3-ubyte"), content).unwrap();
    let reading = Reading {
        test_share: 0.2,
        ..Reading::default()
    };
    let source = Source::Idx(folder.path().to_owned());
    let floats = datasets::load_source(&source, &reading, &Lookup::default(), &mut |_| {}).unwrap();
    assert_eq!(floats.fingerprint, bytes.fingerprint);
    assert_eq!(floats.train, bytes.train);
    assert_eq!(floats.test, bytes.test);
}

#[test]
fn one_row_is_too_few() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(folder.path(), &images(1), &[0], 0.15).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::TooFew {
                found: 1,
                needed: 2,
                ..
            }
        ),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// However few rows there are and however alike, each side gets one, and
    /// together they are the rows with their labels.
    #[test]
    fn no_side_is_empty(
        rows_in in prop::collection::vec((prop::collection::vec(0u8..2, 2), 0u8..3), 2..12),
        share in prop_oneof![Just(1e-12), Just(0.15), Just(0.5), Just(1.0 - 1e-12)],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (images, labels): (Vec<_>, Vec<_>) = rows_in.iter().cloned().unzip();
        let dataset = load(folder.path(), &images, &labels, share).unwrap();
        prop_assert!(!dataset.train.is_empty() && !dataset.test.is_empty());
        let name = |label: u32| dataset.class_names[label as usize].parse::<u8>().unwrap();
        let mut found: Vec<(Vec<u8>, u8)> = [&dataset.train, &dataset.test]
            .into_iter()
            .flat_map(|split| {
                let labels = split.labels().unwrap().to_vec();
                rows(split).into_iter().zip(labels)
            })
            .map(|(row, label)| (row, name(label)))
            .collect();
        let mut expected = rows_in;
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}
