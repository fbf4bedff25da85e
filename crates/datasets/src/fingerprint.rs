//! What identifies the content of a data set, whatever files it came from.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::digest;
use crate::idx::{self, Element};
use crate::shape::Shape;
use crate::values::Values;

/// The fingerprint of a data set from the SHA-256 of the four decompressed IDX
/// files that hold it (headers included), in the order training images,
/// training labels, test images, test labels: the SHA-256 of the four 64-digit
/// hexadecimal texts, each followed by a line feed.
///
/// A shell gives the same with
/// `for f in …; do gunzip -c $f | sha256sum | cut -c1-64; done | sha256sum`.
/// A set from other files, and the embedded one, has the fingerprint of the
/// IDX files it would be written to: images as unsigned bytes `[n, h, w]` or
/// `[n, h, w, 3]`, floats as 32-bit floats, vectors as `[n, length]`; labels
/// as unsigned bytes, or 32-bit integers where one is beyond them, and as the
/// text `unlabelled` where there are none.
#[must_use]
pub fn fingerprint(content_sha256: [&str; 4]) -> String {
    let mut text = String::with_capacity(4 * 65);
    for digest in content_sha256 {
        text.push_str(digest);
        text.push('\n');
    }
    digest::sha256_hex(text.as_bytes())
}

/// The digests of the image file and of the label file of some rows.
pub(crate) fn split_digests(
    values: &Values,
    rows: Range<usize>,
    shape: Shape,
    labels: Option<&[i64]>,
) -> [String; 2] {
    let dimensions = shape.dimensions(rows.len());
    let range = rows.start * shape.len()..rows.end * shape.len();
    let mut hasher = Sha256::new();
    match values {
        Values::Bytes(values) => {
            hasher.update(idx::header_of(Element::U8, &dimensions));
            hasher.update(&values[range]);
        }
        Values::Floats(values) => {
            hasher.update(idx::header_of(Element::F32, &dimensions));
            let mut buffer = Vec::with_capacity(4 * 4096);
            for chunk in values[range].chunks(4096) {
                buffer.clear();
                buffer.extend(chunk.iter().flat_map(|value| value.to_be_bytes()));
                hasher.update(&buffer);
            }
        }
    }
    [digest::finish(hasher), label_digest(labels)]
}

fn label_digest(labels: Option<&[i64]>) -> String {
    let Some(labels) = labels else {
        return digest::sha256_hex(b"unlabelled");
    };
    let mut hasher = Sha256::new();
    let bytes: Option<Vec<u8>> = labels
        .iter()
        .map(|&label| u8::try_from(label).ok())
        .collect();
    match bytes {
        Some(bytes) => {
            hasher.update(idx::header_of(Element::U8, &[labels.len()]));
            hasher.update(bytes);
        }
        None => {
            hasher.update(idx::header_of(Element::I32, &[labels.len()]));
            for &label in labels {
                hasher.update((label as i32).to_be_bytes());
            }
        }
    }
    digest::finish(hasher)
}

/// A hash of the content of one row, uniform over 64 bits.
pub(crate) fn row_hash(row: &[u8]) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(row);
    digest::first_u64(hasher)
}
