//! The vector abstraction under every kernel.
//!
//! A kernel is an [`Operation`]: a struct of arguments whose `run` is written
//! once over a [`Line`], sixteen elements of one panel row. [`dispatch`]
//! instantiates it for the path of an [`Available`] proof, inside a function
//! that carries the path's target features; everything below is
//! `#[inline(always)]` and so compiled with those features.

mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use crate::Float;
use crate::isa::{Available, Isa};
use crate::panels::LANES;

/// Sixteen elements held in registers.
///
/// # Safety of the methods
/// Every method requires that the processor has the features of the
/// implementing type; [`dispatch`] is the one place that establishes it.
/// `load` reads and `store` writes [`LANES`] elements, unaligned.
pub trait Line<T>: Copy {
    /// Whether [`Line::mul_add`] rounds once.
    const FMA: bool;
    /// Most rows of a register tile of 1 to 6 panels; 0 where the registers do
    /// not hold that many panels.
    const TILE_ROWS: [usize; 6];
    /// Panels of the usual tile.
    const TILE_PANELS: usize;
    /// Rows and panels of the forward product's tile where zeros are left out of
    /// many rows: the fewer rows, the more columns are zero in all of them.
    const SPARSE_TILE: (usize, usize) = (Self::TILE_ROWS[Self::TILE_PANELS - 1], Self::TILE_PANELS);
    /// Inputs of the weight gradient's tile there.
    const SPARSE_INPUTS: usize = Self::SPARSE_TILE.0;

    /// All lanes +0.
    unsafe fn zero() -> Self;
    /// All lanes `x`.
    unsafe fn splat(x: T) -> Self;
    /// Reads 16 elements.
    unsafe fn load(from: *const T) -> Self;
    /// Writes 16 elements.
    unsafe fn store(self, to: *mut T);
    /// self + other.
    unsafe fn add(self, other: Self) -> Self;
    /// self − other.
    unsafe fn sub(self, other: Self) -> Self;
    /// self · other.
    unsafe fn mul(self, other: Self) -> Self;
    /// self · factor + addend.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// Bit l: lane l is not zero (a NaN is not).
    unsafe fn nonzero_mask(self) -> u16;
    /// Bit l: `masks[l]` and `lanes` have a bit in common.
    #[inline(always)]
    unsafe fn masks_meeting(masks: &[u16; LANES], lanes: u16) -> u16 {
        let meets = |mask: &u16| u16::from(mask & lanes != 0);
        let bits = masks.iter().enumerate();
        bits.fold(0, |bits, (l, mask)| bits | meets(mask) << l)
    }
    /// Writes `first` + l for every bit l of `mask`, ascending, and anything
    /// to the places left.
    #[inline(always)]
    unsafe fn write_indices(mask: u16, first: u32, to: &mut [u32; LANES]) {
        if mask == 0 {
            return;
        }
        let mut used = 0;
        for l in 0..LANES {
            to[used.min(LANES - 1)] = first + l as u32;
            used += usize::from(mask >> l & 1);
        }
    }
    /// max(self, 0) with +0 for −0 and NaN kept.
    unsafe fn relu(self) -> Self;
    /// Lanes of self where `sign` > 0, +0 elsewhere.
    unsafe fn keep_positive(self, sign: Self) -> Self;
    /// The transpose of sixteen lines.
    #[inline(always)]
    unsafe fn transpose(lines: [Self; LANES]) -> [Self; LANES]
    where
        T: Float,
    {
        let mut square = [[T::ZERO; LANES]; LANES];
        for (line, row) in lines.into_iter().zip(&mut square) {
            // SAFETY: the row has 16 elements; the features are the caller's promise.
            unsafe { line.store(row.as_mut_ptr()) };
        }
        let mut out = lines;
        for (i, out) in out.iter_mut().enumerate() {
            let mut column = [T::ZERO; LANES];
            for (value, row) in column.iter_mut().zip(&square) {
                *value = row[i];
            }
            // SAFETY: as above.
            *out = unsafe { Self::load(column.as_ptr()) };
        }
        out
    }
}

/// The lines of an element type, one per path.
pub trait Lines: Sized {
    /// Without intrinsics and without fused multiply-add, which rounds once.
    type Portable: Line<Self>;
    /// Without intrinsics; runs everywhere, Miri included.
    type Scalar: Line<Self>;
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Line<Self>;
    /// AVX-512 F, BW, DQ, VL.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Line<Self>;
}

impl Lines for f32 {
    type Portable = portable::Portable<f32, false>;
    type Scalar = portable::Portable<f32, { portable::BASELINE_FMA }>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = avx2::F32;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = avx512::F32;
}

impl Lines for f64 {
    type Portable = portable::Portable<f64, false>;
    type Scalar = portable::Portable<f64, { portable::BASELINE_FMA }>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = avx2::F64;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = avx512::F64;
}

/// A kernel with its arguments.
pub(crate) trait Operation<T> {
    /// What the kernel returns.
    type Result;
    /// The body; implementations are `#[inline(always)]`.
    ///
    /// # Safety
    /// The processor must have the features of `L`.
    unsafe fn run<L: Line<T>>(self) -> Self::Result;
}

/// Asks for the cache line of a place that will be read soon; changes nothing
/// but the time that takes.
#[inline(always)]
pub(crate) fn prefetch<P>(place: &P) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch has no effect that a
    // program can see.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Runs `operation` on the path that `isa` proves available.
#[inline(always)]
pub(crate) fn dispatch<T: Lines, O: Operation<T>>(isa: Available, operation: O) -> O::Result {
    match isa.isa() {
        // SAFETY: the lines of both paths need no feature.
        Isa::Portable => unsafe { run_plain::<T, O, T::Portable>(operation) },
        // SAFETY: as above.
        Isa::Scalar => unsafe { run_plain::<T, O, T::Scalar>(operation) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Available` of AVX2 exists only where AVX2 and FMA were detected.
        Isa::Avx2 => unsafe { run_avx2(operation) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Available` of AVX-512 exists only where its features were detected.
        Isa::Avx512 => unsafe { run_avx512(operation) },
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => unreachable!("only x86-64 offers this path"),
    }
}

/// A function of its own: where the target is not sure of fused multiply-add, the two
/// paths without features are one.
///
/// # Safety
/// The processor must have the features of `L`.
#[inline(never)]
unsafe fn run_plain<T, O: Operation<T>, L: Line<T>>(operation: O) -> O::Result {
    // SAFETY: as this function.
    unsafe { operation.run::<L>() }
}

/// # Safety
/// The processor must have AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<T: Lines, O: Operation<T>>(operation: O) -> O::Result {
    // SAFETY: the features of `T::Avx2` are those of this function.
    unsafe { operation.run::<T::Avx2>() }
}

/// # Safety
/// The processor must have POPCNT, AVX2, FMA and AVX-512 F, BW, DQ, VL.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt,avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn run_avx512<T: Lines, O: Operation<T>>(operation: O) -> O::Result {
    // SAFETY: the features of `T::Avx512` are those of this function.
    unsafe { operation.run::<T::Avx512>() }
}

/// The portable line of f64, for tests of functions that need any line.
#[cfg(test)]
pub(crate) type PortableF64 = portable::Portable<f64, false>;
