//! The columns of a result as a Parquet file.

use std::fmt;

use datasets::{ColumnKind, ColumnValues, ParquetWriter};

use super::columns::{Column, ColumnType, Values};
use super::destination::Destination;
use crate::error::Error;

/// A Parquet file under construction at a [`Destination`].
pub(super) struct ParquetTable {
    writer: ParquetWriter,
}

impl ParquetTable {
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn new(columns: &[Column], destination: &mut Destination) -> Result<Self, Error> {
        let columns: Vec<(&str, ColumnKind)> = columns
            .iter()
            .map(|column| {
                let kind = match column.holds {
                    ColumnType::Float => ColumnKind::Float,
                    ColumnType::Floats(width) => ColumnKind::FloatList(width),
                    ColumnType::Integer => ColumnKind::Integer,
                    ColumnType::Text => ColumnKind::Text,
                };
                (column.name, kind)
            })
            .collect();
        let file = destination.file().try_clone();
        let file = file.map_err(|source| destination.failure(source))?;
        Ok(Self {
            writer: ParquetWriter::over(file, destination.path(), &columns)?,
        })
    }

    /// Adds rows of every column.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn append(&mut self, values: &[Values<'_>]) -> Result<(), Error> {
        let texts: Vec<Vec<String>> = values
            .iter()
            .map(|values| match values {
                Values::Text(texts) => texts.iter().map(|&text| text.to_owned()).collect(),
                _ => Vec::new(),
            })
            .collect();
        let columns: Vec<ColumnValues<'_>> = values
            .iter()
            .zip(&texts)
            .map(|(values, texts)| match values {
                Values::Float(values) => ColumnValues::Floats(values),
                Values::Floats(values) => ColumnValues::FloatLists(values.view()),
                Values::Integer(values) => ColumnValues::Integers(values),
                Values::Text(_) => ColumnValues::Texts(texts),
            })
            .collect();
        Ok(self.writer.append(&columns)?)
    }

    /// # Errors
    /// When what is left cannot be written.
    pub(super) fn finish(self) -> Result<(), Error> {
        Ok(self.writer.finish()?)
    }
}

impl fmt::Debug for ParquetTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ParquetTable")
            .finish_non_exhaustive()
    }
}
