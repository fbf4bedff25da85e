//! What the published data sets must give; skipped, with a line on the terminal,
//! where they are not on this machine.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::{Path, PathBuf};

use datasets::{Dataset, Lookup, Split};
use evaluation::entropy_floor::entropy_floor;
use evaluation::frechet::frechet_distance_of;
use evaluation::knn::knn_accuracy;
use evaluation::prdc::{expected_coverage, prdc};
use evaluation::subset::{Population, SEED, numbers, parts};
use evaluation::{Classifier, ClassifierOptions};
use ndarray::{ArrayView2, Axis, s};

fn load(set: &str) -> Option<Dataset> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let environment = std::env::var_os("LATENT_ATLAS_DATA")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    let lookup = Lookup {
        data_dir: environment,
        default_dir: beside,
        offline: true,
        ..Lookup::default()
    };
    if datasets::path(&set.parse().unwrap(), &lookup).is_err() {
        eprintln!("skipped: {set} is neither in $LATENT_ATLAS_DATA nor in ../shared/data");
        return None;
    }
    Some(datasets::load(set, &lookup, &mut |_| panic!("no download")).unwrap())
}

#[test]
fn entropy_floors_of_the_test_sets() {
    for (set, expected) in [("mnist", 45.53), ("fashion-mnist", 189.86)] {
        let Some(data) = load(set) else { continue };
        let floor = entropy_floor(bytes(&data.test)).unwrap();
        assert!((floor - expected).abs() < 0.005, "{set}: {floor}");
    }
}

fn bytes(split: &Split) -> ArrayView2<'_, u8> {
    split.bytes().unwrap()
}

fn labels(split: &Split) -> &[u32] {
    split.labels().unwrap()
}

#[test]
fn the_classifier_reads_the_test_sets() {
    for (set, expected) in [("mnist", 0.975), ("fashion-mnist", 0.88)] {
        let Some(data) = load(set) else { continue };
        let mut classifier = Classifier::train(
            bytes(&data.train),
            labels(&data.train),
            10,
            &ClassifierOptions::default(),
        )
        .unwrap();
        let accuracy = classifier
            .measure_test_accuracy(bytes(&data.test), labels(&data.test))
            .unwrap();
        eprintln!("{set}: {} reads {accuracy}", classifier.architecture());
        assert!(accuracy >= expected, "{set}: {accuracy}");

        // Two halves of the test set are near each other, real images and
        // upside-down ones are not. Random halves, because the first half of
        // MNIST's test set was written by other people than the second.
        let images = bytes(&data.test);
        let features = |images: ArrayView2<'_, u8>| classifier.features(images).unwrap();
        let rows = parts(Population::Rows(images.nrows()), [2000; 2], numbers(SEED));
        let [one, other] = rows.each_ref().map(|rows| images.select(Axis(0), rows));
        let [one_half, other_half] = [&one, &other].map(|images| features(images.view()));
        let turned = features(one.slice(s![.., ..;-1]));
        let floor = frechet_distance_of(one_half.view(), other_half.view()).unwrap();
        let far = frechet_distance_of(one_half.view(), turned.view()).unwrap();
        eprintln!("{set}: Fréchet floor {floor}, upside down {far}");
        assert!(far > 10.0 * floor, "{set}: {floor} {far}");
        let halves = prdc(one_half.view(), other_half.view(), 5).unwrap();
        eprintln!("{set}: {halves:?}");
        assert!(
            (halves.coverage - expected_coverage(2000, 2000, 5).unwrap()).abs() < 0.02,
            "{halves:?}"
        );
        assert!((halves.density - 1.0).abs() < 0.1, "{halves:?}");

        let half = |part: usize| -> Vec<u32> {
            let labels = labels(&data.test);
            rows[part].iter().map(|&row| labels[row]).collect()
        };
        let knn =
            knn_accuracy(one_half.view(), &half(0), other_half.view(), &half(1), &[5]).unwrap();
        assert!(knn[0].accuracy > expected - 0.08, "{set}: {knn:?}");
    }
}
