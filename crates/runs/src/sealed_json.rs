//! JSON documents that are written whole, with a checksum as their last entry,
//! and read back with every check.

use std::io;
use std::path::Path;

use durable_files::seal::JSON_DOCUMENT;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::atomic_file::{self, unwritable};
use crate::error::Error;

/// Writes `value`, indented; an object is sealed.
///
/// # Errors
/// When the file cannot be written; an older file of that name then stands as
/// it was.
pub fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(io::Error::from)
        .map_err(unwritable(path))?;
    text.push(b'\n');
    if text.ends_with(b"\n}\n") {
        JSON_DOCUMENT.close(&mut text);
    }
    atomic_file::write(path, &text)
}

/// Reads a document; `None` when there is none. One without a seal, as older
/// versions wrote it, is taken as it is.
///
/// # Errors
/// When it cannot be read, has changed since it was written, or is something
/// else; `remedy` says what to do about it.
pub fn read<T: DeserializeOwned>(path: &Path, remedy: &str) -> Result<Option<T>, Error> {
    let bytes = match input_files::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.into();
            return Err(Error::Read { path, source });
        }
    };
    let damaged = |reason: String| {
        Error::RunFolder(format!(
            "{} is damaged ({reason}); {remedy}",
            path.display()
        ))
    };
    JSON_DOCUMENT
        .check(&bytes)
        .map_err(|error| damaged(error.to_string()))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| damaged(error.to_string()))
}

/// Whether a document is there and sealed, whatever it says.
pub(crate) fn is_sealed(path: &Path) -> bool {
    input_files::read(path).is_ok_and(|bytes| JSON_DOCUMENT.check(&bytes) == Ok(true))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn documents_are_sealed_and_changes_are_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("result.json");
        let read = || read::<BTreeMap<String, serde_json::Value>>(&path, "delete it");
        assert_eq!(read().expect("absent"), None);
        write(&path, &BTreeMap::from([("epochs", 3)])).expect("writable");
        let found = read().expect("whole").expect("there");
        assert_eq!(found["epochs"], 3);
        assert!(found["sha256"].is_string());
        let text = std::fs::read_to_string(&path).expect("readable");
        std::fs::write(&path, text.replace('3', "4")).expect("writable");
        let message = read().unwrap_err().to_string();
        assert!(
            message.contains("result.json is damaged (its checksum does not fit")
                && message.ends_with("; delete it"),
            "{message}"
        );
        // By an older version.
        std::fs::write(&path, "{\n  \"epochs\": 4\n}\n").expect("writable");
        assert_eq!(read().expect("whole").expect("there")["epochs"], 4);
        // What is no object has no room for a seal.
        write(&path, &[1, 2]).expect("writable");
        assert_eq!(
            std::fs::read(&path).expect("readable"),
            b"[\n  1,\n  2\n]\n"
        );
    }
}
