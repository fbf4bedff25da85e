//! The header of NumPy's `.npy` format, written and read.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::io::{self, Read};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Headers of one or two axes are below 200 bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// `<f4`
    F32,
    /// `<f8`
    F64,
    /// `<i8`
    I64,
    /// `<U`: so many characters of four bytes.
    Text(usize),
}

impl Element {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 | Self::I64 => 8,
            Self::Text(length) => 4 * length,
        }
    }

    fn descriptor(self) -> String {
        match self {
            Self::F32 => "<f4".into(),
            Self::F64 => "<f8".into(),
            Self::I64 => "<i8".into(),
            Self::Text(length) => format!("<U{length}"),
        }
    }
}

/// The bytes before the elements of a row-major array.
pub(super) fn header(element: Element, shape: &[usize]) -> Vec<u8> {
    let mut sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    if shape.len() > 1 {
        sizes.truncate(sizes.len() - 2);
    } else {
        sizes.truncate(sizes.trim_end().len());
    }
    let mut text = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({sizes}), }}",
        element.descriptor()
    );
    // Elements begin at a multiple of 64; the header ends with a line feed.
    let before = MAGIC.len() + 4;
    let padding = (before + text.len() + 1).next_multiple_of(64) - before - text.len() - 1;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let length = u16::try_from(text.len()).expect("few axes take few digits");
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend(length.to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// Numbers of a `.npy` file as f32, and the sizes of their axes; `Err` holds
/// what is wrong, as "holds …, but …".
///
/// Memory follows what is there, not what the header promises.
pub(super) fn read_floats(reader: &mut impl Read) -> io::Result<Result<Floats, String>> {
    let mut start = [0; 8];
    if !fill(reader, &mut start)? || start[..6] != *MAGIC {
        return Ok(Err("is no .npy array".into()));
    }
    let mut length = [0; 4];
    let size = if start[6] == 1 { 2 } else { 4 };
    fill(reader, &mut length[..size])?;
    let length = u32::from_le_bytes(length) as usize;
    let mut text = vec![0; length.min(LONGEST_HEADER)];
    if length > LONGEST_HEADER || !fill(reader, &mut text)? {
        return Ok(Err("ends inside its header".into()));
    }
    let text = String::from_utf8_lossy(&text);
    let (element, shape) = match parse(&text) {
        Ok(parsed) => parsed,
        Err(problem) => return Ok(Err(problem)),
    };
    let expected = shape
        .iter()
        .try_fold(element.bytes(), |bytes, &size| bytes.checked_mul(size));
    let Some(expected) = expected else {
        return Ok(Err(format!("promises an array of {shape:?}, too many")));
    };
    let mut bytes = Vec::new();
    reader.take(expected as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() != expected {
        return Ok(Err(format!(
            "holds {} than the {expected} bytes of the {shape:?} array that its header promises",
            if bytes.len() < expected {
                "less"
            } else {
                "more"
            },
        )));
    }
    let values = match element {
        Element::F64 => bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&bytes| f64::from_le_bytes(bytes) as f32)
            .collect(),
        _ => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect(),
    };
    Ok(Ok(Floats { shape, values }))
}

/// An array of floats.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Floats {
    pub(super) shape: Vec<usize>,
    /// Row-major.
    pub(super) values: Vec<f32>,
}

fn fill(reader: &mut impl Read, target: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(target) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Element and sizes of a header's dictionary, whose three entries NumPy
/// writes in this very form.
fn parse(text: &str) -> Result<(Element, Vec<usize>), String> {
    let value_of = |key: &str| {
        let at = text.find(&format!("'{key}'"))? + key.len() + 2;
        text[at..]
            .trim_start()
            .strip_prefix(':')
            .map(str::trim_start)
    };
    let descriptor = value_of("descr")
        .and_then(|rest| rest.strip_prefix('\'')?.split('\'').next())
        .unwrap_or("no plain type");
    let element = match descriptor {
        "<f4" => Element::F32,
        "<f8" => Element::F64,
        _ => {
            // Whatever stands between two quotes of a damaged header.
            let descriptor: String = descriptor.chars().take(20).collect();
            let descriptor = descriptor.escape_debug();
            return Err(format!(
                "holds elements of type {descriptor}, but codes are floats (<f4 or <f8)"
            ));
        }
    };
    if !value_of("fortran_order").is_some_and(|rest| rest.starts_with("False")) {
        return Err(
            "holds an array in Fortran order, but rows are expected one after the other; save np.ascontiguousarray of it"
                .into(),
        );
    }
    let shape = shape_of(text).ok_or("has a header without a shape")?;
    Ok((element, shape))
}

/// The sizes of the axes that a header's dictionary promises, whatever the
/// elements.
pub(crate) fn shape_of(text: &str) -> Option<Vec<usize>> {
    let after = text.split_once("'shape'")?.1.trim_start();
    let sizes = after.strip_prefix(':')?.trim_start().strip_prefix('(')?;
    sizes
        .split(')')
        .next()?
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(element: Element, shape: &[usize], data: &[u8]) -> Vec<u8> {
        let mut bytes = header(element, shape);
        bytes.extend(data);
        bytes
    }

    #[test]
    fn headers_are_what_numpy_writes() {
        // np.lib.format.write_array of np.zeros((3, 2), "<f4").
        let bytes = header(Element::F32, &[3, 2]);
        assert_eq!(bytes.len(), 128);
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
        assert_eq!(bytes[..10], *b"\x93NUMPY\x01\x00\x76\x00");
        assert!(bytes[10..].starts_with(text.as_bytes()));
        assert!(bytes[10 + text.len()..127].iter().all(|&b| b == b' '));
        assert_eq!(bytes[127], b'\n');
        let vector = header(Element::Text(7), &[5]);
        let text = "{'descr': '<U7', 'fortran_order': False, 'shape': (5,), }";
        assert!(vector[10..].starts_with(text.as_bytes()));
    }

    #[test]
    fn floats_come_back() {
        let values = [1.5_f32, -2.0, 0.25, 8.0];
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let read = read_floats(&mut &file(Element::F32, &[2, 2], &data)[..]).unwrap();
        let expected = Floats {
            shape: vec![2, 2],
            values: values.to_vec(),
        };
        assert_eq!(read, Ok(expected.clone()));
        let data: Vec<u8> = values
            .iter()
            .flat_map(|&v| f64::from(v).to_le_bytes())
            .collect();
        let read = read_floats(&mut &file(Element::F64, &[2, 2], &data)[..]).unwrap();
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn damage_is_named_without_taking_its_word() {
        let whole = file(Element::F32, &[2, 2], &[0; 16]);
        for (bytes, expected) in [
            (whole[..whole.len() - 1].to_vec(), "less than the 16 bytes"),
            ([&whole[..], &[0]].concat(), "more than the 16 bytes"),
            (whole[..20].to_vec(), "inside its header"),
            (b"PK\x03\x04 no array".to_vec(), "no .npy array"),
            (Vec::new(), "no .npy array"),
            (file(Element::I64, &[1], &[0; 8]), "type <i8"),
            (
                file(Element::F32, &[usize::MAX / 8, 1], &[0; 16]),
                "less than",
            ),
            (file(Element::F32, &[usize::MAX, 9], &[]), "too many"),
        ] {
            let problem = read_floats(&mut &bytes[..]).unwrap().unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
