//! A classifier as a safetensors file, so that it is trained once per data set.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use models::{AlignedBuffer, MAXIMUM_WIDTH};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use tensor_ops::panels::Panels;

use super::Classifier;
use super::network::Network;
use crate::error::{EvaluationError, Result};

/// The only key of the file's metadata: safetensors keeps metadata in a hash
/// map, and one entry has one order.
const METADATA_KEY: &str = "latent_atlas";
const FORMAT: &str = "latent-atlas classifier 1";

#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    format: String,
    widths: Vec<usize>,
    test_accuracy: Option<f64>,
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
        };
        let metadata = serde_json::to_string(&metadata).map_err(|e| failed(e.to_string()))?;
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .network
            .named_tensors()
            .into_iter()
            .map(|(name, shape, values)| {
                (
                    name,
                    shape,
                    values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                )
            })
            .collect();
        let views: std::result::Result<Vec<_>, _> = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view))
            })
            .collect();
        let bytes = views
            .and_then(|views| {
                serialize(
                    views,
                    Some(HashMap::from([(METADATA_KEY.to_owned(), metadata)])),
                )
            })
            .map_err(|e| failed(e.to_string()))?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.partial", std::process::id()));
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, path));
        written.map_err(|error| {
            // The first failure is the one to report.
            let _ = fs::remove_file(&temporary);
            failed(error.to_string())
        })
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
                "{found}, expected a classifier written by this program; delete the file to train it anew"
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
            .filter(|metadata: &Metadata| metadata.format == FORMAT)
            .ok_or_else(|| wrong("has no metadata of a classifier".to_owned()))?;
        let widths = &metadata.widths;
        if widths.len() < 3 || widths.iter().any(|&w| w == 0 || w > MAXIMUM_WIDTH) {
            return Err(wrong(format!("states the widths {widths:?}")));
        }
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|e| wrong(format!("is a damaged safetensors file ({e})")))?;
        // Shapes are compared before anything of the stated widths is allocated.
        let expected: Vec<(String, Vec<usize>)> = widths
            .windows(2)
            .enumerate()
            .flat_map(|(index, pair)| {
                [
                    (
                        format!("classifier.{}.weight", 2 * index),
                        vec![pair[1], pair[0]],
                    ),
                    (format!("classifier.{}.bias", 2 * index), vec![pair[1]]),
                ]
            })
            .collect();
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
            let numbers: Vec<f32> = tensor
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            if !numbers.iter().all(|v| v.is_finite()) {
                return Err(wrong(format!("holds a NaN or infinity in {name}")));
            }
            values.push(numbers);
        }
        let mut network = Network::new(widths, 0);
        for (layer, pair) in network.layers.iter_mut().zip(values.chunks_exact(2)) {
            let panels = Panels {
                rows: layer.inputs,
                cols: layer.outputs,
            };
            panels.pack_transposed(&pair[0], &mut layer.weight);
            let mut bias = AlignedBuffer::zeroed(layer.bias.len());
            bias[..layer.outputs].copy_from_slice(&pair[1]);
            layer.bias = bias;
        }
        Ok(Self {
            network,
            test_accuracy: metadata.test_accuracy,
        })
    }
}
