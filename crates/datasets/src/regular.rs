//! Opening what is a regular file, and nothing else.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::DataError;

/// Opens a regular file and gives its length. Pipes, devices and folders are
/// refused before they are opened: opening a pipe would wait for a writer.
pub(crate) fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let file = input_files::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// The text of a file of `limit` bytes at most, without a byte order mark.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, DataError> {
    let text = || {
        let (file, _) = open_regular(path)?;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        let wrong = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
        if bytes.len() as u64 > limit {
            return Err(wrong(format!(
                "it is longer than the {limit} bytes that such a file may have"
            )));
        }
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            wrong(format!("it is not UTF-8 text from byte {at} on"))
        })
    };
    let text = text().map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}
