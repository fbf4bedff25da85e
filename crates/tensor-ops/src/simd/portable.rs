//! The line of the portable path: an array that the compiler vectorises with
//! whatever the target's baseline offers.

use super::Line;
use crate::Float;
use crate::panels::LANES;

/// Sixteen elements in an array; `FMA` says whether multiply-add rounds once.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Portable<T, const FMA: bool>([T; LANES]);

/// Whether the baseline of the target has a fused multiply-add instruction;
/// where it has none, `mul_add` is a library call per element.
pub(super) const BASELINE_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl<T: Float, const FMA: bool> Portable<T, FMA> {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        let mut out = self;
        for (out, other) in out.0.iter_mut().zip(other.0) {
            *out = f(*out, other);
        }
        out
    }
}

impl<T: Float, const FMA: bool> Line<T> for Portable<T, FMA> {
    const FMA: bool = FMA;
    // SSE2 has 16 registers of 4 lanes, NEON 32.
    const TILE_ROWS: [usize; 6] = if cfg!(target_arch = "aarch64") {
        [5, 0, 0, 0, 0, 0]
    } else {
        [2, 0, 0, 0, 0, 0]
    };
    const TILE_PANELS: usize = 1;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([T::ZERO; LANES])
    }
    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Self([x; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller gives 16 readable elements.
        Self(unsafe { from.cast::<[T; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller gives 16 writable elements.
        unsafe { to.cast::<[T; LANES]>().write_unaligned(self.0) };
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        let mut out = addend;
        for (lane, out) in out.0.iter_mut().enumerate() {
            *out = if FMA {
                self.0[lane].mul_add(factor.0[lane], *out)
            } else {
                self.0[lane] * factor.0[lane] + *out
            };
        }
        out
    }
    #[inline(always)]
    unsafe fn nonzero_mask(self) -> u16 {
        self.0.iter().enumerate().fold(0, |mask, (lane, &x)| {
            mask | (u16::from(x != T::ZERO) << lane)
        })
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.zip(self, |x, _| if x <= T::ZERO { T::ZERO } else { x })
    }
    #[inline(always)]
    unsafe fn keep_positive(self, sign: Self) -> Self {
        self.zip(sign, |x, sign| if sign > T::ZERO { x } else { T::ZERO })
    }
}
