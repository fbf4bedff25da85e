//! The compression of pages.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::table::MAX_RATIO;

/// What a page may take beyond [`MAX_RATIO`] times its compressed bytes:
/// writers make pages of about a megabyte, and constant ones shrink to a few
/// bytes.
const FREE_BYTES: u64 = 4 << 20;

/// The window of Zstandard beyond the size of a page that is accepted; its
/// highest usual level takes 8 MiB.
const FREE_WINDOW: u64 = 8 << 20;

/// Decompresses a page to exactly `bytes` bytes.
///
/// # Errors
/// What was found instead.
pub(super) fn decompressed(codec: i64, stored: &[u8], bytes: usize) -> Result<Vec<u8>, String> {
    let limit = (stored.len() as u64)
        .saturating_mul(MAX_RATIO)
        .max(FREE_BYTES);
    if bytes as u64 > limit {
        return Err(format!(
            "{} bytes of a page that claim to hold {bytes}",
            stored.len()
        ));
    }
    let damaged = |error: String| format!("a damaged page ({error})");
    let page = match codec {
        0 => stored.to_vec(),
        1 => {
            let claimed = snap::raw::decompress_len(stored).map_err(|e| damaged(e.to_string()))?;
            if claimed != bytes {
                return Err(format!("a page of {claimed} bytes that claims {bytes}"));
            }
            snap::raw::Decoder::new()
                .decompress_vec(stored)
                .map_err(|error| damaged(error.to_string()))?
        }
        2 => read(MultiGzDecoder::new(stored), bytes).map_err(|e| damaged(e.to_string()))?,
        6 => {
            let window = zstd_window(stored).ok_or("a damaged page (no Zstandard frame)")?;
            if window > (bytes as u64).max(FREE_WINDOW) {
                return Err(format!("a Zstandard window of {window} bytes"));
            }
            let decoder = StreamingDecoder::new(stored).map_err(|e| damaged(e.to_string()))?;
            read(decoder, bytes).map_err(|error| damaged(error.to_string()))?
        }
        other => return Err(format!("compression by {}", name(other))),
    };
    if page.len() != bytes {
        return Err(format!("a page that holds other than its {bytes} bytes"));
    }
    Ok(page)
}

/// Reads one byte more than expected at most, taking memory as it comes.
fn read(decoder: impl Read, bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    decoder.take(bytes as u64 + 1).read_to_end(&mut page)?;
    Ok(page)
}

fn name(codec: i64) -> &'static str {
    match codec {
        3 => "LZO",
        4 => "Brotli",
        5 | 7 => "LZ4",
        _ => "an unknown codec",
    }
}

/// The memory that a Zstandard frame asks for (RFC 8878, 3.1.1.1).
fn zstd_window(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?.first()?;
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        let window = *frame.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let (bytes, offset) = match descriptor >> 6 {
        0 => (1, 0),
        1 => (2, 256),
        2 => (4, 0),
        _ => (8, 0),
    };
    let size = frame.get(5 + dictionary..5 + dictionary + bytes)?;
    let size = size
        .iter()
        .rev()
        .fold(0u64, |size, &byte| size << 8 | u64::from(byte));
    size.checked_add(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_claim_too_much_are_refused_before_memory_is_taken() {
        for codec in [0, 1, 2, 6] {
            assert!(decompressed(codec, &[0; 100], 1 << 30).is_err());
            assert!(decompressed(codec, &[0; 100], 99).is_err());
        }
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 0, 0, 0];
        assert!(zstd_window(&window).unwrap() > 1 << 40);
        assert!(
            decompressed(6, &window, 100)
                .unwrap_err()
                .contains("window")
        );
        assert!(decompressed(4, &[0; 4], 4).unwrap_err().contains("Brotli"));
    }

    #[test]
    fn sizes_of_single_segments() {
        assert_eq!(zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 7]), Some(7));
        assert_eq!(
            zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0x60, 1, 0]),
            Some(257)
        );
        assert_eq!(zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0x60, 1]), None);
        assert_eq!(zstd_window(b"no"), None);
    }
}
