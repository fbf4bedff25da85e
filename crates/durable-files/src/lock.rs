//! One writer for a folder at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lease::{GONE_AFTER, Lease, Refusal};

/// The file of a folder that its writer holds locked. It stays when the writer
/// has ended: removing it would let two processes lock files of the same name.
pub const LOCK_FILE: &str = ".latent-atlas.lock";

/// A folder could not be had for writing.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process, or another part of this one, writes there.
    #[error(
        "{} is being written by {holder}{}; wait for it to end, or choose another folder",
        folder.display(),
        last_seen(*seen)
    )]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Who says to hold it.
        holder: String,
        /// How long ago it gave a sign of life, of a process on another machine;
        /// none where this one knows that it runs.
        seen: Option<Duration>,
    },
    /// The folder was taken from this process.
    #[error(
        "{} was taken over by another process, to which this one seemed to be gone; it goes on there",
        folder.display()
    )]
    Lost {
        /// The folder.
        folder: PathBuf,
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
/// process at the latest, however that ends; a process on another machine notices
/// that after [`GONE_AFTER`] where locks do not reach there. Readers need none.
#[derive(Debug)]
pub struct FolderLock {
    folder: PathBuf,
    /// None from when it ends.
    lease: Option<Lease>,
    file: File,
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
        let is_locked = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    folder: folder.to_owned(),
                    holder: holder(&mut file),
                    seen: None,
                });
            }
            // On a file system without locks a second writer is kept out by the lease
            // alone, and one that dies is missed after `GONE_AFTER`.
            Err(TryLockError::Error(_)) => false,
        };
        let name = name_of(command);
        let lease = Lease::acquire(folder, &name, &file, is_locked);
        let lease = lease.map_err(|refusal| match refusal {
            Refusal::Held { holder, seen } => LockError::Held {
                folder: folder.to_owned(),
                holder,
                seen,
            },
            Refusal::Failed(path, source) => LockError::Write { path, source },
        })?;
        file.rewind()
            .and_then(|()| file.set_len(0))
            .and_then(|()| file.write_all(format!("{name}\n").as_bytes()))
            .map_err(unwritable)?;
        Ok(Self {
            folder: folder.to_owned(),
            lease: Some(lease),
            file,
        })
    }

    /// Checks that nobody has taken the folder meanwhile, to whom this process
    /// seemed to be gone: it had not been heard of for [`GONE_AFTER`], as after a
    /// machine was suspended. Before every write that must not undo another one's.
    ///
    /// # Errors
    /// [`LockError::Lost`] when somebody has.
    pub fn check(&self) -> Result<(), LockError> {
        match &self.lease {
            Some(lease) if lease.is_lost() => Err(LockError::Lost {
                folder: self.folder.clone(),
            }),
            _ => Ok(()),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // While the lock is still held: whoever gets it then finds it ended.
        self.lease = None;
        // Closing the file ends the lock; an empty one names nobody. A writer
        // that dies leaves its name, which is read only while the lock is held.
        let _ = self.file.set_len(0);
    }
}

/// What others are told of this process.
fn name_of(command: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let on = match host.trim() {
        "" => String::new(),
        host => format!(" on {host}"),
    };
    // What is typed may have several lines, and names are read by the line.
    let command = command.replace(char::is_control, " ");
    format!("process {}{on}: {command}", std::process::id())
}

/// When a holder on another machine was last seen, as part of a sentence.
fn last_seen(seen: Option<Duration>) -> String {
    seen.map_or_else(String::new, |seen| {
        format!(
            ", last seen {} s ago (it counts as gone after {} s)",
            seen.as_secs(),
            GONE_AFTER.as_secs()
        )
    })
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
    fn what_another_process_has_taken_over_is_no_longer_ours() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lock = FolderLock::acquire(folder.path(), "train").expect("free");
        lock.check().expect("held");
        std::fs::write(
            folder.path().join(".latent-atlas-lease-2.lock"),
            "of another",
        )
        .expect("writable");
        let message = lock.check().expect_err("lost").to_string();
        assert!(
            message.contains("was taken over by another process"),
            "{message}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_of_another_machine_is_named_with_its_last_sign() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = "process 9 on elsewhere: train\nplace elsewhere/7 another pid:[1] 9 11\n";
        std::fs::write(folder.path().join(".latent-atlas-lease-1.lock"), text).expect("writable");
        let message = FolderLock::acquire(folder.path(), "train")
            .expect_err("it may be alive")
            .to_string();
        assert!(
            message.contains("by process 9 on elsewhere: train, last seen ")
                && message.contains(" s ago (it counts as gone after 180 s); wait"),
            "{message}"
        );
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
