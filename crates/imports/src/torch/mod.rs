//! Reading the archives that PyTorch's `torch.save` writes: a zip file with a
//! pickle, which says what is where, and a file of numbers for each storage.
//!
//! The pickle is read by [`pickle`], which knows the few instructions that a
//! dictionary of tensors needs and runs no code; everything else is refused by its
//! name.

mod checkpoint;
mod globals;
mod pickle;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};

use zip::{CompressionMethod, ZipArchive};

use self::pickle::{Numbers, Reading, StoredTensor};
use crate::tensor::{Tensor, count};

/// What pickles begin with since protocol 2.
const PROTOCOL: u8 = 0x80;

/// Whether the bytes are a pickle outside of an archive, as versions before 1.6
/// wrote them.
pub(crate) fn is_bare_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [PROTOCOL, 2..=5, ..])
}

/// Why such a file is not read.
pub(crate) const BARE_PICKLE: &str = "it is a pickle outside of a zip archive, as PyTorch before version 1.6 and the pickle module write it, which is not read; load it where it was written, and save the weights with torch.save(model.state_dict(), \"model.pt\") of PyTorch 1.6 or later, or as safetensors";

/// The tensors of an archive, in the order of its dictionary, and what was decided
/// on the way, in sentences.
///
/// # Errors
/// What is wrong with the bytes, or what they hold instead of tensors, as the second
/// half of a sentence.
pub(crate) fn read(bytes: &[u8]) -> Result<(Vec<Tensor>, Vec<String>), String> {
    let damaged = |error: zip::result::ZipError| format!("it is a damaged zip archive ({error})");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let folder = folder_of_pickle(&archive)?;
    let entry = |name: &str| format!("{folder}{name}");
    let mut order = String::new();
    if let Ok(mut file) = archive.by_name(&entry("byteorder")) {
        let _ = file.by_ref().take(16).read_to_string(&mut order);
    }
    if order.trim() == "big" {
        return Err(
            "its numbers are big-endian; save it again on a machine whose processor is little-endian"
                .into(),
        );
    }
    let pickle = whole(&mut archive, &entry("data.pkl"), bytes)?;
    let reading = Reading::of(&pickle)?;
    let (named, notes) = checkpoint::tensors(&reading)?;
    let is_script = archive.index_for_name(&entry("constants.pkl")).is_some();
    if named.is_empty() && is_script {
        return Err("it is a TorchScript module; save its state_dict() instead".into());
    }
    require_room(&named, bytes.len())?;
    let keys: BTreeSet<&str> = named.iter().map(|(_, tensor)| &*tensor.storage).collect();
    let mut left = (bytes.len() as u64).saturating_sub(pickle.len() as u64);
    for key in keys {
        // One that is missing is told of where it is read.
        if let Ok(file) = archive.by_name(&entry(&format!("data/{key}"))) {
            // What is not packed lies in the file once, unless entries share bytes.
            left = left.checked_sub(file.size()).ok_or(
                "its entries are longer in all than the file; expected an archive as torch.save writes it, without compression and overlaps",
            )?;
        }
    }
    let mut storages: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut tensors = Vec::new();
    // Each storage is read once and dropped after its last tensor.
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, tensor) in &named {
        *uses.entry(&*tensor.storage).or_default() += 1;
    }
    for (name, tensor) in &named {
        let key = &*tensor.storage;
        let values = match tensor.numbers {
            Numbers::Others => None,
            Numbers::Floats(_) => {
                if !storages.contains_key(key) {
                    let content = whole(&mut archive, &entry(&format!("data/{key}")), bytes)?;
                    storages.insert(key, content);
                }
                Some(values(name, tensor, &storages[key])?)
            }
        };
        let left = uses.entry(key).or_default();
        *left = left.saturating_sub(1);
        if *left == 0 {
            storages.remove(key);
        }
        tensors.push(Tensor {
            name: name.clone(),
            shape: tensor.shape.clone(),
            values,
        });
    }
    Ok((tensors, notes))
}

/// The folder in the archive that holds `data.pkl`.
fn folder_of_pickle(archive: &ZipArchive<Cursor<&[u8]>>) -> Result<String, String> {
    let names: BTreeSet<&str> = archive.file_names().collect();
    if let Some(name) = names.iter().find(|name| name.ends_with("data.pkl")) {
        return Ok(name[..name.len() - "data.pkl".len()].to_owned());
    }
    if names.contains("model.weights.h5") || names.contains("config.json") {
        return Err(
            "it is an archive of Keras, whose weights are HDF5; write them as safetensors: safetensors.numpy.save_file({w.path: w.numpy() for w in model.weights}, \"model.safetensors\")"
                .into(),
        );
    }
    if names.iter().any(|name| name.ends_with(".npy")) {
        return Err(
            "it is an .npz archive; write its arrays as safetensors: safetensors.numpy.save_file(dict(numpy.load(\"file.npz\")), \"model.safetensors\")"
                .into(),
        );
    }
    Err("it is a zip archive without data.pkl; expected one that torch.save wrote".into())
}

/// The content of an entry, which torch.save stores as it is.
fn whole(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
    bytes: &[u8],
) -> Result<Vec<u8>, String> {
    let mut file = archive
        .by_name(name)
        .map_err(|error| format!("its entry {name} cannot be read ({error})"))?;
    // What is not packed is no longer than the file.
    if file.compression() != CompressionMethod::Stored || file.size() > bytes.len() as u64 {
        return Err(format!(
            "its entry {name} is packed; expected an archive as torch.save writes it, without compression"
        ));
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content)
        .map_err(|error| format!("its entry {name} cannot be read ({error})"))?;
    Ok(content)
}

/// Refuses tensors that have more values in all than the file has bytes: storages
/// may be shared, but not without end.
fn require_room(named: &[(String, StoredTensor)], bytes: usize) -> Result<(), String> {
    let mut total = 0_usize;
    for (name, tensor) in named {
        let values = count(&tensor.shape).and_then(|count| total.checked_add(count));
        total = values.filter(|&total| total <= bytes).ok_or_else(|| {
            format!("its tensor {name} claims more values than the file has bytes")
        })?;
    }
    Ok(())
}

/// The values of a tensor in row-major order, whatever its strides.
fn values(name: &str, tensor: &StoredTensor, storage: &[u8]) -> Result<Vec<f32>, String> {
    let Numbers::Floats(number) = tensor.numbers else {
        return Ok(Vec::new());
    };
    let size = number.bytes();
    let beyond = || {
        format!(
            "its tensor {name} lies outside of its storage of {} {}",
            storage.len() / size,
            number.name()
        )
    };
    let values = count(&tensor.shape).ok_or_else(beyond)?;
    if values == 0 {
        return Ok(Vec::new());
    }
    let dimensions = || tensor.shape.iter().zip(&tensor.strides);
    let last = dimensions().try_fold(tensor.offset, |last, (&size, &stride)| {
        last.checked_add((size - 1).checked_mul(stride)?)
    });
    let end = last
        .and_then(|last| last.checked_add(1)?.checked_mul(size))
        .filter(|&end| end <= storage.len())
        .ok_or_else(beyond)?;
    let mut expected = 1;
    let is_plain = dimensions().rev().all(|(&size, &stride)| {
        let is_next = size == 1 || stride == expected;
        expected *= size;
        is_next
    });
    if is_plain {
        return Ok(number.decode(&storage[tensor.offset * size..end]));
    }
    // The last index runs fastest.
    let mut bytes = Vec::with_capacity(values * size);
    let mut index = vec![0; tensor.shape.len()];
    let mut position = tensor.offset;
    for _ in 0..values {
        bytes.extend_from_slice(&storage[position * size..(position + 1) * size]);
        for axis in (0..index.len()).rev() {
            let stride = tensor.strides[axis];
            index[axis] += 1;
            position += stride;
            if index[axis] < tensor.shape[axis] {
                break;
            }
            position -= index[axis] * stride;
            index[axis] = 0;
        }
    }
    Ok(number.decode(&bytes))
}

#[cfg(test)]
mod tests;
