//! Dense layers: which weight and bias belong together, and which way a weight lies.

use std::collections::BTreeMap;

use models::{Activation, MAXIMUM_WIDTH};

use crate::error::ImportError;
use crate::tensor::{Tensor, list, shown};

/// A weight with its bias.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// What the names of both begin with.
    pub(crate) name: String,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// `[outputs, inputs]`, row-major.
    pub(crate) weight: Vec<f32>,
    /// Zeros where the file has none.
    pub(crate) bias: Vec<f32>,
    /// Whether the file has one.
    pub(crate) has_bias: bool,
    /// Whether the file had the weight as `[inputs, outputs]`.
    pub(crate) was_transposed: bool,
    /// Whether nothing but the name tells which way the weight lay.
    pub(crate) is_direction_guessed: bool,
    /// What it takes, where the file has a graph that tells.
    pub(crate) takes: Option<Takes>,
    /// Which layer of the model it is, where that was said.
    pub(crate) place: Option<Place>,
}

/// What a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// What is given to the graph.
    Input,
    /// The outputs of another layer, by its index, through a nonlinearity or without.
    Layer(usize, Option<Activation>),
    /// Something computed of outputs, such as a sample.
    Computed,
}

/// A layer of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A hidden layer of the encoder.
    Encoder(usize),
    /// μ.
    Mean,
    /// log σ² or log σ.
    Scale,
    /// Both in one.
    Shared,
    /// The code of a model that samples none.
    Code,
    /// A layer of the decoder.
    Decoder(usize),
}

/// The layers of a file, in its order, and what is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    pub(crate) layers: Vec<Layer>,
    /// Tensors that are no weight or bias of one, in the order of the file.
    pub(crate) others: Vec<Tensor>,
}

/// Which way weights lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// `[outputs, inputs]`, as in PyTorch.
    OutputsFirst,
    /// `[inputs, outputs]`, as in Keras.
    InputsFirst,
}

/// What a tensor is by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The word decides where nothing else does.
    Weight(Option<Direction>),
    Bias,
}

/// A weight whose direction is to be found.
struct Candidate {
    name: String,
    rows: usize,
    columns: usize,
    values: Vec<f32>,
    bias: Option<Vec<f32>>,
    by_name: Option<Direction>,
    direction: Option<Direction>,
}

impl Layer {
    /// `fc1 784→400`.
    pub(crate) fn shown(&self) -> String {
        let name = match self.name.as_str() {
            "" => "a layer without a name",
            name => name,
        };
        format!("{name} {}→{}", self.inputs, self.outputs)
    }
}

impl Layers {
    /// Groups tensors by their names; those that no bias tells lie as all others of
    /// the file do, which is `of_file`, else as their names say. `otherwise` takes
    /// these for the other way.
    ///
    /// # Errors
    /// A bias that fits no side of its weight; a side that no layer has.
    pub(crate) fn of(
        tensors: Vec<Tensor>,
        of_file: Option<Direction>,
        otherwise: bool,
    ) -> Result<Self, ImportError> {
        let mut found: Vec<Candidate> = Vec::new();
        let mut biases: Vec<(String, Tensor)> = Vec::new();
        let mut others = Vec::new();
        for tensor in tensors {
            match (
                parts(&tensor.name),
                tensor.shape.len(),
                tensor.values.is_some(),
            ) {
                (Some((name, Part::Weight(by_name))), 2, true) => {
                    let shape = tensor.shape;
                    require_sides(&name, [shape[0], shape[1]]).map_err(ImportError::Network)?;
                    found.push(Candidate {
                        name,
                        rows: shape[0],
                        columns: shape[1],
                        values: tensor.values.unwrap_or_default(),
                        bias: None,
                        by_name,
                        direction: None,
                    });
                }
                (Some((name, Part::Bias)), 1, true) => biases.push((name, tensor)),
                // Some writers keep biases as a row.
                (Some((name, Part::Bias)), 2, true) if tensor.shape[0] == 1 => {
                    biases.push((name, tensor));
                }
                _ => others.push(tensor),
            }
        }
        let mut without: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, layer) in found.iter().enumerate().rev() {
            without.entry(layer.name.clone()).or_default().push(index);
        }
        for (name, tensor) in biases {
            // The first of the file, where several have a name.
            match without.get_mut(&name).and_then(Vec::pop) {
                Some(layer) => found[layer].bias = tensor.values,
                None => others.push(tensor),
            }
        }
        for layer in &mut found {
            layer.direction = layer.by_bias()?;
        }
        let layers = found
            .into_iter()
            .map(|layer| {
                let guess = of_file.or(layer.by_name).unwrap_or(Direction::OutputsFirst);
                layer.directed(if otherwise { guess.other() } else { guess })
            })
            .collect();
        Ok(Self { layers, others })
    }
}

/// The way in which all weights lie whose sides differ and whose biases tell it.
pub(crate) fn direction_of(tensors: &[Tensor]) -> Option<Direction> {
    let mut biases: BTreeMap<String, usize> = BTreeMap::new();
    for tensor in tensors {
        if let (Some((name, Part::Bias)), Some(values)) = (parts(&tensor.name), &tensor.values) {
            biases.entry(name).or_insert(values.len());
        }
    }
    let directions = tensors.iter().filter_map(|tensor| {
        let Some((name, Part::Weight(_))) = parts(&tensor.name) else {
            return None;
        };
        let (&bias, &[rows, columns]) = (biases.get(&name)?, tensor.shape.as_slice()) else {
            return None;
        };
        match (bias == rows, bias == columns) {
            (true, false) => Some(Direction::OutputsFirst),
            (false, true) => Some(Direction::InputsFirst),
            _ => None,
        }
    });
    agreed(directions)
}

/// The direction that all have, where they have one.
pub(crate) fn agreed(mut directions: impl Iterator<Item = Direction>) -> Option<Direction> {
    let first = directions.next()?;
    directions
        .all(|direction| direction == first)
        .then_some(first)
}

impl Direction {
    fn other(self) -> Self {
        match self {
            Self::OutputsFirst => Self::InputsFirst,
            Self::InputsFirst => Self::OutputsFirst,
        }
    }
}

impl Candidate {
    /// The direction in which the bias fits, where it fits in one.
    fn by_bias(&self) -> Result<Option<Direction>, ImportError> {
        let Some(bias) = &self.bias else {
            return Ok(None);
        };
        match (bias.len() == self.rows, bias.len() == self.columns) {
            (true, true) => Ok(None),
            (true, false) => Ok(Some(Direction::OutputsFirst)),
            (false, true) => Ok(Some(Direction::InputsFirst)),
            (false, false) => Err(ImportError::Network(format!(
                "the bias of {} has {} values, but its weight is {}; expected as many as one of its sides",
                self.name,
                bias.len(),
                shown(&[self.rows, self.columns])
            ))),
        }
    }

    fn directed(self, guess: Direction) -> Layer {
        let direction = self.direction.unwrap_or(guess);
        let is_direction_guessed = self.direction.is_none();
        let was_transposed = direction == Direction::InputsFirst;
        let (outputs, inputs, weight) = if was_transposed {
            let weight = transposed(&self.values, self.rows, self.columns);
            (self.columns, self.rows, weight)
        } else {
            (self.rows, self.columns, self.values)
        };
        Layer {
            name: self.name,
            inputs,
            outputs,
            weight,
            has_bias: self.bias.is_some(),
            bias: self.bias.unwrap_or_else(|| vec![0.0; outputs]),
            was_transposed,
            is_direction_guessed,
            takes: None,
            place: None,
        }
    }
}

/// Refuses a weight with a side that no layer has, before anything of its size is made.
///
/// # Errors
/// The sentence about it.
pub(crate) fn require_sides(name: &str, shape: [usize; 2]) -> Result<(), String> {
    match shape
        .iter()
        .all(|side| (1..=2 * MAXIMUM_WIDTH).contains(side))
    {
        true => Ok(()),
        false => Err(format!(
            "the weight of {name} is {}, with a side of a width that no layer has; expected 1 to {MAXIMUM_WIDTH}",
            shown(&shape)
        )),
    }
}

/// A matrix with rows and columns exchanged.
pub(crate) fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

/// The name of the layer that a tensor is part of, and which part.
pub(crate) fn parts(name: &str) -> Option<(String, Part)> {
    // TensorFlow counts outputs: `dense/kernel:0`.
    let name = name
        .rsplit_once(':')
        .filter(|(_, index)| index.bytes().all(|digit| digit.is_ascii_digit()))
        .map_or(name, |(name, _)| name);
    let (stem, last) = match name.rfind(['.', '/']) {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => ("", name),
    };
    if let Some(part) = part(last) {
        return Some((stem.to_owned(), part));
    }
    // `fc1_weight`.
    if let Some((_, word)) = last.rsplit_once('_')
        && let Some(part) = part(word)
    {
        return Some((name[..name.len() - word.len() - 1].to_owned(), part));
    }
    // `W1`, `b_2`: the number tells layers apart.
    let word = last.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &last[word.len()..];
    let part = part(word.trim_end_matches('_')).filter(|_| !number.is_empty())?;
    let between = if stem.is_empty() { "" } else { "." };
    Some((format!("{stem}{between}{number}"), part))
}

fn part(word: &str) -> Option<Part> {
    Some(match word {
        "weight" | "weights" => Part::Weight(Some(Direction::OutputsFirst)),
        "kernel" => Part::Weight(Some(Direction::InputsFirst)),
        "W" | "w" => Part::Weight(None),
        "bias" | "biases" | "b" => Part::Bias,
        _ => return None,
    })
}

/// Why tensors are left over, with what can be done where that is known.
pub(crate) fn leftovers(others: &[Tensor]) -> String {
    let has = |words: &[&str]| {
        others.iter().any(|tensor| {
            let name = tensor.name.to_lowercase();
            words.iter().any(|word| name.contains(word))
        })
    };
    let advice = if has(&["running_mean", "running_var", "moving_mean", "moving_var"]) {
        "; these are of batch normalisation, which this program's models have not: fold each into the dense layer before it (torch.nn.utils.fusion.fuse_linear_bn_eval) and save again"
    } else if others.iter().any(|tensor| tensor.shape.len() > 2) {
        "; those of three and more dimensions are of convolutions or the like, which this program's models have not: they are of dense layers alone"
    } else if others.iter().all(|tensor| tensor.values.is_none()) {
        "; they are no floating-point numbers of 16, 32 or 64 bits, which alone are read: save the weights in one of these types"
    } else if has(&["weight_g", "weight_v", "parametrizations"]) {
        "; these are of weight normalisation: take it away (torch.nn.utils.remove_weight_norm) and save again"
    } else if has(&["gamma", "beta", "norm"]) {
        "; these are of a normalisation, which this program's models have not"
    } else {
        "; what is no part of the model is named in the list ignore of --map"
    };
    format!(
        "tensors that are no weight or bias of a dense layer: {}{advice}",
        list(others)
    )
}

#[cfg(test)]
mod tests;
