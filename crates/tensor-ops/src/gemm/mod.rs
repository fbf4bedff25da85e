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
use crate::isa::Available;
use crate::panels::LANES;

pub(crate) mod kernel;
#[doc(hidden)]
pub mod reference;

use kernel::{Lines, PackTransposed, Product, packed_layout};

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
    panels: Vec<T>,
}

impl<T: Float> GemmScratch<T> {
    /// Empty scratch.
    pub fn new() -> Self {
        Self { panels: Vec::new() }
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
    scratch: &mut GemmScratch<T>,
) {
    check("gemm::nn", shape, a, b, c);
    product(shape, a, (shape.k, 1), b, Form::Plain, output, c, scratch);
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
    scratch: &mut GemmScratch<T>,
) {
    check("gemm::nt", shape, a, b, c);
    product(
        shape,
        a,
        (shape.k, 1),
        b,
        Form::Transposed,
        output,
        c,
        scratch,
    );
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
    scratch: &mut GemmScratch<T>,
) {
    check("gemm::tn", shape, a, b, c);
    product(shape, a, (1, shape.m), b, Form::Plain, output, c, scratch);
}

/// How B lies in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `[k, n]`.
    Plain,
    /// `[n, k]`.
    Transposed,
}

/// Multiply-adds below which a product is not shared: 40 µs of one core, a
/// few times what waking another thread takes.
const PARALLEL_WORK: usize = 1 << 22;

#[allow(clippy::too_many_arguments)] // the operands of one product
fn product<T: Float>(
    shape: GemmShape,
    a: &[T],
    a_strides: (usize, usize),
    b: &[T],
    form: Form,
    output: Output,
    c: &mut [T],
    scratch: &mut GemmScratch<T>,
) {
    let isa = Available::current();
    let GemmShape { m, k, n } = shape;
    let threads = if m * n * k < PARALLEL_WORK {
        1
    } else {
        rayon::current_num_threads()
    };
    run(
        isa, threads, shape, a, a_strides, b, form, output, c, scratch,
    );
}

/// The product on a given path, in `threads` parts.
#[allow(clippy::too_many_arguments)]
fn run<T: Float>(
    isa: Available,
    threads: usize,
    shape: GemmShape,
    a: &[T],
    a_strides: (usize, usize),
    b: &[T],
    form: Form,
    output: Output,
    c: &mut [T],
    scratch: &mut GemmScratch<T>,
) {
    let GemmShape { m, k, n } = shape;
    let panels = n.div_ceil(LANES);
    if m == 0 || n == 0 {
        return;
    }
    let panel_len = k * LANES;
    let needed = match form {
        Form::Plain if n.is_multiple_of(LANES) => 0,
        Form::Plain => panel_len,
        Form::Transposed => packed_layout(shape).len(),
    };
    if scratch.panels.len() < needed {
        scratch.panels.resize(needed, T::ZERO);
    }
    let packed = &mut scratch.panels[..needed];
    let (whole, tail) = match form {
        Form::Plain => {
            let whole = Lines {
                start: b.as_ptr(),
                step: n,
                stride: LANES,
            };
            let first = n / LANES * LANES;
            for (line, row) in packed.chunks_exact_mut(LANES).zip(b.chunks_exact(n)) {
                line[..n - first].copy_from_slice(&row[first..]);
                line[n - first..].fill(T::ZERO);
            }
            // Its one panel is found at any panel number.
            let tail = Lines {
                start: packed.as_ptr(),
                step: LANES,
                stride: 0,
            };
            (whole, (first < n).then_some(tail))
        }
        Form::Transposed => {
            pack_transposed(
                isa,
                threads,
                PackTransposed {
                    source: b,
                    n,
                    k,
                    first_panel: 0,
                    packed,
                },
            );
            (
                Lines {
                    start: packed.as_ptr(),
                    step: LANES,
                    stride: panel_len,
                },
                None,
            )
        }
    };
    let all = Product {
        shape,
        a: a.as_ptr(),
        a_strides,
        b: whole,
        b_tail: tail,
        output,
        c: c.as_mut_ptr(),
        rows: (0, m),
        panels: (0, panels),
    };
    share(isa, threads, all);
}

fn pack_transposed<T: Float>(isa: Available, threads: usize, job: PackTransposed<'_, T>) {
    let panel_len = job.k * LANES;
    let panels = job.packed.len().checked_div(panel_len).unwrap_or(0);
    if threads < 2 || panels < 2 {
        T::pack_transposed(isa, job);
        return;
    }
    let half = panels / 2;
    let (left, right) = job.packed.split_at_mut(half * panel_len);
    let first_panel = job.first_panel + half;
    rayon::join(
        || {
            pack_transposed(
                isa,
                threads / 2,
                PackTransposed {
                    packed: left,
                    ..job
                },
            )
        },
        || {
            let right = PackTransposed {
                packed: right,
                first_panel,
                ..job
            };
            pack_transposed(isa, threads - threads / 2, right);
        },
    );
}

/// Fewest panels and rows of C worth a thread of their own.
const PART_PANELS: usize = 6;
const PART_ROWS: usize = 16;

/// Halves the part of C until there is one for each thread.
fn share<T: Float>(isa: Available, threads: usize, part: Product<T>) {
    let halves = |(first, count): (usize, usize)| {
        ((first, count / 2), (first + count / 2, count - count / 2))
    };
    let (left, right) = if threads < 2 {
        return T::product(isa, part);
    } else if part.panels.1 >= 2 * PART_PANELS {
        let (left, right) = halves(part.panels);
        (
            Product {
                panels: left,
                ..part
            },
            Product {
                panels: right,
                ..part
            },
        )
    } else if part.rows.1 >= 2 * PART_ROWS {
        let (left, right) = halves(part.rows);
        (
            Product { rows: left, ..part },
            Product {
                rows: right,
                ..part
            },
        )
    } else {
        return T::product(isa, part);
    };
    rayon::join(
        move || share(isa, threads / 2, left),
        move || share(isa, threads - threads / 2, right),
    );
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

#[cfg(test)]
mod tests;
