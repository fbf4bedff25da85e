//! Networks that were trained elsewhere as run folders.
