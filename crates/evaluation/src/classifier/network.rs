//! The weights of a classifier and its forward pass.

use models::{Activation, AlignedBuffer, NamedTensor, PixelRows};
use tensor_ops::linear::{LinearShape, forward};
use tensor_ops::panels::Panels;
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
        Panels::new(self.inputs, self.outputs)
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
        let layer = |(index, pair): (usize, &[usize])| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let panels = Panels::new(inputs, outputs);
            let mut values = vec![0.0f32; inputs * outputs];
            let stream = Stream::new(seed, CLASSIFIER_STREAM + index as u64);
            fill_uniform(&mut values, stream, 0);
            let bound = (6.0 / inputs as f32).sqrt();
            for value in &mut values {
                *value = bound * (2.0 * *value - 1.0);
            }
            let mut weight = AlignedBuffer::zeroed(panels.len());
            panels.pack_row_major(&values, &mut weight);
            let is_last = index == last;
            Layer {
                inputs,
                outputs,
                activation: if is_last {
                    Activation::Identity
                } else {
                    Activation::Relu
                },
                weight,
                bias: AlignedBuffer::zeroed(panels.padded_cols()),
            }
        };
        let layers = widths.windows(2).enumerate().map(layer).collect();
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
        let widths = self.widths().into_iter();
        widths
            .map(|cols| AlignedBuffer::zeroed(Panels::new(rows, cols).len()))
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

    /// What comes out of the first `layers` layers, row-major, for as many rows
    /// from `first` on as `out` holds; probabilities if these are all layers.
    pub(super) fn infer(
        &self,
        images: PixelRows<'_>,
        first: usize,
        layers: usize,
        buffers: &mut Buffers,
        out: &mut [f32],
    ) {
        let columns = self.layers[layers - 1].outputs;
        let rows = out.len() / columns;
        let (input, output) = (Panels::new(rows, self.inputs()), Panels::new(rows, columns));
        images.pack(first, input, &mut buffers[0][..input.len()]);
        self.forward(layers, rows, buffers);
        output.unpack_row_major(&buffers[layers][..output.len()], out);
        if layers == self.layers.len() {
            out.chunks_exact_mut(columns).for_each(softmax);
        }
    }

    /// Tensors in PyTorch's names, shapes and layout.
    pub(super) fn named_tensors(&self) -> Vec<NamedTensor<f32>> {
        let values = self.layers.iter().flat_map(|layer| {
            let mut weight = vec![0.0; layer.inputs * layer.outputs];
            layer.panels().unpack_transposed(&layer.weight, &mut weight);
            [weight, layer.bias[..layer.outputs].to_vec()]
        });
        let slots = tensor_slots(&self.widths()).into_iter().zip(values);
        let tensor = |((name, shape), values)| NamedTensor {
            name,
            shape,
            values,
        };
        slots.map(tensor).collect()
    }
}

/// Names and shapes of the tensors of a network of these widths, in order.
pub(super) fn tensor_slots(widths: &[usize]) -> Vec<(String, Vec<usize>)> {
    let of_layer = |(index, pair): (usize, &[usize])| {
        let name = |of: &str| format!("classifier.{}.{of}", 2 * index);
        let (weight, bias) = (vec![pair[1], pair[0]], vec![pair[1]]);
        [(name("weight"), weight), (name("bias"), bias)]
    };
    widths.windows(2).enumerate().flat_map(of_layer).collect()
}

/// Streams of the classifier's initial weights; apart from those of models.
const CLASSIFIER_STREAM: u64 = 0x636c_6173_7300;

/// Softmax of one row in place.
pub(super) fn softmax(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
        sum += *value;
    }
    row.iter_mut().for_each(|value| *value /= sum);
}
