//! How good decoded images are, held against real ones on the features of the
//! data set's classifier.
//!
//! The reference is a random half of the test images, the same for every model; the
//! floor, what a perfect model would reach, are the others. Not the halves of the
//! file: those of MNIST's test set come from different writers.

use datasets::Split;
use evaluation::frechet::{FeatureMoments, frechet_distance};
use evaluation::prdc::prdc;
use evaluation::subset::{Population, SEED, halves, numbers};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::{Drawing, TrainedRun};
use crate::wording::{count, percent, some_test_images};
use evaluation::random_codes::{Fitted, prior_codes};
use runs::Error;
use runs::run_data::images;

/// Neighbours that define a ball: as published with these measures.
pub const NEIGHBOURS: usize = 5;

/// Closeness of some images to the reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageQuality {
    /// Images that were compared.
    pub n: usize,
    /// Real images that they were compared with, of all test images in `of`.
    pub reference: usize,
    /// Test images there are.
    pub of: usize,
    /// Fréchet distance of the features.
    pub frechet: f64,
    /// Share of the images among the real ones.
    pub precision: f64,
    /// Share of the real images among these.
    pub recall: f64,
    /// Precision that counts how many real images are near.
    pub density: f64,
    /// Share of real images with one of these nearby.
    pub coverage: f64,
    /// Mean probability of the most probable class.
    pub confidence: f64,
}

/// One of its numbers.
pub type Quantity = fn(&ImageQuality) -> f64;

/// Its numbers by name, in the order of tables.
pub const QUANTITIES: [(&str, Quantity); 6] = [
    ("Fréchet", |quality| quality.frechet),
    ("precision", |quality| quality.precision),
    ("recall", |quality| quality.recall),
    ("density", |quality| quality.density),
    ("coverage", |quality| quality.coverage),
    ("confidence", |quality| quality.confidence),
];

/// Where images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Decoded from N(0, I), as many as the reference has.
    Prior,
    /// Decoded from the normal distribution with the mean and covariance of
    /// the test images' codes.
    Fitted,
    /// Reconstructions at z = μ of the test images that the reference leaves
    /// out.
    Reconstructions,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Fitted => "fitted",
            Self::Reconstructions => "reconstructions",
        }
    }

    /// Brightness of a run's images, as many as the reference has.
    fn images(self, drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Array2<f32>, Error> {
        let test = &drawing.dataset.test;
        let noise = prior_codes(test.len().div_ceil(2), run.configuration.model.latent);
        let codes = run.codes(test)?.mean;
        let codes = match self {
            Self::Prior => noise,
            Self::Fitted => Fitted::to(codes.view())?.codes(&noise),
            Self::Reconstructions => codes.select(Axis(0), &left_out(test)),
        };
        Ok(run.decoded(codes.view()))
    }
}

/// Measures a run's images, once.
pub fn image_quality(
    drawing: &Drawing<'_>,
    run: &TrainedRun,
    source: Source,
) -> Result<ImageQuality, Error> {
    let name = format!("image-quality-{}", source.name());
    drawing.measure(run, &name, &version(drawing)?, || {
        let reference = Reference::new(drawing, drawing.classifier()?)?;
        reference.compare(source.images(drawing, run)?.view())
    })
}

/// The same by each of several classifiers, [`image_quality`]'s own first.
///
/// # Errors
/// Those of the measurement.
pub fn by_each_classifier(
    drawing: &Drawing<'_>,
    run: &TrainedRun,
    source: Source,
) -> Result<Vec<ImageQuality>, Error> {
    let first = image_quality(drawing, run, source)?;
    let others = drawing.classifiers()?.split_off(1);
    let name = format!("image-quality-{}-other-classifiers", source.name());
    let others: Vec<ImageQuality> = drawing.measure(run, &name, &version_of(&others), || {
        let images = source.images(drawing, run)?;
        let others = others.iter();
        others
            .map(|classifier| Reference::new(drawing, classifier)?.compare(images.view()))
            .collect()
    })?;
    Ok(std::iter::once(first).chain(others).collect())
}

/// What the test images that the reference leaves out reach: a perfect
/// model's quality. Measured once and kept with the study's first run, though
/// no run changes it.
///
/// # Errors
/// [`Error::Undefined`] in a drawing of one run alone; those of the measurement.
pub fn floor(drawing: &Drawing<'_>) -> Result<ImageQuality, Error> {
    if drawing.is_of_one_run() {
        return Err(Error::Undefined("it is of no run".into()));
    }
    let measure = || {
        let test = &drawing.dataset.test;
        let others = test.select(&left_out(test)).to_floats();
        Reference::new(drawing, drawing.classifier()?)?.compare(others.view())
    };
    match drawing.runs.first() {
        Some(run) => drawing.measure(run, "image-quality-floor", &version(drawing)?, measure),
        None => measure(),
    }
}

/// The same by each of several classifiers, [`floor`]'s own first.
///
/// # Errors
/// As [`floor`].
pub fn floor_by_each_classifier(drawing: &Drawing<'_>) -> Result<Vec<ImageQuality>, Error> {
    let first = floor(drawing)?;
    let others = drawing.classifiers()?.split_off(1);
    let measure = || -> Result<Vec<ImageQuality>, Error> {
        let test = &drawing.dataset.test;
        let real = test.select(&left_out(test)).to_floats();
        let others = others.iter();
        others
            .map(|classifier| Reference::new(drawing, classifier)?.compare(real.view()))
            .collect()
    };
    let name = "image-quality-floor-other-classifiers";
    let others = match drawing.runs.first() {
        Some(run) => drawing.measure(run, name, &version_of(&others), measure)?,
        None => measure()?,
    };
    Ok(std::iter::once(first).chain(others).collect())
}

/// `5 000 images against a random 5 000 of the 10 000 test images, on the 64 features of our
/// classifier (98.0 % of the test images right)`, for captions.
pub fn in_words(drawing: &Drawing<'_>, floor: &ImageQuality) -> Result<String, Error> {
    let classifier = drawing.classifier()?;
    let accuracy = classifier.test_accuracy().map_or_else(
        || "accuracy not measured".into(),
        |accuracy| format!("{} of the test images right", percent(accuracy)),
    );
    Ok(format!(
        "{} images against {}, on the {} features of our classifier {} ({accuracy})",
        count(floor.n),
        some_test_images(drawing.dataset, floor.reference),
        classifier.feature_count(),
        classifier.architecture(),
    ))
}

fn version(drawing: &Drawing<'_>) -> Result<String, Error> {
    Ok(version_of(&[drawing.classifier()?]))
}

fn version_of(classifiers: &[&evaluation::Classifier]) -> String {
    let fingerprints = classifiers
        .iter()
        .map(|classifier| classifier.fingerprint());
    let fingerprints: Vec<String> = fingerprints.collect();
    format!(
        "2, random halves, k = {NEIGHBOURS}, classifier {}",
        fingerprints.join(", ")
    )
}

/// The test images that the reference leaves out.
fn left_out(test: &Split) -> Vec<usize> {
    let [_, others] = halves(Population::Rows(test.len()), numbers(SEED));
    others
}

/// Real images that others are compared with.
struct Reference<'a> {
    classifier: &'a evaluation::Classifier,
    features: Array2<f32>,
    moments: FeatureMoments,
    /// Test images there are.
    of: usize,
}

impl<'a> Reference<'a> {
    fn new(drawing: &Drawing<'_>, classifier: &'a evaluation::Classifier) -> Result<Self, Error> {
        let test = &drawing.dataset.test;
        let [half, _] = halves(Population::Rows(test.len()), numbers(SEED));
        let features = classifier.features(images(&test.select(&half)))?;
        Ok(Self {
            moments: FeatureMoments::new(features.view())?,
            classifier,
            features,
            of: test.len(),
        })
    }

    fn compare(&self, images: ArrayView2<'_, f32>) -> Result<ImageQuality, Error> {
        let features = self.classifier.features(images)?;
        let neighbours = prdc(self.features.view(), features.view(), NEIGHBOURS)?;
        let probabilities = self.classifier.probabilities(images)?;
        let largest = probabilities
            .rows()
            .into_iter()
            .map(|row| f64::from(row.iter().copied().fold(0.0f32, f32::max)));
        Ok(ImageQuality {
            n: images.nrows(),
            reference: self.features.nrows(),
            of: self.of,
            frechet: frechet_distance(&self.moments, &FeatureMoments::new(features.view())?)?,
            precision: neighbours.precision,
            recall: neighbours.recall,
            density: neighbours.density,
            coverage: neighbours.coverage,
            confidence: largest.sum::<f64>() / images.nrows() as f64,
        })
    }
}
