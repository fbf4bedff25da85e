//! The layers of a model as a page keeps them: weights as multiples of a step
//! of their row.

use models::{Activation, Model, NamedTensor};

use crate::manifest::{StoredLayer, StoredWeight};
use crate::sections::Sections;

/// Which layers of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// From the image to the code, the head included.
    Encoder,
    Decoder,
}

/// Rows of weights as whole multiples of a step for each row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QuantisedRows {
    step: Vec<f32>,
    levels: Vec<i16>,
}

impl QuantisedRows {
    /// Rows of `inputs` weights in so many `bits`, sign included: the largest
    /// of a row is the largest level.
    pub(crate) fn of(weights: &[f32], inputs: usize, bits: u32) -> Self {
        let top = f32::from((1_i16 << (bits - 1)).wrapping_sub(1));
        let mut quantised = Self::default();
        for row in weights.chunks_exact(inputs.max(1)) {
            let largest = row
                .iter()
                .fold(0.0_f32, |most, weight| most.max(weight.abs()));
            let step = largest / top;
            quantised.step.push(step);
            quantised.levels.extend(row.iter().map(|weight| {
                let level = (weight / step).round().clamp(-top, top);
                // A row of zeros has no step: 0/0 becomes 0.
                level as i16
            }));
        }
        quantised
    }

    /// The weights that the page computes with, bit for bit.
    pub(crate) fn weights(&self, inputs: usize) -> Vec<f32> {
        let rows = self.levels.chunks_exact(inputs.max(1)).zip(&self.step);
        rows.flat_map(|(row, &step)| row.iter().map(move |&level| f32::from(level) * step))
            .collect()
    }

    fn append(&mut self, mut other: Self) {
        self.step.append(&mut other.step);
        self.levels.append(&mut other.levels);
    }
}

/// The model with the weights of one part in so many bits.
pub(crate) fn with_bits(model: &Model, part: Part, bits: u32) -> Option<Model> {
    let tensors: Vec<NamedTensor<f32>> = slots(model)
        .map(|slot| {
            let mut tensor = slot.tensor;
            if slot.part == Some(part) && !slot.is_bias {
                let inputs = tensor.shape.last().copied().unwrap_or_default();
                tensor.values = QuantisedRows::of(&tensor.values, inputs, bits).weights(inputs);
            }
            tensor
        })
        .collect();
    Model::from_named_tensors(model.spec().clone(), tensors).ok()
}

/// The layers of a part in forward order.
pub(crate) fn store(
    model: &Model,
    part: Part,
    bits: u32,
    sections: &mut Sections,
) -> Vec<StoredLayer> {
    let mut layers: Vec<(usize, QuantisedRows, Vec<f32>)> = Vec::new();
    for slot in slots(model).filter(|slot| slot.part == Some(part)) {
        // μ and its scale are two tensors of one layer.
        if layers.last().is_none_or(|(layer, ..)| *layer != slot.layer) {
            layers.push((slot.layer, QuantisedRows::default(), Vec::new()));
        }
        let Some((_, rows, bias)) = layers.last_mut() else {
            continue;
        };
        if slot.is_bias {
            bias.extend(slot.tensor.values);
        } else {
            let inputs = slot.tensor.shape.last().copied().unwrap_or_default();
            rows.append(QuantisedRows::of(&slot.tensor.values, inputs, bits));
        }
    }
    let layout = model.parameters().layout();
    let stored = layers.into_iter().map(|(layer, rows, bias)| {
        let layer = &layout.layers()[layer];
        let low = rows.levels.iter().map(|level| level.to_le_bytes()[0]);
        let high = rows.levels.iter().map(|level| level.to_le_bytes()[1]);
        StoredLayer {
            inputs: layer.inputs,
            outputs: bias.len(),
            activation: match layer.activation {
                Activation::Identity => "identity",
                Activation::Relu => "relu",
                Activation::Tanh => "tanh",
            },
            weight: StoredWeight {
                bits,
                step: sections.add(rows.step.iter().copied()),
                low: sections.add(low),
                high: (bits > 8).then(|| sections.add(high)),
            },
            bias: sections.add(bias),
        }
    });
    stored.collect()
}

/// ln σ of a Gaussian that learns it, one or one for each value.
pub(crate) fn log_sigma(model: &Model) -> Option<Vec<f32>> {
    let layer = model.parameters().layout().log_sigma()?;
    slots(model)
        .find(|slot| slot.layer == layer)
        .map(|slot| slot.tensor.values)
}

/// A tensor and where it belongs.
struct Slot {
    tensor: NamedTensor<f32>,
    layer: usize,
    is_bias: bool,
    /// None of what lies outside of both networks.
    part: Option<Part>,
}

fn slots(model: &Model) -> impl Iterator<Item = Slot> {
    let layout = model.parameters().layout();
    let slots = layout.tensors().iter().zip(model.named_tensors());
    slots.map(|(slot, tensor)| Slot {
        tensor,
        layer: slot.layer,
        is_bias: slot.is_bias,
        part: if slot.layer <= layout.head() {
            Some(Part::Encoder)
        } else if layout.decoder().contains(&slot.layer) {
            Some(Part::Decoder)
        } else {
            None
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_multiples_of_a_step_of_their_row() {
        let weights = [0.5_f32, -1.0, 0.26, 1e-8, 3e-8, -2e-8, 0.0, 0.0, 0.0];
        for bits in 8..=16 {
            let rows = QuantisedRows::of(&weights, 3, bits);
            let top = (1 << (bits - 1)) - 1;
            assert_eq!(
                (i32::from(rows.levels[1]), i32::from(rows.levels[4])),
                (-top, top)
            );
            assert_eq!(&rows.levels[6..], [0, 0, 0]);
            let back = rows.weights(3);
            for (index, (found, expected)) in back.iter().zip(weights).enumerate() {
                let largest = [1.0, 3e-8, 0.0][index / 3];
                assert!(
                    (found - expected).abs() <= 0.501 * largest / top as f32,
                    "{bits}: {found}"
                );
            }
        }
    }
}
