//! Writing down what the nodes of a graph make of each other's results.

use onnx::Node;

use super::{Source, TRANSPARENT, Walk};
use crate::trace::Made;

impl<'a> Walk<'a> {
    /// Adds the results of a node to the trace.
    pub(super) fn follow(&mut self, node: &'a Node, source: Source) {
        let operator = node.operator.as_str();
        let first = node.inputs.first().map_or("", String::as_str);
        for (index, output) in node.outputs.iter().enumerate() {
            if output.is_empty() || operator == "Constant" {
                continue;
            }
            let value = match (source, operator) {
                (Source::Dense(layer), _) => {
                    let trace = &mut self.trace;
                    let push = || trace.push(Made::Layer(layer), Vec::new());
                    *self.of_layers.entry(layer).or_insert_with(push)
                }
                // Which rows there are is nothing of their values.
                (_, "Expand") => self.value(first),
                (_, operator) if TRANSPARENT.contains(&operator) => self.value(first),
                (_, "Shape" | "Size") => self.trace.push(Made::By(operator.into()), Vec::new()),
                (_, "ConstantOfShape") => {
                    let numbers = match node.tensor("value") {
                        Some(value) => value.floats().unwrap_or_default().to_vec(),
                        // What the operator has of itself.
                        None => vec![0.0],
                    };
                    self.trace.push(Made::Constant(numbers), Vec::new())
                }
                (_, "RandomNormal" | "RandomNormalLike") => {
                    let drawn = self.trace.push(Made::Random, Vec::new());
                    let is = |name: &str, usual: f32| node.float(name).is_none_or(|it| it == usual);
                    if is("mean", 0.0) && is("scale", 1.0) {
                        drawn
                    } else {
                        // Not of the distribution that a model draws from.
                        self.trace.push(Made::By(operator.into()), vec![drawn])
                    }
                }
                (_, "Slice" | "Split") => match self.columns(node, first, index) {
                    Some(part) => self.trace.push(part, Vec::new()),
                    None => self.computed(node),
                },
                _ => self.computed(node),
            };
            self.values.insert(output, value);
        }
    }

    /// Where the value of a name is in the trace.
    pub(super) fn value(&mut self, name: &'a str) -> usize {
        if let Some(&value) = self.values.get(name) {
            return value;
        }
        let made = match self.constants.get(name) {
            Some(&(shape, values)) => Made::Constant(match values {
                [one, others @ ..] if others.iter().all(|other| other == one) => vec![*one],
                _ if shape.iter().filter(|&&size| size != 1).count() < 2 => values.to_vec(),
                _ => Vec::new(),
            }),
            None => Made::By("something unknown".into()),
        };
        let value = self.trace.push(made, Vec::new());
        self.values.insert(name, value);
        value
    }

    /// What an operator computes.
    fn computed(&mut self, node: &'a Node) -> usize {
        let inputs = node.inputs.iter().filter(|name| !name.is_empty());
        let mut of: Vec<usize> = inputs.map(|name| self.value(name)).collect();
        // Until version 11 limits were no inputs.
        for limit in ["min", "max"] {
            if let Some(limit) = node.float(limit) {
                of.push(self.trace.push(Made::Constant(vec![limit]), Vec::new()));
            }
        }
        self.trace.push(Made::By(node.operator.clone()), of)
    }

    /// The columns of a layer's outputs that a result of a node is, where it is some.
    fn columns(&mut self, node: &'a Node, of: &'a str, result: usize) -> Option<Made> {
        let of = self.value(of);
        let &Made::Layer(layer) = self.trace.made(of) else {
            return None;
        };
        let width = self.layers[layer].outputs as i64;
        let is_column = |axis: i64| matches!(axis, 1 | -1);
        let wholes = |name: &str, index: usize| {
            let input = || self.wholes.get(node.inputs.get(index)?.as_str()).copied();
            node.integers(name).or_else(input)
        };
        let [start, end] = if node.operator == "Slice" {
            let (starts, ends) = (wholes("starts", 1)?, wholes("ends", 2)?);
            let (&[start], &[end], &[axis]) = (starts, ends, wholes("axes", 3)?) else {
                return None;
            };
            let is_next = wholes("steps", 4).is_none_or(|steps| steps == [1]);
            if !is_column(axis) || !is_next {
                return None;
            }
            [start, end]
        } else {
            if !node.integer("axis").is_some_and(is_column) {
                return None;
            }
            let parts = node.outputs.len() as i64;
            // The last share is smaller where they are not equal.
            let share = (width + parts - 1) / parts;
            let size =
                |index: usize| wholes("split", 1).map_or(Some(share), |it| it.get(index).copied());
            let before = (0..result).try_fold(0_i64, |sum, index| sum.checked_add(size(index)?))?;
            [before, before.checked_add(size(result)?)?]
        };
        let column = |at: i64| {
            let at = if at < 0 { at.saturating_add(width) } else { at };
            at.clamp(0, width) as usize
        };
        Some(Made::Part(layer, [column(start), column(end)]))
    }
}
