//! What a run of a plan came to, or why its folder does not tell: the one test by which
//! `run`, `status` and `merge` take a folder for that of a run, or for damaged.

use std::path::Path;

use runs::Error;
use runs::atomic_file::check_own;
use runs::environment::Environment;
use runs::run_folder::RunResult;

use crate::plan::PlannedRun;

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) result: RunResult,
    /// What it was made with.
    pub(crate) environment: Environment,
}

impl Ended {
    /// Reads what the planned run came to, whose folder is below `folder`; `None` while it
    /// has not ended.
    ///
    /// # Errors
    /// When the folder holds something else, or is damaged; or the disk is.
    pub(crate) fn read(planned: &PlannedRun, folder: &Path) -> Result<Option<Self>, Error> {
        let run = planned.folder(folder);
        let path = run.path();
        if path.symlink_metadata().is_ok() && !path.is_dir() {
            return Err(Error::RunFolder(format!(
                "{} is no folder, and in the way of the run; remove it, or name another folder with --runs",
                path.display()
            )));
        }
        let Some(result) = run.read_result()? else {
            check_own(path, |_| run.exists())?;
            return Ok(None);
        };
        if result.digest != planned.digest {
            return Err(Error::RunFolder(format!(
                "{} holds another run than the one that the plan calls {}, or the same of a version with other results; name another folder with --runs",
                path.display(),
                planned.id
            )));
        }
        run.check_configuration()?;
        let environment = run.environment()?;
        Ok(Some(Self {
            result,
            environment,
        }))
    }
}

/// Checks that the folder of all runs is one, or can be.
///
/// # Errors
/// When something else is there.
pub(crate) fn require_folder(folder: &Path) -> Result<(), Error> {
    if folder.symlink_metadata().is_err() || folder.is_dir() {
        return Ok(());
    }
    Err(Error::Configuration(format!(
        "--runs is {}, which is no folder; name the folder of the runs",
        folder.display()
    )))
}
