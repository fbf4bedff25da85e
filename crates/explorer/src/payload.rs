//! How a page keeps its numbers: a manifest in JSON that names sections of
//! numbers, packed by gzip and written in base64.
//!
//! Unpacked, the bytes are the length of the manifest (u32, little endian), the
//! manifest, zeros up to a multiple of 4, and the section area. The same
//! contents give the same bytes.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

pub use crate::sections::{Number, Section, Sections};
use crate::{Error, Result};

/// The text of a payload.
///
/// # Errors
/// A manifest that JSON cannot hold.
pub fn pack(manifest: &impl Serialize, sections: &Sections) -> Result<String> {
    let manifest =
        serde_json::to_vec(manifest).map_err(|error| Error::Packing(error.to_string()))?;
    let length = u32::try_from(manifest.len())
        .map_err(|_| Error::Packing(format!("a manifest of {} bytes", manifest.len())))?;
    let padding = [0; 3];
    let padding = &padding[..(4 - manifest.len() % 4) % 4];
    // No name and no time in its header: the bytes are those of the contents.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let packed = [
        &length.to_le_bytes(),
        &manifest[..],
        padding,
        sections.bytes(),
    ]
    .into_iter()
    .try_for_each(|part| gzip.write_all(part))
    .and_then(|()| gzip.finish())
    .map_err(|error| Error::Packing(error.to_string()))?;
    Ok(STANDARD.encode(packed))
}
