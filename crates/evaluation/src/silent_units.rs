//! Units of hidden layers that no image moves: dead ReLUs.

use models::{DenseLayer, Images, Model};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use tensor_ops::Activation;

use crate::error::{Result, require_finite, require_images, require_shape};

/// The units of one hidden layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentUnits {
    /// What its tensors' names begin with, as in `encoder.0`.
    pub layer: String,
    /// Units it has.
    pub units: usize,
    /// Those whose output is 0 for every image.
    pub silent: usize,
}

impl SilentUnits {
    /// The silent share of its units, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.silent as f64 / self.units.max(1) as f64
    }
}

/// The silent units of every hidden layer of rectified units, encoder before
/// decoder; none of a model with other nonlinearities or without hidden layers.
///
/// A rectified unit that is 0 for every image gets no gradient from any of them,
/// so that training does not bring it back (Maas, Hannun & Ng 2013, *Rectifier
/// nonlinearities improve neural network acoustic models*, §2). A unit that is
/// silent on a sample of n images fires for less than 3/n of all of them, with a
/// certainty of 95 %. The encoder sees `images` [n, pixels], the decoder `codes`
/// [n, L]; of two stochastic layers both are followed along the means.
///
/// # Errors
/// No images, arrays that do not fit, or activations that are not finite.
pub fn silent_units<'a>(
    model: &Model,
    images: impl Into<Images<'a>>,
    codes: ArrayView2<'_, f32>,
) -> Result<Vec<SilentUnits>> {
    let images = images.into();
    require_images(images, model.spec())?;
    let expected = (images.nrows(), model.spec().architecture.latent);
    require_shape(
        codes.dim() == expected,
        "the array of codes",
        format_args!("{:?}", codes.dim()),
        format_args!("{expected:?}"),
    )?;
    if model.spec().architecture.activation != Activation::Relu {
        return Ok(Vec::new());
    }
    let mut pixels = Array2::zeros(images.dim());
    for (row, mut values) in pixels.rows_mut().into_iter().enumerate() {
        if let Some(values) = values.as_slice_mut() {
            images.read_row(row, values);
        }
    }
    let mut found = of_layers(&model.encoder_layers(), pixels)?;
    found.extend(of_layers(&model.decoder_layers(), codes.to_owned())?);
    Ok(found)
}

fn of_layers(layers: &[DenseLayer], mut values: Array2<f32>) -> Result<Vec<SilentUnits>> {
    let mut found = Vec::new();
    let Some((_, hidden)) = layers.split_last() else {
        return Ok(found);
    };
    for layer in hidden {
        values = values.dot(&layer.weight.t()) + &layer.bias;
        values.mapv_inplace(|value| layer.activation.apply(value));
        require_finite("the array of activations", &values.view())?;
        if layer.activation == Activation::Relu {
            let columns = values.axis_iter(Axis(1));
            found.push(SilentUnits {
                layer: layer.tensors.join(", "),
                units: values.ncols(),
                silent: columns
                    .filter(|unit| unit.iter().all(|&output| output == 0.0))
                    .count(),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Initialisation, ModelKind, ModelSpec, NamedTensor};
    use ndarray::Array2;

    fn spec(architecture: &str) -> ModelSpec {
        ModelSpec {
            kind: ModelKind::Vae,
            architecture: architecture.parse().unwrap(),
            likelihood: models::Likelihood::Bernoulli,
            posterior_scale: Default::default(),
        }
    }

    fn images() -> Array2<u8> {
        Array2::from_shape_fn((60, 12), |(i, j)| ((i * 37 + j * 101 + i * j) % 256) as u8)
    }

    #[test]
    fn planted_units_are_counted_layer_by_layer() {
        let plain = Model::new(spec("12-6-5-2"), Initialisation::Glorot, 3).unwrap();
        let deaden = |tensor: NamedTensor<f32>| {
            let dead: &[usize] = match tensor.name.as_str() {
                "encoder.0.bias" => &[1, 4],
                "decoder.2.bias" => &[0, 2, 5],
                _ => &[],
            };
            // Without weights a unit is its bias.
            let value = |unit| match tensor.name.ends_with(".bias") {
                true if dead.contains(&unit) => -1.0,
                true => 1.0,
                false => 0.0,
            };
            let values = (0..tensor.values.len()).map(value).collect();
            NamedTensor { values, ..tensor }
        };
        let tensors = plain.named_tensors().into_iter().map(deaden);
        let model = Model::from_named_tensors(plain.spec().clone(), tensors).unwrap();
        let images = images();
        let codes = Array2::zeros((60, 2));
        let found = silent_units(&model, images.view(), codes.view()).unwrap();
        let counts: Vec<_> = found
            .iter()
            .map(|layer| (layer.layer.as_str(), layer.units, layer.silent))
            .collect();
        assert_eq!(
            counts,
            [
                ("encoder.0", 6, 2),
                ("encoder.2", 5, 0),
                ("decoder.0", 5, 0),
                ("decoder.2", 6, 3)
            ]
        );
        assert_eq!(found[3].share(), 0.5);
        let wrong = Array2::zeros((59, 2));
        assert!(silent_units(&model, images.view(), wrong.view()).is_err());
    }

    #[test]
    fn other_nonlinearities_have_no_silent_units() {
        let mut smooth = spec("12-6-2");
        smooth.architecture.activation = Activation::Tanh;
        for spec in [smooth, spec("12-2")] {
            let model = Model::new(spec, Initialisation::Glorot, 3).unwrap();
            let codes = Array2::zeros((60, 2));
            let found = silent_units(&model, images().view(), codes.view()).unwrap();
            assert_eq!(found, []);
        }
    }
}
