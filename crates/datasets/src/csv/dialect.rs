//! What separates the fields of a table.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use csv::{Reader, ReaderBuilder};

use crate::error::DataError;
use crate::table::Place;

/// The byte order mark of UTF-8, which spreadsheets write.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// How much of the first line is looked at for what separates its fields.
const LOOKED_AT: u64 = 1 << 16;

/// Bytes of a line at most; a hundred thousand values take less than one of
/// these.
const MAX_LINE: u64 = 64 << 20;

/// A table that is read line by line, none of which takes more than memory
/// for [`MAX_LINE`] bytes.
pub(super) type TableReader = Reader<BoundedLines>;

/// A file of which only so many bytes are read until more are allowed.
pub(super) struct BoundedLines {
    file: File,
    left: u64,
}

impl BoundedLines {
    /// Allows for one more line.
    pub(super) fn begin_line(&mut self) {
        self.left = MAX_LINE;
    }
}

impl Read for BoundedLines {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(target)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "a line, or what stands between two quotes, of more than {} MB",
                    MAX_LINE >> 20
                ),
            )
        })?;
        Ok(count)
    }
}

/// How the lines of a table are taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    delimiter: u8,
    /// Bytes before the first line.
    start: u64,
}

impl Dialect {
    /// What separates the fields of the first line: a tab or a semicolon where
    /// there is one, since commas stand in numbers and texts as well.
    pub(super) fn of(path: &Path) -> Result<Self, DataError> {
        let place = Place::of(path);
        let file = input_files::open(path).map_err(|source| place.unreadable(source))?;
        let mut text = Vec::new();
        file.take(LOOKED_AT)
            .read_to_end(&mut text)
            .map_err(|source| place.unreadable(source))?;
        if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
            return Err(place.wrong("text in UTF-16", "UTF-8; save it as CSV UTF-8"));
        }
        let start = if text.starts_with(&MARK) {
            MARK.len()
        } else {
            0
        };
        if text.contains(&0) {
            return Err(place.wrong("a byte 0, so no text", "a table of text"));
        }
        let mut quoted = false;
        let line = text[start..]
            .iter()
            .skip_while(|byte| matches!(byte, b'\n' | b'\r'))
            .take_while(|byte| !matches!(byte, b'\n' | b'\r'));
        let (mut tab, mut semicolon) = (false, false);
        for byte in line {
            match byte {
                b'"' => quoted = !quoted,
                b'\t' if !quoted => tab = true,
                b';' if !quoted => semicolon = true,
                _ => {}
            }
        }
        Ok(Self {
            delimiter: if tab {
                b'\t'
            } else if semicolon {
                b';'
            } else {
                b','
            },
            start: start as u64,
        })
    }

    /// Blank lines from a byte on, counted from the first line.
    pub(super) fn blank_lines(&self, path: &Path, byte: u64) -> io::Result<u64> {
        let mut file = input_files::open(path)?;
        file.seek(SeekFrom::Start(self.start + byte))?;
        let mut lines = 0;
        for byte in BufReader::new(file).bytes() {
            match byte? {
                b'\n' => lines += 1,
                b'\r' => {}
                _ => break,
            }
        }
        Ok(lines)
    }

    /// The lines of a table from its first one.
    pub(super) fn reader(&self, path: &Path) -> Result<TableReader, DataError> {
        let open = || {
            let mut file = input_files::open(path)?;
            file.seek(SeekFrom::Start(self.start))?;
            Ok(BoundedLines {
                file,
                left: MAX_LINE,
            })
        };
        let file = open().map_err(|source| Place::of(path).unreadable(source))?;
        Ok(ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            // Lines of another length are refused with a sentence of our own.
            .flexible(true)
            .buffer_capacity(1 << 16)
            .from_reader(file))
    }
}
