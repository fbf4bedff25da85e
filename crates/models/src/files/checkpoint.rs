//! Tensors and their metadata in safetensors files, written atomically and
//! byte-deterministically, read with every check.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use durable_files::seal;
use safetensors::SafeTensorError;
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
    /// A file that is whole, of other contents than were expected.
    #[error("{}: {source}", path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: ContentsError,
    },
}

/// What a file holds that does not fit whoever reads it.
#[derive(Debug, Error)]
pub enum ContentsError {
    /// A metadata entry is missing or has no meaning here.
    #[error("metadata {key:?} is {found}; expected {expected}")]
    Metadata {
        /// The entry.
        key: String,
        /// Its value, or "missing".
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The metadata describes no model.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Means and deviations that nothing can be standardised by.
    #[error(transparent)]
    Standardisation(#[from] StandardisationError),
    /// A tensor does not fit the model.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl ContentsError {
    pub(crate) fn metadata(key: &str, found: impl Into<String>, expected: &str) -> Self {
        Self::Metadata {
            key: key.to_owned(),
            found: found.into(),
            expected: expected.to_owned(),
        }
    }
}

/// What whoever trains keeps in the file of the state, by name: it is replaced
/// together with the state, so that no crash can part the two.
pub type Attachments = BTreeMap<String, Vec<u8>>;

/// What is attached to a state file, of any model.
///
/// # Errors
/// The file cannot be read, is no such file, or has changed.
pub fn read_attachments(path: &Path) -> Result<Attachments, CheckpointError> {
    Checkpoint::read(path, |mut state| state.take_attachments())
}

/// What the names of their tensors begin with.
const ATTACHED: &str = "attached.";

/// The contents of a checkpoint file: tensors by name, and text metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Checkpoint {
    pub(crate) metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, StoredTensor>,
}

/// A tensor as stored: little-endian bytes.
#[derive(Clone, Debug, PartialEq)]
struct StoredTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Numbers that a tensor can be of.
pub(crate) trait Element: Sized {
    const DTYPE: Dtype;
    fn to_bytes(values: &[Self]) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! elements {
    ($($type:ty => $dtype:ident,)+) => {$(
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$dtype;

            fn to_bytes(values: &[Self]) -> Vec<u8> {
                values.iter().flat_map(|value| value.to_le_bytes()).collect()
            }

            fn from_bytes(bytes: &[u8]) -> Vec<Self> {
                let values = bytes.as_chunks().0.iter();
                values.map(|bytes| Self::from_le_bytes(*bytes)).collect()
            }
        }
    )+};
}

elements! {
    u8 => U8,
    u64 => U64,
    f32 => F32,
    f64 => F64,
}

impl Checkpoint {
    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes();
        let written = bytes.and_then(|bytes| durable_files::write(path, &bytes));
        written.map_err(|source| CheckpointError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads and parses a whole file, and hands it to `take`.
    pub(crate) fn read<R>(
        path: &Path,
        take: impl FnOnce(Self) -> Result<R, ContentsError>,
    ) -> Result<R, CheckpointError> {
        let owned = || path.to_owned();
        let bytes = input_files::read(path).map_err(|source| CheckpointError::Read {
            path: owned(),
            source,
        })?;
        let mut checkpoint =
            Self::from_bytes(&bytes).map_err(|reason| CheckpointError::Format {
                path: owned(),
                reason: input_files::on_one_line(reason),
            })?;
        let format = checkpoint.metadata.get("format");
        let of_sealed = format.is_some_and(|format| !format.ends_with(UNSEALED));
        let is_sealed = seal::check_within(&bytes, header(&bytes), SEAL);
        is_sealed
            .and_then(|is_sealed| {
                // An entry that seals has changed into another one.
                let is_whole = is_sealed || !of_sealed;
                is_whole.then_some(()).ok_or(seal::Damaged)
            })
            .map_err(|source| CheckpointError::Damaged {
                path: owned(),
                source,
            })?;
        checkpoint.metadata.remove(SEAL_KEY);
        // No need for room for both the file and what is made of it.
        drop(bytes);
        take(checkpoint).map_err(|source| CheckpointError::Contents {
            path: owned(),
            source,
        })
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut metadata = self.metadata.clone();
        metadata.insert(SEAL_KEY.to_owned(), seal::OPEN.to_owned());
        let json = serde_json::to_string(&metadata)?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
        let views = self.tensors.iter().map(|(name, tensor)| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes)?;
            Ok((name, view))
        });
        let views: Result<Vec<_>, SafeTensorError> = views.collect();
        let bytes = views.and_then(|views| safetensors::serialize(views, Some(metadata)));
        let mut bytes = bytes.map_err(io::Error::other)?;
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
    pub(crate) fn entry<V: FromStr>(&self, key: &str, expected: &str) -> Result<V, ContentsError> {
        let found = self.metadata.get(key);
        let value = found.and_then(|text| text.parse().ok());
        value.ok_or_else(|| {
            let found = found.map_or("missing".to_owned(), |text| format!("{text:?}"));
            ContentsError::metadata(key, found, expected)
        })
    }

    /// Checks the metadata entry `format`, and gives which of two names it has,
    /// without the version; the first is the usual one.
    pub(crate) fn require_format(&self, names: [&str; 2]) -> Result<usize, ContentsError> {
        let expected = sealed(names[0]);
        let found: String = self.entry("format", &expected)?;
        let is_called = |name: &str| found == sealed(name) || found == format!("{name}{UNSEALED}");
        let position = names.into_iter().position(is_called);
        position.ok_or_else(|| {
            ContentsError::metadata("format", format!("{found:?}"), &format!("{expected:?}"))
        })
    }

    /// Adds a tensor.
    pub(crate) fn put<E: Element>(&mut self, name: String, shape: Vec<usize>, values: &[E]) {
        let tensor = StoredTensor {
            dtype: E::DTYPE,
            shape,
            bytes: E::to_bytes(values),
        };
        self.tensors.insert(name, tensor);
    }

    /// Adds a vector.
    pub(crate) fn put_vector<E: Element>(&mut self, name: impl Into<String>, values: &[E]) {
        self.put(name.into(), vec![values.len()], values);
    }

    /// Takes the tensors whose name starts with `prefix`, prefix removed.
    pub(crate) fn take_all<E: Element>(
        &mut self,
        prefix: &str,
    ) -> Result<Vec<NamedTensor<E>>, ContentsError> {
        let of_prefix = |name: &String, _: &mut _| name.starts_with(prefix);
        let taken = self.tensors.extract_if(.., of_prefix);
        taken
            .map(|(name, tensor)| {
                Ok(NamedTensor {
                    values: tensor.values(&name)?,
                    name: name[prefix.len()..].to_owned(),
                    shape: tensor.shape,
                })
            })
            .collect()
    }

    /// Takes a vector of the given length.
    pub(crate) fn take_vector<E: Element>(
        &mut self,
        name: &str,
        len: usize,
    ) -> Result<Vec<E>, ContentsError> {
        let (name, expected) = (name.to_owned(), vec![len]);
        let Some(tensor) = self.tensors.remove(&name) else {
            return Err(TensorError::Missing { name, expected }.into());
        };
        let values = tensor.values(&name)?;
        if tensor.shape != expected {
            let found = tensor.shape;
            return Err(TensorError::Shape {
                name,
                found,
                expected,
            }
            .into());
        }
        Ok(values)
    }

    /// Takes a vector of as many numbers as are asked for.
    pub(crate) fn take_array<E: Element, const N: usize>(
        &mut self,
        name: &str,
    ) -> Result<[E; N], ContentsError> {
        match self.take_vector(name, N)?.try_into() {
            Ok(values) => Ok(values),
            Err(_) => unreachable!("a vector has the length it was taken with"),
        }
    }

    /// The names of the tensors left that start with `prefix`.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        let names = self.tensors.keys();
        names
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Adds what belongs to whoever keeps the file.
    pub(crate) fn put_attachments(&mut self, attachments: &Attachments) {
        for (name, bytes) in attachments {
            self.put_vector(format!("{ATTACHED}{name}"), bytes);
        }
    }

    /// Takes it back.
    pub(crate) fn take_attachments(&mut self) -> Result<Attachments, ContentsError> {
        let taken = self.take_all(ATTACHED)?.into_iter();
        Ok(taken.map(|tensor| (tensor.name, tensor.values)).collect())
    }

    /// Refuses tensors that nothing took.
    pub(crate) fn finish(self) -> Result<(), ContentsError> {
        match self.tensors.into_keys().next() {
            Some(name) => Err(TensorError::Unexpected(name).into()),
            None => Ok(()),
        }
    }
}

impl StoredTensor {
    /// Its values, of the tensor called `name`.
    fn values<E: Element>(&self, name: &str) -> Result<Vec<E>, TensorError> {
        if self.dtype == E::DTYPE {
            return Ok(E::from_bytes(&self.bytes));
        }
        Err(TensorError::Type {
            name: name.to_owned(),
            found: self.dtype.to_string(),
            expected: E::DTYPE.to_string(),
        })
    }
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
