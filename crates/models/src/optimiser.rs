//! Adam's state over a model's parameters.

use std::sync::Arc;

use tensor_ops::Float;
use tensor_ops::adam::AdamStep;

use crate::configuration::AdamConstants;
use crate::layout::Layout;
use crate::parameters::Parameters;

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
}

impl AdamConstants {
    /// The constants of one step with their bias corrections; steps count
    /// from 1.
    pub fn step<T: Float>(&self, learning_rate: f64, step: u64) -> AdamStep<T> {
        let constants = tensor_ops::adam::AdamConstants {
            learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
        };
        AdamStep::new(&constants, step)
    }
}
