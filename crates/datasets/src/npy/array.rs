//! An array, opened and checked, its rows read in their order.

use std::fs::File;
use std::io::Read;

use super::dtype::Dtype;
use super::header::{Header, HeaderError};
use super::stored::{Reader, Stored};
use crate::error::DataError;
use crate::table::Place;

/// An array whose header agrees with the bytes there are.
pub(super) struct Array {
    stored: Stored,
    header: Header,
    /// Sizes, slowest dimension of the C order first.
    shape: Vec<usize>,
    source: Source,
    rows_read: usize,
}

enum Source {
    InOrder(Reader),
    /// Columns first: a row is gathered from all over the file.
    Gathered(File),
}

impl Array {
    pub(super) fn open(stored: Stored) -> Result<Self, DataError> {
        let mut reader = stored.open()?;
        let header = Header::read(&mut reader).map_err(|error| match error {
            HeaderError::Read(source) => stored.failure(source),
            HeaderError::Wrong((found, expected)) => stored.place.wrong(found, expected),
        })?;
        let needed = header
            .data_bytes()
            .and_then(|bytes| bytes.checked_add(header.bytes));
        if needed != Some(stored.bytes) {
            return Err(stored.place.wrong(
                format!("{} bytes", stored.bytes),
                format!(
                    "{} for an array of the shape {}; get a complete copy",
                    needed.map_or("more than can be counted".to_owned(), |n| n.to_string()),
                    shape_text(&header.shape)
                ),
            ));
        }
        let sizes: Result<Vec<usize>, _> = header
            .shape
            .iter()
            .map(|&size| usize::try_from(size))
            .collect();
        let shape = sizes.map_err(|_| {
            stored
                .place
                .wrong(shape_text(&header.shape), "sizes that fit this machine")
        })?;
        // With one long dimension both orders are the same.
        let in_order = !header.fortran_order || shape.iter().filter(|&&size| size > 1).count() <= 1;
        let source = if in_order {
            Source::InOrder(reader)
        } else if stored.is_seekable() {
            let file = input_files::open(&stored.place.path)
                .map_err(|source| stored.place.unreadable(source))?;
            Source::Gathered(file)
        } else {
            return Err(stored.place.wrong(
                "a compressed array in Fortran order, which cannot be read row by row",
                "C order: save numpy.ascontiguousarray(…), or use numpy.savez without compression",
            ));
        };
        Ok(Self {
            stored,
            header,
            shape,
            source,
            rows_read: 0,
        })
    }

    pub(super) fn place(&self) -> &Place {
        &self.stored.place
    }

    pub(super) fn key(&self) -> &str {
        &self.stored.key
    }

    pub(super) fn dtype(&self) -> Dtype {
        self.header.dtype
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// `(3, 28, 28)`.
    pub(super) fn shape_text(&self) -> String {
        shape_text(&self.header.shape)
    }

    /// Whether rows are gathered from all over the file.
    pub(super) fn is_gathered(&self) -> bool {
        matches!(self.source, Source::Gathered(_))
    }

    /// Starts again at the first row.
    pub(super) fn again(self) -> Result<Self, DataError> {
        Self::open(self.stored)
    }

    /// Bytes of a row.
    pub(super) fn row_bytes(&self) -> usize {
        self.shape[1..].iter().product::<usize>() * self.dtype().bytes
    }

    /// Reads the next rows in C order as they are stored, as many bytes as
    /// `target` has.
    ///
    /// # Panics
    /// When these are no whole rows.
    pub(super) fn read(&mut self, target: &mut [u8]) -> Result<(), DataError> {
        let row_bytes = self.row_bytes();
        assert!(
            target.len().is_multiple_of(row_bytes),
            "whole rows are read"
        );
        let rows = target.len() / row_bytes;
        match &mut self.source {
            Source::InOrder(reader) => reader
                .read_exact(target)
                .map_err(|error| self.stored.failure(error))?,
            Source::Gathered(_) => self.gather(rows, target)?,
        }
        self.rows_read += rows;
        Ok(())
    }

    /// In Fortran order the values at one position of all rows are side by
    /// side.
    fn gather(&mut self, rows: usize, target: &mut [u8]) -> Result<(), DataError> {
        let Source::Gathered(file) = &mut self.source else {
            return Ok(());
        };
        let bytes = self.header.dtype.bytes;
        let row: usize = self.shape[1..].iter().product();
        let mut column = vec![0u8; rows * bytes];
        for fortran in 0..row {
            let first = fortran as u64 * self.shape[0] as u64 + self.rows_read as u64;
            let position = self.header.bytes + first * bytes as u64;
            self.stored.read_at(file, position, &mut column)?;
            let at = c_position(fortran, &self.shape[1..]);
            for (index, element) in column.chunks_exact(bytes).enumerate() {
                let start = (index * row + at) * bytes;
                target[start..start + bytes].copy_from_slice(element);
            }
        }
        Ok(())
    }

    /// Called after the last row.
    pub(super) fn check_end(&mut self) -> Result<(), DataError> {
        match &mut self.source {
            Source::InOrder(reader) => self.stored.check_end(reader),
            Source::Gathered(_) => {
                // The checksum is of the bytes in their order.
                let mut reader = self.stored.open()?;
                std::io::copy(&mut reader, &mut std::io::sink())
                    .map_err(|error| self.stored.failure(error))?;
                self.stored.check_end(&mut reader)
            }
        }
    }
}

/// Where the element at `position` of the Fortran order is in C order.
fn c_position(position: usize, shape: &[usize]) -> usize {
    let (mut rest, mut at, mut stride) = (position, 0, shape.iter().product::<usize>());
    for &size in shape {
        stride /= size;
        at += rest % size * stride;
        rest /= size;
    }
    at
}

fn shape_text(shape: &[u64]) -> String {
    let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    match &sizes[..] {
        [size] => format!("({size},)"),
        _ => format!("({})", sizes.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_the_two_orders() {
        // [[0, 1, 2], [3, 4, 5]] is stored 0 3 1 4 2 5 in Fortran order.
        let positions: Vec<usize> = (0..6).map(|at| c_position(at, &[2, 3])).collect();
        assert_eq!(positions, [0, 3, 1, 4, 2, 5]);
        assert_eq!(c_position(5, &[6]), 5);
    }

    #[test]
    fn shapes_as_python_writes_them() {
        assert_eq!(shape_text(&[3]), "(3,)");
        assert_eq!(shape_text(&[3, 4]), "(3, 4)");
        assert_eq!(shape_text(&[]), "()");
    }
}
