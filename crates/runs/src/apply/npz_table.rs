//! Columns as the arrays of an `.npz` file, or one of them as an `.npy` file.
//!
//! Rows come one after the other and arrays lie one behind the other, so each
//! column is kept in a file without a name until the last row is known.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::columns::{Column, ColumnType, Values};
use super::destination::Destination;
use super::npy::{self, Element};
use crate::error::Error;

/// Entries from here on need the sizes of zip64.
const LARGE: u64 = u32::MAX as u64;

/// The columns so far.
#[derive(Debug)]
pub(super) struct NpzTable {
    columns: Vec<Spool>,
}

/// The rows of one column so far.
#[derive(Debug)]
struct Spool {
    column: Column,
    /// Elements as they will be; of texts, four bytes of length in front.
    file: BufWriter<File>,
    /// Characters of the longest text.
    longest: usize,
}

impl NpzTable {
    pub(super) fn new(columns: &[Column], destination: &Destination) -> Result<Self, Error> {
        let columns = columns.iter().map(|column| {
            Ok(Spool {
                column: column.clone(),
                file: BufWriter::new(destination.spool()?),
                longest: 0,
            })
        });
        Ok(Self {
            columns: columns.collect::<Result<_, Error>>()?,
        })
    }

    pub(super) fn append(&mut self, columns: &[Values<'_>]) -> io::Result<()> {
        for (spool, values) in self.columns.iter_mut().zip(columns) {
            spool.append(values)?;
        }
        Ok(())
    }

    /// The names of the columns.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self
            .columns
            .iter()
            .map(|spool| spool.column.name.to_owned());
        names.collect()
    }

    /// Writes an archive of all columns; a column `c` is its entry `c.npy`.
    pub(super) fn write_npz(self, rows: usize, out: &mut File) -> io::Result<()> {
        let mut archive = ZipWriter::new(BufWriter::new(out));
        for spool in self.columns {
            let header = spool.header(rows);
            let size = (header.len() + rows * spool.row_bytes()) as u64;
            // No clock: the same rows give the same bytes.
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .last_modified_time(DateTime::default())
                .large_file(size >= LARGE);
            archive.start_file(format!("{}.npy", spool.column.name), options)?;
            archive.write_all(&header)?;
            spool.copy(rows, &mut archive)?;
        }
        archive.finish()?.flush()
    }

    /// Writes the only column.
    pub(super) fn write_npy(mut self, rows: usize, out: &mut File) -> io::Result<()> {
        let spool = self.columns.remove(0);
        let mut out = BufWriter::new(out);
        out.write_all(&spool.header(rows))?;
        spool.copy(rows, &mut out)?;
        out.flush()
    }
}

impl Spool {
    fn append(&mut self, values: &Values<'_>) -> io::Result<()> {
        match values {
            Values::Float(values) => write_floats(values, &mut self.file),
            Values::Floats(values) => {
                let values = values.as_standard_layout();
                write_floats(values.as_slice().unwrap_or_default(), &mut self.file)
            }
            Values::Integer(values) => values
                .iter()
                .try_for_each(|value| self.file.write_all(&value.to_le_bytes())),
            Values::Text(texts) => {
                for text in texts {
                    self.longest = self.longest.max(text.chars().count());
                    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
                    self.file.write_all(&length.to_le_bytes())?;
                    self.file.write_all(text.as_bytes())?;
                }
                Ok(())
            }
        }
    }

    fn element(&self) -> Element {
        match self.column.holds {
            ColumnType::Float | ColumnType::Floats(_) => Element::F32,
            ColumnType::Integer => Element::I64,
            // NumPy reads no array of texts of no characters.
            ColumnType::Text => Element::Text(self.longest.max(1)),
        }
    }

    fn header(&self, rows: usize) -> Vec<u8> {
        npy::header(self.element(), &self.column.shape(rows))
    }

    fn row_bytes(&self) -> usize {
        let elements: usize = self.column.shape(1).iter().product();
        elements * self.element().bytes()
    }

    /// Copies all elements behind a header.
    fn copy(self, rows: usize, out: &mut impl Write) -> io::Result<()> {
        let width = 4 * self.longest.max(1);
        let mut file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        if self.column.holds != ColumnType::Text {
            io::copy(&mut file, out)?;
            return Ok(());
        }
        let mut file = BufReader::new(file);
        let mut text = Vec::new();
        let mut padded = Vec::with_capacity(width);
        for _ in 0..rows {
            let mut length = [0; 4];
            file.read_exact(&mut length)?;
            text.resize(u32::from_le_bytes(length) as usize, 0);
            file.read_exact(&mut text)?;
            padded.clear();
            for character in String::from_utf8_lossy(&text).chars() {
                padded.extend(u32::from(character).to_le_bytes());
            }
            padded.resize(width, 0);
            out.write_all(&padded)?;
        }
        Ok(())
    }
}

fn write_floats(values: &[f32], out: &mut impl Write) -> io::Result<()> {
    // In pieces: a system call for each number would cost more than the number.
    let mut bytes = [0; 4 * 1024];
    for piece in values.chunks(1024) {
        for (target, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(piece) {
            *target = value.to_le_bytes();
        }
        out.write_all(&bytes[..4 * piece.len()])?;
    }
    Ok(())
}
