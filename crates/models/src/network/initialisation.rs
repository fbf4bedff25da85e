//! Initial weights.

use std::sync::Arc;

use ndarray::{Array1, Axis};
use ndarray_rand::RandomExt;
use ndarray_rand::rand_distr::Uniform;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::images::Images;
use crate::model::Model;
use crate::named::named;
use crate::network::layout::{Layout, Role};
use crate::network::parameters::Parameters;
use crate::training::streams::{Purpose, stream};

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
    /// The same, every layer drawn from the beginning of one stream, input by input:
    /// layers of equal shape begin equal, such as those of μ and log σ, as in the
    /// published code of Burda et al. (2016), which seeds each layer alike.
    GlorotRepeated,
}

/// Not the name of an initialisation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the initialisation is {0:?}; expected pytorch, glorot or glorot-repeated")]
pub struct UnknownInitialisation(pub String);

/// ln σ of a Gaussian at the start: σ = 0.37 is a little more than the standard
/// deviation of MNIST's pixels, 0.31.
const LOG_SIGMA: f32 = -1.0;

named! {
    Initialisation, UnknownInitialisation, UnknownInitialisation,
    PyTorchUniform => "pytorch",
    Glorot => "glorot",
    GlorotRepeated => "glorot-repeated",
}

impl Initialisation {
    /// Draws parameters. Every tensor has a stream of its own, so that its
    /// values do not depend on the sizes of the others; μ and log σ² count as
    /// two layers although they are computed as one.
    pub(crate) fn draw(self, layout: Arc<Layout>, seed: u64) -> Parameters<f32> {
        let mut parameters = Parameters::zeros(layout.clone());
        for (index, slot) in layout.tensors().iter().enumerate() {
            let fan_in = layout.layers()[slot.layer].inputs;
            let fan_out = slot.shape[0];
            if layout.network(Role::Scale).contains(&slot.layer) {
                let values = vec![LOG_SIGMA; fan_out];
                layout.import(slot, &values, parameters.as_mut_slice());
                continue;
            }
            let bound = match self {
                Initialisation::PyTorchUniform => (fan_in as f32).sqrt().recip(),
                Initialisation::Glorot | Initialisation::GlorotRepeated if slot.is_bias => continue,
                Initialisation::Glorot | Initialisation::GlorotRepeated => {
                    (6.0 / (fan_in + fan_out) as f32).sqrt()
                }
            };
            let Ok(distribution) = Uniform::new(-bound, bound) else {
                unreachable!(
                    "{bound} is positive and finite for every width a specification admits"
                );
            };
            let len: usize = slot.shape.iter().product();
            let index = match self {
                Initialisation::GlorotRepeated => 0,
                _ => index as u64,
            };
            let mut rng = stream(seed, Purpose::Initialisation, index).rng(0);
            let mut values = Array1::random_using(len, distribution, &mut rng).to_vec();
            if self == Initialisation::GlorotRepeated {
                values = transposed(&values, fan_in);
            }
            layout.import(slot, &values, parameters.as_mut_slice());
        }
        parameters
    }
}

/// The weights [out, in] of those that stand input by input, row-major each.
fn transposed(by_input: &[f32], inputs: usize) -> Vec<f32> {
    let outputs = by_input.len() / inputs;
    let of_output = |output| (0..inputs).map(move |input| by_input[input * outputs + output]);
    (0..outputs).flat_map(of_output).collect()
}

impl Model {
    /// Sets the bias of the decoder's last layer to the outputs whose mean
    /// under the likelihood is the mean image — its logit for a Bernoulli —
    /// each pixel's mean kept within [0.001, 0.999]: a decoder that has
    /// learned nothing then gives the mean image, as in the published code of
    /// Burda et al. (2016). Means of values that leave [0, 1] are taken as they
    /// are where the output is the mean.
    ///
    /// # Panics
    /// If there are no images, or they have not the model's pixels.
    pub fn set_output_bias_to_mean<'a>(&mut self, images: impl Into<Images<'a>>) {
        let images = images.into();
        let likelihood = self.spec().likelihood;
        let inputs = self.spec().architecture.inputs;
        assert!(
            images.nrows() > 0 && images.ncols() == inputs,
            "set_output_bias_to_mean: images of shape {:?} for a model that takes {inputs} pixels",
            images.dim()
        );
        let is_free = likelihood.output_is_mean() && images.first_outside_unit().is_some();
        let parameters = self.parameters_mut();
        let layout = parameters.layout().clone();
        let last = layout.network(Role::Decoder).end - 1;
        let bias = &mut parameters.as_mut_slice()[layout.layers()[last].bias.clone()];
        for (bias, mean) in bias.iter_mut().zip(pixel_means(images)) {
            let mean = if is_free {
                mean
            } else {
                mean.clamp(0.001, 0.999)
            };
            *bias = likelihood.output_of_mean(mean) as f32;
        }
    }
}

/// The mean of every pixel over the images; sums of bytes are exact.
fn pixel_means(images: Images<'_>) -> Array1<f64> {
    let count = images.nrows() as f64;
    match images {
        Images::Bytes(bytes) => {
            let sums = bytes.fold_axis(Axis(0), 0.0, |sum, &byte| sum + f64::from(byte));
            sums / (255.0 * count)
        }
        Images::Values(values) => {
            let sums = values.fold_axis(Axis(0), 0.0, |sum, &value| sum + f64::from(value));
            sums / count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Likelihood, ModelKind, ModelSpec};

    const INPUTS: usize = if cfg!(miri) { 30 } else { 784 };

    fn drawn(initialisation: Initialisation, seed: u64) -> Parameters<f32> {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: format!("{INPUTS}-100-20").parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        initialisation.draw(Arc::new(Layout::new(&spec)), seed)
    }

    #[test]
    fn pytorch_bounds_are_those_of_the_fan_in() {
        for tensor in drawn(Initialisation::PyTorchUniform, 3).named_tensors() {
            let fan_in: f32 = match tensor.name.split('.').next().unwrap() {
                "encoder" => INPUTS as f32,
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
    fn repeated_layers_begin_with_the_same_numbers() {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "30-12-12-5".parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        let layout = Arc::new(Layout::new(&spec));
        let repeated = Initialisation::GlorotRepeated.draw(layout, 3);
        let repeated = repeated.named_tensors();
        let weights = |layer: &str| {
            let name = format!("{layer}.weight");
            &repeated.iter().find(|t| t.name == name).unwrap().values
        };
        assert_eq!(weights("mu"), weights("log_var"));
        assert_eq!(weights("encoder.2"), weights("decoder.2"));
        // Of other shapes as many draws are the same, each within its own bounds; those
        // of the first input are the first of every row of [out, in].
        let (wide, square) = (weights("encoder.0"), weights("encoder.2"));
        let ratio = (24.0_f32 / 42.0).sqrt();
        for output in 0..12 {
            let (wide, square) = (wide[output * 30], square[output * 12]);
            assert!((wide - square * ratio).abs() < 1e-6, "output {output}");
        }
        for tensor in &repeated {
            let is_zero = tensor.values.iter().all(|&value| value == 0.0);
            assert_eq!(is_zero, tensor.name.ends_with("bias"), "{}", tensor.name);
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
    fn the_output_bias_decodes_to_the_mean_image() {
        let spec = ModelSpec {
            kind: ModelKind::Vae,
            architecture: "18-5-2".parse().unwrap(),
            likelihood: Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        };
        let mut model = Model::new(spec, Initialisation::Glorot, 1).unwrap();
        // Pixel means 0, 51 / 255, …, the first and the last out of range.
        let images: Vec<u8> = (0..2 * 18)
            .map(|at| match at % 18 {
                0 => 0,
                17 => 255,
                pixel => 10 * pixel as u8 + if at < 18 { 5 } else { 0 },
            })
            .collect();
        let images = ndarray::Array2::from_shape_vec((2, 18), images).unwrap();
        model.set_output_bias_to_mean(&images);
        let decoded = model.decode(ndarray::Array2::zeros((1, 2)).view());
        for (pixel, &probability) in decoded.iter().enumerate() {
            let mean = f32::from(images[[0, pixel]]) + f32::from(images[[1, pixel]]);
            let expected = (mean / 510.0).clamp(0.001, 0.999);
            assert!((probability - expected).abs() < 1e-6, "pixel {pixel}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let draw = |seed| drawn(Initialisation::PyTorchUniform, seed);
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }

    #[test]
    fn numbers_that_stand_input_by_input_become_rows_of_outputs() {
        let by_input = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(transposed(&by_input, 2), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(transposed(&by_input, 3), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }

    /// Only where the output is the mean and the images leave the interval.
    #[test]
    fn means_are_kept_within_the_interval_unless_values_leave_it() {
        let bias = |likelihood: &str, images: [[f32; 3]; 2]| {
            let spec = ModelSpec {
                kind: ModelKind::Ae,
                architecture: "3-4-1".parse().unwrap(),
                likelihood: likelihood.parse().unwrap(),
                posterior_scale: Default::default(),
            };
            let mut model = Model::new(spec, Initialisation::PyTorchUniform, 1).unwrap();
            model.set_output_bias_to_mean(&ndarray::Array2::from(images.to_vec()));
            let tensors = model.parameters().named_tensors();
            let bias = tensors.into_iter().find(|one| one.name == "decoder.2.bias");
            bias.unwrap().values
        };
        let (within, beyond) = ([[0.0, 0.25, 1.0], [0.0, 0.5, 1.0]], [[0.0, 0.25, 3.0]; 2]);
        assert_eq!(bias("gaussian-identity/0.1", within), [0.001, 0.375, 0.999]);
        assert_eq!(bias("laplace-identity/0.1", beyond), [0.0, 0.25, 3.0]);
        let logit = |mean: f64| (mean / (1.0 - mean)).ln() as f32;
        let expected = [0.001, 0.25, 0.999].map(logit);
        assert_eq!(bias("gaussian/0.1", beyond), expected);
    }
}
