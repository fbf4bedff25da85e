//! File systems in a file or in memory, mounted for a trial.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// A mounted file system; unmounted when dropped.
pub(crate) struct Mounted {
    place: PathBuf,
}

impl Mounted {
    /// Mounts with these arguments of `mount` at `place`, a folder that is made.
    pub(crate) fn new(place: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        fs::create_dir_all(place)?;
        let path = place.display().to_string();
        call("mount", &[arguments, &[&path]].concat())?;
        Ok(Self {
            place: place.to_owned(),
        })
    }

    /// An ext4 in the file `image`.
    pub(crate) fn image(image: &Path, place: &Path) -> anyhow::Result<Self> {
        Self::new(place, &["-o", "loop", &image.display().to_string()])
    }

    /// A file system in memory of so many KiB.
    pub(crate) fn memory(place: &Path, kibibytes: u64) -> anyhow::Result<Self> {
        let size = format!("size={kibibytes}k");
        Self::new(place, &["-t", "tmpfs", "-o", &size, "tmpfs"])
    }

    /// Gives a file system in memory another size.
    pub(crate) fn resize(&self, kibibytes: u64) -> anyhow::Result<()> {
        let options = format!("remount,size={kibibytes}k");
        call(
            "mount",
            &["-o", &options, &self.place.display().to_string()],
        )
    }

    pub(crate) fn path(&self) -> &Path {
        &self.place
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: whatever still holds it does not keep the trial.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// Runs a command of the system.
pub(crate) fn call(command: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(command)
        .args(arguments)
        .output()
        .with_context(|| format!("{command} could not be started"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!("{command} {}: {}", arguments.join(" "), said.trim())
}
