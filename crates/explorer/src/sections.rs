//! Arrays of numbers one after the other, as a page holds them.

use serde::Serialize;

/// Where an array begins in the section area, how many numbers it has, of which
/// type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    at: usize,
    length: usize,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The section area: arrays in little-endian bytes, each from a multiple of 4
/// on, as the typed arrays of JavaScript need it.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    bytes: Vec<u8>,
}

/// A number that a section can hold.
pub trait Number: Copy {
    /// Its type in the manifest.
    const TYPE: &'static str;

    /// Appends its bytes.
    fn append(self, bytes: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($type:ident),*) => {$(
        impl Number for $type {
            const TYPE: &'static str = stringify!($type);

            fn append(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

numbers!(u8, u16, u32, f32);

impl Sections {
    /// Adds an array.
    pub fn add<N: Number>(&mut self, numbers: impl IntoIterator<Item = N>) -> Section {
        let at = self.bytes.len();
        let mut length = 0;
        for number in numbers {
            number.append(&mut self.bytes);
            length += 1;
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        Section {
            at,
            length,
            kind: N::TYPE,
        }
    }

    /// All of them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
