//! Graphs computed in plain arrays of f64, for tests of what they say.

use std::collections::BTreeMap;

use ndarray::{ArrayD, Axis, Ix2, IxDyn, Slice, Zip};
use onnx::{Elements, Model, Node};

/// The results of a graph by their names, for one input.
pub(super) fn run(model: &Model, input: ArrayD<f64>) -> BTreeMap<String, ArrayD<f64>> {
    let constants = model.initialisers.iter().map(|tensor| {
        let Elements::Floats(values) = &tensor.elements else {
            panic!("{} is {:?}", tensor.name, tensor.elements);
        };
        let values = values.iter().map(|&value| f64::from(value)).collect();
        let array = ArrayD::from_shape_vec(IxDyn(&tensor.shape), values).unwrap();
        (tensor.name.clone(), array)
    });
    let mut values: BTreeMap<String, ArrayD<f64>> = constants.collect();
    assert_eq!(model.inputs.len(), 1);
    values.insert(model.inputs[0].name.clone(), input);
    for node in &model.nodes {
        let inputs: Vec<&ArrayD<f64>> = node.inputs.iter().map(|name| &values[name]).collect();
        let result = result(node, &inputs);
        let [name] = node.outputs.as_slice() else {
            panic!("{node:?}");
        };
        assert!(
            values.insert(name.clone(), result).is_none(),
            "{name} is there"
        );
    }
    let outputs = model.outputs.iter();
    outputs
        .map(|output| (output.name.clone(), values[&output.name].clone()))
        .collect()
}

fn result(node: &Node, inputs: &[&ArrayD<f64>]) -> ArrayD<f64> {
    let each = |of: fn(f64) -> f64| inputs[0].mapv(of);
    let pairs = |of: fn(f64, f64) -> f64| broadcast(inputs[0], inputs[1], of);
    let truth = |is: bool| f64::from(u8::from(is));
    match node.operator.as_str() {
        "Gemm" => {
            assert_eq!(node.integer("transB"), Some(1));
            let matrix = |at: usize| inputs[at].view().into_dimensionality::<Ix2>().unwrap();
            let product = matrix(0).dot(&matrix(1).t()).into_dyn();
            broadcast(&product, inputs[2], |a, b| a + b)
        }
        "Identity" => each(|x| x),
        "Relu" => each(|x| x.max(0.0)),
        "Tanh" => each(f64::tanh),
        "Sigmoid" => each(|x| 1.0 / (1.0 + (-x).exp())),
        "Exp" => each(f64::exp),
        "Neg" => each(|x| -x),
        "Abs" => each(f64::abs),
        "Add" => pairs(|a, b| a + b),
        "Sub" => pairs(|a, b| a - b),
        "Mul" => pairs(|a, b| a * b),
        "Div" => pairs(|a, b| a / b),
        "Max" => pairs(f64::max),
        "Less" => broadcast(inputs[0], inputs[1], |a, b| truth(a < b)),
        "Greater" => broadcast(inputs[0], inputs[1], |a, b| truth(a > b)),
        "Clip" => {
            let limit = |name: &str| f64::from(node.float(name).unwrap());
            inputs[0].mapv(|x| x.clamp(limit("min"), limit("max")))
        }
        "Where" => {
            // Chosen, not weighed: what is left out may be infinite.
            let first = broadcast(
                inputs[0],
                inputs[1],
                |c, a| if c > 0.0 { a } else { f64::NAN },
            );
            let second = broadcast(
                inputs[0],
                inputs[2],
                |c, b| if c > 0.0 { f64::NAN } else { b },
            );
            broadcast(&first, &second, |a, b| if a.is_nan() { b } else { a })
        }
        "Slice" => {
            let whole = |name: &str| match node.integers(name) {
                Some(&[value]) => value as isize,
                other => panic!("{name} is {other:?}"),
            };
            let range = Slice::from(whole("starts")..whole("ends"));
            inputs[0]
                .slice_axis(Axis(whole("axes") as usize), range)
                .to_owned()
        }
        "Shape" => {
            let sizes = inputs[0].shape().iter().map(|&size| size as f64);
            ArrayD::from_shape_vec(IxDyn(&[inputs[0].ndim()]), sizes.collect()).unwrap()
        }
        "Expand" => {
            let shape: Vec<usize> = inputs[1].iter().map(|&size| size as usize).collect();
            inputs[0].broadcast(IxDyn(&shape)).unwrap().to_owned()
        }
        other => panic!("the operator {other} is none that is written"),
    }
}

fn broadcast(a: &ArrayD<f64>, b: &ArrayD<f64>, of: impl Fn(f64, f64) -> f64) -> ArrayD<f64> {
    let shape = if a.ndim() >= b.ndim() && a.len() >= b.len() {
        a.shape()
    } else {
        b.shape()
    };
    let wide = |array: &ArrayD<f64>| array.broadcast(IxDyn(shape)).unwrap().to_owned();
    Zip::from(&wide(a))
        .and(&wide(b))
        .map_collect(|&a, &b| of(a, b))
}
