//! The layer products as plain loops: what the kernels are tested against.

use std::ops::Range;

use super::{LinearShape, RowBlock};
use crate::panels::LANES;
use crate::{Activation, Float};

/// See [`super::forward`].
pub fn forward<T: Float>(
    shape: LinearShape,
    x: &[T],
    weight: &[T],
    bias: &[T],
    activation: Activation,
    y: &mut [T],
) {
    for panel in 0..shape.y().panel_count() {
        for row in 0..shape.rows {
            let mut sum = [T::ZERO; LANES];
            for k in 0..shape.inputs {
                let factor = x[shape.x().index(row, k)];
                let line = &weight[shape.weight().index(k, panel * LANES)..][..LANES];
                for (sum, &w) in sum.iter_mut().zip(line) {
                    *sum += factor * w;
                }
            }
            let out = &mut y[shape.y().index(row, panel * LANES)..][..LANES];
            for (lane, out) in out.iter_mut().enumerate() {
                *out = activation.apply(sum[lane] + bias[panel * LANES + lane]);
            }
        }
    }
}

/// See [`super::input_gradient`].
pub fn input_gradient<T: Float>(
    shape: LinearShape,
    dy: &[T],
    weight: &[T],
    h: &[T],
    activation: Activation,
    dx: &mut [T],
) {
    dx.fill(T::ZERO);
    for row in 0..shape.rows {
        for input in 0..shape.inputs {
            let mut sum = T::ZERO;
            for k in 0..shape.outputs {
                sum += dy[shape.y().index(row, k)] * weight[shape.weight().index(input, k)];
            }
            let at = shape.x().index(row, input);
            dx[at] = sum * activation.derivative_from_output(h[at]);
        }
    }
}

/// See [`super::weight_gradient`].
pub fn weight_gradient<T: Float>(
    inputs: usize,
    panels: Range<usize>,
    blocks: &[RowBlock<'_, T>],
    scale: T,
    dw: &mut [T],
    db: &mut [T],
) {
    dw.fill(T::ZERO);
    db.fill(T::ZERO);
    for (local, panel) in panels.enumerate() {
        let dw = &mut dw[local * inputs * LANES..][..inputs * LANES];
        let db = &mut db[local * LANES..][..LANES];
        for block in blocks {
            for row in 0..block.rows {
                let dy = &block.dy[(panel * block.rows + row) * LANES..][..LANES];
                for input in 0..inputs {
                    let at = ((input / LANES) * block.rows + row) * LANES + input % LANES;
                    let factor = block.x[at];
                    let line = &mut dw[input * LANES..][..LANES];
                    for (sum, &dy) in line.iter_mut().zip(dy) {
                        *sum += factor * dy;
                    }
                }
                for (sum, &dy) in db.iter_mut().zip(dy) {
                    *sum += dy;
                }
            }
        }
    }
    for value in dw.iter_mut().chain(db) {
        *value *= scale;
    }
}
