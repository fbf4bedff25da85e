//! The functions that computers compute in more than one way: those of the
//! platform's mathematical library, whose last digit depends on which library it is
//! and which instructions the processor has.
//!
//! On the path [`Isa::Portable`] they are those of the crate `libm`, which are built of
//! sums, products, quotients and roots alone, and so the same everywhere. Whatever
//! reaches a trained number asks here and not the methods of `f64`.
//!
//! ```
//! use tensor_ops::library;
//!
//! assert!((library::exp(1.0) - std::f64::consts::E).abs() < 1e-15);
//! ```

use crate::isa::{Isa, isa};

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident($x:ident $(, $y:ident)?): $method:ident, $portable:ident;)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name($x: f64 $(, $y: f64)?) -> f64 {
                if is_portable() {
                    libm::$portable($x $(, $y)?)
                } else {
                    $x.$method($($y)?)
                }
            }
        )*
    };
}

functions! {
    /// eˣ.
    exp(x): exp, exp;
    /// eˣ − 1 without cancellation near 0.
    exp_m1(x): exp_m1, expm1;
    /// Natural logarithm.
    ln(x): ln, log;
    /// ln(1 + x) without cancellation near 0.
    ln_1p(x): ln_1p, log1p;
    /// Hyperbolic tangent.
    tanh(x): tanh, tanh;
    /// Sine of an angle in radians.
    sin(x): sin, sin;
    /// Cosine of an angle in radians.
    cos(x): cos, cos;
    /// xʸ.
    pow(x, y): powf, pow;
}

/// 10ˣ. Of a base that they see compilers may ask the library for another function, as
/// for exp2 of 2ˣ: here it is always seen, and not only where a call is inlined.
#[inline]
pub fn power_of_ten(x: f64) -> f64 {
    if is_portable() {
        libm::pow(10.0, x)
    } else {
        10_f64.powf(x)
    }
}

/// The same functions of f32.
pub(crate) mod single {
    use super::is_portable;

    macro_rules! functions {
        ($($name:ident: $portable:ident;)*) => {
            $(
                #[inline]
                pub(crate) fn $name(x: f32) -> f32 {
                    if is_portable() { libm::$portable(x) } else { x.$name() }
                }
            )*
        };
    }

    functions! {
        exp: expf;
        exp_m1: expm1f;
        ln: logf;
        ln_1p: log1pf;
        tanh: tanhf;
        sin: sinf;
        cos: cosf;
    }
}

/// What tells one library from another: a word that is the same wherever these
/// functions give the same bits at some hundred places, those of `f64` and of `f32`.
#[must_use]
pub fn fingerprint() -> u64 {
    const PLACES: u32 = 200;
    let places = || (1..=PLACES).map(|place| 0.0937 * f64::from(place));
    let double: [fn(f64) -> f64; 7] = [
        |x| exp(-x),
        ln,
        cos,
        sin,
        tanh,
        |x| pow(0.999, x),
        |x| power_of_ten(-x),
    ];
    let single: [fn(f32) -> f32; 4] = [|x| single::exp(-x), single::ln, single::cos, single::tanh];
    let words = double
        .iter()
        .flat_map(|function| places().map(|x| function(x).to_bits()));
    let more = single
        .iter()
        .flat_map(|function| places().map(|x| u64::from(function(x as f32).to_bits())));
    fold(words.chain(more))
}

/// FNV-1a of words.
fn fold(words: impl Iterator<Item = u64>) -> u64 {
    let bytes = words.flat_map(u64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn is_portable() -> bool {
    isa() == Isa::Portable
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways, whichever this process goes.
    #[test]
    fn the_two_libraries_agree_but_for_their_last_digits() {
        let close = |a: f64, b: f64| (a - b).abs() <= 4.0 * f64::EPSILON * b.abs().max(1e-300);
        for step in -400..400 {
            let x = 0.037 * f64::from(step) + 0.001;
            for (name, ours, theirs) in [
                ("exp", exp(x), libm::exp(x)),
                ("exp", exp(x), x.exp()),
                ("exp_m1", exp_m1(x), libm::expm1(x)),
                ("exp_m1", exp_m1(x), x.exp_m1()),
                ("ln", ln(x.abs()), libm::log(x.abs())),
                ("ln", ln(x.abs()), x.abs().ln()),
                ("ln_1p", ln_1p(x.abs()), libm::log1p(x.abs())),
                ("ln_1p", ln_1p(x.abs()), x.abs().ln_1p()),
                ("tanh", tanh(x), libm::tanh(x)),
                ("tanh", tanh(x), x.tanh()),
                ("sin", sin(x), libm::sin(x)),
                ("sin", sin(x), x.sin()),
                ("cos", cos(x), libm::cos(x)),
                ("cos", cos(x), x.cos()),
                ("pow", pow(x.abs(), 3.7), libm::pow(x.abs(), 3.7)),
                ("pow", pow(x.abs(), 3.7), x.abs().powf(3.7)),
                ("10ˣ", power_of_ten(x), libm::pow(10.0, x)),
            ] {
                assert!(close(ours, theirs), "{name} of {x}: {ours} and {theirs}");
            }
        }
    }
}
