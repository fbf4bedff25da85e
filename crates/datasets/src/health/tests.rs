//! Planted faults are found and named, healthy data are not.

use super::*;
use crate::shape::Shape;
use crate::values::Values;

fn dataset(train: Split, test: Split, classes: usize) -> Dataset {
    Dataset {
        name: "made".into(),
        class_names: (0..classes).map(|class| class.to_string()).collect(),
        attribution: String::new(),
        test_origin: TestOrigin::Own,
        remarks: Vec::new(),
        fingerprint: String::new(),
        train,
        test,
    }
}

/// 200 training and 10 test images of 4×4, each value given by a function
/// of image and position.
fn bytes(value: impl Fn(usize, usize) -> u8) -> Dataset {
    let split = |images: std::ops::Range<usize>| {
        let labels = images.clone().map(|image| (image % 2) as u32).collect();
        let values = images.flat_map(|image| (0..16).map(move |at| (image, at)));
        let values: Vec<u8> = values.map(|(image, at)| value(image, at)).collect();
        Split::grey(values.into(), labels, 4, 4)
    };
    dataset(split(0..200), split(200..210), 2)
}

fn floats(values: Vec<f32>, length: usize) -> Dataset {
    let split = Split::new(
        Values::Floats(values.repeat(200).into()),
        Shape::Vector { length },
        None,
    );
    dataset(split.clone(), split.slice(0..10), 0)
}

fn noise(image: usize, at: usize) -> u8 {
    (image as u32 * 16 + at as u32)
        .wrapping_mul(2_654_435_761)
        .to_be_bytes()[0]
}

fn found(dataset: &Dataset) -> Vec<String> {
    let health = Health::at_a_glance(dataset);
    let said = |finding: &Finding| format!("{} | {}", finding.found, finding.advice);
    health.findings.iter().map(said).collect()
}

fn only(dataset: &Dataset, expected: &str) {
    let found = found(dataset);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(expected), "{found:?}");
}

#[test]
fn healthy_images_give_no_alarm() {
    let health = Health::of(&bytes(noise));
    assert!(health.findings.is_empty(), "{:?}", health.findings);
    assert_eq!((health.train, health.test), (200, 10));
    assert_eq!(health.classes[1].train, 100);
    assert_eq!(health.constant_positions, 0);
    assert!((health.mean - 0.5).abs() < 0.05, "{}", health.mean);
    let glyphs = dataset(
        crate::glyphs::split(0..2000),
        crate::glyphs::split(60_000..60_200),
        10,
    );
    assert!(Health::of(&glyphs).findings.is_empty());
}

#[test]
fn masks_and_other_scales_are_named_with_the_option_that_mends_them() {
    only(&bytes(|i, at| noise(i, at) & 1), "mask of 0 and 1");
    only(&bytes(|i, at| noise(i, at) & 1), "--maximum 1");
    only(&bytes(|i, at| noise(i, at) % 17), "--maximum 16");
    only(
        &floats(vec![0.0, 16.0, 3.0, 16.0, 2.0, 1.0], 3),
        "--maximum 16",
    );
    only(
        &floats(vec![0.0, 254.0, 3.0, 9.0, 8.0, 7.0], 3),
        "--maximum 255",
    );
    only(
        &floats(vec![-1.5, 2.0, 0.25, 0.0, 1.0, 2.0], 3),
        "gaussian-identity",
    );
    only(&floats(vec![0.0, 0.5, 1.0, 0.501], 2), "hundred times");
}

#[test]
fn dark_on_light_is_noticed() {
    let border = |at: usize| !(4..12).contains(&at) || [0, 3].contains(&(at % 4));
    let inverted = bytes(|i, at| if border(at) { 255 } else { noise(i, at) });
    only(&inverted, "--invert");
    // A light image without a border is none.
    assert!(found(&bytes(|i, at| 255 - noise(i, at) / 8)).is_empty());
}

#[test]
fn equal_rows_and_blank_rows_are_counted() {
    only(
        &bytes(|_, at| 100 + at as u8),
        "all 200 training rows are equal",
    );
    let blank = bytes(|i, at| if i < 3 { 0 } else { noise(i, at) });
    only(&blank, "3 of 200 training rows hold one value");
    let repeated = Health::of(&bytes(|i, at| noise(i % 199, at)));
    let duplicates = repeated.duplicates.unwrap();
    assert_eq!(duplicates.within_train, 1);
    assert_eq!(duplicates.test_in_train, 10);
    // Row 199 equals row 0, rows 200 to 209 equal rows 1 to 10: each has
    // the other label.
    assert_eq!(duplicates.with_other_label, 11);
    assert_eq!(repeated.findings.len(), 2);
}

#[test]
fn classes_that_are_one_or_absent_are_named() {
    let mut one = bytes(noise);
    one.class_names = vec!["0".into(), "1".into(), "2".into()];
    let found = found(&one);
    assert!(
        found[0].contains("no training row is of class 2"),
        "{found:?}"
    );
    assert!(found[1].contains("no test row is of class 2"), "{found:?}");
}

#[test]
fn few_rows_are_said_and_nothing_divides_by_none() {
    let row = Split::new(
        Values::Floats(vec![0.5; 3].into()),
        Shape::Vector { length: 3 },
        None,
    );
    let health = Health::of(&dataset(row.clone(), row, 0));
    assert!(health.mean.is_finite());
    assert!(
        health
            .findings
            .iter()
            .any(|f| f.advice.contains("--batch 1"))
    );
}
