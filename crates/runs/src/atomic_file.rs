//! Files that are either wholly there or not at all, and folders of one's own:
//! what `durable_files` does, with errors that name the place.

use std::io::{self, Read as _};
use std::path::Path;

use durable_files::{FolderLock, LOCK_FILE};

use crate::error::{Error, unreadable};

/// Writes `bytes` to `path`.
///
/// # Errors
/// When the folder or the file cannot be written; an older file of that name
/// then stands as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    durable_files::write(path, bytes).map_err(unwritable(path))
}

/// Checks that files can be made in `folder`, before the work whose result goes
/// there; leaves no trace. A folder that is not there must be possible to make.
///
/// # Errors
/// When it is or lies below a file, or nothing can be made there.
pub fn check_folder(folder: &Path) -> Result<(), Error> {
    durable_files::check_folder(folder).map_err(unwritable(folder))
}

/// The same of a file that is going to be written or replaced.
///
/// # Errors
/// As [`check_folder`], or when it is no regular file.
pub fn check_file(file: &Path) -> Result<(), Error> {
    durable_files::check_file(file)
        .and_then(|()| input_files::require_replaceable(file))
        .map_err(unwritable(file))
}

/// The same of a file that may only take the place of one of its own kind: `is_ours`
/// tells by the first bytes of what is there; an empty file is in nobody's way.
///
/// # Errors
/// As [`check_file`], or when something else is there, which would be lost; `kind` is
/// what the file is going to be.
pub fn check_own_file(
    file: &Path,
    kind: &str,
    is_ours: impl FnOnce(&[u8]) -> bool,
) -> Result<(), Error> {
    /// More than any kind is told by.
    const HEAD: u64 = 4096;
    require_parent(file)?;
    check_file(file)?;
    let mut head = Vec::new();
    match input_files::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.and_then(|found| found.take(HEAD).read_to_end(&mut head)),
    }
    .map_err(unreadable(file))?;
    if head.is_empty() || is_ours(&head) {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "{} exists and is no {kind}; name another file, or remove it first",
        file.display()
    )))
}

/// Checks that the folder is there in which `path` is going to be made.
///
/// # Errors
/// When there is none of that name.
pub(crate) fn require_parent(path: &Path) -> Result<(), Error> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    match parent {
        Some(parent) if !parent.is_dir() => {
            let missing = format!("there is no folder {}", parent.display());
            Err(unwritable(path)(io::Error::new(
                io::ErrorKind::NotFound,
                missing,
            )))
        }
        _ => Ok(()),
    }
}

/// Makes a folder and those above it that are missing.
///
/// # Errors
/// When one of them cannot be made.
pub fn create_folder(folder: &Path) -> Result<(), Error> {
    durable_files::create_folder(folder).map_err(unwritable(folder))
}

/// Takes a folder for writing in, as the only one; makes it if it is missing.
/// A folder with files in it must be one of ours: one that has been taken
/// before, or for which `is_ours` finds something that only we write.
///
/// # Errors
/// When another process writes there, when it holds somebody else's files, or
/// when it cannot be written.
pub fn take_folder(
    folder: &Path,
    command: &str,
    is_ours: impl FnOnce(&Path) -> bool,
) -> Result<FolderLock, Error> {
    create_folder(folder)?;
    check_own(folder, is_ours)?;
    FolderLock::acquire(folder, command).map_err(Error::from)
}

/// Checks that a folder holds nothing of somebody else, as [`take_folder`] does;
/// one that is not there holds nothing.
///
/// # Errors
/// When it does.
pub fn check_own(folder: &Path, is_ours: impl FnOnce(&Path) -> bool) -> Result<(), Error> {
    let is_empty = std::fs::read_dir(folder).map_or(true, |mut files| files.next().is_none());
    if is_empty || folder.join(LOCK_FILE).exists() || is_ours(folder) {
        return Ok(());
    }
    Err(Error::RunFolder(format!(
        "{} holds files that this program has not written, which results would be mixed with; name a new or empty folder",
        folder.display()
    )))
}

pub(crate) fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    |source| Error::Write { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, b"").expect("writable");
        for (place, refused) in [
            (file.join("x"), write(&file.join("x"), b"")),
            (file.clone(), check_folder(&file)),
            // What is in the way of a file is its folder.
            (file.join("run"), check_file(&file.join("run"))),
            (folder.path().into(), check_file(folder.path())),
            (file.join("y"), create_folder(&file.join("y"))),
        ] {
            let message = refused.unwrap_err().to_string();
            let expected = format!("{} cannot be written: ", place.display());
            assert!(message.starts_with(&expected), "{message}");
        }
    }

    #[test]
    fn files_of_others_are_not_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("table.csv");
        let check = || check_own_file(&file, "table", |head| head.starts_with(b"model,"));
        check().expect("new");
        for (content, is_free) in [("", true), ("model,n\n", true), ("label,pixel1\n", false)] {
            std::fs::write(&file, content).expect("writable");
            assert_eq!(check().is_ok(), is_free, "{content:?}");
        }
        let message = check().unwrap_err().to_string();
        assert!(
            message.contains("table.csv exists and is no table"),
            "{message}"
        );
        std::fs::remove_file(&file).expect("ours");
        std::fs::create_dir(&file).expect("writable");
        check().expect_err("a folder");
        let nowhere = folder.path().join("nowhere/table.csv");
        let message = check_own_file(&nowhere, "table", |_| true).unwrap_err();
        assert!(
            message.to_string().contains("there is no folder"),
            "{message}"
        );
    }

    #[test]
    fn folders_of_others_are_not_taken() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let new = root.path().join("a/new");
        let first = take_folder(&new, "train", |_| false).expect("new");
        let message = take_folder(&new, "train", |_| false)
            .unwrap_err()
            .to_string();
        assert!(message.contains("is being written by process"), "{message}");
        drop(first);
        std::fs::write(new.join("result"), b"").expect("writable");
        take_folder(&new, "train", |_| false).expect("taken before");
        let message = take_folder(root.path(), "train", |_| false)
            .unwrap_err()
            .to_string();
        assert!(message.contains("has not written"), "{message}");
        assert!(!root.path().join(LOCK_FILE).exists());
        take_folder(root.path(), "train", |folder| folder.join("a").exists()).expect("ours");
    }
}
