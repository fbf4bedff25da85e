//! From Parquet files to the parts of a source: what a row is, by the columns
//! that are taken and the first rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Shards;
use super::images::{Decoding, Survey};
use super::rows::{self, RowContent, Shard, ShardRows, no_value};
use super::selection::{self, Content, Selection};
use crate::error::DataError;
use crate::folder;
use crate::part::{Opened, Part, Parts};
use crate::reading::Reading;
use crate::shape::Shape;
use crate::table::{
    ClassSet, LABEL, LEAST_PIXELS, MAX_RATIO, Place, byte_rows, names_of, square_side,
};
use crate::values::Kind;

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
    let row = Row::of(&all, reading, &mut remarks)?;
    // Images were counted as they were looked at.
    if row.images.is_none() {
        for shard in &all {
            check_plausible(shard, row.shape)?;
        }
    }
    let classes = classes(&all)?;
    let class_names = match all[0].selection.label {
        Some(label) if classes.is_empty() => selection::class_names(&all[0].footer, label),
        _ => names_of(&classes),
    };
    let test = all.split_off(shards.train.len());
    let part = |shards: Vec<Shard>| part(shards, &row, &classes);
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
        listed_in: None,
        remarks,
    })
}

fn part(shards: Vec<Shard>, row: &Row, classes: &BTreeMap<String, i64>) -> Result<Part, DataError> {
    let count = shards
        .iter()
        .try_fold(0u64, |count, shard| count.checked_add(shard.footer.rows))
        .and_then(|count| usize::try_from(count).ok());
    let path: PathBuf = shards[0].path.clone();
    let Some(count) = count else {
        return Err(Place::of(&path).wrong("too many rows to be counted", "a complete file"));
    };
    let is_named = row.is_named;
    let content = match row.images {
        Some(decoding) => RowContent::Images(decoding),
        None => RowContent::Numbers(row.shape),
    };
    Ok(Part {
        count,
        shape: row.shape,
        kind: row.kind,
        is_labelled: shards[0].selection.label.is_some(),
        is_named,
        path,
        rows: Box::new(ShardRows::new(shards, content, is_named, classes.clone())),
    })
}

/// What every row is.
struct Row {
    shape: Shape,
    kind: Kind,
    /// How files become rows, where they are images.
    images: Option<Decoding>,
    is_named: bool,
}

impl Row {
    fn of(
        shards: &[Shard],
        reading: &Reading,
        remarks: &mut Vec<String>,
    ) -> Result<Self, DataError> {
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
        let (shape, kind) = match &first.selection.content {
            Content::Images(_) => return Self::images(shards, reading, remarks),
            &Content::Vector(vector) => {
                for shard in shards {
                    check_lists(shard)?;
                }
                let length = vector_length(first, vector)?;
                if first.footer.leaves[vector].is_byte {
                    let (shape, remark) = byte_rows(length, reading);
                    remarks.extend(remark);
                    (shape, Kind::Bytes)
                } else {
                    (Shape::Vector { length }, Kind::Floats)
                }
            }
            Content::Table(columns) => table_row(shards, columns.len(), reading, remarks)?,
        };
        Ok(Self {
            shape,
            kind,
            images: None,
            is_named: false,
        })
    }

    fn images(
        shards: &[Shard],
        reading: &Reading,
        remarks: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let survey = Survey::of(shards, reading)?;
        if survey.animated > 0 {
            remarks.push(folder::animation_remark(
                survey.animated,
                &survey.first_animated,
            ));
        }
        Ok(Self {
            shape: survey.shape,
            kind: Kind::Bytes,
            images: Some(Decoding {
                shape: survey.shape,
                is_resized: reading.resize.is_some(),
                background: reading.background,
            }),
            is_named: survey.is_named,
        })
    }
}

/// How many values the first row of a column of lists has.
fn vector_length(shard: &Shard, vector: usize) -> Result<usize, DataError> {
    let mut column = shard.column(vector)?;
    let place = column.place().clone();
    let batch = column.read(1)?;
    if batch.numbers.is_empty() || batch.first_missing().is_some() {
        return Err(no_value(0, &place, "a list of numbers in every row"));
    }
    Ok(batch.numbers.len())
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
            shard.column(column)?.for_each(|first, batch, place| {
                if let Some(row) = batch.first_missing() {
                    let row = first + row as u64;
                    return Err(no_value(row, place, "a number for every value"));
                }
                only_bytes &= batch
                    .numbers
                    .iter()
                    .all(|number| (0.0..=255.0).contains(number));
                Ok(())
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
            shard.column(label)?.for_each(|first, batch, place| {
                if let Some(row) = batch.first_missing() {
                    return Err(no_value(first + row as u64, place, LABEL));
                }
                let mut names = batch.bytes.iter();
                names.try_for_each(|name| classes.add(name.data(), || place.clone()))
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
    check_claim(shard, rows.checked_mul(shape.len() as u64), || {
        format!("{rows} rows of {shape}")
    })
}

/// Refuses lists that may be of any length.
fn check_lists(shard: &Shard) -> Result<(), DataError> {
    for &column in shard.selection.content.columns() {
        let groups = shard.footer.metadata.row_groups().iter();
        let values: i64 = groups
            .map(|group| group.column(column).num_values())
            .fold(0, i64::saturating_add);
        check_claim(shard, u64::try_from(values).ok(), || {
            format!("lists of {values} values")
        })?;
    }
    Ok(())
}

/// Refuses more values than the file's size justifies; none are too many to
/// be counted.
pub(super) fn check_claim(
    shard: &Shard,
    values: Option<u64>,
    claim: impl Fn() -> String,
) -> Result<(), DataError> {
    if values.is_some_and(|values| values <= most_values(shard)) {
        return Ok(());
    }
    Err(Place::of(&shard.path).wrong(
        format!("metadata that claim {}", claim()),
        format!(
            "what its {} bytes can hold; get a complete copy",
            shard.footer.file_bytes
        ),
    ))
}
