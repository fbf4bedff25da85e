//! Tables of text: comma, semicolon or tab between the fields, with or without
//! a header, one row a line.
//!
//! A first pass finds out how many rows there are and what the columns are, a
//! second one reads them; nothing is held but one line and the names of the
//! classes.

mod columns;
mod dialect;
mod part;
mod scan;

use std::path::Path;

use columns::Columns;
use dialect::Dialect;
use scan::Scan;

use crate::error::DataError;
use crate::part::{Opened, Parts};
use crate::reading::Reading;
use crate::shape::Shape;
use crate::table::{LEAST_PIXELS, Place, names_of, square_side};
use crate::values::Kind;

/// Whether a file is a table by its name: text has nothing else to tell it by.
pub(crate) fn is_named_so(path: &Path) -> bool {
    extension(path).is_some_and(|extension| ["csv", "tsv"].contains(&extension.as_str()))
}

/// Refuses a compressed table, which would have to be unpacked twice.
pub(crate) fn refuse_compressed(path: &Path) -> Result<(), DataError> {
    let inner = path
        .file_stem()
        .is_some_and(|stem| is_named_so(Path::new(stem)));
    if inner && extension(path).is_some_and(|extension| extension == "gz") {
        return Err(Place::of(path).wrong(
            "a compressed table, which is read twice",
            "it unpacked: run gunzip on it",
        ));
    }
    Ok(())
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// Opens a table.
pub(crate) fn open(path: &Path, reading: &Reading) -> Result<Opened, DataError> {
    let dialect = Dialect::of(path)?;
    let (columns, mut remarks) = Columns::decided(path, &dialect, reading)?;
    let scan = Scan::of(path, &dialect, &columns)?;
    let (shape, kind) = row(&columns, &scan, reading, &mut remarks);
    let classes = scan.classes;
    let names = names_of(&classes);
    let part = part::part(path, dialect, columns, scan.count, shape, kind, classes);
    Ok(Opened {
        parts: Parts::Whole(part?),
        class_names: names,
        attribution: format!("rows of {}", path.display()),
        is_transposed: false,
        listed_in: None,
        remarks,
    })
}

/// What a row is: an image where all fields are bytes and their number or
/// their names or the shape asked for say so.
fn row(
    columns: &Columns,
    scan: &Scan,
    reading: &Reading,
    remarks: &mut Vec<String>,
) -> (Shape, Kind) {
    let length = columns.values;
    let vector = Shape::Vector { length };
    if !scan.only_bytes {
        return (vector, Kind::Floats);
    }
    match (reading.shape, square_side(length)) {
        (Some(shape), _) if shape.is_image() && shape.len() == length => (vector, Kind::Bytes),
        (None, Some(side)) if length >= LEAST_PIXELS || columns.are_pixels => {
            remarks.push(format!(
                "all {length} values of a row are whole numbers from 0 to 255: taken as images of {side}x{side}; --shape {length} makes them vectors"
            ));
            (Shape::grey(side, side), Kind::Bytes)
        }
        _ => (vector, Kind::Floats),
    }
}
