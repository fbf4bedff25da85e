//! One tape per block of batch rows: training on the tape at the speed of the
//! hand-written step.
//!
//! A step has two parallel regions. In the first, [`BlockTapes::record`], every
//! block records the same program on its own rows and differentiates it down to
//! the pre-activations of its layers; blocks share nothing but the parameters.
//! In the second, [`BlockTapes::layer_gradient`] contracts xᵀ·dy of one layer
//! over the rows of all blocks in order, for any group of output panels; the
//! caller splits the panels among threads and may update the parameters right
//! after, while the gradient is in cache.
//!
//! Each weight gradient is one ascending chain over the batch rows, so its bits
//! do not depend on the number of blocks. Gradients of parameters that are used
//! outside [`Tape::linear_panels`] are sums of per-block gradients, which do.

use std::ops::Range;

use tensor_ops::Float;
use tensor_ops::linear::{self, RowBlock};
use tensor_ops::panels::{LANES, Panels};
use tensor_ops::parallel::ThreadPool;

use crate::backward::GradientState;
use crate::error::Error;
use crate::ops::{Op, panels};
use crate::tape::{Storage, Tape, Var};

/// A panel layer on bound parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelLayer {
    /// Range of the weight `[inputs, outputs]` in the bound slice.
    pub weight: Range<usize>,
    /// Range of the bias `[1, outputs]`.
    pub bias: Range<usize>,
    /// Inputs of the layer.
    pub inputs: usize,
    /// Outputs of the layer.
    pub outputs: usize,
}

impl PanelLayer {
    /// Number of output panels.
    #[must_use]
    pub fn panel_count(&self) -> usize {
        Panels::new(self.inputs, self.outputs).panel_count()
    }
}

/// A tape for each block of batch rows, with a state `S` of the caller's beside
/// it: which rows, what noise, which results to read.
#[derive(Debug)]
pub struct BlockTapes<T: Float, S> {
    blocks: Vec<Block<T, S>>,
}

#[derive(Debug)]
struct Block<T: Float, S> {
    tape: Tape<'static, T>,
    state: S,
    outcome: Result<(), Error>,
}

impl<T: Float, S: Send> BlockTapes<T, S> {
    /// One block for each state.
    pub fn new(states: impl IntoIterator<Item = S>) -> Self {
        let block = |state| Block {
            tape: Tape::new(),
            state,
            outcome: Ok(()),
        };
        Self {
            blocks: states.into_iter().map(block).collect(),
        }
    }

    /// Number of blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there is no block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The states, in block order.
    pub fn states_mut(&mut self) -> impl Iterator<Item = &mut S> {
        self.blocks.iter_mut().map(|block| &mut block.state)
    }

    /// Tapes and states, in block order: values of the last recording are read here.
    pub fn iter(&self) -> impl Iterator<Item = (&Tape<'static, T>, &S)> {
        self.blocks.iter().map(|block| (&block.tape, &block.state))
    }

    /// Records `program` on every block in parallel, with `parameters` bound,
    /// and differentiates the scalar it returns
    /// ([`Tape::backward_to_activations`]). Call it inside [`ThreadPool::install`].
    ///
    /// # Errors
    /// The error of the first block, in block order, that has one.
    pub fn record(
        &mut self,
        pool: &ThreadPool,
        parameters: &[T],
        program: impl Fn(&mut Tape<'_, T>, &mut S) -> Result<Var, Error> + Sync,
    ) -> Result<(), Error> {
        pool.for_each(&mut self.blocks, |_, block| {
            let mut tape = std::mem::take(&mut block.tape).bind(parameters);
            block.outcome = program(&mut tape, &mut block.state)
                .and_then(|output| tape.backward_to_activations(output));
            block.tape = tape.unbind();
        });
        self.blocks
            .iter()
            .try_for_each(|block| block.outcome.clone())
    }
}

impl<T: Float, S: Sync> BlockTapes<T, S> {
    /// The deferred layers, each once, in recording order.
    pub fn layers(&self) -> impl Iterator<Item = PanelLayer> + '_ {
        self.uses().enumerate().filter_map(|(position, layer)| {
            let is_first = self
                .uses()
                .take(position)
                .all(|(tape, index)| tape.bound_layer(index) != layer.0.bound_layer(layer.1));
            is_first.then(|| describe(layer.0, layer.1)).flatten()
        })
    }

    /// `dw` and `db` = `scale` · the gradient of `layer` by the weight and bias
    /// of the output panels `panels`, summed over all blocks. `dw` holds
    /// `panels.len()` panels of `inputs` lines of 16, `db` `panels.len() · 16`
    /// lanes; neither is read. Zero for a layer that no block used.
    ///
    /// # Errors
    /// [`Error::BufferLength`] if `panels` leaves the layer or a buffer does not fit it.
    pub fn layer_gradient(
        &self,
        layer: &PanelLayer,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    ) -> Result<(), Error> {
        const OP: &str = "layer_gradient";
        let whole = Panels::new(layer.inputs, layer.outputs);
        let length = |found, expected| Error::BufferLength {
            op: OP,
            found,
            expected,
        };
        if panels.start > panels.end || panels.end > whole.panel_count() {
            return Err(length(panels.end, whole.panel_count()));
        }
        for (found, expected) in [
            (dw.len(), panels.len() * whole.panel_len()),
            (db.len(), panels.len() * LANES),
        ] {
            if found != expected {
                return Err(length(found, expected));
            }
        }
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        self.with_row_blocks(layer, |row_blocks| {
            linear::weight_gradient(inputs, outputs, panels.clone(), row_blocks, scale, dw, db);
        });
        self.add_leaves(&layer.weight, panels.start * whole.panel_len(), scale, dw);
        self.add_leaves(&layer.bias, panels.start * LANES, scale, db);
        Ok(())
    }

    /// Whether the gradient of `layer` is all in its
    /// [row blocks](Self::with_row_blocks): its weight and bias are used by
    /// [`Tape::linear_panels`] alone.
    #[must_use]
    pub fn is_deferred(&self, layer: &PanelLayer) -> bool {
        self.leaves().all(|(_, node, _)| {
            !matches!(&node.storage, Storage::Bound(range)
                if *range == layer.weight || *range == layer.bias)
        })
    }

    /// What the gradient of `layer` is contracted from, in the order of the
    /// blocks: for a caller who uses each tile of it while it is in registers.
    pub fn with_row_blocks<R>(
        &self,
        layer: &PanelLayer,
        use_row_blocks: impl FnOnce(&[RowBlock<'_, T>]) -> R,
    ) -> R {
        let uses = || {
            self.uses()
                .filter(|(tape, index)| {
                    tape.bound_layer(*index) == Some((&layer.weight, &layer.bias))
                })
                .map(|(tape, index)| row_block(tape, index))
        };
        let mut stack = [RowBlock {
            rows: 0,
            x: &[],
            dy: &[],
            support: None,
        }; STACK_BLOCKS];
        let count = uses().count();
        let heap: Vec<_>;
        let row_blocks = if count <= STACK_BLOCKS {
            for (place, block) in stack.iter_mut().zip(uses()) {
                *place = block;
            }
            &stack[..count]
        } else {
            heap = uses().collect();
            heap.as_slice()
        };
        use_row_blocks(row_blocks)
    }

    /// Writes `scale` · the whole gradient to `flat`, laid out as the bound
    /// parameters; zero where nothing depends on them. The panels of a layer are
    /// shared among the threads of the current pool.
    ///
    /// # Errors
    /// [`Error::BufferLength`] if `flat` is shorter than the bound ranges reach
    /// or a layer's weight and bias overlap.
    pub fn gradients(&self, scale: T, flat: &mut [T]) -> Result<(), Error> {
        flat.fill(T::ZERO);
        let length = |found, expected| Error::BufferLength {
            op: "gradients",
            found,
            expected,
        };
        for layer in self.layers() {
            let found = flat.len();
            let [dw, db] = flat
                .get_disjoint_mut([layer.weight.clone(), layer.bias.clone()])
                .map_err(|_| length(found, layer.weight.end.max(layer.bias.end)))?;
            self.layer_in_halves(&layer, 0..layer.panel_count(), scale, dw, db)?;
        }
        for (tape, node, index) in self.leaves() {
            let Storage::Bound(range) = &node.storage else {
                continue;
            };
            // What layers left in their parameters' own gradients is in already.
            if self
                .layers()
                .any(|layer| layer.weight == *range || layer.bias == *range)
            {
                continue;
            }
            let found = flat.len();
            let part = flat
                .get_mut(range.clone())
                .ok_or_else(|| length(found, range.end))?;
            for (sum, &g) in part.iter_mut().zip(tape.gradients[index].as_slice()) {
                *sum += scale * g;
            }
        }
        Ok(())
    }

    fn layer_in_halves(
        &self,
        layer: &PanelLayer,
        panels: Range<usize>,
        scale: T,
        dw: &mut [T],
        db: &mut [T],
    ) -> Result<(), Error> {
        if panels.len() <= PANELS_PER_TASK {
            return self.layer_gradient(layer, panels, scale, dw, db);
        }
        let middle = panels.start + panels.len() / 2;
        let (left_dw, right_dw) = dw.split_at_mut((middle - panels.start) * layer.inputs * LANES);
        let (left_db, right_db) = db.split_at_mut((middle - panels.start) * LANES);
        let (left, right) = rayon::join(
            || self.layer_in_halves(layer, panels.start..middle, scale, left_dw, left_db),
            || self.layer_in_halves(layer, middle..panels.end, scale, right_dw, right_db),
        );
        left.and(right)
    }

    /// Adds what the leaves of `range` gathered by themselves, from element
    /// `from` on.
    fn add_leaves(&self, range: &Range<usize>, from: usize, scale: T, out: &mut [T]) {
        for (tape, node, index) in self.leaves() {
            if matches!(&node.storage, Storage::Bound(bound) if bound == range) {
                let gradient = &tape.gradients[index].as_slice()[from..from + out.len()];
                for (sum, &g) in out.iter_mut().zip(gradient) {
                    *sum += scale * g;
                }
            }
        }
    }

    /// Leaves that hold a gradient of their own.
    fn leaves(
        &self,
    ) -> impl Iterator<Item = (&Tape<'static, T>, &crate::tape::Node<T>, usize)> + '_ {
        self.differentiated().flat_map(|tape| {
            tape.nodes
                .iter()
                .enumerate()
                .filter(|(index, node)| {
                    matches!(node.op, Op::Leaf)
                        && tape.gradient_states[*index].state != GradientState::Untouched
                })
                .map(move |(index, node)| (tape, node, index))
        })
    }

    /// Layer nodes whose weight gradient was deferred.
    fn uses(&self) -> impl Iterator<Item = (&Tape<'static, T>, usize)> + '_ {
        self.differentiated().flat_map(|tape| {
            (0..tape.nodes.len())
                .filter(|&index| {
                    let Op::LinearPanels { weight, .. } = tape.nodes[index].op else {
                        return false;
                    };
                    tape.gradient_states[index].state == GradientState::ByPreActivation
                        && tape.gradient_states[weight as usize].is_deferred
                })
                .map(move |index| (tape, index))
        })
    }

    fn differentiated(&self) -> impl Iterator<Item = &Tape<'static, T>> {
        self.blocks
            .iter()
            .map(|block| &block.tape)
            .filter(|tape| tape.differentiated)
    }
}

/// Layer uses kept on the stack; more than this many allocate.
const STACK_BLOCKS: usize = 64;

/// Panels that one task of [`BlockTapes::gradients`] takes.
const PANELS_PER_TASK: usize = 4;

fn describe<T: Float>(tape: &Tape<'static, T>, index: usize) -> Option<PanelLayer> {
    let (weight, bias) = tape.bound_layer(index)?;
    let Op::LinearPanels { input, .. } = tape.nodes[index].op else {
        return None;
    };
    Some(PanelLayer {
        weight: weight.clone(),
        bias: bias.clone(),
        inputs: tape.nodes[input as usize].shape.extents()[1],
        outputs: tape.nodes[index].shape.extents()[1],
    })
}

fn row_block<'a, T: Float>(tape: &'a Tape<'static, T>, index: usize) -> RowBlock<'a, T> {
    let node = &tape.nodes[index];
    let Op::LinearPanels { input, .. } = node.op else {
        unreachable!("only panel layers are contracted")
    };
    let values = tape.values();
    RowBlock {
        rows: node.shape.extents()[0],
        x: values.get(input),
        dy: tape.gradients[index].as_slice(),
        support: panels::support(&values, &tape.scratch, input),
    }
}
