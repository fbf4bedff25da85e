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

/// How exactly the weights of a part are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Levels {
    /// The largest multiple of a step that a weight can be.
    pub(crate) top: u16,
    /// Whether every row has a step of its own, which is right for a given
    /// number of bits; one for the whole layer spends no bits on what small
    /// rows change little, which deflate finds.
    pub(crate) by_row: bool,
}

/// The levels of layers that have few of the weights of a part: so exact that
/// they cost nothing in exactness, and too few to cost bytes.
const OF_SMALL_LAYERS: Levels = Levels {
    top: i16::MAX as u16,
    by_row: true,
};

/// A layer is small with less than this share of the weights of its part.
const SMALL: f64 = 0.1;

impl Levels {
    /// Bits that a level takes, sign included.
    pub(crate) fn bits(self) -> u32 {
        u16::BITS + 1 - self.top.leading_zeros()
    }
}

/// Rows of weights as whole multiples of a step for each row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QuantisedRows {
    step: Vec<f32>,
    levels: Vec<i16>,
}

impl QuantisedRows {
    /// Rows of `inputs` weights.
    pub(crate) fn of(weights: &[f32], inputs: usize, levels: Levels) -> Self {
        let top = f32::from(levels.top);
        let largest = |weights: &[f32]| weights.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
        let of_all = largest(weights) / top;
        let mut quantised = Self::default();
        for row in weights.chunks_exact(inputs.max(1)) {
            let step = if levels.by_row {
                largest(row) / top
            } else {
                of_all
            };
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

/// The model with the weights of one part at these levels.
pub(crate) fn at_levels(model: &Model, part: Part, levels: Levels) -> Option<Model> {
    let small = small_layers(model, part);
    let tensors: Vec<NamedTensor<f32>> = slots(model)
        .map(|slot| {
            let mut tensor = slot.tensor;
            if slot.part == Some(part) && !slot.is_bias {
                let inputs = tensor.shape.last().copied().unwrap_or_default();
                let levels = small.levels(slot.layer, levels);
                tensor.values = QuantisedRows::of(&tensor.values, inputs, levels).weights(inputs);
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
    levels: Levels,
    sections: &mut Sections,
) -> Vec<StoredLayer> {
    let small = small_layers(model, part);
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
            let levels = small.levels(slot.layer, levels);
            rows.append(QuantisedRows::of(&slot.tensor.values, inputs, levels));
        }
    }
    let layout = model.parameters().layout();
    let stored = layers.into_iter().map(|(layer, rows, bias)| {
        let bits = small.levels(layer, levels).bits();
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

/// The layers of a part that have few of its weights.
struct SmallLayers(Vec<usize>);

impl SmallLayers {
    /// The levels of a layer, where those of large ones are given.
    fn levels(&self, layer: usize, of_large: Levels) -> Levels {
        if self.0.contains(&layer) {
            OF_SMALL_LAYERS
        } else {
            of_large
        }
    }
}

fn small_layers(model: &Model, part: Part) -> SmallLayers {
    let layout = model.parameters().layout();
    let indices = match part {
        Part::Encoder => 0..layout.head() + 1,
        Part::Decoder => layout.decoder(),
    };
    let weights = |index: usize| {
        let layer = &layout.layers()[index];
        (layer.inputs * layer.outputs) as f64
    };
    let all: f64 = indices.clone().map(weights).sum();
    SmallLayers(
        indices
            .filter(|&index| weights(index) < SMALL * all)
            .collect(),
    )
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
        for top in [127, 2000, i16::MAX as u16] {
            let levels = Levels { top, by_row: true };
            let rows = QuantisedRows::of(&weights, 3, levels);
            let top = top as i16;
            assert_eq!((rows.levels[1], rows.levels[4]), (-top, top));
            assert_eq!(&rows.levels[6..], [0, 0, 0]);
            let back = rows.weights(3);
            for (index, (found, expected)) in back.iter().zip(weights).enumerate() {
                let largest = [1.0, 3e-8, 0.0][index / 3];
                let error = (found - expected).abs();
                assert!(error <= 0.501 * largest / f32::from(top), "{top}: {found}");
            }
            let by_row = false;
            let rows = QuantisedRows::of(&weights, 3, Levels { by_row, ..levels });
            assert!(rows.step.iter().all(|&step| step == rows.step[0]));
        }
    }

    #[test]
    fn bits_hold_the_largest_level_and_its_sign() {
        for (top, bits) in [(127, 8), (128, 9), (2047, 12), (2048, 13), (32767, 16)] {
            assert_eq!(Levels { top, by_row: false }.bits(), bits, "{top}");
        }
    }
}
