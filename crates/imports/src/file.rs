//! What a file is, by its first bytes.

use std::fmt;
use std::path::Path;

use datasets::sha256_hex;

use crate::error::ImportError;
use crate::graph::Graph;
use crate::onnx_file;
use crate::safetensors_file;
use crate::tensor::Tensor;
use crate::torch;

/// Of a file, with what is no part of the model.
const MOST_TENSORS: usize = 4096;

/// A format of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A header in JSON, then numbers.
    Safetensors,
    /// A zip archive of `torch.save`.
    Torch,
    /// A graph of operators.
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::Torch => "PyTorch",
            Self::Onnx => "ONNX",
        })
    }
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Its format.
    pub format: Format,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// What was decided on the way, in sentences.
    pub notes: Vec<String>,
    pub(crate) weights: Weights,
    /// Whether this program wrote it.
    pub(crate) is_own: bool,
}

/// The weights of a file.
#[derive(Clone, Debug)]
pub(crate) enum Weights {
    /// Under their names.
    Tensors(Vec<Tensor>),
    /// As a graph uses them.
    Graph(Box<Graph>),
}

impl Contents {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is of another format, or is damaged.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let bytes = input_files::read(path).map_err(|source| ImportError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::of(&bytes).map_err(|reason| ImportError::Format {
            path: path.to_owned(),
            reason,
        })
    }

    /// The contents of bytes.
    ///
    /// # Errors
    /// What is wrong with them, as the second half of a sentence.
    fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut notes = Vec::new();
        let mut is_own = false;
        let format = format(bytes)?;
        let weights = match format {
            Format::Safetensors => {
                let (tensors, is_ours) = safetensors_file::read(bytes)?;
                is_own = is_ours;
                Weights::Tensors(tensors)
            }
            Format::Torch => {
                let (tensors, decided) = torch::read(bytes)?;
                notes = decided;
                Weights::Tensors(tensors)
            }
            Format::Onnx => Weights::Graph(Box::new(onnx_file::read(bytes)?)),
        };
        if let Weights::Tensors(tensors) = &weights
            && tensors.len() > MOST_TENSORS
        {
            return Err(format!(
                "it has {} tensors; expected a network of dense layers, which has at most {MOST_TENSORS}",
                tensors.len()
            ));
        }
        Ok(Self {
            format,
            sha256: sha256_hex(bytes),
            notes,
            weights,
            is_own,
        })
    }
}

/// The format of bytes.
fn format(bytes: &[u8]) -> Result<Format, String> {
    if bytes.is_empty() {
        return Err("it is empty; expected safetensors, an archive of torch.save, or ONNX".into());
    }
    // First: the length of a header may be the first bytes of the others.
    let header = bytes
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length));
    let is_header = header.is_some_and(|length| length < bytes.len() as u64);
    if is_header && bytes.get(8) == Some(&b'{') {
        return Ok(Format::Safetensors);
    }
    if bytes.starts_with(b"PK") {
        return Ok(Format::Torch);
    }
    if torch::is_bare_pickle(bytes) {
        return Err(torch::BARE_PICKLE.into());
    }
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Err(
            "it is HDF5, as Keras writes weights, which is not read; write them as safetensors: safetensors.numpy.save_file({w.path: w.numpy() for w in model.weights}, \"model.safetensors\")"
                .into(),
        );
    }
    // A message begins with its first field: the version of the format, a small number.
    if bytes[0] == 0x08 {
        return Ok(Format::Onnx);
    }
    Err(
        "it is neither safetensors nor an archive of torch.save nor ONNX; expected one of these"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_no_more_tensors_than_a_network_can() {
        let of = |count: usize| {
            let entry = |index| {
                format!(r#""{index}.weight":{{"dtype":"F32","shape":[1,0],"data_offsets":[0,0]}}"#)
            };
            let entries: Vec<String> = (0..count).map(entry).collect();
            let header = format!("{{{}}}", entries.join(","));
            let length = (header.len() as u64).to_le_bytes();
            Contents::of(&[&length[..], header.as_bytes()].concat())
        };
        of(MOST_TENSORS).expect("as many as may be");
        let reason = of(MOST_TENSORS + 1).unwrap_err();
        assert!(reason.contains("it has 4097 tensors"), "{reason}");
    }

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        assert_eq!(format(b"PK\x03\x04"), Ok(Format::Torch));
        let long = [&b"\x80\x02\0\0\0\0\0\0{"[..], &[b' '; 0x280]].concat();
        assert_eq!(format(&long), Ok(Format::Safetensors));
        assert_eq!(format(b"\x02\0\0\0\0\0\0\0{} "), Ok(Format::Safetensors));
        assert_eq!(format(b"\x08\x08"), Ok(Format::Onnx));
        for (bytes, expected) in [
            (&b""[..], "it is empty"),
            (b"\x80\x02\x8a\x0al", "before version 1.6"),
            (b"\x89HDF\r\n\x1a\n", "safetensors.numpy"),
            (b"\xff\xff", "neither safetensors"),
        ] {
            let reason = format(bytes).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
