//! The rows of the files of a part, one file after another.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::column::{Column, Datum};
use super::decode::decode_image;
use super::footer::Footer;
use super::selection::{Content, Selection, name};
use crate::error::DataError;
use crate::idx::open_regular;
use crate::part::{ReadRows, RowsInto};
use crate::reading::Colour;
use crate::shape::Shape;
use crate::table::{LABEL, Place, class_of, whole_label};
use crate::values::ValuesMut;

/// Images that are decoded at a time.
const DECODED: usize = 256;

/// A file with the columns that are read.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) path: PathBuf,
    pub(super) footer: Footer,
    pub(super) selection: Selection,
}

impl Shard {
    /// A column at its first value.
    pub(super) fn column(&self, column: usize) -> Result<Column, DataError> {
        let leaf = self.footer.leaves[column].clone();
        let place = Place::within(&self.path, format!("column {}", name(&leaf)));
        let (file, _) = open_regular(&self.path).map_err(|source| place.unreadable(source))?;
        Ok(self.column_of(column, &Arc::new(file)))
    }

    fn column_of(&self, column: usize, file: &Arc<File>) -> Column {
        let leaf = self.footer.leaves[column].clone();
        let place = Place::within(&self.path, format!("column {}", name(&leaf)));
        Column::new(
            file.clone(),
            leaf,
            self.footer.chunks[column].clone(),
            place,
        )
    }

    fn open(&self) -> Result<OpenShard, DataError> {
        let place = Place::of(&self.path);
        let (file, _) = open_regular(&self.path).map_err(|source| place.unreadable(source))?;
        let file = Arc::new(file);
        let columns = self.selection.content.columns().iter();
        Ok(OpenShard {
            columns: columns
                .map(|&column| self.column_of(column, &file))
                .collect(),
            label: self
                .selection
                .label
                .map(|column| self.column_of(column, &file)),
            left: self.footer.rows,
        })
    }
}

/// All values of a column whose rows hold one each.
pub(super) fn for_each(
    shard: &Shard,
    column: usize,
    mut take: impl FnMut(u64, Datum<'_>, &Place) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut column = shard.column(column)?;
    let place = column.place().clone();
    for row in 0..shard.footer.rows {
        take(row, column.next()?, &place)?;
    }
    Ok(())
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
    left: u64,
}

/// Rows of several files.
pub(super) struct ShardRows {
    waiting: VecDeque<Shard>,
    open: Option<OpenShard>,
    shape: Shape,
    colour: Colour,
    is_images: bool,
    classes: BTreeMap<String, i64>,
    done: u64,
}

impl ShardRows {
    pub(super) fn new(
        shards: Vec<Shard>,
        shape: Shape,
        colour: Colour,
        classes: BTreeMap<String, i64>,
    ) -> Self {
        let is_images = shards
            .first()
            .is_some_and(|shard| matches!(shard.selection.content, Content::Images(_)));
        Self {
            waiting: shards.into(),
            open: None,
            shape,
            colour,
            is_images,
            classes,
            done: 0,
        }
    }

    /// The file that has rows left, and how many; none behind the last one.
    fn current(&mut self) -> Result<Option<u64>, DataError> {
        loop {
            if let Some(open) = &mut self.open {
                if open.left > 0 {
                    return Ok(Some(open.left));
                }
                for column in open.columns.iter_mut().chain(&mut open.label) {
                    if column.repetition()?.is_some() {
                        return Err(column.place().wrong(
                            "more values than rows",
                            "as many as rows; get a complete copy",
                        ));
                    }
                }
            }
            self.done = 0;
            self.open = match self.waiting.pop_front() {
                Some(shard) => Some(shard.open()?),
                None => return Ok(None),
            };
        }
    }

    fn labels(&mut self, rows: usize, into: &mut Vec<i64>) -> Result<(), DataError> {
        let Some(column) = self.open.as_mut().and_then(|open| open.label.as_mut()) else {
            return Ok(());
        };
        let place = column.place().clone();
        for row in self.done..self.done + rows as u64 {
            let label = match column.next()? {
                Datum::Number(number) => whole_label(number).ok_or_else(|| {
                    place.wrong(
                        format!("the label {number} in row {row}, counted from 0"),
                        LABEL,
                    )
                })?,
                Datum::Bytes(name) => class_of(&self.classes, name, || place.clone())?,
                Datum::Null => return Err(no_value(row, &place, LABEL)),
            };
            into.push(label);
        }
        Ok(())
    }

    fn images(&mut self, values: &mut [u8]) -> Result<(), DataError> {
        let length = self.shape.len();
        let (shape, colour, first) = (self.shape, self.colour, self.done);
        let Some(column) = self.open.as_mut().and_then(|open| open.columns.first_mut()) else {
            return Ok(());
        };
        let place = column.place().clone();
        for (batch, values) in values.chunks_mut(DECODED * length).enumerate() {
            let first = first + (batch * DECODED) as u64;
            let mut files = Vec::with_capacity(values.len() / length);
            for row in first..first + (values.len() / length) as u64 {
                match column.next()? {
                    Datum::Bytes(file) => files.push(file.to_vec()),
                    _ => return Err(no_value(row, &place, "an image in every row")),
                }
            }
            let failed = files
                .par_iter()
                .zip(values.par_chunks_exact_mut(length))
                .enumerate()
                .filter_map(|(row, (file, into))| {
                    let wrong = decode_image(file, colour, shape, into).err()?;
                    Some((row, wrong))
                })
                .min_by_key(|(row, _)| *row);
            if let Some((row, (found, expected))) = failed {
                let row = first + row as u64;
                return Err(place.wrong(format!("in row {row}, counted from 0, {found}"), expected));
            }
        }
        Ok(())
    }

    fn numbers<V: Copy>(
        &mut self,
        values: &mut [V],
        stored: impl Fn(f64) -> Option<V>,
    ) -> Result<(), DataError> {
        let length = self.shape.len();
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let first = self.done;
        let take = |column: &mut Column, row: usize, value: &mut V| {
            *value = match column.next()? {
                Datum::Number(number) => stored(number),
                _ => None,
            }
            .ok_or_else(|| {
                no_value(
                    first + row as u64,
                    column.place(),
                    "a number for every value",
                )
            })?;
            Ok(())
        };
        if let [column] = &mut open.columns[..]
            && length > 1
        {
            for (row, values) in values.chunks_exact_mut(length).enumerate() {
                for (position, value) in values.iter_mut().enumerate() {
                    let starts = column.repetition()?.is_some_and(|level| level == 0);
                    if starts != (position == 0) {
                        return Err(other_length(column, first + row as u64, position, length));
                    }
                    take(column, row, value)?;
                }
                if column.repetition()?.is_some_and(|level| level > 0) {
                    return Err(other_length(column, first + row as u64, length + 1, length));
                }
            }
            return Ok(());
        }
        for (position, column) in open.columns.iter_mut().enumerate() {
            for (row, values) in values.chunks_exact_mut(length).enumerate() {
                take(column, row, &mut values[position])?;
            }
        }
        Ok(())
    }
}

fn other_length(column: &Column, row: u64, found: usize, expected: usize) -> DataError {
    let found = if found > expected {
        format!("more than {expected}")
    } else {
        found.to_string()
    };
    column.place().wrong(
        format!("{found} values in row {row}, counted from 0"),
        format!("{expected} as in the first row"),
    )
}

impl ReadRows for ShardRows {
    fn read(&mut self, into: &mut RowsInto<'_>) -> Result<(), DataError> {
        let length = self.shape.len();
        let total = into.values.len() / length;
        let mut done = 0;
        while done < total {
            let Some(left) = self.current()? else {
                break;
            };
            let rows = (total - done).min(usize::try_from(left).unwrap_or(usize::MAX));
            self.labels(rows, into.labels)?;
            let range = done * length..(done + rows) * length;
            match &mut into.values {
                ValuesMut::Bytes(values) if self.is_images => self.images(&mut values[range])?,
                ValuesMut::Bytes(values) => self.numbers(&mut values[range], |number| {
                    let is_byte = number.fract() == 0.0 && (0.0..=255.0).contains(&number);
                    is_byte.then_some(number as u8)
                })?,
                ValuesMut::Floats(values) => {
                    self.numbers(&mut values[range], |number| Some(number as f32))?;
                }
            }
            self.done += rows as u64;
            if let Some(open) = &mut self.open {
                open.left -= rows as u64;
            }
            done += rows;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<[String; 2]>, DataError> {
        self.current()?;
        Ok(None)
    }
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
