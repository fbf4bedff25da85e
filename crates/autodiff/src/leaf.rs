//! Leaves: constants and parameters, copied, filled in place or bound.

use std::ops::Range;

use ndarray::{ArrayView, Dimension};
use tensor_ops::Float;
use tensor_ops::panels::{LANES, Panels, Support};

use crate::error::Error;
use crate::ops::Op;
use crate::shape::Shape;
use crate::tape::{Layout, Node, Storage, Tape, Var, storage_len};

impl<T: Float> Tape<'_, T> {
    /// A leaf whose gradient is wanted, copied from `value`.
    ///
    /// # Errors
    /// [`Error::TooManyAxes`].
    pub fn parameter<D: Dimension>(&mut self, value: ArrayView<'_, T, D>) -> Result<Var, Error> {
        self.leaf("parameter", value, true)
    }

    /// A leaf without gradient, copied from `value`.
    ///
    /// # Errors
    /// [`Error::TooManyAxes`].
    pub fn constant<D: Dimension>(&mut self, value: ArrayView<'_, T, D>) -> Result<Var, Error> {
        self.leaf("constant", value, false)
    }

    /// A single number without gradient.
    pub fn scalar(&mut self, value: T) -> Var {
        self.record(
            Op::Leaf,
            Shape::SCALAR,
            Layout::RowMajor,
            false,
            |_, out, _| {
                out[0] = value;
            },
        )
    }

    /// A leaf without gradient whose row-major values `fill` writes in place:
    /// data converted or noise drawn straight into the tape's memory.
    ///
    /// The slice `fill` receives holds unspecified values.
    ///
    /// # Errors
    /// [`Error::TooManyAxes`].
    pub fn constant_with(
        &mut self,
        extents: &[usize],
        fill: impl FnOnce(&mut [T]),
    ) -> Result<Var, Error> {
        let shape = Shape::for_op("constant_with", extents)?;
        Ok(
            self.record(Op::Leaf, shape, Layout::RowMajor, false, |_, out, _| {
                fill(out);
            }),
        )
    }

    /// A `[rows, cols]` leaf without gradient in the panel layout, whose storage
    /// `fill` writes in place. The padding lanes are set to zero afterwards.
    ///
    /// The slice `fill` receives holds unspecified values.
    pub fn constant_panels(
        &mut self,
        rows: usize,
        cols: usize,
        fill: impl FnOnce(&mut [T]),
    ) -> Var {
        self.record(
            Op::Leaf,
            Shape::matrix(rows, cols),
            Layout::Panels,
            false,
            |_, out, _| {
                fill(out);
                zero_padding(rows, cols, out);
            },
        )
    }

    /// [`constant_panels`](Self::constant_panels) for data with many zeros:
    /// their positions are found once, and [`linear_panels`](Self::linear_panels)
    /// leaves them out of its products, which changes no bit of the result.
    pub fn sparse_constant_panels(
        &mut self,
        rows: usize,
        cols: usize,
        fill: impl FnOnce(&mut [T]),
    ) -> Var {
        let variable = self.constant_panels(rows, cols, fill);
        let support = self.scratch.supports_used;
        if self.scratch.supports.len() <= support {
            self.scratch.supports.push(Support::new());
        }
        self.scratch.supports[support].scan(
            Panels::new(rows, cols),
            self.values[variable.index as usize].as_slice(),
        );
        self.scratch.supports_used += 1;
        self.nodes[variable.index as usize].support = Some(support as u32);
        variable
    }

    /// A row-major parameter of this shape read in place from `range` of the
    /// bound slice.
    ///
    /// # Errors
    /// [`Error::TooManyAxes`]; [`Error::ParameterRange`] if the range leaves the
    /// bound slice or its length is not the number of elements.
    pub fn bound_parameter(
        &mut self,
        range: Range<usize>,
        extents: &[usize],
    ) -> Result<Var, Error> {
        let shape = Shape::for_op("bound_parameter", extents)?;
        self.bound_leaf("bound_parameter", range, shape, Layout::RowMajor)
    }

    /// A `[rows, cols]` parameter in the panel layout read in place from `range`
    /// of the bound slice: the weight `[inputs, outputs]` of a linear layer, or
    /// its bias as `[1, outputs]`. Its padding lanes must hold zeros.
    ///
    /// # Errors
    /// [`Error::ParameterRange`] if the range leaves the bound slice or its
    /// length is not that of the panels.
    pub fn bound_panels(
        &mut self,
        range: Range<usize>,
        rows: usize,
        cols: usize,
    ) -> Result<Var, Error> {
        let shape = Shape::matrix(rows, cols);
        self.bound_leaf("bound_panels", range, shape, Layout::Panels)
    }

    fn leaf<D: Dimension>(
        &mut self,
        op: &'static str,
        value: ArrayView<'_, T, D>,
        requires_gradient: bool,
    ) -> Result<Var, Error> {
        let shape = Shape::for_op(op, value.shape())?;
        Ok(self.record(
            Op::Leaf,
            shape,
            Layout::RowMajor,
            requires_gradient,
            |_, out, _| match value.as_slice() {
                Some(values) => out.copy_from_slice(values),
                None => {
                    for (out, &value) in out.iter_mut().zip(value.iter()) {
                        *out = value;
                    }
                }
            },
        ))
    }

    fn bound_leaf(
        &mut self,
        op: &'static str,
        range: Range<usize>,
        shape: Shape,
        layout: Layout,
    ) -> Result<Var, Error> {
        let needed = storage_len(&shape, layout);
        if range.start > range.end || range.end > self.bound.len() || range.len() != needed {
            return Err(Error::ParameterRange {
                op,
                start: range.start,
                end: range.end,
                bound: self.bound.len(),
                shape,
                needed,
            });
        }
        Ok(self.push(Node {
            op: Op::Leaf,
            shape,
            layout,
            storage: Storage::Bound(range),
            requires_gradient: true,
            consumers: 0,
            support: None,
        }))
    }
}

fn zero_padding<T: Float>(rows: usize, cols: usize, storage: &mut [T]) {
    let used = cols % LANES;
    if used != 0 {
        let last = (cols / LANES) * rows * LANES;
        for row in storage[last..].chunks_exact_mut(LANES) {
            row[used..].fill(T::ZERO);
        }
    }
}
