//! Thrift's compact protocol, in which Parquet writes its metadata, as a tree.
//!
//! Format: the Thrift compact protocol specification; only what Parquet uses.

/// How deep values may be nested; Parquet's own metadata takes eight levels.
const MAX_DEPTH: usize = 32;

/// A value of the protocol.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Integer(i64),
    /// A double, which nothing that is read here uses.
    Double,
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    /// Fields by their number.
    Struct(Vec<(i16, Value<'a>)>),
}

impl<'a> Value<'a> {
    pub(super) fn field(&self, number: i16) -> Option<&Value<'a>> {
        match self {
            Self::Struct(fields) => fields
                .iter()
                .find(|(found, _)| *found == number)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn integer(&self, number: i16) -> Option<i64> {
        match self.field(number)? {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn boolean(&self, number: i16) -> Option<bool> {
        match self.field(number)? {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, number: i16) -> Option<&'a [u8]> {
        match self.field(number)? {
            Self::Bytes(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn text(&self, number: i16) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(number)?).ok()
    }

    pub(super) fn list(&self, number: i16) -> Option<&[Value<'a>]> {
        match self.field(number)? {
            Self::List(values) => Some(values),
            _ => None,
        }
    }
}

/// Reads a struct from the start of `bytes`; it and the bytes it takes, none
/// when they are no complete struct.
pub(super) fn read(bytes: &[u8]) -> Option<(Value<'_>, usize)> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.structure(0)?;
    Some((value, reader.at))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Integers are stored so that small ones of either sign are short.
    fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn structure(&mut self, depth: usize) -> Option<Value<'a>> {
        let mut fields = Vec::new();
        let mut number = 0i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(Value::Struct(fields));
            }
            number = match head >> 4 {
                0 => i16::try_from(self.signed()?).ok()?,
                step => number.checked_add(i16::from(step))?,
            };
            let value = match head & 0x0f {
                1 => Value::Bool(true),
                2 => Value::Bool(false),
                kind => self.value(kind, depth)?,
            };
            fields.push((number, value));
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value<'a>> {
        match kind {
            // In a list a truth value is a byte of its own.
            1 | 2 => Some(Value::Bool(self.byte()? == 1)),
            3 => Some(Value::Integer(i64::from(self.byte()? as i8))),
            4..=6 => Some(Value::Integer(self.signed()?)),
            7 => self.take(8).map(|_| Value::Double),
            8 => {
                let length = usize::try_from(self.unsigned()?).ok()?;
                self.take(length).map(Value::Bytes)
            }
            9 | 10 if depth < MAX_DEPTH => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => usize::try_from(self.unsigned()?).ok()?,
                    count => usize::from(count),
                };
                // No value takes less than a byte.
                if count > self.bytes.len() - self.at {
                    return None;
                }
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(head & 0x0f, depth + 1)?);
                }
                Some(Value::List(values))
            }
            12 if depth < MAX_DEPTH => self.structure(depth + 1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_is_read_to_its_end() {
        // 1: i32 = -1, 3: binary "ab", 4: bool, 5: list<i32> [1, 2], end.
        let bytes = [
            0x15, 0x01, 0x28, 2, b'a', b'b', 0x11, 0x19, 0x25, 2, 4, 0, 9, 9,
        ];
        let (value, taken) = read(&bytes).unwrap();
        assert_eq!(taken, 12);
        assert_eq!(value.integer(1), Some(-1));
        assert_eq!(value.text(3), Some("ab"));
        assert_eq!(value.boolean(4), Some(true));
        assert_eq!(
            value.list(5).unwrap(),
            [Value::Integer(1), Value::Integer(2)]
        );
        assert_eq!(value.field(2), None);
        for cut in 0..12 {
            assert!(read(&bytes[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn claims_beyond_the_bytes_are_refused() {
        // A list of 2^31 values, a text of 2^60 bytes, structs within structs.
        assert!(read(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 7]).is_none());
        assert!(read(&[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_none());
        assert!(read(&[0x1c; 100_000]).is_none());
        assert!(
            read(&[
                0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0
            ])
            .is_none()
        );
    }
}
