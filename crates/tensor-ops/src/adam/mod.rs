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

use kernel::{Descent, Flush, Update};

use crate::isa::Available;
use crate::{Float, library};

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
        let power = |beta: f64| library::pow(beta, step as f64);
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

impl<T: Float> AdamStep<T> {
    /// ε is not zero, so that moments of zero leave a parameter as it is.
    #[inline(always)]
    pub(crate) fn has_epsilon(&self) -> bool {
        self.epsilon > T::ZERO
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

/// Moves parameters `p` by one step along moments `m` and `v` that no gradient of
/// this step has entered: the last line of the update alone.
///
/// # Panics
/// If the slices differ in length.
///
/// ```
/// use tensor_ops::adam::{AdamConstants, AdamStep, descend};
///
/// let (mut p, m, v) = ([1.0_f64], [0.1], [0.04]);
/// let step = AdamStep::new(&AdamConstants::with_learning_rate(1e-3), 1);
/// descend(&mut p, &m, &v, &step);
/// let corrected = (0.1 / 0.1, (0.04_f64 / 0.001).sqrt());
/// assert!((p[0] - (1.0 - 1e-3 * corrected.0 / (corrected.1 + 1e-8))).abs() < 1e-15);
/// ```
pub fn descend<T: Float>(p: &mut [T], m: &[T], v: &[T], step: &AdamStep<T>) {
    assert!(
        p.len() == m.len() && m.len() == v.len(),
        "adam::descend: p {}, m {}, v {} elements",
        p.len(),
        m.len(),
        v.len()
    );
    let step = *step;
    T::descend(Available::current(), Descent { p, m, v, step });
}

/// Sets the values nearer to zero than `smallest` to zero; NaN stays.
///
/// ```
/// let mut moments = [1e-35_f32, -1e-35, 1e-3];
/// tensor_ops::adam::flush(&mut moments, 1e-30);
/// assert_eq!(moments, [0.0, 0.0, 1e-3]);
/// ```
pub fn flush<T: Float>(values: &mut [T], smallest: T) {
    T::flush(Available::current(), Flush { values, smallest });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::kernels::Kernels;
    use crate::random::{Stream, fill_normal};

    /// The recursion as PyTorch writes it, in f64.
    fn exact(constants: &AdamConstants, start: f64, gradients: &[f64]) -> f64 {
        let (mut p, mut m, mut v) = (start, 0.0, 0.0);
        for (i, g) in gradients.iter().enumerate() {
            let t = i as i32 + 1;
            m = constants.beta1 * m + (1.0 - constants.beta1) * g;
            v = constants.beta2 * v + (1.0 - constants.beta2) * g * g;
            let denominator = f64::sqrt(v) / (1.0 - constants.beta2.powi(t)).sqrt();
            p -= constants.learning_rate / (1.0 - constants.beta1.powi(t)) * m
                / (denominator + constants.epsilon);
        }
        p
    }

    fn check<T: Float>(isa: Available, tolerance: f64) {
        let constants = AdamConstants::with_learning_rate(1e-2);
        let len = 61;
        let (mut p, mut m, mut v) = (vec![T::ONE; len], vec![T::ZERO; len], vec![T::ZERO; len]);
        let mut history = vec![Vec::new(); len];
        for t in 1..=10 {
            let mut g = vec![T::ZERO; len];
            fill_normal(&mut g, Stream::new(51, t), 0);
            // Gradients of very different sizes, zero among them.
            for (i, g) in g.iter_mut().enumerate() {
                *g *= T::from_f64(if i == 0 {
                    0.0
                } else {
                    10.0_f64.powi(i as i32 % 12 - 8)
                });
                history[i].push(g.to_f64());
            }
            let step = AdamStep::new(&constants, t);
            T::adam(
                isa,
                Update {
                    p: &mut p,
                    m: &mut m,
                    v: &mut v,
                    g: &g,
                    step,
                },
            );
        }
        for (p, history) in p.iter().zip(&history) {
            let expected = exact(&constants, 1.0, history);
            assert!(
                (p.to_f64() - expected).abs() <= tolerance,
                "{p} is not {expected}"
            );
        }
        assert!(p[0] == T::ONE, "a parameter without gradient moved");
    }

    #[test]
    fn ten_steps_agree_with_the_recursion() {
        for isa in Isa::ALL.into_iter().filter_map(Available::new) {
            check::<f64>(isa, 1e-14);
            check::<f32>(isa, 1e-6);
        }
    }

    /// An update renews the moments and then goes along them.
    #[test]
    fn descending_is_the_second_half_of_an_update() {
        fn check<T: Float>(isa: Available) {
            let random = |stream| {
                let mut values = vec![T::ZERO; 61];
                fill_normal(&mut values, Stream::new(52, stream), 0);
                values
            };
            let (start, first, gradient) = (random(0), random(1), random(2));
            let second: Vec<T> = first.iter().map(|&m| m * m).collect();
            let of_rate = |rate| AdamStep::new(&AdamConstants::with_learning_rate(rate), 7);
            let updated = |rate| {
                let mut of = (start.clone(), first.clone(), second.clone());
                let update = Update {
                    p: &mut of.0,
                    m: &mut of.1,
                    v: &mut of.2,
                    g: &gradient,
                    step: of_rate(rate),
                };
                T::adam(isa, update);
                of
            };
            let (whole, ..) = updated(1e-2);
            let (mut half, m, v) = updated(0.0);
            assert!(half == start, "a step size of 0 moved");
            let descent = Descent {
                p: &mut half,
                m: &m,
                v: &v,
                step: of_rate(1e-2),
            };
            T::descend(isa, descent);
            assert!(half == whole && half != start);
        }
        for isa in Isa::ALL.into_iter().filter_map(Available::new) {
            check::<f64>(isa);
            check::<f32>(isa);
        }
    }

    #[test]
    fn flushed_values_are_those_below_the_limit_on_every_path() {
        for isa in Isa::ALL.into_iter().filter_map(Available::new) {
            let given: Vec<f32> = (0..37).map(|i| (i as f32 - 18.0) * 0.25).collect();
            let mut values = given.clone();
            values[3] = f32::NAN;
            let flush = Flush {
                values: &mut values,
                smallest: 2.0,
            };
            <f32 as Kernels>::flush(isa, flush);
            for (i, (&value, &given)) in values.iter().zip(&given).enumerate() {
                if i == 3 {
                    assert!(value.is_nan());
                } else {
                    assert_eq!(value, if given.abs() < 2.0 { 0.0 } else { given });
                }
            }
        }
    }

    #[test]
    fn a_tiny_gradient_moves_by_less_than_the_step() {
        // √v̂ below ε: the step is lr · g / ε, not lr.
        let (mut p, mut m, mut v) = ([0.0_f32], [0.0], [0.0]);
        let constants = AdamConstants::with_learning_rate(1e-3);
        update(
            &mut p,
            &mut m,
            &mut v,
            &[1e-10],
            &AdamStep::new(&constants, 1),
        );
        let expected = -1e-3 * 1e-10 / (1e-10 + 1e-8);
        assert!((f64::from(p[0]) / expected - 1.0).abs() < 1e-5);
    }

    #[test]
    #[should_panic(expected = "steps are counted from 1")]
    fn step_zero_is_refused() {
        AdamStep::<f32>::new(&AdamConstants::with_learning_rate(1.0), 0);
    }
}
