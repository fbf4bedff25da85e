//! What is written down about a run that was made again.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::{Comparison, RunFolder};
use crate::environment::{self, Environment};
use crate::error::Error;
use crate::{atomic_file, sealed_json, shell};

/// Whether a run could be made again, by whom and where.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Receipt {
    /// The run.
    pub run: String,
    /// What was found.
    pub verdict: Verdict,
    /// Why other bits were to be expected; empty where the same were.
    pub reasons: Vec<String>,
    /// Where they differ.
    pub comparison: Comparison,
    /// Where it was made again.
    pub machine: Machine,
    /// By what.
    pub program: Program,
    /// What the run says of where it was made.
    pub made_on: Environment,
    /// The same of this machine.
    pub made_again_on: Environment,
}

/// Whether the bits are the same, and were to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The same bits.
    Same,
    /// Other bits, where other bits are to be expected.
    OtherAsExpected,
    /// Other bits, and nothing explains it.
    Other,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Its name; absent where the system does not tell.
    pub host: Option<String>,
    /// Its processor; likewise.
    pub processor: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
}

/// The program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// The git revision it was built from.
    pub revision: String,
}

impl Receipt {
    /// Where the receipt of a run is kept unless somewhere else is named.
    #[must_use]
    pub fn usual_path(folder: &RunFolder) -> std::path::PathBuf {
        folder.path().join("verify.json")
    }

    pub(super) fn new(
        folder: &RunFolder,
        then: Environment,
        now: Environment,
        reasons: Vec<String>,
        comparison: Comparison,
    ) -> Self {
        let verdict = match (comparison.is_same, reasons.is_empty()) {
            (true, _) => Verdict::Same,
            (false, false) => Verdict::OtherAsExpected,
            (false, true) => Verdict::Other,
        };
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            run: shell::shown(folder.path()),
            verdict,
            reasons,
            comparison,
            machine: Machine {
                host: Some(host.trim().to_owned()).filter(|host| !host.is_empty()),
                processor: environment::processor(),
                cores: std::thread::available_parallelism().map_or(1, Into::into),
            },
            program: Program {
                version: now.version.clone(),
                revision: now.revision.clone(),
            },
            made_on: then,
            made_again_on: now,
        }
    }

    /// Writes it, sealed.
    ///
    /// # Errors
    /// As [`Self::check_place`].
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        Self::check_place(path)?;
        sealed_json::write(path, self)
    }

    /// Checks that a receipt can be written to `path`.
    ///
    /// # Errors
    /// When the file cannot be written, or is there and no receipt.
    pub fn check_place(path: &Path) -> Result<(), Error> {
        // Its first two fields.
        atomic_file::check_own_file(path, "receipt of 'verify'", |head| {
            let mut lines = head.split(|&byte| byte == b'\n').skip(1);
            let fields = ["  \"run\": ", "  \"verdict\": "];
            fields.iter().all(|field| {
                lines
                    .next()
                    .is_some_and(|line| line.starts_with(field.as_bytes()))
            })
        })
    }

    /// What was found, in words: of a run without weights, of what alone.
    #[must_use]
    pub fn says(&self) -> String {
        let verdict = self.verdict;
        match self.comparison.has_weights() {
            true => verdict.to_string(),
            false => format!("{verdict}, of its losses alone: the run has no weights to compare"),
        }
    }

    /// That nothing explains other bits.
    ///
    /// # Errors
    /// [`Error::OtherBits`] where the verdict is [`Verdict::Other`].
    pub fn require_explained(&self) -> Result<(), Error> {
        if self.verdict != Verdict::Other {
            return Ok(());
        }
        let place = match self.comparison.first_differing_epoch {
            Some(epoch) => format!("from epoch {epoch} on"),
            None => "in its files".into(),
        };
        Err(Error::OtherBits(format!(
            "{} made again with the same settings, data, version and instruction set differs {place}; its files are not those that were trained, or the machine does not compute what it should",
            self.run
        )))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "the same bits",
            Self::OtherAsExpected => "other bits, as is to be expected",
            Self::Other => "other bits, and nothing explains it",
        })
    }
}
