//! Every number about a trained model.
//!
//! One module per subject, each a set of functions on arrays: codes are
//! `[n, L]`, images `[n, pixels]` with values in [0, 1], lattices of decoded
//! images run row by row from the top left. Single precision comes in, every
//! sum runs in f64, and parallel sums are taken in fixed groups, so a number is
//! the same to the last bit for any number of threads.
//!
//! | question | module |
//! |---|---|
//! | reconstruction, KL, ELBO, active units: `eval.json` | [`elbo`], [`entropy_floor`] |
//! | −log p(x) by importance sampling | [`likelihood`] |
//! | what is the KL made of | [`rates`] |
//! | what is on the decoded map, how fast does it change | [`classifier`], [`map`], [`patch`], [`class_areas`], [`stretch`] |
//! | where are the codes | [`codes`], [`gaps`], [`spacing`], [`sphericity`], [`knn`] |
//! | how do q(z) and the prior differ | [`aggregate_posterior`], [`variance_law`], [`overlap`], [`mmd`] |
//! | does a code survive decoding | [`round_trip`] |
//! | is the model worth anything, and what is wrong with it | [`mean_image`], [`explained`], [`silent_units`], [`posterior_scale`], [`polarity`], [`principal_shares`] |
//! | how good are samples | [`frechet`], [`prdc`] |
//! | how did training move the posteriors | [`trajectory`] |
//! | what do several seeds say together | [`statistics`] |
//! | which rows is a number measured on | [`subset`] |
//!
//! Every formula stands with its source and its pitfalls at the function that
//! computes it.

// Not forbidden: the macro `s!` of ndarray allows itself some.
#![deny(unsafe_code)]

pub mod aggregate_posterior;
mod blocks;
pub mod class_areas;
pub mod classifier;
pub mod codes;
pub mod distributions;
mod draws;
pub mod elbo;
pub mod entropy_floor;
mod error;
pub mod explained;
pub mod footprint;
pub mod frechet;
pub mod gaps;
pub mod geodesic;
pub mod knn;
pub mod likelihood;
pub mod map;
pub mod mean_image;
pub mod mmd;
pub mod overlap;
pub mod patch;
pub mod polarity;
pub mod posterior_scale;
pub mod prdc;
pub mod principal_shares;
pub mod random_codes;
pub mod rates;
pub mod round_trip;
mod sampled;
pub mod silent_units;
pub mod spacing;
pub mod sphericity;
pub mod statistics;
pub mod stretch;
pub mod subset;
pub mod symmetric;
mod tiles;
pub mod trajectory;
pub mod variance_law;

/// Arrays at the border of this crate.
pub use ndarray;

pub use classifier::{Classifier, ClassifierOptions};
pub use elbo::{Evaluation, EvaluationOptions, evaluate};
pub use error::{EvaluationError, Result};
