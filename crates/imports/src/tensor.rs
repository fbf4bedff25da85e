//! Tensors as a file names them, and the numbers they are read from.

use std::fmt::Write as _;

use half::{bf16, f16};

/// A tensor of a file under its own name.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name there.
    pub name: String,
    /// Its shape there; empty of a single number.
    pub shape: Vec<usize>,
    /// Its values in row-major order; `None` of numbers that are no weights, such as
    /// counts.
    pub values: Option<Vec<f32>>,
}

/// Numbers that weights are stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    F16,
    Bf16,
    F32,
    F64,
}

impl Number {
    /// Bytes of one.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F16 => "16-bit floats",
            Self::Bf16 => "bfloat16",
            Self::F32 => "32-bit floats",
            Self::F64 => "64-bit floats",
        }
    }

    /// The numbers of little-endian bytes, which are whole numbers of them.
    pub(crate) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F16 => decode(bytes, |two| f16::from_le_bytes(two).to_f32()),
            Self::Bf16 => decode(bytes, |two| bf16::from_le_bytes(two).to_f32()),
            Self::F32 => decode(bytes, f32::from_le_bytes),
            Self::F64 => decode(bytes, |eight| f64::from_le_bytes(eight) as f32),
        }
    }
}

fn decode<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&chunk| number(chunk)).collect()
}

/// The number of values of a shape; `None` where memory could not count them.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |count, &size| count.checked_mul(size))
}

/// `400×784`, or `one number`.
pub(crate) fn shown(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "one number".into();
    }
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    sizes.join("×")
}

/// All tensors with their shapes, as a message lists them.
pub(crate) fn list(tensors: &[Tensor]) -> String {
    /// More tell no more.
    const MOST: usize = 40;

    let mut text = String::new();
    for (index, tensor) in tensors.iter().take(MOST).enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let _ = write!(text, "{comma}{} {}", tensor.name, shown(&tensor.shape));
    }
    if tensors.len() > MOST {
        let _ = write!(text, " and {} more", tensors.len() - MOST);
    }
    if text.is_empty() {
        text.push_str("none");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_read_as_what_it_is() {
        let values = [1.5_f32, -0.25, 65_504.0, 0.0];
        let f16s = values.map(|value| f16::from_f32(value).to_le_bytes());
        assert_eq!(Number::F16.decode(f16s.as_flattened()), values);
        let bf16s = values[..2]
            .iter()
            .flat_map(|&value| bf16::from_f32(value).to_le_bytes());
        assert_eq!(Number::Bf16.decode(&bf16s.collect::<Vec<_>>()), values[..2]);
        let f32s = values.map(f32::to_le_bytes);
        assert_eq!(Number::F32.decode(f32s.as_flattened()), values);
        let f64s = values.map(|value| f64::from(value).to_le_bytes());
        assert_eq!(Number::F64.decode(f64s.as_flattened()), values);
        for number in [Number::F16, Number::Bf16, Number::F32, Number::F64] {
            assert_eq!(number.decode(&[0; 16]).len(), 16 / number.bytes());
        }
    }

    #[test]
    fn shapes_are_counted_and_listed() {
        assert_eq!(count(&[]), Some(1));
        assert_eq!(count(&[3, 4]), Some(12));
        assert_eq!(count(&[usize::MAX, 2]), None);
        let of = |name: &str, shape: &[usize]| Tensor {
            name: name.into(),
            shape: shape.into(),
            values: None,
        };
        assert_eq!(
            list(&[of("a", &[2, 3]), of("b", &[])]),
            "a 2×3, b one number"
        );
        assert_eq!(list(&[]), "none");
        assert!(list(&vec![of("a", &[1]); 43]).ends_with(" and 3 more"));
    }
}
