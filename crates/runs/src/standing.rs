//! How far a run has come, as its folder tells anybody who looks.

use durable_files::{LastHolder, last_holder};

use crate::error::{Error, unreadable};
use crate::metrics;
use crate::run_folder::{RunFolder, RunResult};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// There is nothing of it.
    Missing,
    /// It has begun, and nobody goes on with it at the moment.
    Interrupted {
        /// Epochs completed.
        epochs: usize,
    },
    /// A process is at it.
    Running {
        /// Which, and when it was last seen.
        holder: LastHolder,
        /// Epochs completed.
        epochs: usize,
    },
    /// It is done or has diverged.
    Ended(RunResult),
}

impl RunFolder {
    /// Where the run stands; looks and changes nothing.
    ///
    /// # Errors
    /// When a file of it cannot be read, or is damaged.
    pub fn standing(&self) -> Result<Standing, Error> {
        // In this order: one that ends in between has ended.
        let holder = last_holder(self.path()).map_err(unreadable(self.path()))?;
        if let Some(result) = self.read_result()? {
            return Ok(Standing::Ended(result));
        }
        let holder = holder.filter(LastHolder::is_alive);
        if holder.is_none() && !self.exists() {
            return Ok(Standing::Missing);
        }
        // Without asking whether they are all: one that ends just now has no end yet.
        let epochs = metrics::read(&self.metrics())?.len();
        Ok(match holder {
            Some(holder) => Standing::Running { holder, epochs },
            None => Standing::Interrupted { epochs },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_folder::Status;

    #[test]
    fn a_folder_tells_where_its_run_stands() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let run = RunFolder::at(root.path().join("run"));
        let standing = || run.standing().expect("readable");
        assert_eq!(standing(), Standing::Missing);
        let taken = run.take("train").expect("free");
        match standing() {
            Standing::Running { holder, epochs: 0 } => {
                assert!(holder.name.ends_with(": train"), "{holder:?}");
            }
            other => panic!("{other:?}"),
        }
        std::fs::write(run.config(), "").expect("writable");
        std::fs::write(run.path().join("environment.json"), "{}").expect("writable");
        drop(taken);
        assert_eq!(standing(), Standing::Interrupted { epochs: 0 });
        let result = RunResult {
            status: Status::Done,
            digest: "abc".into(),
            epochs: 3,
            steps: 1407,
            last: None,
            best_epoch: None,
            divergence: None,
        };
        run.write_result(&result).expect("writable");
        assert_eq!(standing(), Standing::Ended(result));
    }
}
