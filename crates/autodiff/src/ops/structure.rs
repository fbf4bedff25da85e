//! Operations that move values without changing them.

use std::ops::Range;

use tensor_ops::Float;

use crate::backward::Gradients;
use crate::error::Error;
use crate::ops::Op;
use crate::shape::{AxisMask, LoopNest, MAX_AXES, Shape};
use crate::tape::{Layout, Tape, Values, Var};

impl<T: Float> Tape<'_, T> {
    /// The part of `x` whose index along `axis` lies in `range`.
    ///
    /// # Errors
    /// [`Error::Axis`]; [`Error::Range`] if the range leaves the axis;
    /// [`Error::LayoutMismatch`] for panels; [`Error::StaleVariable`].
    pub fn slice(&mut self, x: Var, axis: usize, range: Range<usize>) -> Result<Var, Error> {
        const OP: &str = "slice";
        let shape = self.row_major(OP, x)?;
        AxisMask::of(OP, &shape, &[axis])?;
        let (outer, extent, inner) = shape.around(axis);
        if range.start > range.end || range.end > extent {
            return Err(Error::Range {
                op: OP,
                start: range.start,
                end: range.end,
                axis,
                shape,
            });
        }
        let (start, len) = (range.start, range.len());
        let node = Op::Slice {
            input: x.index,
            axis,
            start,
        };
        Ok(self.record_op(
            node,
            shape.with_extent(axis, len),
            Layout::RowMajor,
            |values, out, _| {
                let x = values.get(x.index);
                for o in 0..outer {
                    let from = (o * extent + start) * inner;
                    out[o * len * inner..(o + 1) * len * inner]
                        .copy_from_slice(&x[from..from + len * inner]);
                }
            },
        ))
    }

    /// The operands one after the other along `axis`; their other extents agree.
    ///
    /// # Errors
    /// [`Error::NoOperands`]; [`Error::ShapeMismatch`] with the first operand;
    /// [`Error::Axis`]; [`Error::LayoutMismatch`] for panels; [`Error::StaleVariable`].
    pub fn concatenate(&mut self, operands: &[Var], axis: usize) -> Result<Var, Error> {
        const OP: &str = "concatenate";
        let &first = operands.first().ok_or(Error::NoOperands { op: OP })?;
        let first = self.row_major(OP, first)?;
        AxisMask::of(OP, &first, &[axis])?;
        let mut extent = 0;
        for &operand in operands {
            let shape = self.row_major(OP, operand)?;
            if shape.axes() != first.axes()
                || shape.with_extent(axis, 0) != first.with_extent(axis, 0)
            {
                return Err(Error::ShapeMismatch {
                    op: OP,
                    lhs: first,
                    rhs: shape,
                    expected: "all extents but that of the axis joined must be equal",
                });
            }
            extent += shape.extents()[axis];
        }
        let shape = first.with_extent(axis, extent);
        let begin = self.operand_lists.len();
        self.operand_lists
            .extend(operands.iter().map(|operand| operand.index));
        let node = Op::Concatenate {
            operands: (begin, self.operand_lists.len()),
            axis,
        };
        Ok(
            self.record_op(node, shape, Layout::RowMajor, |values, out, _| {
                let (outer, _, inner) = shape.around(axis);
                let mut start = 0;
                for operand in operands {
                    let run = values.shape(operand.index).extents()[axis] * inner;
                    let part = values.get(operand.index);
                    for o in 0..outer {
                        let to = o * extent * inner + start;
                        out[to..to + run].copy_from_slice(&part[o * run..(o + 1) * run]);
                    }
                    start += run;
                }
            }),
        )
    }

    /// The same values in another shape, shared and not copied.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the number of elements differs;
    /// [`Error::TooManyAxes`]; [`Error::LayoutMismatch`] for panels;
    /// [`Error::StaleVariable`].
    pub fn reshape(&mut self, x: Var, extents: &[usize]) -> Result<Var, Error> {
        const OP: &str = "reshape";
        let shape = self.row_major(OP, x)?;
        let target = Shape::for_op(OP, extents)?;
        if shape.len() != target.len() {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: shape,
                rhs: target,
                expected: "the number of elements must stay the same",
            });
        }
        Ok(self.record_shared(x.index, target))
    }

    /// `x` with an axis of extent 1 inserted before `axis`: the way to keep a
    /// reduced axis for broadcasting.
    ///
    /// # Errors
    /// [`Error::Axis`] if `axis` exceeds the number of axes;
    /// [`Error::TooManyAxes`]; [`Error::LayoutMismatch`] for panels;
    /// [`Error::StaleVariable`].
    pub fn insert_axis(&mut self, x: Var, axis: usize) -> Result<Var, Error> {
        const OP: &str = "insert_axis";
        let shape = self.row_major(OP, x)?;
        let axes = shape.axes();
        if axis > axes {
            return Err(Error::Axis {
                op: OP,
                axis,
                shape,
            });
        }
        let mut extents = [1; MAX_AXES + 1];
        extents[..axis].copy_from_slice(&shape.extents()[..axis]);
        extents[axis + 1..=axes].copy_from_slice(&shape.extents()[axis..]);
        let target = Shape::for_op(OP, &extents[..=axes])?;
        Ok(self.record_shared(x.index, target))
    }

    /// `x` repeated along axes of extent 1 or missing axes, as a value of its own.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `x` does not broadcast to these extents;
    /// [`Error::TooManyAxes`]; [`Error::LayoutMismatch`] for panels;
    /// [`Error::StaleVariable`].
    pub fn broadcast_to(&mut self, x: Var, extents: &[usize]) -> Result<Var, Error> {
        const OP: &str = "broadcast_to";
        let shape = self.row_major(OP, x)?;
        let target = Shape::for_op(OP, extents)?;
        if !shape.broadcasts_to(target) {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: shape,
                rhs: target,
                expected: "extents aligned at the last axis must be equal, or 1 in the first shape",
            });
        }
        Ok(self.record_op(
            Op::BroadcastTo { input: x.index },
            target,
            Layout::RowMajor,
            |values, out, _| {
                let x = values.get(x.index);
                let mut position = 0;
                LoopNest::new(&target, [shape.strides_in(&target)]).for_each_run(
                    |[from], len, [stride]| {
                        let out = &mut out[position..position + len];
                        position += len;
                        if stride == 1 {
                            out.copy_from_slice(&x[from..from + len]);
                        } else {
                            out.fill(x[from]);
                        }
                    },
                );
            },
        ))
    }
}

/// Adds the upstream gradient to the part of the input that was cut out.
pub(crate) fn slice_backward<T: Float>(
    input: u32,
    axis: usize,
    start: usize,
    shape: &Shape,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let Some(target) = gradients.target(input) else {
        return;
    };
    let target = target.zeroed();
    let (outer, extent, inner) = values.shape(input).around(axis);
    let run = shape.extents()[axis] * inner;
    for o in 0..outer {
        let to = (o * extent + start) * inner;
        add(&mut target[to..to + run], &upstream[o * run..(o + 1) * run]);
    }
}

/// Hands each operand its part of the upstream gradient.
pub(crate) fn concatenate_backward<T: Float>(
    operands: &[u32],
    axis: usize,
    shape: &Shape,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let (outer, extent, inner) = shape.around(axis);
    let mut start = 0;
    for &operand in operands {
        let run = values.shape(operand).extents()[axis] * inner;
        if let Some(target) = gradients.target(operand) {
            let target = target.zeroed();
            for o in 0..outer {
                let from = o * extent * inner + start;
                add(
                    &mut target[o * run..(o + 1) * run],
                    &upstream[from..from + run],
                );
            }
        }
        start += run;
    }
}

/// Sums the upstream gradient over the axes repeated.
pub(crate) fn broadcast_backward<T: Float>(
    input: u32,
    shape: &Shape,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let Some(target) = gradients.target(input) else {
        return;
    };
    let target = target.zeroed();
    let mut position = 0;
    LoopNest::new(shape, [values.shape(input).strides_in(shape)]).for_each_run(
        |[to], len, [stride]| {
            let upstream = &upstream[position..position + len];
            position += len;
            if stride == 1 {
                add(&mut target[to..to + len], upstream);
            } else {
                target[to] += tensor_ops::reduce::sum(upstream);
            }
        },
    );
}

fn add<T: Float>(target: &mut [T], upstream: &[T]) {
    for (target, &g) in target.iter_mut().zip(upstream) {
        *target += g;
    }
}
