//! What can be wrong with a file of another program, each in one sentence.

use std::path::PathBuf;

use input_files::on_one_line;

/// A file that becomes no model: what was found and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are of another format than those that are read, or damaged.
    #[error("{}: {}", path.display(), on_one_line(reason))]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found and what to do.
        reason: String,
    },
    /// The tensors are not those of an autoencoder of dense layers.
    #[error("{}", on_one_line(.0))]
    Network(String),
    /// The file of names is wrong.
    #[error("{}", on_one_line(.0))]
    Map(String),
    /// Something has to be said that the file does not tell.
    #[error("{}", on_one_line(.0))]
    Undeclared(String),
    /// The tensors do not fit each other.
    #[error(transparent)]
    Tensor(#[from] models::TensorError),
    /// The model cannot be.
    #[error(transparent)]
    Spec(#[from] models::SpecError),
    /// Means and deviations that nothing can be standardised by.
    #[error("what the file standardises values by means nothing: {0}")]
    Standardisation(#[from] models::StandardisationError),
    /// A file that this program wrote, and that is damaged.
    #[error(transparent)]
    Checkpoint(#[from] models::CheckpointError),
}
