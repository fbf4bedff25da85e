//! IDX files, the data set registry, the embedded glyphs set, binarisation.
