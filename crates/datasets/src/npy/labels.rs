//! Arrays of labels.

use std::collections::BTreeMap;

use super::array::Array;
use crate::error::DataError;
use crate::table::{ClassSet, LABEL, Place, class_of, whole_label};

/// Labels read at a time, in bytes, and what one of them may take.
const CHUNK_BYTES: usize = 1 << 16;

/// Labels of as many rows as an array of images has.
pub(super) struct Labels {
    array: Array,
    buffer: Vec<u8>,
    /// Numbers of the names, where labels are names.
    classes: BTreeMap<String, i64>,
}

impl Labels {
    /// Checks the sizes and the type of an array of labels for `count` rows.
    pub(super) fn of(array: Array, count: usize, images: &Array) -> Result<Self, DataError> {
        let wrong = |found: String, expected: &str| Err(array.place().wrong(found, expected));
        match array.shape()[..] {
            [_] | [_, 1] => {}
            [_, classes] if classes > 1 => {
                return wrong(
                    format!("labels of the shape {}", array.shape_text()),
                    "one label per row, [n] or [n, 1]; one-hot labels become numbers by numpy.argmax(labels, axis=1)",
                );
            }
            _ => {
                return wrong(
                    format!("labels of the shape {}", array.shape_text()),
                    "one label per row, [n] or [n, 1]",
                );
            }
        }
        if array.row_bytes() > CHUNK_BYTES {
            return wrong(
                format!("labels of {} bytes each", array.row_bytes()),
                "numbers, or names of classes",
            );
        }
        if array.shape()[0] != count {
            return wrong(
                format!("{} labels", array.shape()[0]),
                &format!("{count}, one for each row of \"{}\"", images.key()),
            );
        }
        Ok(Self {
            array,
            buffer: Vec::new(),
            classes: BTreeMap::new(),
        })
    }

    pub(super) fn is_text(&self) -> bool {
        self.array.dtype().is_text()
    }

    pub(super) fn place(&self) -> &Place {
        self.array.place()
    }

    /// Reads all names, and starts again.
    pub(super) fn collect(mut self, classes: &mut ClassSet) -> Result<Self, DataError> {
        let bytes = self.array.row_bytes();
        let chunk = (CHUNK_BYTES / bytes).max(1);
        let mut left = self.array.shape()[0];
        while left > 0 {
            let rows = chunk.min(left);
            self.read_bytes(rows)?;
            for (row, stored) in self.buffer.chunks_exact(bytes).enumerate() {
                let row = self.array.shape()[0] - left + row;
                let name = self.text(stored, row)?;
                classes.add(name.as_bytes(), || self.place().clone())?;
            }
            left -= rows;
        }
        self.array.check_end()?;
        Ok(Self {
            array: self.array.again()?,
            ..self
        })
    }

    pub(super) fn name_by(&mut self, classes: BTreeMap<String, i64>) {
        self.classes = classes;
    }

    /// Reads the labels of the next rows, the first of which is `first`.
    pub(super) fn read(
        &mut self,
        first: usize,
        rows: usize,
        into: &mut Vec<i64>,
    ) -> Result<(), DataError> {
        let at_once = (CHUNK_BYTES / self.array.row_bytes()).max(1);
        for before in (0..rows).step_by(at_once) {
            self.read_some(first + before, at_once.min(rows - before), into)?;
        }
        Ok(())
    }

    fn read_some(
        &mut self,
        first: usize,
        rows: usize,
        into: &mut Vec<i64>,
    ) -> Result<(), DataError> {
        let dtype = self.array.dtype();
        self.read_bytes(rows)?;
        for (row, stored) in self.buffer.chunks_exact(dtype.bytes).enumerate() {
            if dtype.is_text() {
                let name = self.text(stored, first + row)?;
                into.push(class_of(&self.classes, name.as_bytes(), || {
                    self.place().clone()
                })?);
                continue;
            }
            let value = dtype.value(stored);
            into.push(whole_label(value).ok_or_else(|| {
                self.array.place().wrong(
                    format!("the label {value} in row {}, counted from 0", first + row),
                    LABEL,
                )
            })?);
        }
        Ok(())
    }

    pub(super) fn check_end(&mut self) -> Result<(), DataError> {
        self.array.check_end()
    }

    fn read_bytes(&mut self, rows: usize) -> Result<(), DataError> {
        self.buffer.resize(rows * self.array.dtype().bytes, 0);
        self.array.read(&mut self.buffer)
    }

    fn text(&self, stored: &[u8], row: usize) -> Result<String, DataError> {
        self.array.dtype().text(stored).ok_or_else(|| {
            self.array.place().wrong(
                format!("a label in row {row}, counted from 0, that is no text"),
                "names in Unicode",
            )
        })
    }
}
