//! Run folders, configuration and studies: joins the other crates.
//!
//! Everything the command line does is a function here, so that it can be
//! tested and used without it.

pub mod apply;
pub mod atomic_file;
pub mod benchmark;
pub mod claims;
pub mod configuration;
mod early_stopping;
pub mod environment;
mod error;
pub mod figures;
pub mod interrupt;
pub mod markdown;
mod page;
pub mod presets;
pub mod report;
pub mod reproduce;
pub mod run_data;
pub mod run_folder;
mod run_images;
pub mod study;
pub mod training;
pub mod trajectories;

pub use error::Error;
