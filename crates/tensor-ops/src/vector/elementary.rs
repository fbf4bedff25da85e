//! The elementary functions, one value at a time and free of branches.
//!
//! The compiler vectorises loops over these functions, so that the body of a
//! loop, its tail and the portable path share one source. The parameter `L`
//! says only whether multiply-add rounds once. f32 is computed with the
//! polynomials of `fit/minimax.py`, f64 by the standard library.

use crate::simd::Line;

/// The functions of [`crate::vector`] with the arithmetic of `L`.
pub trait Elementary: Sized {
    /// eˣ.
    fn fast_exp<L: Line<Self>>(x: Self) -> Self;
    /// ln x.
    fn fast_ln<L: Line<Self>>(x: Self) -> Self;
    /// ln(1 + x) for x in \[0, 1\].
    fn fast_log1p_unit<L: Line<Self>>(x: Self) -> Self;
    /// 1 / (1 + e⁻ˣ).
    fn fast_sigmoid<L: Line<Self>>(x: Self) -> Self;
    /// ln(1 + eˣ).
    fn fast_softplus<L: Line<Self>>(x: Self) -> Self;
    /// tanh x.
    fn fast_tanh<L: Line<Self>>(x: Self) -> Self;
    /// max(x, 0) with NaN kept.
    fn fast_relu<L: Line<Self>>(x: Self) -> Self;
    /// (softplus x, σ(x)) from one exponential.
    fn fast_softplus_sigmoid<L: Line<Self>>(x: Self) -> (Self, Self);
}

/// a · b + c, rounded once where the path has the instruction.
#[inline(always)]
fn mul_add<L: Line<f32>>(a: f32, b: f32, c: f32) -> f32 {
    if L::FMA { a.mul_add(b, c) } else { a * b + c }
}

/// c₀ + c₁ x + c₂ x² + … by Horner's rule.
#[inline(always)]
fn polynomial<L: Line<f32>, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut value = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        value = mul_add::<L>(value, x, coefficients[i]);
    }
    value
}

/// ln 2 in two parts; the first has 15 bits, so that its product with an
/// exponent is exact without fused multiply-add too.
const LN_2_HIGH: f32 = f32::from_bits(0x3f31_7200);
const LN_2_LOW: f32 = 1.428_606_8e-6;

/// 1.5 · 2²³: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

#[inline(always)]
fn select(condition: bool, a: f32, b: f32) -> f32 {
    if condition { a } else { b }
}

impl Elementary for f32 {
    /// x = n ln 2 + r with |r| ≤ ½ ln 2, eˣ = 2ⁿ (1 + r + r² p(r)); 2ⁿ is
    /// applied in two factors, so that subnormal results are rounded once and
    /// overflow gives +∞.
    #[inline(always)]
    fn fast_exp<L: Line<Self>>(x: f32) -> f32 {
        // Beyond these the result is 0 or +∞; a NaN passes both comparisons.
        let x = select(x < -104.0, -104.0, x);
        let x = select(x > 89.0, 89.0, x);
        let shifted = mul_add::<L>(x, std::f32::consts::LOG2_E, ROUND);
        let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
        let rounded = shifted - ROUND;
        let r = mul_add::<L>(rounded, -LN_2_HIGH, x);
        let r = mul_add::<L>(rounded, -LN_2_LOW, r);
        let p = polynomial::<L, 5>(
            r,
            [
                f32::from_bits(0x3eff_fffe),
                f32::from_bits(0x3e2a_aa49),
                f32::from_bits(0x3d2a_ac58),
                f32::from_bits(0x3c09_1cc7),
                f32::from_bits(0x3ab5_269a),
            ],
        );
        let value = 1.0 + mul_add::<L>(r * r, p, r);
        let half = n >> 1;
        let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
        value * power(half) * power(n.wrapping_sub(half))
    }

    /// x = 2ᵏ (1 + f) with 1 + f in \[√½, √2\]; with s = f / (2 + f), z = s²,
    /// ln(1 + f) = f − (f²/2 − s (f²/2 + z p(z))), whose leading term is exact.
    #[inline(always)]
    fn fast_ln<L: Line<Self>>(x: f32) -> f32 {
        let subnormal = x < f32::MIN_POSITIVE;
        let scaled = select(subnormal, x * 8_388_608.0, x);
        // Counted from √½, the exponent field gives k directly.
        let offset = scaled
            .to_bits()
            .wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits());
        let k = (offset as i32) >> 23;
        let f = f32::from_bits(scaled.to_bits().wrapping_sub((k as u32) << 23)) - 1.0;
        let k = k as f32 - select(subnormal, 23.0, 0.0);
        let s = f / (2.0 + f);
        let z = s * s;
        let tail = z * polynomial::<L, 4>(
            z,
            [
                f32::from_bits(0x3f2a_aaaa),
                f32::from_bits(0x3ecc_ce14),
                f32::from_bits(0x3e91_e989),
                f32::from_bits(0x3e78_b0e9),
            ],
        );
        let half_square = 0.5 * f * f;
        let small = half_square - mul_add::<L>(s, half_square + tail, k * LN_2_LOW);
        let value = mul_add::<L>(k, LN_2_HIGH, f - small);
        let value = select(x == f32::INFINITY, x, value);
        let value = select(x == 0.0, f32::NEG_INFINITY, value);
        select(x >= 0.0, value, f32::NAN)
    }

    /// x + x² p(x): the leading term is exact, and there is no division.
    #[inline(always)]
    fn fast_log1p_unit<L: Line<Self>>(x: f32) -> f32 {
        let p = polynomial::<L, 9>(
            x,
            [
                f32::from_bits(0xbeff_ffe9),
                f32::from_bits(0x3eaa_a6ea),
                f32::from_bits(0xbe7f_924f),
                f32::from_bits(0x3e49_a886),
                f32::from_bits(0xbe1d_2cbd),
                f32::from_bits(0x3dda_8599),
                f32::from_bits(0xbd6b_c5a3),
                f32::from_bits(0x3ca5_124f),
                f32::from_bits(0xbb58_b27f),
            ],
        );
        mul_add::<L>(x * x, p, x)
    }

    #[inline(always)]
    fn fast_sigmoid<L: Line<Self>>(x: f32) -> f32 {
        let e = Self::fast_exp::<L>(-x.abs());
        select(x > 0.0, 1.0, e) / (1.0 + e)
    }

    #[inline(always)]
    fn fast_softplus<L: Line<Self>>(x: f32) -> f32 {
        Self::fast_softplus_sigmoid::<L>(x).0
    }

    /// Near 0 an odd polynomial, x + x³ p(x²); elsewhere 1 − 2 / (e^(2|x|) + 1)
    /// with the sign of x.
    #[inline(always)]
    fn fast_tanh<L: Line<Self>>(x: f32) -> f32 {
        let z = x * x;
        let p = polynomial::<L, 5>(
            z,
            [
                f32::from_bits(0xbeaa_aa99),
                f32::from_bits(0x3e08_837e),
                f32::from_bits(0xbd5c_1b9c),
                f32::from_bits(0x3ca9_03dc),
                f32::from_bits(0xbbba_b0cd),
            ],
        );
        let near = mul_add::<L>(x * z, p, x);
        let far = 1.0 - 2.0 / (Self::fast_exp::<L>(2.0 * x.abs()) + 1.0);
        select(x.abs() < 0.625, near, far.copysign(x))
    }

    #[inline(always)]
    fn fast_relu<L: Line<Self>>(x: f32) -> f32 {
        select(x <= 0.0, 0.0, x)
    }

    #[inline(always)]
    fn fast_softplus_sigmoid<L: Line<Self>>(x: f32) -> (f32, f32) {
        let e = Self::fast_exp::<L>(-x.abs());
        let softplus = Self::fast_relu::<L>(x) + Self::fast_log1p_unit::<L>(e);
        (softplus, select(x > 0.0, 1.0, e) / (1.0 + e))
    }
}

impl Elementary for f64 {
    #[inline(always)]
    fn fast_exp<L: Line<Self>>(x: f64) -> f64 {
        x.exp()
    }
    #[inline(always)]
    fn fast_ln<L: Line<Self>>(x: f64) -> f64 {
        x.ln()
    }
    #[inline(always)]
    fn fast_log1p_unit<L: Line<Self>>(x: f64) -> f64 {
        x.ln_1p()
    }
    #[inline(always)]
    fn fast_sigmoid<L: Line<Self>>(x: f64) -> f64 {
        Self::fast_softplus_sigmoid::<L>(x).1
    }
    #[inline(always)]
    fn fast_softplus<L: Line<Self>>(x: f64) -> f64 {
        Self::fast_softplus_sigmoid::<L>(x).0
    }
    #[inline(always)]
    fn fast_tanh<L: Line<Self>>(x: f64) -> f64 {
        x.tanh()
    }
    #[inline(always)]
    fn fast_relu<L: Line<Self>>(x: f64) -> f64 {
        if x <= 0.0 { 0.0 } else { x }
    }
    #[inline(always)]
    fn fast_softplus_sigmoid<L: Line<Self>>(x: f64) -> (f64, f64) {
        let e = (-x.abs()).exp();
        let softplus = Self::fast_relu::<L>(x) + e.ln_1p();
        (softplus, if x > 0.0 { 1.0 } else { e } / (1.0 + e))
    }
}
