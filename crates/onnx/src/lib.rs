//! The few messages of ONNX that a network of dense layers needs, written and
//! read.
//!
//! [`GraphBuilder`] makes graphs of named values, [`Model::decode`] reads files
//! that anybody wrote. The messages themselves are in [`proto`], with the field
//! numbers of `onnx.proto`; no compiler of protobuf is needed.

mod error;
mod graph;
mod limits;
mod model;
pub mod proto;
mod tensor;

pub use error::Error;
pub use graph::{GraphBuilder, IR_VERSION, Named, Written};
pub use limits::MAXIMUM_PARTS;
pub use model::{Attribute, AttributeValue, Model, Node, Size, Value};
pub use tensor::{Elements, Tensor};
