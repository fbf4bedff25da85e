//! Pictures of trained runs: what each shows, its numbers and its caption.

// Not forbidden: the macro `s!` of ndarray allows itself some.
#![deny(unsafe_code)]

pub mod absence;
pub mod choice;
pub mod classifier;
pub mod course;
pub mod divergence;
pub mod documents;
pub mod drawing;
pub mod explore;
pub mod figure_data;
pub mod image_quality;
pub mod measured;
pub mod of_runs;
mod opened;
pub mod pictures;
pub mod plane;
pub mod plane_map;
pub mod posteriors;
pub mod scene;
pub mod shown;
pub mod tiles;
pub mod trained_run;
pub mod wording;

pub use drawing::{Animated, Described, Drawing, Scale};
pub use measured::Measured;
pub use trained_run::{DivergedRun, PlannedRun, TrainedRun, title};
