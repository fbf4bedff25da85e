//! Sums, means and log-sum-exp.

use tensor_ops::{Float, reduce};

use crate::backward::Gradients;
use crate::error::Error;
use crate::ops::Op;
use crate::shape::{AxisMask, LoopNest, Shape};
use crate::tape::{Layout, Tape, Values, Var};

impl<T: Float> Tape<'_, T> {
    /// Sum of all elements, a scalar; 0 of none.
    ///
    /// # Errors
    /// [`Error::StaleVariable`]; [`Error::LayoutMismatch`] for panels.
    pub fn sum(&mut self, x: Var) -> Result<Var, Error> {
        let shape = self.row_major("sum", x)?;
        Ok(self.reduce(x, shape, AxisMask::all(&shape), T::ONE))
    }

    /// Mean of all elements, a scalar.
    ///
    /// # Errors
    /// [`Error::EmptyMean`] of no element; as [`sum`](Self::sum).
    pub fn mean(&mut self, x: Var) -> Result<Var, Error> {
        let shape = self.row_major("mean", x)?;
        self.mean_over("mean", x, shape, AxisMask::all(&shape))
    }

    /// Sum over the axes named, which disappear from the shape.
    ///
    /// # Errors
    /// [`Error::Axis`] for an axis that does not exist or is named twice; as
    /// [`sum`](Self::sum).
    pub fn sum_axes(&mut self, x: Var, axes: &[usize]) -> Result<Var, Error> {
        let shape = self.row_major("sum_axes", x)?;
        let mask = AxisMask::of("sum_axes", &shape, axes)?;
        Ok(self.reduce(x, shape, mask, T::ONE))
    }

    /// Mean over the axes named, which disappear from the shape.
    ///
    /// # Errors
    /// [`Error::EmptyMean`] if the axes hold no element; as [`sum_axes`](Self::sum_axes).
    pub fn mean_axes(&mut self, x: Var, axes: &[usize]) -> Result<Var, Error> {
        let shape = self.row_major("mean_axes", x)?;
        let mask = AxisMask::of("mean_axes", &shape, axes)?;
        self.mean_over("mean_axes", x, shape, mask)
    }

    /// log Σ exp x over `axis`, which disappears from the shape. The largest
    /// element is subtracted first, so that nothing overflows; −∞ over an empty
    /// axis. The gradient is softmax(x) = exp(x − y).
    ///
    /// # Errors
    /// [`Error::Axis`]; as [`sum`](Self::sum).
    pub fn logsumexp(&mut self, x: Var, axis: usize) -> Result<Var, Error> {
        let shape = self.row_major("logsumexp", x)?;
        let mask = AxisMask::of("logsumexp", &shape, &[axis])?;
        let node = Op::LogSumExp {
            input: x.index,
            axis,
        };
        Ok(self.record_op(
            node,
            shape.without(mask),
            Layout::RowMajor,
            |values, out, _| {
                let (outer, extent, inner) = shape.around(axis);
                let x = values.get(x.index);
                for o in 0..outer {
                    for i in 0..inner {
                        let first = o * extent * inner + i;
                        out[o * inner + i] = log_sum_exp((0..extent).map(|k| x[first + k * inner]));
                    }
                }
            },
        ))
    }

    fn mean_over(
        &mut self,
        op: &'static str,
        x: Var,
        shape: Shape,
        axes: AxisMask,
    ) -> Result<Var, Error> {
        let results = shape.without(axes).len();
        if shape.is_empty() && results > 0 {
            return Err(Error::EmptyMean { op, shape });
        }
        let count = shape.len().checked_div(results).unwrap_or(1);
        Ok(self.reduce(x, shape, axes, T::ONE / T::from_f64(count as f64)))
    }

    fn reduce(&mut self, x: Var, shape: Shape, axes: AxisMask, scale: T) -> Var {
        let node = Op::Sum {
            input: x.index,
            axes,
            scale,
        };
        self.record_op(
            node,
            shape.without(axes),
            Layout::RowMajor,
            |values, out, _| {
                let x = values.get(x.index);
                out.fill(T::ZERO);
                let mut position = 0;
                let nest = LoopNest::new(&shape, [shape.reduced_strides(axes)]);
                nest.for_each_run(|[offset], len, [stride]| {
                    let x = &x[position..position + len];
                    position += len;
                    if stride == 1 {
                        for (out, &x) in out[offset..offset + len].iter_mut().zip(x) {
                            *out += x;
                        }
                    } else {
                        out[offset] += reduce::sum(x);
                    }
                });
                if scale != T::ONE {
                    for out in out {
                        *out *= scale;
                    }
                }
            },
        )
    }
}

/// Spreads the upstream gradient back over the axes summed.
pub(crate) fn sum_backward<T: Float>(
    input: u32,
    axes: AxisMask,
    scale: T,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let Some(target) = gradients.target(input) else {
        return;
    };
    let target = target.zeroed();
    let shape = values.shape(input);
    let mut position = 0;
    LoopNest::new(shape, [shape.reduced_strides(axes)]).for_each_run(|[offset], len, [stride]| {
        let target = &mut target[position..position + len];
        position += len;
        if stride == 1 {
            for (target, &g) in target.iter_mut().zip(&upstream[offset..offset + len]) {
                *target += g * scale;
            }
        } else {
            let g = upstream[offset] * scale;
            for target in target {
                *target += g;
            }
        }
    });
}

/// Adds upstream · exp(x − y); where y = −∞ every weight is 0.
pub(crate) fn logsumexp_backward<T: Float>(
    input: u32,
    axis: usize,
    output: u32,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let Some(target) = gradients.target(input) else {
        return;
    };
    let target = target.zeroed();
    let (x, y) = (values.get(input), values.get(output));
    let (outer, extent, inner) = values.shape(input).around(axis);
    for o in 0..outer {
        for k in 0..extent {
            for i in 0..inner {
                let (from, to) = (o * inner + i, (o * extent + k) * inner + i);
                if y[from] != T::NEG_INFINITY {
                    target[to] += upstream[from] * (x[to] - y[from]).exp();
                }
            }
        }
    }
}

fn log_sum_exp<T: Float>(values: impl Iterator<Item = T> + Clone) -> T {
    // A NaN is kept as the largest value: it must reach the result.
    let largest = values.clone().fold(T::NEG_INFINITY, |largest, x| {
        if x > largest || x.is_nan() {
            x
        } else {
            largest
        }
    });
    if !largest.is_finite() {
        return largest;
    }
    let sum = values.fold(T::ZERO, |sum, x| sum + (x - largest).exp());
    largest + sum.ln()
}
