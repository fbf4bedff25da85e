//! The IDX format of the MNIST files: big-endian magic number, one 32-bit
//! big-endian size per dimension, then the elements in C order.
//!
//! ```text
//! u8 0 | u8 0 | u8 type | u8 dimensions | dimensions × u32 big-endian | data
//! ```
//!
//! Each size is below 2³², their product is bounded by no field: a file may hold
//! far more than 4 GiB, and is read as long as its length is what the sizes
//! multiply to.
//!
//! Images are `00 00 08 03`, labels `00 00 08 01`. Format: the MNIST page of
//! LeCun, Cortes and Burges, as quoted by the mirrors that outlived it. All
//! six element types are read.
//!
//! The reader takes raw and gzip files (told apart by their first bytes, not
//! their names) and trusts nothing: no memory is taken for the data before the
//! length of the file has shown that the header may be right.

mod content;
mod element;
mod file;
mod folder;
mod part;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::error::DataError;
use crate::needs;

pub use element::Element;
pub(crate) use file::IdxFile;
pub use file::Role;
pub(crate) use folder::{IdxFolder, IdxPair};
pub(crate) use part::part;

/// An array read from an IDX file.
#[derive(Clone, Debug)]
pub struct IdxArray {
    /// What an element is.
    pub element: Element,
    /// Sizes, slowest dimension first.
    pub dimensions: Vec<usize>,
    /// The elements in C order as stored, big-endian; for unsigned bytes its
    /// length is the product of the sizes.
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

/// Reads an image file, raw or gzip: `[n, height, width]`, with a fourth
/// dimension of channels, or `[n, length]` for vectors.
///
/// # Errors
/// [`DataError::Read`] when the file cannot be read, [`DataError::Idx`] when
/// its content is not exactly one such array.
pub fn read_images(path: &Path) -> Result<IdxArray, DataError> {
    read(path, Role::Images)
}

/// Reads a label file, raw or gzip: `[n]`, or `[n, columns]` as QMNIST has
/// them, whose first column is the class.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: &Path) -> Result<IdxArray, DataError> {
    read(path, Role::Labels)
}

/// Reads a file of either role to its end without keeping it, and gives the
/// SHA-256 of its decompressed content.
pub(crate) fn content_sha256(path: &Path, role: Role) -> Result<String, DataError> {
    let mut file = IdxFile::open(path, role)?;
    let mut buffer = [0; 1 << 13];
    let mut left = file.data_bytes();
    while left > 0 {
        let count = left.min(buffer.len());
        file.read(&mut buffer[..count])?;
        left -= count;
    }
    Ok(file.finish()?.0)
}

/// Whether the content of a file is compressed, by its first bytes.
pub(crate) fn is_gzip(path: &Path) -> io::Result<bool> {
    let mut start = [0u8; 2];
    let mut file = input_files::open(path)?;
    let found = io::Read::read(&mut file, &mut start)?;
    Ok(start[..found] == content::GZIP_MAGIC)
}

/// The header of an IDX array of unsigned bytes.
///
/// # Panics
/// When there are more than 255 dimensions or a size exceeds 32 bits, which
/// the format cannot express.
#[must_use]
pub fn header(dimensions: &[usize]) -> Vec<u8> {
    header_of(Element::U8, dimensions)
}

/// The header of an IDX array.
///
/// # Panics
/// As [`header`].
#[must_use]
pub fn header_of(element: Element, dimensions: &[usize]) -> Vec<u8> {
    let count = u8::try_from(dimensions.len()).expect("IDX holds at most 255 dimensions");
    let mut bytes = vec![0, 0, element.code(), count];
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

fn read(path: &Path, role: Role) -> Result<IdxArray, DataError> {
    let mut file = IdxFile::open(path, role)?;
    needs::check_content(path, file.data_bytes() as u64)?;
    // An exact-size iterator fills the shared buffer in place; collecting a
    // vector first would hold the images twice.
    let mut data: Arc<[u8]> = std::iter::repeat_n(0u8, file.data_bytes()).collect();
    let target = Arc::get_mut(&mut data).expect("a new buffer has one owner");
    file.read(target)?;
    let (element, dimensions) = (file.element(), file.dimensions().to_vec());
    let (file_bytes, compressed) = (file.file_bytes(), file.is_compressed());
    let (content_sha256, file_sha256) = file.finish()?;
    Ok(IdxArray {
        element,
        dimensions,
        data,
        content_sha256,
        file_sha256,
        file_bytes,
        compressed,
    })
}
