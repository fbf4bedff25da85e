//! What a ZIP archive claims about itself, before memory is taken for it.
//!
//! "4.3.16 End of central directory record" and "4.3.14 Zip64 end of central
//! directory record" of PKWARE's APPNOTE.TXT, version 6.3.10.

use std::io::{self, Read, Seek, SeekFrom};

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;

const ZIP64_END: &[u8] = b"PK\x06\x06";
const ZIP64_END_BYTES: usize = 56;

/// The least that an entry takes in the directory.
const ENTRY_BYTES: u64 = 46;

/// Where the end is looked for: behind it is a comment of 16 bits of length at
/// most, before it the end as Zip64 has it, and its locator.
const TAIL_BYTES: u64 = 0xffff + (END_BYTES + ZIP64_END_BYTES + 20) as u64;

/// Checks that the file has room for as many entries as its end claims, which
/// readers of archives take memory for first.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when it has not; when it cannot be read.
pub fn check_claims(file: &mut (impl Read + Seek)) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    file.rewind()?;
    let before_tail = length - tail.len() as u64;
    let ends = (0..tail.len())
        .rev()
        .filter(|&at| tail[at..].starts_with(END) && tail.len() - at >= END_BYTES);
    for at in ends {
        let end = &tail[at..];
        let zip64 = (0..at)
            .rev()
            .find(|&at| tail[at..].starts_with(ZIP64_END) && tail.len() - at >= ZIP64_END_BYTES);
        let claimed = [number::<2>(end, 8), number::<2>(end, 10)]
            .into_iter()
            .chain(zip64.map(|at| number::<8>(&tail[at..], 32)))
            .max()
            .unwrap_or(0);
        if claimed > length / ENTRY_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it claims {claimed} entries, more than its {length} bytes have room for"),
            ));
        }
        // Behind this one nothing is looked for.
        if number::<4>(end, 12) + number::<4>(end, 16) <= before_tail + at as u64 {
            return Ok(());
        }
    }
    Ok(())
}

/// A little-endian number of N bytes.
fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let digits = bytes[at..at + N].iter().rev();
    digits.fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn archive() -> Vec<u8> {
        let folder = env!("CARGO_MANIFEST_DIR");
        std::fs::read(format!("{folder}/../../fixtures/tables/names.npz")).unwrap()
    }

    fn checked(bytes: &[u8]) -> Result<(), String> {
        let mut file = Cursor::new(bytes);
        let checked = check_claims(&mut file).map_err(|error| error.to_string());
        assert_eq!(file.position() * u64::from(checked.is_ok()), 0);
        checked
    }

    #[test]
    fn archives_have_room_for_what_they_claim() {
        let whole = archive();
        let end = whole.len() - END_BYTES;
        checked(&whole).unwrap();
        for at in [8, 10] {
            let mut claims = whole.clone();
            claims[end + at..end + at + 2].copy_from_slice(&[0xff, 0xff]);
            let refused = checked(&claims).unwrap_err();
            assert!(refused.contains("claims 65535 entries"), "{refused}");
        }
        // As Zip64 has it, and behind a comment.
        let mut claims = whole[..end].to_vec();
        let mut zip64 = [0; ZIP64_END_BYTES];
        zip64[..4].copy_from_slice(ZIP64_END);
        zip64[32..40].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        claims.extend(zip64);
        claims.extend([0; 20]);
        claims.extend(&whole[end..]);
        let comment = vec![b' '; 0xffff];
        let length = claims.len();
        claims[length - 2..].copy_from_slice(&[0xff, 0xff]);
        claims.extend(comment);
        let refused = checked(&claims).unwrap_err();
        assert!(
            refused.contains("claims 1099511627776 entries"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_no_archive_claims_nothing() {
        for bytes in [&b""[..], b"PK", END, &[0x50; 100_000]] {
            checked(bytes).unwrap();
        }
        // An end inside of what is stored is none: another one follows.
        let whole = archive();
        let mut inside = [0xff; END_BYTES];
        inside[..4].copy_from_slice(END);
        checked(&[&inside[..], &whole].concat()).unwrap();
    }
}
