//! One module per command: its options, and how its result is printed.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod decode;
pub(crate) mod diagnose;
pub(crate) mod encode;
pub(crate) mod eval;
pub(crate) mod explore;
pub(crate) mod export;
pub(crate) mod figures;
pub(crate) mod inspect;
pub(crate) mod interpolate;
pub(crate) mod iwae_table;
pub(crate) mod man;
pub(crate) mod new_data;
pub(crate) mod reconstruct;
pub(crate) mod reproduce;
pub(crate) mod runs;
pub(crate) mod sample;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod study;
pub(crate) mod sweep;
pub(crate) mod train;
pub(crate) mod verify;
