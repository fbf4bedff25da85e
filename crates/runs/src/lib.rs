//! Runs: their configuration, the folder each is kept in, training into it,
//! reports of what it reached, and trained models on new data.
//!
//! Everything the command line does with a run is a function here, so that it
//! can be tested and used without it.

// Not forbidden: the macro `s!` of ndarray allows itself some.
#![deny(unsafe_code)]

pub mod apply;
pub mod atomic_file;
pub mod configuration;
pub mod diagnosis;
mod early_stopping;
pub mod environment;
mod error;
pub mod gather;
pub mod imported;
pub mod interrupt;
pub mod jobs;
mod metrics;
mod needed_memory;
pub mod presets;
pub mod report;
pub mod reproduce;
pub mod run_data;
pub mod run_folder;
pub mod run_images;
pub mod sealed_json;
pub mod shell;
mod standing;
pub mod training;
pub mod trajectories;
pub mod verify;

pub use error::Error;
pub use standing::Standing;
