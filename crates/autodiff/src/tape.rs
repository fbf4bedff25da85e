//! The tape: nodes in recording order, and the storage of their values.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{ArrayView, ArrayViewD, IxDyn};
use tensor_ops::Float;
use tensor_ops::panels::{LANES, Panels};

use crate::backward::GradientStatus;
use crate::buffer::Buffer;
use crate::error::Error;
use crate::ops::{Op, Operands, Scratch};
use crate::shape::Shape;

/// How the values of a node are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Last axis fastest.
    RowMajor,
    /// Column panels of a matrix, see [`tensor_ops::panels`]: the storage is
    /// `[ceil(cols / 16), rows, 16]`, with zeros in the lanes past the last column.
    Panels,
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::RowMajor => "row-major",
            Self::Panels => "in panels",
        })
    }
}

/// A value recorded on a [`Tape`]. Valid until the tape is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var {
    pub(crate) index: u32,
    recording: u64,
}

/// Where a node's values are.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    /// In the tape's buffer of the same index.
    Own,
    /// In the bound parameter slice.
    Bound(Range<usize>),
    /// In the storage of an earlier node (which is never itself shared).
    Shared(u32),
}

#[derive(Debug)]
pub(crate) struct Node<T> {
    pub(crate) op: Op<T>,
    pub(crate) shape: Shape,
    pub(crate) layout: Layout,
    pub(crate) storage: Storage,
    pub(crate) requires_gradient: bool,
    /// How many recorded operations read the node.
    pub(crate) consumers: u32,
    /// Index of the support scanned for a sparse constant.
    pub(crate) support: Option<u32>,
}

/// A recording of a computation, in the order it was made, and its
/// differentiation in reverse.
///
/// Operations are methods that compute their value at once and return a [`Var`].
/// [`reset`](Self::reset) forgets the recording and keeps all memory: recording
/// the same program again allocates nothing.
///
/// `'p` is the lifetime of the flat parameter slice that
/// [`bound_parameter`](Self::bound_parameter) and
/// [`bound_panels`](Self::bound_panels) read without copying; a tape without
/// one is a `Tape<'static, T>`.
pub struct Tape<'p, T: Float> {
    pub(crate) nodes: Vec<Node<T>>,
    /// Operand lists of the operations with any number of operands.
    pub(crate) operand_lists: Vec<u32>,
    pub(crate) values: Vec<Buffer<T>>,
    pub(crate) gradients: Vec<Buffer<T>>,
    pub(crate) gradient_states: Vec<GradientStatus>,
    pub(crate) scratch: Scratch<T>,
    pub(crate) bound: &'p [T],
    recording: u64,
    pub(crate) differentiated: bool,
}

impl<T: Float> Default for Tape<'_, T> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            operand_lists: Vec::new(),
            values: Vec::new(),
            gradients: Vec::new(),
            gradient_states: Vec::new(),
            scratch: Scratch::default(),
            bound: &[],
            recording: next_recording(),
            differentiated: false,
        }
    }
}

impl<T: Float> fmt::Debug for Tape<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tape")
            .field("nodes", &self.nodes)
            .field("bound", &self.bound.len())
            .finish_non_exhaustive()
    }
}

/// No two recordings of a process share a number, so that a variable kept past
/// a reset, or used on another tape, is noticed.
fn next_recording() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<'p, T: Float> Tape<'p, T> {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the recording and keeps the memory. Every [`Var`] of it becomes invalid.
    pub fn reset(&mut self) {
        self.nodes.clear();
        self.operand_lists.clear();
        self.scratch.supports_used = 0;
        self.recording = next_recording();
        self.differentiated = false;
    }

    /// Resets the tape and binds a flat slice of parameters to it, which
    /// [`bound_parameter`](Self::bound_parameter) and
    /// [`bound_panels`](Self::bound_panels) then read in place.
    #[must_use]
    pub fn bind<'q>(mut self, parameters: &'q [T]) -> Tape<'q, T> {
        self.reset();
        self.with_bound(parameters)
    }

    /// Lets go of the bound slice, keeping values and gradients of the recording
    /// but not the values of the bound parameters (they read as empty slices).
    ///
    /// So a tape outlives the borrow of its parameters between two steps.
    #[must_use]
    pub fn unbind(self) -> Tape<'static, T> {
        self.with_bound(&[])
    }

    fn with_bound<'q>(self, bound: &'q [T]) -> Tape<'q, T> {
        Tape {
            nodes: self.nodes,
            operand_lists: self.operand_lists,
            values: self.values,
            gradients: self.gradients,
            gradient_states: self.gradient_states,
            scratch: self.scratch,
            bound,
            recording: self.recording,
            differentiated: self.differentiated,
        }
    }

    /// Number of nodes recorded, saved intermediate values included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn is_unbound(&self) -> bool {
        self.nodes.iter().any(
            |node| matches!(&node.storage, Storage::Bound(range) if range.end > self.bound.len()),
        )
    }

    /// Whether nothing is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The shape of a value: of the matrix itself if it is stored in panels.
    ///
    /// # Errors
    /// [`Error::StaleVariable`].
    pub fn shape(&self, variable: Var) -> Result<Shape, Error> {
        Ok(self.recorded("shape", variable)?.shape)
    }

    /// How a value is stored.
    ///
    /// # Errors
    /// [`Error::StaleVariable`].
    pub fn layout(&self, variable: Var) -> Result<Layout, Error> {
        Ok(self.recorded("layout", variable)?.layout)
    }

    /// A value. One stored in panels is seen as its storage
    /// `[ceil(cols / 16), rows, 16]`.
    ///
    /// # Errors
    /// [`Error::StaleVariable`], also for a bound parameter after
    /// [`unbind`](Self::unbind).
    pub fn value(&self, variable: Var) -> Result<ArrayViewD<'_, T>, Error> {
        self.node("value", variable)?;
        Ok(self.view(variable.index, self.values().get(variable.index)))
    }

    /// A value of one element as a number.
    ///
    /// # Errors
    /// [`Error::StaleVariable`]; [`Error::NotScalar`].
    pub fn item(&self, variable: Var) -> Result<T, Error> {
        let shape = self.node("item", variable)?.shape;
        if shape.len() != 1 {
            return Err(Error::NotScalar { shape });
        }
        Ok(self.values().get(variable.index)[0])
    }

    /// A value as a flat slice in its layout.
    ///
    /// # Errors
    /// [`Error::StaleVariable`].
    pub fn slice_of(&self, variable: Var) -> Result<&[T], Error> {
        self.node("slice_of", variable)?;
        Ok(self.values().get(variable.index))
    }

    /// The gradient of a parameter after [`backward`](Self::backward), in the
    /// layout and shape of its value; zero where the output does not depend on it.
    ///
    /// # Errors
    /// [`Error::StaleVariable`]; [`Error::NoGradient`] before `backward`, and of
    /// anything that is not a parameter.
    pub fn gradient(&self, parameter: Var) -> Result<ArrayViewD<'_, T>, Error> {
        let node = self.recorded("gradient", parameter)?;
        if !self.differentiated {
            return Err(Error::NoGradient {
                reason: "backward has not run on this recording",
            });
        }
        if !matches!(node.op, Op::Leaf) || !node.requires_gradient {
            return Err(Error::NoGradient {
                reason: "the variable is not a parameter",
            });
        }
        if self.gradient_states[parameter.index as usize].is_deferred {
            return Err(Error::NoGradient {
                reason: "backward_to_activations leaves the gradients of panel layers to the caller",
            });
        }
        let gradient = self.gradients[parameter.index as usize].as_slice();
        Ok(self.view(parameter.index, gradient))
    }

    fn view<'a>(&self, index: u32, values: &'a [T]) -> ArrayViewD<'a, T> {
        let node = &self.nodes[index as usize];
        let extents = node.shape.extents();
        let view = match node.layout {
            Layout::RowMajor => ArrayView::from_shape(IxDyn(extents), values),
            Layout::Panels => ArrayView::from_shape(
                IxDyn(&[extents[1].div_ceil(LANES), extents[0], LANES]),
                values,
            ),
        };
        view.expect("a node stores as many values as its shape and layout ask for")
    }

    /// Appends a node whose value `compute(earlier values, out, scratch)` writes;
    /// `out` holds unspecified values before.
    pub(crate) fn record(
        &mut self,
        op: Op<T>,
        shape: Shape,
        layout: Layout,
        requires_gradient: bool,
        compute: impl FnOnce(&Values<'_, T>, &mut [T], &mut Scratch<T>),
    ) -> Var {
        let index = self.nodes.len();
        while self.values.len() <= index {
            self.values.push(Buffer::default());
        }
        let (earlier, rest) = self.values.split_at_mut(index);
        let out = rest[0].prepare(storage_len(&shape, layout));
        let values = Values {
            nodes: &self.nodes,
            buffers: earlier,
            bound: self.bound,
        };
        compute(&values, out, &mut self.scratch);
        self.push(Node {
            op,
            shape,
            layout,
            storage: Storage::Own,
            requires_gradient,
            consumers: 0,
            support: None,
        })
    }

    /// Appends an operation on `operands`; it needs a gradient if one of them does.
    pub(crate) fn record_op(
        &mut self,
        op: Op<T>,
        shape: Shape,
        layout: Layout,
        compute: impl FnOnce(&Values<'_, T>, &mut [T], &mut Scratch<T>),
    ) -> Var {
        let requires_gradient = self.count_consumer(&op);
        self.record(op, shape, layout, requires_gradient, compute)
    }

    /// Appends a node that shows the storage of `source` in another shape.
    pub(crate) fn record_shared(&mut self, source: u32, shape: Shape) -> Var {
        let root = self.values().root(source);
        let node = &self.nodes[root as usize];
        let (layout, requires_gradient) = (node.layout, node.requires_gradient);
        self.push(Node {
            op: Op::Shared,
            shape,
            layout,
            storage: Storage::Shared(root),
            requires_gradient,
            consumers: 0,
            support: None,
        })
    }

    fn count_consumer(&mut self, op: &Op<T>) -> bool {
        let mut requires_gradient = false;
        let Operands { fixed, list } = op.operands();
        let listed = list.map(|range| self.operand_lists[range].iter().copied());
        for operand in fixed
            .into_iter()
            .flatten()
            .chain(listed.into_iter().flatten())
        {
            let root = match self.nodes[operand as usize].storage {
                Storage::Shared(root) => root,
                Storage::Own | Storage::Bound(_) => operand,
            };
            let node = &mut self.nodes[root as usize];
            node.consumers += 1;
            requires_gradient |= node.requires_gradient;
        }
        requires_gradient
    }

    pub(crate) fn push(&mut self, node: Node<T>) -> Var {
        let index = u32::try_from(self.nodes.len()).expect("a tape holds fewer than 2³² nodes");
        self.nodes.push(node);
        // Nodes without storage of their own still take a place, so that a
        // node's buffers have its index.
        if self.values.len() < self.nodes.len() {
            self.values.push(Buffer::default());
        }
        self.differentiated = false;
        Var {
            index,
            recording: self.recording,
        }
    }

    pub(crate) fn values(&self) -> Values<'_, T> {
        Values {
            nodes: &self.nodes,
            buffers: &self.values,
            bound: self.bound,
        }
    }

    fn recorded(&self, op: &'static str, variable: Var) -> Result<&Node<T>, Error> {
        if variable.recording != self.recording {
            return Err(Error::StaleVariable { op });
        }
        Ok(&self.nodes[variable.index as usize])
    }

    /// A node whose value can be read.
    fn node(&self, op: &'static str, variable: Var) -> Result<&Node<T>, Error> {
        let node = self.recorded(op, variable)?;
        let root = self.values().root(variable.index);
        match &self.nodes[root as usize].storage {
            Storage::Bound(range) if range.end > self.bound.len() => {
                Err(Error::StaleVariable { op })
            }
            _ => Ok(node),
        }
    }

    /// The shape of an operand that must be row-major.
    pub(crate) fn row_major(&self, op: &'static str, variable: Var) -> Result<Shape, Error> {
        self.in_layout(op, variable, Layout::RowMajor)
    }

    /// Rows and columns of an operand that must be a row-major matrix.
    pub(crate) fn matrix(
        &self,
        op: &'static str,
        variable: Var,
    ) -> Result<(usize, usize, Shape), Error> {
        let shape = self.row_major(op, variable)?;
        match *shape.extents() {
            [rows, cols] => Ok((rows, cols, shape)),
            _ => Err(Error::AxisCount {
                op,
                shape,
                expected: 2,
            }),
        }
    }

    /// Rows and columns of an operand that must be in panels.
    pub(crate) fn panels(
        &self,
        op: &'static str,
        variable: Var,
    ) -> Result<(usize, usize, Shape), Error> {
        let shape = self.in_layout(op, variable, Layout::Panels)?;
        Ok((shape.extents()[0], shape.extents()[1], shape))
    }

    fn in_layout(&self, op: &'static str, variable: Var, expected: Layout) -> Result<Shape, Error> {
        let node = self.node(op, variable)?;
        if node.layout != expected {
            return Err(Error::LayoutMismatch {
                op,
                shape: node.shape,
                found: node.layout,
                expected,
            });
        }
        Ok(node.shape)
    }
}

/// Read access to the values of nodes.
pub(crate) struct Values<'a, T> {
    pub(crate) nodes: &'a [Node<T>],
    pub(crate) buffers: &'a [Buffer<T>],
    pub(crate) bound: &'a [T],
}

impl<'a, T: Float> Values<'a, T> {
    pub(crate) fn get(&self, index: u32) -> &'a [T] {
        let root = self.root(index);
        match &self.nodes[root as usize].storage {
            Storage::Bound(range) => &self.bound[range.clone()],
            Storage::Own | Storage::Shared(_) => self.buffers[root as usize].as_slice(),
        }
    }

    pub(crate) fn shape(&self, index: u32) -> &'a Shape {
        &self.nodes[index as usize].shape
    }

    /// The node that owns the storage of `index`.
    pub(crate) fn root(&self, index: u32) -> u32 {
        match self.nodes[index as usize].storage {
            Storage::Shared(root) => root,
            Storage::Own | Storage::Bound(_) => index,
        }
    }
}

/// Number of values stored for a shape in a layout.
pub(crate) fn storage_len(shape: &Shape, layout: Layout) -> usize {
    match layout {
        Layout::RowMajor => shape.len(),
        Layout::Panels => Panels::new(shape.extents()[0], shape.extents()[1]).len(),
    }
}
