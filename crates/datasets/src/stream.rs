//! The rows of a source one chunk after another, for work that needs each of
//! them once: memory does not grow with their number.

use std::collections::BTreeMap;

use ndarray::ArrayView2;

use crate::collect::{check_finite, test_rows};
use crate::download::Progress;
use crate::error::DataError;
use crate::load;
use crate::locate::Lookup;
use crate::part::{Part, PartName, RowsInto};
use crate::prepare::prepared;
use crate::reading::Reading;
use crate::shape::Shape;
use crate::source::Source;
use crate::values::{Kind, Rows, Values, ValuesMut};

/// A source, opened to be read once from its first row to its last.
pub struct Stream {
    /// The source as it was asked for.
    pub name: String,
    /// Its parts: training and test set, or all of it.
    pub parts: Vec<StreamedPart>,
    /// Names of classes by the labels of the chunks, where there are some.
    pub class_names: BTreeMap<i64, String>,
    /// What was decided while opening, one sentence each.
    pub remarks: Vec<String>,
}

/// One part of a [`Stream`].
pub struct StreamedPart {
    name: PartName,
    part: Part,
    done: usize,
    values: Values,
    labels: Vec<i64>,
    names: Vec<String>,
}

/// Consecutive rows of a part.
#[derive(Debug)]
pub struct Chunk<'a> {
    /// Position of the first row in its part.
    pub first: usize,
    /// The rows `[n, values]`.
    pub rows: Rows<'a>,
    /// The label of each row as the source has it: a number, or the position
    /// of a folder among those that are classes.
    pub labels: Option<&'a [i64]>,
    /// The name of each row, where rows are files.
    pub names: Option<&'a [String]>,
}

impl Chunk<'_> {
    /// Which rows loading the source would give to its test set, by `share`;
    /// for a source that has none of its own.
    #[must_use]
    pub fn test_rows(&self, share: f64) -> Vec<bool> {
        test_rows(&self.rows, share)
    }
}

/// Opens a source for reading in chunks; see [`load_source`](crate::load_source).
///
/// # Errors
/// As for loading, as far as opening shows.
pub fn stream(
    source: &Source,
    reading: &Reading,
    lookup: &Lookup,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Stream, DataError> {
    reading.validate()?;
    let opened = load::open(source, reading, lookup, progress)?;
    let reading = Reading {
        transposed: reading.transposed || opened.is_transposed,
        ..reading.clone()
    };
    let parts = opened
        .parts
        .into_vec()
        .into_iter()
        .map(|(name, part)| {
            let part = prepared(part, &reading)?;
            Ok(StreamedPart {
                name,
                values: Values::zeros(part.kind, 0),
                part,
                done: 0,
                labels: Vec::new(),
                names: Vec::new(),
            })
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    Ok(Stream {
        name: source.name(),
        parts,
        // Which labels a list without numbers is of shows only at the end.
        class_names: match opened.listed_in {
            None => opened.class_names,
            Some(_) => BTreeMap::new(),
        },
        remarks: opened.remarks,
    })
}

impl StreamedPart {
    /// Which part of the source it is.
    #[must_use]
    pub fn name(&self) -> PartName {
        self.name
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.part.count
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.part.count == 0
    }

    /// What a row is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.part.shape
    }

    /// How values are stored.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.part.kind
    }

    /// Whether rows have labels.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.part.is_labelled
    }

    /// Whether rows are files with names.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.part.is_named
    }

    /// Reads the next rows, at most `rows` (at least one); none behind the
    /// last one, where what follows in the file has been checked.
    ///
    /// # Errors
    /// When the file cannot be read or is not what its header says, or a value
    /// is not finite.
    pub fn next_chunk(&mut self, rows: usize) -> Result<Option<Chunk<'_>>, DataError> {
        let rows = rows.max(1).min(self.part.count - self.done);
        if rows == 0 {
            self.part.rows.finish()?;
            return Ok(None);
        }
        let length = self.part.shape.len();
        if self.values.len() != rows * length {
            self.values = Values::zeros(self.part.kind, rows * length);
        }
        self.labels.clear();
        self.names.clear();
        self.part.rows.read(&mut RowsInto {
            values: self.values.as_mut(),
            labels: &mut self.labels,
            names: &mut self.names,
        })?;
        let first = self.done;
        if let ValuesMut::Floats(values) = self.values.as_mut() {
            check_finite(&self.part.path, values, length, first)?;
        }
        self.done += rows;
        const FITS: &str = "the buffer was made for these rows";
        Ok(Some(Chunk {
            first,
            rows: match &self.values {
                Values::Bytes(values) => {
                    Rows::Bytes(ArrayView2::from_shape((rows, length), values).expect(FITS))
                }
                Values::Floats(values) => {
                    Rows::Floats(ArrayView2::from_shape((rows, length), values).expect(FITS))
                }
            },
            labels: self.part.is_labelled.then_some(&self.labels[..]),
            names: self.part.is_named.then_some(&self.names[..]),
        }))
    }
}
