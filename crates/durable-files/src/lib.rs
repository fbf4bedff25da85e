//! Everything that is written to a disk and must outlive a crash: whole files
//! and folders, the lock of a folder that one process at a time may write, and
//! seals, checksums inside files that tell when a bit of them has changed.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("result.json");
//! durable_files::write(&path, b"{}\n")?;
//! assert_eq!(std::fs::read(&path)?, b"{}\n");
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]

mod folder;
mod lease;
mod lock;
pub mod seal;
mod unfinished;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

pub use crate::folder::{check_file, check_folder, create_folder, remove_file, sync_folder};
pub use crate::lease::{GONE_AFTER, LastHolder, last_holder};
pub use crate::lock::{FolderLock, LOCK_FILE, LockError};
pub use crate::unfinished::{UnfinishedFile, UnfinishedFolder};

/// Writes `bytes` to `path`: after a crash at any moment, a power cut included,
/// the path holds the whole old file or the whole new one.
///
/// # Errors
/// When the folder or the file cannot be written; an older file of that name
/// then stands as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = UnfinishedFile::create(path)?;
    unfinished.file().write_all(bytes)?;
    unfinished.publish()
}

/// The same of a file that may hold these bytes already, and is left alone
/// then: nothing waits for the disk.
///
/// # Errors
/// As [`write()`].
pub fn update(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let is_there = fs::metadata(path).is_ok_and(|old| old.is_file())
        && fs::read(path).is_ok_and(|old| old == bytes);
    if is_there { Ok(()) } else { write(path, bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        write(&path, b"first").expect("writable");
        write(&path, b"second").expect("writable");
        update(&path, b"second").expect("writable");
        assert_eq!(fs::read(&path).expect("readable"), b"second");
        update(&path, b"third").expect("writable");
        assert_eq!(fs::read(&path).expect("readable"), b"third");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_nothing_is_left() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("inside")).expect("a new folder");
        write(&path, b"bytes").expect_err("a folder is in the way");
        update(&path, b"bytes").expect_err("a folder is in the way");
        assert!(path.join("inside").is_dir());
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
        write(&folder.path().join("absent/file"), b"").expect_err("no folder");
        write(Path::new("/"), b"").expect_err("no name");
    }
}
