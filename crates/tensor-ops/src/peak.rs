//! The machine's measured floating-point limit.

use std::hint::black_box;
use std::time::Instant;

use crate::isa::Available;
use crate::panels::LANES;
use crate::parallel::{ThreadPool, ThreadPoolError};
use crate::simd::{Line, Operation, dispatch};

/// Multiply-adds of one chain in one timed run: about 0.4 ms.
const STEPS: usize = 100_000;

/// Peak f32 multiply-add rate in GFLOP/s (two operations per multiply-add) of
/// `threads` threads together on the path of this process: the best of `runs`
/// short runs that touch registers only.
///
/// # Errors
/// If the threads cannot be started.
///
/// ```
/// let gflops = tensor_ops::peak::fma_peak_gflops(1, 1)?;
/// assert!(gflops > 0.0);
/// # Ok::<(), tensor_ops::parallel::ThreadPoolError>(())
/// ```
pub fn fma_peak_gflops(threads: usize, runs: usize) -> Result<f64, ThreadPoolError> {
    let pool = ThreadPool::new(threads)?;
    let isa = Available::current();
    let mut operations = vec![0_u64; threads];
    Ok(pool.install(|| {
        (0..runs.max(1)).fold(0.0, |best: f64, _| {
            let start = Instant::now();
            pool.for_each(&mut operations, |_, count| {
                *count = dispatch::<f32, _>(isa, Chains)
            });
            let total: u64 = operations.iter().sum();
            best.max(total as f64 / start.elapsed().as_secs_f64() / 1e9)
        })
    }))
}

/// Runs the chains and returns the floating-point operations done.
struct Chains;

impl Operation<f32> for Chains {
    type Result = u64;

    #[inline(always)]
    unsafe fn run<L: Line<f32>>(self) -> u64 {
        // As many accumulators as the path's register tile has lines, at most
        // twelve: enough to cover 4 cycles of latency on two units.
        // SAFETY: features by the caller.
        unsafe {
            match L::TILE_ROWS[L::TILE_PANELS - 1] * L::TILE_PANELS {
                ..6 => chains::<L, 2>(),
                6..12 => chains::<L, 6>(),
                _ => chains::<L, 12>(),
            }
        }
    }
}

/// # Safety
/// Features of `L`.
#[inline(always)]
unsafe fn chains<L: Line<f32>, const N: usize>() -> u64 {
    let (factor, addend) = black_box((0.999_f32, 0.001_f32));
    // SAFETY: features by the caller; the sink has 16 elements.
    unsafe {
        let (factor, addend) = (L::splat(factor), L::splat(addend));
        let mut accumulators = [addend; N];
        for _ in 0..STEPS {
            for accumulator in &mut accumulators {
                *accumulator = factor.mul_add(*accumulator, addend);
            }
        }
        let mut sink = [0.0; LANES];
        for accumulator in accumulators {
            accumulator.store(sink.as_mut_ptr());
            black_box(&sink);
        }
    }
    (N * LANES * STEPS * 2) as u64
}
