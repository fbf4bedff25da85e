//! Tape-based reverse-mode differentiation over tensor-ops.
