//! The three products of a linear layer on panel layouts.
//!
//! A layer computes `y = act(x · W + b)` with `x: [rows, inputs]`,
//! `W: [inputs, outputs]`, `b: [outputs]`; all matrices are in the layout of
//! [`crate::panels`]. With `dy = ∂L/∂(x·W + b)`:
//!
//! * ∂L/∂W = xᵀ · dy, ∂L/∂b = Σ_rows dy ([`weight_gradient`]);
//! * ∂L/∂x = dy · Wᵀ, and through the activation that made x,
//!   ∂L/∂(pre-activation of x) = (dy · Wᵀ) ⊙ act'(x) ([`input_gradient`]).
//!
//! The functions are single-threaded and work on one block of batch rows; the
//! caller owns threads and scratch. Each element of a result is one chain of
//! multiply-adds in ascending contraction index starting from +0 (of
//! [`input_gradient`], the sum of such chains over each of the
//! [`eighths`](crate::eighths) of the outputs), so that the bits do not depend on
//! how rows or panels are grouped.

use std::ops::Range;

use crate::adam::{AdamStep, Parameters};
use crate::eighths::{PartialSums, panels_of};
use crate::isa::Available;
use crate::panels::{LANES, Panels, Support};
use crate::{Activation, Float};

pub(crate) mod forward;
pub(crate) mod input_gradient;
#[doc(hidden)]
pub mod reference;
pub(crate) mod weight_gradient;

use forward::Forward;
use input_gradient::{Completion, Contraction, InputGradient, transposed_dx, transposed_dy};
use weight_gradient::{Target, WeightGradient};

/// The shape of one layer applied to one block of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinearShape {
    /// Batch rows of the block.
    pub rows: usize,
    /// Inputs of the layer.
    pub inputs: usize,
    /// Outputs of the layer.
    pub outputs: usize,
}

impl LinearShape {
    /// Layout of x: `[rows, inputs]`.
    pub const fn x(self) -> Panels {
        Panels::new(self.rows, self.inputs)
    }

    /// Layout of the weight: `[inputs, outputs]`.
    pub const fn weight(self) -> Panels {
        Panels::new(self.inputs, self.outputs)
    }

    /// Layout of y: `[rows, outputs]`.
    pub const fn y(self) -> Panels {
        Panels::new(self.rows, self.outputs)
    }
}

/// Scratch of [`input_gradient`], grown to the largest shape seen.
#[derive(Clone, Debug, Default)]
pub struct LinearScratch<T> {
    buffer: Vec<T>,
}

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

impl<T: Float> LinearScratch<T> {
    /// Empty scratch.
    pub fn new() -> Self {
        Self { buffer: Vec::new() }
    }

    /// Grows the scratch to what `shape` needs, so that no later call allocates.
    pub fn reserve(&mut self, shape: LinearShape) {
        let needed = transposed_dy(shape).len() + CACHE_LINE / size_of::<T>();
        if self.buffer.len() < needed {
            self.buffer.resize(needed, T::ZERO);
        }
    }

    /// Room for the transpose of the shape's dy, from a cache line's start on,
    /// so that no load of sixteen f32 touches two.
    fn transposed_dy(&mut self, shape: LinearShape) -> &mut [T] {
        self.reserve(shape);
        let start = self.buffer.as_ptr().align_offset(CACHE_LINE);
        &mut self.buffer[start..][..transposed_dy(shape).len()]
    }
}

/// One block of batch rows of a weight gradient.
#[derive(Clone, Copy, Debug)]
pub struct RowBlock<'a, T> {
    /// Batch rows of the block.
    pub rows: usize,
    /// The layer's input, panels `[rows, inputs]`.
    pub x: &'a [T],
    /// Gradient of the loss by the layer's pre-activation, panels `[rows, outputs]`.
    pub dy: &'a [T],
    /// Where x is not zero, if that has been found: zeros are then left out,
    /// which changes no bit of the result.
    pub support: Option<&'a Support>,
}

/// `y = act(x · W + b)`.
///
/// `x` is `[rows, inputs]`, `weight` `[inputs, outputs]` and `y`
/// `[rows, outputs]`, all in panels; `bias` is padded to whole panels with
/// zeros. The padding of `y` becomes zero; `y` is never read.
///
/// # Panics
/// If a slice has another length than the shape needs.
///
/// ```
/// use tensor_ops::Activation;
/// use tensor_ops::linear::{LinearShape, forward};
///
/// let shape = LinearShape { rows: 1, inputs: 2, outputs: 1 };
/// let (mut x, mut weight) = (vec![0.0_f32; 16], vec![0.0; 32]);
/// shape.x().pack_row_major(&[1.0, 2.0], &mut x);
/// shape.weight().pack_row_major(&[3.0, -4.0], &mut weight);
/// let mut y = vec![f32::NAN; 16];
/// forward(shape, &x, &weight, &[0.0; 16], Activation::Identity, &mut y);
/// assert_eq!(y[0], -5.0);
/// ```
pub fn forward<T: Float>(
    shape: LinearShape,
    x: &[T],
    weight: &[T],
    bias: &[T],
    activation: Activation,
    y: &mut [T],
) {
    check_forward("linear::forward", shape, x, weight, bias, y);
    let support = None;
    T::forward(
        Available::current(),
        Forward {
            shape,
            x,
            support,
            weight,
            bias,
            activation,
            y,
        },
    );
}

/// [`forward`] that leaves out the zeros of `x`; the same bits for finite
/// weights.
///
/// # Panics
/// If a slice has another length than the shape needs, or `support` was not
/// scanned from a block of this shape.
pub fn forward_sparse<T: Float>(
    shape: LinearShape,
    x: &[T],
    support: &Support,
    weight: &[T],
    bias: &[T],
    activation: Activation,
    y: &mut [T],
) {
    check_forward("linear::forward_sparse", shape, x, weight, bias, y);
    let isa = Available::current();
    check_support::<T>("linear::forward_sparse", isa, shape.x(), support);
    let support = Some(support);
    T::forward(
        isa,
        Forward {
            shape,
            x,
            support,
            weight,
            bias,
            activation,
            y,
        },
    );
}

/// `dx = (dy · Wᵀ) ⊙ act'(h)`.
///
/// `dy` is `[rows, outputs]`, `weight` `[inputs, outputs]`; `h` is the saved
/// *output* `[rows, inputs]` of the `activation` that produced this layer's
/// input, and `dx`, of the same shape, becomes the gradient by that
/// activation's argument. The padding of `dx` becomes zero; `dx` is never read.
///
/// Each element of `dy · Wᵀ` is a sum in the order of [`crate::eighths`].
///
/// # Panics
/// If a slice has another length than the shape needs.
pub fn input_gradient<T: Float>(
    shape: LinearShape,
    dy: &[T],
    weight: &[T],
    h: &[T],
    activation: Activation,
    dx: &mut [T],
    scratch: &mut LinearScratch<T>,
) {
    assert!(
        dy.len() == shape.y().len()
            && weight.len() == shape.weight().len()
            && h.len() == shape.x().len()
            && dx.len() == shape.x().len(),
        "linear::input_gradient: dy {}, weight {}, h {}, dx {} elements do not fit {shape:?}",
        dy.len(),
        weight.len(),
        h.len(),
        dx.len()
    );
    run_input_gradient(
        Available::current(),
        shape,
        (dy, weight, h),
        activation,
        dx,
        scratch,
    );
}

fn run_input_gradient<T: Float>(
    isa: Available,
    shape: LinearShape,
    (dy, weight, h): (&[T], &[T], &[T]),
    activation: Activation,
    dx: &mut [T],
    scratch: &mut LinearScratch<T>,
) {
    T::input_gradient(
        isa,
        InputGradient {
            shape,
            dy,
            weight,
            h,
            activation,
            dx,
            transposed_dy: scratch.transposed_dy(shape),
        },
    );
}

/// The part of [`input_gradient`]'s contraction over one of the
/// [`branches`](crate::eighths::branches) of the outputs;
/// [`complete_input_gradient`] makes dx of those of all outputs.
///
/// `dy` and `weight` hold the panels of that branch alone. `partial`, of
/// `input_gradient_partial_len(shape)` elements in an order that only
/// [`complete_input_gradient`] knows, is never read.
///
/// # Panics
/// If a slice has another length than the shape needs, or the branch has no
/// panels.
pub fn input_gradient_branch<T: Float>(
    shape: LinearShape,
    branch: &Range<usize>,
    dy: &[T],
    weight: &[T],
    partial: &mut [T],
    scratch: &mut LinearScratch<T>,
) {
    let own = branch_shape(shape, branch);
    assert!(
        own.outputs > 0
            && dy.len() == own.y().len()
            && weight.len() == own.weight().len()
            && partial.len() == input_gradient_partial_len(shape),
        "linear::input_gradient_branch: dy {}, weight {}, partial {} elements do not fit eighths \
         {branch:?} of {shape:?}",
        dy.len(),
        weight.len(),
        partial.len()
    );
    T::contraction(
        Available::current(),
        Contraction {
            shape,
            branch: branch.clone(),
            dy,
            weight,
            partial,
            transposed_dy: scratch.transposed_dy(own),
        },
    );
}

/// Elements of a partial of [`input_gradient_branch`].
pub const fn input_gradient_partial_len(shape: LinearShape) -> usize {
    transposed_dx(shape).len()
}

/// dx of [`input_gradient`], for the input panels `panels` alone, from what
/// [`input_gradient_branch`] made of all outputs.
///
/// `h` and `dx` hold just those panels. The bits are those of
/// [`input_gradient`].
///
/// # Panics
/// If a slice has another length than the shape needs, or `panels` reaches
/// beyond the inputs'.
pub fn complete_input_gradient<T: Float>(
    shape: LinearShape,
    panels: Range<usize>,
    partials: PartialSums<'_, T>,
    h: &[T],
    activation: Activation,
    dx: &mut [T],
) {
    let len = panels.len() * shape.x().panel_len();
    assert!(
        panels.end <= shape.x().panel_count()
            && partials.have_len(input_gradient_partial_len(shape))
            && h.len() == len
            && dx.len() == len,
        "linear::complete_input_gradient: partials {partials:?}, h {}, dx {} elements do not fit \
         input panels {panels:?} of {shape:?}",
        h.len(),
        dx.len()
    );
    T::completion(
        Available::current(),
        Completion {
            shape,
            panels,
            partials,
            h,
            activation,
            dx,
        },
    );
}

/// The layer of some consecutive eighths of `shape`'s outputs.
pub(crate) fn branch_shape(shape: LinearShape, branch: &Range<usize>) -> LinearShape {
    let panels = panels_of(shape.outputs, branch);
    LinearShape {
        outputs: shape
            .outputs
            .min(panels.end * LANES)
            .saturating_sub(panels.start * LANES),
        ..shape
    }
}

/// `dw = scale · Σ_blocks xᵀ · dy` and `db = scale · Σ_blocks Σ_rows dy`, for
/// the output panels `panels` alone.
///
/// The contraction runs over the rows of all blocks in order, as if they were
/// one. `dw` holds `panels.len()` panels of `inputs` lines and `db`
/// `panels.len() · 16` lanes: contiguous parts of the whole gradient's
/// buffers. Neither is ever read.
///
/// # Panics
/// If a slice has another length than the shapes need, or `panels` reaches
/// beyond the layer's.
pub fn weight_gradient<T: Float>(
    inputs: usize,
    outputs: usize,
    panels: Range<usize>,
    blocks: &[RowBlock<'_, T>],
    scale: T,
    dw: &mut [T],
    db: &mut [T],
) {
    let isa = check_weight_gradient(
        "linear::weight_gradient",
        Panels::new(inputs, outputs),
        &panels,
        blocks,
        [dw.len(), dw.len(), dw.len()],
        [db.len(), db.len(), db.len()],
    );
    let target = Target::Store { dw, db };
    T::weight_gradient(
        isa,
        WeightGradient {
            inputs,
            panels,
            blocks,
            scale,
            target,
        },
    );
}

/// [`weight_gradient`] and [`crate::adam::update`] in one pass, for the output
/// panels `panels` alone.
///
/// `weight` and `bias` are the parts of those panels, as `dw` and `db` are.
/// The gradient of a tile goes from registers into the update and never to
/// memory, and the products of one tile hide the memory accesses of another's
/// update. The bits are those of the two functions one after the other.
///
/// # Panics
/// If a slice has another length than the shapes need, or `panels` reaches
/// beyond the layer's.
#[allow(clippy::too_many_arguments)] // those of the gradient and of the update
pub fn weight_gradient_adam<T: Float>(
    inputs: usize,
    outputs: usize,
    panels: Range<usize>,
    blocks: &[RowBlock<'_, T>],
    scale: T,
    weight: Parameters<'_, T>,
    bias: Parameters<'_, T>,
    step: &AdamStep<T>,
) {
    let lengths = |of: &Parameters<'_, T>| [of.values.len(), of.m.len(), of.v.len()];
    let isa = check_weight_gradient(
        "linear::weight_gradient_adam",
        Panels::new(inputs, outputs),
        &panels,
        blocks,
        lengths(&weight),
        lengths(&bias),
    );
    let target = Target::Adam {
        weight,
        bias,
        step: *step,
    };
    T::weight_gradient(
        isa,
        WeightGradient {
            inputs,
            panels,
            blocks,
            scale,
            target,
        },
    );
}

fn check_weight_gradient<T: Float>(
    operation: &str,
    whole: Panels,
    panels: &Range<usize>,
    blocks: &[RowBlock<'_, T>],
    weight: [usize; 3],
    bias: [usize; 3],
) -> Available {
    assert!(
        panels.start <= panels.end && panels.end <= whole.panel_count(),
        "{operation}: panels {panels:?} of a weight {whole:?} that has {}",
        whole.panel_count()
    );
    assert!(
        weight == [panels.len() * whole.panel_len(); 3] && bias == [panels.len() * LANES; 3],
        "{operation}: weight {weight:?} and bias {bias:?} elements for panels {panels:?} of {whole:?}",
    );
    let isa = Available::current();
    for block in blocks {
        let shape = LinearShape {
            rows: block.rows,
            inputs: whole.rows,
            outputs: whole.cols,
        };
        assert!(
            block.x.len() == shape.x().len() && block.dy.len() == shape.y().len(),
            "{operation}: x {} and dy {} elements do not fit {shape:?}",
            block.x.len(),
            block.dy.len()
        );
        if let Some(support) = block.support {
            check_support::<T>(operation, isa, shape.x(), support);
        }
    }
    isa
}

fn check_forward<T>(
    operation: &str,
    shape: LinearShape,
    x: &[T],
    weight: &[T],
    bias: &[T],
    y: &[T],
) {
    assert!(
        x.len() == shape.x().len()
            && weight.len() == shape.weight().len()
            && bias.len() == shape.y().padded_cols()
            && y.len() == shape.y().len(),
        "{operation}: x {}, weight {}, bias {}, y {} elements do not fit {shape:?}",
        x.len(),
        weight.len(),
        bias.len(),
        y.len()
    );
}

fn check_support<T: Float>(operation: &str, isa: Available, expected: Panels, support: &Support) {
    assert!(
        support.fits::<T>(isa, expected),
        "{operation}: the support was scanned from {:?}, but x is {} {expected:?}",
        support.shape(),
        T::NAME
    );
}

#[cfg(test)]
mod tests;
