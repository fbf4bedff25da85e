use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::VizError;

/// Writes `bytes` to `path` so that a reader sees either the old file or the whole new one.
///
/// The bytes go to a temporary name in the same folder, are synced to the disk and renamed. A file
/// that holds these bytes already is left alone: drawing a figure again costs no wait for the disk.
///
/// # Errors
///
/// [`VizError::File`] when the folder is missing or read-only or the disk is full; the temporary
/// file is removed and an existing file at `path` stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), VizError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let temporary = temporary_path(path);
    let result = write_and_rename(&temporary, path, bytes);
    if result.is_err() {
        // The first error is the one to report; a temporary file that never
        // came to be cannot be removed either.
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8]) -> Result<(), VizError> {
    let failed = |action| {
        move |source| VizError::File {
            action,
            path: path.to_path_buf(),
            source,
        }
    };
    let mut file = File::create(temporary).map_err(failed("create"))?;
    file.write_all(bytes).map_err(failed("write"))?;
    file.sync_all().map_err(failed("sync"))?;
    drop(file);
    fs::rename(temporary, path).map_err(failed("rename a temporary file to"))
}

fn temporary_path(path: &Path) -> PathBuf {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(
        ".{}-{}.tmp",
        std::process::id(),
        SERIAL.fetch_add(1, Ordering::Relaxed)
    ));
    path.with_file_name(name)
}
