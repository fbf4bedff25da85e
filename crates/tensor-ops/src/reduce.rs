//! Reductions in a fixed order.
//!
//! The order of every sum depends on the lengths alone, never on threads, so
//! that results repeat bit for bit. Sums are trees of pairs over blocks of
//! eight interleaved accumulators: the rounding error grows with log n.

use crate::Float;

/// Below this length a sum is one run of interleaved accumulators.
const SUM_BLOCK: usize = 256;
const ACCUMULATORS: usize = 16;

/// Σ x, as a fixed tree of pairs; 0 of an empty slice.
pub fn sum<T: Float>(x: &[T]) -> T {
    tree(x.len(), 0, &|range| block(range, |i| x[i]))
}

/// Σ x·y, as a fixed tree of pairs.
///
/// # Panics
/// If the slices differ in length.
pub fn dot<T: Float>(x: &[T], y: &[T]) -> T {
    assert!(
        x.len() == y.len(),
        "reduce::dot: x has {} elements, y has {}",
        x.len(),
        y.len()
    );
    tree(x.len(), 0, &|range| block(range, |i| x[i] * y[i]))
}

/// The mean; NaN of an empty slice.
pub fn mean<T: Float>(x: &[T]) -> T {
    sum(x) / T::from_usize(x.len())
}

/// Σ x of f32 or f64 values, added as f64 in index order: what losses of rows
/// are gathered with.
pub fn sum_in_order<T: Float>(x: &[T]) -> f64 {
    x.iter().fold(0.0, |sum, &x| sum + x.to_f64())
}

/// `out[j] = Σ_i x[i, j]` of a row-major `[rows, cols]` matrix, rows in order.
///
/// # Panics
/// If `x` does not hold `rows` rows of `out.len()` columns.
pub fn column_sums<T: Float>(rows: usize, x: &[T], out: &mut [T]) {
    let cols = out.len();
    assert!(
        x.len() == rows * cols,
        "reduce::column_sums: {} elements for {rows} rows of {cols}",
        x.len()
    );
    out.fill(T::ZERO);
    if cols > 0 {
        for row in x.chunks_exact(cols) {
            for (out, &x) in out.iter_mut().zip(row) {
                *out += x;
            }
        }
    }
}

/// `out[i] = Σ_j x[i, j]` of a row-major `[out.len(), cols]` matrix, each by [`sum`].
///
/// # Panics
/// If `x` does not hold `out.len()` rows of `cols` columns.
pub fn row_sums<T: Float>(cols: usize, x: &[T], out: &mut [T]) {
    assert!(
        x.len() == cols * out.len(),
        "reduce::row_sums: {} elements for {} rows of {cols}",
        x.len(),
        out.len()
    );
    for (row, out) in out.iter_mut().enumerate() {
        *out = sum(&x[row * cols..][..cols]);
    }
}

/// The largest element: NaN if any is NaN, −∞ of an empty slice.
pub fn max<T: Float>(x: &[T]) -> T {
    x.iter().fold(
        T::NEG_INFINITY,
        |max, &x| if x > max || x.is_nan() { x } else { max },
    )
}

/// log Σ eˣ without overflow; −∞ of an empty slice or of −∞ alone.
pub fn log_sum_exp<T: Float>(x: &[T]) -> T {
    let max = max(x);
    if !max.is_finite() {
        return max;
    }
    max + tree(x.len(), 0, &|range| block(range, |i| (x[i] - max).exp())).ln()
}

fn tree<T: Float>(len: usize, start: usize, leaf: &impl Fn(std::ops::Range<usize>) -> T) -> T {
    if len <= SUM_BLOCK {
        return leaf(start..start + len);
    }
    let left = len.next_power_of_two() / 2;
    tree(left, start, leaf) + tree(len - left, start + left, leaf)
}

fn block<T: Float>(range: std::ops::Range<usize>, term: impl Fn(usize) -> T) -> T {
    let mut sums = [T::ZERO; ACCUMULATORS];
    let mut at = range.start;
    while at + ACCUMULATORS <= range.end {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += term(at + lane);
        }
        at += ACCUMULATORS;
    }
    for (lane, sum) in sums.iter_mut().enumerate() {
        if at + lane < range.end {
            *sum += term(at + lane);
        }
    }
    let mut width = ACCUMULATORS / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Stream, fill_normal};

    fn normal(len: usize) -> Vec<f32> {
        let mut x = vec![0.0; len];
        fill_normal(&mut x, Stream::new(31, 0), 0);
        x
    }

    #[test]
    fn sums_are_within_the_bound_of_a_tree() {
        for len in [0, 1, 15, 16, 17, 255, 256, 257, 1000, 4097, 100_000] {
            let x = normal(len);
            let exact: f64 = x.iter().map(|&x| f64::from(x)).sum();
            let magnitude: f64 = x.iter().map(|&x| f64::from(x.abs())).sum();
            // 16 terms of one accumulator, 4 levels of lanes, one per doubling.
            let levels = 20.0 + (len.max(1) as f64 / 256.0).log2().max(0.0).ceil();
            let bound = levels * f64::from(f32::EPSILON) * magnitude;
            assert!((f64::from(sum(&x)) - exact).abs() <= bound, "{len}");
            let ones = vec![1.0; len];
            assert_eq!(sum(&x), dot(&x, &ones));
        }
        assert!(mean::<f32>(&[]).is_nan());
        assert_eq!(sum_in_order(&[1.0_f32, 2.0, 0.5]), 3.5);
    }

    #[test]
    fn rows_and_columns() {
        let x = [1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0];
        let (mut columns, mut rows) = ([f64::NAN; 3], [f64::NAN; 2]);
        column_sums(2, &x, &mut columns);
        row_sums(3, &x, &mut rows);
        assert_eq!(columns, [5.0, 7.0, 9.0]);
        assert_eq!(rows, [6.0, 15.0]);
        column_sums::<f64>(5, &[], &mut []);
    }

    #[test]
    fn extremes() {
        assert_eq!(max::<f64>(&[]), f64::NEG_INFINITY);
        assert_eq!(max(&[1.0_f64, 3.0, -2.0]), 3.0);
        assert!(max(&[1.0_f64, f64::NAN, 2.0]).is_nan());
        assert!(max(&[f64::NAN, 1.0_f64]).is_nan());
    }

    #[test]
    fn log_sum_exp_neither_overflows_nor_underflows() {
        assert_eq!(log_sum_exp::<f64>(&[]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 3]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::INFINITY, 0.0]), f64::INFINITY);
        assert!(log_sum_exp(&[f64::NAN, 0.0]).is_nan());
        for shift in [-2000.0, 0.0, 2000.0] {
            let value = log_sum_exp(&[shift, shift + 1.0, f64::NEG_INFINITY]);
            assert!((value - (shift + (1.0 + 1.0_f64.exp()).ln())).abs() < 1e-12);
        }
    }
}
