//! A classifier as a safetensors file, so that it is trained once per data set.

use std::collections::HashMap;
use std::path::Path;

use durable_files::seal;
use models::MAXIMUM_WIDTH;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use super::Classifier;
use super::network::{Network, tensor_slots};
use crate::error::{EvaluationError, Result};

/// The only key of the file's metadata: safetensors keeps metadata in a hash
/// map, and one entry has one order.
const METADATA_KEY: &str = "latent_atlas";
const FORMAT: &str = "latent-atlas classifier 2";

/// Files from before there were seals.
const UNSEALED_FORMAT: &str = "latent-atlas classifier 1";

/// The entry `sha256` as it stands in the file: JSON in a string of JSON.
const SEAL: &str = r#"\"sha256\":\""#;

#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    format: String,
    widths: Vec<usize>,
    test_accuracy: Option<f64>,
    #[serde(default)]
    sha256: String,
}

impl Classifier {
    /// Writes the classifier: PyTorch names and layout (`classifier.0.weight`
    /// [out, in], …; indices count activations), widths and test accuracy in the
    /// metadata. The same classifier gives the same bytes; the file is replaced
    /// atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = |problem: String| EvaluationError::ClassifierFile {
            path: path.to_owned(),
            problem: format!("cannot be written ({problem}); check the folder and its free space"),
        };
        let metadata = Metadata {
            format: FORMAT.to_owned(),
            widths: self.network.widths(),
            test_accuracy: self.test_accuracy,
            sha256: seal::OPEN.to_owned(),
        };
        let metadata = serde_json::to_string(&metadata).map_err(|e| failed(e.to_string()))?;
        let mut tensors = Vec::new();
        for tensor in self.network.named_tensors() {
            let bytes = tensor.values.iter().flat_map(|v| v.to_le_bytes());
            tensors.push((tensor.name, tensor.shape, bytes.collect::<Vec<u8>>()));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        });
        let views: std::result::Result<Vec<_>, SafeTensorError> = views.collect();
        let entries = HashMap::from([(METADATA_KEY.to_owned(), metadata)]);
        let bytes = views.and_then(|views| serialize(views, Some(entries)));
        let mut bytes = bytes.map_err(|e| failed(e.to_string()))?;
        let whole = 0..bytes.len();
        seal::close_within(&mut bytes, whole, SEAL);
        durable_files::write(path, &bytes).map_err(|error| failed(error.to_string()))
    }

    /// Reads a file written by [`Classifier::save`].
    ///
    /// # Errors
    /// The file cannot be read, is no such file, or holds tensors that do not
    /// fit its widths or are not finite.
    pub fn load(path: &Path) -> Result<Self> {
        let wrong = |found: String| EvaluationError::ClassifierFile {
            path: path.to_owned(),
            problem: format!(
                "{}, expected a classifier written by this program; delete the file to train it anew",
                input_files::on_one_line(found)
            ),
        };
        let bytes = input_files::read(path).map_err(|e| wrong(format!("cannot be read ({e})")))?;
        let (_, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|e| wrong(format!("is not a safetensors file ({e})")))?;
        let metadata: Metadata = header
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(METADATA_KEY))
            .and_then(|text| serde_json::from_str(text).ok())
            .filter(|metadata: &Metadata| [FORMAT, UNSEALED_FORMAT].contains(&&*metadata.format))
            .ok_or_else(|| wrong("has no metadata of a classifier".to_owned()))?;
        match seal::check_within(&bytes, 0..bytes.len(), SEAL) {
            Ok(is_sealed) if is_sealed == (metadata.format == FORMAT) => {}
            _ => return Err(wrong(format!("is damaged: {}", seal::Damaged))),
        }
        let widths = &metadata.widths;
        if widths.len() < 3 || widths.iter().any(|&w| w == 0 || w > MAXIMUM_WIDTH) {
            return Err(wrong(format!("states the widths {widths:?}")));
        }
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|e| wrong(format!("is a damaged safetensors file ({e})")))?;
        // Shapes are compared before anything of the stated widths is allocated.
        let expected = tensor_slots(widths);
        let mut values = Vec::with_capacity(expected.len());
        for (name, shape) in &expected {
            let tensor = tensors
                .tensor(name)
                .map_err(|_| wrong(format!("lacks the tensor {name}")))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
                return Err(wrong(format!(
                    "holds {name} as {:?} {:?} instead of F32 {shape:?}",
                    tensor.dtype(),
                    tensor.shape()
                )));
            }
            let (quadruples, _) = tensor.data().as_chunks();
            let numbers = quadruples.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let numbers: Vec<f32> = numbers.collect();
            if !numbers.iter().all(|v| v.is_finite()) {
                return Err(wrong(format!("holds a NaN or infinity in {name}")));
            }
            values.push(numbers);
        }
        let mut network = Network::new(widths, 0);
        for (layer, pair) in network.layers.iter_mut().zip(values.chunks_exact(2)) {
            layer.panels().pack_transposed(&pair[0], &mut layer.weight);
            layer.bias[..layer.outputs].copy_from_slice(&pair[1]);
        }
        Ok(Self {
            network,
            test_accuracy: metadata.test_accuracy,
        })
    }
}
