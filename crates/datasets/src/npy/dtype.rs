//! The element types of NumPy's arrays.

use half::f16;

/// What an element of an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Bool,
    Unsigned,
    Signed,
    Float,
    /// Bytes (`S`), padded with zeros.
    Ascii,
    /// Code points of four bytes (`U`), padded with zeros.
    Unicode,
}

/// An element type with its size and byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dtype {
    pub(super) element: Element,
    /// Bytes of an element.
    pub(super) bytes: usize,
    big_endian: bool,
}

impl Dtype {
    /// The type that `descr` names, such as `<f4`; none for objects, dates,
    /// complex numbers and records.
    pub(super) fn parse(descr: &str) -> Option<Self> {
        let order = descr.chars().next()?;
        if !matches!(order, '<' | '>' | '|' | '=') {
            return None;
        }
        let kind = descr[1..].chars().next()?;
        let size = descr.get(2..)?;
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let size: usize = size.parse().ok()?;
        let (element, bytes) = match (kind, size) {
            ('b', 1) => (Element::Bool, 1),
            ('u', 1 | 2 | 4 | 8) => (Element::Unsigned, size),
            ('i', 1 | 2 | 4 | 8) => (Element::Signed, size),
            ('f', 2 | 4 | 8) => (Element::Float, size),
            ('S', 1..) => (Element::Ascii, size),
            ('U', 1..) => (Element::Unicode, size.checked_mul(4)?),
            _ => return None,
        };
        Some(Self {
            element,
            bytes,
            big_endian: order == '>' || (order == '=' && cfg!(target_endian = "big")),
        })
    }

    /// Whether elements are names.
    pub(super) fn is_text(self) -> bool {
        matches!(self.element, Element::Ascii | Element::Unicode)
    }

    /// Whether elements are stored as bytes that stand for b / 255: unsigned
    /// bytes, and truth values once those are 0 and 255.
    pub(super) fn is_bytes(self) -> bool {
        self.element == Element::Bool || (self.element == Element::Unsigned && self.bytes == 1)
    }

    /// The number that an element of `bytes` bytes is.
    ///
    /// # Panics
    /// For names, and when `stored` is shorter than an element.
    pub(super) fn value(self, stored: &[u8]) -> f64 {
        match (self.element, self.bytes) {
            (Element::Bool, _) => f64::from(u8::from(stored[0] != 0)),
            (Element::Unsigned, _) => self.integer(stored) as f64,
            (Element::Signed, bytes) => {
                let unused = 64 - 8 * bytes as u32;
                ((self.integer(stored) << unused) as i64 >> unused) as f64
            }
            (Element::Float, 2) => f64::from(f16::from_bits(self.integer(stored) as u16)),
            (Element::Float, 4) => f64::from(f32::from_bits(self.integer(stored) as u32)),
            (Element::Float, _) => f64::from_bits(self.integer(stored)),
            (Element::Ascii | Element::Unicode, _) => unreachable!("names are no numbers"),
        }
    }

    fn integer(self, stored: &[u8]) -> u64 {
        let stored = &stored[..self.bytes];
        let shift = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        if self.big_endian {
            stored.iter().fold(0, shift)
        } else {
            stored.iter().rev().fold(0, shift)
        }
    }

    /// The name that an element is, in UTF-8; none when it holds no
    /// characters.
    ///
    /// # Panics
    /// For numbers.
    pub(super) fn text(self, stored: &[u8]) -> Option<String> {
        match self.element {
            Element::Ascii => {
                let end = stored
                    .iter()
                    .rposition(|&byte| byte != 0)
                    .map_or(0, |at| at + 1);
                String::from_utf8(stored[..end].to_vec()).ok()
            }
            Element::Unicode => {
                let codes = stored.chunks_exact(4).map(|code| {
                    let code = [code[0], code[1], code[2], code[3]];
                    if self.big_endian {
                        u32::from_be_bytes(code)
                    } else {
                        u32::from_le_bytes(code)
                    }
                });
                let text = codes.map(char::from_u32).collect::<Option<String>>()?;
                Some(text.trim_end_matches('\0').to_owned())
            }
            _ => unreachable!("numbers are no names"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(descr: &str, stored: &[u8]) -> f64 {
        Dtype::parse(descr).unwrap().value(stored)
    }

    #[test]
    fn elements_in_either_byte_order() {
        assert_eq!(value("|u1", &[200]), 200.0);
        assert_eq!(value("|i1", &[0xff]), -1.0);
        assert_eq!(value("<i2", &[0xfe, 0xff]), -2.0);
        assert_eq!(value(">i2", &[0xff, 0xfe]), -2.0);
        assert_eq!(value(">u4", &[0, 0, 1, 0]), 256.0);
        assert_eq!(value("<i8", &(-7i64).to_le_bytes()), -7.0);
        assert_eq!(value("<u8", &u64::MAX.to_le_bytes()), u64::MAX as f64);
        assert_eq!(value(">f4", &1.5f32.to_be_bytes()), 1.5);
        assert_eq!(value("<f8", &(-0.25f64).to_le_bytes()), -0.25);
        assert_eq!(value("<f2", &f16::from_f32(0.5).to_le_bytes()), 0.5);
        assert_eq!(value("|b1", &[1]), 1.0);
    }

    #[test]
    fn names_lose_their_padding() {
        let text = |descr: &str, stored: &[u8]| Dtype::parse(descr).unwrap().text(stored);
        assert_eq!(text("|S4", b"cat\0").unwrap(), "cat");
        assert_eq!(text("<U2", &[0xe9, 0, 0, 0, 0, 0, 0, 0]).unwrap(), "é");
        assert_eq!(text(">U1", &[0, 0, 0, 0x41]).unwrap(), "A");
        assert_eq!(text("<U1", &[0, 0xd8, 0, 0]), None);
        assert_eq!(text("|S1", &[0xff]), None);
    }

    #[test]
    fn what_is_no_number_or_name_is_refused() {
        for descr in [
            "|O", "|O8", "<c8", "<M8[ns]", "<f16", "f4", "", "<", "<é4", "<f", "<S0", "<f-4",
        ] {
            assert_eq!(Dtype::parse(descr), None, "{descr}");
        }
    }
}
