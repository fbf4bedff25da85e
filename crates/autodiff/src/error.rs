//! What can go wrong while recording or differentiating.

use crate::shape::Shape;
use crate::tape::Layout;

/// A mistake in the program being recorded. Every message names the operation
/// and the shapes involved, so that it is useful without a backtrace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two operands do not fit together.
    #[error("{op}: shapes {lhs} and {rhs} do not fit: {expected}")]
    ShapeMismatch {
        /// Operation.
        op: &'static str,
        /// Shape of the first operand.
        lhs: Shape,
        /// Shape of the second operand, or the shape asked for.
        rhs: Shape,
        /// What the operation expects of the pair.
        expected: &'static str,
    },
    /// An operand has the wrong number of axes.
    #[error("{op}: shape {shape} has {found} axes, expected {expected}", found = shape.axes())]
    AxisCount {
        /// Operation.
        op: &'static str,
        /// Shape of the operand.
        shape: Shape,
        /// Number of axes expected.
        expected: usize,
    },
    /// More axes than a [`Shape`] holds.
    #[error(
        "{op}: {axes} axes asked for, at most {} are supported",
        crate::shape::MAX_AXES
    )]
    TooManyAxes {
        /// Operation.
        op: &'static str,
        /// Number of axes asked for.
        axes: usize,
    },
    /// An axis that the operand does not have, or one named twice.
    #[error("{op}: axis {axis} of shape {shape} does not exist or is named twice")]
    Axis {
        /// Operation.
        op: &'static str,
        /// The axis.
        axis: usize,
        /// Shape of the operand.
        shape: Shape,
    },
    /// A range that leaves its axis.
    #[error("{op}: range {start}..{end} leaves axis {axis} of shape {shape}")]
    Range {
        /// Operation.
        op: &'static str,
        /// First index.
        start: usize,
        /// One past the last index.
        end: usize,
        /// The axis cut.
        axis: usize,
        /// Shape of the operand.
        shape: Shape,
    },
    /// A mean over no element, which has no value.
    #[error("{op}: the axes reduced in shape {shape} hold no element")]
    EmptyMean {
        /// Operation.
        op: &'static str,
        /// Shape of the operand.
        shape: Shape,
    },
    /// A concatenation of no operand.
    #[error("{op}: no operand given, at least one is expected")]
    NoOperands {
        /// Operation.
        op: &'static str,
    },
    /// An operand is stored in the other layout.
    #[error(
        "{op}: the operand of shape {shape} is stored {found}, expected {expected}; \
         convert it with to_panels or from_panels"
    )]
    LayoutMismatch {
        /// Operation.
        op: &'static str,
        /// Shape of the operand.
        shape: Shape,
        /// Layout it has.
        found: Layout,
        /// Layout the operation reads.
        expected: Layout,
    },
    /// A variable of another tape, or of a recording that was reset.
    #[error("{op}: the variable belongs to another tape or to a recording before the last reset")]
    StaleVariable {
        /// Operation.
        op: &'static str,
    },
    /// A parameter range that does not fit the bound slice or its shape.
    #[error(
        "{op}: range {start}..{end} of the bound parameters ({bound} values) cannot hold \
         shape {shape}, which needs {needed} values"
    )]
    ParameterRange {
        /// Operation.
        op: &'static str,
        /// First index.
        start: usize,
        /// One past the last index.
        end: usize,
        /// Length of the bound parameter slice.
        bound: usize,
        /// Shape of the parameter.
        shape: Shape,
        /// Values the shape needs in its layout.
        needed: usize,
    },
    /// A flat gradient buffer or a panel range whose size does not fit.
    #[error("{op}: found a buffer of {found} values, expected {expected}")]
    BufferLength {
        /// Operation.
        op: &'static str,
        /// Length found.
        found: usize,
        /// Length expected.
        expected: usize,
    },
    /// The output to differentiate is not a single number.
    #[error("backward: the output has shape {shape}, expected a single value")]
    NotScalar {
        /// Shape of the output.
        shape: Shape,
    },
    /// A gradient that does not exist.
    #[error("gradient: {reason}")]
    NoGradient {
        /// Why there is none.
        reason: &'static str,
    },
}
