//! The networks of a model: where their weights are, how those begin, and
//! running them forward and back.

pub(crate) mod initialisation;
pub(crate) mod layout;
pub(crate) mod parameters;
pub(crate) mod pass;
pub(crate) mod rows;
