//! Files that are either wholly there or not there at all: written to a
//! temporary name in the same folder, synced, then renamed.

use std::io::{self, Write as _};
use std::path::Path;

use crate::error::Error;

/// Writes `bytes` to `path`.
///
/// # Errors
/// When the folder or the file cannot be written; an older file of that name
/// then stands as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let run = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".writing-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    run().map_err(|source| Error::Write {
        path: path.into(),
        source,
    })
}

/// Checks that files can be made in `folder`, before the work whose result goes
/// there; leaves no trace. A folder that is not there must be possible to make.
///
/// # Errors
/// When it is or lies below a file, or nothing can be made there.
pub fn check_folder(folder: &Path) -> Result<(), Error> {
    let check = || {
        let absolute = std::path::absolute(folder)?;
        // A link to nowhere is there, and in the way.
        let existing = absolute
            .ancestors()
            .find(|part| part.symlink_metadata().is_ok());
        let existing = existing.unwrap_or(&absolute);
        if !existing.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let probe = tempfile::Builder::new()
            .prefix(".writing-")
            .tempdir_in(existing);
        // The error names the probe, which nobody has asked for.
        probe.map(drop).map_err(|error| error.kind().into())
    };
    check().map_err(|source: io::Error| Error::Write {
        path: folder.into(),
        source,
    })
}

/// The same of a file that is going to be written or replaced.
///
/// # Errors
/// As [`check_folder`], or when it is a folder.
pub fn check_file(file: &Path) -> Result<(), Error> {
    if file.is_dir() {
        return Err(Error::Write {
            path: file.into(),
            source: io::ErrorKind::IsADirectory.into(),
        });
    }
    input_files::require_replaceable(file).map_err(|source| Error::Write {
        path: file.into(),
        source,
    })?;
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => check_folder(parent),
        _ => check_folder(Path::new(".")),
    }
}

/// Writes `value` to `path` as indented JSON.
///
/// # Errors
/// As [`write()`].
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Error::Write {
        path: path.into(),
        source: error.into(),
    })?;
    text.push(b'\n');
    write(path, &text)
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
        assert_eq!(std::fs::read(&path).expect("readable"), b"second");
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("readable").count(),
            1
        );
    }

    #[test]
    fn places_are_checked_without_a_trace() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, b"").expect("writable");
        check_folder(&folder.path().join("new/one")).expect("can be made");
        check_file(&file).expect("can be replaced");
        for (place, refused) in [
            (file.clone(), check_folder(&file)),
            (file.join("run"), check_folder(&file.join("run"))),
            // What is in the way of a file is its folder.
            (file.clone(), check_file(&file.join("run"))),
            (folder.path().into(), check_file(folder.path())),
        ] {
            let message = refused.unwrap_err().to_string();
            let expected = format!("{} cannot be written: ", place.display());
            assert!(message.starts_with(&expected), "{message}");
        }
        let count = std::fs::read_dir(folder.path()).expect("readable").count();
        assert_eq!(count, 1, "something was left behind");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_in_the_way() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("gone"), &link).expect("a link");
        let message = check_folder(&link.join("run")).unwrap_err().to_string();
        assert!(message.contains("link/run cannot be written"), "{message}");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("absent/file");
        let message = write(&path, b"").unwrap_err().to_string();
        assert!(message.contains("absent/file"), "{message}");
    }
}
