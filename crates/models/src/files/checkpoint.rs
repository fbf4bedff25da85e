//! Tensors and their metadata in safetensors files, written atomically and
//! byte-deterministically, read with every check.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use durable_files::seal;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use thiserror::Error;

use crate::images::standardisation::StandardisationError;
use crate::network::parameters::{NamedTensor, TensorError};
use crate::spec::SpecError;

/// Key of the one metadata entry of a file. The format's metadata is an
/// unordered map; a single entry holding sorted JSON keeps files
/// byte-deterministic.
const METADATA_KEY: &str = "latent_atlas";

/// The entry of the metadata that seals the file.
const SEAL_KEY: &str = "sha256";

/// That entry as it stands in the file: JSON in a string of JSON.
const SEAL: &str = r#"\"sha256\":\""#;

/// What the metadata entry `format` of sealed files ends with, and of those
/// from before there were seals.
const SEALED: &str = " 2";
const UNSEALED: &str = " 1";

/// A checkpoint that could not be written or read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a safetensors file, or a damaged one.
    #[error("{} is not a valid safetensors file ({reason}); expected one written by training", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        reason: String,
    },
    /// Bytes of the file have changed since it was written.
    #[error("{} is damaged: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What tells.
        source: seal::Damaged,
    },
    /// A metadata entry is missing or has no meaning here.
    #[error("{}: metadata {key:?} is {found}; expected {expected}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The entry.
        key: String,
        /// Its value, or "missing".
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The metadata describes no model.
    #[error("{}: {source}", path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// Which part.
        source: SpecError,
    },
    /// Means and deviations that nothing can be standardised by.
    #[error("{}: {source}", path.display())]
    Standardisation {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: StandardisationError,
    },
    /// A tensor does not fit the model.
    #[error("{}: {source}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Which tensor, and how.
        source: TensorError,
    },
}

/// What whoever trains keeps in the file of the state, by name: it is replaced
/// together with the state, so that no crash can part the two.
pub type Attachments = BTreeMap<String, Vec<u8>>;

/// What is attached to a state file, of any model.
///
/// # Errors
/// The file cannot be read, is no such file, or has changed.
pub fn read_attachments(path: &Path) -> Result<Attachments, CheckpointError> {
    Checkpoint::read(path)?.take_attachments(path)
}

/// What the names of their tensors begin with.
const ATTACHED: &str = "attached.";

/// The contents of a checkpoint file: tensors by name, and text metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Checkpoint {
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
}

/// A tensor as stored: little-endian bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredTensor {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl StoredTensor {
    pub(crate) fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self {
            dtype: Dtype::F32,
            shape,
            bytes,
        }
    }

    pub(crate) fn from_f64(values: &[f64]) -> Self {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self {
            dtype: Dtype::F64,
            shape: vec![values.len()],
            bytes,
        }
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            dtype: Dtype::U8,
            shape: vec![bytes.len()],
            bytes,
        }
    }

    pub(crate) fn from_u64(values: &[u64]) -> Self {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self {
            dtype: Dtype::U64,
            shape: vec![values.len()],
            bytes,
        }
    }
}

impl Checkpoint {
    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes().map_err(|reason| CheckpointError::Write {
            path: path.to_owned(),
            source: io::Error::other(reason),
        })?;
        durable_files::write(path, &bytes).map_err(|source| CheckpointError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads and parses a whole file.
    pub(crate) fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = input_files::read(path).map_err(|source| CheckpointError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut checkpoint =
            Self::from_bytes(&bytes).map_err(|reason| CheckpointError::Format {
                path: path.to_owned(),
                reason: input_files::on_one_line(reason),
            })?;
        let is_sealed = seal::check_within(&bytes, header(&bytes), SEAL);
        let of_sealed = checkpoint
            .metadata
            .get("format")
            .is_some_and(|format| !format.ends_with(UNSEALED));
        let damaged = match is_sealed {
            Err(damaged) => Some(damaged),
            // An entry that seals has changed into another one.
            Ok(false) if of_sealed => Some(seal::Damaged),
            Ok(_) => None,
        };
        if let Some(source) = damaged {
            return Err(CheckpointError::Damaged {
                path: path.to_owned(),
                source,
            });
        }
        checkpoint.metadata.remove(SEAL_KEY);
        Ok(checkpoint)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let mut metadata = self.metadata.clone();
        metadata.insert(SEAL_KEY.to_owned(), seal::OPEN.to_owned());
        let json = serde_json::to_string(&metadata).map_err(|error| error.to_string())?;
        let views = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
                view.map(|view| (name.as_str(), view))
                    .map_err(|error| error.to_string())
            })
            .collect::<Result<Vec<_>, _>>()?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
        let mut bytes =
            safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())?;
        let header = header(&bytes);
        seal::close_within(&mut bytes, header, SEAL);
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let metadata = match header
            .metadata()
            .as_ref()
            .and_then(|map| map.get(METADATA_KEY))
        {
            Some(json) => {
                serde_json::from_str(json).map_err(|error| format!("metadata: {error}"))?
            }
            None => BTreeMap::new(),
        };
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let tensors = file
            .iter()
            .map(|(name, view)| {
                let tensor = StoredTensor {
                    dtype: view.dtype(),
                    shape: view.shape().to_vec(),
                    bytes: view.data().to_vec(),
                };
                (name.to_owned(), tensor)
            })
            .collect();
        Ok(Self { metadata, tensors })
    }

    /// A metadata entry, parsed.
    pub(crate) fn entry<V: std::str::FromStr>(
        &self,
        path: &Path,
        key: &str,
        expected: &str,
    ) -> Result<V, CheckpointError> {
        let found = self.metadata.get(key);
        found
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| CheckpointError::Metadata {
                path: path.to_owned(),
                key: key.to_owned(),
                found: found.map_or("missing".to_owned(), |text| format!("{text:?}")),
                expected: expected.to_owned(),
            })
    }

    /// Checks the metadata entry `format`: which of those files are called,
    /// without the version, the usual name first.
    pub(crate) fn require_format<const N: usize>(
        &self,
        path: &Path,
        names: [&str; N],
    ) -> Result<usize, CheckpointError> {
        let expected = sealed(names[0]);
        let found: String = self.entry(path, "format", &expected)?;
        let is_called = |name: &str| found == sealed(name) || found == format!("{name}{UNSEALED}");
        let position = names.into_iter().position(is_called);
        position.ok_or_else(|| CheckpointError::Metadata {
            path: path.to_owned(),
            key: "format".to_owned(),
            found: format!("{found:?}"),
            expected: format!("{expected:?}"),
        })
    }

    /// Takes the tensors whose name starts with `prefix`, prefix removed.
    pub(crate) fn take_f32(
        &mut self,
        path: &Path,
        prefix: &str,
    ) -> Result<Vec<NamedTensor<f32>>, CheckpointError> {
        let names: Vec<String> = self
            .tensors
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect();
        names
            .into_iter()
            .map(|name| {
                let tensor = self.take(path, &name, Dtype::F32)?;
                let values = tensor
                    .bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect();
                Ok(NamedTensor {
                    name: name[prefix.len()..].to_owned(),
                    shape: tensor.shape,
                    values,
                })
            })
            .collect()
    }

    /// Takes a vector of `u64` of the given length.
    pub(crate) fn take_u64<const N: usize>(
        &mut self,
        path: &Path,
        name: &str,
    ) -> Result<[u64; N], CheckpointError> {
        let tensor = self.take(path, name, Dtype::U64)?;
        let values: Vec<u64> = tensor
            .bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| u64::from_le_bytes(*bytes))
            .collect();
        values
            .try_into()
            .map_err(|_| wrong_length::<N>(path, name, tensor.shape))
    }

    /// Takes a vector of `f64` of the given length.
    pub(crate) fn take_f64<const N: usize>(
        &mut self,
        path: &Path,
        name: &str,
    ) -> Result<[f64; N], CheckpointError> {
        let tensor = self.take(path, name, Dtype::F64)?;
        let values: Vec<f64> = tensor
            .bytes
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect();
        values
            .try_into()
            .map_err(|_| wrong_length::<N>(path, name, tensor.shape))
    }

    /// Adds what belongs to whoever keeps the file.
    pub(crate) fn put_attachments(&mut self, attachments: &Attachments) {
        let named = attachments.iter().map(|(name, bytes)| {
            let tensor = StoredTensor::from_bytes(bytes.clone());
            (format!("{ATTACHED}{name}"), tensor)
        });
        self.tensors.extend(named);
    }

    /// Takes it back.
    pub(crate) fn take_attachments(&mut self, path: &Path) -> Result<Attachments, CheckpointError> {
        let names: Vec<String> = self
            .tensors
            .keys()
            .filter_map(|name| name.strip_prefix(ATTACHED))
            .map(ToOwned::to_owned)
            .collect();
        names
            .into_iter()
            .map(|name| {
                let tensor = self.take(path, &format!("{ATTACHED}{name}"), Dtype::U8)?;
                Ok((name, tensor.bytes))
            })
            .collect()
    }

    /// Refuses tensors that nothing took.
    pub(crate) fn finish(self, path: &Path) -> Result<(), CheckpointError> {
        match self.tensors.into_keys().next() {
            Some(name) => Err(tensor_error(path, TensorError::Unexpected(name))),
            None => Ok(()),
        }
    }

    fn take(
        &mut self,
        path: &Path,
        name: &str,
        dtype: Dtype,
    ) -> Result<StoredTensor, CheckpointError> {
        let missing = || TensorError::Missing {
            name: name.to_owned(),
            expected: Vec::new(),
        };
        let tensor = self
            .tensors
            .remove(name)
            .ok_or_else(|| tensor_error(path, missing()))?;
        if tensor.dtype == dtype {
            return Ok(tensor);
        }
        Err(CheckpointError::Format {
            path: path.to_owned(),
            reason: format!("tensor {name} holds {}, expected {dtype}", tensor.dtype),
        })
    }
}

pub(crate) fn tensor_error(path: &Path, source: TensorError) -> CheckpointError {
    CheckpointError::Tensor {
        path: path.to_owned(),
        source,
    }
}

fn wrong_length<const N: usize>(path: &Path, name: &str, found: Vec<usize>) -> CheckpointError {
    tensor_error(
        path,
        TensorError::Shape {
            name: name.to_owned(),
            found,
            expected: vec![N],
        },
    )
}

/// The metadata entry `format` of files called `name`.
pub(crate) fn sealed(name: &str) -> String {
    format!("{name}{SEALED}")
}

/// Where the header of a safetensors file is: after its length, 8 bytes.
fn header(bytes: &[u8]) -> Range<usize> {
    const LENGTH_BYTES: usize = 8;
    let length = bytes
        .first_chunk()
        .map_or(0, |length| u64::from_le_bytes(*length));
    let end = (length as usize).saturating_add(LENGTH_BYTES);
    LENGTH_BYTES.min(bytes.len())..end.min(bytes.len())
}
