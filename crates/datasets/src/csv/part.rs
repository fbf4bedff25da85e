//! The second pass over a table: its rows.

use std::collections::BTreeMap;
use std::path::Path;

use super::columns::Columns;
use super::dialect::Dialect;
use super::scan::{Lines, byte, label_number, no_number, number};
use crate::error::DataError;
use crate::part::{Part, ReadRows, RowsInto};
use crate::shape::Shape;
use crate::table::{LABEL, Place, class_of, shown, whole_label};
use crate::values::{Kind, ValuesMut};

pub(super) fn part(
    path: &Path,
    dialect: Dialect,
    columns: Columns,
    count: usize,
    shape: Shape,
    kind: Kind,
    classes: BTreeMap<String, i64>,
) -> Result<Part, DataError> {
    Ok(Part {
        path: path.to_owned(),
        count,
        shape,
        kind,
        is_labelled: columns.label.is_some(),
        is_named: false,
        rows: Box::new(TableRows {
            place: Place::of(path),
            lines: Lines::open(path, &dialect, &columns)?,
            columns,
            classes,
        }),
    })
}

struct TableRows {
    place: Place,
    lines: Lines,
    columns: Columns,
    classes: BTreeMap<String, i64>,
}

impl ReadRows for TableRows {
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError> {
        let length = self.columns.values;
        match &mut into.values {
            ValuesMut::Bytes(values) => {
                for row in values.chunks_exact_mut(length) {
                    self.row(row, byte, into.labels)?;
                }
            }
            ValuesMut::Floats(values) => {
                for row in values.chunks_exact_mut(length) {
                    self.row(row, number, into.labels)?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<[String; 2]>, DataError> {
        if self.lines.next(&self.columns)? {
            return Err(self.changed());
        }
        Ok(None)
    }
}

impl TableRows {
    fn row<V>(
        &mut self,
        row: &mut [V],
        parsed: impl Fn(&[u8]) -> Option<V>,
        labels: &mut Vec<i64>,
    ) -> Result<(), DataError> {
        if !self.lines.next(&self.columns)? {
            return Err(self.changed());
        }
        let mut values = row.iter_mut();
        for (column, field) in self.lines.record.iter().enumerate() {
            if Some(column) == self.columns.label {
                labels.push(self.label(field, column)?);
            } else if self.columns.is_value(column)
                && let Some(value) = values.next()
            {
                *value = parsed(field)
                    .ok_or_else(|| no_number(field, &self.lines.place(&self.columns, column)))?;
            }
        }
        Ok(())
    }

    fn label(&self, field: &[u8], column: usize) -> Result<i64, DataError> {
        if !self.classes.is_empty() {
            return class_of(&self.classes, field, || {
                self.lines.place(&self.columns, column)
            });
        }
        label_number(field).and_then(whole_label).ok_or_else(|| {
            self.lines
                .place(&self.columns, column)
                .wrong(format!("the label {}", shown(field)), LABEL)
        })
    }

    fn changed(&self) -> DataError {
        self.place.wrong(
            "another number of rows than a moment ago",
            "a file that is not being written; wait until it is complete",
        )
    }
}
