//! What happens to the program when it is killed, asked to stop, started twice,
//! when the power goes, the disk is full or a bit of its files changes, and when others
//! start it: Slurm and GNU parallel.
//!
//! Every trial runs the program as a process on small data, does that to it at
//! moments that follow from a seed, lets it go on, and compares what it ends in
//! with what an undisturbed process gives, byte by byte. A few of each run in
//! `cargo test`, many in `cargo xtask ci --full`.

#![forbid(unsafe_code)]

pub mod bit_flips;
pub mod contents;
pub mod engines;
pub mod full_disk;
mod images;
pub mod job;
pub mod kills;
mod mount;
pub mod power_cuts;
pub mod process;
mod random;
pub mod signals;
pub mod two_writers;

use std::fmt;

use serde_json::Value;

/// What a trial has come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How often it was tried.
    pub tried: usize,
    /// A sentence for each time that it ended in what it must not.
    pub findings: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// Why nothing could be tried.
    pub skipped: Option<String>,
    /// The same for a program, where there is more to say than sentences.
    pub details: Option<Value>,
}

impl Report {
    /// Nothing was tried, because of this.
    #[must_use]
    pub fn skipped(why: impl Into<String>) -> Self {
        Self {
            skipped: Some(why.into()),
            ..Self::default()
        }
    }

    /// Takes in what another has come to.
    pub fn add(&mut self, other: Self) {
        self.tried += other.tried;
        self.findings.extend(other.findings);
        self.notes.extend(other.notes);
        self.skipped = self.skipped.take().or(other.skipped);
        self.details = self.details.take().or(other.details);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.skipped {
            write!(formatter, "skipped: {why}")?;
        } else {
            write!(
                formatter,
                "{} tried, {} findings",
                self.tried,
                self.findings.len()
            )?;
        }
        for line in self.notes.iter().chain(&self.findings) {
            write!(formatter, "\n  {line}")?;
        }
        Ok(())
    }
}
