//! Functions of one value, element by element.

use tensor_ops::Float;
use tensor_ops::loss::continuous_bernoulli;
use tensor_ops::vector::{self, scalar};

use crate::backward::Gradients;
use crate::error::Error;
use crate::ops::Op;
use crate::tape::{Layout, Tape, Values, Var};

/// A differentiable function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Unary<T> {
    Negate,
    Scale(T),
    Offset(T),
    Relu,
    Tanh,
    Sigmoid,
    Softplus,
    Exp,
    Log,
    Square,
    Sqrt,
    Clamp { low: T, high: T },
    ContinuousBernoulliLogPartition,
}

impl<T: Float> Tape<'_, T> {
    /// −x.
    ///
    /// # Errors
    /// [`Error::StaleVariable`]; [`Error::LayoutMismatch`] for panels. The same
    /// holds for every function of one value.
    pub fn neg(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("neg", x, Unary::Negate)
    }

    /// `factor` · x.
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn scale(&mut self, x: Var, factor: T) -> Result<Var, Error> {
        self.unary("scale", x, Unary::Scale(factor))
    }

    /// x + `constant`.
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn offset(&mut self, x: Var, constant: T) -> Result<Var, Error> {
        self.unary("offset", x, Unary::Offset(constant))
    }

    /// max(x, 0); the gradient at 0 is 0.
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn relu(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("relu", x, Unary::Relu)
    }

    /// tanh x; derivative 1 − y².
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn tanh(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("tanh", x, Unary::Tanh)
    }

    /// σ(x) = 1 / (1 + e⁻ˣ); derivative y (1 − y).
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn sigmoid(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("sigmoid", x, Unary::Sigmoid)
    }

    /// log(1 + eˣ), without overflow; derivative σ(x).
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn softplus(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("softplus", x, Unary::Softplus)
    }

    /// eˣ.
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn exp(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("exp", x, Unary::Exp)
    }

    /// Natural logarithm; derivative 1 / x.
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn log(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("log", x, Unary::Log)
    }

    /// x².
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn square(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("square", x, Unary::Square)
    }

    /// √x; derivative 1 / (2 y).
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn sqrt(&mut self, x: Var) -> Result<Var, Error> {
        self.unary("sqrt", x, Unary::Sqrt)
    }

    /// x limited to [`low`, `high`]; the gradient is 1 strictly inside and 0
    /// elsewhere, NaN stays NaN.
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn clamp(&mut self, x: Var, low: T, high: T) -> Result<Var, Error> {
        self.unary("clamp", x, Unary::Clamp { low, high })
    }

    /// ln((eˣ − 1)/x), by which a continuous Bernoulli variable with logit x is
    /// normalised; the derivative is its mean, 1/(1 − e⁻ˣ) − 1/x. Both are safe
    /// around x = 0, see [`tensor_ops::loss::continuous_bernoulli`].
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn continuous_bernoulli_log_partition(&mut self, x: Var) -> Result<Var, Error> {
        const OP: &str = "continuous_bernoulli_log_partition";
        self.unary(OP, x, Unary::ContinuousBernoulliLogPartition)
    }

    /// The value of `x` as a constant: no gradient passes.
    ///
    /// # Errors
    /// As [`neg`](Self::neg).
    pub fn stop_gradient(&mut self, x: Var) -> Result<Var, Error> {
        let shape = self.row_major("stop_gradient", x)?;
        let compute = |values: &Values<'_, T>, out: &mut [T], _: &mut _| {
            out.copy_from_slice(values.get(x.index));
        };
        Ok(self.record(Op::StopGradient, shape, Layout::RowMajor, false, compute))
    }

    fn unary(&mut self, op: &'static str, x: Var, function: Unary<T>) -> Result<Var, Error> {
        let shape = self.row_major(op, x)?;
        let node = Op::Unary {
            input: x.index,
            function,
        };
        Ok(
            self.record_op(node, shape, Layout::RowMajor, |values, out, _| {
                forward(function, values.get(x.index), out);
            }),
        )
    }
}

fn forward<T: Float>(function: Unary<T>, x: &[T], y: &mut [T]) {
    match function {
        Unary::Negate => map(x, y, |x| -x),
        Unary::Scale(factor) => map(x, y, |x| x * factor),
        Unary::Offset(constant) => map(x, y, |x| x + constant),
        Unary::Relu => vector::relu(x, y),
        Unary::Tanh => vector::tanh(x, y),
        Unary::Sigmoid => vector::sigmoid(x, y),
        Unary::Softplus => vector::softplus(x, y),
        Unary::Exp => vector::exp(x, y),
        Unary::Log => vector::ln(x, y),
        Unary::Square => map(x, y, |x| x * x),
        Unary::Sqrt => map(x, y, Float::sqrt),
        Unary::Clamp { low, high } => map(x, y, |x| {
            if x < low {
                low
            } else if x > high {
                high
            } else {
                x
            }
        }),
        Unary::ContinuousBernoulliLogPartition => {
            y.copy_from_slice(x);
            continuous_bernoulli::log_partitions_in_place(y);
        }
    }
}

/// Adds upstream · f′ to the gradient of the input, f′ written with whichever
/// of x and y = f(x) gives it most cheaply and accurately.
pub(crate) fn backward<T: Float>(
    input: u32,
    function: Unary<T>,
    output: u32,
    upstream: &[T],
    values: &Values<'_, T>,
    gradients: &mut Gradients<'_, T>,
) {
    let Some(target) = gradients.target(input) else {
        return;
    };
    let (x, y) = (values.get(input), values.get(output));
    match function {
        Unary::Negate => target.add(upstream.iter().map(|&g| -g)),
        Unary::Scale(factor) => target.add(upstream.iter().map(|&g| g * factor)),
        Unary::Offset(_) => target.add(upstream.iter().copied()),
        Unary::Relu => target.add(zip(upstream, y).map(|(g, y)| select(y > T::ZERO, g))),
        Unary::Tanh => target.add(zip(upstream, y).map(|(g, y)| g * (T::ONE - y * y))),
        Unary::Sigmoid => target.add(zip(upstream, y).map(|(g, y)| g * (y * (T::ONE - y)))),
        // From x, not y: 1 − e⁻ʸ would lose every digit for very negative x.
        Unary::Softplus => target.add(zip(upstream, x).map(|(g, x)| g * scalar::sigmoid(x))),
        Unary::Exp => target.add(zip(upstream, y).map(|(g, y)| g * y)),
        Unary::Log => target.add(zip(upstream, x).map(|(g, x)| g / x)),
        Unary::Square => target.add(zip(upstream, x).map(|(g, x)| g * (x + x))),
        Unary::Sqrt => target.add(zip(upstream, y).map(|(g, y)| g / (y + y))),
        Unary::Clamp { low, high } => {
            target.add(zip(upstream, x).map(|(g, x)| select(x > low && x < high, g)));
        }
        Unary::ContinuousBernoulliLogPartition => {
            target.add(zip(upstream, x).map(|(g, x)| {
                let mut mean = [x];
                continuous_bernoulli::means_in_place(&mut mean);
                g * mean[0]
            }));
        }
    }
}

fn map<T: Float>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

fn zip<'a, T: Float>(a: &'a [T], b: &'a [T]) -> impl Iterator<Item = (T, T)> {
    a.iter().copied().zip(b.iter().copied())
}

fn select<T: Float>(condition: bool, value: T) -> T {
    if condition { value } else { T::ZERO }
}
