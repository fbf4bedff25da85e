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

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};

    use super::*;
    use crate::network::initialisation::Initialisation;
    use crate::spec::{ModelKind, ModelSpec, PosteriorScale};

    fn model(kind: ModelKind, architecture: &str, likelihood: &str) -> Model {
        let spec = ModelSpec {
            kind,
            architecture: architecture.parse().unwrap(),
            likelihood: likelihood.parse().unwrap(),
            posterior_scale: PosteriorScale::LogVariance,
        };
        Model::new(spec, Initialisation::Glorot, 9).unwrap()
    }

    /// The outputs of the layers one after the other, in plain loops.
    fn outputs(layers: &[DenseLayer], input: Vec<f64>) -> Vec<f64> {
        layers.iter().fold(input, |x, layer| {
            let of_row = |(row, bias): (ndarray::ArrayView1<'_, f32>, &f32)| {
                assert_eq!(row.len(), x.len());
                let products = row.iter().zip(&x).map(|(&w, x)| f64::from(w) * x);
                let sum = products.sum::<f64>() + f64::from(*bias);
                match layer.activation {
                    Activation::Identity => sum,
                    Activation::Relu => sum.max(0.0),
                    Activation::Tanh => sum.tanh(),
                }
            };
            let rows = layer.weight.axis_iter(Axis(0)).zip(&layer.bias);
            rows.map(of_row).collect()
        })
    }

    #[track_caller]
    fn assert_close(found: &[f64], expected: impl Iterator<Item = f32>) {
        for (found, expected) in found.iter().zip(expected) {
            let error = (found - f64::from(expected)).abs();
            assert!(error < 1e-5, "{found} {expected}");
        }
    }

    /// Tensors of every layer with outputs and inputs.
    fn named(layers: &[DenseLayer]) -> Vec<(String, [usize; 2])> {
        let of_layer = |layer: &DenseLayer| {
            let (outputs, inputs) = layer.weight.dim();
            assert_eq!(layer.bias.len(), outputs);
            (layer.tensors.join(" "), [outputs, inputs])
        };
        layers.iter().map(of_layer).collect()
    }

    #[test]
    fn dense_layers_compute_what_the_model_does() {
        type Named = &'static [(&'static str, [usize; 2])];
        let cases: [(ModelKind, &str, &str, Named, Named); 4] = [
            (
                ModelKind::Vae,
                "21-13-3",
                "bernoulli",
                &[("encoder.0", [13, 21]), ("mu log_var", [6, 13])],
                &[("decoder.0", [13, 3]), ("decoder.2", [21, 13])],
            ),
            (
                ModelKind::Ae,
                "21-3",
                "gaussian/per-pixel",
                &[("code", [3, 21])],
                &[("decoder.0", [21, 3])],
            ),
            // ln σ of all pixels after their means, without the padding between.
            (
                ModelKind::Vae,
                "21-13-3",
                "gaussian-identity/decoder",
                &[("encoder.0", [13, 21]), ("mu log_var", [6, 13])],
                &[("decoder.0", [13, 3]), ("decoder.2", [42, 13])],
            ),
            // Between the networks the means alone.
            (
                ModelKind::Vae,
                "21-13-5/5-11-3",
                "bernoulli",
                &[
                    ("encoder_1.0", [13, 21]),
                    ("mu_1", [5, 13]),
                    ("encoder_2.0", [11, 5]),
                    ("mu_2 log_var_2", [6, 11]),
                ],
                &[
                    ("prior.0", [11, 3]),
                    ("prior_mu", [5, 11]),
                    ("decoder.0", [13, 5]),
                    ("decoder.2", [21, 13]),
                ],
            ),
        ];
        for (kind, architecture, likelihood, of_encoder, of_decoder) in cases {
            let model = model(kind, architecture, likelihood);
            let (down, up) = (model.encoder_layers(), model.decoder_layers());
            let owned = |named: Named| -> Vec<_> {
                named
                    .iter()
                    .map(|(name, dim)| ((*name).to_owned(), *dim))
                    .collect()
            };
            assert_eq!(named(&down), owned(of_encoder));
            assert_eq!(named(&up), owned(of_decoder));
            let image = Array2::from_shape_fn((1, 21), |(_, j)| (j * j % 7) as f32 / 7.0);
            let codes = model.encode(&image);
            let found = outputs(&down, image.iter().map(|&x| f64::from(x)).collect());
            let scale = codes.log_variance.iter().flatten();
            let expected: Vec<f32> = codes.mean.iter().chain(scale).copied().collect();
            assert_eq!(found.len(), expected.len());
            assert_close(&found, expected.into_iter());
            let code = Array2::from_shape_fn((1, 3), |(_, j)| 0.75 - j as f32);
            let logits = model.decode_logits(code.view());
            let found = outputs(&up, code.iter().map(|&z| f64::from(z)).collect());
            assert_close(&found[..21], logits.iter().copied());
        }
    }
}
