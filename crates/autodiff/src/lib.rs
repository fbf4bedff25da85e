//! Tape-based reverse-mode differentiation over tensor-ops.
#![forbid(unsafe_code)]

mod backward;
mod blocks;
mod buffer;
pub mod check;
mod error;
mod ops;
mod shape;
mod tape;

pub use blocks::{BlockTapes, PanelLayer};
pub use error::Error;
pub use shape::{MAX_AXES, Shape};
pub use tape::{Layout, Tape, Var};
pub use tensor_ops::{Activation, Float};
