//! Encoder and decoder as two files that ONNX Runtime and its like run.
//!
//! | file | takes | gives |
//! |---|---|---|
//! | `encoder.onnx` | `x` `[n, inputs]` | `mu` `[n, latent]`, the code where there is no posterior; of a VAE `log_var` `[n, latent]`, log σ² whichever scale the network computes |
//! | `decoder.onnx` | `z` `[n, latent]` | `x` `[n, inputs]`, the mean of every value; where the likelihood has a σ, given or learned, `sigma` `[n, inputs]` |
//!
//! All are 32-bit floats, and n is free. Values are as the run read them: bytes as
//! b / 255, after `--maximum`, `--invert` and resizing, which the file's properties say.
//! Standardising and its inverse are in the graphs. Of two stochastic layers `mu` and `log_var` are those of the upper
//! one along the mean of the lower, and the decoder goes along the mean of
//! p(h₁|h₂).
//!
//! Constants have the names of `model.safetensors`. The files are of IR version 4
//! and operator set 9 (ONNX 1.4, January 2019), the oldest that suffice: in earlier
//! IR versions every constant is an input too, and earlier operators have no
//! `Where`, by which the mean of a continuous Bernoulli is chosen from two forms.
//! Whatever reads later versions reads these.

mod decoder;
mod encoder;

use models::{Activation, DenseLayer, Model};
use ndarray::Axis;
use onnx::{GraphBuilder, Named, Written};
use runs::Error;
use runs::apply::Destination;

use crate::metadata;
use crate::{Exported, ExportedRun};

/// The version of the operators.
pub const OPSET: i64 = 9;

/// Writes a folder with `encoder.onnx` and `decoder.onnx`.
///
/// # Errors
/// When a file cannot be written or would be larger than ONNX allows, or `result.json`
/// of the run is damaged.
pub fn export(run: &ExportedRun, destination: Destination) -> Result<Exported, Error> {
    let metadata = metadata::of_run(run)?;
    let encoded = |name, written: Written| match written.encode() {
        Ok(bytes) => Ok((name, bytes)),
        Err(error) => Err(unwritable(name, &error)),
    };
    let files = [
        encoded("encoder.onnx", encoder(run.model(), &metadata))?,
        encoded("decoder.onnx", decoder(run.model(), &metadata))?,
    ];
    Exported::folder(destination, &files)
}

/// The graph from values to codes, with `metadata` as the file's properties.
#[must_use]
pub fn encoder(model: &Model, metadata: &[(&'static str, String)]) -> Written {
    finished(encoder::graph(model), metadata)
}

/// The graph from codes to values, with `metadata` as the file's properties.
#[must_use]
pub fn decoder(model: &Model, metadata: &[(&'static str, String)]) -> Written {
    finished(decoder::graph(model), metadata)
}

/// That `name` cannot be a file, with the format that can hold any network.
fn unwritable(name: &str, error: &onnx::Error) -> Error {
    Error::Configuration(format!(
        "{name} cannot be written: {error}; use --format python, which loads model.safetensors"
    ))
}

fn finished(graph: GraphBuilder, metadata: &[(&'static str, String)]) -> Written {
    let entries = metadata.iter().map(|(key, value)| (*key, value.as_str()));
    graph.finish(OPSET, &entries.collect::<Vec<_>>())
}

/// Adds the matrix product and the bias of the rows `of_rows` of a layer, whose
/// constants are `tensor.weight` and `tensor.bias`.
fn dense(
    graph: &mut GraphBuilder,
    x: &Named,
    layer: &DenseLayer,
    of_rows: std::ops::Range<usize>,
    tensor: &str,
    result: &str,
) -> Named {
    let (_, inputs) = layer.weight.dim();
    let weight = layer.weight.slice_axis(Axis(0), of_rows.clone().into());
    let bias = layer.bias.slice_axis(Axis(0), of_rows.clone().into());
    let weight = graph.floats(
        &format!("{tensor}.weight"),
        &[of_rows.len(), inputs],
        weight.iter().copied().collect(),
    );
    let bias = graph.floats(
        &format!("{tensor}.bias"),
        &[of_rows.len()],
        bias.iter().copied().collect(),
    );
    graph.dense(x, &weight, &bias, result)
}

/// Adds layers one after the other; each result is called as the module of an
/// `nn.Sequential` that computes it, as in `encoder.0` and `encoder.1`.
fn layers(graph: &mut GraphBuilder, mut x: Named, layers: &[DenseLayer]) -> Named {
    for layer in layers {
        let name = layer.tensors.join(" ");
        x = dense(graph, &x, layer, 0..layer.bias.len(), &name, &name);
        let operator = match layer.activation {
            Activation::Identity => continue,
            Activation::Relu => "Relu",
            Activation::Tanh => "Tanh",
        };
        x = graph.node(operator, &[&x], &after(&name), []);
    }
    x
}

/// The module behind one of an `nn.Sequential`: `encoder.1` behind `encoder.0`.
fn after(name: &str) -> String {
    let of_index = name.rsplit_once('.').and_then(|(network, index)| {
        let index: usize = index.parse().ok()?;
        Some(format!("{network}.{}", index + 1))
    });
    of_index.unwrap_or_else(|| format!("{name}.activation"))
}

#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod tests;
