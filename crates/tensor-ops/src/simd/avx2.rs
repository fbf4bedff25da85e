//! Lines of the AVX2 + FMA path: two registers of f32, four of f64.

use std::arch::x86_64::*;

use super::Line;
use crate::panels::LANES;

/// Sixteen f32 in two registers.
#[derive(Clone, Copy)]
pub struct F32([__m256; 2]);

/// Sixteen f64 in four registers.
#[derive(Clone, Copy)]
pub struct F64([__m256d; 4]);

// SAFETY of all blocks in this file: the features (AVX2, FMA) are promised by
// the callers of the trait's methods, and loads and stores touch the 16
// elements that they promise to own.

macro_rules! implement_line {
    ($line:ident, $element:ty, $registers:literal, $rows:literal,
     $setzero:ident, $set1:ident, $loadu:ident, $storeu:ident,
     $add:ident, $sub:ident, $mul:ident, $fmadd:ident, $cmp:ident, $and:ident, $movemask:ident
     $(, $transpose:item)?) => {
        impl $line {
            #[inline(always)]
            fn zip(
                self,
                other: Self,
                f: impl Fn(Register<$element>, Register<$element>) -> Register<$element>,
            ) -> Self {
                let mut out = self;
                for (out, other) in out.0.iter_mut().zip(other.0) {
                    *out = f(*out, other);
                }
                out
            }
        }

        impl Line<$element> for $line {
            const FMA: bool = true;
            const TILE_ROWS: [usize; 6] = [$rows, 0, 0, 0, 0, 0];
            const TILE_PANELS: usize = 1;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: see above.
                Self(unsafe { [$setzero(); $registers] })
            }
            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                // SAFETY: see above.
                Self(unsafe { [$set1(x); $registers] })
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: see above.
                let mut out = unsafe { [$setzero(); $registers] };
                for (i, out) in out.iter_mut().enumerate() {
                    // SAFETY: see above.
                    *out = unsafe { $loadu(from.add(i * (LANES / $registers))) };
                }
                Self(out)
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                for (i, register) in self.0.into_iter().enumerate() {
                    // SAFETY: see above.
                    unsafe { $storeu(to.add(i * (LANES / $registers)), register) };
                }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: see above.
                self.zip(other, |a, b| unsafe { $add(a, b) })
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: see above.
                self.zip(other, |a, b| unsafe { $sub(a, b) })
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: see above.
                self.zip(other, |a, b| unsafe { $mul(a, b) })
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
                let mut out = addend;
                for (i, out) in out.0.iter_mut().enumerate() {
                    // SAFETY: see above.
                    *out = unsafe { $fmadd(self.0[i], factor.0[i], *out) };
                }
                out
            }
            #[inline(always)]
            unsafe fn nonzero_mask(self) -> u16 {
                let mut mask = 0;
                for (i, register) in self.0.into_iter().enumerate() {
                    // SAFETY: see above.
                    let part = unsafe { $movemask($cmp::<_CMP_NEQ_UQ>(register, $setzero())) };
                    mask |= (part as u16) << (i * (LANES / $registers));
                }
                mask
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // SAFETY: see above. NLE is also true of NaN, which is so kept.
                self.zip(self, |x, _| unsafe { $and(x, $cmp::<_CMP_NLE_UQ>(x, $setzero())) })
            }
            #[inline(always)]
            unsafe fn keep_positive(self, sign: Self) -> Self {
                // SAFETY: see above.
                self.zip(sign, |x, s| unsafe { $and(x, $cmp::<_CMP_GT_OQ>(s, $setzero())) })
            }
            $($transpose)?
        }
    };
}

type Register<T> = <T as HasRegister>::Register;

trait HasRegister {
    type Register;
}
impl HasRegister for f32 {
    type Register = __m256;
}
impl HasRegister for f64 {
    type Register = __m256d;
}

// 12 accumulators, 2 registers of a line and a broadcast in 16 registers.
implement_line!(
    F32,
    f32,
    2,
    6,
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    _mm256_cmp_ps,
    _mm256_and_ps,
    _mm256_movemask_ps,
    #[inline(always)]
    unsafe fn transpose(lines: [Self; LANES]) -> [Self; LANES] {
        let mut out = lines;
        for top in 0..2 {
            for left in 0..2 {
                let mut square = [lines[0].0[0]; 8];
                for (i, row) in square.iter_mut().enumerate() {
                    *row = lines[top * 8 + i].0[left];
                }
                // SAFETY: see above.
                let square = unsafe { transpose8(square) };
                for (i, row) in square.into_iter().enumerate() {
                    out[left * 8 + i].0[top] = row;
                }
            }
        }
        out
    }
);

implement_line!(
    F64,
    f64,
    4,
    3,
    _mm256_setzero_pd,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_fmadd_pd,
    _mm256_cmp_pd,
    _mm256_and_pd,
    _mm256_movemask_pd
);

/// The transpose of an 8 × 8 square.
#[inline(always)]
unsafe fn transpose8(rows: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: see above.
    unsafe {
        let mut a = rows;
        for i in (0..8).step_by(2) {
            a[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
            a[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        }
        let mut b = a;
        for i in (0..8).step_by(4) {
            b[i] = _mm256_shuffle_ps::<0x44>(a[i], a[i + 2]);
            b[i + 1] = _mm256_shuffle_ps::<0xee>(a[i], a[i + 2]);
            b[i + 2] = _mm256_shuffle_ps::<0x44>(a[i + 1], a[i + 3]);
            b[i + 3] = _mm256_shuffle_ps::<0xee>(a[i + 1], a[i + 3]);
        }
        let mut out = b;
        for i in 0..4 {
            out[i] = _mm256_permute2f128_ps::<0x20>(b[i], b[i + 4]);
            out[i + 4] = _mm256_permute2f128_ps::<0x31>(b[i], b[i + 4]);
        }
        out
    }
}
