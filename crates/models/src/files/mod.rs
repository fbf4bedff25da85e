//! Files of weights and of the state of training.

pub(crate) mod checkpoint;
mod state;
