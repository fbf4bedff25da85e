//! Parquet files that are written chunk by chunk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::{ColumnPath, Type, TypePtr};
use durable_files::UnfinishedFile;
use ndarray::ArrayView2;

use crate::error::DataError;

/// Rows of a group at most.
const GROUP_ROWS: usize = 1 << 16;

/// Bytes of values that wait for their group to be full, at most and about.
const GROUP_BYTES: usize = 16 << 20;

/// What a column of a written file holds; no value is ever missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// 32-bit floats.
    Float,
    /// 64-bit floats; not a number where there is none.
    Double,
    /// 64-bit integers.
    Integer,
    /// Texts.
    Text,
    /// Lists of as many 32-bit floats.
    FloatList(usize),
}

/// The values of a column in some rows.
#[derive(Clone, Copy, Debug)]
pub enum ColumnValues<'a> {
    /// One of each row.
    Floats(&'a [f32]),
    /// One of each row.
    Doubles(&'a [f64]),
    /// One of each row.
    Integers(&'a [i64]),
    /// One of each row.
    Texts(&'a [String]),
    /// `[rows, values of a list]`.
    FloatLists(ArrayView2<'a, f32>),
}

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

/// Values that wait for their group to be full.
enum Column {
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Integers(Vec<i64>),
    Texts(Vec<ByteArray>),
    FloatLists { length: usize, values: Vec<f32> },
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
        let fields = columns.iter().map(|&(name, kind)| field(name, kind));
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
            // Hardly a float occurs twice: a dictionary only costs.
            let path = match kind {
                ColumnKind::Float | ColumnKind::Double => vec![name.to_owned()],
                ColumnKind::FloatList(_) => [name, "list", "element"].map(str::to_owned).to_vec(),
                ColumnKind::Integer | ColumnKind::Text => continue,
            };
            properties = properties.set_column_dictionary_enabled(ColumnPath::new(path), false);
        }
        let properties = properties.build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
            .map_err(unwritable)?;
        let row_bytes: usize = columns.iter().map(|&(_, kind)| row_bytes(kind)).sum();
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
        let (columns, rows) = (&mut self.columns, self.rows);
        let written = self.writer.next_row_group().and_then(|mut group| {
            for column in columns {
                column.write(rows, &mut group)?;
            }
            group.close().map(|_| ())
        });
        self.rows = 0;
        written.map_err(|error| failed(&self.path, error))
    }
}

impl ColumnValues<'_> {
    fn rows(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Doubles(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::FloatLists(values) => values.nrows(),
        }
    }
}

impl Column {
    fn of(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Float => Self::Floats(Vec::new()),
            ColumnKind::Double => Self::Doubles(Vec::new()),
            ColumnKind::Integer => Self::Integers(Vec::new()),
            ColumnKind::Text => Self::Texts(Vec::new()),
            ColumnKind::FloatList(length) => Self::FloatLists {
                length,
                values: Vec::new(),
            },
        }
    }

    fn extend(&mut self, values: &ColumnValues<'_>, rows: std::ops::Range<usize>) {
        match (self, values) {
            (Self::Floats(waiting), ColumnValues::Floats(values)) => {
                waiting.extend_from_slice(&values[rows]);
            }
            (Self::Doubles(waiting), ColumnValues::Doubles(values)) => {
                waiting.extend_from_slice(&values[rows]);
            }
            (Self::Integers(waiting), ColumnValues::Integers(values)) => {
                waiting.extend_from_slice(&values[rows]);
            }
            (Self::Texts(waiting), ColumnValues::Texts(values)) => {
                waiting.extend(values[rows].iter().map(|text| text.as_str().into()));
            }
            (
                Self::FloatLists {
                    length,
                    values: waiting,
                },
                ColumnValues::FloatLists(values),
            ) if values.ncols() == *length => {
                waiting.extend(values.slice_axis(ndarray::Axis(0), rows.into()).iter());
            }
            _ => panic!("ParquetWriter::append: values of another kind than their column"),
        }
    }

    /// Writes the values that wait to the next column of a group.
    fn write(
        &mut self,
        rows: usize,
        group: &mut SerializedRowGroupWriter<'_, File>,
    ) -> ParquetResult<()> {
        let Some(mut writer) = group.next_column()? else {
            return Err(ParquetError::General("more columns than named".to_owned()));
        };
        match self {
            Self::Floats(values) => {
                writer
                    .typed::<FloatType>()
                    .write_batch(values, None, None)?;
                values.clear();
            }
            Self::Doubles(values) => {
                writer
                    .typed::<DoubleType>()
                    .write_batch(values, None, None)?;
                values.clear();
            }
            Self::Integers(values) => {
                writer
                    .typed::<Int64Type>()
                    .write_batch(values, None, None)?;
                values.clear();
            }
            Self::Texts(values) => {
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(values, None, None)?;
                values.clear();
            }
            Self::FloatLists { length, values } => {
                // The first value of a list begins a row, the others repeat.
                let repetition: Vec<i16> = (0..rows * *length)
                    .map(|at| i16::from(at % *length > 0))
                    .collect();
                let definition = vec![1; values.len()];
                writer.typed::<FloatType>().write_batch(
                    values,
                    Some(&definition),
                    Some(&repetition),
                )?;
                values.clear();
            }
        }
        writer.close()
    }
}

/// A column of the schema.
fn field(name: &str, kind: ColumnKind) -> ParquetResult<TypePtr> {
    let primitive = |name: &str, physical: Physical, logical: Option<LogicalType>| {
        Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    };
    match kind {
        ColumnKind::Float => primitive(name, Physical::FLOAT, None),
        ColumnKind::Double => primitive(name, Physical::DOUBLE, None),
        ColumnKind::Integer => primitive(name, Physical::INT64, None),
        ColumnKind::Text => primitive(name, Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnKind::FloatList(length) => {
            assert!(length > 0, "ParquetWriter: lists with values");
            // "Lists" in `LogicalTypes.md` of Apache Parquet.
            let list = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![primitive("element", Physical::FLOAT, None)?])
                .build()?;
            Type::group_type_builder(name)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![Arc::new(list)])
                .build()
                .map(Arc::new)
        }
    }
}

/// Bytes that a value takes while it waits, about.
fn row_bytes(kind: ColumnKind) -> usize {
    match kind {
        ColumnKind::Float => 4,
        ColumnKind::Double | ColumnKind::Integer => 8,
        ColumnKind::Text => 64,
        // With two levels of 16 bits each.
        ColumnKind::FloatList(length) => 8 * length,
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

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::locate::Lookup;
    use crate::reading::Reading;
    use crate::source::Source;
    use crate::stream::stream;

    /// Values that tell rows and columns apart.
    fn codes(rows: std::ops::Range<usize>) -> Array2<f32> {
        Array2::from_shape_fn((rows.len(), 3), |(row, column)| {
            (rows.start + row) as f32 + column as f32 / 4.0
        })
    }

    /// Writes `total` rows, `chunk` at a time.
    fn write(path: &Path, total: usize, chunk: usize) {
        let columns = [
            ("z", ColumnKind::FloatList(3)),
            ("label", ColumnKind::Integer),
            ("name", ColumnKind::Text),
            ("reconstruction", ColumnKind::Float),
        ];
        let mut writer = ParquetWriter::create(path, &columns).unwrap();
        for start in (0..total).step_by(chunk) {
            let rows = start..total.min(start + chunk);
            let labels: Vec<i64> = rows.clone().map(|row| row as i64 % 7).collect();
            let names: Vec<String> = rows.clone().map(|row| format!("{row}.png")).collect();
            let losses: Vec<f32> = rows.clone().map(|row| row as f32 / 2.0).collect();
            writer
                .append(&[
                    ColumnValues::FloatLists(codes(rows).view()),
                    ColumnValues::Integers(&labels),
                    ColumnValues::Texts(&names),
                    ColumnValues::Floats(&losses),
                ])
                .unwrap();
            assert!(!path.exists());
        }
        writer.finish().unwrap();
    }

    #[test]
    fn what_is_written_is_read_again_whatever_the_chunks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.parquet");
        // Two groups of rows and a third that is begun.
        let total = 2 * GROUP_ROWS + 5;
        let mut contents = Vec::new();
        for chunk in [1000, GROUP_ROWS, total] {
            write(&path, total, chunk);
            contents.push(std::fs::read(&path).unwrap());
            std::fs::remove_file(&path).unwrap();
        }
        assert!(contents.windows(2).all(|pair| pair[0] == pair[1]));

        std::fs::write(&path, &contents[0]).unwrap();
        let source = Source::Path(path.clone());
        let mut opened = stream(
            &source,
            &Reading::default(),
            &Lookup::default(),
            &mut |_| {},
        )
        .unwrap();
        assert_eq!(opened.remarks, ["name, reconstruction is not used"]);
        let part = &mut opened.parts[0];
        let mut done = 0;
        while let Some(chunk) = part.next_chunk(50_000).unwrap() {
            let labels = chunk.labels.unwrap();
            let crate::values::Rows::Floats(rows) = chunk.rows else {
                panic!("codes are floats");
            };
            assert_eq!(rows, codes(done..done + rows.nrows()));
            assert!(
                (done..)
                    .zip(labels)
                    .all(|(row, &label)| label == row as i64 % 7)
            );
            done += rows.nrows();
        }
        assert_eq!(done, total);
    }

    #[test]
    fn long_rows_make_small_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.parquet");
        let length = 1 << 20;
        let mut writer =
            ParquetWriter::create(&path, &[("x", ColumnKind::FloatList(length))]).unwrap();
        assert_eq!(writer.group_rows, 2);
        let rows = Array2::zeros((3, length));
        writer
            .append(&[ColumnValues::FloatLists(rows.view())])
            .unwrap();
        assert_eq!(writer.rows, 1);
    }

    #[test]
    fn a_writer_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.parquet");
        let mut writer = ParquetWriter::create(&path, &[("a", ColumnKind::Float)]).unwrap();
        writer.append(&[ColumnValues::Floats(&[1.0])]).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let nowhere = folder.path().join("no/such/codes.parquet");
        let error = ParquetWriter::create(&nowhere, &[("a", ColumnKind::Float)]).err();
        assert!(error.unwrap().to_string().contains("cannot write"));
    }
}
