//! Layers in the panel layout: the fast path, on the kernels the hand-written
//! training step uses.

use tensor_ops::linear::{self, LinearShape, RowBlock};
use tensor_ops::panels::{Panels, Support};
use tensor_ops::{Activation, Float};

use crate::backward::{GradientState, Gradients};
use crate::error::Error;
use crate::ops::linear::{Layer, through_activation};
use crate::ops::{Op, Scratch};
use crate::shape::Shape;
use crate::tape::{Layout, Tape, Values, Var};

impl<T: Float> Tape<'_, T> {
    /// y = activation(x · W + b) with x `[rows, inputs]`, W `[inputs, outputs]`
    /// and b `[1, outputs]`, all in panels; see [`tensor_ops::linear`] for the
    /// products and the order of their sums.
    ///
    /// When the only reader of a layer's output is another such layer, the
    /// derivative of its activation is applied inside the product that brings
    /// the gradient, and the gradient goes through memory once.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`]; [`Error::LayoutMismatch`] if an operand is
    /// row-major; [`Error::StaleVariable`].
    pub fn linear_panels(
        &mut self,
        x: Var,
        weight: Var,
        bias: Var,
        activation: Activation,
    ) -> Result<Var, Error> {
        const OP: &str = "linear_panels";
        let (rows, inputs, x_shape) = self.panels(OP, x)?;
        let (weight_inputs, outputs, weight_shape) = self.panels(OP, weight)?;
        let (_, _, bias_shape) = self.panels(OP, bias)?;
        if inputs != weight_inputs {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: x_shape,
                rhs: weight_shape,
                expected: "x [rows, inputs] and weight [inputs, outputs] are expected",
            });
        }
        if bias_shape != Shape::matrix(1, outputs) {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: weight_shape,
                rhs: bias_shape,
                expected: "weight [inputs, outputs] and bias [1, outputs] are expected",
            });
        }
        let node = Op::LinearPanels {
            input: x.index,
            weight: weight.index,
            bias: bias.index,
            activation,
        };
        Ok(self.record_op(
            node,
            Shape::matrix(rows, outputs),
            Layout::Panels,
            |values, out, scratch| {
                let shape = LinearShape {
                    rows,
                    inputs,
                    outputs,
                };
                let [x_values, weight, bias] =
                    [x, weight, bias].map(|operand| values.get(operand.index));
                match support(values, scratch, x.index) {
                    Some(support) => linear::forward_sparse(
                        shape, x_values, support, weight, bias, activation, out,
                    ),
                    None => linear::forward(shape, x_values, weight, bias, activation, out),
                }
            },
        ))
    }

    /// A row-major matrix in the panel layout.
    ///
    /// # Errors
    /// [`Error::AxisCount`] if `x` is no matrix; [`Error::LayoutMismatch`] if it
    /// is in panels already; [`Error::StaleVariable`].
    pub fn to_panels(&mut self, x: Var) -> Result<Var, Error> {
        let (rows, cols, shape) = self.matrix("to_panels", x)?;
        Ok(self.record_op(
            Op::ToPanels { input: x.index },
            shape,
            Layout::Panels,
            |values, out, _| Panels::new(rows, cols).pack_row_major(values.get(x.index), out),
        ))
    }

    /// A matrix in panels as a row-major one.
    ///
    /// # Errors
    /// [`Error::LayoutMismatch`] if `x` is row-major already;
    /// [`Error::StaleVariable`].
    pub fn from_panels(&mut self, x: Var) -> Result<Var, Error> {
        let (rows, cols, shape) = self.panels("from_panels", x)?;
        Ok(self.record_op(
            Op::FromPanels { input: x.index },
            shape,
            Layout::RowMajor,
            |values, out, _| Panels::new(rows, cols).unpack_row_major(values.get(x.index), out),
        ))
    }
}

/// Turns `upstream` into the gradient D by the layer's pre-activation, in
/// place, where it stays for a deferred weight gradient; then adds D·Wᵀ to the
/// input's gradient and, unless deferred, xᵀ·D and Σ_rows D to the parameters'.
pub(crate) fn linear_backward<T: Float>(
    layer: Layer,
    state: &mut GradientState,
    is_deferred: bool,
    upstream: &mut [T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
    scratch: &mut Scratch<T>,
) {
    if *state != GradientState::ByPreActivation {
        through_activation(layer.activation, values.get(layer.output), upstream);
        *state = GradientState::ByPreActivation;
    }
    let shape = shape(layer, values);
    add_input_gradient(layer, shape, upstream, values, gradients, scratch);
    if is_deferred {
        gradients.defer(layer.weight);
        gradients.defer(layer.bias);
    } else {
        add_weight_gradient(layer, shape, upstream, values, gradients, scratch);
    }
}

fn add_input_gradient<T: Float>(
    layer: Layer,
    shape: LinearShape,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let (x, weight) = (values.get(layer.input), values.get(layer.weight));
    let producer = &values.nodes[layer.input as usize];
    let fused = match producer.op {
        Op::LinearPanels { activation, .. } if producer.consumers == 1 => Some(activation),
        _ => None,
    };
    let Some(target) = gradients.target(layer.input) else {
        return;
    };
    if target.is_fresh {
        linear::input_gradient(
            shape,
            upstream,
            weight,
            x,
            fused.unwrap_or(Activation::Identity),
            target.values,
            &mut scratch.linear,
        );
        if fused.is_some() {
            gradients.mark_by_pre_activation(layer.input);
        }
    } else {
        let dx = Scratch::sized(&mut scratch.input, shape.x().len());
        linear::input_gradient(
            shape,
            upstream,
            weight,
            x,
            Activation::Identity,
            dx,
            &mut scratch.linear,
        );
        target.add(dx.iter().copied());
    }
}

fn add_weight_gradient<T: Float>(
    layer: Layer,
    shape: LinearShape,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
    scratch: &mut Scratch<T>,
) {
    let needs = |operand| values.nodes[operand as usize].requires_gradient;
    if !needs(layer.weight) && !needs(layer.bias) {
        return;
    }
    let panels = 0..shape.weight().panel_count();
    let mut bias = std::mem::take(&mut scratch.bias);
    let mut weight = std::mem::take(&mut scratch.weight);
    let db = Scratch::sized(&mut bias, shape.y().padded_cols());
    let block = RowBlock {
        rows: shape.rows,
        x: values.get(layer.input),
        dy: upstream,
        support: support(values, scratch, layer.input),
    };
    let contract = |dw: &mut [T], db: &mut [T]| {
        let (inputs, outputs) = (shape.inputs, shape.outputs);
        linear::weight_gradient(inputs, outputs, panels, &[block], T::ONE, dw, db);
    };
    match gradients.target(layer.weight) {
        Some(target) if target.is_fresh => contract(target.values, db),
        target => {
            let dw = Scratch::sized(&mut weight, shape.weight().len());
            contract(dw, db);
            if let Some(target) = target {
                target.add(dw.iter().copied());
            }
        }
    }
    if let Some(target) = gradients.target(layer.bias) {
        target.add(db.iter().copied());
    }
    scratch.bias = bias;
    scratch.weight = weight;
}

/// Unpacks the upstream gradient.
pub(crate) fn to_panels_backward<T: Float>(
    input: u32,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let Some(target) = gradients.target(input) else {
        return;
    };
    let extents = values.shape(input).extents();
    let panels = Panels::new(extents[0], extents[1]);
    if target.is_fresh {
        panels.unpack_row_major(upstream, target.values);
    } else {
        for row in 0..panels.rows {
            for col in 0..panels.cols {
                target.values[row * panels.cols + col] += upstream[panels.index(row, col)];
            }
        }
    }
}

/// Packs the upstream gradient.
pub(crate) fn from_panels_backward<T: Float>(
    input: u32,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let Some(target) = gradients.target(input) else {
        return;
    };
    let extents = values.shape(input).extents();
    let panels = Panels::new(extents[0], extents[1]);
    if target.is_fresh {
        panels.pack_row_major(upstream, target.values);
    } else {
        for row in 0..panels.rows {
            for col in 0..panels.cols {
                target.values[panels.index(row, col)] += upstream[row * panels.cols + col];
            }
        }
    }
}

pub(crate) fn shape<T: Float>(layer: Layer, values: &Values<'_, T>) -> LinearShape {
    let extents = values.shape(layer.input).extents();
    LinearShape {
        rows: extents[0],
        inputs: extents[1],
        outputs: values.shape(layer.output).extents()[1],
    }
}

/// Where the input of a layer is not zero, if it was recorded as sparse.
pub(crate) fn support<'a, T: Float>(
    values: &Values<'_, T>,
    scratch: &'a Scratch<T>,
    input: u32,
) -> Option<&'a Support> {
    let index = values.nodes[input as usize].support?;
    Some(&scratch.supports[index as usize])
}
