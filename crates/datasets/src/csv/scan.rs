//! The first pass over a table: how many rows it has and of what.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ErrorKind};

use super::columns::Columns;
use super::dialect::{Dialect, TableReader};
use crate::error::DataError;
use crate::table::{ClassSet, LABEL, Place, shown, whole_label};

/// What the first pass finds.
pub(super) struct Scan {
    pub(super) count: usize,
    /// Whether all values are whole numbers from 0 to 255.
    pub(super) only_bytes: bool,
    /// Numbers of the names, where labels are names.
    pub(super) classes: BTreeMap<String, i64>,
}

impl Scan {
    /// Reads all lines and checks every field.
    pub(super) fn of(path: &Path, dialect: &Dialect, columns: &Columns) -> Result<Self, DataError> {
        let mut lines = Lines::open(path, dialect, columns)?;
        let (mut count, mut only_bytes) = (0, true);
        let mut labels = LabelScan::default();
        while lines.next(columns)? {
            count += 1;
            for (column, field) in lines.record.iter().enumerate() {
                if Some(column) == columns.label {
                    if columns.label_by_text && label_number(field).is_some() {
                        return Err(lines.place(columns, column).wrong(
                            format!("the number {}", shown(field)),
                            "a name as in the first row; call the column \"label\" if it holds both",
                        ));
                    }
                    labels.add(field, || lines.place(columns, column))?;
                } else if columns.is_value(column) && byte(field).is_none() {
                    only_bytes = false;
                    number(field).ok_or_else(|| no_number(field, &lines.place(columns, column)))?;
                }
            }
        }
        Ok(Self {
            count,
            only_bytes,
            classes: labels.classes()?,
        })
    }
}

/// The lines below the header, each of as many fields as the first one.
pub(super) struct Lines {
    path: PathBuf,
    dialect: Dialect,
    reader: TableReader,
    pub(super) record: ByteRecord,
}

impl Lines {
    pub(super) fn open(
        path: &Path,
        dialect: &Dialect,
        columns: &Columns,
    ) -> Result<Self, DataError> {
        let mut lines = Self {
            path: path.to_owned(),
            dialect: *dialect,
            reader: dialect.reader(path)?,
            record: ByteRecord::new(),
        };
        if columns.has_header() {
            next_record(&mut lines.reader, &mut lines.record, &Place::of(path))?;
        }
        Ok(lines)
    }

    /// Reads the next line that is not blank; false behind the last one.
    pub(super) fn next(&mut self, columns: &Columns) -> Result<bool, DataError> {
        loop {
            if !next_record(&mut self.reader, &mut self.record, &Place::of(&self.path))? {
                return Ok(false);
            }
            let found = self.record.len();
            if found == columns.count {
                return Ok(true);
            }
            let is_blank = found == 1 && self.record[0].trim_ascii().is_empty();
            if !is_blank {
                return Err(
                    Place::within(&self.path, format!("line {}", self.line())).wrong(
                        format!("{found} fields"),
                        format!("{} as in the first line", columns.count),
                    ),
                );
            }
        }
    }

    /// A field of the line, for messages.
    pub(super) fn place(&self, columns: &Columns, column: usize) -> Place {
        columns.place(&self.path, self.line(), column)
    }

    /// Its number, counted from 1. The position of a record is that of the
    /// blank lines before it, which are passed over here.
    fn line(&self) -> u64 {
        let Some(position) = self.record.position() else {
            return 0;
        };
        let blank = self
            .dialect
            .blank_lines(&self.path, position.byte())
            .unwrap_or_default();
        position.line() + blank
    }
}

/// Reads a line; false behind the last one.
pub(super) fn next_record(
    reader: &mut TableReader,
    record: &mut ByteRecord,
    place: &Place,
) -> Result<bool, DataError> {
    reader.get_mut().begin_line();
    reader
        .read_byte_record(record)
        .map_err(|error| match error.into_kind() {
            ErrorKind::Io(source) if source.kind() == io::ErrorKind::InvalidData => {
                place.wrong(source.to_string(), "a table with a line for each row")
            }
            ErrorKind::Io(source) => place.unreadable(source),
            other => place.wrong(format!("a line that is no record ({other:?})"), "a table"),
        })
}

/// A whole number from 0 to 255, as images are written.
pub(super) fn byte(field: &[u8]) -> Option<u8> {
    let field = field.trim_ascii();
    if field.is_empty() || field.len() > 3 {
        return None;
    }
    let mut number = 0u16;
    for &digit in field {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = 10 * number + u16::from(digit - b'0');
    }
    u8::try_from(number).ok()
}

/// A finite number of 32 bits.
pub(super) fn number(field: &[u8]) -> Option<f32> {
    let number: f32 = std::str::from_utf8(field).ok()?.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

/// A label that is a whole number.
pub(super) fn label_number(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

/// Why a field is no number.
pub(super) fn no_number(field: &[u8], place: &Place) -> DataError {
    let found = if field.trim_ascii().is_empty() {
        "an empty field".to_owned()
    } else {
        shown(field)
    };
    place.wrong(
        found,
        "a finite number, with a point before its fraction; name the column of labels \"label\" if this is it",
    )
}

/// Labels as names, as long as they may turn out to be some.
#[derive(Default)]
struct LabelScan {
    names: ClassSet,
    has_text: bool,
    /// The first number that is no label, and the first name too many.
    wrong_number: Option<DataError>,
    too_many: Option<DataError>,
}

impl LabelScan {
    fn add(&mut self, field: &[u8], place: impl Fn() -> Place) -> Result<(), DataError> {
        let number = label_number(field);
        if field.trim_ascii().is_empty() {
            return Err(place().wrong("an empty label", LABEL));
        }
        match number {
            None => self.has_text = true,
            Some(number) if self.wrong_number.is_none() && whole_label(number).is_none() => {
                self.wrong_number =
                    Some(place().wrong(format!("the label {}", shown(field)), LABEL));
            }
            Some(_) => {}
        }
        if self.too_many.is_none()
            && let Err(error) = self.names.add(field, &place)
        {
            if self.has_text {
                return Err(error);
            }
            self.too_many = Some(error);
        }
        Ok(())
    }

    fn classes(self) -> Result<BTreeMap<String, i64>, DataError> {
        if self.has_text {
            return match self.too_many {
                Some(error) => Err(error),
                None => Ok(self.names.numbered()),
            };
        }
        match self.wrong_number {
            Some(error) => Err(error),
            None => Ok(BTreeMap::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_numbers_or_not() {
        assert_eq!(byte(b" 255 "), Some(255));
        assert_eq!(byte(b"000"), Some(0));
        for field in [&b"256"[..], b"-1", b"", b"1.0", b"0001", b"+1"] {
            assert_eq!(byte(field), None);
        }
        assert_eq!(number(b" -1.5e-3 "), Some(-0.0015));
        for field in [&b"nan"[..], b"inf", b"1e39", b"0,5", b"", b"\xff"] {
            assert_eq!(number(field), None);
        }
    }
}
