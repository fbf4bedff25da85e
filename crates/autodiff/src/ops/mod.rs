//! The operations: one file per family, each with its value and its gradient.

pub(crate) mod arithmetic;
pub(crate) mod elementwise;
pub(crate) mod linear;
pub(crate) mod loss;
pub(crate) mod matmul;
pub(crate) mod panels;
pub(crate) mod reduction;
pub(crate) mod structure;

use std::ops::Range;

use tensor_ops::gemm::GemmScratch;
use tensor_ops::linear::LinearScratch;
use tensor_ops::panels::Support;
use tensor_ops::{Activation, Float};

use crate::shape::AxisMask;
use arithmetic::Binary;
use elementwise::Unary;
use matmul::Form;

/// What a node computes, with the indices of its operands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op<T> {
    /// A constant or a parameter.
    Leaf,
    /// The storage of another node in another shape.
    Shared,
    /// A value kept for the gradient of the node that follows.
    Saved,
    Unary {
        input: u32,
        function: Unary<T>,
    },
    /// The value of its input, whose gradient stops here.
    StopGradient,
    Binary {
        lhs: u32,
        rhs: u32,
        function: Binary,
    },
    BroadcastTo {
        input: u32,
    },
    Sum {
        input: u32,
        axes: AxisMask,
        scale: T,
    },
    LogSumExp {
        input: u32,
        axis: usize,
    },
    Slice {
        input: u32,
        axis: usize,
        start: usize,
    },
    Concatenate {
        operands: (usize, usize),
        axis: usize,
    },
    MatMul {
        lhs: u32,
        rhs: u32,
        form: Form,
    },
    Linear {
        input: u32,
        weight: u32,
        bias: u32,
        activation: Activation,
    },
    LinearPanels {
        input: u32,
        weight: u32,
        bias: u32,
        activation: Activation,
    },
    ToPanels {
        input: u32,
    },
    FromPanels {
        input: u32,
    },
    /// Row sums of the Bernoulli loss; the node before it holds σ(logits) − targets.
    BceWithLogitsRows {
        logits: u32,
        targets: u32,
    },
}

/// Operands of an operation: up to three, or a range of the tape's lists.
pub(crate) struct Operands {
    pub(crate) fixed: [Option<u32>; 3],
    pub(crate) list: Option<Range<usize>>,
}

impl<T> Op<T> {
    pub(crate) fn operands(&self) -> Operands {
        let (fixed, list) = match *self {
            Self::Leaf | Self::Shared | Self::Saved | Self::StopGradient => ([None; 3], None),
            Self::Unary { input, .. }
            | Self::BroadcastTo { input }
            | Self::Sum { input, .. }
            | Self::LogSumExp { input, .. }
            | Self::Slice { input, .. }
            | Self::ToPanels { input }
            | Self::FromPanels { input } => ([Some(input), None, None], None),
            Self::Binary { lhs, rhs, .. } | Self::MatMul { lhs, rhs, .. } => {
                ([Some(lhs), Some(rhs), None], None)
            }
            Self::BceWithLogitsRows { logits, targets } => {
                ([Some(logits), Some(targets), None], None)
            }
            Self::Linear {
                input,
                weight,
                bias,
                ..
            }
            | Self::LinearPanels {
                input,
                weight,
                bias,
                ..
            } => ([Some(input), Some(weight), Some(bias)], None),
            Self::Concatenate { operands, .. } => ([None; 3], Some(operands.0..operands.1)),
        };
        Operands { fixed, list }
    }
}

/// Working memory of the kernels, kept across recordings.
pub(crate) struct Scratch<T> {
    pub(crate) gemm: GemmScratch<T>,
    pub(crate) linear: LinearScratch<T>,
    /// Weight and bias gradients of a panel layer on their way to a sum.
    pub(crate) weight: Vec<T>,
    pub(crate) bias: Vec<T>,
    /// An input gradient on its way to a sum.
    pub(crate) input: Vec<T>,
    /// Row losses until their own node takes them.
    pub(crate) rows: Vec<T>,
    /// Where the sparse constants are not zero, in recording order.
    pub(crate) supports: Vec<Support>,
    pub(crate) supports_used: usize,
}

impl<T: Float> Scratch<T> {
    /// Resizes without giving memory back; the content is unspecified.
    pub(crate) fn sized(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
        if buffer.len() < len {
            buffer.resize(len, T::ZERO);
        }
        &mut buffer[..len]
    }
}

impl<T: Float> Default for Scratch<T> {
    fn default() -> Self {
        Self {
            gemm: GemmScratch::default(),
            linear: LinearScratch::default(),
            weight: Vec::new(),
            bias: Vec::new(),
            input: Vec::new(),
            rows: Vec::new(),
            supports: Vec::new(),
            supports_used: 0,
        }
    }
}
