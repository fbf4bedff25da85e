//! The readers, by what their files are of.

pub(crate) mod data;
pub(crate) mod imports;
pub(crate) mod pictures;
pub(crate) mod run_files;
pub(crate) mod studies;
pub(crate) mod weights;

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Opened, Outcome};

/// A reader of the file `name` in `place`.
fn of_file(
    place: &Path,
    name: &str,
    files: Vec<Vec<u8>>,
    mut read: impl FnMut(&Path) -> Outcome + 'static,
) -> Opened {
    let path = place.join(name);
    Opened {
        files,
        read: Box::new(move |bytes| {
            put(&path, bytes);
            read(&path)
        }),
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file in a temporary folder");
}

fn get(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fixture of this name.
fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    get(&folder.join("../../fixtures").join(name))
}

/// The sentence of an error.
fn sentence<T, E: std::fmt::Display>(result: Result<T, E>) -> Outcome {
    result.map(|_| ()).map_err(|error| error.to_string())
}
