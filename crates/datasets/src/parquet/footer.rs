//! What a Parquet file says it holds, as far as its size allows it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{ConvertedType, Type};
use ::parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use ::parquet::schema::types::ColumnDescriptor;

use super::MAGIC;
use crate::error::DataError;
use crate::table::Place;

/// A column of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    /// Names from the outermost to its own.
    pub(super) path: Vec<String>,
    pub(super) physical: Type,
    /// Whether bytes are text.
    pub(super) is_text: bool,
    /// Whether integers are unsigned bytes.
    pub(super) is_byte: bool,
    /// Whether integers are unsigned.
    pub(super) is_unsigned: bool,
    /// How many of the names may be missing or repeated.
    pub(super) max_definition: i16,
    /// How many may be repeated.
    pub(super) max_repetition: i16,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Footer {
    pub(super) rows: u64,
    pub(super) leaves: Vec<Leaf>,
    pub(super) file_bytes: u64,
    /// What the hub's library notes about the columns, as JSON.
    pub(super) features: Option<String>,
    pub(super) metadata: Arc<ParquetMetaData>,
}

impl Footer {
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let place = Place::of(path);
        let unreadable = |source| place.unreadable(source);
        let (mut file, file_bytes) = input_files::open_sized(path).map_err(unreadable)?;
        let damaged = |what: String| {
            place.wrong(
                what,
                "a Parquet file, which begins and ends with PAR1; get a complete copy",
            )
        };
        if !ends_as_parquet(&mut file, file_bytes).map_err(unreadable)? {
            return Err(damaged("an end that is none of a Parquet file".to_owned()));
        }
        // Statistics are of no use here, and may be damaged.
        let options = ParquetMetaDataOptions::default()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let metadata = ParquetMetaDataReader::new()
            .with_metadata_options(Some(options))
            .parse_and_finish(&file)
            .map_err(|error| {
                damaged(format!(
                    "metadata that cannot be read ({})",
                    super::pages::reason(&error)
                ))
            })?;
        Self::of(metadata, file_bytes).ok_or_else(|| {
            damaged("metadata that contradict themselves or the file's size".to_owned())
        })
    }

    fn of(metadata: ParquetMetaData, file_bytes: u64) -> Option<Self> {
        let about = metadata.file_metadata();
        let rows = u64::try_from(about.num_rows()).ok()?;
        let leaves: Vec<Leaf> = about
            .schema_descr()
            .columns()
            .iter()
            .map(|column| Leaf::of(column))
            .collect();
        let mut counted = 0u64;
        for group in metadata.row_groups() {
            let rows = group.num_rows();
            counted = counted.checked_add(u64::try_from(rows).ok()?)?;
            let mut columns = group.columns().iter();
            // Every row has a value at least, if only a missing one; groups
            // without rows need no pages.
            let fits = columns.len() == leaves.len()
                && columns.all(|column| {
                    rows == 0 || (is_inside(column, file_bytes) && column.num_values() >= rows)
                });
            if !fits {
                return None;
            }
        }
        let features = about
            .key_value_metadata()
            .into_iter()
            .flatten()
            .find(|pair| pair.key == "huggingface")
            .and_then(|pair| pair.value.clone());
        (counted == rows).then(|| Self {
            rows,
            leaves,
            file_bytes,
            features,
            metadata: Arc::new(metadata),
        })
    }
}

impl Leaf {
    fn of(column: &ColumnDescriptor) -> Self {
        let converted = column.converted_type();
        Self {
            path: column.path().parts().to_vec(),
            physical: column.physical_type(),
            is_text: matches!(
                converted,
                ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
            ),
            is_byte: converted == ConvertedType::UINT_8,
            is_unsigned: matches!(
                converted,
                ConvertedType::UINT_8
                    | ConvertedType::UINT_16
                    | ConvertedType::UINT_32
                    | ConvertedType::UINT_64
            ),
            max_definition: column.max_def_level(),
            max_repetition: column.max_rep_level(),
        }
    }
}

/// Whether the end of a file is that of a Parquet file, and leaves room for
/// the metadata whose length it gives.
fn ends_as_parquet(file: &mut File, file_bytes: u64) -> std::io::Result<bool> {
    if file_bytes < 12 {
        return Ok(false);
    }
    let mut end = [0u8; 8];
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut end)?;
    let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    Ok(end[4..] == MAGIC && length <= file_bytes - 12)
}

/// Where the dictionary of a chunk is; some writers give 0 where there is
/// none.
pub(super) fn dictionary_offset(column: &ColumnChunkMetaData) -> Option<i64> {
    column
        .dictionary_page_offset()
        .filter(|&at| at > 0 && at < column.data_page_offset())
}

fn is_inside(column: &ColumnChunkMetaData, file_bytes: u64) -> bool {
    let start = dictionary_offset(column).unwrap_or(column.data_page_offset());
    let end = u64::try_from(start)
        .ok()
        .zip(u64::try_from(column.compressed_size()).ok())
        .and_then(|(start, bytes)| start.checked_add(bytes));
    start >= 4 && end.is_some_and(|end| end <= file_bytes)
}
