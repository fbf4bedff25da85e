//! One process that reads changed files until it is through or falls.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use clap::Args;
use readers::{Reader, mutation};

use crate::METER;

/// Read some changed files; started by `mutate`.
#[derive(Args, Debug)]
pub(crate) struct Work {
    #[arg(long, value_parser = crate::reader)]
    pub(crate) reader: &'static Reader,
    #[arg(long)]
    pub(crate) seed: u64,
    #[arg(long)]
    pub(crate) from: u64,
    #[arg(long)]
    pub(crate) to: u64,
    /// A folder for the reader's files.
    #[arg(long)]
    pub(crate) place: PathBuf,
    /// Holds the number of the file being read, in eight bytes.
    #[arg(long)]
    pub(crate) progress: PathBuf,
}

impl Work {
    /// Reads the files and prints how many were refused and the most memory that
    /// one of them took.
    ///
    /// # Panics
    /// At a finding.
    pub(crate) fn run(&self) {
        let mut opened = self.reader.open(&self.place);
        let progress = File::options()
            .write(true)
            .open(&self.progress)
            .expect("the file of the starting process");
        for file in &opened.files.clone() {
            let outcome = opened.read(file);
            assert_eq!(outcome, Ok(()), "a good file is refused");
        }
        let (mut refused, mut most) = (0_u64, 0);
        for index in self.from..self.to {
            progress
                .write_all_at(&index.to_le_bytes(), 0)
                .expect("eight bytes in memory");
            let bytes = mutation::mutated(self.reader, &opened.files, self.seed, index);
            let (outcome, peak) = METER.peak_during(|| opened.read(&bytes));
            refused += u64::from(outcome.is_err());
            let allowed = self.reader.allowance + 64 * bytes.len();
            assert!(
                peak <= allowed,
                "{peak} bytes of memory for a file of {} ({outcome:?})",
                bytes.len()
            );
            most = most.max(peak);
        }
        println!("{refused} {most}");
    }
}
