//! The rows of the files of a part, one file after another.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::column::Column;
use super::footer::Footer;
use super::images::{Decoding, file_name};
use super::pages::PageFile;
use super::selection::{Selection, name};
use crate::error::DataError;
use crate::part::{ReadRows, RowsInto};
use crate::shape::Shape;
use crate::table::{LABEL, Place, class_of, whole_label};
use crate::values::ValuesMut;

/// Values that are read of a column at a time.
const BATCH: usize = 1 << 14;

/// A file with the columns that are read.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) path: PathBuf,
    pub(super) footer: Footer,
    pub(super) selection: Selection,
}

impl Shard {
    /// A column at its first row.
    pub(super) fn column(&self, column: usize) -> Result<Column, DataError> {
        Ok(self.column_of(column, &self.file()?))
    }

    fn file(&self) -> Result<Arc<PageFile>, DataError> {
        let file = input_files::open(&self.path)
            .map_err(|source| Place::of(&self.path).unreadable(source))?;
        Ok(Arc::new(PageFile(file)))
    }

    fn column_of(&self, column: usize, file: &Arc<PageFile>) -> Column {
        let leaf = self.footer.leaves[column].clone();
        let place = Place::within(&self.path, format!("column {}", name(&leaf)));
        Column::new(
            file.clone(),
            self.footer.metadata.clone(),
            column,
            leaf,
            place,
        )
    }

    fn open(&self, is_named: bool) -> Result<OpenShard, DataError> {
        let file = self.file()?;
        let column = |column: usize| self.column_of(column, &file);
        let selection = &self.selection;
        Ok(OpenShard {
            columns: selection
                .content
                .columns()
                .iter()
                .map(|&at| column(at))
                .collect(),
            label: selection.label.map(column),
            names: selection.names.filter(|_| is_named).map(column),
            left: self.footer.rows,
        })
    }
}

/// The error of a value that is missing or of another kind.
pub(super) fn no_value(row: u64, place: &Place, expected: &str) -> DataError {
    place.wrong(
        format!("no value in row {row}, counted from 0"),
        expected.to_owned(),
    )
}

struct OpenShard {
    columns: Vec<Column>,
    label: Option<Column>,
    names: Option<Column>,
    left: u64,
}

/// What the values of a row are.
pub(super) enum RowContent {
    Images(Decoding),
    Numbers(Shape),
}

/// Rows of several files.
pub(super) struct ShardRows {
    waiting: VecDeque<Shard>,
    open: Option<OpenShard>,
    content: RowContent,
    is_named: bool,
    classes: BTreeMap<String, i64>,
    done: u64,
}

impl ShardRows {
    pub(super) fn new(
        shards: Vec<Shard>,
        content: RowContent,
        is_named: bool,
        classes: BTreeMap<String, i64>,
    ) -> Self {
        Self {
            waiting: shards.into(),
            open: None,
            content,
            is_named,
            classes,
            done: 0,
        }
    }

    /// Opens the file that has rows left, and gives how many; none behind the
    /// last one.
    fn advance(&mut self) -> Result<Option<u64>, DataError> {
        loop {
            if let Some(open) = &mut self.open {
                if open.left > 0 {
                    return Ok(Some(open.left));
                }
                let others = open.label.iter_mut().chain(&mut open.names);
                for column in open.columns.iter_mut().chain(others) {
                    // Refuses values behind the last row.
                    column.read(1)?;
                }
            }
            self.done = 0;
            self.open = match self.waiting.pop_front() {
                Some(shard) => Some(shard.open(self.is_named)?),
                None => return Ok(None),
            };
        }
    }
}

impl ReadRows for ShardRows {
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError> {
        let length = match &self.content {
            RowContent::Images(decoding) => decoding.shape.len(),
            RowContent::Numbers(shape) => shape.len(),
        };
        let total = into.values.len() / length;
        let mut done = 0;
        while done < total {
            let Some(left) = self.advance()? else {
                break;
            };
            let Some(open) = &mut self.open else {
                break;
            };
            let rows = (total - done).min(usize::try_from(left).unwrap_or(usize::MAX));
            if let Some(column) = &mut open.label {
                labels(column, self.done, rows, &self.classes, into.labels)?;
            }
            if let Some(column) = &mut open.names {
                names(column, self.done, rows, into.names)?;
            }
            let range = done * length..(done + rows) * length;
            let first = self.done;
            match (&mut into.values, &self.content, &mut open.columns[..]) {
                (ValuesMut::Bytes(values), RowContent::Images(decoding), [column]) => {
                    decoding.rows(column, first, &mut values[range])?;
                }
                (ValuesMut::Bytes(values), _, columns) => {
                    numbers(columns, first, length, &mut values[range], |number| {
                        let is_byte = number.fract() == 0.0 && (0.0..=255.0).contains(&number);
                        is_byte.then_some(number as u8)
                    })?;
                }
                (ValuesMut::Floats(values), _, columns) => {
                    numbers(columns, first, length, &mut values[range], |number| {
                        Some(number as f32)
                    })?;
                }
            }
            self.done += rows as u64;
            open.left -= rows as u64;
            done += rows;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<[String; 2]>, DataError> {
        self.advance()?;
        Ok(None)
    }
}

fn labels(
    column: &mut Column,
    first: u64,
    rows: usize,
    classes: &BTreeMap<String, i64>,
    into: &mut Vec<i64>,
) -> Result<(), DataError> {
    let place = column.place().clone();
    let mut done = 0;
    while done < rows {
        let batch = column.read((rows - done).min(BATCH))?;
        let first = first + done as u64;
        if batch.rows == 0 {
            return Err(no_value(first, &place, LABEL));
        }
        if let Some(row) = batch.first_missing() {
            return Err(no_value(first + row as u64, &place, LABEL));
        }
        for (row, &number) in (first..).zip(&batch.numbers) {
            into.push(whole_label(number).ok_or_else(|| {
                place.wrong(
                    format!("the label {number} in row {row}, counted from 0"),
                    LABEL,
                )
            })?);
        }
        for name in &batch.bytes {
            into.push(class_of(classes, name.data(), || place.clone())?);
        }
        done += batch.rows;
    }
    Ok(())
}

fn names(
    column: &mut Column,
    first: u64,
    rows: usize,
    into: &mut Vec<String>,
) -> Result<(), DataError> {
    let place = column.place().clone();
    let mut done = 0;
    while done < rows {
        let batch = column.read((rows - done).min(BATCH))?;
        let names: Vec<String> = batch
            .bytes
            .iter()
            .filter_map(|name| file_name(name).map(str::to_owned))
            .collect();
        if names.is_empty() || names.len() != batch.rows {
            let expected = "the names that were there before; the file changed while it was read";
            return Err(no_value(first + done as u64, &place, expected));
        }
        into.extend(names);
        done += batch.rows;
    }
    Ok(())
}

/// Rows of a column of lists, or of as many columns as a row has values.
fn numbers<V: Copy>(
    columns: &mut [Column],
    first: u64,
    length: usize,
    values: &mut [V],
    stored: impl Fn(f64) -> Option<V>,
) -> Result<(), DataError> {
    const NUMBER: &str = "a number for every value";
    let rows = values.len() / length;
    let is_list = columns.len() == 1;
    // Columns beside one another: values of a column are `length` apart.
    let row_values = if is_list { length } else { 1 };
    for (position, column) in columns.iter_mut().enumerate() {
        let place = column.place().clone();
        let mut done = 0;
        while done < rows {
            let batch = column.read((rows - done).min((BATCH / row_values).max(1)))?;
            let first = first + done as u64;
            let missing = batch.first_missing();
            let other = batch.lengths().position(|found| found != length);
            match (missing, other) {
                (Some(row), other) if other.is_none_or(|other| row <= other) => {
                    return Err(no_value(first + row as u64, &place, NUMBER));
                }
                (_, Some(row)) => {
                    let found = batch.lengths().nth(row).unwrap_or_default();
                    let row = first + row as u64;
                    return Err(place.wrong(
                        format!("a list of length {found} in row {row}, counted from 0"),
                        format!("length {length} as in the first row"),
                    ));
                }
                _ => {}
            }
            if batch.rows == 0 || batch.numbers.len() != batch.rows * row_values {
                return Err(no_value(first, &place, NUMBER));
            }
            for (index, &number) in batch.numbers.iter().enumerate() {
                let (row, offset) = (index / row_values, index % row_values);
                values[(done + row) * length + position + offset] =
                    stored(number).ok_or_else(|| no_value(first + row as u64, &place, NUMBER))?;
            }
            done += batch.rows;
        }
    }
    Ok(())
}

/// Opens the footers of the files of a part; all have the columns of the
/// first file.
pub(super) fn opened(
    paths: &[PathBuf],
    select: impl FnOnce(&Footer, &Path) -> Result<Selection, DataError>,
) -> Result<Vec<Shard>, DataError> {
    let mut shards: Vec<Shard> = Vec::new();
    let mut select = Some(select);
    for path in paths {
        let footer = Footer::read(path)?;
        let selection = match (shards.first(), select.take()) {
            (None, Some(select)) => select(&footer, path)?,
            (Some(first), _) => first
                .selection
                .in_other(&first.footer, &footer)
                .ok_or_else(|| {
                    Place::of(path).wrong(
                        "other columns",
                        format!("those of {}", first.path.display()),
                    )
                })?,
            (None, None) => continue,
        };
        shards.push(Shard {
            path: path.clone(),
            footer,
            selection,
        });
    }
    Ok(shards)
}
