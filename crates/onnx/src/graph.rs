//! Building graphs.

use prost::Message;

use crate::error::Error;
use crate::limits;
use crate::model::{Attribute, AttributeValue};
use crate::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
    attribute_type, data_type,
};
use crate::tensor::{Elements, Tensor};

/// Version of the file format that is written: the first in which constants need
/// not be listed among the inputs (ONNX 1.4, January 2019).
pub const IR_VERSION: i64 = 4;

/// A graph that is being made: rows `[n, width]` go in and out, any number n of
/// them.
///
/// ```
/// use onnx::GraphBuilder;
///
/// let mut graph = GraphBuilder::new("layer");
/// let x = graph.input("x", 3);
/// let weight = graph.floats("weight", &[2, 3], vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
/// let bias = graph.floats("bias", &[2], vec![0.0, -1.0]);
/// let sums = graph.dense(&x, &weight, &bias, "sums");
/// let y = graph.node("Relu", &[&sums], "y", []);
/// graph.output(&y, 2);
/// let bytes = graph.finish(9, &[]).encode()?;
/// assert_eq!(onnx::Model::decode(&bytes)?.nodes.len(), 2);
/// # Ok::<(), onnx::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GraphBuilder {
    graph: GraphProto,
}

/// The name of a value in a graph: an input, a constant or a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named(String);

/// A model that is complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    proto: ModelProto,
}

impl GraphBuilder {
    /// An empty graph of a name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let graph = GraphProto {
            name: Some(name.to_owned()),
            ..GraphProto::default()
        };
        Self { graph }
    }

    /// Says what the graph is, for readers.
    pub fn describe(&mut self, text: &str) {
        self.graph.doc_string = Some(text.to_owned());
    }

    /// Adds an input of 32-bit floats `[n, width]`.
    pub fn input(&mut self, name: &str, width: usize) -> Named {
        self.graph.input.push(rows(name, width));
        Named(name.to_owned())
    }

    /// Adds a constant of 32-bit floats.
    ///
    /// # Panics
    /// If the shape has another number of values.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Named {
        let count: usize = shape.iter().product();
        assert!(
            values.len() == count,
            "GraphBuilder::floats: {} values for the shape {shape:?} of {name}",
            values.len()
        );
        let tensor = Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            elements: Elements::Floats(values),
        };
        self.graph.initializer.push(tensor.written());
        Named(name.to_owned())
    }

    /// Adds a single constant number, which every row takes.
    pub fn number(&mut self, name: &str, value: f32) -> Named {
        self.floats(name, &[1], vec![value])
    }

    /// Adds a node with one result, whose name is the node's too.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&Named],
        result: &str,
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> Named {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|input| input.0.clone()).collect(),
            output: vec![result.to_owned()],
            name: Some(result.to_owned()),
            op_type: Some(operator.to_owned()),
            attribute: attributes.into_iter().map(Attribute::written).collect(),
            ..NodeProto::default()
        });
        Named(result.to_owned())
    }

    /// Adds x·Wᵀ + b with W `[outputs, inputs]` and b `[outputs]`, as PyTorch has
    /// them.
    pub fn dense(&mut self, x: &Named, weight: &Named, bias: &Named, result: &str) -> Named {
        let transposed = Attribute {
            name: "transB".to_owned(),
            value: AttributeValue::Integer(1),
        };
        self.node("Gemm", &[x, weight, bias], result, [transposed])
    }

    /// Makes a result `[n, width]` one of the graph's.
    pub fn output(&mut self, result: &Named, width: usize) {
        self.graph.output.push(rows(&result.0, width));
    }

    /// The model of the graph, in the operators of version `opset` and with
    /// `metadata` in this order.
    #[must_use]
    pub fn finish(self, opset: i64, metadata: &[(&str, &str)]) -> Written {
        let entry = |&(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
        };
        let proto = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("latent-atlas".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto {
                domain: Some(String::new()),
                version: Some(opset),
            }],
            metadata_props: metadata.iter().map(entry).collect(),
            ..ModelProto::default()
        };
        Written { proto }
    }
}

impl Written {
    /// The bytes of the file; the same graph and metadata give the same bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond 2 GiB, which no reader takes.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        limits::check_length(self.proto.encoded_len())?;
        Ok(self.proto.encode_to_vec())
    }
}

/// 32-bit floats `[n, width]` of a name.
fn rows(name: &str, width: usize) -> ValueInfoProto {
    let free = DimensionProto {
        dim_param: Some("n".to_owned()),
        ..DimensionProto::default()
    };
    let fixed = DimensionProto {
        dim_value: Some(width as i64),
        ..DimensionProto::default()
    };
    let tensor_type = TensorTypeProto {
        elem_type: Some(data_type::FLOAT),
        shape: Some(TensorShapeProto {
            dim: vec![free, fixed],
        }),
    };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor_type),
        }),
        doc_string: None,
    }
}

impl Attribute {
    fn written(self) -> AttributeProto {
        let mut proto = AttributeProto {
            name: Some(self.name),
            ..AttributeProto::default()
        };
        proto.r#type = Some(match self.value {
            AttributeValue::Float(value) => {
                proto.f = Some(value);
                attribute_type::FLOAT
            }
            AttributeValue::Integer(value) => {
                proto.i = Some(value);
                attribute_type::INT
            }
            AttributeValue::Text(text) => {
                proto.s = Some(text.into_bytes());
                attribute_type::STRING
            }
            AttributeValue::Floats(values) => {
                proto.floats = values;
                attribute_type::FLOATS
            }
            AttributeValue::Integers(values) => {
                proto.ints = values;
                attribute_type::INTS
            }
            AttributeValue::Texts(texts) => {
                proto.strings = texts.into_iter().map(String::into_bytes).collect();
                attribute_type::STRINGS
            }
            AttributeValue::Tensor(tensor) => {
                proto.t = Some(tensor.written());
                attribute_type::TENSOR
            }
            AttributeValue::Other(number) => number,
        });
        proto
    }
}
