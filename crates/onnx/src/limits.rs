//! How many messages a file holds, before any of them is given memory.
//!
//! A message of two bytes becomes a struct of some hundred, so that a file made
//! for the purpose would take a hundred times its length. What is counted here
//! is what prost will make of the same bytes: every message it knows and every
//! text.

use crate::error::Error;

/// Messages, names and texts that a model may have in all.
///
/// A network of a hundred dense layers has about two thousand.
pub const MAXIMUM_PARTS: usize = 1 << 16;

/// What a field of a message is for the count.
#[derive(Clone, Copy)]
enum Field {
    /// A message of its own.
    Message(&'static [(u32, Field)]),
    /// A text or bytes.
    Text,
}

use Field::{Message, Text};

const ENTRY: &[(u32, Field)] = &[(1, Text), (2, Text)];
const TENSOR: &[(u32, Field)] = &[(8, Text), (9, Text), (13, Message(ENTRY))];
const ATTRIBUTE: &[(u32, Field)] = &[(1, Text), (4, Text), (5, Message(TENSOR)), (9, Text)];
const NODE: &[(u32, Field)] = &[
    (1, Text),
    (2, Text),
    (3, Text),
    (4, Text),
    (5, Message(ATTRIBUTE)),
    (6, Text),
    (7, Text),
];
const DIMENSION: &[(u32, Field)] = &[(2, Text)];
const SHAPE: &[(u32, Field)] = &[(1, Message(DIMENSION))];
const TENSOR_TYPE: &[(u32, Field)] = &[(2, Message(SHAPE))];
const TYPE: &[(u32, Field)] = &[(1, Message(TENSOR_TYPE))];
const VALUE: &[(u32, Field)] = &[(1, Text), (2, Message(TYPE)), (3, Text)];
const GRAPH: &[(u32, Field)] = &[
    (1, Message(NODE)),
    (2, Text),
    (5, Message(TENSOR)),
    (10, Text),
    (11, Message(VALUE)),
    (12, Message(VALUE)),
];
const OPERATOR_SET: &[(u32, Field)] = &[(1, Text)];
const MODEL: &[(u32, Field)] = &[
    (2, Text),
    (3, Text),
    (4, Text),
    (6, Text),
    (7, Message(GRAPH)),
    (8, Message(OPERATOR_SET)),
    (14, Message(ENTRY)),
];

/// Walks a model's fields without keeping any, and refuses what is no protobuf
/// or has more than [`MAXIMUM_PARTS`].
pub(crate) fn check(bytes: &[u8]) -> Result<(), Error> {
    check_length(bytes.len())?;
    let mut walk = Walk { bytes, parts: 0 };
    walk.message(0, bytes.len(), MODEL)
}

/// Refuses what protobuf does not allow, which counts lengths in 32 bits with a sign.
pub(crate) fn check_length(bytes: usize) -> Result<(), Error> {
    match i32::try_from(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::TooLarge(bytes)),
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    parts: usize,
}

impl Walk<'_> {
    /// Goes through a message from `position` to `end`; as deep as the tables
    /// above, which do not refer to themselves.
    fn message(
        &mut self,
        mut position: usize,
        end: usize,
        fields: &[(u32, Field)],
    ) -> Result<(), Error> {
        while position < end {
            let start = position;
            let key = self.varint(&mut position, end)?;
            let wrong = |reason| Error::Wire {
                reason,
                position: start,
            };
            let number = u32::try_from(key >> 3).unwrap_or(0);
            if number == 0 {
                return Err(wrong("a field without a valid number"));
            }
            let length = match key & 7 {
                0 => {
                    self.varint(&mut position, end)?;
                    0
                }
                1 => 8,
                2 => self.varint(&mut position, end)?,
                5 => 4,
                _ => return Err(wrong("a field of an unknown kind")),
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > end - position {
                return Err(wrong("a field that is longer than what holds it"));
            }
            let known = fields.iter().find(|(known, _)| *known == number);
            if let (2, Some((_, field))) = (key & 7, known) {
                self.parts += 1;
                if self.parts > MAXIMUM_PARTS {
                    let limit = MAXIMUM_PARTS;
                    return Err(Error::TooMany { limit });
                }
                if let Message(inner) = field {
                    self.message(position, position + length, inner)?;
                }
            }
            position += length;
        }
        Ok(())
    }

    /// A number of up to ten bytes, before `end`.
    fn varint(&self, position: &mut usize, end: usize) -> Result<u64, Error> {
        let start = *position;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.bytes[..end].get(*position) else {
                let reason = "it ends within a number";
                return Err(Error::Wire {
                    reason,
                    position: start,
                });
            };
            *position += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        let reason = "a number of more than ten bytes";
        Err(Error::Wire {
            reason,
            position: start,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_gibibytes_are_one_byte_too_many() {
        assert_eq!(check_length((1 << 31) - 1), Ok(()));
        assert_eq!(check_length(1 << 31), Err(Error::TooLarge(1 << 31)));
    }
}
