//! Where every weight lives in the one flat parameter buffer.

use std::ops::Range;

use tensor_ops::Activation;
use tensor_ops::panels::{LANES, Panels};

use crate::spec::{Architecture, ModelSpec, PosteriorScale};

/// One linear layer: y = act(x·W + b), W stored as [inputs, outputs] panels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearLayer {
    /// Columns of x; 0 for parameters that no input weighs, which are the b of
    /// a layer without W.
    pub inputs: usize,
    /// Columns of y.
    pub outputs: usize,
    /// Applied to the outputs.
    pub activation: Activation,
    /// Range of W in the flat buffer: `Panels { rows: inputs, cols: outputs }`.
    pub weight: Range<usize>,
    /// Range of b in the flat buffer: `outputs` rounded up to whole panels.
    pub bias: Range<usize>,
}

impl LinearLayer {
    /// The panel shape of W.
    pub fn panels(&self) -> Panels {
        Panels {
            rows: self.inputs,
            cols: self.outputs,
        }
    }
}

/// A tensor as PyTorch names and shapes it: some columns of one layer's W
/// (transposed to `[out, in]`) or of its b.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSlot {
    /// PyTorch name: `encoder.0.weight`, `mu.bias`, …
    pub name: String,
    /// Index into [`Layout::layers`].
    pub layer: usize,
    /// Columns of the layer's W or b: those of the first range, then those of
    /// the second, which is empty but for the two halves of a decoder that
    /// computes means and ln σ.
    pub columns: [Range<usize>; 2],
    /// A bias rather than a weight matrix.
    pub is_bias: bool,
    /// `[out, in]` for a weight matrix, `[out]` for a bias.
    pub shape: Vec<usize>,
}

/// The layers of a model in forward order, and the named ranges of its flat
/// parameter buffer.
///
/// All weight matrices come first, in forward order, then all biases: any run
/// of consecutive output panels — of one layer or across several — is then
/// one contiguous range of each half, which is what lets threads own disjoint
/// slices of parameters and optimiser moments. Gradients and moments use the
/// same layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    layers: Vec<LinearLayer>,
    tensors: Vec<TensorSlot>,
    head: usize,
    decoder: Range<usize>,
    /// Index of the layer that holds ln σ.
    log_sigma: Option<usize>,
    inputs: usize,
    latent: usize,
    weights_len: usize,
    len: usize,
}

impl Layout {
    /// The layout of `spec`.
    pub fn new(spec: &ModelSpec) -> Self {
        let Architecture {
            inputs,
            hidden,
            latent,
            activation,
        } = &spec.architecture;
        let mut widths = Vec::with_capacity(2 * hidden.len() + 2);
        let mut fan_in = *inputs;
        for &width in hidden {
            widths.push((fan_in, width, *activation));
            fan_in = width;
        }
        let head = widths.len();
        widths.push((fan_in, spec.kind.head_width(*latent), Activation::Identity));
        fan_in = *latent;
        for &width in hidden.iter().rev() {
            widths.push((fan_in, width, *activation));
            fan_in = width;
        }
        // Means and ln σ begin in panels of their own: the columns between are
        // padding, whose weights are zero and stay so.
        let outputs = if spec.likelihood.doubles_outputs() {
            inputs.next_multiple_of(LANES) + inputs
        } else {
            *inputs
        };
        widths.push((fan_in, outputs, Activation::Identity));
        let decoder = head + 1..widths.len();
        let log_sigma_len = spec.likelihood.log_sigma_len(*inputs);
        let log_sigma = log_sigma_len.map(|len| {
            widths.push((0, len, Activation::Identity));
            widths.len() - 1
        });

        let mut layout = Self::of_layers(widths, head, decoder, *latent);
        layout.log_sigma = log_sigma;
        layout.name_tensors(spec);
        layout
    }

    /// The layout of layers of the given inputs, outputs and activations, in
    /// forward order; no tensor has a name yet. The first layer takes the
    /// image, `head` computes the posterior of its code and the layers
    /// `decoder` take the code back to the image.
    pub(crate) fn of_layers(
        widths: Vec<(usize, usize, Activation)>,
        head: usize,
        decoder: Range<usize>,
        latent: usize,
    ) -> Self {
        let inputs = widths[0].0;
        let mut offset = 0;
        let mut layers: Vec<LinearLayer> = widths
            .into_iter()
            .map(|(inputs, outputs, activation)| {
                let len = Panels {
                    rows: inputs,
                    cols: outputs,
                }
                .len();
                let weight = offset..offset + len;
                offset += len;
                LinearLayer {
                    inputs,
                    outputs,
                    activation,
                    weight,
                    bias: 0..0,
                }
            })
            .collect();
        let weights_len = offset;
        for layer in &mut layers {
            let len = layer.panels().panel_count() * LANES;
            layer.bias = offset..offset + len;
            offset += len;
        }

        Self {
            layers,
            tensors: Vec::new(),
            head,
            decoder,
            log_sigma: None,
            inputs,
            latent,
            weights_len,
            len: offset,
        }
    }

    /// Names some columns of a layer: `NAME.weight` and `NAME.bias`.
    pub(crate) fn name_layer(&mut self, index: usize, name: &str, columns: &[Range<usize>; 2]) {
        let outputs = columns.iter().map(ExactSizeIterator::len).sum();
        for is_bias in [false, true] {
            let shape = if is_bias {
                vec![outputs]
            } else {
                vec![outputs, self.layers[index].inputs]
            };
            let suffix = if is_bias { "bias" } else { "weight" };
            self.tensors.push(TensorSlot {
                name: format!("{name}.{suffix}"),
                layer: index,
                columns: columns.clone(),
                is_bias,
                shape,
            });
        }
    }

    /// The layers in forward order: encoder, head, decoder; last, as a layer
    /// without inputs, the ln σ of a Gaussian that learns them. Between head
    /// and decoder of two stochastic layers are the networks of the upper one.
    pub fn layers(&self) -> &[LinearLayer] {
        &self.layers
    }

    /// Index of the head, the last layer of the encoder: μ and its scale side by
    /// side for a VAE, the code otherwise; of two stochastic layers the one of
    /// q(h₁|x), where the scale begins in a panel of its own.
    pub fn head(&self) -> usize {
        self.head
    }

    /// What the output of a layer is called in messages.
    pub(crate) fn output_name(&self, layer: usize) -> String {
        let slot = self.tensors.iter().find(|slot| slot.layer == layer);
        let name = slot.map_or("", |slot| slot.name.trim_end_matches(".weight"));
        format!("{name} (output)")
    }

    /// Indices of the decoder's layers; of two stochastic layers those of
    /// p(x|h₁).
    pub fn decoder(&self) -> Range<usize> {
        self.decoder.clone()
    }

    /// Index of the layer without inputs whose b is the learned ln σ of a
    /// Gaussian likelihood: one for all pixels or one for each.
    pub fn log_sigma(&self) -> Option<usize> {
        self.log_sigma
    }

    /// Dimensions of the code, h₁ of two.
    pub fn latent(&self) -> usize {
        self.latent
    }

    /// Values per image.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The named tensors in forward order, each weight before its bias.
    pub fn tensors(&self) -> &[TensorSlot] {
        &self.tensors
    }

    /// Elements of all weight matrices, the first part of the buffer.
    pub fn weights_len(&self) -> usize {
        self.weights_len
    }

    /// Elements of the flat buffer, padding included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never true: every model has a head and an output layer.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Trainable parameters, padding excluded.
    pub fn parameter_count(&self) -> usize {
        let sizes = self
            .tensors
            .iter()
            .map(|slot| slot.shape.iter().product::<usize>());
        sizes.sum()
    }

    /// Floating-point operations of one training step per image, counted as
    /// dense work: 2·in·out for the forward product, the weight gradient and
    /// the input gradient of each layer (the first layer needs no input
    /// gradient). Elementwise work and the optimiser are not counted.
    pub fn training_flops_per_image(&self) -> u64 {
        let products = |(index, layer): (usize, &LinearLayer)| {
            let passes = if index == 0 { 2 } else { 3 };
            2 * passes * (layer.inputs * layer.outputs) as u64
        };
        self.layers.iter().enumerate().map(products).sum()
    }

    /// Copies the tensor in `slot` out of a flat buffer, in PyTorch's
    /// row-major order.
    pub fn export<T: Copy>(&self, slot: &TensorSlot, flat: &[T]) -> Vec<T> {
        self.positions(slot)
            .map(|position| flat[position])
            .collect()
    }

    /// Copies a tensor in PyTorch's row-major order into a flat buffer.
    ///
    /// # Panics
    /// If `values` has not the length of the slot's shape.
    pub fn import<T: Copy>(&self, slot: &TensorSlot, values: &[T], flat: &mut [T]) {
        let len: usize = slot.shape.iter().product();
        assert_eq!(
            values.len(),
            len,
            "import of {}: {} values for shape {:?}",
            slot.name,
            values.len(),
            slot.shape
        );
        for (position, &value) in self.positions(slot).zip(values) {
            flat[position] = value;
        }
    }

    /// Name of the tensor that holds the flat position, if it is not padding.
    pub fn tensor_at(&self, position: usize) -> Option<&str> {
        let within = |slot: &&TensorSlot| {
            let layer = &self.layers[slot.layer];
            let (range, rows) = if slot.is_bias {
                (&layer.bias, 1)
            } else {
                (&layer.weight, layer.inputs)
            };
            if !range.contains(&position) {
                return false;
            }
            let offset = position - range.start;
            let column = offset / (rows * LANES) * LANES + offset % LANES;
            slot.columns.iter().any(|range| range.contains(&column))
        };
        self.tensors
            .iter()
            .find(within)
            .map(|slot| slot.name.as_str())
    }

    /// Flat positions of a tensor's elements in PyTorch's row-major order.
    fn positions<'a>(&self, slot: &'a TensorSlot) -> impl Iterator<Item = usize> + use<'a> {
        let layer = &self.layers[slot.layer];
        let (start, rows) = if slot.is_bias {
            (layer.bias.start, 1)
        } else {
            (layer.weight.start, layer.inputs)
        };
        let panels = Panels {
            rows,
            cols: layer.outputs,
        };
        let columns = slot.columns.iter().cloned().flatten();
        columns.flat_map(move |column| (0..rows).map(move |row| start + panels.index(row, column)))
    }

    fn name_tensors(&mut self, spec: &ModelSpec) {
        let (inputs, latent) = (self.inputs, self.latent);
        for index in 0..self.layers.len() {
            let outputs = self.layers[index].outputs;
            // As in an `nn.Sequential` of linear layers and activations, the
            // indices count the activations too.
            let decoder = self.decoder();
            if index < self.head {
                self.name_layer(
                    index,
                    &format!("encoder.{}", 2 * index),
                    &[0..outputs, 0..0],
                );
            } else if decoder.contains(&index) {
                let columns = if index + 1 == decoder.end && outputs > inputs {
                    [0..inputs, outputs - inputs..outputs]
                } else {
                    [0..outputs, 0..0]
                };
                let name = format!("decoder.{}", 2 * (index - decoder.start));
                self.name_layer(index, &name, &columns);
            } else if index > self.head {
                self.tensors.push(TensorSlot {
                    name: "likelihood.log_sigma".to_owned(),
                    layer: index,
                    columns: [0..outputs, 0..0],
                    is_bias: true,
                    shape: vec![outputs],
                });
            } else if spec.kind.is_variational() {
                let scale = match spec.posterior_scale {
                    PosteriorScale::LogVariance => "log_var",
                    PosteriorScale::LogSigma => "log_sigma",
                };
                self.name_layer(index, "mu", &[0..latent, 0..0]);
                self.name_layer(index, scale, &[latent..2 * latent, 0..0]);
            } else {
                self.name_layer(index, "code", &[0..latent, 0..0]);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::spec::{Likelihood, ModelKind};

    /// The layout of a Bernoulli model.
    pub(crate) fn layout(kind: ModelKind, architecture: &str) -> Layout {
        Layout::new(&ModelSpec {
            kind,
            architecture: architecture.parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        })
    }

    #[test]
    fn names_are_those_of_a_pytorch_module() {
        let names = |layout: &Layout| {
            layout
                .tensors()
                .iter()
                .map(|slot| slot.name.clone())
                .collect::<Vec<_>>()
        };
        let vae = layout(ModelKind::Vae, "784-256-32-2");
        let expected = [
            "encoder.0.weight",
            "encoder.0.bias",
            "encoder.2.weight",
            "encoder.2.bias",
            "mu.weight",
            "mu.bias",
            "log_var.weight",
            "log_var.bias",
            "decoder.0.weight",
            "decoder.0.bias",
            "decoder.2.weight",
            "decoder.2.bias",
            "decoder.4.weight",
            "decoder.4.bias",
        ];
        assert_eq!(names(&vae), expected);
        assert_eq!(vae.tensors()[0].shape, [256, 784]);
        assert_eq!(vae.tensors()[6].shape, [2, 32]);
        let ae = layout(ModelKind::Ae, "784-2");
        assert_eq!(
            names(&ae),
            [
                "code.weight",
                "code.bias",
                "decoder.0.weight",
                "decoder.0.bias"
            ]
        );
        assert_eq!(ae.tensors()[2].shape, [784, 2]);
    }

    #[test]
    fn tensors_partition_the_unpadded_buffer() {
        for (kind, architecture, likelihood) in [
            (ModelKind::Vae, "37-19-5", "bernoulli"),
            (ModelKind::Ae, "37-2", "bernoulli"),
            (ModelKind::AeL2, "20-33-17-9", "bernoulli"),
            (ModelKind::Vae, "37-19-5", "gaussian/scalar"),
            (ModelKind::Vae, "37-19-5", "gaussian/per-pixel"),
            (ModelKind::Vae, "37-19-5", "gaussian/decoder"),
            (ModelKind::Ae, "32-2", "gaussian-identity/decoder"),
        ] {
            let layout = Layout::new(&ModelSpec {
                kind,
                architecture: architecture.parse().unwrap(),
                likelihood: likelihood.parse().unwrap(),
                posterior_scale: PosteriorScale::LogVariance,
            });
            let mut flat = vec![0_u32; layout.len()];
            for (index, slot) in layout.tensors().iter().enumerate() {
                let len: usize = slot.shape.iter().product();
                let values: Vec<u32> = (0..len as u32)
                    .map(|i| ((index as u32 + 1) << 20) | i)
                    .collect();
                layout.import(slot, &values, &mut flat);
            }
            for (index, slot) in layout.tensors().iter().enumerate() {
                let values = layout.export(slot, &flat);
                assert!(
                    values
                        .iter()
                        .enumerate()
                        .all(|(i, &v)| v == ((index as u32 + 1) << 20) | i as u32)
                );
            }
            assert_eq!(
                flat.iter().filter(|&&v| v != 0).count(),
                layout.parameter_count()
            );
            for (position, &value) in flat.iter().enumerate() {
                let expected = (value != 0)
                    .then(|| layout.tensors()[(value >> 20) as usize - 1].name.as_str());
                assert_eq!(layout.tensor_at(position), expected);
            }
        }
    }

    #[test]
    fn flops_are_counted_as_dense_products() {
        let layout = layout(ModelKind::Vae, "784-256-2");
        let products = |passes: u64, inputs: u64, outputs: u64| 2 * passes * inputs * outputs;
        let expected = products(2, 784, 256)
            + products(3, 256, 4)
            + products(3, 2, 256)
            + products(3, 256, 784);
        assert_eq!(layout.training_flops_per_image(), expected);
    }
}
