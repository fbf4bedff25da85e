//! The names that a pickle of a state dict asks for.

use crate::tensor::Number;

/// What may be named: the module and name that Python would import.
pub(super) const GLOBALS: [(&str, Global); 15] = [
    ("collections OrderedDict", Global::OrderedDict),
    ("torch._utils _rebuild_tensor_v2", Global::RebuildTensor),
    ("torch._utils _rebuild_parameter", Global::RebuildParameter),
    ("torch FloatStorage", Global::Storage(Some(Number::F32), 4)),
    ("torch DoubleStorage", Global::Storage(Some(Number::F64), 8)),
    ("torch HalfStorage", Global::Storage(Some(Number::F16), 2)),
    (
        "torch BFloat16Storage",
        Global::Storage(Some(Number::Bf16), 2),
    ),
    ("torch LongStorage", Global::Storage(None, 8)),
    ("torch IntStorage", Global::Storage(None, 4)),
    ("torch ShortStorage", Global::Storage(None, 2)),
    ("torch CharStorage", Global::Storage(None, 1)),
    ("torch ByteStorage", Global::Storage(None, 1)),
    ("torch BoolStorage", Global::Storage(None, 1)),
    ("torch Size", Global::Size),
    ("torch device", Global::Device),
];

/// What a name that is known stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// Numbers that weights can be, and bytes of one.
    Storage(Option<Number>, usize),
    Size,
    Device,
}
