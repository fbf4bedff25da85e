//! Pages on their way to the decoders, which trust them: what a page claims is
//! checked first, so that nothing is allocated that the file's size does not
//! justify, and nothing is read beyond the end of a page.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::sync::Arc;

use ::parquet::basic::{Encoding, Type};
use ::parquet::column::page::{Page, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::{ChunkReader, Length};
use ::parquet::file::serialized_reader::SerializedPageReader;
use bytes::Bytes;

use super::footer::Leaf;
use crate::table::MAX_RATIO;

/// What a page may take beyond [`MAX_RATIO`] times its compressed bytes:
/// writers make pages of about a megabyte, and constant ones shrink to a few
/// bytes.
const FREE_BYTES: u64 = 4 << 20;

/// What is wrong with a page, as what was found.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageProblem {
    /// It is not what the format demands.
    #[error("{0}")]
    Damaged(String),
    /// It is of a kind that is not read.
    #[error("{0}")]
    Unread(String),
}

fn problem(found: impl Into<String>) -> ParquetError {
    ParquetError::External(Box::new(PageProblem::Damaged(found.into())))
}

fn unread(found: impl Into<String>) -> ParquetError {
    ParquetError::External(Box::new(PageProblem::Unread(found.into())))
}

/// What the decoders say, in short and on one line.
pub(super) fn reason(error: &ParquetError) -> String {
    let text = match error {
        ParquetError::General(text) | ParquetError::EOF(text) | ParquetError::NYI(text) => {
            text.clone()
        }
        ParquetError::External(error) => error.to_string(),
        other => other.to_string(),
    };
    let short: String = text.chars().take(160).collect();
    short.trim_end_matches('.').to_owned()
}

/// A file of which the header of every page is looked at when it is read.
#[derive(Debug)]
pub(super) struct PageFile(pub(super) File);

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for PageFile {
    type T = BufReader<File>;

    /// [`CheckedPages`] asks for nothing but headers here.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut header = Vec::new();
        self.0
            .get_read(start)?
            .take(HEADER_BYTES)
            .read_to_end(&mut header)?;
        let (bytes, stored) =
            sizes(&header).ok_or_else(|| problem("a page with a damaged header"))?;
        if bytes > stored.saturating_mul(MAX_RATIO).max(FREE_BYTES) {
            return Err(problem(format!(
                "{stored} bytes of a page that claim to hold {bytes}"
            )));
        }
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// Bytes that hold the first three fields of a header.
const HEADER_BYTES: u64 = 18;

/// How many bytes a page has before and after compression, by the start of its
/// header: three integers of 32 bits in the compact protocol of Thrift, the
/// first of which is the type of the page.
///
/// Format: `PageHeader` of `parquet.thrift`, Apache Parquet 2.
fn sizes(header: &[u8]) -> Option<(u64, u64)> {
    /// The next field, a 32-bit integer.
    const NEXT_I32: u8 = 0x15;
    let mut rest = header.iter();
    let mut fields = [0u64; 3];
    for field in &mut fields {
        if *rest.next()? != NEXT_I32 {
            return None;
        }
        let number = varint(&mut rest)?;
        // Zigzag: odd numbers are negative ones.
        if number % 2 == 1 {
            return None;
        }
        *field = number / 2;
    }
    Some((fields[1], fields[2]))
}

/// A number of at most five bytes of seven bits, the lowest first.
fn varint<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The pages of one chunk of a column.
pub(super) struct CheckedPages {
    pages: SerializedPageReader<PageFile>,
    /// The page that was looked at before it is asked for.
    next: Option<Page>,
    physical: Type,
    max_definition: i16,
    max_repetition: i16,
    /// Values that the chunk still has by the metadata of the file.
    left: u64,
    has_dictionary: bool,
}

impl CheckedPages {
    pub(super) fn new(
        file: Arc<PageFile>,
        chunk: &ColumnChunkMetaData,
        rows: usize,
        leaf: &Leaf,
    ) -> Result<Self> {
        Ok(Self {
            pages: SerializedPageReader::new(file, chunk, rows, None)?,
            next: None,
            physical: leaf.physical,
            max_definition: leaf.max_definition,
            max_repetition: leaf.max_repetition,
            left: u64::try_from(chunk.num_values()).unwrap_or_default(),
            has_dictionary: false,
        })
    }

    /// The next page that has values.
    fn read(&mut self) -> Result<Option<Page>> {
        loop {
            let Some(page) = self.pages.get_next_page()? else {
                return Ok(None);
            };
            if page.is_dictionary_page() {
                self.check_dictionary(&page)?;
                self.has_dictionary = true;
                return Ok(Some(page));
            }
            if page.num_values() > 0 {
                return self.checked(page).map(Some);
            }
        }
    }

    fn check_dictionary(&self, page: &Page) -> Result<()> {
        let bytes = page.buffer();
        let claimed = u64::from(page.num_values());
        let held = match width(self.physical) {
            Some(width) => bytes.len() as u64 / width,
            None => entries(bytes).ok_or_else(|| problem("a damaged dictionary"))?,
        };
        if claimed > held || self.physical == Type::BOOLEAN {
            return Err(problem(format!(
                "a dictionary of {} bytes that claims {claimed} values",
                bytes.len()
            )));
        }
        Ok(())
    }

    fn checked(&mut self, page: Page) -> Result<Page> {
        let count = page.num_values();
        self.left = self
            .left
            .checked_sub(u64::from(count))
            .ok_or_else(|| problem("more values in pages than the metadata count"))?;
        let bytes = page.buffer().clone();
        let parts = self.parts(&page)?;
        for (levels, max_level) in [
            (parts.repetition.clone(), self.max_repetition),
            (parts.definition.clone(), self.max_definition),
        ] {
            if max_level > 0 && !are_runs(&bytes[levels], bits(max_level)) {
                return Err(problem("a page with damaged levels"));
            }
        }
        let values = &bytes[parts.values..];
        match (page.encoding(), self.physical) {
            (Encoding::PLAIN, Type::BYTE_ARRAY) => {
                let held = entries(values)
                    .ok_or_else(|| problem("a page that ends within a value"))?
                    .min(u64::from(count)) as u32;
                if self.max_repetition > 0 {
                    return Err(unread("lists of texts"));
                }
                // A page of version 2 says how many values it has beside its
                // levels, and the decoder keeps to that.
                return Ok(Page::DataPageV2 {
                    buf: bytes.slice(parts.definition.start..),
                    num_values: count,
                    encoding: Encoding::PLAIN,
                    num_nulls: count - held,
                    num_rows: count,
                    def_levels_byte_len: parts.definition.len() as u32,
                    rep_levels_byte_len: 0,
                    is_compressed: false,
                    statistics: None,
                });
            }
            (Encoding::PLAIN, _) => {}
            (Encoding::RLE, Type::BOOLEAN) => {
                let runs = values.get(4..).unwrap_or_default();
                if !are_runs(runs, 1) {
                    return Err(problem("a page with damaged values"));
                }
            }
            (Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY, _) => {
                if !self.has_dictionary {
                    return Err(problem("positions in a dictionary that is missing"));
                }
                let (Some(&width), runs) = (values.first(), values.get(1..).unwrap_or_default())
                else {
                    return Err(problem("a page without values"));
                };
                if width > 32 || !are_runs(runs, width) {
                    return Err(problem("a page with damaged values"));
                }
            }
            (other, _) => return Err(unread(format!("values in the encoding {other}"))),
        }
        Ok(page)
    }

    /// Where levels and values are.
    fn parts(&self, page: &Page) -> Result<PageParts> {
        let bytes = page.buffer();
        let short = || problem("a page that ends within its levels");
        let within = |start: usize, length: u32| {
            let end = start.checked_add(length as usize)?;
            (end <= bytes.len()).then_some(start..end)
        };
        match *page {
            Page::DataPageV2 {
                rep_levels_byte_len,
                def_levels_byte_len,
                ..
            } => {
                let repetition = within(0, rep_levels_byte_len).ok_or_else(short)?;
                let definition = within(repetition.end, def_levels_byte_len).ok_or_else(short)?;
                Ok(PageParts {
                    values: definition.end,
                    repetition,
                    definition,
                })
            }
            Page::DataPage {
                rep_level_encoding,
                def_level_encoding,
                ..
            } => {
                let levels = |start: usize, max_level: i16, encoding: Encoding| {
                    if max_level == 0 {
                        return Ok(start..start);
                    }
                    if encoding != Encoding::RLE {
                        return Err(unread("levels in the old bit-packed encoding"));
                    }
                    let length = bytes
                        .get(start..)
                        .and_then(|rest| rest.first_chunk::<4>())
                        .ok_or_else(short)?;
                    within(start + 4, u32::from_le_bytes(*length)).ok_or_else(short)
                };
                let repetition = levels(0, self.max_repetition, rep_level_encoding)?;
                let definition = levels(repetition.end, self.max_definition, def_level_encoding)?;
                Ok(PageParts {
                    values: definition.end,
                    repetition,
                    definition,
                })
            }
            Page::DictionaryPage { .. } => Err(problem("a dictionary among the values")),
        }
    }
}

struct PageParts {
    repetition: Range<usize>,
    definition: Range<usize>,
    /// Where values begin.
    values: usize,
}

/// Bytes of a value; none where they differ.
fn width(physical: Type) -> Option<u64> {
    match physical {
        Type::BOOLEAN => Some(1),
        Type::INT32 | Type::FLOAT => Some(4),
        Type::INT64 | Type::DOUBLE => Some(8),
        Type::INT96 => Some(12),
        Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY => None,
    }
}

/// How many texts, each behind its length, `bytes` consist of.
fn entries(bytes: &[u8]) -> Option<u64> {
    let (mut rest, mut count) = (bytes, 0);
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        rest = behind.get(u32::from_le_bytes(*length) as usize..)?;
        count += 1;
    }
    Some(count)
}

/// The bits that hold the levels from 0 to `max_level`.
fn bits(max_level: i16) -> u8 {
    (i16::BITS - max_level.leading_zeros()) as u8
}

/// Whether `bytes` are runs of numbers of `bits` bits: of equal ones, or of
/// eight at a time, of which the last may be cut short. The decoder panics on
/// a length of more than ten bytes.
///
/// Format: "RLE / Bit-Packing Hybrid" in `Encodings.md` of Apache Parquet.
fn are_runs(bytes: &[u8], bits: u8) -> bool {
    let mut rest = bytes.iter();
    while !rest.as_slice().is_empty() {
        let Some(header) = varint(&mut rest) else {
            return false;
        };
        // Padding.
        if header == 0 {
            return true;
        }
        let length = if header % 2 == 1 {
            usize::try_from((header / 2).saturating_mul(u64::from(bits))).unwrap_or(usize::MAX)
        } else {
            usize::from(bits.div_ceil(8))
        };
        rest = rest.as_slice().get(length..).unwrap_or_default().iter();
    }
    true
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        match self.next.take() {
            Some(page) => Ok(Some(page)),
            None => self.read(),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        if self.next.is_none() {
            self.next = self.read()?;
        }
        Ok(self.next.as_ref().map(|page| PageMetadata {
            num_rows: match page {
                Page::DataPageV2 { num_rows, .. } => Some(*num_rows as usize),
                _ => None,
            },
            num_levels: page.is_data_page().then_some(page.num_values() as usize),
            is_dict: page.is_dictionary_page(),
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.get_next_page().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_of_a_page_are_read_from_its_header() {
        // Type 0, 300 bytes, stored as 7; zigzag doubles them.
        let header = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 14, 0x2c];
        assert_eq!(sizes(&header), Some((300, 7)));
        assert_eq!(sizes(&header[..6]), None);
        // A negative size, another type of field, a number that never ends.
        assert_eq!(sizes(&[0x15, 0, 0x15, 3, 0x15, 14]), None);
        assert_eq!(sizes(&[0x15, 0, 0x16, 4, 0x15, 14]), None);
        assert_eq!(sizes(&[0x15, 0, 0x15, 255, 255, 255, 255, 255, 1]), None);
    }

    #[test]
    fn headers_may_not_claim_more_than_their_page_can_hold() {
        use std::io::Write;

        let mut file = tempfile::tempfile().unwrap();
        // 2^30 bytes stored as 7, and 300 bytes stored as 7.
        let claim = [0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 0x08, 0x15, 14, 0x2c];
        let sound = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 14, 0x2c];
        file.write_all(&[&claim[..], &sound].concat()).unwrap();
        let file = PageFile(file);
        let error = file.get_read(0).err().unwrap().to_string();
        assert!(
            error.contains("7 bytes of a page that claim to hold 1073741824"),
            "{error}"
        );
        assert!(file.get_read(claim.len() as u64).is_ok());
        assert!(file.get_read(claim.len() as u64 + 1).is_err());
    }

    #[test]
    fn texts_are_counted_to_their_very_end() {
        assert_eq!(entries(&[]), Some(0));
        assert_eq!(entries(&[1, 0, 0, 0, 9, 0, 0, 0, 0]), Some(2));
        assert_eq!(entries(&[1, 0, 0, 0]), None);
        assert_eq!(entries(&[0, 0, 0]), None);
        assert_eq!(entries(&[255, 255, 255, 255, 1]), None);
    }

    #[test]
    fn runs_are_followed_to_their_end() {
        // Eight packed numbers of two bits, then five equal ones.
        assert!(are_runs(&[3, 0x1b, 0x1b, 10, 1], 2));
        // Cut short, padded, empty.
        assert!(are_runs(&[3, 0x1b], 2) && are_runs(&[0, 255, 255], 2) && are_runs(&[], 2));
        assert!(!are_runs(&[255; 12], 2));
        assert!(!are_runs(&[3, 0, 0, 0x80], 2));
        assert_eq!([1, 2, 3, 4].map(bits), [1, 2, 2, 3]);
    }
}
