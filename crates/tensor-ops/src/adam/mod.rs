//! The Adam update.
//!
//! Kingma & Ba, *Adam: A Method for Stochastic Optimization* (ICLR 2015), in
//! the form PyTorch computes it:
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
//! p ← p − lr · m̂ / (√v̂ + ε),     m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
//! ```

pub(crate) mod kernel;

use kernel::Update;

use crate::Float;
use crate::isa::Available;

/// The constants of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConstants {
    /// Step size, lr.
    pub learning_rate: f64,
    /// Decay of the first moment, β₁.
    pub beta1: f64,
    /// Decay of the second moment, β₂.
    pub beta2: f64,
    /// ε, added to √v̂.
    pub epsilon: f64,
}

impl AdamConstants {
    /// The paper's β₁ = 0.9, β₂ = 0.999, ε = 1e-8 with the given step size.
    pub const fn with_learning_rate(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// One step's constants with the bias corrections folded in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep<T> {
    one_minus_beta1: T,
    beta2: T,
    one_minus_beta2: T,
    /// lr / (1 − β₁ᵗ).
    step_size: T,
    /// 1 / √(1 − β₂ᵗ).
    root_correction: T,
    epsilon: T,
}

impl<T: Float> AdamStep<T> {
    /// The constants of step `step`, counted from 1.
    ///
    /// # Panics
    /// If `step` is 0.
    pub fn new(constants: &AdamConstants, step: u64) -> Self {
        assert!(step > 0, "AdamStep::new: steps are counted from 1");
        let power = |beta: f64| beta.powf(step as f64);
        Self {
            one_minus_beta1: T::from_f64(1.0 - constants.beta1),
            beta2: T::from_f64(constants.beta2),
            one_minus_beta2: T::from_f64(1.0 - constants.beta2),
            step_size: T::from_f64(constants.learning_rate / (1.0 - power(constants.beta1))),
            root_correction: T::from_f64(1.0 / (1.0 - power(constants.beta2)).sqrt()),
            epsilon: T::from_f64(constants.epsilon),
        }
    }
}

/// A range of parameters with their moments, all of one length.
#[derive(Debug)]
pub struct Parameters<'a, T> {
    /// The parameters, p.
    pub values: &'a mut [T],
    /// First moments.
    pub m: &'a mut [T],
    /// Second moments.
    pub v: &'a mut [T],
}

/// Applies one step to parameters `p` with moments `m`, `v` and gradient `g`.
///
/// # Panics
/// If the slices differ in length.
///
/// ```
/// use tensor_ops::adam::{AdamConstants, AdamStep, update};
///
/// let (mut p, mut m, mut v) = ([1.0_f64], [0.0], [0.0]);
/// let step = AdamStep::new(&AdamConstants::with_learning_rate(1e-3), 1);
/// update(&mut p, &mut m, &mut v, &[0.5], &step);
/// assert!((p[0] - 0.999).abs() < 1e-10); // the first step has the size of lr
/// ```
pub fn update<T: Float>(p: &mut [T], m: &mut [T], v: &mut [T], g: &[T], step: &AdamStep<T>) {
    assert!(
        p.len() == g.len() && m.len() == g.len() && v.len() == g.len(),
        "adam::update: p {}, m {}, v {}, g {} elements",
        p.len(),
        m.len(),
        v.len(),
        g.len()
    );
    T::adam(
        Available::current(),
        Update {
            p,
            m,
            v,
            g,
            step: *step,
        },
    );
}
