//! Row-major matrix products.

use tensor_ops::Float;
use tensor_ops::gemm::{self, GemmScratch, GemmShape, Output};

use crate::backward::Gradients;
use crate::error::Error;
use crate::ops::Op;
use crate::shape::Shape;
use crate::tape::{Layout, Tape, Values, Var};

/// Which operand of a product is transposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A · B.
    Nn,
    /// A · Bᵀ.
    Nt,
    /// Aᵀ · B.
    Tn,
}

impl<T: Float> Tape<'_, T> {
    /// C = A · B with A `[m, k]` and B `[k, n]`. Derivatives ∂A = G·Bᵀ and
    /// ∂B = Aᵀ·G of an upstream gradient G.
    ///
    /// # Errors
    /// [`Error::AxisCount`] if an operand is no matrix; [`Error::ShapeMismatch`];
    /// [`Error::LayoutMismatch`] for panels; [`Error::StaleVariable`].
    pub fn matmul(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.product("matmul", a, b, Form::Nn)
    }

    /// C = A · Bᵀ with A `[m, k]` and B `[n, k]`.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul).
    pub fn matmul_nt(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.product("matmul_nt", a, b, Form::Nt)
    }

    /// C = Aᵀ · B with A `[k, m]` and B `[k, n]`.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul).
    pub fn matmul_tn(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.product("matmul_tn", a, b, Form::Tn)
    }

    fn product(&mut self, op: &'static str, a: Var, b: Var, form: Form) -> Result<Var, Error> {
        let (a_rows, a_cols, a_shape) = self.matrix(op, a)?;
        let (b_rows, b_cols, b_shape) = self.matrix(op, b)?;
        let (m, k, b_k, n, expected) = match form {
            Form::Nn => (
                a_rows,
                a_cols,
                b_rows,
                b_cols,
                "[m, k] and [k, n] are expected",
            ),
            Form::Nt => (
                a_rows,
                a_cols,
                b_cols,
                b_rows,
                "[m, k] and [n, k] are expected",
            ),
            Form::Tn => (
                a_cols,
                a_rows,
                b_rows,
                b_cols,
                "[k, m] and [k, n] are expected",
            ),
        };
        if k != b_k {
            return Err(Error::ShapeMismatch {
                op,
                lhs: a_shape,
                rhs: b_shape,
                expected,
            });
        }
        let node = Op::MatMul {
            lhs: a.index,
            rhs: b.index,
            form,
        };
        Ok(self.record_op(
            node,
            Shape::matrix(m, n),
            Layout::RowMajor,
            |values, out, scratch| {
                let (a, b) = (values.get(a.index), values.get(b.index));
                let shape = GemmShape { m, k, n };
                multiply(form, shape, a, b, Output::Overwrite, out, &mut scratch.gemm);
            },
        ))
    }
}

/// Adds the products of the upstream gradient G with the other operand.
pub(crate) fn backward<T: Float>(
    (lhs, rhs): (u32, u32),
    form: Form,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
    scratch: &mut GemmScratch<T>,
) {
    let (a, b) = (values.get(lhs), values.get(rhs));
    let extents = |index| {
        let extents = values.shape(index).extents();
        (extents[0], extents[1])
    };
    let ((a_rows, a_cols), (b_rows, b_cols)) = (extents(lhs), extents(rhs));
    // C = A·B: dA = G·Bᵀ, dB = Aᵀ·G. C = A·Bᵀ: dA = G·B, dB = Gᵀ·A.
    // C = Aᵀ·B: dA = B·Gᵀ, dB = A·G.
    let (left, right) = match form {
        Form::Nn => (
            (Form::Nt, upstream, b, b_cols),
            (Form::Tn, a, upstream, a_rows),
        ),
        Form::Nt => (
            (Form::Nn, upstream, b, b_rows),
            (Form::Tn, upstream, a, a_rows),
        ),
        Form::Tn => (
            (Form::Nt, b, upstream, b_cols),
            (Form::Nn, a, upstream, a_cols),
        ),
    };
    for (operand, (m, n), (form, first, second, k)) in [
        (lhs, (a_rows, a_cols), left),
        (rhs, (b_rows, b_cols), right),
    ] {
        if let Some(target) = gradients.target(operand) {
            let (out, output) = target.for_product();
            multiply(
                form,
                GemmShape { m, k, n },
                first,
                second,
                output,
                out,
                scratch,
            );
        }
    }
}

fn multiply<T: Float>(
    form: Form,
    shape: GemmShape,
    a: &[T],
    b: &[T],
    output: Output,
    c: &mut [T],
    scratch: &mut GemmScratch<T>,
) {
    match form {
        Form::Nn => gemm::nn(shape, a, b, output, c, scratch),
        Form::Nt => gemm::nt(shape, a, b, output, c, scratch),
        Form::Tn => gemm::tn(shape, a, b, output, c, scratch),
    }
}
