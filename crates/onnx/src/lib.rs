//! The few messages of ONNX that a network of dense layers needs, written and read.
