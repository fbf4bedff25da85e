//! The values of one column, some rows at a time.

use std::io;
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::ParquetMetaData;

use super::footer::{Leaf, dictionary_offset};
use super::pages::{CheckedPages, PageFile, PageProblem, reason};
use crate::error::DataError;
use crate::table::Place;

/// Values that are decoded at a time.
const BATCH: usize = 4096;

/// A column at some row.
pub(super) struct Column {
    place: Place,
    leaf: Leaf,
    /// Which column of the file it is.
    column: usize,
    file: Arc<PageFile>,
    metadata: Arc<ParquetMetaData>,
    /// The group of rows that is opened next.
    next_group: usize,
    reader: Option<ColumnReader>,
    /// Rows of the opened group that have not been read.
    left: usize,
    batch: Batch,
}

/// Some rows of a column: its values without those that are missing.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) rows: usize,
    pub(super) numbers: Vec<f64>,
    /// Texts and files.
    pub(super) bytes: Vec<ByteArray>,
    /// Where the values of a row begin (0) or go on; empty for columns whose
    /// rows have one value each.
    repetition: Vec<i16>,
    definition: Vec<i16>,
    max_definition: i16,
}

impl Batch {
    /// The first row, of those read, in which a value is missing.
    pub(super) fn first_missing(&self) -> Option<usize> {
        let level = self
            .definition
            .iter()
            .position(|&level| level < self.max_definition)?;
        Some(self.row_of(level))
    }

    /// The row of a level.
    fn row_of(&self, level: usize) -> usize {
        if self.repetition.is_empty() {
            return level;
        }
        let starts = self.repetition[..=level].iter().filter(|&&next| next == 0);
        starts.count().saturating_sub(1)
    }

    /// How many values every row has, where none is missing.
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.repetition
            .chunk_by(|_, &next| next > 0)
            .map(<[i16]>::len)
    }
}

impl Column {
    pub(super) fn new(
        file: Arc<PageFile>,
        metadata: Arc<ParquetMetaData>,
        column: usize,
        leaf: Leaf,
        place: Place,
    ) -> Self {
        Self {
            place,
            leaf,
            column,
            file,
            metadata,
            next_group: 0,
            reader: None,
            left: 0,
            batch: Batch::default(),
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The next rows: `limit` at most, none behind the last one.
    pub(super) fn read(&mut self, limit: usize) -> Result<&Batch, DataError> {
        self.batch.clear(self.leaf.max_definition);
        while self.left == 0 {
            if !self.open_group()? {
                return Ok(&self.batch);
            }
        }
        let wanted = limit.min(self.left);
        let rows = self.decode(wanted)?;
        if rows != wanted {
            return Err(self.damaged("fewer values than rows"));
        }
        self.left -= rows;
        self.batch.rows = rows;
        Ok(&self.batch)
    }

    /// All rows: calls `take` with the number of the first row of every batch.
    pub(super) fn for_each(
        &mut self,
        mut take: impl FnMut(u64, &Batch, &Place) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let place = self.place.clone();
        let mut done = 0;
        loop {
            let batch = self.read(BATCH)?;
            if batch.rows == 0 {
                return Ok(());
            }
            take(done, batch, &place)?;
            done += batch.rows as u64;
        }
    }

    /// Opens the next group of rows, once the one before it has been read to
    /// its end.
    fn open_group(&mut self) -> Result<bool, DataError> {
        if self.reader.is_some() {
            if self.decode(1)? > 0 {
                return Err(self.damaged("more values than rows"));
            }
            self.reader = None;
        }
        let metadata = self.metadata.clone();
        let Some(group) = metadata.row_groups().get(self.next_group) else {
            return Ok(false);
        };
        self.next_group += 1;
        if group.num_rows() == 0 {
            return Ok(true);
        }
        let chunk = group.column(self.column);
        check_codec(chunk.compression(), &self.place)?;
        // Rows that are no usize were refused with the footer.
        self.left = usize::try_from(group.num_rows()).unwrap_or_default();
        let reader = chunk
            .clone()
            .into_builder()
            .set_dictionary_page_offset(dictionary_offset(chunk))
            .build()
            .and_then(|chunk| CheckedPages::new(self.file.clone(), &chunk, self.left, &self.leaf))
            .map_err(|error| self.failed(error))?;
        self.reader = Some(get_column_reader(
            chunk.column_descr_ptr(),
            Box::new(reader),
        ));
        Ok(true)
    }

    /// Decodes into the batch; gives the number of rows.
    fn decode(&mut self, rows: usize) -> Result<usize, DataError> {
        let Some(reader) = &mut self.reader else {
            return Ok(0);
        };
        let (batch, is_unsigned) = (&mut self.batch, self.leaf.is_unsigned);
        let decoded = match reader {
            ColumnReader::BoolColumnReader(reader) => {
                numbers(reader, rows, batch, |&value| f64::from(u8::from(value)))
            }
            ColumnReader::Int32ColumnReader(reader) if is_unsigned => {
                numbers(reader, rows, batch, |&value| {
                    f64::from(value.cast_unsigned())
                })
            }
            ColumnReader::Int32ColumnReader(reader) => {
                numbers(reader, rows, batch, |&value| f64::from(value))
            }
            ColumnReader::Int64ColumnReader(reader) if is_unsigned => {
                numbers(reader, rows, batch, |&value| value.cast_unsigned() as f64)
            }
            ColumnReader::Int64ColumnReader(reader) => {
                numbers(reader, rows, batch, |&value| value as f64)
            }
            ColumnReader::FloatColumnReader(reader) => {
                numbers(reader, rows, batch, |&value| f64::from(value))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                numbers(reader, rows, batch, |&value| value)
            }
            ColumnReader::ByteArrayColumnReader(reader) => reader
                .read_records(
                    rows,
                    Some(&mut batch.definition),
                    Some(&mut batch.repetition),
                    &mut batch.bytes,
                )
                .map(|(rows, _, _)| rows),
            ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                Err(ParquetError::NYI("values of a fixed length".to_owned()))
            }
        };
        decoded.map_err(|error| self.failed(error))
    }

    fn damaged(&self, found: impl Into<String>) -> DataError {
        self.place.wrong(
            found,
            "as many values as rows, in pages as they were written; get a complete copy",
        )
    }

    fn failed(&self, error: ParquetError) -> DataError {
        if let ParquetError::External(inner) = &error {
            let code = inner
                .downcast_ref::<io::Error>()
                .and_then(io::Error::raw_os_error);
            if let Some(code) = code {
                return self.place.unreadable(io::Error::from_raw_os_error(code));
            }
            match inner.downcast_ref() {
                Some(PageProblem::Damaged(found)) => return self.damaged(found),
                Some(PageProblem::Unread(found)) => {
                    return self.place.wrong(
                        found,
                        "plain values or dictionaries; write the file again as pyarrow does by default",
                    );
                }
                None => {}
            }
        }
        self.damaged(format!("a damaged page ({})", reason(&error)))
    }
}

impl Batch {
    fn clear(&mut self, max_definition: i16) {
        self.rows = 0;
        self.numbers.clear();
        self.bytes.clear();
        self.repetition.clear();
        self.definition.clear();
        self.max_definition = max_definition;
    }
}

fn numbers<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    batch: &mut Batch,
    number: impl Fn(&T::T) -> f64,
) -> ParquetResult<usize> {
    let mut values = Vec::new();
    let (rows, _, _) = reader.read_records(
        rows,
        Some(&mut batch.definition),
        Some(&mut batch.repetition),
        &mut values,
    )?;
    batch.numbers.extend(values.iter().map(number));
    Ok(rows)
}

fn check_codec(codec: Compression, place: &Place) -> Result<(), DataError> {
    let name = match codec {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) => return Ok(()),
        Compression::LZO => "LZO",
        Compression::BROTLI(_) => "Brotli",
        Compression::LZ4 | Compression::LZ4_RAW => "LZ4",
        Compression::ZSTD(_) => "Zstandard",
    };
    Err(place.wrong(
        format!("pages compressed by {name}"),
        "none, Snappy or gzip; write the file again with compression=\"snappy\"",
    ))
}
