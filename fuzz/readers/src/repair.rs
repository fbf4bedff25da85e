//! Lengths, checksums and seals of changed files, brought in order.

use durable_files::seal::{self, OPEN, Seal};

/// Gives the chunks of a PNG their checksums.
pub(crate) fn png(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let end = at + 8 + length;
        if bytes.len() < end + 4 {
            return;
        }
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&checksum.sum().to_be_bytes());
        at = end + 4;
    }
}

/// Writes the length of the header of a safetensors file as its braces have it,
/// and its seal.
pub(crate) fn safetensors(bytes: &mut [u8]) {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate().skip(8) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    // Spaces fill the header up to eight bytes.
                    let spaces = bytes[at + 1..].iter().take_while(|&&byte| byte == b' ');
                    let length = (at + 1 + spaces.count() - 8) as u64;
                    bytes[..8].copy_from_slice(&length.to_le_bytes());
                    break;
                }
            }
            _ => {}
        }
    }
    let before = r#"\"sha256\":\""#;
    let mut places = bytes.windows(before.len());
    if let Some(at) = places.position(|part| part == before.as_bytes())
        && let Some(digits) = bytes.get_mut(at + before.len()..at + before.len() + OPEN.len())
    {
        digits.copy_from_slice(OPEN.as_bytes());
        let whole = 0..bytes.len();
        seal::close_within(bytes, whole, before);
    }
}

/// Seals a JSON document again.
pub(crate) fn json_document(bytes: &mut Vec<u8>) {
    close(bytes, ",\n  \"sha256\": \"", "\n}\n", &seal::JSON_DOCUMENT);
}

/// Seals every line of JSON again.
pub(crate) fn json_lines(bytes: &mut Vec<u8>) {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    *bytes = lines
        .flat_map(|line| {
            let mut line = line.to_vec();
            close(&mut line, ",\"sha256\":\"", "}\n", &seal::JSON_LINE);
            line
        })
        .collect();
}

/// Seals a text again.
pub(crate) fn text(bytes: &mut Vec<u8>) {
    close(
        bytes,
        "# SHA-256 of the lines above: ",
        "",
        &seal::COMMENT_LINE,
    );
}

/// Seals an archive again.
pub(crate) fn archive(bytes: &mut Vec<u8>) {
    if let Some(at) = find(bytes, b"SHA-256: ")
        && at >= 2
    {
        bytes.truncate(at - 2);
        bytes.extend([0, 0]);
        seal::seal_archive(bytes);
    }
}

/// Puts a seal in the place of the one that begins with `before`; without one,
/// the file is as it is.
fn close(bytes: &mut Vec<u8>, before: &str, closing: &str, seal: &Seal) {
    if let Some(at) = find(bytes, before.as_bytes()) {
        bytes.truncate(at);
        bytes.extend(closing.bytes());
        seal.close(bytes);
    }
}

/// The last place of a text.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).rposition(|part| part == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repaired_headers_have_the_length_of_their_braces() {
        let mut bytes = [&[9; 8][..], br#"{"a}\"":{"b":1}}  "#, b"data}"].concat();
        safetensors(&mut bytes);
        assert_eq!(bytes[..8], 18_u64.to_le_bytes());
    }

    #[test]
    fn files_that_are_sealed_again_hold() {
        let mut document = b"{\n  \"epochs\": 3\n}\n".to_vec();
        seal::JSON_DOCUMENT.close(&mut document);
        document[14] = b'4';
        assert!(seal::JSON_DOCUMENT.check(&document).is_err());
        json_document(&mut document);
        assert_eq!(seal::JSON_DOCUMENT.check(&document), Ok(true));
        let mut lines = b"{\"epoch\":1}\n".to_vec();
        seal::JSON_LINE.close(&mut lines);
        lines = lines.repeat(2);
        lines[9] = b'7';
        let sealed = lines.clone();
        json_lines(&mut lines);
        assert_ne!(lines, sealed);
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            assert_eq!(seal::JSON_LINE.check(line), Ok(true));
        }
        let mut zip = b"PK\x05\x06 and the rest\0\0".to_vec();
        seal::seal_archive(&mut zip);
        zip[5] = b'x';
        archive(&mut zip);
        assert_eq!(seal::check_archive(&zip), Ok(true));
        let mut plain = b"no seal".to_vec();
        text(&mut plain);
        assert_eq!(plain, b"no seal");
    }
}
