//! The functions of [`crate::vector`] for one value, with the same bits.

use crate::Float;
use crate::isa::Available;
use crate::vector::map::{self, Slices};

macro_rules! scalar_function {
    ($($(#[$doc:meta])* $name:ident $kernel:ident $operation:ident)*) => {
        $(
            $(#[$doc])*
            pub fn $name<T: Float>(x: T) -> T {
                let mut value = [x];
                T::$kernel(Available::current(), map::$operation(Slices::InPlace(&mut value)));
                value[0]
            }
        )*
    };
}

scalar_function! {
    /// eˣ.
    exp map_exp Exp
    /// ln x.
    ln map_ln Ln
    /// ln(1 + x) for x in \[0, 1\]; unspecified elsewhere.
    log1p_unit map_log1p_unit Log1pUnit
    /// 1 / (1 + e⁻ˣ).
    sigmoid map_sigmoid Sigmoid
    /// ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)).
    softplus map_softplus Softplus
    /// tanh x.
    tanh map_tanh Tanh
    /// max(x, 0); NaN stays NaN.
    relu map_relu Relu
}
