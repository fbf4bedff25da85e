//! The shape of the codes, in numbers.

use evaluation::codes::whiten;
use evaluation::elbo::ACTIVE_VARIANCE;
use evaluation::gaps::gaps;
use evaluation::mmd::mmd_of_sample_to_prior;
use evaluation::sphericity::sphericity;
use serde::{Deserialize, Serialize};

use crate::{Drawing, TrainedRun};
use evaluation::random_codes::CODES_SEED;
use figures::absence::{Measurement, known};
use runs::Error;

/// Most codes that the discrepancy is measured on, a random sample of more.
pub(crate) const MOST_CODES: usize = 2000;
/// Rows and draws of its null distribution.
const NULL: (usize, usize) = (300, 400);
/// Cells along each side when gaps are counted, and the share left out.
const GAPS: (usize, f64) = (50, 0.01);

/// Why codes have no shape.
pub(crate) const UNVARYING: &str = "the codes do not vary in every dimension";

/// A smaller ratio of eigenvalues of the codes' covariance means that a
/// dimension has collapsed.
const COLLAPSED: f64 = 1e-3;

/// The shape of a model's test codes; for a VAE, of the posterior means.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) n: usize,
    /// Along each axis.
    pub(crate) standard_deviation: Vec<f64>,
    /// Smallest over largest eigenvalue of the covariance.
    pub(crate) eigenvalue_ratio: Option<f64>,
    /// Kolmogorov–Smirnov distance of ‖z‖, after one scaling for all axes, to
    /// that of a normal distribution.
    pub(crate) radius_distance: Option<f64>,
    /// Bingham's statistic of the directions, per code.
    pub(crate) bingham: Option<f64>,
    /// In the plane: share of empty cells above that of as many normal codes.
    pub(crate) gaps: Option<Measurement<f64>>,
    /// MMD² to N(0, I) of at most 2000 of the codes at random, all whitened, over the
    /// value that one case in twenty of the prior's own samples exceeds; this and the
    /// gaps are absent when a dimension has collapsed.
    pub(crate) discrepancy: Option<Measurement<f64>>,
}

/// A number that a collapsed dimension leaves undefined.
pub(crate) fn unless_flat(value: &Option<Measurement<f64>>) -> Result<f64, Error> {
    match value {
        Some(value) => value.get().copied(),
        None => Err(Error::Undefined(
            "a dimension of the codes has collapsed".into(),
        )),
    }
}

impl Shape {
    /// Whether a dimension has collapsed, or all of them, however round what is left.
    pub(crate) fn is_flat(&self) -> bool {
        let is_active = |deviation: &f64| deviation * deviation > ACTIVE_VARIANCE;
        is_flat(self.eigenvalue_ratio) || !self.standard_deviation.iter().any(is_active)
    }
}

/// Codes that are all one point have no ratio, and no dimension that stands.
fn is_flat(eigenvalue_ratio: Option<f64>) -> bool {
    eigenvalue_ratio.is_none_or(|ratio| ratio < COLLAPSED)
}

/// Measures the shape of a run's codes, once.
pub(crate) fn shape(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Shape, Error> {
    drawing.measure(
        run,
        "sampling-shape",
        "5: discrepancy of 2000 codes at random",
        || {
            let codes = run.codes(&drawing.dataset.test)?.mean;
            let round = sphericity(codes.view())?;
            let flat = is_flat(round.eigenvalue_ratio);
            let gaps = if codes.ncols() == 2 && !flat {
                let counted = gaps(codes.view(), GAPS.0, GAPS.1, CODES_SEED);
                let excess = counted.map(|gaps| gaps.empty_share - gaps.normal_reference);
                Some(Measurement::of(excess)?)
            } else {
                None
            };
            let discrepancy = if flat {
                None
            } else {
                let (rows, draws) = NULL;
                let ratio = whiten(codes.view()).map_err(Error::from).and_then(|white| {
                    let found =
                        mmd_of_sample_to_prior(white.view(), MOST_CODES, rows, draws, CODES_SEED)?;
                    known(found.ratio, UNVARYING)
                });
                Some(Measurement::of(ratio)?)
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
        },
    )
}
