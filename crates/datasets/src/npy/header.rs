//! The header of an array file.
//!
//! ```text
//! 93 "NUMPY" | major | minor | header length, u16 or u32 little-endian | header | data
//! ```
//!
//! The header is a Python dict literal with exactly `descr`, `fortran_order`
//! and `shape`. Format: NumPy's `numpy.lib.format`, versions 1 to 3.

use std::io::{self, Read};

use super::dtype::Dtype;

/// What an array file begins with.
pub(crate) const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// The longest header that is read; NumPy itself reads 10,000 bytes unless
/// told to trust the file.
const MAX_HEADER: u32 = 1 << 16;

/// The most dimensions an array may have, as in NumPy.
const MAX_DIMENSIONS: usize = 64;

/// What an array is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) dtype: Dtype,
    /// Whether the first dimension is the fastest.
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
    /// Bytes before the data.
    pub(super) bytes: u64,
}

/// What was found instead of a header, and what was expected.
pub(super) type Wrong = (String, &'static str);

/// Why there is no header.
#[derive(Debug)]
pub(super) enum HeaderError {
    Read(io::Error),
    Wrong(Wrong),
}

impl Header {
    /// Reads a header to its end.
    pub(super) fn read(reader: &mut impl Read) -> Result<Self, HeaderError> {
        let mut prefix = [0u8; 8];
        fill(reader, &mut prefix)?;
        if prefix[..6] != MAGIC {
            return wrong(
                format!("an array that begins with {:02x?}", &prefix[..6]),
                "93 4e 55 4d 50 59 (\\x93NUMPY), as numpy.save writes it",
            );
        }
        let (length, length_bytes) = match prefix[6] {
            1 => {
                let mut length = [0u8; 2];
                fill(reader, &mut length)?;
                (u32::from(u16::from_le_bytes(length)), 2)
            }
            2 | 3 => {
                let mut length = [0u8; 4];
                fill(reader, &mut length)?;
                (u32::from_le_bytes(length), 4)
            }
            version => {
                return wrong(
                    format!("version {version} of the array format"),
                    "version 1, 2 or 3",
                );
            }
        };
        if length > MAX_HEADER {
            return wrong(
                format!("a header of {length} bytes"),
                "at most 65536; the file is damaged, save it again",
            );
        }
        let mut text = vec![0u8; length as usize];
        fill(reader, &mut text)?;
        let text = String::from_utf8(text)
            .map_err(|_| HeaderError::Wrong(("a header that is no text".to_owned(), LITERAL)))?;
        let fields = Literal::new(&text)
            .fields()
            .ok_or_else(|| HeaderError::Wrong((super::quoted(&text), LITERAL)))?;
        let dtype = match &fields.descr {
            Some(descr) => Dtype::parse(descr),
            None => None,
        };
        let Some(dtype) = dtype else {
            let found = fields.descr.as_deref().unwrap_or("a record");
            let expected = if found.starts_with("|O") {
                "numbers: Python objects are pickles, which run code when they are read; convert with numpy.stack(…).astype(\"float32\") or astype(\"uint8\")"
            } else {
                "bool, integers, floats of 16 to 64 bits, or names (S, U); convert with astype(\"float32\")"
            };
            return wrong(format!("elements of type {found}"), expected);
        };
        Ok(Self {
            dtype,
            fortran_order: fields.fortran_order,
            shape: fields.shape,
            bytes: 8 + length_bytes + u64::from(length),
        })
    }

    /// Bytes of all elements; none when they are too many to count.
    pub(super) fn data_bytes(&self) -> Option<u64> {
        let product = |product: u64, &size: &u64| product.checked_mul(size);
        let mut nonzero = self.shape.iter().filter(|&&size| size > 0);
        let product = nonzero.try_fold(self.dtype.bytes as u64, product)?;
        Some(if self.shape.contains(&0) { 0 } else { product })
    }
}

const LITERAL: &str =
    "a header such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 28, 28), }";

fn wrong<T>(found: String, expected: &'static str) -> Result<T, HeaderError> {
    Err(HeaderError::Wrong((found, expected)))
}

fn fill(reader: &mut impl Read, target: &mut [u8]) -> Result<(), HeaderError> {
    reader.read_exact(target).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            HeaderError::Wrong((
                "an array that ends within its header".to_owned(),
                "a complete array, get a complete copy",
            ))
        } else {
            HeaderError::Read(error)
        }
    })
}

/// The three fields; `descr` is none for a record, which is a list.
struct Fields {
    descr: Option<String>,
    fortran_order: bool,
    shape: Vec<u64>,
}

/// A Python literal, taken apart from its beginning.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    fn new(rest: &'a str) -> Self {
        Self { rest }
    }

    fn fields(mut self) -> Option<Fields> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.take("{")?;
        while !self.is_next("}") {
            let key = self.string()?;
            self.take(":")?;
            match key {
                "descr" if descr.is_none() => descr = Some(self.descr()?),
                "fortran_order" if fortran_order.is_none() => {
                    fortran_order = Some(self.boolean()?);
                }
                "shape" if shape.is_none() => shape = Some(self.shape()?),
                _ => return None,
            }
            if !self.is_next("}") {
                self.take(",")?;
            }
        }
        self.take("}")?;
        self.rest.trim().is_empty().then_some(())?;
        Some(Fields {
            descr: descr?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn is_next(&mut self, token: &str) -> bool {
        self.skip_spaces();
        self.rest.starts_with(token)
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.skip_spaces();
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        self.skip_spaces();
        let quote = self
            .rest
            .chars()
            .next()
            .filter(|&c| c == '\'' || c == '"')?;
        let (text, rest) = self.rest[1..].split_once(quote)?;
        self.rest = rest;
        (!text.contains('\\')).then_some(text)
    }

    /// A type name; of a record, which is a list, only where it ends.
    fn descr(&mut self) -> Option<Option<String>> {
        if !self.is_next("[") {
            return Some(Some(self.string()?.to_owned()));
        }
        let mut depth = 0usize;
        for (at, letter) in self.rest.char_indices() {
            match letter {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.rest = &self.rest[at + 1..];
                return Some(None);
            }
        }
        None
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.take("True").is_some() {
            return Some(true);
        }
        self.take("False").map(|()| false)
    }

    fn shape(&mut self) -> Option<Vec<u64>> {
        self.take("(")?;
        let mut shape = Vec::new();
        while !self.is_next(")") {
            if shape.len() == MAX_DIMENSIONS {
                return None;
            }
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = self.rest.split_at(digits);
            shape.push(number.parse().ok()?);
            // Python 2 marked long integers.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if !self.is_next(")") {
                self.take(",")?;
            } else if shape.len() == 1 {
                // `(3)` is a number and no tuple.
                return None;
            }
        }
        self.take(")")?;
        Some(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u8, text: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version, 0]);
        if version == 1 {
            bytes.extend((text.len() as u16).to_le_bytes());
        } else {
            bytes.extend((text.len() as u32).to_le_bytes());
        }
        bytes.extend(text.as_bytes());
        bytes
    }

    fn read(version: u8, text: &str) -> Result<Header, HeaderError> {
        Header::read(&mut &file(version, text)[..])
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 28, 28), }   \n";
        for (version, length_bytes) in [(1, 2), (2, 4), (3, 4)] {
            let header = read(version, text).unwrap();
            assert_eq!(header.shape, [3, 28, 28]);
            assert_eq!(header.bytes, 8 + length_bytes + text.len() as u64);
            assert_eq!(header.data_bytes(), Some(3 * 28 * 28 * 4));
            assert!(!header.fortran_order);
        }
        let other = "{\"shape\":(5L,),\"fortran_order\":True,\"descr\":\">U7\"}";
        let header = read(1, other).unwrap();
        assert!(header.fortran_order && header.dtype.is_text());
        assert_eq!(header.data_bytes(), Some(5 * 28));
        let empty = read(1, "{'descr':'|u1','fortran_order':False,'shape':()}").unwrap();
        assert_eq!(empty.data_bytes(), Some(1));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1}",
            "{'descr': [[, 'fortran_order': False, 'shape': (3,)}",
        ] {
            assert!(
                matches!(read(1, text), Err(HeaderError::Wrong(_))),
                "{text}"
            );
        }
        assert!(matches!(read(4, "{}"), Err(HeaderError::Wrong(_))));
        let long = [&MAGIC[..], &[2, 0], &u32::MAX.to_le_bytes()].concat();
        assert!(matches!(
            Header::read(&mut &long[..]),
            Err(HeaderError::Wrong(_))
        ));
        let huge = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}";
        assert_eq!(read(1, huge).unwrap().data_bytes(), None);
    }

    #[test]
    fn pickles_and_records_are_named() {
        let of = |descr: &str| {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (3,)}}");
            match read(1, &text).unwrap_err() {
                HeaderError::Wrong((found, expected)) => format!("{found}; {expected}"),
                other => panic!("{other:?}"),
            }
        };
        assert!(of("'|O'").contains("pickles"));
        assert!(of("[('a', '<f4', (2,)), ('b', [('c', '|O')])]").contains("a record"));
    }
}
