//! Checksums inside files: a seal is the SHA-256 of everything else in the
//! file, written where the format has room for it.
//!
//! A file without a seal, as older versions and people write them, is read as
//! it is. A seal of which a few bytes are wrong is no such file, but a damaged
//! one: no changed bit turns the one into the other.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

/// A checksum that does not fit what it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its checksum does not fit: bytes of it have changed since it was written")]
pub struct Damaged;

/// A seal at the end of a file or line: a text before and a text after the
/// digits.
#[derive(Clone, Copy, Debug)]
pub struct Seal {
    before: &'static str,
    digits: usize,
    after: &'static str,
    /// What the content ends with before it is sealed, and after the seal again.
    closing: &'static str,
}

/// A JSON object over several lines, as its last entry.
pub const JSON_DOCUMENT: Seal = Seal {
    before: ",\n  \"sha256\": \"",
    digits: 64,
    after: "\"",
    closing: "\n}\n",
};

/// A JSON object in one line, as its last entry; half the digits.
pub const JSON_LINE: Seal = Seal {
    before: ",\"sha256\":\"",
    digits: 32,
    after: "\"",
    closing: "}\n",
};

/// A text whose comments begin with `#`, as its last line.
pub const COMMENT_LINE: Seal = Seal {
    before: "# SHA-256 of the lines above: ",
    digits: 64,
    after: "\n",
    closing: "",
};

/// The comment at the end of a ZIP archive; see [`seal_archive`].
const ARCHIVE_COMMENT: Seal = Seal {
    before: "SHA-256: ",
    digits: 64,
    after: "",
    closing: "",
};

impl Seal {
    /// Seals `content`.
    ///
    /// # Panics
    /// If it does not end as its format does.
    pub fn close(&self, content: &mut Vec<u8>) {
        assert!(
            content.ends_with(self.closing.as_bytes()),
            "content that ends with {:?} is sealed",
            self.closing
        );
        content.truncate(content.len() - self.closing.len());
        let digits = &digest([content])[..self.digits];
        for part in [self.before, digits, self.after, self.closing] {
            content.extend_from_slice(part.as_bytes());
        }
    }

    /// Whether `bytes` are sealed.
    ///
    /// # Errors
    /// When they are, but have changed, or the seal has.
    pub fn check(&self, bytes: &[u8]) -> Result<bool, Damaged> {
        let (before, after) = (self.before.as_bytes(), self.after.as_bytes());
        let closing = self.closing.as_bytes();
        let length = before.len() + self.digits + after.len() + closing.len();
        let Some(start) = bytes.len().checked_sub(length) else {
            return Ok(false);
        };
        let (content, seal) = bytes.split_at(start);
        let (found_before, rest) = seal.split_at(before.len());
        let (digits, found_after) = rest.split_at(self.digits);
        let expected_after = [after, closing].concat();
        let wrong = differing(found_before, before)
            + differing(found_after, &expected_after)
            + digits.iter().filter(|digit| !is_digit(**digit)).count();
        match wrong {
            0 if &digest([content]).as_bytes()[..self.digits] == digits => Ok(true),
            0 => Err(Damaged),
            // Content that happens to look like this differs in more.
            1..=4 => Err(Damaged),
            _ => Ok(false),
        }
    }
}

/// Seals a ZIP archive without a comment, such as an `.npz` file.
///
/// # Panics
/// If `archive` does not end as one without a comment does.
pub fn seal_archive(archive: &mut Vec<u8>) {
    assert!(archive.ends_with(&[0, 0]), "an archive without a comment");
    let length = (ARCHIVE_COMMENT.before.len() + ARCHIVE_COMMENT.digits) as u16;
    archive.truncate(archive.len() - 2);
    // "4.3.16 End of central directory record" of PKWARE's APPNOTE: the length
    // of the comment, and the comment.
    archive.extend_from_slice(&length.to_le_bytes());
    ARCHIVE_COMMENT.close(archive);
}

/// Whether a ZIP archive is sealed.
///
/// # Errors
/// When it is, but has changed, or the seal has.
pub fn check_archive(archive: &[u8]) -> Result<bool, Damaged> {
    ARCHIVE_COMMENT.check(archive)
}

/// Digits that are to be replaced by those of the seal once all else is there.
pub const OPEN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Seals bytes that hold `before` and then [`OPEN`] within `place`.
///
/// # Panics
/// If they do not.
pub fn close_within(bytes: &mut [u8], place: Range<usize>, before: &str) {
    let digits = find(bytes, place, before).expect("there is room for the seal");
    assert!(
        bytes[digits.clone()] == *OPEN.as_bytes(),
        "the seal is open"
    );
    let seal = digest([bytes]);
    bytes[digits].copy_from_slice(seal.as_bytes());
}

/// Whether bytes are sealed within `place` by digits after `before`. The caller
/// knows by other means whether they should be: here, nothing is left to see
/// when `before` has changed.
///
/// # Errors
/// When they are, but have changed.
pub fn check_within(bytes: &[u8], place: Range<usize>, before: &str) -> Result<bool, Damaged> {
    let Some(digits) = find(bytes, place, before) else {
        return Ok(false);
    };
    let (head, tail) = (&bytes[..digits.start], &bytes[digits.end..]);
    let expected = digest([head, OPEN.as_bytes(), tail]);
    if *expected.as_bytes() == bytes[digits] {
        Ok(true)
    } else {
        Err(Damaged)
    }
}

/// Where the digits after `before` are.
fn find(bytes: &[u8], place: Range<usize>, before: &str) -> Option<Range<usize>> {
    let before = before.as_bytes();
    let part = bytes.get(place.clone())?;
    let at = part.windows(before.len()).position(|part| part == before)?;
    let start = place.start + at + before.len();
    let digits = start..start + OPEN.len();
    (digits.end <= place.end).then_some(digits)
}

fn digest<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let hash = hasher.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn differing(found: &[u8], expected: &[u8]) -> usize {
    let pairs = found.iter().zip(expected);
    pairs.filter(|(found, expected)| found != expected).count()
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMATS: [(Seal, &str); 3] = [
        (JSON_DOCUMENT, "{\n  \"epochs\": 3\n}\n"),
        (JSON_LINE, "{\"epoch\":1,\"step\":24}\n"),
        (COMMENT_LINE, "[training]\nepochs = 3\n"),
    ];

    /// The places of an archive that a seal is about; nothing reads it.
    fn archive() -> Vec<u8> {
        let mut archive = b"PK\x05\x06 and what an archive ends with\0\0".to_vec();
        seal_archive(&mut archive);
        archive
    }

    #[test]
    fn every_changed_bit_is_found() {
        for (seal, content) in FORMATS {
            assert_eq!(seal.check(content.as_bytes()), Ok(false), "{content}");
            let mut sealed = content.as_bytes().to_vec();
            seal.close(&mut sealed);
            assert_eq!(seal.check(&sealed), Ok(true));
            for bit in 0..8 * sealed.len() {
                sealed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(seal.check(&sealed), Err(Damaged), "bit {bit} of {content}");
                sealed[bit / 8] ^= 1 << (bit % 8);
            }
        }
        let mut archive = archive();
        assert_eq!(check_archive(&archive), Ok(true));
        for bit in 0..8 * archive.len() {
            archive[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check_archive(&archive), Err(Damaged), "bit {bit}");
            archive[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn the_digits_are_those_of_another_program() {
        let mut line = b"{\"epoch\":1}\n".to_vec();
        JSON_LINE.close(&mut line);
        // printf '{"epoch":1' | sha256sum | head -c 32
        let expected = "{\"epoch\":1,\"sha256\":\"eb068408334fc2161fea4337aa4e3979\"}\n";
        assert_eq!(String::from_utf8(line).expect("text"), expected);
        // The length of an archive's comment stands before it.
        assert_eq!(archive()[34..36], [73, 0]);
    }

    #[test]
    fn a_seal_within_covers_everything_but_itself() {
        let mut bytes = format!("header \"sha256\":\"{OPEN}\" end of header, data").into_bytes();
        let place = 0..bytes.len() - 6;
        assert_eq!(
            check_within(&bytes, place.clone(), "\"none\":\""),
            Ok(false)
        );
        close_within(&mut bytes, place.clone(), "\"sha256\":\"");
        assert_eq!(
            check_within(&bytes, place.clone(), "\"sha256\":\""),
            Ok(true)
        );
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let found = check_within(&bytes, place.clone(), "\"sha256\":\"");
            assert_ne!(found, Ok(true), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // A place that is cut off holds no seal.
        assert_eq!(check_within(&bytes, 0..20, "\"sha256\":\""), Ok(false));
        assert_eq!(check_within(&bytes, 0..9999, "\"sha256\":\""), Ok(false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_checked_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for (seal, _) in FORMATS {
                prop_assert_eq!(seal.check(&bytes), Ok(false));
            }
            prop_assert_eq!(check_archive(&bytes), Ok(false));
            prop_assert_eq!(check_within(&bytes, 0..bytes.len(), "\"sha256\":\""), Ok(false));
        }
    }
}
