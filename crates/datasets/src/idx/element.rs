//! The element types of the IDX format.

/// What an element of an IDX array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// Unsigned byte, 0x08.
    U8,
    /// Signed byte, 0x09.
    I8,
    /// 16-bit integer, 0x0B.
    I16,
    /// 32-bit integer, 0x0C.
    I32,
    /// 32-bit float, 0x0D.
    F32,
    /// 64-bit float, 0x0E.
    F64,
}

impl Element {
    /// All types, by their code.
    pub const ALL: [Element; 6] = [
        Element::U8,
        Element::I8,
        Element::I16,
        Element::I32,
        Element::F32,
        Element::F64,
    ];

    /// The byte that stands for it in a header.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::U8 => 0x08,
            Self::I8 => 0x09,
            Self::I16 => 0x0b,
            Self::I32 => 0x0c,
            Self::F32 => 0x0d,
            Self::F64 => 0x0e,
        }
    }

    /// The type a header's byte stands for.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|element| element.code() == code)
    }

    /// Bytes of an element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "unsigned byte",
            Self::I8 => "signed byte",
            Self::I16 => "16-bit integer",
            Self::I32 => "32-bit integer",
            Self::F32 => "32-bit float",
            Self::F64 => "64-bit float",
        }
    }

    /// Whether elements are whole numbers.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        !matches!(self, Self::F32 | Self::F64)
    }

    /// The element at the start of `bytes`, big-endian.
    ///
    /// # Panics
    /// When there are fewer bytes than an element takes.
    pub(crate) fn value(self, bytes: &[u8]) -> f64 {
        match self {
            Self::U8 => f64::from(bytes[0]),
            Self::I8 => f64::from(bytes[0] as i8),
            Self::I16 => f64::from(i16::from_be_bytes([bytes[0], bytes[1]])),
            Self::I32 => f64::from(i32::from_be_bytes(first(bytes))),
            Self::F32 => f64::from(f32::from_be_bytes(first(bytes))),
            Self::F64 => f64::from_be_bytes(first(bytes)),
        }
    }
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("as many bytes as an element")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_values() {
        for element in Element::ALL {
            assert_eq!(Element::from_code(element.code()), Some(element));
        }
        assert_eq!(Element::from_code(0x0a), None);
        assert_eq!(Element::I8.value(&[0xff]), -1.0);
        assert_eq!(Element::I16.value(&[0xff, 0xfe]), -2.0);
        assert_eq!(Element::I32.value(&[0, 1, 0, 0]), 65536.0);
        assert_eq!(Element::F32.value(&1.5f32.to_be_bytes()), 1.5);
        assert_eq!(Element::F64.value(&(-0.25f64).to_be_bytes()), -0.25);
    }
}
