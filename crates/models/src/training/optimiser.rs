//! Adam's state over a model's parameters.

use std::sync::Arc;

use tensor_ops::adam::{AdamStep, descend, flush, update};
use tensor_ops::{Float, library};

use crate::network::layout::Layout;
use crate::network::parameters::Parameters;
use crate::training::configuration::{AdamConstants, AdamForm, AdamMoments};

/// First and second moments, laid out as the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments<T: Float> {
    /// Decaying mean of the gradient.
    pub first: Parameters<T>,
    /// Decaying mean of the squared gradient.
    pub second: Parameters<T>,
}

impl<T: Float> Moments<T> {
    /// Zeros, as before the first step.
    pub fn zeros(layout: &Arc<Layout>) -> Self {
        Self {
            first: Parameters::zeros(layout.clone()),
            second: Parameters::zeros(layout.clone()),
        }
    }

    /// As before the first step of Adam with these constants.
    pub fn at_start(layout: &Arc<Layout>, constants: &AdamConstants) -> Self {
        let mut moments = Self::zeros(layout);
        let start = T::from_f64(constants.second_moment_start);
        if start != T::ZERO {
            // By tensors, so that the padding of the panels stays zero.
            for slot in layout.tensors() {
                layout.fill(slot, start, moments.second.as_mut_slice());
            }
        }
        moments
    }
}

/// Steps between two sweeps for vanished moments, see [`OptimiserStep`].
const FLUSH_INTERVAL: u64 = 16;

/// First moments below 2⁻¹⁰⁰ and second moments below 2⁻¹²⁰ have vanished.
const SMALLEST_FIRST: f32 = f32::from_bits(27 << 23);
const SMALLEST_SECOND: f32 = f32::from_bits(7 << 23);

/// One step of Adam, ready to be applied to any part of the parameters.
///
/// The moments of a weight whose gradient has become exactly zero (a hidden
/// unit that no image activates any more) decay until they, or their product
/// with the step size, are subnormal, where arithmetic is many times slower:
/// on MNIST a quarter of the first layer gets there within three epochs, and a
/// step then takes half as long again. Every sixteenth step therefore sets
/// first moments below 2⁻¹⁰⁰ and second moments below 2⁻¹²⁰ to zero, well
/// before that. Such a first moment moves its weight by at most lr·8e-31/ε,
/// and such a second one is less than 1e-18 beside ε: neither is more than
/// rounding to any weight of a size that matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimiserStep<T> {
    adam: AdamStep<T>,
    /// The way along the moments of the steps before, where that is the way it goes;
    /// `adam` then has a step size of 0 and only renews the moments.
    before: Option<AdamStep<T>>,
    flushes: bool,
    /// 1 − lr · λ of AdamW, when it is on.
    decay: Option<T>,
}

impl<T: Float> OptimiserStep<T> {
    /// The same step with the decoupled weight decay of AdamW (Loshchilov &
    /// Hutter 2019, algorithm 2, as PyTorch computes it): every parameter p
    /// becomes p · (1 − lr · λ) before the step of Adam.
    #[must_use]
    pub fn with_weight_decay(mut self, learning_rate: f64, weight_decay: f64) -> Self {
        self.decay = (weight_decay > 0.0).then(|| T::from_f64(1.0 - learning_rate * weight_decay));
        self
    }

    /// What a step does to parameters before their gradient is looked at: decay, and
    /// the way along the moments of the steps before, each when it is on.
    pub(crate) fn before_gradient(&self, p: &mut [T], m: &[T], v: &[T]) {
        if let Some(factor) = self.decay {
            for value in &mut *p {
                *value *= factor;
            }
        }
        if let Some(step) = &self.before {
            descend(p, m, v, step);
        }
    }

    pub(crate) fn apply(&self, p: &mut [T], m: &mut [T], v: &mut [T], g: &[T]) {
        update(p, m, v, g, &self.adam);
        self.flush(m, v);
    }

    /// Adam's part of the step alone, for whoever applies it tile by tile and
    /// then [flushes](Self::flush).
    pub(crate) fn adam(&self) -> &AdamStep<T> {
        &self.adam
    }

    /// Sets vanished moments to zero, when it is time to.
    pub(crate) fn flush(&self, m: &mut [T], v: &mut [T]) {
        if self.flushes {
            flush(m, T::from_f32(SMALLEST_FIRST));
            flush(v, T::from_f32(SMALLEST_SECOND));
        }
    }
}

impl AdamConstants {
    /// The constants of one step with their bias corrections; steps count
    /// from 1.
    pub fn step<T: Float>(&self, learning_rate: f64, step: u64) -> OptimiserStep<T> {
        let epsilon = match self.form {
            AdamForm::Corrected => self.epsilon,
            // √v + ε times the correction of √v.
            AdamForm::Efficient => {
                self.epsilon / (1.0 - library::pow(self.beta2, step as f64)).sqrt()
            }
        };
        let of_rate = |learning_rate| {
            let constants = tensor_ops::adam::AdamConstants {
                learning_rate,
                beta1: self.beta1,
                beta2: self.beta2,
                epsilon,
            };
            AdamStep::new(&constants, step)
        };
        let (before, adam) = match self.moments {
            AdamMoments::Current => (None, of_rate(learning_rate)),
            AdamMoments::Previous => (Some(of_rate(learning_rate)), of_rate(0.0)),
        };
        OptimiserStep {
            adam,
            before,
            flushes: step.is_multiple_of(FLUSH_INTERVAL),
            decay: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vanished_moments_become_zero_and_no_others() {
        assert_eq!(
            (SMALLEST_FIRST, SMALLEST_SECOND),
            (2.0_f32.powi(-100), 2.0_f32.powi(-120))
        );
        let (tiny, tinier) = (5e-31_f32, 5e-37);
        let (mut p, mut m, mut v) = ([1.0; 3], [tiny, -tiny, 1e-28], [tinier, 0.0, 1e-35]);
        let constants = AdamConstants::STANDARD;
        constants
            .step(1e-3, 15)
            .apply(&mut p, &mut m, &mut v, &[0.0; 3]);
        assert!(m[0] > 0.0 && m[1] < 0.0 && v[0] > 0.0);
        constants
            .step(1e-3, 16)
            .apply(&mut p, &mut m, &mut v, &[0.0; 3]);
        assert_eq!((m[0], m[1], v[0], v[1]), (0.0, 0.0, 0.0, 0.0));
        assert!(m[2] > 0.0 && v[2] > 0.0);
        assert_eq!(p[..2], [1.0; 2]);
    }
}
