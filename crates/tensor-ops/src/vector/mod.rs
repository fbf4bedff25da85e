//! Elementwise functions over slices.
//!
//! Each function exists out of place (`exp(x, out)`), in place
//! (`exp_in_place(x)`) and for one value ([`scalar`]), all three with the
//! same bits.

use crate::Float;
use crate::isa::Available;
use crate::simd::Line;

pub(crate) mod elementary;
pub(crate) mod map;
pub mod scalar;

use map::Slices;

macro_rules! slice_function {
    ($(#[$doc:meta])* $name:ident, $in_place:ident, $kernel:ident, $operation:ident) => {
        $(#[$doc])*
        ///
        /// # Panics
        /// If the slices differ in length.
        pub fn $name<T: Float>(x: &[T], out: &mut [T]) {
            assert!(
                x.len() == out.len(),
                concat!("vector::", stringify!($name), ": x has {} elements, out has {}"),
                x.len(),
                out.len()
            );
            T::$kernel(Available::current(), map::$operation(Slices::To(x, out)));
        }

        #[doc = concat!("[`", stringify!($name), "`] in place.")]
        pub fn $in_place<T: Float>(x: &mut [T]) {
            T::$kernel(Available::current(), map::$operation(Slices::InPlace(x)));
        }
    };
}

/// tanh in place inside a kernel of the path of `L`.
#[inline(always)]
pub(crate) fn tanh_with<T: Float, L: Line<T>>(x: &mut [T]) {
    for x in x {
        *x = T::fast_tanh::<L>(*x);
    }
}

slice_function! {
    /// out = eˣ.
    exp, exp_in_place, map_exp, Exp
}
slice_function! {
    /// out = ln x, the natural logarithm.
    ln, ln_in_place, map_ln, Ln
}
slice_function! {
    /// out = ln(1 + x) for x in \[0, 1\]; unspecified elsewhere.
    log1p_unit, log1p_unit_in_place, map_log1p_unit, Log1pUnit
}
slice_function! {
    /// out = 1 / (1 + e⁻ˣ).
    sigmoid, sigmoid_in_place, map_sigmoid, Sigmoid
}
slice_function! {
    /// out = ln(1 + eˣ), stable for any x.
    softplus, softplus_in_place, map_softplus, Softplus
}
slice_function! {
    /// out = tanh x.
    tanh, tanh_in_place, map_tanh, Tanh
}
slice_function! {
    /// out = max(x, 0); NaN stays NaN.
    relu, relu_in_place, map_relu, Relu
}

#[cfg(test)]
mod tests;
