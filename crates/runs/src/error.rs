//! One error type for everything a command can run into, and the exit code
//! each kind maps to.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use input_files::on_one_line;
use models::CheckpointError;

use crate::shell::quoted_path;

/// What can go wrong, each in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A preset, configuration file, override or option is wrong.
    #[error("{}", on_one_line(.0))]
    Configuration(String),
    /// A data set is missing or malformed.
    #[error(transparent)]
    Data(#[from] datasets::DataError),
    /// A model cannot be.
    #[error(transparent)]
    Model(#[from] models::SpecError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Training cannot begin.
    #[error(transparent)]
    Trainer(#[from] models::TrainerError),
    /// A picture or page could not be made.
    #[error(transparent)]
    Picture(#[from] viz::VizError),
    /// A number about a model could not be computed.
    #[error(transparent)]
    Evaluation(#[from] evaluation::EvaluationError),
    /// A number or figure that this data set does not have; why, as the second
    /// half of a sentence that begins with it.
    #[error("{0}")]
    Undefined(String),
    /// A measurement of speed went wrong.
    #[error("{0}")]
    Benchmark(String),
    /// A file could not be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder that another process writes in.
    #[error(transparent)]
    Taken(#[from] durable_files::LockError),
    /// A run folder holds something else than expected.
    #[error("{}", on_one_line(.0))]
    RunFolder(String),
    /// The loss stopped being finite; the record is in the run folder.
    #[error("{run}: {divergence}; try a smaller --lr", run = run.display())]
    Diverged {
        /// The run folder.
        run: PathBuf,
        /// Where and in what it happened.
        divergence: String,
    },
    /// A signal asked to stop, and a checkpoint was written.
    #[error("stopped by a signal after a checkpoint; continue with: latent-atlas train --resume {run}", run = quoted_path(run))]
    Stopped {
        /// The run folder to resume.
        run: PathBuf,
    },
    /// A signal asked to stop, and the step or pass in progress took too long to
    /// wait for.
    #[error("stopped by a signal in the middle of a step or a pass that takes long; continue from the last checkpoint before it with: latent-atlas train --resume {run}", run = quoted_path(run))]
    Left {
        /// The run folder to resume.
        run: PathBuf,
    },
    /// A signal asked a command to stop that writes all or nothing.
    #[error("stopped by a signal; nothing was written, repeat the command")]
    Abandoned,
    /// Something about all runs of a sweep was asked, some of which have not ended.
    #[error("{}", on_one_line(.0))]
    Incomplete(String),
    /// Runs that were asked for are left to other processes, which are at them.
    #[error("{}", on_one_line(.0))]
    LeftToOthers(String),
    /// Training again gave other bits, and nothing explains it.
    #[error("{}", on_one_line(.0))]
    OtherBits(String),
    /// A signal asked a command of several runs to stop.
    #[error("stopped by a signal; what is finished is kept, continue with: {command}")]
    Interrupted {
        /// The command to repeat.
        command: String,
    },
}

impl Error {
    /// The process exit code of this kind of error: 1 unexpected, 2 bad usage,
    /// configuration or data, 3 diverged, 4 runs are missing, 75 stopped after a
    /// checkpoint or left to others: to be tried again.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Benchmark(_) | Self::OtherBits(_) => 1,
            Self::Diverged { .. } => 3,
            Self::Incomplete(_) => 4,
            Self::Stopped { .. }
            | Self::Left { .. }
            | Self::Interrupted { .. }
            | Self::LeftToOthers(_)
            | Self::Abandoned => 75,
            Self::Data(datasets::DataError::Stopped { .. }) => 75,
            _ => 2,
        }
    }
}

impl Error {
    /// Whether it lies in this folder of a run alone, so that other runs are none the
    /// worse: what is there is damaged or something else, or cannot be used. A full or
    /// broken disk is everybody's.
    #[must_use]
    pub fn is_of_folder(&self, folder: &Path) -> bool {
        let (path, source) = match self {
            Self::RunFolder(_) => return true,
            Self::Read { path, source } | Self::Write { path, source } => (path, source),
            Self::Checkpoint(error) => match error {
                CheckpointError::Read { path, source }
                | CheckpointError::Write { path, source } => (path, source),
                CheckpointError::Format { path, .. }
                | CheckpointError::Damaged { path, .. }
                | CheckpointError::Contents { path, .. } => return path.starts_with(folder),
            },
            _ => return false,
        };
        path.starts_with(folder)
            && matches!(
                source.kind(),
                ErrorKind::NotFound
                    | ErrorKind::NotADirectory
                    | ErrorKind::IsADirectory
                    | ErrorKind::AlreadyExists
                    | ErrorKind::PermissionDenied
                    | ErrorKind::InvalidData
                    | ErrorKind::InvalidInput
                    | ErrorKind::UnexpectedEof
            )
    }
}

/// That `path` could not be read, of why.
pub(crate) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    |source| Error::Read { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_the_way_is_no_fault_of_other_runs_and_a_full_disk_is() {
        let folder = Path::new("runs/a");
        let write = |path: &str, kind: ErrorKind| Error::Write {
            path: path.into(),
            source: kind.into(),
        };
        for (error, is_own) in [
            (write("runs/a", ErrorKind::NotADirectory), true),
            (
                write("runs/a/config.toml", ErrorKind::PermissionDenied),
                true,
            ),
            (
                write("runs/a/model.safetensors", ErrorKind::StorageFull),
                false,
            ),
            (
                write("runs/ab/config.toml", ErrorKind::PermissionDenied),
                false,
            ),
            (write("runs", ErrorKind::PermissionDenied), false),
            (Error::RunFolder("it is damaged".into()), true),
            (Error::Configuration("--jobs is 0".into()), false),
        ] {
            assert_eq!(error.is_of_folder(folder), is_own, "{error}");
        }
    }
}
