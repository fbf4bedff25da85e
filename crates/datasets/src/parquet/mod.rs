//! Parquet files as the hubs store images: a column of image files, lists of
//! numbers, or columns of numbers; one file, or several of a folder.
//!
//! What is read is what pyarrow and the hubs write by default: plain values
//! and dictionaries, in pages of either version, uncompressed or as Snappy,
//! gzip or Zstandard. A page at a time is held of every column.

mod codec;
mod column;
mod decode;
mod footer;
mod hybrid;
mod rows;
mod selection;
mod shards;
mod thrift;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use column::Datum;
use rows::{Shard, ShardRows};
use selection::{Content, Selection};

use crate::error::DataError;
use crate::part::{Opened, Part, Parts};
use crate::reading::Reading;
use crate::shape::Shape;
use crate::table::{
    ClassSet, LABEL, LEAST_PIXELS, MAX_RATIO, Place, byte_rows, names_of, square_side,
};
use crate::values::Kind;

pub(crate) use footer::MAGIC;
pub(crate) use shards::Shards;

/// Values that need no proof by the size of their file.
const FREE_VALUES: u64 = 1 << 20;

/// Opens a file.
pub(crate) fn open_file(path: &Path, reading: &Reading) -> Result<Opened, DataError> {
    let shards = Shards {
        train: vec![path.to_owned()],
        ..Shards::default()
    };
    open(path, &shards, reading)
}

/// Opens the files of a folder.
pub(crate) fn open(path: &Path, shards: &Shards, reading: &Reading) -> Result<Opened, DataError> {
    let mut remarks = Vec::new();
    if !shards.unused.is_empty() {
        remarks.push(format!("{} is not used", shards.unused.join(", ")));
    }
    let mut paths = shards.train.clone();
    paths.extend_from_slice(&shards.test);
    // All files together, so that the test files have the same columns.
    let mut all = rows::opened(&paths, |footer, path| {
        Selection::of(footer, reading, &Place::of(path), &mut remarks)
    })?;
    let (shape, kind) = row(&all, reading, &mut remarks)?;
    for shard in &all {
        check_plausible(shard, shape)?;
    }
    let classes = classes(&all)?;
    let class_names = match all[0].selection.label {
        Some(label) if classes.is_empty() => selection::class_names(&all[0].footer, label),
        _ => names_of(&classes),
    };
    let test = all.split_off(shards.train.len());
    let part = |shards: Vec<Shard>| part(shards, shape, kind, reading, &classes);
    let parts = if test.is_empty() {
        Parts::Whole(part(all)?)
    } else {
        Parts::TrainAndTest(part(all)?, part(test)?)
    };
    Ok(Opened {
        parts,
        class_names,
        attribution: format!("rows of {}", path.display()),
        is_transposed: false,
        remarks,
    })
}

fn part(
    shards: Vec<Shard>,
    shape: Shape,
    kind: Kind,
    reading: &Reading,
    classes: &BTreeMap<String, i64>,
) -> Result<Part, DataError> {
    let count = shards
        .iter()
        .try_fold(0u64, |count, shard| count.checked_add(shard.footer.rows))
        .and_then(|count| usize::try_from(count).ok());
    let path: PathBuf = shards[0].path.clone();
    let Some(count) = count else {
        return Err(Place::of(&path).wrong("too many rows to be counted", "a complete file"));
    };
    Ok(Part {
        count,
        shape,
        kind,
        is_labelled: shards[0].selection.label.is_some(),
        is_named: false,
        path,
        rows: Box::new(ShardRows::new(
            shards,
            shape,
            reading.colour,
            classes.clone(),
        )),
    })
}

/// What a row is, by the first one.
fn row(
    shards: &[Shard],
    reading: &Reading,
    remarks: &mut Vec<String>,
) -> Result<(Shape, Kind), DataError> {
    let first = shards
        .iter()
        .find(|shard| shard.footer.rows > 0)
        .unwrap_or(&shards[0]);
    if first.footer.rows == 0 {
        return Err(DataError::TooFew {
            path: first.path.clone(),
            found: 0,
            needed: 1,
        });
    }
    match &first.selection.content {
        &Content::Images(images) => {
            let mut column = first.column(images)?;
            let place = column.place().clone();
            match column.next()? {
                Datum::Bytes(file) => {
                    let shape = decode::shape_of(file, reading.colour);
                    let shape = shape.map_err(|(found, expected)| {
                        place.wrong(format!("in row 0, counted from 0, {found}"), expected)
                    })?;
                    Ok((shape, Kind::Bytes))
                }
                _ => Err(rows::no_value(0, &place, "an image in every row")),
            }
        }
        &Content::Vector(vector) => {
            let length = vector_length(first, vector)?;
            if !first.footer.leaves[vector].is_byte {
                return Ok((Shape::Vector { length }, Kind::Floats));
            }
            let (shape, remark) = byte_rows(length, reading);
            remarks.extend(remark);
            Ok((shape, Kind::Bytes))
        }
        Content::Table(columns) => table_row(shards, columns.len(), reading, remarks),
    }
}

/// How many values the first row of a column of lists has.
fn vector_length(shard: &Shard, vector: usize) -> Result<usize, DataError> {
    let mut column = shard.column(vector)?;
    let limit = most_values(shard);
    let mut length = 0u64;
    loop {
        if matches!(column.next()?, Datum::Null) {
            let place = column.place();
            return Err(rows::no_value(0, place, "a list of numbers in every row"));
        }
        length += 1;
        if length > limit {
            return Err(column.place().wrong(
                format!("a list of more than {limit} values"),
                "lists that the file's bytes can hold; get a complete copy",
            ));
        }
        if column.repetition()?.is_none_or(|level| level == 0) {
            return Ok(length as usize);
        }
    }
}

/// What a row of columns of numbers is: an image where all are bytes and their
/// number or names or the shape asked for say so.
fn table_row(
    shards: &[Shard],
    length: usize,
    reading: &Reading,
    remarks: &mut Vec<String>,
) -> Result<(Shape, Kind), DataError> {
    let (first, vector) = (&shards[0], Shape::Vector { length });
    let side = square_side(length)
        .filter(|_| length >= LEAST_PIXELS || first.selection.are_pixels(&first.footer));
    let is_asked = reading
        .shape
        .is_some_and(|shape| shape.is_image() && shape.len() == length);
    let may_be_images = is_asked || (reading.shape.is_none() && side.is_some());
    if !may_be_images || !only_bytes(shards)? {
        return Ok((vector, Kind::Floats));
    }
    let Some(side) = side.filter(|_| !is_asked) else {
        return Ok((vector, Kind::Bytes));
    };
    remarks.push(format!(
        "all {length} values of a row are whole numbers from 0 to 255: taken as images of {side}x{side}; --shape {length} makes them vectors"
    ));
    Ok((Shape::grey(side, side), Kind::Bytes))
}

fn only_bytes(shards: &[Shard]) -> Result<bool, DataError> {
    for shard in shards {
        if !shard.selection.are_whole_numbers(&shard.footer) {
            return Ok(false);
        }
        check_plausible(
            shard,
            Shape::Vector {
                length: shard.selection.content.columns().len(),
            },
        )?;
        for &column in shard.selection.content.columns() {
            let mut only_bytes = true;
            rows::for_each(shard, column, |row, datum, place| match datum {
                Datum::Number(number) => {
                    only_bytes &= (0.0..=255.0).contains(&number);
                    Ok(())
                }
                _ => Err(rows::no_value(row, place, "a number for every value")),
            })?;
            if !only_bytes {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Numbers of the names, where labels are names.
fn classes(shards: &[Shard]) -> Result<BTreeMap<String, i64>, DataError> {
    let mut classes = ClassSet::default();
    for shard in shards {
        let Some(label) = shard.selection.label else {
            continue;
        };
        if shard.footer.leaves[label].is_text {
            rows::for_each(shard, label, |row, datum, place| match datum {
                Datum::Bytes(name) => classes.add(name, || place.clone()),
                _ => Err(rows::no_value(row, place, LABEL)),
            })?;
        }
    }
    Ok(classes.numbered())
}

/// The most values that a file may claim to hold.
fn most_values(shard: &Shard) -> u64 {
    shard
        .footer
        .file_bytes
        .saturating_mul(MAX_RATIO)
        .max(FREE_VALUES)
}

/// Refuses a number of rows for which memory should not be taken.
fn check_plausible(shard: &Shard, shape: Shape) -> Result<(), DataError> {
    let rows = shard.footer.rows;
    let claimed = rows.checked_mul(shape.len() as u64);
    if claimed.is_some_and(|values| values <= most_values(shard)) {
        return Ok(());
    }
    Err(Place::of(&shard.path).wrong(
        format!("metadata that claim {rows} rows of {shape}"),
        format!(
            "what its {} bytes can hold; get a complete copy",
            shard.footer.file_bytes
        ),
    ))
}
