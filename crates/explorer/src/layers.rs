//! The layers of a model as a page keeps them: weights as multiples of a step
//! of their row.

use models::{Activation, Model};
use ndarray::{Array1, Array2, ArrayView2};

use crate::manifest::{StoredLayer, StoredWeight};
use crate::rounding::{Inputs, Levels, QuantisedRows};
use crate::sections::Sections;

/// Which layers of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// From the image to the code, the head included.
    Encoder,
    Decoder,
}

/// A layer y = act(W·x + b), as PyTorch has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DenseLayer {
    /// `[outputs, inputs]`.
    pub(crate) weight: Array2<f32>,
    pub(crate) bias: Array1<f32>,
    pub(crate) activation: Activation,
    /// The tensors that its rows are of.
    tensors: Vec<String>,
    /// What it weighs, for the rounding of its weights.
    pub(crate) inputs: Inputs,
}

/// The layers of both networks of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layers {
    /// The head is the last one.
    pub(crate) encoder: Vec<DenseLayer>,
    pub(crate) decoder: Vec<DenseLayer>,
}

/// The levels of layers that have few of the weights of a part: too few to cost
/// bytes, and then not to cost exactness.
const OF_SMALL_LAYERS: Levels = Levels {
    top: i16::MAX as u16,
    by_row: true,
};

/// A layer is small with less than this share of the weights of its part.
const SMALL: f64 = 0.1;

impl Layers {
    /// The layers of a model.
    pub(crate) fn of(model: &Model) -> Self {
        let layers = |layers: Vec<models::DenseLayer>| {
            let layers = layers.into_iter().map(|layer| DenseLayer {
                weight: layer.weight,
                bias: layer.bias,
                activation: layer.activation,
                tensors: layer.tensors,
                inputs: Inputs::default(),
            });
            layers.collect()
        };
        Self {
            encoder: layers(model.encoder_layers()),
            decoder: layers(model.decoder_layers()),
        }
    }

    /// The model with these layers in place of its own; none of layers of
    /// another model.
    pub(crate) fn put_into(&self, model: &Model) -> Option<Model> {
        let mut tensors = model.named_tensors();
        for layer in self.encoder.iter().chain(&self.decoder) {
            let (mut weight, mut bias) = (layer.weight.as_slice()?, layer.bias.as_slice()?);
            for name in &layer.tensors {
                for (suffix, rest) in [("weight", &mut weight), ("bias", &mut bias)] {
                    let name = format!("{name}.{suffix}");
                    let tensor = tensors.iter_mut().find(|tensor| tensor.name == name)?;
                    let (values, others) = rest.split_at_checked(tensor.values.len())?;
                    tensor.values.copy_from_slice(values);
                    *rest = others;
                }
            }
        }
        Model::from_named_tensors(model.spec().clone(), tensors).ok()
    }

    /// The same, knowing what layers weigh when these rows are encoded and these
    /// codes decoded.
    pub(crate) fn weighing(
        mut self,
        images: ArrayView2<'_, f32>,
        codes: ArrayView2<'_, f32>,
    ) -> Self {
        for (layers, rows) in [(&mut self.encoder, images), (&mut self.decoder, codes)] {
            let mut rows = rows.to_owned();
            for layer in layers {
                layer.inputs = Inputs::of(rows.view());
                rows = layer.outputs(&rows);
            }
        }
        self
    }

    /// The layers of a part.
    fn part(&self, part: Part) -> &[DenseLayer] {
        match part {
            Part::Encoder => &self.encoder,
            Part::Decoder => &self.decoder,
        }
    }

    /// The same with the weights of one part as a page has them at these
    /// levels.
    pub(crate) fn at(&self, part: Part, levels: Levels) -> Self {
        let mut at_levels = self.clone();
        let layers = match part {
            Part::Encoder => &mut at_levels.encoder,
            Part::Decoder => &mut at_levels.decoder,
        };
        let levels = levels_of(layers, levels);
        for (layer, levels) in layers.iter_mut().zip(levels) {
            layer.weight = QuantisedRows::of(layer.weight.view(), &layer.inputs, levels).weights();
        }
        at_levels
    }

    /// The layers of a part in the manifest, in forward order.
    pub(crate) fn store(
        &self,
        part: Part,
        levels: Levels,
        sections: &mut Sections,
    ) -> Vec<StoredLayer> {
        let layers = self.part(part);
        let levels = levels_of(layers, levels);
        let stored = layers.iter().zip(levels).map(|(layer, levels)| {
            let rows = QuantisedRows::of(layer.weight.view(), &layer.inputs, levels);
            let (bits, levels) = (levels.bits(), rows.levels());
            StoredLayer {
                inputs: layer.weight.ncols(),
                outputs: layer.weight.nrows(),
                activation: match layer.activation {
                    Activation::Identity => "identity",
                    Activation::Relu => "relu",
                    Activation::Tanh => "tanh",
                },
                weight: StoredWeight {
                    bits,
                    step: sections.add(rows.step().iter().copied()),
                    low: sections.add(levels.iter().map(|level| level.to_le_bytes()[0])),
                    high: (bits > 8)
                        .then(|| sections.add(levels.iter().map(|level| level.to_le_bytes()[1]))),
                },
                bias: sections.add(layer.bias.iter().copied()),
            }
        });
        stored.collect()
    }
}

impl DenseLayer {
    fn outputs(&self, rows: &Array2<f32>) -> Array2<f32> {
        let mut outputs = rows.dot(&self.weight.t()) + &self.bias;
        match self.activation {
            Activation::Identity => {}
            Activation::Relu => outputs.mapv_inplace(|value| value.max(0.0)),
            Activation::Tanh => outputs.mapv_inplace(f32::tanh),
        }
        outputs
    }
}

/// The levels of each layer of a part, where those of large ones are given.
fn levels_of(layers: &[DenseLayer], of_large: Levels) -> Vec<Levels> {
    let all: usize = layers.iter().map(|layer| layer.weight.len()).sum();
    let is_small = |layer: &DenseLayer| (layer.weight.len() as f64) < SMALL * all as f64;
    layers
        .iter()
        .map(|layer| {
            if is_small(layer) {
                OF_SMALL_LAYERS
            } else {
                of_large
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Initialisation, ModelSpec};

    #[test]
    fn layers_taken_out_and_put_back_are_the_model() {
        for (kind, architecture, likelihood) in [
            ("vae", "16-8-3", "gaussian/decoder"),
            ("ae", "17-2", "bernoulli"),
            ("ae-l2", "16-8-4-1", "gaussian-identity/per-pixel"),
        ] {
            let spec = ModelSpec {
                kind: kind.parse().unwrap(),
                architecture: architecture.parse().unwrap(),
                likelihood: likelihood.parse().unwrap(),
                posterior_scale: Default::default(),
            };
            let model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
            let layers = Layers::of(&model);
            assert_eq!(layers.put_into(&model), Some(model.clone()));
            let mut other = layers;
            other.decoder[0].weight[[1, 0]] += 1.0;
            assert_ne!(other.put_into(&model), Some(model));
        }
    }
}
