//! Functions of two values, with broadcasting.

use tensor_ops::Float;
use tensor_ops::vector::scalar;

use crate::backward::Gradients;
use crate::error::Error;
use crate::ops::Op;
use crate::shape::{LoopNest, Shape};
use crate::tape::{Layout, Tape, Values, Var};

/// A differentiable function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    BceWithLogits,
}

impl<T: Float> Tape<'_, T> {
    /// a + b. Operands of different shapes are broadcast: aligned at the last
    /// axis, an extent of 1 is repeated.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the shapes cannot be broadcast together;
    /// [`Error::LayoutMismatch`] for panels; [`Error::StaleVariable`]. The same
    /// holds for every function of two values.
    pub fn add(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.binary("add", a, b, Binary::Add)
    }

    /// a − b, broadcast as in [`add`](Self::add).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn sub(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.binary("sub", a, b, Binary::Subtract)
    }

    /// a · b element by element, broadcast as in [`add`](Self::add).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn mul(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.binary("mul", a, b, Binary::Multiply)
    }

    /// a / b, broadcast as in [`add`](Self::add).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn div(&mut self, a: Var, b: Var) -> Result<Var, Error> {
        self.binary("div", a, b, Binary::Divide)
    }

    /// −log p(target | logit) of a Bernoulli variable, per element and in nats:
    /// softplus(l) − l·t as (max(l, 0) − l·t) + log(1 + e^−|l|), which does not
    /// overflow and keeps the digits of the small loss of a confident right answer. Derivatives σ(l) − t and −l. Broadcast as in
    /// [`add`](Self::add), so that one set of targets serves several samples.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn bce_with_logits(&mut self, logits: Var, targets: Var) -> Result<Var, Error> {
        self.binary("bce_with_logits", logits, targets, Binary::BceWithLogits)
    }

    fn binary(&mut self, op: &'static str, a: Var, b: Var, function: Binary) -> Result<Var, Error> {
        let (a_shape, b_shape) = (self.row_major(op, a)?, self.row_major(op, b)?);
        let shape = a_shape.broadcast(b_shape).ok_or(Error::ShapeMismatch {
            op,
            lhs: a_shape,
            rhs: b_shape,
            expected: "extents aligned at the last axis must be equal or 1",
        })?;
        let node = Op::Binary {
            lhs: a.index,
            rhs: b.index,
            function,
        };
        Ok(
            self.record_op(node, shape, Layout::RowMajor, |values, out, _| {
                let operands = Pair {
                    shape,
                    a_shape,
                    b_shape,
                    a: values.get(a.index),
                    b: values.get(b.index),
                };
                match function {
                    Binary::Add => operands.map(out, |a, b| a + b),
                    Binary::Subtract => operands.map(out, |a, b| a - b),
                    Binary::Multiply => operands.map(out, |a, b| a * b),
                    Binary::Divide => operands.map(out, |a, b| a / b),
                    Binary::BceWithLogits => operands.map(out, bce_with_logits),
                }
            }),
        )
    }
}

/// Adds upstream · ∂f/∂operand to both operands, summed over broadcast axes.
pub(crate) fn backward<T: Float>(
    (lhs, rhs): (u32, u32),
    function: Binary,
    shape: &Shape,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let operands = Pair {
        shape: *shape,
        a_shape: *values.shape(lhs),
        b_shape: *values.shape(rhs),
        a: values.get(lhs),
        b: values.get(rhs),
    };
    if let Some(target) = gradients.target(lhs) {
        let target = target.zeroed();
        match function {
            Binary::Add | Binary::Subtract => operands.add_to_a(upstream, target, |g, _, _| g),
            Binary::Multiply => operands.add_to_a(upstream, target, |g, _, b| g * b),
            Binary::Divide => operands.add_to_a(upstream, target, |g, _, b| g / b),
            Binary::BceWithLogits => {
                operands.add_to_a(upstream, target, |g, l, t| g * (scalar::sigmoid(l) - t));
            }
        }
    }
    if let Some(target) = gradients.target(rhs) {
        let target = target.zeroed();
        match function {
            Binary::Add => operands.add_to_b(upstream, target, |g, _, _| g),
            Binary::Subtract => operands.add_to_b(upstream, target, |g, _, _| -g),
            Binary::Multiply => operands.add_to_b(upstream, target, |g, a, _| g * a),
            Binary::Divide => operands.add_to_b(upstream, target, |g, a, b| -(g * a / (b * b))),
            Binary::BceWithLogits => operands.add_to_b(upstream, target, |g, l, _| -(g * l)),
        }
    }
}

/// Two operands seen in the shape they share.
#[derive(Clone, Copy)]
struct Pair<'a, T> {
    shape: Shape,
    a_shape: Shape,
    b_shape: Shape,
    a: &'a [T],
    b: &'a [T],
}

impl<T: Float> Pair<'_, T> {
    fn nest(&self) -> LoopNest<2> {
        LoopNest::new(
            &self.shape,
            [
                self.a_shape.strides_in(&self.shape),
                self.b_shape.strides_in(&self.shape),
            ],
        )
    }

    fn map(&self, out: &mut [T], f: impl Fn(T, T) -> T) {
        let mut position = 0;
        self.nest().for_each_run(|[a, b], len, strides| {
            let out = &mut out[position..position + len];
            position += len;
            match strides {
                [1, 1] => {
                    let (a, b) = (&self.a[a..a + len], &self.b[b..b + len]);
                    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                        *out = f(a, b);
                    }
                }
                [1, _] => {
                    let b = self.b[b];
                    for (out, &a) in out.iter_mut().zip(&self.a[a..a + len]) {
                        *out = f(a, b);
                    }
                }
                [_, 1] => {
                    let a = self.a[a];
                    for (out, &b) in out.iter_mut().zip(&self.b[b..b + len]) {
                        *out = f(a, b);
                    }
                }
                _ => out.fill(f(self.a[a], self.b[b])),
            }
        });
    }

    fn add_to_a(&self, upstream: &[T], target: &mut [T], f: impl Fn(T, T, T) -> T) {
        let mut position = 0;
        self.nest()
            .for_each_run(|[a, b], len, [a_stride, b_stride]| {
                let upstream = &upstream[position..position + len];
                position += len;
                if a_stride == 1 {
                    let (values, target) = (&self.a[a..a + len], &mut target[a..a + len]);
                    if b_stride == 1 {
                        let b = &self.b[b..b + len];
                        for (((target, &g), &a), &b) in
                            target.iter_mut().zip(upstream).zip(values).zip(b)
                        {
                            *target += f(g, a, b);
                        }
                    } else {
                        let b = self.b[b];
                        for ((target, &g), &a) in target.iter_mut().zip(upstream).zip(values) {
                            *target += f(g, a, b);
                        }
                    }
                } else {
                    let value = self.a[a];
                    let mut sum = T::ZERO;
                    for (i, &g) in upstream.iter().enumerate() {
                        sum += f(g, value, self.b[b + i * b_stride]);
                    }
                    target[a] += sum;
                }
            });
    }

    fn add_to_b(&self, upstream: &[T], target: &mut [T], f: impl Fn(T, T, T) -> T) {
        let swapped = Pair {
            shape: self.shape,
            a_shape: self.b_shape,
            b_shape: self.a_shape,
            a: self.b,
            b: self.a,
        };
        swapped.add_to_a(upstream, target, |g, b, a| f(g, a, b));
    }
}

fn bce_with_logits<T: Float>(logit: T, target: T) -> T {
    let linear = scalar::relu(logit) - logit * target;
    linear + scalar::log1p_unit(scalar::exp(-logit.abs()))
}
