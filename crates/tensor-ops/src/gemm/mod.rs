//! Row-major matrix products in the three forms a layer needs.
//!
//! * [`nn`]: C = A · B, with A `[m, k]` and B `[k, n]`;
//! * [`nt`]: C = A · Bᵀ, with A `[m, k]` and B `[n, k]`;
//! * [`tn`]: C = Aᵀ · B, with A `[k, m]` and B `[k, n]`.
//!
//! C is `[m, n]`. Each element is one chain of multiply-adds in ascending k
//! starting from +0 (accumulation adds the old value at the end), so the bits
//! do not depend on the number of threads. Work is shared over the current
//! rayon pool when there is enough of it.

use crate::Float;

#[doc(hidden)]
pub mod reference;

/// The shape of a product: C is `[m, n]`, k is contracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GemmShape {
    /// Rows of C.
    pub m: usize,
    /// Contracted dimension.
    pub k: usize,
    /// Columns of C.
    pub n: usize,
}

/// What happens to the old contents of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// C = product; the old contents are never read.
    Overwrite,
    /// C = C + product.
    Accumulate,
}

/// Packing buffers of the products, grown to the largest shape seen.
#[derive(Clone, Debug, Default)]
pub struct GemmScratch<T> {
    _panels: Vec<T>,
}

impl<T: Float> GemmScratch<T> {
    /// Empty scratch.
    pub fn new() -> Self {
        Self {
            _panels: Vec::new(),
        }
    }
}

/// C = A · B, with A `[m, k]`, B `[k, n]` and C `[m, n]` row-major.
///
/// # Panics
/// If a slice has another length than the shape needs.
///
/// ```
/// use tensor_ops::gemm::{GemmScratch, GemmShape, Output, nn};
///
/// let mut c = [f64::NAN; 1];
/// let shape = GemmShape { m: 1, k: 2, n: 1 };
/// nn(shape, &[1.0, 2.0], &[3.0, 4.0], Output::Overwrite, &mut c, &mut GemmScratch::new());
/// assert_eq!(c, [11.0]);
/// ```
pub fn nn<T: Float>(
    shape: GemmShape,
    a: &[T],
    b: &[T],
    output: Output,
    c: &mut [T],
    _scratch: &mut GemmScratch<T>,
) {
    check("gemm::nn", shape, a, b, c);
    reference::strided(shape, a, (shape.k, 1), b, (shape.n, 1), output, c);
}

/// C = A · Bᵀ, with A `[m, k]`, B `[n, k]` and C `[m, n]` row-major.
///
/// # Panics
/// If a slice has another length than the shape needs.
pub fn nt<T: Float>(
    shape: GemmShape,
    a: &[T],
    b: &[T],
    output: Output,
    c: &mut [T],
    _scratch: &mut GemmScratch<T>,
) {
    check("gemm::nt", shape, a, b, c);
    reference::strided(shape, a, (shape.k, 1), b, (1, shape.k), output, c);
}

/// C = Aᵀ · B, with A `[k, m]`, B `[k, n]` and C `[m, n]` row-major.
///
/// # Panics
/// If a slice has another length than the shape needs.
pub fn tn<T: Float>(
    shape: GemmShape,
    a: &[T],
    b: &[T],
    output: Output,
    c: &mut [T],
    _scratch: &mut GemmScratch<T>,
) {
    check("gemm::tn", shape, a, b, c);
    reference::strided(shape, a, (1, shape.m), b, (shape.n, 1), output, c);
}

fn check<T>(operation: &str, shape: GemmShape, a: &[T], b: &[T], c: &[T]) {
    let GemmShape { m, k, n } = shape;
    assert!(
        a.len() == m * k && b.len() == k * n && c.len() == m * n,
        "{operation}: A {}, B {}, C {} elements do not fit {shape:?}",
        a.len(),
        b.len(),
        c.len()
    );
}
