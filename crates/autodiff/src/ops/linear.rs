//! A whole layer as one node, with row-major weights.

use tensor_ops::gemm::{self, GemmShape, Output};
use tensor_ops::{Activation, Float, reduce, vector};

use crate::backward::Gradients;
use crate::error::Error;
use crate::ops::{Op, Scratch};
use crate::shape::Shape;
use crate::tape::{Layout, Tape, Values, Var};

impl<T: Float> Tape<'_, T> {
    /// y = activation(x · Wᵀ + b) with x `[rows, inputs]`, W `[outputs, inputs]`
    /// (PyTorch's layout) and b `[outputs]`, all row-major.
    ///
    /// With D = G ⊙ activation′(y): ∂x = D·W, ∂W = Dᵀ·x, ∂b = Σ_rows D. For
    /// training at full speed see [`linear_panels`](Self::linear_panels).
    ///
    /// # Errors
    /// [`Error::AxisCount`]; [`Error::ShapeMismatch`]; [`Error::LayoutMismatch`]
    /// for panels; [`Error::StaleVariable`].
    pub fn linear(
        &mut self,
        x: Var,
        weight: Var,
        bias: Var,
        activation: Activation,
    ) -> Result<Var, Error> {
        const OP: &str = "linear";
        let (rows, inputs, x_shape) = self.matrix(OP, x)?;
        let (outputs, weight_inputs, weight_shape) = self.matrix(OP, weight)?;
        let bias_shape = self.row_major(OP, bias)?;
        if inputs != weight_inputs {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: x_shape,
                rhs: weight_shape,
                expected: "x [rows, inputs] and weight [outputs, inputs] are expected",
            });
        }
        if bias_shape != Shape::vector(outputs) {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: weight_shape,
                rhs: bias_shape,
                expected: "weight [outputs, inputs] and bias [outputs] are expected",
            });
        }
        let node = Op::Linear {
            input: x.index,
            weight: weight.index,
            bias: bias.index,
            activation,
        };
        Ok(self.record_op(
            node,
            Shape::matrix(rows, outputs),
            Layout::RowMajor,
            |values, out, scratch| {
                let shape = GemmShape {
                    m: rows,
                    k: inputs,
                    n: outputs,
                };
                let (x, weight) = (values.get(x.index), values.get(weight.index));
                gemm::nt(shape, x, weight, Output::Overwrite, out, &mut scratch.gemm);
                if outputs > 0 {
                    for row in out.chunks_exact_mut(outputs) {
                        for (y, &b) in row.iter_mut().zip(values.get(bias.index)) {
                            *y += b;
                        }
                    }
                }
                match activation {
                    Activation::Identity => {}
                    Activation::Relu => vector::relu_in_place(out),
                    Activation::Tanh => vector::tanh_in_place(out),
                }
            },
        ))
    }
}

/// Operands of a layer node.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    pub(crate) input: u32,
    pub(crate) weight: u32,
    pub(crate) bias: u32,
    pub(crate) activation: Activation,
    pub(crate) output: u32,
}

/// Turns `upstream` into D in place, then adds the three products.
pub(crate) fn backward<T: Float>(
    layer: Layer,
    upstream: &mut [T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
    scratch: &mut Scratch<T>,
) {
    through_activation(layer.activation, values.get(layer.output), upstream);
    let (x, weight) = (values.get(layer.input), values.get(layer.weight));
    let (rows, inputs) = {
        let extents = values.shape(layer.input).extents();
        (extents[0], extents[1])
    };
    let outputs = values.shape(layer.output).extents()[1];
    if let Some(target) = gradients.target(layer.input) {
        let (out, output) = target.for_product();
        let shape = GemmShape {
            m: rows,
            k: outputs,
            n: inputs,
        };
        gemm::nn(shape, upstream, weight, output, out, &mut scratch.gemm);
    }
    if let Some(target) = gradients.target(layer.weight) {
        let (out, output) = target.for_product();
        let shape = GemmShape {
            m: outputs,
            k: rows,
            n: inputs,
        };
        gemm::tn(shape, upstream, x, output, out, &mut scratch.gemm);
    }
    if let Some(target) = gradients.target(layer.bias) {
        let sums = Scratch::sized(&mut scratch.bias, outputs);
        reduce::column_sums(rows, upstream, sums);
        target.add(sums.iter().copied());
    }
}

/// gradient ⊙= activation′, from the activation's output `y`.
pub(crate) fn through_activation<T: Float>(activation: Activation, y: &[T], gradient: &mut [T]) {
    match activation {
        Activation::Identity => {}
        // Selected, not multiplied: an infinite gradient behind a closed unit is 0.
        Activation::Relu => {
            for (g, &y) in gradient.iter_mut().zip(y) {
                *g = if y > T::ZERO { *g } else { T::ZERO };
            }
        }
        Activation::Tanh => {
            for (g, &y) in gradient.iter_mut().zip(y) {
                *g *= T::ONE - y * y;
            }
        }
    }
}
