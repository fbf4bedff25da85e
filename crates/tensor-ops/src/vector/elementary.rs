//! The elementary functions, one value at a time and free of branches.
//!
//! The compiler vectorises loops over these functions, so that the body of a
//! loop, its tail and the portable path share one source. The parameter `L`
//! says only whether multiply-add rounds once. f32 is computed with the
//! polynomials of `fit/minimax.py`, f64 by the [`library`].

use crate::library;
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
    /// 1 / x of a positive normal x, within 2 ULP.
    fn fast_reciprocal<L: Line<Self>>(x: Self) -> Self;
    /// Two standard normal deviates of two random words, by Box & Muller.
    fn fast_normal_pair<L: Line<Self>>(radius: u32, angle: u32) -> (Self, Self);
    /// (softplus x, σ(x)) from one exponential.
    fn fast_softplus_sigmoid<L: Line<Self>>(x: Self) -> (Self, Self);
    /// (softplus x − x t, σ(x) − t): cross-entropy with a logit, and its derivative.
    fn fast_bce<L: Line<Self>>(x: Self, t: Self) -> (Self, Self);
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

/// (1 + r + r² p(r), n in the low bits) with x = n ln 2 + r and eʳ in \[¾, 3/2\].
///
/// The interval, lower than the usual one around 1, keeps |eʳ − 1| below ¼
/// where the result is below 1 and its last place is worth half as much: the
/// roundings of r and of the sum then stay within 1 ULP together.
#[inline(always)]
fn exp_parts<L: Line<f32>>(x: f32) -> (f32, u32) {
    /// log₂(3/2) − ½.
    const SHIFT: f32 = 0.084_962_5;
    let shifted = mul_add::<L>(x, std::f32::consts::LOG2_E, -SHIFT) + ROUND;
    let n = shifted - ROUND;
    let r = mul_add::<L>(n, -LN_2_HIGH, x);
    let r = mul_add::<L>(n, -LN_2_LOW, r);
    let p = polynomial::<L, 5>(
        r,
        [
            f32::from_bits(0x3f00_0003),
            f32::from_bits(0x3e2a_aa6c),
            f32::from_bits(0x3d2a_a20b),
            f32::from_bits(0x3c08_f85f),
            f32::from_bits(0x3abf_edd1),
        ],
    );
    (1.0 + mul_add::<L>(r * r, p, r), shifted.to_bits())
}

#[inline(always)]
fn select(condition: bool, a: f32, b: f32) -> f32 {
    if condition { a } else { b }
}

impl Elementary for f32 {
    /// x = n ln 2 + r, eˣ = 2ⁿ (1 + r + r² p(r)); 2ⁿ is
    /// applied in two factors, so that subnormal results are rounded once and
    /// overflow gives +∞.
    #[inline(always)]
    fn fast_exp<L: Line<Self>>(x: f32) -> f32 {
        // Beyond these the result is 0 or +∞; a NaN passes both comparisons.
        let x = select(x < -104.0, -104.0, x);
        let x = select(x > 89.0, 89.0, x);
        let (value, shifted) = exp_parts::<L>(x);
        let n = (shifted as i32).wrapping_sub(ROUND.to_bits() as i32);
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
        select(x.abs() < 0.625, near, far).copysign(x)
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

    /// Two cubic iterations on a first guess by the exponent, 12 % off: six
    /// multiply-adds in place of a division, which leaves the divider to the
    /// square root beside it in Adam.
    #[inline(always)]
    fn fast_reciprocal<L: Line<Self>>(x: f32) -> f32 {
        let mut guess = f32::from_bits(0x7ef3_11c7_u32.wrapping_sub(x.to_bits()));
        for _ in 0..2 {
            let error = mul_add::<L>(-x, guess, 1.0);
            guess = mul_add::<L>(guess, mul_add::<L>(error, error, error), guess);
        }
        guess
    }

    /// The angle 2π w / 2³² is quadrant · π/2 + a with |a| ≤ π/4, exactly in
    /// integers.
    #[inline(always)]
    fn fast_normal_pair<L: Line<Self>>(radius: u32, angle: u32) -> (f32, f32) {
        const UNIT: f32 = 1.0 / 4_294_967_296.0;
        let u = mul_add::<L>(radius as f32, UNIT, 0.5 * UNIT);
        let radius = (-2.0 * Self::fast_ln::<L>(u)).sqrt();
        let quadrant = angle.wrapping_add(1 << 29) >> 30;
        let rest = angle.wrapping_sub(quadrant << 30) as i32;
        let a = rest as f32 * (std::f32::consts::TAU * UNIT);
        let z = a * a;
        let sin = polynomial::<L, 3>(
            z,
            [
                f32::from_bits(0xbe2a_aaa3),
                f32::from_bits(0x3c08_83bc),
                f32::from_bits(0xb94c_aa04),
            ],
        );
        let sin = mul_add::<L>(a * z, sin, a);
        let cos = polynomial::<L, 3>(
            z,
            [
                f32::from_bits(0x3d2a_aaa5),
                f32::from_bits(0xbab6_0615),
                f32::from_bits(0x37cc_f48a),
            ],
        );
        let cos = mul_add::<L>(z * z, cos, mul_add::<L>(z, -0.5, 1.0));
        let odd = quadrant & 1 != 0;
        let sign = |value: f32, negative: u32| f32::from_bits(value.to_bits() ^ (negative << 31));
        (
            radius * sign(select(odd, sin, cos), (quadrant + 1) >> 1 & 1),
            radius * sign(select(odd, cos, sin), quadrant >> 1 & 1),
        )
    }

    /// As the two functions above, except that exp(−|x|) below the smallest
    /// normal number, 2⁻¹²⁶, is taken as 0: both results are absolute
    /// quantities here, and 2ⁿ is then applied by adding to the exponent.
    #[inline(always)]
    fn fast_bce<L: Line<Self>>(x: f32, t: f32) -> (f32, f32) {
        const SMALLEST: f32 = -87.336_54;
        let argument = -x.abs();
        let (value, shifted) = exp_parts::<L>(argument);
        let scaled = f32::from_bits(value.to_bits().wrapping_add(shifted << 23));
        let e = select(argument < SMALLEST, 0.0, scaled);
        let softplus = Self::fast_relu::<L>(x) + Self::fast_log1p_unit::<L>(e);
        let sigmoid = select(x > 0.0, 1.0, e) / (1.0 + e);
        (mul_add::<L>(-x, t, softplus), sigmoid - t)
    }
}

impl Elementary for f64 {
    #[inline(always)]
    fn fast_exp<L: Line<Self>>(x: f64) -> f64 {
        library::exp(x)
    }
    #[inline(always)]
    fn fast_ln<L: Line<Self>>(x: f64) -> f64 {
        library::ln(x)
    }
    #[inline(always)]
    fn fast_log1p_unit<L: Line<Self>>(x: f64) -> f64 {
        library::ln_1p(x)
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
        library::tanh(x)
    }
    #[inline(always)]
    fn fast_relu<L: Line<Self>>(x: f64) -> f64 {
        if x <= 0.0 { 0.0 } else { x }
    }
    #[inline(always)]
    fn fast_softplus_sigmoid<L: Line<Self>>(x: f64) -> (f64, f64) {
        let e = library::exp(-x.abs());
        let softplus = Self::fast_relu::<L>(x) + library::ln_1p(e);
        (softplus, if x > 0.0 { 1.0 } else { e } / (1.0 + e))
    }
    #[inline(always)]
    fn fast_reciprocal<L: Line<Self>>(x: f64) -> f64 {
        1.0 / x
    }
    #[inline(always)]
    fn fast_normal_pair<L: Line<Self>>(radius: u32, angle: u32) -> (f64, f64) {
        const UNIT: f64 = 1.0 / 4_294_967_296.0;
        let radius = (-2.0 * library::ln((f64::from(radius) + 0.5) * UNIT)).sqrt();
        let angle = f64::from(angle) * UNIT * std::f64::consts::TAU;
        (radius * library::cos(angle), radius * library::sin(angle))
    }
    #[inline(always)]
    fn fast_bce<L: Line<Self>>(x: f64, t: f64) -> (f64, f64) {
        let (softplus, sigmoid) = Self::fast_softplus_sigmoid::<L>(x);
        (softplus - x * t, sigmoid - t)
    }
}
