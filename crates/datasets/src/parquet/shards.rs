//! The files of a set: one, or those of a folder by their names.

use std::path::{Path, PathBuf};

use crate::error::DataError;

/// Files of a set in the order of their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shards {
    pub(crate) train: Vec<PathBuf>,
    pub(crate) test: Vec<PathBuf>,
    /// Names of files of other parts, such as `validation-…`.
    pub(crate) unused: Vec<String>,
}

impl Shards {
    /// The files `train-*.parquet` and `test-*.parquet` in a folder or in the
    /// folder `data` within it; none where there are none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn find(folder: &Path) -> Result<Option<Self>, DataError> {
        for folder in [folder.to_owned(), folder.join("data")] {
            if !folder.is_dir() {
                continue;
            }
            let shards = Self::within(&folder).map_err(|source| DataError::Read {
                path: folder.clone(),
                source,
            })?;
            if !shards.train.is_empty() {
                return Ok(Some(shards));
            }
        }
        Ok(None)
    }

    fn within(folder: &Path) -> std::io::Result<Self> {
        let mut paths = std::fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()?;
        paths.sort();
        let mut shards = Self::default();
        for path in paths {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let Some(stem) = name.strip_suffix(".parquet") else {
                continue;
            };
            match stem.split(['-', '_', '.']).next() {
                Some("train") => shards.train.push(path),
                Some("test") => shards.test.push(path),
                _ => shards.unused.push(name.to_owned()),
            }
        }
        Ok(shards)
    }
}
