//! Many runs on any number of machines: which there are to be, a part of them on this
//! machine, how far all of them are, and what they come to together.
//!
//! A sweep is a [plan], a file with a line for each run. Whoever has the
//! file and the folder of the runs can train a [shard] of it, at any time and
//! any number of times: what is finished is left alone, what was interrupted goes on,
//! and what another process is at is left to it. No process knows of the others; there
//! is no scheduler here, but [scripts](emit) for those that exist.
//!
//! The folders of the runs are those that `figures` and `reproduce` look for, so that
//! what was trained on a cluster is drawn at home.

#![forbid(unsafe_code)]

pub mod emit;
mod ended;
pub mod keep;
mod list;
pub mod make;
pub mod merge;
pub mod plan;
pub mod run;
pub mod shard;
mod speed;
pub mod status;

pub use keep::Keep;
pub use plan::{Plan, PlannedRun};
pub use shard::Shard;
