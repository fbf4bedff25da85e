//! The values of one column, read in their order from its pages.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use super::codec::decompressed;
use super::footer::{Chunk, Leaf, Physical};
use super::hybrid::{Hybrid, bits_for};
use super::thrift::{self, Value};
use crate::error::DataError;
use crate::table::Place;

/// Bytes that are read for the header of a page at first, and at most: it
/// holds statistics, which may be two values of the column.
const HEADER_BYTES: [u64; 2] = [1 << 12, 1 << 24];

/// A value of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Datum<'a> {
    /// No value, or an empty list.
    Null,
    Number(f64),
    Bytes(&'a [u8]),
}

/// A column on its way through its pages.
pub(super) struct Column {
    place: Place,
    file: Arc<File>,
    leaf: Leaf,
    chunks: std::vec::IntoIter<Chunk>,
    /// Where the next page begins, and where the chunk ends.
    pages: Range<u64>,
    codec: i64,
    /// Values of the chunk in pages that have not been opened.
    unopened: u64,
    dictionary: Option<Dictionary>,
    page: Page,
    /// The levels of the next value, where they have been looked at.
    levels: Option<(u32, u32)>,
}

/// A data page.
struct Page {
    bytes: Vec<u8>,
    repetition: Hybrid,
    definition: Hybrid,
    values: Values,
    left: u64,
}

/// How the values of a page are stored.
enum Values {
    /// One after another from a byte on.
    Plain(usize),
    /// Truth values of a bit each, from a bit on.
    Bits(usize),
    /// Truth values in runs.
    Runs(Hybrid),
    /// Positions in the dictionary.
    Positions(Hybrid),
}

struct Dictionary {
    bytes: Vec<u8>,
    entries: Entries,
}

enum Entries {
    /// All of this many bytes.
    Width {
        width: usize,
        count: usize,
    },
    Ranges(Vec<Range<u32>>),
}

impl Column {
    pub(super) fn new(file: Arc<File>, leaf: Leaf, chunks: Vec<Chunk>, place: Place) -> Self {
        Self {
            place,
            file,
            leaf,
            chunks: chunks.into_iter(),
            pages: 0..0,
            codec: 0,
            unopened: 0,
            dictionary: None,
            page: Page {
                bytes: Vec::new(),
                repetition: Hybrid::zeros(),
                definition: Hybrid::zeros(),
                values: Values::Plain(0),
                left: 0,
            },
            levels: None,
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The repetition level of the next value: 0 where a row begins; none
    /// behind the last one.
    pub(super) fn repetition(&mut self) -> Result<Option<u32>, DataError> {
        if let Some((repetition, _)) = self.levels {
            return Ok(Some(repetition));
        }
        while self.page.left == 0 {
            if !self.open_page()? {
                return Ok(None);
            }
        }
        let page = &mut self.page;
        let repetition = page.repetition.next(&page.bytes);
        let definition = page.definition.next(&page.bytes);
        let (Some(repetition), Some(definition)) = (repetition, definition) else {
            return Err(self.damaged("a page that ends within its levels"));
        };
        page.left -= 1;
        self.levels = Some((repetition, definition));
        Ok(Some(repetition))
    }

    /// The next value.
    pub(super) fn next(&mut self) -> Result<Datum<'_>, DataError> {
        if self.repetition()?.is_none() {
            return Err(self.damaged("fewer values than rows"));
        }
        let (_, definition) = self.levels.take().unwrap_or_default();
        if definition < self.leaf.max_definition {
            return Ok(Datum::Null);
        }
        let Self {
            page,
            leaf,
            dictionary,
            ..
        } = self;
        let found = match &mut page.values {
            Values::Plain(at) => plain(&page.bytes, *at, leaf.physical).map(|range| {
                *at = range.end;
                datum(&page.bytes[range], leaf)
            }),
            Values::Bits(bit) => {
                let byte = page.bytes.get(*bit / 8);
                let value = byte.map(|byte| byte >> (*bit % 8) & 1);
                *bit += 1;
                value.map(|value| Datum::Number(f64::from(value)))
            }
            Values::Runs(runs) => runs
                .next(&page.bytes)
                .map(|value| Datum::Number(f64::from(value))),
            Values::Positions(positions) => positions
                .next(&page.bytes)
                .and_then(|position| dictionary.as_ref()?.get(position as usize))
                .map(|stored| datum(stored, leaf)),
        };
        match found {
            Some(datum) => Ok(datum),
            None => Err(self.place.wrong(
                "a page that ends within its values, or points beyond its dictionary",
                COMPLETE,
            )),
        }
    }

    /// Opens the next data page; false behind the last one.
    fn open_page(&mut self) -> Result<bool, DataError> {
        while self.pages.is_empty() || self.unopened == 0 {
            if self.unopened > 0 {
                return Err(self.damaged("fewer values than its metadata say"));
            }
            let Some(chunk) = self.chunks.next() else {
                return Ok(false);
            };
            self.pages = chunk.start..chunk.start + chunk.bytes;
            self.codec = chunk.codec;
            self.unopened = chunk.values;
            self.dictionary = None;
        }
        let (header_bytes, header) = self.header()?;
        let stored = self.read(self.pages.start + header_bytes, header.stored_bytes)?;
        self.pages.start += header_bytes + header.stored_bytes;
        match header.kind {
            PageKind::Dictionary { count } => {
                let bytes = decompressed(self.codec, &stored, header.bytes)
                    .map_err(|found| self.place.wrong(found, COMPLETE))?;
                let dictionary = Dictionary::of(bytes, count, self.leaf.physical);
                self.dictionary =
                    Some(dictionary.ok_or_else(|| self.damaged("a dictionary cut short"))?);
            }
            PageKind::Data {
                count,
                encoding,
                levels,
            } => {
                self.page = self.data_page(stored, header.bytes, encoding, levels)?;
                self.unopened = self
                    .unopened
                    .checked_sub(count)
                    .ok_or_else(|| self.damaged("more values than its metadata say"))?;
                self.page.left = count;
            }
            PageKind::Other => {}
        }
        Ok(true)
    }

    /// The header of the next page and the bytes it takes.
    fn header(&self) -> Result<(u64, Header), DataError> {
        let available = self.pages.end - self.pages.start;
        let mut length = HEADER_BYTES[0].min(available);
        loop {
            let bytes = self.read(self.pages.start, length)?;
            if let Some((value, taken)) = thrift::read(&bytes) {
                let taken = taken as u64;
                return Header::of(&value)
                    .filter(|header| header.stored_bytes <= available - taken)
                    .map(|header| (taken, header))
                    .ok_or_else(|| self.damaged("the header of a page that cannot be right"));
            }
            if length == available || length >= HEADER_BYTES[1] {
                return Err(self.damaged("a page without header"));
            }
            length = (8 * length).min(available);
        }
    }

    fn data_page(
        &self,
        stored: Vec<u8>,
        bytes: usize,
        encoding: i64,
        levels: Levels,
    ) -> Result<Page, DataError> {
        let failed = |found: String| self.place.wrong(found, COMPLETE);
        let cut = || self.damaged("a page that ends within its levels");
        let leaf = &self.leaf;
        let bits = [leaf.max_repetition, leaf.max_definition].map(bits_for);
        let (bytes, repetition, definition, values) = match levels {
            Levels::Within { are_runs } => {
                let page = decompressed(self.codec, &stored, bytes).map_err(failed)?;
                if !are_runs && bits != [0, 0] {
                    return Err(self.place.wrong(
                        "levels in the old bit-packed encoding",
                        "runs; write the file again with a current version of pyarrow",
                    ));
                }
                let mut at = 0;
                let [repetition, definition] = bits.map(|bits| {
                    if bits == 0 {
                        return Some(Hybrid::zeros());
                    }
                    let range = prefixed(&page, at)?;
                    at = range.end;
                    Hybrid::new(bits, range)
                });
                (page, repetition, definition, at)
            }
            Levels::Before {
                repetition_bytes,
                definition_bytes,
                is_compressed,
            } => {
                let before = repetition_bytes
                    .checked_add(definition_bytes)
                    .filter(|&before| before <= stored.len() && before <= bytes)
                    .ok_or_else(cut)?;
                let mut page = stored;
                if is_compressed && bytes > before {
                    let values = decompressed(self.codec, &page[before..], bytes - before)
                        .map_err(failed)?;
                    page.truncate(before);
                    page.extend_from_slice(&values);
                }
                let hybrid = |bits, range: Range<usize>| {
                    if bits == 0 {
                        Some(Hybrid::zeros())
                    } else {
                        Hybrid::new(bits, range)
                    }
                };
                (
                    page,
                    hybrid(bits[0], 0..repetition_bytes),
                    hybrid(bits[1], repetition_bytes..before),
                    before,
                )
            }
        };
        let page = Page {
            repetition: repetition.ok_or_else(cut)?,
            definition: definition.ok_or_else(cut)?,
            values: self.values(&bytes, values, encoding)?,
            bytes,
            left: 0,
        };
        Ok(page)
    }

    /// How the values of a page that begin at `start` are stored.
    fn values(&self, page: &[u8], start: usize, encoding: i64) -> Result<Values, DataError> {
        let cut = || self.damaged("a page without values");
        match (encoding, self.leaf.physical) {
            (0, Physical::Boolean) => Ok(Values::Bits(8 * start)),
            (0, _) => Ok(Values::Plain(start)),
            (3, Physical::Boolean) => {
                let range = prefixed(page, start).ok_or_else(cut)?;
                Hybrid::new(1, range).map(Values::Runs).ok_or_else(cut)
            }
            (2 | 8, _) => {
                // A page of missing values only may end here.
                let Some(&bits) = page.get(start) else {
                    return Ok(Values::Plain(start));
                };
                Hybrid::new(u32::from(bits), start + 1..page.len())
                    .map(Values::Positions)
                    .ok_or_else(cut)
            }
            (other, _) => Err(self.place.wrong(
                format!("values in the encoding {}", encoding_name(other)),
                "plain values or a dictionary; write the file again with pyarrow's defaults",
            )),
        }
    }

    fn read(&self, position: u64, length: u64) -> Result<Vec<u8>, DataError> {
        let mut file = &*self.file;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(position))
            .and_then(|_| file.take(length).read_to_end(&mut bytes))
            .map_err(|source| self.place.unreadable(source))?;
        if bytes.len() as u64 != length {
            return Err(self.damaged("a page cut short"));
        }
        Ok(bytes)
    }

    fn damaged(&self, found: &str) -> DataError {
        self.place.wrong(found, COMPLETE)
    }
}

const COMPLETE: &str = "pages of plain values or a dictionary, uncompressed or as Snappy, gzip or Zstandard; get a complete copy or write it again with pyarrow's defaults";

impl Dictionary {
    fn of(bytes: Vec<u8>, count: usize, physical: Physical) -> Option<Self> {
        let entries = if let Some(width) = width(physical) {
            if count.checked_mul(width)? > bytes.len() {
                return None;
            }
            Entries::Width { width, count }
        } else {
            // Each takes four bytes at least.
            if count > bytes.len() / 4 {
                return None;
            }
            let mut at = 0;
            let mut ranges = Vec::with_capacity(count);
            for _ in 0..count {
                let range = prefixed(&bytes, at)?;
                at = range.end;
                ranges.push(u32::try_from(range.start).ok()?..u32::try_from(range.end).ok()?);
            }
            Entries::Ranges(ranges)
        };
        Some(Self { bytes, entries })
    }

    fn get(&self, position: usize) -> Option<&[u8]> {
        let range = match &self.entries {
            Entries::Width { width, count } => {
                let start = (position < *count).then_some(position * width)?;
                start..start + width
            }
            Entries::Ranges(ranges) => {
                let range = ranges.get(position)?;
                range.start as usize..range.end as usize
            }
        };
        self.bytes.get(range)
    }
}

/// Bytes of a value; none where that differs, or where it is a bit.
fn width(physical: Physical) -> Option<usize> {
    match physical {
        Physical::Int32 | Physical::Float => Some(4),
        Physical::Int64 | Physical::Double => Some(8),
        Physical::Fixed(length) => Some(length),
        Physical::Bytes | Physical::Boolean => None,
    }
}

/// The bytes behind their length, u32 little-endian.
fn prefixed(page: &[u8], at: usize) -> Option<Range<usize>> {
    let length = page.get(at..)?.first_chunk::<4>()?;
    let end = (at + 4).checked_add(u32::from_le_bytes(*length) as usize)?;
    (end <= page.len()).then_some(at + 4..end)
}

fn plain(page: &[u8], at: usize, physical: Physical) -> Option<Range<usize>> {
    match width(physical) {
        Some(width) => (at + width <= page.len()).then_some(at..at + width),
        None => prefixed(page, at),
    }
}

fn datum<'a>(stored: &'a [u8], leaf: &Leaf) -> Datum<'a> {
    let (four, eight) = (stored.first_chunk::<4>(), stored.first_chunk::<8>());
    match (leaf.physical, four, eight) {
        (Physical::Int32, Some(&four), _) if leaf.is_unsigned => {
            Datum::Number(f64::from(u32::from_le_bytes(four)))
        }
        (Physical::Int32, Some(&four), _) => Datum::Number(f64::from(i32::from_le_bytes(four))),
        (Physical::Int64, _, Some(&eight)) if leaf.is_unsigned => {
            Datum::Number(u64::from_le_bytes(eight) as f64)
        }
        (Physical::Int64, _, Some(&eight)) => Datum::Number(i64::from_le_bytes(eight) as f64),
        (Physical::Float, Some(&four), _) => Datum::Number(f64::from(f32::from_le_bytes(four))),
        (Physical::Double, _, Some(&eight)) => Datum::Number(f64::from_le_bytes(eight)),
        _ => Datum::Bytes(stored),
    }
}

fn encoding_name(encoding: i64) -> String {
    match encoding {
        4 => "BIT_PACKED".to_owned(),
        5 => "DELTA_BINARY_PACKED".to_owned(),
        6 => "DELTA_LENGTH_BYTE_ARRAY".to_owned(),
        7 => "DELTA_BYTE_ARRAY".to_owned(),
        9 => "BYTE_STREAM_SPLIT".to_owned(),
        other => format!("number {other}"),
    }
}

/// What is said before a page.
struct Header {
    kind: PageKind,
    bytes: usize,
    stored_bytes: u64,
}

enum PageKind {
    Dictionary {
        count: usize,
    },
    Data {
        count: u64,
        encoding: i64,
        levels: Levels,
    },
    Other,
}

/// Where the levels of a page are.
#[derive(Clone, Copy)]
enum Levels {
    /// Compressed with the values (version 1).
    Within { are_runs: bool },
    /// Uncompressed before them (version 2).
    Before {
        repetition_bytes: usize,
        definition_bytes: usize,
        is_compressed: bool,
    },
}

impl Header {
    fn of(value: &Value<'_>) -> Option<Self> {
        let size = |value: &Value<'_>, number| usize::try_from(value.integer(number)?).ok();
        let kind = match value.integer(1)? {
            0 => {
                let data = value.field(5)?;
                PageKind::Data {
                    count: size(data, 1)? as u64,
                    encoding: data.integer(2)?,
                    levels: Levels::Within {
                        are_runs: data.integer(3)? == 3 && data.integer(4)? == 3,
                    },
                }
            }
            2 => PageKind::Dictionary {
                count: size(value.field(7)?, 1)?,
            },
            3 => {
                let data = value.field(8)?;
                PageKind::Data {
                    count: size(data, 1)? as u64,
                    encoding: data.integer(4)?,
                    levels: Levels::Before {
                        definition_bytes: size(data, 5)?,
                        repetition_bytes: size(data, 6)?,
                        is_compressed: data.boolean(7).unwrap_or(true),
                    },
                }
            }
            _ => PageKind::Other,
        };
        Some(Self {
            kind,
            bytes: size(value, 2)?,
            stored_bytes: u64::try_from(value.integer(3)?).ok()?,
        })
    }
}
