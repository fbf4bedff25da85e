//! The training loop, and what it is told: batches, optimiser, schedules,
//! random streams.

pub(crate) mod batch;
pub(crate) mod clipping;
pub(crate) mod configuration;
pub(crate) mod data_treatment;
pub(crate) mod optimiser;
pub(crate) mod paying_threads;
pub(crate) mod schedule;
pub mod streams;
pub(crate) mod trainer;
