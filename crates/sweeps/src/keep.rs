//! What is kept of a run that has ended.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use runs::Error;
use runs::run_folder::RunFolder;

/// What is kept of a run that has ended, beside what it is and what it reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: its numbers alone.
    Results,
    /// The weights and the codes that were tracked, which is what figures need.
    #[default]
    Weights,
    /// Also what a run with more epochs would go on from, three times the weights.
    All,
}

impl Keep {
    /// Every one, the least first.
    pub const ALL: [Self; 3] = [Self::Results, Self::Weights, Self::All];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::Weights => "weights",
            Self::All => "all",
        }
    }

    /// Removes the rest from the folder of a run that has ended.
    ///
    /// # Errors
    /// When another process writes in the folder, or a file cannot be removed.
    pub(crate) fn remove_others(self, folder: &RunFolder, command: &str) -> Result<(), Error> {
        let others = self.others(folder);
        if !others.iter().any(|file| file.exists()) {
            return Ok(());
        }
        let _taken = folder.take(command)?;
        for path in others {
            // After a power cut one may come back; the next call removes it then.
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Write { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the folder of a run that is done has less than this, which only training
    /// again would bring back.
    pub(crate) fn lacks_in(self, folder: &RunFolder) -> bool {
        match self {
            Self::Results => false,
            Self::Weights => !folder.model().exists(),
            Self::All => !folder.model().exists() || !folder.state().exists(),
        }
    }

    fn others(self, folder: &RunFolder) -> Vec<PathBuf> {
        let continuing = [folder.state(), folder.best()];
        let figures = [folder.model(), folder.trajectories()];
        match self {
            Self::All => Vec::new(),
            Self::Weights => continuing.into(),
            Self::Results => continuing.into_iter().chain(figures).collect(),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        names::choose("choice", text, &Self::ALL, |keep| keep.name()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_and_less_is_left() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = RunFolder::at(root.path().join("run"));
        std::fs::create_dir(folder.path()).expect("writable");
        let files = ["result.json", "model", "state", "best"];
        let path = |name: &str| match name {
            "result.json" => folder.path().join(name),
            name => folder.path().join(format!("{name}.safetensors")),
        };
        for name in files {
            std::fs::write(path(name), "x").expect("writable");
        }
        std::fs::write(folder.path().join(".latent-atlas.lock"), "").expect("writable");
        let left = || files.map(|name| path(name).exists());
        for (keep, expected) in [
            (Keep::All, [true, true, true, true]),
            (Keep::Weights, [true, true, false, false]),
            (Keep::Results, [true, false, false, false]),
            (Keep::All, [true, false, false, false]),
        ] {
            keep.remove_others(&folder, "sweep").expect("writable");
            assert_eq!(left(), expected, "{keep}");
            let lacks = keep == Keep::All && !expected[2];
            assert_eq!(keep.lacks_in(&folder), lacks, "{keep}");
        }
        assert_eq!("Weights".parse(), Ok(Keep::Weights));
        assert!("everything".parse::<Keep>().is_err());
    }
}
