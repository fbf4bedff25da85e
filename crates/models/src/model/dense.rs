//! The networks of a model as dense layers, for whoever computes with them in
//! another way.

use ndarray::{Array1, Array2};
use tensor_ops::Activation;

use super::Model;
use super::inference::{decoders, encoders};
use crate::network::layout::{Role, TensorSlot};

/// A layer y = act(W·x + b), as PyTorch has it.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseLayer {
    /// W, `[outputs, inputs]`.
    pub weight: Array2<f32>,
    /// b, `[outputs]`.
    pub bias: Array1<f32>,
    /// Applied to the outputs.
    pub activation: Activation,
    /// The tensors that its rows are of, in order, as in `mu` and `log_var`:
    /// `NAME.weight` and `NAME.bias` each.
    pub tensors: Vec<String>,
}

impl Model {
    /// The layers from the image to the code: the last computes μ, then its
    /// scale if there is one. Of two stochastic layers those along the mean of
    /// the lower one.
    pub fn encoder_layers(&self) -> Vec<DenseLayer> {
        self.dense_layers(encoders(self.spec()))
    }

    /// The layers from the code to the decoder's outputs: those of all pixels,
    /// then their ln σ if the decoder computes it. Of two stochastic layers
    /// those along the mean of p(h₁|h₂).
    pub fn decoder_layers(&self) -> Vec<DenseLayer> {
        self.dense_layers(decoders(self.spec()))
    }

    fn dense_layers(&self, roles: &[Role]) -> Vec<DenseLayer> {
        let layout = self.parameters().layout();
        let last = roles.last().map_or(0, |&role| layout.network(role).end);
        let layers = roles.iter().flat_map(|&role| {
            let layers = layout.network(role);
            let end = layers.end;
            // The next network takes the mean of the last layer alone.
            layers.map(move |layer| (layer, layer + 1 == end && end != last))
        });
        layers
            .map(|(layer, is_mean_alone)| {
                let of_layer = |slot: &&TensorSlot| slot.layer == layer;
                let slots = layout.tensors().iter().filter(of_layer);
                let slots = slots.take(if is_mean_alone { 2 } else { usize::MAX });
                let (mut weight, mut bias, mut tensors) = (Vec::new(), Vec::new(), Vec::new());
                for slot in slots {
                    let values = layout.export(slot, self.parameters().as_slice());
                    if slot.is_bias {
                        bias.extend(values);
                        tensors.push(slot.name.trim_end_matches(".bias").to_owned());
                    } else {
                        weight.extend(values);
                    }
                }
                let linear = &layout.layers()[layer];
                let shape = (bias.len(), linear.inputs);
                let Ok(weight) = Array2::from_shape_vec(shape, weight) else {
                    unreachable!("a row of weights for every bias");
                };
                DenseLayer {
                    weight,
                    bias: bias.into(),
                    activation: linear.activation,
                    tensors,
                }
            })
            .collect()
    }
}
