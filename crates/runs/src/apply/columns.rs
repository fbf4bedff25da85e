//! The columns of a result: what they hold and how they are called.

use std::borrow::Cow;

use ndarray::ArrayView2;

/// What a column holds, for all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// One f32 in each row.
    Float,
    /// So many f32 in each row.
    Floats(usize),
    /// One i64 in each row.
    Integer,
    /// One text in each row.
    Text,
}

/// A column before its rows are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name of the array; the columns of a CSV file are numbered from 1
    /// after it where there are several.
    pub(super) name: &'static str,
    pub(super) holds: ColumnType,
}

/// Consecutive rows of a column.
#[derive(Clone, Debug)]
pub enum Values<'a> {
    /// One f32 of each row.
    Float(&'a [f32]),
    /// Row-major, `[rows, width]`.
    Floats(ArrayView2<'a, f32>),
    /// One i64 of each row.
    Integer(Cow<'a, [i64]>),
    /// One text of each row.
    Text(Vec<&'a str>),
}

impl Column {
    /// A column of this name.
    #[must_use]
    pub fn new(name: &'static str, holds: ColumnType) -> Self {
        Self { name, holds }
    }

    /// Sizes of the array of `rows` rows.
    pub(super) fn shape(&self, rows: usize) -> Vec<usize> {
        match self.holds {
            ColumnType::Floats(width) => vec![rows, width],
            _ => vec![rows],
        }
    }
}

impl Values<'_> {
    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Floats(values) => values.nrows(),
            Self::Integer(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether they are of a column that holds `holds`.
    pub(super) fn are(&self, holds: ColumnType) -> bool {
        match (self, holds) {
            (Self::Float(_), ColumnType::Float)
            | (Self::Integer(_), ColumnType::Integer)
            | (Self::Text(_), ColumnType::Text) => true,
            (Self::Floats(values), ColumnType::Floats(width)) => values.ncols() == width,
            _ => false,
        }
    }
}
