//! Where the codes of the test images lie, in any number of latent variables.

use evaluation::codes::code_extent;
use evaluation::elbo::sample_codes;
use evaluation::gaps::gaps;
use evaluation::knn::knn_accuracy;
use evaluation::mmd::mmd_of_sample_to_prior;
use evaluation::sphericity::sphericity;
use figures::absence::{Measurement, unlabelled};
use models::Codes;
use runs::Error;
use serde::{Deserialize, Serialize};

use crate::{Drawing, TrainedRun};

/// Where the codes of the test images lie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CodeMeasures {
    pub(super) largest_radius: f64,
    pub(super) outside_prior: f64,
    pub(super) prior_discrepancy: Measurement<f64>,
    pub(super) eigenvalue_ratio: Measurement<f64>,
    pub(super) gaps: Measurement<f64>,
    pub(super) knn_accuracy: Measurement<f64>,
}

pub(super) fn codes(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<CodeMeasures, Error> {
    const NEIGHBOURS: usize = 15;
    /// As of the atlas' studies: cells a side, and codes left out at the rim.
    const CELLS: usize = 50;
    const TRIM: f64 = 0.005;
    let version = "2: test codes, 15 neighbours, 50 cells, 2000 codes at random against the prior";
    drawing.measure(run, "codes", version, || {
        let (train, test) = (run.trained_on(drawing.dataset)?, &drawing.dataset.test);
        let codes = run.codes(test)?;
        let mean = codes.mean.view();
        let extent = code_extent(mean)?;
        let neighbours = || -> Result<f64, Error> {
            let labels = train.labels().ok_or_else(unlabelled)?;
            let reference = run.codes(&train)?.mean;
            let found = knn_accuracy(
                reference.view(),
                labels,
                mean,
                drawing.test_labels()?,
                &[NEIGHBOURS],
            )?;
            Ok(found[0].accuracy)
        };
        let empty = || -> Result<f64, Error> {
            if run.latent() != 2 {
                return Err(Error::Undefined(
                    "gaps are counted in two latent variables".into(),
                ));
            }
            Ok(gaps(mean, CELLS, TRIM, 0)?.empty_share)
        };
        Ok(CodeMeasures {
            largest_radius: extent.largest_radius,
            outside_prior: extent.share_outside_prior,
            prior_discrepancy: Measurement::of(discrepancy(&codes))?,
            eigenvalue_ratio: Measurement::of(ratio(&codes))?,
            gaps: Measurement::of(empty())?,
            knn_accuracy: Measurement::of(neighbours())?,
        })
    })
}

fn ratio(codes: &Codes) -> Result<f64, Error> {
    let found = sphericity(codes.mean.view())?.eigenvalue_ratio;
    found.ok_or_else(|| Error::Undefined("the codes do not vary in every direction".into()))
}

/// Of 2000 codes at random: the kernel of all pairs is quadratic in them.
fn discrepancy(codes: &Codes) -> Result<f64, Error> {
    const MOST: usize = 2000;
    let drawn = sample_codes(codes, 0);
    let found = mmd_of_sample_to_prior(drawn.view(), MOST, 300, 400, 0)?.ratio;
    found.ok_or_else(|| Error::Undefined("too few codes".into()))
}
