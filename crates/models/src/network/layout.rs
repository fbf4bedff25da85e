//! Where every weight lives in the one flat parameter buffer.

use std::ops::Range;

use tensor_ops::Activation;
use tensor_ops::linear::LinearShape;
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

    /// The shape of its products over some rows.
    pub(crate) fn shape(&self, rows: usize) -> LinearShape {
        LinearShape {
            rows,
            inputs: self.inputs,
            outputs: self.outputs,
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

/// What a network of a model computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// q(z|x), or the code; of two stochastic layers q(h₁|x).
    Encoder,
    /// q(h₂|h₁) of two stochastic layers.
    UpperEncoder,
    /// p(h₁|h₂) of two stochastic layers.
    Prior,
    /// p(x|z); of two stochastic layers p(x|h₁).
    Decoder,
    /// The learned ln σ of a likelihood: one layer without inputs, whose b it
    /// is.
    Scale,
}

/// Consecutive layers, each of which takes the output of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// What it computes.
    pub role: Role,
    /// Its layers, as indices into [`Layout::layers`].
    pub layers: Range<usize>,
}

/// The networks of a model, their layers in forward order, and the named
/// ranges of its flat parameter buffer.
///
/// All weight matrices come first, in forward order, then all biases: any run
/// of consecutive output panels — of one layer or across several — is then
/// one contiguous range of each half, which is what lets threads own disjoint
/// slices of parameters and optimiser moments. Gradients and moments use the
/// same layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    networks: Vec<Network>,
    layers: Vec<LinearLayer>,
    tensors: Vec<TensorSlot>,
    weights_len: usize,
    len: usize,
}

/// Outputs of a network's last layer, and the tensors their columns are in.
struct Output {
    width: usize,
    tensors: Vec<(String, [Range<usize>; 2])>,
}

impl Layout {
    /// The layout of `spec`.
    pub fn new(spec: &ModelSpec) -> Self {
        let Architecture {
            inputs,
            hidden,
            lower,
            latent,
            ..
        } = &spec.architecture;
        let down = |widths: &[usize]| widths.iter().rev().copied().collect::<Vec<_>>();
        let mut layout = Self {
            networks: Vec::new(),
            layers: Vec::new(),
            tensors: Vec::new(),
            weights_len: 0,
            len: 0,
        };
        let mut add = |role, name, from, hidden: &[usize], output| {
            layout.add_network(spec, (role, name), from, hidden, output);
        };
        if let Some(lower) = lower {
            let above = &lower.upper_hidden;
            let output = Output::gaussian(spec, lower.latent, "", "_1");
            add(Role::Encoder, "encoder_1", *inputs, hidden, output);
            let output = Output::gaussian(spec, *latent, "", "_2");
            add(Role::UpperEncoder, "encoder_2", lower.latent, above, output);
            let output = Output::gaussian(spec, lower.latent, "prior_", "");
            add(Role::Prior, "prior", *latent, &down(above), output);
        } else {
            let output = Output::code(spec);
            add(Role::Encoder, "encoder", *inputs, hidden, output);
        }
        let output = Output::pixels(spec);
        let decoded = spec.architecture.decoded();
        add(Role::Decoder, "decoder", decoded, &down(hidden), output);
        if let Some(len) = spec.likelihood.log_sigma_len(*inputs) {
            layout.add_scale(len);
        }
        layout.place();
        layout
    }

    /// The networks in forward order.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// Indices of the layers of a network; none if the model has no such one.
    pub fn network(&self, role: Role) -> Range<usize> {
        let mut networks = self.networks.iter();
        networks
            .find(|network| network.role == role)
            .map_or(0..0, |network| network.layers.clone())
    }

    /// The network that a layer is part of.
    pub(crate) fn network_of(&self, layer: usize) -> &Network {
        let mut networks = self.networks.iter();
        let network = networks.find(|network| network.layers.contains(&layer));
        network.unwrap_or(&self.networks[0])
    }

    /// The layers of all networks in forward order.
    pub fn layers(&self) -> &[LinearLayer] {
        &self.layers
    }

    /// What the output of a layer is called in messages.
    pub(crate) fn output_name(&self, layer: usize) -> String {
        let slot = self.tensors.iter().find(|slot| slot.layer == layer);
        let name = slot.map_or("", |slot| slot.name.trim_end_matches(".weight"));
        format!("{name} (output)")
    }

    /// Values per image.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
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

    /// Sets every element of a tensor in the flat buffer, and no padding.
    pub(crate) fn fill<T: Copy>(&self, slot: &TensorSlot, value: T, flat: &mut [T]) {
        for position in self.positions(slot) {
            flat[position] = value;
        }
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

    /// Adds the layers of a network from `from` inputs over `hidden` widths to
    /// its output, and their names. As in an `nn.Sequential` of linear layers
    /// and activations, the indices of hidden layers count the activations too.
    fn add_network(
        &mut self,
        spec: &ModelSpec,
        (role, name): (Role, &str),
        from: usize,
        hidden: &[usize],
        output: Output,
    ) {
        let first = self.layers.len();
        let mut inputs = from;
        for (index, &width) in hidden.iter().enumerate() {
            self.add_layer(inputs, width, spec.architecture.activation);
            self.name_columns(&format!("{name}.{}", 2 * index), &[0..width, 0..0]);
            inputs = width;
        }
        self.add_layer(inputs, output.width, Activation::Identity);
        for (of_output, columns) in &output.tensors {
            let unnamed = format!("{name}.{}", 2 * hidden.len());
            let name = if of_output.is_empty() {
                &unnamed
            } else {
                of_output
            };
            self.name_columns(name, columns);
        }
        let layers = first..self.layers.len();
        self.networks.push(Network { role, layers });
    }

    fn add_scale(&mut self, len: usize) {
        let layer = self.layers.len();
        self.add_layer(0, len, Activation::Identity);
        self.tensors.push(TensorSlot {
            name: "likelihood.log_sigma".to_owned(),
            layer,
            columns: [0..len, 0..0],
            is_bias: true,
            shape: vec![len],
        });
        let (role, layers) = (Role::Scale, layer..layer + 1);
        self.networks.push(Network { role, layers });
    }

    fn add_layer(&mut self, inputs: usize, outputs: usize, activation: Activation) {
        self.layers.push(LinearLayer {
            inputs,
            outputs,
            activation,
            weight: 0..0,
            bias: 0..0,
        });
    }

    /// Names some columns of the last layer: `NAME.weight` and `NAME.bias`.
    fn name_columns(&mut self, name: &str, columns: &[Range<usize>; 2]) {
        let layer = self.layers.len() - 1;
        let (inputs, outputs) = (
            self.layers[layer].inputs,
            columns.iter().map(ExactSizeIterator::len).sum(),
        );
        for (suffix, shape) in [("weight", vec![outputs, inputs]), ("bias", vec![outputs])] {
            self.tensors.push(TensorSlot {
                name: format!("{name}.{suffix}"),
                layer,
                columns: columns.clone(),
                is_bias: suffix == "bias",
                shape,
            });
        }
    }

    /// Gives every weight matrix and then every bias its place.
    fn place(&mut self) {
        let mut end = 0;
        let mut next = |len| {
            let start = end;
            end += len;
            start..end
        };
        for layer in &mut self.layers {
            layer.weight = next(layer.panels().len());
        }
        self.weights_len = self.layers.last().map_or(0, |layer| layer.weight.end);
        for layer in &mut self.layers {
            layer.bias = next(layer.panels().panel_count() * LANES);
        }
        self.len = end;
    }
}

impl Output {
    /// The code, or the posterior that it is drawn from.
    fn code(spec: &ModelSpec) -> Self {
        let latent = spec.architecture.latent;
        if spec.kind.is_variational() {
            return Self::gaussian(spec, latent, "", "");
        }
        Self {
            width: latent,
            tensors: vec![("code".to_owned(), [0..latent, 0..0])],
        }
    }

    /// μ and the scale of a Gaussian.
    fn gaussian(spec: &ModelSpec, latent: usize, prefix: &str, suffix: &str) -> Self {
        let start = scale_column(&spec.architecture, latent);
        let width = start + latent;
        let scale = match spec.posterior_scale {
            PosteriorScale::LogVariance => "log_var",
            PosteriorScale::LogSigma => "log_sigma",
        };
        let named = |name, columns| (format!("{prefix}{name}{suffix}"), [columns, 0..0]);
        Self {
            width,
            tensors: vec![named("mu", 0..latent), named(scale, start..width)],
        }
    }

    /// The decoder's outputs for all pixels, and ln σ of all pixels if it
    /// computes them. Both then begin in panels of their own: the columns
    /// between are padding, whose weights are zero and stay so.
    fn pixels(spec: &ModelSpec) -> Self {
        let inputs = spec.architecture.inputs;
        let mut columns = [0..inputs, 0..0];
        if spec.likelihood.doubles_outputs() {
            let start = inputs.next_multiple_of(LANES);
            columns[1] = start..start + inputs;
        }
        Self {
            width: inputs.max(columns[1].end),
            tensors: vec![(String::new(), columns)],
        }
    }
}

/// The column at which the scale of a Gaussian of `latent` dimensions begins in
/// the outputs of its network. Of a single stochastic layer it follows upon μ,
/// since the usual codes of few dimensions then fit into one panel; of two it
/// begins in a panel of its own, and what lies between is padding, whose
/// weights are zero and stay so.
pub(crate) fn scale_column(architecture: &Architecture, latent: usize) -> usize {
    match architecture.lower {
        None => latent,
        Some(_) => latent.next_multiple_of(LANES),
    }
}

#[cfg(test)]
pub(crate) mod tests;
