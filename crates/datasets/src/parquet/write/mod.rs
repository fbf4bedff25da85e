//! Parquet files that are written chunk by chunk.

mod column;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;
use durable_files::UnfinishedFile;

use self::column::Column;
use crate::error::DataError;

pub use self::column::{ColumnKind, ColumnValues};

/// Rows of a group at most.
const GROUP_ROWS: usize = 1 << 16;

/// Bytes of values that wait for their group to be full, at most and about.
const GROUP_BYTES: usize = 16 << 20;

/// A Parquet file under construction: rows are appended in chunks of any
/// size, compressed by Snappy in groups of 65,536 rows (fewer where rows are
/// long), and what is held in memory is one such group.
///
/// The file appears in its place once it is whole; a writer that is dropped
/// before [`ParquetWriter::finish`] leaves nothing behind.
///
/// ```
/// use datasets::{ColumnKind, ColumnValues, ParquetWriter};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("codes.parquet");
/// let columns = [("z", ColumnKind::FloatList(2)), ("label", ColumnKind::Integer)];
/// let mut writer = ParquetWriter::create(&path, &columns)?;
/// let codes = ndarray::array![[0.5, -1.0], [0.25, 2.0]];
/// writer.append(&[
///     ColumnValues::FloatLists(codes.view()),
///     ColumnValues::Integers(&[7, 3]),
/// ])?;
/// writer.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ParquetWriter {
    path: PathBuf,
    /// What gets the name of the file at the end; none where somebody else sees
    /// to that.
    temporary: Option<UnfinishedFile>,
    writer: SerializedFileWriter<File>,
    columns: Vec<Column>,
    /// Rows that wait for their group to be full.
    rows: usize,
    group_rows: usize,
}

impl ParquetWriter {
    /// Begins a file at `path` with the named columns, in their order.
    ///
    /// # Errors
    /// When the file cannot be written.
    ///
    /// # Panics
    /// When there is no column, or lists of no values.
    pub fn create(path: &Path, columns: &[(&str, ColumnKind)]) -> Result<Self, DataError> {
        let unwritable = |error: io::Error| failed(path, error.into());
        let mut temporary = UnfinishedFile::create(path).map_err(unwritable)?;
        let file = temporary.file().try_clone().map_err(unwritable)?;
        let mut writer = Self::over(file, path, columns)?;
        writer.temporary = Some(temporary);
        Ok(writer)
    }

    /// Begins a file that is open already; `path` is what messages call it.
    ///
    /// # Errors
    /// As [`ParquetWriter::create`].
    ///
    /// # Panics
    /// As [`ParquetWriter::create`].
    pub fn over(
        file: File,
        path: &Path,
        columns: &[(&str, ColumnKind)],
    ) -> Result<Self, DataError> {
        assert!(!columns.is_empty(), "ParquetWriter: a column");
        let unwritable = |error| failed(path, error);
        let fields = columns.iter().map(|&(name, kind)| kind.field(name));
        let schema = fields
            .collect::<ParquetResult<Vec<_>>>()
            .and_then(|fields| {
                Type::group_type_builder("schema")
                    .with_fields(fields)
                    .build()
            })
            .map_err(unwritable)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("latent-atlas".to_owned());
        for &(name, kind) in columns {
            properties = kind.properties(name, properties);
        }
        let properties = properties.build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
            .map_err(unwritable)?;
        let row_bytes: usize = columns.iter().map(|&(_, kind)| kind.row_bytes()).sum();
        Ok(Self {
            path: path.to_owned(),
            temporary: None,
            writer,
            columns: columns.iter().map(|&(_, kind)| Column::of(kind)).collect(),
            rows: 0,
            group_rows: GROUP_ROWS.min(GROUP_BYTES / row_bytes).max(1),
        })
    }

    /// Appends rows: the values of every column, in their order.
    ///
    /// # Errors
    /// When the file cannot be written.
    ///
    /// # Panics
    /// When the values are not those of the columns, or differ in number.
    pub fn append(&mut self, values: &[ColumnValues<'_>]) -> Result<(), DataError> {
        assert_eq!(
            values.len(),
            self.columns.len(),
            "ParquetWriter::append: columns"
        );
        let rows = values.first().map_or(0, ColumnValues::rows);
        for column in values {
            assert_eq!(column.rows(), rows, "ParquetWriter::append: rows");
        }
        let mut done = 0;
        while done < rows {
            let end = rows.min(done + self.group_rows - self.rows);
            for (column, values) in self.columns.iter_mut().zip(values) {
                column.extend(values, done..end);
            }
            self.rows += end - done;
            done = end;
            if self.rows == self.group_rows {
                self.write_group()?;
            }
        }
        Ok(())
    }

    /// Adds a text to what the file says about itself.
    pub fn note(&mut self, key: &str, value: String) {
        let entry = KeyValue::new(key.to_owned(), value);
        self.writer.append_key_value_metadata(entry);
    }

    /// Writes what is left, and moves the file to its place.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), DataError> {
        if self.rows > 0 {
            self.write_group()?;
        }
        let Self {
            path,
            temporary,
            writer,
            ..
        } = self;
        writer.close().map_err(|error| failed(&path, error))?;
        temporary
            .map_or(Ok(()), UnfinishedFile::publish)
            .map_err(|source| DataError::Write { path, source })
    }

    fn write_group(&mut self) -> Result<(), DataError> {
        let columns = &mut self.columns;
        let written = self.writer.next_row_group().and_then(|mut group| {
            for column in columns {
                column.write(&mut group)?;
            }
            group.close().map(|_| ())
        });
        self.rows = 0;
        written.map_err(|error| failed(&self.path, error))
    }
}

fn failed(path: &Path, error: ParquetError) -> DataError {
    DataError::Write {
        path: path.to_owned(),
        source: match error {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(error) => *error,
                Err(inner) => io::Error::other(inner),
            },
            other => io::Error::other(other),
        },
    }
}
