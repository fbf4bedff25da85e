//! The weights of a classifier and its forward pass.

use models::{Activation, AlignedBuffer, PixelRows};
use tensor_ops::linear::{LinearShape, forward};
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::random::{Stream, fill_uniform};

/// Rows inferred at a time.
pub(super) const BLOCK: usize = 128;

/// One layer's parameters in panel layout.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) activation: Activation,
    pub(super) weight: AlignedBuffer<f32>,
    pub(super) bias: AlignedBuffer<f32>,
}

/// Layers from pixels to class logits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Network {
    pub(super) layers: Vec<Layer>,
}

/// Activations of a block of rows: the input, then every layer's output.
pub(super) type Buffers = Vec<AlignedBuffer<f32>>;

impl Layer {
    pub(super) fn panels(&self) -> Panels {
        Panels {
            rows: self.inputs,
            cols: self.outputs,
        }
    }

    pub(super) fn shape(&self, rows: usize) -> LinearShape {
        LinearShape {
            rows,
            inputs: self.inputs,
            outputs: self.outputs,
        }
    }
}

impl Network {
    /// ReLU layers of the given widths with He's uniform initialisation
    /// U(−√(6/inputs), √(6/inputs)) (He et al. 2015), biases zero.
    pub(super) fn new(widths: &[usize], seed: u64) -> Self {
        let last = widths.len() - 2;
        let layers = widths
            .windows(2)
            .enumerate()
            .map(|(index, pair)| {
                let (inputs, outputs) = (pair[0], pair[1]);
                let panels = Panels {
                    rows: inputs,
                    cols: outputs,
                };
                let mut values = vec![0.0f32; inputs * outputs];
                fill_uniform(
                    &mut values,
                    Stream::new(seed, CLASSIFIER_STREAM + index as u64),
                    0,
                );
                let bound = (6.0 / inputs as f32).sqrt();
                values
                    .iter_mut()
                    .for_each(|v| *v = bound * (2.0 * *v - 1.0));
                let mut weight = AlignedBuffer::zeroed(panels.len());
                panels.pack_row_major(&values, &mut weight);
                Layer {
                    inputs,
                    outputs,
                    activation: if index == last {
                        Activation::Identity
                    } else {
                        Activation::Relu
                    },
                    weight,
                    bias: AlignedBuffer::zeroed(panels.panel_count() * LANES),
                }
            })
            .collect();
        Self { layers }
    }

    pub(super) fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs
    }

    pub(super) fn features(&self) -> usize {
        self.layers[self.layers.len() - 1].inputs
    }

    pub(super) fn widths(&self) -> Vec<usize> {
        let outputs = self.layers.iter().map(|layer| layer.outputs);
        [self.inputs()].into_iter().chain(outputs).collect()
    }

    /// Buffers for blocks of up to `rows` rows.
    pub(super) fn buffers(&self, rows: usize) -> Buffers {
        self.widths()
            .into_iter()
            .map(|cols| AlignedBuffer::zeroed(Panels { rows, cols }.len()))
            .collect()
    }

    /// Runs `layers` of the network on `rows` rows already packed into buffer 0.
    pub(super) fn forward(&self, layers: usize, rows: usize, buffers: &mut Buffers) {
        for (index, layer) in self.layers[..layers].iter().enumerate() {
            let shape = layer.shape(rows);
            let (below, above) = buffers.split_at_mut(index + 1);
            forward(
                shape,
                &below[index][..shape.x().len()],
                &layer.weight,
                &layer.bias,
                layer.activation,
                &mut above[0][..shape.y().len()],
            );
        }
    }

    /// Probabilities or features of rows `first..first + rows`, row-major.
    pub(super) fn infer(
        &self,
        images: PixelRows<'_>,
        first: usize,
        rows: usize,
        to_probabilities: bool,
        buffers: &mut Buffers,
        out: &mut [f32],
    ) {
        let input = Panels {
            rows,
            cols: self.inputs(),
        };
        images.pack(first, input, &mut buffers[0][..input.len()]);
        let layers = if to_probabilities {
            self.layers.len()
        } else {
            self.layers.len() - 1
        };
        self.forward(layers, rows, buffers);
        let cols = if to_probabilities {
            self.outputs()
        } else {
            self.features()
        };
        let output = Panels { rows, cols };
        output.unpack_row_major(&buffers[layers][..output.len()], out);
        if to_probabilities {
            out.chunks_exact_mut(cols).for_each(|row| {
                softmax(row);
            });
        }
    }

    /// Tensors in PyTorch's names, shapes and layout.
    pub(super) fn named_tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let mut tensors = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let mut weight = vec![0.0; layer.inputs * layer.outputs];
            layer.panels().unpack_transposed(&layer.weight, &mut weight);
            let shape = vec![layer.outputs, layer.inputs];
            tensors.push((format!("classifier.{}.weight", 2 * index), shape, weight));
            let bias = layer.bias[..layer.outputs].to_vec();
            tensors.push((
                format!("classifier.{}.bias", 2 * index),
                vec![layer.outputs],
                bias,
            ));
        }
        tensors
    }
}

/// Streams of the classifier's initial weights; apart from those of models.
const CLASSIFIER_STREAM: u64 = 0x636c_6173_7300;

/// Softmax of one row in place; returns log Σ exp of the logits.
pub(super) fn softmax(row: &mut [f32]) -> f32 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
        sum += *value;
    }
    row.iter_mut().for_each(|value| *value /= sum);
    largest + sum.ln()
}
