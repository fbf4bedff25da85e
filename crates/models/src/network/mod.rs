//! Where the weights of a model's networks are, and how its layers are run.

pub(crate) mod activations;
pub(crate) mod initialisation;
pub(crate) mod layout;
pub(crate) mod ownership;
pub(crate) mod panels;
pub(crate) mod parameters;
pub(crate) mod pass;
