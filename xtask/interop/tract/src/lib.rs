//! Nothing: what there is are tests.
