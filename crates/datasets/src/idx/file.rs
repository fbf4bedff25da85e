//! One IDX file, opened and checked, read in pieces.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Element;
use super::content::Content;
use crate::error::{DataError, IdxProblem};

/// DEFLATE cannot expand by more than this factor (a match of 258 bytes takes
/// at least two bits), so a header promising more is wrong.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// What a file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Images or vectors: two to four dimensions.
    Images,
    /// Labels: one dimension, or two of which the first column counts.
    Labels,
}

/// A file whose header has been read and found plausible.
pub(crate) struct IdxFile {
    path: PathBuf,
    content: Content,
    element: Element,
    dimensions: Vec<usize>,
    /// What the header promises, header included.
    expected: u64,
    file_bytes: u64,
}

impl IdxFile {
    pub(crate) fn open(path: &Path, role: Role) -> Result<Self, DataError> {
        let unreadable = |source| DataError::Read {
            path: path.to_owned(),
            source,
        };
        let (file, file_bytes) = input_files::open_sized(path).map_err(unreadable)?;
        let mut file = file;
        let isize_field = gzip_size_field(&mut file, file_bytes).map_err(unreadable)?;
        let content = Content::open(file).map_err(unreadable)?;
        let mut opened = Self {
            path: path.to_owned(),
            content,
            element: Element::U8,
            dimensions: Vec::new(),
            expected: 0,
            file_bytes,
        };
        let header_bytes = opened.read_header(role)?;
        if opened.content.compressed() {
            if opened.expected > file_bytes.saturating_mul(MAX_DEFLATE_RATIO) {
                let problem = IdxProblem::Implausible {
                    compressed: file_bytes,
                    expected: opened.expected,
                    dimensions: opened.sizes(),
                };
                return Err(opened.wrong(problem));
            }
            // The last four bytes of a gzip file give the decompressed length
            // modulo 2^32 (RFC 1952). When they disagree with the header the
            // file is damaged, padded or made of several members: count
            // before anyone allocates.
            if isize_field != Some((opened.expected & 0xffff_ffff) as u32) {
                let counted = opened.content.count_rest(opened.expected);
                let counted = counted.map_err(|error| opened.content.failure(path, error))?;
                opened.check_length(counted)?;
                let file = input_files::open(path).map_err(unreadable)?;
                opened.content = Content::open(file).map_err(unreadable)?;
                let mut again = vec![0u8; header_bytes];
                opened.fill(&mut again)?;
            }
        } else {
            opened.check_length(file_bytes)?;
        }
        Ok(opened)
    }

    pub(crate) fn element(&self) -> Element {
        self.element
    }

    pub(crate) fn dimensions(&self) -> &[usize] {
        &self.dimensions
    }

    /// Bytes of all elements.
    pub(crate) fn data_bytes(&self) -> usize {
        self.dimensions.iter().product::<usize>() * self.element.bytes()
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.content.compressed()
    }

    /// Reads the next elements, as many bytes as `target` has.
    pub(crate) fn read(&mut self, target: &mut [u8]) -> Result<(), DataError> {
        let found = self.fill(target)?;
        if found == target.len() {
            return Ok(());
        }
        self.check_length(self.content.taken())
    }

    /// Once all elements have been read: refuses what is behind them, and
    /// gives the SHA-256 of the decompressed content and of the stored file.
    pub(crate) fn finish(mut self) -> Result<(String, String), DataError> {
        // Reading on to the end also makes the decoder check the CRC.
        self.fill(&mut [0u8; 1])?;
        self.check_length(self.content.taken())?;
        let path = self.path;
        self.content
            .digests()
            .map_err(|source| DataError::Read { path, source })
    }

    /// Reads magic number and sizes; returns how many bytes they take.
    fn read_header(&mut self, role: Role) -> Result<usize, DataError> {
        let mut prefix = [0u8; 4];
        let found = self.fill(&mut prefix)?;
        if found < 4 {
            return Err(self.wrong(IdxProblem::ShortHeader {
                found: found as u64,
                expected: 4,
            }));
        }
        self.element = check_prefix(prefix, role).map_err(|problem| self.wrong(problem))?;
        let mut sizes = vec![0u8; 4 * usize::from(prefix[3])];
        let header_bytes = 4 + sizes.len();
        let found = self.fill(&mut sizes)?;
        if found < sizes.len() {
            return Err(self.wrong(IdxProblem::ShortHeader {
                found: 4 + found as u64,
                expected: header_bytes as u64,
            }));
        }
        let sizes: Vec<u32> = sizes
            .chunks_exact(4)
            .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let data_bytes =
            data_length(&sizes, self.element).map_err(|problem| self.wrong(problem))?;
        self.dimensions = sizes.iter().map(|&size| size as usize).collect();
        self.expected = header_bytes as u64 + data_bytes;
        Ok(header_bytes)
    }

    fn fill(&mut self, target: &mut [u8]) -> Result<usize, DataError> {
        let filled = self.content.fill(target);
        filled.map_err(|error| self.content.failure(&self.path, error))
    }

    fn check_length(&self, found: u64) -> Result<(), DataError> {
        let (dimensions, expected) = (self.sizes(), self.expected);
        let unpacked = self.content.compressed();
        match found.cmp(&expected) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => Err(self.wrong(IdxProblem::Short {
                found,
                expected,
                dimensions,
                unpacked,
            })),
            std::cmp::Ordering::Greater => Err(self.wrong(IdxProblem::Trailing {
                expected,
                dimensions,
                unpacked,
            })),
        }
    }

    fn sizes(&self) -> Vec<u32> {
        self.dimensions.iter().map(|&size| size as u32).collect()
    }

    fn wrong(&self, problem: IdxProblem) -> DataError {
        DataError::Idx {
            path: self.path.clone(),
            problem,
        }
    }
}

fn check_prefix(prefix: [u8; 4], role: Role) -> Result<Element, IdxProblem> {
    if prefix[..2] != [0, 0] {
        return Err(IdxProblem::Magic { found: prefix });
    }
    let found = prefix[2];
    let element = Element::from_code(found).ok_or(IdxProblem::UnknownType { found })?;
    let (wanted, what) = match role {
        Role::Images => (2..=4, "images × rows × columns"),
        Role::Labels => (1..=2, "labels"),
    };
    if !wanted.contains(&prefix[3]) {
        return Err(IdxProblem::Dimensions {
            found: prefix[3],
            expected: match role {
                Role::Images => 3,
                Role::Labels => 1,
            },
            what,
        });
    }
    if role == Role::Labels && !element.is_integer() {
        return Err(IdxProblem::LabelType {
            name: element.name(),
        });
    }
    Ok(element)
}

fn data_length(dimensions: &[u32], element: Element) -> Result<u64, IdxProblem> {
    if dimensions.contains(&0) {
        return Err(IdxProblem::Empty {
            dimensions: dimensions.to_vec(),
        });
    }
    dimensions
        .iter()
        .chain([&(element.bytes() as u32)])
        .try_fold(1u64, |product, &size| product.checked_mul(u64::from(size)))
        // The longest slice that there can be.
        .filter(|&bytes| isize::try_from(bytes).is_ok())
        .ok_or_else(|| IdxProblem::TooLarge {
            dimensions: dimensions.to_vec(),
        })
}

fn gzip_size_field(file: &mut File, file_bytes: u64) -> io::Result<Option<u32>> {
    if file_bytes < 18 {
        return Ok(None);
    }
    let mut field = [0u8; 4];
    file.seek(SeekFrom::End(-4))?;
    file.read_exact(&mut field)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(Some(u32::from_le_bytes(field)))
}
