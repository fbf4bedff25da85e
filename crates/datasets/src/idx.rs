//! The IDX format: a header of big-endian sizes, then the elements in C order.
//!
//! ```text
//! u8 0 | u8 0 | u8 type | u8 dimensions | dimensions × u32 big-endian | data
//! ```
//!
//! Images are `00 00 08 03`, labels `00 00 08 01`. Format: the MNIST page of
//! LeCun, Cortes and Burges, as quoted by the mirrors that outlived it.
//!
//! The reader takes raw and gzip files (told apart by their first bytes, not
//! their names) and trusts nothing: no memory is taken for the data before the
//! length of the file has shown that the header may be right.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::digest;
use crate::error::{DataError, IdxProblem};

/// The most data one file may hold, in bytes; EMNIST by class, the largest
/// set of this family, takes an eighth.
pub const MAX_DATA_BYTES: u64 = 1 << 32;

/// DEFLATE cannot expand by more than this factor (a match of 258 bytes takes
/// at least two bits), so a header promising more is wrong.
const MAX_DEFLATE_RATIO: u64 = 1032;

const CHUNK: usize = 1 << 16;

/// An array of unsigned bytes read from an IDX file.
#[derive(Clone, Debug)]
pub struct IdxArray {
    /// Sizes, slowest dimension first.
    pub dimensions: Vec<usize>,
    /// The elements in C order; its length is the product of the sizes.
    pub data: Arc<[u8]>,
    /// SHA-256 of the decompressed file, header included.
    pub content_sha256: String,
    /// SHA-256 of the file as stored; equal to the former for a raw file.
    pub file_sha256: String,
    /// Length of the file as stored, in bytes.
    pub file_bytes: u64,
    /// Whether the file is gzip-compressed.
    pub compressed: bool,
}

/// Reads an image file `[n, rows, columns]`, raw or gzip.
///
/// # Errors
/// [`DataError::Read`] when the file cannot be read, [`DataError::Idx`] when
/// its content is not exactly one three-dimensional array of unsigned bytes.
pub fn read_images(path: &Path) -> Result<IdxArray, DataError> {
    read(path, 3, "images × rows × columns")
}

/// Reads a label file `[n]`, raw or gzip, and checks every label to be below
/// `classes`.
///
/// # Errors
/// As [`read_images`] for one dimension, and [`IdxProblem::Label`].
pub fn read_labels(path: &Path, classes: usize) -> Result<IdxArray, DataError> {
    let array = read(path, 1, "labels")?;
    match array
        .data
        .iter()
        .position(|&label| usize::from(label) >= classes)
    {
        None => Ok(array),
        Some(index) => {
            let label = array.data[index];
            Err(wrong(
                path,
                IdxProblem::Label {
                    index,
                    label,
                    classes,
                },
            ))
        }
    }
}

/// The header of an IDX array of unsigned bytes.
///
/// # Panics
/// When there are more than 255 dimensions or a size exceeds 32 bits, which
/// the format cannot express.
#[must_use]
pub fn header(dimensions: &[usize]) -> Vec<u8> {
    let count = u8::try_from(dimensions.len()).expect("IDX holds at most 255 dimensions");
    let mut bytes = vec![0, 0, 0x08, count];
    for &size in dimensions {
        let size = u32::try_from(size).expect("IDX sizes are 32 bits wide");
        bytes.extend_from_slice(&size.to_be_bytes());
    }
    bytes
}

/// Writes an array of unsigned bytes as raw IDX.
///
/// # Errors
/// What `writer` reports.
///
/// # Panics
/// When `data` has not as many bytes as the sizes multiply to; see also
/// [`header`].
pub fn write(mut writer: impl Write, dimensions: &[usize], data: &[u8]) -> io::Result<()> {
    let product: usize = dimensions.iter().product();
    assert_eq!(
        data.len(),
        product,
        "idx::write: {} bytes for dimensions {dimensions:?}",
        data.len()
    );
    writer.write_all(&header(dimensions))?;
    writer.write_all(data)
}

fn wrong(path: &Path, problem: IdxProblem) -> DataError {
    DataError::Idx {
        path: path.to_owned(),
        problem,
    }
}

fn unreadable(path: &Path, source: io::Error) -> DataError {
    DataError::Read {
        path: path.to_owned(),
        source,
    }
}

fn read(path: &Path, wanted: usize, what: &'static str) -> Result<IdxArray, DataError> {
    let mut file = File::open(path).map_err(|source| unreadable(path, source))?;
    let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
    if !metadata.is_file() {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(unreadable(path, source));
    }
    let file_bytes = metadata.len();
    let isize_field =
        gzip_size_field(&mut file, file_bytes).map_err(|source| unreadable(path, source))?;

    let mut content = Content::open(file).map_err(|source| unreadable(path, source))?;
    let fail = |content: &Content, error: io::Error| content.failure(path, error);

    let mut prefix = [0u8; 4];
    let found = content
        .fill(&mut prefix)
        .map_err(|error| fail(&content, error))?;
    if found < 4 {
        return Err(wrong(
            path,
            IdxProblem::ShortHeader {
                found: found as u64,
                expected: 4,
            },
        ));
    }
    check_prefix(prefix, wanted, what).map_err(|problem| wrong(path, problem))?;

    let mut sizes = vec![0u8; 4 * wanted];
    let header_bytes = (4 + sizes.len()) as u64;
    let found = content
        .fill(&mut sizes)
        .map_err(|error| fail(&content, error))?;
    if found < sizes.len() {
        let found = 4 + found as u64;
        return Err(wrong(
            path,
            IdxProblem::ShortHeader {
                found,
                expected: header_bytes,
            },
        ));
    }
    let dimensions: Vec<u32> = sizes
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let data_bytes = data_length(&dimensions).map_err(|problem| wrong(path, problem))?;
    let expected = header_bytes + data_bytes;

    if content.compressed() {
        if expected > file_bytes.saturating_mul(MAX_DEFLATE_RATIO) {
            let compressed = file_bytes;
            return Err(wrong(
                path,
                IdxProblem::Implausible {
                    compressed,
                    expected,
                    dimensions,
                },
            ));
        }
        // The last four bytes of a gzip file give the decompressed length
        // modulo 2^32 (RFC 1952). When they disagree with the header the file
        // is damaged or made of several members: count before allocating.
        if isize_field != Some((expected & 0xffff_ffff) as u32) {
            let counted = content
                .count_rest(expected)
                .map_err(|error| fail(&content, error))?;
            check_length(counted, expected, &dimensions, true)
                .map_err(|problem| wrong(path, problem))?;
            let file = File::open(path).map_err(|source| unreadable(path, source))?;
            content = Content::open(file).map_err(|source| unreadable(path, source))?;
            let mut again = vec![0u8; header_bytes as usize];
            content
                .fill(&mut again)
                .map_err(|error| fail(&content, error))?;
        }
    } else {
        check_length(file_bytes, expected, &dimensions, false)
            .map_err(|problem| wrong(path, problem))?;
    }

    // An exact-size iterator fills the shared buffer in place; collecting a
    // vector first would hold the images twice.
    let mut data: Arc<[u8]> = std::iter::repeat_n(0u8, data_bytes as usize).collect();
    let target = Arc::get_mut(&mut data).expect("a new buffer has one owner");
    let found = content
        .fill(target)
        .map_err(|error| fail(&content, error))?;
    let mut total = header_bytes + found as u64;
    if found as u64 == data_bytes {
        // Reading on to the end also makes the decoder check the CRC.
        let mut extra = [0u8; 1];
        total += content
            .fill(&mut extra)
            .map_err(|error| fail(&content, error))? as u64;
    }
    check_length(total, expected, &dimensions, content.compressed())
        .map_err(|problem| wrong(path, problem))?;

    let compressed = content.compressed();
    let (content_sha256, file_sha256) = content
        .digests()
        .map_err(|source| unreadable(path, source))?;
    Ok(IdxArray {
        dimensions: dimensions.iter().map(|&size| size as usize).collect(),
        data,
        content_sha256,
        file_sha256,
        file_bytes,
        compressed,
    })
}

fn check_prefix(prefix: [u8; 4], wanted: usize, what: &'static str) -> Result<(), IdxProblem> {
    if prefix[..2] != [0, 0] {
        return Err(IdxProblem::Magic { found: prefix });
    }
    let found = prefix[2];
    let name = match found {
        0x08 => None,
        0x09 => Some("signed byte"),
        0x0b => Some("16-bit integer"),
        0x0c => Some("32-bit integer"),
        0x0d => Some("32-bit float"),
        0x0e => Some("64-bit float"),
        _ => return Err(IdxProblem::UnknownType { found }),
    };
    if let Some(name) = name {
        return Err(IdxProblem::UnsupportedType { found, name });
    }
    if usize::from(prefix[3]) != wanted {
        return Err(IdxProblem::Dimensions {
            found: prefix[3],
            expected: wanted,
            what,
        });
    }
    Ok(())
}

fn data_length(dimensions: &[u32]) -> Result<u64, IdxProblem> {
    if dimensions.contains(&0) {
        return Err(IdxProblem::Empty {
            dimensions: dimensions.to_vec(),
        });
    }
    dimensions
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(u64::from(size)))
        .filter(|&bytes| bytes <= MAX_DATA_BYTES && usize::try_from(bytes).is_ok())
        .ok_or_else(|| IdxProblem::TooLarge {
            dimensions: dimensions.to_vec(),
        })
}

fn check_length(
    found: u64,
    expected: u64,
    dimensions: &[u32],
    unpacked: bool,
) -> Result<(), IdxProblem> {
    let dimensions = dimensions.to_vec();
    match found.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(IdxProblem::Short {
            found,
            expected,
            dimensions,
            unpacked,
        }),
        std::cmp::Ordering::Greater => Err(IdxProblem::Trailing {
            expected,
            dimensions,
            unpacked,
        }),
    }
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

/// The file with a running hash of the bytes taken from it.
struct Stored {
    file: File,
    hasher: Sha256,
    hashing: bool,
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if self.hashing {
            self.hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}

enum Stream {
    Raw(BufReader<Stored>),
    Gzip(Box<MultiGzDecoder<BufReader<Stored>>>),
}

/// The decompressed content with a running hash and count.
struct Content {
    stream: Stream,
    hasher: Sha256,
    taken: u64,
}

impl Content {
    fn open(file: File) -> io::Result<Self> {
        let stored = Stored {
            file,
            hasher: Sha256::new(),
            hashing: true,
        };
        let mut reader = BufReader::with_capacity(CHUNK, stored);
        let start = reader.fill_buf()?;
        let stream = if start.starts_with(&[0x1f, 0x8b]) {
            Stream::Gzip(Box::new(MultiGzDecoder::new(reader)))
        } else {
            // A raw file is hashed once, as content.
            reader.get_mut().hashing = false;
            Stream::Raw(reader)
        };
        Ok(Self {
            stream,
            hasher: Sha256::new(),
            taken: 0,
        })
    }

    fn compressed(&self) -> bool {
        matches!(self.stream, Stream::Gzip(_))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match &mut self.stream {
                Stream::Raw(reader) => reader.read(buffer),
                Stream::Gzip(decoder) => decoder.read(buffer),
            };
            match result {
                Ok(count) => {
                    self.taken += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Fills `target` as far as the content reaches; returns how far that is.
    fn fill(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < target.len() {
            let end = target.len().min(filled + CHUNK);
            let count = self.read(&mut target[filled..end])?;
            if count == 0 {
                break;
            }
            self.hasher.update(&target[filled..filled + count]);
            filled += count;
        }
        Ok(filled)
    }

    /// Counts what is left without keeping it; stops once `limit` is passed.
    fn count_rest(&mut self, limit: u64) -> io::Result<u64> {
        let mut buffer = vec![0u8; CHUNK];
        while self.taken <= limit {
            if self.read(&mut buffer)? == 0 {
                break;
            }
        }
        Ok(self.taken)
    }

    fn failure(&self, path: &Path, error: io::Error) -> DataError {
        let decoder_spoke = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        );
        if !self.compressed() || !decoder_spoke {
            return unreadable(path, error);
        }
        let problem = if error.kind() == io::ErrorKind::UnexpectedEof {
            IdxProblem::TruncatedGzip { found: self.taken }
        } else {
            IdxProblem::DamagedGzip {
                detail: error.to_string(),
            }
        };
        wrong(path, problem)
    }

    /// The digests of the decompressed content and of the stored file, once
    /// everything has been read.
    fn digests(self) -> io::Result<(String, String)> {
        let content = digest::finish(self.hasher);
        let stored = match self.stream {
            Stream::Raw(_) => content.clone(),
            Stream::Gzip(decoder) => {
                let mut stored = decoder.into_inner().into_inner();
                io::copy(&mut stored, &mut io::sink())?;
                digest::finish(stored.hasher)
            }
        };
        Ok((content, stored))
    }
}
