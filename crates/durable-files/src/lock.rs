//! One writer for a folder at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// The file of a folder that its writer holds locked. It stays when the writer
/// has ended: removing it would let two processes lock files of the same name.
pub const LOCK_FILE: &str = ".latent-atlas.lock";

/// A folder could not be had for writing.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process, or another part of this one, writes there.
    #[error(
        "{} is being written by {holder}; wait for it to end, or choose another folder",
        folder.display()
    )]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Who says to hold it.
        holder: String,
    },
    /// The lock file cannot be made.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The right to write in a folder. It ends when this is dropped, and with the
/// process at the latest, however that ends. Readers need none.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    is_held: bool,
}

impl FolderLock {
    /// Takes the lock of a folder that exists. `command` tells others who has
    /// it.
    ///
    /// # Errors
    /// When somebody has it already, or the lock file cannot be written.
    pub fn acquire(folder: &Path, command: &str) -> Result<Self, LockError> {
        let path = folder.join(LOCK_FILE);
        let unwritable = |source| LockError::Write {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unwritable)?;
        let is_held = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    folder: folder.to_owned(),
                    holder: holder(&mut file),
                });
            }
            // A file system without locks; see `is_held`.
            Err(TryLockError::Error(_)) => false,
        };
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let on = match host.trim() {
            "" => String::new(),
            host => format!(" on {host}"),
        };
        let text = format!("process {}{on}: {command}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(unwritable)?;
        Ok(Self { file, is_held })
    }

    /// False where the file system has no locks: nothing keeps a second writer
    /// out there.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file ends the lock; an empty one names nobody. A writer
        // that dies leaves its name, which is read only while the lock is held.
        let _ = self.file.set_len(0);
    }
}

/// What the lock file says about who holds it, in one line.
fn holder(file: &mut File) -> String {
    const MOST_BYTES: u64 = 500;
    let mut bytes = Vec::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(MOST_BYTES).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    match text.lines().next() {
        Some(line) if read.is_ok() && !line.is_empty() => line.to_owned(),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_the_dead_hold_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = FolderLock::acquire(folder.path(), "train --out x").expect("free");
        assert!(first.is_held());
        let refused = FolderLock::acquire(folder.path(), "train").expect_err("held");
        let message = refused.to_string();
        let id = std::process::id().to_string();
        for part in ["is being written by process ", &id, ": train --out x; wait"] {
            assert!(message.contains(part), "{message}");
        }
        // Readers are not kept out.
        std::fs::read(folder.path().join(LOCK_FILE)).expect("readable");
        drop(first);
        let path = folder.path().join(LOCK_FILE);
        assert_eq!(std::fs::read(&path).expect("stays"), b"");
        std::fs::write(&path, "process 1: of somebody who died").expect("writable");
        FolderLock::acquire(folder.path(), "train").expect("free");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let message = FolderLock::acquire(Path::new("/nowhere"), "train")
            .expect_err("no folder")
            .to_string();
        assert!(
            message.starts_with("/nowhere/.latent-atlas.lock cannot be written: "),
            "{message}"
        );
    }
}
