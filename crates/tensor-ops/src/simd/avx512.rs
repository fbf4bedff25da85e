//! Lines of the AVX-512 path: one register of f32, two of f64.

use std::arch::x86_64::*;

use super::Line;
use crate::panels::LANES;

/// Sixteen f32 in one register.
#[derive(Clone, Copy)]
pub struct F32(__m512);

/// Sixteen f64 in two registers.
#[derive(Clone, Copy)]
pub struct F64([__m512d; 2]);

// SAFETY of all blocks in this file: the features (AVX-512 F, BW, DQ, VL) are promised
// by the callers of the trait's methods, and loads and stores touch the 16
// elements that they promise to own.

impl Line<f32> for F32 {
    const FMA: bool = true;
    // 24 accumulators, 3 lines, and room for broadcasts in 32 registers: 11
    // loads for 24 multiply-adds.
    const TILE_ROWS: [usize; 6] = [16, 12, 8, 6, 4, 4];
    const TILE_PANELS: usize = 3;
    const SPARSE_TILE: (usize, usize) = (4, 6);

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_setzero_ps() })
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self.0) };
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }
    #[inline(always)]
    unsafe fn nonzero_mask(self) -> u16 {
        // SAFETY: see above.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps()) }
    }
    #[inline(always)]
    unsafe fn masks_meeting(masks: &[u16; LANES], lanes: u16) -> u16 {
        // SAFETY: see above.
        unsafe { masks_meeting(masks, lanes) }
    }
    #[inline(always)]
    unsafe fn write_indices(mask: u16, first: u32, to: &mut [u32; LANES]) {
        // SAFETY: see above.
        unsafe { write_indices(mask, first, to) };
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: see above. NLE is also true of NaN, which is so kept.
        Self(unsafe {
            let keep = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(self.0, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(keep, self.0)
        })
    }
    #[inline(always)]
    unsafe fn keep_positive(self, sign: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            let keep = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(sign.0, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(keep, self.0)
        })
    }
    #[inline(always)]
    unsafe fn transpose(lines: [Self; LANES]) -> [Self; LANES] {
        // Four rounds of pairwise interleaving: within 128-bit lanes by
        // elements and by pairs, then across lanes by quarters and halves.
        // SAFETY: see above.
        unsafe {
            let mut a = lines;
            for i in (0..LANES).step_by(2) {
                a[i] = Self(_mm512_unpacklo_ps(lines[i].0, lines[i + 1].0));
                a[i + 1] = Self(_mm512_unpackhi_ps(lines[i].0, lines[i + 1].0));
            }
            let mut b = a;
            for i in (0..LANES).step_by(4) {
                let pair = |x: Self| _mm512_castps_pd(x.0);
                let line = |x: __m512d| Self(_mm512_castpd_ps(x));
                b[i] = line(_mm512_unpacklo_pd(pair(a[i]), pair(a[i + 2])));
                b[i + 1] = line(_mm512_unpackhi_pd(pair(a[i]), pair(a[i + 2])));
                b[i + 2] = line(_mm512_unpacklo_pd(pair(a[i + 1]), pair(a[i + 3])));
                b[i + 3] = line(_mm512_unpackhi_pd(pair(a[i + 1]), pair(a[i + 3])));
            }
            // b[4 g + c] holds, in 128-bit lane q, column 4 q + c of rows 4 g ..
            let mut c = b;
            for i in 0..4 {
                c[i] = Self(_mm512_shuffle_f32x4::<0x88>(b[i].0, b[i + 4].0));
                c[i + 4] = Self(_mm512_shuffle_f32x4::<0xdd>(b[i].0, b[i + 4].0));
                c[i + 8] = Self(_mm512_shuffle_f32x4::<0x88>(b[i + 8].0, b[i + 12].0));
                c[i + 12] = Self(_mm512_shuffle_f32x4::<0xdd>(b[i + 8].0, b[i + 12].0));
            }
            let mut out = c;
            for i in 0..4 {
                out[i] = Self(_mm512_shuffle_f32x4::<0x88>(c[i].0, c[i + 8].0));
                out[i + 8] = Self(_mm512_shuffle_f32x4::<0xdd>(c[i].0, c[i + 8].0));
                out[i + 4] = Self(_mm512_shuffle_f32x4::<0x88>(c[i + 4].0, c[i + 12].0));
                out[i + 12] = Self(_mm512_shuffle_f32x4::<0xdd>(c[i + 4].0, c[i + 12].0));
            }
            out
        }
    }
}

impl Line<f64> for F64 {
    const FMA: bool = true;
    const TILE_ROWS: [usize; 6] = [8, 0, 0, 0, 0, 0];
    const TILE_PANELS: usize = 1;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see above.
        Self(unsafe { [_mm512_setzero_pd(); 2] })
    }
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: see above.
        Self(unsafe { [_mm512_set1_pd(x); 2] })
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: see above.
        Self(unsafe { [_mm512_loadu_pd(from), _mm512_loadu_pd(from.add(8))] })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: see above.
        unsafe {
            _mm512_storeu_pd(to, self.0[0]);
            _mm512_storeu_pd(to.add(8), self.0[1]);
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            [
                _mm512_add_pd(self.0[0], other.0[0]),
                _mm512_add_pd(self.0[1], other.0[1]),
            ]
        })
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            [
                _mm512_sub_pd(self.0[0], other.0[0]),
                _mm512_sub_pd(self.0[1], other.0[1]),
            ]
        })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            [
                _mm512_mul_pd(self.0[0], other.0[0]),
                _mm512_mul_pd(self.0[1], other.0[1]),
            ]
        })
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            [
                _mm512_fmadd_pd(self.0[0], factor.0[0], addend.0[0]),
                _mm512_fmadd_pd(self.0[1], factor.0[1], addend.0[1]),
            ]
        })
    }
    #[inline(always)]
    unsafe fn nonzero_mask(self) -> u16 {
        // SAFETY: see above.
        unsafe {
            let low = _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(self.0[0], _mm512_setzero_pd());
            let high = _mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(self.0[1], _mm512_setzero_pd());
            u16::from(low) | u16::from(high) << 8
        }
    }
    #[inline(always)]
    unsafe fn masks_meeting(masks: &[u16; LANES], lanes: u16) -> u16 {
        // SAFETY: see above.
        unsafe { masks_meeting(masks, lanes) }
    }
    #[inline(always)]
    unsafe fn write_indices(mask: u16, first: u32, to: &mut [u32; LANES]) {
        // SAFETY: see above.
        unsafe { write_indices(mask, first, to) };
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        let mut out = self;
        for half in &mut out.0 {
            // SAFETY: see above. NLE is also true of NaN, which is so kept.
            *half = unsafe {
                let keep = _mm512_cmp_pd_mask::<_CMP_NLE_UQ>(*half, _mm512_setzero_pd());
                _mm512_maskz_mov_pd(keep, *half)
            };
        }
        out
    }
    #[inline(always)]
    unsafe fn keep_positive(self, sign: Self) -> Self {
        let mut out = self;
        for (half, sign) in out.0.iter_mut().zip(sign.0) {
            // SAFETY: see above.
            *half = unsafe {
                let keep = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(sign, _mm512_setzero_pd());
                _mm512_maskz_mov_pd(keep, *half)
            };
        }
        out
    }
}

/// Bit l: `masks[l]` and `lanes` have a bit in common.
#[inline(always)]
unsafe fn masks_meeting(masks: &[u16; LANES], lanes: u16) -> u16 {
    // SAFETY: see above; the array has 32 bytes.
    unsafe {
        let masks = _mm256_loadu_si256(masks.as_ptr().cast());
        _mm256_test_epi16_mask(masks, _mm256_set1_epi16(lanes as i16))
    }
}

/// `first` + l for every bit l of `mask`, and zeros in the places left.
#[inline(always)]
unsafe fn write_indices(mask: u16, first: u32, to: &mut [u32; LANES]) {
    // SAFETY: see above; the array has 64 bytes.
    unsafe {
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let indices = _mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32));
        let found = _mm512_maskz_compress_epi32(mask, indices);
        _mm512_storeu_si512(to.as_mut_ptr().cast(), found);
    }
}
