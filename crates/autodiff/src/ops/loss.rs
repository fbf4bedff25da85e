//! The Bernoulli loss of whole rows in the panel layout.

use tensor_ops::Float;
use tensor_ops::loss;
use tensor_ops::panels::{LANES, Panels};

use crate::backward::Gradients;
use crate::error::Error;
use crate::ops::{Op, Scratch};
use crate::shape::Shape;
use crate::tape::{Layout, Tape, Values, Var};

impl<T: Float> Tape<'_, T> {
    /// Per row, −log p(targets | logits) of independent Bernoulli variables in
    /// nats: Σ_cols softplus(l) − l·t. Both operands are `[rows, cols]` in
    /// panels, the result is `[rows]`, row-major.
    ///
    /// Loss and gradient σ(l) − t come from one pass over the logits
    /// ([`tensor_ops::loss`]); the gradient is kept for `backward`.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] unless both shapes are equal;
    /// [`Error::LayoutMismatch`] if an operand is row-major;
    /// [`Error::StaleVariable`].
    pub fn bce_with_logits_panels(&mut self, logits: Var, targets: Var) -> Result<Var, Error> {
        const OP: &str = "bce_with_logits_panels";
        let (rows, cols, logits_shape) = self.panels(OP, logits)?;
        let (_, _, targets_shape) = self.panels(OP, targets)?;
        if logits_shape != targets_shape {
            return Err(Error::ShapeMismatch {
                op: OP,
                lhs: logits_shape,
                rhs: targets_shape,
                expected: "logits and targets of the same shape are expected",
            });
        }
        let panels = Panels::new(rows, cols);
        let node = Op::BceWithLogitsRows {
            logits: logits.index,
            targets: targets.index,
        };
        self.record(
            Op::Saved,
            logits_shape,
            Layout::Panels,
            false,
            |values, saved, scratch| {
                saved.copy_from_slice(values.get(logits.index));
                let row_loss = Scratch::sized(&mut scratch.rows, rows);
                loss::bce_with_logits(panels, saved, values.get(targets.index), row_loss);
            },
        );
        Ok(self.record_op(
            node,
            Shape::vector(rows),
            Layout::RowMajor,
            |_, out, scratch| out.copy_from_slice(&scratch.rows[..rows]),
        ))
    }
}

/// Adds g_row · (σ(l) − t) to the logits' gradient and −g_row · l to the targets'.
pub(crate) fn bce_rows_backward<T: Float>(
    (logits, targets): (u32, u32),
    output: u32,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let saved = output - 1;
    let lines = |index| {
        let lines = values.get(index).as_chunks::<LANES>().0;
        lines.iter().zip(upstream.iter().cycle())
    };
    if let Some(target) = gradients.target(logits) {
        let is_fresh = target.is_fresh;
        let out = target.values.as_chunks_mut::<LANES>().0;
        for (out, (line, &g)) in out.iter_mut().zip(lines(saved)) {
            for (out, &d) in out.iter_mut().zip(line) {
                *out = if is_fresh { g * d } else { *out + g * d };
            }
        }
    }
    if let Some(target) = gradients.target(targets) {
        let out = target.zeroed().as_chunks_mut::<LANES>().0;
        for (out, (line, &g)) in out.iter_mut().zip(lines(logits)) {
            for (out, &l) in out.iter_mut().zip(line) {
                *out -= g * l;
            }
        }
    }
}
