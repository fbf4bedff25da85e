//! The reverse walk.

use ndarray::{ArrayView, Dimension};
use tensor_ops::Float;
use tensor_ops::gemm::Output;

use crate::buffer::Buffer;
use crate::error::Error;
use crate::ops::linear::Layer;
use crate::ops::{Op, arithmetic, elementwise, linear, loss, matmul, panels, reduction, structure};
use crate::tape::{Node, Storage, Tape, Values, Var, storage_len};

/// What a node's gradient buffer holds during the walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GradientState {
    /// Nothing yet: the first contribution overwrites.
    #[default]
    Untouched,
    /// A sum of contributions ∂L/∂y.
    ByValue,
    /// Of a panel layer: ∂L by the argument of its activation.
    ByPreActivation,
}

/// State of a node's gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GradientStatus {
    pub(crate) state: GradientState,
    /// Of a parameter: contributions were left to the caller.
    pub(crate) is_deferred: bool,
}

/// Who contracts the weight gradients of panel layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LayerGradients {
    Compute,
    Defer,
}

impl<T: Float> Tape<'_, T> {
    /// Computes the gradients of `output`, a single number, by all parameters.
    ///
    /// # Errors
    /// [`Error::NotScalar`]; [`Error::NoGradient`] if no parameter reaches the
    /// output; [`Error::StaleVariable`].
    pub fn backward(&mut self, output: Var) -> Result<(), Error> {
        self.differentiate_scalar(output, LayerGradients::Compute)
    }

    /// [`backward`](Self::backward), except for the weight and bias gradients of
    /// [`linear_panels`](Self::linear_panels) layers whose weight and bias are
    /// bound parameters: those are left to the caller, to be contracted over all
    /// row blocks at once ([`BlockTapes`](crate::BlockTapes)).
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    pub fn backward_to_activations(&mut self, output: Var) -> Result<(), Error> {
        self.differentiate_scalar(output, LayerGradients::Defer)
    }

    /// Computes the gradients of Σ upstream ⊙ `output` by all parameters: the
    /// product of a vector with the Jacobian of a row-major `output`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the shapes differ; [`Error::LayoutMismatch`]
    /// for panels; as [`backward`](Self::backward).
    pub fn backward_with<D: Dimension>(
        &mut self,
        output: Var,
        upstream: ArrayView<'_, T, D>,
    ) -> Result<(), Error> {
        const OP: &str = "backward_with";
        let shape = self.row_major(OP, output)?;
        let given = crate::Shape::for_op(OP, upstream.shape())?;
        if shape != given {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: shape,
                rhs: given,
                expected: "upstream weights of the output's shape are expected",
            });
        }
        self.differentiate(output, LayerGradients::Compute, |seed| {
            for (seed, &weight) in seed.iter_mut().zip(upstream.iter()) {
                *seed = weight;
            }
        })
    }

    /// Adds the gradients of all bound parameters to `flat`, each at its range.
    ///
    /// # Errors
    /// [`Error::NoGradient`] before [`backward`](Self::backward) or after
    /// [`backward_to_activations`](Self::backward_to_activations);
    /// [`Error::BufferLength`] if `flat` is shorter than the bound ranges reach.
    pub fn add_bound_gradients(&self, flat: &mut [T]) -> Result<(), Error> {
        if !self.differentiated || self.gradient_states.iter().any(|status| status.is_deferred) {
            return Err(Error::NoGradient {
                reason: "backward has not run on this recording, or it deferred panel layers",
            });
        }
        let found = flat.len();
        for (node, gradient) in self.nodes.iter().zip(&self.gradients) {
            if let Storage::Bound(range) = &node.storage {
                let part = flat.get_mut(range.clone()).ok_or(Error::BufferLength {
                    op: "add_bound_gradients",
                    found,
                    expected: range.end,
                })?;
                for (sum, &g) in part.iter_mut().zip(gradient.as_slice()) {
                    *sum += g;
                }
            }
        }
        Ok(())
    }

    fn differentiate_scalar(&mut self, output: Var, layers: LayerGradients) -> Result<(), Error> {
        let shape = self.row_major("backward", output)?;
        if shape.len() != 1 {
            return Err(Error::NotScalar { shape });
        }
        self.differentiate(output, layers, |seed| seed[0] = T::ONE)
    }

    fn differentiate(
        &mut self,
        output: Var,
        layers: LayerGradients,
        seed: impl FnOnce(&mut [T]),
    ) -> Result<(), Error> {
        let output = self.values().root(output.index) as usize;
        if self.is_unbound() {
            return Err(Error::NoGradient {
                reason: "the bound parameters were let go before backward",
            });
        }
        if !self.nodes[output].requires_gradient {
            return Err(Error::NoGradient {
                reason: "the output does not depend on any parameter",
            });
        }
        self.gradient_states.clear();
        self.gradient_states
            .resize(self.nodes.len(), GradientStatus::default());
        if self.gradients.len() < self.nodes.len() {
            self.gradients
                .resize_with(self.nodes.len(), Buffer::default);
        }
        let node = &self.nodes[output];
        seed(self.gradients[output].prepare(storage_len(&node.shape, node.layout)));
        self.gradient_states[output].state = GradientState::ByValue;
        for index in (0..=output).rev() {
            if self.nodes[index].requires_gradient
                && self.gradient_states[index].state != GradientState::Untouched
            {
                self.propagate(index, layers);
            }
        }
        for ((node, status), gradient) in self
            .nodes
            .iter()
            .zip(&self.gradient_states)
            .zip(&mut self.gradients)
        {
            if matches!(node.op, Op::Leaf)
                && node.requires_gradient
                && status.state == GradientState::Untouched
                && !status.is_deferred
            {
                gradient
                    .prepare(storage_len(&node.shape, node.layout))
                    .fill(T::ZERO);
            }
        }
        self.differentiated = true;
        Ok(())
    }

    /// Hands the gradient of node `index` on to its operands.
    fn propagate(&mut self, index: usize, layers: LayerGradients) {
        let is_deferred = layers == LayerGradients::Defer && self.can_defer(index);
        let node = &self.nodes[index];
        let (earlier, own) = self.gradients.split_at_mut(index);
        let (earlier_states, own_state) = self.gradient_states.split_at_mut(index);
        let upstream = own[0].as_mut_slice();
        let values = Values {
            nodes: &self.nodes,
            buffers: &self.values,
            bound: self.bound,
        };
        let gradients = &mut Gradients {
            nodes: &self.nodes,
            buffers: earlier,
            states: earlier_states,
        };
        let scratch = &mut self.scratch;
        let output = index as u32;
        match node.op {
            Op::Leaf | Op::Shared | Op::Saved | Op::StopGradient => {}
            Op::Unary { input, function } => {
                elementwise::backward(input, function, output, upstream, &values, gradients);
            }
            Op::Binary { lhs, rhs, function } => arithmetic::backward(
                (lhs, rhs),
                function,
                &node.shape,
                upstream,
                &values,
                gradients,
            ),
            Op::BroadcastTo { input } => {
                structure::broadcast_backward(input, &node.shape, upstream, &values, gradients);
            }
            Op::Sum { input, axes, scale } => {
                reduction::sum_backward(input, axes, scale, upstream, &values, gradients);
            }
            Op::LogSumExp { input, axis } => {
                reduction::logsumexp_backward(input, axis, output, upstream, &values, gradients);
            }
            Op::Slice { input, axis, start } => structure::slice_backward(
                input,
                axis,
                start,
                &node.shape,
                upstream,
                &values,
                gradients,
            ),
            Op::Concatenate { operands, axis } => structure::concatenate_backward(
                &self.operand_lists[operands.0..operands.1],
                axis,
                &node.shape,
                upstream,
                &values,
                gradients,
            ),
            Op::MatMul { lhs, rhs, form } => matmul::backward(
                (lhs, rhs),
                form,
                upstream,
                &values,
                gradients,
                &mut scratch.gemm,
            ),
            Op::Linear {
                input,
                weight,
                bias,
                activation,
            } => {
                let layer = Layer {
                    input,
                    weight,
                    bias,
                    activation,
                    output,
                };
                linear::backward(layer, upstream, &values, gradients, scratch);
            }
            Op::LinearPanels {
                input,
                weight,
                bias,
                activation,
            } => {
                let layer = Layer {
                    input,
                    weight,
                    bias,
                    activation,
                    output,
                };
                panels::linear_backward(
                    layer,
                    &mut own_state[0].state,
                    is_deferred,
                    upstream,
                    &values,
                    gradients,
                    scratch,
                );
            }
            Op::ToPanels { input } => {
                panels::to_panels_backward(input, upstream, &values, gradients);
            }
            Op::FromPanels { input } => {
                panels::from_panels_backward(input, upstream, &values, gradients);
            }
            Op::BceWithLogitsRows { logits, targets } => {
                loss::bce_rows_backward((logits, targets), output, upstream, &values, gradients);
            }
        }
    }

    /// Whether the weight gradient of a panel layer can be left to the caller:
    /// weight and bias are bound, and no other layer pairs one of them differently.
    fn can_defer(&self, index: usize) -> bool {
        let Some((weight, bias)) = self.bound_layer(index) else {
            return false;
        };
        (0..self.nodes.len())
            .filter_map(|other| self.bound_layer(other))
            .all(|other| (other.0 == weight) == (other.1 == bias))
    }

    /// Ranges of weight and bias of a panel layer on bound parameters.
    pub(crate) fn bound_layer(
        &self,
        index: usize,
    ) -> Option<(&std::ops::Range<usize>, &std::ops::Range<usize>)> {
        let Op::LinearPanels { weight, bias, .. } = self.nodes[index].op else {
            return None;
        };
        let range = |operand: u32| match &self.nodes[operand as usize].storage {
            Storage::Bound(range) => Some(range),
            Storage::Own | Storage::Shared(_) => None,
        };
        Some((range(weight)?, range(bias)?))
    }
}

/// Write access to the gradients of the nodes before the current one.
pub(crate) struct Gradients<'a, T> {
    nodes: &'a [Node<T>],
    buffers: &'a mut [Buffer<T>],
    states: &'a mut [GradientStatus],
}

impl<T: Float> Gradients<'_, T> {
    /// Where contributions to the gradient of `operand` go; `None` if it needs none.
    pub(crate) fn target(&mut self, operand: u32) -> Option<Target<'_, T>> {
        let root = self.root(operand);
        let node = &self.nodes[root];
        if !node.requires_gradient {
            return None;
        }
        let state = &mut self.states[root].state;
        let is_fresh = *state == GradientState::Untouched;
        debug_assert!(
            *state != GradientState::ByPreActivation,
            "a gradient by a pre-activation takes no second contribution"
        );
        *state = GradientState::ByValue;
        let buffer = &mut self.buffers[root];
        let values = if is_fresh {
            buffer.prepare(storage_len(&node.shape, node.layout))
        } else {
            buffer.as_mut_slice()
        };
        Some(Target { values, is_fresh })
    }

    /// Notes that the gradient of `operand` is by its activation's argument already.
    pub(crate) fn mark_by_pre_activation(&mut self, operand: u32) {
        let root = self.root(operand);
        self.states[root].state = GradientState::ByPreActivation;
    }

    /// Notes that a contribution to a parameter's gradient is left to the caller.
    pub(crate) fn defer(&mut self, operand: u32) {
        let root = self.root(operand);
        self.states[root].is_deferred = true;
    }

    fn root(&self, operand: u32) -> usize {
        match self.nodes[operand as usize].storage {
            Storage::Shared(root) => root as usize,
            Storage::Own | Storage::Bound(_) => operand as usize,
        }
    }
}

/// A gradient that takes a contribution.
pub(crate) struct Target<'a, T> {
    pub(crate) values: &'a mut [T],
    /// Nothing is there yet, and `values` holds rubbish.
    pub(crate) is_fresh: bool,
}

impl<'a, T: Float> Target<'a, T> {
    /// Adds one contribution per element.
    pub(crate) fn add(self, contributions: impl Iterator<Item = T>) {
        let pairs = self.values.iter_mut().zip(contributions);
        if self.is_fresh {
            pairs.for_each(|(value, contribution)| *value = contribution);
        } else {
            pairs.for_each(|(value, contribution)| *value += contribution);
        }
    }

    /// The slice to add to, set to zero if nothing is there yet.
    pub(crate) fn zeroed(self) -> &'a mut [T] {
        if self.is_fresh {
            self.values.fill(T::ZERO);
        }
        self.values
    }

    /// The slice with the way a product must treat its content.
    pub(crate) fn for_product(self) -> (&'a mut [T], Output) {
        let output = if self.is_fresh {
            Output::Overwrite
        } else {
            Output::Accumulate
        };
        (self.values, output)
    }
}
