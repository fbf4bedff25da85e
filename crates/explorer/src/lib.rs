//! The explorer: one HTML file that holds trained models and the codes of
//! their data, and decodes under the pointer.
//!
//! The file needs no network and no other file. What it holds is told by
//! [`Contents`]; [`payload`] says how numbers are kept in it, [`precision`] how
//! many bits weights keep, [`distances`] what its cue says about how far a code
//! is from the data. The page itself is written in `page/`: its HTML, its style
//! and its script, which reads the payload and computes what is shown.
//!
//! This crate knows numbers, models and pictures, and nothing of run folders or
//! files of data.

#![forbid(unsafe_code)]

mod codes;
mod contents;
pub mod distances;
mod error;
mod layers;
mod manifest;
mod page;
pub mod payload;
pub mod precision;
mod rounding;
mod sections;
mod store;
mod table;
mod thumbnails;

pub use contents::{
    Contents, DataSet, EpochLosses, Losses, Moments, Plane, PlaneKind, Principal, Run, Still,
    Treatment, Weights,
};
pub use error::Error;
pub use manifest::FORMAT;
pub use page::{Explorer, GENERATOR, MOST_BYTES, WARNED_BYTES, is_ours};
pub use precision::Precision;
pub use thumbnails::{LONGEST_SIDE, Thumbnails, balanced};

/// A result with this crate's errors.
pub type Result<T> = std::result::Result<T, Error>;
