//! A file that is written beside its place and moved there when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the names of files under construction end with.
pub(crate) const EXTENSION: &str = "part";

/// A file that disappears unless it is published.
pub(crate) struct Temporary {
    pub(crate) file: File,
    path: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Temporary {
    /// An empty hidden file beside `target`, under a name that no other one of
    /// this or another process has.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let serial = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(
            ".{name}.{}-{serial}.{EXTENSION}",
            std::process::id()
        ));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        Ok(Self {
            file,
            path,
            target: target.to_owned(),
            published: false,
        })
    }

    /// Moves it to its place, where it replaces what is there.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.published = true;
        #[cfg(unix)]
        if let Some(folder) = self.target.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // Nothing more can be done about a file that will not go away.
            let _ = fs::remove_file(&self.path);
        }
    }
}
