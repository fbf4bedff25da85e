//! What an encoder computes of its posterior besides μ.

use serde::{Deserialize, Serialize};

use super::SpecError;
use crate::named::named;

/// What the second half of a variational encoder's head computes.
///
/// Both describe the same posteriors; they differ in the gradients' scale and
/// in what freshly drawn weights mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PosteriorScale {
    /// log σ², as in most implementations; the tensors are `log_var.*`.
    #[default]
    LogVariance,
    /// log σ; the tensors are `log_sigma.*`.
    LogSigma,
}

named! {
    PosteriorScale, SpecError, SpecError::PosteriorScale,
    LogVariance => "log-variance",
    LogSigma => "log-sigma",
}

impl PosteriorScale {
    /// log σ of the head's output: its factor.
    pub(crate) fn log_sigma_factor(self) -> f64 {
        match self {
            PosteriorScale::LogVariance => 0.5,
            PosteriorScale::LogSigma => 1.0,
        }
    }
}
