//! Numbers in a shape, whichever way a file holds them.

use half::{bf16, f16};

use crate::error::Error;
use crate::proto::{TensorProto, data_type};

/// A named constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name; may be empty.
    pub name: String,
    /// Its sizes, slowest first; none for a single number.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order, as many as the product of the sizes.
    pub elements: Elements,
}

/// The numbers of a [`Tensor`].
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// FLOAT as it is; FLOAT16 and BFLOAT16, which are exact in 32 bits; DOUBLE
    /// rounded to them.
    Floats(Vec<f32>),
    /// INT64, and INT32 widened.
    Integers(Vec<i64>),
    /// Another type, by its number in `onnx.proto`; the content is skipped.
    Other(i32),
}

impl Tensor {
    /// The numbers, if they are floats.
    #[must_use]
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.elements {
            Elements::Floats(values) => Some(values),
            Elements::Integers(_) | Elements::Other(_) => None,
        }
    }

    /// The numbers, if they are whole.
    #[must_use]
    pub fn integers(&self) -> Option<&[i64]> {
        match &self.elements {
            Elements::Integers(values) => Some(values),
            Elements::Floats(_) | Elements::Other(_) => None,
        }
    }

    /// The message of it, with its numbers as bytes.
    pub(crate) fn written(self) -> TensorProto {
        let (data_type, raw_data) = match self.elements {
            Elements::Floats(values) => {
                let raw = values.iter().flat_map(|value| value.to_le_bytes());
                (data_type::FLOAT, Some(raw.collect()))
            }
            Elements::Integers(values) => {
                let raw = values.iter().flat_map(|value| value.to_le_bytes());
                (data_type::INT64, Some(raw.collect()))
            }
            Elements::Other(number) => (number, None),
        };
        TensorProto {
            name: Some(self.name),
            dims: self.shape.iter().map(|&size| size as i64).collect(),
            data_type: Some(data_type),
            raw_data,
            ..TensorProto::default()
        }
    }

    pub(crate) fn read(mut proto: TensorProto) -> Result<Self, Error> {
        let name = proto.name.take().unwrap_or_default();
        let wrong = |reason: String| Error::Tensor {
            name: name.clone(),
            reason,
        };
        if proto.data_location == Some(1) {
            let location = |entry: &&_| {
                let entry: &crate::proto::StringStringEntryProto = entry;
                entry.key.as_deref() == Some("location")
            };
            let entry = proto.external_data.iter().find(location);
            let file = entry.and_then(|entry| entry.value.as_deref());
            return Err(wrong(format!(
                "is kept in the file {} beside the model; expected its numbers in the model, as torch.onnx.export writes them with external_data=False, or onnx.save with save_as_external_data=False",
                file.unwrap_or("that is not named").escape_debug()
            )));
        }
        let sizes = proto.dims.iter().map(|&size| usize::try_from(size).ok());
        let product = |product: usize, size: &usize| product.checked_mul(*size);
        let shape = sizes.collect::<Option<Vec<_>>>();
        let of_shape = shape
            .and_then(|shape| Some((shape.iter().try_fold(1, product)?, shape)))
            .filter(|(count, _)| *count <= i32::MAX as usize);
        let Some((count, shape)) = of_shape else {
            return Err(wrong(format!(
                "has the shape {:?}; expected sizes whose product is at most 2147483647",
                proto.dims.iter().take(8).collect::<Vec<_>>()
            )));
        };
        let elements = Elements::read(proto);
        let found = match &elements {
            Ok(Elements::Floats(values)) => values.len(),
            Ok(Elements::Integers(values)) => values.len(),
            Ok(Elements::Other(_)) => count,
            Err(length) => {
                return Err(wrong(format!(
                    "has {length} bytes of numbers; expected a whole number of them for the {count} of its shape"
                )));
            }
        };
        if found != count {
            return Err(wrong(format!(
                "has {found} numbers; expected the {count} of its shape {shape:?}"
            )));
        }
        let elements = elements.unwrap_or(Elements::Other(0));
        Ok(Self {
            name,
            shape,
            elements,
        })
    }
}

impl Elements {
    /// The numbers of a tensor; the length of bytes that are no whole number of
    /// them.
    fn read(proto: TensorProto) -> Result<Self, usize> {
        let raw = proto.raw_data.filter(|bytes| !bytes.is_empty());
        let bits = |values: Vec<i32>| values.into_iter().map(|bits| bits as u16);
        Ok(match (proto.data_type.unwrap_or_default(), raw) {
            (data_type::FLOAT, None) => Self::Floats(proto.float_data),
            (data_type::FLOAT, Some(raw)) => Self::Floats(each(&raw, f32::from_le_bytes)?),
            (data_type::DOUBLE, None) => {
                let values = proto.double_data.into_iter();
                Self::Floats(values.map(|value| value as f32).collect())
            }
            (data_type::DOUBLE, Some(raw)) => {
                Self::Floats(each(&raw, |bytes| f64::from_le_bytes(bytes) as f32)?)
            }
            (data_type::FLOAT16, None) => {
                let values = bits(proto.int32_data).map(f16::from_bits);
                Self::Floats(values.map(f16::to_f32).collect())
            }
            (data_type::FLOAT16, Some(raw)) => {
                Self::Floats(each(&raw, |bytes| f16::from_le_bytes(bytes).to_f32())?)
            }
            (data_type::BFLOAT16, None) => {
                let values = bits(proto.int32_data).map(bf16::from_bits);
                Self::Floats(values.map(bf16::to_f32).collect())
            }
            (data_type::BFLOAT16, Some(raw)) => {
                Self::Floats(each(&raw, |bytes| bf16::from_le_bytes(bytes).to_f32())?)
            }
            (data_type::INT64, None) => Self::Integers(proto.int64_data),
            (data_type::INT64, Some(raw)) => Self::Integers(each(&raw, i64::from_le_bytes)?),
            (data_type::INT32, None) => {
                Self::Integers(proto.int32_data.into_iter().map(i64::from).collect())
            }
            (data_type::INT32, Some(raw)) => {
                Self::Integers(each(&raw, |bytes| i32::from_le_bytes(bytes).into())?)
            }
            (other, _) => Self::Other(other),
        })
    }
}

/// Every number of some bytes.
fn each<const SIZE: usize, T>(raw: &[u8], read: impl Fn([u8; SIZE]) -> T) -> Result<Vec<T>, usize> {
    let (numbers, rest) = raw.as_chunks::<SIZE>();
    if !rest.is_empty() {
        return Err(raw.len());
    }
    Ok(numbers.iter().map(|&bytes| read(bytes)).collect())
}
