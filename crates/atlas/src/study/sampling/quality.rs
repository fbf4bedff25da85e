//! The numbers of the study: the shape of the codes and the quality of the
//! images made from random ones.

use evaluation::codes::whiten;
use evaluation::frechet::{FeatureMoments, frechet_distance};
use evaluation::gaps::gaps;
use evaluation::mmd::mmd_to_prior;
use evaluation::prdc::prdc;
use evaluation::sphericity::sphericity;
use evaluation::symmetric::SymmetricEigen;
use ndarray::{Array2, ArrayView2, s};
use serde::{Deserialize, Serialize};
use tensor_ops::random::{Stream, fill_normal};

use crate::error::Error;
use crate::study::{Drawing, TrainedRun};

/// Seed of the random codes, the same for every model.
const CODES_SEED: u64 = 2;
/// Neighbours of precision, recall, density and coverage.
const NEIGHBOURS: usize = 5;
/// Codes of the discrepancy, and rows and draws of its null distribution.
const DISCREPANCY: (usize, usize, usize) = (2000, 300, 400);
/// Cells along each side when gaps are counted, and the share left out.
const GAPS: (usize, f64) = (50, 0.01);

/// A smaller ratio of eigenvalues of the codes' covariance means that a
/// dimension has collapsed.
const COLLAPSED: f64 = 1e-3;

/// The shape of a model's test codes; for a VAE, of the posterior means.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) n: usize,
    /// Along each axis.
    pub(super) standard_deviation: Vec<f64>,
    /// Smallest over largest eigenvalue of the covariance.
    pub(super) eigenvalue_ratio: f64,
    /// Kolmogorov–Smirnov distance of ‖z‖, after one scaling for all axes, to
    /// that of a normal distribution.
    pub(super) radius_distance: f64,
    /// Bingham's statistic of the directions, per code.
    pub(super) bingham: f64,
    /// In the plane: share of empty cells above that of as many normal codes.
    pub(super) gaps: Option<f64>,
    /// MMD² of the whitened codes to N(0, I) over the value that one case in
    /// twenty of the prior's own samples exceeds; this and the gaps are absent
    /// when a dimension has collapsed.
    pub(super) discrepancy: Option<f64>,
}

impl Shape {
    /// Whether a dimension has collapsed.
    pub(super) fn is_flat(&self) -> bool {
        self.eigenvalue_ratio < COLLAPSED
    }
}

/// The quality of images, by the classifier's features.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Images {
    pub(super) frechet: f64,
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) density: f64,
    pub(super) coverage: f64,
    /// Mean probability of the most probable class.
    pub(super) confidence: f64,
}

/// The quality of a model's images.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Generation {
    /// Images in each sample.
    pub(super) n: usize,
    /// Decoded from N(0, I).
    pub(super) prior: Images,
    /// Decoded from the normal distribution with the codes' mean and
    /// covariance.
    pub(super) fitted: Images,
    /// Reconstructions of the test images that the reference leaves out.
    pub(super) reconstructions: Images,
}

/// What real images of the other half of the test set have.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Floor {
    pub(super) images: Images,
    pub(super) accuracy: Option<f64>,
}

/// Measures the shape of a run's codes, once.
pub(super) fn shape(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Shape, Error> {
    drawing.measure(run, "sampling-shape", "2", || {
        let codes = run.encode(drawing.dataset.test.images()).mean;
        let round = sphericity(codes.view())?;
        let flat = round.eigenvalue_ratio < COLLAPSED;
        let gaps = if codes.ncols() == 2 && !flat {
            let counted = gaps(codes.view(), GAPS.0, GAPS.1, CODES_SEED)?;
            Some(counted.empty_share - counted.normal_reference)
        } else {
            None
        };
        let discrepancy = if flat {
            None
        } else {
            let (rows, null_rows, null_draws) = DISCREPANCY;
            let rows = rows.min(codes.nrows());
            let white = whiten(codes.view())?;
            let some = white.slice(s![..rows, ..]);
            Some(mmd_to_prior(some, null_rows.min(rows), null_draws, CODES_SEED)?.ratio)
        };
        Ok(Shape {
            n: round.n,
            standard_deviation: codes
                .columns()
                .into_iter()
                .map(|axis| f64::from(axis.std(0.0)))
                .collect(),
            eigenvalue_ratio: round.eigenvalue_ratio,
            radius_distance: round.radius_distance,
            bingham: round.bingham,
            gaps,
            discrepancy,
        })
    })
}

/// Measures the quality of a run's images, once.
pub(super) fn generation(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Generation, Error> {
    let version = version(drawing)?;
    drawing.measure(run, "sampling-generation", &version, || {
        let reference = Reference::new(drawing)?;
        let codes = run.encode(drawing.dataset.test.images()).mean;
        let noise = prior_codes(reference.n(), codes.ncols());
        let fitted = Fitted::to(codes.view())?;
        let of = |codes: ArrayView2<'_, f32>| reference.compare(run.model.decode(codes).view());
        Ok(Generation {
            n: reference.n(),
            prior: of(noise.view())?,
            fitted: of(fitted.codes(&noise).view())?,
            reconstructions: of(codes.slice(s![1..;2, ..]))?,
        })
    })
}

impl Floor {
    /// Measures the floor, once, and keeps it with `run`.
    pub(super) fn measure(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Self, Error> {
        let version = version(drawing)?;
        drawing.measure(run, "sampling-floor", &version, || {
            let reference = Reference::new(drawing)?;
            let others = drawing.dataset.test.images();
            let others = others
                .slice(s![1..;2, ..])
                .mapv(|byte| f32::from(byte) / 255.0);
            Ok(Self {
                images: reference.compare(others.view())?,
                accuracy: drawing.classifier()?.test_accuracy(),
            })
        })
    }
}

fn version(drawing: &Drawing<'_>) -> Result<String, Error> {
    Ok(format!(
        "1, classifier {}",
        drawing.classifier()?.fingerprint()
    ))
}

/// Independent codes of the prior, the same for every model of a dimension.
pub(super) fn prior_codes(n: usize, latent: usize) -> Array2<f32> {
    let mut values = vec![0.0; n * latent];
    fill_normal(&mut values, Stream::new(CODES_SEED, latent as u64), 0);
    Array2::from_shape_vec((n, latent), values).expect("as many values as the shape has")
}

/// A normal distribution with the mean and the covariance of some codes.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    mean: ndarray::Array1<f64>,
    root: Array2<f64>,
}

impl Fitted {
    pub(super) fn to(codes: ArrayView2<'_, f32>) -> Result<Self, Error> {
        let moments = FeatureMoments::new(codes)?;
        Ok(Self {
            root: SymmetricEigen::new(moments.covariance.view()).square_root(),
            mean: moments.mean,
        })
    }

    /// Its codes, from those of N(0, I).
    pub(super) fn codes(&self, noise: &Array2<f32>) -> Array2<f32> {
        let placed = noise.mapv(f64::from).dot(&self.root) + &self.mean;
        placed.mapv(|value| value as f32)
    }
}

/// Real images that others are compared with: every second test image.
///
/// Alternate images and not the first half, because the halves of MNIST's test
/// set come from different writers.
struct Reference<'a> {
    classifier: &'a evaluation::Classifier,
    features: Array2<f32>,
    moments: FeatureMoments,
}

impl<'a> Reference<'a> {
    fn new(drawing: &'a Drawing<'_>) -> Result<Self, Error> {
        let classifier = drawing.classifier()?;
        let images = drawing.dataset.test.images();
        let images = images
            .slice(s![..;2, ..])
            .mapv(|byte| f32::from(byte) / 255.0);
        let features = classifier.features(images.view())?;
        Ok(Self {
            moments: FeatureMoments::new(features.view())?,
            classifier,
            features,
        })
    }

    fn n(&self) -> usize {
        self.features.nrows()
    }

    fn compare(&self, images: ArrayView2<'_, f32>) -> Result<Images, Error> {
        let features = self.classifier.features(images)?;
        let neighbours = prdc(self.features.view(), features.view(), NEIGHBOURS)?;
        let probabilities = self.classifier.probabilities(images)?;
        let largest = probabilities
            .rows()
            .into_iter()
            .map(|row| f64::from(row.iter().copied().fold(0.0f32, f32::max)));
        Ok(Images {
            frechet: frechet_distance(&self.moments, &FeatureMoments::new(features.view())?)?,
            precision: neighbours.precision,
            recall: neighbours.recall,
            density: neighbours.density,
            coverage: neighbours.coverage,
            confidence: largest.sum::<f64>() / images.nrows() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitted_codes_have_the_moments_of_the_codes() {
        let noise = prior_codes(4000, 2);
        let codes = Array2::from_shape_fn((4000, 2), |(row, column)| {
            let (a, b) = (noise[[row, 0]], noise[[row, 1]]);
            if column == 0 {
                3.0 + 2.0 * a
            } else {
                a - 0.5 * b
            }
        });
        let again = Fitted::to(codes.view())
            .unwrap()
            .codes(&prior_codes(4000, 2));
        let expected = FeatureMoments::new(codes.view()).unwrap();
        let found = FeatureMoments::new(again.view()).unwrap();
        // The noise has the prior's moments up to 1/√4000.
        for (a, b) in expected.covariance.iter().zip(&found.covariance) {
            assert!((a - b).abs() < 0.2, "{expected:?} {found:?}");
        }
        for (a, b) in expected.mean.iter().zip(&found.mean) {
            assert!((a - b).abs() < 0.1);
        }
    }

    #[test]
    fn prior_codes_start_alike_for_any_number() {
        let few = prior_codes(10, 3);
        assert_eq!(prior_codes(100, 3).slice(s![..10, ..]), few);
        assert_ne!(prior_codes(10, 2).row(0)[0], few.row(0)[0]);
    }
}
