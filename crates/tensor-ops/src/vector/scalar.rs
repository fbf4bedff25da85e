//! The functions of [`crate::vector`] for one value, with the same bits.

use crate::{Activation, Float};

/// eˣ.
pub fn exp<T: Float>(x: T) -> T {
    x.exp()
}

/// ln x.
pub fn ln<T: Float>(x: T) -> T {
    x.ln()
}

/// ln(1 + x) for x in \[0, 1\]; unspecified elsewhere.
pub fn log1p_unit<T: Float>(x: T) -> T {
    x.ln_1p()
}

/// 1 / (1 + e⁻ˣ).
pub fn sigmoid<T: Float>(x: T) -> T {
    let e = (-x.abs()).exp();
    (if x > T::ZERO { T::ONE } else { e }) / (T::ONE + e)
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)).
pub fn softplus<T: Float>(x: T) -> T {
    relu(x) + (-x.abs()).exp().ln_1p()
}

/// tanh x.
pub fn tanh<T: Float>(x: T) -> T {
    x.tanh()
}

/// max(x, 0); NaN stays NaN.
pub fn relu<T: Float>(x: T) -> T {
    Activation::Relu.apply(x)
}
