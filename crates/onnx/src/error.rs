//! What a file can lack to be a model that is understood.

use thiserror::Error;

/// Bytes that are no ONNX model, or one that cannot be read.
///
/// The sentences leave out which file it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// No protobuf at all, or one that ends early.
    #[error(
        "the file is no ONNX model: {reason} at byte {position}; expected a whole .onnx file, as torch.onnx.export or onnx.save write it"
    )]
    Wire {
        /// What is wrong.
        reason: &'static str,
        /// Where, in bytes from the beginning.
        position: usize,
    },
    /// Right fields of wrong types.
    #[error("the file is no ONNX model: {0}; expected the messages of onnx.proto")]
    Message(String),
    /// More bytes than protobuf allows.
    #[error(
        "the file has {0} bytes; expected at most 2147483647, which is the most that ONNX allows in one file"
    )]
    TooLarge(usize),
    /// More messages or texts than any network of dense layers has.
    #[error(
        "the file has more than {limit} nodes, tensors, attributes and names; expected a network of dense layers, which has fewer"
    )]
    TooMany {
        /// [`MAXIMUM_PARTS`](crate::MAXIMUM_PARTS).
        limit: usize,
    },
    /// No graph.
    #[error(
        "the file has no graph, so that it is no ONNX model or an empty one; expected a whole .onnx file"
    )]
    NoGraph,
    /// A tensor whose numbers cannot be had.
    #[error("the tensor {name} {reason}", name = .name.escape_debug())]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
}
