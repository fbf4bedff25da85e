//! One module per command: its options, and how its result is printed.

pub(crate) mod bench;
pub(crate) mod ci;
pub(crate) mod data;
pub(crate) mod eval;
pub(crate) mod figures;
pub(crate) mod inspect;
pub(crate) mod reading;
pub(crate) mod reproduce;
pub(crate) mod source;
pub(crate) mod train;
