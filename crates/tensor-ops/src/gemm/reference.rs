//! The products as plain loops: what the kernels are tested against.

use super::{GemmShape, Output};
use crate::Float;

/// C = A · B for matrices given by (row, column) strides; C is row-major.
pub fn strided<T: Float>(
    shape: GemmShape,
    a: &[T],
    a_strides: (usize, usize),
    b: &[T],
    b_strides: (usize, usize),
    output: Output,
    c: &mut [T],
) {
    for i in 0..shape.m {
        for j in 0..shape.n {
            let mut sum = T::ZERO;
            for p in 0..shape.k {
                sum += a[i * a_strides.0 + p * a_strides.1] * b[p * b_strides.0 + j * b_strides.1];
            }
            let c = &mut c[i * shape.n + j];
            *c = match output {
                Output::Overwrite => sum,
                Output::Accumulate => *c + sum,
            };
        }
    }
}
