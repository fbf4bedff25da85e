//! Every number about a trained model.
