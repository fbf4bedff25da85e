//! Tape-based reverse-mode differentiation over tensor-ops, in f32 and f64.
//!
//! A [`Tape`] records a computation as it is made: every operation is a method
//! that computes its value at once and returns a [`Var`]. [`Tape::backward`]
//! then walks the recording in reverse and leaves the gradient of a scalar by
//! every parameter. It offers what autoencoders, variational autoencoders and
//! importance-weighted bounds need.
//!
//! The gradient of a least-squares fit, ½ mean (x·w + b − y)², and one step
//! along it:
//!
//! ```
//! use autodiff::Tape;
//! use ndarray::{arr1, arr2};
//!
//! let (x, y) = (arr2(&[[1.0_f64], [2.0], [3.0]]), arr2(&[[3.0], [5.0], [7.0]]));
//! let (mut weight, mut bias) = (arr2(&[[0.5]]), arr1(&[0.0]));
//! let mut tape = Tape::new();
//! for _ in 0..1000 {
//!     tape.reset(); // all memory is kept: only the first round allocates any
//!     let w = tape.parameter(weight.view())?;
//!     let b = tape.parameter(bias.view())?;
//!     let (x, y) = (tape.constant(x.view())?, tape.constant(y.view())?);
//!     let product = tape.matmul(x, w)?;
//!     let fit = tape.add(product, b)?; // [3, 1] + [1] is broadcast
//!     let error = tape.sub(fit, y)?;
//!     let square = tape.square(error)?;
//!     let mean = tape.mean(square)?;
//!     let loss = tape.scale(mean, 0.5)?;
//!     tape.backward(loss)?;
//!     weight.scaled_add(-0.2, &tape.gradient(w)?);
//!     bias.scaled_add(-0.2, &tape.gradient(b)?);
//! }
//! assert!((weight[[0, 0]] - 2.0).abs() < 1e-6 && (bias[0] - 1.0).abs() < 1e-6);
//! # Ok::<(), autodiff::Error>(())
//! ```
//!
//! # Operations
//!
//! | family | methods of [`Tape`] |
//! |---|---|
//! | leaves | [`parameter`](Tape::parameter), [`constant`](Tape::constant), [`scalar`](Tape::scalar), [`constant_with`](Tape::constant_with), [`constant_panels`](Tape::constant_panels), [`sparse_constant_panels`](Tape::sparse_constant_panels), [`bound_parameter`](Tape::bound_parameter), [`bound_panels`](Tape::bound_panels) |
//! | of one value | [`neg`](Tape::neg), [`scale`](Tape::scale), [`offset`](Tape::offset), [`relu`](Tape::relu), [`tanh`](Tape::tanh), [`sigmoid`](Tape::sigmoid), [`softplus`](Tape::softplus), [`exp`](Tape::exp), [`log`](Tape::log), [`square`](Tape::square), [`sqrt`](Tape::sqrt), [`clamp`](Tape::clamp), [`continuous_bernoulli_log_partition`](Tape::continuous_bernoulli_log_partition), [`stop_gradient`](Tape::stop_gradient) |
//! | of two values, broadcast | [`add`](Tape::add), [`sub`](Tape::sub), [`mul`](Tape::mul), [`div`](Tape::div), [`bce_with_logits`](Tape::bce_with_logits) |
//! | reductions | [`sum`](Tape::sum), [`mean`](Tape::mean), [`sum_axes`](Tape::sum_axes), [`mean_axes`](Tape::mean_axes), [`logsumexp`](Tape::logsumexp) |
//! | structure | [`slice`](Tape::slice), [`concatenate`](Tape::concatenate), [`reshape`](Tape::reshape), [`insert_axis`](Tape::insert_axis), [`broadcast_to`](Tape::broadcast_to) |
//! | products | [`matmul`](Tape::matmul), [`matmul_nt`](Tape::matmul_nt), [`matmul_tn`](Tape::matmul_tn), [`linear`](Tape::linear) |
//! | panel layout | [`linear_panels`](Tape::linear_panels), [`bce_with_logits_panels`](Tape::bce_with_logits_panels), [`to_panels`](Tape::to_panels), [`from_panels`](Tape::from_panels) |
//!
//! # Architecture
//!
//! * **Nodes and buffers.** A tape is a list of nodes; operands are indices of
//!   earlier nodes. Value and gradient of node i live in buffer i, a flat,
//!   cache-line aligned slice, and [`Tape::reset`] clears the nodes and keeps the
//!   buffers. A program recorded again finds every buffer at its size: a step
//!   after the first allocates nothing. ndarray appears at the border only.
//! * **Shared storage.** A reshape shows the buffers of its operand; a bound
//!   parameter reads the caller's flat slice in place.
//! * **The reverse walk.** Nodes are visited from the output down. The first
//!   contribution to a gradient overwrites its buffer, later ones add, so nothing
//!   is cleared. What does not depend on a parameter is never visited, and
//!   constants get no gradient.
//! * **Errors, not panics.** Shapes, layouts, axes and the owner of every
//!   variable are checked while recording. An [`Error`] names the operation and
//!   the shapes; the walk itself cannot fail.
//! * **Two speeds.** Row-major operations serve any program. A training step
//!   runs on layers in the panel layout of [`tensor_ops::panels`], on the same
//!   kernels as a hand-written one, with one tape per block of batch rows:
//!   [`BlockTapes`].
//! * **Order.** Every sum has a fixed order, so a recording gives the same bits
//!   each time. Reductions go in row-major order (contiguous ones as fixed trees),
//!   products are ascending chains.
//!
//! Gradients are checked by [`check`], which is public so that other crates can
//! check theirs.
//!
//! What is deliberately absent: gradients of gradients, in-place operations, and
//! a graph that outlives its recording.
#![forbid(unsafe_code)]

mod backward;
mod blocks;
mod buffer;
pub mod check;
mod error;
mod leaf;
mod ops;
mod shape;
mod tape;

pub use blocks::{BlockTapes, PanelLayer};
pub use error::Error;
pub use shape::{MAX_AXES, Shape};
pub use tape::{Layout, Tape, Var};
pub use tensor_ops::{Activation, Float};
