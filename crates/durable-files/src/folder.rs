//! Folders: made, checked and synced.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes `folder` and those above it that are missing, all of them on the disk
/// when this returns.
///
/// # Errors
/// When one of them cannot be made.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() || folder.as_os_str().is_empty() {
        return Ok(());
    }
    let above = parent(folder);
    create_folder(above)?;
    match fs::create_dir(folder) {
        // Another thread or process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        created => created?,
    }
    sync_folder(above)
}

/// Removes a file, if it is there; after a power cut it does not come back.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(parent(path)),
    }
}

/// Brings the names in a folder to the disk.
///
/// # Errors
/// When the disk refuses; where folders cannot be opened for this, as on
/// Windows, nothing is done.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        match File::open(folder)?.sync_all() {
            // Some network file systems have no such thing.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Checks that files can be made in `folder`, before the work whose result goes
/// there; leaves no trace. A folder that is not there must be possible to make.
///
/// # Errors
/// When it is or lies below a file, or nothing can be made there.
pub fn check_folder(folder: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(folder)?;
    // A link to nowhere is there, and in the way.
    let existing = absolute
        .ancestors()
        .find(|part| part.symlink_metadata().is_ok());
    let existing = existing.unwrap_or(&absolute);
    if !existing.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let probe = crate::UnfinishedFolder::create(&existing.join("probe"));
    // The error names the probe, which nobody has asked for.
    probe.map(drop).map_err(|error| error.kind().into())
}

/// The same of a file that is going to be written or replaced.
///
/// # Errors
/// As [`check_folder`], or when it is no regular file.
pub fn check_file(file: &Path) -> io::Result<()> {
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            return Err(io::Error::other("it is a pipe or device, expected a file"));
        }
        _ => {}
    }
    check_folder(parent(file))
}

/// The folder of a file, or the working directory.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_with_those_above() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("a/b/c");
        create_folder(&folder).expect("possible");
        create_folder(&folder).expect("there");
        assert!(folder.is_dir());
        fs::write(folder.join("file"), b"").expect("writable");
        create_folder(&folder.join("file")).expect_err("a file");
        create_folder(&folder.join("file/d")).expect_err("below a file");
        remove_file(&folder.join("file")).expect("there");
        remove_file(&folder.join("file")).expect("gone is gone");
    }

    #[test]
    fn places_are_checked_without_a_trace() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, b"").expect("writable");
        check_folder(&folder.path().join("new/one")).expect("can be made");
        check_file(&file).expect("can be replaced");
        for refused in [
            check_folder(&file),
            check_folder(&file.join("run")),
            // What is in the way of a file is its folder.
            check_file(&file.join("run")),
            check_file(folder.path()),
        ] {
            refused.expect_err("in the way");
        }
        let count = fs::read_dir(folder.path()).expect("readable").count();
        assert_eq!(count, 1, "something was left behind");
    }

    #[cfg(unix)]
    #[test]
    fn links_to_nowhere_and_devices_are_in_the_way() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("gone"), &link).expect("a link");
        check_folder(&link.join("run")).expect_err("a link to nowhere");
        check_file(Path::new("/dev/null")).expect_err("a device");
    }
}
