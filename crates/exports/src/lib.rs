//! Trained runs as files of other tools.
