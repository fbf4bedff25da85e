//! How much of the space between codes is empty, in any number of latent
//! variables.

use evaluation::random_codes::{Fitted, prior_codes};
use evaluation::spacing::spacing;
use serde::{Deserialize, Serialize};
use viz::page::Block;

use super::measures::USUAL;
use super::{AE, AE_8};
use crate::{Drawing, TrainedRun};
use figures::wording::{listed, percent};
use runs::Error;

/// Random codes, and codes of images that they are held against, at most.
const MOST: usize = 5000;

/// How random codes lie among those of the test images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spaced {
    /// Share of random codes that lie in gaps: farther from the nearest code than
    /// 99 % of the codes of other images do.
    pub(super) share_in_gaps: f64,
}

/// Measures a run, once. Random codes are of the normal distribution with the
/// mean and the covariance of the codes: of codes that are normal themselves a
/// hundredth lies in gaps, whatever their number of dimensions.
pub(super) fn measure(drawing: &Drawing<'_>, run: &TrainedRun) -> Result<Spaced, Error> {
    let version = format!("1: {MOST} of the fitted normal distribution, {USUAL}");
    drawing.measure(run, "autoencoder-spacing", &version, || {
        let codes = run.codes(&drawing.dataset.test)?.mean;
        let count = (codes.nrows() / 2).clamp(1, MOST);
        let random = Fitted::to(codes.view())?.codes(&prior_codes(count, run.latent()));
        let found = spacing(codes.view(), random.view(), USUAL, MOST)?;
        Ok(Spaced {
            share_in_gaps: found.share_in_gaps(),
        })
    })
}

/// What more latent variables do to the gaps of the autoencoder's codes.
pub(super) fn paragraph(drawing: &Drawing<'_>) -> Result<Vec<Block>, Error> {
    let mut parts = Vec::new();
    for run in drawing.shown(&[AE, AE_8]) {
        let found = measure(drawing, run)?;
        let share = percent(found.share_in_gaps);
        parts.push(format!("{share} of those of {}", run.title()));
    }
    Ok(vec![Block::paragraph(format!(
        "Of random codes from a normal distribution fitted to the codes, {} lie in gaps: farther \
         from the nearest code of an image than {} of the codes of other images do. Codes that are \
         normal themselves leave {}, in any number of dimensions.",
        listed(&parts),
        percent(USUAL),
        percent(1.0 - USUAL),
    ))])
}
