//! The messages of ONNX that a network of dense layers needs, with the field
//! numbers of `onnx.proto`.
//!
//! Singular fields are optional as they are there, so that a zero that was
//! written can be told from nothing; fields that are not listed are skipped.

/// A model: the outermost message of a file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ModelProto {
    /// Version of the file format.
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    /// The program that wrote the file.
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    /// Its version.
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    /// Who the model is from, as a reversed domain name.
    #[prost(string, optional, tag = "4")]
    pub domain: Option<String>,
    /// Version of the model itself.
    #[prost(int64, optional, tag = "5")]
    pub model_version: Option<i64>,
    /// For readers, in Markdown.
    #[prost(string, optional, tag = "6")]
    pub doc_string: Option<String>,
    /// What is computed.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// The operators' versions, by domain.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Whatever else is said of the model.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// The version of a set of operators.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperatorSetIdProto {
    /// Whose operators; empty for those of ONNX itself.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// Their version.
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// A key with its value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StringStringEntryProto {
    /// The key.
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    /// The value.
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// Nodes with what goes in and what comes out.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GraphProto {
    /// Operations, each after those whose results it takes.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Its name.
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    /// Constants, under the names by which nodes take them.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// For readers.
    #[prost(string, optional, tag = "10")]
    pub doc_string: Option<String>,
    /// What is given to the graph.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// What it gives back.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// An operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeProto {
    /// Names of what it takes.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of its results.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    /// The operator, as in `Gemm`.
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    /// What the operator is told besides.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// For readers.
    #[prost(string, optional, tag = "6")]
    pub doc_string: Option<String>,
    /// Whose operator it is; empty for those of ONNX itself.
    #[prost(string, optional, tag = "7")]
    pub domain: Option<String>,
}

/// A named setting of an operator. Graphs, sparse tensors and types are left out.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributeProto {
    /// Its name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// A whole number.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// A text.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// A tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// Numbers.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Whole numbers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Texts.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    /// Which of those fields counts, as in [`attribute_type`].
    #[prost(int32, optional, tag = "20")]
    pub r#type: Option<i32>,
}

/// Values of [`AttributeProto::type`](AttributeProto#structfield.type).
pub mod attribute_type {
    /// A number.
    pub const FLOAT: i32 = 1;
    /// A whole number.
    pub const INT: i32 = 2;
    /// A text.
    pub const STRING: i32 = 3;
    /// A tensor.
    pub const TENSOR: i32 = 4;
    /// Numbers.
    pub const FLOATS: i32 = 6;
    /// Whole numbers.
    pub const INTS: i32 = 7;
    /// Texts.
    pub const STRINGS: i32 = 8;
}

/// Numbers in a shape.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    /// Sizes; none for a single number.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// What the numbers are, as in [`data_type`].
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    /// Numbers of type FLOAT.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Numbers of type INT32 and those with fewer bits, of which FLOAT16 and
    /// BFLOAT16 by their bits.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Numbers of type INT64.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Its name.
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    /// Numbers of any type, little-endian, in place of the others.
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
    /// Numbers of type DOUBLE.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Where they are, if they are in another file.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// 1 if they are in another file.
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
}

/// Values of [`TensorProto::data_type`].
pub mod data_type {
    /// 32-bit floats.
    pub const FLOAT: i32 = 1;
    /// 32-bit integers.
    pub const INT32: i32 = 6;
    /// 64-bit integers.
    pub const INT64: i32 = 7;
    /// 16-bit floats.
    pub const FLOAT16: i32 = 10;
    /// 64-bit floats.
    pub const DOUBLE: i32 = 11;
    /// The upper halves of 32-bit floats.
    pub const BFLOAT16: i32 = 16;
}

/// The name of a value with its type.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValueInfoProto {
    /// Its name.
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    /// For readers.
    #[prost(string, optional, tag = "3")]
    pub doc_string: Option<String>,
}

/// A type. Sequences, maps and sparse tensors are left out.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TypeProto {
    /// A tensor's.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// Number type and shape of a tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorTypeProto {
    /// What the numbers are, as in [`data_type`].
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    /// The shape, if it is known.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShapeProto {
    /// Its sizes.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// A size: a number, or a name for one that is free.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DimensionProto {
    /// The number.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// The name.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}
