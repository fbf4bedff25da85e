use std::path::Path;

use crate::VizError;

/// Writes `bytes` to `path` so that a reader, or a crash, sees either the old file or the whole new
/// one. A file that holds these bytes already is left alone: drawing a figure again costs no wait
/// for the disk.
///
/// # Errors
///
/// [`VizError::File`] when the folder is missing or read-only or the disk is full; an existing file
/// at `path` stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), VizError> {
    durable_files::update(path, bytes).map_err(|source| VizError::File {
        path: path.to_path_buf(),
        source,
    })
}
