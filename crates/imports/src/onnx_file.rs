//! Reading the graph of an ONNX file: its dense layers, what each takes, and what
//! follows the last one.

mod following;

use std::collections::{BTreeMap, BTreeSet};

use models::{Activation, Standardisation};
use onnx::{Model, Node};

use crate::assembly::LOG_SIGMA;
use crate::graph::Graph;
use crate::layers::{Layer, Takes, parts, require_sides, transposed};
use crate::own_metadata::OwnMetadata;
use crate::tensor::{Tensor, shown};
use crate::trace::{Made, Trace};

/// Operators that leave every value as it is.
const TRANSPARENT: &[&str] = &[
    "Flatten",
    "Reshape",
    "Identity",
    "Cast",
    "Dropout",
    "Squeeze",
    "Unsqueeze",
];

/// What may lie between the heads and the decoder, or behind it.
const BETWEEN: &[&str] = &[
    "Abs",
    "Greater",
    "Less",
    "Relu",
    "Tanh",
    "Sigmoid",
    "Exp",
    "Mul",
    "Add",
    "Sub",
    "Div",
    "Sqrt",
    "Pow",
    "Neg",
    "Split",
    "Slice",
    "Gather",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Shape",
    "Size",
    "Expand",
    "Transpose",
    "RandomNormal",
    "RandomNormalLike",
    "Clip",
    "Softplus",
    "ReduceSum",
    "Range",
    "Equal",
    "Where",
    "Log",
    "Min",
    "Max",
    "Mod",
];

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Input,
    /// The input less constants.
    Centred,
    /// That by constants.
    Standardised,
    Dense(usize),
    Activated(usize, Activation),
    Sigmoid(usize),
    Computed,
}

/// The dense layers of the bytes of a file.
///
/// # Errors
/// What is wrong with the bytes or with the graph, as the second half of a sentence.
pub(crate) fn read(bytes: &[u8]) -> Result<Graph, String> {
    let model = Model::decode(bytes).map_err(|error| error.to_string())?;
    let mut walk = Walk {
        constants: model
            .initialisers
            .iter()
            .filter_map(|tensor| {
                let values = tensor.floats()?;
                Some((tensor.name.as_str(), (tensor.shape.as_slice(), values)))
            })
            .collect(),
        sources: model
            .inputs
            .iter()
            .map(|input| (input.name.as_str(), Source::Input))
            .collect(),
        layers: Vec::new(),
        trace: Trace::default(),
        values: BTreeMap::new(),
        of_layers: BTreeMap::new(),
        wholes: model
            .initialisers
            .iter()
            .filter_map(|tensor| Some((tensor.name.as_str(), tensor.integers()?)))
            .collect(),
        is_addend: BTreeMap::new(),
        room: bytes.len(),
        mean: None,
        deviation: None,
        takes_input: [false; 2],
    };
    let foreign: BTreeSet<&str> = model
        .nodes
        .iter()
        .map(|node| node.operator.as_str())
        .filter(|&operator| {
            !matches!(operator, "Gemm" | "MatMul")
                && !TRANSPARENT.contains(&operator)
                && !BETWEEN.contains(&operator)
        })
        .collect();
    if !foreign.is_empty() {
        let foreign: Vec<&str> = foreign.into_iter().take(20).collect();
        return Err(format!(
            "its graph has the operators {}, which this program's models have not; expected dense layers (Gemm, or MatMul with Add) with relu or tanh behind hidden ones",
            foreign.join(", ")
        ));
    }
    for input in &model.inputs {
        let value = walk.trace.push(Made::Input, Vec::new());
        walk.values.insert(&input.name, value);
    }
    for node in &model.nodes {
        walk.node(node)?;
    }
    for output in &model.outputs {
        let value = walk.value(&output.name);
        walk.trace.outputs.push(value);
    }
    if walk.layers.is_empty() {
        return Err(
            "its graph has no dense layer (Gemm, or MatMul with Add, of constant weights)".into(),
        );
    }
    let log_sigma = walk
        .constants
        .get(LOG_SIGMA)
        .map(|&(shape, values)| Tensor {
            name: LOG_SIGMA.into(),
            shape: shape.to_vec(),
            values: Some(values.to_vec()),
        });
    Ok(Graph {
        standardisation: walk.standardisation()?,
        log_sigma,
        layers: walk.layers,
        trace: walk.trace,
        metadata: OwnMetadata::of(&model),
    })
}

struct Walk<'a> {
    constants: BTreeMap<&'a str, (&'a [usize], &'a [f32])>,
    sources: BTreeMap<&'a str, Source>,
    layers: Vec<Layer>,
    trace: Trace,
    /// Where in the trace the value of a name is, and the outputs of a layer.
    values: BTreeMap<&'a str, usize>,
    of_layers: BTreeMap<usize, usize>,
    /// Constants that are whole numbers.
    wholes: BTreeMap<&'a str, &'a [i64]>,
    /// Values that layers may still have: a few times those of the file, as weights
    /// may be shared, but not without end.
    room: usize,
    /// What is taken off the input, and what that is divided by: one number, or one
    /// for each value.
    mean: Option<&'a [f32]>,
    deviation: Option<&'a [f32]>,
    /// Whether a layer takes the input as it is, and standardised.
    takes_input: [bool; 2],
    /// Layers of a MatMul that may still get their bias, by the name of its result.
    is_addend: BTreeMap<&'a str, usize>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &'a Node) -> Result<(), String> {
        let Some(result) = node.outputs.first().map(String::as_str) else {
            return Ok(());
        };
        let input = |index: usize| node.inputs.get(index).map_or("", String::as_str);
        let source = match node.operator.as_str() {
            "Constant" => {
                if let Some(tensor) = node.tensor("value")
                    && let Some(values) = tensor.floats()
                {
                    self.constants
                        .insert(result, (tensor.shape.as_slice(), values));
                }
                if let Some(tensor) = node.tensor("value")
                    && let Some(wholes) = tensor.integers()
                {
                    self.wholes.insert(result, wholes);
                }
                Source::Computed
            }
            "Gemm" => self.gemm(node)?,
            "MatMul" if self.is_weight(input(1)) => self.product(node, result)?,
            "Add" if self.adds_bias(input(0), input(1)) => self.add_bias(input(0), input(1))?,
            "Add" if self.adds_bias(input(1), input(0)) => self.add_bias(input(1), input(0))?,
            "Relu" => self.activated(input(0), Activation::Relu),
            "Tanh" => self.activated(input(0), Activation::Tanh),
            "Sigmoid" => match self.source(input(0)) {
                Source::Dense(layer) => Source::Sigmoid(layer),
                _ => Source::Computed,
            },
            "Sub" if self.source(input(0)) == Source::Input => {
                let mean = self.values(input(1));
                once(&mut self.mean, mean, Source::Centred)
            }
            "Div" if self.source(input(0)) == Source::Centred => {
                let deviation = self.values(input(1));
                once(&mut self.deviation, deviation, Source::Standardised)
            }
            operator if TRANSPARENT.contains(&operator) => self.source(input(0)),
            _ => Source::Computed,
        };
        self.follow(node, source);
        for output in &node.outputs {
            self.sources.insert(output, source);
        }
        Ok(())
    }

    fn require_room(&mut self, values: &[f32]) -> Result<(), String> {
        let left = self.room.checked_sub(values.len());
        self.room = left.ok_or("its layers have more weights in all than the file has bytes")?;
        Ok(())
    }

    fn source(&self, name: &str) -> Source {
        self.sources.get(name).copied().unwrap_or(Source::Computed)
    }

    fn activated(&self, name: &str, activation: Activation) -> Source {
        match self.source(name) {
            Source::Dense(layer) => Source::Activated(layer, activation),
            _ => Source::Computed,
        }
    }

    fn values(&self, name: &str) -> Option<&'a [f32]> {
        self.constants.get(name).map(|&(_, values)| values)
    }

    /// What the input is standardised by, where it is.
    fn standardisation(&self) -> Result<Option<Standardisation>, String> {
        match self.takes_input {
            [true, true] => {
                return Err("its graph standardises values for some layers and not for others; expected the same for all".into());
            }
            [_, false] => return Ok(None),
            [false, true] => {}
        }
        let (Some(mean), Some(deviation)) = (self.mean, self.deviation) else {
            return Ok(None);
        };
        let mut first = self.layers.iter();
        let Some(first) = first.find(|layer| layer.takes == Some(Takes::Input)) else {
            return Ok(None);
        };
        let of_all = |values: &[f32]| match values {
            &[one] => vec![one; first.inputs],
            several => several.to_vec(),
        };
        let found = Standardisation::new(of_all(mean), of_all(deviation));
        let found = found.map_err(|error| format!("its graph standardises values: {error}"))?;
        if found.mean().len() != first.inputs {
            return Err(format!(
                "its graph standardises values by {} means, but a row has {}; expected a mean and a deviation for each value, or one for all",
                found.mean().len(),
                first.inputs
            ));
        }
        Ok(Some(found))
    }

    fn is_weight(&self, name: &str) -> bool {
        let constant = self.constants.get(name);
        constant.is_some_and(|(shape, _)| shape.len() == 2)
    }

    /// What a layer takes of the value of a name.
    fn takes(&mut self, name: &str, layer: &str) -> Result<Takes, String> {
        let source = self.source(name);
        match source {
            Source::Input | Source::Standardised => {
                self.takes_input[usize::from(source == Source::Standardised)] = true;
                Ok(Takes::Input)
            }
            Source::Dense(before) => Ok(Takes::Layer(before, None)),
            Source::Activated(before, activation) => Ok(Takes::Layer(before, Some(activation))),
            Source::Sigmoid(before) => Err(format!(
                "its layer {layer} takes the sigmoid of {}; expected relu or tanh behind hidden layers",
                self.layers[before].name
            )),
            Source::Centred | Source::Computed => Ok(Takes::Computed),
        }
    }

    /// y = α·x·W + β·b.
    fn gemm(&mut self, node: &'a Node) -> Result<Source, String> {
        let input = |index: usize| node.inputs.get(index).map_or("", String::as_str);
        let (x, w, b) = (input(0), input(1), input(2));
        let Some(&(shape, values)) = self.constants.get(w).filter(|_| self.is_weight(w)) else {
            return Ok(Source::Computed);
        };
        let is_one = |name| node.float(name).is_none_or(|value| value == 1.0);
        if !is_one("alpha") || !is_one("beta") || node.integer("transA").unwrap_or(0) != 0 {
            return Err(format!(
                "its node {} has factors or a transposed input, which no dense layer has",
                node.name
            ));
        }
        let name = layer_name(node, w);
        let outputs_first = node.integer("transB").unwrap_or(0) != 0;
        let takes = self.takes(x, &name)?;
        self.require_room(values)?;
        require_sides(&name, [shape[0], shape[1]])?;
        let taken = self.value(x);
        self.trace.taken.push(taken);
        let layer = layer(name, shape, values, outputs_first, takes);
        let index = self.layers.len();
        self.layers.push(layer);
        if !b.is_empty() {
            self.set_bias(index, b)?;
        }
        Ok(Source::Dense(index))
    }

    /// x·W, whose bias may be added next.
    fn product(&mut self, node: &'a Node, result: &'a str) -> Result<Source, String> {
        let (x, w) = (node.inputs[0].as_str(), node.inputs[1].as_str());
        let Some(&(shape, values)) = self.constants.get(w) else {
            return Ok(Source::Computed);
        };
        let name = layer_name(node, w);
        let takes = self.takes(x, &name)?;
        self.require_room(values)?;
        require_sides(&name, [shape[0], shape[1]])?;
        let taken = self.value(x);
        self.trace.taken.push(taken);
        let layer = layer(name, shape, values, false, takes);
        let index = self.layers.len();
        self.layers.push(layer);
        self.is_addend.insert(result, index);
        Ok(Source::Dense(index))
    }

    fn adds_bias(&self, sum: &str, bias: &str) -> bool {
        self.is_addend.contains_key(sum) && self.constants.contains_key(bias)
    }

    fn add_bias(&mut self, sum: &str, bias: &str) -> Result<Source, String> {
        let Some(index) = self.is_addend.remove(sum) else {
            return Ok(Source::Computed);
        };
        self.set_bias(index, bias)?;
        Ok(Source::Dense(index))
    }

    fn set_bias(&mut self, index: usize, name: &str) -> Result<(), String> {
        let layer = &mut self.layers[index];
        let wrong = |found: String| {
            format!(
                "its layer {} has {} outputs and {found} for its bias; expected as many constants",
                layer.name, layer.outputs
            )
        };
        let Some(&(shape, values)) = self.constants.get(name) else {
            return Err(wrong("something computed".into()));
        };
        if values.len() != layer.outputs {
            return Err(wrong(shown(shape)));
        }
        layer.bias = values.to_vec();
        layer.has_bias = true;
        Ok(())
    }
}

/// Keeps constants that the input is standardised by, and gives what comes out; of
/// no constants, or others than before, that is something computed.
fn once<'a>(kept: &mut Option<&'a [f32]>, found: Option<&'a [f32]>, result: Source) -> Source {
    match (*kept, found) {
        (None, Some(values)) => {
            *kept = Some(values);
            result
        }
        (Some(before), Some(values)) if before == values => result,
        _ => Source::Computed,
    }
}

/// What a layer is called: by its weight where that has a telling name, else by its
/// node.
fn layer_name(node: &Node, weight: &str) -> String {
    match parts(weight) {
        Some((name, _)) if !name.is_empty() => name,
        _ if !node.name.is_empty() => node.name.clone(),
        _ => weight.to_owned(),
    }
}

fn layer(
    name: String,
    shape: &[usize],
    values: &[f32],
    outputs_first: bool,
    takes: Takes,
) -> Layer {
    let (outputs, inputs) = match outputs_first {
        true => (shape[0], shape[1]),
        false => (shape[1], shape[0]),
    };
    let weight = match outputs_first {
        true => values.to_vec(),
        false => transposed(values, shape[0], shape[1]),
    };
    Layer {
        name,
        inputs,
        outputs,
        weight,
        bias: vec![0.0; outputs],
        has_bias: false,
        was_transposed: !outputs_first,
        is_direction_guessed: false,
        takes: Some(takes),
        place: None,
    }
}
