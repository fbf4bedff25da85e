//! Reading safetensors files.

use safetensors::tensor::{Dtype, SafeTensors};

use crate::tensor::{Number, Tensor, count};

/// The entry of the metadata by which files of this program are known.
const OWN: &str = "latent_atlas";

/// The tensors of a file, in the order of its data, and whether this program wrote it.
///
/// # Errors
/// What is wrong with the bytes, as the second half of a sentence.
pub(crate) fn read(bytes: &[u8]) -> Result<(Vec<Tensor>, bool), String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|error| format!("it is not a valid safetensors file ({error})"))?;
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("it is not a valid safetensors file ({error})"))?;
    let mut tensors = Vec::new();
    for name in metadata.offset_keys() {
        let view = file
            .tensor(&name)
            .map_err(|error| format!("it is not a valid safetensors file ({error})"))?;
        let shape = view.shape().to_vec();
        let number = match view.dtype() {
            Dtype::F16 => Some(Number::F16),
            Dtype::BF16 => Some(Number::Bf16),
            Dtype::F32 => Some(Number::F32),
            Dtype::F64 => Some(Number::F64),
            _ => None,
        };
        let values = match (number, count(&shape)) {
            (Some(number), Some(count))
                if Some(view.data().len()) == count.checked_mul(number.bytes()) =>
            {
                Some(number.decode(view.data()))
            }
            (Some(_), _) => {
                return Err(format!(
                    "its tensor {name} has {} bytes for the shape {shape:?}",
                    view.data().len()
                ));
            }
            (None, _) => None,
        };
        tensors.push(Tensor {
            name,
            shape,
            values,
        });
    }
    let entries = metadata.metadata().as_ref();
    let is_own = entries.is_some_and(|entries| entries.contains_key(OWN));
    Ok((tensors, is_own))
}
