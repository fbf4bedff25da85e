//! The explorer beside the pictures of runs.

use std::path::Path;

use datasets::Dataset;
use runs::Error;
use runs::atomic_file;
use runs::interrupt::Interrupt;
use serde::{Deserialize, Serialize};
use viz::page::{Block, Span};

use super::{Options, explored};
use crate::TrainedRun;

/// The page's name in the folder of the pictures.
pub const BESIDE: &str = "explorer.html";

/// What became of the explorer of some runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beside {
    /// It is in the folder.
    Written,
    /// There is none, because …
    Absent(String),
}

impl Beside {
    /// The sentence for a page beside which the explorer is at `path`.
    #[must_use]
    pub fn block(&self, path: &str) -> Block {
        match self {
            Self::Written => Block::Paragraph(
                vec![
                    Span::Link {
                        text: "The explorer".into(),
                        to: path.into(),
                    },
                    Span::Plain(
                        " decodes any code of these runs under the pointer, beside the nearest \
                         images; a page of its own, which needs no network."
                            .into(),
                    ),
                ]
                .into(),
            ),
            Self::Absent(reason) => {
                Block::paragraph(format!("There is no explorer of these runs: {reason}."))
            }
        }
    }
}

/// Writes the explorer of runs of `dataset` into a folder that this process writes
/// in, with everything at its default.
///
/// # Errors
/// A file that cannot be written, or a stop asked for by a signal.
pub fn beside(
    folder: &Path,
    dataset: &Dataset,
    runs: &[&TrainedRun],
    interrupt: &Interrupt,
) -> Result<Beside, Error> {
    let path = folder.join(BESIDE);
    let made = explored(dataset, runs, &Options::default(), interrupt).and_then(|explored| {
        explored.page.check_size().map_err(super::unexplored)?;
        Ok(explored.page)
    });
    match made {
        Ok(page) => {
            atomic_file::write(&path, page.html().as_bytes())?;
            Ok(Beside::Written)
        }
        Err(Error::Abandoned) => Err(Error::Abandoned),
        Err(error) => {
            // One of other runs would be taken for theirs.
            if explorer::is_ours(&path) {
                std::fs::remove_file(&path).map_err(|source| Error::Write { path, source })?;
            }
            Ok(Beside::Absent(error.to_string()))
        }
    }
}
