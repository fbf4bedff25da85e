//! Initial weights.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ndarray::Array1;
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::Uniform;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::layout::Layout;
use crate::parameters::Parameters;
use crate::streams::{Purpose, stream};

/// How weights and biases are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialisation {
    /// PyTorch's default for `nn.Linear`: weights and biases
    /// U(−1/√fan_in, 1/√fan_in).
    #[default]
    #[serde(rename = "pytorch")]
    PyTorchUniform,
    /// Glorot & Bengio (2010), eq. 16: weights U(±√(6/(fan_in + fan_out))),
    /// biases zero.
    Glorot,
}

/// Not the name of an initialisation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the initialisation is {0:?}; expected pytorch or glorot")]
pub struct UnknownInitialisation(pub String);

impl Initialisation {
    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Initialisation::PyTorchUniform => "pytorch",
            Initialisation::Glorot => "glorot",
        }
    }

    /// Draws parameters. Every tensor has a stream of its own, so that its
    /// values do not depend on the sizes of the others; μ and log σ² count as
    /// two layers although they are computed as one.
    pub(crate) fn draw(self, layout: Arc<Layout>, seed: u64) -> Parameters<f32> {
        let mut parameters = Parameters::zeros(layout.clone());
        for (index, slot) in layout.tensors().iter().enumerate() {
            let fan_in = layout.layers()[slot.layer].inputs;
            let fan_out = slot.columns.len();
            let bound = match self {
                Initialisation::PyTorchUniform => (fan_in as f32).sqrt().recip(),
                Initialisation::Glorot if slot.is_bias => continue,
                Initialisation::Glorot => (6.0 / (fan_in + fan_out) as f32).sqrt(),
            };
            let Ok(distribution) = Uniform::new(-bound, bound) else {
                unreachable!(
                    "{bound} is positive and finite for every width a specification admits"
                );
            };
            let len: usize = slot.shape.iter().product();
            let mut rng = stream(seed, Purpose::Initialisation, index as u64).rng(0);
            let values = Array1::random_using(len, distribution, &mut rng);
            layout.import(slot, &values.to_vec(), parameters.as_mut_slice());
        }
        parameters
    }
}

impl fmt::Display for Initialisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Initialisation {
    type Err = UnknownInitialisation;

    fn from_str(text: &str) -> Result<Self, UnknownInitialisation> {
        match text {
            "pytorch" => Ok(Initialisation::PyTorchUniform),
            "glorot" => Ok(Initialisation::Glorot),
            _ => Err(UnknownInitialisation(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Likelihood, ModelKind, ModelSpec};

    fn drawn(initialisation: Initialisation, seed: u64) -> Parameters<f32> {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "784-100-20".parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
        };
        initialisation.draw(Arc::new(Layout::new(&spec)), seed)
    }

    #[test]
    fn pytorch_bounds_are_those_of_the_fan_in() {
        for tensor in drawn(Initialisation::PyTorchUniform, 3).named_tensors() {
            let fan_in: f32 = match tensor.name.split('.').next().unwrap() {
                "encoder" => 784.0,
                "decoder" if tensor.name.starts_with("decoder.0") => 20.0,
                _ => 100.0,
            };
            let bound = fan_in.sqrt().recip();
            let largest = tensor.values.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
            assert!(
                largest <= bound && largest > 0.75 * bound,
                "{}: {largest} of {bound}",
                tensor.name
            );
            if tensor.values.len() >= 1000 {
                let n = tensor.values.len() as f32;
                let mean = tensor.values.iter().sum::<f32>() / n;
                // Five standard errors of a uniform mean, bound/√(3n).
                assert!(
                    mean.abs() < 5.0 * bound / (3.0 * n).sqrt(),
                    "{}: mean {mean}",
                    tensor.name
                );
            }
        }
    }

    #[test]
    fn glorot_biases_are_zero_and_heads_count_separately() {
        for tensor in drawn(Initialisation::Glorot, 3).named_tensors() {
            let largest = tensor.values.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
            if tensor.name.ends_with("bias") {
                assert_eq!(largest, 0.0, "{}", tensor.name);
            } else {
                let bound = (6.0 / (tensor.shape[0] + tensor.shape[1]) as f32).sqrt();
                assert!(
                    largest <= bound && largest > 0.95 * bound,
                    "{}: {largest} of {bound}",
                    tensor.name
                );
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        let draw = |seed| drawn(Initialisation::PyTorchUniform, seed);
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }
}
