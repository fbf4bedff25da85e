//! How good images decoded from codes of the prior are, against real images.

use datasets::Dataset;
use evaluation::frechet::frechet_distance_of;
use evaluation::prdc::{Prdc, prdc};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use tensor_ops::random::{Stream, fill_normal, fill_uniform};

use super::{Drawing, TrainedRun};
use crate::error::Error;

/// Streams of the deviates drawn here; those of training lie below.
const PRIOR: u64 = 0x4154_0000;
const HALVES: u64 = 0x4154_0001;

/// Images in each of the two sets compared, at most.
const IMAGES: usize = 5000;
/// Neighbours that define a ball: as published with these measures.
const NEIGHBOURS: usize = 5;

/// Closeness of a set of images to as many real test images, in the feature
/// space of the data set's classifier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Quality {
    /// Images in each of the two sets.
    pub n: usize,
    /// Fréchet distance of the features.
    pub frechet: f64,
    /// Precision, recall, density and coverage.
    pub prdc: Prdc,
}

/// Codes [n, L] drawn from the prior: row i depends on (seed, L, i) alone.
pub(super) fn prior_codes(n: usize, latent: usize, seed: u64) -> Array2<f32> {
    let mut codes = Array2::zeros((n, latent));
    if let Some(values) = codes.as_slice_mut() {
        fill_normal(values, Stream::new(seed, PRIOR), 0);
    }
    codes
}

/// The quality of a run's samples: decoded codes of the prior, drawn with the
/// run's seed, against one half of the test images.
pub(super) fn of_samples(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Quality, Error> {
    let version = version(drawing)?;
    drawing.measure(run, "sample-quality", &version, || {
        let (real, _) = halves(drawing.dataset);
        let latent = run.configuration.model.latent;
        let codes = prior_codes(real.nrows(), latent, run.configuration.training.seed);
        let classifier = drawing.classifier()?;
        let samples = run.model.decode(codes.view());
        compare(
            classifier.features(real.view())?.view(),
            classifier.features(samples.view())?.view(),
        )
    })
}

/// What a perfect model would reach: the quality of the other half of the
/// test images. Kept with `run`, though it does not depend on it.
pub(super) fn floor(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Quality, Error> {
    let version = version(drawing)?;
    drawing.measure(run, "sample-quality-floor", &version, || {
        let (real, other) = halves(drawing.dataset);
        let classifier = drawing.classifier()?;
        compare(
            classifier.features(real.view())?.view(),
            classifier.features(other.view())?.view(),
        )
    })
}

/// How the classifier stands in captions: widths, test accuracy, fingerprint.
pub(super) fn classifier_in_words(drawing: &Drawing<'_>) -> Result<String, Error> {
    let classifier = drawing.classifier()?;
    let accuracy = classifier.test_accuracy().map_or_else(
        || "accuracy not measured".into(),
        |accuracy| {
            let percent = viz::number::decimal(100.0 * accuracy, 1);
            format!("{percent} % of the test images right")
        },
    );
    Ok(format!(
        "{} features of the atlas's own classifier {} ({accuracy}, weights {})",
        classifier.feature_count(),
        classifier.architecture(),
        &classifier.fingerprint()[..8]
    ))
}

fn version(drawing: &Drawing<'_>) -> Result<String, Error> {
    let fingerprint = drawing.classifier()?.fingerprint();
    Ok(format!("1 n={IMAGES} k={NEIGHBOURS} {fingerprint}"))
}

fn compare(real: ArrayView2<'_, f32>, other: ArrayView2<'_, f32>) -> Result<Quality, Error> {
    Ok(Quality {
        n: real.nrows(),
        frechet: frechet_distance_of(real, other)?,
        prdc: prdc(real, other, NEIGHBOURS)?,
    })
}

/// Two disjoint random halves of the test images, at most [`IMAGES`] each.
/// Random, because the order of a test set can mean something: MNIST's first
/// half is easier than its second.
fn halves(dataset: &Dataset) -> (Array2<u8>, Array2<u8>) {
    let test = &dataset.test;
    let mut keys = vec![0.0_f64; test.len()];
    fill_uniform(&mut keys, Stream::new(0, HALVES), 0);
    let mut order: Vec<usize> = (0..test.len()).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    let n = IMAGES.min(test.len() / 2);
    let images = |indices: &[usize]| test.select(indices).images().to_owned();
    (images(&order[..n]), images(&order[n..2 * n]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_prior_do_not_depend_on_how_many_are_drawn() {
        let many = prior_codes(100, 4, 3);
        let few = prior_codes(10, 4, 3);
        assert_eq!(many.slice(ndarray::s![..10, ..]), few);
        assert_ne!(prior_codes(10, 4, 4), few);
        let mean = many.mean().unwrap();
        assert!(mean.abs() < 0.2, "{mean}");
    }

    #[test]
    fn the_halves_are_disjoint_and_random() {
        // Image i is the byte i, so images name themselves.
        let images: Vec<u8> = (0..9_u8).flat_map(|i| [i; 784]).collect();
        let split = datasets::Split::new(images.into(), vec![0; 9], 28, 28);
        let dataset = Dataset {
            train: split.clone(),
            test: split,
            ..datasets::load("glyphs", &datasets::Lookup::default(), &mut |_| {}).unwrap()
        };
        let (first, second) = halves(&dataset);
        assert_eq!((first.dim(), second.dim()), ((4, 784), (4, 784)));
        let mut names: Vec<u8> = first
            .column(0)
            .iter()
            .chain(second.column(0))
            .copied()
            .collect();
        assert_ne!(names, (0..8).collect::<Vec<u8>>(), "they are shuffled");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 8);
    }
}
