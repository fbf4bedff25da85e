//! A model as it is read: names, shapes and numbers without the wrapping.

use prost::Message;

use crate::error::Error;
use crate::limits;
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, ValueInfoProto,
    attribute_type,
};
use crate::tensor::Tensor;

/// A model that was read.
///
/// ```
/// use onnx::{Elements, GraphBuilder, Model};
///
/// let mut graph = GraphBuilder::new("scale");
/// let x = graph.input("x", 2);
/// let factor = graph.floats("factor", &[2], vec![1.0, 0.5]);
/// let y = graph.node("Mul", &[&x, &factor], "y", []);
/// graph.output(&y, 2);
/// let bytes = graph.finish(9, &[("run", "r1")]).encode()?;
///
/// let model = Model::decode(&bytes)?;
/// assert_eq!(model.opset(), Some(9));
/// assert_eq!(model.nodes[0].operator, "Mul");
/// assert_eq!(model.initialiser("factor").unwrap().elements, Elements::Floats(vec![1.0, 0.5]));
/// assert_eq!(model.metadata, [("run".to_owned(), "r1".to_owned())]);
/// # Ok::<(), onnx::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Version of the file format; 0 if the file does not say.
    pub ir_version: i64,
    /// The program that wrote it with its version, as in `pytorch 2.6.0`; may be
    /// empty.
    pub producer: String,
    /// Versions of the sets of operators by their domain, `""` being ONNX itself.
    pub opsets: Vec<(String, i64)>,
    /// Name of the graph; may be empty.
    pub name: String,
    /// What is given to the graph, without the initialisers that older files
    /// list here too.
    pub inputs: Vec<Value>,
    /// What it gives back.
    pub outputs: Vec<Value>,
    /// Constants by which nodes are fed, in the order of the file.
    pub initialisers: Vec<Tensor>,
    /// Operations in the order of the file, in which each comes after those
    /// whose results it takes.
    pub nodes: Vec<Node>,
    /// Keys and values, in the order of the file.
    pub metadata: Vec<(String, String)>,
}

/// What goes into a graph or comes out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Its sizes, if the file gives them.
    pub shape: Option<Vec<Size>>,
}

/// A size of a [`Value`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// A number; never negative.
    Fixed(usize),
    /// Any, under a name that may be empty, as that of a batch.
    Free(String),
}

/// An operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its own name; may be empty.
    pub name: String,
    /// The operator, as in `Gemm`.
    pub operator: String,
    /// Whose operator it is: `""` for those of ONNX itself.
    pub domain: String,
    /// Names of what it takes; an optional input that is left out is `""`.
    pub inputs: Vec<String>,
    /// Names of its results.
    pub outputs: Vec<String>,
    /// What it is told besides.
    pub attributes: Vec<Attribute>,
}

/// A named setting of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name, as in `transB`.
    pub name: String,
    /// Its value.
    pub value: AttributeValue,
}

/// The value of an [`Attribute`].
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// A number.
    Float(f32),
    /// A whole number.
    Integer(i64),
    /// A text; bytes that are no UTF-8 are replaced.
    Text(String),
    /// A tensor, as of the node `Constant`.
    Tensor(Tensor),
    /// Numbers.
    Floats(Vec<f32>),
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
    /// A graph, a type or whatever else, by its number in `onnx.proto`; its
    /// content is skipped.
    Other(i32),
}

impl Model {
    /// Reads the bytes of a file.
    ///
    /// Safe on bytes of any origin: it never panics, follows no reference out of
    /// the file, and takes no more memory than about thirty times the length
    /// of the bytes (whole numbers of one byte become such of eight) and 300 bytes for each of at most
    /// [`MAXIMUM_PARTS`](crate::MAXIMUM_PARTS) messages and texts. Whether nodes
    /// refer to names that exist is for the caller to see.
    ///
    /// # Errors
    /// Bytes that are no protobuf or other messages; more than two gigabytes or
    /// [`MAXIMUM_PARTS`](crate::MAXIMUM_PARTS) messages and texts; no graph; a
    /// tensor whose shape is not that of its numbers, or whose numbers are in
    /// another file.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        limits::check(bytes)?;
        let proto = ModelProto::decode(bytes).map_err(|error| Error::Message(error.to_string()))?;
        Self::read(proto)
    }

    /// The version of ONNX's own operators; `None` if the file does not say.
    #[must_use]
    pub fn opset(&self) -> Option<i64> {
        let own = |(domain, _): &&(String, i64)| domain.is_empty() || domain == "ai.onnx";
        self.opsets.iter().find(own).map(|(_, version)| *version)
    }

    /// The constant of a name.
    #[must_use]
    pub fn initialiser(&self, name: &str) -> Option<&Tensor> {
        self.initialisers.iter().find(|tensor| tensor.name == name)
    }

    fn read(proto: ModelProto) -> Result<Self, Error> {
        let graph = proto.graph.ok_or(Error::NoGraph)?;
        let GraphProto {
            node,
            name,
            initializer,
            input,
            output,
            ..
        } = graph;
        let tensors = initializer.into_iter().map(Tensor::read);
        let initialisers = tensors.collect::<Result<Vec<_>, _>>()?;
        let mut constants: Vec<&str> = initialisers.iter().map(|t| t.name.as_str()).collect();
        constants.sort_unstable();
        let mut inputs: Vec<Value> = input.into_iter().map(Value::read).collect();
        inputs.retain(|value| constants.binary_search(&value.name.as_str()).is_err());
        let words = [proto.producer_name, proto.producer_version].map(Option::unwrap_or_default);
        let opsets = proto.opset_import.into_iter();
        Ok(Self {
            ir_version: proto.ir_version.unwrap_or_default(),
            producer: words.join(" ").trim().to_owned(),
            opsets: opsets
                .map(|set| {
                    let domain = set.domain.unwrap_or_default();
                    (domain, set.version.unwrap_or_default())
                })
                .collect(),
            name: name.unwrap_or_default(),
            inputs,
            outputs: output.into_iter().map(Value::read).collect(),
            initialisers,
            nodes: node
                .into_iter()
                .map(Node::read)
                .collect::<Result<Vec<_>, _>>()?,
            metadata: proto.metadata_props.into_iter().map(entry).collect(),
        })
    }
}

fn entry(proto: StringStringEntryProto) -> (String, String) {
    let (key, value) = (proto.key, proto.value);
    (key.unwrap_or_default(), value.unwrap_or_default())
}

impl Value {
    fn read(proto: ValueInfoProto) -> Self {
        let shape = proto.r#type.and_then(|of| of.tensor_type?.shape);
        let sizes = |dims: Vec<_>| dims.into_iter().map(Size::read).collect();
        Self {
            name: proto.name.unwrap_or_default(),
            shape: shape.map(|shape| sizes(shape.dim)),
        }
    }
}

impl Size {
    fn read(proto: crate::proto::DimensionProto) -> Self {
        // A negative number is what some writers give a free size.
        let fixed = proto.dim_value.and_then(|size| usize::try_from(size).ok());
        match fixed {
            Some(size) => Self::Fixed(size),
            None => Self::Free(proto.dim_param.unwrap_or_default()),
        }
    }
}

impl Node {
    /// The attribute of a name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|attribute| attribute.name == name);
        found.map(|attribute| &attribute.value)
    }

    /// The attribute of a name, if it is a number.
    #[must_use]
    pub fn float(&self, name: &str) -> Option<f32> {
        match self.attribute(name) {
            Some(AttributeValue::Float(value)) => Some(*value),
            _ => None,
        }
    }

    /// The attribute of a name, if it is a whole number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.attribute(name) {
            Some(AttributeValue::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// The attribute of a name, if it is a list of whole numbers.
    #[must_use]
    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        match self.attribute(name) {
            Some(AttributeValue::Integers(values)) => Some(values),
            _ => None,
        }
    }

    /// The attribute of a name, if it is a tensor.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        match self.attribute(name) {
            Some(AttributeValue::Tensor(tensor)) => Some(tensor),
            _ => None,
        }
    }

    fn read(proto: NodeProto) -> Result<Self, Error> {
        let attributes = proto.attribute.into_iter().map(Attribute::read);
        Ok(Self {
            name: proto.name.unwrap_or_default(),
            operator: proto.op_type.unwrap_or_default(),
            domain: proto.domain.unwrap_or_default(),
            inputs: proto.input,
            outputs: proto.output,
            attributes: attributes.collect::<Result<Vec<_>, _>>()?,
        })
    }
}

impl Attribute {
    fn read(proto: AttributeProto) -> Result<Self, Error> {
        use attribute_type::{FLOAT, FLOATS, INT, INTS, STRING, STRINGS, TENSOR};
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        // Files from before types were written say it by what they fill in.
        let filled = [
            (FLOAT, proto.f.is_some()),
            (INT, proto.i.is_some()),
            (STRING, proto.s.is_some()),
            (TENSOR, proto.t.is_some()),
            (FLOATS, !proto.floats.is_empty()),
            (INTS, !proto.ints.is_empty()),
            (STRINGS, !proto.strings.is_empty()),
        ];
        let guess = || filled.iter().find(|(_, is_filled)| *is_filled);
        let written = proto.r#type.filter(|&number| number != 0);
        let number = written.or_else(|| guess().map(|(number, _)| *number));
        let value = match number.unwrap_or_default() {
            FLOAT => AttributeValue::Float(proto.f.unwrap_or_default()),
            INT => AttributeValue::Integer(proto.i.unwrap_or_default()),
            STRING => AttributeValue::Text(text(proto.s.unwrap_or_default())),
            TENSOR => AttributeValue::Tensor(Tensor::read(proto.t.unwrap_or_default())?),
            FLOATS => AttributeValue::Floats(proto.floats),
            INTS => AttributeValue::Integers(proto.ints),
            STRINGS => AttributeValue::Texts(proto.strings.into_iter().map(text).collect()),
            other => AttributeValue::Other(other),
        };
        Ok(Self {
            name: proto.name.unwrap_or_default(),
            value,
        })
    }
}

#[cfg(test)]
mod tests;
