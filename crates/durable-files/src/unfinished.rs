//! Files and folders under construction: beside their place under a hidden
//! name, and moved there when they are whole.
//!
//! Each is locked by the process that writes it. A lock ends with its process,
//! so that what a dead one has left behind is known by its lock being free, and
//! is removed by the next process that begins to write in the same folder.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::folder::{parent, sync_folder};

/// What the names of everything unfinished begin with; then come the number of
/// the process and one of the file, each with a hyphen behind it.
const PREFIX: &str = ".latent-atlas-writing-";

/// A file that disappears unless it is published.
#[derive(Debug)]
pub struct UnfinishedFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    is_published: bool,
}

impl UnfinishedFile {
    /// An empty hidden file beside `target`.
    ///
    /// # Errors
    /// When `target` names no file, or nothing can be made beside it.
    pub fn create(target: &Path) -> io::Result<Self> {
        sweep_once(parent(target));
        loop {
            let path = unfinished_path(target)?;
            let mut options = OpenOptions::new();
            let file = match options.read(true).write(true).create_new(true).open(&path) {
                // Of a process of the same number on another machine.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            if is_ours(&file)? {
                return Ok(Self {
                    file,
                    path,
                    target: target.to_owned(),
                    is_published: false,
                });
            }
        }
    }

    /// Where it is while it is being written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file to write.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Moves it to its place, where it replaces what is there, once its content
    /// is on the disk; returns when the new name is, too.
    ///
    /// # Errors
    /// When it cannot be synced or renamed, and nothing has changed; or when the
    /// folder cannot be synced, and the new file may be gone after a power cut.
    pub fn publish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.is_published = true;
        sync_folder(parent(&self.target))
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if !self.is_published {
            // Nothing more can be done about a file that will not go away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A folder that disappears unless it is published.
#[derive(Debug)]
pub struct UnfinishedFolder {
    /// Open for its lock, where a folder can be opened.
    _lock: Option<File>,
    path: PathBuf,
    target: PathBuf,
    is_published: bool,
}

impl UnfinishedFolder {
    /// An empty hidden folder beside `target`.
    ///
    /// # Errors
    /// As [`UnfinishedFile::create`].
    pub fn create(target: &Path) -> io::Result<Self> {
        sweep_once(parent(target));
        loop {
            let path = unfinished_path(target)?;
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created?,
            }
            let lock = match File::open(&path) {
                // Swept between the two calls.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.ok(),
            };
            if lock.as_ref().map_or(Ok(true), is_ours)? {
                return Ok(Self {
                    _lock: lock,
                    path,
                    target: target.to_owned(),
                    is_published: false,
                });
            }
        }
    }

    /// Where it is while it is being written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one file inside, with the folders on its way.
    ///
    /// # Errors
    /// When it cannot be written, or a file of that name has been.
    pub fn add(&self, name: &Path, bytes: &[u8]) -> io::Result<()> {
        let target = self.path.join(name);
        fs::create_dir_all(parent(&target))?;
        let mut file = File::create_new(&target)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    }

    /// Moves it to its place, which must be free or an empty folder.
    ///
    /// # Errors
    /// As [`UnfinishedFile::publish`].
    pub fn publish(mut self) -> io::Result<()> {
        sync_tree(&self.path)?;
        fs::rename(&self.path, &self.target)?;
        self.is_published = true;
        sync_folder(parent(&self.target))
    }
}

impl Drop for UnfinishedFolder {
    fn drop(&mut self) {
        if !self.is_published {
            // As of a file.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Syncs a folder and those inside, innermost first.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// A hidden name beside `target` that this process has not used before.
fn unfinished_path(target: &Path) -> io::Result<PathBuf> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let Some(name) = target.file_name() else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let mut hidden = OsString::from(format!("{PREFIX}{}-{serial}-", std::process::id()));
    // A name may be as long as a name can be: the end of it is what helps.
    const MOST_BYTES: usize = 60;
    if name.len() <= MOST_BYTES {
        hidden.push(name);
    }
    Ok(target.with_file_name(hidden))
}

/// Locks what this process has just made; false if another one has taken it for
/// left behind and removed it in between.
fn is_ours(file: &File) -> io::Result<bool> {
    // Where there are no locks nothing is swept, either.
    if file.lock().is_err() {
        return Ok(true);
    }
    Ok(is_linked(&file.metadata()?))
}

#[cfg(unix)]
fn is_linked(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 0
}

#[cfg(not(unix))]
fn is_linked(_: &fs::Metadata) -> bool {
    // A file that is open is not removed there.
    true
}

/// Removes what dead processes have left in `folder`, the first time that this
/// process writes there.
fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if swept.insert(folder.to_owned()) {
        drop(swept);
        sweep(folder);
    }
}

/// Removes everything unfinished in `folder` that no process holds. What cannot
/// be looked at or removed stays, as it is in nobody's way.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = is_unfinished(entry.file_name().as_encoded_bytes());
        let Some(kind) = entry.file_type().ok().filter(|_| is_ours) else {
            continue;
        };
        if !(kind.is_file() || kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        let Ok(file) = File::open(&path) else {
            continue;
        };
        if file.try_lock().is_ok() {
            let _ = match kind.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
        }
    }
}

/// Whether a name is one of [`unfinished_path`], and nobody else's.
fn is_unfinished(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX.as_bytes()) else {
        return false;
    };
    let mut parts = rest.splitn(3, |&byte| byte == b'-');
    let mut is_number = || {
        let part = parts.next().unwrap_or_default();
        !part.is_empty() && part.iter().all(u8::is_ascii_digit)
    };
    is_number() && is_number() && parts.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).expect("readable");
        entries
            .map(|entry| entry.expect("readable").file_name())
            .collect()
    }

    #[test]
    fn what_is_not_published_disappears() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let file = UnfinishedFile::create(&root.path().join("file")).expect("writable");
        let folder = UnfinishedFolder::create(&root.path().join("folder")).expect("writable");
        folder.add(Path::new("inside/one"), b"1").expect("writable");
        assert_eq!(names(root.path()).len(), 2);
        drop((file, folder));
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn a_folder_appears_with_everything_in_it() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let target = root.path().join("folder");
        let folder = UnfinishedFolder::create(&target).expect("writable");
        folder.add(Path::new("inside/one"), b"1").expect("writable");
        folder
            .add(Path::new("inside/one"), b"2")
            .expect_err("written already");
        assert!(!target.exists());
        folder.publish().expect("free");
        assert_eq!(fs::read(target.join("inside/one")).expect("there"), b"1");
        let second = UnfinishedFolder::create(&target).expect("writable");
        second.publish().expect_err("taken by a folder with files");
        assert_eq!(names(root.path()), ["folder"]);
    }

    #[test]
    fn what_the_dead_leave_behind_is_swept_and_what_others_write_is_not() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let of_the_dead = root.path().join(format!("{PREFIX}1-0-model"));
        fs::write(&of_the_dead, b"half").expect("writable");
        let folder_of_the_dead = root.path().join(format!("{PREFIX}1-1-pictures"));
        fs::create_dir_all(folder_of_the_dead.join("inside")).expect("writable");
        let of_somebody = [
            ".writing-notes".to_owned(),
            format!("{PREFIX}notes"),
            format!("{PREFIX}1-notes"),
            format!("{PREFIX}1-2"),
        ];
        for name in &of_somebody {
            let folder = root.path().join(name);
            fs::create_dir(&folder).expect("a new folder");
            fs::write(folder.join("chapter1"), b"text").expect("writable");
        }
        let mut alive = UnfinishedFile::create(&root.path().join("alive")).expect("writable");
        // Beginning that file has swept; what comes later, another process does.
        assert!(!of_the_dead.exists() && !folder_of_the_dead.exists());
        fs::write(&of_the_dead, b"half").expect("writable");
        let folder = UnfinishedFolder::create(&root.path().join("folder")).expect("writable");
        sweep(root.path());
        assert!(!of_the_dead.exists());
        io::Write::write_all(alive.file(), b"whole").expect("writable");
        alive.publish().expect("not swept");
        folder.publish().expect("not swept");
        let mut left = names(root.path());
        left.sort();
        let mut expected: Vec<OsString> = of_somebody.iter().map(OsString::from).collect();
        expected.extend(["alive".into(), "folder".into()]);
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn sweeping_never_takes_a_file_that_is_being_begun() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    sweep(root.path());
                }
            });
            for _ in 0..300 {
                let target = root.path().join("file");
                let mut file = UnfinishedFile::create(&target).expect("writable");
                io::Write::write_all(file.file(), b"bytes").expect("writable");
                fs::rename(&file.path, &target).expect("not swept");
                file.is_published = true;
                let folder = UnfinishedFolder::create(&root.path().join("folder"));
                assert!(folder.expect("writable").path().is_dir(), "swept");
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
