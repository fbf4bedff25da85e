//! Elementwise functions over slices.
//!
//! Each function exists out of place (`exp(x, out)`), in place
//! (`exp_in_place(x)`) and for one value ([`scalar`]), all three with the
//! same bits.

use crate::Float;

pub mod scalar;

macro_rules! slice_function {
    ($(#[$doc:meta])* $name:ident, $in_place:ident) => {
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
            for (out, &x) in out.iter_mut().zip(x) {
                *out = scalar::$name(x);
            }
        }

        #[doc = concat!("[`", stringify!($name), "`] in place.")]
        pub fn $in_place<T: Float>(x: &mut [T]) {
            for x in x {
                *x = scalar::$name(*x);
            }
        }
    };
}

slice_function! {
    /// out = eˣ.
    exp, exp_in_place
}
slice_function! {
    /// out = ln x, the natural logarithm.
    ln, ln_in_place
}
slice_function! {
    /// out = ln(1 + x) for x in \[0, 1\]; unspecified elsewhere.
    log1p_unit, log1p_unit_in_place
}
slice_function! {
    /// out = 1 / (1 + e⁻ˣ).
    sigmoid, sigmoid_in_place
}
slice_function! {
    /// out = ln(1 + eˣ), stable for any x.
    softplus, softplus_in_place
}
slice_function! {
    /// out = tanh x.
    tanh, tanh_in_place
}
slice_function! {
    /// out = max(x, 0); NaN stays NaN.
    relu, relu_in_place
}
