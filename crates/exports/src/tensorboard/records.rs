//! Event files: records of the TFRecord format, each with checksums of its length
//! and of its content.

use prost::Message as _;

use super::messages::{Event, SessionLog, Summary, Value, What};

/// What the first record of a file says.
const FILE_VERSION: &str = "brain.Event:2";

/// Bytes in front of the content of a record, and behind it.
const HEAD: usize = 12;
const TAIL: usize = 4;

/// The name of an event file; of several in a folder, readers take the one with
/// the lowest number first.
#[must_use]
pub fn file_name(number: u32) -> String {
    format!("events.out.tfevents.{number:010}.latent-atlas")
}

/// The number in a [`file_name`].
#[must_use]
pub fn file_number(name: &str) -> Option<u32> {
    let number = name
        .strip_prefix("events.out.tfevents.")?
        .strip_suffix(".latent-atlas")?;
    number.parse().ok().filter(|&n| file_name(n) == name)
}

/// CRC-32C, turned and shifted as the format asks, so that the checksum of bytes
/// which hold checksums is a good one.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// Appends one record.
pub fn append(event: &Event, file: &mut Vec<u8>) {
    let length = event.encoded_len();
    let head = (length as u64).to_le_bytes();
    file.reserve(HEAD + length + TAIL);
    file.extend(head);
    file.extend(masked_crc(&head).to_le_bytes());
    let start = file.len();
    event
        .encode(file)
        .expect("a vector has room for what it is asked to hold");
    let content = masked_crc(&file[start..]);
    file.extend(content.to_le_bytes());
}

/// The beginning of a file: its version, and that readers are to forget what they
/// have read from an earlier file of the folder.
#[must_use]
pub fn beginning(wall_time: f64) -> Vec<u8> {
    let event = |what| Event {
        wall_time,
        step: 0,
        what: Some(what),
    };
    let mut file = Vec::new();
    append(&event(What::FileVersion(FILE_VERSION.into())), &mut file);
    append(
        &event(What::SessionLog(SessionLog { status: 1 })),
        &mut file,
    );
    file
}

/// A record of values.
#[must_use]
pub fn values(step: usize, wall_time: f64, value: Vec<Value>) -> Event {
    Event {
        wall_time,
        step: step as i64,
        what: Some(What::Summary(Summary { value })),
    }
}

/// The records of a file, up to its end or to the first that is not whole: one
/// that was being written when its process ended.
pub fn read(mut file: &[u8]) -> impl Iterator<Item = Event> {
    std::iter::from_fn(move || {
        let (event, rest) = first(file)?;
        file = rest;
        Some(event)
    })
}

/// The first record, if it is whole, and what is behind it.
fn first(file: &[u8]) -> Option<(Event, &[u8])> {
    let (head, rest) = file.split_at_checked(8)?;
    let (head_crc, rest) = rest.split_first_chunk::<4>()?;
    if masked_crc(head) != u32::from_le_bytes(*head_crc) {
        return None;
    }
    let length = u64::from_le_bytes(head.try_into().ok()?);
    let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let (content_crc, rest) = rest.split_first_chunk::<4>()?;
    if masked_crc(content) != u32::from_le_bytes(*content_crc) {
        return None;
    }
    Some((Event::decode(content).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::super::messages::Content;
    use super::*;

    fn event(step: usize, number: f32) -> Event {
        let value = Value {
            tag: "loss/test".into(),
            metadata: None,
            content: Some(Content::Scalar(number)),
        };
        values(step, 1.5, vec![value])
    }

    #[test]
    fn checksums_are_those_of_the_format() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        // Of 12 zero bytes, computed bit by bit.
        let mut crc = !0_u32;
        for _ in 0..12 * 8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1));
        }
        let masked = (!crc).rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked_crc(&[0; 12]), masked);
    }

    /// Written out by hand: keys are number · 8 + wire type.
    #[test]
    fn a_record_is_the_bytes_of_the_format() {
        let mut file = Vec::new();
        append(&event(3, 0.5), &mut file);
        let content = [
            &[0x09][..],
            &1.5_f64.to_le_bytes(),
            &[0x10, 3],
            &[0x2a, 18],
            &[0x0a, 16],
            &[0x0a, 9],
            b"loss/test",
            &[0x15],
            &0.5_f32.to_le_bytes(),
        ]
        .concat();
        assert_eq!(file[..8], (content.len() as u64).to_le_bytes());
        assert_eq!(file[HEAD..file.len() - TAIL], content);
        assert_eq!(read(&file).collect::<Vec<_>>(), [event(3, 0.5)]);
    }

    #[test]
    fn what_is_cut_off_or_changed_ends_a_file() {
        let mut file = beginning(0.0);
        let version = HEAD + usize::from(file[0]) + TAIL;
        let start = file.len();
        append(&event(1, 1.0), &mut file);
        let first = file.len();
        append(&event(2, 2.0), &mut file);
        let ends = [version, start, first, file.len()];
        for length in 0..=file.len() {
            let whole = ends.iter().filter(|&&end| end <= length).count();
            assert_eq!(read(&file[..length]).count(), whole, "{length}");
        }
        for at in first..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 4;
            assert_eq!(read(&damaged).count(), 3, "{at}");
        }
        // A length that no file has.
        assert_eq!(read(&[0xff; 40]).count(), 0);
    }

    #[test]
    fn names_are_numbered() {
        assert_eq!(file_number(&file_name(7)), Some(7));
        assert!(file_name(7).contains("tfevents"));
        assert!(file_name(9) < file_name(10));
        for other in [
            "events.out.tfevents.7.latent-atlas",
            "events.out.tfevents.7.host",
        ] {
            assert_eq!(file_number(other), None);
        }
    }
}
