//! The end of a Parquet file, which says what is where.
//!
//! ```text
//! "PAR1" | pages of the columns | metadata | its length, u32 little-endian | "PAR1"
//! ```
//!
//! Format: `parquet.thrift` of the Apache Parquet format, version 2.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::thrift::{self, Value};
use crate::error::DataError;
use crate::idx::open_regular;
use crate::table::Place;

/// What a file begins and ends with.
pub(crate) const MAGIC: [u8; 4] = *b"PAR1";

/// How values are stored before encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Boolean,
    Int32,
    Int64,
    Float,
    Double,
    Bytes,
    /// Bytes of a length, 96-bit times among them.
    Fixed(usize),
}

/// A column of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    /// Names from the outermost to its own.
    pub(super) path: Vec<String>,
    pub(super) physical: Physical,
    /// Whether bytes are text.
    pub(super) is_text: bool,
    /// Whether integers are unsigned bytes.
    pub(super) is_byte: bool,
    /// Whether integers are unsigned.
    pub(super) is_unsigned: bool,
    /// How many of the names may be missing or repeated.
    pub(super) max_definition: u32,
    /// How many may be repeated.
    pub(super) max_repetition: u32,
}

/// Where the values of a column are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) start: u64,
    pub(super) bytes: u64,
    pub(super) codec: i64,
    pub(super) values: u64,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Footer {
    pub(super) rows: u64,
    pub(super) leaves: Vec<Leaf>,
    /// Chunks of every leaf, one after another.
    pub(super) chunks: Vec<Vec<Chunk>>,
    pub(super) file_bytes: u64,
    /// What the hub's library notes about the columns, as JSON.
    pub(super) features: Option<String>,
}

impl Footer {
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let place = Place::of(path);
        let unreadable = |source| place.unreadable(source);
        let (mut file, file_bytes) = open_regular(path).map_err(unreadable)?;
        let text = metadata(&mut file, file_bytes).map_err(unreadable)?;
        let damaged = |what: &str| {
            place.wrong(
                what,
                "a Parquet file, which begins and ends with PAR1; get a complete copy",
            )
        };
        let text = text.ok_or_else(|| damaged("an end that is none of a Parquet file"))?;
        let (metadata, _) =
            thrift::read(&text).ok_or_else(|| damaged("metadata that cannot be read"))?;
        Self::of(&metadata, file_bytes)
            .ok_or_else(|| damaged("metadata that contradict themselves or the file's size"))
    }

    fn of(metadata: &Value<'_>, file_bytes: u64) -> Option<Self> {
        let rows = u64::try_from(metadata.integer(3)?).ok()?;
        let leaves = leaves(metadata.list(2)?)?;
        let mut chunks = vec![Vec::new(); leaves.len()];
        let mut counted = 0u64;
        for group in metadata.list(4)? {
            counted = counted.checked_add(u64::try_from(group.integer(3)?).ok()?)?;
            let columns = group.list(1)?;
            if columns.len() != leaves.len() {
                return None;
            }
            for (column, chunks) in columns.iter().zip(&mut chunks) {
                chunks.push(chunk(column, file_bytes)?);
            }
        }
        let features = metadata
            .list(5)
            .unwrap_or_default()
            .iter()
            .find(|pair| pair.text(1) == Some("huggingface"))
            .and_then(|pair| pair.text(2))
            .map(str::to_owned);
        (counted == rows).then_some(Self {
            rows,
            leaves,
            chunks,
            file_bytes,
            features,
        })
    }
}

/// The bytes of the metadata, where the end of the file gives them.
fn metadata(file: &mut File, file_bytes: u64) -> std::io::Result<Option<Vec<u8>>> {
    if file_bytes < 12 {
        return Ok(None);
    }
    let mut end = [0u8; 8];
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut end)?;
    let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    if end[4..] != MAGIC || length > file_bytes - 12 {
        return Ok(None);
    }
    let mut text = vec![0u8; length as usize];
    file.seek(SeekFrom::Start(file_bytes - 8 - length))?;
    file.read_exact(&mut text)?;
    Ok(Some(text))
}

fn chunk(column: &Value<'_>, file_bytes: u64) -> Option<Chunk> {
    let metadata = column.field(3)?;
    let at = |number| {
        metadata
            .integer(number)
            .and_then(|at| u64::try_from(at).ok())
    };
    let data = at(9)?;
    // Some writers give a dictionary offset of 0 where there is none.
    let start = at(11)
        .filter(|&at| at > 0)
        .map_or(data, |dictionary| data.min(dictionary));
    let bytes = at(7)?;
    let is_inside = start >= 4 && start.checked_add(bytes)? <= file_bytes;
    is_inside.then_some(Chunk {
        start,
        bytes,
        codec: metadata.integer(4)?,
        values: at(5)?,
    })
}

/// The columns of values of a schema, which is a tree in depth-first order.
fn leaves(schema: &[Value<'_>]) -> Option<Vec<Leaf>> {
    let mut leaves = Vec::new();
    let mut rest = schema.get(1..)?;
    let children = schema[0].integer(5)?;
    let mut path = Vec::new();
    for _ in 0..children {
        rest = descend(rest, &mut path, (0, 0), &mut leaves)?;
    }
    rest.is_empty().then_some(leaves)
}

/// How deep schemas may be nested.
const MAX_DEPTH: usize = 32;

fn descend<'a, 'b>(
    schema: &'b [Value<'a>],
    path: &mut Vec<String>,
    (definition, repetition): (u32, u32),
    leaves: &mut Vec<Leaf>,
) -> Option<&'b [Value<'a>]> {
    let (element, mut rest) = schema.split_first()?;
    if path.len() == MAX_DEPTH {
        return None;
    }
    path.push(element.text(4)?.to_owned());
    let (definition, repetition) = match element.integer(3).unwrap_or(0) {
        0 => (definition, repetition),
        1 => (definition + 1, repetition),
        2 => (definition + 1, repetition + 1),
        _ => return None,
    };
    match element.integer(5).unwrap_or(0) {
        0 => leaves.push(leaf(element, path, definition, repetition)?),
        children => {
            for _ in 0..children {
                rest = descend(rest, path, (definition, repetition), leaves)?;
            }
        }
    }
    path.pop();
    Some(rest)
}

fn leaf(element: &Value<'_>, path: &[String], definition: u32, repetition: u32) -> Option<Leaf> {
    let physical = match element.integer(1)? {
        0 => Physical::Boolean,
        1 => Physical::Int32,
        2 => Physical::Int64,
        3 => Physical::Fixed(12),
        4 => Physical::Float,
        5 => Physical::Double,
        6 => Physical::Bytes,
        7 => Physical::Fixed(
            usize::try_from(element.integer(2)?)
                .ok()
                .filter(|&length| length > 0)?,
        ),
        _ => return None,
    };
    // 0 is text, 4 an enumeration, 19 JSON, 11 to 14 unsigned integers.
    let converted = element.integer(6);
    let logical = element.field(10);
    let is_logical = |number| logical.is_some_and(|logical| logical.field(number).is_some());
    Some(Leaf {
        path: path.to_vec(),
        physical,
        is_text: matches!(converted, Some(0 | 4 | 19)) || is_logical(1) || is_logical(4),
        is_byte: converted == Some(11),
        is_unsigned: matches!(converted, Some(11..=14)),
        max_definition: definition,
        max_repetition: repetition,
    })
}
