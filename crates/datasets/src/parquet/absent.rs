//! Parquet files in a build that cannot read them.

use std::path::Path;

use super::Shards;
use crate::error::DataError;
use crate::part::Opened;
use crate::reading::Reading;
use crate::table::Place;

/// Refuses a file.
pub(crate) fn open_file(path: &Path, _: &Reading) -> Result<Opened, DataError> {
    Err(refused(path, "a Parquet file".to_owned()))
}

/// Refuses the files of a folder.
pub(crate) fn open(path: &Path, shards: &Shards, _: &Reading) -> Result<Opened, DataError> {
    let count = shards.train.len() + shards.test.len() + shards.unused.len();
    Err(refused(
        path,
        format!("{count} Parquet file{}", if count == 1 { "" } else { "s" }),
    ))
}

fn refused(path: &Path, found: String) -> DataError {
    Place::of(path).wrong(
        found,
        "a build with the feature parquet (cargo run -p xtask --features parquet --), or the same data as .npz or .csv",
    )
}

#[cfg(test)]
mod tests {
    use crate::load::load_source;
    use crate::locate::Lookup;
    use crate::reading::Reading;
    use crate::source::Source;

    #[test]
    fn files_and_folders_are_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("train-0.parquet");
        std::fs::write(&file, b"PAR1 and more").unwrap();
        for (path, found) in [
            (file.as_path(), "found a Parquet file"),
            (folder.path(), "found 1 Parquet file;"),
        ] {
            let source = Source::Path(path.to_owned());
            let loaded = load_source(
                &source,
                &Reading::default(),
                &Lookup::default(),
                &mut |_| {},
            );
            let message = loaded.unwrap_err().to_string();
            for part in [found, "--features parquet", ".npz or .csv"] {
                assert!(message.contains(part), "{message}");
            }
        }
    }
}
